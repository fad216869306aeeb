/* SPDX-License-Identifier: BSD-3-Clause */
/* A join set whose tasks are found by keys: a chained hash table of entries, each the owner of its
 * task. */
#include <rill/group.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/rand.h"
#include "runtime/handle.h"
#include "runtime/group.h"

#define BUCKETS_MIN 16 /* a power of two */

struct entry {
	struct rill_task_owner owner;
	struct rill_join_map *map;
	struct entry *next; /* in its bucket */
	struct rill_task *task;
	uint64_t hash;
	bool told;	/* the task's end */
	uint64_t key[]; /* padded with zeros */
};

struct rill_join_map {
	struct rill_group g; /* first: it is what is freed */
	size_t key_size;
	size_t key_padded;
	struct rill_hash_key secret;
	struct entry **buckets; /* under g's lock, as are the entries in it */
	size_t mask;
};

static struct entry *entry_of(const struct rill_task *t)
{
	return RILL_CONTAINER_OF(t->owner, struct entry, owner);
}

/* ---- the table ---- */

static struct entry **slot_of(const struct rill_join_map *m, uint64_t hash)
{
	return &m->buckets[hash & m->mask];
}

static void insert_locked(struct rill_join_map *m, struct entry *e)
{
	struct entry **slot = slot_of(m, e->hash);

	e->next = *slot;
	*slot = e;
}

static void remove_locked(struct rill_join_map *m, struct entry *e)
{
	struct entry **slot = slot_of(m, e->hash);

	while (*slot != e)
		slot = &(*slot)->next;
	*slot = e->next;
}

static struct entry *find_locked(const struct rill_join_map *m, const struct entry *like)
{
	struct entry *e = *slot_of(m, like->hash);

	while (e && (e->hash != like->hash || memcmp(e->key, like->key, m->key_size) != 0))
		e = e->next;
	return e;
}

/* Calls visit() with every entry until it says true. */
static void for_each_locked(const struct rill_join_map *m, bool (*visit)(void *, struct entry *),
			    void *ctx)
{
	for (size_t i = 0; i <= m->mask; i++)
		for (struct entry *e = m->buckets[i]; e; e = e->next)
			if (visit(ctx, e))
				return;
}

static void rehash_locked(struct rill_join_map *m, struct entry **buckets, size_t mask)
{
	struct entry **old = m->buckets;
	size_t n = m->mask + 1;

	m->buckets = buckets;
	m->mask = mask;
	for (size_t i = 0; i < n; i++) {
		for (struct entry *next, *e = old[i]; e; e = next) {
			next = e->next;
			insert_locked(m, e);
		}
	}
}

/* One entry per bucket on average. Without memory the chains grow instead. */
static void make_room(struct rill_join_map *m)
{
	rill_spin_lock(&m->g.lock);
	size_t mask = m->mask;
	bool full = m->g.len > mask;

	rill_spin_unlock(&m->g.lock);
	if (!full)
		return;
	struct entry **buckets = calloc(2 * (mask + 1), sizeof(struct entry *));

	if (!buckets)
		return;
	rill_spin_lock(&m->g.lock);
	struct entry **unused = buckets;

	/* else: somebody else was faster */
	if (m->mask == mask) {
		unused = m->buckets;
		rehash_locked(m, buckets, 2 * mask + 1);
	}
	rill_spin_unlock(&m->g.lock);
	free(unused);
}

/* ---- as a group ---- */

static bool map_ended(struct rill_group *g, struct rill_task *t, struct rill_wake_batch *batch)
{
	entry_of(t)->told = true;
	return rill_group_ended_push(g, t, batch);
}

static void map_left(struct rill_group *g, struct rill_task *t)
{
	remove_locked(entry_of(t)->map, entry_of(t));
}

static void map_free(struct rill_task *t, struct rill_await *aw)
{
	struct entry *e = entry_of(t);
	void *ret_key = aw ? (void *)(uintptr_t)aw->value : NULL;

	if (ret_key)
		memcpy(ret_key, e->key, e->map->key_size);
	free(e);
}

static const struct rill_group_ops map_ops = {
	.ended = map_ended,
	.ready = rill_group_ready_first,
	.left = map_left,
	.free = map_free,
};

static void entry_ended(struct rill_task_owner *o, struct rill_task *t)
{
	rill_group_task_ended(&RILL_CONTAINER_OF(o, struct entry, owner)->map->g, t);
}

int rill_join_map_create(size_t key_size, struct rill_join_map **ret_map)
{
	if (key_size == 0 || key_size > RILL_JOIN_MAP_KEY_MAX)
		return -EINVAL;
	struct rill_join_map *m = malloc(sizeof(*m));

	if (!m)
		return -ENOMEM;
	rill_group_init(&m->g, &map_ops);
	m->key_size = key_size;
	m->key_padded = (key_size + 7) / 8 * 8;
	m->mask = BUCKETS_MIN - 1;
	m->buckets = calloc(BUCKETS_MIN, sizeof(struct entry *));
	if (!m->buckets) {
		free(m);
		return -ENOMEM;
	}
	rill_rand_secret(&m->secret, sizeof(m->secret));
	*ret_map = m;
	return 0;
}

void rill_join_map_destroy(struct rill_join_map *m)
{
	if (!m)
		return;
	rill_join_map_abort_all(m);
	rill_join_map_detach_all(m);
	/* Tasks that still run are in the table no more. */
	free(m->buckets);
	rill_group_destroy(&m->g);
}

/* ---- keys ---- */

static void set_key(const struct rill_join_map *m, struct entry *e, const void *key)
{
	memset(e->key, 0, m->key_padded);
	memcpy(e->key, key, m->key_size);
	e->hash = rill_siphash(&m->secret, e->key, m->key_padded);
}

/* An entry on the stack, to search with. */
union probe {
	struct entry entry;
	unsigned char bytes[sizeof(struct entry) + RILL_JOIN_MAP_KEY_MAX];
};

bool rill_join_map_contains(struct rill_join_map *m, const void *key)
{
	union probe p;

	set_key(m, &p.entry, key);
	rill_spin_lock(&m->g.lock);
	bool found = find_locked(m, &p.entry);

	rill_spin_unlock(&m->g.lock);
	return found;
}

struct id_search {
	uint64_t id;
	bool found;
};

static bool match_id(void *ctx, struct entry *e)
{
	struct id_search *s = ctx;

	s->found = e->task->id == s->id;
	return s->found;
}

bool rill_join_map_contains_task(struct rill_join_map *m, uint64_t task_id)
{
	struct id_search s = {.id = task_id};

	rill_spin_lock(&m->g.lock);
	for_each_locked(m, match_id, &s);
	rill_spin_unlock(&m->g.lock);
	return s.found;
}

struct key_list {
	unsigned char *to;
	size_t key_size;
	size_t n;
	size_t max;
};

static bool list_key(void *ctx, struct entry *e)
{
	struct key_list *l = ctx;

	if (l->n < l->max)
		memcpy(l->to + l->n * l->key_size, e->key, l->key_size);
	l->n++;
	return false;
}

size_t rill_join_map_keys(struct rill_join_map *m, void *ret_keys, size_t max)
{
	struct key_list l = {.to = ret_keys, .key_size = m->key_size, .max = max};

	rill_spin_lock(&m->g.lock);
	for_each_locked(m, list_key, &l);
	rill_spin_unlock(&m->g.lock);
	return l.n;
}

/* ---- spawn ---- */

/* Out of the table and out of sight. Its task, when that has ended and is to be forgotten. */
static struct rill_task *replace_locked(struct rill_join_map *m, struct entry *old,
					struct rill_wake_batch *batch)
{
	struct rill_task *t = old->task;

	if (!old->told)
		rill_group_abort_locked(t, batch);
	return rill_group_let_go_locked(&m->g, t, old->told) ? t : NULL;
}

/* The entry takes its place, and a former one of the same key goes. */
static void place(struct rill_join_map *m, struct entry *e)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_task *gone = NULL;

	rill_spin_lock(&m->g.lock);
	struct entry *old = find_locked(m, e);

	if (old)
		gone = replace_locked(m, old, &batch);
	insert_locked(m, e);
	rill_group_place_locked(&m->g, e->task, &batch);
	rill_spin_unlock(&m->g.lock);
	rill_wake_flush(&batch);
	if (gone)
		rill_group_forget(&map_ops, gone);
}

static int spawn_and_place(struct rill_join_map *m, const void *key,
			   const struct rill_group_spawn *s, struct rill_abort_handle *ret_handle)
{
	struct entry *e = malloc(sizeof(*e) + m->key_padded);

	if (!e)
		return -ENOMEM;
	*e = (struct entry){.owner.ended = entry_ended, .map = m};
	set_key(m, e, key);
	make_room(m);
	int r = rill_group_begin(&m->g, s, &e->owner, &e->task);

	if (r < 0) {
		free(e);
		return r;
	}
	if (ret_handle)
		*ret_handle = rill_abort_handle(e->task);
	place(m, e);
	return 0;
}

static int spawn(struct rill_join_map *m, const void *key, const struct rill_group_spawn *s,
		 struct rill_abort_handle *ret_handle)
{
	if (!rill_handle_enter_by(s->o))
		return -ESHUTDOWN;
	int r = spawn_and_place(m, key, s, ret_handle);

	rill_handle_exit_by(s->o);
	return r;
}

int rill_join_map_spawn(struct rill_join_map *m, const void *key, void *(*fn)(void *), void *arg)
{
	struct rill_group_spawn s = {NULL, __builtin_return_address(0), fn, arg, false};

	return spawn(m, key, &s, NULL);
}

int rill_join_map_spawn_with(struct rill_join_map *m, const void *key,
			     const struct rill_spawn_options *o, void *(*fn)(void *), void *arg,
			     struct rill_abort_handle *ret_handle)
{
	struct rill_group_spawn s = {o, __builtin_return_address(0), fn, arg, false};

	return spawn(m, key, &s, ret_handle);
}

int rill_join_map_spawn_blocking(struct rill_join_map *m, const void *key,
				 const struct rill_spawn_options *o, void *(*fn)(void *), void *arg,
				 struct rill_abort_handle *ret_handle)
{
	struct rill_group_spawn s = {o, __builtin_return_address(0), fn, arg, true};

	return spawn(m, key, &s, ret_handle);
}

/* ---- abort ---- */

int rill_join_map_abort(struct rill_join_map *m, const void *key)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	union probe p;

	set_key(m, &p.entry, key);
	rill_spin_lock(&m->g.lock);
	struct entry *e = find_locked(m, &p.entry);

	if (e)
		rill_group_abort_locked(e->task, &batch);
	rill_spin_unlock(&m->g.lock);
	rill_wake_flush(&batch);
	return e ? 0 : -ENOENT;
}

struct abort_match {
	bool (*match)(void *user, const void *key);
	void *user;
	size_t n;
	struct rill_wake_batch batch;
};

static bool abort_if_match(void *ctx, struct entry *e)
{
	struct abort_match *a = ctx;

	if (a->match(a->user, e->key)) {
		rill_group_abort_locked(e->task, &a->batch);
		a->n++;
	}
	return false;
}

size_t rill_join_map_abort_matching(struct rill_join_map *m,
				    bool (*match)(void *user, const void *key), void *user)
{
	struct abort_match a = {.match = match, .user = user, .batch = RILL_WAKE_BATCH_INIT};

	rill_spin_lock(&m->g.lock);
	for_each_locked(m, abort_if_match, &a);
	rill_spin_unlock(&m->g.lock);
	rill_wake_flush(&a.batch);
	return a.n;
}

void rill_join_map_abort_all(struct rill_join_map *m)
{
	rill_group_abort_all(&m->g);
}

void rill_join_map_detach_all(struct rill_join_map *m)
{
	rill_group_detach_all(&m->g);
}

/* ---- join ---- */

int rill_join_map_join_next(struct rill_join_map *m, void *ret_key,
			    struct rill_outcome *ret_outcome)
{
	return rill_group_join_next(&m->g, ret_outcome, ret_key);
}

int rill_join_map_try_join_next(struct rill_join_map *m, void *ret_key,
				struct rill_outcome *ret_outcome)
{
	return rill_group_try_join_next(&m->g, ret_outcome, ret_key);
}

void rill_case_join_map(struct rill_case *c, struct rill_join_map *m, void *ret_key,
			struct rill_outcome *ret_outcome)
{
	rill_group_await_init(rill_await_of(c), &m->g, ret_outcome, ret_key);
}

int rill_join_map_shutdown(struct rill_join_map *m)
{
	return rill_group_shutdown(&m->g);
}

size_t rill_join_map_len(const struct rill_join_map *m)
{
	return rill_group_len(&m->g);
}

bool rill_join_map_is_empty(const struct rill_join_map *m)
{
	return rill_group_len(&m->g) == 0;
}
