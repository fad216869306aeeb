/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim --seed N | --seeds A..B  [--verbose] [--trace] [--twice] [--fresh]
 *
 * Runs the world of each seed and prints what was wrong with it, and the command that repeats it.
 * --twice: each a second time, which must give the same trace; --fresh: that one in a new process.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/sim/world.h"

struct arguments {
	uint64_t first, last;
	bool verbose, trace, twice, fresh, hash;
	const char *program;
};

static int usage(void)
{
	fprintf(stderr, "usage: sim --seed N | --seeds A..B "
			"[--verbose] [--trace] [--twice] [--fresh] [--hash]\n");
	return 2;
}

static bool parse_seeds(const char *text, struct arguments *a)
{
	char *end;

	a->first = a->last = strtoull(text, &end, 10);
	if (end[0] == '.' && end[1] == '.')
		a->last = strtoull(end + 2, &end, 10);
	return *end == 0 && a->first > 0 && a->first <= a->last;
}

static bool parse(int argc, char **argv, struct arguments *a)
{
	*a = (struct arguments){.program = argv[0]};
	for (int i = 1; i < argc; i++) {
		const char *at = argv[i];

		if ((strcmp(at, "--seed") == 0 || strcmp(at, "--seeds") == 0) && i + 1 < argc) {
			if (!parse_seeds(argv[++i], a))
				return false;
		} else if (strcmp(at, "--verbose") == 0) {
			a->verbose = true;
		} else if (strcmp(at, "--trace") == 0) {
			a->trace = true;
		} else if (strcmp(at, "--twice") == 0) {
			a->twice = true;
		} else if (strcmp(at, "--fresh") == 0) {
			a->fresh = true;
		} else if (strcmp(at, "--hash") == 0) {
			a->hash = true;
		} else {
			return false;
		}
	}
	return a->first > 0;
}

/* The hash that a new process prints for that seed; 0 when it fails. */
static uint64_t hash_of_new_process(uint64_t seed)
{
	char program[4000], command[4096];
	uint64_t hash = 0;
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (n < 0)
		return 0;
	program[n] = 0;
	snprintf(command, sizeof(command), "'%s' --seed %" PRIu64 " --hash", program, seed);
	FILE *out = popen(command, "r");

	if (!out)
		return 0;
	if (fscanf(out, "%" SCNx64, &hash) != 1)
		hash = 0;
	pclose(out);
	return hash;
}

static bool same_again(const struct arguments *a, uint64_t seed, uint64_t hash)
{
	struct world_result again = {.hash = hash};

	if (a->twice)
		world_run(seed, &(struct world_options){0}, &again);
	if (again.hash == hash && a->fresh)
		again.hash = hash_of_new_process(seed);
	if (again.hash == hash)
		return true;
	printf("seed %" PRIu64 " gave trace %016" PRIx64 ", then %016" PRIx64 "\n", seed, hash,
	       again.hash);
	return false;
}

/* ---- worlds that do not end at all ---- */

/* Of the machine's time: a thousand times what a world takes. */
#define WATCHDOG_S 60

static char watchdog_text[200];

static void watchdog(int signo)
{
	ssize_t n = write(STDOUT_FILENO, watchdog_text, strlen(watchdog_text));

	(void)signo, (void)n;
	abort();
}

/* A storm of events stops the virtual clock, and with it everything that could notice. */
static void watch_over(const struct arguments *a, uint64_t seed)
{
	snprintf(watchdog_text, sizeof(watchdog_text),
		 "seed %" PRIu64 ": no end after %d s\n  again with: %.100s --seed %" PRIu64
		 " --verbose --trace\n",
		 seed, WATCHDOG_S, a->program, seed);
	signal(SIGALRM, watchdog);
	alarm(WATCHDOG_S);
}

static bool run_seed(const struct arguments *a, uint64_t seed)
{
	struct world_options o = {.verbose = a->verbose, .print = a->trace};
	struct world_result r;

	watch_over(a, seed);
	world_run(seed, &o, &r);
	if (a->verbose)
		printf("  trace %016" PRIx64 ", %" PRIu64 " frames, %" PRIu64 " calls, %" PRIu64
		       " turns, done at %.3f s, gone at %.3f s\n",
		       r.hash, r.frames, r.calls, r.turns, (double)r.done_ns / 1e9,
		       (double)r.gone_ns / 1e9);
	if (a->hash)
		printf("%016" PRIx64 "\n", r.hash);
	if (r.failed)
		printf("seed %" PRIu64 ": %s\n", seed, r.failure);
	bool ok = !r.failed && same_again(a, seed, r.hash);

	if (!ok)
		printf("  again with: %s --seed %" PRIu64 " --verbose --trace\n", a->program, seed);
	fflush(stdout);
	return ok;
}

int main(int argc, char **argv)
{
	struct arguments a;
	uint64_t failed = 0;

	if (!parse(argc, argv, &a))
		return usage();
	for (uint64_t seed = a.first; seed <= a.last; seed++)
		failed += !run_seed(&a, seed);
	if (a.first < a.last)
		printf("%" PRIu64 " seeds, %" PRIu64 " failed\n", a.last - a.first + 1, failed);
	return failed ? 1 : 0;
}
