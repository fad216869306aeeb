/* SPDX-License-Identifier: BSD-3-Clause */
/* Pacing: who, how fast, in which bursts. */
#include "test_tcp_cc.h"

static void loss_based_flows_are_not_paced(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_cubic, CC_MSS);
	cc_set_rtt(&e, 10000);
	rill_tcp_pace_update(&e.tcb, &e.env);
	assert_int_equal(rill_tcp_pace_rate(&e.tcb), 0);
	for (unsigned i = 0; i < 1000; i++) {
		assert_true(rill_tcp_pace_allows(&e.tcb, e.now));
		rill_tcp_pace_sent(&e.tcb, CC_MSS, e.now);
	}
	assert_int_equal(e.x.pace_at, 0);
}

/* Two cwnd in a round trip in slow start, 1.2 afterwards. */
static void rate_of_cwnd(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_cubic, CC_MSS);
	e.env.params.pace_all = true;
	rill_tcp_pace_update(&e.tcb, &e.env);
	assert_int_equal(rill_tcp_pace_rate(&e.tcb), 0); /* no round-trip time yet */
	cc_set_rtt(&e, 10000);
	rill_tcp_pace_update(&e.tcb, &e.env);
	assert_int_equal(rill_tcp_pace_rate(&e.tcb), 2000000);
	e.tcb.ssthresh = e.tcb.cwnd;
	rill_tcp_pace_update(&e.tcb, &e.env);
	assert_int_equal(rill_tcp_pace_rate(&e.tcb), 1200000);
	e.env.settings.max_pacing_rate = 500000;
	assert_int_equal(rill_tcp_pace_rate(&e.tcb), 500000);
}

static void users_bound_alone(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_cubic, CC_MSS);
	e.env.settings.max_pacing_rate = 500000;
	rill_tcp_pace_update(&e.tcb, &e.env);
	assert_int_equal(rill_tcp_pace_rate(&e.tcb), 500000);
	e.env.settings.max_pacing_rate = 0;
	rill_tcp_pace_update(&e.tcb, &e.env);
	assert_int_equal(rill_tcp_pace_rate(&e.tcb), 0);
}

static void users_bound_holds_for_bbr(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_bbr, CC_MSS);
	rill_tcp_pace_update(&e.tcb, &e.env);
	assert_int_equal(rill_tcp_pace_rate(&e.tcb), 27700000); /* 2.77 * 10 segments in 1 ms */
	e.env.settings.max_pacing_rate = 500000;
	assert_int_equal(rill_tcp_pace_rate(&e.tcb), 500000);
}

static void can_be_switched_off(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_bbr, CC_MSS);
	e.env.settings.max_pacing_rate = 500000;
	e.env.params.no_pacing = true;
	rill_tcp_pace_update(&e.tcb, &e.env);
	assert_int_equal(rill_tcp_pace_rate(&e.tcb), 0);
}

/* The rate was one of misery, and is no more: the wait goes with it. */
static void wait_follows_the_rate(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_cubic, CC_MSS);
	cc_set_rtt(&e, 10000);
	e.env.settings.max_pacing_rate = 1000;
	rill_tcp_pace_update(&e.tcb, &e.env);
	while (rill_tcp_pace_allows(&e.tcb, e.now))
		rill_tcp_pace_sent(&e.tcb, CC_MSS, e.now);
	assert_in_range(e.x.pace_at - e.now, 2 * RILL_SEC, 4 * RILL_SEC);
	e.env.settings.max_pacing_rate = 1000000;
	rill_tcp_pace_update(&e.tcb, &e.env);
	assert_false(rill_tcp_pace_allows(&e.tcb, e.now));
	assert_in_range(e.x.pace_at - e.now, 2 * RILL_MS, 8 * RILL_MS);
	e.env.settings.max_pacing_rate = 0;
	rill_tcp_pace_update(&e.tcb, &e.env);
	e.x.pace_at = e.now + RILL_SEC;
	assert_true(rill_tcp_pace_allows(&e.tcb, e.now));
}

/* A rate that would let a segment go in hours is not kept: one goes in 10 s. */
static void wait_has_an_end(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_cubic, CC_MSS);
	e.env.settings.max_pacing_rate = 1;
	rill_tcp_pace_update(&e.tcb, &e.env);
	for (unsigned i = 0; i < 10; i++) {
		assert_true(rill_tcp_pace_allows(&e.tcb, e.now));
		rill_tcp_pace_sent(&e.tcb, CC_MSS, e.now);
		assert_int_equal(e.x.pace_at - e.now, 10 * RILL_SEC);
		assert_false(rill_tcp_pace_allows(&e.tcb, e.now));
		e.now += 10 * RILL_SEC;
	}
}

static void quantum(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_cubic, CC_MSS);
	assert_int_equal(rill_tcp_pace_quantum(&e.tcb, 1000), 2 * CC_MSS);
	assert_int_equal(rill_tcp_pace_quantum(&e.tcb, 10000000), 10000);
	assert_int_equal(rill_tcp_pace_quantum(&e.tcb, 1000000000), 65536);
	assert_int_equal(rill_tcp_pace_quantum(&e.tcb, UINT64_MAX), 65536);
	cc_set_rtt(&e, 100); /* a quarter of it is 25 us */
	assert_int_equal(rill_tcp_pace_quantum(&e.tcb, 1000000000), 25000);
}

/* 2 MB/s: bursts of 2,000 bytes, a millisecond apart, and 2 MB after a second. */
static void bursts_of_a_quantum(void **state)
{
	struct cc_end e;
	uint64_t end, sent = 0;
	unsigned waits = 0;

	cc_open(&e, &rill_tcp_cc_cubic, CC_MSS);
	e.env.settings.max_pacing_rate = 2000000;
	rill_tcp_pace_update(&e.tcb, &e.env);
	for (end = e.now + RILL_SEC; e.now < end;) {
		unsigned burst = 0;

		while (rill_tcp_pace_allows(&e.tcb, e.now)) {
			assert_int_equal(e.x.flags & RILL_XF_PACED_OUT, 0);
			rill_tcp_pace_sent(&e.tcb, CC_MSS, e.now);
			sent += CC_MSS;
			burst++;
		}
		assert_int_equal(burst, 2);
		assert_true((e.x.flags & RILL_XF_PACED_OUT) != 0);
		assert_false(rill_tcp_pace_allows(&e.tcb, e.x.pace_at - 1));
		assert_int_equal(e.x.pace_at, e.now + RILL_MS);
		e.now = e.x.pace_at;
		waits++;
	}
	assert_int_equal(sent, 2000000);
	assert_int_equal(waits, 1000);
}

/* Time not used is not saved up. */
static void no_credit_for_silence(void **state)
{
	struct cc_end e;
	unsigned burst = 0;

	cc_open(&e, &rill_tcp_cc_cubic, CC_MSS);
	e.env.settings.max_pacing_rate = 2000000;
	rill_tcp_pace_update(&e.tcb, &e.env);
	rill_tcp_pace_sent(&e.tcb, CC_MSS, e.now);
	e.now += 100 * RILL_SEC;
	while (rill_tcp_pace_allows(&e.tcb, e.now)) {
		rill_tcp_pace_sent(&e.tcb, CC_MSS, e.now);
		burst++;
	}
	assert_int_equal(burst, 2);
}

static void a_slow_rate_lets_one_go(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_cubic, CC_MSS);
	e.env.settings.max_pacing_rate = 1;
	rill_tcp_pace_update(&e.tcb, &e.env);
	assert_true(rill_tcp_pace_allows(&e.tcb, e.now));
	rill_tcp_pace_sent(&e.tcb, CC_MSS, e.now);
	assert_false(rill_tcp_pace_allows(&e.tcb, e.now));
	assert_int_equal(e.x.pace_at, e.now + 10 * RILL_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CC_T(loss_based_flows_are_not_paced),
		CC_T(rate_of_cwnd),
		CC_T(users_bound_alone),
		CC_T(users_bound_holds_for_bbr),
		CC_T(can_be_switched_off),
		CC_T(wait_follows_the_rate),
		CC_T(wait_has_an_end),
		CC_T(quantum),
		CC_T(bursts_of_a_quantum),
		CC_T(no_credit_for_silence),
		CC_T(a_slow_rate_lets_one_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
