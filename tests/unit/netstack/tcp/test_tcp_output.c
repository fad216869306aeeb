/* SPDX-License-Identifier: BSD-3-Clause */
/* What is sent and when: windows, Nagle, retransmission, recovery, probing. */
#include "script.h"

#include <errno.h>

/* n full segments on their way, beginning at seq. */
static void expect_segments(struct script *s, uint32_t seq, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		expect(s, A, seq + i * MSS, 1, MSS);
}

static void small_writes_share_a_segment(void **state)
{
	struct script *s = script_established(MSS, 65535);

	for (unsigned i = 0; i < 10; i++) {
		uint8_t b[200];

		for (unsigned k = 0; k < sizeof(b); k++) {
			uint32_t seq = 1 + i * 200 + k;

			b[k] = (uint8_t)(seq * 31 + (seq >> 8));
		}
		assert_int_equal(rill_tcb_send(&s->e.tcb, &s->e.env, b, sizeof(b)), sizeof(b));
	}
	out(s);
	expect(s, A, 1, 1, MSS);
	expect(s, A | P, 1 + MSS, 1, 2000 - MSS);
	expect_none(s);
	script_free(s);
}

static void psh_on_the_last_must60(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, MSS + 1);
	expect(s, A, 1, 1, MSS);
	assert_int_equal(s->last.flags & P, 0);
	expect(s, A | P, 1 + MSS, 1, 1);
	script_free(s);
}

static void nagle_must17(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.tcb.flags &= ~(uint32_t)RILL_TCB_NODELAY;
	send_bytes(s, 10);
	expect(s, A | P, 1, 1, 10); /* nothing is outstanding */
	send_bytes(s, 10);
	send_bytes(s, 10);
	expect_none(s);
	in(s, A, 1, 11, 65535, 0);
	expect(s, A | P, 11, 1, 20);
	send_bytes(s, MSS); /* a full one need not wait */
	expect(s, A, 31, 1, MSS);
	send_bytes(s, 10);
	expect_none(s);
	assert_int_equal(rill_tcb_shutdown_send(&s->e.tcb), 0);
	out(s);
	expect(s, A | F, 31 + MSS, 1, 10); /* nothing will be added to it */
	script_free(s);
}

static void initial_window_10_rfc6928(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 30 * MSS);
	expect_segments(s, 1, 10);
	expect_none(s);
	script_free(s);
}

static void slow_start_by_bytes_rfc3465(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 40 * MSS);
	expect_segments(s, 1, 10);
	in(s, A, 1, 1 + 2 * MSS, 65535, 0);
	assert_int_equal(s->e.tcb.cwnd, 12 * MSS);
	expect_segments(s, 1 + 10 * MSS, 4);
	in(s, A, 1, 1 + 8 * MSS, 65535, 0); /* L = 2 */
	assert_int_equal(s->e.tcb.cwnd, 14 * MSS);
	in(s, A, 1, 1 + 8 * MSS + 100, 65535, 0); /* split ACKs gain nothing */
	assert_int_equal(s->e.tcb.cwnd, 14 * MSS + 100);
	script_free(s);
}

static void congestion_avoidance_one_per_window(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.tcb.ssthresh = 10 * MSS;
	send_bytes(s, 40 * MSS);
	for (uint32_t i = 1; i <= 9; i++)
		in(s, A, 1, 1 + i * MSS, 65535, 0);
	assert_int_equal(s->e.tcb.cwnd, 10 * MSS);
	in(s, A, 1, 1 + 10 * MSS, 65535, 0);
	assert_int_equal(s->e.tcb.cwnd, 11 * MSS);
	script_free(s);
}

static void cwnd_does_not_grow_unused(void **state)
{
	struct script *s = script_established(MSS, 65535);

	for (uint32_t i = 0; i < 50; i++) {
		send_bytes(s, 100);
		in(s, A, 1, 1 + (i + 1) * 100, 65535, 0);
	}
	assert_int_equal(s->e.tcb.cwnd, 10 * MSS);
	script_free(s);
}

static void restart_after_idle_rfc5681_4_1(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.tcb.cwnd = 40 * MSS;
	send_bytes(s, 100);
	expect(s, A, 1, 1, 100);
	in(s, A, 1, 101, 65535, 0);
	pass(s, 10 * RILL_SEC);
	send_bytes(s, 30 * MSS);
	assert_int_equal(s->e.tcb.cwnd, 10 * MSS);
	script_free(s);
}

static void rto_rfc6298_2(void **state)
{
	struct script *s = script_established(MSS, 65535);

	/* The handshake took 10 ms: SRTT = R, RTTVAR = R / 2, RTO at its floor. */
	assert_int_equal(s->e.tcb.srtt_us, 10000);
	assert_int_equal(s->e.tcb.rttvar_us, 5000);
	assert_int_equal(s->e.tcb.rto_us, 200000);
	send_bytes(s, 100);
	s->now += 100 * RILL_MS;
	in(s, A, 1, 101, 65535, 0);
	assert_int_equal(s->e.tcb.rttvar_us, 5000 + (90000 - 5000) / 4);
	assert_int_equal(s->e.tcb.srtt_us, 10000 + 90000 / 8);
	assert_int_equal(s->e.tcb.rto_us, RILL_MAX(200000u, 21250 + 4 * 26250u));
	script_free(s);
}

static void rto_backs_off_and_gives_up_rfc6298_5_5_must20(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint64_t begin = s->now;
	uint64_t rto = 200 * RILL_MS;

	send_bytes(s, 100);
	expect(s, A, 1, 1, 100);
	for (unsigned i = 0; i < 15; i++) {
		expect_timer(s, rto);
		expect(s, A, 1, 1, 100);
		rto = RILL_MIN(rto * 2, 120 * RILL_SEC);
	}
	expect_timer(s, rto);
	expect_none(s);
	expect_state(s, RILL_TCP_CLOSED);
	assert_int_equal(s->e.tcb.error, -ETIMEDOUT);
	assert_true(s->now - begin > 100 * RILL_SEC); /* SHLD-11 */
	script_free(s);
}

static void karn_no_sample_of_what_was_sent_twice(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 100);
	expect_timer(s, 200 * RILL_MS);
	s->now += 5 * RILL_MS;
	in(s, A, 1, 101, 65535, 0);
	assert_int_equal(s->e.tcb.srtt_us, 10000);
	assert_int_equal(s->e.tcb.rto_us, 400000); /* stays backed off */
	send_bytes(s, 100);
	s->now += 10 * RILL_MS;
	in(s, A, 1, 201, 65535, 0);
	assert_int_equal(s->e.tcb.rto_us, 200000);
	script_free(s);
}

static void timer_restarts_with_each_ack_rfc6298_5_3(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 2 * MSS);
	pass(s, 150 * RILL_MS);
	in(s, A, 1, 1 + MSS, 65535, 0);
	assert_int_equal(rill_tcb_next_deadline(&s->e.tcb) - s->now, s->e.tcb.rto_us * RILL_US);
	in(s, A, 1, 1 + 2 * MSS, 65535, 0);
	assert_int_equal(rill_tcb_next_deadline(&s->e.tcb), RILL_FOREVER); /* 5.2 */
	script_free(s);
}

static void timeout_goes_back_and_slow_starts_rfc5681_3_1(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 10 * MSS);
	expect_segments(s, 1, 10);
	expect_timer(s, 200 * RILL_MS);
	expect_segments(s, 1, 1);
	expect_none(s);
	assert_int_equal(s->e.tcb.cwnd, MSS);
	assert_int_equal(s->e.tcb.ssthresh, 5 * MSS);
	expect_timer(s, 400 * RILL_MS);
	expect_segments(s, 1, 1);
	assert_int_equal(s->e.tcb.ssthresh, 5 * MSS); /* not halved again */
	in(s, A, 1, 1 + MSS, 65535, 0);
	expect_segments(s, 1 + MSS, 2);
	expect_none(s);
	in(s, A, 1, 1 + 10 * MSS, 65535, 0); /* the rest had arrived */
	expect_none(s);
	assert_int_equal(rill_tcb_next_deadline(&s->e.tcb), RILL_FOREVER);
	script_free(s);
}

static void dup_acks(struct script *s, uint32_t ack, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		in(s, A, 1, ack, 65535, 0);
}

static void fast_retransmit_rfc5681_3_2(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 10 * MSS);
	expect_segments(s, 1, 10);
	dup_acks(s, 1, 2);
	expect_none(s);
	dup_acks(s, 1, 1);
	expect_segments(s, 1, 1);
	expect_none(s);
	assert_int_equal(s->e.tcb.ssthresh, 5 * MSS);
	assert_int_equal(s->e.tcb.cwnd, 7 * MSS); /* 6 in flight, and the fast retransmit */
	dup_acks(s, 1, 6);
	expect_none(s);
	assert_true(s->e.tcb.cwnd <= 5 * MSS);
	in(s, A, 1, 1 + 10 * MSS, 65535, 0);
	assert_int_equal(s->e.tcb.cwnd, 2 * MSS); /* nothing outstanding: no burst */
	assert_int_equal(rill_tcp_ca(&s->e.tcb), RILL_TCP_CA_OPEN);
	assert_int_equal(s->e.env.stats.fast_recoveries, 1);
	assert_int_equal(s->e.env.stats.retransmits, 1);
	script_free(s);
}

static void new_data_during_recovery(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 20 * MSS);
	expect_segments(s, 1, 10);
	dup_acks(s, 1, 2);
	expect_segments(s, 1 + 10 * MSS, 2); /* limited transmit */
	dup_acks(s, 1, 1);
	expect_segments(s, 1, 1);
	expect_none(s);
	dup_acks(s, 1, 4); /* ssthresh 6, cwnd 13 */
	expect_segments(s, 1 + 12 * MSS, 1);
	expect_none(s);
	script_free(s);
}

static void limited_transmit_rfc3042(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 20 * MSS);
	expect_segments(s, 1, 10);
	dup_acks(s, 1, 1);
	expect_segments(s, 1 + 10 * MSS, 1);
	dup_acks(s, 1, 1);
	expect_segments(s, 1 + 11 * MSS, 1);
	expect_none(s);
	assert_int_equal(s->e.tcb.cwnd, 10 * MSS);
	script_free(s);
}

static void newreno_partial_acks_rfc6582(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 10 * MSS); /* 1, 4 and 7 are lost */
	expect_segments(s, 1, 10);
	dup_acks(s, 1, 7);
	expect_segments(s, 1, 1);
	in(s, A, 1, 1 + 3 * MSS, 65535, 0);
	expect_segments(s, 1 + 3 * MSS, 1);
	expect_none(s);
	assert_int_equal(rill_tcp_ca(&s->e.tcb), RILL_TCP_CA_RECOVERY);
	in(s, A, 1, 1 + 6 * MSS, 65535, 0);
	expect_segments(s, 1 + 6 * MSS, 1);
	in(s, A, 1, 1 + 10 * MSS, 65535, 0);
	assert_int_equal(rill_tcp_ca(&s->e.tcb), RILL_TCP_CA_OPEN);
	assert_int_equal(s->e.env.stats.rtos, 0);
	assert_int_equal(s->e.env.stats.fast_recoveries, 1);
	script_free(s);
}

static void newreno_timer_only_with_the_first_partial_ack_rfc6582(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint64_t at;

	send_bytes(s, 10 * MSS);
	dup_acks(s, 1, 3);
	s->now += 10 * RILL_MS;
	in(s, A, 1, 1 + MSS, 65535, 0);
	at = rill_tcb_next_deadline(&s->e.tcb);
	s->now += 10 * RILL_MS;
	in(s, A, 1, 1 + 2 * MSS, 65535, 0);
	assert_int_equal(rill_tcb_next_deadline(&s->e.tcb), at);
	script_free(s);
}

static void no_fast_retransmit_of_a_timeouts_echoes_rfc6582_recover(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 10 * MSS);
	expect_segments(s, 1, 10);
	expect_timer(s, 200 * RILL_MS);
	expect_segments(s, 1, 1);
	in(s, A, 1, 1 + 2 * MSS, 65535, 0);
	s->out_first = s->out_last;
	dup_acks(s, 1 + 2 * MSS, 5);
	assert_int_equal(s->e.env.stats.fast_recoveries, 0);
	script_free(s);
}

static void recover_does_not_go_stale_after_2_gib(void **state)
{
	struct script *s = script_established(MSS, 65535);

	/* As if 3 GiB had been sent and acknowledged, in steps. */
	for (unsigned i = 0; i < 3; i++) {
		s->e.tcb.snd_una += 1 << 30;
		s->e.tcb.snd_nxt += 1 << 30;
		s->e.tcb.snd_end += 1 << 30;
		s->e.tcb.iss += 1 << 30;
		send_bytes(s, 10);
		in(s, A, 1, 11 + i * 10, 65535, 0);
	}
	s->out_first = s->out_last;
	send_bytes(s, 10 * MSS);
	expect_segments(s, 31, 10);
	dup_acks(s, 31, 3);
	expect_segments(s, 31, 1);
	assert_int_equal(s->e.env.stats.fast_recoveries, 1);
	script_free(s);
}

static void not_a_duplicate_rfc5681_2(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 10 * MSS);
	expect_segments(s, 1, 10);
	for (uint32_t i = 0; i < 5; i++)
		in(s, A, 1 + i * 10, 1, 65535, 10); /* with data */
	for (uint32_t i = 0; i < 5; i++)
		in(s, A, 51, 1, 60000 - i, 0); /* with another window */
	assert_int_equal(s->e.tcb.x->dup_acks, 0);
	assert_int_equal(s->e.env.stats.fast_recoveries, 0);
	script_free(s);
}

static void zero_window_probes_must35(void **state)
{
	struct script *s = script_established(MSS, 100);
	uint64_t wait = 200 * RILL_MS;

	send_bytes(s, 1100);
	expect(s, A, 1, 1, 100);
	in(s, A, 1, 101, 0, 0);
	expect_none(s);
	for (unsigned i = 0; i < 12; i++) {
		expect_timer(s, wait);
		expect(s, A, 101, 1, 1);
		in(s, A, 1, 101, 0, 0);
		wait = RILL_MIN(wait * 2, 120 * RILL_SEC);
	}
	in(s, A, 1, 101, 5000, 0); /* opens, without having taken the byte */
	expect(s, A | P, 101, 1, 1000);
	in(s, A, 1, 1101, 5000, 0);
	assert_int_equal(rill_tcb_next_deadline(&s->e.tcb), RILL_FOREVER);
	script_free(s);
}

static void zero_window_for_ever_while_acked_must37(void **state)
{
	struct script *s = script_established(MSS, 100);

	send_bytes(s, 1000);
	in(s, A, 1, 101, 0, 0);
	for (unsigned i = 0; i < 200; i++) {
		pass(s, rill_tcb_next_deadline(&s->e.tcb) - s->now);
		in(s, A, 1, 101, 0, 0);
	}
	expect_state(s, RILL_TCP_ESTABLISHED);
	pass(s, 3600 * RILL_SEC); /* but not when nobody answers */
	expect_state(s, RILL_TCP_CLOSED);
	assert_int_equal(s->e.tcb.error, -ETIMEDOUT);
	s->out_first = s->out_last;
	script_free(s);
}

static void probe_that_is_taken(void **state)
{
	struct script *s = script_established(MSS, 100);

	send_bytes(s, 1100);
	expect(s, A, 1, 1, 100);
	in(s, A, 1, 101, 0, 0);
	expect_timer(s, 200 * RILL_MS);
	expect(s, A, 101, 1, 1);
	in(s, A, 1, 102, 0, 0);
	expect_timer(s, 200 * RILL_MS);
	expect(s, A, 102, 1, 1);
	in(s, A, 1, 103, 2000, 0);
	expect(s, A | P, 103, 1, 998);
	script_free(s);
}

static void sender_sws_must38(void **state)
{
	struct script *s = script_established(MSS, 4000);

	send_bytes(s, 5 * MSS);
	expect_segments(s, 1, 2);
	expect_none(s); /* 1,080 left of a window of 4,000: not half of it */
	in(s, A, 1, 1 + 2 * MSS, 1000, 0);
	expect_none(s);
	in(s, A, 1, 1 + 2 * MSS, 2500, 0);
	expect_segments(s, 1 + 2 * MSS, 1);
	expect_none(s);
	in(s, A, 1, 1 + 3 * MSS, 1000, 0);
	expect_none(s);
	expect_timer(s, 200 * RILL_MS); /* the override: what fits */
	expect(s, A, 1 + 3 * MSS, 1, 1000);
	script_free(s);
}

static void half_of_the_largest_window_may_go(void **state)
{
	struct script *s = script_established(MSS, 1000);

	send_bytes(s, 3000);
	expect(s, A, 1, 1, 1000);
	in(s, A, 1, 1001, 500, 0);
	expect(s, A, 1001, 1, 460);
	expect_none(s);
	script_free(s);
}

static void window_shrinks_must34(void **state)
{
	struct script *s = script_established(MSS, 8 * MSS);

	send_bytes(s, 8 * MSS);
	expect_segments(s, 1, 8);
	in(s, A, 1, 1 + MSS, 2 * MSS, 0); /* the edge moved left */
	expect_none(s);
	pass(s, 210 * RILL_MS);
	expect_segments(s, 1 + MSS, 1);
	in(s, A, 1, 1 + 2 * MSS, 0, 0);
	expect_segments(s, 1 + 2 * MSS, 1); /* asks with what is no longer allowed */
	expect_none(s);
	for (unsigned i = 0; i < 20; i++) {
		pass(s, rill_tcb_next_deadline(&s->e.tcb) - s->now);
		expect_segments(s, 1 + 2 * MSS, 1);
		expect_none(s);
		in(s, A, 1, 1 + 2 * MSS, 0, 0); /* for ever, while it is answered (MUST-37) */
	}
	in(s, A, 1, 1 + 3 * MSS, 8 * MSS, 0);
	expect_segments(s, 1 + 3 * MSS, 2);
	in(s, A, 1, 1 + 8 * MSS, 8 * MSS, 0);
	assert_int_equal(rill_tcb_next_deadline(&s->e.tcb), RILL_FOREVER);
	script_free(s);
}

static void window_from_an_old_segment_is_ignored(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A, 101, 1, 3000, 10); /* out of order, newer */
	assert_int_equal(s->e.tcb.snd_wnd, 3000);
	in(s, A, 1, 1, 9000, 10);
	assert_int_equal(s->e.tcb.snd_wnd, 3000);
	script_free(s);
}

static void retransmission_while_the_nic_reads(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.hold_permille = 1000; /* every buffer stays with the driver */
	send_bytes(s, 3 * MSS);
	expect_segments(s, 1, 3);
	expect_timer(s, 200 * RILL_MS);
	expect_segments(s, 1, 1); /* a copy */
	in(s, A, 1, 1 + 3 * MSS, 65535, 0);
	script_free(s);
}

static void retransmission_by_reference(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint32_t before;

	send_bytes(s, MSS);
	expect_segments(s, 1, 1);
	before = s->e.pool.available;
	for (unsigned i = 0; i < 5; i++) {
		pass(s, rill_tcb_next_deadline(&s->e.tcb) - s->now);
		expect_segments(s, 1, 1);
	}
	assert_int_equal(s->e.pool.available, before);
	script_free(s);
}

static void partial_ack_of_a_segment(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, MSS);
	expect_segments(s, 1, 1);
	in(s, A, 1, 501, 65535, 0);
	expect_timer(s, 200 * RILL_MS);
	expect(s, A | P, 501, 1, 960);
	in(s, A, 1, 1 + MSS, 65535, 0);
	script_free(s);
}

static void mss_shrinks_rfc1191(void **state)
{
	struct script *s = script_established(MSS, 65535);

	send_bytes(s, 2 * MSS);
	expect_segments(s, 1, 2);
	rill_tcb_icmp_too_big(&s->e.tcb, 1000, s->e.tcb.snd_nxt); /* not outstanding */
	assert_int_equal(s->e.tcb.snd_mss, MSS);
	rill_tcb_icmp_too_big(&s->e.tcb, 1000, s->e.tcb.snd_una);
	assert_int_equal(s->e.tcb.snd_mss, 960);
	out(s);
	expect(s, A, 1, 1, 960);
	expect(s, A, 961, 1, 500);
	expect(s, A, 1461, 1, 960);
	expect(s, A | P, 2421, 1, 500);
	rill_tcb_icmp_too_big(&s->e.tcb, 68, s->e.tcb.snd_una);
	assert_int_equal(s->e.tcb.snd_mss, 512); /* no lower, whoever says so */
	script_free(s);
}

static void send_buffer_is_bounded(void **state)
{
	struct script *s = script_established(MSS, 1000);
	uint8_t data[8192] = {0};
	ssize_t n;
	size_t sum = 0;

	rill_tcb_set_send_buffer(&s->e.tcb, 20000);
	while ((n = rill_tcb_send(&s->e.tcb, &s->e.env, data, sizeof(data))) > 0)
		sum += (size_t)n;
	assert_int_equal(n, -EAGAIN);
	assert_int_equal(sum, 20000);
	assert_false(rill_tcb_writable(&s->e.tcb));
	rill_tcb_output(&s->e.tcb, &s->e.env, s->now);
	s->out_first = s->out_last;
	s->e.tcb.events = 0;
	in(s, A, 1, 1001, 65535, 0);
	assert_true(rill_tcb_writable(&s->e.tcb));
	assert_int_equal(s->e.tcb.events, 0); /* not for so little */
	s->out_first = s->out_last;
	in(s, A, 1, 6001, 65535, 0);
	assert_int_equal(s->e.tcb.events, RILL_TCB_WRITABLE);
	s->out_first = s->out_last;
	script_free(s);
}

static void send_queue_is_bounded_in_buffers(void **state)
{
	struct script *s = script_established(MSS, 65535);
	unsigned n = 0;

	s->e.tcb.snd_buf_max = 20000;
	while (rill_tcb_send(&s->e.tcb, &s->e.env, "x", 1) == 1) {
		rill_tcb_output(&s->e.tcb, &s->e.env, s->now);
		s->out_first = s->out_last;
		n++;
	}
	assert_true(n < 100);
	script_free(s);
}

static void send_buf_zero_copy(void **state)
{
	struct script *s = script_established(MSS, 65535);
	struct rill_buf *b = rill_buf_alloc(&s->e.pool);

	assert_int_equal(rill_tcb_send_cap(&s->e.tcb), MSS);
	for (uint32_t i = 0; i < 500; i++)
		*rill_buf_append(b, 1) = (uint8_t)((1 + i) * 31 + ((1 + i) >> 8));
	assert_int_equal(rill_tcb_send_buf(&s->e.tcb, &s->e.env, b), 0);
	out(s);
	expect(s, A | P, 1, 1, 500);
	in(s, A, 1, 501, 65535, 0);
	assert_int_equal(s->e.pool.available, s->e.pool.size);
	script_free(s);
}

static void no_buffer_is_tried_again(void **state)
{
	struct script *s = script_established(MSS, 65535);
	char c = 0;

	s->e.alloc_fail_permille = 1000;
	assert_int_equal(rill_tcb_send(&s->e.tcb, &s->e.env, &c, 1), -ENOBUFS);
	assert_int_equal(rill_tcb_shutdown_send(&s->e.tcb), 0);
	out(s);
	expect_none(s);
	s->e.alloc_fail_permille = 0;
	pass(s, 210 * RILL_MS);
	expect(s, A | F, 1, 1, 0);
	script_free(s);
}

static void csum_offload(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.env.csum_offload = true;
	s->e.sent = NULL;
	s->e.hold_permille = 1000;
	send_bytes(s, 100);
	for (unsigned i = 0; i < TH_HELD_MAX; i++) {
		if (!s->e.held[i])
			continue;
		assert_int_equal(s->e.held[i]->flags, RILL_BUF_CSUM_PARTIAL);
		assert_int_equal(s->e.held[i]->csum_offset, 16);
	}
	script_free(s);
}

static void info(void **state)
{
	struct script *s = script_established(MSS, 1000);
	struct rill_tcp_info i;

	send_bytes(s, 3000);
	in(s, A, 1, 1, 1000, 77);
	rill_tcb_info(&s->e.tcb, &i);
	assert_string_equal(i.state, "ESTABLISHED");
	assert_int_equal(i.unacked, 1000);
	assert_int_equal(i.unsent, 2000);
	assert_int_equal(i.unread, 77);
	assert_int_equal(i.bytes_sent, 1000);
	assert_int_equal(i.bytes_received, 77);
	assert_int_equal(i.snd_mss, MSS);
	assert_int_equal(i.rtt_us, 10000);
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(small_writes_share_a_segment),
		T(psh_on_the_last_must60),
		T(nagle_must17),
		T(initial_window_10_rfc6928),
		T(slow_start_by_bytes_rfc3465),
		T(congestion_avoidance_one_per_window),
		T(cwnd_does_not_grow_unused),
		T(restart_after_idle_rfc5681_4_1),
		T(rto_rfc6298_2),
		T(rto_backs_off_and_gives_up_rfc6298_5_5_must20),
		T(karn_no_sample_of_what_was_sent_twice),
		T(timer_restarts_with_each_ack_rfc6298_5_3),
		T(timeout_goes_back_and_slow_starts_rfc5681_3_1),
		T(fast_retransmit_rfc5681_3_2),
		T(new_data_during_recovery),
		T(limited_transmit_rfc3042),
		T(newreno_partial_acks_rfc6582),
		T(newreno_timer_only_with_the_first_partial_ack_rfc6582),
		T(no_fast_retransmit_of_a_timeouts_echoes_rfc6582_recover),
		T(recover_does_not_go_stale_after_2_gib),
		T(not_a_duplicate_rfc5681_2),
		T(zero_window_probes_must35),
		T(zero_window_for_ever_while_acked_must37),
		T(probe_that_is_taken),
		T(sender_sws_must38),
		T(half_of_the_largest_window_may_go),
		T(window_shrinks_must34),
		T(window_from_an_old_segment_is_ignored),
		T(retransmission_while_the_nic_reads),
		T(retransmission_by_reference),
		T(partial_ack_of_a_segment),
		T(mss_shrinks_rfc1191),
		T(send_buffer_is_bounded),
		T(send_queue_is_bounded_in_buffers),
		T(send_buf_zero_copy),
		T(no_buffer_is_tried_again),
		T(csum_offload),
		T(info),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
