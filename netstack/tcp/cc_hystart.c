/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/cc_hystart.h"

#include "netstack/tcp/cc_common.h"
#include "netstack/tcp/seq.h"

/* RFC 9406, 4.3. */
#define MIN_RTT_THRESH_US UINT32_C(4000)
#define MAX_RTT_THRESH_US UINT32_C(16000)
#define MIN_RTT_DIVISOR 8
#define N_RTT_SAMPLE 8
#define CSS_GROWTH_DIVISOR 4
#define CSS_ROUNDS 5
#define L 8

void rill_tcp_hystart_init(struct rill_tcp_hystart *h, const struct rill_tcb *tcb)
{
	*h = (struct rill_tcp_hystart){
		.window_end = tcb->snd_nxt,
		.last_min_us = UINT32_MAX,
		.min_us = UINT32_MAX,
	};
}

static void take_sample(struct rill_tcp_hystart *h, uint64_t rtt_ns)
{
	uint64_t us = rtt_ns / RILL_US;

	if (rtt_ns == 0)
		return;
	h->min_us = (uint32_t)RILL_MIN(us, (uint64_t)h->min_us);
	h->rtt_samples++;
}

static void check_delay(struct rill_tcp_hystart *h)
{
	uint32_t thresh;

	if (h->rtt_samples < N_RTT_SAMPLE || h->last_min_us == UINT32_MAX)
		return;
	if (h->css_rounds > 0) {
		/* The delay is gone: it was a passing one. */
		if (h->min_us < h->css_base_us)
			h->css_rounds = 0;
		return;
	}
	thresh = RILL_MAX(h->last_min_us / MIN_RTT_DIVISOR, MIN_RTT_THRESH_US);
	thresh = RILL_MIN(thresh, MAX_RTT_THRESH_US);
	if ((uint64_t)h->min_us < (uint64_t)h->last_min_us + thresh)
		return;
	h->css_base_us = h->min_us;
	h->css_rounds = 1; /* the rest of this round counts for one */
}

/* What window_end stood for is acknowledged. True: slow start is over. */
static bool next_round(struct rill_tcp_hystart *h, const struct rill_tcb *tcb)
{
	h->window_end = tcb->snd_nxt;
	h->last_min_us = h->min_us;
	h->min_us = UINT32_MAX;
	h->rtt_samples = 0;
	if (h->css_rounds == 0)
		return false;
	return ++h->css_rounds > CSS_ROUNDS;
}

void rill_tcp_hystart_on_ack(struct rill_tcp_hystart *h, struct rill_tcb *tcb,
			     const struct rill_tcp_cc_ack *ack)
{
	bool paced = tcb->x->pacing_rate != 0;
	uint32_t n = paced ? ack->acked : RILL_MIN(ack->acked, L * (uint32_t)tcb->snd_mss);

	rill_tcp_cc_grow(tcb, h->css_rounds > 0 ? n / CSS_GROWTH_DIVISOR : n);
	take_sample(h, ack->rtt_ns);
	check_delay(h);
	if (rill_seq_geq(tcb->snd_una, h->window_end) && next_round(h, tcb))
		tcb->ssthresh = tcb->cwnd;
}
