/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/rack.h"

#include "netstack/tcp/inflight.h"
#include "netstack/tcp/rtt.h"

#define DUP_THRESH 3
#define REO_WND_PERSIST 16
/* RFC 8985, 6.2, step 4: reo_wnd is min_rtt / 4. */
#define REO_WND_DIV 4

/* The ACK may answer the transmission before, and then says nothing of this one. */
static bool ambiguous(const struct rill_tcb *tcb, const struct rill_buf *b,
		      const struct rill_tcp_acked *a)
{
	if (a->has_tsecr && rill_seq_lt(a->tsecr, rill_tcp_ts_now(tcb, b->time_ns)))
		return true;
	/* With no round trip known that is UINT32_MAX: then nothing is certain. */
	return a->now - b->time_ns < tcb->x->min_rtt_us * RILL_US;
}

void rill_tcp_rack_on_delivered(struct rill_tcb *tcb, struct rill_buf *b,
				const struct rill_tcp_acked *a)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint32_t end = rill_send_end(b);

	if ((rill_send_cb(b)->marks & RILL_SEND_EVER_RETRANS) != 0 && ambiguous(tcb, b, a))
		return;
	if (!rill_sent_after(b->time_ns, end, x->rack_sent_ns, x->rack_end_seq))
		return;
	x->rack_rtt_us = (uint32_t)((a->now - b->time_ns) / RILL_US);
	x->rack_sent_ns = b->time_ns;
	x->rack_end_seq = end;
}

void rill_tcp_rack_reordered(struct rill_tcb *tcb, uint32_t distance)
{
	struct rill_tcp_xfer *x = tcb->x;

	x->flags |= RILL_XF_REORDER_SEEN;
	x->reorder_bytes = RILL_MAX(x->reorder_bytes, distance);
	if (tcb->reorders < UINT16_MAX)
		tcb->reorders++;
}

void rill_tcp_rack_adapt(struct rill_tcb *tcb, const struct rill_tcp_acked *a)
{
	struct rill_tcp_xfer *x = tcb->x;

	if ((x->flags & RILL_XF_DSACK_ROUND) != 0 && rill_seq_geq(tcb->snd_una, x->rack_dsack_seq))
		x->flags &= ~(uint32_t)RILL_XF_DSACK_ROUND;
	if (!a->dsack || (x->flags & RILL_XF_DSACK_ROUND) != 0)
		return;
	/* Once for each round trip, however many duplicates it brings. */
	x->flags |= RILL_XF_DSACK_ROUND;
	x->rack_dsack_seq = tcb->snd_nxt;
	if (x->reo_wnd_mult < UINT8_MAX)
		x->reo_wnd_mult++;
	x->reo_wnd_persist = REO_WND_PERSIST;
}

void rill_tcp_rack_recovered(struct rill_tcb *tcb)
{
	struct rill_tcp_xfer *x = tcb->x;

	if (x->reo_wnd_persist > 0 && --x->reo_wnd_persist == 0)
		x->reo_wnd_mult = 1;
}

static uint32_t reo_wnd_us(const struct rill_tcb *tcb)
{
	const struct rill_tcp_xfer *x = tcb->x;
	uint64_t us;

	if ((x->flags & RILL_XF_REORDER_SEEN) == 0 &&
	    (x->ca_state >= RILL_TCP_CA_RECOVERY || x->sacked_segs >= DUP_THRESH))
		return 0;
	if (x->min_rtt_us == UINT32_MAX)
		return tcb->srtt_us / REO_WND_DIV;
	us = (uint64_t)x->reo_wnd_mult * x->min_rtt_us / REO_WND_DIV;
	return (uint32_t)RILL_MIN(us, (uint64_t)tcb->srtt_us);
}

/*
 * The list is in the order of time: the first that still has time is the first whose time will be
 * over, and nothing behind it is looked at.
 */
void rill_tcp_rack_detect(struct rill_tcb *tcb, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint64_t patience = ((uint64_t)x->rack_rtt_us + reo_wnd_us(tcb)) * RILL_US;
	struct rill_buf *b = x->oldest;

	x->reo_at = RILL_FOREVER;
	while (b &&
	       rill_sent_after(x->rack_sent_ns, x->rack_end_seq, b->time_ns, rill_send_end(b))) {
		struct rill_buf *newer = rill_send_cb(b)->newer;

		if (b->time_ns + patience > now) {
			x->reo_at = b->time_ns + patience;
			return;
		}
		rill_tcp_mark_lost(tcb, b, now);
		b = newer;
	}
}

void rill_tcp_rack_mark_on_rto(struct rill_tcb *tcb, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint64_t patience = ((uint64_t)x->rack_rtt_us + reo_wnd_us(tcb)) * RILL_US;
	struct rill_buf *first = tcb->sendq_first;

	if (first && first->time_ns != 0)
		rill_tcp_mark_lost(tcb, first, now);
	rill_tcp_mark_lost_before(tcb, now > patience ? now - patience + 1 : 0, now);
}
