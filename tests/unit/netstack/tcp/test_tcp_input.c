/* SPDX-License-Identifier: BSD-3-Clause */
/* What is accepted, and how it is acknowledged. */
#include "script.h"

#include <errno.h>

static void ack_beyond_snd_nxt_is_challenged_rfc5961_5(void **state)
{
	struct script *s = script_established(MSS, 65535);

	assert_int_equal(in(s, A, 1, 2, 65535, 0), RILL_DROP_TCP_ACK);
	expect(s, A, 1, 1, 0);
	assert_int_equal(in(s, A, 1, (uint32_t)-65536, 65535, 5), RILL_DROP_TCP_ACK);
	expect(s, A, 1, 1, 0);
	assert_int_equal(s->e.tcb.rcv_queued, 0);
	script_free(s);
}

static void old_ack_still_brings_data_rfc5961_5(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 100);
	expect(s, A, 1, 1, 100);
	in(s, A, 1, 101, 65535, 0);
	assert_int_equal(in(s, A, 1, 50, 65535, 10), RILL_DROP_NONE);
	recv_bytes(s, 10);
	script_free(s);
}

static void rst_in_window_is_challenged_rfc5961_3(void **state)
{
	struct script *s = script_established(MSS, 65535);

	assert_int_equal(in(s, R, 2, 0, 0, 0), RILL_DROP_TCP_RST);
	expect(s, A, 1, 1, 0);
	assert_int_equal(in(s, R, 65000, 0, 0, 0), RILL_DROP_TCP_RST);
	expect(s, A, 1, 1, 0);
	expect_state(s, RILL_TCP_ESTABLISHED);
	script_free(s);
}

static void rst_outside_the_window_is_ignored_rfc5961_3(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, R, 0, 0, 0, 0);
	in(s, R, 70000, 0, 0, 0);
	in(s, R | A, (uint32_t)-5, 1, 0, 0);
	expect_none(s);
	expect_state(s, RILL_TCP_ESTABLISHED);
	script_free(s);
}

static void syn_is_challenged_rfc5961_4(void **state)
{
	struct script *s = script_established(MSS, 65535);

	assert_int_equal(in(s, S, 1, 0, 65535, 0), RILL_DROP_TCP_SYN);
	expect(s, A, 1, 1, 0);
	assert_int_equal(in(s, S, 500000, 0, 65535, 0), RILL_DROP_TCP_SYN);
	expect(s, A, 1, 1, 0);
	assert_int_equal(in(s, S | A, 0, 1, 65535, 0), RILL_DROP_TCP_SYN);
	expect(s, A, 1, 1, 0);
	expect_state(s, RILL_TCP_ESTABLISHED);
	script_free(s);
}

static void challenge_acks_are_limited_rfc5961_7(void **state)
{
	struct script *s = script_established(MSS, 65535);
	unsigned sent = 0;
	unsigned limits = 0;

	/* between a half and all of it, and each second another limit */
	s->e.env.params.challenge_acks_per_sec = 6;
	for (unsigned second = 0; second < 50; second++) {
		sent = 0;
		for (unsigned i = 0; i < 20; i++) {
			s->e.tcb.challenges = 0; /* as if it were another connection */
			in(s, S, 1, 0, 65535, 0);
			sent += s->out_last != s->out_first;
			s->out_first = s->out_last;
		}
		assert_in_range(sent, 3, 6);
		limits |= 1u << sent;
		pass(s, RILL_SEC);
	}
	assert_int_equal(limits, 0x78);
	script_free(s);
}

static void no_ack_flag_is_dropped(void **state)
{
	struct script *s = script_established(MSS, 65535);

	assert_int_equal(in(s, P, 1, 0, 65535, 10), RILL_DROP_TCP_NO_ACK);
	expect_none(s);
	assert_int_equal(s->e.tcb.rcv_queued, 0);
	script_free(s);
}

static void outside_the_window_is_acked_rfc9293_3_10_7_4(void **state)
{
	struct script *s = script_established(MSS, 65535);

	assert_int_equal(in(s, A, 1 + 65535, 1, 65535, 10), RILL_DROP_TCP_WINDOW);
	expect(s, A, 1, 1, 0);
	in(s, A, 1, 1, 65535, 100);
	assert_int_equal(in(s, A, 1, 1, 65535, 100), RILL_DROP_TCP_OLD);
	expect(s, A, 1, 101, 0);
	script_free(s);
}

static void overlap_is_trimmed_at_the_front(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A, 1, 1, 65535, 100);
	in(s, A, 51, 1, 65535, 100);
	expect(s, A, 1, 151, 0); /* at once: the peer repeats itself */
	recv_bytes(s, 150);
	script_free(s);
}

static void tail_beyond_the_window_is_cut(void **state)
{
	struct script *s = script_new();

	s->e.tcb.rcv_buf_max = 1000;
	script_connect(s);
	in(s, S | A, 0, 1, 65535, 0);
	in(s, A | F, 1, 1, 65535, 1200);
	assert_int_equal(s->e.tcb.rcv_queued, 1000);
	expect_state(s, RILL_TCP_ESTABLISHED); /* the FIN went with the tail */
	recv_bytes(s, 1000);
	script_free(s);
}

static void urg_is_plain_data_rfc6093(void **state)
{
	struct script *s = script_established(MSS, 65535);

	assert_int_equal(in(s, A | P | RILL_TCP_URG, 1, 1, 65535, 10), RILL_DROP_NONE);
	recv_bytes(s, 10);
	script_free(s);
}

static void out_of_order_rfc5681_4_2(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A, 101, 1, 65535, 100);
	expect(s, A, 1, 1, 0); /* at once */
	in(s, A, 301, 1, 65535, 100);
	expect(s, A, 1, 1, 0);
	in(s, A, 1, 1, 65535, 100);
	expect(s, A, 1, 201, 0); /* part of the gap: at once */
	in(s, A, 201, 1, 65535, 100);
	expect(s, A, 1, 401, 0);
	recv_bytes(s, 400);
	assert_int_equal(s->e.env.stats.out_of_order, 2);
	script_free(s);
}

static void out_of_order_batch_gets_an_ack_each(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in_batch(s, A, 101, 1, 65535, 100);
	in_batch(s, A, 201, 1, 65535, 100);
	in_batch(s, A, 301, 1, 65535, 100);
	out(s);
	for (unsigned i = 0; i < 3; i++)
		expect(s, A, 1, 1, 0);
	expect_none(s);
	in_batch(s, A, 501, 1, 65535, 100);
	in_batch(s, A, 1, 1, 65535, 100);
	out(s);
	expect(s, A, 1, 401, 0); /* the gap was filled meanwhile */
	expect_none(s);
	script_free(s);
}

static void out_of_order_overlaps(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A, 101, 1, 65535, 100); /* [101,201) */
	in(s, A, 301, 1, 65535, 100); /* [301,401) */
	in(s, A, 151, 1, 65535, 200); /* bridges both */
	in(s, A, 51, 1, 65535, 400);  /* covers all */
	in(s, A, 91, 1, 65535, 10);   /* nothing new */
	in(s, A, 1, 1, 65535, 60);
	assert_int_equal(s->e.tcb.rcv_nxt, PEER_ISN + 451);
	recv_bytes(s, 450);
	script_free(s);
}

static void out_of_order_random(void **state)
{
	struct rill_rand r;

	rill_rand_init(&r, 3);
	for (unsigned round = 0; round < 200; round++) {
		struct script *s = script_established(MSS, 65535);
		bool have[4001] = {false};
		uint32_t upto = 1;

		for (unsigned i = 0; i < 200; i++) {
			uint32_t from = 1 + rill_rand_below(&r, 3990);
			uint32_t len = 1 + rill_rand_below(&r, RILL_MIN(600u, 4000 - from));

			in(s, A, from, 1, 65535, len);
			for (uint32_t k = from; k < from + len; k++)
				have[k] = true;
			while (upto <= 4000 && have[upto])
				upto++;
			assert_int_equal(s->e.tcb.rcv_nxt - PEER_ISN, upto);
			s->out_first = s->out_last;
		}
		if (upto > 1)
			recv_bytes(s, upto - 1);
		script_free(s);
	}
}

static void out_of_order_is_bounded_in_buffers(void **state)
{
	struct script *s = script_established(MSS, 65535);
	enum rill_drop drop = RILL_DROP_NONE;

	for (uint32_t i = 0; i < 300 && drop == RILL_DROP_NONE; i++)
		drop = in(s, A, 3 + 2 * i, 1, 65535, 1);
	assert_int_equal(drop, RILL_DROP_TCP_REASSEMBLY);
	assert_true(s->e.tcb.x->reass.count <= 65535 / 512 + 16);
	script_free(s);
}

static void small_segments_do_not_pin_a_buffer_each(void **state)
{
	struct script *s = script_established(MSS, 65535);

	for (uint32_t i = 0; i < 1000; i++)
		in(s, A, 1 + 40 * i, 1, 65535, 40);
	assert_int_equal(s->e.tcb.rcv_queued, 40000);
	assert_true(s->e.tcb.recvq.count <= 25);
	recv_bytes(s, 40000);
	script_free(s);
}

static void delayed_ack_must40(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A, 1, 1, 65535, 100);
	expect_none(s);
	expect_timer(s, 40 * RILL_MS);
	expect(s, A, 1, 101, 0);
	assert_int_equal(rill_tcb_next_deadline(&s->e.tcb), RILL_FOREVER);
	script_free(s);
}

static void every_second_full_segment_shld19(void **state)
{
	struct script *s = script_established(MSS, 65535);

	for (uint32_t i = 0; i < 10; i++) {
		in(s, A, 1 + i * 1360, 1, 65535, 1360);
		if (i % 2 == 1)
			expect(s, A, 1, 1 + (i + 1) * 1360, 0);
		expect_none(s);
		recv_bytes(s, 1360);
	}
	expect_none(s);
	script_free(s);
}

static void one_ack_for_a_batch_must58(void **state)
{
	struct script *s = script_established(MSS, 65535);

	for (uint32_t i = 0; i < 10; i++)
		in_batch(s, A, 1 + i * 1000, 1, 65535, 1000);
	expect_none(s);
	out(s);
	expect(s, A, 1, 10001, 0);
	expect_none(s);
	script_free(s);
}

static void ack_rides_on_data(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.tcb.quick_acks = 1;
	in_batch(s, A, 1, 1, 65535, 64);
	send_bytes(s, 64);
	expect(s, A | P, 1, 65, 64);
	expect_none(s);
	assert_int_equal(s->e.tcb.ack_at, RILL_FOREVER);
	script_free(s);
}

static void quick_acks_at_the_start(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.tcb.quick_acks = 2;
	in(s, A, 1, 1, 65535, 10);
	expect(s, A, 1, 11, 0);
	in(s, A, 11, 1, 65535, 10);
	expect(s, A, 1, 21, 0);
	in(s, A, 21, 1, 65535, 10);
	expect_none(s);
	script_free(s);
}

static void window_closes_and_opens_in_steps_must39(void **state)
{
	struct script *s = script_new();

	s->e.tcb.rcv_buf_max = 10000;
	script_connect(s);
	in(s, S | A, 0, 1, 65535, 0);
	for (uint32_t i = 0; i < 10; i++)
		in(s, A, 1 + i * 1000, 1, 65535, 1000);
	assert_int_equal(s->e.tcb.rcv_wnd, 0);
	s->out_first = s->out_last;
	recv_bytes(s, 100);
	recv_bytes(s, 800);
	expect_none(s); /* not worth a segment */
	recv_bytes(s, 1500);
	expect(s, A, 1, 10001, 0);
	assert_int_equal(s->last.wnd, 2400);
	script_free(s);
}

static void zero_window_probe_is_answered(void **state)
{
	struct script *s = script_new();

	s->e.tcb.rcv_buf_max = 1000;
	script_connect(s);
	in(s, S | A, 0, 1, 65535, 0);
	in(s, A, 1, 1, 65535, 1000);
	pass(s, RILL_SEC);
	s->out_first = s->out_last;
	in(s, A, 1001, 1, 65535, 1);
	expect(s, A, 1, 1001, 0);
	assert_int_equal(s->last.wnd, 0);
	/* its ACK counts all the same (RFC 9293, 3.10.7.4) */
	send_bytes(s, 10);
	expect(s, A, 1, 1001, 10);
	in(s, A, 1001, 11, 65535, 1);
	assert_int_equal(s->e.tcb.snd_una, s->e.tcb.snd_nxt);
	/* and so does a RST (MUST-66) */
	in(s, R, 1001, 0, 0, 0);
	expect_state(s, RILL_TCP_CLOSED);
	script_free(s);
}

static void paws_rfc7323_5_3(void **state)
{
	struct script *s = script_timestamps();

	s->opt.tsval = 2000;
	in(s, A, 1, 1, 65535, 100);
	s->opt.tsval = 1999;
	assert_int_equal(in(s, A, 101, 1, 65535, 100), RILL_DROP_TCP_PAWS);
	expect(s, A, 1, 101, 0);
	assert_int_equal(s->e.env.stats.paws_drops, 1);
	assert_int_equal(s->e.tcb.rcv_queued, 100);
	/* a RST is exempt */
	in(s, R, 101, 0, 0, 0);
	expect_state(s, RILL_TCP_CLOSED);
	script_free(s);
}

static void paws_lets_in_after_24_days_rfc7323_5_5(void **state)
{
	struct script *s = script_timestamps();

	pass(s, 25 * 86400 * RILL_SEC);
	s->opt.tsval = 1000 - 5;
	assert_int_equal(in(s, A, 1, 1, 65535, 100), RILL_DROP_NONE);
	recv_bytes(s, 100);
	script_free(s);
}

static void missing_timestamp_is_dropped_rfc7323_3_2(void **state)
{
	struct script *s = script_timestamps();

	s->opt.present = 0;
	assert_int_equal(in(s, A, 1, 1, 65535, 100), RILL_DROP_TCP_NO_TIMESTAMP);
	expect_none(s);
	in(s, R, 1, 0, 0, 0);
	expect_state(s, RILL_TCP_CLOSED);
	script_free(s);
}

static void timestamp_echo_last_ack_sent_rfc7323_4_3(void **state)
{
	struct script *s = script_timestamps();

	/* (A) of two segments for one ACK the first is echoed */
	s->opt.tsval = 2000;
	in_batch(s, A, 1, 1, 65535, 1000);
	s->opt.tsval = 2001;
	in_batch(s, A, 1001, 1, 65535, 1000);
	out(s);
	expect(s, A, 1, 2001, 0);
	assert_int_equal(s->last.opt.tsecr, 2000);
	/* (B) of a segment after a gap, none */
	s->opt.tsval = 2002;
	in(s, A, 3001, 1, 65535, 1000);
	expect(s, A, 1, 2001, 0);
	assert_int_equal(s->last.opt.tsecr, 2000);
	/* (C) the one that fills it is */
	s->opt.tsval = 2003;
	in(s, A, 2001, 1, 65535, 1000);
	expect(s, A, 1, 4001, 0);
	assert_int_equal(s->last.opt.tsecr, 2003);
	script_free(s);
}

static void timestamps_on_every_segment_rfc7323_3_2(void **state)
{
	struct script *s = script_timestamps();

	send_bytes(s, 2000);
	expect(s, A, 1, 1, 1448);
	assert_int_equal(s->last.opt.present, RILL_TCP_OPT_TIMESTAMPS);
	expect(s, A | P, 1449, 1, 552);
	assert_int_equal(s->last.opt.present, RILL_TCP_OPT_TIMESTAMPS);
	rill_tcb_abort(&s->e.tcb, &s->e.env, s->now);
	expect(s, R | A, 2001, 1, 0);
	assert_int_equal(s->last.opt.present, RILL_TCP_OPT_TIMESTAMPS);
	script_free(s);
}

static void recv_buf_hands_out_buffers(void **state)
{
	struct script *s = script_established(MSS, 65535);
	struct rill_buf *b = NULL;

	assert_int_equal(rill_tcb_recv_buf(&s->e.tcb, &s->e.env, &b), -EAGAIN);
	in(s, A, 1, 1, 65535, 1000);
	assert_int_equal(rill_tcb_recv_buf(&s->e.tcb, &s->e.env, &b), 1);
	assert_int_equal(b->len, 1000);
	assert_int_equal(s->e.tcb.rcv_queued, 0);
	rill_buf_put_owner(&s->e.pool, b);
	script_free(s);
}

static void readable_event(void **state)
{
	struct script *s = script_established(MSS, 65535);
	char c;

	assert_false(rill_tcb_readable(&s->e.tcb));
	assert_int_equal(rill_tcb_recv(&s->e.tcb, &s->e.env, &c, 1), -EAGAIN);
	in(s, A, 101, 1, 65535, 10);
	assert_int_equal(s->e.tcb.events, 0); /* not in order yet */
	in(s, A, 1, 1, 65535, 100);
	assert_int_equal(s->e.tcb.events, RILL_TCB_READABLE);
	script_free(s);
}

static void no_buffer_for_an_ack_is_tried_again(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in_batch(s, A, 1, 1, 65535, 1460);
	s->e.alloc_fail_permille = 1000;
	out(s);
	expect_none(s);
	s->e.alloc_fail_permille = 0;
	expect_timer(s, 40 * RILL_MS);
	expect(s, A, 1, 1461, 0);
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(ack_beyond_snd_nxt_is_challenged_rfc5961_5),
		T(old_ack_still_brings_data_rfc5961_5),
		T(rst_in_window_is_challenged_rfc5961_3),
		T(rst_outside_the_window_is_ignored_rfc5961_3),
		T(syn_is_challenged_rfc5961_4),
		T(challenge_acks_are_limited_rfc5961_7),
		T(no_ack_flag_is_dropped),
		T(outside_the_window_is_acked_rfc9293_3_10_7_4),
		T(overlap_is_trimmed_at_the_front),
		T(tail_beyond_the_window_is_cut),
		T(urg_is_plain_data_rfc6093),
		T(out_of_order_rfc5681_4_2),
		T(out_of_order_batch_gets_an_ack_each),
		T(out_of_order_overlaps),
		T(out_of_order_random),
		T(out_of_order_is_bounded_in_buffers),
		T(small_segments_do_not_pin_a_buffer_each),
		T(delayed_ack_must40),
		T(every_second_full_segment_shld19),
		T(one_ack_for_a_batch_must58),
		T(ack_rides_on_data),
		T(quick_acks_at_the_start),
		T(window_closes_and_opens_in_steps_must39),
		T(zero_window_probe_is_answered),
		T(paws_rfc7323_5_3),
		T(paws_lets_in_after_24_days_rfc7323_5_5),
		T(missing_timestamp_is_dropped_rfc7323_3_2),
		T(timestamp_echo_last_ack_sent_rfc7323_4_3),
		T(timestamps_on_every_segment_rfc7323_3_2),
		T(recv_buf_hands_out_buffers),
		T(readable_event),
		T(no_buffer_for_an_ack_is_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
