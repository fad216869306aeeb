/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/queue.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#ifdef RILL_TSAN
#define STRESS_TASKS 60000
#else
#define STRESS_TASKS 400000
#endif
#define THIEVES 3
#define HALF (RILL_QUEUE_CAP / 2)

/* The queue only carries the pointers: a number will do. */
static struct rill_task *task(uintptr_t n)
{
	return (struct rill_task *)(n * 16);
}

static uintptr_t number(struct rill_task *t)
{
	return (uintptr_t)t / 16;
}

/* Indices are 32 bits and wrap: each test runs with all of these beginnings. */
static const uint32_t starts[] = {0,	     1, UINT32_MAX - 300, UINT32_MAX - 128, UINT32_MAX - 2,
				  UINT32_MAX};

static void queue_init_at(struct rill_queue *q, uint32_t at)
{
	rill_queue_init(q);
	q->head = (uint64_t)at << 32 | at;
	q->tail = at;
}

static void fill(struct rill_queue *q, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(rill_queue_push_back(q, task(1 + i), NULL), RILL_QUEUE_PUSHED);
}

static void fifo_at(uint32_t at)
{
	struct rill_queue q;
	uintptr_t in = 0, out = 0;

	queue_init_at(&q, at);
	assert_null(rill_queue_pop(&q));
	assert_int_equal(rill_queue_room(&q), RILL_QUEUE_CAP);
	for (unsigned round = 0; round < 1000; round++) {
		for (unsigned i = 0; i < round % RILL_QUEUE_CAP; i++)
			assert_int_equal(rill_queue_push_back(&q, task(++in), NULL),
					 RILL_QUEUE_PUSHED);
		assert_int_equal(rill_queue_len(&q), in - out);
		assert_int_equal(rill_queue_room(&q), RILL_QUEUE_CAP - (in - out));
		while (out < in)
			assert_int_equal(number(rill_queue_pop(&q)), ++out);
		assert_null(rill_queue_pop(&q));
	}
}

static void test_fifo(void **state)
{
	for (size_t i = 0; i < RILL_ARRAY_SIZE(starts); i++)
		fifo_at(starts[i]);
}

/* The older half has been round once and stays; the younger goes, in order. */
static void overflow_at(uint32_t at)
{
	struct rill_task *batch[HALF];
	struct rill_queue q;

	queue_init_at(&q, at);
	fill(&q, RILL_QUEUE_CAP);
	assert_int_equal(rill_queue_room(&q), 0);
	assert_int_equal(rill_queue_push_back(&q, task(9999), batch), RILL_QUEUE_OVERFLOW);
	assert_int_equal(rill_queue_len(&q), HALF);
	for (unsigned i = 0; i < HALF; i++)
		assert_int_equal(number(batch[i]), 1 + HALF + i);
	/* and goes on as before */
	assert_int_equal(rill_queue_push_back(&q, task(7777), NULL), RILL_QUEUE_PUSHED);
	for (unsigned i = 0; i < HALF; i++)
		assert_int_equal(number(rill_queue_pop(&q)), 1 + i);
	assert_int_equal(number(rill_queue_pop(&q)), 7777);
	assert_null(rill_queue_pop(&q));
}

static void test_overflow_keeps_the_older_half(void **state)
{
	for (size_t i = 0; i < RILL_ARRAY_SIZE(starts); i++)
		overflow_at(starts[i]);
}

static void steal_at(uint32_t src_at, uint32_t dst_at, unsigned n)
{
	struct rill_queue src, dst;
	uint32_t stolen = 0;
	unsigned want = (n + 1) / 2;

	queue_init_at(&src, src_at);
	queue_init_at(&dst, dst_at);
	fill(&src, n);
	/* the last of the stolen is to be run at once, the others wait in order */
	assert_int_equal(number(rill_queue_steal_into(&src, &dst, &stolen)), want);
	assert_int_equal(stolen, want);
	assert_int_equal(rill_queue_len(&dst), want - 1);
	assert_int_equal(rill_queue_len(&src), n - want);
	for (unsigned i = 1; i < want; i++)
		assert_int_equal(number(rill_queue_pop(&dst)), i);
	for (unsigned i = want + 1; i <= n; i++)
		assert_int_equal(number(rill_queue_pop(&src)), i);
	assert_null(rill_queue_pop(&src));
	assert_null(rill_queue_pop(&dst));
	assert_int_equal(rill_queue_room(&src), RILL_QUEUE_CAP);
}

static void test_steal_takes_half_rounded_up(void **state)
{
	const unsigned sizes[] = {1, 2, 3, 4, 5, 127, 128, 129, 255, 256};

	for (size_t i = 0; i < RILL_ARRAY_SIZE(starts); i++)
		for (size_t k = 0; k < RILL_ARRAY_SIZE(starts); k++)
			for (size_t s = 0; s < RILL_ARRAY_SIZE(sizes); s++)
				steal_at(starts[i], starts[k], sizes[s]);
}

static void test_steal_refused(void **state)
{
	struct rill_queue src, dst;
	uint32_t stolen = 77;

	rill_queue_init(&src);
	rill_queue_init(&dst);
	assert_null(rill_queue_steal_into(&src, &dst, &stolen)); /* nothing there */
	fill(&src, 10);
	fill(&dst, HALF + 1);
	assert_null(rill_queue_steal_into(&src, &dst, &stolen)); /* no room */
	assert_non_null(rill_queue_pop(&dst));
	src.head = (uint64_t)0 << 32 | 2; /* another thief copies two */
	assert_null(rill_queue_steal_into(&src, &dst, &stolen));
	assert_int_equal(stolen, 77);
	src.head = (uint64_t)2 << 32 | 2;
	assert_non_null(rill_queue_steal_into(&src, &dst, &stolen));
	assert_int_equal(stolen, 4);
}

/* While a thief copies, its slots are taken, and a full queue does not spill. */
static void test_push_while_a_thief_copies(void **state)
{
	for (size_t i = 0; i < RILL_ARRAY_SIZE(starts); i++) {
		struct rill_queue q;
		uint32_t at = starts[i];

		queue_init_at(&q, at);
		fill(&q, RILL_QUEUE_CAP);
		q.head = (uint64_t)at << 32 | (uint32_t)(at + HALF);
		assert_int_equal(rill_queue_room(&q), 0);
		assert_int_equal(rill_queue_push_back(&q, task(1), NULL), RILL_QUEUE_BUSY);
		/* the owner goes on taking behind the thief, whose index stays */
		assert_int_equal(number(rill_queue_pop(&q)), HALF + 1);
		assert_int_equal(q.head >> 32, at);
		assert_int_equal(rill_queue_push_back(&q, task(1), NULL), RILL_QUEUE_BUSY);
	}
}

/* ---- one owner, several thieves ---- */

struct stress {
	struct rill_queue queue;
	RILL_ATOMIC(bool) done;
	RILL_ATOMIC(uint32_t) seen[STRESS_TASKS + 1];
};

static struct stress stress;

static void see(struct rill_task *t)
{
	rill_fetch_add_relaxed(&stress.seen[number(t)], 1);
}

static void *thief(void *arg)
{
	struct rill_queue *own = arg;
	uint32_t n;

	for (;;) {
		/* acquire: what the owner pushed before is in the queue */
		bool last = rill_load_acquire(&stress.done);
		struct rill_task *t = rill_queue_steal_into(&stress.queue, own, &n);

		if (!t && last && rill_queue_len(&stress.queue) == 0)
			return NULL;
		for (; t; t = rill_queue_pop(own))
			see(t);
	}
}

static void push_or_run(uintptr_t n)
{
	struct rill_task *batch[HALF];

	switch (rill_queue_push_back(&stress.queue, task(n), batch)) {
	case RILL_QUEUE_OVERFLOW:
		for (unsigned i = 0; i < HALF; i++)
			see(batch[i]);
		see(task(n));
		break;
	case RILL_QUEUE_BUSY:
		see(task(n));
		break;
	case RILL_QUEUE_PUSHED:
		break;
	}
}

/* Bursts of pushes and pops of ever other lengths, so that the queue is empty, half full and full.
 */
static void own(void)
{
	uintptr_t n = 0;
	struct rill_task *t;

	for (unsigned round = 0; n < STRESS_TASKS; round++) {
		for (unsigned i = 0; i < round % 300 && n < STRESS_TASKS; i++)
			push_or_run(++n);
		for (unsigned i = 0; i < round % 170; i++) {
			t = rill_queue_pop(&stress.queue);
			if (t)
				see(t);
		}
	}
	/* release: pairs with the acquire in thief() */
	rill_store_release(&stress.done, true);
	while ((t = rill_queue_pop(&stress.queue)))
		see(t);
}

static void test_stress(void **state)
{
	static struct rill_queue queues[THIEVES];
	pthread_t threads[THIEVES];

	queue_init_at(&stress.queue, UINT32_MAX - STRESS_TASKS / 2);
	for (int i = 0; i < THIEVES; i++) {
		queue_init_at(&queues[i], UINT32_MAX - 1000);
		assert_int_equal(pthread_create(&threads[i], NULL, thief, &queues[i]), 0);
	}
	own();
	for (int i = 0; i < THIEVES; i++)
		pthread_join(threads[i], NULL);
	for (uintptr_t n = 1; n <= STRESS_TASKS; n++)
		assert_int_equal(stress.seen[n], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fifo),
		cmocka_unit_test(test_overflow_keeps_the_older_half),
		cmocka_unit_test(test_steal_takes_half_rounded_up),
		cmocka_unit_test(test_steal_refused),
		cmocka_unit_test(test_push_while_a_thief_copies),
		cmocka_unit_test(test_stress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
