/* SPDX-License-Identifier: BSD-3-Clause */
/* Tail loss probes (RFC 8985, 7). */
#include "sack_script.h"

/* 2 * SRTT, with the slack of the timer. */
#define PTO (2 * RTT + 2 * RILL_MS)

static void probe_after_two_round_trips_7_2(void **state)
{
	struct script *s = script_sack(false);

	send_bytes(s, 3 * MSS);
	expect_range(s, 0, 3);
	expect_timer(s, PTO);
	expect_range(s, 2, 3); /* nothing new: the last again */
	expect_none(s);
	assert_int_equal(s->e.env.stats.tlp_probes, 1);
	assert_int_equal(s->e.tcb.cwnd, 10 * MSS); /* probing costs nothing */
	assert_int_equal(s->e.tcb.timer, RILL_TCP_TIMER_RTO);
	expect_timer(s, 200 * RILL_MS); /* 7.3: then the RTO, one probe at a time */
	expect_range(s, 0, 1);
	script_free(s);
}

static void a_single_segment_gives_the_peer_time_for_its_delayed_ack_7_2(void **state)
{
	struct script *s = script_sack(false);

	s->e.env.params.tlp_max_ack_delay_us = 50 * 1000;
	send_bytes(s, MSS);
	expect_range(s, 0, 1);
	expect_timer(s, PTO + 50 * RILL_MS);
	expect_range(s, 0, 1);
	assert_int_equal(s->e.env.stats.tlp_probes, 1);
	script_free(s);
}

static void never_later_than_the_rto_7_2(void **state)
{
	struct script *s = script_sack(false);

	send_bytes(s, MSS); /* 22 + 200 ms would be beyond it */
	expect_range(s, 0, 1);
	expect_timer(s, 200 * RILL_MS);
	expect_range(s, 0, 1);
	assert_int_equal(s->e.env.stats.tlp_probes, 1);
	assert_int_equal(s->e.env.stats.rtos, 0);
	expect_timer(s, 200 * RILL_MS);
	expect_range(s, 0, 1);
	assert_int_equal(s->e.env.stats.rtos, 1);
	script_free(s);
}

static void new_data_makes_the_better_probe_7_3(void **state)
{
	struct script *s = script_sack(false);

	s->e.tcb.cwnd = 3 * MSS;
	send_bytes(s, 5 * MSS);
	expect_range(s, 0, 3);
	expect_timer(s, PTO);
	expect_range(s, 3, 4); /* beyond cwnd */
	expect_none(s);
	assert_int_equal(s->e.env.stats.retransmits, 0);
	script_free(s);
}

static void new_data_puts_the_probe_off_7_2(void **state)
{
	struct script *s = script_sack(false);

	send_bytes(s, 2 * MSS);
	s->now += RTT;
	send_bytes(s, 2 * MSS);
	expect_range(s, 0, 4);
	expect_timer(s, PTO);
	assert_int_equal(s->e.env.stats.tlp_probes, 1);
	script_free(s);
}

static void the_answer_to_the_probe_repairs_the_tail_without_a_timeout(void **state)
{
	struct script *s = script_sack(false);

	send_bytes(s, 4 * MSS); /* 1, 2 and 3 are lost */
	expect_range(s, 0, 4);
	s->now += RTT;
	plain_ack(s, 1);
	expect_timer(s, PTO);
	expect_range(s, 3, 4);
	s->now += RTT;
	sack(s, 1, 3, 4);
	expect_range(s, 1, 2);
	pass(s, RTT);
	plain_ack(s, 4);
	assert_int_equal(s->e.env.stats.rtos, 0);
	script_free(s);
}

static void a_loss_that_the_probe_repaired_reduces_cwnd_7_4_2(void **state)
{
	struct script *s = script_sack(false);

	send_bytes(s, 10 * MSS);
	expect_range(s, 0, 10);
	s->now += RTT;
	plain_ack(s, 9); /* the last is lost */
	s->e.env.params.tlp_max_ack_delay_us = 0;
	s->e.tcb.x->tlp_at = 0;
	out(s);
	pass(s, 3 * RTT);
	expect_range(s, 9, 10);
	assert_int_equal(s->e.env.stats.tlp_probes, 1);
	send_bytes(s, 2 * MSS);
	s->now += RTT;
	plain_ack(s, 12);
	assert_int_equal(s->e.env.stats.tlp_recoveries, 1);
	assert_true(s->e.tcb.ssthresh < 10 * MSS);
	assert_int_equal(ca(s), RILL_TCP_CA_OPEN);
	script_free(s);
}

static void a_dsack_of_the_probe_says_that_nothing_was_lost_7_4_2(void **state)
{
	struct script *s = script_sack(false);
	uint32_t ssthresh;

	send_bytes(s, 4 * MSS);
	expect_range(s, 0, 4);
	ssthresh = s->e.tcb.ssthresh;
	expect_timer(s, PTO);
	expect_range(s, 3, 4);
	sack(s, 4, 3, 4);
	assert_int_equal(s->e.env.stats.tlp_recoveries, 0);
	assert_int_equal(s->e.tcb.ssthresh, ssthresh);
	assert_false(s->e.tcb.x->flags & RILL_XF_TLP_OUT);
	script_free(s);
}

static void a_duplicate_without_sack_says_so_too_7_4_2(void **state)
{
	struct script *s = script_sack(false);
	uint32_t ssthresh;

	send_bytes(s, 4 * MSS);
	ssthresh = s->e.tcb.ssthresh;
	pass(s, PTO);
	assert_int_equal(s->e.env.stats.tlp_probes, 1);
	s->e.tcb.x->flags |= 0;
	send_bytes(s, MSS); /* something is outstanding yet */
	plain_ack(s, 4);
	assert_true(s->e.tcb.x->flags & RILL_XF_TLP_OUT);
	plain_ack(s, 4);
	assert_false(s->e.tcb.x->flags & RILL_XF_TLP_OUT);
	assert_int_equal(s->e.env.stats.tlp_recoveries, 0);
	assert_int_equal(s->e.tcb.ssthresh, ssthresh);
	script_free(s);
}

static void no_probe_without_sack_7_2(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 3 * MSS);
	expect_range(s, 0, 3);
	expect_timer(s, 200 * RILL_MS);
	assert_int_equal(s->e.env.stats.tlp_probes, 0);
	script_free(s);
}

static void no_probe_in_recovery_7_2(void **state)
{
	struct script *s = script_sack(false);

	send_bytes(s, 6 * MSS);
	s->now += RTT;
	sack(s, 0, 1, 5);
	assert_int_equal(ca(s), RILL_TCP_CA_RECOVERY);
	assert_int_equal(s->e.tcb.timer, RILL_TCP_TIMER_RTO);
	script_free(s);
}

static void a_fin_alone_is_probed(void **state)
{
	struct script *s = script_sack(false);

	s->e.env.params.tlp_max_ack_delay_us = 0;
	assert_int_equal(rill_tcb_shutdown_send(&s->e.tcb), 0);
	out(s);
	expect(s, A | F, 1, 1, 0);
	expect_timer(s, PTO);
	expect(s, A | F, 1, 1, 0);
	assert_int_equal(s->e.env.stats.tlp_probes, 1);
	assert_int_equal(s->e.env.stats.rtos, 0);
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(probe_after_two_round_trips_7_2),
		T(a_single_segment_gives_the_peer_time_for_its_delayed_ack_7_2),
		T(never_later_than_the_rto_7_2),
		T(new_data_makes_the_better_probe_7_3),
		T(new_data_puts_the_probe_off_7_2),
		T(the_answer_to_the_probe_repairs_the_tail_without_a_timeout),
		T(a_loss_that_the_probe_repaired_reduces_cwnd_7_4_2),
		T(a_dsack_of_the_probe_says_that_nothing_was_lost_7_4_2),
		T(a_duplicate_without_sack_says_so_too_7_4_2),
		T(no_probe_without_sack_7_2),
		T(no_probe_in_recovery_7_2),
		T(a_fin_alone_is_probed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
