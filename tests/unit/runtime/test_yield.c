/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <rill/group.h>

#include "tests/unit/runtime/rt.h"

#define BUDGET 16

static char log_text[64];
static unsigned log_len;

static void *write_thrice(void *arg)
{
	for (int i = 0; i < 3; i++) {
		log_text[log_len++] = (char)(uintptr_t)arg;
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	}
	return NULL;
}

static void *take_turns(void *arg)
{
	struct rill_task *tasks[3];

	for (int i = 0; i < 3; i++)
		tasks[i] = spawn(write_thrice, (void *)(uintptr_t)('a' + i));
	for (int i = 0; i < 3; i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, 0);
	return NULL;
}

static void test_yield_takes_turns(void **state)
{
	struct rill_runtime *rt = start_current();

	log_len = 0;
	run(rt, take_turns, NULL);
	assert_int_equal(log_len, 9);
	/* in some order, but the same in each of three rounds, everybody in each */
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(log_text[i], log_text[3 + i]);
		assert_int_equal(log_text[i], log_text[6 + i]);
	}
	assert_int_equal(log_text[0] + log_text[1] + log_text[2], 'a' + 'b' + 'c');
	stop(rt);
}

static void *raise_flag(void *arg)
{
	*(bool *)arg = true;
	return NULL;
}

static void *count_one(void *arg)
{
	rill_fetch_add_relaxed((RILL_ATOMIC(unsigned) *)arg, 1);
	return NULL;
}

#define CROWD 300 /* more than the ring holds: the rest is in the inject queue */

/* How many yields it takes until whatever could run has run. */
static void *yield_until_all_ran(void *arg)
{
	RILL_ATOMIC(unsigned) ran = 0;
	uintptr_t yields = 0;

	for (int i = 0; i < CROWD; i++)
		RILL_ASSERT_CMP(rill_spawn(count_one, &ran, NULL), ==, 0);
	for (; rill_load_relaxed(&ran) < CROWD; yields++)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	return (void *)yields;
}

static void test_yield_lets_everybody_run(void **state)
{
	/* the interval is given: else it follows the machine's speed */
	struct rill_runtime *rt = start((struct rill_runtime_options){
		.flavor = RILL_CURRENT_THREAD, .poll_interval = 64, .inject_interval = 31});

	/* the slot, the ring, then the rest, and a turn or two in between */
	for (int i = 0; i < 10; i++)
		assert_in_range((uintptr_t)run(rt, yield_until_all_ran, NULL), 1, 6);
	stop(rt);
	assert_int_equal(rill_yield(), 0); /* a plain thread's */
	assert_int_equal(rill_consume_budget(), 0);
}

/* With a turn after every slice it is runnable again at once; the others still get theirs. */
static void test_yield_keeps_nobody_out(void **state)
{
	const unsigned interval = 8;
	struct rill_runtime *rt = start((struct rill_runtime_options){
		.flavor = RILL_CURRENT_THREAD, .poll_interval = 1, .inject_interval = interval});

	for (int i = 0; i < 10; i++)
		assert_in_range((uintptr_t)run(rt, yield_until_all_ran, NULL), 1, CROWD * interval);
	stop(rt);
}

static bool count_poll(struct rill_poller *p, uint64_t now)
{
	(*(unsigned *)(void *)(p + 1))++;
	return false;
}

static bool arm_poll(struct rill_poller *p)
{
	return true;
}

static void disarm_poll(struct rill_poller *p)
{
}

struct counting_poller {
	struct rill_poller p;
	unsigned polls;
};

static const struct rill_poller_ops counting_ops = {
	.poll = count_poll,
	.arm = arm_poll,
	.disarm = disarm_poll,
};

static void *polled_between(void *arg)
{
	struct counting_poller *p = arg;

	for (int i = 0; i < 100; i++) {
		unsigned before = p->polls;

		RILL_ASSERT_CMP(rill_yield(), ==, 0);
		RILL_ASSERT_CMP(p->polls, >, before);
	}
	return NULL;
}

/* A task that yields cannot keep the network waiting. */
static void test_pollers_go_before_yielded_tasks(void **state)
{
	struct rill_runtime *rt = start_current();
	struct counting_poller p = {.p = {.ops = &counting_ops, .fd = -1}};

	assert_int_equal(rill_poller_add(rt, &p.p), 0);
	run(rt, polled_between, &p);
	rill_poller_remove(&p.p);
	stop(rt);
}

/* ---- the budget ---- */

static struct rill_join_set *empty_set;
static struct rill_token *cancelled;

static int sleep_nothing(void)
{
	return rill_sleep(0);
}

static int join_finished(void)
{
	static bool ran;
	struct rill_task *t = spawn(raise_flag, &ran);
	int r;

	/* its end may take a yield, which is none of the budget's */
	while (!rill_is_finished(t))
		rill_sleep(0);
	r = rill_join(t, NULL);
	return r;
}

static int select_ready(void)
{
	struct rill_case c;

	rill_case_sleep_until(&c, 0);
	return rill_select(&c, 1, 0);
}

static int fail_by_scope(void)
{
	struct rill_scope scope;

	rill_scope_begin(&scope, 1, NULL);
	int r = rill_sleep(RILL_FOREVER);

	rill_scope_end(&scope);
	return r == -ETIMEDOUT ? 0 : -EINVAL;
}

static int join_nobody(void)
{
	struct rill_outcome o;

	return rill_join_set_join_next(empty_set, &o) == -ENOENT ? 0 : -EINVAL;
}

static int sleep_in_cancelled_scope(void)
{
	struct rill_scope scope;

	rill_scope_begin(&scope, RILL_FOREVER, cancelled);
	int r = rill_sleep(RILL_SEC);

	rill_scope_end(&scope);
	return r == -ECANCELED ? 0 : -EINVAL;
}

static int block_too_late(void)
{
	struct rill_scope scope;

	rill_scope_begin(&scope, 1, NULL);
	int r = rill_blocking(raise_flag, NULL, NULL);

	rill_scope_end(&scope);
	return r == -ETIMEDOUT ? 0 : -EINVAL;
}

static int try_in_vain(void)
{
	struct rill_case c;

	rill_case_sleep_until(&c, RILL_FOREVER);
	return rill_select(&c, 1, RILL_SELECT_NONBLOCKING) == -EAGAIN ? 0 : -EINVAL;
}

/* Operations that never wait, over and over, cannot keep another task from running. */
static void *hog(void *arg)
{
	int (*op)(void) = (int (*)(void))arg;
	bool ran = false;
	unsigned n = 0;

	RILL_ASSERT_CMP(rill_spawn(raise_flag, &ran, NULL), ==, 0);
	for (; !rill_load_relaxed(&ran); n++)
		RILL_ASSERT_CMP(op(), ==, 0);
	RILL_ASSERT_CMP(n, <=, BUDGET + 1u);
	return NULL;
}

static void test_budget(void **state)
{
	int (*const ops[])(void) = {sleep_nothing,  rill_consume_budget, select_ready,
				    join_finished,  fail_by_scope,	 try_in_vain,
				    block_too_late, join_nobody,	 sleep_in_cancelled_scope};
	struct rill_worker_metrics m;

	assert_int_equal(rill_join_set_create(&empty_set), 0);
	assert_int_equal(rill_token_create(&cancelled), 0);
	rill_token_cancel(cancelled);

	for (size_t i = 0; i < RILL_ARRAY_SIZE(ops); i++) {
		struct rill_runtime *rt = start((struct rill_runtime_options){
			.flavor = RILL_CURRENT_THREAD, .budget = BUDGET});

		run(rt, hog, (void *)ops[i]);
		if (ops[i] != join_finished) {
			assert_int_equal(rill_runtime_worker_metrics(rt, 0, &m), 0);
			assert_int_equal(m.budget_yields, 1);
		}
		stop(rt);
	}
	rill_token_unref(cancelled);
	rill_join_set_destroy(empty_set);
}

/* Each slice has the whole budget, also that of a task from outside. */
static void *count_budget(void *arg)
{
	struct rill_worker_metrics m;
	unsigned n = 0;

	do {
		RILL_ASSERT_CMP(rill_consume_budget(), ==, 0);
		n++;
		rill_runtime_worker_metrics(rill_runtime_current(), 0, &m);
	} while (m.budget_yields == *(uint64_t *)arg);
	*(uint64_t *)arg = m.budget_yields;
	return (void *)(uintptr_t)n;
}

static void test_every_slice_has_the_whole_budget(void **state)
{
	struct rill_runtime *rt = start(
		(struct rill_runtime_options){.flavor = RILL_CURRENT_THREAD, .budget = BUDGET});
	uint64_t yields = 0;

	/* more often than the inject queue's turn comes */
	for (int i = 0; i < 100; i++)
		assert_int_equal((uintptr_t)run(rt, count_budget, &yields), BUDGET + 1);
	stop(rt);
}

/* Two tasks that wake each other do not keep the third out. */
struct pair {
	struct gate a, b;
	RILL_ATOMIC(bool) over;
};

static void *ping(void *arg)
{
	struct pair *p = arg;

	while (!p->over) {
		gate_post(&p->b);
		RILL_ASSERT_CMP(gate_wait(&p->a), ==, 0);
	}
	gate_post(&p->b);
	return NULL;
}

static void *pong(void *arg)
{
	struct pair *p = arg;

	while (!p->over) {
		RILL_ASSERT_CMP(gate_wait(&p->b), ==, 0);
		gate_post(&p->a);
	}
	return NULL;
}

static void *end_it(void *arg)
{
	((struct pair *)arg)->over = true;
	return NULL;
}

static void *third(void *arg)
{
	struct pair p = {.over = false};
	struct rill_task *tasks[3];

	gate_init(&p.a);
	gate_init(&p.b);
	tasks[0] = spawn(end_it, &p);
	tasks[1] = spawn(ping, &p);
	tasks[2] = spawn(pong, &p);
	for (int i = 0; i < 3; i++)
		RILL_ASSERT_CMP(rill_join(tasks[i], NULL), ==, 0);
	return NULL;
}

static void test_a_pair_does_not_starve_the_third(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, third, NULL);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yield_takes_turns),
		cmocka_unit_test(test_yield_lets_everybody_run),
		cmocka_unit_test(test_yield_keeps_nobody_out),
		cmocka_unit_test(test_pollers_go_before_yielded_tasks),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_every_slice_has_the_whole_budget),
		cmocka_unit_test(test_a_pair_does_not_starve_the_third),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
