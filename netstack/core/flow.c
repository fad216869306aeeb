/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/core/flow.h"

#include "netstack/core/conn.h"

#include <errno.h>
#include <string.h>

#define BUCKETS_START 256
/*
 * Ours goes into the one word with the rest. For one own address the word is one to one, so who
 * chooses the others makes no more flows collide than there are own addresses.
 */
#define LOCAL_FACTOR UINT64_C(0x9e3779b97f4a7c15)

uint32_t rill_flow_hash(const struct rill_hash_key *secret, const struct rill_flow_key *key)
{
	uint32_t ports = (uint32_t)key->remote_port << 16 | key->local_port;
	uint64_t words[5] = {0};

	if (key->remote->family == RILL_AF_IP4) {
		memcpy(&words[0], key->remote->bytes, 4);
		memcpy(&words[1], key->local->bytes, 4);
		words[0] = words[0] << 32 | ports;
		return (uint32_t)rill_siphash_short(secret, words[0] ^ words[1] * LOCAL_FACTOR);
	}
	memcpy(&words[0], key->remote->bytes, 16);
	memcpy(&words[2], key->local->bytes, 16);
	words[4] = ports;
	return (uint32_t)rill_siphash(secret, words, sizeof(words));
}

bool rill_flow_is(const struct rill_conn *c, const struct rill_flow_key *key)
{
	const struct rill_addr *remote = &c->tcb.remote, *local = &c->tcb.local;

	return remote->port == key->remote_port && local->port == key->local_port &&
	       remote->ip.family == key->remote->family &&
	       memcmp(remote->ip.bytes, key->remote->bytes, sizeof(remote->ip.bytes)) == 0 &&
	       memcmp(local->ip.bytes, key->local->bytes, sizeof(local->ip.bytes)) == 0;
}

uint32_t rill_flow_hash_of(const struct rill_hash_key *secret, const struct rill_conn *c)
{
	const struct rill_addr *local = &c->tcb.local, *remote = &c->tcb.remote;
	struct rill_flow_key key = {&remote->ip, &local->ip, remote->port, local->port};

	return rill_flow_hash(secret, &key);
}

int rill_flow_table_init(struct rill_flow_table *t, const struct rill_hash_key *secret,
			 const struct rill_memory *memory)
{
	size_t size = BUCKETS_START * sizeof(struct rill_conn *);

	t->count = 0;
	t->active = BUCKETS_START;
	t->capacity = BUCKETS_START;
	t->mask = BUCKETS_START - 1;
	t->secret = secret;
	t->memory = memory;
	t->last = NULL;
	t->buckets = memory->alloc(memory->ctx, size);
	if (!t->buckets)
		return -ENOMEM;
	memset(t->buckets, 0, size);
	return 0;
}

void rill_flow_table_fini(struct rill_flow_table *t)
{
	if (t->buckets)
		t->memory->free(t->memory->ctx, t->buckets,
				t->capacity * sizeof(struct rill_conn *));
	t->buckets = NULL;
}

static struct rill_conn **bucket_of(const struct rill_flow_table *t, uint32_t hash)
{
	uint32_t i = hash & t->mask;

	return &t->buckets[i < t->active ? i : i & t->mask >> 1];
}

void rill_flow_prefetch_bucket(const struct rill_flow_table *t, uint32_t hash)
{
	__builtin_prefetch(bucket_of(t, hash));
}

/* A connection's own entry: the lines that rill_flow_is() reads. */
void rill_flow_prefetch_first(const struct rill_flow_table *t, uint32_t hash)
{
	const struct rill_conn *c = *bucket_of(t, hash);

	if (!c)
		return;
	__builtin_prefetch(&c->flow_next);
	__builtin_prefetch(&c->tcb.remote);
}

struct rill_conn *rill_flow_find(const struct rill_flow_table *t, uint32_t hash,
				 const struct rill_flow_key *key)
{
	struct rill_conn *c = *bucket_of(t, hash);

	while (c && !rill_flow_is(c, key))
		c = c->flow_next;
	return c;
}

struct rill_conn *rill_flow_lookup(struct rill_flow_table *t, const struct rill_flow_key *key)
{
	struct rill_conn *c = t->last;

	if (c && rill_flow_is(c, key))
		return c;
	c = rill_flow_find(t, rill_flow_hash(t->secret, key), key);
	if (c)
		t->last = c;
	return c;
}

static void push(struct rill_conn **bucket, struct rill_conn *c)
{
	c->flow_next = *bucket;
	*bucket = c;
}

/* Memory for twice as many buckets, which are written when they come into use. */
static bool reserve(struct rill_flow_table *t)
{
	size_t size = t->capacity * sizeof(struct rill_conn *);
	struct rill_conn **buckets;

	if (t->capacity > UINT32_MAX / 2)
		return false;
	buckets = t->memory->alloc(t->memory->ctx, 2 * size);
	if (!buckets)
		return false;
	memcpy(buckets, t->buckets, size);
	t->memory->free(t->memory->ctx, t->buckets, size);
	t->buckets = buckets;
	t->capacity *= 2;
	return true;
}

/* One bucket more. Without memory the chains just grow longer. */
static void split(struct rill_flow_table *t)
{
	uint32_t new = t->active;

	if (new == t->capacity && !reserve(t))
		return;
	if (new > t->mask)
		t->mask = t->mask * 2 + 1;
	struct rill_conn **from = &t->buckets[new & t->mask >> 1];
	struct rill_conn *c = *from;

	t->active++;
	t->buckets[new] = NULL;
	*from = NULL;
	for (struct rill_conn *next; c; c = next) {
		next = c->flow_next;
		push(bucket_of(t, rill_flow_hash_of(t->secret, c)), c);
	}
}

void rill_flow_insert(struct rill_flow_table *t, uint32_t hash, struct rill_conn *c)
{
	if (t->count > t->active)
		split(t);
	push(bucket_of(t, hash), c);
	rill_counter_add(&t->count, 1);
}

void rill_flow_remove(struct rill_flow_table *t, struct rill_conn *c)
{
	struct rill_conn **at = bucket_of(t, rill_flow_hash_of(t->secret, c));

	if (t->last == c)
		t->last = NULL;
	while (*at != c)
		at = &(*at)->flow_next;
	*at = c->flow_next;
	rill_counter_add(&t->count, -1);
}

void rill_flow_for_each(const struct rill_flow_table *t,
			void (*visit)(struct rill_conn *c, void *ctx), void *ctx)
{
	for (uint32_t i = 0; i < t->active; i++) {
		for (struct rill_conn *next, *c = t->buckets[i]; c; c = next) {
			next = c->flow_next;
			visit(c, ctx);
		}
	}
}
