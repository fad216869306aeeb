/* SPDX-License-Identifier: BSD-3-Clause */
/* For the programs that measure what the machine itself allows, and for the
 * peers written in C. */
#ifndef BENCH_LIMITS_LIMIT_H
#define BENCH_LIMITS_LIMIT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LIMIT_RUN_MS 300
#define LIMIT_WARM_UP_SHARE 5

static inline uint64_t limit_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

/* How long to measure. */
static inline uint64_t limit_run_ns(void)
{
	const char *ms = getenv("BENCH_MS");

	return (ms ? strtoull(ms, NULL, 10) : LIMIT_RUN_MS) * UINT64_C(1000000);
}

/* Calls round(), which does ops operations, for at least ns. What one operation
 * took, in ns. */
static inline double limit_repeat(void (*round)(void), uint64_t ops, uint64_t ns)
{
	uint64_t begin = limit_now();
	uint64_t rounds = 0;
	uint64_t took;

	do {
		round();
		rounds++;
		took = limit_now() - begin;
	} while (took < ns);
	return (double)took / (double)(rounds * ops);
}

/*
 * Warms up, measures, and prints the figure. With BENCH_ROUNDS, for counting
 * instructions: so many rounds, and prints how many operations it were.
 */
static inline int limit_main(void (*round)(void), uint64_t ops)
{
	const char *text = getenv("BENCH_ROUNDS");
	uint64_t rounds = text ? strtoull(text, NULL, 10) : 0;

	if (rounds) {
		for (uint64_t i = 0; i < rounds; i++)
			round();
		printf("%llu\n", (unsigned long long)(rounds * ops));
		return 0;
	}
	limit_repeat(round, ops, limit_run_ns() / LIMIT_WARM_UP_SHARE);
	printf("%.3f\n", limit_repeat(round, ops, limit_run_ns()));
	return 0;
}

#endif
