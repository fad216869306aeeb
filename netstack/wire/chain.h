/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A datagram that lies in several buffers, linked by next: what comes out of reassembly, and what
 * goes into fragmentation. One buffer with next == NULL is a chain too.
 */
#ifndef RILL_NETSTACK_WIRE_CHAIN_H
#define RILL_NETSTACK_WIRE_CHAIN_H

#include <stddef.h>
#include <stdint.h>

#include "drivers/buf.h"

size_t rill_chain_len(const struct rill_buf *b);
/* rill_csum_add() over its first len bytes; buffers may have odd lengths. */
uint32_t rill_chain_csum(uint32_t sum, const struct rill_buf *b, size_t len);
/* Cuts it to len bytes. Buffers past the end stay in the chain, empty. */
void rill_chain_trim(struct rill_buf *b, size_t len);

/* Where reading goes on. Starts as {b, 0}. */
struct rill_chain_cursor {
	const struct rill_buf *b;
	size_t at;
};
/* Copies up to len bytes; how many there were. Buffers past these are not looked at. */
size_t rill_chain_read(struct rill_chain_cursor *c, void *dst, size_t len);

#endif
