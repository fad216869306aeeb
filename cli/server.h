/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A TCP service: one accept loop, one task per connection, and an orderly end. When the stop token
 * is cancelled the listener closes and connections finish what they have begun; those which have
 * not after RILL_SERVER_DRAIN_NS are cut.
 */
#ifndef RILL_CLI_SERVER_H
#define RILL_CLI_SERVER_H

#include <rill/net.h>
#include <stdatomic.h>

struct rill_channel;
struct rill_server;
struct rill_token;

#define RILL_SERVER_DRAIN_NS (5 * RILL_SEC)
/* Connections served at once; what comes beyond is reset. Bounds the memory that peers can claim.
 */
#define RILL_SERVER_CONNS_MAX 16384
/* How long a closed connection may take to get its last bytes acknowledged. */
#define RILL_SERVER_LINGER_NS (2 * RILL_SEC)

struct rill_server {
	const char *name;
	/*
	 * Serves one connection in a task of its own, under the cut token, and leaves closing it to
	 * the caller. False: what was sent is not whole, and the peer shall see that (RST).
	 */
	bool (*serve)(struct rill_server *server, struct rill_tcp *conn);
	void *arg;		 /* of serve, for its own use */
	struct rill_token *stop; /* begin nothing new */
	struct rill_token *cut;	 /* end now */
	struct rill_listener *listener;
	struct rill_channel
		*alive; /* every task holds a sender: the last one gone ends the receiver's wait */
	atomic_uint conns;
};

/*
 * Listens on port of any own address. name, serve, arg, stop and cut are set by the caller. Any
 * thread. Negative errno after a message on stderr.
 */
int rill_server_listen(struct rill_server *server, struct rill_net *net, uint16_t port);

/* In a task: serves until stop is cancelled and the last task has gone, then frees what listen
 * made. */
void rill_server_run(struct rill_server *server);

/* In a task: one more task that the server waits for; it runs fn(arg) under the stop token. */
int rill_server_spawn(struct rill_server *server, void (*fn)(void *arg), void *arg);

#endif
