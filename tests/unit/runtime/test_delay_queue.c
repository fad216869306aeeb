/* SPDX-License-Identifier: BSD-3-Clause */
/* Mostly on a paused clock, which moves when there is nothing to do, or when a test says so. */
#include "tests/unit/runtime/rt.h"

#include <pthread.h>
#include <rill/test.h>
#include <stdlib.h>

#include "base/rand.h"

static void in_paused_time(void *(*fn)(void *))
{
	struct rill_delay_queue *q = NULL;
	struct rill_runtime *rt = start_paused();

	assert_int_equal(rill_delay_queue_create(0, &q), 0);
	run(rt, fn, q);
	rill_delay_queue_destroy(q);
	stop(rt);
}

static void *value_of(uintptr_t i)
{
	return (void *)i;
}

static struct rill_delay_key put(struct rill_delay_queue *q, uintptr_t i, uint64_t deadline_ns)
{
	struct rill_delay_key key;

	RILL_ASSERT_CMP(rill_delay_queue_insert_at(q, value_of(i), deadline_ns, &key), ==, 0);
	return key;
}

/* The next item is i, and comes on time. */
static void expect(struct rill_delay_queue *q, uintptr_t i, uint64_t deadline_ns)
{
	struct rill_expired item;
	uint64_t due = RILL_MAX(deadline_ns, rill_now());

	RILL_ASSERT_CMP(rill_delay_queue_next(q, 0, &item), ==, 0);
	RILL_ASSERT_CMP((uintptr_t)item.value, ==, i);
	RILL_ASSERT_CMP(item.deadline_ns, ==, deadline_ns);
	ASSERT_NOW(due);
}

static void expect_empty(struct rill_delay_queue *q)
{
	struct rill_expired item;

	RILL_ASSERT_CMP(rill_delay_queue_len(q), ==, (size_t)0);
	RILL_ASSERT_CMP(rill_delay_queue_next(q, 0, &item), ==, -ENOENT);
	RILL_ASSERT_CMP(rill_delay_queue_try_next(q, &item), ==, -ENOENT);
	RILL_ASSERT_CMP(rill_delay_queue_peek(q, &item), ==, -ENOENT);
}

/* ---- one task ---- */

static void *in_order(void *arg)
{
	struct rill_delay_queue *q = arg;
	uint64_t t0 = rill_now();

	expect_empty(q);
	put(q, 3, t0 + RILL_SEC);
	put(q, 1, t0 + RILL_MS);
	put(q, 4, t0 + 365 * 24 * 3600 * RILL_SEC);
	put(q, 2, t0 + 2 * RILL_MS);
	RILL_ASSERT_CMP(rill_delay_queue_len(q), ==, (size_t)4);
	expect(q, 1, t0 + RILL_MS);
	expect(q, 2, t0 + 2 * RILL_MS);
	expect(q, 3, t0 + RILL_SEC);
	expect(q, 4, t0 + 365 * 24 * 3600 * RILL_SEC);
	expect_empty(q);
	return NULL;
}

/* The clock stands still: what is due comes without its moving, the rest does not. */
static void *past_is_at_once(void *arg)
{
	struct rill_delay_queue *q = arg;
	struct rill_expired item;
	uint64_t t0 = rill_now();

	put(q, 1, 0);
	put(q, 2, t0 - 1);
	put(q, 3, t0);
	RILL_ASSERT_CMP(rill_delay_queue_insert(q, value_of(4), 0, NULL), ==, 0);
	put(q, 9, t0 + 1);
	for (uintptr_t i = 1; i <= 4; i++) {
		RILL_ASSERT_CMP(rill_delay_queue_try_next(q, &item), ==, 0);
		RILL_ASSERT_CMP((uintptr_t)item.value, ==, i);
	}
	RILL_ASSERT_CMP(rill_now(), ==, t0);
	RILL_ASSERT_CMP(rill_delay_queue_try_next(q, &item), ==, -EAGAIN);
	expect(q, 9, t0 + 1);
	expect_empty(q);
	/* durations saturate */
	RILL_ASSERT_CMP(rill_delay_queue_insert(q, NULL, RILL_FOREVER, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_delay_queue_peek(q, &item), ==, 0);
	RILL_ASSERT(item.deadline_ns == RILL_FOREVER);
	RILL_ASSERT_CMP(rill_delay_queue_remove(q, item.key, NULL), ==, 0);
	return NULL;
}

static void *peeks(void *arg)
{
	struct rill_delay_queue *q = arg;
	struct rill_delay_key keys[64];
	struct rill_expired item;
	uint64_t t0 = rill_now(), first = UINT64_MAX;
	struct rill_rand rand;

	rill_rand_init(&rand, 3);
	for (uintptr_t i = 0; i < 64; i++) {
		uint64_t deadline =
			t0 + 1 + (rill_rand_next(&rand) >> (20 + rill_rand_below(&rand, 30)));

		first = RILL_MIN(first, deadline);
		keys[i] = put(q, i, deadline);
		RILL_ASSERT_CMP(rill_delay_queue_peek(q, &item), ==, 0);
		RILL_ASSERT_CMP(item.deadline_ns, ==, first);
		RILL_ASSERT_CMP(item.key.generation, ==, keys[(uintptr_t)item.value].generation);
	}
	RILL_ASSERT_CMP(rill_now(), ==, t0);
	/* what was seen is what comes */
	for (int i = 0; i < 64; i++) {
		RILL_ASSERT_CMP(rill_delay_queue_peek(q, &item), ==, 0);
		expect(q, (uintptr_t)item.value, item.deadline_ns);
	}
	expect_empty(q);
	return NULL;
}

static void expect_stale(struct rill_delay_queue *q, struct rill_delay_key key)
{
	uint64_t deadline;

	RILL_ASSERT_CMP(rill_delay_queue_remove(q, key, NULL), ==, -ENOENT);
	RILL_ASSERT_CMP(rill_delay_queue_reset(q, key, 1), ==, -ENOENT);
	RILL_ASSERT_CMP(rill_delay_queue_reset_at(q, key, 1), ==, -ENOENT);
	RILL_ASSERT_CMP(rill_delay_queue_deadline(q, key, &deadline), ==, -ENOENT);
}

static void *keys_go_stale(void *arg)
{
	struct rill_delay_queue *q = arg;
	struct rill_expired item;
	uint64_t t0 = rill_now();

	expect_stale(q, (struct rill_delay_key){0});
	struct rill_delay_key a = put(q, 1, t0 + RILL_MS);

	expect_stale(q, (struct rill_delay_key){0});
	expect_stale(q, (struct rill_delay_key){a.index + 1, a.generation});
	expect_stale(q, (struct rill_delay_key){UINT32_MAX, a.generation});
	RILL_ASSERT_CMP(rill_delay_queue_remove(q, a, &item), ==, 0);
	RILL_ASSERT_CMP((uintptr_t)item.value, ==, (uintptr_t)1);
	RILL_ASSERT_CMP(item.deadline_ns, ==, t0 + RILL_MS);
	expect_stale(q, a);
	/* and no key names a free place */
	expect_stale(q, (struct rill_delay_key){a.index, a.generation + 1});

	/* the same place, another item */
	struct rill_delay_key b = put(q, 2, t0 + RILL_MS);

	RILL_ASSERT_CMP(b.index, ==, a.index);
	expect_stale(q, a);
	expect(q, 2, t0 + RILL_MS);
	expect_stale(q, b);

	/* due, but not yet taken: still there */
	struct rill_delay_key c = put(q, 3, 0);
	struct rill_delay_key d = put(q, 4, 0);

	RILL_ASSERT_CMP(rill_delay_queue_remove(q, c, NULL), ==, 0);
	expect_stale(q, c);
	expect(q, 4, 0);
	expect_stale(q, d);
	expect_empty(q);
	return NULL;
}

static void *resets(void *arg)
{
	struct rill_delay_queue *q = arg;
	uint64_t t0 = rill_now(), deadline;
	struct rill_delay_key a = put(q, 1, t0 + RILL_MS);
	struct rill_delay_key b = put(q, 2, t0 + 2 * RILL_MS);

	/* later, twice, and the key stays */
	RILL_ASSERT_CMP(rill_delay_queue_reset(q, a, 5 * RILL_MS), ==, 0);
	RILL_ASSERT_CMP(rill_delay_queue_reset_at(q, a, t0 + 4 * RILL_MS), ==, 0);
	RILL_ASSERT_CMP(rill_delay_queue_deadline(q, a, &deadline), ==, 0);
	RILL_ASSERT_CMP(deadline, ==, t0 + 4 * RILL_MS);
	expect(q, 2, t0 + 2 * RILL_MS);
	expect(q, 1, t0 + 4 * RILL_MS);
	/* earlier */
	a = put(q, 1, t0 + RILL_SEC);
	b = put(q, 2, t0 + 2 * RILL_SEC);
	RILL_ASSERT_CMP(rill_delay_queue_reset_at(q, b, t0 + 10 * RILL_MS), ==, 0);
	expect(q, 2, t0 + 10 * RILL_MS);
	/* past; and from past to later again */
	b = put(q, 3, 0);
	RILL_ASSERT_CMP(rill_delay_queue_reset_at(q, a, 5), ==, 0);
	RILL_ASSERT_CMP(rill_delay_queue_reset_at(q, b, t0 + 20 * RILL_MS), ==, 0);
	expect(q, 1, 5);
	expect(q, 3, t0 + 20 * RILL_MS);
	expect_empty(q);
	return NULL;
}

static void test_one_task(void **state)
{
	in_paused_time(in_order);
	in_paused_time(past_is_at_once);
	in_paused_time(peeks);
	in_paused_time(keys_go_stale);
	in_paused_time(resets);
}

/* ---- waiting ---- */

static struct rill_expired got;

static void *wait_next(void *arg)
{
	return (void *)(intptr_t)rill_delay_queue_next(arg, 0, &got);
}

static void *wait_and_stay(void *arg)
{
	return (void *)(intptr_t)rill_delay_queue_next(arg, RILL_DELAY_STAY, &got);
}

static int joined(struct rill_task *t)
{
	void *value;

	RILL_ASSERT_CMP(rill_join(t, &value), ==, 0);
	return (int)(intptr_t)value;
}

static void *earlier_item_wakes(void *arg)
{
	struct rill_delay_queue *q = arg;
	uint64_t t0 = rill_now();
	struct rill_delay_key late = put(q, 1, t0 + RILL_SEC);
	struct rill_task *t = spawn(wait_next, q);

	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	put(q, 2, t0 + RILL_MS);
	RILL_ASSERT_CMP(joined(t), ==, 0);
	RILL_ASSERT_CMP((uintptr_t)got.value, ==, (uintptr_t)2);
	ASSERT_NOW(t0 + RILL_MS);
	/* a reset is as good */
	t = spawn(wait_next, q);
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	RILL_ASSERT_CMP(rill_delay_queue_reset_at(q, late, 0), ==, 0);
	RILL_ASSERT_CMP(joined(t), ==, 0);
	RILL_ASSERT_CMP((uintptr_t)got.value, ==, (uintptr_t)1);
	ASSERT_NOW(t0 + RILL_MS);
	return NULL;
}

static void *end_wakes(void *arg)
{
	struct rill_delay_queue *q = arg;
	uint64_t t0 = rill_now();
	struct rill_delay_key a = put(q, 1, t0 + RILL_SEC);
	struct rill_delay_key b = put(q, 2, t0 + 2 * RILL_SEC);
	struct rill_task *t = spawn(wait_next, q);
	struct rill_task *stays = spawn(wait_and_stay, q);

	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	RILL_ASSERT_CMP(rill_delay_queue_remove(q, a, NULL), ==, 0);
	for (int i = 0; i < 3; i++)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	RILL_ASSERT(!rill_is_finished(t));
	RILL_ASSERT_CMP(rill_delay_queue_remove(q, b, NULL), ==, 0);
	RILL_ASSERT_CMP(joined(t), ==, -ENOENT);
	RILL_ASSERT(!rill_is_finished(stays));
	/* clear does it, too */
	put(q, 1, t0 + RILL_SEC);
	put(q, 2, t0 + 2 * RILL_SEC);
	t = spawn(wait_next, q);
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	rill_delay_queue_clear(q, NULL, NULL);
	RILL_ASSERT_CMP(joined(t), ==, -ENOENT);
	for (int i = 0; i < 3; i++)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	RILL_ASSERT(!rill_is_finished(stays));
	RILL_ASSERT_CMP(rill_now(), ==, t0);
	/* the one that stays gets what comes later */
	put(q, 3, t0 + RILL_MS);
	RILL_ASSERT_CMP(joined(stays), ==, 0);
	RILL_ASSERT_CMP((uintptr_t)got.value, ==, (uintptr_t)3);
	ASSERT_NOW(t0 + RILL_MS);
	return NULL;
}

/* A wait that something else ended takes nothing along. */
static void *cancel_safe(void *arg)
{
	struct rill_delay_queue *q = arg;
	struct rill_expired item = {0};
	struct rill_case cases[2];
	struct rill_scope scope;
	uint64_t t0 = rill_now();
	struct gate gate;

	put(q, 1, t0 + 10 * RILL_MS);
	rill_scope_begin(&scope, t0 + RILL_MS, NULL);
	RILL_ASSERT_CMP(rill_delay_queue_next(q, 0, &item), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	RILL_ASSERT_CMP(rill_delay_queue_len(q), ==, (size_t)1);

	gate_init(&gate);
	gate_case(&cases[0], &gate);
	rill_case_delay_queue_next(&cases[1], q, 0, &item);
	RILL_ASSERT_CMP(rill_select(cases, 2, RILL_SELECT_NONBLOCKING), ==, -EAGAIN);
	rill_case_delay_queue_next(&cases[1], q, 0, &item);
	RILL_ASSERT_CMP(rill_select(cases, 2, 0), ==, 1);
	RILL_ASSERT_CMP(cases[1].result, ==, 0);
	RILL_ASSERT_CMP((uintptr_t)item.value, ==, (uintptr_t)1);
	ASSERT_NOW(t0 + 10 * RILL_MS);
	/* the other case is first */
	put(q, 2, 0);
	gate_post(&gate);
	gate_case(&cases[0], &gate);
	rill_case_delay_queue_next(&cases[1], q, 0, &item);
	RILL_ASSERT_CMP(rill_select(cases, 2, RILL_SELECT_BIASED), ==, 0);
	expect(q, 2, 0);
	return NULL;
}

#define ITEMS 200

static bool taken[ITEMS];

static void *consume(void *arg)
{
	struct rill_expired item;
	uintptr_t n = 0;
	int r;

	while ((r = rill_delay_queue_next(arg, 0, &item)) == 0) {
		ASSERT_NOW(item.deadline_ns);
		RILL_ASSERT(!taken[(uintptr_t)item.value]);
		taken[(uintptr_t)item.value] = true;
		n++;
	}
	RILL_ASSERT_CMP(r, ==, -ENOENT);
	return value_of(n);
}

static void *several_consumers(void *arg)
{
	struct rill_delay_queue *q = arg;
	struct rill_task *tasks[5];
	struct rill_rand rand;
	uintptr_t sum = 0;
	void *n;

	rill_rand_init(&rand, 4);
	for (uintptr_t i = 0; i < ITEMS; i++)
		put(q, i, rill_now() + 1 + rill_rand_below(&rand, 20 * RILL_MS));
	for (int i = 0; i < 5; i++)
		tasks[i] = spawn(consume, q);
	for (int i = 0; i < 5; i++) {
		RILL_ASSERT_CMP(rill_join(tasks[i], &n), ==, 0);
		sum += (uintptr_t)n;
	}
	RILL_ASSERT_CMP(sum, ==, (uintptr_t)ITEMS);
	return NULL;
}

static void test_waiting(void **state)
{
	in_paused_time(earlier_item_wakes);
	in_paused_time(end_wakes);
	in_paused_time(cancel_safe);
	in_paused_time(several_consumers);
}

/* ---- against a simple model ---- */

#define MODEL 300

struct model {
	struct rill_delay_queue *q;
	struct rill_rand rand;
	struct {
		bool in;
		uint64_t deadline;
		struct rill_delay_key key;
	} item[MODEL];
	size_t len;
};

static uint64_t random_deadline(struct model *m)
{
	uint64_t now = rill_now();

	if (rill_rand_below(&m->rand, 8) == 0)
		return now - rill_rand_below(&m->rand, 1000000);
	return now + (rill_rand_next(&m->rand) >> (24 + rill_rand_below(&m->rand, 36)));
}

static void random_change(struct model *m)
{
	uint32_t i = rill_rand_below(&m->rand, MODEL);
	struct rill_expired item;
	uint64_t deadline = random_deadline(m);

	if (!m->item[i].in) {
		m->item[i].key = put(m->q, i, deadline);
		m->item[i].deadline = deadline;
		m->item[i].in = true;
		m->len++;
	} else if (rill_rand_below(&m->rand, 2)) {
		RILL_ASSERT_CMP(rill_delay_queue_reset_at(m->q, m->item[i].key, deadline), ==, 0);
		m->item[i].deadline = deadline;
	} else {
		RILL_ASSERT_CMP(rill_delay_queue_remove(m->q, m->item[i].key, &item), ==, 0);
		RILL_ASSERT_CMP((uintptr_t)item.value, ==, (uintptr_t)i);
		RILL_ASSERT_CMP(item.deadline_ns, ==, m->item[i].deadline);
		m->item[i].in = false;
		m->len--;
	}
	RILL_ASSERT_CMP(rill_delay_queue_len(m->q), ==, m->len);
}

/* All that is due comes out, and nothing else. */
static void drain_due(struct model *m)
{
	struct rill_expired item;
	uint64_t now = rill_now();

	while (rill_delay_queue_try_next(m->q, &item) == 0) {
		uintptr_t i = (uintptr_t)item.value;

		RILL_ASSERT(m->item[i].in);
		RILL_ASSERT_CMP(item.deadline_ns, ==, m->item[i].deadline);
		RILL_ASSERT_CMP(item.deadline_ns, <=, now);
		m->item[i].in = false;
		m->len--;
	}
	for (int i = 0; i < MODEL; i++)
		if (m->item[i].in)
			RILL_ASSERT_CMP(m->item[i].deadline, >, now);
}

static void *behaves_as_the_model(void *arg)
{
	static struct model m;

	m = (struct model){.q = arg};
	rill_rand_init(&m.rand, 11);
	for (int i = 0; i < ROUNDS(20000); i++) {
		random_change(&m);
		if (rill_rand_below(&m.rand, 4))
			continue;
		uint64_t dur = rill_rand_next(&m.rand) >> (24 + rill_rand_below(&m.rand, 36));

		RILL_ASSERT_CMP(rill_clock_advance(dur), ==, 0);
		drain_due(&m);
	}
	rill_delay_queue_clear(m.q, NULL, NULL);
	expect_empty(m.q);
	return NULL;
}

static void test_model(void **state)
{
	in_paused_time(behaves_as_the_model);
}

/* ---- the whole ---- */

static void sum_up(void *arg, const struct rill_expired *item)
{
	*(uint64_t *)arg += (uintptr_t)item->value;
}

/* So many that a queue whose costs grew with its length would not come to an end. */
static void test_a_million(void **state)
{
	const uintptr_t n = ROUNDS(1000000);
	struct rill_delay_key *keys = calloc(n, sizeof(*keys));
	struct rill_delay_queue *q;
	struct rill_rand rand;
	uint64_t sum = 0, now = rill_now();

	assert_non_null(keys);
	rill_rand_init(&rand, 6);
	assert_int_equal(rill_delay_queue_create(1, &q), 0);
	assert_int_equal(rill_delay_queue_reserve(q, n), 0);
	size_t capacity = rill_delay_queue_capacity(q);

	assert_true(capacity >= n);
	for (uintptr_t i = 0; i < n; i++)
		keys[i] = put(q, i, now + 3600 * RILL_SEC + (rill_rand_next(&rand) >> 20));
	assert_int_equal(rill_delay_queue_len(q), n);
	assert_int_equal(rill_delay_queue_capacity(q), capacity);
	/* every other one out and in again */
	for (uintptr_t i = 0; i < n; i += 2) {
		assert_int_equal(rill_delay_queue_remove(q, keys[i], NULL), 0);
		keys[i] = put(q, i, now + 3600 * RILL_SEC + (rill_rand_next(&rand) >> 20));
	}
	assert_int_equal(rill_delay_queue_len(q), n);
	assert_int_equal(rill_delay_queue_capacity(q), capacity);
	rill_delay_queue_clear(q, sum_up, &sum);
	assert_true(sum == (uint64_t)n * (n - 1) / 2);
	assert_int_equal(rill_delay_queue_len(q), 0);
	for (uintptr_t i = 0; i < n; i += 1000)
		assert_int_equal(rill_delay_queue_remove(q, keys[i], NULL), -ENOENT);
	rill_delay_queue_destroy(q);
	free(keys);
}

static void test_too_many(void **state)
{
	struct rill_delay_queue *q = NULL;

	assert_int_equal(rill_delay_queue_create(SIZE_MAX, &q), -ENOMEM);
	assert_null(q);
	assert_int_equal(rill_delay_queue_create(0, &q), 0);
	assert_int_equal(rill_delay_queue_capacity(q), 0);
	assert_int_equal(rill_delay_queue_insert(q, NULL, 0, NULL), 0);
	assert_int_equal(rill_delay_queue_reserve(q, SIZE_MAX), -ENOMEM);
	assert_int_equal(rill_delay_queue_len(q), 1);
	rill_delay_queue_destroy(q);
	rill_delay_queue_destroy(NULL);
}

/* ---- threads ---- */

#define INSERTERS 3

struct crowd {
	struct rill_delay_queue *q;
	unsigned each;
	uint64_t removed[INSERTERS];
	uint64_t taken;
};

struct inserter {
	struct crowd *crowd;
	unsigned i;
};

static void *insert_some(void *arg)
{
	struct inserter *me = arg;
	struct crowd *c = me->crowd;
	struct rill_rand rand;

	rill_rand_init(&rand, me->i);
	for (unsigned i = 0; i < c->each; i++) {
		struct rill_delay_key key;
		uint64_t dur = rill_rand_below(&rand, 200000);

		RILL_ASSERT_CMP(rill_delay_queue_insert(c->q, value_of(me->i), dur, &key), ==, 0);
		if (i % 3 == 0)
			RILL_ASSERT_CMP(rill_delay_queue_reset(c->q, key, dur / 2), <=, 0);
		if (i % 5 == 0 && rill_delay_queue_remove(c->q, key, NULL) == 0)
			c->removed[me->i]++;
	}
	return NULL;
}

static RILL_ATOMIC(uint64_t) taken_by_all;

static void *consume_in_time(void *arg)
{
	struct rill_expired item;

	while (rill_delay_queue_next(arg, RILL_DELAY_STAY, &item) == 0) {
		RILL_ASSERT_CMP(rill_now(), >=, item.deadline_ns);
		rill_fetch_add_relaxed(&taken_by_all, 1);
	}
	return NULL;
}

static void *consume_until_all_came(void *arg)
{
	struct crowd *c = arg;
	struct rill_task *tasks[2];
	uint64_t removed = 0;

	for (int i = 0; i < 2; i++)
		tasks[i] = spawn(consume_in_time, c->q);
	for (int i = 0; i < INSERTERS; i++)
		removed += c->removed[i];
	while (rill_load_relaxed(&taken_by_all) + removed < (uint64_t)INSERTERS * c->each)
		rill_sleep(100 * RILL_US);
	for (int i = 0; i < 2; i++) {
		rill_abort(tasks[i]);
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, RILL_JOIN_ABORTED);
	}
	return NULL;
}

static void *consume_meanwhile(void *arg)
{
	struct crowd *c = arg;
	struct inserter inserters[INSERTERS];
	pthread_t threads[INSERTERS];
	struct rill_task *task = spawn(consume_in_time, c->q);

	for (unsigned i = 0; i < INSERTERS; i++) {
		inserters[i] = (struct inserter){c, i};
		RILL_ASSERT_CMP(pthread_create(&threads[i], NULL, insert_some, &inserters[i]), ==,
				0);
	}
	/* Without giving up the worker: the other one has to do it. */
	for (unsigned i = 0; i < INSERTERS; i++)
		pthread_join(threads[i], NULL);
	consume_until_all_came(c);
	rill_abort(task);
	RILL_ASSERT_CMP(rill_join(task, NULL), ==, RILL_JOIN_ABORTED);
	RILL_ASSERT_CMP(rill_delay_queue_len(c->q), ==, (size_t)0);
	return NULL;
}

/* Each item comes once, to somebody, and not early. */
static void test_any_thread_inserts(void **state)
{
	struct rill_runtime *rt = start_multi(2);
	struct crowd crowd = {.each = ROUNDS(20000)};

	taken_by_all = 0;
	assert_int_equal(rill_delay_queue_create(0, &crowd.q), 0);
	run(rt, consume_meanwhile, &crowd);
	stop(rt);
	rill_delay_queue_destroy(crowd.q);
}

/* Plain threads may wait, too. */
static void test_plain_thread(void **state)
{
	struct rill_delay_queue *q;
	struct rill_expired item;

	assert_int_equal(rill_delay_queue_create(0, &q), 0);
	for (uintptr_t i = 0; i < 50; i++)
		put(q, i, rill_now() + (50 - i) * 50 * RILL_US);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(rill_delay_queue_next(q, 0, &item), 0);
		assert_true(rill_now() >= item.deadline_ns);
	}
	assert_int_equal(rill_delay_queue_next(q, 0, &item), -ENOENT);
	rill_delay_queue_destroy(q);
}

/* ---- who is woken ---- */

struct later {
	struct rill_delay_queue *q;
	uint64_t first_ns;
};

static void *insert_first(void *arg)
{
	const struct later *l = arg;

	put(l->q, 0, l->first_ns);
	return NULL;
}

/* Items for each of the wheel's levels, and one for each tick nearby. */
static void *insert_later(void *arg)
{
	const struct later *l = arg;

	for (unsigned i = 0; i < 4096; i++)
		put(l->q, i, l->first_ns + i * TICK_NS);
	for (unsigned bits = 23; bits < 60; bits++)
		put(l->q, bits, l->first_ns + (UINT64_C(1) << bits));
	return NULL;
}

/* Due at once: the waiter may have to look before the first one's time anyhow. */
static void *insert_earlier(void *arg)
{
	const struct later *l = arg;

	put(l->q, 1, rill_now());
	return NULL;
}

static void step_to_end(struct rill_stepper *s, void *(*fn)(void *), struct later *l)
{
	struct rill_task *t;

	assert_int_equal(rill_stepper_spawn(s, "inserter", fn, l, &t), 0);
	assert_int_equal(rill_stepper_step(s, t), RILL_STEP_FINISHED);
	rill_detach(t);
}

/* Whoever waits for the first item is not to look again for each later one. */
static void test_later_items_wake_nobody(void **state)
{
	struct rill_stepper_options o = {RILL_OPTIONS(o)};
	struct rill_task *waiter;
	struct rill_stepper *s;
	struct later l;

	assert_int_equal(rill_stepper_create(&o, &s), 0);
	assert_int_equal(rill_delay_queue_create(0, &l.q), 0);
	l.first_ns = rill_stepper_now(s) + 41 * TICK_NS;
	step_to_end(s, insert_first, &l);
	assert_int_equal(rill_stepper_spawn(s, "waiter", wait_next, l.q, &waiter), 0);
	assert_int_equal(rill_stepper_step(s, waiter), RILL_STEP_PARKED);
	step_to_end(s, insert_later, &l);
	assert_false(rill_stepper_is_woken(s, waiter));
	step_to_end(s, insert_earlier, &l);
	assert_true(rill_stepper_is_woken(s, waiter));
	rill_detach(waiter);
	rill_stepper_destroy(s);
	rill_delay_queue_destroy(l.q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_task),     cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_model),	     cmocka_unit_test(test_a_million),
		cmocka_unit_test(test_too_many),     cmocka_unit_test(test_any_thread_inserts),
		cmocka_unit_test(test_plain_thread), cmocka_unit_test(test_later_items_wake_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
