/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/core/port.h"

#include "netstack/wire/ip4.h"

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

struct rill_port rill_port_make(const struct rill_addr *local, bool shared, uint32_t id)
{
	return (struct rill_port){
		.ip = local->ip.family == RILL_AF_IP4 ? rill_ip4_get(&local->ip) : 0,
		.id = id,
		.port = local->port,
		.shared = shared,
	};
}

bool rill_port_conflicts(const struct rill_port_table *t, const struct rill_port *p)
{
	for (const struct rill_port *q = rill_port_bucket(t, p->port); q; q = q->next)
		if (q->port == p->port && (q->ip == p->ip || q->ip == 0 || p->ip == 0) &&
		    !(q->shared && p->shared))
			return true;
	return false;
}

struct rill_port *rill_port_find(const struct rill_port_table *t, uint32_t ip, uint16_t port)
{
	struct rill_port *any = NULL;

	for (struct rill_port *p = rill_port_bucket(t, port); p; p = p->next) {
		if (!rill_port_takes(p, ip, port))
			continue;
		if (p->ip != 0)
			return p;
		any = any ? any : p;
	}
	return any;
}

struct rill_port *rill_port_choose(struct rill_port *p, uint32_t hash)
{
	struct rill_port *best = p;

	/* p is the first of them in its bucket. */
	for (struct rill_port *q = p->next; q; q = q->next)
		if (q->port == p->port && q->ip == p->ip &&
		    rill_port_score(q, hash) > rill_port_score(best, hash))
			best = q;
	return best;
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
