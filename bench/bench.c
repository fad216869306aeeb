/* SPDX-License-Identifier: BSD-3-Clause */
/* rill-bench NAME prints nanoseconds per operation. bench/run runs it beside its peers. */
#include "bench/bench.h"

#include <rill/rill.h>

#include <stdio.h>
#include <string.h>

#define WARM_UP_NS (100 * RILL_MS)
#define RUN_NS (500 * RILL_MS)

static const struct bench *const benches[] = {bench_tasks, bench_sync, bench_net};

#define BENCHES (sizeof(benches) / sizeof(benches[0]))

struct measurement {
	const struct bench *bench;
	double ns_per_op;
	int error;
};

static const struct bench *find(const char *name)
{
	for (size_t i = 0; i < BENCHES; i++)
		for (const struct bench *b = benches[i]; b->name; b++)
			if (strcmp(b->name, name) == 0)
				return b;
	return NULL;
}

/* Rounds for at least time_ns. */
static int repeat(const struct bench *b, void *state, uint64_t time_ns, double *ret_ns_per_op)
{
	uint64_t begin = rill_now();
	uint64_t ops = 0;
	uint64_t took;

	do {
		uint64_t n = 0;
		int err = b->round(state, &n);

		if (err < 0)
			return err;
		ops += n;
		took = rill_now() - begin;
	} while (took < time_ns);
	*ret_ns_per_op = (double)took / (double)ops;
	return 0;
}

static void *measure(void *arg)
{
	struct measurement *m = arg;
	const struct bench *b = m->bench;
	void *state = NULL;

	m->error = b->open ? b->open(&state) : 0;
	if (m->error < 0)
		return NULL;
	m->error = repeat(b, state, WARM_UP_NS, &m->ns_per_op);
	if (m->error == 0)
		m->error = repeat(b, state, RUN_NS, &m->ns_per_op);
	if (b->close)
		b->close(state);
	return NULL;
}

static int run(const struct bench *b)
{
	struct rill_runtime_options o = {RILL_OPTIONS(o), .workers = 1};
	struct measurement m = {.bench = b};
	struct rill_runtime *rt;
	int err = rill_runtime_create(&o, &rt);

	if (err < 0)
		return err;
	err = rill_block_on(rt, measure, &m, NULL);
	rill_runtime_destroy(rt);
	if (err < 0)
		return err;
	if (m.error == 0)
		printf("%.3f\n", m.ns_per_op);
	return m.error;
}

int main(int argc, char **argv)
{
	const struct bench *b = argc == 2 ? find(argv[1]) : NULL;
	int err;

	if (!b) {
		fprintf(stderr, "usage: rill-bench NAME (see bench/run --list)\n");
		return 2;
	}
	err = run(b);
	if (err < 0)
		fprintf(stderr, "rill-bench: %s: %s\n", b->name, strerror(-err));
	return err < 0 ? 1 : 0;
}
