/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The world of one case: the stack, its clock, its memory, the packets that it sent and nobody has
 * looked at yet, the flows and the sockets.
 *
 * Whatever finds something wrong calls world_fail(), which does not return.
 */
#ifndef RILL_TESTS_SCRIPT_WORLD_H
#define RILL_TESTS_SCRIPT_WORLD_H

#include <rill/stack.h>
#include <setjmp.h>

#include "lang.h"
#include "packet.h"

#define WORLD_FLOWS_MAX 4096
#define WORLD_SOCKETS_MAX 64
#define WORLD_MESSAGE_MAX 4096

/* The addresses of every case. */
#define WORLD_OUR_IP 0xc6120001u  /* 198.18.0.1 */
#define WORLD_PEER_IP 0xc6120002u /* 198.18.0.2 */

/* One connection as the peer knows it. Numbers in scripts are relative to it. */
struct world_flow {
	uint32_t peer_ip, our_ip;
	uint16_t peer_port, our_port;
	bool port_known; /* our_port; else the next SYN of ours tells */
	bool isn_known;	 /* our_isn; else the next SYN of ours tells */
	bool ts_known;	 /* ts_base; else the next timestamp of ours tells, and counts as 0 */
	uint32_t peer_isn, our_isn;
	uint32_t ts_base;
	uint8_t cookie[16]; /* the last one that we sent (RFC 7413): "FO last" */
	unsigned cookie_len;
};

struct world_socket {
	char name[16];
	int fd;
	uint64_t written, read; /* bytes of the pattern */
	int polled;		/* what rill_stack_poll() said last */
	bool ready;		/* ops->ready() was called since */
};

struct world_packet {
	uint64_t at;
	unsigned len;
	uint8_t *bytes;
	struct world_packet *next;
};

struct world {
	struct rill_stack *stack; /* NULL until the first line that needs it */
	struct rill_stack_options options;
	struct rill_stack_profile profile;
	struct rill_stack_ops ops;
	uint64_t start, now;
	uint64_t at; /* when the line before was done: what its successor's time counts from */
	uint64_t tolerance;
	struct world_packet *first, **last; /* sent, not yet looked at */
	struct world_flow flows[WORLD_FLOWS_MAX];
	struct world_socket sockets[WORLD_SOCKETS_MAX];
	/* Memory that the stack holds. */
	size_t allocated;
	unsigned allocations;
	bool no_memory;
	bool in_call;	/* of the stack's: its clock and output may be called */
	uint64_t trace; /* a hash of everything that was sent, and when */
	const struct lang_line *line;
	bool verbose;
	char fails[LANG_NAME_MAX]; /* the case must fail, and say this; empty: it must not */
	char message[WORLD_MESSAGE_MAX];
	jmp_buf failed;
};

void world_init(struct world *w);
/* Ends all sockets and the stack; what was found wrong then, or NULL. */
const char *world_end(struct world *w);
void world_fini(struct world *w);

__attribute__((noreturn, format(printf, 2, 3))) void world_fail(struct world *w, const char *format,
								...);

/* Makes the stack if there is none yet. */
struct rill_stack *world_stack(struct world *w);
/* Runs timers up to then. */
void world_advance(struct world *w, uint64_t then);
/* The same, but stops as soon as a packet was sent. */
void world_advance_to_packet(struct world *w, uint64_t then);
/* Fails if something was sent that no line expected. */
void world_expect_quiet(struct world *w);
/* Packets that arrive together. */
void world_input(struct world *w, const struct iovec *packets, unsigned count);
/* Frees the first packet. */
void world_drop_packet(struct world *w);

/* n from 1; fails when it is too large. */
struct world_flow *world_flow(struct world *w, int64_t n);
void world_flow_reset(struct world_flow *f, unsigned n);
/* The flow that a packet of the stack's belongs to, or NULL. Learns what its SYN tells. */
struct world_flow *world_flow_of(struct world *w, const struct packet *p);

/* Whether one may be made is up to create. NULL: no such socket. */
struct world_socket *world_socket(struct world *w, const char *name, bool create);
struct world_socket *world_socket_by_fd(struct world *w, int fd);

/* The byte at this offset of every stream, either way. */
static inline uint8_t world_pattern(uint64_t offset)
{
	return (uint8_t)(offset * 7 + (offset >> 8) * 13 + 'a');
}

#endif
