/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The head of an HTTP/1 request: bytes in, a checked struct out (RFC 9112; RFC 9110). Pure: no I/O
 * and no memory of its own. Strict where leniency lets two parsers disagree about where a request
 * ends: bare LF, folded lines, space before a colon, doubled or signed Content-Length are all
 * errors.
 */
#ifndef RILL_CLI_HTTP_PARSE_H
#define RILL_CLI_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Longest request line: room for any path that the file system takes, percent-encoded. Beyond: 414.
 */
#define RILL_HTTP_LINE_MAX 8192
/* Longest head, the request line included: the buffer of a connection. Beyond: 431. */
#define RILL_HTTP_HEAD_MAX 16384
/* Header fields of a request. Beyond: 431. */
#define RILL_HTTP_FIELDS_MAX 100

/* Bytes of somebody else's buffer, not terminated; data is NULL for a field that is not there. */
struct rill_http_slice {
	const char *data;
	size_t len;
};

enum rill_http_method {
	RILL_HTTP_GET,
	RILL_HTTP_HEAD,
	RILL_HTTP_OTHER, /* answered by 405 */
};

struct rill_http_request {
	enum rill_http_method method;
	struct rill_http_slice target; /* as sent, printable ASCII */
	unsigned minor;		       /* of the version: 0, or 1 for anything newer */
	unsigned fields;
	bool keep_alive;	 /* by version and Connection */
	bool has_length;	 /* a Content-Length was sent */
	bool has_coding;	 /* a Transfer-Encoding was sent */
	bool chunked;		 /* and it was "chunked", nothing else */
	bool expects_continue;	 /* Expect: 100-continue */
	uint64_t content_length; /* 0 without one */
	struct rill_http_slice host, range, if_range, if_modified_since;
};

/* Zero it for each request. */
struct rill_http_scan {
	size_t scanned;	 /* bytes already looked at */
	size_t line_len; /* of the request line; 0: its end has not been seen */
};

/*
 * Looks for the end of the head at the beginning of buf, resuming where the last call stopped.
 * Returns its length with the empty line, 0 when more bytes are needed, or minus the status to
 * refuse it with: -400 (a line that does not end in CRLF), -414, -431.
 */
ssize_t rill_http_find_head(struct rill_http_scan *scan, const char *buf, size_t len);

/*
 * Parses one whole head as found. 0, or the status to refuse it with: 400, 431 (too many fields),
 * 501 (unknown transfer coding), 505. The slices point into head. *ret_request is valid only with
 * 0.
 */
int rill_http_parse_request(const char *head, size_t len, struct rill_http_request *ret_request);

/* Compares with a terminated text; ASCII case is ignored. */
bool rill_http_slice_is(struct rill_http_slice s, const char *text);

/*
 * Takes the next element off a comma-separated list (RFC 9110, 5.6.1): false at its end. Empty
 * elements are skipped, white space around one is cut off.
 */
bool rill_http_next_element(struct rill_http_slice *list, struct rill_http_slice *ret_element);

/* A decimal number without sign that fits. 0 or -EINVAL. */
int rill_http_parse_number(struct rill_http_slice s, uint64_t *ret_number);

/* Takes the next line off *rest, without its CRLF. False: there is none. */
bool rill_http_next_line(struct rill_http_slice *rest, struct rill_http_slice *ret_line);

/*
 * Splits one field line (without its CRLF) into name and value. 0, or -EINVAL: no colon, bad name,
 * a control character in the value.
 */
int rill_http_split_field(struct rill_http_slice line, struct rill_http_slice *ret_name,
			  struct rill_http_slice *ret_value);

#endif
