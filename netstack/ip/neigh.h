/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The neighbour table: IPv4 next hop to Ethernet address by ARP (RFC 826; RFC 1122, 2.3.2), with
 * the states of RFC 4861, 7.3.2, less DELAY:
 *
 *   INCOMPLETE -- answer --> REACHABLE -- 30 s unconfirmed --> STALE -- used --> PROBE -- answer
 * --> REACHABLE |                                                        | unused 10 min      |
 *       '-- 3 requests --> freed, packets dropped <--------------'<-- 3 requests -----'
 *
 * Invariants: only INCOMPLETE entries have queued packets; a struct rill_l3_dst of the current
 * generation names an entry in REACHABLE or PROBE; an entry that changes its address or leaves
 * those two states starts a new generation.
 */
#ifndef RILL_NETSTACK_IP_NEIGH_H
#define RILL_NETSTACK_IP_NEIGH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "drivers/buf.h"
#include "netstack/ip/limits.h"
#include "netstack/ip/timer.h"
#include "netstack/wire/arp.h"
#include "netstack/wire/eth.h"

struct rill_l3_dst;

enum rill_neigh_state {
	RILL_NEIGH_FREE = 0,
	RILL_NEIGH_INCOMPLETE,
	RILL_NEIGH_REACHABLE,
	RILL_NEIGH_STALE,
	RILL_NEIGH_PROBE,
};

struct rill_neigh {
	struct rill_list link; /* of its bucket, or of the free list */
	struct rill_list lru;
	struct rill_l3_timer timer;
	struct rill_buf_queue queue; /* IPv4 packets, no Ethernet header yet */
	uint64_t confirmed_ns;
	uint64_t next_request_ns; /* not before */
	uint32_t ip;
	uint8_t mac[RILL_ETH_ADDR_LEN];
	uint8_t state; /* enum rill_neigh_state */
	uint8_t tries; /* requests sent since INCOMPLETE or PROBE began */
	bool deferred; /* connections wait to be told that they may send now */
};

struct rill_neigh_table {
	uint32_t generation; /* never 0 */
	uint32_t hash_mul;   /* odd, random */
	uint32_t incomplete; /* entries in that state */
	uint32_t queued;     /* packets in all queues */
	uint32_t count;	     /* entries in use */
	struct rill_list free;
	struct rill_list lru; /* least recently used first */
	struct rill_list buckets[RILL_NEIGH_BUCKETS];
	struct rill_neigh entries[RILL_NEIGH_MAX];
};

void rill_neigh_init(struct rill_neigh_table *t, uint64_t seed);
/* Gives the queued packets back. */
void rill_neigh_fini(struct rill_l3 *l3);

/* NULL: unknown. */
struct rill_neigh *rill_neigh_find(struct rill_neigh_table *t, uint32_t ip);

/*
 * Sends an IPv4 packet to next_hop, or keeps it until that is resolved. Takes the reference. Fills
 * *cache (may be NULL) when the address is known. 0 or -ENOBUFS (no entry, or no buffer to copy a
 * shared packet), or -EAGAIN, see rill_l3_output().
 */
int rill_neigh_output(struct rill_l3 *l3, struct rill_buf *b, uint32_t next_hop,
		      struct rill_l3_dst *cache, uint64_t now);

/* What the sender of a valid ARP packet says of itself. for_us: it was a request for our address.
 */
void rill_neigh_learn(struct rill_l3 *l3, const struct rill_arp *arp, bool for_us, bool solicited,
		      uint64_t now);

#endif
