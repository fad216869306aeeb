/* SPDX-License-Identifier: BSD-3-Clause */
/* The bare stack (include/rill/stack.h): a core with its clock, its memory and its sockets. */
#ifndef RILL_NETSTACK_BARE_STACK_H
#define RILL_NETSTACK_BARE_STACK_H

#include <rill/stack.h>

#include "netstack/core/core.h"

struct rill_socket;
struct rill_stack_chunk;

struct rill_stack {
	struct rill_stack_ops ops;
	void *ctx;
	struct rill_memory memory; /* ops', counted */
	size_t memory_used;
	struct rill_stack_profile profile;
	bool rx_checksum_ok;
	uint32_t frame_max; /* bytes of a received frame (packet) */
	struct rill_ip ip;

	/* Packet buffers, in chunks. */
	struct rill_buf_pool pool;
	struct rill_stack_chunk *chunks;
	uint32_t packets_max;
	uint32_t buf_bytes;

	/* Sockets by number; sockets_size of them have a place. */
	struct rill_socket **sockets;
	unsigned sockets_size, sockets_max, socket_count;
	unsigned free_from; /* no number below it is free */
	struct rill_slab socket_slab;
	struct rill_port_table bound; /* TCP ports, by the sockets' at */
	uint32_t port_ids;	      /* given out */

	uint64_t packets_in, packets_out;
	struct rill_core core;
};

/* profile.c: -EINVAL. */
int rill_stack_profile_apply(struct rill_stack *s);

/* Around every call that may change something. */
static inline void rill_stack_enter(struct rill_stack *s)
{
	rill_core_enter(&s->core, s->ops.now(s->ctx));
}

static inline void rill_stack_leave(struct rill_stack *s)
{
	rill_core_settle(&s->core);
}

#endif
