/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reassembly of IPv4 fragments (RFC 791, 3.2; RFC 815 for the problem, not the algorithm). The
 * fragments stay in the buffers that they came in, sorted by offset and linked by next; nothing is
 * copied.
 *
 * Any overlap drops the datagram and what is still to come of it (RFC 5722 for IPv6; no honest
 * sender makes one). Bounded in datagrams, fragments of one, buffers in all and time; the oldest
 * gives way.
 */
#ifndef RILL_NETSTACK_IP_REASS_H
#define RILL_NETSTACK_IP_REASS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "drivers/buf.h"
#include "netstack/ip/limits.h"
#include "netstack/ip/timer.h"
#include "netstack/wire/ip4.h"

struct rill_reass_datagram {
	struct rill_list link; /* of active (oldest first), or of free */
	struct rill_l3_timer timer;
	struct rill_buf *first, *last; /* by offset */
	uint32_t src, dst;
	uint32_t end;  /* payload bytes of the whole; 0: the last fragment is not here yet */
	uint32_t have; /* payload bytes here */
	uint16_t id;
	uint16_t frags;
	uint8_t proto;
	bool poisoned; /* had an overlap: holds nothing, refuses the rest */
};

struct rill_reass {
	struct rill_list free;
	struct rill_list active;
	uint32_t held; /* buffers in all datagrams */
	uint32_t held_max;
	struct rill_reass_datagram datagrams[RILL_REASS_MAX];
};

/* What a complete datagram is. */
struct rill_reass_result {
	struct rill_buf *chain; /* by offset; NULL: not complete */
	uint32_t frags;
	struct rill_ip4 ip; /* fragment 0's header; it still lies in front of the chain's data */
};

void rill_reass_init(struct rill_reass *r, uint32_t held_max);
void rill_reass_fini(struct rill_l3 *l3);

/*
 * b->data is at the payload, trimmed, with the header h in front of it. Takes the reference; drops
 * are counted here. When this completes the datagram, its chain belongs to the caller.
 */
void rill_reass_input(struct rill_l3 *l3, struct rill_buf *b, const struct rill_ip4 *h,
		      uint64_t now, struct rill_reass_result *ret_result);

#endif
