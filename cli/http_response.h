/* SPDX-License-Identifier: BSD-3-Clause */
/* The head of an HTTP/1.1 response: pure. */
#ifndef RILL_CLI_HTTP_RESPONSE_H
#define RILL_CLI_HTTP_RESPONSE_H

#include "cli/http_value.h"

/* The longest head that rill_http_format_response() writes, with its 0. */
#define RILL_HTTP_RESPONSE_MAX 512

struct rill_http_response {
	unsigned status;
	unsigned minor; /* of the request's version */
	bool keep_alive;
	const char *type;  /* media type; NULL: text/plain */
	uint64_t length;   /* of the body, also when it is not sent (HEAD) */
	bool has_modified; /* modified is known */
	time_t modified;
	struct rill_http_range range; /* 206: which part */
	uint64_t size;		      /* 206, 416: of the whole */
};

/* "Not Found"; never NULL. */
const char *rill_http_reason(unsigned status);

/*
 * Writes the head with its empty line into buf (RILL_HTTP_RESPONSE_MAX bytes); now is for Date.
 * Returns its length.
 */
size_t rill_http_format_response(const struct rill_http_response *r, time_t now, char *buf);

#endif
