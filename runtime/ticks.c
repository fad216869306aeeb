/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/ticks.h"

#include <pthread.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/atomic.h"
#include "base/clock.h"

/*
 * Two readings so far apart give the rate to some fifty millionths; further apart where a reading
 * takes long, as under an emulator: each is uncertain by as much.
 */
#define BASE_NS UINT64_C(1000000)
#define BASE_OF_UNCERTAINTY 8192

#define PAIR_TRIES 8

/* Counter and clock at one moment. */
struct pair {
	uint64_t cycles;
	uint64_t ns;
	uint64_t took_ns;
};

static pthread_once_t start_once = PTHREAD_ONCE_INIT;
static pthread_once_t rate_once = PTHREAD_ONCE_INIT;
static struct pair start;
static uint64_t base_ns = BASE_NS;
static bool usable;
static RILL_ATOMIC(uint64_t) rate; /* ns per cycle, 32 binary places; 0: not measured */

/* The best of some tries: that in which least time passed around the reading of the clock. */
static struct pair read_pair(void)
{
	uint64_t best = UINT64_MAX;
	struct pair p = {0};

	for (int i = 0; i < PAIR_TRIES; i++) {
		uint64_t before = rill_cycles();
		uint64_t ns = rill_clock_mono();
		uint64_t took = rill_cycles() - before;

		if (took < best) {
			best = took;
			p = (struct pair){
				.cycles = before + took / 2,
				.ns = ns,
				.took_ns = took * 1000 / rill_cycles_per_us(),
			};
		}
	}
	return p;
}

/* One speed in all states of the processor, asleep too. */
static bool counter_is_invariant(void)
{
#if defined(__x86_64__)
	unsigned a, b, c, d = 0;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1u << 8));
#else
	return true; /* by the architecture, or it is the clock */
#endif
}

static void take_start(void)
{
	start = read_pair();
	base_ns = RILL_MAX(BASE_NS, start.took_ns * BASE_OF_UNCERTAINTY);
	usable = counter_is_invariant();
}

void rill_ticks_start(void)
{
	pthread_once(&start_once, take_start);
}

bool rill_ticks_usable(void)
{
	rill_ticks_start();
	return usable;
}

static void measure(void)
{
	rill_ticks_start();
	while (rill_clock_mono() - start.ns < base_ns)
		rill_cpu_relax();
	struct pair now = read_pair();
	uint64_t cycles = now.cycles - start.cycles;

	rill_store_relaxed(&rate,
			   (uint64_t)(((unsigned __int128)(now.ns - start.ns) << 32) / cycles));
}

uint64_t rill_ticks_rate(void)
{
	uint64_t r = rill_load_relaxed(&rate);

	if (RILL_LIKELY(r != 0) || !rill_ticks_usable() || rill_clock_mono() - start.ns < base_ns)
		return r;
	pthread_once(&rate_once, measure);
	return rill_load_relaxed(&rate);
}

uint64_t rill_ticks_to_ns(uint64_t cycles)
{
	uint64_t r = rill_load_relaxed(&rate);

	if (RILL_UNLIKELY(r == 0)) {
		pthread_once(&rate_once, measure);
		r = rill_load_relaxed(&rate);
	}
	return (uint64_t)(((unsigned __int128)cycles * r) >> 32);
}
