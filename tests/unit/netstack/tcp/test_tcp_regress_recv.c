/* SPDX-License-Identifier: BSD-3-Clause */
/* The receiving half under abuse: what once was wrong, and reassembly against a map of bytes. */
#include "script.h"

#include "netstack/tcp/mem.h"
#include "netstack/tcp/reass.h"
#include "netstack/tcp/xfer.h"

#include <errno.h>

/* ---- reassembly against a map of bytes ---- */

#define MAP_BYTES 20000u
#define SEG_MAX 600u

struct map {
	bool here[MAP_BYTES];
	uint32_t next; /* the first byte that is missing */
};

static void map_add(struct map *m, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		m->here[i] = true;
	while (m->next < MAP_BYTES && m->here[m->next])
		m->next++;
}

/* Of RFC 2018, 4, and RFC 2883, 4: what each block says is so, and the newest is the first. */
static void check_blocks(struct script *s, const struct map *m, uint32_t from, uint32_t to)
{
	const struct rill_tcp_options_seen *o = &s->last.opt;
	uint32_t ack = s->last.ack - PEER_ISN - 1;

	assert_int_equal(ack, m->next);
	if ((o->present & RILL_TCP_OPT_SACK) == 0)
		return;
	for (unsigned i = 0; i < o->sack_count; i++) {
		uint32_t start = o->sack[i].start - PEER_ISN - 1;
		uint32_t end = o->sack[i].end - PEER_ISN - 1;
		bool dsack = i == 0 && (end <= ack || (o->sack_count > 1 &&
						       start >= o->sack[1].start - PEER_ISN - 1 &&
						       end <= o->sack[1].end - PEER_ISN - 1));

		assert_true(start < end && end <= MAP_BYTES);
		for (uint32_t at = start; at < end; at++)
			assert_true(m->here[at]);
		if (dsack) {
			assert_true(start >= from && end <= to);
			continue;
		}
		assert_true(start > ack && !m->here[start - 1]);
		assert_true(end == MAP_BYTES || !m->here[end]);
	}
}

static void one_map(uint64_t seed)
{
	struct script *s = script_new();
	struct map *m = calloc(1, sizeof(*m));
	struct rill_rand rand;

	rill_rand_init(&rand, seed);
	s->opt.present |= RILL_TCP_OPT_SACK_PERMITTED;
	script_connect(s);
	expect(s, S, 0, 0, 0);
	in(s, S | A, 0, 1, 65535, 0);
	expect(s, A, 1, 1, 0);
	while (m->next < MAP_BYTES) {
		uint32_t near = m->next + rill_rand_below(&rand, 4000);
		uint32_t from = near > 1000 ? near - rill_rand_below(&rand, 1000) : 0;
		uint32_t to = from + 1 + rill_rand_below(&rand, SEG_MAX);
		uint32_t before = m->next;

		if (rill_rand_below(&rand, 8) == 0)
			to = from + 1;
		if (rill_rand_below(&rand, 8) == 0)
			from = m->next;
		to = RILL_MIN(to, MAP_BYTES);
		if (from >= to || to - from > 1400)
			continue;
		map_add(m, from, to);
		in(s, A, from + 1, 1, 65535, to - from);
		assert_int_equal(s->e.tcb.rcv_nxt - PEER_ISN - 1, m->next);
		while (s->out_first != s->out_last) {
			struct rill_tcp_seg *g =
				&s->out[s->out_first++ % RILL_ARRAY_SIZE(s->out)].seg;

			s->last = *g;
			check_blocks(s, m, from, to);
		}
		if (m->next > before && s->e.tcb.rcv_queued > 0)
			recv_bytes(s, 1 + rill_rand_below(&rand, s->e.tcb.rcv_queued));
		s->out_first = s->out_last;
	}
	while (s->e.tcb.rcv_queued > 0)
		recv_bytes(s, s->e.tcb.rcv_queued);
	assert_true(rill_reass_empty(&s->e.tcb));
	assert_int_equal(s->e.env.mem_used, 0);
	free(m);
	script_free(s);
}

static void any_order_and_overlap_makes_the_same_stream(void **state)
{
	for (uint64_t seed = 1; seed <= 60; seed++)
		one_map(seed);
}

/* ---- memory ---- */

/* A reader that never reads must not hold more than its share once memory is out. */
static void unread_data_stays_within_mem_max(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint64_t one = 2048 + RILL_BUF_HEADER_SIZE;
	uint32_t seq = 1;

	s->e.env.params.mem_max = 20 * one;
	for (unsigned i = 0; i < 44; i++, seq += 1460) {
		in(s, A, seq, 1, 65535, 1460);
		s->out_first = s->out_last;
	}
	assert_in_range(s->e.env.mem_used, 19 * one, 20 * one);
	assert_true(s->e.tcb.rcv_nxt - PEER_ISN < seq);
	/* what was refused comes again once there is room */
	recv_bytes(s, s->e.tcb.rcv_queued);
	s->out_first = s->out_last;
	seq = s->e.tcb.rcv_nxt - PEER_ISN;
	assert_int_equal(in(s, A, seq, 1, 65535, 1460), RILL_DROP_NONE);
	recv_bytes(s, 1460);
	assert_int_equal(s->e.env.mem_used, 0);
	script_free(s);
}

/* While memory is low the window does not follow what is read not. */
static void held_window_counts_what_is_unread(void **state)
{
	struct script *s = script_new();
	uint32_t seq = 1;

	s->e.env.params.recv_buffer = 200 * 1460;
	s->e.env.params.no_window_scale = false;
	s->opt.present |= RILL_TCP_OPT_WSCALE;
	s->e.tcb.rcv_buf_max = 65535;
	script_connect(s);
	expect(s, S, 0, 0, 0);
	s->e.env.params.mem_max = 1000 * 2176;
	s->e.env.mem_used += 900 * 2176;
	in(s, S | A, 0, 1, 65535, 0);
	s->out_first = s->out_last;
	s->e.tcb.rcv_wnd = 4 * 1460;
	while (seq - 1 < 300000 && s->e.tcb.rcv_wnd >= 1460) {
		in(s, A, seq, 1, 65535, 1460);
		s->out_first = s->out_last;
		seq += 1460;
	}
	assert_in_range(s->e.tcb.rcv_queued, 3 * 1460, 6 * 1460);
	s->e.env.mem_used -= 900 * 2176;
	recv_bytes(s, s->e.tcb.rcv_queued);
	assert_in_range(s->e.tcb.rcv_wnd, 30000, 65535);
	script_free(s);
}

static void *no_memory(void *ctx, size_t size)
{
	(void)ctx, (void)size;
	return NULL;
}

static void free_memory(void *ctx, void *p, size_t size)
{
	rill_memory_heap.free(ctx, p, size);
}

/* Without a transfer a connection opens, receives in order, and sends once there is memory. */
static void opens_without_memory_for_a_transfer(void **state)
{
	static const struct rill_memory none = {no_memory, free_memory, NULL};
	struct script *s = script_new();
	uint8_t data[100] = {0};

	script_connect(s);
	expect(s, S, 0, 0, 0);
	s->e.env.xfers.memory = &none;
	in(s, S | A, 0, 1, 65535, 0);
	expect(s, A, 1, 1, 0);
	expect_state(s, RILL_TCP_ESTABLISHED);
	in(s, A | P, 1, 1, 65535, 500);
	recv_bytes(s, 500);
	assert_int_equal(in(s, A, 2001, 1, 65535, 500), RILL_DROP_TCP_REASSEMBLY);
	s->out_first = s->out_last;
	assert_int_equal(rill_tcb_send(&s->e.tcb, &s->e.env, data, 100), 100);
	out(s);
	expect_none(s);
	pass(s, RILL_SEC);
	s->e.env.xfers.memory = &rill_memory_heap;
	pass(s, 10 * RILL_SEC);
	assert_true(rill_tcb_bytes_sent(&s->e.tcb) == 100);
	s->out_first = s->out_last;
	in(s, A | F, 501, 101, 65535, 0);
	expect(s, A, 101, 502, 0);
	script_free(s);
}

/* ---- acknowledging ---- */

/* A sender with Nagle and a small buffer waits for the ACK of both. */
static void two_segments_below_the_mss_are_acked_at_once(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A | P, 1, 1, 65535, 1460);
	expect_none(s);
	pass(s, 50 * RILL_MS);
	expect(s, A, 1, 1461, 0);
	in(s, A | P, 1461, 1, 65535, 1400);
	expect_none(s);
	in(s, A | P, 2861, 1, 65535, 1400);
	expect(s, A, 1, 4261, 0);
	script_free(s);
}

/* ---- attacks ---- */

/* Whoever spends the budget of challenges must not silence answers to keep-alive probes. */
static void spent_challenges_leave_keepalives_answered(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.env.params.challenge_acks_per_sec = 1;
	in(s, R, 100, 0, 0, 0);
	expect(s, A, 1, 1, 0);
	in(s, R, 200, 0, 0, 0);
	expect_none(s);
	assert_int_equal(in(s, A, 0, 1, 65535, 0), RILL_DROP_TCP_OLD);
	expect(s, A, 1, 1, 0);
	script_free(s);
}

/* One connection takes few of the budget: what is left of it tells nobody of a guess. */
static void one_connection_spends_few_challenges(void **state)
{
	struct script *s = script_established(MSS, 65535);

	for (uint32_t i = 0; i < 500; i++)
		in(s, R, 100 + i, 0, 0, 0);
	assert_in_range(s->e.env.challenges.sent, 1, 4);
	s->out_first = s->out_last;
	pass(s, RILL_SEC);
	in(s, R, 100, 0, 0, 0);
	expect(s, A, 1, 1, 0);
	script_free(s);
}

/* A peer that came up again may offer no timestamps: it is challenged, and resets (RFC 5961, 4). */
static void syn_without_timestamp_is_challenged(void **state)
{
	struct script *s = script_timestamps();

	s->opt.present = RILL_TCP_OPT_MSS;
	assert_int_equal(in(s, S, 77777, 0, 65535, 0), RILL_DROP_TCP_SYN);
	expect(s, A, 1, 1, 0);
	in(s, R, 1, 0, 0, 0);
	expect_state(s, RILL_TCP_CLOSED);
	script_free(s);
}

/* RFC 7323, 2.2: a window in a SYN is never scaled, nor in the SYN-ACK of a simultaneous open. */
static void simultaneous_open_takes_the_window_as_it_is(void **state)
{
	struct script *s = script_new();

	s->e.env.params.no_window_scale = false;
	s->opt.present |= RILL_TCP_OPT_WSCALE;
	s->opt.wscale = 7;
	script_connect(s);
	expect(s, S, 0, 0, 0);
	in(s, S, 0, 0, 20000, 0);
	expect(s, S | A, 0, 1, 0);
	in(s, S | A, 0, 1, 20000, 0);
	expect_state(s, RILL_TCP_ESTABLISHED);
	assert_in_range(s->e.tcb.snd_wnd, 20000 - 128, 20000);
	script_free(s);
}

/* ---- the rest ---- */

static void peek_stops_at_the_mark_and_skips_it(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint8_t data[32] = {0};

	s->e.env.settings.oob_inline = false;
	s->urg = 5;
	in(s, A | U, 1, 1, 65535, 10);
	s->urg = 0;
	assert_int_equal(rill_tcb_peek(&s->e.tcb, data, 32), 4);
	assert_int_equal(rill_tcb_recv(&s->e.tcb, &s->e.env, data, 32), 4);
	assert_true(rill_tcb_at_mark(&s->e.tcb));
	assert_int_equal(rill_tcb_peek(&s->e.tcb, data, 32), 5);
	assert_int_equal(data[0], (uint8_t)(6 * 31));
	assert_int_equal(rill_tcb_recv(&s->e.tcb, &s->e.env, data, 32), 5);
	assert_int_equal(data[0], (uint8_t)(6 * 31));
	out(s);
	s->out_first = s->out_last;
	s->urg = 1;
	in(s, A | U, 11, 1, 65535, 1);
	assert_int_equal(rill_tcb_peek(&s->e.tcb, data, 32), -EAGAIN);
	s->out_first = s->out_last;
	rill_tcb_abort(&s->e.tcb, &s->e.env, s->now);
	script_free(s);
}

/* Both sides have said all they wanted: that TIME-WAIT ends early is no error of the user's. */
static void time_wait_cut_short_is_no_error(void **state)
{
	struct script *s = script_established(MSS, 65535);

	rill_tcb_shutdown_send(&s->e.tcb);
	out(s);
	expect(s, F | A, 1, 1, 0);
	in(s, F | A, 1, 2, 65535, 0);
	expect(s, A, 2, 2, 0);
	expect_state(s, RILL_TCP_TIME_WAIT);
	assert_null(s->e.tcb.x); /* nothing but the tcb waits */
	rill_tcb_abort(&s->e.tcb, &s->e.env, s->now);
	expect_none(s);
	assert_int_equal(s->e.tcb.error, 0);
	script_free(s);
}

/* Only the peer's own FIN begins TIME-WAIT again. */
static void forged_fin_does_not_prolong_time_wait(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint64_t end;

	rill_tcb_shutdown_send(&s->e.tcb);
	out(s);
	in(s, F | A, 1, 2, 65535, 0);
	expect_state(s, RILL_TCP_TIME_WAIT);
	end = s->e.tcb.wait_at;
	pass(s, RILL_SEC);
	in(s, F | A, (uint32_t)-70000, 2, 65535, 0);
	assert_true(s->e.tcb.wait_at == end);
	in(s, F | A, 1, 2, 65535, 0);
	assert_true(s->e.tcb.wait_at == end + RILL_SEC);
	s->out_first = s->out_last;
	script_free(s);
}

/* Bytes behind a FIN, and a FIN in front of bytes that came. */
static void contradicting_fins(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A, 2001, 1, 65535, 100);
	in(s, A | F, 1001, 1, 65535, 100); /* bytes at 2001 say otherwise */
	in(s, A, 1, 1, 65535, 1000);
	expect_state(s, RILL_TCP_ESTABLISHED);
	in(s, A | F, 2101, 1, 65535, 0);
	in(s, A, 2102, 1, 65535, 100); /* nothing counts behind the first */
	in(s, A, 1001, 1, 65535, 1000);
	expect_state(s, RILL_TCP_CLOSE_WAIT);
	assert_int_equal(s->e.tcb.rcv_nxt - PEER_ISN, 2102);
	recv_bytes(s, 2100);
	s->out_first = s->out_last;
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(any_order_and_overlap_makes_the_same_stream),
		T(unread_data_stays_within_mem_max),
		T(held_window_counts_what_is_unread),
		T(opens_without_memory_for_a_transfer),
		T(two_segments_below_the_mss_are_acked_at_once),
		T(spent_challenges_leave_keepalives_answered),
		T(one_connection_spends_few_challenges),
		T(syn_without_timestamp_is_challenged),
		T(simultaneous_open_takes_the_window_as_it_is),
		T(peek_stops_at_the_mark_and_skips_it),
		T(time_wait_cut_short_is_no_error),
		T(forged_fin_does_not_prolong_time_wait),
		T(contradicting_fins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
