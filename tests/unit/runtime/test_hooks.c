/* SPDX-License-Identifier: BSD-3-Clause */
/* The hooks of threads: in pairs, on the thread itself, and free to make tasks runnable. */
#include <pthread.h>

#include "tests/unit/runtime/rt.h"

#define WORKERS 3
#define BLOCKING 3

/* Of one thread, but for the blocking pool's, which share theirs. */
struct thread_log {
	RILL_ATOMIC(unsigned) starts;
	RILL_ATOMIC(unsigned) stops;
	RILL_ATOMIC(unsigned) parks;
	RILL_ATOMIC(unsigned) unparks;
	pthread_t thread;
};

struct log {
	struct thread_log threads[1 + WORKERS]; /* the first is the blocking pool's */
};

static struct thread_log *log_of(void *user, int worker)
{
	struct log *log = user;

	RILL_ASSERT(worker >= -1 && worker < WORKERS);
	return &log->threads[1 + worker];
}

static void on_start(void *user, int worker)
{
	struct thread_log *l = log_of(user, worker);

	/* Nothing of it runs yet. */
	RILL_ASSERT(!rill_worker_current());
	if (worker >= 0)
		l->thread = pthread_self();
	/* acq_rel: pairs with the acquire loads of the tests */
	rill_fetch_add_acq_rel(&l->starts, 1);
}

static void on_stop(void *user, int worker)
{
	struct thread_log *l = log_of(user, worker);

	RILL_ASSERT(!rill_worker_current());
	RILL_ASSERT(worker < 0 || pthread_equal(l->thread, pthread_self()));
	/* acq_rel: as above */
	RILL_ASSERT_CMP(rill_fetch_add_acq_rel(&l->stops, 1), <, rill_load_acquire(&l->starts));
}

static void on_park(void *user, int worker)
{
	struct thread_log *l = log_of(user, worker);

	RILL_ASSERT_CMP(rill_worker_index(), ==, worker);
	/* acq_rel: as above */
	RILL_ASSERT_CMP(rill_fetch_add_acq_rel(&l->parks, 1), ==, rill_load_acquire(&l->unparks));
}

static void on_unpark(void *user, int worker)
{
	struct thread_log *l = log_of(user, worker);

	RILL_ASSERT_CMP(rill_worker_index(), ==, worker);
	/* acq_rel: as above */
	RILL_ASSERT_CMP(rill_fetch_add_acq_rel(&l->unparks, 1) + 1, ==,
			rill_load_acquire(&l->parks));
}

static struct rill_hooks hooks_for(struct log *log)
{
	return (struct rill_hooks){.user = log,
				   .thread_start = on_start,
				   .thread_stop = on_stop,
				   .thread_park = on_park,
				   .thread_unpark = on_unpark};
}

/* ---- pairs ---- */

static void *who(void *arg)
{
	*(pthread_t *)arg = pthread_self();
	return NULL;
}

static pthread_t thread_of_worker(struct rill_runtime *rt, unsigned worker)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt,
				       .placement = RILL_PLACE_PINNED, .worker = worker};
	struct rill_task *t;
	pthread_t thread;

	assert_int_equal(rill_spawn_with(&o, who, &thread, &t), 0);
	assert_int_equal(rill_join(t, NULL), 0);
	return thread;
}

static void test_workers(void **state)
{
	struct log log = {0};
	struct rill_runtime *rt = start((struct rill_runtime_options){
		.workers = WORKERS, .spin_ns = 1, .hooks = hooks_for(&log)});

	for (unsigned i = 0; i < WORKERS; i++) {
		struct thread_log *l = &log.threads[1 + i];
		pthread_t thread = thread_of_worker(rt, i);
		struct rill_worker_metrics m;

		assert_true(pthread_equal(thread, l->thread));
		/* Idle it goes to sleep, sooner or later. acquire: pairs with on_park() */
		while (rill_load_acquire(&l->parks) == 0)
			rill_sleep(10 * RILL_US);
		assert_int_equal(rill_runtime_worker_metrics(rt, i, &m), 0);
		assert_true(m.parks <= rill_load_acquire(&l->parks));
		assert_int_equal(l->stops, 0);
	}
	stop(rt);
	for (unsigned i = 0; i < WORKERS; i++) {
		assert_int_equal(log.threads[1 + i].starts, 1);
		assert_int_equal(log.threads[1 + i].stops, 1);
		assert_int_equal(log.threads[1 + i].parks, log.threads[1 + i].unparks);
	}
	assert_int_equal(log.threads[0].starts, 0);
}

static void *meet(void *arg)
{
	pthread_barrier_wait(arg);
	return NULL;
}

/* Each of them needs a thread of its own. */
static void *meet_all(void *arg)
{
	struct rill_task *t[BLOCKING];
	pthread_barrier_t barrier;

	pthread_barrier_init(&barrier, NULL, BLOCKING);
	for (unsigned i = 0; i < BLOCKING; i++)
		RILL_ASSERT_CMP(rill_spawn_blocking(NULL, meet, &barrier, &t[i]), ==, 0);
	for (unsigned i = 0; i < BLOCKING; i++)
		RILL_ASSERT_CMP(rill_join(t[i], NULL), ==, 0);
	pthread_barrier_destroy(&barrier);
	return NULL;
}

static void test_blocking_threads(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct log log = {0};
		struct rill_runtime *rt = start((struct rill_runtime_options){
			.flavor = i ? RILL_CURRENT_THREAD : RILL_MULTI_THREAD,
			.workers = i ? 1 : 2,
			.max_blocking = BLOCKING,
			.hooks = hooks_for(&log)});

		run(rt, meet_all, NULL);
		run(rt, meet_all, NULL);
		assert_int_equal(rill_load_acquire(&log.threads[0].starts), BLOCKING);
		assert_int_equal(rill_load_acquire(&log.threads[0].stops), 0);
		stop(rt);
		assert_int_equal(log.threads[0].stops, BLOCKING);
		/* they do not park: that is the workers' */
		assert_int_equal(log.threads[0].parks + log.threads[0].unparks, 0);
	}
}

static void *naps(void *arg)
{
	struct thread_log *l = arg;

	while (l->parks < 10)
		RILL_ASSERT_CMP(rill_sleep(50 * RILL_US), ==, 0);
	return NULL;
}

/* Its worker is a thread of the program's, which rill neither starts nor stops. */
static void test_current_thread(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct log log = {0};
		struct rill_runtime *rt =
			start((struct rill_runtime_options){.flavor = RILL_CURRENT_THREAD,
							    .spin_ns = 1,
							    .start_paused = i == 1,
							    .hooks = hooks_for(&log)});

		run(rt, naps, &log.threads[1]);
		stop(rt);
		assert_int_equal(log.threads[1].parks, log.threads[1].unparks);
		assert_int_equal(log.threads[1].starts + log.threads[1].stops, 0);
	}
}

/* ---- what a hook makes runnable ---- */

enum deed {
	SPAWN,
	SPAWN_PINNED,
	SPAWN_URGENT,
	SPAWN_ELSEWHERE, /* on the last of the workers */
	SPAWN_MANY,	 /* more than a ring holds */
	WAKE,
	DEEDS,
};

#define MANY 300

struct actor {
	struct rill_runtime *rt;
	struct gate gate;
	enum deed deed;
	RILL_ATOMIC(bool) armed; /* the next hook acts */
	RILL_ATOMIC(unsigned) posts;
};

static void *post(void *arg)
{
	struct actor *a = arg;

	rill_fetch_add_relaxed(&a->posts, 1);
	gate_post(&a->gate);
	return NULL;
}

static unsigned posts_of(enum deed deed)
{
	return deed == SPAWN_MANY ? MANY : 1;
}

/* Of either kind. */
static void act(void *user, int worker)
{
	struct actor *a = user;
	struct rill_spawn_options o = {RILL_OPTIONS(o)};

	/* acq_rel: pairs with the release in wait_for_hook() */
	if (!rill_exchange_acq_rel(&a->armed, false))
		return;
	/* The next round may have begun before we are through. */
	enum deed deed = a->deed;

	if (deed == WAKE) {
		post(a);
		return;
	}
	if (deed == SPAWN_PINNED || deed == SPAWN_ELSEWHERE) {
		o.placement = RILL_PLACE_PINNED;
		o.worker = deed == SPAWN_PINNED ? RILL_WORKER_SELF : a->rt->worker_count - 1;
	}
	if (deed == SPAWN_URGENT)
		o.priority = RILL_PRIORITY_URGENT;
	for (unsigned i = 0; i < posts_of(deed); i++)
		RILL_ASSERT_CMP(rill_spawn_with(&o, post, a, NULL), ==, 0);
}

/* Nothing but the hook lets it go on: what is lost would end in a hang. */
static void wait_for_hook(struct actor *a)
{
	/* release: pairs with act() */
	rill_store_release(&a->armed, true);
	for (unsigned i = 0; i < posts_of(a->deed); i++)
		RILL_ASSERT_CMP(gate_wait(&a->gate), ==, 0);
	RILL_ASSERT_CMP(rill_load_relaxed(&a->posts), ==, posts_of(a->deed));
	rill_store_relaxed(&a->posts, 0);
}

static void *each_deed(void *arg)
{
	struct actor *a = arg;

	for (unsigned round = 0; round < ROUNDS(400); round++) {
		for (unsigned deed = 0; deed < DEEDS; deed++) {
			a->deed = (enum deed)deed;
			wait_for_hook(a);
		}
	}
	return NULL;
}

static void act_in(struct rill_runtime_options o, bool unpark, void *(*fn)(void *))
{
	struct actor a = {.armed = false};

	gate_init(&a.gate);
	o.spin_ns = 1;
	o.hooks.user = &a;
	if (unpark)
		o.hooks.thread_unpark = act;
	else
		o.hooks.thread_park = act;
	a.rt = start(o);
	run(a.rt, fn, &a);
	/* the last of those who posted may still be ending */
	stop(a.rt);
}

static void test_park_makes_runnable(void **state)
{
	act_in((struct rill_runtime_options){.flavor = RILL_CURRENT_THREAD}, false, each_deed);
	act_in((struct rill_runtime_options){.workers = 1}, false, each_deed);
	act_in((struct rill_runtime_options){.workers = 2}, false, each_deed);
	act_in((struct rill_runtime_options){.workers = 4}, false, each_deed);
}

static void *long_sleep(void *arg)
{
	RILL_ASSERT_CMP(rill_sleep(3600 * RILL_SEC), ==, -ECANCELED);
	return NULL;
}

/* The clock does not jump over what the hook made runnable. */
static void *each_deed_paused(void *arg)
{
	struct rill_task *t = spawn(long_sleep, NULL);
	uint64_t t0 = rill_now();

	each_deed(arg);
	RILL_ASSERT_CMP(rill_now(), ==, t0);
	rill_abort(t);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, RILL_JOIN_ABORTED);
	return NULL;
}

static void test_park_makes_runnable_while_paused(void **state)
{
	const struct rill_runtime_options paused = {.flavor = RILL_CURRENT_THREAD,
						    .start_paused = true};

	act_in(paused, false, each_deed_paused);
}

/* It parks for the sleep, and the hook acts when that is over. */
static void *each_deed_after(void *arg)
{
	struct actor *a = arg;

	for (unsigned deed = 0; deed < DEEDS; deed++) {
		a->deed = (enum deed)deed;
		/* release: pairs with act() */
		rill_store_release(&a->armed, true);
		while (rill_load_relaxed(&a->armed))
			RILL_ASSERT_CMP(rill_sleep(50 * RILL_US), ==, 0);
		for (unsigned i = 0; i < posts_of(a->deed); i++)
			RILL_ASSERT_CMP(gate_wait(&a->gate), ==, 0);
	}
	return NULL;
}

static void test_unpark_makes_runnable(void **state)
{
	const struct rill_runtime_options paused = {.flavor = RILL_CURRENT_THREAD,
						    .start_paused = true};

	act_in((struct rill_runtime_options){.flavor = RILL_CURRENT_THREAD}, true, each_deed_after);
	act_in((struct rill_runtime_options){.workers = 2}, true, each_deed_after);
	act_in(paused, true, each_deed_after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_workers),
		cmocka_unit_test(test_blocking_threads),
		cmocka_unit_test(test_current_thread),
		cmocka_unit_test(test_park_makes_runnable),
		cmocka_unit_test(test_park_makes_runnable_while_paused),
		cmocka_unit_test(test_unpark_makes_runnable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
