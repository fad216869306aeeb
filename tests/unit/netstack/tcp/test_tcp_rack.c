/* SPDX-License-Identifier: BSD-3-Clause */
/* RACK (RFC 8985, 6): losses found by time. */
#include "sack_script.h"

static void mark(struct script *s)
{
	s->out_first = s->out_last;
}

/* Segments 0 to 9, 1 ms apart, so that each has a time of its own. */
static struct script *ten_spread(bool stamps)
{
	struct script *s = script_sack(stamps);

	for (unsigned i = 0; i < 10; i++) {
		send_bytes(s, MSS);
		s->now += RILL_MS;
	}
	expect_range(s, 0, 10);
	return s;
}

/* All at once, one round trip ago. */
static struct script *ten_at_once(void)
{
	struct script *s = script_sack(false);

	send_bytes(s, 10 * MSS);
	expect_range(s, 0, 10);
	s->now += RTT;
	return s;
}

static void one_sack_is_enough_rfc8985_6_2_step5(void **state)
{
	struct script *s = ten_spread(false);

	/* 1 arrives after one RTT; 0 was sent 1 ms before it, reo_wnd is RTT / 4. */
	sack(s, 0, 1, 2);
	assert_int_equal(s->e.tcb.x->lost, 0);
	assert_int_equal(s->e.tcb.timer, RILL_TCP_TIMER_REORDER);
	expect_none(s);
	pass(s, 3 * RILL_MS);
	assert_int_equal(s->e.tcb.x->lost, MSS);
	expect_range(s, 0, 1);
	expect_none(s);
	assert_int_equal(ca(s), RILL_TCP_CA_RECOVERY);
	assert_int_equal(s->e.env.stats.rtos, 0);
	script_free(s);
}

static void reo_wnd_is_a_quarter_of_min_rtt_step4(void **state)
{
	struct script *s = ten_spread(false);
	uint64_t sent0 = s->now - 10 * RILL_MS;
	uint64_t due;

	sack(s, 0, 1, 2);
	/* rack.rtt is 9 ms: segment 1 went out 1 ms after 0; min_rtt the same. */
	assert_int_equal(s->e.tcb.x->rack_rtt_us, 9000);
	due = sent0 + 9 * RILL_MS + 9 * RILL_MS / 4;
	assert_int_equal(rill_tcb_next_deadline(&s->e.tcb), due);
	script_free(s);
}

static void three_sacked_and_no_reordering_seen_no_reo_wnd(void **state)
{
	struct script *s = ten_at_once();

	sack(s, 0, 1, 3);
	assert_int_equal(s->e.tcb.x->lost, 0);
	sack(s, 0, 1, 4);
	assert_int_equal(s->e.tcb.x->lost, MSS);
	expect_range(s, 0, 1);
	script_free(s);
}

static void reordering_within_reo_wnd_costs_nothing(void **state)
{
	struct script *s = ten_spread(false);
	uint32_t cwnd = s->e.tcb.cwnd;

	sack(s, 0, 1, 2);
	s->now += RILL_MS;
	plain_ack(s, 2); /* 0 was late */
	assert_int_equal(s->e.env.stats.retransmits, 0);
	assert_true(s->e.tcb.cwnd >= cwnd);
	assert_int_equal(ca(s), RILL_TCP_CA_OPEN);
	assert_true(s->e.tcb.x->flags & RILL_XF_REORDER_SEEN); /* step 3 */
	assert_int_equal(s->e.tcb.reorders, 1);
	script_free(s);
}

static void once_reordering_was_seen_counting_does_not_matter_step4(void **state)
{
	struct script *s = ten_at_once();

	sack(s, 0, 1, 2);
	plain_ack(s, 2);
	assert_true(s->e.tcb.x->flags & RILL_XF_REORDER_SEEN);
	sack(s, 2, 3, 7); /* four behind, but reo_wnd is not over */
	assert_int_equal(s->e.tcb.x->lost, 0);
	expect_none(s);
	script_free(s);
}

static void a_retransmission_is_no_sign_of_reordering_step3(void **state)
{
	struct script *s = ten_spread(false);

	sack(s, 0, 1, 5);
	expect_range(s, 0, 1);
	s->now += RTT;
	plain_ack(s, 5);
	assert_false(s->e.tcb.x->flags & RILL_XF_REORDER_SEEN);
	script_free(s);
}

static void a_lost_retransmission_is_found_without_a_timeout(void **state)
{
	struct script *s = ten_spread(false);

	sack(s, 0, 1, 5);
	expect_range(s, 0, 1);
	s->now += RILL_MS;
	send_bytes(s, 5 * MSS); /* new data behind it */
	mark(s);
	sack(s, 0, 1, 8);
	mark(s);
	s->now += RTT;
	sack(s, 0, 1, 11); /* 10 was sent after the second 0 */
	assert_int_equal(s->e.env.stats.retransmits, 2);
	assert_int_equal(s->e.env.stats.rtos, 0);
	script_free(s);
}

static void an_ack_too_early_for_the_retransmission_is_the_originals_step2(void **state)
{
	struct script *s = ten_spread(false);
	uint64_t before;

	sack(s, 0, 1, 5);
	expect_range(s, 0, 1);
	before = s->e.tcb.x->rack_sent_ns;
	s->now += RILL_MS; /* far less than min_rtt */
	plain_ack(s, 5);
	assert_int_equal(s->e.tcb.x->rack_sent_ns, before);
	script_free(s);
}

static void an_echo_older_than_the_retransmission_is_the_originals_step2(void **state)
{
	struct script *s = ten_spread(true);
	uint32_t first_ts = s->last.opt.tsval - 9;
	uint64_t before;

	s->opt.tsecr = first_ts + 4;
	sack(s, 0, 1, 5);
	expect_range(s, 0, 1);
	before = s->e.tcb.x->rack_sent_ns;
	s->now += 2 * RTT; /* late enough, but it echoes the first */
	s->opt.tsecr = first_ts;
	plain_ack(s, 1);
	assert_int_equal(s->e.tcb.x->rack_sent_ns, before);
	script_free(s);
}

static void dsack_widens_reo_wnd_once_for_a_round_step4(void **state)
{
	struct script *s = ten_spread(false);

	plain_ack(s, 5);
	assert_int_equal(s->e.tcb.x->reo_wnd_mult, 1);
	sack(s, 5, 2, 3);
	assert_int_equal(s->e.tcb.x->reo_wnd_mult, 2);
	sack(s, 5, 3, 4);
	assert_int_equal(s->e.tcb.x->reo_wnd_mult, 2); /* the same round */
	plain_ack(s, 10);
	send_bytes(s, MSS);
	sack(s, 10, 4, 5);
	assert_int_equal(s->e.tcb.x->reo_wnd_mult, 3);
	assert_int_equal(s->e.tcb.x->reo_wnd_persist, 16);
	script_free(s);
}

static void reo_wnd_goes_back_after_16_recoveries_step4(void **state)
{
	struct script *s = ten_spread(false);
	uint32_t n = 10;

	plain_ack(s, 10);
	send_bytes(s, MSS);
	sack(s, 10, 4, 5);
	assert_int_equal(s->e.tcb.x->reo_wnd_mult, 2);
	plain_ack(s, 11);
	n = 11;
	for (unsigned i = 0; i < 16; i++) {
		assert_int_equal(s->e.tcb.x->reo_wnd_mult, 2);
		s->e.tcb.cwnd = 10 * MSS;
		send_bytes(s, 5 * MSS);
		s->now += RTT;
		sack(s, n, n + 1, n + 5);
		assert_int_equal(ca(s), RILL_TCP_CA_RECOVERY);
		s->now += RTT;
		plain_ack(s, n + 5);
		assert_int_equal(ca(s), RILL_TCP_CA_OPEN);
		n += 5;
		mark(s);
	}
	assert_int_equal(s->e.tcb.x->reo_wnd_mult, 1);
	script_free(s);
}

static void on_rto_what_was_sent_just_now_is_not_lost_6_3(void **state)
{
	struct script *s = script_sack(false);

	s->e.env.params.no_tlp = true;
	send_bytes(s, 2 * MSS);
	expect_range(s, 0, 2);
	s->now += RTT;
	plain_ack(s, 1); /* a round trip is known */
	s->now += 195 * RILL_MS;
	send_bytes(s, MSS);
	expect_range(s, 2, 3);
	pass(s, 6 * RILL_MS);
	assert_int_equal(s->e.env.stats.rtos, 1);
	assert_int_equal(s->e.tcb.x->lost, MSS); /* 1 alone */
	expect_range(s, 1, 2);
	script_free(s);
}

static void min_rtt_is_forgotten_after_its_window_step2(void **state)
{
	struct script *s = script_sack(false);

	send_bytes(s, MSS);
	s->now += RTT;
	plain_ack(s, 1);
	assert_int_equal(s->e.tcb.x->min_rtt_us, 10000);
	send_bytes(s, MSS);
	s->now += 3 * RTT;
	plain_ack(s, 2);
	assert_int_equal(s->e.tcb.x->min_rtt_us, 10000);
	s->now += 301 * RILL_SEC;
	send_bytes(s, MSS);
	s->now += 3 * RTT;
	plain_ack(s, 3);
	assert_int_equal(s->e.tcb.x->min_rtt_us, 30000);
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_sack_is_enough_rfc8985_6_2_step5),
		T(reo_wnd_is_a_quarter_of_min_rtt_step4),
		T(three_sacked_and_no_reordering_seen_no_reo_wnd),
		T(reordering_within_reo_wnd_costs_nothing),
		T(once_reordering_was_seen_counting_does_not_matter_step4),
		T(a_retransmission_is_no_sign_of_reordering_step3),
		T(a_lost_retransmission_is_found_without_a_timeout),
		T(an_ack_too_early_for_the_retransmission_is_the_originals_step2),
		T(an_echo_older_than_the_retransmission_is_the_originals_step2),
		T(dsack_widens_reo_wnd_once_for_a_round_step4),
		T(reo_wnd_goes_back_after_16_recoveries_step4),
		T(on_rto_what_was_sent_just_now_is_not_lost_6_3),
		T(min_rtt_is_forgotten_after_its_window_step2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
