/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/spinlock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define THREADS 4
#define ROUNDS 50000

struct shared {
	struct rill_spinlock lock;
	uint64_t a, b; /* equal whenever the lock is free */
	unsigned failed;
};

static void test_trylock(void **state)
{
	struct rill_spinlock l = {0};

	assert_true(rill_spin_trylock(&l));
	assert_false(rill_spin_trylock(&l));
	rill_spin_unlock(&l);
	rill_spin_lock(&l);
	assert_false(rill_spin_trylock(&l));
	rill_spin_unlock(&l);
	assert_true(rill_spin_trylock(&l));
}

static void *count_up(void *arg)
{
	struct shared *s = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		if (i % 3 != 0)
			rill_spin_lock(&s->lock);
		else
			while (!rill_spin_trylock(&s->lock))
				sched_yield();
		s->failed += s->a != s->b;
		s->a++;
		/* Now and then the holder loses its CPU with the lock in its hands. */
		if (i % 1024 == 0)
			sched_yield();
		s->b++;
		rill_spin_unlock(&s->lock);
	}
	return NULL;
}

static void test_exclusion(void **state)
{
	struct shared s = {0};
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_up, &s), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(s.a, THREADS * ROUNDS);
	assert_int_equal(s.b, THREADS * ROUNDS);
	assert_int_equal(s.failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trylock),
		cmocka_unit_test(test_exclusion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
