/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/steer_learn.h"

rill_learn_input_bits rill_learn_input(uint32_t from, uint32_t to, uint16_t from_port,
				       uint16_t to_port)
{
	rill_learn_input_bits bits = from;

	bits = bits << 32 | to;
	bits = bits << 16 | from_port;
	bits = bits << 16 | to_port;
	return bits << 1 | 1;
}

/* Of the highest bit that is set; bits is not zero. */
static unsigned top_bit(rill_learn_input_bits bits)
{
	uint64_t high = (uint64_t)(bits >> 64);

	if (high)
		return 127 - (unsigned)__builtin_clzll(high);
	return 63 - (unsigned)__builtin_clzll((uint64_t)bits);
}

/*
 * Takes out of *input what the rows can make, and the same rows' outputs out of *output. Zero is
 * left of an input that they make up; of its output, too, if they are right.
 */
static void reduce(const struct rill_learn *l, rill_learn_input_bits *input, uint32_t *output)
{
	while (*input) {
		unsigned n = top_bit(*input);

		if (!l->rows[n].input)
			return;
		*input ^= l->rows[n].input;
		*output ^= l->rows[n].output;
	}
}

int64_t rill_learn_predict(const struct rill_learn *l, rill_learn_input_bits input)
{
	uint32_t output = 0;

	reduce(l, &input, &output);
	return input ? -1 : (int64_t)output;
}

enum rill_learned rill_learn_observe(struct rill_learn *l, rill_learn_input_bits input,
				     uint32_t output)
{
	reduce(l, &input, &output);
	if (!input)
		return output ? RILL_LEARN_CONTRADICTION : RILL_LEARN_KNEW;
	unsigned n = top_bit(input);

	l->rows[n].input = input;
	l->rows[n].output = output;
	l->rank++;
	return RILL_LEARN_NEW;
}
