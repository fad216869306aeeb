/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/chrono.h"

#include "netstack/tcp/send_segment.h"

static bool cwnd_has_room(const struct rill_tcb *tcb, uint32_t n)
{
	uint32_t pipe = rill_tcp_pipe(tcb);

	return pipe == 0 || pipe + n <= tcb->cwnd;
}

static enum rill_tcp_chrono_kind kind_now(const struct rill_tcb *tcb)
{
	uint32_t n = tcb->snd_mss;

	if (tcb->snd_cur) {
		n = RILL_MIN(n, rill_send_cb(tcb->snd_cur)->len);
		if (rill_tcp_window_room(tcb) >= n || !cwnd_has_room(tcb, n) ||
		    (tcb->x->flags & RILL_XF_PACED_OUT) != 0)
			return RILL_TCP_CHRONO_BUSY;
		return RILL_TCP_CHRONO_RWND;
	}
	if (RILL_UNLIKELY((tcb->flags & RILL_TCB_NO_SPACE) != 0) && cwnd_has_room(tcb, n))
		return RILL_TCP_CHRONO_SNDBUF;
	return RILL_TCP_CHRONO_BUSY;
}

void rill_tcp_chrono_look(struct rill_tcb *tcb, uint64_t now)
{
	bool done = tcb->snd_una == rill_sendq_limit(tcb);

	rill_tcp_chrono_set(tcb->x, done ? RILL_TCP_CHRONO_NONE : kind_now(tcb), now);
}

void rill_tcp_chrono_look_for_space(struct rill_tcb *tcb, uint64_t now)
{
	/* As much as wakes a writer. */
	if (rill_sendq_room(tcb) < RILL_MAX(tcb->snd_buf_max / 4, 1u))
		return;
	tcb->flags &= ~(uint32_t)RILL_TCB_NO_SPACE;
	if (tcb->x->chrono == RILL_TCP_CHRONO_SNDBUF)
		rill_tcp_chrono_set(tcb->x, RILL_TCP_CHRONO_BUSY, now);
}

void rill_tcp_chrono_begin(struct rill_tcb *tcb)
{
	struct rill_tcp_xfer *x = tcb->x;

	x->chrono_ns[RILL_TCP_CHRONO_BUSY] = tcb->busy_ms * RILL_MS;
	x->chrono_ns[RILL_TCP_CHRONO_RWND] = tcb->rwnd_limited_ms * RILL_MS;
	x->chrono_ns[RILL_TCP_CHRONO_SNDBUF] = tcb->sndbuf_limited_ms * RILL_MS;
}

static uint32_t whole_ms(const struct rill_tcp_xfer *x, enum rill_tcp_chrono_kind kind)
{
	uint64_t ms = (x->chrono_ns[kind] + RILL_MS / 2) / RILL_MS;

	return (uint32_t)RILL_MIN(ms, (uint64_t)UINT32_MAX);
}

void rill_tcp_chrono_end(struct rill_tcb *tcb)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint64_t last = RILL_MAX(tcb->last_send_ns, tcb->last_recv_ns);

	rill_tcp_chrono_set(x, RILL_TCP_CHRONO_NONE, RILL_MAX(last, x->chrono_since_ns));
	tcb->busy_ms = whole_ms(x, RILL_TCP_CHRONO_BUSY);
	tcb->rwnd_limited_ms = whole_ms(x, RILL_TCP_CHRONO_RWND);
	tcb->sndbuf_limited_ms = whole_ms(x, RILL_TCP_CHRONO_SNDBUF);
}

/* What runs is counted up to now. */
static uint64_t microseconds(const struct rill_tcp_xfer *x, enum rill_tcp_chrono_kind kind,
			     uint64_t now)
{
	uint64_t ns = x->chrono_ns[kind];

	if (x->chrono == kind)
		ns += now - RILL_MIN(x->chrono_since_ns, now);
	return ns / RILL_US;
}

struct rill_tcp_chrono rill_tcp_chrono(const struct rill_tcb *tcb, uint64_t now)
{
	const struct rill_tcp_xfer *x = tcb->x;
	struct rill_tcp_chrono ret = {
		.busy_us = tcb->busy_ms * (RILL_MS / RILL_US),
		.rwnd_limited_us = tcb->rwnd_limited_ms * (RILL_MS / RILL_US),
		.sndbuf_limited_us = tcb->sndbuf_limited_ms * (RILL_MS / RILL_US),
	};

	if (x) {
		ret.busy_us = microseconds(x, RILL_TCP_CHRONO_BUSY, now);
		ret.rwnd_limited_us = microseconds(x, RILL_TCP_CHRONO_RWND, now);
		ret.sndbuf_limited_us = microseconds(x, RILL_TCP_CHRONO_SNDBUF, now);
	}
	/* The sum of rounded parts would not be the rounded sum: they are parts of what is told. */
	ret.busy_us += ret.rwnd_limited_us + ret.sndbuf_limited_us;
	return ret;
}
