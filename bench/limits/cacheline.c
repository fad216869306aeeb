/* SPDX-License-Identifier: BSD-3-Clause */
/* The least that two CPUs can take to answer each other: one cache line there
 * and back. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bench/limits/limit.h"

#define OPS 10000
#define ALONE __attribute__((aligned(128)))

static ALONE atomic_ulong asked;
static ALONE atomic_ulong answered;

static cpu_set_t cpus; /* that this process may use */

/* Pins the calling thread to the nth of them. */
static void pin(int n)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &cpus) && n-- == 0)
			CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) == 0)
		return;
	fprintf(stderr, "limit_cacheline: needs two CPUs\n");
	exit(1);
}

static void *answer(void *arg)
{
	unsigned long seen = 0;

	pin(1);
	for (;;) {
		while (atomic_load_explicit(&asked, memory_order_acquire) == seen)
			;
		seen++;
		atomic_store_explicit(&answered, seen, memory_order_release);
	}
	return arg;
}

static void round_of_questions(void)
{
	unsigned long n = atomic_load_explicit(&asked, memory_order_relaxed);

	for (int i = 0; i < OPS; i++) {
		atomic_store_explicit(&asked, ++n, memory_order_release);
		while (atomic_load_explicit(&answered, memory_order_acquire) != n)
			;
	}
}

int main(void)
{
	pthread_t thread;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	if (pthread_create(&thread, NULL, answer, NULL) != 0)
		return 1;
	pin(0);
	return limit_main(round_of_questions, OPS);
}
