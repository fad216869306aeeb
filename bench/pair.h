/* SPDX-License-Identifier: BSD-3-Clause */
/* Two interfaces of this process on one software wire, and connections between
 * them. Errors end the program, unless they are returned. */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include <rill/net.h>

/* What both ends of a plain connection use: 1,460 bytes of payload are a full
 * segment of it, with timestamps. */
#define PAIR_NIC "mem:rill-bench,mtu=1512"
#define PAIR_SEGMENT_BYTES 1460
#define PAIR_PORT 7

struct rill_runtime;

struct pair {
	struct rill_net *client_net;
	struct rill_net *server_net;
	struct rill_addr server_addr; /* with PAIR_PORT */
};

/* server_rt: the server's interface is on this runtime; NULL: on the caller's,
 * as the client's. */
int pair_open(struct pair *p, const char *nic, struct rill_runtime *server_rt);
/* Resets what is still connected. */
void pair_close(struct pair *p);

/* Nagle off. */
const struct rill_tcp_options *pair_tcp_options(void);
/* Listens on PAIR_PORT + offset. */
struct rill_listener *pair_listen(const struct pair *p, unsigned offset);
/* Connects to PAIR_PORT + offset. */
struct rill_tcp *pair_connect(const struct pair *p, unsigned offset);

#endif
