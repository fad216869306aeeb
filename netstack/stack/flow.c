/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FLOW_BUCKETS_START 1024
#define STEER_BUCKETS 65536

uint64_t rill_flow_hash(const struct rill_hash_key *secret, const struct rill_flow_key *key)
{
	uint64_t words[3];

	memcpy(words, key->remote.bytes, 16);
	words[2] = (uint64_t)key->remote_port << 16 | key->local_port;
	/* An IPv4 address is all in the first word. */
	if (key->remote.family == RILL_AF_IP4)
		return rill_siphash(secret, (uint64_t[]){words[0], words[2]}, 16);
	return rill_siphash(secret, words, sizeof(words));
}

static bool same_key(const struct rill_flow_key *a, const struct rill_flow_key *b)
{
	return a->remote_port == b->remote_port && a->local_port == b->local_port &&
	       a->remote.family == b->remote.family &&
	       memcmp(a->remote.bytes, b->remote.bytes, sizeof(a->remote.bytes)) == 0;
}

/* ---- a shard's own ---- */

int rill_flow_table_init(struct rill_flow_table *t)
{
	t->count = 0;
	t->mask = FLOW_BUCKETS_START - 1;
	t->buckets = calloc(FLOW_BUCKETS_START, sizeof(*t->buckets));
	return t->buckets ? 0 : -ENOMEM;
}

void rill_flow_table_fini(struct rill_flow_table *t)
{
	free(t->buckets);
}

struct rill_flow *rill_flow_find(const struct rill_flow_table *t, uint64_t hash,
				 const struct rill_flow_key *key)
{
	struct rill_flow *f = t->buckets[hash & t->mask];

	while (f && !(f->hash == hash && same_key(&f->key, key)))
		f = f->next;
	return f;
}

static void push(struct rill_flow **bucket, struct rill_flow *f)
{
	f->next = *bucket;
	*bucket = f;
}

/* Without memory the chains just grow longer. */
static void grow(struct rill_flow_table *t)
{
	uint32_t mask = t->mask * 2 + 1;
	struct rill_flow **buckets = calloc((size_t)mask + 1, sizeof(*buckets));

	if (!buckets)
		return;
	for (uint32_t i = 0; i <= t->mask; i++) {
		for (struct rill_flow *next, *f = t->buckets[i]; f; f = next) {
			next = f->next;
			push(&buckets[f->hash & mask], f);
		}
	}
	free(t->buckets);
	t->buckets = buckets;
	t->mask = mask;
}

void rill_flow_insert(struct rill_flow_table *t, struct rill_flow *f)
{
	if (t->count > t->mask)
		grow(t);
	push(&t->buckets[f->hash & t->mask], f);
	rill_counter_add(&t->count, 1);
}

void rill_flow_remove(struct rill_flow_table *t, struct rill_flow *f)
{
	struct rill_flow **at = &t->buckets[f->hash & t->mask];

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	rill_counter_add(&t->count, -1);
}

void rill_flow_for_each(struct rill_flow_table *t, void (*visit)(struct rill_flow *f, void *ctx),
			void *ctx)
{
	for (uint32_t i = 0; i <= t->mask; i++) {
		for (struct rill_flow *next, *f = t->buckets[i]; f; f = next) {
			next = f->next;
			visit(f, ctx);
		}
	}
}

/* ---- of all shards ---- */

int rill_steer_init(struct rill_steer *s)
{
	s->mask = STEER_BUCKETS - 1;
	s->buckets = calloc(STEER_BUCKETS, sizeof(*s->buckets));
	return s->buckets ? 0 : -ENOMEM;
}

void rill_steer_fini(struct rill_steer *s)
{
	free(s->buckets);
}

static struct rill_flow *steer_find_locked(struct rill_steer *s, uint64_t hash,
					   const struct rill_flow_key *key)
{
	struct rill_flow *f = s->buckets[hash & s->mask];

	while (f && !(f->hash == hash && same_key(&f->key, key)))
		f = f->steer_next;
	return f;
}

struct rill_shard *rill_steer_find(struct rill_steer *s, uint64_t hash,
				   const struct rill_flow_key *key)
{
	struct rill_flow *f;
	struct rill_shard *sh;

	rill_spin_lock(&s->lock);
	f = steer_find_locked(s, hash, key);
	sh = f ? f->shard : NULL;
	rill_spin_unlock(&s->lock);
	return sh;
}

bool rill_steer_insert(struct rill_steer *s, struct rill_flow *f)
{
	bool free_key;

	rill_spin_lock(&s->lock);
	free_key = !steer_find_locked(s, f->hash, &f->key);
	if (free_key) {
		f->steer_next = s->buckets[f->hash & s->mask];
		s->buckets[f->hash & s->mask] = f;
	}
	rill_spin_unlock(&s->lock);
	return free_key;
}

void rill_steer_remove(struct rill_steer *s, struct rill_flow *f)
{
	struct rill_flow **at = &s->buckets[f->hash & s->mask];

	rill_spin_lock(&s->lock);
	while (*at != f)
		at = &(*at)->steer_next;
	*at = f->steer_next;
	rill_spin_unlock(&s->lock);
}
