/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/hold.h"

#include "netstack/tcp/sendq.h"
#include "netstack/tcp/xfer.h"

/* As long as Linux: nobody shall hang who forgets to uncork. */
#define CORK_MAX_NS (200 * RILL_MS)

static bool corked(struct rill_tcb *tcb, uint64_t now)
{
	struct rill_tcp_xfer *x = tcb->x;

	if ((tcb->flags & (RILL_TCB_CORK | RILL_TCB_MORE)) == 0) {
		x->cork_at = 0;
		return false;
	}
	if (x->cork_at == 0)
		x->cork_at = now + CORK_MAX_NS;
	return now < x->cork_at;
}

bool rill_tcp_held_back(struct rill_tcb *tcb, uint32_t n, uint64_t now)
{
	const struct rill_send_cb *cb = rill_send_cb(tcb->snd_cur);

	/* Full, or the last there will be, or others wait behind it already. */
	if (n >= tcb->snd_mss || (tcb->flags & RILL_TCB_FIN_QUEUED) != 0 ||
	    cb->seq + n != tcb->snd_end)
		return false;
	if (corked(tcb, now))
		return true;
	/* Data that is under way counts, not a SYN-ACK in front of early data (RFC 7413). */
	return (tcb->flags & RILL_TCB_NODELAY) == 0 &&
	       cb->seq != tcb->snd_una + (tcb->state == RILL_TCP_SYN_RCVD);
}
