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

/*
 * All there is below the names. The model build (tests/model) defines these beforehand, so that its
 * scheduler gets every step.
 */
#ifndef RILL_MODEL
#define RILL_ATOMIC_LOAD(p, order) __atomic_load_n((p), order)
#define RILL_ATOMIC_STORE(p, v, order) __atomic_store_n((p), (v), order)
#define RILL_ATOMIC_EXCHANGE(p, v, order) __atomic_exchange_n((p), (v), order)
#define RILL_ATOMIC_ADD(p, v, order) __atomic_fetch_add((p), (v), order)
#define RILL_ATOMIC_SUB(p, v, order) __atomic_fetch_sub((p), (v), order)
#define RILL_ATOMIC_OR(p, v, order) __atomic_fetch_or((p), (v), order)
#define RILL_ATOMIC_CAS(p, expected, v, weak, order, failed)                                       \
	__atomic_compare_exchange_n((p), (expected), (v), weak, order, failed)
#endif

#define rill_load_relaxed(p) RILL_ATOMIC_LOAD(p, __ATOMIC_RELAXED)
#define rill_load_acquire(p) RILL_ATOMIC_LOAD(p, __ATOMIC_ACQUIRE)
#define rill_load_seq_cst(p) RILL_ATOMIC_LOAD(p, __ATOMIC_SEQ_CST)
#define rill_store_relaxed(p, v) RILL_ATOMIC_STORE(p, v, __ATOMIC_RELAXED)
#define rill_store_release(p, v) RILL_ATOMIC_STORE(p, v, __ATOMIC_RELEASE)
#define rill_store_seq_cst(p, v) RILL_ATOMIC_STORE(p, v, __ATOMIC_SEQ_CST)
#define rill_exchange_relaxed(p, v) RILL_ATOMIC_EXCHANGE(p, v, __ATOMIC_RELAXED)
#define rill_exchange_acquire(p, v) RILL_ATOMIC_EXCHANGE(p, v, __ATOMIC_ACQUIRE)
#define rill_exchange_release(p, v) RILL_ATOMIC_EXCHANGE(p, v, __ATOMIC_RELEASE)
#define rill_exchange_acq_rel(p, v) RILL_ATOMIC_EXCHANGE(p, v, __ATOMIC_ACQ_REL)
#define rill_exchange_seq_cst(p, v) RILL_ATOMIC_EXCHANGE(p, v, __ATOMIC_SEQ_CST)
#define rill_fetch_add_relaxed(p, v) RILL_ATOMIC_ADD(p, v, __ATOMIC_RELAXED)
#define rill_fetch_add_acq_rel(p, v) RILL_ATOMIC_ADD(p, v, __ATOMIC_ACQ_REL)
#define rill_fetch_add_seq_cst(p, v) RILL_ATOMIC_ADD(p, v, __ATOMIC_SEQ_CST)
#define rill_fetch_sub_relaxed(p, v) RILL_ATOMIC_SUB(p, v, __ATOMIC_RELAXED)
#define rill_fetch_sub_release(p, v) RILL_ATOMIC_SUB(p, v, __ATOMIC_RELEASE)
#define rill_fetch_sub_acq_rel(p, v) RILL_ATOMIC_SUB(p, v, __ATOMIC_ACQ_REL)
#define rill_fetch_sub_seq_cst(p, v) RILL_ATOMIC_SUB(p, v, __ATOMIC_SEQ_CST)
#define rill_fetch_or_release(p, v) RILL_ATOMIC_OR(p, v, __ATOMIC_RELEASE)
#define rill_fetch_or_acq_rel(p, v) RILL_ATOMIC_OR(p, v, __ATOMIC_ACQ_REL)

/* Compare and swap: *expected is updated on failure. The weak forms may fail for no reason. */
#define rill_cas_relaxed(p, expected, v)                                                           \
	RILL_ATOMIC_CAS(p, expected, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define rill_cas_acquire(p, expected, v)                                                           \
	RILL_ATOMIC_CAS(p, expected, v, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define rill_cas_release(p, expected, v)                                                           \
	RILL_ATOMIC_CAS(p, expected, v, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define rill_cas_acq_rel(p, expected, v)                                                           \
	RILL_ATOMIC_CAS(p, expected, v, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
#define rill_cas_seq_cst(p, expected, v)                                                           \
	RILL_ATOMIC_CAS(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define rill_cas_weak_acq_rel(p, expected, v)                                                      \
	RILL_ATOMIC_CAS(p, expected, v, true, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

/*
 * A store that every thread sees before any later load of this one (Dekker). An exchange, for
 * ThreadSanitizer does not model fences.
 */
#define rill_publish(p, v) ((void)RILL_ATOMIC_EXCHANGE(p, v, __ATOMIC_SEQ_CST))

#ifndef RILL_MODEL
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

#endif
