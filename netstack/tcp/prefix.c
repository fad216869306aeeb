/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/prefix.h"

#include "base/assert.h"
#include "base/compiler.h"
#include "netstack/wire/bytes.h"

#include <string.h>

#define BUCKETS_START 64

struct rill_prefix {
	struct rill_prefix *next;
	const void *owner;
	uint64_t bits; /* of the network, the rest is zero */
	uint32_t count;
	uint32_t hash;
};

void rill_prefix_init(struct rill_prefix_table *t, const struct rill_memory *memory,
		      const struct rill_hash_key *secret, uint8_t len4, uint8_t len6)
{
	memset(t, 0, sizeof(*t));
	rill_slab_init(&t->slab, memory, sizeof(struct rill_prefix), 0);
	t->secret = *secret;
	t->len4 = RILL_MIN(len4, (uint8_t)32);
	t->len6 = RILL_MIN(len6, (uint8_t)64);
}

static size_t buckets_bytes(uint32_t mask)
{
	return ((size_t)mask + 1) * sizeof(struct rill_prefix *);
}

static void free_buckets(struct rill_prefix_table *t)
{
	const struct rill_memory *m = t->slab.memory;

	if (t->buckets)
		m->free(m->ctx, t->buckets, buckets_bytes(t->mask));
	t->buckets = NULL;
}

void rill_prefix_fini(struct rill_prefix_table *t)
{
	free_buckets(t);
	rill_slab_fini(&t->slab);
	t->count = 0;
}

/* IPv4 networks lie in the low half; no unicast network of IPv6 has a high half of zero. */
static uint64_t network_of(const struct rill_prefix_table *t, const struct rill_ip *ip)
{
	uint64_t high;

	if (ip->family == RILL_AF_IP4) {
		high = rill_load_be32(ip->bytes);
		return t->len4 ? high >> (32 - t->len4) << (32 - t->len4) : 0;
	}
	high = (uint64_t)rill_load_be32(ip->bytes) << 32 | rill_load_be32(ip->bytes + 4);
	return t->len6 ? high >> (64 - t->len6) << (64 - t->len6) : 0;
}

static uint32_t hash_of(const struct rill_prefix_table *t, const void *owner, uint64_t bits)
{
	uint64_t words[2] = {(uintptr_t)owner, bits};

	return (uint32_t)rill_siphash(&t->secret, words, sizeof(words));
}

static struct rill_prefix **find(const struct rill_prefix_table *t, const void *owner,
				 uint64_t bits, uint32_t hash)
{
	struct rill_prefix **at = &t->buckets[hash & t->mask];

	while (*at && !((*at)->bits == bits && (*at)->owner == owner))
		at = &(*at)->next;
	return at;
}

/* False: no memory, and nothing has changed. */
static bool resize(struct rill_prefix_table *t, uint32_t mask)
{
	const struct rill_memory *m = t->slab.memory;
	struct rill_prefix **buckets = m->alloc(m->ctx, buckets_bytes(mask));

	if (!buckets)
		return false;
	memset(buckets, 0, buckets_bytes(mask));
	for (uint32_t i = 0; t->buckets && i <= t->mask; i++) {
		for (struct rill_prefix *next, *p = t->buckets[i]; p; p = next) {
			next = p->next;
			p->next = buckets[p->hash & mask];
			buckets[p->hash & mask] = p;
		}
	}
	free_buckets(t);
	t->buckets = buckets;
	t->mask = mask;
	return true;
}

static struct rill_prefix *add(struct rill_prefix_table *t, const void *owner, uint64_t bits,
			       uint32_t hash)
{
	struct rill_prefix *p = rill_slab_alloc(&t->slab);
	struct rill_prefix **bucket;

	if (!p)
		return NULL;
	/* Without memory the chains just grow longer. */
	if (t->count > t->mask)
		resize(t, t->mask * 2 + 1);
	bucket = &t->buckets[hash & t->mask];
	*p = (struct rill_prefix){.next = *bucket, .owner = owner, .bits = bits, .hash = hash};
	*bucket = p;
	t->count++;
	return p;
}

bool rill_prefix_take(struct rill_prefix_table *t, const void *owner, const struct rill_ip *ip,
		      uint32_t limit)
{
	uint64_t bits = network_of(t, ip);
	uint32_t hash = hash_of(t, owner, bits);
	struct rill_prefix *p;

	if (!t->buckets && !resize(t, BUCKETS_START - 1))
		return false;
	p = *find(t, owner, bits, hash);
	if ((p ? p->count : 0) >= limit)
		return false;
	if (!p)
		p = add(t, owner, bits, hash);
	if (!p)
		return false;
	p->count++;
	return true;
}

void rill_prefix_put(struct rill_prefix_table *t, const void *owner, const struct rill_ip *ip)
{
	uint64_t bits = network_of(t, ip);
	struct rill_prefix **at, *p;

	RILL_ASSERT(t->buckets);
	at = find(t, owner, bits, hash_of(t, owner, bits));
	p = *at;
	RILL_ASSERT(p && p->count > 0);
	if (--p->count > 0)
		return;
	*at = p->next;
	t->count--;
	rill_slab_free(&t->slab, p);
}

uint32_t rill_prefix_count(const struct rill_prefix_table *t, const void *owner,
			   const struct rill_ip *ip)
{
	uint64_t bits = network_of(t, ip);
	struct rill_prefix *p;

	if (!t->buckets)
		return 0;
	p = *find(t, owner, bits, hash_of(t, owner, bits));
	return p ? p->count : 0;
}
