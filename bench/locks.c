/* SPDX-License-Identifier: BSD-3-Clause */
/* What locks and semaphores cost. */
#include "bench/bench.h"

#include <rill/sync.h>
#include <rill/task.h>

#include <errno.h>

#define LOCKS 100000
#define TASKS 1000
#define EACH 100
/* A holder yields so often, with the lock: without that one worker would see no contention. */
#define YIELD_EVERY 16
#define PERMITS 8
#define READERS 2

/* TASKS tasks which do the same. */
static void run_tasks(void *(*fn)(void *), void *arg)
{
	struct rill_task *tasks[TASKS];

	for (int i = 0; i < TASKS; i++)
		tasks[i] = bench_spawn(fn, arg);
	bench_join_all(tasks, TASKS);
}

static int round_of_locks(void *state, uint64_t *ret_ops)
{
	struct rill_mutex mutex;
	volatile uint64_t guarded = 0;

	rill_mutex_init(&mutex);
	for (int i = 0; i < LOCKS; i++) {
		bench_must(rill_mutex_lock(&mutex), "lock");
		guarded = guarded + 1;
		rill_mutex_unlock(&mutex);
	}
	*ret_ops = LOCKS;
	return 0;
}

struct guarded {
	struct rill_mutex mutex;
	uint64_t count;
};

static void *locker(void *arg)
{
	struct guarded *g = arg;

	for (int i = 0; i < EACH; i++) {
		bench_must(rill_mutex_lock(&g->mutex), "lock");
		g->count++;
		if (i % YIELD_EVERY == 0)
			rill_yield();
		rill_mutex_unlock(&g->mutex);
	}
	return NULL;
}

static int round_of_contended_locks(void *state, uint64_t *ret_ops)
{
	struct guarded g = {.count = 0};

	rill_mutex_init(&g.mutex);
	run_tasks(locker, &g);
	*ret_ops = g.count;
	return g.count == TASKS * EACH ? 0 : -EPROTO;
}

static int round_of_acquires(void *state, uint64_t *ret_ops)
{
	struct rill_semaphore sem;

	bench_must(rill_semaphore_init(&sem, 1), "semaphore");
	for (int i = 0; i < LOCKS; i++) {
		bench_must(rill_semaphore_acquire(&sem, 1), "acquire");
		rill_semaphore_release(&sem, 1);
	}
	*ret_ops = LOCKS;
	return 0;
}

static void *user(void *arg)
{
	struct rill_semaphore *sem = arg;

	for (int i = 0; i < EACH; i++) {
		bench_must(rill_semaphore_acquire(sem, 1), "acquire");
		if (i % YIELD_EVERY == 0)
			rill_yield();
		rill_semaphore_release(sem, 1);
	}
	return NULL;
}

static int round_of_contended_acquires(void *state, uint64_t *ret_ops)
{
	struct rill_semaphore sem;

	bench_must(rill_semaphore_init(&sem, PERMITS), "semaphore");
	run_tasks(user, &sem);
	*ret_ops = TASKS * EACH;
	return rill_semaphore_available(&sem) == PERMITS ? 0 : -EPROTO;
}

struct shared {
	struct rill_rwlock lock;
	uint64_t one;
};

static void *reader(void *arg)
{
	struct shared *s = arg;
	uint64_t sum = 0;

	for (int i = 0; i < LOCKS; i++) {
		bench_must(rill_rwlock_read(&s->lock), "read");
		sum += s->one;
		rill_rwlock_unlock_read(&s->lock);
	}
	bench_must(sum == LOCKS ? 0 : -EPROTO, "read");
	return NULL;
}

static int round_of_reads(void *state, uint64_t *ret_ops)
{
	struct shared s = {.one = 1};
	struct rill_task *tasks[READERS];

	rill_rwlock_init(&s.lock);
	for (int i = 0; i < READERS; i++)
		tasks[i] = bench_spawn(reader, &s);
	bench_join_all(tasks, READERS);
	*ret_ops = READERS * LOCKS;
	return 0;
}

const struct bench bench_locks[] = {
	{.name = "mutex", .round = round_of_locks},
	{.name = "mutex_1000", .round = round_of_contended_locks},
	{.name = "semaphore", .round = round_of_acquires},
	{.name = "semaphore_1000", .round = round_of_contended_acquires},
	{.name = "rwlock_read", .round = round_of_reads},
	{0},
};
