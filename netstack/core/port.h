/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Local ports that something is bound to: a hash of intrusive nodes, twice as large when there are
 * more ports than buckets. TCP's and UDP's are two tables; each core has its own, and so has their
 * owner, who looks there what may be bound.
 *
 * Several may be bound to one port: to different addresses, or, where all of them agree (shared;
 * SO_REUSEPORT), to the same. The most specific address wins. Those that are equal are a group, and
 * a keyed hash of the flow says whose it is: the one with the highest score of hash and id
 * (Thaler, Ravishankar 1998), so that a flow changes its member only when that goes, or when a new
 * one is better.
 */
#ifndef RILL_NETSTACK_CORE_PORT_H
#define RILL_NETSTACK_CORE_PORT_H

#include <rill/addr.h>

#include <stdbool.h>
#include <stdint.h>

#include "base/slab.h"

/* RFC 6335's dynamic ports, widened to what Linux uses. */
#define RILL_PORT_EPHEMERAL_FIRST 32768
#define RILL_PORT_EPHEMERAL_COUNT 28232

/* The head of what is bound. */
struct rill_port {
	struct rill_port *next; /* in its bucket */
	uint32_t ip;		/* own address, host order; 0: any */
	uint32_t id;		/* no other has it; the same on all cores */
	uint16_t port;
	bool shared; /* others that are shared may be in its way */
};

struct rill_port_table {
	struct rill_port **buckets;
	uint32_t mask;
	uint32_t count;
	const struct rill_memory *memory;
};

/* -ENOMEM. */
int rill_port_table_init(struct rill_port_table *t, const struct rill_memory *memory);
void rill_port_table_fini(struct rill_port_table *t);
/* local's IP may be unset or 0.0.0.0: any. */
struct rill_port rill_port_make(const struct rill_addr *local, bool shared, uint32_t id);
/* Something is bound to p's port, and one of the two wants it alone. */
bool rill_port_conflicts(const struct rill_port_table *t, const struct rill_port *p);
/* p is whole, and not in the table. */
void rill_port_insert(struct rill_port_table *t, struct rill_port *p);
void rill_port_remove(struct rill_port_table *t, struct rill_port *p);

static inline struct rill_port *rill_port_bucket(const struct rill_port_table *t, uint16_t port)
{
	return t->buckets[port & t->mask];
}

/* Whether packets to ip, which is one of ours, and port are p's if there is none more specific. */
static inline bool rill_port_takes(const struct rill_port *p, uint32_t ip, uint16_t port)
{
	return p->port == port && (p->ip == ip || p->ip == 0);
}

/* The most specific that packets to ip and port are for, or one of their group. NULL: none. */
struct rill_port *rill_port_find(const struct rill_port_table *t, uint32_t ip, uint16_t port);
/* The one of p's group for the flow of that hash; p is what rill_port_find() said. */
struct rill_port *rill_port_choose(struct rill_port *p, uint32_t hash);
/* How much of a claim to a flow a member of a group has. */
static inline uint32_t rill_port_score(const struct rill_port *p, uint32_t hash)
{
	uint32_t x = hash ^ p->id * UINT32_C(0x9e3779b1);

	x = (x ^ x >> 16) * UINT32_C(0x85ebca6b);
	x = (x ^ x >> 13) * UINT32_C(0xc2b2ae35);
	return x ^ x >> 16;
}

#endif
