/* SPDX-License-Identifier: BSD-3-Clause */
/* Packet scripts with SACK: blocks in segments of full size, numbered from 0. */
#ifndef RILL_TESTS_TCP_SACK_SCRIPT_H
#define RILL_TESTS_TCP_SACK_SCRIPT_H

#include "script.h"

#include "netstack/tcp/xfer.h"

#define RTT (10 * RILL_MS)

/* The first byte of the nth segment. */
static inline uint32_t at(uint32_t n)
{
	return 1 + n * MSS;
}

/* Established with SACK; timestamps if asked for. The handshake took RTT. */
static inline struct script *script_sack(bool stamps)
{
	struct script *s = script_new();

	s->opt.present |= RILL_TCP_OPT_SACK_PERMITTED;
	if (stamps) {
		s->e.env.params.no_timestamps = false;
		s->opt.present |= RILL_TCP_OPT_TIMESTAMPS;
		s->opt.tsval = 1000;
		s->opt.mss = MSS + RILL_TCP_TIMESTAMPS_LEN; /* segments carry MSS all the same */
		s->e.env.params.mtu = 1500 + RILL_TCP_TIMESTAMPS_LEN;
	}
	script_connect(s);
	expect(s, S, 0, 0, 0);
	s->opt.tsecr = s->last.opt.tsval;
	s->now += RTT;
	in(s, S | A, 0, 1, 65535, 0);
	expect(s, A, 1, 1, 0);
	s->e.tcb.events = 0;
	return s;
}

/* Segments first up to, but not with, end go out, in this order, and nothing else yet. */
static inline void expect_range(struct script *s, uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < end; i++)
		expect(s, A, at(i), 1, MSS);
}

/* The next ACKs have these blocks, in bytes. */
static inline void blocks_raw(struct script *s, unsigned n, const uint32_t (*b)[2])
{
	s->opt.present |= RILL_TCP_OPT_SACK;
	s->opt.sack_count = (uint8_t)n;
	for (unsigned i = 0; i < n; i++) {
		s->opt.sack[i].start = s->e.tcb.iss + b[i][0];
		s->opt.sack[i].end = s->e.tcb.iss + b[i][1];
	}
}

static inline void no_blocks(struct script *s)
{
	s->opt.present &= (uint8_t)~RILL_TCP_OPT_SACK;
	s->opt.sack_count = 0;
}

/* An ACK of everything before segment ack, with one block of segments (first to before end). */
static inline void sack(struct script *s, uint32_t ack, uint32_t first, uint32_t end)
{
	const uint32_t b[][2] = {{at(first), at(end)}};

	blocks_raw(s, 1, b);
	in(s, A, 1, at(ack), 65535, 0);
	no_blocks(s);
}

static inline void sack2(struct script *s, uint32_t ack, uint32_t first, uint32_t end,
			 uint32_t first2, uint32_t end2)
{
	const uint32_t b[][2] = {{at(first), at(end)}, {at(first2), at(end2)}};

	blocks_raw(s, 2, b);
	in(s, A, 1, at(ack), 65535, 0);
	no_blocks(s);
}

static inline void plain_ack(struct script *s, uint32_t ack)
{
	no_blocks(s);
	in(s, A, 1, at(ack), 65535, 0);
}

static inline enum rill_tcp_ca_state ca(const struct script *s)
{
	return rill_tcp_ca(&s->e.tcb);
}

#endif
