/* SPDX-License-Identifier: BSD-3-Clause */
/* What the compiler offers under names that say what it is for. */
#ifndef RILL_BASE_COMPILER_H
#define RILL_BASE_COMPILER_H

#include <stddef.h>
#include <stdint.h>

#define RILL_LIKELY(x) __builtin_expect(!!(x), 1)
#define RILL_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define RILL_NOINLINE __attribute__((noinline))
#define RILL_ALWAYS_INLINE inline __attribute__((always_inline))
#define RILL_COLD __attribute__((cold, noinline))
#define RILL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define RILL_UNUSED __attribute__((unused))

/* Two lines: x86 prefetches pairs. */
#define RILL_CACHE_LINE 128
#define RILL_CACHE_ALIGNED __attribute__((aligned(RILL_CACHE_LINE)))

#define RILL_CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define RILL_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define RILL_MIN(a, b)                                                                             \
	({                                                                                         \
		__typeof__(a) min_a_ = (a);                                                        \
		__typeof__(b) min_b_ = (b);                                                        \
		min_a_ < min_b_ ? min_a_ : min_b_;                                                 \
	})
#define RILL_MAX(a, b)                                                                             \
	({                                                                                         \
		__typeof__(a) max_a_ = (a);                                                        \
		__typeof__(b) max_b_ = (b);                                                        \
		max_a_ > max_b_ ? max_a_ : max_b_;                                                 \
	})

#if defined(__SANITIZE_ADDRESS__)
#define RILL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RILL_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define RILL_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RILL_TSAN 1
#endif
#endif

#endif
