/* SPDX-License-Identifier: BSD-3-Clause */
/* Comparison of sequence numbers and timestamps modulo 2^32 (RFC 9293, 3.4; RFC 7323, 5.2). */
#ifndef RILL_NETSTACK_TCP_SEQ_H
#define RILL_NETSTACK_TCP_SEQ_H

#include <stdbool.h>
#include <stdint.h>

static inline bool rill_seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool rill_seq_leq(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

static inline bool rill_seq_gt(uint32_t a, uint32_t b)
{
	return rill_seq_lt(b, a);
}

static inline bool rill_seq_geq(uint32_t a, uint32_t b)
{
	return rill_seq_leq(b, a);
}

static inline uint32_t rill_seq_max(uint32_t a, uint32_t b)
{
	return rill_seq_lt(a, b) ? b : a;
}

static inline uint32_t rill_seq_min(uint32_t a, uint32_t b)
{
	return rill_seq_lt(a, b) ? a : b;
}

#endif
