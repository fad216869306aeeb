/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments with data that a connection sends one after the other within one output. What they have
 * in common, most of the header, is decided for the first and copied for the others, and they leave
 * together: as so many frames, or as one that the NIC cuts (RILL_BUF_GSO). What goes over the wire
 * is the same, byte for byte, as without. The scoreboard, the pacer and the counters know segments
 * only; by the time a segment is here they have taken note of it.
 *
 * A train is on the stack of the output that opens it; env->train names it. Whatever else the
 * connection sends meanwhile lets it leave first, so that the order stays.
 */
#ifndef RILL_NETSTACK_TCP_TRAIN_H
#define RILL_NETSTACK_TCP_TRAIN_H

#include "netstack/tcp/tcb.h"

/* The header of a frame that the NIC cuts takes one of its pieces. */
#define RILL_TCP_TRAIN_MAX (RILL_BUF_SEGS_MAX - 1)
/* Of gso_max, what headers may take: Ethernet with two VLAN tags, IPv6, TCP. */
#define RILL_TCP_GSO_HEADERS 122

struct rill_tcp_train_seg {
	struct rill_buf *b; /* data and len: the payload */
	uint32_t seq;
	uint16_t flags;
	uint16_t sum; /* of the payload, where summed */
};

struct rill_tcp_train {
	const struct rill_tcb *tcb;
	struct rill_tcp_template header;
	unsigned count;
	uint64_t summed; /* bit by segment */
	uint16_t flags;	 /* of all, but for PSH and FIN */
	uint8_t tos;
	bool valid; /* header and what follows it hold something */
	bool once;  /* what the header says is said once */
	struct rill_tcp_train_seg segs[RILL_TCP_TRAIN_MAX];
};

/* Until rill_tcp_train_end(), which lets it leave. */
void rill_tcp_train_begin(struct rill_tcp_train *t, const struct rill_tcb *tcb,
			  struct rill_tcp_env *env);
void rill_tcp_train_end(struct rill_tcp_env *env);
/* What is there goes now, for something else will follow. */
void rill_tcp_train_leave(struct rill_tcp_env *env);

#endif
