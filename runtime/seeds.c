/* SPDX-License-Identifier: BSD-3-Clause */
/* One test under many orders. */
#include <rill/test.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

struct seeded {
	int (*fn)(void *arg);
	void *arg;
	int result;
};

static void *call(void *arg)
{
	struct seeded *s = arg;

	s->result = s->fn(s->arg);
	return NULL;
}

static int run_seed(uint64_t seed, int (*fn)(void *arg), void *arg)
{
	struct seeded s = {.fn = fn, .arg = arg, .result = -EIO};
	struct rill_runtime_options o = {
		RILL_OPTIONS(o),
		.flavor = RILL_CURRENT_THREAD,
		.start_paused = true,
		.shuffle = true,
		.seed = seed,
		.name = "seeds",
	};
	struct rill_runtime *rt;
	int r = rill_runtime_create(&o, &rt);

	if (r < 0)
		return r;
	r = rill_block_on(rt, call, &s, NULL);
	rill_runtime_destroy(rt);
	return r < 0 ? r : s.result;
}

int rill_test_seeds(uint64_t first, unsigned count, int (*fn)(void *arg), void *arg,
		    uint64_t *ret_seed)
{
	const char *only = getenv("RILL_TEST_SEED");

	RILL_ASSERT(first != 0); /* 0 is a random seed, which nobody could name */
	if (only) {
		first = strtoull(only, NULL, 10);
		count = 1;
		RILL_ASSERT(first != 0); /* RILL_TEST_SEED is no number */
	}
	for (uint64_t seed = first; seed - first < count; seed++) {
		int r = run_seed(seed, fn, arg);

		if (r == 0)
			continue;
		fprintf(stderr,
			"rill: seed %" PRIu64 " fails with %d; RILL_TEST_SEED=%" PRIu64
			" runs it alone\n",
			seed, r, seed);
		if (ret_seed)
			*ret_seed = seed;
		return r;
	}
	return 0;
}
