/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Assertions are for programmer errors and are always on. Input from the network is never asserted
 * on: it gets a drop reason.
 */
#ifndef RILL_BASE_ASSERT_H
#define RILL_BASE_ASSERT_H

#include "base/compiler.h"

#define RILL_STATIC_ASSERT(cond, msg) _Static_assert(cond, msg)

RILL_COLD __attribute__((noreturn)) void rill_assert_failed(const char *file, int line,
							    const char *what);
RILL_COLD __attribute__((noreturn)) void
rill_assert_failed_cmp(const char *file, int line, const char *what, long long a, long long b);

#define RILL_ASSERT(cond)                                                                          \
	do {                                                                                       \
		if (RILL_UNLIKELY(!(cond)))                                                        \
			rill_assert_failed(__FILE__, __LINE__, #cond);                             \
	} while (0)

/* Prints both values. */
#define RILL_ASSERT_CMP(a, op, b)                                                                  \
	do {                                                                                       \
		__typeof__(a) assert_a_ = (a);                                                     \
		__typeof__(b) assert_b_ = (b);                                                     \
		if (RILL_UNLIKELY(!(assert_a_ op assert_b_)))                                      \
			rill_assert_failed_cmp(__FILE__, __LINE__, #a " " #op " " #b,              \
					       (long long)assert_a_, (long long)assert_b_);        \
	} while (0)

/* The expensive tier: in debug and sanitizer builds. */
#ifdef RILL_DEBUG
#define RILL_DEBUG_ASSERT(cond) RILL_ASSERT(cond)
#else
#define RILL_DEBUG_ASSERT(cond) ((void)sizeof(cond))
#endif

#endif
