/* SPDX-License-Identifier: BSD-3-Clause */
/* What rill costs while nothing happens: the memory of parked tasks, and the
 * CPU. */
#include "bench/bench.h"

#include <rill/sync.h>
#include <rill/task.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define PARKED_TASKS 100000
#define SETTLE_US 200000
#define WATCHED_RUNS                                                                               \
	7 /* the CPU is watched for so many times the usual time                                   \
	   */

/* Tasks which wait until they are told to go. */
struct parking {
	struct rill_notify go;
	uint64_t count;
	atomic_ulong arrived, left;
	uint64_t bytes;
};

uint64_t bench_resident_bytes(void)
{
	unsigned long total, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%lu %lu", &total, &resident) != 2)
		bench_must(-EIO, "/proc/self/statm");
	fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void *park(void *arg)
{
	struct parking *p = arg;

	p->arrived++;
	bench_must(rill_notify_wait(&p->go), "wait");
	p->left++;
	return NULL;
}

/* On the only worker: while this task runs, whoever has arrived is parked. */
static void *park_all(void *arg)
{
	struct parking *p = arg;
	uint64_t before = bench_resident_bytes();

	for (uint64_t i = 0; i < p->count; i++)
		bench_must(rill_spawn(park, p, NULL), "spawn");
	while (p->arrived < p->count)
		rill_yield();
	p->bytes = bench_resident_bytes() - before;
	rill_notify_all(&p->go);
	while (p->left < p->count)
		rill_yield();
	return NULL;
}

/* Bytes per task. */
static int task_rss(struct rill_runtime *rt, uint64_t size, double *ret_figures)
{
	struct parking p = {.count = size ? size : PARKED_TASKS};

	rill_notify_init(&p.go);
	bench_must(rill_block_on(rt, park_all, &p, NULL), "block_on");
	ret_figures[0] = (double)p.bytes / (double)p.count;
	return 1;
}

static uint64_t cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void *nothing(void *arg)
{
	return arg;
}

/* Percent of one CPU that a runtime takes which has done something, and has
 * nothing to do. */
static int idle_cpu(struct rill_runtime *rt, uint64_t size, double *ret_figures)
{
	uint64_t watch_us = WATCHED_RUNS * bench_run_ns() / RILL_US;
	uint64_t before;

	bench_must(rill_block_on(rt, nothing, NULL, NULL), "block_on");
	usleep(SETTLE_US);
	before = cpu_us();
	usleep((useconds_t)watch_us);
	ret_figures[0] = 100.0 * (double)(cpu_us() - before) / (double)watch_us;
	return 1;
}

const struct bench bench_idle[] = {
	{.name = "task_rss", .figures = task_rss},
	{.name = "idle_cpu", .figures = idle_cpu},
	{0},
};
