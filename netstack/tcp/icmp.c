/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors about segments of ours (RFC 9293, 3.9.2.2; RFC 5927). */
#include "netstack/tcp/mtu.h"
#include "netstack/tcp/reset.h"
#include "netstack/tcp/sendq.h"
#include "netstack/tcp/tcb.h"

/*
 * Below this a next hop's MTU is not believed (RFC 1191, 3 allows 68; every link of today takes
 * more).
 */
#define PATH_MTU_MIN 552
#define IP4_HEADER_LEN 20
#define IP6_HEADER_LEN 40

/* RFC 5927, 4: only who sees our segments can name one that is outstanding. */
static bool outstanding(const struct rill_tcb *tcb, uint32_t seq)
{
	return rill_seq_geq(seq, tcb->snd_una) && rill_seq_lt(seq, tcb->snd_nxt);
}

void rill_tcb_icmp_error(struct rill_tcb *tcb, struct rill_tcp_env *env, int error, bool hard,
			 uint32_t seq)
{
	bool opening = tcb->state == RILL_TCP_SYN_SENT || tcb->state == RILL_TCP_SYN_RCVD;

	if (tcb->state == RILL_TCP_CLOSED || !outstanding(tcb, seq))
		return;
	if (opening && hard)
		rill_tcp_end(tcb, env, error);
	else
		tcb->soft_error = (int16_t)error;
}

void rill_tcb_link_mtu(struct rill_tcb *tcb, uint16_t mtu)
{
	uint16_t headers = RILL_TCP_HEADER_LEN +
			   (tcb->local.ip.family == RILL_AF_IP6 ? IP6_HEADER_LEN : IP4_HEADER_LEN);
	uint16_t mss;

	if (tcb->state <= RILL_TCP_SYN_RCVD)
		return;
	if ((tcb->flags & RILL_TCB_TIMESTAMPS) != 0)
		headers += RILL_TCP_TIMESTAMPS_LEN;
	mtu = RILL_MAX(mtu, (uint16_t)PATH_MTU_MIN);
	mss = (uint16_t)(mtu - headers);
	if (mss < tcb->snd_mss)
		tcb->pmtu = mtu;
	rill_tcp_mss_decrease(tcb, mss);
}

void rill_tcb_icmp_too_big(struct rill_tcb *tcb, uint16_t mtu, uint32_t seq)
{
	if (outstanding(tcb, seq))
		rill_tcb_link_mtu(tcb, mtu);
}
