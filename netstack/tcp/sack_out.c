/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/sack_out.h"

#include "netstack/tcp/seq.h"
#include "netstack/tcp/xfer.h"

static void remove_block(struct rill_tcp_xfer *x, unsigned i)
{
	x->sack_count--;
	for (; i < x->sack_count; i++)
		x->sacks[i] = x->sacks[i + 1];
}

void rill_tcp_sack_note(struct rill_tcb *tcb, uint32_t start, uint32_t end)
{
	struct rill_tcp_xfer *x = tcb->x;

	/* Whatever lay inside has become part of it. */
	for (unsigned i = x->sack_count; i-- > 0;)
		if (rill_seq_leq(start, x->sacks[i].start) && rill_seq_leq(x->sacks[i].end, end))
			remove_block(x, i);
	if (x->sack_count < RILL_TCP_SACK_BLOCKS_MAX)
		x->sack_count++;
	for (unsigned i = x->sack_count - 1u; i > 0; i--)
		x->sacks[i] = x->sacks[i - 1];
	x->sacks[0] = (struct rill_tcp_sack_block){start, end};
}

void rill_tcp_sack_forget_before(struct rill_tcb *tcb, uint32_t seq)
{
	struct rill_tcp_xfer *x = tcb->x;

	for (unsigned i = x->sack_count; i-- > 0;)
		if (rill_seq_leq(x->sacks[i].start, seq))
			remove_block(x, i);
}

void rill_tcp_sack_forget_from(struct rill_tcb *tcb, uint32_t seq)
{
	struct rill_tcp_xfer *x = tcb->x;

	for (unsigned i = x->sack_count; i-- > 0;) {
		x->sacks[i].end = rill_seq_min(x->sacks[i].end, seq);
		if (rill_seq_geq(x->sacks[i].start, seq))
			remove_block(x, i);
	}
}

void rill_tcp_dsack_note(struct rill_tcb *tcb, struct rill_tcp_env *env, uint32_t start,
			 uint32_t end)
{
	struct rill_tcp_xfer *x = tcb->x;

	if (!x || (tcb->flags & RILL_TCB_SACK) == 0 || !rill_seq_lt(start, end))
		return;
	rill_counter_add(&env->stats.dsacks_out, 1);
	/* There is one D-SACK block to an ACK: what continues the last one is told with it. */
	if (x->dsack_start == x->dsack_end || start != x->dsack_end)
		x->dsack_start = start;
	x->dsack_end = end;
}

void rill_tcp_sack_option(struct rill_tcb *tcb, struct rill_tcp_options_seen *opt, uint32_t room)
{
	struct rill_tcp_xfer *x = tcb->x;
	uint32_t n = 0;

	if (!rill_tcp_sack_wanted(tcb) || room < RILL_TCP_SACK_LEN(1))
		return;
	room = RILL_MIN((room - RILL_TCP_SACK_LEN(0)) / 8, (uint32_t)RILL_TCP_SACK_BLOCKS_MAX);
	if (x->dsack_start != x->dsack_end)
		opt->sack[n++] = (struct rill_tcp_sack_block){x->dsack_start, x->dsack_end};
	x->dsack_start = x->dsack_end;
	for (unsigned i = 0; i < x->sack_count && n < room; i++)
		opt->sack[n++] = x->sacks[i];
	opt->sack_count = (uint8_t)n;
	opt->present |= RILL_TCP_OPT_SACK;
}
