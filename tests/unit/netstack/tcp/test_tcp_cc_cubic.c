/* SPDX-License-Identifier: BSD-3-Clause */
/* CUBIC (RFC 9438) against the values of its formulas, and HyStart++ (RFC 9406). */
#include "netstack/tcp/cc_cubic.h"
#include "test_tcp_cc.h"

static struct rill_tcp_cubic *cubic(struct cc_end *e)
{
	return (struct rill_tcp_cubic *)(void *)e->x.cc_priv;
}

/* In congestion avoidance after a loss at w_max segments. */
static void open_after_loss(struct cc_end *e, uint32_t w_max, uint32_t rtt_us)
{
	cc_open(e, &rill_tcp_cc_cubic, CC_MSS);
	cc_set_rtt(e, rtt_us);
	e->tcb.cwnd = w_max * CC_MSS;
	cc_lose(e);
}

static void beta_is_07_rfc9438_4_6(void **state)
{
	struct cc_end e;

	open_after_loss(&e, 100, 100000);
	assert_int_equal(e.tcb.ssthresh, 70 * CC_MSS);
	assert_int_equal(cubic(&e)->w_max, 100 * CC_MSS);
	assert_int_equal(cubic(&e)->cwnd_prior, 100 * CC_MSS);
	/* The flight decides, not cwnd; and limited transmit does not count. */
	e.tcb.cc->on_event(&e.tcb, RILL_TCP_CC_LOSS, 20 * CC_MSS, e.now);
	assert_int_equal(e.tcb.ssthresh, 14 * CC_MSS);
	e.tcb.cc->on_event(&e.tcb, RILL_TCP_CC_LOSS, 72 * CC_MSS, e.now);
	assert_int_equal(e.tcb.ssthresh, 49 * CC_MSS);
	e.tcb.cc->on_event(&e.tcb, RILL_TCP_CC_LOSS, CC_MSS, e.now);
	assert_int_equal(e.tcb.ssthresh, 2 * CC_MSS);
}

/* K = cbrt((W_max - cwnd_epoch) / C). */
static void k_rfc9438_eq2(void **state)
{
	static const struct {
		uint32_t w_max, k_ms;
	} cases[] = {{10, 1957}, {100, 4217}, {1000, 9085}, {10000, 19574}, {100000, 42171}};
	struct cc_end e;

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(cases); i++) {
		open_after_loss(&e, cases[i].w_max, 100000);
		cc_on_ack(&e, CC_MSS);
		assert_in_range(cubic(&e)->k_ms, cases[i].k_ms - 1, cases[i].k_ms + 1);
	}
}

/* With round trips of 100 ms and W_max = 1000 segments, at times after the loss. */
static void curve_rfc9438_eq1(void **state)
{
	/* 0.4 (t - 9.085)^3 + 1000 */
	static const struct {
		uint32_t t_ms, segments;
	} points[] = {{2000, 858},   {5000, 973},   {9000, 1000},
		      {12000, 1010}, {15000, 1083}, {20000, 1520}};
	struct cc_end e;
	uint64_t start;
	unsigned i = 0;

	open_after_loss(&e, 1000, 100000);
	for (start = e.now; i < RILL_ARRAY_SIZE(points);) {
		cc_round(&e, 100 * RILL_MS);
		if (e.now - start < points[i].t_ms * RILL_MS)
			continue;
		cc_assert_near(e.tcb.cwnd, points[i].segments * CC_MSS, 10);
		i++;
	}
}

/* Short round trips: Reno with beta 0.7 and alpha 9/17 is ahead of the cubic (4.3). */
static void reno_friendly_rfc9438_4_3(void **state)
{
	struct cc_end e;

	open_after_loss(&e, 100, 1000);
	for (unsigned i = 0; i < 30; i++)
		cc_round(&e, RILL_MS);
	/* 70 + 30 * 9/17 */
	cc_assert_near(e.tcb.cwnd, 85880, 10);
	for (unsigned i = 0; i < 27; i++)
		cc_round(&e, RILL_MS);
	cc_assert_near(e.tcb.cwnd, 100 * CC_MSS, 10);
	/* From where the loss was on, alpha is 1. */
	for (unsigned i = 0; i < 100; i++)
		cc_round(&e, RILL_MS);
	cc_assert_near(e.tcb.cwnd, 200 * CC_MSS, 15);
}

static void fast_convergence_rfc9438_4_7(void **state)
{
	struct cc_end e;

	open_after_loss(&e, 100, 100000);
	e.tcb.cwnd = 80 * CC_MSS;
	cc_lose(&e);
	assert_int_equal(cubic(&e)->w_max, 68 * CC_MSS); /* 80 (1 + 0.7) / 2 */
	e.tcb.cwnd = 90 * CC_MSS;
	cc_lose(&e);
	assert_int_equal(cubic(&e)->w_max, 90 * CC_MSS);
}

static void timeout_begins_on_the_plateau_rfc9438_4_8(void **state)
{
	struct cc_end e;

	open_after_loss(&e, 100, 100000);
	e.tcb.cwnd = 100 * CC_MSS;
	e.tcb.cc->on_event(&e.tcb, RILL_TCP_CC_RTO, 100 * CC_MSS, e.now);
	assert_int_equal(e.tcb.ssthresh, 70 * CC_MSS);
	e.tcb.cwnd = 70 * CC_MSS;
	cc_on_ack(&e, CC_MSS);
	assert_int_equal(cubic(&e)->k_ms, 0);
	assert_int_equal(cubic(&e)->w_max, 70 * CC_MSS);
}

static void never_more_than_half_again_in_a_round_rfc9438_4_2(void **state)
{
	struct cc_end e;

	open_after_loss(&e, 100, 100000);
	cc_on_ack(&e, CC_MSS);
	e.now += 3600 * RILL_SEC; /* no ACK for an hour, and yet limited by cwnd */
	e.tcb.cwnd = 100 * CC_MSS;
	cc_round(&e, 100 * RILL_MS);
	assert_in_range(e.tcb.cwnd, 140 * CC_MSS, 166 * CC_MSS);
}

static void unused_time_is_not_on_the_clock_rfc9438_4_2(void **state)
{
	struct rill_tcp_cc_ack ack;
	struct cc_end e;
	uint32_t before;

	open_after_loss(&e, 1000, 100000);
	for (unsigned i = 0; i < 50; i++)
		cc_round(&e, 100 * RILL_MS);
	before = e.tcb.cwnd;
	/* The application is quiet for a minute, with an ACK now and then. */
	for (unsigned i = 0; i < 60; i++) {
		e.now += RILL_SEC;
		ack = cc_ack(&e, CC_MSS);
		ack.cwnd_limited = false;
		e.tcb.cc->on_ack(&e.tcb, &ack);
	}
	assert_int_equal(e.tcb.cwnd, before);
	cc_round(&e, 100 * RILL_MS);
	cc_assert_near(e.tcb.cwnd, before, 15);
}

static void undo_rfc9438_4_9(void **state)
{
	struct rill_tcp_cubic before;
	struct cc_end e;

	open_after_loss(&e, 1000, 100000);
	for (unsigned i = 0; i < 20; i++)
		cc_round(&e, 100 * RILL_MS);
	before = *cubic(&e);
	e.tcb.cc->on_event(&e.tcb, RILL_TCP_CC_RTO, e.tcb.cwnd, e.now);
	assert_int_not_equal(cubic(&e)->w_max, before.w_max);
	e.tcb.cc->on_undo(&e.tcb, e.now);
	assert_int_equal(cubic(&e)->w_max, before.w_max);
	assert_int_equal(cubic(&e)->k_ms, before.k_ms);
	assert_int_equal(cubic(&e)->cwnd_prior, before.cwnd_prior);
	assert_int_equal(cubic(&e)->w_est, before.w_est);
	assert_int_equal(cubic(&e)->epoch_ns, before.epoch_ns);
	assert_true(cubic(&e)->in_epoch);
	assert_false(cubic(&e)->forget_w_max);
}

static void milder_on_ecn_rfc8511(void **state)
{
	struct cc_end e;

	open_after_loss(&e, 100, 100000);
	e.tcb.cwnd = 100 * CC_MSS;
	e.tcb.cc->on_event(&e.tcb, RILL_TCP_CC_ECN, 100 * CC_MSS, e.now);
	assert_int_equal(e.tcb.ssthresh, 85 * CC_MSS);
	cc_open(&e, &rill_tcp_cc_cubic, CC_MSS); /* in slow start as for a loss */
	e.tcb.cc->on_event(&e.tcb, RILL_TCP_CC_ECN, 10 * CC_MSS, e.now);
	assert_int_equal(e.tcb.ssthresh, 7 * CC_MSS);
}

/* ---- HyStart++ ---- */

/* A round of n ACKs for a segment each, all with this round-trip time. */
static void slow_start_round(struct cc_end *e, unsigned n, uint64_t rtt_us)
{
	e->tcb.snd_nxt = e->tcb.snd_una + n * CC_MSS;
	cubic(e)->hystart.window_end = e->tcb.snd_nxt;
	for (unsigned i = 0; i < n; i++) {
		struct rill_tcp_cc_ack ack = cc_ack(e, CC_MSS);

		ack.rtt_ns = rtt_us * RILL_US;
		e->tcb.cc->on_ack(&e->tcb, &ack);
	}
}

/* A round ends when what was outstanding at its beginning is acknowledged. */
static void rounds_end_at_snd_nxt_rfc9406_4_2(void **state)
{
	struct cc_end e;
	struct rill_tcp_hystart *h;

	cc_open(&e, &rill_tcp_cc_cubic, CC_MSS);
	h = &cubic(&e)->hystart;
	e.tcb.snd_nxt += 10 * CC_MSS;
	cc_on_ack(&e, CC_MSS); /* what it began with was nothing */
	assert_int_equal(h->window_end, CC_ISS + 1 + 10 * CC_MSS);
	e.tcb.snd_nxt += 10 * CC_MSS;
	cc_on_ack(&e, 8 * CC_MSS);
	assert_int_equal(h->window_end, CC_ISS + 1 + 10 * CC_MSS);
	cc_on_ack(&e, CC_MSS);
	assert_int_equal(h->window_end, CC_ISS + 1 + 20 * CC_MSS);
}

static uint8_t css_rounds(struct cc_end *e)
{
	return cubic(e)->hystart.css_rounds;
}

static void steady_delay_stays_in_slow_start_rfc9406(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_cubic, CC_MSS);
	slow_start_round(&e, 1, 50000);
	for (unsigned n = 10; n < 1000; n *= 2)
		slow_start_round(&e, n, 50000);
	assert_int_equal(css_rounds(&e), 0);
	assert_int_equal(e.tcb.ssthresh, RILL_TCP_CWND_MAX);
	assert_int_equal(e.tcb.cwnd, (10 + 1 + 10 + 20 + 40 + 80 + 160 + 320 + 640) * CC_MSS);
}

/* RttThresh = max(4 ms, min(lastRoundMinRTT / 8, 16 ms)). */
static void delay_threshold_rfc9406_4_2(void **state)
{
	static const struct {
		uint32_t base_us, thresh_us;
	} cases[] = {{100, 4000}, {20000, 4000}, {40000, 5000}, {80000, 10000}, {400000, 16000}};
	struct cc_end e;

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(cases); i++) {
		for (unsigned above = 0; above < 2; above++) {
			cc_open(&e, &rill_tcp_cc_cubic, CC_MSS);
			slow_start_round(&e, 1, cases[i].base_us);
			slow_start_round(&e, 10, cases[i].base_us);
			slow_start_round(&e, 20, cases[i].base_us + cases[i].thresh_us - 1 + above);
			assert_int_equal(css_rounds(&e), above ? 2 : 0);
		}
	}
}

/* Fewer than eight samples prove nothing. */
static void eight_samples_rfc9406_4_2(void **state)
{
	struct cc_end e;

	for (unsigned n = 7; n <= 8; n++) {
		cc_open(&e, &rill_tcp_cc_cubic, CC_MSS);
		slow_start_round(&e, 1, 20000);
		slow_start_round(&e, 10, 20000);
		slow_start_round(&e, n, 40000);
		assert_int_equal(css_rounds(&e), n == 8 ? 2 : 0);
	}
}

static void css_grows_a_quarter_and_ends_after_five_rounds_rfc9406(void **state)
{
	struct cc_end e;
	uint32_t before;

	cc_open(&e, &rill_tcp_cc_cubic, CC_MSS);
	slow_start_round(&e, 1, 20000);
	slow_start_round(&e, 10, 20000);
	slow_start_round(&e, 20, 30000); /* CSS begins in it: the first of five */
	for (unsigned i = 0; i < 3; i++) {
		before = e.tcb.cwnd;
		slow_start_round(&e, 20, 30000);
		assert_int_equal(e.tcb.cwnd, before + 20 * CC_MSS / 4);
		assert_int_equal(e.tcb.ssthresh, RILL_TCP_CWND_MAX);
	}
	slow_start_round(&e, 20, 30000);
	assert_int_equal(e.tcb.ssthresh, e.tcb.cwnd);
	/* Congestion avoidance begins on the plateau (RFC 9438, 4.10). */
	cc_on_ack(&e, CC_MSS);
	assert_int_equal(cubic(&e)->k_ms, 0);
	cc_assert_near(cubic(&e)->w_max, e.tcb.cwnd, 5);
}

static void passing_delay_resumes_slow_start_rfc9406(void **state)
{
	struct cc_end e;
	uint32_t before;

	cc_open(&e, &rill_tcp_cc_cubic, CC_MSS);
	slow_start_round(&e, 1, 20000);
	slow_start_round(&e, 10, 20000);
	slow_start_round(&e, 20, 30000);
	assert_int_equal(css_rounds(&e), 2);
	slow_start_round(&e, 20, 29000);
	assert_int_equal(css_rounds(&e), 0);
	before = e.tcb.cwnd;
	slow_start_round(&e, 20, 29000);
	assert_int_equal(e.tcb.cwnd, before + 20 * CC_MSS);
}

/* L = 8; no limit where the pacer spreads the bursts (4.3). */
static void growth_for_each_ack_rfc9406_4_3(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_cubic, CC_MSS);
	cc_on_ack(&e, 50 * CC_MSS);
	assert_int_equal(e.tcb.cwnd, 18 * CC_MSS);
	e.x.pacing_rate = 1000000;
	cc_on_ack(&e, 50 * CC_MSS);
	assert_int_equal(e.tcb.cwnd, 68 * CC_MSS);
}

/* Only the first slow start of a connection (4.3): after a loss L = 2 and no CSS. */
static void later_slow_starts_are_plain(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_cubic, CC_MSS);
	e.tcb.ssthresh = 100 * CC_MSS;
	cc_on_ack(&e, 50 * CC_MSS);
	assert_int_equal(e.tcb.cwnd, 12 * CC_MSS);
	slow_start_round(&e, 10, 20000);
	slow_start_round(&e, 20, 90000);
	assert_int_equal(css_rounds(&e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CC_T(beta_is_07_rfc9438_4_6),
		CC_T(k_rfc9438_eq2),
		CC_T(curve_rfc9438_eq1),
		CC_T(reno_friendly_rfc9438_4_3),
		CC_T(fast_convergence_rfc9438_4_7),
		CC_T(timeout_begins_on_the_plateau_rfc9438_4_8),
		CC_T(never_more_than_half_again_in_a_round_rfc9438_4_2),
		CC_T(unused_time_is_not_on_the_clock_rfc9438_4_2),
		CC_T(undo_rfc9438_4_9),
		CC_T(milder_on_ecn_rfc8511),
		CC_T(rounds_end_at_snd_nxt_rfc9406_4_2),
		CC_T(steady_delay_stays_in_slow_start_rfc9406),
		CC_T(delay_threshold_rfc9406_4_2),
		CC_T(eight_samples_rfc9406_4_2),
		CC_T(css_grows_a_quarter_and_ends_after_five_rounds_rfc9406),
		CC_T(passing_delay_resumes_slow_start_rfc9406),
		CC_T(growth_for_each_ack_rfc9406_4_3),
		CC_T(later_slow_starts_are_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
