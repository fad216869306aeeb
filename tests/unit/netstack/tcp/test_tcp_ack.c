/* SPDX-License-Identifier: BSD-3-Clause */
/* When data is acknowledged (RFC 9293, 3.8.6.3; RFC 5681, 4.2). */
#include "script.h"

#include "netstack/tcp/xfer.h"

static void expect_acked(struct script *s, uint32_t ack)
{
	expect(s, A, 1, ack, 0);
	expect_none(s);
}

static void params_keep_must40(void **state)
{
	struct script *s = script_new();

	assert_true(s->e.env.params.delack_us < 500 * 1000);
	script_free(s);
}

static void by_bytes_not_by_segments_shld19(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A | P, 1, 1, 65535, 1460);
	expect_none(s);
	in(s, A | P, 1461, 1, 65535, 1);
	expect_acked(s, 1462);
	in(s, A | P, 1462, 1, 65535, 700);
	in(s, A | P, 2162, 1, 65535, 760);
	expect_none(s);
	in(s, A | P, 2922, 1, 65535, 1);
	expect_acked(s, 2923);
	script_free(s);
}

static void at_least_every_fourth_small_segment(void **state)
{
	struct script *s = script_established(MSS, 65535);

	for (uint32_t i = 0; i < 12; i++) {
		in(s, A | P, 1 + i * 10, 1, 65535, 10);
		if (i % 4 == 3)
			expect_acked(s, 1 + (i + 1) * 10);
		expect_none(s);
	}
	script_free(s);
}

static void count_starts_anew_with_each_ack(void **state)
{
	struct script *s = script_established(MSS, 65535);

	for (uint32_t i = 0; i < 3; i++)
		in(s, A | P, 1 + i * 10, 1, 65535, 10);
	send_bytes(s, 5);
	expect(s, A | P, 1, 31, 5);
	for (uint32_t i = 3; i < 6; i++)
		in(s, A | P, 1 + i * 10, 6, 65535, 10);
	expect_none(s);
	in(s, A | P, 61, 6, 65535, 10);
	expect(s, A, 6, 71, 0);
	script_free(s);
}

static void quickack_delays_none(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.tcb.flags |= RILL_TCB_QUICK;
	in(s, A | P, 1, 1, 65535, 10);
	expect_acked(s, 11);
	s->e.tcb.flags &= ~(uint32_t)RILL_TCB_QUICK;
	in(s, A | P, 11, 1, 65535, 10);
	expect_none(s);
	script_free(s);

	s = script_established(MSS, 65535);
	s->e.env.params.delack_us = 0;
	in(s, A | P, 1, 1, 65535, 10);
	expect_acked(s, 11);
	script_free(s);
}

static void quick_at_the_start_by_params(void **state)
{
	struct script *s = script_new();

	s->e.env.params.quick_acks = 3;
	script_connect(s);
	in(s, S | A, 0, 1, 65535, 0);
	s->out_first = s->out_last;
	for (uint32_t i = 0; i < 3; i++) {
		in(s, A | P, 1 + i * 10, 1, 65535, 10);
		expect_acked(s, 1 + (i + 1) * 10);
	}
	in(s, A | P, 31, 1, 65535, 10);
	expect_none(s);
	script_free(s);
}

/* A segment as large as the window, as of a jumbo MTU or of receive offload: no second one can
 * follow before the ACK. */
static void segment_as_large_as_the_window_is_not_delayed(void **state)
{
	struct script *s = script_new();

	s->e.env.params.mtu = 9000;
	rill_tcb_set_recv_buffer(&s->e.tcb, 1900);
	script_connect(s);
	in(s, S | A, 0, 1, 65535, 0);
	s->out_first = s->out_last;
	in_batch(s, A, 1, 1, 65535, 1900);
	recv_bytes(s, 1900);
	expect(s, A, 1, 1901, 0);
	assert_int_equal(s->last.wnd, 1900);
	expect_none(s);
	/* more than half of it: the rest would be a silly window for the sender */
	in_batch(s, A, 1901, 1, 65535, 1000);
	recv_bytes(s, 1000);
	expect(s, A, 1, 2901, 0);
	script_free(s);
}

static void two_segments_of_window_left_are_not_delayed(void **state)
{
	struct script *s = script_new();

	rill_tcb_set_recv_buffer(&s->e.tcb, 4000);
	script_connect(s);
	in(s, S | A, 0, 1, 65535, 0);
	s->out_first = s->out_last;
	in(s, A | P, 1, 1, 65535, 1460);
	expect(s, A, 1, 1461, 0);
	script_free(s);
}

/* More is to come (no PSH): the ACK waits a few gaps between segments, not for an application. */
static void without_push_the_delay_follows_the_arrivals(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint32_t seq = 1;

	for (unsigned i = 0; i < 20; i++, seq += 1460) {
		in(s, A, seq, 1, 65535, 1460);
		s->now += RILL_MS;
		recv_bytes(s, 1460);
	}
	s->out_first = s->out_last;
	in(s, A, seq, 1, 65535, 1460);
	expect_none(s);
	expect_timer(s, 4 * RILL_MS);
	expect_acked(s, seq + 1460);
	/* at the end of a write the application may answer */
	seq += 1460;
	in(s, A | P, seq, 1, 65535, 1460);
	expect_none(s);
	expect_timer(s, 40 * RILL_MS);
	expect_acked(s, seq + 1460);
	script_free(s);
}

static void silence_is_no_gap(void **state)
{
	struct script *s = script_established(MSS, 65535);

	for (uint32_t i = 0; i < 8; i++) {
		in(s, A, 1 + i * 100, 1, 65535, 100);
		pass(s, RILL_SEC);
		recv_bytes(s, 100);
	}
	assert_int_equal(s->e.tcb.x->rcv_gap_us, 0);
	script_free(s);
}

static void gap_made_and_filled_is_told_at_once_rfc5681_4_2(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A | P, 201, 1, 65535, 100);
	expect_acked(s, 1);
	in(s, A | P, 1, 1, 65535, 100);
	expect_acked(s, 101);
	in(s, A | P, 101, 1, 65535, 100);
	expect_acked(s, 301);
	script_free(s);
}

static void fin_is_acked_at_once(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A | P | F, 1, 1, 65535, 10);
	expect_acked(s, 12);
	script_free(s);
}

/* MUST-59: what is due goes out after the batch, once, and with the newest numbers. */
static void acks_are_drained_must59(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in_batch(s, A, 1, 1, 65535, 1460);
	in_batch(s, A, 1461, 1, 65535, 1460);
	expect_none(s);
	in_batch(s, A | P, 2921, 1, 65535, 10);
	out(s);
	expect_acked(s, 2931);
	assert_int_equal(s->e.tcb.ack_at, RILL_FOREVER);
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(params_keep_must40),
		T(by_bytes_not_by_segments_shld19),
		T(at_least_every_fourth_small_segment),
		T(count_starts_anew_with_each_ack),
		T(quickack_delays_none),
		T(quick_at_the_start_by_params),
		T(segment_as_large_as_the_window_is_not_delayed),
		T(two_segments_of_window_left_are_not_delayed),
		T(without_push_the_delay_follows_the_arrivals),
		T(silence_is_no_gap),
		T(gap_made_and_filled_is_told_at_once_rfc5681_4_2),
		T(fin_is_acked_at_once),
		T(acks_are_drained_must59),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
