/* SPDX-License-Identifier: BSD-3-Clause */
/* Bugs that were found in review: each case is named after what went wrong. */
#include "sack_script.h"

#include "netstack/tcp/fastopen.h"

#include <errno.h>

static void to_the_timer(struct script *s)
{
	pass(s, rill_tcb_next_deadline(&s->e.tcb) - s->now);
}

static void mark(struct script *s)
{
	s->out_first = s->out_last;
}

/* RFC 8985, 7.4.2, the third case: all is acknowledged when the duplicate comes. */
static void tlp_of_a_peer_without_dsack_cost_cwnd(void **state)
{
	struct script *s = script_sack(false);

	send_bytes(s, 2 * MSS);
	expect_range(s, 0, 2);
	to_the_timer(s);
	expect(s, A, at(1), 1, MSS);
	assert_int_equal(s->e.tcb.probes, 1);
	plain_ack(s, 2);
	plain_ack(s, 2);
	assert_int_equal(s->e.tcb.x->flags & RILL_XF_TLP_OUT, 0);
	send_bytes(s, 2 * MSS);
	mark(s);
	plain_ack(s, 4);
	assert_int_equal(s->e.env.stats.tlp_recoveries, 0);
	script_free(s);
}

/* RFC 8985, 7.2: a probe is never later than the timeout would be. */
static void rto_came_before_the_tlp_of_a_long_path(void **state)
{
	struct script *s = script_sack(false);

	s->e.tcb.srtt_us = 300 * 1000;
	s->e.tcb.rttvar_us = 100;
	s->e.tcb.rto_us = 301 * 1000;
	send_bytes(s, 2 * MSS);
	expect_range(s, 0, 2);
	expect_timer(s, 301 * RILL_MS);
	expect(s, A, at(1), 1, MSS);
	assert_int_equal(s->e.tcb.probes, 1);
	assert_int_equal(s->e.tcb.rto_count, 0);
	expect_timer(s, 301 * RILL_MS);
	assert_int_equal(s->e.tcb.rto_count, 1);
	mark(s);
	script_free(s);
}

/* RACK's time was over before its timer came, and the ACK that found out brought no news. */
static void recovery_by_an_ack_without_news_sent_a_burst(void **state)
{
	struct script *s = script_sack(false);

	send_bytes(s, 20 * MSS);
	expect_range(s, 0, 10);
	s->now += RTT;
	sack(s, 0, 8, 10);
	mark(s);
	s->now += RTT;
	sack(s, 0, 8, 10);
	assert_int_equal(ca(s), RILL_TCP_CA_RECOVERY);
	expect(s, A, at(0), 1, MSS);
	expect_none(s);
	script_free(s);
}

/* The byte of a window probe counted as a segment under way. */
static void after_a_window_probe_a_cwnd_of_one_segment_waited(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, MSS);
	expect(s, A, 1, 1, MSS);
	in(s, A, 1, 1 + MSS, 0, 0);
	s->e.tcb.cwnd = MSS;
	send_bytes(s, 2 * MSS);
	to_the_timer(s);
	expect(s, A, 1 + MSS, 1, 1);
	in(s, A, 1, 1 + MSS, 65535, 0);
	expect(s, A, 1 + MSS, 1, MSS);
	expect_none(s);
	script_free(s);
}

/* RFC 5682, 2.1, step 2b: with nothing that can go, as if there were nothing new. */
static void frto_waited_for_new_data_that_nagle_held(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.tcb.flags &= ~(uint32_t)RILL_TCB_NODELAY;
	send_bytes(s, 3 * MSS + 100);
	expect_range(s, 0, 3);
	expect_none(s);
	to_the_timer(s);
	expect(s, A, at(0), 1, MSS);
	plain_ack(s, 1);
	expect(s, A, at(1), 1, MSS);
	mark(s);
	script_free(s);
}

/* The SACKs were lost, the segment as well: RFC 5682, 3.1, step 2a. */
static void frto_took_a_filled_hole_for_a_late_original(void **state)
{
	struct script *s = script_sack(false);

	s->e.env.params.no_tlp = true;
	send_bytes(s, 4 * MSS);
	expect_range(s, 0, 4);
	to_the_timer(s);
	expect(s, A, at(0), 1, MSS);
	plain_ack(s, 4);
	assert_int_equal(s->e.env.stats.spurious_rtos, 0);
	assert_int_equal(s->e.env.stats.undos, 0);
	script_free(s);
}

/* The peer never opens its window for the FIN, and the user is gone. */
static void an_orphan_before_a_closed_window_lived_for_ever(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A, 1, 1, 0, 0);
	rill_tcb_close(&s->e.tcb, &s->e.env, s->now);
	out(s);
	for (unsigned i = 0; i < 50 && s->e.tcb.state != RILL_TCP_CLOSED; i++) {
		to_the_timer(s);
		mark(s);
		if (s->e.tcb.state != RILL_TCP_CLOSED)
			in(s, A, 1, 1, 0, 0);
	}
	expect_state(s, RILL_TCP_CLOSED);
	mark(s);
	script_free(s);
}

/* RFC 9293, 3.8.3: R2 of a SYN is the user's to set as well. */
static void the_user_timeout_did_not_end_a_connect(void **state)
{
	struct script *s = script_new();
	uint64_t begin = s->now;

	rill_tcp_settings_own(&s->e.tcb, &s->e.env)->user_timeout_ms = 5000;
	script_connect(s);
	pass(s, 4990 * RILL_MS);
	expect_state(s, RILL_TCP_SYN_SENT);
	to_the_timer(s);
	expect_state(s, RILL_TCP_CLOSED);
	assert_int_equal(s->now - begin, 5 * RILL_SEC);
	assert_int_equal(s->e.tcb.error, -ETIMEDOUT);
	assert_int_equal(s->e.env.stats.user_timeouts, 1);
	mark(s);
	script_free(s);
}

static void a_connection_without_data_held_a_transfer(void **state)
{
	struct script *s = script_established(MSS, 65535);

	assert_null(s->e.tcb.x);
	assert_int_equal(s->e.tcb.cwnd, 10 * MSS);
	in(s, A, 1, 1, 65535, 0);
	assert_null(s->e.tcb.x);
	in(s, A, 1, 1, 65535, 100);
	assert_non_null(s->e.tcb.x);
	mark(s);
	script_free(s);
}

static void without_memory_a_connection_did_not_open(void **state)
{
	struct script *s = script_new();

	s->e.env.xfers.max = 1;
	s->e.env.xfers.used = 1;
	script_connect(s);
	expect(s, S, 0, 0, 0);
	in(s, S | A, 0, 1, 65535, 0);
	expect(s, A, 1, 1, 0);
	in(s, A, 1, 1, 65535, 100);
	recv_bytes(s, 100);
	mark(s);
	expect_state(s, RILL_TCP_ESTABLISHED);
	s->e.env.xfers.used = 0;
	s->e.env.xfers.max = 0;
	script_free(s);
}

/* Nothing was sent, so nobody failed to answer. */
static void lack_of_memory_was_taken_for_a_silent_peer(void **state)
{
	struct script *s = script_established(MSS, 65535);
	unsigned n = 0;

	rill_tcp_xfer_drop(&s->e.tcb, &s->e.env);
	s->e.env.xfers.max = 1;
	s->e.env.xfers.used = 1;
	send_bytes(s, 100);
	for (; n < 100 && s->e.tcb.state != RILL_TCP_CLOSED; n++)
		to_the_timer(s);
	expect_state(s, RILL_TCP_ESTABLISHED);
	expect_none(s);
	s->e.env.xfers.used = 0;
	s->e.env.xfers.max = 0;
	to_the_timer(s);
	expect(s, A | P, 1, 1, 100);
	script_free(s);
}

static void lack_of_buffers_was_taken_for_a_silent_peer(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A, 1, 1, 0, 0);
	send_bytes(s, 100);
	s->e.alloc_fail_permille = 1000;
	for (unsigned n = 0; n < 100 && s->e.tcb.state != RILL_TCP_CLOSED; n++)
		to_the_timer(s);
	expect_state(s, RILL_TCP_ESTABLISHED);
	expect_none(s);
	s->e.alloc_fail_permille = 0;
	to_the_timer(s);
	expect(s, A, 1, 1, 1);
	script_free(s);
}

/* A transfer begins while data of before it is unread. */
static void autotuning_counted_from_beyond_what_was_read(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.tcb.rcv_buf_max = 65535;
	in(s, A, 1, 1, 65535, 1000);
	rill_tcp_xfer_drop(&s->e.tcb, &s->e.env);
	send_bytes(s, 100);
	assert_int_equal(s->e.tcb.x->rcv_space_seq - s->e.tcb.irs, 1);
	mark(s);
	script_free(s);
}

/* What answers a Fast Open is sent later than the SYN-ACK, and does not date it. */
static void an_early_answer_made_the_handshake_seem_short(void **state)
{
	static struct rill_fast_open fo;
	static const struct rill_hash_key key = {{1, 2}};
	struct script *s = script_new();
	const uint8_t data[10] = {0};
	struct rill_tcp_seg seg = {
		.seq = PEER_ISN,
		.len = sizeof(data),
		.wnd = 65535,
		.flags = S,
		.opt = s->opt,
		.src = &s->e.tcb.remote.ip,
		.dst = &s->e.tcb.local.ip,
	};

	rill_fast_open_init(&fo, &key);
	s->e.env.fast_open = &fo;
	s->e.env.params.fast_open_server = true;
	s->e.env.params.fast_open_no_cookie = true;
	rill_tcb_accept(&s->e.tcb, &s->e.env, &seg, NULL, s->now);
	assert_true(rill_tcb_accept_early(&s->e.tcb, &s->e.env, &seg,
					  th_buf(&s->e, data, sizeof(data)), s->now));
	out(s);
	expect(s, S | A, 0, 11, 0);
	s->now += 90 * RILL_MS;
	send_bytes(s, 100);
	expect(s, A | P, 1, 11, 100);
	s->now += 10 * RILL_MS;
	in(s, A, 11, 1, 65535, 0);
	expect_state(s, RILL_TCP_ESTABLISHED);
	assert_false(s->e.tcb.flags & RILL_TCB_RTT_VALID);
	s->now += 90 * RILL_MS;
	in(s, A, 11, 101, 65535, 0);
	assert_int_equal(s->e.tcb.srtt_us, 100 * 1000);
	mark(s);
	script_free(s);
}

static void a_timeout_waited_for_the_pacer(void **state)
{
	struct script *s = script_established(MSS, 65535);

	rill_tcp_settings_own(&s->e.tcb, &s->e.env)->max_pacing_rate = 300;
	send_bytes(s, 4 * MSS);
	mark(s);
	while (s->e.tcb.rto_count == 0)
		to_the_timer(s);
	expect(s, A, 1, 1, MSS);
	script_free(s);
}

static void below_notsent_lowat_the_writer_was_not_woken(void **state)
{
	struct script *s = script_established(MSS, 65535);

	rill_tcp_settings_own(&s->e.tcb, &s->e.env)->notsent_lowat = MSS;
	send_bytes(s, 12 * MSS);
	assert_false(rill_tcb_writable(&s->e.tcb));
	s->e.tcb.events = 0;
	plain_ack(s, 2);
	assert_true(rill_tcb_writable(&s->e.tcb));
	assert_true(s->e.tcb.events & RILL_TCB_WRITABLE);
	mark(s);
	script_free(s);
}

static void after_2_gib_the_send_buffer_had_no_bound(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint32_t room;

	in(s, A, 1, 1, 0, 0);
	send_bytes(s, 5000);
	room = rill_sendq_room(&s->e.tcb);
	assert_int_equal(rill_tcb_unacked(&s->e.tcb), 5000);
	s->e.tcb.iss -= 3000000000u; /* as if so much had been sent */
	assert_int_equal(rill_sendq_room(&s->e.tcb), room);
	assert_int_equal(rill_tcb_unacked(&s->e.tcb), 5000);
	mark(s);
	script_free(s);
}

static void after_2_gib_without_congestion_ece_was_ignored(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 5 * MSS);
	mark(s);
	s->e.tcb.x->cwr_seq = s->e.tcb.snd_una + 3 * MSS - 0x80000000u;
	s->e.tcb.x->rack_dsack_seq = s->e.tcb.x->cwr_seq;
	for (uint32_t i = 1; i <= 5; i++) {
		plain_ack(s, i);
		assert_true(rill_seq_leq(s->e.tcb.x->cwr_seq, s->e.tcb.snd_una));
		assert_true(rill_seq_leq(s->e.tcb.x->rack_dsack_seq, s->e.tcb.snd_una));
	}
	script_free(s);
}

static void time_wait_held_a_transfer(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 100);
	assert_int_equal(rill_tcb_shutdown_send(&s->e.tcb), 0);
	out(s);
	in(s, A, 1, 102, 65535, 0);
	in(s, F | A, 1, 102, 65535, 0);
	expect_state(s, RILL_TCP_TIME_WAIT);
	assert_null(s->e.tcb.x);
	in(s, F | A, 1, 102, 65535, 0);
	mark(s);
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(tlp_of_a_peer_without_dsack_cost_cwnd),
		T(rto_came_before_the_tlp_of_a_long_path),
		T(recovery_by_an_ack_without_news_sent_a_burst),
		T(after_a_window_probe_a_cwnd_of_one_segment_waited),
		T(frto_waited_for_new_data_that_nagle_held),
		T(frto_took_a_filled_hole_for_a_late_original),
		T(an_orphan_before_a_closed_window_lived_for_ever),
		T(the_user_timeout_did_not_end_a_connect),
		T(a_connection_without_data_held_a_transfer),
		T(without_memory_a_connection_did_not_open),
		T(lack_of_memory_was_taken_for_a_silent_peer),
		T(lack_of_buffers_was_taken_for_a_silent_peer),
		T(autotuning_counted_from_beyond_what_was_read),
		T(an_early_answer_made_the_handshake_seem_short),
		T(a_timeout_waited_for_the_pacer),
		T(below_notsent_lowat_the_writer_was_not_woken),
		T(after_2_gib_the_send_buffer_had_no_bound),
		T(after_2_gib_without_congestion_ece_was_ignored),
		T(time_wait_held_a_transfer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
