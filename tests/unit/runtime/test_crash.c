/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs crash_child (its path is the first argument), which dies, and looks at what it wrote and how
 * it ended. Under the sanitizers the signal ends in their own handlers, who exit in their own way.
 */
#include <rill/dump.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/runtime/rt.h"

#if defined(RILL_ASAN) || defined(RILL_TSAN)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static const char *child_path;
static char said[64 << 10];

static void exec_child(int fd, const char *mode, const char *how)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	dup2(fd, STDERR_FILENO);
	execl(child_path, child_path, mode, how, (char *)NULL);
	_exit(127);
}

/* The status; what it wrote to stderr is in said. */
static int run_child(const char *mode, const char *how)
{
	size_t n = 0;
	ssize_t got;
	int status;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();

	if (pid == 0)
		exec_child(fds[1], mode, how);
	close(fds[1]);
	while ((got = read(fds[0], said + n, sizeof(said) - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_said(const char *text)
{
	if (!strstr(said, text))
		fail_msg("did not say '%s' but:\n%s", text, said);
}

/* A name that takes debug information. */
static void assert_named(const char *function)
{
#ifdef RILL_HAVE_LIBDW
	assert_said(function);
#else
	assert_said("crash_child");
#endif
}

static void assert_killed_by(int status, int signo)
{
	if (SANITIZED) {
		assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
		return;
	}
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), signo);
}

static void check_overflow(const char *mode, const char *how)
{
	assert_killed_by(run_child(mode, how), SIGSEGV);
	assert_said("rill: SIGSEGV at address 0x");
	assert_said(" 'victim' on worker ");
	assert_said(" 'victim' overflowed its stack of ");
	assert_said(" KiB: give it more by stack_size");
	assert_named("dig at ");
	assert_named("rill: spawned by die_in_task at ");
}

static void test_overflow(void **state)
{
	check_overflow("install", "overflow");
	if (!SANITIZED)
		assert_said("overflowed its stack of 64 KiB");
}

static void test_overflow_of_another_size(void **state)
{
	check_overflow("install", "overflow-small");
	if (!SANITIZED)
		assert_said("overflowed its stack of 16 KiB");
	check_overflow("install", "overflow-large");
	if (!SANITIZED)
		assert_said("overflowed its stack of 512 KiB");
}

static void test_overflow_is_named_by_default(void **state)
{
	if (SANITIZED)
		print_message("the sanitizer has SIGSEGV: nothing is installed by default\n");
	else
		check_overflow("default", "overflow");
}

static void test_null(void **state)
{
	assert_killed_by(run_child("install", "null"), SIGSEGV);
	assert_said("rill: SIGSEGV at address 0x0 in task ");
	assert_named("store_to at ");
	assert_named("null at ");
	assert_null(strstr(said, "overflowed"));
	/* what the others were at */
	assert_said("bystander");
}

static void test_assertion(void **state)
{
	assert_killed_by(run_child("install", "assert"), SIGABRT);
	assert_said("assertion failed: arg != NULL");
	assert_said("rill: SIGABRT in task ");
	assert_named("assertion at ");
}

static void test_sent_signal(void **state)
{
	assert_killed_by(run_child("install", "fpe"), SIGFPE);
	assert_said("rill: SIGFPE in task ");
	assert_named("divide at ");
}

static void test_handler_of_the_program_is_called(void **state)
{
	int status = run_child("chain", "null");

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_said("rill: SIGSEGV at address 0x0 in task ");
	assert_said("the program's own handler");
}

static void test_plain_threads(void **state)
{
	assert_killed_by(run_child("install", "thread"), SIGSEGV);
	assert_said("rill: SIGSEGV at address 0x0 on a thread that is no worker");
	/* By default these are none of our business. */
	assert_killed_by(run_child("default", "thread"), SIGSEGV);
	assert_null(strstr(said, "rill: SIGSEGV"));
}

static void test_install_twice(void **state)
{
	struct sigaction before, after;

	assert_int_equal(rill_crash_install(), 0);
	assert_int_equal(sigaction(SIGBUS, NULL, &before), 0);
	assert_int_equal(rill_crash_install(), 0);
	assert_int_equal(sigaction(SIGBUS, NULL, &after), 0);
	assert_ptr_equal(before.sa_sigaction, after.sa_sigaction);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_overflow_of_another_size),
		cmocka_unit_test(test_overflow_is_named_by_default),
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_assertion),
		cmocka_unit_test(test_sent_signal),
		cmocka_unit_test(test_handler_of_the_program_is_called),
		cmocka_unit_test(test_plain_threads),
		cmocka_unit_test(test_install_twice),
	};

	if (argc < 2)
		return 2;
	child_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
