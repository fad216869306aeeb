/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/autotune.h"

#include "netstack/tcp/mem.h"
#include "netstack/tcp/rtt.h"
#include "netstack/tcp/seq.h"
#include "netstack/tcp/xfer.h"

/* Weight of a new measurement: 1/8. */
#define RTT_DIV 8
/* Beyond twice what was taken, for the segments in the queues of the path. */
#define SPARE_SEGMENTS 16

static void rcv_rtt_sample(struct rill_tcp_xfer *x, uint32_t us, bool whole_window)
{
	us = RILL_MAX(us, 1u);
	if ((x->flags & RILL_XF_RCV_RTT) == 0) {
		x->flags |= RILL_XF_RCV_RTT;
		x->rcv_rtt_us = us;
	} else if (!whole_window) {
		x->rcv_rtt_us = (uint32_t)(x->rcv_rtt_us + ((int64_t)us - x->rcv_rtt_us) / RTT_DIV);
	} else if (us < x->rcv_rtt_us) {
		/* A window takes a round trip at least; more says that the sender had pauses. */
		x->rcv_rtt_us = us;
	}
}

/* With timestamps: the peer echoes the newest that it had seen when it sent this. */
static bool by_timestamp(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	const struct rill_tcp_options_seen *o = &rx->seg->opt;
	int32_t ms;

	if ((tcb->flags & RILL_TCB_TIMESTAMPS) == 0 || o->tsecr == 0)
		return false;
	ms = (int32_t)(rill_tcp_ts_now(tcb, rx->now) - o->tsecr);
	/* The clock's step is 1 ms: below some of them it tells too little. */
	if (ms < 4 || rx->seg->len < tcb->rcv_mss)
		return ms >= 4;
	rcv_rtt_sample(tcb->x, (uint32_t)RILL_MIN(ms, 1000000) * 1000, false);
	return true;
}

/* Without: from when an edge was offered until data comes that fills it. */
static void by_window(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;
	struct rill_tcp_xfer *x = tcb->x;

	if (x->rcv_rtt_ns != 0) {
		if (rill_seq_lt(tcb->rcv_nxt, x->rcv_rtt_seq))
			return;
		rcv_rtt_sample(x,
			       (uint32_t)RILL_MIN((rx->now - x->rcv_rtt_ns) / RILL_US,
						  (uint64_t)UINT32_MAX / 2),
			       true);
	}
	x->rcv_rtt_seq = tcb->rcv_nxt + tcb->rcv_wnd;
	x->rcv_rtt_ns = rx->now;
}

/* Whether the window may open as far as the buffer goes: see RILL_TCB_MEM_HELD in recvq.c. */
static void rebalance(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	if (!rill_tcp_mem_low(env)) {
		tcb->flags &= ~(uint32_t)RILL_TCB_MEM_HELD;
		return;
	}
	if ((tcb->flags & RILL_TCB_MEM_HELD) == 0)
		rill_counter_add(&env->stats.mem_pressure, 1);
	tcb->flags |= RILL_TCB_MEM_HELD;
}

void rill_tcp_autotune_on_data(struct rill_tcp_rx *rx)
{
	struct rill_tcb *tcb = rx->tcb;

	if (RILL_UNLIKELY(rx->env->params.mem_max != 0))
		rebalance(tcb, rx->env);
	if (!rill_tcp_xfer_get(tcb, rx->env, rx->now))
		return;
	if (tcb->x->rcv_space_ns == 0)
		tcb->x->rcv_space_ns = rx->now;
	tcb->x->rcv_last_ns = rx->now;
	if (!by_timestamp(rx))
		by_window(rx);
}

/* Twice what was taken, and more while that still grows: a slow start doubles it each round. */
static uint64_t wanted(const struct rill_tcb *tcb, uint32_t taken)
{
	const struct rill_tcp_xfer *x = tcb->x;
	uint64_t want = 2 * (uint64_t)taken + SPARE_SEGMENTS * (uint64_t)tcb->rcv_mss;

	if (x->rcv_space != 0 && taken > x->rcv_space)
		want += 2 * want * (taken - x->rcv_space) / x->rcv_space;
	return want;
}

static void grow(struct rill_tcb *tcb, struct rill_tcp_env *env, uint32_t taken)
{
	uint64_t size = wanted(tcb, taken);

	if (env->params.no_autotune || (tcb->buf_locks & RILL_TCP_RCVBUF_LOCK) != 0)
		return;
	size = RILL_MIN(size, (uint64_t)env->params.recv_buffer_max);
	if (size <= tcb->rcv_buf_max)
		return;
	if (rill_tcp_mem_low(env)) {
		rill_counter_add(&env->stats.mem_pressure, 1);
		return;
	}
	tcb->rcv_buf_max = (uint32_t)size;
}

/* The time of the last arrival stands for now: a read without data since ends no round. */
void rill_tcp_autotune_on_read(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint32_t rtt_us, read_seq, taken;

	if (RILL_UNLIKELY(env->params.mem_max != 0))
		rebalance(tcb, env);
	if (!x)
		return;
	rtt_us = (x->flags & RILL_XF_RCV_RTT) != 0 ? x->rcv_rtt_us : tcb->srtt_us;
	if (rtt_us == 0 || x->rcv_last_ns - x->rcv_space_ns < rtt_us * RILL_US)
		return;
	read_seq = tcb->rcv_nxt - tcb->rcv_queued;
	taken = read_seq - x->rcv_space_seq;
	if (taken > x->rcv_space) {
		grow(tcb, env, taken);
		x->rcv_space = taken;
	}
	x->rcv_space_seq = read_seq;
	x->rcv_space_ns = x->rcv_last_ns;
}

static void let_sender_go_on(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	if (rill_tcp_mem_full(env) && tcb->sendq_first)
		return;
	tcb->flags &= ~(uint32_t)RILL_TCB_SEND_HELD;
	tcb->events |= RILL_TCB_WRITABLE;
}

void rill_tcp_autotune_on_ack(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	const struct rill_tcp_params *p = &env->params;
	uint64_t size = 2 * (uint64_t)tcb->cwnd;

	if (RILL_UNLIKELY((tcb->flags & RILL_TCB_SEND_HELD) != 0))
		let_sender_go_on(tcb, env);
	size = RILL_MIN(size, (uint64_t)p->send_buffer_max);
	if (size <= tcb->snd_buf_max || p->no_autotune || rill_tcp_mem_low(env) ||
	    (tcb->buf_locks & RILL_TCP_SNDBUF_LOCK) != 0)
		return;
	tcb->snd_buf_max = (uint32_t)size;
}

void rill_tcb_set_recv_buffer(struct rill_tcb *tcb, uint32_t bytes)
{
	tcb->rcv_buf_max = bytes;
	tcb->buf_locks |= RILL_TCP_RCVBUF_LOCK;
}

void rill_tcb_set_send_buffer(struct rill_tcb *tcb, uint32_t bytes)
{
	tcb->snd_buf_max = bytes;
	tcb->buf_locks |= RILL_TCP_SNDBUF_LOCK;
}
