/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Learning a NIC's receive hash from what it does with flows. Toeplitz hashes, whatever their key
 * and width, and the choice of a queue by their low bits are linear over GF(2): each output bit is
 * the XOR of some input bits. So what happens to the XOR of flows that were seen follows from what
 * happened to them, and after a few flows from one peer all others from there are foretold. A
 * constant is learned too (an input bit that is always set).
 *
 * What is not linear contradicts itself soon, and that is told.
 */
#ifndef RILL_NETSTACK_STACK_STEER_LEARN_H
#define RILL_NETSTACK_STACK_STEER_LEARN_H

#include <stdbool.h>
#include <stdint.h>

/* Of one direction of a flow over IPv4, to be made by rill_learn_input(). */
typedef unsigned __int128 rill_learn_input_bits;

/* Addresses, ports, and the constant. */
#define RILL_LEARN_BITS 97

struct rill_learn {
	/* In echelon form: row n has bit n set and none above it; zero: there is none. */
	struct {
		rill_learn_input_bits input;
		uint32_t output;
	} rows[RILL_LEARN_BITS];
	unsigned rank;
};

enum rill_learned {
	RILL_LEARN_KNEW,
	RILL_LEARN_NEW,
	RILL_LEARN_CONTRADICTION, /* nothing was changed */
};

rill_learn_input_bits rill_learn_input(uint32_t from, uint32_t to, uint16_t from_port,
				       uint16_t to_port);

/* The output for input, or -1: it does not follow from what was seen. */
int64_t rill_learn_predict(const struct rill_learn *l, rill_learn_input_bits input);
/* It was output. */
enum rill_learned rill_learn_observe(struct rill_learn *l, rill_learn_input_bits input,
				     uint32_t output);

#endif
