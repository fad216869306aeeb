/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/inflight.h"

/* Runs of 2^0, 2^1, ... buffers: more than a send queue can have. */
#define RUNS_MAX 32

void rill_inflight_append(struct rill_tcp_xfer *x, struct rill_buf *b)
{
	struct rill_send_cb *cb = rill_send_cb(b);

	cb->older = x->newest;
	cb->newer = NULL;
	if (x->newest)
		rill_send_cb(x->newest)->newer = b;
	else
		x->oldest = b;
	x->newest = b;
	cb->marks |= RILL_SEND_IN_ORDER;
}

void rill_inflight_insert(struct rill_tcp_xfer *x, struct rill_buf *newer, struct rill_buf *b)
{
	struct rill_send_cb *cb = rill_send_cb(b);

	if (!newer) {
		rill_inflight_append(x, b);
		return;
	}
	cb->newer = newer;
	cb->older = rill_send_cb(newer)->older;
	rill_send_cb(newer)->older = b;
	if (cb->older)
		rill_send_cb(cb->older)->newer = b;
	else
		x->oldest = b;
	cb->marks |= RILL_SEND_IN_ORDER;
}

void rill_inflight_remove(struct rill_tcp_xfer *x, struct rill_send_cb *cb)
{
	if ((cb->marks & RILL_SEND_IN_ORDER) == 0)
		return;
	if (cb->older)
		rill_send_cb(cb->older)->newer = cb->newer;
	else
		x->oldest = cb->newer;
	if (cb->newer)
		rill_send_cb(cb->newer)->older = cb->older;
	else
		x->newest = cb->older;
	cb->marks &= (uint16_t)~RILL_SEND_IN_ORDER;
}

/* ---- merge sort, along newer ---- */

static bool after(struct rill_buf *a, struct rill_buf *b)
{
	return rill_sent_after(a->time_ns, rill_send_end(a), b->time_ns, rill_send_end(b));
}

static struct rill_buf *merge(struct rill_buf *a, struct rill_buf *b)
{
	struct rill_buf *first = NULL;
	struct rill_buf **last = &first;

	while (a && b) {
		struct rill_buf **from = after(a, b) ? &b : &a;

		*last = *from;
		last = &rill_send_cb(*from)->newer;
		*from = *last;
	}
	*last = a ? a : b;
	return first;
}

static struct rill_buf *sort(struct rill_buf *chain)
{
	struct rill_buf *runs[RUNS_MAX] = {NULL};
	struct rill_buf *sorted = NULL;
	unsigned i;

	while (chain) {
		struct rill_buf *run = chain;

		chain = rill_send_cb(run)->newer;
		rill_send_cb(run)->newer = NULL;
		for (i = 0; i < RUNS_MAX - 1 && runs[i]; i++) {
			run = merge(runs[i], run);
			runs[i] = NULL;
		}
		runs[i] = merge(runs[i], run);
	}
	for (i = 0; i < RUNS_MAX; i++)
		sorted = merge(runs[i], sorted);
	return sorted;
}

void rill_inflight_bring_back(struct rill_tcp_xfer *x, struct rill_buf *chain)
{
	struct rill_buf *b = merge(x->oldest, sort(chain));

	x->oldest = NULL;
	x->newest = NULL;
	while (b) {
		struct rill_buf *newer = rill_send_cb(b)->newer;

		rill_inflight_append(x, b);
		b = newer;
	}
}
