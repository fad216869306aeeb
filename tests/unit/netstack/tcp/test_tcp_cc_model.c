/* SPDX-License-Identifier: BSD-3-Clause */
/* Each algorithm over a bottleneck: how much of it is used, how long the queue is, who gets what.
 */
#include "test_tcp_cc_model.h"

#include <stdio.h>

#define MBPS100 UINT64_C(12500000)
#define GBPS1 UINT64_C(125000000)
#define MSS 1460

struct scene {
	const char *cc;
	uint64_t rate, rtt_ns;
	uint32_t queue, mark_above, loss_permille;
	unsigned flows;
	/* What is to be reached, after ten seconds. */
	uint32_t permille, queue_most, lost_most;
	uint32_t share_from, share_to;
};

static const struct scene scenes[] = {
	/* A buffer of a BDP keeps a saw-tooth full, at the price of the queue. */
	{"cubic", MBPS100, 20 * RILL_MS, 250000, 0, 0, 1, 990, 220000, 2, 1000, 1000},
	{"reno", MBPS100, 20 * RILL_MS, 250000, 0, 0, 1, 990, 200000, 2, 1000, 1000},
	{"dctcp", MBPS100, 20 * RILL_MS, 250000, 0, 0, 1, 990, 200000, 2, 1000, 1000},
	{"bbr", MBPS100, 20 * RILL_MS, 250000, 0, 0, 1, 950, 40000, 2, 1000, 1000},
	/* A quarter of that. */
	{"cubic", MBPS100, 20 * RILL_MS, 62500, 0, 0, 1, 960, 62500, 2, 1000, 1000},
	{"reno", MBPS100, 20 * RILL_MS, 62500, 0, 0, 1, 860, 62500, 2, 1000, 1000},
	{"bbr", MBPS100, 20 * RILL_MS, 62500, 0, 0, 1, 950, 20000, 5, 1000, 1000},
	/* Four times as much: who looks at losses alone fills it. */
	{"cubic", MBPS100, 20 * RILL_MS, 1000000, 0, 0, 1, 990, 1000000, 2, 1000, 1000},
	{"bbr", MBPS100, 20 * RILL_MS, 1000000, 0, 0, 1, 950, 40000, 2, 1000, 1000},
	/* Marks: no loss at all, and DCTCP holds the queue at the mark. */
	{"cubic", MBPS100, 20 * RILL_MS, 250000, 40000, 0, 1, 930, 40000, 0, 1000, 1000},
	{"reno", MBPS100, 20 * RILL_MS, 250000, 40000, 0, 1, 900, 40000, 0, 1000, 1000},
	{"dctcp", MBPS100, 20 * RILL_MS, 250000, 40000, 0, 1, 990, 45000, 0, 1000, 1000},
	{"bbr", MBPS100, 20 * RILL_MS, 250000, 40000, 0, 1, 950, 30000, 0, 1000, 1000},
	/* One in a hundred lost at random: MSS / RTT * 1.22 / sqrt(p) is 71 per mille of it. */
	{"cubic", MBPS100, 20 * RILL_MS, 250000, 0, 10, 1, 60, 5000, 15, 1000, 1000},
	{"reno", MBPS100, 20 * RILL_MS, 250000, 0, 10, 1, 55, 5000, 15, 1000, 1000},
	{"bbr", MBPS100, 20 * RILL_MS, 250000, 0, 10, 1, 850, 40000, 15, 1000, 1000},
	/* A data centre. */
	{"cubic", GBPS1, 200 * RILL_US, 300000, 60000, 0, 1, 990, 60000, 0, 1000, 1000},
	{"dctcp", GBPS1, 200 * RILL_US, 300000, 60000, 0, 1, 990, 66000, 0, 1000, 1000},
	{"bbr", GBPS1, 200 * RILL_US, 300000, 60000, 0, 1, 960, 40000, 0, 1000, 1000},
	/* Two of a kind; the second comes a second later. */
	{"cubic", MBPS100, 20 * RILL_MS, 250000, 0, 0, 2, 990, 220000, 5, 380, 620},
	{"reno", MBPS100, 20 * RILL_MS, 250000, 0, 0, 2, 990, 200000, 5, 400, 600},
	{"dctcp", MBPS100, 20 * RILL_MS, 250000, 40000, 0, 2, 990, 45000, 0, 400, 600},
	{"bbr", MBPS100, 20 * RILL_MS, 250000, 0, 0, 2, 960, 200000, 5, 330, 670},
	{"bbr", GBPS1, 200 * RILL_US, 300000, 0, 0, 2, 980, 80000, 5, 400, 600},
};

static void check(const struct scene *sc, const struct cm_report *r)
{
	bool good = r->permille >= sc->permille && r->permille <= 1001 &&
		    r->queue_bytes <= sc->queue_most && r->lost_permille <= sc->lost_most &&
		    r->share >= sc->share_from && r->share <= sc->share_to;

	if (!good)
		print_error("%s %lu B/s %lu us queue %u mark %u loss %u flows %u: "
			    "use %lu queue %lu lost %lu share %lu rtt %lu us\n",
			    sc->cc, sc->rate, sc->rtt_ns / RILL_US, sc->queue, sc->mark_above,
			    sc->loss_permille, sc->flows, r->permille, r->queue_bytes,
			    r->lost_permille, r->share, r->rtt_us);
	assert_true(good);
}

static void play(struct cm *m, const struct scene *sc)
{
	struct cm_report r;

	cm_init(m, sc->rate, sc->rtt_ns, sc->queue);
	m->mark_above = sc->mark_above;
	m->loss_permille = sc->loss_permille;
	for (unsigned i = 0; i < sc->flows; i++) {
		cm_flow_init(m, rill_tcp_cc_find(sc->cc), MSS);
		m->flow[i].starts_at = m->now + i * RILL_SEC;
	}
	cm_run(m, 10 * RILL_SEC);
	r = cm_measure(m, 20 * RILL_SEC);
	check(sc, &r);
	cm_fini(m);
}

static void steady_state(void **state)
{
	struct cm m;

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(scenes); i++)
		play(&m, &scenes[i]);
}

/* A buffer of a BDP: plain slow start overshoots by all of it (RFC 9406, 1). */
static void hystart_loses_less_than_slow_start(void **state)
{
	uint64_t lost[2];
	struct cm m;

	for (unsigned i = 0; i < 2; i++) {
		cm_init(&m, MBPS100, 50 * RILL_MS, 600000);
		cm_flow_init(&m, i ? &rill_tcp_cc_newreno : &rill_tcp_cc_cubic, MSS);
		cm_run(&m, RILL_SEC);
		lost[i] = m.drops;
		cm_fini(&m);
	}
	assert_true(lost[1] > 100);
	assert_in_range(lost[0], 0, lost[1] * 6 / 10);
}

/* Paced as slowly as the application asks for, cwnd does not matter. */
static void max_pacing_rate(void **state)
{
	struct cm_report r;
	struct cm m;

	for (unsigned i = 0; rill_tcp_cc_all[i]; i++) {
		cm_init(&m, MBPS100, 20 * RILL_MS, 250000);
		cm_flow_init(&m, rill_tcp_cc_all[i], MSS);
		m.flow[0].e.env.settings.max_pacing_rate = MBPS100 / 4;
		rill_tcp_pace_update(&m.flow[0].e.tcb, &m.flow[0].e.env);
		cm_run(&m, 2 * RILL_SEC);
		r = cm_measure(&m, 5 * RILL_SEC);
		assert_in_range(r.permille, 230, 251);
		assert_in_range(r.queue_bytes, 0, 2 * MSS);
		cm_fini(&m);
	}
}

/* The path becomes ten times as slow, and fast again. */
static void the_rate_changes(void **state)
{
	struct cm_report r;
	struct cm m;

	for (unsigned i = 0; rill_tcp_cc_all[i]; i++) {
		cm_init(&m, MBPS100, 20 * RILL_MS, 250000);
		cm_flow_init(&m, rill_tcp_cc_all[i], MSS);
		cm_run(&m, 5 * RILL_SEC);
		m.rate = MBPS100 / 10;
		cm_run(&m, 15 * RILL_SEC);
		r = cm_measure(&m, 10 * RILL_SEC);
		assert_in_range(r.permille, 900, 1001);
		m.rate = MBPS100;
		cm_run(&m, 30 * RILL_SEC);
		r = cm_measure(&m, 10 * RILL_SEC);
		assert_in_range(r.permille, 900, 1001);
		cm_fini(&m);
	}
}

static void the_same_twice(void **state)
{
	struct cm m;

	for (unsigned i = 0; rill_tcp_cc_all[i]; i++) {
		uint64_t delivered[2];

		for (unsigned k = 0; k < 2; k++) {
			cm_init(&m, MBPS100, 20 * RILL_MS, 250000);
			m.loss_permille = 3;
			cm_flow_init(&m, rill_tcp_cc_all[i], MSS);
			cm_run(&m, 5 * RILL_SEC);
			delivered[k] = m.flow[0].delivered_bytes;
			cm_fini(&m);
		}
		assert_int_equal(delivered[0], delivered[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CC_T(steady_state),    CC_T(hystart_loses_less_than_slow_start),
		CC_T(max_pacing_rate), CC_T(the_rate_changes),
		CC_T(the_same_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
