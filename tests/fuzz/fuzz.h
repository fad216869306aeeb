/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A fuzz target is one function. Built with libFuzzer (scripts/fuzz) it is driven by coverage; in
 * the ordinary suite replay.c runs it over the corpus that the repository keeps.
 *
 * A target aborts when something is wrong. It must not keep anything from one input to the next.
 */
#ifndef RILL_TESTS_FUZZ_H
#define RILL_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(cond)                                                                           \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The input, taken from the front; zeros when it is used up. */
struct fuzz_in {
	const uint8_t *p;
	size_t left;
};

static inline uint8_t fuzz_u8(struct fuzz_in *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->p++;
}

static inline uint16_t fuzz_u16(struct fuzz_in *in)
{
	uint16_t high = fuzz_u8(in);

	return (uint16_t)(high << 8 | fuzz_u8(in));
}

static inline uint32_t fuzz_u32(struct fuzz_in *in)
{
	uint32_t high = fuzz_u16(in);

	return high << 16 | fuzz_u16(in);
}

/* At most max bytes into buf: how many. */
static inline size_t fuzz_bytes(struct fuzz_in *in, uint8_t *buf, size_t max)
{
	size_t n = in->left < max ? in->left : max;

	if (n)
		memcpy(buf, in->p, n);
	in->p += n;
	in->left -= n;
	return n;
}

#endif
