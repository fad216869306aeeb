/* SPDX-License-Identifier: BSD-3-Clause */
/* Tasks that are joined as they come next, and how they end; what the next on their stack finds. */
#include <errno.h>
#include <rill/dump.h>
#include <rill/local.h>
#include <rill/metrics.h>
#include <string.h>

#include "tests/unit/runtime/rt.h"

static void *nothing(void *arg)
{
	return arg;
}

static void *yield_once(void *arg)
{
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	return arg;
}

/* ---- ends from the middle ---- */

static void wait_and_count(void *arg)
{
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	++*(unsigned *)arg;
}

static void count(void *arg)
{
	++*(unsigned *)arg;
}

static void *leave_by_exit(void *arg)
{
	struct rill_cleanup waits, counts;

	rill_cleanup_push(&counts, count, arg);
	rill_cleanup_push(&waits, wait_and_count, arg);
	rill_exit(arg);
}

static void *leave_by_failure(void *arg)
{
	struct rill_cleanup counts;

	rill_cleanup_push(&counts, count, arg);
	rill_fail("on purpose");
}

static void *never_runs(void *arg)
{
	++*(unsigned *)arg;
	return arg;
}

static void *leave_in_many_ways(void *arg)
{
	struct rill_outcome o;
	unsigned handlers = 0;
	void *value = NULL;

	RILL_ASSERT_CMP(rill_join(spawn(leave_by_exit, &handlers), &value), ==, 0);
	RILL_ASSERT(value == &handlers);
	RILL_ASSERT_CMP(handlers, ==, 2u);
	RILL_ASSERT_CMP(rill_join_outcome(spawn(leave_by_failure, &handlers), &o), ==,
			RILL_JOIN_FAILED);
	RILL_ASSERT(strcmp(o.reason, "on purpose") == 0);
	RILL_ASSERT_CMP(handlers, ==, 3u);

	struct rill_task *t = spawn(never_runs, &handlers);

	rill_abort(t);
	RILL_ASSERT_CMP(rill_join(t, &value), ==, RILL_JOIN_ABORTED);
	RILL_ASSERT(value == NULL);
	RILL_ASSERT_CMP(handlers, ==, 3u);
	return NULL;
}

static void test_ends_from_the_middle(void **state)
{
	in_each_flavor(leave_in_many_ways, NULL);
}

static void *blocks(void *arg)
{
	void *value = NULL;

	RILL_ASSERT_CMP(rill_blocking(nothing, arg, &value), ==, 0);
	return value;
}

static void *call_blocks(void *arg)
{
	void *value = NULL;

	for (unsigned i = 0; i < 20; i++) {
		RILL_ASSERT_CMP(rill_join(spawn(blocks, &value), &value), ==, 0);
		RILL_ASSERT(value == &value);
	}
	return NULL;
}

static void test_blocking_call_of_a_called_task(void **state)
{
	in_each_flavor(call_blocks, NULL);
}

/* ---- locals ---- */

static RILL_ATOMIC(unsigned) copies, destroyed;

static int copy_local(void *value, void **ret_copy)
{
	rill_fetch_add_relaxed(&copies, 1);
	*ret_copy = value;
	return 0;
}

/* Makes somebody runnable in the middle of the end. */
static void destroy_local(void *copy)
{
	rill_fetch_add_relaxed(&destroyed, 1);
	RILL_ASSERT_CMP(rill_spawn(nothing, NULL, NULL), ==, 0);
}

static const struct rill_local_key key = {
	RILL_OPTIONS(key),	  .name = "key", .inherit = true, .copy = copy_local,
	.destroy = destroy_local,
};

static void *has_local(void *arg)
{
	RILL_ASSERT(rill_local_get(&key) == arg);
	return NULL;
}

static void *hand_down(void *arg)
{
	struct rill_local_scope s;

	rill_local_begin(&s, &key, &s);
	for (unsigned i = 1; i <= 50; i++) {
		unsigned before = rill_load_relaxed(&destroyed);

		RILL_ASSERT_CMP(rill_join(spawn(has_local, &s), NULL), ==, 0);
		/* the end is over when the join is */
		RILL_ASSERT_CMP(rill_load_relaxed(&destroyed), ==, before + 1);
	}
	rill_local_end(&s);
	RILL_ASSERT_CMP(rill_join(spawn(has_local, NULL), NULL), ==, 0);
	RILL_ASSERT_CMP(rill_load_relaxed(&copies), ==, rill_load_relaxed(&destroyed));
	/* those which destroy_local() has made */
	while (rill_runtime_live_tasks(rill_task_current()->rt) > 1)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	return NULL;
}

static void test_locals_of_a_called_task(void **state)
{
	in_each_flavor(hand_down, NULL);
}

/* ---- observed from the middle of a call on ---- */

struct watched {
	struct rill_task_monitor *monitor;
	bool yield;
};

static void *begin_to_observe(void *arg)
{
	struct watched *w = arg;
	struct rill_spawn_options o = {RILL_OPTIONS(o), .monitor = w->monitor};
	struct rill_task *t;

	RILL_ASSERT_CMP(rill_spawn_with(&o, yield_once, NULL, &t), ==, 0);
	if (w->yield)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	return t;
}

static void *call_observer(void *arg)
{
	void *t;

	RILL_ASSERT_CMP(rill_join(spawn(begin_to_observe, arg), &t), ==, 0);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_join(spawn(yield_once, NULL), NULL), ==, 0);
	return NULL;
}

static void test_observed_in_the_middle_of_a_call(void **state)
{
	for (unsigned yield = 0; yield < 2; yield++) {
		struct rill_task_monitor_options o = {RILL_OPTIONS(o)};
		struct watched w = {.yield = yield};

		assert_int_equal(rill_task_monitor_create(&o, &w.monitor), 0);
		in_each_flavor(call_observer, &w);
		rill_task_monitor_destroy(w.monitor);
	}
}

/* ---- the next task on the same stack ---- */

static void *leave_traces(void *arg)
{
	struct rill_cleanup c;

	rill_task_set_user(NULL, arg);
	rill_unconstrained_begin();
	rill_cleanup_push(&c, count, arg);
	return rill_task_current();
}

static void *find_no_trace(void *arg)
{
	unsigned budget = 0;

	if (rill_task_current() != arg)
		return NULL;
	RILL_ASSERT(rill_task_user(NULL) == NULL);
	RILL_ASSERT(rill_task_name(NULL)[0] == '\0');
	/* A slice of its own: the budget is neither what is left of another's nor endless. */
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	for (; rill_has_budget_remaining(); budget++) {
		RILL_ASSERT_CMP(budget, <, rill_task_current()->rt->o.budget);
		RILL_ASSERT_CMP(rill_consume_budget(), ==, 0);
	}
	RILL_ASSERT_CMP(budget, ==, rill_task_current()->rt->o.budget);
	rill_exit(arg);
}

static void *reuse_stacks(void *arg)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .name = "named", .budget = 3, .user = arg};
	struct rill_spawn_options pinned = {
		RILL_OPTIONS(pinned),
		.name = "pinned",
		.priority = RILL_PRIORITY_URGENT,
		.placement = RILL_PLACE_PINNED,
		.worker = RILL_WORKER_SELF,
	};
	const struct rill_spawn_options *all[] = {NULL, &o, &pinned};
	unsigned handlers = 0;

	for (unsigned i = 0; i < 30; i++) {
		struct rill_task *t;
		void *stack, *again;

		RILL_ASSERT_CMP(rill_spawn_with(all[i % 3], leave_traces, &handlers, &t), ==, 0);
		RILL_ASSERT_CMP(rill_join(t, &stack), ==, 0);
		RILL_ASSERT_CMP(rill_join(spawn(find_no_trace, stack), &again), ==, 0);
		/* On two workers the stack may be in the other one's cache. */
		RILL_ASSERT(again == stack || !rill_worker_current()->alone);
	}
	/* nobody ran what was left behind */
	RILL_ASSERT_CMP(handlers, ==, 0u);
	return NULL;
}

static void test_stack_is_as_new(void **state)
{
	char user;

	in_each_flavor(reuse_stacks, &user);
}

/* ---- deep ---- */

#define DEPTH ROUNDS(10000)

static void count_parked(void *ctx, const struct rill_dump_task *t)
{
	if (t->state == RILL_DUMP_PARKED && t->wait_what && strcmp(t->wait_what, "join") == 0)
		++*(unsigned *)ctx;
}

static void count_by_dump(unsigned *ret_parked)
{
	struct rill_dump_visitor v = {.ctx = ret_parked, .task = count_parked};

	*ret_parked = 0;
	RILL_ASSERT_CMP(rill_runtime_visit(rill_task_current()->rt, &v), ==, 0);
}

static void *look_around(void *arg)
{
	unsigned parked;

	count_by_dump(&parked);
	RILL_ASSERT_CMP(parked, ==, (unsigned)DEPTH);
	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	count_by_dump(&parked);
	RILL_ASSERT_CMP(parked, ==, (unsigned)DEPTH);
	return NULL;
}

static void *descend(void *arg)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .stack_size = 256 << 10};
	uintptr_t depth = (uintptr_t)arg;
	struct rill_task *t;

	if (depth > 1)
		t = spawn(descend, (void *)(depth - 1));
	else
		RILL_ASSERT_CMP(rill_spawn_with(&o, look_around, NULL, &t), ==, 0);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return NULL;
}

/* All in one turn of the loop, so that no call is given up before the innermost task yields. */
static void test_ten_thousand_callers(void **state)
{
	struct rill_runtime *rt = start((struct rill_runtime_options){
		.flavor = RILL_CURRENT_THREAD,
		.poll_interval = 1 << 30,
		.inject_interval = 1 << 30,
	});

	run(rt, descend, (void *)(uintptr_t)DEPTH);
	assert_int_equal(rill_runtime_live_tasks(rt), 0);
	stop(rt);
}

/* ---- all at once ---- */

#define STORM_TASKS ROUNDS(200000u)
#define STORM_HANDLES 16
#define STORM_DEPTH ((uintptr_t)40)

struct storm {
	RILL_ATOMIC(unsigned) left; /* tasks that may yet be made */
	RILL_ATOMIC(unsigned) ran, joined;
	struct rill_spinlock lock;
	struct rill_abort_handle handles[STORM_HANDLES]; /* of tasks that others may abort */
};

static struct storm storm;

static bool may_make_one(void)
{
	unsigned left = rill_load_relaxed(&storm.left);

	while (left > 0)
		if (rill_cas_relaxed(&storm.left, &left, left - 1))
			return true;
	return false;
}

/* Gives t's handle to the others, and aborts whoever's was there. */
static void abort_somebody(const struct rill_task *t, unsigned i)
{
	struct rill_abort_handle h = rill_abort_handle(t);

	rill_spin_lock(&storm.lock);
	struct rill_abort_handle other = storm.handles[i];

	storm.handles[i] = h;
	rill_spin_unlock(&storm.lock);
	if (other.task)
		rill_abort_by(other);
}

static void join_surely(struct rill_task *t)
{
	struct rill_scope shield;
	int r = rill_join(t, NULL);

	if (r == -ECANCELED) {
		rill_scope_begin_shield(&shield);
		r = rill_join(t, NULL);
		rill_scope_end(&shield);
	}
	RILL_ASSERT(r == 0 || r == RILL_JOIN_ABORTED);
	rill_fetch_add_relaxed(&storm.joined, 1);
}

static void treat(struct rill_task *t, struct rill_rand *rand)
{
	switch (rill_rand_below(rand, 8)) {
	case 0:
		abort_somebody(t, rill_rand_below(rand, STORM_HANDLES));
		break;
	case 1:
		rill_yield();
		break;
	case 2:
		rill_sleep(rill_rand_below(rand, 20) * RILL_US);
		break;
	}
	join_surely(t);
}

/* With so many generations after it. */
static void *drop(void *arg)
{
	uintptr_t depth = (uintptr_t)arg;
	struct rill_rand rand;

	rill_rand_init(&rand, rill_self_id());
	rill_fetch_add_relaxed(&storm.ran, 1);
	while (depth > 0 && rill_rand_below(&rand, 8) != 0 && may_make_one()) {
		if (rill_rand_below(&rand, 8) != 0) {
			treat(spawn(drop, (void *)(depth - 1)), &rand);
			continue;
		}
		rill_detach(spawn(drop, NULL));
		rill_fetch_add_relaxed(&storm.joined, 1);
	}
	if (rill_rand_below(&rand, 4) == 0)
		rill_exit(NULL);
	return NULL;
}

static void *let_it_rain(void *arg)
{
	rill_store_relaxed(&storm.left, STORM_TASKS);
	while (may_make_one())
		join_surely(spawn(drop, (void *)STORM_DEPTH));
	/* those whose parents nobody waits for */
	while (rill_load_relaxed(&storm.joined) < STORM_TASKS)
		rill_yield();
	return NULL;
}

static void test_storm(void **state)
{
	for (unsigned workers = 1; workers <= 4; workers++) {
		struct rill_runtime *rt = start_multi(workers);

		memset(&storm, 0, sizeof(storm));
		run(rt, let_it_rain, NULL);
		stop(rt);
		assert_int_equal(rill_load_relaxed(&storm.joined), STORM_TASKS);
		assert_in_range(rill_load_relaxed(&storm.ran), 1, STORM_TASKS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends_from_the_middle),
		cmocka_unit_test(test_blocking_call_of_a_called_task),
		cmocka_unit_test(test_locals_of_a_called_task),
		cmocka_unit_test(test_observed_in_the_middle_of_a_call),
		cmocka_unit_test(test_stack_is_as_new),
		cmocka_unit_test(test_ten_thousand_callers),
		cmocka_unit_test(test_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
