/* SPDX-License-Identifier: BSD-3-Clause */
/* BBR (draft-ietf-ccwg-bbr-06) over a modelled bottleneck and step by step. */
#include "netstack/tcp/cc_bbr.h"
#include "test_tcp_cc_model.h"

#define RATE UINT64_C(12500000) /* 100 Mb/s */
#define RTT (20 * RILL_MS)
#define BDP 250000u
#define MSS 1460u
/* Reckoned at 14600 bytes in 1 ms, 2.77 times that. */
#define FIRST_PACING_RATE 40442000u

static struct rill_bbr *bbr(struct cm_flow *f)
{
	return rill_bbr(&f->e.tcb);
}

static struct cm_flow *open_path(struct cm *m, uint32_t queue)
{
	cm_init(m, RATE, RTT, queue);
	cm_flow_init(m, &rill_tcp_cc_bbr, MSS);
	return &m->flow[0];
}

/* Runs until the state is this one; at most ns. */
static bool run_to(struct cm *m, enum rill_bbr_state state, uint64_t ns)
{
	for (uint64_t end = m->now + ns; m->now < end;) {
		cm_run(m, 100 * RILL_US);
		if (bbr(&m->flow[0])->state == state)
			return true;
	}
	return false;
}

static void begins_in_startup(void **state)
{
	struct cm m;
	struct cm_flow *f = open_path(&m, 4 * BDP);

	assert_int_equal(bbr(f)->state, RILL_BBR_STARTUP);
	assert_int_equal(f->e.x.pacing_rate, FIRST_PACING_RATE);
	assert_int_equal(f->e.tcb.cwnd, 10 * MSS);
	assert_true(rill_tcp_cc_bbr.own_recovery && rill_tcp_cc_bbr.paces);
	cm_fini(&m);
}

/* log2(250,000 / 14,600) rounds to double into the BDP, three to see the plateau, one to drain. */
static void startup_finds_the_bandwidth_5_3_1(void **state)
{
	struct cm m;
	struct cm_flow *f = open_path(&m, 4 * BDP);

	assert_true(run_to(&m, RILL_BBR_DRAIN, 15 * RTT));
	cc_assert_near(bbr(f)->max_bw, RATE, 20);
	cc_assert_near(bbr(f)->min_rtt_ns, RTT, 20);
	assert_true(bbr(f)->full_bw_reached);
	assert_int_equal(m.drops, 0);
	/* Drained, it passes through DOWN at once (5.3.2, 5.3.3.9). */
	assert_true(run_to(&m, RILL_BBR_CRUISE, 6 * RTT));
	assert_true(rill_tcp_pipe(&f->e.tcb) <= BDP + 10 * MSS);
	cm_fini(&m);
}

static void probe_bw_cycle_5_3_3(void **state)
{
	static const struct {
		enum rill_bbr_state state;
		uint32_t gain;
		uint64_t within_ns;
	} steps[] = {
		{RILL_BBR_CRUISE, 100, RILL_SEC}, {RILL_BBR_REFILL, 100, 3200 * RILL_MS},
		{RILL_BBR_UP, 125, 2 * RTT},	  {RILL_BBR_DOWN, 90, 10 * RTT},
		{RILL_BBR_CRUISE, 100, 10 * RTT},
	};
	struct cm m;
	struct cm_flow *f = open_path(&m, 4 * BDP);

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(steps); i++) {
		assert_true(run_to(&m, steps[i].state, steps[i].within_ns));
		assert_int_equal(rill_bbr_pacing_gain(bbr(f)), steps[i].gain);
		cc_assert_near(bbr(f)->max_bw, RATE, 20);
	}
	/* 1 % below the bandwidth (5.6.2). */
	cm_run(&m, RTT);
	cc_assert_near(f->e.x.pacing_rate, RATE * 99 / 100, 20);
	cm_fini(&m);
}

/* 62 or 63 rounds at most pass between probes, though 2 to 3 s did not (5.3.3.8.2). */
static void probes_as_often_as_reno_would(void **state)
{
	struct cm m;
	uint64_t start;

	open_path(&m, 4 * BDP);
	assert_true(run_to(&m, RILL_BBR_UP, 3 * RILL_SEC));
	assert_true(run_to(&m, RILL_BBR_CRUISE, RILL_SEC));
	start = m.now;
	assert_true(run_to(&m, RILL_BBR_REFILL, 3 * RILL_SEC));
	assert_in_range(m.now - start, 55 * RTT, 70 * RTT);
	cm_fini(&m);
}

static void cwnd_is_two_bdp(void **state)
{
	struct cm m;
	struct cm_flow *f = open_path(&m, 4 * BDP);

	cm_run(&m, RILL_SEC);
	assert_true(run_to(&m, RILL_BBR_CRUISE, 2 * RILL_SEC));
	cm_run(&m, 10 * RTT);
	/* and what aggregation was seen, which here is nothing */
	assert_in_range(f->e.tcb.cwnd, 2 * BDP * 97 / 100, 2 * BDP * 115 / 100);
	cm_fini(&m);
}

/* Every 5 s, for 200 ms, with half a BDP in flight (5.3.4). */
static void probe_rtt_5_3_4(void **state)
{
	struct cm m;
	struct cm_flow *f = open_path(&m, 4 * BDP);
	uint64_t first, start;
	uint32_t least = UINT32_MAX;

	assert_true(run_to(&m, RILL_BBR_PROBE_RTT, 6 * RILL_SEC));
	assert_in_range(m.now, 5900 * RILL_MS, 6100 * RILL_MS); /* the clock began at 1 s */
	first = m.now;
	while (bbr(f)->state == RILL_BBR_PROBE_RTT) {
		cm_run(&m, RILL_MS);
		least = RILL_MIN(least, rill_tcp_pipe(&f->e.tcb));
	}
	assert_in_range(m.now - first, 200 * RILL_MS, 270 * RILL_MS);
	assert_in_range(least, BDP / 2 - 10 * MSS, BDP / 2 * 102 / 100);
	cc_assert_near(bbr(f)->min_rtt_ns, RTT, 10);
	assert_int_equal(bbr(f)->state, RILL_BBR_CRUISE);
	assert_true(f->e.tcb.cwnd > BDP);	  /* restored */
	cc_assert_near(bbr(f)->max_bw, RATE, 20); /* low samples did not count */
	start = m.now;
	assert_true(run_to(&m, RILL_BBR_PROBE_RTT, 6 * RILL_SEC));
	assert_in_range(m.now - start, 4900 * RILL_MS, 5200 * RILL_MS);
	cm_fini(&m);
}

/* The path becomes longer: within 10 s and a ProbeRTT that is believed (5.5.7.2). */
static void min_rtt_window_5_5_7(void **state)
{
	struct cm m;
	struct cm_flow *f = open_path(&m, 4 * BDP);

	cm_run(&m, 2 * RILL_SEC);
	m.delay_ns = 2 * RTT;
	cm_run(&m, 4 * RILL_SEC);
	cc_assert_near(bbr(f)->min_rtt_ns, RTT, 20);
	cm_run(&m, 20 * RILL_SEC);
	cc_assert_near(bbr(f)->min_rtt_ns, 2 * RTT, 50);
	m.delay_ns = RTT;
	cm_run(&m, RILL_SEC);
	cc_assert_near(bbr(f)->min_rtt_ns, RTT, 50); /* shorter: at once */
	cm_fini(&m);
}

/* A buffer of a tenth of a BDP: probes lose, and the long-term bound remembers it (5.5.10.2). */
static void shallow_buffer_sets_longterm_bound(void **state)
{
	struct cm m;
	struct cm_flow *f = open_path(&m, BDP / 10);
	struct cm_report r;

	cm_run(&m, 10 * RILL_SEC);
	assert_in_range(bbr(f)->inflight_longterm, BDP * 7 / 10, BDP * 13 / 10);
	assert_true(f->e.tcb.cwnd <= bbr(f)->inflight_longterm);
	r = cm_measure(&m, 20 * RILL_SEC);
	assert_in_range(r.permille, 850, 1000);
	assert_in_range(r.lost_permille, 0, 20);
	cm_fini(&m);
}

/* Beyond 2 % over the round, and no less (5.5.10.2). */
static void loss_threshold(void **state)
{
	struct cm m;
	struct cm_flow *f = open_path(&m, 4 * BDP);

	assert_false(rill_bbr_too_high(&f->e.tcb, 2000, 100000));
	assert_true(rill_bbr_too_high(&f->e.tcb, 2001, 100000));
	f->e.tcb.flags &= ~(uint32_t)RILL_TCB_SACK;
	assert_false(rill_bbr_too_high(&f->e.tcb, 0, 100000));
	assert_true(rill_bbr_too_high(&f->e.tcb, 1, 100000));
	cm_fini(&m);
}

/* A path with 30 % random loss for a while: bounds go down by 0.7 a round at most, then recover. */
static void short_term_bounds_5_5_10_3(void **state)
{
	struct cm m;
	struct cm_flow *f = open_path(&m, 4 * BDP);
	uint64_t before;

	cm_run(&m, RILL_SEC);
	assert_true(run_to(&m, RILL_BBR_CRUISE, 3 * RILL_SEC));
	assert_true(bbr(f)->bw_shortterm == UINT64_MAX);
	before = bbr(f)->bw;
	m.loss_permille = 300;
	cm_run(&m, 3 * RTT);
	assert_true(bbr(f)->bw_shortterm < before);
	assert_true(bbr(f)->bw_shortterm >= before * 7 / 10 * 7 / 10 * 7 / 10);
	assert_true(bbr(f)->inflight_shortterm != UINT32_MAX);
	m.loss_permille = 0;
	assert_true(run_to(&m, RILL_BBR_REFILL, 3 * RILL_SEC));
	assert_true(bbr(f)->bw_shortterm == UINT64_MAX); /* forgotten */
	cm_run(&m, 20 * RTT);
	cc_assert_near(bbr(f)->max_bw, RATE, 30);
	cm_fini(&m);
}

/* An application that sends a tenth does not make the path look slow (5.5.4). */
static void app_limited_does_not_lower_bw(void **state)
{
	struct cm m;
	struct cm_flow *f = open_path(&m, 4 * BDP);

	cm_run(&m, 2 * RILL_SEC);
	cc_assert_near(bbr(f)->max_bw, RATE, 20);
	f->app_bytes_per_sec = RATE / 10;
	f->starts_at = m.now; /* the budget begins here */
	f->sent_bytes = 0;
	cm_run(&m, 30 * RILL_SEC);
	cc_assert_near(bbr(f)->max_bw, RATE, 30);
	cm_fini(&m);
}

/* After silence: paced at the bandwidth, no ProbeRTT, cwnd as it was (5.4.1). */
static void restart_from_idle_5_4(void **state)
{
	struct cm m;
	struct cm_flow *f = open_path(&m, 4 * BDP);
	uint32_t cwnd;

	cm_run(&m, RILL_SEC);
	assert_true(run_to(&m, RILL_BBR_CRUISE, 3 * RILL_SEC));
	f->stops_at = m.now;
	cm_run(&m, RILL_SEC);
	assert_int_equal(rill_tcp_pipe(&f->e.tcb), 0);
	rill_tcp_pace_on_timer(&f->e.tcb, m.now);
	rill_tcp_rate_check_app_limited(&f->e.tcb);
	cwnd = f->e.tcb.cwnd;
	cm_run(&m, 60 * RILL_SEC);
	f->e.tcb.cc->on_idle(&f->e.tcb, &f->e.env, m.now);
	assert_int_equal(f->e.tcb.cwnd, cwnd);
	f->starts_at = m.now;
	f->stops_at = UINT64_MAX;
	f->e.tcb.cc->on_send(&f->e.tcb, MSS, m.now);
	assert_true(bbr(f)->idle_restart);
	cc_assert_near(f->e.x.pacing_rate, RATE * 99 / 100, 30);
	cm_run(&m, 5 * RTT);
	assert_int_not_equal(bbr(f)->state, RILL_BBR_PROBE_RTT);
	cc_assert_near(bbr(f)->max_bw, RATE, 30);
	cm_fini(&m);
}

/* CE while it accelerates ends the probe; 3.7 asks for an answer. */
static void ce_is_congestion_3_7(void **state)
{
	struct cm m;
	struct cm_flow *f = open_path(&m, 4 * BDP);

	m.mark_above = 20 * MSS;
	assert_true(run_to(&m, RILL_BBR_DRAIN, 10 * RTT));
	assert_true(bbr(f)->inflight_longterm < UINT32_MAX);
	assert_int_equal(m.drops, 0);
	cm_run(&m, RILL_SEC);
	assert_true(run_to(&m, RILL_BBR_UP, 3 * RILL_SEC));
	assert_true(run_to(&m, RILL_BBR_DOWN, 10 * RTT));
	assert_true(bbr(f)->prev_probe_too_high);
	cm_fini(&m);
}

/* 5.6.4.4: cwnd comes back when losses are repaired; 5.5.11: all of it when there were none. */
static void cwnd_is_saved_and_restored(void **state)
{
	struct cm m;
	struct cm_flow *f = open_path(&m, 4 * BDP);
	struct rill_tcb *tcb = &f->e.tcb;
	uint32_t cwnd;

	cm_run(&m, RILL_SEC);
	assert_true(run_to(&m, RILL_BBR_CRUISE, 3 * RILL_SEC));
	cwnd = tcb->cwnd;
	tcb->cc->on_event(tcb, RILL_TCP_CC_RTO, rill_tcp_pipe(tcb), m.now);
	assert_int_equal(tcb->cwnd, MSS);
	tcb->cc->on_recovered(tcb, m.now);
	assert_int_equal(tcb->cwnd, cwnd);
	cm_fini(&m);
}

static void spurious_loss_returns_to_startup_5_5_11(void **state)
{
	struct cm m;
	struct cm_flow *f = open_path(&m, 4 * BDP);
	struct rill_tcb *tcb = &f->e.tcb;

	cm_run(&m, 3 * RTT);
	assert_int_equal(bbr(f)->state, RILL_BBR_STARTUP);
	tcb->cc->on_event(tcb, RILL_TCP_CC_ECN, rill_tcp_pipe(tcb), m.now);
	cm_run(&m, RTT / 2);
	assert_int_not_equal(bbr(f)->state, RILL_BBR_STARTUP);
	tcb->cc->on_undo(tcb, m.now);
	assert_int_equal(bbr(f)->state, RILL_BBR_STARTUP);
	assert_false(bbr(f)->full_bw_reached);
	cm_run(&m, RILL_SEC);
	cc_assert_near(bbr(f)->max_bw, RATE, 20);
	cm_fini(&m);
}

/* 6 ranges and 2 % in a round of recovery end Startup (5.3.1.3): a shallow buffer is not flooded.
 */
static void startup_ends_on_heavy_loss(void **state)
{
	struct cm m;
	struct cm_flow *f = open_path(&m, 4 * BDP);

	m.loss_permille = 150;
	assert_true(run_to(&m, RILL_BBR_DRAIN, 60 * RTT));
	assert_true(bbr(f)->full_bw_count < 3);
	assert_true(bbr(f)->inflight_longterm < UINT32_MAX);
	cm_fini(&m);
}

static void products_do_not_overflow(void **state)
{
	assert_int_equal(rill_bbr_volume(RILL_BBR_BW_MAX, RILL_BBR_TIME_MAX_NS),
			 RILL_BBR_BW_MAX * 100);
	assert_int_equal(rill_bbr_volume(RILL_BBR_BW_MAX, (UINT64_C(1) << 27) - 1),
			 UINT64_C(9223371968135299072) / RILL_SEC);
	assert_int_equal(rill_bbr_volume(1000000000, 1), 1);
	assert_int_equal(rill_bbr_volume(0, RILL_SEC), 0);
}

/* 1 us and 10 s, one segment of 88 bytes and jumbo frames. */
static void odd_paths(void **state)
{
	static const struct {
		uint64_t rate, rtt_ns;
		uint16_t mss;
		uint16_t permille;
	} cases[] = {
		{UINT64_C(5000000000), 1000, 8960, 950},
		{125000000, 1000, 88, 950},
		{125000, 500 * RILL_MS, 88, 850},
		/* With round trips of 10 s there is more ProbeRTT than anything else. */
		{12500, 10 * RILL_SEC, 536, 500},
		{UINT64_C(1250000000), 100 * RILL_US, 1460, 950},
	};
	struct cm m;

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(cases); i++) {
		uint64_t bdp = cases[i].rate * cases[i].rtt_ns / RILL_SEC;
		uint64_t ns = RILL_MAX(cases[i].rtt_ns * 60, 200 * RILL_MS);
		struct cm_report r;

		cm_init(&m, cases[i].rate, cases[i].rtt_ns,
			(uint32_t)(4 * bdp + 100 * cases[i].mss));
		cm_flow_init(&m, &rill_tcp_cc_bbr, cases[i].mss);
		cm_run(&m, ns);
		r = cm_measure(&m, ns);
		assert_in_range(r.permille, cases[i].permille, 1010);
		cm_fini(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CC_T(begins_in_startup),
		CC_T(startup_finds_the_bandwidth_5_3_1),
		CC_T(probe_bw_cycle_5_3_3),
		CC_T(probes_as_often_as_reno_would),
		CC_T(cwnd_is_two_bdp),
		CC_T(probe_rtt_5_3_4),
		CC_T(min_rtt_window_5_5_7),
		CC_T(shallow_buffer_sets_longterm_bound),
		CC_T(loss_threshold),
		CC_T(short_term_bounds_5_5_10_3),
		CC_T(app_limited_does_not_lower_bw),
		CC_T(restart_from_idle_5_4),
		CC_T(ce_is_congestion_3_7),
		CC_T(cwnd_is_saved_and_restored),
		CC_T(spurious_loss_returns_to_startup_5_5_11),
		CC_T(startup_ends_on_heavy_loss),
		CC_T(products_do_not_overflow),
		CC_T(odd_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
