/* SPDX-License-Identifier: BSD-3-Clause */
/* Ends from the middle of a task, and what comes of them. */
#include <errno.h>
#include <rill/group.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/runtime/rt.h"

/* ---- rill_exit ---- */

static volatile bool leave = true; /* for the compiler, which sees that deep() never returns */

static RILL_NOINLINE void deep(unsigned depth, void *value)
{
	char frame[64];

	memset(frame, (int)depth, sizeof(frame));
	__asm__ volatile("" ::"r"(frame) : "memory");
	if (depth > 0)
		deep(depth - 1, value);
	else if (leave)
		rill_exit(value);
	__asm__ volatile("" ::"r"(frame) : "memory");
}

static void *exits_deep(void *arg)
{
	deep(50, arg);
	RILL_ASSERT(!"reached");
	return NULL;
}

static void *exit_from_depth(void *arg)
{
	void *value = NULL;

	for (int i = 0; i < 100; i++) {
		RILL_ASSERT_CMP(rill_join(spawn(exits_deep, &value), &value), ==, 0);
		RILL_ASSERT(value == &value);
	}
	return NULL;
}

static void test_exit_from_any_depth(void **state)
{
	in_each_flavor(exit_from_depth, NULL);
}

/* What the handlers of one task did. */
struct log {
	char text[16];
	size_t len;
	struct gate gate;
	int result;
};

static void log_a(void *arg)
{
	struct log *l = arg;

	l->text[l->len++] = 'a';
}

static void log_b(void *arg)
{
	struct log *l = arg;

	l->text[l->len++] = 'b';
}

static void wait_and_log(void *arg)
{
	struct log *l = arg;

	/* neither the abort nor the expired scope of the task is in force here */
	l->result = gate_wait(&l->gate);
	l->text[l->len++] = 'w';
}

static void exit_in_handler(void *arg)
{
	log_a(arg);
	rill_exit(NULL);
}

static void fail_in_handler(void *arg)
{
	log_b(arg);
	rill_fail("the second reason");
}

static void *runs_handlers(void *arg)
{
	struct rill_cleanup a, b, popped;

	rill_cleanup_push(&a, log_a, arg);
	rill_cleanup_push(&b, log_b, arg);
	rill_cleanup_push(&popped, log_a, arg);
	rill_cleanup_pop(&popped, false);
	rill_cleanup_push(&popped, wait_and_log, arg);
	gate_post(&((struct log *)arg)->gate);
	rill_cleanup_pop(&popped, true);
	rill_exit(arg);
}

static void *returns(void *arg)
{
	struct rill_cleanup a, b;

	rill_cleanup_push(&a, log_a, arg);
	rill_cleanup_push(&b, log_b, arg);
	rill_cleanup_pop(&b, true);
	rill_cleanup_pop(&a, false);
	return arg;
}

static void *handlers(void *arg)
{
	struct log l = {.result = 1};

	gate_init(&l.gate);
	RILL_ASSERT_CMP(rill_join(spawn(runs_handlers, &l), NULL), ==, 0);
	RILL_ASSERT(!strcmp(l.text, "wba") && l.result == 0);

	memset(&l, 0, sizeof(l));
	RILL_ASSERT_CMP(rill_join(spawn(returns, &l), NULL), ==, 0);
	RILL_ASSERT(!strcmp(l.text, "b"));
	return NULL;
}

static void test_handlers_run_youngest_first(void **state)
{
	in_each_flavor(handlers, NULL);
}

static void *exits_when_aborted(void *arg)
{
	struct log *l = arg;
	struct rill_scope scope;
	struct rill_cleanup c;

	rill_cleanup_push(&c, wait_and_log, l);
	rill_scope_begin(&scope, 0, NULL);
	l->result = rill_sleep(RILL_FOREVER);
	RILL_ASSERT_CMP(l->result, ==, -ETIMEDOUT);
	rill_abort(rill_task_current());
	rill_exit(l);
}

static void *handlers_are_shielded(void *arg)
{
	struct log l = {.result = 1};
	void *value = NULL;

	gate_init(&l.gate);
	struct rill_task *t = spawn(exits_when_aborted, &l);

	while (rill_list_empty(&l.gate.waiters))
		rill_yield();
	gate_post(&l.gate);
	/* It has ended by itself: no call of its told it of the abort. */
	RILL_ASSERT_CMP(rill_join(t, &value), ==, 0);
	RILL_ASSERT(value == &l && l.result == 0 && !strcmp(l.text, "w"));
	return NULL;
}

static void test_handlers_are_shielded(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, handlers_are_shielded, NULL);
	stop(rt);
}

/* A handler that leaves by itself: the rest is still run. */
static void *leaves_in_handlers(void *arg)
{
	struct rill_cleanup c[4];

	rill_cleanup_push(&c[0], log_a, arg);
	rill_cleanup_push(&c[1], exit_in_handler, arg);
	rill_cleanup_push(&c[2], fail_in_handler, arg);
	rill_cleanup_push(&c[3], log_a, arg);
	rill_fail("the first reason");
}

static void *nested_exits(void *arg)
{
	struct rill_outcome o;
	struct log l = {0};

	RILL_ASSERT_CMP(rill_join_outcome(spawn(leaves_in_handlers, &l), &o), ==, RILL_JOIN_FAILED);
	RILL_ASSERT(!strcmp(l.text, "abaa") && !strcmp(o.reason, "the first reason"));
	return NULL;
}

static void test_handlers_may_exit_and_fail(void **state)
{
	in_each_flavor(nested_exits, NULL);
}

/* On a plain thread handlers are run by pop only. */
static void test_cleanup_on_a_plain_thread(void **state)
{
	struct log l = {0};
	struct rill_cleanup a, b;

	rill_cleanup_push(&a, log_a, &l);
	rill_cleanup_push(&b, log_b, &l);
	rill_cleanup_pop(&b, true);
	rill_cleanup_pop(&a, false);
	assert_string_equal(l.text, "b");
}

/* ---- outcomes ---- */

static void *fails(void *arg)
{
	rill_fail("code %d: %s", 42, "it broke");
}

static void *fails_at_length(void *arg)
{
	rill_fail("%0200d", 1);
}

static void *sleeps(void *arg)
{
	rill_sleep(RILL_FOREVER);
	return arg;
}

static void *same(void *arg)
{
	return arg;
}

static struct rill_task *spawn_named(const char *name, void *(*fn)(void *), void *arg)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .name = name};
	struct rill_task *t;

	RILL_ASSERT_CMP(rill_spawn_with(&o, fn, arg, &t), ==, 0);
	return t;
}

static void check_text(const struct rill_outcome *o, const char *end)
{
	char text[256], expected[256];
	int n = rill_outcome_print(o, text, sizeof(text));

	snprintf(expected, sizeof(expected), "task %llu%s", (unsigned long long)o->id, end);
	RILL_ASSERT_CMP(n, ==, (int)strlen(expected));
	RILL_ASSERT(!strcmp(text, expected));
}

static void *outcomes(void *arg)
{
	struct rill_outcome o;
	void *value = &o;

	RILL_ASSERT_CMP(rill_join(spawn(fails, NULL), &value), ==, RILL_JOIN_FAILED);
	RILL_ASSERT(!value);

	struct rill_task *t = spawn_named("unlucky", fails, NULL);
	uint64_t id = rill_task_id(t);

	RILL_ASSERT_CMP(rill_join_outcome(t, &o), ==, RILL_JOIN_FAILED);
	RILL_ASSERT(o.status == RILL_JOIN_FAILED && !o.value && o.id == id);
	RILL_ASSERT(!strcmp(o.name, "unlucky") && !strcmp(o.reason, "code 42: it broke"));
	check_text(&o, " (unlucky) failed: code 42: it broke");

	RILL_ASSERT_CMP(rill_join_outcome(spawn(fails_at_length, NULL), &o), ==, RILL_JOIN_FAILED);
	RILL_ASSERT_CMP((int)strlen(o.reason), ==, RILL_TASK_REASON - 1);

	t = spawn_named("sleeper", sleeps, &o);
	rill_abort(t);
	RILL_ASSERT_CMP(rill_join_outcome(t, &o), ==, RILL_JOIN_ABORTED);
	RILL_ASSERT(!o.reason[0]);
	check_text(&o, " (sleeper) was aborted");

	RILL_ASSERT_CMP(rill_join_outcome(spawn(same, &o), &o), ==, 0);
	RILL_ASSERT(o.value == &o && !o.name[0]);
	check_text(&o, " ended");
	return NULL;
}

static void test_outcomes_and_their_texts(void **state)
{
	in_each_flavor(outcomes, NULL);
}

static void *outcome_later(void *arg)
{
	struct rill_task *t = spawn(sleeps, arg);
	struct rill_outcome o = {.id = 7};
	struct rill_scope scope;

	rill_scope_begin(&scope, 0, NULL);
	RILL_ASSERT_CMP(rill_join_outcome(t, &o), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	RILL_ASSERT_CMP((int)o.id, ==, 7);
	rill_abort(t);
	RILL_ASSERT_CMP(rill_join_outcome(t, &o), ==, RILL_JOIN_ABORTED);
	return NULL;
}

static void test_join_outcome_is_cancel_safe(void **state)
{
	in_each_flavor(outcome_later, NULL);
}

/* ---- policies ---- */

static void *fail_detached(void *arg)
{
	struct rill_join_set *set;

	for (int i = 0; i < 3; i++)
		RILL_ASSERT_CMP(rill_spawn(fails, NULL, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_join_set_create(&set), ==, 0);
	for (int i = 0; i < 3; i++)
		RILL_ASSERT_CMP(rill_join_set_spawn(set, fails, NULL), ==, 0);
	rill_join_set_detach_all(set);
	rill_join_set_destroy(set);
	/* This one is heard of. */
	RILL_ASSERT_CMP(rill_join(spawn(fails, NULL), NULL), ==, RILL_JOIN_FAILED);
	while (rill_load_relaxed(&rill_runtime_current()->failed_tasks) < 6)
		rill_yield();
	return NULL;
}

static void test_failures_of_detached_tasks_are_counted(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, fail_detached, NULL);
	assert_int_equal(rill_load_relaxed(&rt->failed_tasks), 6);
	stop(rt);
	rt = start_multi(4);
	run(rt, fail_detached, NULL);
	assert_int_equal(rill_load_relaxed(&rt->failed_tasks), 6);
	stop(rt);
}

struct shut {
	RILL_ATOMIC(int) begun;
	RILL_ATOMIC(int) aborted;
	RILL_ATOMIC(int) refused; /* spawns after the abort */
};

static void *counts_its_abort(void *arg)
{
	struct shut *s = arg;

	rill_fetch_add_relaxed(&s->begun, 1);
	if (rill_sleep(RILL_FOREVER) == -ECANCELED)
		rill_fetch_add_relaxed(&s->aborted, 1);
	if (rill_spawn(same, NULL, NULL) == -ESHUTDOWN)
		rill_fetch_add_relaxed(&s->refused, 1);
	return NULL;
}

static void *fail_among_others(void *arg)
{
	struct shut *s = arg;

	for (int i = 0; i < 5; i++)
		RILL_ASSERT_CMP(rill_spawn(counts_its_abort, s, NULL), ==, 0);
	/* A task that has not begun would never run. */
	while (rill_load_relaxed(&s->begun) < 5)
		rill_yield();
	RILL_ASSERT_CMP(rill_spawn(fails, NULL, NULL), ==, 0);
	return counts_its_abort(s);
}

static void shut_down_by_failure(struct rill_runtime_options o)
{
	struct shut s = {.begun = 0};

	o.on_failure = RILL_FAILURE_SHUTDOWN;
	struct rill_runtime *rt = start(o);
	struct rill_spawn_options so = {RILL_OPTIONS(so), .runtime = rt};

	assert_int_equal(rill_block_on(rt, fail_among_others, &s, NULL), -ECANCELED);
	assert_int_equal(rill_spawn_with(&so, same, NULL, NULL), -ESHUTDOWN);
	stop(rt);
	assert_int_equal(s.aborted, 6);
	assert_int_equal(s.refused, 6);
}

static void test_failure_shuts_the_runtime_down(void **state)
{
	shut_down_by_failure((struct rill_runtime_options){.flavor = RILL_CURRENT_THREAD});
	shut_down_by_failure((struct rill_runtime_options){.workers = 2});
}

/* ---- what kills the process ---- */

static void *joins_unlucky(void *arg)
{
	rill_join(spawn_named("unlucky", fails, NULL), NULL);
	return NULL;
}

static void crash_by_policy(void)
{
	struct rill_runtime *rt = start((struct rill_runtime_options){
		.flavor = RILL_CURRENT_THREAD,
		.on_failure = RILL_FAILURE_CRASH,
	});

	rill_block_on(rt, joins_unlucky, NULL, NULL);
}

static void exit_on_thread(void)
{
	rill_exit(NULL);
}

static void fail_on_thread(void)
{
	rill_fail("not here");
}

/* Runs fn in a process of its own, which aborts; what it wrote to stderr. */
static void killed(void (*fn)(void), char *ret_text, size_t len)
{
	size_t n = 0;
	ssize_t got;
	int fds[2], status;

	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		/* not cmocka's */
		signal(SIGABRT, SIG_DFL);
		fn();
		_exit(0);
	}
	close(fds[1]);
	while ((got = read(fds[0], ret_text + n, len - 1 - n)) > 0)
		n += (size_t)got;
	ret_text[n] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void test_crash_names_the_task(void **state)
{
	char text[4096];

	killed(crash_by_policy, text, sizeof(text));
	assert_non_null(strstr(text, "task "));
	assert_non_null(strstr(text, "(unlucky) failed: code 42: it broke"));
}

static void test_plain_threads_cannot_exit(void **state)
{
	char text[4096];

	killed(exit_on_thread, text, sizeof(text));
	assert_non_null(strstr(text, "rill_exit() is for tasks"));
	killed(fail_on_thread, text, sizeof(text));
	assert_non_null(strstr(text, "rill_fail() is for tasks"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crash_names_the_task),
		cmocka_unit_test(test_plain_threads_cannot_exit),
		cmocka_unit_test(test_exit_from_any_depth),
		cmocka_unit_test(test_handlers_run_youngest_first),
		cmocka_unit_test(test_handlers_are_shielded),
		cmocka_unit_test(test_handlers_may_exit_and_fail),
		cmocka_unit_test(test_cleanup_on_a_plain_thread),
		cmocka_unit_test(test_outcomes_and_their_texts),
		cmocka_unit_test(test_join_outcome_is_cancel_safe),
		cmocka_unit_test(test_failures_of_detached_tasks_are_counted),
		cmocka_unit_test(test_failure_shuts_the_runtime_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
