/* SPDX-License-Identifier: BSD-3-Clause */
/* What a client needs: URLs, and the head of an HTTP/1 response. Pure functions. */
#ifndef RILL_CLI_HTTP_REPLY_H
#define RILL_CLI_HTTP_REPLY_H

#include "cli/http_parse.h"

#include <rill/net.h>

struct rill_http_url {
	struct rill_addr addr;	     /* port 80 unless the URL names one */
	struct rill_http_slice host; /* with the port, as written: for the Host field */
	const char *path;	     /* with the query; "" means "/" */
};

/*
 * "http://198.18.0.1:8080/path?query". The slices point into text. NULL, or what is wrong, for
 * people.
 */
const char *rill_http_parse_url(const char *text, struct rill_http_url *ret_url);

struct rill_http_reply {
	unsigned status;
	bool keep_alive; /* the connection may be used again after the body */
	bool has_length; /* false: the body ends with the connection */
	bool has_coding; /* a transfer coding, chunked or other */
	uint64_t length; /* 0 for a status without a body */
};

/* Parses one whole head, as rill_http_find_head() found it. 0, or -EBADMSG. */
int rill_http_parse_reply(const char *head, size_t len, struct rill_http_reply *ret_reply);

#endif
