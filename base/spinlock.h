/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lock for a few instructions: never held across a switch, a syscall or a wake. Gives the CPU
 * away when the holder seems to have lost its own.
 */
#ifndef RILL_BASE_SPINLOCK_H
#define RILL_BASE_SPINLOCK_H

#include <sched.h>

#include "base/atomic.h"

struct rill_spinlock {
	RILL_ATOMIC(uint32_t) word; /* 0 free, 1 held */
};

/* How often to look before giving the CPU away: about a microsecond. */
#define RILL_SPIN_BEFORE_YIELD 100

/* Between the nth look in vain, from 1 on, and the next one. For what is a few instructions away.
 */
static inline void rill_spin_pause(unsigned n)
{
	if (n % RILL_SPIN_BEFORE_YIELD == 0)
		sched_yield();
	else
		rill_cpu_relax();
}

RILL_COLD void rill_spin_lock_slow(struct rill_spinlock *l);

static inline bool rill_spin_trylock(struct rill_spinlock *l)
{
	/* acquire: pairs with the release in rill_spin_unlock() */
	return rill_load_relaxed(&l->word) == 0 && rill_exchange_acquire(&l->word, 1) == 0;
}

/* The model build waits here, instead of spinning through all its interleavings. */
#ifndef RILL_MODEL
#define RILL_SPIN_TAKE(word) rill_exchange_acquire(word, 1)
#endif

static inline void rill_spin_lock(struct rill_spinlock *l)
{
	/* acquire: pairs with the release in rill_spin_unlock() */
	if (RILL_UNLIKELY(RILL_SPIN_TAKE(&l->word) != 0))
		rill_spin_lock_slow(l);
}

static inline void rill_spin_unlock(struct rill_spinlock *l)
{
	/* release: pairs with the acquires above */
	rill_store_release(&l->word, 0);
}

#endif
