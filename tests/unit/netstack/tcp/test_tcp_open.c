/* SPDX-License-Identifier: BSD-3-Clause */
/* The handshake, its options, and the ways in which it fails. */
#include "script.h"

#include "netstack/tcp/isn.h"
#include "netstack/tcp/options.h"

#include <errno.h>

static void active_open_rfc9293_3_5(void **state)
{
	struct script *s = script_new();

	script_connect(s);
	expect(s, S, 0, 0, 0);
	assert_int_equal(s->last.opt.mss, MSS);
	expect_state(s, RILL_TCP_SYN_SENT);
	in(s, S | A, 0, 1, 8000, 0);
	expect(s, A, 1, 1, 0);
	assert_int_equal(s->last.opt.present, 0); /* the MSS goes into SYNs only */
	expect_state(s, RILL_TCP_ESTABLISHED);
	assert_true(s->e.tcb.events & RILL_TCB_CONNECTED);
	assert_int_equal(rill_tcb_next_deadline(&s->e.tcb), RILL_FOREVER);
	script_free(s);
}

static void passive_open_rfc9293_3_5(void **state)
{
	struct script *s = script_new();

	script_accept(s, 8000);
	expect(s, S | A, 0, 1, 0);
	expect_state(s, RILL_TCP_SYN_RCVD);
	assert_false(s->e.tcb.events & RILL_TCB_ACCEPTABLE);
	in(s, A, 1, 1, 8000, 0);
	expect_none(s);
	expect_state(s, RILL_TCP_ESTABLISHED);
	assert_true(s->e.tcb.events & RILL_TCB_ACCEPTABLE);
	script_free(s);
}

static void data_with_the_third_segment(void **state)
{
	struct script *s = script_new();

	script_accept(s, 8000);
	expect(s, S | A, 0, 1, 0);
	in(s, A | P, 1, 1, 8000, 100);
	expect_state(s, RILL_TCP_ESTABLISHED);
	recv_bytes(s, 100);
	script_free(s);
}

static void fin_with_the_third_segment(void **state)
{
	struct script *s = script_new();

	script_accept(s, 8000);
	expect(s, S | A, 0, 1, 0);
	in(s, A | F, 1, 1, 8000, 100);
	expect(s, A, 1, 102, 0);
	expect_state(s, RILL_TCP_CLOSE_WAIT);
	recv_bytes(s, 100);
	script_free(s);
}

static void simultaneous_open_rfc9293_fig7(void **state)
{
	struct script *s = script_new();

	script_connect(s);
	expect(s, S, 0, 0, 0);
	in(s, S, 0, 0, 8000, 0);
	expect(s, S | A, 0, 1, 0);
	expect_state(s, RILL_TCP_SYN_RCVD);
	in(s, S | A, 0, 1, 8000, 0);
	expect_state(s, RILL_TCP_ESTABLISHED);
	assert_true(s->e.tcb.events & RILL_TCB_CONNECTED);
	script_free(s);
}

static void simultaneous_open_plain_ack(void **state)
{
	struct script *s = script_new();

	script_connect(s);
	expect(s, S, 0, 0, 0);
	in(s, S, 0, 0, 8000, 0);
	expect(s, S | A, 0, 1, 0);
	in(s, A, 1, 1, 8000, 0);
	expect_state(s, RILL_TCP_ESTABLISHED);
	script_free(s);
}

static void refused_rst_in_syn_sent(void **state)
{
	struct script *s = script_new();

	script_connect(s);
	expect(s, S, 0, 0, 0);
	in(s, R | A, 0, 1, 0, 0);
	expect_state(s, RILL_TCP_CLOSED);
	assert_int_equal(s->e.tcb.error, -ECONNREFUSED);
	assert_true(s->e.tcb.events & RILL_TCB_CLOSED);
	expect_none(s);
	script_free(s);
}

static void syn_sent_ignores_rst_without_good_ack_rfc9293_3_10_7_3(void **state)
{
	struct script *s = script_new();

	script_connect(s);
	expect(s, S, 0, 0, 0);
	assert_int_equal(in(s, R, 0, 0, 0, 0), RILL_DROP_TCP_RST);
	assert_int_equal(in(s, R | A, 0, 77, 0, 0), RILL_DROP_TCP_SYN_SENT);
	expect_state(s, RILL_TCP_SYN_SENT);
	expect_none(s);
	script_free(s);
}

static void syn_sent_resets_a_bad_ack(void **state)
{
	struct script *s = script_new();

	script_connect(s);
	expect(s, S, 0, 0, 0);
	in(s, S | A, 0, 99, 8000, 0);
	expect_rst(s, s->e.tcb.iss + 99);
	in(s, A, 0, 99, 8000, 0);
	expect_rst(s, s->e.tcb.iss + 99);
	expect_state(s, RILL_TCP_SYN_SENT);
	in(s, A, 0, 1, 8000, 0); /* a good ACK alone opens nothing */
	expect_none(s);
	expect_state(s, RILL_TCP_SYN_SENT);
	script_free(s);
}

static void syn_rcvd_resets_a_bad_ack(void **state)
{
	struct script *s = script_new();

	script_accept(s, 8000);
	expect(s, S | A, 0, 1, 0);
	in(s, A, 1, 55, 8000, 0);
	expect_rst(s, s->e.tcb.iss + 55);
	expect_state(s, RILL_TCP_SYN_RCVD);
	script_free(s);
}

static void syn_rcvd_answers_the_syn_again(void **state)
{
	struct script *s = script_new();

	script_accept(s, 8000);
	expect(s, S | A, 0, 1, 0);
	in(s, S, 0, 0, 8000, 0);
	expect(s, S | A, 0, 1, 0);
	expect_state(s, RILL_TCP_SYN_RCVD);
	script_free(s);
}

static void syn_rcvd_rst_ends_it_must11(void **state)
{
	struct script *s = script_new();

	script_accept(s, 8000);
	expect(s, S | A, 0, 1, 0);
	in(s, R, 1, 0, 0, 0);
	expect_state(s, RILL_TCP_CLOSED);
	assert_int_equal(s->e.tcb.error, -ECONNREFUSED);
	script_free(s);
}

static void syn_retries_rfc6298_must23(void **state)
{
	struct script *s = script_new();
	uint64_t begin;

	script_connect(s);
	begin = s->now;
	expect(s, S, 0, 0, 0);
	for (unsigned i = 0; i < 7; i++) {
		expect_timer(s, RILL_SEC << i);
		expect(s, S, 0, 0, 0);
	}
	expect_timer(s, 120 * RILL_SEC); /* the longest */
	expect_none(s);
	expect_state(s, RILL_TCP_CLOSED);
	assert_int_equal(s->e.tcb.error, -ETIMEDOUT);
	assert_true(s->now - begin >= 180 * RILL_SEC);
	script_free(s);
}

static void synack_retries(void **state)
{
	struct script *s = script_new();

	script_accept(s, 8000);
	expect(s, S | A, 0, 1, 0);
	for (unsigned i = 0; i < 5; i++) {
		expect_timer(s, RILL_SEC << i);
		expect(s, S | A, 0, 1, 0);
	}
	expect_timer(s, 32 * RILL_SEC);
	expect_state(s, RILL_TCP_CLOSED);
	assert_int_equal(s->e.tcb.error, -ETIMEDOUT);
	script_free(s);
}

static void lost_syn_means_3_s_and_one_segment_rfc6298_5_7(void **state)
{
	struct script *s = script_new();

	script_connect(s);
	expect(s, S, 0, 0, 0);
	expect_timer(s, RILL_SEC);
	expect(s, S, 0, 0, 0);
	in(s, S | A, 0, 1, 65535, 0);
	expect(s, A, 1, 1, 0);
	assert_int_equal(s->e.tcb.rto_us, 3000000);
	send_bytes(s, 2 * MSS);
	expect(s, A, 1, 1, MSS);
	expect_none(s);
	script_free(s);
}

static void mss_default_536_rfc9293_must15(void **state)
{
	struct script *s = script_new();

	s->opt.present = 0;
	script_connect(s);
	expect(s, S, 0, 0, 0);
	in(s, S | A, 0, 1, 65535, 0);
	expect(s, A, 1, 1, 0);
	send_bytes(s, 600);
	expect(s, A, 1, 1, 536);
	expect(s, A, 537, 1, 64);
	script_free(s);
}

static void mss_of_the_peer_and_options_rfc6691(void **state)
{
	struct script *s = script_new();

	s->e.env.params.no_timestamps = false;
	s->opt = (struct rill_tcp_options_seen){
		.present = RILL_TCP_OPT_MSS | RILL_TCP_OPT_TIMESTAMPS, .mss = 1000, .tsval = 5};
	script_connect(s);
	expect(s, S, 0, 0, 0);
	assert_int_equal(s->last.opt.mss, MSS); /* without options taken off */
	in(s, S | A, 0, 1, 65535, 0);
	expect(s, A, 1, 1, 0);
	assert_int_equal(s->e.tcb.snd_mss, 988);
	script_free(s);
}

static void mss_tiny_is_raised(void **state)
{
	struct script *s = script_new();

	s->opt.mss = 1;
	script_connect(s);
	expect(s, S, 0, 0, 0);
	in(s, S | A, 0, 1, 65535, 0);
	assert_int_equal(s->e.tcb.snd_mss, 88);
	script_free(s);
}

static void mss_of_ip6(void **state)
{
	struct script *s = script_new();

	s->e.tcb.local.ip = th_ip6(1);
	s->e.tcb.remote.ip = th_ip6(2);
	s->opt.present = 0;
	script_connect(s);
	expect(s, S, 0, 0, 0);
	assert_int_equal(s->last.opt.mss, 1440);
	in(s, S | A, 0, 1, 65535, 0);
	assert_int_equal(s->e.tcb.snd_mss, 1220);
	script_free(s);
}

static void window_scale_rfc7323_2(void **state)
{
	struct script *s = script_new();

	s->e.env.params.no_window_scale = false;
	rill_tcb_set_recv_buffer(&s->e.tcb, 1 << 20);
	s->opt.present |= RILL_TCP_OPT_WSCALE;
	s->opt.wscale = 7;
	script_connect(s);
	expect(s, S, 0, 0, 0);
	assert_int_equal(s->last.opt.wscale, 5);
	assert_int_equal(s->last.wnd, 65535); /* not scaled in a SYN */
	in(s, S | A, 0, 1, 1000, 0);
	assert_int_equal(s->e.tcb.snd_wnd, 1000);
	expect(s, A, 1, 1, 0);
	assert_int_equal(s->last.wnd, (1 << 20) >> 5);
	in(s, A | P, 1, 1, 1000, 1);
	assert_int_equal(s->e.tcb.snd_wnd, 128000);
	script_free(s);
}

static void window_scale_needs_both_rfc7323_2_2(void **state)
{
	struct script *s = script_new();

	s->e.env.params.no_window_scale = false;
	rill_tcb_set_recv_buffer(&s->e.tcb, 1 << 20);
	script_connect(s);
	expect(s, S, 0, 0, 0);
	assert_true(s->last.opt.present & RILL_TCP_OPT_WSCALE);
	in(s, S | A, 0, 1, 1000, 0);
	expect(s, A, 1, 1, 0);
	assert_int_equal(s->last.wnd, 65535);
	script_free(s);
}

static void synack_offers_only_what_was_offered(void **state)
{
	struct script *s = script_new();

	s->e.env.params.no_window_scale = false;
	s->e.env.params.no_timestamps = false;
	script_accept(s, 8000);
	expect(s, S | A, 0, 1, 0);
	assert_int_equal(s->last.opt.present, RILL_TCP_OPT_MSS);
	script_free(s);
}

static void synack_agrees_to_all(void **state)
{
	struct script *s = script_new();

	s->e.env.params.no_window_scale = false;
	s->e.env.params.no_timestamps = false;
	s->opt.present |= RILL_TCP_OPT_WSCALE | RILL_TCP_OPT_TIMESTAMPS;
	s->opt.wscale = 15; /* used as 14 (RFC 7323, 2.3) */
	s->opt.tsval = 4711;
	script_accept(s, 8000);
	expect(s, S | A, 0, 1, 0);
	assert_int_equal(s->last.opt.present,
			 RILL_TCP_OPT_MSS | RILL_TCP_OPT_WSCALE | RILL_TCP_OPT_TIMESTAMPS);
	assert_int_equal(s->last.opt.tsecr, 4711);
	assert_int_equal(s->e.tcb.snd_wscale, 14);
	script_free(s);
}

static void options_malformed_must7(void **state)
{
	static const uint8_t cases[][8] = {
		{2, 0},	      {2, 1}, {2, 255, 5},	    {8, 10, 1, 2, 3, 4},
		{1, 1, 1, 2}, {3, 3}, {254, 4, 0, 0, 2, 3},
	};
	struct rill_tcp_options_seen o;

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(cases); i++) {
		rill_tcp_options_parse(cases[i], sizeof(cases[i]), &o);
		assert_int_equal(o.present & ~RILL_TCP_OPT_WSCALE, 0);
	}
	/* An unknown option is skipped by its length (MUST-6), at any alignment (MUST-64). */
	rill_tcp_options_parse((const uint8_t[]){254, 3, 9, 2, 4, 5, 220, 0}, 8, &o);
	assert_int_equal(o.present, RILL_TCP_OPT_MSS);
	assert_int_equal(o.mss, 1500);
	/* Nothing counts behind the end of the list. */
	rill_tcp_options_parse((const uint8_t[]){0, 2, 4, 5, 220, 0, 0, 0}, 8, &o);
	assert_int_equal(o.present, 0);
}

static void parse_rejects_short_and_corrupt(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint8_t raw[40] = {0};

	for (uint32_t len = 0; len < 20; len++)
		assert_int_equal(th_input_raw(&s->e, raw, len, s->now), RILL_DROP_TCP_SHORT);
	raw[12] = 0x40;
	assert_int_equal(th_input_raw(&s->e, raw, 20, s->now), RILL_DROP_TCP_SHORT);
	raw[12] = 0xf0;
	assert_int_equal(th_input_raw(&s->e, raw, 40, s->now), RILL_DROP_TCP_SHORT);
	raw[12] = 0x50;
	raw[3] = 7;
	assert_int_equal(th_input_raw(&s->e, raw, 20, s->now), RILL_DROP_TCP_CHECKSUM);
	script_free(s);
}

static void listen_check_rfc9293_3_10_7_2(void **state)
{
	struct script *s = script_new();
	struct rill_ip a = th_addr(2, 0).ip, b = th_addr(1, 0).ip;
	struct rill_tcp_seg seg = {
		.src = &a, .dst = &b, .src_port = 2000, .dst_port = 80, .ack = 9};

	seg.flags = R;
	assert_int_equal(rill_tcp_listen_check(&s->e.env, &seg), RILL_DROP_TCP_LISTEN);
	seg.flags = F;
	assert_int_equal(rill_tcp_listen_check(&s->e.env, &seg), RILL_DROP_TCP_LISTEN);
	assert_int_equal(s->e.env.stats.resets_out, 0);
	s->e.sent = NULL;
	seg.flags = S | A;
	assert_int_equal(rill_tcp_listen_check(&s->e.env, &seg), RILL_DROP_TCP_LISTEN);
	assert_int_equal(s->e.env.stats.resets_out, 1);
	seg.flags = S;
	assert_int_equal(rill_tcp_listen_check(&s->e.env, &seg), RILL_DROP_NONE);
	script_free(s);
}

static void no_connection_rfc9293_3_10_7_1(void **state)
{
	struct script *s = script_new();

	s->e.tcb.iss = 0;
	in(s, S, 10, 0, 0, 5);
	expect(s, R | A, 0, 16, 0);
	in(s, A, 10, 1234, 0, 0);
	expect_rst(s, 1234);
	in(s, R | A, 10, 1234, 0, 0);
	expect_none(s);
	script_free(s);
}

static void icmp_hard_ends_an_opening_rfc5927(void **state)
{
	struct script *s = script_new();

	script_connect(s);
	expect(s, S, 0, 0, 0);
	rill_tcb_icmp_error(&s->e.tcb, &s->e.env, -ECONNREFUSED, true, s->e.tcb.iss + 5);
	expect_state(s, RILL_TCP_SYN_SENT); /* a number we did not send */
	rill_tcb_icmp_error(&s->e.tcb, &s->e.env, -ECONNREFUSED, true, s->e.tcb.iss);
	expect_state(s, RILL_TCP_CLOSED);
	assert_int_equal(s->e.tcb.error, -ECONNREFUSED);
	script_free(s);
}

static void icmp_soft_is_the_reason_given_in_the_end_must56(void **state)
{
	struct script *s = script_new();

	script_connect(s);
	rill_tcb_icmp_error(&s->e.tcb, &s->e.env, -EHOSTUNREACH, false, s->e.tcb.iss);
	expect_state(s, RILL_TCP_SYN_SENT);
	pass(s, 400 * RILL_SEC);
	expect_state(s, RILL_TCP_CLOSED);
	assert_int_equal(s->e.tcb.error, -EHOSTUNREACH);
	script_free(s);
}

static void icmp_hard_is_soft_when_established_rfc5927(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 100);
	rill_tcb_icmp_error(&s->e.tcb, &s->e.env, -ECONNREFUSED, true, s->e.tcb.snd_una);
	expect_state(s, RILL_TCP_ESTABLISHED);
	script_free(s);
}

static void isn_rfc6528(void **state)
{
	struct script *s = script_new();
	uint32_t a = rill_tcp_isn(&s->e.env, &s->e.tcb, 1000000);
	uint32_t b = rill_tcp_isn(&s->e.env, &s->e.tcb, 1000000 + 4000);

	assert_int_equal(b - a, 1);
	s->e.tcb.remote.port++;
	assert_int_not_equal(rill_tcp_isn(&s->e.env, &s->e.tcb, 1000000), a);
	s->e.tcb.remote.port--;
	s->e.env.secret.k[0]++;
	assert_int_not_equal(rill_tcp_isn(&s->e.env, &s->e.tcb, 1000000), a);
	script_free(s);
}

static void data_queued_while_opening(void **state)
{
	struct script *s = script_new();

	script_connect(s);
	expect(s, S, 0, 0, 0);
	send_bytes(s, 10);
	expect_none(s);
	in(s, S | A, 0, 1, 8000, 0);
	expect(s, A | P, 1, 1, 10);
	script_free(s);
}

static void shutdown_while_opening_rfc9293_3_10_4(void **state)
{
	struct script *s = script_new();

	script_connect(s);
	expect(s, S, 0, 0, 0);
	assert_int_equal(rill_tcb_shutdown_send(&s->e.tcb), 0);
	out(s);
	expect_none(s);
	in(s, S | A, 0, 1, 8000, 0);
	expect(s, A | F, 1, 1, 0);
	expect_state(s, RILL_TCP_FIN_WAIT_1);
	script_free(s);
}

static void calls_before_open(void **state)
{
	struct script *s = script_new();
	char c;

	assert_int_equal(rill_tcb_send(&s->e.tcb, &s->e.env, "x", 1), -ENOTCONN);
	assert_int_equal(rill_tcb_recv(&s->e.tcb, &s->e.env, &c, 1), -ENOTCONN);
	assert_int_equal(rill_tcb_shutdown_send(&s->e.tcb), -ENOTCONN);
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(active_open_rfc9293_3_5),
		T(passive_open_rfc9293_3_5),
		T(data_with_the_third_segment),
		T(fin_with_the_third_segment),
		T(simultaneous_open_rfc9293_fig7),
		T(simultaneous_open_plain_ack),
		T(refused_rst_in_syn_sent),
		T(syn_sent_ignores_rst_without_good_ack_rfc9293_3_10_7_3),
		T(syn_sent_resets_a_bad_ack),
		T(syn_rcvd_resets_a_bad_ack),
		T(syn_rcvd_answers_the_syn_again),
		T(syn_rcvd_rst_ends_it_must11),
		T(syn_retries_rfc6298_must23),
		T(synack_retries),
		T(lost_syn_means_3_s_and_one_segment_rfc6298_5_7),
		T(mss_default_536_rfc9293_must15),
		T(mss_of_the_peer_and_options_rfc6691),
		T(mss_tiny_is_raised),
		T(mss_of_ip6),
		T(window_scale_rfc7323_2),
		T(window_scale_needs_both_rfc7323_2_2),
		T(synack_offers_only_what_was_offered),
		T(synack_agrees_to_all),
		T(options_malformed_must7),
		T(parse_rejects_short_and_corrupt),
		T(listen_check_rfc9293_3_10_7_2),
		T(no_connection_rfc9293_3_10_7_1),
		T(icmp_hard_ends_an_opening_rfc5927),
		T(icmp_soft_is_the_reason_given_in_the_end_must56),
		T(icmp_hard_is_soft_when_established_rfc5927),
		T(isn_rfc6528),
		T(data_queued_while_opening),
		T(shutdown_while_opening_rfc9293_3_10_4),
		T(calls_before_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
