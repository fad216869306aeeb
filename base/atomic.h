/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Atomic operations, with the order in the name. Every atomic access in the tree goes through this
 * file, so that the model build can hand each one to its exploring scheduler. The operands are
 * plain integers and pointers; a field that is accessed from several threads is marked
 * RILL_ATOMIC(type).
 *
 * Each ordered access names its partner in a comment at the place of use.
 */
#ifndef RILL_BASE_ATOMIC_H
#define RILL_BASE_ATOMIC_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

#define RILL_ATOMIC(type) type

#define rill_load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define rill_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define rill_load_seq_cst(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define rill_store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define rill_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define rill_store_seq_cst(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define rill_exchange_relaxed(p, v) __atomic_exchange_n((p), (v), __ATOMIC_RELAXED)
#define rill_exchange_acquire(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define rill_exchange_release(p, v) __atomic_exchange_n((p), (v), __ATOMIC_RELEASE)
#define rill_exchange_acq_rel(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
#define rill_exchange_seq_cst(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define rill_fetch_add_relaxed(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define rill_fetch_add_acq_rel(p, v) __atomic_fetch_add((p), (v), __ATOMIC_ACQ_REL)
#define rill_fetch_add_seq_cst(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define rill_fetch_sub_relaxed(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_RELAXED)
#define rill_fetch_sub_release(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_RELEASE)
#define rill_fetch_sub_acq_rel(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_ACQ_REL)
#define rill_fetch_sub_seq_cst(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST)
#define rill_fetch_or_release(p, v) __atomic_fetch_or((p), (v), __ATOMIC_RELEASE)
#define rill_fetch_or_acq_rel(p, v) __atomic_fetch_or((p), (v), __ATOMIC_ACQ_REL)

/* Compare and swap: *expected is updated on failure. The weak forms may fail for no reason. */
#define rill_cas_relaxed(p, expected, v)                                                           \
	__atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define rill_cas_acquire(p, expected, v)                                                           \
	__atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define rill_cas_release(p, expected, v)                                                           \
	__atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define rill_cas_acq_rel(p, expected, v)                                                           \
	__atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
#define rill_cas_seq_cst(p, expected, v)                                                           \
	__atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define rill_cas_weak_acq_rel(p, expected, v)                                                      \
	__atomic_compare_exchange_n((p), (expected), (v), true, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

/*
 * A store that every thread sees before any later load of this one (Dekker). An exchange, for
 * ThreadSanitizer does not model fences.
 */
#define rill_publish(p, v) ((void)__atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST))

/* A counter with one writer: a plain add which readers elsewhere see whole. */
#define rill_counter_add(p, n) rill_store_relaxed((p), rill_load_relaxed(p) + (n))

static inline void rill_cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#endif
}

#endif
