/* SPDX-License-Identifier: BSD-3-Clause */
/* The threads of a runtime: their names, where they may run, and when they leave. */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "tests/unit/runtime/rt.h"

struct thread_facts {
	char name[16];
	cpu_set_t cpus;
};

static void *look(void *arg)
{
	struct thread_facts *f = arg;

	RILL_ASSERT_CMP(pthread_getname_np(pthread_self(), f->name, sizeof(f->name)), ==, 0);
	RILL_ASSERT_CMP(pthread_getaffinity_np(pthread_self(), sizeof(f->cpus), &f->cpus), ==, 0);
	return NULL;
}

static struct thread_facts of_worker(struct rill_runtime *rt, unsigned worker)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt,
				       .placement = RILL_PLACE_PINNED, .worker = worker};
	struct thread_facts f;
	struct rill_task *t;

	assert_int_equal(rill_spawn_with(&o, look, &f, &t), 0);
	assert_int_equal(rill_join(t, NULL), 0);
	return f;
}

static struct thread_facts of_blocking(struct rill_runtime *rt)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt};
	struct thread_facts f;
	struct rill_task *t;

	assert_int_equal(rill_spawn_blocking(&o, look, &f, &t), 0);
	assert_int_equal(rill_join(t, NULL), 0);
	return f;
}

/* ---- names ---- */

static void test_names(void **state)
{
	struct rill_runtime *rt = start_multi(2);

	assert_string_equal(of_worker(rt, 0).name, "rill-0");
	assert_string_equal(of_worker(rt, 1).name, "rill-1");
	assert_string_equal(of_blocking(rt).name, "rill-b");
	stop(rt);
}

static void test_names_are_cut_off(void **state)
{
	struct rill_runtime *rt = start(
		(struct rill_runtime_options){.workers = 2, .name = "a name that is too long"});

	assert_string_equal(of_worker(rt, 1).name, "a name tha-1");
	assert_string_equal(of_blocking(rt).name, "a name tha-b");
	assert_string_equal(rill_runtime_name(rt), "a name that is too long");
	stop(rt);
}

static void name_it(void *user, int worker, char *buf, size_t len)
{
	RILL_ASSERT_CMP(len, ==, 16u);
	/* what it would be called otherwise */
	RILL_ASSERT(memcmp(buf, "rill-", 5) == 0);
	snprintf(buf, len, "%s%d", (char *)user, worker);
}

static void test_names_by_callback(void **state)
{
	static char user[] = "own";
	struct rill_runtime *rt = start((struct rill_runtime_options){
		.workers = 2, .thread_name = name_it, .thread_name_user = user});

	assert_string_equal(of_worker(rt, 0).name, "own0");
	assert_string_equal(of_worker(rt, 1).name, "own1");
	assert_string_equal(of_blocking(rt).name, "own-1");
	stop(rt);
}

static void *look_at_both(void *arg)
{
	struct thread_facts before, in_task, blocking;

	look(&in_task);
	RILL_ASSERT_CMP(rill_blocking(look, &blocking, NULL), ==, 0);
	RILL_ASSERT(strcmp(blocking.name, "rill-b") == 0);
	before = *(struct thread_facts *)arg;
	RILL_ASSERT(strcmp(in_task.name, before.name) == 0);
	return NULL;
}

/* The thread of the program keeps its own. */
static void test_current_thread_keeps_its_name(void **state)
{
	struct rill_runtime *rt = start_current();
	struct thread_facts mine;

	look(&mine);
	run(rt, look_at_both, &mine);
	stop(rt);
}

/* ---- CPUs ---- */

static int last_cpu(const cpu_set_t *cpus)
{
	int i = CPU_SETSIZE - 1;

	while (!CPU_ISSET(i, cpus))
		i--;
	return i;
}

static int first_cpu(const cpu_set_t *cpus)
{
	int i = 0;

	while (!CPU_ISSET(i, cpus))
		i++;
	return i;
}

static void assert_only(const cpu_set_t *cpus, int cpu)
{
	assert_int_equal(CPU_COUNT(cpus), 1);
	assert_true(CPU_ISSET(cpu, cpus));
}

static void test_workers_are_pinned(void **state)
{
	struct thread_facts mine;

	look(&mine);
	const int cpus[2] = {last_cpu(&mine.cpus), first_cpu(&mine.cpus)};
	struct rill_runtime *rt =
		start((struct rill_runtime_options){.workers = 3, .cpus = cpus, .cpu_count = 2});

	for (unsigned i = 0; i < 3; i++) {
		struct thread_facts f = of_worker(rt, i);

		assert_only(&f.cpus, cpus[i % 2]);
	}
	stop(rt);
}

static void test_workers_are_not_pinned(void **state)
{
	struct rill_runtime *rt = start_multi(2); /* with no_pin */
	struct thread_facts mine;

	look(&mine);
	for (unsigned i = 0; i < 2; i++) {
		struct thread_facts f = of_worker(rt, i);

		assert_true(CPU_EQUAL(&f.cpus, &mine.cpus));
	}
	stop(rt);
}

/* A worker computes or polls all the time: what blocks must not share its CPU for ever. */
static void test_blocking_threads_are_not_pinned(void **state)
{
	struct thread_facts mine;

	look(&mine);
	const int cpus[1] = {first_cpu(&mine.cpus)};
	struct rill_runtime *rt =
		start((struct rill_runtime_options){.workers = 2, .cpus = cpus, .cpu_count = 1});
	struct thread_facts f = of_blocking(rt);

	assert_true(CPU_EQUAL(&f.cpus, &mine.cpus));
	stop(rt);
}

/* ---- blocking threads come and go ---- */

static unsigned blocking_threads(struct rill_runtime *rt)
{
	pthread_mutex_lock(&rt->blocking.lock);
	unsigned n = rt->blocking.threads + rt->blocking.leaving;

	pthread_mutex_unlock(&rt->blocking.lock);
	return n;
}

static void count(void *user, int worker)
{
	if (worker < 0)
		rill_fetch_add_relaxed((RILL_ATOMIC(unsigned) *)user, 1);
}

static void test_blocking_threads_leave_and_come_again(void **state)
{
	RILL_ATOMIC(unsigned) starts = 0;
	struct rill_runtime *rt = start(
		(struct rill_runtime_options){.workers = 2,
					      .keep_alive_ns = RILL_MS,
					      .hooks = {.user = &starts, .thread_start = count}});

	for (unsigned i = 1; i <= 3; i++) {
		assert_string_equal(of_blocking(rt).name, "rill-b");
		while (blocking_threads(rt) > 0)
			rill_sleep(100 * RILL_US);
		assert_int_equal(rill_load_relaxed(&starts), i);
	}
	stop(rt);
}

static void *call_again_and_again(void *arg)
{
	struct thread_facts f;

	for (int i = 0; i < 100; i++) {
		RILL_ASSERT_CMP(rill_blocking(look, &f, NULL), ==, 0);
		RILL_ASSERT_CMP(rill_sleep((uint64_t)(i % 5) * RILL_US), ==, 0);
	}
	return NULL;
}

/* A job that comes just when the thread is leaving is not forgotten. */
static void test_jobs_race_with_leaving(void **state)
{
	struct rill_runtime *rt = start((struct rill_runtime_options){
		.workers = 2, .max_blocking = 1, .keep_alive_ns = 1000});

	for (unsigned i = 0; i < ROUNDS(20); i++)
		run(rt, call_again_and_again, NULL);
	stop(rt);
}

struct refused {
	struct rill_runtime *rt;
	pthread_barrier_t begun;
	pthread_barrier_t may_end;
};

static void *stay(void *arg)
{
	struct refused *s = arg;

	pthread_barrier_wait(&s->begun);
	pthread_barrier_wait(&s->may_end);
	return NULL;
}

/* No system has room for such a stack. */
static void refuse_threads(struct rill_runtime *rt, bool refuse)
{
	pthread_mutex_lock(&rt->blocking.lock);
	rt->o.thread_stack_size = refuse ? SIZE_MAX / 4 : 0;
	pthread_mutex_unlock(&rt->blocking.lock);
}

static void await_jobs(struct rill_runtime *rt, unsigned n)
{
	for (unsigned jobs = 0; jobs < n;) {
		RILL_ASSERT_CMP(rill_yield(), ==, 0);
		pthread_mutex_lock(&rt->blocking.lock);
		jobs = rt->blocking.jobs;
		pthread_mutex_unlock(&rt->blocking.lock);
	}
}

static void *refusals(void *arg)
{
	struct refused *s = arg;
	struct thread_facts f;
	struct rill_task *a, *b;

	refuse_threads(s->rt, true);
	RILL_ASSERT_CMP(rill_blocking(look, &f, NULL), ==, -EAGAIN);
	refuse_threads(s->rt, false);
	RILL_ASSERT_CMP(rill_spawn_blocking(NULL, stay, s, &a), ==, 0);
	await_jobs(s->rt, 1);
	pthread_barrier_wait(&s->begun);
	/* The one thread is busy and there will be no other: the job waits for it. */
	refuse_threads(s->rt, true);
	RILL_ASSERT_CMP(rill_spawn_blocking(NULL, look, &f, &b), ==, 0);
	await_jobs(s->rt, 2);
	RILL_ASSERT(!rill_is_finished(b));
	pthread_barrier_wait(&s->may_end);
	RILL_ASSERT_CMP(rill_join(a, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_join(b, NULL), ==, 0);
	RILL_ASSERT(strcmp(f.name, "rill-b") == 0);
	return NULL;
}

static void test_refused_threads(void **state)
{
	struct refused s = {.rt = start_current()};

	pthread_barrier_init(&s.begun, NULL, 2);
	pthread_barrier_init(&s.may_end, NULL, 2);
	run(s.rt, refusals, &s);
	assert_int_equal(blocking_threads(s.rt), 1);
	stop(s.rt);
	pthread_barrier_destroy(&s.begun);
	pthread_barrier_destroy(&s.may_end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_are_cut_off),
		cmocka_unit_test(test_names_by_callback),
		cmocka_unit_test(test_current_thread_keeps_its_name),
		cmocka_unit_test(test_workers_are_pinned),
		cmocka_unit_test(test_workers_are_not_pinned),
		cmocka_unit_test(test_blocking_threads_are_not_pinned),
		cmocka_unit_test(test_blocking_threads_leave_and_come_again),
		cmocka_unit_test(test_jobs_race_with_leaving),
		cmocka_unit_test(test_refused_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
