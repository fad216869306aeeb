/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/sync/sync_test.h"

struct pair {
	struct rill_mutex m;
	struct rill_cond c;
};

static void pair_init(struct pair *p)
{
	rill_mutex_init(&p->m);
	rill_cond_init(&p->c);
}

static bool is_locked(struct rill_mutex *m)
{
	if (rill_mutex_try_lock(m) < 0)
		return true;
	rill_mutex_unlock(m);
	return false;
}

/* Without a predicate, to see each signal. */
static int wait_once(struct call *c)
{
	struct pair *p = c->obj;

	CHECK(rill_mutex_lock(&p->m), ==, 0);
	int r = rill_cond_wait(&p->c, &p->m);

	RILL_ASSERT(is_locked(&p->m));
	rill_mutex_unlock(&p->m);
	return r;
}

static struct call a_call(struct pair *p)
{
	return (struct call){.fn = wait_once, .obj = p};
}

TASK_TEST(waiting_unlocks_and_locks_again)
{
	struct pair p;
	struct call c = a_call(&p);

	pair_init(&p);
	call_start(&c);
	RILL_ASSERT(!is_locked(&p.m));
	CHECK(rill_mutex_lock(&p.m), ==, 0);
	rill_cond_signal(&p.c);
	/* signalled, and waits for the mutex */
	CHECK(rill_yield(), ==, 0);
	CHECK(rill_yield(), ==, 0);
	RILL_ASSERT(!rill_is_finished(c.task));
	rill_mutex_unlock(&p.m);
	CHECK(call_join(&c), ==, 0);
	RILL_ASSERT(!is_locked(&p.m));
	return NULL;
}

TASK_TEST(signal_wakes_the_longest_waiter)
{
	struct pair p;
	struct call c[3];

	pair_init(&p);
	for (unsigned i = 0; i < 3; i++) {
		c[i] = a_call(&p);
		call_start(&c[i]);
	}
	for (unsigned i = 0; i < 3; i++) {
		rill_cond_signal(&p.c);
		CHECK(call_join(&c[i]), ==, 0);
		for (unsigned j = i + 1; j < 3; j++)
			RILL_ASSERT(!rill_is_finished(c[j].task));
	}
	return NULL;
}

TASK_TEST(broadcast_wakes_all_who_wait)
{
	struct pair p;
	struct call c[3], later = a_call(&p);

	pair_init(&p);
	for (unsigned i = 0; i < 3; i++) {
		c[i] = a_call(&p);
		call_start(&c[i]);
	}
	rill_cond_broadcast(&p.c);
	call_start(&later);
	for (unsigned i = 0; i < 3; i++)
		CHECK(call_join(&c[i]), ==, 0);
	RILL_ASSERT(!rill_is_finished(later.task));
	CHECK(call_abort(&later), ==, -ECANCELED);
	return NULL;
}

TASK_TEST(nothing_is_kept)
{
	struct pair p;
	struct call c = a_call(&p);

	pair_init(&p);
	rill_cond_signal(&p.c);
	rill_cond_broadcast(&p.c);
	c.deadline_ns = rill_after(RILL_SEC);
	call_start(&c);
	CHECK(call_join(&c), ==, -ETIMEDOUT);
	return NULL;
}

TASK_TEST(cancelled_wait_takes_no_signal)
{
	struct pair p;
	struct call aborted = a_call(&p), cancelled = a_call(&p), late = a_call(&p);
	struct call patient = a_call(&p);

	pair_init(&p);
	late.deadline_ns = rill_after(RILL_SEC);
	CHECK(rill_token_create(&cancelled.token), ==, 0);
	call_start(&aborted);
	call_start(&cancelled);
	call_start(&late);
	call_start(&patient);
	CHECK(call_abort(&aborted), ==, -ECANCELED);
	rill_token_cancel(cancelled.token);
	CHECK(call_join(&cancelled), ==, -ECANCELED);
	CHECK(call_join(&late), ==, -ETIMEDOUT);
	rill_cond_signal(&p.c);
	CHECK(call_join(&patient), ==, 0);
	rill_token_unref(cancelled.token);
	return NULL;
}

TASK_TEST(abort_after_the_signal_loses_none)
{
	struct pair p;
	struct call a = a_call(&p), b = a_call(&p);

	pair_init(&p);
	call_start(&a);
	call_start(&b);
	rill_cond_signal(&p.c);
	/* a had it already, and says so */
	CHECK(call_abort(&a), ==, 0);
	RILL_ASSERT(!rill_is_finished(b.task));
	rill_cond_signal(&p.c);
	CHECK(call_join(&b), ==, 0);
	return NULL;
}

/* Aborted while it waits for the mutex, after its signal or instead of one. */
TASK_TEST(the_lock_is_waited_for_whatever_happens)
{
	struct pair p;

	for (unsigned signalled = 0; signalled < 2; signalled++) {
		struct call c = a_call(&p);

		pair_init(&p);
		call_start(&c);
		CHECK(rill_mutex_lock(&p.m), ==, 0);
		if (signalled)
			rill_cond_signal(&p.c);
		else
			rill_abort(c.task);
		for (unsigned i = 0; i < 5; i++)
			CHECK(rill_yield(), ==, 0);
		rill_abort(c.task);
		for (unsigned i = 0; i < 5; i++)
			CHECK(rill_yield(), ==, 0);
		RILL_ASSERT(!rill_is_finished(c.task));
		rill_mutex_unlock(&p.m);
		CHECK(call_join(&c), ==, signalled ? 0 : -ECANCELED);
		RILL_ASSERT(!is_locked(&p.m));
	}
	return NULL;
}

static int wait_twice(struct call *c)
{
	struct pair *p = c->obj;

	CHECK(rill_mutex_lock(&p->m), ==, 0);
	CHECK(rill_cond_wait(&p->c, &p->m), ==, -ECANCELED);
	/* one that is cancelled beforehand does not let go of the mutex */
	int r = rill_cond_wait(&p->c, &p->m);

	RILL_ASSERT(is_locked(&p->m));
	rill_mutex_unlock(&p->m);
	return r;
}

TASK_TEST(wait_of_a_cancelled_one_fails_at_once)
{
	struct pair p;
	struct call c = {.fn = wait_twice, .obj = &p};

	pair_init(&p);
	call_start(&c);
	CHECK(call_abort(&c), ==, -ECANCELED);
	RILL_ASSERT(!is_locked(&p.m));
	return NULL;
}

/* ---- a bounded buffer ---- */

#define ROOM 4

struct buffer {
	struct rill_mutex m;
	struct rill_cond not_full, not_empty;
	uint64_t items[ROOM];
	unsigned head, len;
	bool ended;
	RILL_ATOMIC(uint64_t) put, got, seed;
};

static int put(struct buffer *b, uint64_t item)
{
	int r = rill_mutex_lock(&b->m);

	if (r < 0)
		return r;
	while (b->len == ROOM && r == 0)
		r = rill_cond_wait(&b->not_full, &b->m);
	/* A signal that was not taken is not lost either, so an error needs no other signal. */
	if (r == 0) {
		b->items[(b->head + b->len++) % ROOM] = item;
		rill_cond_signal(&b->not_empty);
	}
	rill_mutex_unlock(&b->m);
	return r;
}

/* 0, an error, or -EPIPE at the end. */
static int get(struct buffer *b, uint64_t *ret_item)
{
	int r = rill_mutex_lock(&b->m);

	if (r < 0)
		return r;
	while (b->len == 0 && !b->ended && r == 0)
		r = rill_cond_wait(&b->not_empty, &b->m);
	if (r == 0 && b->len == 0)
		r = -EPIPE;
	if (r == 0) {
		*ret_item = b->items[b->head];
		b->head = (b->head + 1) % ROOM;
		b->len--;
	}
	rill_mutex_unlock(&b->m);
	if (r == 0)
		rill_cond_signal(&b->not_full);
	return r;
}

static void end(struct buffer *b)
{
	CHECK(rill_mutex_lock(&b->m), ==, 0);
	b->ended = true;
	rill_mutex_unlock(&b->m);
	rill_cond_broadcast(&b->not_empty);
}

static uint64_t sometimes_soon(struct rill_rand *rand)
{
	if (rill_rand_below(rand, 3) == 0)
		return RILL_FOREVER;
	return rill_after(rill_rand_below(rand, 100) * RILL_US);
}

static void *producer(void *arg)
{
	struct buffer *b = arg;
	struct rill_rand rand;

	rill_rand_init(&rand, rill_fetch_add_relaxed(&b->seed, 1));
	for (uint64_t item = 1; item <= 20;) {
		struct rill_scope scope;

		rill_scope_begin(&scope, sometimes_soon(&rand), NULL);
		if (put(b, item) == 0)
			rill_fetch_add_relaxed(&b->put, item++);
		rill_scope_end(&scope);
	}
	return NULL;
}

static void *consumer(void *arg)
{
	struct buffer *b = arg;
	struct rill_rand rand;
	int r;

	rill_rand_init(&rand, rill_fetch_add_relaxed(&b->seed, 1));
	do {
		struct rill_scope scope;
		uint64_t item;

		rill_scope_begin(&scope, sometimes_soon(&rand), NULL);
		r = get(b, &item);
		rill_scope_end(&scope);
		if (r == 0)
			rill_fetch_add_relaxed(&b->got, item);
	} while (r != -EPIPE);
	return NULL;
}

STRESS_TEST(stress_bounded_buffer)
{
	enum { EACH = STRESS(500) };
	struct rill_task **t = malloc(2 * EACH * sizeof(struct rill_task *));
	struct buffer *b = calloc(1, sizeof(*b));
	pthread_t threads[2];

	rill_mutex_init(&b->m);
	rill_cond_init(&b->not_full);
	rill_cond_init(&b->not_empty);
	for (unsigned i = 0; i < EACH; i++) {
		t[2 * i] = spawn(producer, b);
		t[2 * i + 1] = spawn(consumer, b);
	}
	threads[0] = thread_start(producer, b);
	threads[1] = thread_start(consumer, b);
	for (unsigned i = 0; i < EACH; i++)
		join(t[2 * i]);
	thread_join(threads[0]);
	end(b);
	for (unsigned i = 0; i < EACH; i++)
		join(t[2 * i + 1]);
	thread_join(threads[1]);
	CHECK(b->put, ==, (uint64_t)(EACH + 1) * 210);
	CHECK(b->got, ==, b->put);
	free(b);
	free(t);
	return NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waiting_unlocks_and_locks_again),
		cmocka_unit_test(signal_wakes_the_longest_waiter),
		cmocka_unit_test(broadcast_wakes_all_who_wait),
		cmocka_unit_test(nothing_is_kept),
		cmocka_unit_test(cancelled_wait_takes_no_signal),
		cmocka_unit_test(abort_after_the_signal_loses_none),
		cmocka_unit_test(the_lock_is_waited_for_whatever_happens),
		cmocka_unit_test(wait_of_a_cancelled_one_fails_at_once),
		cmocka_unit_test(stress_bounded_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
