/* SPDX-License-Identifier: BSD-3-Clause */
/* The monotonic clock, and the cycle counter for what must be cheaper than a clock. */
#ifndef RILL_BASE_CLOCK_H
#define RILL_BASE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC in nanoseconds, through the vDSO (about 30 ns). */
uint64_t rill_clock_mono(void);

/* A counter that only ever serves to compare durations on one CPU; its unit is the machine's. */
static inline uint64_t rill_cycles(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t v;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
#else
	return rill_clock_mono();
#endif
}

/* About a microsecond of rill_cycles(), or less: a reading of the clock is good for so long. */
static inline uint64_t rill_cycles_per_us(void)
{
#if defined(__x86_64__)
	return 1024; /* no machine that matters is slower than 1 GHz */
#elif defined(__aarch64__)
	uint64_t hz;

	__asm__("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz / 1000000;
#else
	return 1000;
#endif
}

#endif
