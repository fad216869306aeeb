/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/spinlock.h"

void rill_spin_lock_slow(struct rill_spinlock *l)
{
	for (unsigned n = 1; !rill_spin_trylock(l); n++)
		rill_spin_pause(n);
}
