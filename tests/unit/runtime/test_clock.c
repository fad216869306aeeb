/* SPDX-License-Identifier: BSD-3-Clause */
/* Pausing the clock, moving it, and letting it run again. */
#include "tests/unit/runtime/rt.h"

#include <rill/select.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define HOUR (3600 * RILL_SEC)

static void in(struct rill_runtime *rt, void *(*fn)(void *))
{
	run(rt, fn, NULL);
	stop(rt);
}

/* ---- errors ---- */

static void *not_here(void *arg)
{
	RILL_ASSERT_CMP(rill_clock_pause(), ==, -EOPNOTSUPP);
	RILL_ASSERT_CMP(rill_clock_resume(), ==, -EOPNOTSUPP);
	RILL_ASSERT_CMP(rill_clock_advance(1), ==, -EOPNOTSUPP);
	return NULL;
}

static void *in_the_wrong_order(void *arg)
{
	RILL_ASSERT_CMP(rill_clock_resume(), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_clock_advance(1), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_clock_pause(), ==, 0);
	RILL_ASSERT_CMP(rill_clock_pause(), ==, -EBUSY);
	RILL_ASSERT_CMP(rill_clock_resume(), ==, 0);
	RILL_ASSERT_CMP(rill_clock_resume(), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_clock_advance(1), ==, -EINVAL);
	return NULL;
}

static void *paused_from_the_start(void *arg)
{
	RILL_ASSERT_CMP(rill_clock_pause(), ==, -EBUSY);
	RILL_ASSERT_CMP(rill_clock_resume(), ==, 0);
	RILL_ASSERT_CMP(rill_clock_pause(), ==, 0);
	return NULL;
}

static void test_errors(void **state)
{
	not_here(NULL);
	in(start_multi(2), not_here);
	in(start_multi(1), not_here);
	in(start_current(), in_the_wrong_order);
	in(start_paused(), paused_from_the_start);
}

/* ---- standing still, and running ---- */

/* Real time goes by. */
static void *nap(void *arg)
{
	uint64_t begin = rill_clock_mono();

	while (rill_clock_mono() - begin < 10 * RILL_US)
		rill_cpu_relax();
	return NULL;
}

static void *stands_still(void *arg)
{
	uint64_t before = rill_now();

	RILL_ASSERT_CMP(rill_clock_pause(), ==, 0);
	uint64_t t0 = rill_now();

	RILL_ASSERT_CMP(t0, >=, before);
	nap(NULL);
	for (int i = 0; i < 100; i++)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	RILL_ASSERT_CMP(rill_now(), ==, t0);
	RILL_ASSERT_CMP(rill_clock_advance(5), ==, 0);
	RILL_ASSERT_CMP(rill_now(), ==, t0 + 5);
	RILL_ASSERT_CMP(rill_clock_advance(0), ==, 0);
	RILL_ASSERT_CMP(rill_now(), ==, t0 + 5);
	RILL_ASSERT_CMP(rill_clock_advance(RILL_FOREVER), ==, 0);
	RILL_ASSERT(rill_now() == RILL_FOREVER);
	return NULL;
}

static void *never_goes_back(void *arg)
{
	uint64_t last = rill_now();

	for (int i = 0; i < 20; i++) {
		RILL_ASSERT_CMP(rill_clock_pause(), ==, 0);
		RILL_ASSERT_CMP(rill_now(), >=, last);
		last = rill_now();
		if (i % 3 == 0)
			RILL_ASSERT_CMP(rill_clock_advance(HOUR), ==, 0);
		else if (i % 3 == 1)
			RILL_ASSERT_CMP(rill_sleep(HOUR), ==, 0);
		else
			nap(NULL);
		RILL_ASSERT_CMP(rill_now(), >=, last + (i % 3 == 2 ? 0 : HOUR));
		last = rill_now();
		RILL_ASSERT_CMP(rill_clock_resume(), ==, 0);
		RILL_ASSERT_CMP(rill_now(), >=, last);
		/* it runs, and sleeping is neither early nor for an hour */
		uint64_t until = rill_after(RILL_MS);

		RILL_ASSERT_CMP(rill_sleep_until(until), ==, 0);
		RILL_ASSERT_CMP(rill_now(), >=, until);
		last = rill_now();
	}
	return NULL;
}

static void test_pause_and_resume(void **state)
{
	in(start_current(), stands_still);
	in(start_current(), never_goes_back);
}

static void *sleep_an_hour(void *arg)
{
	uint64_t until = rill_after(HOUR);

	RILL_ASSERT_CMP(rill_sleep_until(until), ==, 0);
	RILL_ASSERT_CMP(rill_now(), >=, until);
	return NULL;
}

/* Timers of before the pause are the same clock's. */
static void *old_timers(void *arg)
{
	struct rill_task *t = spawn(sleep_an_hour, NULL);

	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	RILL_ASSERT_CMP(rill_clock_pause(), ==, 0);
	RILL_ASSERT_CMP(rill_clock_advance(HOUR / 2), ==, 0);
	RILL_ASSERT(!rill_is_finished(t));
	RILL_ASSERT_CMP(rill_clock_resume(), ==, 0);
	RILL_ASSERT_CMP(rill_clock_pause(), ==, 0);
	RILL_ASSERT_CMP(rill_clock_advance(HOUR / 2), ==, 0);
	RILL_ASSERT_CMP(rill_clock_resume(), ==, 0);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return NULL;
}

static void test_timers_outlive_the_pause(void **state)
{
	in(start_current(), old_timers);
}

/* ---- advance ---- */

struct sleeper {
	uint64_t until;
	bool woken;
	bool done;
};

static void *wake_and_work(void *arg)
{
	struct sleeper *s = arg;

	RILL_ASSERT_CMP(rill_sleep_until(s->until), ==, 0);
	RILL_ASSERT_CMP(rill_now(), >=, s->until);
	s->woken = true;
	for (int i = 0; i < 5; i++)
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	s->done = true;
	return NULL;
}

static void *advance_wakes(void *arg)
{
	uint64_t t0 = rill_now();
	struct sleeper soon = {.until = t0 + RILL_MS}, later = {.until = t0 + RILL_MS + 1};
	struct rill_task *a = spawn(wake_and_work, &soon);
	struct rill_task *b = spawn(wake_and_work, &later);

	RILL_ASSERT_CMP(rill_yield(), ==, 0);
	RILL_ASSERT_CMP(rill_clock_advance(RILL_MS - 1), ==, 0);
	RILL_ASSERT(!soon.woken);
	RILL_ASSERT_CMP(rill_clock_advance(1), ==, 0);
	/* woken, and not waited for */
	RILL_ASSERT(soon.woken);
	RILL_ASSERT(!soon.done);
	RILL_ASSERT(!later.woken);
	RILL_ASSERT_CMP(rill_now(), ==, t0 + RILL_MS);
	RILL_ASSERT_CMP(rill_join(a, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_now(), ==, t0 + RILL_MS);
	RILL_ASSERT_CMP(rill_join(b, NULL), ==, 0);
	return NULL;
}

static void *advance_in_a_scope(void *arg)
{
	struct rill_scope scope;
	uint64_t t0 = rill_now();

	rill_scope_begin(&scope, t0 + RILL_MS, NULL);
	RILL_ASSERT_CMP(rill_clock_advance(2 * RILL_MS), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	RILL_ASSERT_CMP(rill_now(), ==, t0 + 2 * RILL_MS);
	return NULL;
}

static void test_advance(void **state)
{
	in(start_paused(), advance_wakes);
	in(start_paused(), advance_in_a_scope);
}

/* ---- what keeps it from jumping ---- */

static void *call_and_look(void *arg)
{
	struct rill_task *t = spawn(sleep_an_hour, NULL);
	uint64_t t0 = rill_now();

	for (int i = 0; i < 5; i++) {
		RILL_ASSERT_CMP(rill_blocking(nap, NULL, NULL), ==, 0);
		RILL_ASSERT_CMP(rill_now(), ==, t0);
	}
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_now(), >=, t0 + HOUR);
	return NULL;
}

static void *spawn_blocking_and_look(void *arg)
{
	struct rill_task *sleeper = spawn(sleep_an_hour, NULL), *t;
	uint64_t t0 = rill_now();

	RILL_ASSERT_CMP(rill_spawn_blocking(NULL, nap, NULL, &t), ==, 0);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_now(), ==, t0);
	RILL_ASSERT_CMP(rill_join(sleeper, NULL), ==, 0);
	return NULL;
}

static void test_blocking_call_holds_the_clock(void **state)
{
	in(start_paused(), call_and_look);
	in(start_paused(), spawn_blocking_and_look);
}

/* Something comes in between the last poll and the sleep, and is posted to the gate. */
struct source {
	struct rill_poller p;
	struct gate gate;
	bool armed;
	bool by_kick;
	bool seen;
};

static bool source_poll(struct rill_poller *p, uint64_t now)
{
	struct source *s = (struct source *)p;

	/* What came before the worker armed us is what it polls for afterwards. */
	if (!s->armed || s->seen)
		return false;
	s->seen = true;
	gate_post(&s->gate);
	return true;
}

static bool source_arm(struct rill_poller *p)
{
	struct source *s = (struct source *)p;
	uint64_t one = 1;

	if (s->armed)
		return true;
	s->armed = true;
	if (s->by_kick)
		rill_idle_kick(&p->rt->workers[0]);
	else
		RILL_ASSERT_CMP(write(p->fd, &one, sizeof(one)), ==, (ssize_t)sizeof(one));
	return true;
}

static void source_disarm(struct rill_poller *p)
{
	uint64_t count;

	/* empty as a rule */
	while (read(p->fd, &count, sizeof(count)) > 0)
		;
}

static const struct rill_poller_ops source_ops = {
	.poll = source_poll,
	.arm = source_arm,
	.disarm = source_disarm,
};

static void *wait_at_the_gate(void *arg)
{
	struct source *s = arg;
	uint64_t t0 = rill_now();
	struct rill_task *t = spawn(sleep_an_hour, NULL);

	RILL_ASSERT_CMP(gate_wait(&s->gate), ==, 0);
	RILL_ASSERT_CMP(rill_now(), ==, t0);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return NULL;
}

static void test_wake_goes_before_the_jump(void **state)
{
	for (int by_kick = 0; by_kick < 2; by_kick++) {
		struct rill_runtime *rt = start_paused();
		struct source s = {.by_kick = by_kick};

		gate_init(&s.gate);
		s.p.ops = &source_ops;
		s.p.fd = eventfd(0, EFD_NONBLOCK);
		s.p.deadline_ns = RILL_FOREVER;
		assert_int_equal(rill_poller_add(rt, &s.p), 0);
		run(rt, wait_at_the_gate, &s);
		rill_poller_remove(&s.p);
		close(s.p.fd);
		stop(rt);
	}
}

/* ---- pollers' deadlines ---- */

struct timed {
	struct rill_poller p;
	uint64_t polled_at;
};

static bool timed_poll(struct rill_poller *p, uint64_t now)
{
	struct timed *f = (struct timed *)p;

	if (now < p->deadline_ns)
		return false;
	f->polled_at = now;
	rill_poller_set_deadline(p, RILL_FOREVER);
	return false;
}

static bool quiet(struct rill_poller *p)
{
	return true;
}

static void no_disarm(struct rill_poller *p)
{
}

static const struct rill_poller_ops timed_ops = {
	.poll = timed_poll, .arm = quiet, .disarm = no_disarm};

static void *by_jump_and_by_advance(void *arg)
{
	struct timed *f = arg;
	uint64_t t0 = rill_now();

	rill_poller_set_deadline(&f->p, t0 + RILL_SEC);
	RILL_ASSERT_CMP(rill_sleep(2 * RILL_SEC), ==, 0);
	RILL_ASSERT_CMP(f->polled_at, ==, t0 + RILL_SEC);
	t0 = rill_now();
	rill_poller_set_deadline(&f->p, t0 + RILL_SEC);
	RILL_ASSERT_CMP(rill_clock_advance(3 * RILL_SEC), ==, 0);
	RILL_ASSERT_CMP(f->polled_at, ==, t0 + 3 * RILL_SEC);
	return NULL;
}

static void test_pollers_have_deadlines(void **state)
{
	struct rill_runtime *rt = start_paused();
	struct timed f = {.p = {.ops = &timed_ops, .fd = -1, .deadline_ns = RILL_FOREVER}};

	assert_int_equal(rill_poller_add(rt, &f.p), 0);
	run(rt, by_jump_and_by_advance, &f);
	rill_poller_remove(&f.p);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_pause_and_resume),
		cmocka_unit_test(test_timers_outlive_the_pause),
		cmocka_unit_test(test_advance),
		cmocka_unit_test(test_blocking_call_holds_the_clock),
		cmocka_unit_test(test_wake_goes_before_the_jump),
		cmocka_unit_test(test_pollers_have_deadlines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
