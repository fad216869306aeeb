/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/world.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "tests/sim/apps.h"

#define SECOND UINT64_C(1000000000)
#define PORT 80

/* After the applications are done: TIME-WAIT, a FIN-WAIT-2 before it, and a FIN that was lost. */
#define GONE_NS (150 * SECOND)
#define GONE_LOOK_NS (3 * SECOND)

/* Turns of the runtime: at most so many for each frame, each call and each second. */
#define TURNS_PER_FRAME 4
#define TURNS_PER_CALL 8
#define TURNS_PER_SECOND 60
#define TURNS_AT_LEAST 1000

/* How often the clients are looked after. */
#define LOOK_NS (SECOND / 10)

void world_fail(struct world *w, const char *fmt, ...)
{
	va_list args;

	if (w->failed)
		return;
	w->failed = true;
	va_start(args, fmt);
	vsnprintf(w->failure, sizeof(w->failure), fmt, args);
	va_end(args);
}

uint64_t world_deadline(const struct world *w)
{
	return BED_START_NS + w->plan.faults_end_ns + w->plan.patience_ns;
}

/* ---- faults ---- */

static void set_links(struct world *w, const struct fault *f)
{
	for (enum bed_side side = 0; side < BED_SIDES; side++) {
		const struct rill_sim_config *base = &w->plan.bed.link[side];
		struct rill_sim_config c = *base;

		if (f && f->sides & 1u << side)
			c = fault_link(f, base);
		RILL_ASSERT_CMP(rill_sim_set(w->bed->sim, side, &c), ==, 0);
	}
}

static void *faults_task(void *arg)
{
	struct world *w = arg;

	for (unsigned i = 0; i < w->plan.fault_count; i++) {
		const struct fault *f = &w->plan.faults[i];

		rill_sleep_until(BED_START_NS + f->start_ns);
		set_links(w, f);
		rill_sleep_until(BED_START_NS + f->start_ns + f->dur_ns);
		set_links(w, NULL);
	}
	return NULL;
}

/* ---- checks ---- */

static void report_stuck(struct world *w, const struct plan *p, enum bed_side side)
{
	const struct plan_end *end = &p->ends[side];
	struct rill_tcp_info info = {.state = "none"};

	if (end->conn)
		rill_tcp_info(end->conn, &info);
	fprintf(stderr,
		"  plan %u (%s) %s: sent %" PRIu64 ", received %" PRIu64 ", state %s, rto %u us, "
		"cwnd %u, snd_wnd %u, rcv_wnd %u, unsent %u, unacked %u, unread %u, "
		"retransmits %" PRIu64 ", rtos %" PRIu64 "\n",
		p->index, plan_kind_name(p->kind), side == BED_CLIENT ? "client" : "server",
		end->sent, end->received, info.state, info.rto_us, info.cwnd, info.snd_wnd,
		info.rcv_wnd, info.unsent, info.unacked, info.unread, info.retransmits,
		info.rto_count);
}

static void check_liveness(struct world *w)
{
	for (unsigned i = 0; i < w->plan.plan_count; i++) {
		const struct plan *p = &w->plan.plans[i];

		if (p->ends[BED_CLIENT].done)
			continue;
		if (!w->failed)
			for (enum bed_side side = 0; side < BED_SIDES; side++)
				report_stuck(w, p, side);
		world_fail(w, "plan %u (%s) is not done %.1f s after the last fault", i,
			   plan_kind_name(p->kind), (double)w->plan.patience_ns / 1e9);
	}
}

static void check_ends(struct world *w, const struct plan *p)
{
	const struct plan_end *client = &p->ends[BED_CLIENT], *server = &p->ends[BED_SERVER];
	bool aborted = p->kind == PLAN_ABORT_CLIENT || p->kind == PLAN_ABORT_SERVER;

	if (client->received > server->sent ||
	    (server->received > client->sent && p->kind != PLAN_ABORT_CLIENT))
		world_fail(w, "plan %u: more was received than sent", p->index);
	if (aborted || p->kind == PLAN_REFUSED)
		return;
	if (!server->done || client->connections != server->connections)
		world_fail(w, "plan %u: the client had %u connections, the server %u", p->index,
			   client->connections, server->connections);
	if (client->received != server->sent || server->received != client->sent)
		world_fail(w,
			   "plan %u: client %" PRIu64 " -> server %" PRIu64 ", server %" PRIu64
			   " -> client %" PRIu64,
			   p->index, client->sent, server->received, server->sent,
			   client->received);
}

/* Until no connection is left on either side. */
static void check_gone(struct world *w, struct world_result *result)
{
	uint64_t start = rill_now(), left[BED_SIDES];

	do {
		for (enum bed_side side = 0; side < BED_SIDES; side++)
			left[side] = bed_metric(w->bed, side, "tcp_connections");
		if (left[BED_SERVER] + left[BED_CLIENT] == 0)
			break;
		rill_sleep(GONE_LOOK_NS);
	} while (rill_now() - start < GONE_NS);
	result->gone_ns = bed_now();
	if (left[BED_SERVER] + left[BED_CLIENT] > 0)
		world_fail(w,
			   "%.0f s after the end there are %" PRIu64 " connections at the server, "
			   "%" PRIu64 " at the client",
			   (double)GONE_NS / 1e9, left[BED_SERVER], left[BED_CLIENT]);
	/* What is still in flight has its time, too. */
	rill_sleep(SECOND);
	for (enum bed_side side = 0; side < BED_SIDES; side++) {
		uint32_t out = rill_sim_buffers_out(w->bed->sim, side);

		if (out > 0)
			world_fail(w, "%u buffers of the %s's did not come back", out,
				   side == BED_CLIENT ? "client" : "server");
	}
}

/* No timer storm. */
static void check_quiet(struct world *w, struct world_result *result)
{
	uint64_t limit = TURNS_AT_LEAST + TURNS_PER_FRAME * w->bed->frames +
			 TURNS_PER_CALL * w->calls + TURNS_PER_SECOND * (bed_now() / SECOND);

	result->turns = bed_turns(w->bed);
	result->calls = w->calls;
	if (result->turns > limit)
		world_fail(w,
			   "%" PRIu64 " turns for %" PRIu64 " frames and %" PRIu64
			   " calls in %.1f s: at most %" PRIu64,
			   result->turns, w->bed->frames, w->calls, (double)bed_now() / 1e9, limit);
}

/* ---- the whole ---- */

static void listen_on(struct world *w)
{
	struct rill_addr local = {.port = PORT};

	RILL_ASSERT_CMP(
		rill_tcp_listen(w->bed->net[BED_SERVER], &local, &w->plan.server, &w->listener), ==,
		0);
}

static struct rill_task *spawn(void *(*fn)(void *), void *arg)
{
	struct rill_task *t = NULL;

	RILL_ASSERT_CMP(rill_spawn(fn, arg, &t), ==, 0);
	return t;
}

/* Joins by the deadline, or aborts. */
static void join(struct rill_task *t, uint64_t deadline)
{
	struct rill_scope scope;

	rill_scope_begin(&scope, deadline, NULL);
	int r = rill_join(t, NULL);

	rill_scope_end(&scope);
	if (r >= 0)
		return;
	rill_abort(t);
	RILL_ASSERT_CMP(rill_join(t, NULL), >=, 0);
}

static void run_apps(struct world *w, struct world_result *result)
{
	struct app apps[PLANS_MAX];
	struct rill_task *clients[PLANS_MAX];
	uint64_t deadline = world_deadline(w);

	listen_on(w);
	struct rill_task *server = spawn(app_server, w), *faults = spawn(faults_task, w);

	for (unsigned i = 0; i < w->plan.plan_count; i++) {
		apps[i] = (struct app){w, &w->plan.plans[i]};
		clients[i] = spawn(app_client, &apps[i]);
	}
	while (!w->failed && rill_now() < deadline) {
		bool done = true;

		for (unsigned i = 0; i < w->plan.plan_count; i++)
			done &= rill_is_finished(clients[i]);
		if (done)
			break;
		rill_sleep(LOOK_NS);
	}
	result->done_ns = bed_now();
	check_liveness(w);
	if (w->failed)
		deadline = rill_now();
	for (unsigned i = 0; i < w->plan.plan_count; i++)
		join(clients[i], deadline);
	rill_listener_shutdown(w->listener);
	join(server, deadline);
	rill_abort(faults);
	RILL_ASSERT_CMP(rill_join(faults, NULL), >=, 0);
	set_links(w, NULL);
	rill_listener_close(w->listener);
}

static int live(struct bed *bed, void *arg)
{
	void **args = arg;
	struct world *w = args[0];
	struct world_result *result = args[1];

	w->bed = bed;
	run_apps(w, result);
	for (unsigned i = 0; i < w->plan.plan_count && !w->failed; i++)
		check_ends(w, &w->plan.plans[i]);
	if (!w->failed)
		check_gone(w, result);
	check_quiet(w, result);
	result->hash = bed->hash;
	result->frames = bed->frames;
	return 0;
}

void world_run(uint64_t seed, const struct world_options *o, struct world_result *ret_result)
{
	static struct world w;
	void *args[] = {&w, ret_result};

	memset(&w, 0, sizeof(w));
	memset(ret_result, 0, sizeof(*ret_result));
	plan_world(&w.plan, seed);
	w.plan.bed.print = o->print;
	if (o->verbose)
		plan_print(&w.plan);
	bed_run(&w.plan.bed, live, args);
	ret_result->failed = w.failed;
	memcpy(ret_result->failure, w.failure, sizeof(w.failure));
}
