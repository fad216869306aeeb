/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/accecn.h"

#include "netstack/tcp/xfer.h"

#define COUNTER_MASK 0xffffffu
/* 3.2.1: where the counters begin, so that zero is conspicuous. */
#define ECT_FIRST 1u
#define CE_FIRST 0u
/* Half of what a counter holds: a step beyond it was one back. */
#define STEP_MAX (COUNTER_MASK / 2)

void rill_tcp_accecn_count(struct rill_tcp_rx *rx)
{
	struct rill_tcp_xfer *x = rill_tcp_xfer_get(rx->tcb, rx->env, rx->now);

	/* Without memory a count is missing for ever: ACE alone has to do. */
	if (!x) {
		rx->tcb->flags |= RILL_TCB_NO_ACCECN_OPT;
		return;
	}
	x->accecn = true;
	switch (rx->seg->ecn) {
	case RILL_ECN_ECT0:
		x->ecn_in.e0b += rx->seg->len;
		return;
	case RILL_ECN_ECT1:
		x->ecn_in.e1b += rx->seg->len;
		return;
	case RILL_ECN_CE:
		x->ecn_in.ceb += rx->seg->len;
		return;
	default:
		return;
	}
}

/* Of the other options, written one after the other (options.c). */
static uint32_t room_for_option(const struct rill_tcp_options_seen *o)
{
	uint32_t used = 0;

	if ((o->present & RILL_TCP_OPT_MSS) != 0)
		used += 4;
	if ((o->present & RILL_TCP_OPT_WSCALE) != 0)
		used += 4;
	if ((o->present & RILL_TCP_OPT_TIMESTAMPS) != 0)
		used += RILL_TCP_TIMESTAMPS_LEN;
	else if ((o->present & RILL_TCP_OPT_SACK_PERMITTED) != 0)
		used += 4;
	if ((o->present & RILL_TCP_OPT_SACK) != 0)
		used += 4 + 8u * o->sack_count;
	if ((o->present & RILL_TCP_OPT_FAST_OPEN) != 0)
		used += 4u + o->fast_open_len;
	if ((o->present & RILL_TCP_OPT_USER_TIMEOUT) != 0)
		used += 4;
	return used < RILL_TCP_OPTIONS_MAX ? RILL_TCP_OPTIONS_MAX - used : 0;
}

/* 3.2.3.2: none with a SYN alone; and none with a SYN-ACK repeated, for it may be what was lost. */
static bool may_tell(const struct rill_tcb *tcb, uint16_t flags, uint32_t len)
{
	const uint16_t kind = RILL_TCP_SYN | RILL_TCP_ACK | RILL_TCP_RST;

	if (len > 0 || (tcb->flags & RILL_TCB_NO_ACCECN_OPT) != 0)
		return false;
	if ((flags & kind) == (RILL_TCP_SYN | RILL_TCP_ACK))
		return tcb->rtx_count == 0;
	return (flags & kind) == RILL_TCP_ACK;
}

void rill_tcp_accecn_option(struct rill_tcb *tcb, uint16_t flags, uint32_t len,
			    struct rill_tcp_options_seen *o)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint32_t ceb = x ? x->ecn_in.ceb : 0;

	if (!may_tell(tcb, flags, len))
		return;
	/* News of CE before what SACK has told already. */
	if (x && ceb != x->ceb_told && room_for_option(o) < RILL_TCP_ACCECN_LEN_MIN &&
	    (o->present & RILL_TCP_OPT_SACK) != 0 && o->sack_count > 1)
		o->sack_count--;
	if (room_for_option(o) < RILL_TCP_ACCECN_LEN_MIN)
		return;
	o->present |= RILL_TCP_OPT_ACCECN;
	o->e0b = ((x ? x->ecn_in.e0b : 0) + ECT_FIRST) & COUNTER_MASK;
	o->e1b = ((x ? x->ecn_in.e1b : 0) + ECT_FIRST) & COUNTER_MASK;
	o->ceb = (ceb + CE_FIRST) & COUNTER_MASK;
	if (x)
		x->ceb_told = ceb;
}

/* 3.2.3.2.4: neither began at zero, so somebody on the way writes it there. */
static bool zeroed(const struct rill_tcp_seg *seg)
{
	return seg->opt.e0b == 0 && seg->opt.e1b == 0;
}

bool rill_tcp_accecn_on_ack(struct rill_tcb *tcb, const struct rill_tcp_seg *seg,
			    uint32_t delivered, uint32_t *ret_ce)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint32_t step;

	if (!x)
		return false;
	x->accecn = true;
	/* What ACKs without the option told of may be in the next one's count. */
	x->ceb_room = (uint32_t)RILL_MIN((uint64_t)x->ceb_room + delivered, (uint64_t)STEP_MAX);
	if ((seg->opt.present & RILL_TCP_OPT_ACCECN) == 0 || x->ceb_off)
		return false;
	if (!x->ceb_seen && zeroed(seg)) {
		x->ceb_off = true;
		return false;
	}
	x->ceb_seen = true;
	step = (seg->opt.ceb - x->ceb_out) & COUNTER_MASK;
	/* One that was overtaken, or a lie: no more than what was delivered can be marked. */
	if (step > x->ceb_room)
		return false;
	x->ceb_out = seg->opt.ceb;
	x->ceb_room = 0;
	*ret_ce = step;
	return true;
}
