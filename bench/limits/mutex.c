/* SPDX-License-Identifier: BSD-3-Clause */
/* The least a free mutex can cost: a compare-and-swap to take it, a store to give it back. */
#include "bench/limits/limit.h"

#define OPS 10000

static uint32_t word;

static void round_of_locks(void)
{
	for (int i = 0; i < OPS; i++) {
		uint32_t expected = 0;

		__atomic_compare_exchange_n(&word, &expected, 1, 0, __ATOMIC_ACQUIRE,
					    __ATOMIC_RELAXED);
		__atomic_store_n(&word, 0, __ATOMIC_RELEASE);
	}
}

int main(void)
{
	return limit_main(round_of_locks, OPS);
}
