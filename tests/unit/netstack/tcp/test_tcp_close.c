/* SPDX-License-Identifier: BSD-3-Clause */
/* FIN in every state, half-close, TIME-WAIT, abort, resets. */
#include "script.h"

#include <errno.h>

static void eof(struct script *s)
{
	char c;

	assert_true(rill_tcb_readable(&s->e.tcb));
	assert_int_equal(rill_tcb_recv(&s->e.tcb, &s->e.env, &c, 1), 0);
}

static void shut(struct script *s)
{
	assert_int_equal(rill_tcb_shutdown_send(&s->e.tcb), 0);
	out(s);
}

static void close_it(struct script *s)
{
	rill_tcb_close(&s->e.tcb, &s->e.env, s->now);
	out(s);
}

static void active_close_rfc9293_fig12(void **state)
{
	struct script *s = script_established(MSS, 65535);

	shut(s);
	expect(s, A | F, 1, 1, 0);
	expect_state(s, RILL_TCP_FIN_WAIT_1);
	in(s, A, 1, 2, 65535, 0);
	expect_state(s, RILL_TCP_FIN_WAIT_2);
	expect_none(s);
	in(s, A | F, 1, 2, 65535, 0);
	expect(s, A, 2, 2, 0);
	expect_state(s, RILL_TCP_TIME_WAIT);
	eof(s);
	expect_timer(s, 60 * RILL_SEC);
	expect_state(s, RILL_TCP_CLOSED);
	assert_int_equal(s->e.tcb.error, 0);
	assert_true(s->e.tcb.events & RILL_TCB_CLOSED);
	script_free(s);
}

static void passive_close_rfc9293_fig12(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A | F, 1, 1, 65535, 0);
	expect(s, A, 1, 2, 0);
	expect_state(s, RILL_TCP_CLOSE_WAIT);
	assert_true(s->e.tcb.events & RILL_TCB_READABLE);
	eof(s);
	shut(s);
	expect(s, A | F, 1, 2, 0);
	expect_state(s, RILL_TCP_LAST_ACK);
	in(s, A, 2, 2, 65535, 0);
	expect_state(s, RILL_TCP_CLOSED);
	assert_int_equal(s->e.tcb.error, 0);
	script_free(s);
}

static void simultaneous_close_rfc9293_fig13(void **state)
{
	struct script *s = script_established(MSS, 65535);

	shut(s);
	expect(s, A | F, 1, 1, 0);
	in(s, A | F, 1, 1, 65535, 0);
	expect(s, A, 2, 2, 0);
	expect_state(s, RILL_TCP_CLOSING);
	in(s, A, 2, 2, 65535, 0);
	expect_state(s, RILL_TCP_TIME_WAIT);
	script_free(s);
}

static void fin_and_its_ack_together(void **state)
{
	struct script *s = script_established(MSS, 65535);

	shut(s);
	expect(s, A | F, 1, 1, 0);
	in(s, A | F, 1, 2, 65535, 0);
	expect(s, A, 2, 2, 0);
	expect_state(s, RILL_TCP_TIME_WAIT);
	script_free(s);
}

static void half_close_goes_on_receiving(void **state)
{
	struct script *s = script_established(MSS, 65535);

	shut(s);
	expect(s, A | F, 1, 1, 0);
	in(s, A, 1, 2, 65535, 1000);
	expect_state(s, RILL_TCP_FIN_WAIT_2);
	recv_bytes(s, 1000);
	in(s, A | F, 1001, 2, 65535, 50);
	recv_bytes(s, 50);
	eof(s);
	expect_state(s, RILL_TCP_TIME_WAIT);
	script_free(s);
}

static void half_closed_peer_still_gets_data(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A | F, 1, 1, 65535, 0);
	expect(s, A, 1, 2, 0);
	send_bytes(s, 3000);
	expect(s, A, 1, 2, MSS);
	expect(s, A, 1 + MSS, 2, MSS);
	expect(s, A | P, 1 + 2 * MSS, 2, 80);
	in(s, A, 2, 3001, 65535, 0);
	expect_state(s, RILL_TCP_CLOSE_WAIT);
	script_free(s);
}

static void fin_follows_queued_data(void **state)
{
	struct script *s = script_established(MSS, 1000);

	send_bytes(s, 1500);
	expect(s, A, 1, 1, 1000);
	shut(s);
	expect_none(s);
	in(s, A, 1, 1001, 1000, 0);
	expect(s, A, 1001, 1, 460); /* the rest of the first segment */
	expect(s, A | F | P, 1461, 1, 40);
	expect_state(s, RILL_TCP_FIN_WAIT_1);
	in(s, A, 1, 1501, 1000, 0);
	expect_state(s, RILL_TCP_FIN_WAIT_1); /* the data, not the FIN */
	in(s, A, 1, 1502, 1000, 0);
	expect_state(s, RILL_TCP_FIN_WAIT_2);
	script_free(s);
}

static void fin_is_retransmitted(void **state)
{
	struct script *s = script_established(MSS, 65535);

	shut(s);
	expect(s, A | F, 1, 1, 0);
	expect_timer(s, 200 * RILL_MS);
	expect(s, A | F, 1, 1, 0);
	expect_timer(s, 400 * RILL_MS);
	expect(s, A | F, 1, 1, 0);
	in(s, A, 1, 2, 65535, 0);
	expect_state(s, RILL_TCP_FIN_WAIT_2);
	script_free(s);
}

static void send_after_shutdown(void **state)
{
	struct script *s = script_established(MSS, 65535);

	shut(s);
	assert_int_equal(rill_tcb_send(&s->e.tcb, &s->e.env, "x", 1), -EPIPE);
	shut(s); /* twice is no error and no second FIN */
	expect(s, A | F, 1, 1, 0);
	expect_none(s);
	script_free(s);
}

static void fin_out_of_order(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A | F, 101, 1, 65535, 50);
	expect(s, A, 1, 1, 0);
	expect_state(s, RILL_TCP_ESTABLISHED);
	in(s, A, 1, 1, 65535, 100);
	expect(s, A, 1, 152, 0);
	expect_state(s, RILL_TCP_CLOSE_WAIT);
	recv_bytes(s, 150);
	eof(s);
	script_free(s);
}

static void bare_fin_out_of_order(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A | F, 101, 1, 65535, 0);
	expect(s, A, 1, 1, 0);
	in(s, A, 1, 1, 65535, 100);
	expect(s, A, 1, 102, 0);
	expect_state(s, RILL_TCP_CLOSE_WAIT);
	script_free(s);
}

static void data_behind_the_fin_is_nothing(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A | F, 1, 1, 65535, 10);
	expect(s, A, 1, 12, 0);
	assert_int_equal(in(s, A, 12, 1, 65535, 10), RILL_DROP_TCP_AFTER_FIN);
	expect(s, A, 1, 12, 0);
	recv_bytes(s, 10);
	eof(s);
	script_free(s);
}

static void repeated_fin_is_acked(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A | F, 1, 1, 65535, 0);
	expect(s, A, 1, 2, 0);
	in(s, A | F, 1, 1, 65535, 0);
	expect(s, A, 1, 2, 0);
	expect_state(s, RILL_TCP_CLOSE_WAIT);
	script_free(s);
}

static struct script *time_wait(void)
{
	struct script *s = script_established(MSS, 65535);

	shut(s);
	expect(s, A | F, 1, 1, 0);
	in(s, A | F, 1, 2, 65535, 0);
	expect(s, A, 2, 2, 0);
	expect_state(s, RILL_TCP_TIME_WAIT);
	return s;
}

static void time_wait_restarts_on_fin_rfc9293_3_10_7_4(void **state)
{
	struct script *s = time_wait();

	pass(s, 50 * RILL_SEC);
	in(s, A | F, 1, 2, 65535, 0);
	expect(s, A, 2, 2, 0);
	expect_timer(s, 60 * RILL_SEC);
	expect_state(s, RILL_TCP_CLOSED);
	script_free(s);
}

static void time_wait_ignores_rst_rfc1337(void **state)
{
	struct script *s = time_wait();

	assert_int_equal(in(s, R, 2, 0, 0, 0), RILL_DROP_TCP_RST);
	assert_int_equal(in(s, R | A, 2, 2, 0, 0), RILL_DROP_TCP_RST);
	expect_state(s, RILL_TCP_TIME_WAIT);
	expect_none(s);
	script_free(s);
}

static void time_wait_answers_old_data(void **state)
{
	struct script *s = time_wait();

	in(s, A, 1, 2, 65535, 0);
	expect(s, A, 2, 2, 0);
	expect_state(s, RILL_TCP_TIME_WAIT);
	script_free(s);
}

static void time_wait_reuse_rfc6191(void **state)
{
	struct script *s = time_wait();
	struct rill_tcp_seg syn = {.flags = S, .seq = PEER_ISN + 2};
	struct rill_tcb fresh;

	assert_false(rill_tcb_reusable(&s->e.tcb, &syn)); /* not beyond what was received */
	syn.seq++;
	assert_true(rill_tcb_reusable(&s->e.tcb, &syn));
	syn.flags = S | A;
	assert_false(rill_tcb_reusable(&s->e.tcb, &syn));
	syn.flags = S;
	s->e.tcb.flags |= RILL_TCB_TIMESTAMPS;
	s->e.tcb.ts_recent = 100;
	syn.opt.present = RILL_TCP_OPT_TIMESTAMPS;
	syn.opt.tsval = 99;
	assert_false(rill_tcb_reusable(&s->e.tcb, &syn));
	syn.opt.tsval = 101;
	syn.seq = PEER_ISN - 100;
	assert_true(rill_tcb_reusable(&s->e.tcb, &syn));

	/* The new one's numbers lie beyond the old one's (RFC 9293, 3.6.1). */
	s->e.tcb.snd_nxt += 1 << 30;
	rill_tcb_init(&fresh, &s->e.env, &s->e.tcb.local, &s->e.tcb.remote);
	rill_tcb_accept(&fresh, &s->e.env, &syn, &s->e.tcb, s->now);
	assert_true(rill_seq_gt(fresh.iss, s->e.tcb.snd_nxt));
	s->e.tcb.snd_nxt -= 1 << 30;
	script_free(s);
}

static void rst_resets_rfc9293_must12(void **state)
{
	struct script *s = script_established(MSS, 65535);
	char c;

	in(s, A | P, 1, 1, 65535, 10);
	in(s, R, 11, 0, 0, 0);
	expect_state(s, RILL_TCP_CLOSED);
	recv_bytes(s, 10); /* what came before is the user's */
	assert_int_equal(rill_tcb_recv(&s->e.tcb, &s->e.env, &c, 1), -ECONNRESET);
	assert_int_equal(rill_tcb_send(&s->e.tcb, &s->e.env, &c, 1), -ECONNRESET);
	assert_true(rill_tcb_readable(&s->e.tcb) && rill_tcb_writable(&s->e.tcb));
	expect_none(s);
	script_free(s);
}

static void rst_in_last_ack_is_no_error(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A | F, 1, 1, 65535, 0);
	shut(s);
	in(s, R, 2, 0, 0, 0);
	expect_state(s, RILL_TCP_CLOSED);
	assert_int_equal(s->e.tcb.error, 0);
	script_free(s);
}

static void abort_sends_rst(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 100);
	expect(s, A, 1, 1, 100);
	rill_tcb_abort(&s->e.tcb, &s->e.env, s->now);
	expect(s, R | A, 101, 1, 0);
	expect_state(s, RILL_TCP_CLOSED);
	script_free(s);
}

static void close_with_unread_data_resets_rfc2525_2_17(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A | P, 1, 1, 65535, 10);
	close_it(s);
	expect(s, R | A, 1, 11, 0);
	expect_state(s, RILL_TCP_CLOSED);
	script_free(s);
}

static void data_to_an_orphan_resets_rfc9293_3_6_1(void **state)
{
	struct script *s = script_established(MSS, 65535);

	close_it(s);
	expect(s, A | F, 1, 1, 0);
	assert_int_equal(in(s, A | P, 1, 1, 65535, 10), RILL_DROP_TCP_NO_READER);
	expect(s, R | A, 2, 1, 0);
	expect_state(s, RILL_TCP_CLOSED);
	script_free(s);
}

static void orphan_in_fin_wait_2_is_bounded(void **state)
{
	struct script *s = script_established(MSS, 65535);

	close_it(s);
	expect(s, A | F, 1, 1, 0);
	in(s, A, 1, 2, 65535, 0);
	expect_timer(s, 60 * RILL_SEC);
	expect_state(s, RILL_TCP_CLOSED);
	script_free(s);
}

/* What waits there for a minute costs no transfer; the peer's FIN ends it all the same. */
static void orphan_in_fin_wait_2_has_no_transfer(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 100);
	expect(s, A | P, 1, 1, 100);
	close_it(s);
	expect(s, A | F, 101, 1, 0);
	assert_non_null(s->e.tcb.x);
	in(s, A, 1, 102, 65535, 0);
	expect_state(s, RILL_TCP_FIN_WAIT_2);
	assert_null(s->e.tcb.x);
	in(s, A | F, 1, 102, 65535, 0);
	expect(s, A, 102, 2, 0);
	expect_state(s, RILL_TCP_TIME_WAIT);
	script_free(s);
}

static void closing_later_bounds_fin_wait_2_too(void **state)
{
	struct script *s = script_established(MSS, 65535);

	shut(s);
	expect(s, A | F, 1, 1, 0);
	in(s, A, 1, 2, 65535, 0);
	assert_int_equal(rill_tcb_next_deadline(&s->e.tcb), RILL_FOREVER);
	close_it(s);
	expect_timer(s, 60 * RILL_SEC);
	expect_state(s, RILL_TCP_CLOSED);
	script_free(s);
}

static void orphan_still_sends_what_was_queued(void **state)
{
	struct script *s = script_established(MSS, 1000);

	send_bytes(s, 2000);
	expect(s, A, 1, 1, 1000);
	close_it(s);
	in(s, A, 1, 1001, 2000, 0);
	expect(s, A, 1001, 1, 460);
	expect(s, A | F | P, 1461, 1, 540);
	in(s, A | F, 1, 2002, 2000, 0);
	expect(s, A, 2002, 2, 0);
	expect_state(s, RILL_TCP_TIME_WAIT);
	script_free(s);
}

static void orphan_does_not_probe_for_ever(void **state)
{
	struct script *s = script_established(MSS, 100);
	unsigned n = 0;

	send_bytes(s, 2000);
	in(s, A, 1, 101, 0, 0);
	close_it(s);
	while (s->e.tcb.state != RILL_TCP_CLOSED && n++ < 100) {
		pass(s, rill_tcb_next_deadline(&s->e.tcb) - s->now);
		if (s->e.tcb.state != RILL_TCP_CLOSED)
			in(s, A, 1, 101, 0, 0);
	}
	expect_state(s, RILL_TCP_CLOSED);
	assert_true(s->e.env.stats.window_probes <= 9);
	script_free(s);
}

static void close_while_opening(void **state)
{
	struct script *s = script_new();

	script_connect(s);
	expect(s, S, 0, 0, 0);
	close_it(s);
	expect_state(s, RILL_TCP_CLOSED);
	expect_none(s);
	script_free(s);
}

static void shutdown_recv_discards(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A | P, 1, 1, 65535, 10);
	rill_tcb_shutdown_recv(&s->e.tcb, &s->e.env);
	eof(s);
	in(s, A | P, 11, 1, 65535, 3000 - 1600);
	assert_int_equal(s->e.tcb.rcv_queued, 0);
	assert_int_equal(s->e.tcb.rcv_nxt, PEER_ISN + 1411);
	eof(s);
	script_free(s);
}

static void fin_wait_1_fin_needs_window(void **state)
{
	struct script *s = script_established(MSS, 100);

	send_bytes(s, 100);
	expect(s, A, 1, 1, 100);
	shut(s);
	expect_none(s);
	in(s, A, 1, 101, 0, 0);
	expect_none(s);
	expect_timer(s, 200 * RILL_MS); /* the FIN is the probe */
	expect(s, A | F, 101, 1, 0);
	in(s, A, 1, 102, 0, 0);
	expect_state(s, RILL_TCP_FIN_WAIT_2);
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(active_close_rfc9293_fig12),
		T(passive_close_rfc9293_fig12),
		T(simultaneous_close_rfc9293_fig13),
		T(fin_and_its_ack_together),
		T(half_close_goes_on_receiving),
		T(half_closed_peer_still_gets_data),
		T(fin_follows_queued_data),
		T(fin_is_retransmitted),
		T(send_after_shutdown),
		T(fin_out_of_order),
		T(bare_fin_out_of_order),
		T(data_behind_the_fin_is_nothing),
		T(repeated_fin_is_acked),
		T(time_wait_restarts_on_fin_rfc9293_3_10_7_4),
		T(time_wait_ignores_rst_rfc1337),
		T(time_wait_answers_old_data),
		T(time_wait_reuse_rfc6191),
		T(rst_resets_rfc9293_must12),
		T(rst_in_last_ack_is_no_error),
		T(abort_sends_rst),
		T(close_with_unread_data_resets_rfc2525_2_17),
		T(data_to_an_orphan_resets_rfc9293_3_6_1),
		T(orphan_in_fin_wait_2_is_bounded),
		T(orphan_in_fin_wait_2_has_no_transfer),
		T(closing_later_bounds_fin_wait_2_too),
		T(orphan_still_sends_what_was_queued),
		T(orphan_does_not_probe_for_ever),
		T(close_while_opening),
		T(shutdown_recv_discards),
		T(fin_wait_1_fin_needs_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
