/* SPDX-License-Identifier: BSD-3-Clause */
/* Two bare stacks back to back, under a clock that only run() moves. */
#ifndef TESTS_BARE_WORLD_H
#define TESTS_BARE_WORLD_H

#include <rill/stack.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DELAY_NS (500 * RILL_US) /* of the wire, one way */

enum side { CLIENT, SERVER, SIDES };

struct wire_packet {
	struct wire_packet *next;
	uint64_t due_ns;
	size_t len;
	uint8_t bytes[];
};

struct end {
	struct world *w;
	enum side side;
	struct rill_stack *stack;
	struct wire_packet *first, **last; /* on their way to this end */
	size_t allocated;		   /* bytes */
	uint32_t allocations;		   /* not freed */
	size_t alloc_limit;		   /* allocated at most; 0: no bound */
	uint32_t alloc_fails_after;	   /* so many from now on, see alloc_fails */
	bool alloc_fails;		   /* every one after those */
	uint32_t ready_calls;
	int ready_fd;
	uint64_t sent_hash;  /* of all that it sent, and when */
	uint32_t drop_every; /* every so manyth packet to this end is lost; 0: none */
	uint32_t count;
};

struct world {
	uint64_t now_ns;
	bool lossy;
	struct end ends[SIDES];
	struct rill_addr addr[SIDES];
};

struct world_options {
	enum rill_stack_layer layer;
	uint64_t seed;
	const struct rill_stack_profile *profile;
	unsigned sockets, packets, connections;
	uint32_t recv_buffer;
	const char *const
		*addr; /* by side; NULL: 198.18.0.1 and .2, which come first in any case */
};

void world_open(struct world *w, const struct world_options *o);
/* Destroys both, and checks that nothing is left. */
void world_close(struct world *w);
/* Everything that happens until then. */
void world_run(struct world *w, uint64_t ns);
/* The same where an end may have no buffer for a packet, which is lost then. */
void world_run_lossy(struct world *w, uint64_t ns);
const struct rill_stack_ops *world_ops(void);

static inline struct rill_stack *client(struct world *w)
{
	return w->ends[CLIENT].stack;
}

static inline struct rill_stack *server(struct world *w)
{
	return w->ends[SERVER].stack;
}

/* A listener at port 80 of the server. */
int world_listen(struct world *w, int backlog);
/* A connection, established and accepted: its sockets by side. */
void world_connect(struct world *w, int listener, int ret_fd[SIDES]);
/* Sends and receives one vector. */
ssize_t put(struct rill_stack *s, int fd, const void *data, size_t len);
ssize_t get(struct rill_stack *s, int fd, void *data, size_t len);
int get_int(struct rill_stack *s, int fd, int level, int name);
int set_int(struct rill_stack *s, int fd, int level, int name, int value);

#endif
