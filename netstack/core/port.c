/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/core/port.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define BUCKETS_START 64

static struct rill_port **buckets_alloc(const struct rill_memory *memory, uint32_t mask)
{
	size_t size = ((size_t)mask + 1) * sizeof(struct rill_port *);
	struct rill_port **buckets = memory->alloc(memory->ctx, size);

	if (buckets)
		memset(buckets, 0, size);
	return buckets;
}

static void buckets_free(struct rill_port_table *t)
{
	size_t size = ((size_t)t->mask + 1) * sizeof(struct rill_port *);

	if (t->buckets)
		t->memory->free(t->memory->ctx, t->buckets, size);
}

int rill_port_table_init(struct rill_port_table *t, const struct rill_memory *memory)
{
	t->count = 0;
	t->mask = BUCKETS_START - 1;
	t->memory = memory;
	t->buckets = buckets_alloc(memory, t->mask);
	return t->buckets ? 0 : -ENOMEM;
}

void rill_port_table_fini(struct rill_port_table *t)
{
	buckets_free(t);
	t->buckets = NULL;
}

static void push(struct rill_port **bucket, struct rill_port *p)
{
	p->next = *bucket;
	*bucket = p;
}

/* Without memory the chains just grow longer. */
static void grow(struct rill_port_table *t)
{
	uint32_t mask = t->mask * 2 + 1;
	struct rill_port **buckets = buckets_alloc(t->memory, mask);

	if (!buckets)
		return;
	for (uint32_t i = 0; i <= t->mask; i++) {
		for (struct rill_port *next, *p = t->buckets[i]; p; p = next) {
			next = p->next;
			push(&buckets[p->port & mask], p);
		}
	}
	buckets_free(t);
	t->buckets = buckets;
	t->mask = mask;
}

void rill_port_insert(struct rill_port_table *t, struct rill_port *p)
{
	if (t->count > t->mask)
		grow(t);
	push(&t->buckets[p->port & t->mask], p);
	t->count++;
}

void rill_port_remove(struct rill_port_table *t, struct rill_port *p)
{
	struct rill_port **at = &t->buckets[p->port & t->mask];

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	t->count--;
}
