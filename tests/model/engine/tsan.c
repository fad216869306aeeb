/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Code under test is compiled with -fsanitize=thread but linked without that library: the compiler
 * calls these before each plain access to memory that others might see.
 */
#include "tests/model/engine/engine.h"

#define HOOK(name, size, write)                                                                    \
	void __tsan_##name(void *p);                                                               \
	void __tsan_##name(void *p)                                                                \
	{                                                                                          \
		rill_model_plain(p, size, write, __builtin_return_address(0), NULL);               \
	}

#define HOOKS(size)                                                                                \
	HOOK(read##size, size, false)                                                              \
	HOOK(write##size, size, true)                                                              \
	HOOK(read_write##size, size, true)                                                         \
	HOOK(unaligned_read##size, size, false)                                                    \
	HOOK(unaligned_write##size, size, true)                                                    \
	HOOK(unaligned_read_write##size, size, true)

HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)

#define RANGE(name, write)                                                                         \
	void __tsan_##name(void *p, size_t size);                                                  \
	void __tsan_##name(void *p, size_t size)                                                   \
	{                                                                                          \
		rill_model_plain(p, size, write, __builtin_return_address(0), NULL);               \
	}

RANGE(read_range, false)
RANGE(write_range, true)

#define NOTHING(name, ...)                                                                         \
	void __tsan_##name(__VA_ARGS__);                                                           \
	void __tsan_##name(__VA_ARGS__)                                                            \
	{                                                                                          \
	}

NOTHING(init, void)
NOTHING(func_entry, void *pc)
NOTHING(func_exit, void)
