/* SPDX-License-Identifier: BSD-3-Clause */
/* Received frames that are more than one packet in one buffer. */
#ifndef RILL_NETSTACK_IP_PIECES_H
#define RILL_NETSTACK_IP_PIECES_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/buf.h"

struct rill_l3;

/* Whether rill_l3_input() is to leave the frame to rill_l3_input_pieces(). */
static inline bool rill_l3_has_pieces(const struct rill_buf *frame)
{
	return (frame->flags & (RILL_BUF_CHAIN | RILL_BUF_GSO | RILL_BUF_VLAN)) != 0;
}

/*
 * A frame with RILL_BUF_GSO goes in as the frames that it was merged from, one of several buffers
 * as one in a single buffer, or, where none is so large, TCP as several segments, anything else as
 * a chain. One with a VLAN tag beside it is dropped as one with the tag inside. Takes the
 * reference.
 */
void rill_l3_input_pieces(struct rill_l3 *l3, struct rill_buf *frame, uint64_t now);

#endif
