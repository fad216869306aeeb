/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the model build has in place of atomic instructions. Included before every file of that
 * build (-include), so that base/atomic.h finds its operations defined: each becomes a call into
 * the engine, which decides who goes on and what is read.
 */
#ifndef RILL_MODEL_HOOKS_H
#define RILL_MODEL_HOOKS_H

#ifndef RILL_MODEL
#define RILL_MODEL 1
#endif

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* Instrumented for the engine's sake, and not to be run under ThreadSanitizer. */
#ifdef RILL_MODEL_INSTRUMENTED
#undef RILL_TSAN
#endif

/* Where an operation stands in the source. */
struct rill_model_site {
	const char *file;
	const char *func;
	const char *what; /* the operand, as written */
	int line;
};

#define RILL_MODEL_SITE(what) (&(const struct rill_model_site){__FILE__, __func__, what, __LINE__})

enum rill_model_rmw {
	RILL_MODEL_EXCHANGE,
	RILL_MODEL_ADD,
	RILL_MODEL_SUB,
	RILL_MODEL_OR,
};

uint64_t rill_model_load(const volatile void *p, unsigned size, int order,
			 const struct rill_model_site *site);
void rill_model_store(volatile void *p, unsigned size, uint64_t v, int order,
		      const struct rill_model_site *site);
uint64_t rill_model_rmw(volatile void *p, unsigned size, enum rill_model_rmw how, uint64_t v,
			int order, const struct rill_model_site *site);
/* failed: the order of the load when the comparison fails; weak: it may fail for no reason. */
bool rill_model_cas(volatile void *p, unsigned size, void *expected, uint64_t v, bool weak,
		    int order, int failed, const struct rill_model_site *site);
void rill_model_fence(int order, const struct rill_model_site *site);
/* Of a spinlock: waits until the word is 0, takes it. Always 0. */
uint32_t rill_model_lock(volatile uint32_t *word, const struct rill_model_site *site);
/* In a spinning loop: waits until another thread has stored something. */
void rill_model_relax(const struct rill_model_site *site);
/* A counter is none of the model's business: no step, and at once visible to all. */
void rill_model_count(volatile void *p, unsigned size, uint64_t n);

#define RILL_MODEL_U64(v) ((uint64_t)(uintptr_t)(v))
#define RILL_MODEL_AS(p, v) ((__typeof__(*(p)))(uintptr_t)(v))

#define RILL_ATOMIC_LOAD(p, order)                                                                 \
	RILL_MODEL_AS(p, rill_model_load((p), sizeof(*(p)), order, RILL_MODEL_SITE(#p)))
#define RILL_ATOMIC_STORE(p, v, order)                                                             \
	rill_model_store((p), sizeof(*(p)), RILL_MODEL_U64(v), order, RILL_MODEL_SITE(#p))
#define RILL_MODEL_RMW(p, how, v, order)                                                           \
	RILL_MODEL_AS(p, rill_model_rmw((p), sizeof(*(p)), how, RILL_MODEL_U64(v), order,          \
					RILL_MODEL_SITE(#p)))
#define RILL_ATOMIC_EXCHANGE(p, v, order) RILL_MODEL_RMW(p, RILL_MODEL_EXCHANGE, v, order)
#define RILL_ATOMIC_ADD(p, v, order) RILL_MODEL_RMW(p, RILL_MODEL_ADD, v, order)
#define RILL_ATOMIC_SUB(p, v, order) RILL_MODEL_RMW(p, RILL_MODEL_SUB, v, order)
#define RILL_ATOMIC_OR(p, v, order) RILL_MODEL_RMW(p, RILL_MODEL_OR, v, order)
#define RILL_ATOMIC_CAS(p, expected, v, weak, order, failed)                                       \
	rill_model_cas((p), sizeof(*(p)), (expected), RILL_MODEL_U64(v), weak, order, failed,      \
		       RILL_MODEL_SITE(#p))

#define RILL_SPIN_TAKE(word) rill_model_lock((word), RILL_MODEL_SITE(#word))
#define rill_cpu_relax() rill_model_relax(RILL_MODEL_SITE("cpu_relax"))
#define rill_counter_add(p, n) rill_model_count((p), sizeof(*(p)), (uint64_t)(n))

#endif
