/* SPDX-License-Identifier: BSD-3-Clause */
/* How often a worker looks where: the inject queue, the pollers; and how many look for work. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/runtime/rt.h"

/* ---- the inject queue's turn ---- */

#define EACH 20 /* tasks of each kind */

struct order {
	struct rill_runtime *rt;
	unsigned len;
	char text[2 * EACH + 1];
};

static void *local(void *arg)
{
	struct order *o = arg;

	o->text[o->len++] = 'l';
	return NULL;
}

static void *injected(void *arg)
{
	struct order *o = arg;

	o->text[o->len++] = 'i';
	return NULL;
}

static void *inject(void *arg)
{
	struct order *o = arg;
	struct rill_spawn_options so = {RILL_OPTIONS(so), .runtime = o->rt};

	for (int i = 0; i < EACH; i++)
		RILL_ASSERT_CMP(rill_spawn_with(&so, injected, o, NULL), ==, 0);
	return NULL;
}

/* All of them are runnable before the first of them runs. */
static void *both_kinds(void *arg)
{
	struct order *o = arg;
	pthread_t thread;

	for (int i = 0; i < EACH; i++)
		RILL_ASSERT_CMP(rill_spawn(local, o, NULL), ==, 0);
	RILL_ASSERT_CMP(pthread_create(&thread, NULL, inject, o), ==, 0);
	RILL_ASSERT_CMP(pthread_join(thread, NULL), ==, 0);
	/* the paused clock jumps when all have run */
	RILL_ASSERT_CMP(rill_sleep(RILL_SEC), ==, 0);
	RILL_ASSERT_CMP(o->len, ==, 2u * EACH);
	return NULL;
}

static struct order order_with(unsigned interval, bool no_lifo)
{
	struct order o = {.len = 0};

	o.rt = start((struct rill_runtime_options){.flavor = RILL_CURRENT_THREAD,
						   .start_paused = true,
						   .inject_interval = interval,
						   .poll_interval = 64,
						   .no_lifo = no_lifo});
	run(o.rt, both_kinds, &o);
	assert_int_equal(o.rt->workers[0].inject_interval, interval);
	stop(o.rt);
	return o;
}

static void test_injected_go_first(void **state)
{
	struct order o = order_with(1, true);

	for (unsigned i = 0; i < EACH; i++) {
		assert_int_equal(o.text[i], 'i');
		assert_int_equal(o.text[EACH + i], 'l');
	}
}

static void every_nth(unsigned n, bool no_lifo)
{
	struct order o = order_with(n, no_lifo);
	unsigned first = (unsigned)strcspn(o.text, "i");

	assert_in_range(first, 0, n - 1);
	/* until there are no more local ones: then the others go on in a row */
	for (unsigned i = 0, locals = 0; locals < EACH; i++) {
		bool is_turn = i >= first && (i - first) % n == 0;

		assert_int_equal(o.text[i], is_turn ? 'i' : 'l');
		locals += is_turn ? 0 : 1;
	}
}

static void test_injected_go_every_nth_slice(void **state)
{
	every_nth(2, true);
	every_nth(3, true);
	every_nth(7, true);
	every_nth(2, false);
	every_nth(5, false);
}

/* Two tasks which wake each other jump the queue, but not that of the injected. */
struct players {
	struct rill_runtime *rt;
	struct gate a, b;
	unsigned since; /* slices of the two since the task was injected */
	bool ran;
};

static void *set_ran(void *arg)
{
	((struct players *)arg)->ran = true;
	return NULL;
}

static void *inject_one(void *arg)
{
	struct players *p = arg;
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = p->rt};

	RILL_ASSERT_CMP(rill_spawn_with(&o, set_ran, p, NULL), ==, 0);
	return NULL;
}

static void *answer(void *arg)
{
	struct players *p = arg;

	while (!p->ran) {
		RILL_ASSERT_CMP(gate_wait(&p->b), ==, 0);
		p->since++;
		gate_post(&p->a);
	}
	return NULL;
}

static void *play(void *arg)
{
	struct players *p = arg;
	struct rill_task *t = spawn(answer, p);
	pthread_t thread;

	for (int i = 0; i < 100; i++) {
		gate_post(&p->b);
		RILL_ASSERT_CMP(gate_wait(&p->a), ==, 0);
	}
	RILL_ASSERT_CMP(pthread_create(&thread, NULL, inject_one, p), ==, 0);
	RILL_ASSERT_CMP(pthread_join(thread, NULL), ==, 0);
	p->since = 0;
	while (!p->ran) {
		gate_post(&p->b);
		RILL_ASSERT_CMP(gate_wait(&p->a), ==, 0);
		p->since++;
	}
	gate_post(&p->b);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return NULL;
}

static void test_injected_between_two_that_wake_each_other(void **state)
{
	const unsigned intervals[] = {1, 2, 5, 61};

	for (size_t i = 0; i < RILL_ARRAY_SIZE(intervals); i++) {
		struct players p = {.since = 0};

		gate_init(&p.a);
		gate_init(&p.b);
		p.rt = start((struct rill_runtime_options){.flavor = RILL_CURRENT_THREAD,
							   .inject_interval = intervals[i]});
		run(p.rt, play, &p);
		/* the one that was running goes on to the end of its slice */
		assert_in_range(p.since, 0, intervals[i] + 1);
		stop(p.rt);
	}
}

/* ---- the intervals follow the length of slices ---- */

struct lengths {
	struct rill_runtime *rt;
	uint64_t slice_ns;
	unsigned slices;
	/* what had come of it after the last of them */
	unsigned inject_interval;
	unsigned poll_interval;
};

/* Each slice takes as long as is said, on the paused clock. */
static void *slices_of(void *arg)
{
	struct lengths *l = arg;
	struct rill_worker *w = rill_worker_current();

	for (unsigned i = 0; i < l->slices; i++) {
		turn_clock(l->rt, l->slice_ns);
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
	}
	/* by the first of the two: ends and joins take no time, which changes them again */
	if (l->inject_interval == 0) {
		l->inject_interval = w->inject_interval;
		l->poll_interval = w->poll_interval;
	}
	return NULL;
}

/* Another such task keeps every turn from being the end of one slice. */
static void *two_of(void *arg)
{
	struct rill_task *t[2] = {spawn(slices_of, arg), spawn(slices_of, arg)};

	RILL_ASSERT_CMP(rill_join(t[0], NULL), ==, 0);
	RILL_ASSERT_CMP(rill_join(t[1], NULL), ==, 0);
	return NULL;
}

static bool nothing_to_poll(struct rill_poller *p, uint64_t now)
{
	return false;
}

static bool arm(struct rill_poller *p)
{
	return true;
}

static void disarm(struct rill_poller *p)
{
}

static const struct rill_poller_ops idle_ops = {
	.poll = nothing_to_poll,
	.arm = arm,
	.disarm = disarm,
};

static struct rill_runtime *start_tuned(unsigned inject_interval, unsigned poll_interval)
{
	return start((struct rill_runtime_options){.flavor = RILL_CURRENT_THREAD,
						   .start_paused = true,
						   .inject_interval = inject_interval,
						   .poll_interval = poll_interval});
}

static struct lengths run_slices(struct rill_runtime *rt, uint64_t slice_ns)
{
	struct lengths l = {.rt = rt, .slice_ns = slice_ns, .slices = 1000};

	run(rt, two_of, &l);
	return l;
}

static void test_intervals_tune_themselves(void **state)
{
	struct rill_poller p = {.ops = &idle_ops, .fd = -1};
	struct rill_runtime *rt = start_tuned(0, 0);
	struct lengths l;

	/* with a poller every turn is taken, and measured */
	assert_int_equal(rill_poller_add(rt, &p), 0);
	l = run_slices(rt, 0);
	assert_int_equal(l.inject_interval, 127);
	assert_int_equal(l.poll_interval, 64);
	/* 200 us between looks at the inject queue, 20 us between turns */
	l = run_slices(rt, 4000);
	assert_in_range(l.inject_interval, 49, 51);
	assert_int_equal(l.poll_interval, 4);
	l = run_slices(rt, 20000);
	assert_in_range(l.inject_interval, 9, 10);
	assert_int_equal(l.poll_interval, 1);
	l = run_slices(rt, 1000 * RILL_US);
	assert_int_equal(l.inject_interval, 2);
	assert_int_equal(l.poll_interval, 1);
	/* and back again */
	l = run_slices(rt, 0);
	assert_int_equal(l.inject_interval, 127);
	assert_int_equal(l.poll_interval, 64);
	rill_poller_remove(&p);
	stop(rt);
}

static void test_given_intervals_stay(void **state)
{
	struct rill_poller p = {.ops = &idle_ops, .fd = -1};
	struct rill_runtime *rt = start_tuned(7, 9);

	assert_int_equal(rill_poller_add(rt, &p), 0);
	for (uint64_t ns = 0; ns < 2000 * RILL_US; ns = ns * 2 + 1000) {
		struct lengths l = run_slices(rt, ns);

		assert_int_equal(l.inject_interval, 7);
		assert_int_equal(l.poll_interval, 9);
	}
	rill_poller_remove(&p);
	stop(rt);
}

/* ---- slices between polls ---- */

struct slice_poller {
	struct rill_poller p;
	struct rill_worker *w;
	uint64_t last;	  /* slices when it was polled last */
	uint64_t longest; /* without a poll */
	unsigned polls;
};

static bool count_slices(struct rill_poller *poller, uint64_t now)
{
	struct slice_poller *p = (struct slice_poller *)poller;
	uint64_t slices = rill_load_relaxed(&p->w->metrics.slices);

	p->longest = RILL_MAX(p->longest, slices - p->last);
	p->last = slices;
	p->polls++;
	return false;
}

static const struct rill_poller_ops slice_ops = {
	.poll = count_slices,
	.arm = arm,
	.disarm = disarm,
};

/* A wake from one to the other, and never a moment in which nothing is runnable. */
static void *play_alone(void *arg)
{
	struct slice_poller *sp = arg;
	struct players p = {.rt = rill_runtime_current()};

	gate_init(&p.a);
	gate_init(&p.b);
	struct rill_task *t = spawn(answer, &p);

	for (int i = 0; i < 1000; i++) {
		gate_post(&p.b);
		RILL_ASSERT_CMP(gate_wait(&p.a), ==, 0);
		/* what came before, when there was nothing to do, is another matter */
		if (i == 10)
			sp->longest = sp->polls = 0;
	}
	p.ran = true;
	gate_post(&p.b);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, 0);
	return NULL;
}

static void test_poll_interval(void **state)
{
	const unsigned intervals[] = {1, 2, 16, 64};

	for (size_t i = 0; i < RILL_ARRAY_SIZE(intervals); i++) {
		struct rill_runtime *rt = start_tuned(0, intervals[i]);
		struct slice_poller p = {.p = {.ops = &slice_ops, .fd = -1}, .w = &rt->workers[0]};

		assert_int_equal(rill_poller_add(rt, &p.p), 0);
		run(rt, play_alone, &p);
		assert_int_equal(p.longest, intervals[i]);
		assert_in_range(p.polls, 1900 / intervals[i], UINT32_MAX);
		rill_poller_remove(&p.p);
		stop(rt);
	}
}

/* ---- who searches, and who is woken ---- */

#define CROWD 8

/* Workers without threads, so that nobody but the test moves. */
struct crowd {
	struct rill_runtime rt;
	struct rill_worker workers[CROWD];
};

/* All but the first asleep. */
static struct crowd *crowd_create(void)
{
	struct crowd *c = aligned_alloc(RILL_CACHE_LINE, sizeof(*c));

	assert_non_null(c);
	memset(c, 0, sizeof(*c));
	c->rt.worker_count = CROWD;
	c->rt.workers = c->workers;
	c->rt.idle.word = 1 << 16;
	for (unsigned i = 0; i < CROWD; i++) {
		struct rill_worker *w = &c->workers[i];

		w->rt = &c->rt;
		w->index = i;
		w->wake_fd = eventfd(0, EFD_NONBLOCK);
		assert_true(w->wake_fd >= 0);
		if (i == 0)
			continue;
		w->asleep = true;
		w->sleep_next = c->rt.idle.sleepers;
		c->rt.idle.sleepers = w;
	}
	return c;
}

static void crowd_destroy(struct crowd *c)
{
	for (unsigned i = 0; i < CROWD; i++)
		close(c->workers[i].wake_fd);
	free(c);
}

/* Who was kicked since the last call; there is none or one, and it searches from now on. */
static struct rill_worker *woken(struct crowd *c)
{
	struct rill_worker *found = NULL;
	uint64_t kicks;

	for (unsigned i = 0; i < CROWD; i++) {
		if (read(c->workers[i].wake_fd, &kicks, sizeof(kicks)) < 0)
			continue;
		assert_int_equal(kicks, 1);
		assert_null(found);
		found = &c->workers[i];
		assert_false(found->asleep);
		found->searching = true;
	}
	return found;
}

static uint32_t searchers(struct crowd *c)
{
	return rill_load_relaxed(&c->rt.idle.word) & 0xffff;
}

static uint32_t awake(struct crowd *c)
{
	return rill_load_relaxed(&c->rt.idle.word) >> 16;
}

static void test_one_is_woken_for_a_burst(void **state)
{
	struct crowd *c = crowd_create();

	for (int i = 0; i < 100; i++)
		rill_idle_notify(&c->rt);
	assert_non_null(woken(c));
	assert_int_equal(searchers(c), 1);
	assert_int_equal(awake(c), 2);
	rill_idle_notify(&c->rt);
	assert_null(woken(c));
	crowd_destroy(c);
}

/* Each that has found work sends the next, until all are awake. */
static void test_the_last_searcher_wakes_the_next(void **state)
{
	struct crowd *c = crowd_create();

	rill_idle_notify(&c->rt);
	for (unsigned i = 1; i < CROWD; i++) {
		struct rill_worker *w = woken(c);

		assert_non_null(w);
		assert_int_equal(searchers(c), 1);
		assert_int_equal(awake(c), 1 + i);
		rill_idle_stop_search(w);
	}
	assert_null(woken(c));
	assert_int_equal(searchers(c), 0);
	rill_idle_notify(&c->rt);
	assert_null(woken(c));
	assert_int_equal(awake(c), CROWD);
	crowd_destroy(c);
}

static void test_not_the_last_searcher_wakes_nobody(void **state)
{
	struct crowd *c = crowd_create();

	rill_idle_notify(&c->rt);
	struct rill_worker *w = woken(c);

	assert_true(rill_idle_start_search(&c->workers[0]));
	assert_int_equal(searchers(c), 2);
	rill_idle_stop_search(w);
	assert_null(woken(c));
	rill_idle_stop_search(w); /* once is enough */
	assert_int_equal(searchers(c), 1);
	rill_idle_stop_search(&c->workers[0]);
	assert_non_null(woken(c));
	crowd_destroy(c);
}

static void test_half_of_them_search(void **state)
{
	struct crowd *c = crowd_create();

	for (unsigned i = 0; i < CROWD; i++) {
		assert_int_equal(rill_idle_start_search(&c->workers[i]), i < CROWD / 2);
		assert_int_equal(c->workers[i].searching, i < CROWD / 2);
	}
	assert_true(rill_idle_start_search(&c->workers[0])); /* and is counted once */
	assert_int_equal(searchers(c), CROWD / 2);
	rill_idle_stop_search(&c->workers[1]);
	assert_true(rill_idle_start_search(&c->workers[CROWD - 1]));
	assert_false(rill_idle_start_search(&c->workers[1]));
	assert_int_equal(searchers(c), CROWD / 2);
	assert_null(woken(c));
	crowd_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_injected_go_first),
		cmocka_unit_test(test_injected_go_every_nth_slice),
		cmocka_unit_test(test_injected_between_two_that_wake_each_other),
		cmocka_unit_test(test_intervals_tune_themselves),
		cmocka_unit_test(test_given_intervals_stay),
		cmocka_unit_test(test_poll_interval),
		cmocka_unit_test(test_one_is_woken_for_a_burst),
		cmocka_unit_test(test_the_last_searcher_wakes_the_next),
		cmocka_unit_test(test_not_the_last_searcher_wakes_nobody),
		cmocka_unit_test(test_half_of_them_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
