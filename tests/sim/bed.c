/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/bed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "tests/sim/cc.h"
#include "tests/sim/trace.h"

static const char *const addresses[BED_SIDES] = {"198.18.0.1/24", "198.18.0.2/24"};

struct start {
	const struct bed_options *o;
	struct bed bed;
	int (*fn)(struct bed *bed, void *arg);
	void *arg;
	int result;
};

static void open_net(struct bed *bed, enum bed_side side, const struct bed_options *in)
{
	char spec[64];
	struct rill_net_options o = {
		RILL_OPTIONS(o),
		.nic = spec,
		.addr = addresses[side],
		.queues = in->queues ? in->queues : 1,
	};

	snprintf(spec, sizeof(spec), "sim:bed,ring=256,bufs=%u", in->bufs ? in->bufs : 4096);
	if (rill_net_open(NULL, &o, &bed->net[side]) != 0) {
		fprintf(stderr, "%s: %s\n", spec, rill_net_error());
		abort();
	}
	if (in->cc)
		RILL_ASSERT_CMP(cc_set(bed->net[side], in->cc), ==, 0);
}

static void *first_task(void *arg)
{
	struct start *s = arg;
	struct bed *bed = &s->bed;

	RILL_ASSERT_CMP(rill_now(), <, BED_START_NS);
	RILL_ASSERT_CMP(rill_clock_advance(BED_START_NS - rill_now()), ==, 0);
	bed->sim = rill_sim_get("bed");
	RILL_ASSERT(bed->sim);
	for (enum bed_side side = 0; side < BED_SIDES; side++) {
		rill_sim_seed(bed->sim, side, s->o->seed * BED_SIDES + side);
		RILL_ASSERT_CMP(rill_sim_set(bed->sim, side, &s->o->link[side]), ==, 0);
	}
	rill_sim_watch(bed->sim, trace_frame, bed);
	for (enum bed_side side = 0; side < BED_SIDES; side++)
		open_net(bed, side, s->o);
	s->result = s->fn(bed, s->arg);
	for (enum bed_side side = 0; side < BED_SIDES; side++)
		rill_net_close(bed->net[side]);
	rill_sim_put(bed->sim);
	return NULL;
}

int bed_run(const struct bed_options *in, int (*fn)(struct bed *bed, void *arg), void *arg)
{
	struct start s = {.o = in, .bed = {.print = in->print}, .fn = fn, .arg = arg};
	struct rill_runtime_options o = {
		RILL_OPTIONS(o),      .flavor = RILL_CURRENT_THREAD,
		.start_paused = true, .shuffle = in->shuffle,
		.seed = in->seed,     .name = "bed",
	};
	struct rill_rand secrets;

	rill_rand_init(&secrets, ~in->seed);
	rill_rand_secret_from(&secrets);
	RILL_ASSERT_CMP(rill_runtime_create(&o, &s.bed.rt), ==, 0);
	RILL_ASSERT_CMP(rill_block_on(s.bed.rt, first_task, &s, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_runtime_live_tasks(s.bed.rt), ==, 0u);
	RILL_ASSERT_CMP(rill_runtime_destroy(s.bed.rt), ==, 0);
	rill_rand_secret_from(NULL);
	return s.result;
}

uint64_t bed_now(void)
{
	return rill_now() - BED_START_NS;
}

uint64_t bed_metric(struct bed *bed, enum bed_side side, const char *name)
{
	char *text = NULL, label[128];
	size_t text_len, addr_len = strcspn(addresses[side], "/");
	FILE *out = open_memstream(&text, &text_len);
	uint64_t sum = 0;
	int found = 0;

	RILL_ASSERT_CMP(rill_runtime_print_metrics(bed->rt, out), ==, 0);
	fclose(out);
	snprintf(label, sizeof(label), "\nrill_%s{addr=\"%.*s\"", name, (int)addr_len,
		 addresses[side]);
	for (const char *at = text; (at = strstr(at, label)); at++, found++)
		sum += strtoull(strstr(at, "} ") + 2, NULL, 10);
	RILL_ASSERT(found > 0); /* there is no such metric */
	free(text);
	return sum;
}

uint64_t bed_turns(struct bed *bed)
{
	struct rill_runtime_metrics all = {0};
	struct rill_worker_metrics m = {0};

	RILL_ASSERT_CMP(rill_runtime_worker_metrics(bed->rt, 0, &m), ==, 0);
	rill_runtime_metrics(bed->rt, &all);
	return m.polls / RILL_MAX(all.pollers, UINT64_C(1));
}
