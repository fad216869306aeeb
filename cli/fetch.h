/* SPDX-License-Identifier: BSD-3-Clause */
/* An HTTP client: GET over one connection, kept alive from one request to the next. */
#ifndef RILL_CLI_FETCH_H
#define RILL_CLI_FETCH_H

#include "cli/http_reply.h"

#define RILL_FETCH_CONNECT_NS (10 * RILL_SEC)
/* The longest silence of a server. */
#define RILL_FETCH_RECV_NS (30 * RILL_SEC)

struct rill_fetch {
	struct rill_net *net;
	struct rill_http_url url;
	int out; /* bodies are written to this file descriptor, on the blocking pool */
	struct rill_tcp *conn; /* NULL: not connected */
	char *buf;
	size_t have;	/* bytes in buf */
	uint64_t bytes; /* of all bodies so far */
	unsigned connects;
};

/* net, url and out are set by the caller. -ENOMEM. */
int rill_fetch_init(struct rill_fetch *f);
void rill_fetch_fini(struct rill_fetch *f);

/*
 * One GET: 0 with the status when the body has been written. -EBADMSG: not HTTP, -ENOTSUP: a
 * transfer coding, -EPIPE: the body ended early, -ETIMEDOUT and what connect, recv and write say.
 */
int rill_fetch_get(struct rill_fetch *f, unsigned *ret_status);

#endif
