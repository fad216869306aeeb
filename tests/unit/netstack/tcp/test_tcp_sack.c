/* SPDX-License-Identifier: BSD-3-Clause */
/* The scoreboard: SACK blocks received, and what is made of them (RFC 2018, 2883, 6675). */
#include "sack_script.h"

/* Ten segments out; time for the first ACK. */
static struct script *ten_out(bool stamps)
{
	struct script *s = script_sack(stamps);

	send_bytes(s, 10 * MSS);
	expect_range(s, 0, 10);
	s->now += RTT;
	return s;
}

static void blocks_are_marked_rfc2018_4(void **state)
{
	struct script *s = ten_out(false);
	const uint32_t b[][2] = {{at(6), at(7)}, {at(3), at(4)}, {at(1), at(2)}};

	blocks_raw(s, 3, b);
	in(s, A, 1, at(0), 65535, 0);
	assert_int_equal(s->e.tcb.x->sacked, 3 * MSS);
	assert_int_equal(s->e.tcb.x->sacked_segs, 3);
	assert_int_equal(s->e.tcb.x->high_sacked - s->e.tcb.iss, at(7));
	script_free(s);
}

static void pipe_is_what_is_in_flight_rfc6675_4(void **state)
{
	struct script *s = ten_out(false);

	s->e.tcb.cwnd = 10 * MSS;
	assert_int_equal(rill_tcp_pipe(&s->e.tcb), 10 * MSS);
	sack(s, 0, 5, 6);
	assert_int_equal(rill_tcp_pipe(&s->e.tcb), 9 * MSS);
	sack(s, 0, 5, 6); /* no news */
	assert_int_equal(rill_tcp_pipe(&s->e.tcb), 9 * MSS);
	script_free(s);
}

static void cumulative_ack_takes_marks_along(void **state)
{
	struct script *s = ten_out(false);

	sack(s, 0, 2, 4);
	sack(s, 1, 2, 4);
	plain_ack(s, 10);
	assert_int_equal(s->e.tcb.x->sacked, 0);
	assert_int_equal(s->e.tcb.x->lost, 0);
	assert_int_equal(s->e.tcb.x->retrans, 0);
	assert_int_equal(s->e.tcb.sendq_count, 0);
	assert_int_equal(ca(s), RILL_TCP_CA_OPEN);
	script_free(s);
}

static void only_the_holes_are_sent_again(void **state)
{
	struct script *s = ten_out(false);

	sack(s, 0, 7, 10); /* three behind: 0 to 6 are lost, but as cwnd allows */
	assert_int_equal(s->e.tcb.x->lost, 7 * MSS);
	expect_range(s, 0, 1);
	s->out_first = s->out_last;
	sack2(s, 0, 2, 4, 7, 10);
	assert_int_equal(s->e.tcb.x->sacked, 5 * MSS);
	assert_int_equal(s->e.tcb.x->lost, 5 * MSS);
	for (unsigned i = 0; i < 20 && s->e.tcb.snd_una != s->e.tcb.snd_nxt; i++) {
		s->now += RTT;
		while (s->out_first != s->out_last) {
			uint32_t seq = s->out[s->out_first++ % 512].seg.seq - s->e.tcb.iss;

			assert_true(seq != at(2) && seq != at(3) && seq < at(7));
		}
		plain_ack(s, 10);
	}
	script_free(s);
}

static void dsack_below_the_ack_rfc2883_4_1(void **state)
{
	struct script *s = ten_out(false);

	plain_ack(s, 5);
	sack(s, 5, 2, 3);
	assert_int_equal(s->e.env.stats.dsacks_in, 1);
	assert_int_equal(s->e.tcb.x->sacked, 0);
	script_free(s);
}

static void dsack_within_the_second_block_rfc2883_4_2(void **state)
{
	struct script *s = ten_out(false);

	sack2(s, 0, 6, 7, 5, 8);
	assert_int_equal(s->e.env.stats.dsacks_in, 1);
	assert_int_equal(s->e.tcb.x->sacked, 3 * MSS);
	script_free(s);
}

static void first_block_within_nothing_is_no_dsack(void **state)
{
	struct script *s = ten_out(false);

	sack2(s, 0, 8, 9, 5, 6);
	assert_int_equal(s->e.env.stats.dsacks_in, 0);
	assert_int_equal(s->e.tcb.x->sacked, 2 * MSS);
	script_free(s);
}

static void nothing_beyond_what_was_sent_is_believed(void **state)
{
	struct script *s = ten_out(false);
	const uint32_t bad[][2] = {
		{at(8), at(11)},	      /* the end was never sent */
		{at(20), at(21)},	      /* nor anything of it */
		{at(5), at(5)},		      /* empty */
		{at(6), at(5)},		      /* backwards */
		{at(5), at(5) + 0x80000001u}, /* half the world */
		{1 - 200000u, 1 - 190000u},   /* long ago */
		{1 - 200000u, at(3)},	      /* from long ago */
	};

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(bad); i++) {
		blocks_raw(s, 1, &bad[i]);
		in(s, A, 1, at(0), 65535, 0);
		assert_int_equal(s->e.tcb.x->sacked, 0);
		assert_int_equal(s->e.env.stats.dsacks_in, 0);
	}
	script_free(s);
}

static void blocks_are_ignored_when_sack_was_not_agreed_on(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 10 * MSS);
	sack(s, 0, 5, 8);
	assert_int_equal(s->e.tcb.x->sacked, 0);
	script_free(s);
}

static void an_old_ack_still_tells(void **state)
{
	struct script *s = ten_out(false);

	plain_ack(s, 3);
	sack(s, 1, 6, 7); /* overtaken on its way */
	assert_int_equal(s->e.tcb.x->sacked, MSS);
	assert_int_equal(s->e.tcb.snd_una - s->e.tcb.iss, at(3));
	script_free(s);
}

static void a_block_cuts_a_segment(void **state)
{
	struct script *s = ten_out(false);
	const uint32_t b[][2] = {{at(4) + 100, at(4) + 600}};

	blocks_raw(s, 1, b);
	in(s, A, 1, at(0), 65535, 0);
	assert_int_equal(s->e.tcb.x->sacked, 500);
	assert_int_equal(s->e.tcb.sendq_count, 12);
	plain_ack(s, 10);
	script_free(s);
}

static void without_a_buffer_a_cut_segment_stays_unmarked(void **state)
{
	struct script *s = ten_out(false);
	const uint32_t b[][2] = {{at(4) + 100, at(6)}};
	uint8_t raw_sacked;

	s->e.alloc_fail_permille = 1000;
	blocks_raw(s, 1, b);
	in_batch(s, A, 1, at(0), 65535, 0);
	raw_sacked = (uint8_t)(s->e.tcb.x->sacked / MSS);
	assert_int_equal(raw_sacked, 1); /* the whole one is marked */
	assert_int_equal(s->e.tcb.sendq_count, 10);
	s->e.alloc_fail_permille = 0;
	script_free(s);
}

static void pieces_are_bounded(void **state)
{
	struct script *s = script_sack(false);
	uint32_t bound;

	s->e.tcb.snd_buf_max = 32 * 1024; /* 80 pieces at most */
	bound = 32 * 1024 / 512 + 16;
	send_bytes(s, 10 * MSS);
	for (uint32_t i = 0; i + 20 < 9 * MSS; i += 20) {
		const uint32_t b[][2] = {{2 + i, 3 + i}, {8 + i, 9 + i}, {14 + i, 15 + i}};

		blocks_raw(s, 3, b);
		in_batch(s, A, 1, at(0), 65535, 0);
		assert_true(s->e.tcb.sendq_count <= bound);
	}
	script_free(s);
}

/* An ACK may cost 512 steps; it goes on with the next one, so the mark is set in the end. */
static void a_long_search_is_spread_over_acks(void **state)
{
	struct script *s = script_new();
	struct rill_tcp_xfer *x;
	uint8_t data[1400] = {0};
	unsigned n = 0;

	s->opt.present |= RILL_TCP_OPT_SACK_PERMITTED;
	s->opt.mss = 100;
	s->e.sent = NULL;
	script_connect(s);
	s->e.tcb.snd_nxt = s->e.tcb.iss + 1;
	in(s, S | A, 0, 1, 65535, 0);
	s->e.tcb.snd_buf_max = 1 << 20;
	s->e.tcb.cwnd = 1 << 20;
	s->e.tcb.snd_wnd = 1 << 20;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(rill_tcb_send(&s->e.tcb, &s->e.env, data, 1400), 1400);
	out(s);
	x = s->e.tcb.x;
	assert_int_equal(s->e.tcb.sendq_count, 1400);
	while (x->sacked == 0 && n < 10) {
		const uint32_t b[][2] = {{1 + 1300 * 100, 1 + 1301 * 100}};

		blocks_raw(s, 1, b);
		in_batch(s, A, 1, 1, 65535, 0);
		n++;
	}
	assert_int_equal(x->sacked, 100);
	assert_true(n > 1 && n <= 4);
	/* And the neighbour is found at once. */
	{
		const uint32_t b[][2] = {{1 + 1300 * 100, 1 + 1302 * 100}};

		blocks_raw(s, 1, b);
		in_batch(s, A, 1, 1, 65535, 0);
	}
	assert_int_equal(x->sacked, 200);
	script_free(s);
}

static void reneging_is_noticed_at_a_timeout_rfc2018_8(void **state)
{
	struct script *s = ten_out(false);

	sack(s, 0, 1, 3);
	s->out_first = s->out_last;
	plain_ack(s, 1); /* it had 1 and 2, and does not acknowledge them any more */
	s->out_first = s->out_last;
	pass(s, 2 * RILL_SEC);
	assert_int_equal(s->e.env.stats.sack_reneges, 1);
	assert_int_equal(s->e.tcb.x->sacked, 0);
	plain_ack(s, 10);
	script_free(s);
}

static void sacks_survive_a_timeout_rfc6675_5_1(void **state)
{
	struct script *s = ten_out(false);

	sack(s, 0, 8, 10);
	s->out_first = s->out_last;
	while (s->e.env.stats.rtos == 0)
		pass(s, rill_tcb_next_deadline(&s->e.tcb) - s->now);
	assert_int_equal(s->e.env.stats.sack_reneges, 0);
	assert_int_equal(s->e.tcb.x->sacked, 2 * MSS);
	script_free(s);
}

static void counting_without_rack_rfc6675_islost(void **state)
{
	struct script *s = ten_out(false);

	s->e.env.params.no_rack = true;
	sack(s, 0, 1, 2);
	sack(s, 0, 1, 3);
	assert_int_equal(s->e.tcb.x->lost, 0);
	sack(s, 0, 1, 4);
	assert_int_equal(s->e.tcb.x->lost, MSS);
	expect_range(s, 0, 1);
	script_free(s);
}

static void limited_transmit_with_sack_rfc3042(void **state)
{
	struct script *s = script_sack(false);

	s->e.env.params.no_rack = true;
	send_bytes(s, 20 * MSS);
	expect_range(s, 0, 10);
	sack(s, 0, 1, 2);
	expect_range(s, 10, 11);
	sack(s, 0, 1, 3);
	expect_range(s, 11, 12);
	expect_none(s);
	assert_int_equal(s->e.tcb.cwnd, 10 * MSS);
	script_free(s);
}

static void mss_change_splits_and_loses_without_reduction_rfc1191(void **state)
{
	struct script *s = ten_out(false);
	uint32_t cwnd = s->e.tcb.cwnd;

	sack(s, 0, 4, 5);
	rill_tcb_icmp_too_big(&s->e.tcb, 1000, s->e.tcb.snd_una);
	assert_int_equal(s->e.tcb.x->lost, 9 * MSS);
	assert_int_equal(s->e.tcb.x->sacked, MSS);
	out(s);
	expect(s, A, 1, 1, 960);
	expect(s, A, 961, 1, 500);
	assert_true(s->e.tcb.cwnd >= cwnd);
	assert_int_equal(s->e.env.stats.fast_recoveries, 0);
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(blocks_are_marked_rfc2018_4),
		T(pipe_is_what_is_in_flight_rfc6675_4),
		T(cumulative_ack_takes_marks_along),
		T(only_the_holes_are_sent_again),
		T(dsack_below_the_ack_rfc2883_4_1),
		T(dsack_within_the_second_block_rfc2883_4_2),
		T(first_block_within_nothing_is_no_dsack),
		T(nothing_beyond_what_was_sent_is_believed),
		T(blocks_are_ignored_when_sack_was_not_agreed_on),
		T(an_old_ack_still_tells),
		T(a_block_cuts_a_segment),
		T(without_a_buffer_a_cut_segment_stays_unmarked),
		T(pieces_are_bounded),
		T(a_long_search_is_spread_over_acks),
		T(reneging_is_noticed_at_a_timeout_rfc2018_8),
		T(sacks_survive_a_timeout_rfc6675_5_1),
		T(counting_without_rack_rfc6675_islost),
		T(limited_transmit_with_sack_rfc3042),
		T(mss_change_splits_and_loses_without_reduction_rfc1191),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
