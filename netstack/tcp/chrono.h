/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a sender's time goes by, with the meanings of Linux's TCP_INFO: busy while anything is
 * queued or not acknowledged; of that, limited by the peer's window while it alone keeps the next
 * segment back, and by our send buffer while everything is sent, cwnd has room, and a write found
 * the buffer full. One of them runs at a time.
 *
 * A transfer counts in nanoseconds. Its sums begin with the tcb's, in milliseconds, and go back to
 * them when it ends.
 */
#ifndef RILL_NETSTACK_TCP_CHRONO_H
#define RILL_NETSTACK_TCP_CHRONO_H

#include "netstack/tcp/sendq.h"
#include "netstack/tcp/xfer.h"

struct rill_tcp_chrono {
	uint64_t busy_us; /* the other two are parts of it */
	uint64_t rwnd_limited_us;
	uint64_t sndbuf_limited_us;
};

/* Another begins, or the same goes on. */
static inline void rill_tcp_chrono_set(struct rill_tcp_xfer *x, enum rill_tcp_chrono_kind kind,
				       uint64_t now)
{
	if (x->chrono == kind)
		return;
	x->chrono_ns[x->chrono] += now - x->chrono_since_ns;
	x->chrono_since_ns = now;
	x->chrono = (uint8_t)kind;
}

/* Looks what it is now. */
void rill_tcp_chrono_look(struct rill_tcb *tcb, uint64_t now);
/* The send buffer was full: is it still? */
void rill_tcp_chrono_look_for_space(struct rill_tcb *tcb, uint64_t now);

/* Everything that may be sent was sent. Needs a transfer. */
static inline void rill_tcp_chrono_on_output(struct rill_tcb *tcb, uint64_t now)
{
	uint32_t out = tcb->snd_nxt - tcb->snd_una;

	/* More is queued, and the window has room for it: cwnd holds it back, as before. */
	if (tcb->x->chrono == RILL_TCP_CHRONO_BUSY && tcb->snd_cur &&
	    tcb->snd_wnd >= out + tcb->snd_mss)
		return;
	rill_tcp_chrono_look(tcb, now);
}

/* SND.UNA has moved. Needs a transfer. */
static inline void rill_tcp_chrono_on_ack(struct rill_tcb *tcb, uint64_t now)
{
	if (RILL_UNLIKELY((tcb->flags & RILL_TCB_NO_SPACE) != 0))
		rill_tcp_chrono_look_for_space(tcb, now);
	if (tcb->snd_una == rill_sendq_limit(tcb))
		rill_tcp_chrono_set(tcb->x, RILL_TCP_CHRONO_NONE, now);
}

/* A transfer begins, and ends: what runs then is counted up to the last segment, either way. */
void rill_tcp_chrono_begin(struct rill_tcb *tcb);
void rill_tcp_chrono_end(struct rill_tcb *tcb);

struct rill_tcp_chrono rill_tcp_chrono(const struct rill_tcb *tcb, uint64_t now);

#endif
