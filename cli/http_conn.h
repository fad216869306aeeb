/* SPDX-License-Identifier: BSD-3-Clause */
/* One HTTP connection: requests in, files out. */
#ifndef RILL_CLI_HTTP_CONN_H
#define RILL_CLI_HTTP_CONN_H

#include "cli/server.h"

/* From the first byte of a request to the end of its head. Then 408. */
#define RILL_HTTP_HEAD_NS (10 * RILL_SEC)
/* Between two requests. Then the connection is closed. */
#define RILL_HTTP_IDLE_NS (30 * RILL_SEC)
/* For one piece of a file to find room in the send buffer. Then the connection is reset. */
#define RILL_HTTP_SEND_NS (60 * RILL_SEC)
/* The longest request body that is read, and dropped. Beyond: 413. */
#define RILL_HTTP_BODY_MAX (64 * 1024)

/* For struct rill_server: serve is rill_http_serve, arg a struct rill_http_site. */
struct rill_http_site {
	int root; /* from rill_http_root_open() */
};

bool rill_http_serve(struct rill_server *server, struct rill_tcp *conn);

#endif
