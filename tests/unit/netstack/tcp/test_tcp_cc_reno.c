/* SPDX-License-Identifier: BSD-3-Clause */
/* The names, the initial window, and NewReno (RFC 5681, 3465, 6928, 8511). */
#include "test_tcp_cc.h"

static void names(void **state)
{
	unsigned n = 0;

	for (; rill_tcp_cc_all[n]; n++)
		assert_ptr_equal(rill_tcp_cc_find(rill_tcp_cc_all[n]->name), rill_tcp_cc_all[n]);
	assert_int_equal(n, 4);
	assert_ptr_equal(rill_tcp_cc_find("cubic"), &rill_tcp_cc_cubic);
	assert_ptr_equal(rill_tcp_cc_find("newreno"), &rill_tcp_cc_newreno);
	assert_ptr_equal(rill_tcp_cc_find("dctcp"), &rill_tcp_cc_dctcp);
	assert_ptr_equal(rill_tcp_cc_find("bbr"), &rill_tcp_cc_bbr);
	assert_null(rill_tcp_cc_find("vegas"));
	assert_null(rill_tcp_cc_find(""));
}

static void every_op_that_must_be_there_is(void **state)
{
	for (unsigned i = 0; rill_tcp_cc_all[i]; i++) {
		assert_non_null(rill_tcp_cc_all[i]->init);
		assert_non_null(rill_tcp_cc_all[i]->on_ack);
		assert_non_null(rill_tcp_cc_all[i]->on_event);
		assert_non_null(rill_tcp_cc_all[i]->on_idle);
	}
}

static void initial_window_rfc6928(void **state)
{
	static const struct {
		uint16_t mss;
		uint32_t window;
	} cases[] = {{88, 880}, {536, 5360}, {1460, 14600}, {2000, 14600}, {8960, 17920}};
	struct cc_end e;

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(cases); i++) {
		cc_open(&e, &rill_tcp_cc_newreno, cases[i].mss);
		assert_int_equal(e.tcb.cwnd, cases[i].window);
	}
	/* RFC 5681, 3.1: the SYN was lost. */
	e.tcb.flags |= RILL_TCB_SYN_RESENT;
	assert_int_equal(rill_tcp_initial_window(&e.tcb, &e.env), 8960);
}

static void a_second_transfer_keeps_cwnd(void **state)
{
	struct cc_end e;

	for (unsigned i = 0; rill_tcp_cc_all[i]; i++) {
		cc_open(&e, rill_tcp_cc_all[i], CC_MSS);
		e.tcb.cwnd = 77 * CC_MSS;
		memset(e.x.cc_priv, 0, sizeof(e.x.cc_priv));
		e.tcb.cc->init(&e.tcb, &e.env, e.now);
		assert_int_equal(e.tcb.cwnd, 77 * CC_MSS);
	}
}

static void slow_start_counts_bytes_rfc3465(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_newreno, CC_MSS);
	cc_on_ack(&e, 400);
	assert_int_equal(e.tcb.cwnd, 10400);
	cc_on_ack(&e, 2000);
	assert_int_equal(e.tcb.cwnd, 12400);
	cc_on_ack(&e, 5000); /* L = 2 */
	assert_int_equal(e.tcb.cwnd, 14400);
	e.tcb.recover = e.tcb.snd_una + 9000; /* a timeout is being repaired: L = 1 */
	cc_on_ack(&e, 2000);
	assert_int_equal(e.tcb.cwnd, 15400);
}

static void one_segment_for_each_window_in_congestion_avoidance(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_newreno, CC_MSS);
	e.tcb.ssthresh = e.tcb.cwnd;
	for (unsigned i = 0; i < 9; i++)
		cc_on_ack(&e, CC_MSS);
	assert_int_equal(e.tcb.cwnd, 10 * CC_MSS);
	cc_on_ack(&e, CC_MSS);
	assert_int_equal(e.tcb.cwnd, 11 * CC_MSS);
	for (unsigned i = 0; i < 50; i++)
		cc_round(&e, RILL_MS);
	assert_int_equal(e.tcb.cwnd, 61 * CC_MSS);
}

static void unused_cwnd_does_not_grow_rfc7661(void **state)
{
	struct cc_end e;

	for (unsigned i = 0; i < 3; i++) {
		struct rill_tcp_cc_ack ack;

		cc_open(&e, rill_tcp_cc_all[i], CC_MSS);
		ack = cc_ack(&e, CC_MSS);
		ack.cwnd_limited = false;
		e.tcb.cc->on_ack(&e.tcb, &ack);
		assert_int_equal(e.tcb.cwnd, 10 * CC_MSS);
		e.tcb.ssthresh = e.tcb.cwnd;
		for (unsigned k = 0; k < 100; k++)
			e.tcb.cc->on_ack(&e.tcb, &ack);
		assert_int_equal(e.tcb.cwnd, 10 * CC_MSS);
	}
}

static void cwnd_is_prrs_in_fast_recovery(void **state)
{
	struct cc_end e;

	for (unsigned i = 0; i < 3; i++) {
		struct rill_tcp_cc_ack ack;

		cc_open(&e, rill_tcp_cc_all[i], CC_MSS);
		ack = cc_ack(&e, CC_MSS);
		ack.in_recovery = true;
		e.x.ca_state = RILL_TCP_CA_RECOVERY;
		e.tcb.cc->on_ack(&e.tcb, &ack);
		assert_int_equal(e.tcb.cwnd, 10 * CC_MSS);
		/* After a timeout there is slow start. */
		e.x.ca_state = RILL_TCP_CA_LOSS;
		e.tcb.cc->on_ack(&e.tcb, &ack);
		assert_int_equal(e.tcb.cwnd, 11 * CC_MSS);
	}
}

static void half_on_loss_rfc5681(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_newreno, CC_MSS);
	e.tcb.cc->on_event(&e.tcb, RILL_TCP_CC_LOSS, 50 * CC_MSS, e.now);
	assert_int_equal(e.tcb.ssthresh, 25 * CC_MSS);
	e.tcb.cc->on_event(&e.tcb, RILL_TCP_CC_RTO, 30 * CC_MSS, e.now);
	assert_int_equal(e.tcb.ssthresh, 15 * CC_MSS);
	e.tcb.cc->on_event(&e.tcb, RILL_TCP_CC_LOSS, CC_MSS, e.now);
	assert_int_equal(e.tcb.ssthresh, 2 * CC_MSS);
}

static void milder_on_ecn_rfc8511(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_newreno, CC_MSS);
	e.tcb.cwnd = 50 * CC_MSS;
	e.tcb.ssthresh = 20 * CC_MSS;
	e.tcb.cc->on_event(&e.tcb, RILL_TCP_CC_ECN, 50 * CC_MSS, e.now);
	assert_int_equal(e.tcb.ssthresh, 40 * CC_MSS);
	/* In slow start as for a loss. */
	e.tcb.ssthresh = RILL_TCP_CWND_MAX;
	e.tcb.cc->on_event(&e.tcb, RILL_TCP_CC_ECN, 50 * CC_MSS, e.now);
	assert_int_equal(e.tcb.ssthresh, 25 * CC_MSS);
}

static void restart_after_idle_rfc5681(void **state)
{
	struct cc_end e;

	for (unsigned i = 0; i < 3; i++) {
		cc_open(&e, rill_tcp_cc_all[i], CC_MSS);
		e.tcb.cwnd = 40 * CC_MSS;
		e.tcb.ssthresh = 20 * CC_MSS;
		e.tcb.cc->on_idle(&e.tcb, &e.env, e.now);
		assert_int_equal(e.tcb.cwnd, 10 * CC_MSS);
		assert_int_equal(e.tcb.ssthresh, 30 * CC_MSS);
		e.tcb.cwnd = 4 * CC_MSS;
		e.tcb.cc->on_idle(&e.tcb, &e.env, e.now);
		assert_int_equal(e.tcb.cwnd, 4 * CC_MSS);
	}
}

/* One round of anything that an input could bring about. */
static void shake(struct cc_end *e, struct rill_rand *r)
{
	static const uint64_t jumps[] = {
		0, 1, 1000, RILL_MS, RILL_SEC, 3600 * RILL_SEC, UINT64_C(1) << 55};
	static const uint64_t rtts[] = {0,
					1,
					RILL_US,
					50 * RILL_US,
					RILL_MS,
					100 * RILL_MS,
					10 * RILL_SEC,
					UINT64_C(1) << 45};
	const struct rill_tcp_cc *cc = e->tcb.cc;
	uint64_t rtt = rtts[rill_rand_below(r, RILL_ARRAY_SIZE(rtts))];
	struct rill_tcp_cc_ack ack;

	e->now += jumps[rill_rand_below(r, RILL_ARRAY_SIZE(jumps) - (rill_rand_below(r, 64) != 0))];
	e->tcb.snd_nxt = e->tcb.snd_una + rill_rand_below(r, 1u << 30);
	if (rill_rand_below(r, 8) == 0)
		cc_set_rtt(e, (uint32_t)RILL_MIN(rtt / RILL_US, UINT64_C(300000000)));
	if (rill_rand_below(r, 64) == 0)
		e->tcb.cwnd = 1u << 30;
	switch (rill_rand_below(r, 16)) {
	case 0:
		cc->on_event(&e->tcb, (enum rill_tcp_cc_event)rill_rand_below(r, 3),
			     rill_rand_below(r, 1u << 30), e->now);
		return;
	case 1:
		if (cc->on_undo)
			cc->on_undo(&e->tcb, e->now);
		return;
	case 2:
		cc->on_idle(&e->tcb, &e->env, e->now);
		return;
	case 3:
		if (cc->on_recovered)
			cc->on_recovered(&e->tcb, e->now);
		return;
	case 4:
		if (cc->on_send)
			cc->on_send(&e->tcb, 1, e->now);
		return;
	default:
		break;
	}
	ack = cc_ack(e, rill_rand_below(r, 4) == 0 ? rill_rand_below(r, 1u << 30) : e->tcb.snd_mss);
	ack.rtt_ns = rtt;
	ack.cwnd_limited = rill_rand_below(r, 8) != 0;
	ack.ece = rill_rand_below(r, 8) == 0;
	ack.ce_delivered = ack.ece ? rill_rand_below(r, 1u << 31) : 0;
	ack.rate = (struct rill_tcp_rate){
		.valid = rill_rand_below(r, 8) != 0,
		.prior_delivered =
			e->x.delivered - rill_rand_below(r, 1000) * (e->x.delivered / 1000),
		.interval_ns = rtt,
		.delivered = rill_rand_below(r, UINT32_MAX),
		.lost = rill_rand_below(r, 1u << 20),
		.tx_in_flight = rill_rand_below(r, 1u << 30),
		.app_limited = rill_rand_below(r, 4) == 0,
	};
	e->x.delivered += ack.delivered;
	cc->on_ack(&e->tcb, &ack);
}

/* Nothing overflows, divides by zero or leaves the bounds, whatever comes. */
static void extreme_inputs(void **state)
{
	static const uint16_t sizes[] = {88, 536, 1460, 8960, 65000};
	struct rill_rand r;
	struct cc_end e;

	rill_rand_init(&r, 42);
	for (unsigned i = 0; rill_tcp_cc_all[i]; i++) {
		for (unsigned k = 0; k < 50; k++) {
			uint16_t mss = sizes[k % RILL_ARRAY_SIZE(sizes)];

			cc_open(&e, rill_tcp_cc_all[i], mss);
			if (k % 2)
				e.tcb.flags &= ~(uint32_t)RILL_TCB_SACK;
			for (unsigned n = 0; n < 5000; n++) {
				shake(&e, &r);
				assert_in_range(e.tcb.cwnd, mss, RILL_TCP_CWND_MAX);
				assert_in_range(e.tcb.ssthresh, 2 * mss, RILL_TCP_CWND_MAX);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CC_T(names),
		CC_T(every_op_that_must_be_there_is),
		CC_T(initial_window_rfc6928),
		CC_T(a_second_transfer_keeps_cwnd),
		CC_T(slow_start_counts_bytes_rfc3465),
		CC_T(one_segment_for_each_window_in_congestion_avoidance),
		CC_T(unused_cwnd_does_not_grow_rfc7661),
		CC_T(cwnd_is_prrs_in_fast_recovery),
		CC_T(half_on_loss_rfc5681),
		CC_T(milder_on_ecn_rfc8511),
		CC_T(restart_after_idle_rfc5681),
		CC_T(extreme_inputs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
