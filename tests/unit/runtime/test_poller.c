/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/poller.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/runtime/rt.h"

/* A network card of sorts: what is written to the eventfd is passed on to a gate. */
struct fake {
	struct rill_poller p;
	RILL_ATOMIC(uint64_t) polls;
	RILL_ATOMIC(uint64_t) removed; /* no poll may come any more */
	RILL_ATOMIC(uint64_t) polled_at;
	struct gate arrived;
};

static bool fake_poll(struct rill_poller *p, uint64_t now)
{
	struct fake *f = (struct fake *)p;
	uint64_t n;

	RILL_ASSERT(!rill_load_acquire(&f->removed));
	rill_store_relaxed(&f->polled_at, now);
	/* release: pairs with the acquires of those who wait for it */
	rill_fetch_add_acq_rel(&f->polls, 1);
	if (p->fd < 0 || read(p->fd, &n, sizeof(n)) != sizeof(n))
		return false;
	while (n-- > 0)
		gate_post(&f->arrived);
	return true;
}

/* An eventfd stays readable by itself. */
static bool fake_arm(struct rill_poller *p)
{
	RILL_ASSERT(!rill_load_acquire(&((struct fake *)p)->removed));
	return true;
}

static void fake_disarm(struct rill_poller *p)
{
	RILL_ASSERT(!rill_load_acquire(&((struct fake *)p)->removed));
}

static const struct rill_poller_ops fake_ops = {
	.poll = fake_poll,
	.arm = fake_arm,
	.disarm = fake_disarm,
};

static void fake_init(struct fake *f, bool with_fd)
{
	*f = (struct fake){.p = {.ops = &fake_ops, .fd = -1}};
	gate_init(&f->arrived);
	if (with_fd)
		f->p.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

static void fake_remove(struct fake *f)
{
	rill_poller_remove(&f->p);
	/* release: with the acquires above: whoever is still in there is caught */
	rill_store_release(&f->removed, 1);
	if (f->p.fd >= 0)
		close(f->p.fd);
}

static void packet(struct fake *f)
{
	uint64_t one = 1;

	RILL_ASSERT(write(f->p.fd, &one, sizeof(one)) == sizeof(one));
}

static struct rill_runtime *start_sleepy(enum rill_flavor flavor, unsigned workers)
{
	return start(
		(struct rill_runtime_options){.flavor = flavor, .workers = workers, .spin_ns = 1});
}

/* ---- polled at home ---- */

static void *receive(void *arg)
{
	struct fake *f = arg;

	for (unsigned i = 0; i < ROUNDS(2000); i++)
		RILL_ASSERT_CMP(gate_wait(&f->arrived), ==, 0);
	return NULL;
}

/* The home sleeps on the fd: each packet wakes it. */
static void test_fd_wakes_the_home(void **state)
{
	for (unsigned workers = 1; workers <= 3; workers++) {
		struct rill_runtime *rt = start_sleepy(RILL_MULTI_THREAD, workers);
		struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt};
		struct rill_task *t[3];
		struct fake f[3];

		for (int i = 0; i < 3; i++) {
			fake_init(&f[i], true);
			assert_int_equal(rill_poller_add(rt, &f[i].p), 0);
			assert_int_equal(f[i].p.home, (unsigned)i % workers);
			assert_int_equal(rill_spawn_with(&o, receive, &f[i], &t[i]), 0);
		}
		for (unsigned n = 0; n < ROUNDS(2000); n++)
			for (int i = 0; i < 3; i++)
				packet(&f[i]);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(rill_join(t[i], NULL), 0);
			fake_remove(&f[i]);
		}
		stop(rt);
	}
}

/* ---- polled elsewhere ---- */

struct compute {
	struct fake *fakes;
	unsigned count;
};

/* Computes, without a call, until packets that came meanwhile have been taken in by somebody else.
 */
static void *compute(void *arg)
{
	struct compute *c = arg;
	uint64_t before[2];

	for (unsigned i = 0; i < c->count; i++) {
		before[i] = rill_load_acquire(&c->fakes[i].polls);
		packet(&c->fakes[i]);
	}
	for (unsigned i = 0; i < c->count; i++)
		while (rill_load_acquire(&c->fakes[i].polls) < before[i] + 3)
			sched_yield();
	return NULL;
}

static void test_stuck_home_is_relieved(void **state)
{
	struct rill_runtime *rt = start_sleepy(RILL_MULTI_THREAD, 2);
	struct rill_worker_metrics m;
	uint64_t foreign = 0;
	struct fake f[2];

	for (int i = 0; i < 2; i++) {
		fake_init(&f[i], true);
		assert_int_equal(rill_poller_add(rt, &f[i].p), 0);
	}
	/* Whichever of the two it runs on, the other has to poll for it. */
	for (int i = 0; i < 20; i++)
		run(rt, compute, &(struct compute){f, 2});
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(rill_runtime_worker_metrics(rt, i, &m), 0);
		assert_true(m.polls >= m.polls_foreign);
		foreign += m.polls_foreign;
	}
	assert_true(foreign >= 20);
	for (int i = 0; i < 2; i++)
		fake_remove(&f[i]);
	stop(rt);
}

/* ---- deadlines ---- */

/* A sleeping home is woken for a deadline that is set by another thread, and polls in time. */
static void test_deadline_wakes_the_home(void **state)
{
	struct rill_runtime *rt = start_sleepy(RILL_MULTI_THREAD, 1);
	struct fake f;

	fake_init(&f, false);
	assert_int_equal(rill_poller_add(rt, &f.p), 0);
	for (unsigned i = 0; i < ROUNDS(500); i++) {
		uint64_t deadline = rill_after(i % 10 * 30 * RILL_US);

		rill_poller_set_deadline(&f.p, deadline);
		while (rill_load_acquire(&f.polled_at) < deadline)
			sched_yield();
		rill_poller_set_deadline(&f.p, RILL_FOREVER);
	}
	fake_remove(&f);
	stop(rt);
}

static void *sleep_over(void *arg)
{
	struct fake *f = arg;
	uint64_t t0 = rill_now();

	/* the paused clock jumps to it on its way */
	rill_poller_set_deadline(&f->p, t0 + RILL_SEC);
	RILL_ASSERT_CMP(rill_sleep(2 * RILL_SEC), ==, 0);
	return NULL;
}

static bool see_deadline(struct rill_poller *p, uint64_t now)
{
	struct fake *f = (struct fake *)p;

	f->polls++;
	if (now < p->deadline_ns)
		return false;
	f->polled_at = now;
	rill_poller_set_deadline(p, RILL_FOREVER);
	return false;
}

static void test_paused_clock_stops_at_a_deadline(void **state)
{
	const struct rill_poller_ops ops = {
		.poll = see_deadline, .arm = fake_arm, .disarm = fake_disarm};
	struct rill_runtime *rt = start_paused();
	struct fake f;
	uint64_t t0 = rill_runtime_now(rt);

	fake_init(&f, false);
	f.p.ops = &ops;
	assert_int_equal(rill_poller_add(rt, &f.p), 0);
	run(rt, sleep_over, &f);
	assert_int_equal(f.polled_at, t0 + RILL_SEC);
	fake_remove(&f);
	stop(rt);
}

/* ---- add and remove ---- */

static void *keep_yielding(void *arg)
{
	while (rill_yield() == 0)
		;
	return NULL;
}

/* After remove nobody is in there, although the workers poll all the time. */
static void test_remove_waits(void **state)
{
	for (unsigned workers = 1; workers <= 3; workers++) {
		struct rill_runtime *rt = start_multi(workers);
		struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt};
		struct rill_task *t[3];

		for (int i = 0; i < 3; i++)
			assert_int_equal(rill_spawn_with(&o, keep_yielding, NULL, &t[i]), 0);
		for (unsigned i = 0; i < ROUNDS(500); i++) {
			struct fake f;

			fake_init(&f, false);
			assert_int_equal(rill_poller_add(rt, &f.p), 0);
			while (i % 2 && rill_load_acquire(&f.polls) == 0)
				sched_yield();
			fake_remove(&f);
		}
		for (int i = 0; i < 3; i++) {
			rill_abort(t[i]);
			assert_int_equal(rill_join(t[i], NULL), RILL_JOIN_ABORTED);
		}
		stop(rt);
	}
}

/* Also from a task, and from one that was aborted: interfaces are closed in clean-up. */
static void *remove_in_clean_up(void *arg)
{
	struct fake f;

	fake_init(&f, true);
	RILL_ASSERT_CMP(rill_poller_add(rill_runtime_current(), &f.p), ==, 0);
	gate_post(arg);
	RILL_ASSERT_CMP(rill_sleep(RILL_FOREVER), ==, -ECANCELED);
	fake_remove(&f);
	return NULL;
}

static void *add_and_remove(void *arg)
{
	struct gate begun;

	gate_init(&begun);
	for (int i = 0; i < 20; i++) {
		struct rill_task *t = spawn(remove_in_clean_up, &begun);
		struct fake f;

		fake_init(&f, false);
		RILL_ASSERT_CMP(rill_poller_add(rill_runtime_current(), &f.p), ==, 0);
		RILL_ASSERT_CMP(gate_wait(&begun), ==, 0);
		rill_abort(t);
		RILL_ASSERT_CMP(rill_join(t, NULL), ==, RILL_JOIN_ABORTED);
		fake_remove(&f);
	}
	return NULL;
}

static void test_remove_from_a_task(void **state)
{
	in_each_flavor(add_and_remove, NULL);
}

static void test_no_space(void **state)
{
	static struct fake f[RILL_POLLERS_MAX + 1];
	struct rill_runtime *rt = start_current();

	for (int i = 0; i <= RILL_POLLERS_MAX; i++) {
		fake_init(&f[i], false);
		assert_int_equal(rill_poller_add(rt, &f[i].p), i < RILL_POLLERS_MAX ? 0 : -ENOSPC);
	}
	fake_remove(&f[7]);
	fake_init(&f[7], false);
	assert_int_equal(rill_poller_add(rt, &f[7].p), 0);
	for (int i = 0; i < RILL_POLLERS_MAX; i++)
		fake_remove(&f[i]);
	stop(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fd_wakes_the_home),
		cmocka_unit_test(test_stuck_home_is_relieved),
		cmocka_unit_test(test_deadline_wakes_the_home),
		cmocka_unit_test(test_paused_clock_stops_at_a_deadline),
		cmocka_unit_test(test_remove_waits),
		cmocka_unit_test(test_remove_from_a_task),
		cmocka_unit_test(test_no_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
