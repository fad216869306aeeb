/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The timer and what it ends: RTO (RFC 6298), R1 and R2, user timeout (RFC 5482), cork, black holes
 * (RFC 4821), and transfers at rest.
 */
#include "sack_script.h"

#include <errno.h>

static void to_the_timer(struct script *s)
{
	pass(s, rill_tcb_next_deadline(&s->e.tcb) - s->now);
}

static void mark(struct script *s)
{
	s->out_first = s->out_last;
}

static void timer_runs_from_the_first_segment_rfc6298_5_1(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint64_t at_first;

	send_bytes(s, MSS);
	at_first = rill_tcb_next_deadline(&s->e.tcb);
	assert_int_equal(at_first, s->now + s->e.tcb.rto_us * RILL_US);
	s->now += 50 * RILL_MS;
	send_bytes(s, MSS);
	assert_int_equal(rill_tcb_next_deadline(&s->e.tcb), at_first);
	script_free(s);
}

static void r1_raises_doubt_must20(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 100);
	for (unsigned i = 1; i < 3; i++) {
		to_the_timer(s);
		assert_int_equal(s->e.tcb.events & RILL_TCB_DOUBTFUL, 0);
	}
	to_the_timer(s);
	assert_true(s->e.tcb.events & RILL_TCB_DOUBTFUL);
	expect_state(s, RILL_TCP_ESTABLISHED);
	script_free(s);
}

static void user_timeout_rfc5482(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint64_t begin = s->now;

	rill_tcp_settings_own(&s->e.tcb, &s->e.env)->user_timeout_ms = 3000;
	send_bytes(s, 100);
	pass(s, 2990 * RILL_MS);
	expect_state(s, RILL_TCP_ESTABLISHED);
	pass(s, 20 * RILL_MS);
	expect_state(s, RILL_TCP_CLOSED);
	assert_int_equal(s->e.tcb.error, -ETIMEDOUT);
	assert_int_equal(s->e.env.stats.user_timeouts, 1);
	assert_true(s->now - begin >= 3 * RILL_SEC);
	mark(s);
	script_free(s);
}

static void user_timeout_counts_from_the_last_progress_rfc5482(void **state)
{
	struct script *s = script_established(MSS, 65535);

	rill_tcp_settings_own(&s->e.tcb, &s->e.env)->user_timeout_ms = 3000;
	send_bytes(s, 200);
	pass(s, 2 * RILL_SEC);
	in(s, A, 1, 101, 65535, 0);
	pass(s, 2900 * RILL_MS);
	expect_state(s, RILL_TCP_ESTABLISHED);
	pass(s, 200 * RILL_MS);
	expect_state(s, RILL_TCP_CLOSED);
	mark(s);
	script_free(s);
}

static void user_timeout_ends_a_closed_window_too(void **state)
{
	struct script *s = script_established(MSS, 100);

	rill_tcp_settings_own(&s->e.tcb, &s->e.env)->user_timeout_ms = 10000;
	send_bytes(s, 200);
	in(s, A, 1, 101, 0, 0);
	for (unsigned i = 0; i < 100 && s->e.tcb.state != RILL_TCP_CLOSED; i++) {
		to_the_timer(s);
		if (s->e.tcb.state != RILL_TCP_CLOSED)
			in(s, A, 1, 101, 0, 0);
	}
	assert_int_equal(s->e.tcb.error, -ETIMEDOUT);
	mark(s);
	script_free(s);
}

static void syn_retries_of_the_connection(void **state)
{
	struct script *s = script_new();
	unsigned n = 0;

	rill_tcp_settings_own(&s->e.tcb, &s->e.env)->syn_retries = 2;
	script_connect(s);
	while (s->e.tcb.state != RILL_TCP_CLOSED) {
		expect(s, S, 0, 0, 0);
		n++;
		to_the_timer(s);
	}
	assert_int_equal(n, 3);
	assert_int_equal(s->e.tcb.error, -ETIMEDOUT);
	script_free(s);
}

static void a_lost_fin_is_sent_again_5_4(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 100);
	expect(s, A, 1, 1, 100);
	assert_int_equal(rill_tcb_shutdown_send(&s->e.tcb), 0);
	out(s);
	expect(s, A | F, 101, 1, 0);
	in(s, A, 1, 101, 65535, 0);
	expect_timer(s, 200 * RILL_MS);
	expect(s, A | F, 101, 1, 0);
	expect_timer(s, 400 * RILL_MS);
	expect(s, A | F, 101, 1, 0);
	in(s, A, 1, 102, 65535, 0);
	expect_state(s, RILL_TCP_FIN_WAIT_2);
	assert_int_equal(s->e.env.stats.retransmits, 2);
	script_free(s);
}

static void data_sent_again_takes_its_fin_along(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 100);
	expect(s, A, 1, 1, 100);
	assert_int_equal(rill_tcb_shutdown_send(&s->e.tcb), 0);
	out(s);
	expect(s, A | F, 101, 1, 0);
	expect_timer(s, 200 * RILL_MS);
	expect(s, A | F, 1, 1, 100);
	expect_none(s);
	script_free(s);
}

static void cork_sends_full_segments_only(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.tcb.flags |= RILL_TCB_CORK;
	send_bytes(s, MSS + 100);
	expect_range(s, 0, 1);
	expect_none(s);
	send_bytes(s, 200);
	expect_none(s);
	s->e.tcb.flags &= ~(uint32_t)RILL_TCB_CORK;
	out(s);
	expect(s, A | P, at(1), 1, 300);
	script_free(s);
}

static void cork_holds_for_200_ms(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.tcb.flags |= RILL_TCB_CORK;
	send_bytes(s, 100);
	expect_none(s);
	pass(s, 100 * RILL_MS);
	send_bytes(s, 100); /* does not put it off */
	expect_timer(s, 100 * RILL_MS);
	expect(s, A | P, 1, 1, 200);
	assert_int_equal(s->e.env.stats.window_probes, 0);
	script_free(s);
}

static void more_waits_like_cork_and_fin_does_not(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.tcb.flags |= RILL_TCB_MORE;
	send_bytes(s, 100);
	expect_none(s);
	assert_int_equal(rill_tcb_shutdown_send(&s->e.tcb), 0);
	out(s);
	expect(s, A | F | P, 1, 1, 100);
	script_free(s);
}

static void a_cork_that_is_over_behind_a_closed_window_sets_no_timer(void **state)
{
	struct script *s = script_established(MSS, 2000);

	s->e.tcb.flags |= RILL_TCB_CORK;
	send_bytes(s, MSS + 100);
	expect_range(s, 0, 1);
	in(s, A, 1, at(1), 2000, 0);
	in(s, A, 1, at(1), 0, 0); /* closes while 100 bytes wait */
	pass(s, 190 * RILL_MS);
	for (unsigned i = 0; i < 10; i++) {
		uint64_t next = rill_tcb_next_deadline(&s->e.tcb);

		assert_true(next > s->now);
		pass(s, next - s->now);
	}
	in(s, A, 1, at(1), 2000, 0);
	mark(s);
	in(s, A, 1, at(1) + 100, 2000, 0);
	assert_int_equal(s->e.tcb.sendq_count, 0);
	script_free(s);
}

static void a_paced_sender_behind_a_closed_window_sets_no_timer(void **state)
{
	struct script *s = script_established(MSS, 65535);

	rill_tcp_settings_own(&s->e.tcb, &s->e.env)->max_pacing_rate = 100000;
	rill_tcp_xfer_drop(&s->e.tcb, &s->e.env);
	rill_tcp_xfer_get(&s->e.tcb, &s->e.env, s->now)->pacing_rate = 100000;
	send_bytes(s, 10 * MSS);
	assert_true(s->e.tcb.x->flags & RILL_XF_PACED_OUT);
	in(s, A, 1, at(1), 0, 0); /* no window any more */
	for (unsigned i = 0; i < 8; i++) {
		uint64_t next = rill_tcb_next_deadline(&s->e.tcb);

		assert_true(next > s->now);
		pass(s, next - s->now);
	}
	mark(s);
	script_free(s);
}

static void a_black_hole_is_found_after_two_timeouts_rfc4821_7_7(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.env.params.no_mtu_probing = false;
	send_bytes(s, 3 * MSS);
	expect_range(s, 0, 3);
	to_the_timer(s);
	expect_range(s, 0, 1);
	to_the_timer(s);
	expect(s, A, 1, 1, 512);
	assert_int_equal(s->e.env.stats.mtu_probes, 1);
	in(s, A, 1, 513, 65535, 0);
	assert_int_equal(s->e.env.stats.mtu_black_holes, 1);
	assert_int_equal(s->e.tcb.snd_mss, 512);
	expect(s, A, 513, 1, 512);
	script_free(s);
}

static void a_small_segment_that_fares_no_better_clears_the_size(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.env.params.no_mtu_probing = false;
	send_bytes(s, 3 * MSS);
	for (unsigned i = 0; i < 4; i++)
		to_the_timer(s);
	assert_int_equal(s->e.tcb.snd_mss, MSS);
	assert_int_equal(s->e.env.stats.mtu_black_holes, 0);
	mark(s);
	script_free(s);
}

static void a_transfer_at_rest_is_given_back(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint32_t cwnd;

	s->e.env.params.rest_us = 1000 * 1000;
	s->e.tcb.wait_at = s->now + RILL_SEC;
	send_bytes(s, 20 * MSS);
	mark(s);
	in(s, A, 1, at(10), 65535, 0);
	in(s, A, 1, at(20), 65535, 0);
	mark(s);
	cwnd = s->e.tcb.cwnd;
	pass(s, 900 * RILL_MS);
	assert_non_null(s->e.tcb.x);
	pass(s, 1200 * RILL_MS);
	assert_null(s->e.tcb.x);
	assert_int_equal(rill_tcb_next_deadline(&s->e.tcb), RILL_FOREVER);
	assert_int_equal(s->e.tcb.cwnd, cwnd);
	send_bytes(s, MSS);
	assert_non_null(s->e.tcb.x);
	expect(s, A, at(20), 1, MSS);
	assert_int_equal(s->e.tcb.cwnd, 10 * MSS); /* idle for longer than an RTO */
	in(s, A, 1, at(21), 65535, 0);
	script_free(s);
}

static void a_transfer_with_unread_data_is_not_at_rest(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.env.params.rest_us = 1000 * 1000;
	s->e.tcb.wait_at = s->now + RILL_SEC;
	in(s, A, 1, 1, 65535, 100);
	pass(s, 10 * RILL_SEC);
	assert_non_null(s->e.tcb.x);
	recv_bytes(s, 100);
	/* It is looked at ever more seldom: next when it has lain there for twice as long. */
	pass(s, 20 * RILL_SEC);
	assert_null(s->e.tcb.x);
	mark(s);
	script_free(s);
}

static void without_memory_for_a_transfer_data_waits(void **state)
{
	struct script *s = script_established(MSS, 65535);

	char c = 31; /* of the pattern */
	ssize_t n;

	rill_tcp_xfer_drop(&s->e.tcb, &s->e.env);
	s->e.env.xfers.max = 1;
	s->e.env.xfers.used = 1;
	n = rill_tcb_send(&s->e.tcb, &s->e.env, &c, 1);
	assert_true(n == 1 || n == -ENOBUFS);
	out(s);
	expect_none(s);
	expect_state(s, RILL_TCP_ESTABLISHED);
	s->e.env.xfers.used = 0;
	s->e.env.xfers.max = 0;
	if (n != 1)
		assert_int_equal(rill_tcb_send(&s->e.tcb, &s->e.env, &c, 1), 1);
	pass(s, RILL_SEC);
	expect(s, A | P, 1, 1, 1);
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(timer_runs_from_the_first_segment_rfc6298_5_1),
		T(r1_raises_doubt_must20),
		T(user_timeout_rfc5482),
		T(user_timeout_counts_from_the_last_progress_rfc5482),
		T(user_timeout_ends_a_closed_window_too),
		T(syn_retries_of_the_connection),
		T(a_lost_fin_is_sent_again_5_4),
		T(data_sent_again_takes_its_fin_along),
		T(cork_sends_full_segments_only),
		T(cork_holds_for_200_ms),
		T(more_waits_like_cork_and_fin_does_not),
		T(a_cork_that_is_over_behind_a_closed_window_sets_no_timer),
		T(a_paced_sender_behind_a_closed_window_sets_no_timer),
		T(a_black_hole_is_found_after_two_timeouts_rfc4821_7_7),
		T(a_small_segment_that_fares_no_better_clears_the_size),
		T(a_transfer_at_rest_is_given_back),
		T(a_transfer_with_unread_data_is_not_at_rest),
		T(without_memory_for_a_transfer_data_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
