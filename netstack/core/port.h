/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Local ports of one core that something is bound to: a hash of intrusive nodes, twice as large
 * when there are more ports than buckets. TCP's and UDP's are two tables.
 */
#ifndef RILL_NETSTACK_CORE_PORT_H
#define RILL_NETSTACK_CORE_PORT_H

#include <stdint.h>

#include "base/slab.h"

/* RFC 6335's dynamic ports, widened to what Linux uses. */
#define RILL_PORT_EPHEMERAL_FIRST 32768
#define RILL_PORT_EPHEMERAL_COUNT 28232

/* The head of what is bound. */
struct rill_port {
	struct rill_port *next; /* in its bucket */
	uint16_t port;
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
/* p->port is set, and not in the table. */
void rill_port_insert(struct rill_port_table *t, struct rill_port *p);
void rill_port_remove(struct rill_port_table *t, struct rill_port *p);

/* NULL: nothing is bound to it. */
static inline struct rill_port *rill_port_find(const struct rill_port_table *t, uint16_t port)
{
	struct rill_port *p = t->buckets[port & t->mask];

	while (p && p->port != port)
		p = p->next;
	return p;
}

#endif
