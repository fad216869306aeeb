/* SPDX-License-Identifier: BSD-3-Clause */
/* Buffers that follow the transfer, and memory that does not suffice. */
#include "script.h"

#include "netstack/tcp/autotune.h"
#include "netstack/tcp/mem.h"
#include "netstack/tcp/reass.h"

#include <errno.h>

#define RTT (10 * RILL_MS)

static struct script *scaled(uint32_t buffer, uint32_t buffer_max)
{
	struct script *s = script_new();

	s->e.env.params.no_window_scale = false;
	s->e.env.params.recv_buffer_max = buffer_max;
	s->e.env.params.no_autotune = buffer == buffer_max;
	s->e.tcb.rcv_buf_max = buffer;
	s->opt.present |= RILL_TCP_OPT_WSCALE;
	s->opt.wscale = 0;
	script_connect(s);
	expect(s, S, 0, 0, 0);
	s->now += RTT;
	in(s, S | A, 0, 1, 65535, 0);
	s->out_first = s->out_last;
	return s;
}

/* One round trip: as much as the window lets the peer send; the user takes take per cent. */
static void round_trip(struct script *s, uint32_t take)
{
	uint32_t seq = s->e.tcb.rcv_nxt - PEER_ISN;
	uint32_t edge = seq + s->e.tcb.rcv_wnd;

	s->now += RTT;
	while (seq + 1000 <= edge) {
		in_batch(s, A, seq, 1, 65535, 1000);
		seq += 1000;
		if (s->e.tcb.recvq.count > 100 && take == 100)
			recv_bytes(s, RILL_MIN(s->e.tcb.rcv_queued, 65536u));
		s->out_first = s->out_last;
	}
	while (s->e.tcb.rcv_queued > 0 && take > 0) {
		recv_bytes(s, RILL_MAX(RILL_MIN(s->e.tcb.rcv_queued, 65536u) * take / 100, 1u));
		if (take < 100)
			break;
	}
	out(s);
	s->out_first = s->out_last;
}

static void window_grows_with_what_the_user_takes(void **state)
{
	struct script *s = scaled(16384, 1 << 20);
	uint32_t before = 0;

	for (unsigned i = 0; i < 12; i++) {
		before = s->e.tcb.rcv_buf_max;
		round_trip(s, 100);
		assert_true(s->e.tcb.rcv_buf_max >= before);
		assert_true(s->e.tcb.rcv_buf_max <= 1 << 20);
	}
	assert_int_equal(s->e.tcb.rcv_buf_max, 1 << 20);
	assert_in_range(s->e.tcb.rcv_wnd, (1 << 20) - 128, 1 << 20);
	script_free(s);
}

static void window_does_not_grow_for_a_slow_reader(void **state)
{
	struct script *s = scaled(16384, 1 << 20);

	for (unsigned i = 0; i < 20; i++)
		round_trip(s, 10);
	assert_true(s->e.tcb.rcv_buf_max <= 64 << 10);
	while (s->e.tcb.rcv_queued > 0)
		recv_bytes(s, RILL_MIN(s->e.tcb.rcv_queued, 4096u));
	s->out_first = s->out_last;
	script_free(s);
}

static void what_the_user_set_stays(void **state)
{
	struct script *s = script_new();

	rill_tcb_set_recv_buffer(&s->e.tcb, 20000);
	rill_tcb_set_send_buffer(&s->e.tcb, 20000);
	script_connect(s);
	s->now += RTT;
	in(s, S | A, 0, 1, 65535, 0);
	for (unsigned i = 0; i < 10; i++)
		round_trip(s, 100);
	s->e.tcb.cwnd = 1 << 20;
	rill_tcp_autotune_on_ack(&s->e.tcb, &s->e.env);
	assert_int_equal(s->e.tcb.rcv_buf_max, 20000);
	assert_int_equal(s->e.tcb.snd_buf_max, 20000);
	script_free(s);
}

static void send_buffer_follows_cwnd(void **state)
{
	struct script *s = script_established(MSS, 65535);

	s->e.tcb.snd_buf_max = 16384;
	s->e.tcb.cwnd = 100000;
	rill_tcp_autotune_on_ack(&s->e.tcb, &s->e.env);
	assert_int_equal(s->e.tcb.snd_buf_max, 200000);
	s->e.tcb.cwnd = 10000;
	rill_tcp_autotune_on_ack(&s->e.tcb, &s->e.env);
	assert_int_equal(s->e.tcb.snd_buf_max, 200000);
	s->e.tcb.cwnd = UINT32_MAX;
	rill_tcp_autotune_on_ack(&s->e.tcb, &s->e.env);
	assert_int_equal(s->e.tcb.snd_buf_max, s->e.env.params.send_buffer_max);
	script_free(s);
}

/* RFC 7323, 2.3: the scale is chosen once, so it must do for all that the window may become. */
static void scale_follows_the_largest_buffer_rfc7323_2_3(void **state)
{
	struct script *s = scaled(16384, 6 << 20);

	assert_int_equal(s->e.tcb.rcv_wscale, 7);
	script_free(s);
	s = scaled(16384, 16384);
	assert_int_equal(s->e.tcb.rcv_wscale, 0);
	script_free(s);
	s = script_new();
	s->e.env.params.no_window_scale = false;
	s->e.env.params.window_scale = 3;
	script_connect(s);
	expect(s, S, 0, 0, 0);
	assert_int_equal(s->last.opt.wscale, 3);
	script_free(s);
}

/* RFC 7323, 2.4: the edge never moves left, whatever becomes of the buffer. */
static void window_is_never_taken_back_rfc7323_2_4(void **state)
{
	struct script *s = scaled(65536, 65536);
	uint32_t edge;

	in(s, A, 1, 1, 65535, 1000);
	out(s);
	s->out_first = s->out_last;
	edge = s->e.tcb.rcv_nxt + s->e.tcb.rcv_wnd;
	rill_tcb_set_recv_buffer(&s->e.tcb, 4096);
	for (uint32_t i = 1; i < 20; i++) {
		in(s, A, 1 + i * 1000, 1, 65535, 1000);
		assert_int_equal(s->e.tcb.rcv_nxt + s->e.tcb.rcv_wnd, edge);
	}
	s->out_first = s->out_last;
	recv_bytes(s, 20000);
	assert_int_equal(s->e.tcb.rcv_nxt + s->e.tcb.rcv_wnd, edge);
	script_free(s);
}

static void window_clamp(void **state)
{
	struct script *s = script_new();

	rill_tcp_settings_own(&s->e.tcb, &s->e.env)->window_clamp = 3000;
	script_connect(s);
	expect(s, S, 0, 0, 0);
	assert_int_equal(s->last.wnd, 3000);
	in(s, S | A, 0, 1, 65535, 0);
	expect(s, A, 1, 1, 0);
	assert_int_equal(s->last.wnd, 3000);
	in(s, A, 1, 1, 65535, 1000);
	s->out_first = s->out_last;
	recv_bytes(s, 1000);
	assert_in_range(s->e.tcb.rcv_wnd, 1, 3000);
	script_free(s);
}

static void initial_recv_window(void **state)
{
	struct script *s = script_new();

	s->e.env.params.initial_recv_window = 5000;
	script_connect(s);
	expect(s, S, 0, 0, 0);
	assert_int_equal(s->last.wnd, 5000);
	in(s, S | A, 0, 1, 65535, 0);
	expect(s, A, 1, 1, 0);
	assert_int_equal(s->last.wnd, 65535);
	script_free(s);
}

static void every_queue_is_counted(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint64_t one = 2048 + RILL_BUF_HEADER_SIZE;
	struct rill_buf *b = NULL;

	in(s, A, 1, 1, 65535, 1000);
	assert_int_equal(s->e.env.mem_used, one);
	in(s, A, 2001, 1, 65535, 1000);
	in(s, A, 3001, 1, 65535, 1000);
	assert_int_equal(s->e.env.mem_used, 3 * one);
	in(s, A, 1001, 1, 65535, 1000);
	assert_int_equal(s->e.env.mem_used, 4 * one);
	send_bytes(s, 3000);
	assert_int_equal(s->e.env.mem_used, 7 * one);
	in(s, A, 4001, 3001, 65535, 0);
	assert_int_equal(s->e.env.mem_used, 4 * one);
	assert_int_equal(rill_tcb_recv_buf(&s->e.tcb, &s->e.env, &b), 1);
	rill_buf_put_owner(&s->e.pool, b);
	assert_int_equal(s->e.env.mem_used, 3 * one);
	s->out_first = s->out_last;
	recv_bytes(s, 2999);
	recv_bytes(s, 1);
	assert_int_equal(s->e.env.mem_used, 0);
	script_free(s);
}

static void windows_do_not_grow_when_memory_is_low(void **state)
{
	struct script *s = scaled(16384, 1 << 20);
	uint32_t edge;

	s->e.env.params.mem_max = 40 * 2176;
	s->e.env.mem_used += 35 * 2176; /* other connections' */
	in(s, A, 1, 1, 65535, 1000);
	edge = s->e.tcb.rcv_nxt + s->e.tcb.rcv_wnd;
	recv_bytes(s, 1000);
	out(s);
	assert_int_equal(s->e.tcb.rcv_nxt + s->e.tcb.rcv_wnd, edge);
	assert_true(s->e.tcb.flags & RILL_TCB_MEM_HELD);
	assert_true(s->e.env.stats.mem_pressure > 0);
	for (unsigned i = 0; i < 10; i++)
		round_trip(s, 100);
	/* it goes on, slowly */
	assert_int_equal(s->e.tcb.rcv_buf_max, 16384);
	assert_in_range(s->e.tcb.rcv_wnd, 1000, 4 * 1000);
	assert_true(s->e.tcb.bytes_received > 30000);
	s->e.env.mem_used -= 35 * 2176;
	for (unsigned i = 0; i < 4; i++)
		round_trip(s, 100);
	assert_false(s->e.tcb.flags & RILL_TCB_MEM_HELD);
	assert_true(s->e.tcb.rcv_wnd > 8000);
	script_free(s);
}

static void out_of_order_is_given_up_when_memory_is_out(void **state)
{
	struct script *s = script_established(MSS, 65535);

	in(s, A, 2001, 1, 65535, 1000);
	in(s, A, 4001, 1, 65535, 1000);
	s->e.env.params.mem_max = 2 * 2176;
	assert_int_equal(in(s, A, 6001, 1, 65535, 1000), RILL_DROP_TCP_REASSEMBLY);
	assert_int_equal(s->e.env.stats.pruned, 1);
	assert_int_equal(s->e.tcb.x->reass.runs, 1);
	s->out_first = s->out_last;
	/* what is in order is taken in any case */
	in(s, A, 1, 1, 65535, 1000);
	in(s, A, 1001, 1, 65535, 1000);
	expect(s, A, 1, 1001, 0);
	expect(s, A, 1, 3001, 0);
	s->e.env.params.mem_max = 0;
	recv_bytes(s, 3000);
	script_free(s);
}

static void sender_waits_for_memory_and_goes_on(void **state)
{
	struct script *s = script_established(MSS, 65535);
	uint8_t data[4096] = {0};

	s->e.env.params.mem_max = 100 * 2176;
	s->e.env.mem_used += 100 * 2176;
	/* a connection that has nothing queued gets one segment */
	assert_int_equal(rill_tcb_send(&s->e.tcb, &s->e.env, data, sizeof(data)), 1460);
	assert_int_equal(rill_tcb_send(&s->e.tcb, &s->e.env, data, sizeof(data)), -EAGAIN);
	assert_false(rill_tcb_writable(&s->e.tcb));
	out(s);
	s->out_first = s->out_last;
	s->e.tcb.events = 0;
	in(s, A, 1, 1461, 65535, 0);
	assert_true(s->e.tcb.events & RILL_TCB_WRITABLE);
	assert_true(rill_tcb_writable(&s->e.tcb));
	s->e.env.mem_used -= 100 * 2176;
	assert_int_equal(rill_tcb_send(&s->e.tcb, &s->e.env, data, sizeof(data)), 4096);
	out(s);
	s->out_first = s->out_last;
	in(s, A, 1, 5557, 65535, 0);
	script_free(s);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(window_grows_with_what_the_user_takes),
		T(window_does_not_grow_for_a_slow_reader),
		T(what_the_user_set_stays),
		T(send_buffer_follows_cwnd),
		T(scale_follows_the_largest_buffer_rfc7323_2_3),
		T(window_is_never_taken_back_rfc7323_2_4),
		T(window_clamp),
		T(initial_recv_window),
		T(every_queue_is_counted),
		T(windows_do_not_grow_when_memory_is_low),
		T(out_of_order_is_given_up_when_memory_is_out),
		T(sender_waits_for_memory_and_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
