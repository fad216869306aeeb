/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The calling thread's worker and waiter. Behind functions that are not inlined: a task that has
 * switched may be on another thread, and an address in thread-local storage that the compiler kept
 * from before would be the wrong thread's.
 */
#include "runtime/runtime.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "runtime/await.h"
#include "runtime/ticks.h"

__thread struct rill_worker *rill_tls_worker
	__attribute__((tls_model("initial-exec"), used)); /* by name, too, in runtime.h */
static __thread struct rill_waiter *tls_waiter __attribute__((tls_model("initial-exec")));

/*
 * Waiters of threads that have ended serve other threads, and are never freed: as with tasks, a
 * late wake hits a state word in any case.
 */
static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;
static struct rill_waiter *idle_waiters; /* linked by next; idle_lock */
static pthread_key_t waiter_key;
static pthread_once_t waiter_once = PTHREAD_ONCE_INIT;

static void waiter_retire(void *arg)
{
	struct rill_waiter *self = arg;

	tls_waiter = NULL;
	pthread_mutex_lock(&idle_lock);
	self->next = idle_waiters;
	idle_waiters = self;
	pthread_mutex_unlock(&idle_lock);
}

static void waiter_key_init(void)
{
	RILL_ASSERT(pthread_key_create(&waiter_key, waiter_retire) == 0);
}

static RILL_NOINLINE struct rill_waiter *waiter_of_thread(void)
{
	struct rill_waiter *self;

	pthread_once(&waiter_once, waiter_key_init);
	pthread_mutex_lock(&idle_lock);
	self = idle_waiters;
	if (self)
		idle_waiters = self->next;
	pthread_mutex_unlock(&idle_lock);
	if (!self)
		self = calloc(1, sizeof(*self));
	/* A thread that can't have these few bytes could not wait for anything. */
	RILL_ASSERT(self != NULL);
	self->scope = NULL;
	tls_waiter = self;
	pthread_setspecific(waiter_key, self);
	return self;
}

#if !defined(__x86_64__) || defined(RILL_MODEL) /* elsewhere inline, see runtime.h */
RILL_NOINLINE struct rill_worker *rill_worker_current(void)
{
	/* keeps the call from being merged with an earlier one */
	__asm__ volatile("");
	return rill_tls_worker;
}
#endif

RILL_NOINLINE void rill_worker_set_current(struct rill_worker *w)
{
	__asm__ volatile("");
	rill_tls_worker = w;
}

RILL_NOINLINE struct rill_waiter *rill_waiter_current(void)
{
	__asm__ volatile("");
	if (rill_tls_worker && rill_tls_worker->current)
		return &rill_tls_worker->current->waiter;
	return RILL_LIKELY(tls_waiter != NULL) ? tls_waiter : waiter_of_thread();
}

uint64_t rill_runtime_now(const struct rill_runtime *rt)
{
	uint64_t clock = rill_load_relaxed(&rt->clock);
	uint64_t ns = (uint64_t)((int64_t)clock >> 1);

	if (RILL_UNLIKELY(clock & 1))
		return ns == RILL_CLOCK_MAX ? RILL_FOREVER : ns;
	return rill_clock_mono() + ns;
}

uint64_t rill_runtime_now_rough(const struct rill_runtime *rt)
{
	uint64_t clock = rill_load_relaxed(&rt->clock);
	struct timespec ts;

	if (RILL_UNLIKELY(clock != 0))
		return rill_runtime_now(rt);
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#define CLOCK_SPAN_US 500
#define CLOCK_LAG_MAX_NS 16384

/* Reads the clock, and how the counter goes on from there. */
static RILL_NOINLINE uint64_t read_clock(struct rill_worker *w)
{
	uint64_t rate = rill_clock_is_paused(w->rt) ? 0 : rill_ticks_rate();
	uint64_t before = rill_cycles();

	w->clock_word = rill_load_relaxed(&w->rt->clock);
	w->clock_ns = rill_runtime_now(w->rt);
	/*
	 * After the clock, so that what comes in between makes us late and not early; and a tick,
	 * of which most may have passed already where they are long.
	 */
	w->clock_cycles = rill_cycles() + 1;
	/*
	 * A thousandth slower than it was measured, for the measurement is not exact and the clock
	 * is being adjusted, by half of that at most: at the end of the span it is three quarters
	 * of a microsecond behind at most, and read again.
	 */
	w->clock_rate = rate - rate / 1024;
	w->clock_span = rill_cycles_per_us() * (rate ? CLOCK_SPAN_US : 1);
	/* By what may have come in between, and by what the counter loses. */
	w->clock_lag_ns = (w->clock_cycles - before) * 1000 / rill_cycles_per_us() + 1024;
	if (w->clock_lag_ns > CLOCK_LAG_MAX_NS)
		w->clock_span = 0; /* the next call reads again */
	w->now_cycles = w->clock_cycles - 1;
	return w->now_ns = w->clock_ns;
}

uint64_t rill_worker_now(struct rill_worker *w)
{
	uint64_t cycles = rill_cycles();
	uint64_t passed = cycles - w->clock_cycles;
	uint64_t word = rill_load_relaxed(&w->rt->clock);

	if (RILL_UNLIKELY(passed >= w->clock_span || word != w->clock_word || word & 1))
		return read_clock(w);
	w->now_cycles = cycles;
	return w->now_ns = w->clock_ns + (passed * w->clock_rate >> 32);
}

uint64_t rill_runtime_now_coarse(const struct rill_runtime *rt)
{
	struct rill_worker *w = rill_worker_current();

	return w && w->rt == rt ? rill_worker_now(w) : rill_runtime_now(rt);
}

struct rill_runtime *rill_runtime_current(void)
{
	struct rill_worker *w = rill_worker_current();

	return w ? w->rt : NULL;
}

int rill_worker_index(void)
{
	struct rill_worker *w = rill_worker_current();

	return w ? (int)w->index : -ENOENT;
}
