/* SPDX-License-Identifier: BSD-3-Clause */
/* What the monitor says of workers that stay in one task for too long. */
#include <rill/dump.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/proc.h"
#include "tests/unit/runtime/rt.h"

static RILL_ATOMIC(unsigned) reports;
static struct rill_stuck_report last;

static void on_stuck(void *user, const struct rill_stuck_report *r)
{
	last = *r;
	/* release: pairs with the acquire in await_reports() */
	rill_fetch_add_acq_rel((RILL_ATOMIC(unsigned) *)user, 1);
}

/* The task stays in its slice until it is reported, and a bit longer. */
static RILL_NOINLINE void await_reports(unsigned n)
{
	/* acquire: pairs with on_stuck(). The clock lets ThreadSanitizer deliver signals. */
	while (rill_load_acquire(&reports) < n && rill_now() > 0)
		;
	__asm__ volatile("");
}

static void *stay(void *n)
{
	await_reports((unsigned)(uintptr_t)n);
	return NULL;
}

static RILL_NOINLINE void sleep_in_the_kernel(unsigned n)
{
	/* acquire: pairs with on_stuck() */
	while (rill_load_acquire(&reports) < n)
		RILL_ASSERT_CMP(usleep(50000), ==, 0); /* and not EINTR */
	__asm__ volatile("");
}

static void *sleep_on(void *n)
{
	sleep_in_the_kernel((unsigned)(uintptr_t)n);
	return NULL;
}

struct sums {
	uint64_t times;
	uint64_t longest_ns;
	uint64_t stuck_ns;
};

static void add_worker(void *ctx, const struct rill_dump_worker *w)
{
	struct sums *s = ctx;

	s->times += w->stuck_times;
	s->longest_ns = RILL_MAX(s->longest_ns, w->stuck_longest_ns);
	s->stuck_ns = RILL_MAX(s->stuck_ns, w->stuck_ns);
}

static struct sums sums_of(struct rill_runtime *rt)
{
	struct sums s = {0};
	struct rill_dump_visitor v = {.ctx = &s, .worker = add_worker};

	assert_int_equal(rill_runtime_visit(rt, &v), 0);
	return s;
}

static struct rill_runtime *start_watched(unsigned workers, uint64_t stuck_ns)
{
	rill_store_relaxed(&reports, 0);
	return start((struct rill_runtime_options){
		.workers = workers,
		.stuck_ns = stuck_ns,
		.on_stuck = on_stuck,
		.on_stuck_user = &reports,
	});
}

static void run_named(struct rill_runtime *rt, void *(*fn)(void *), unsigned n)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .name = "culprit", .runtime = rt};
	struct rill_task *t;

	assert_int_equal(rill_spawn_with(&o, fn, (void *)(uintptr_t)n, &t), 0);
	uint64_t id = rill_task_id(t);

	assert_int_equal(rill_join(t, NULL), 0);
	assert_int_equal(last.task_id, id);
	assert_string_equal(last.task_name, "culprit");
	assert_true(last.stuck_ns >= 2 * RILL_MS);
}

static bool report_has(const char *function)
{
	bool any = false;

	for (unsigned i = 0; i < last.frame_count; i++) {
		struct rill_symbol s[8];
		unsigned n = rill_symbolize(last.frames[i], s, RILL_ARRAY_SIZE(s));

		any |= n > 0 && strcmp(s[n - 1].function, function) == 0;
	}
	return any;
}

/* The stack is there unless the worker got no CPU in time: seldom twice in a row. */
static void check_reports(unsigned workers, void *(*fn)(void *), const char *function,
			  bool by_signal)
{
	struct rill_runtime *rt = start_watched(workers, 2 * RILL_MS);
	unsigned n = 0;

	do
		run_named(rt, fn, ++n);
	while (last.frame_count == 0);
	assert_int_equal(rill_load_relaxed(&reports), n);
	assert_int_equal(sums_of(rt).times, n);
	assert_true(sums_of(rt).longest_ns >= 2 * RILL_MS);
#ifdef RILL_TSAN
	if (by_signal) {
		print_message("ThreadSanitizer delivers signals late: no check of frames\n");
		stop(rt);
		return;
	}
#endif
#ifdef RILL_HAVE_LIBDW
	assert_true(report_has(function));
#else
	assert_false(report_has("no_such_function"));
#endif
	stop(rt);
}

static void test_spinning_task_is_reported_once(void **state)
{
	check_reports(2, stay, "await_reports", true);
}

static void test_single_worker_is_watched(void **state)
{
	check_reports(1, stay, "await_reports", true);
}

static void test_blocked_task_is_reported_and_not_disturbed(void **state)
{
	check_reports(2, sleep_on, "sleep_in_the_kernel", false);
}

/* ---- no false alarms ---- */

static void *many_slices(void *arg)
{
	for (unsigned i = 0; i < ROUNDS(20000); i++)
		rill_yield();
	rill_sleep(20 * RILL_MS);
	return NULL;
}

static void test_slices_add_up_to_nothing(void **state)
{
	/* All of them together take far longer than any may. */
	struct rill_runtime *rt = start_watched(2, 100 * RILL_MS);
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt};
	struct rill_task *t[4];

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(t); i++)
		assert_int_equal(rill_spawn_with(&o, many_slices, NULL, &t[i]), 0);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(t); i++)
		assert_int_equal(rill_join(t[i], NULL), 0);
	assert_int_equal(sums_of(rt).times, 0);
	assert_int_equal(rill_load_relaxed(&reports), 0);
	stop(rt);
}

/* A poller which has always found something, or takes longer than any task may. */
struct busy_poller {
	struct rill_poller p;
	uint64_t each_ns;
	RILL_ATOMIC(unsigned) polls;
};

static bool poll_busily(struct rill_poller *p, uint64_t now)
{
	struct busy_poller *b = (struct busy_poller *)p;
	uint64_t until = rill_now() + b->each_ns;

	while (rill_now() < until)
		;
	rill_fetch_add_relaxed(&b->polls, 1);
	return true;
}

static bool never_quiet(struct rill_poller *p)
{
	return false;
}

static void nothing_to_disarm(struct rill_poller *p)
{
}

static const struct rill_poller_ops busy_ops = {
	.poll = poll_busily,
	.arm = never_quiet,
	.disarm = nothing_to_disarm,
};

/* The monitor has looked so often that it would have found a slice of that length. */
static void let_it_look(struct rill_runtime *rt)
{
	rill_sleep(10 * rt->o.stuck_ns);
}

/* No task is in a slice: whatever the workers do, they are not stuck. */
static void test_no_false_alarm_without_tasks(void **state)
{
	for (int i = 0; i < 4; i++) {
		struct busy_poller p = {.p = {.ops = &busy_ops, .fd = -1},
					.each_ns = i == 3 ? 6 * RILL_MS : 0};

		rill_store_relaxed(&reports, 0);
		struct rill_runtime *rt = start((struct rill_runtime_options){
			.workers = 2,
			.idle = i == 0 ? RILL_IDLE_SPIN : RILL_IDLE_ADAPTIVE,
			.spin_ns = 1,
			.stuck_ns = 2 * RILL_MS,
			.on_stuck = on_stuck,
			.on_stuck_user = &reports});

		if (i >= 2)
			assert_int_equal(rill_poller_add(rt, &p.p), 0);
		let_it_look(rt);
		/* acquire: pairs with on_stuck() */
		assert_int_equal(rill_load_acquire(&reports), 0);
		assert_int_equal(sums_of(rt).times, 0);
		if (i >= 2) {
			assert_true(rill_load_relaxed(&p.polls) > 0);
			rill_poller_remove(&p.p);
		}
		stop(rt);
	}
}

static void *stop_the_world(void *arg)
{
	RILL_ASSERT_CMP(kill(getpid(), SIGSTOP), ==, 0);
	return NULL;
}

static int stopped_child(void)
{
	struct rill_runtime *rt = start_watched(2, 100 * RILL_MS);

	run(rt, stop_the_world, NULL);
	struct sums s = sums_of(rt);

	stop(rt);
	return s.times == 0 && rill_load_relaxed(&reports) == 0 ? 0 : 1;
}

static void test_a_stopped_process_is_not_stuck(void **state)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(stopped_child());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	/* Real time has to pass in which it could be taken for stuck. */
	usleep(300000);
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- what the kernel says of threads ---- */

struct reader {
	RILL_ATOMIC(int) tid;
	int fd;
};

static void *read_a_byte(void *arg)
{
	struct reader *r = arg;
	char byte;

	rill_store_relaxed(&r->tid, gettid());
	RILL_ASSERT_CMP(read(r->fd, &byte, 1), ==, 1);
	return NULL;
}

static void test_proc_of_a_blocked_thread(void **state)
{
	struct rill_proc_blocked b = {0};
	struct reader r = {0};
	pthread_t thread;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	r.fd = fds[0];
	assert_int_equal(pthread_create(&thread, NULL, read_a_byte, &r), 0);
	while (rill_load_relaxed(&r.tid) == 0 || rill_proc_state(rill_load_relaxed(&r.tid)) != 'S')
		sched_yield();
	while (!rill_proc_blocked(rill_load_relaxed(&r.tid), &b))
		sched_yield();
	assert_true(b.pc != 0 && b.sp != 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(fds[0]);
	close(fds[1]);
}

static void test_proc_of_a_busy_thread(void **state)
{
	struct rill_proc_blocked b;
	int tid = gettid();
	uint64_t before = rill_proc_cpu_ns(tid);

	assert_int_equal(rill_proc_state(tid), 'R');
	while (rill_proc_cpu_ns(tid) == before)
		;
	assert_true(rill_proc_cpu_ns(tid) > before);
	/* No such thread: pid_max is less. */
	assert_int_equal(rill_proc_state(1 << 23), 0);
	assert_int_equal(rill_proc_cpu_ns(1 << 23), 0);
	assert_false(rill_proc_blocked(1 << 23, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* first: ThreadSanitizer allows threads in a child only of a process without */
		cmocka_unit_test(test_a_stopped_process_is_not_stuck),
		cmocka_unit_test(test_spinning_task_is_reported_once),
		cmocka_unit_test(test_single_worker_is_watched),
		cmocka_unit_test(test_blocked_task_is_reported_and_not_disturbed),
		cmocka_unit_test(test_slices_add_up_to_nothing),
		cmocka_unit_test(test_no_false_alarm_without_tasks),
		cmocka_unit_test(test_proc_of_a_blocked_thread),
		cmocka_unit_test(test_proc_of_a_busy_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
