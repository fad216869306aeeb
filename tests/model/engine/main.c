/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of a model test. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/model/engine/engine.h"

struct suite {
	const struct rill_model_test *tests;
	unsigned test_count;
	const struct rill_model_mutation *mutations;
	unsigned mutation_count;
};

static void on_crash(int sig)
{
	rill_model.failure = "crash";
	snprintf(rill_model.message, sizeof(rill_model.message), "signal %d", sig);
	printf("%s: FAILED, crash\n", rill_model.test ? rill_model.test->name : "");
	rill_model_trace_print();
	fflush(stdout);
	_exit(1);
}

/* The code under test may follow a wild pointer: the trace is wanted then, too. */
static void catch_crashes(void)
{
	static uint8_t stack[64 << 10];
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction sa = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_RESETHAND};

	sigaltstack(&ss, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGFPE, &sa, NULL);
	sigaction(SIGILL, &sa, NULL);
}

static const struct rill_model_test *find_test(const struct suite *s, const char *name)
{
	for (unsigned i = 0; i < s->test_count; i++)
		if (strcmp(s->tests[i].name, name) == 0)
			return &s->tests[i];
	fprintf(stderr, "no test called %s\n", name);
	exit(2);
}

static int run_all(const struct suite *s)
{
	bool ok = true;

	for (unsigned i = 0; i < s->test_count; i++)
		ok &= rill_model_run(&s->tests[i]);
	return ok ? 0 : 1;
}

/* ---- planted bugs ---- */

enum verdict {
	SURVIVED = 10, /* the test saw nothing */
	UNMATCHED,     /* the site is not there any more */
	CAUGHT,
};

static void run_mutation(const struct suite *s, const struct rill_model_mutation *m)
{
	rill_model.mutation = m;
	rill_model_run(find_test(s, m->test));
	fflush(stdout);
	if (!rill_model.mutation_matched)
		_exit(UNMATCHED);
	if (!rill_model.failure || strcmp(rill_model.failure, "engine") == 0)
		_exit(SURVIVED);
	_exit(CAUGHT);
}

/* In a process of its own: a planted bug may crash. */
static bool try_mutation(const struct suite *s, const struct rill_model_mutation *m)
{
	int status;

	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0) {
		if (!getenv("RILL_MODEL_VERBOSE") && !freopen("/dev/null", "w", stdout))
			_exit(SURVIVED);
		run_mutation(s, m);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	bool caught = code == CAUGHT || code == 1;

	printf("%s: %s\n", m->name,
	       caught		   ? "caught"
	       : code == UNMATCHED ? "MATCHES NO OPERATION"
				   : "SURVIVED");
	return caught;
}

static int run_mutations(const struct suite *s)
{
	bool ok = s->mutation_count > 0;

	for (unsigned i = 0; i < s->mutation_count; i++)
		ok &= try_mutation(s, &s->mutations[i]);
	return ok ? 0 : 1;
}

static int run_one_mutation(const struct suite *s, const char *name)
{
	for (unsigned i = 0; i < s->mutation_count; i++)
		if (strcmp(s->mutations[i].name, name) == 0)
			run_mutation(s, &s->mutations[i]);
	fprintf(stderr, "no mutation called %s\n", name);
	return 2;
}

int rill_model_main(int argc, char **argv, const struct rill_model_test *tests, unsigned n,
		    const struct rill_model_mutation *mutations, unsigned mutation_count)
{
	struct suite s = {tests, n, mutations, mutation_count};

	catch_crashes();
	if (argc == 1)
		return run_all(&s);
	if (argc == 2 && strcmp(argv[1], "--mutations") == 0)
		return run_mutations(&s);
	if (argc == 3 && strcmp(argv[1], "--mutation") == 0)
		return run_one_mutation(&s, argv[2]);
	if (argc == 3 && strcmp(argv[1], "--test") == 0)
		return rill_model_run(find_test(&s, argv[2])) ? 0 : 1;
	fprintf(stderr, "usage: %s [--test NAME | --mutations | --mutation NAME]\n", argv[0]);
	return 2;
}
