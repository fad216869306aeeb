/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "tests/sim/cc.h"

#define US UINT64_C(1000)
#define MS (1000 * US)
#define SECOND (1000 * MS)

const char *plan_kind_name(enum plan_kind kind)
{
	static const char *const names[PLAN_KINDS] = {
		[PLAN_UP] = "up",
		[PLAN_DOWN] = "down",
		[PLAN_BOTH] = "both ways",
		[PLAN_ECHO] = "echo",
		[PLAN_RPC] = "request-response",
		[PLAN_HALF_CLOSE] = "half-close",
		[PLAN_SLOW_READER] = "slow reader",
		[PLAN_SHORT] = "short connections",
		[PLAN_SERVER_FIRST] = "server closes first",
		[PLAN_ABORT_CLIENT] = "client aborts",
		[PLAN_ABORT_SERVER] = "server aborts",
		[PLAN_REFUSED] = "refused",
	};

	return names[kind];
}

const char *fault_kind_name(enum fault_kind kind)
{
	static const char *const names[FAULT_KINDS] = {
		[FAULT_DOWN] = "down",
		[FAULT_LOSS] = "loss",
		[FAULT_BURSTS] = "bursts",
		[FAULT_FLAPPING] = "flapping",
		[FAULT_BLACK_HOLE] = "mtu black hole",
		[FAULT_NARROW] = "smaller mtu",
		[FAULT_CORRUPTION] = "corruption",
		[FAULT_REORDERING] = "reordering",
		[FAULT_DUPLICATES] = "duplicates",
		[FAULT_SLOW] = "slow",
		[FAULT_DELAY] = "delay",
	};

	return names[kind];
}

/* ---- dice ---- */

static bool one_in(struct rill_rand *r, uint32_t n)
{
	return rill_rand_below(r, n) == 0;
}

static uint64_t between(struct rill_rand *r, uint64_t low, uint64_t high)
{
	return low + rill_rand_below(r, (uint32_t)RILL_MIN(high - low + 1, (uint64_t)UINT32_MAX));
}

/* Each power of two from low to high is as likely as another. */
static uint64_t scaled(struct rill_rand *r, uint64_t low, uint64_t high)
{
	unsigned bits = 63u - (unsigned)__builtin_clzll(high / low);
	uint64_t at = low << rill_rand_below(r, bits + 1);

	return RILL_MIN(high, at + (uint64_t)((unsigned __int128)at * rill_rand_next(r) >> 64));
}

static uint64_t chance(struct rill_rand *r, double most)
{
	return rill_rand_below(r, (uint32_t)BED_PROB(most)) + 1;
}

/* Half of the worlds have the default. */
static const char *plan_cc(struct rill_rand *r)
{
	unsigned count = 0;

	while (cc_name(count))
		count++;
	uint32_t n = rill_rand_below(r, 2 * count);

	return n < count ? cc_name(n) : NULL;
}

/* ---- the link ---- */

static void plan_queue(struct rill_rand *r, struct rill_sim_config *c)
{
	uint64_t bdp = (uint64_t)((unsigned __int128)c->rate * 2 * c->delay_ns / (8 * SECOND));
	uint64_t least = 10 * 1514;

	if (c->rate == 0 || one_in(r, 5))
		return;
	c->queue_bytes = RILL_MAX(least, bdp * between(r, 1, 16) / 4);
	if (one_in(r, 4)) {
		c->queue_frames = c->queue_bytes / 1514;
		c->queue_bytes = 0;
	}
	if (one_in(r, 3))
		c->ecn_bytes = RILL_MAX(least, bdp) / 4;
}

static void plan_link(struct rill_rand *r, struct rill_sim_config *c)
{
	*c = (struct rill_sim_config){0};
	if (!one_in(r, 8))
		c->rate = scaled(r, 1000000, 1000000000);
	c->delay_ns = scaled(r, 5 * US, 120 * MS);
	plan_queue(r, c);
	if (one_in(r, 3))
		c->loss = chance(r, 0.02);
	if (one_in(r, 6)) {
		c->burst = chance(r, 0.004);
		c->burst_end = BED_PROB(0.25);
	}
	if (one_in(r, 4)) {
		c->reorder = chance(r, 0.1);
		c->reorder_ns = scaled(r, 10 * US, 50 * MS);
	}
	if (one_in(r, 4))
		c->jitter_ns = scaled(r, 10 * US, 20 * MS);
	if (one_in(r, 5))
		c->dup = chance(r, 0.02);
	if (one_in(r, 6))
		c->corrupt = chance(r, 0.005);
}

static void plan_links(struct rill_rand *r, struct bed_options *bed)
{
	plan_link(r, &bed->link[BED_SERVER]);
	bed->link[BED_CLIENT] = bed->link[BED_SERVER];
	if (one_in(r, 3))
		plan_link(r, &bed->link[BED_CLIENT]);
}

/* The slower direction, with something for what it loses. */
static uint64_t slowest_rate(const struct bed_options *bed)
{
	uint64_t rate = UINT64_C(1000000000);

	for (unsigned side = 0; side < BED_SIDES; side++)
		if (bed->link[side].rate)
			rate = RILL_MIN(rate, bed->link[side].rate);
	return rate;
}

static uint64_t round_trip_ns(const struct bed_options *bed)
{
	uint64_t ns = MS;

	for (unsigned side = 0; side < BED_SIDES; side++) {
		const struct rill_sim_config *c = &bed->link[side];

		ns += c->delay_ns + c->jitter_ns + c->reorder_ns;
	}
	return ns;
}

/* ---- what is done ---- */

static void plan_buffers(struct rill_rand *r, struct rill_tcp_options *o)
{
	*o = (struct rill_tcp_options){RILL_OPTIONS(*o), .nodelay = one_in(r, 2)};
	if (one_in(r, 2))
		o->send_buffer = (uint32_t)scaled(r, 4096, 1 << 20);
	if (one_in(r, 2))
		o->recv_buffer = (uint32_t)scaled(r, 4096, 1 << 20);
}

static void plan_one(struct rill_rand *r, struct plan *p, unsigned index)
{
	*p = (struct plan){.index = index};
	p->kind = (enum plan_kind)rill_rand_below(r, PLAN_KINDS);
	p->seed = rill_rand_next(r);
	p->start_ns = scaled(r, US, 2 * SECOND);
	p->up = scaled(r, one_in(r, 4) ? 1 : 4096, 500000);
	p->down = scaled(r, one_in(r, 4) ? 1 : 4096, 500000);
	if (one_in(r, 4))
		p->pause_ns = scaled(r, US, 50 * MS);
	if (p->kind == PLAN_RPC || p->kind == PLAN_SHORT) {
		p->rounds = (unsigned)between(r, 1, 20);
		p->up = scaled(r, 1, 4000);
		p->down = scaled(r, 1, 20000);
	}
	p->piece = (uint32_t)scaled(r, 1 + RILL_MAX(p->up, p->down) / 128, 16384);
	if (p->kind == PLAN_SLOW_READER)
		p->pause_ns = scaled(r, MS, 100 * MS);
	if (one_in(r, 5))
		p->impatience_ns = scaled(r, MS, SECOND);
	p->zero_copy = one_in(r, 3);
	plan_buffers(r, &p->options);
}

/* A slow reader's window closes only when it is smaller than what there is to read. */
static void plan_server(struct rill_rand *r, struct world_plan *w)
{
	plan_buffers(r, &w->server);
	for (unsigned i = 0; i < w->plan_count; i++)
		if (w->plans[i].kind == PLAN_SLOW_READER)
			w->server.recv_buffer = (uint32_t)scaled(r, 2048, 65536);
}

static void plan_faults(struct rill_rand *r, struct world_plan *w)
{
	uint64_t at = 0;

	w->fault_count = rill_rand_below(r, FAULTS_MAX + 1);
	for (unsigned i = 0; i < w->fault_count; i++) {
		struct fault *f = &w->faults[i];

		f->kind = (enum fault_kind)rill_rand_below(r, FAULT_KINDS);
		f->sides = 1 + rill_rand_below(r, 3);
		f->start_ns = at + scaled(r, MS, 2 * SECOND);
		f->dur_ns = scaled(r, 10 * MS, 5 * SECOND);
		at = f->start_ns + f->dur_ns;
	}
	w->faults_end_ns = at;
}

/* Everything, the pauses included, and most of it again and again on a lossy link. */
static uint64_t patience_of(const struct world_plan *w)
{
	uint64_t bytes = 0, pauses_ns = 0, round_trips = 100;

	for (unsigned i = 0; i < w->plan_count; i++) {
		const struct plan *p = &w->plans[i];
		uint64_t rounds = RILL_MAX(p->rounds, 1u);

		bytes += (p->up + p->down) * rounds;
		pauses_ns += 2 * p->pause_ns * rounds * (1 + (p->up + p->down) / p->piece);
		round_trips += 10 * rounds;
	}
	return 60 * SECOND + 2 * w->faults_end_ns + pauses_ns +
	       round_trips * round_trip_ns(&w->bed) +
	       20 * bytes * 8 * SECOND / slowest_rate(&w->bed);
}

void plan_world(struct world_plan *w, uint64_t seed)
{
	struct rill_rand r;

	memset(w, 0, sizeof(*w));
	rill_rand_init(&r, seed);
	w->seed = seed;
	w->bed = (struct bed_options){.seed = seed, .bufs = 2048};
	w->bed.queues = one_in(&r, 4) ? 2 : 1;
	w->bed.shuffle = one_in(&r, 2);
	w->bed.cc = plan_cc(&r);
	plan_links(&r, &w->bed);
	w->plan_count = (unsigned)between(&r, 1, PLANS_MAX);
	for (unsigned i = 0; i < w->plan_count; i++)
		plan_one(&r, &w->plans[i], i);
	plan_server(&r, w);
	plan_faults(&r, w);
	w->patience_ns = patience_of(w);
}

/* ---- faults ---- */

struct rill_sim_config fault_link(const struct fault *f, const struct rill_sim_config *base)
{
	struct rill_sim_config c = *base;

	switch (f->kind) {
	case FAULT_DOWN:
		c.down = true;
		break;
	case FAULT_LOSS:
		c.loss = BED_PROB(0.4);
		break;
	case FAULT_BURSTS:
		c.burst = BED_PROB(0.05);
		c.burst_end = BED_PROB(0.1);
		break;
	case FAULT_FLAPPING:
		c.up_ns = 70 * MS;
		c.down_ns = 130 * MS;
		break;
	case FAULT_BLACK_HOLE:
		c.mtu = 600;
		break;
	case FAULT_NARROW:
		c.mtu = 900;
		c.mtu_answer = true;
		break;
	case FAULT_CORRUPTION:
		c.corrupt = BED_PROB(0.1);
		break;
	case FAULT_REORDERING:
		c.reorder = BED_PROB(0.4);
		c.reorder_ns = 20 * MS;
		break;
	case FAULT_DUPLICATES:
		c.dup = BED_PROB(0.4);
		break;
	case FAULT_SLOW:
		c.rate = c.rate ? RILL_MAX(c.rate / 10, UINT64_C(200000)) : 10000000;
		break;
	case FAULT_DELAY:
		c.delay_ns += 300 * MS;
		break;
	case FAULT_KINDS:
		break;
	}
	return c;
}

/* ---- for people ---- */

static double percent(uint64_t prob)
{
	return 100.0 * (double)prob / (double)RILL_SPEC_PROB_ONE;
}

static void print_link(const char *whose, const struct rill_sim_config *c)
{
	printf("  %s: %.3f Mb/s, %.3f ms", whose, (double)c->rate / 1e6, (double)c->delay_ns / 1e6);
	if (c->queue_bytes)
		printf(", queue %" PRIu64 " bytes", c->queue_bytes);
	if (c->queue_frames)
		printf(", queue %" PRIu64 " frames", c->queue_frames);
	if (c->ecn_bytes)
		printf(", ECN from %" PRIu64 " bytes", c->ecn_bytes);
	if (c->loss)
		printf(", loss %.3f %%", percent(c->loss));
	if (c->burst)
		printf(", bursts %.3f %%", percent(c->burst));
	if (c->reorder)
		printf(", %.1f %% late by %.3f ms", percent(c->reorder),
		       (double)c->reorder_ns / 1e6);
	if (c->jitter_ns)
		printf(", jitter %.3f ms", (double)c->jitter_ns / 1e6);
	if (c->dup)
		printf(", twice %.3f %%", percent(c->dup));
	if (c->corrupt)
		printf(", corrupt %.3f %%", percent(c->corrupt));
	printf("\n");
}

void plan_print(const struct world_plan *w)
{
	printf("seed %" PRIu64 ": %s, %u queue%s%s, patience %.1f s\n", w->seed,
	       w->bed.cc ? w->bed.cc : "default cc", w->bed.queues, w->bed.queues == 1 ? "" : "s",
	       w->bed.shuffle ? ", tasks by lot" : "", (double)w->patience_ns / 1e9);
	print_link("from server", &w->bed.link[BED_SERVER]);
	print_link("from client", &w->bed.link[BED_CLIENT]);
	printf("  server's buffers %u/%u\n", w->server.send_buffer, w->server.recv_buffer);
	for (unsigned i = 0; i < w->plan_count; i++) {
		const struct plan *p = &w->plans[i];

		printf("  %u at %.3f s: %s, up %" PRIu64 ", down %" PRIu64 ", rounds %u, "
		       "pieces <= %u, pauses <= %.3f ms, buffers %u/%u%s%s%s\n",
		       i, (double)p->start_ns / 1e9, plan_kind_name(p->kind), p->up, p->down,
		       p->rounds, p->piece, (double)p->pause_ns / 1e6, p->options.send_buffer,
		       p->options.recv_buffer, p->options.nodelay ? ", nodelay" : "",
		       p->zero_copy ? ", no copies" : "", p->impatience_ns ? ", impatient" : "");
	}
	for (unsigned i = 0; i < w->fault_count; i++) {
		const struct fault *f = &w->faults[i];

		printf("  fault at %.3f s for %.3f s: %s%s%s\n", (double)f->start_ns / 1e9,
		       (double)f->dur_ns / 1e9, fault_kind_name(f->kind),
		       f->sides & 1u << BED_SERVER ? ", from server" : "",
		       f->sides & 1u << BED_CLIENT ? ", from client" : "");
	}
}
