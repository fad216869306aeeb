/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/quota.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/rand.h"

#define MAX (UINT64_C(64) << 20)
#define USERS 4
#define ROUNDS 200000

struct user {
	struct rill_quota_share share;
	uint64_t used;
	uint64_t seed;
	uint64_t refused;
};

static uint64_t total(struct rill_quota *q)
{
	return rill_load_relaxed(&q->used);
}

static void without_a_quota_nothing_is_full(void **state)
{
	struct rill_quota_share s;

	(void)state;
	rill_quota_join(&s, NULL);
	rill_quota_grew(&s, MAX);
	rill_quota_shrank(&s, 0);
	assert_false(rill_quota_is_full(&s, MAX));
	assert_false(rill_quota_is_low(&s));
	rill_quota_leave(&s);
}

static void one_gets_all_of_it(void **state)
{
	struct rill_quota q;
	struct rill_quota_share s;
	uint64_t used = 0;

	(void)state;
	rill_quota_init(&q, MAX);
	rill_quota_join(&s, &q);
	while (!rill_quota_is_full(&s, used)) {
		assert_int_equal(rill_quota_is_low(&s), total(&q) >= MAX / 4 * 3);
		rill_quota_grew(&s, used += 2048);
		assert_in_range(total(&q), used, used + 2 * q.chunk);
	}
	assert_int_equal(used, MAX);
	assert_true(rill_quota_is_low(&s));
	/* What must be taken is taken, and counted. */
	rill_quota_grew(&s, used += 5000);
	assert_int_equal(total(&q), MAX + 5000);
	while (used >= 5000) {
		rill_quota_shrank(&s, used -= 5000);
		assert_in_range(total(&q), used, used + 2 * q.chunk);
	}
	assert_false(rill_quota_is_full(&s, used));
	rill_quota_leave(&s);
	assert_int_equal(total(&q), 0);
}

/* What one does not use, others get. */
static void idle_users_keep_little(void **state)
{
	struct rill_quota q;
	struct rill_quota_share s[2];
	uint64_t used = 0;

	(void)state;
	rill_quota_init(&q, MAX);
	for (unsigned i = 0; i < 2; i++) {
		rill_quota_join(&s[i], &q);
		rill_quota_grew(&s[i], MAX / 2);
		rill_quota_shrank(&s[i], 0);
	}
	while (!rill_quota_is_full(&s[0], used))
		rill_quota_grew(&s[0], used += 2048);
	assert_in_range(used, MAX - 2 * q.chunk, MAX);
	for (unsigned i = 0; i < 2; i++)
		rill_quota_leave(&s[i]);
	assert_int_equal(total(&q), 0);
}

/* Ahead, whole or not at all; what was fetched in vain goes back. */
static void reserved_whole_or_not_at_all(void **state)
{
	struct rill_quota q;
	struct rill_quota_share s[2];

	(void)state;
	rill_quota_init(&q, MAX);
	for (unsigned i = 0; i < 2; i++)
		rill_quota_join(&s[i], &q);
	assert_true(rill_quota_reserve(&s[0], 1000, MAX / 2));
	assert_in_range(total(&q), 1000 + MAX / 2, 1000 + MAX / 2 + q.chunk);
	assert_false(rill_quota_reserve(&s[1], 0, MAX / 2));
	assert_in_range(total(&q), 1000 + MAX / 2, 1000 + MAX / 2 + 3 * q.chunk);
	assert_true(rill_quota_reserve(&s[1], 0, MAX / 4));
	rill_quota_leave(&s[0]);
	assert_true(rill_quota_reserve(&s[1], 0, MAX));
	rill_quota_leave(&s[1]);
	assert_int_equal(total(&q), 0);
	rill_quota_join(&s[0], NULL);
	assert_true(rill_quota_reserve(&s[0], MAX, MAX));
}

static void *use(void *arg)
{
	struct user *u = arg;
	struct rill_rand rand;

	rill_rand_init(&rand, u->seed);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t n = rill_rand_below(&rand, 100000);

		if (rill_rand_below(&rand, 100) < 45) {
			u->used -= RILL_MIN(n, u->used);
			rill_quota_shrank(&u->share, u->used);
		} else if (rill_quota_is_full(&u->share, u->used)) {
			u->refused++;
		} else {
			u->used += n;
			rill_quota_grew(&u->share, u->used);
		}
	}
	return NULL;
}

/* No update is lost, and each goes past the bound by one step at most. */
static void users_on_threads(void **state)
{
	struct rill_quota q;
	struct user users[USERS] = {0};
	pthread_t threads[USERS];
	uint64_t used = 0, reserved = 0, refused = 0;

	(void)state;
	rill_quota_init(&q, MAX);
	for (unsigned i = 0; i < USERS; i++) {
		users[i].seed = i + 1;
		rill_quota_join(&users[i].share, &q);
		assert_int_equal(pthread_create(&threads[i], NULL, use, &users[i]), 0);
	}
	for (unsigned i = 0; i < USERS; i++) {
		pthread_join(threads[i], NULL);
		used += users[i].used;
		reserved += users[i].share.reserved;
		refused += users[i].refused;
	}
	assert_int_equal(total(&q), reserved);
	assert_in_range(reserved, used, used + USERS * 2 * q.chunk);
	assert_true(used <= MAX + USERS * 100000);
	assert_true(refused > 0);
	for (unsigned i = 0; i < USERS; i++)
		rill_quota_leave(&users[i].share);
	assert_int_equal(total(&q), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_quota_nothing_is_full),
		cmocka_unit_test(one_gets_all_of_it),
		cmocka_unit_test(idle_users_keep_little),
		cmocka_unit_test(reserved_whole_or_not_at_all),
		cmocka_unit_test(users_on_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
