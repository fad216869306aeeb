/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flows over one bottleneck in virtual time, without a TCP around them: the real algorithm, rate
 * estimation and pacing; a sender that always has data (or a budget of it), an ACK for each
 * segment, and losses noticed when three later segments have arrived. What is lost counts as
 * repaired at once.
 *
 *      sender --> queue, rate --> delay --> receiver --> delay --> sender
 */
#ifndef RILL_TESTS_TCP_CC_MODEL_H
#define RILL_TESTS_TCP_CC_MODEL_H

#include "test_tcp_cc.h"

#define CM_FLOWS_MAX 2
#define CM_SEGS 16384 /* in flight at most; a power of two */
#define CM_DUP_THRESH 3

enum cm_fate { CM_UNSENT = 0, CM_SENT, CM_DROPPED, CM_GONE };

struct cm_seg {
	struct rill_buf buf;
	uint64_t ack_at;
	enum cm_fate fate;
	bool ce;
};

struct cm_flow {
	struct cc_end e;
	struct cm_seg *segs; /* ring, by number */
	uint64_t una, nxt;   /* segment numbers */
	uint64_t acked;	     /* the next one whose ACK comes */
	uint64_t starts_at, stops_at;
	uint64_t app_bytes_per_sec; /* 0: always more to send */
	uint64_t sent_bytes, delivered_bytes, lost_bytes;
	uint64_t ecn_end, limited_end, recovery_end, round_end; /* segment numbers */
	unsigned recoveries;
	uint64_t rtt_sum_us, rtt_count;
	uint32_t extra_delay_us; /* of this flow's path */
};

struct cm {
	struct cm_flow flow[CM_FLOWS_MAX];
	unsigned flows;
	uint64_t now, busy_until;
	uint64_t rate; /* bytes per second */
	uint64_t delay_ns;
	uint32_t queue_max, mark_above; /* bytes; 0: no marks */
	uint32_t loss_permille;		/* at random, besides */
	struct rill_rand rand;
	uint64_t queue_sum, queue_count, drops;
};

static inline void cm_flow_init(struct cm *m, const struct rill_tcp_cc *cc, uint16_t mss)
{
	struct cm_flow *f = &m->flow[m->flows++];

	memset(f, 0, sizeof(*f));
	cc_open(&f->e, cc, mss);
	f->e.tcb.iss += m->flows * 12345u;
	f->segs = calloc(CM_SEGS, sizeof(*f->segs));
	f->stops_at = UINT64_MAX;
	assert_non_null(f->segs);
}

static inline void cm_init(struct cm *m, uint64_t rate, uint64_t rtt_ns, uint32_t queue_max)
{
	memset(m, 0, sizeof(*m));
	m->now = RILL_SEC;
	m->rate = rate;
	m->delay_ns = rtt_ns;
	m->queue_max = queue_max;
	rill_rand_init(&m->rand, 1);
}

static inline void cm_fini(struct cm *m)
{
	for (unsigned i = 0; i < m->flows; i++)
		free(m->flow[i].segs);
}

static inline uint32_t cm_queue(const struct cm *m)
{
	if (m->busy_until <= m->now)
		return 0;
	return (uint32_t)((m->busy_until - m->now) * m->rate / RILL_SEC);
}

static inline struct cm_seg *cm_seg(struct cm_flow *f, uint64_t n)
{
	return &f->segs[n & (CM_SEGS - 1)];
}

/* One segment into the bottleneck. */
static inline void cm_transmit(struct cm *m, struct cm_flow *f)
{
	struct cm_seg *s = cm_seg(f, f->nxt);
	struct rill_tcb *tcb = &f->e.tcb;
	uint32_t queue = cm_queue(m);

	memset(s, 0, sizeof(*s));
	rill_send_cb(&s->buf)->seq = tcb->snd_nxt;
	rill_send_cb(&s->buf)->len = tcb->snd_mss;
	if (tcb->cc->on_send)
		tcb->cc->on_send(tcb, tcb->snd_mss, m->now);
	rill_tcp_rate_on_send(tcb, &s->buf, m->now);
	s->buf.time_ns = m->now;
	rill_tcp_pace_sent(tcb, tcb->snd_mss, m->now);
	tcb->snd_nxt += tcb->snd_mss;
	tcb->snd_end = tcb->snd_nxt;
	f->nxt++;
	f->sent_bytes += tcb->snd_mss;
	m->queue_sum += queue;
	m->queue_count++;
	s->fate = CM_SENT;
	if (queue + tcb->snd_mss > m->queue_max ||
	    (m->loss_permille && rill_rand_below(&m->rand, 1000) < m->loss_permille)) {
		s->fate = CM_DROPPED;
		m->drops++;
		return;
	}
	s->ce = m->mark_above != 0 && queue > m->mark_above;
	m->busy_until = RILL_MAX(m->busy_until, m->now) + tcb->snd_mss * RILL_SEC / m->rate;
	s->ack_at = m->busy_until + m->delay_ns + f->extra_delay_us * RILL_US;
}

static inline bool cm_app_has_data(const struct cm *m, const struct cm_flow *f)
{
	if (f->app_bytes_per_sec == 0)
		return true;
	return f->sent_bytes + f->e.tcb.snd_mss <=
	       (m->now - RILL_MIN(f->starts_at, m->now)) / 1000 * f->app_bytes_per_sec / 1000000;
}

static inline void cm_send(struct cm *m, struct cm_flow *f)
{
	struct rill_tcb *tcb = &f->e.tcb;

	if (m->now < f->starts_at || m->now >= f->stops_at)
		return;
	for (;;) {
		uint32_t pipe = rill_tcp_pipe(tcb);

		if (pipe + tcb->snd_mss > tcb->cwnd && pipe > 0) {
			f->limited_end = f->nxt;
			return;
		}
		if (f->nxt - f->una >= CM_SEGS)
			return;
		if (!cm_app_has_data(m, f)) {
			rill_tcp_rate_check_app_limited(tcb);
			return;
		}
		if (!rill_tcp_pace_allows(tcb, m->now))
			return;
		cm_transmit(m, f);
	}
}

/* una moves over everything that has arrived or was lost. */
static inline uint32_t cm_advance(struct cm_flow *f)
{
	struct rill_tcb *tcb = &f->e.tcb;
	uint32_t acked = 0;

	for (; f->una < f->nxt && cm_seg(f, f->una)->fate == CM_GONE; f->una++) {
		struct rill_send_cb *cb = rill_send_cb(&cm_seg(f, f->una)->buf);

		if (cb->marks & RILL_SEND_SACKED)
			f->e.x.sacked -= tcb->snd_mss;
		else
			f->e.x.lost -= tcb->snd_mss;
		acked += tcb->snd_mss;
	}
	tcb->snd_una += acked;
	return acked;
}

/* Everything dropped that was sent three segments before the one that has just arrived. */
static inline uint32_t cm_detect(struct cm *m, struct cm_flow *f, uint64_t arrived)
{
	struct rill_tcb *tcb = &f->e.tcb;
	uint32_t lost = 0;

	for (uint64_t n = f->una; n + CM_DUP_THRESH <= arrived; n++) {
		struct cm_seg *s = cm_seg(f, n);

		if (s->fate != CM_DROPPED)
			continue;
		s->fate = CM_GONE;
		rill_send_cb(&s->buf)->marks |= RILL_SEND_LOST;
		f->e.x.lost += tcb->snd_mss;
		rill_tcp_rate_on_lost(tcb, &s->buf, m->now);
		lost += tcb->snd_mss;
	}
	f->lost_bytes += lost;
	return lost;
}

static inline void cm_event(struct cm *m, struct cm_flow *f, enum rill_tcp_cc_event event,
			    uint32_t flight)
{
	struct rill_tcb *tcb = &f->e.tcb;

	tcb->cc->on_event(tcb, event, flight, m->now);
	if (!tcb->cc->own_recovery)
		tcb->cwnd = event == RILL_TCP_CC_RTO ? tcb->snd_mss : tcb->ssthresh;
}

static inline void cm_recovery(struct cm *m, struct cm_flow *f, uint32_t lost, uint32_t flight)
{
	struct rill_tcb *tcb = &f->e.tcb;

	if (f->e.x.ca_state == RILL_TCP_CA_RECOVERY && f->una >= f->recovery_end) {
		f->e.x.ca_state = RILL_TCP_CA_OPEN;
		if (tcb->cc->on_recovered)
			tcb->cc->on_recovered(tcb, m->now);
	}
	if (lost == 0 || f->e.x.ca_state == RILL_TCP_CA_RECOVERY)
		return;
	f->e.x.ca_state = RILL_TCP_CA_RECOVERY;
	f->recovery_end = f->nxt;
	f->recoveries++;
	cm_event(m, f, RILL_TCP_CC_LOSS, flight);
}

static inline void cm_rtt(struct cm_flow *f, uint64_t rtt_ns)
{
	struct rill_tcb *tcb = &f->e.tcb;
	uint32_t us = (uint32_t)(rtt_ns / RILL_US);

	cc_set_rtt(&f->e,
		   (tcb->flags & RILL_TCB_RTT_VALID) != 0 ? (tcb->srtt_us * 7 + us) / 8 : us);
	f->e.x.min_rtt_us = RILL_MIN(f->e.x.min_rtt_us, us);
	f->rtt_sum_us += us;
	f->rtt_count++;
}

/* The next ACK: of segment n. */
static inline void cm_input(struct cm *m, struct cm_flow *f, uint64_t n)
{
	struct cm_seg *s = cm_seg(f, n);
	struct rill_tcb *tcb = &f->e.tcb;
	struct rill_tcp_cc_ack ack = {.now_ns = m->now, .flight = rill_tcp_pipe(tcb)};
	uint64_t rtt_ns = m->now - s->buf.time_ns;

	cm_rtt(f, rtt_ns);
	rill_tcp_rate_on_delivered(tcb, &s->buf, tcb->snd_mss, m->now, &ack.rate);
	f->delivered_bytes += tcb->snd_mss;
	s->fate = CM_GONE;
	rill_send_cb(&s->buf)->marks |= RILL_SEND_SACKED;
	f->e.x.sacked += tcb->snd_mss;
	f->acked = n + 1;
	ack.lost = cm_detect(m, f, n);
	ack.acked = cm_advance(f);
	ack.delivered = tcb->snd_mss;
	ack.rtt_ns = rtt_ns;
	ack.cwnd_limited = n <= f->limited_end;
	ack.round_start = n >= f->round_end;
	if (ack.round_start)
		f->round_end = f->nxt;
	ack.ece = s->ce;
	ack.ce_delivered = s->ce ? tcb->snd_mss : 0;
	rill_tcp_rate_finish(tcb, m->now, &ack.rate);
	cm_recovery(m, f, ack.lost, ack.flight);
	if (s->ce && !tcb->cc->needs_ecn && f->una >= f->ecn_end) {
		f->ecn_end = f->nxt;
		cm_event(m, f, RILL_TCP_CC_ECN, ack.flight);
	}
	ack.in_recovery = f->e.x.ca_state == RILL_TCP_CA_RECOVERY;
	tcb->cc->on_ack(tcb, &ack);
	rill_tcp_pace_update(tcb, &f->e.env);
}

/* Nothing is on its way that could tell of the losses. */
static inline void cm_timeout(struct cm *m, struct cm_flow *f)
{
	struct rill_tcb *tcb = &f->e.tcb;
	uint32_t flight = rill_tcp_pipe(tcb);

	cm_detect(m, f, f->nxt + CM_DUP_THRESH);
	cm_event(m, f, RILL_TCP_CC_RTO, flight);
	cm_advance(f);
	f->acked = f->nxt;
	f->e.x.ca_state = RILL_TCP_CA_OPEN;
	if (tcb->cc->on_recovered)
		tcb->cc->on_recovered(tcb, m->now);
}

/* When something happens to f next, and which ACK that is; no ACK: UINT64_MAX. */
static inline uint64_t cm_next(struct cm *m, struct cm_flow *f, uint64_t *ret_ack)
{
	uint64_t at = UINT64_MAX;

	*ret_ack = UINT64_MAX;
	while (f->acked < f->nxt && cm_seg(f, f->acked)->fate != CM_SENT)
		f->acked++;
	if (f->acked < f->nxt) {
		at = cm_seg(f, f->acked)->ack_at;
		*ret_ack = f->acked;
	} else if (f->una < f->nxt) {
		return cm_seg(f, f->nxt - 1)->buf.time_ns + RILL_SEC;
	}
	if (m->now < f->starts_at)
		return RILL_MIN(at, f->starts_at);
	if (m->now < f->stops_at && (f->e.x.flags & RILL_XF_PACED_OUT) != 0 &&
	    f->e.x.pace_at < at) {
		*ret_ack = UINT64_MAX;
		return f->e.x.pace_at;
	}
	if (m->now < f->stops_at && f->app_bytes_per_sec != 0 && m->now + RILL_MS < at) {
		*ret_ack = UINT64_MAX;
		return m->now + RILL_MS;
	}
	return at;
}

static inline void cm_step(struct cm *m, struct cm_flow *f, uint64_t ack)
{
	f->e.now = m->now;
	rill_tcp_pace_on_timer(&f->e.tcb, m->now);
	if (ack != UINT64_MAX)
		cm_input(m, f, ack);
	else if (f->acked == f->nxt && f->una < f->nxt)
		cm_timeout(m, f);
	cm_send(m, f);
}

static inline void cm_run_until(struct cm *m, uint64_t end)
{
	for (unsigned i = 0; i < m->flows; i++)
		cm_send(m, &m->flow[i]);
	for (;;) {
		uint64_t best = UINT64_MAX, best_ack = UINT64_MAX;
		struct cm_flow *who = NULL;

		for (unsigned i = 0; i < m->flows; i++) {
			uint64_t ack, at = cm_next(m, &m->flow[i], &ack);

			if (at < best) {
				best = at;
				best_ack = ack;
				who = &m->flow[i];
			}
		}
		if (!who || best > end)
			break;
		m->now = RILL_MAX(m->now, best);
		cm_step(m, who, best_ack);
	}
	m->now = RILL_MAX(m->now, end);
}

static inline void cm_run(struct cm *m, uint64_t ns)
{
	cm_run_until(m, m->now + ns);
}

struct cm_report {
	uint64_t permille;    /* of the bottleneck's rate, all flows together */
	uint64_t share;	      /* of that, the first flow's, per mille */
	uint64_t queue_bytes; /* mean, as segments found it */
	uint64_t rtt_us;      /* mean, of the first flow */
	uint64_t lost_permille;
};

/* What happened during the next ns. */
static inline struct cm_report cm_measure(struct cm *m, uint64_t ns)
{
	struct cm_report r = {0};
	uint64_t all = 0, sent = 0, drops = m->drops, first = m->flow[0].delivered_bytes;

	for (unsigned i = 0; i < m->flows; i++) {
		all -= m->flow[i].delivered_bytes;
		sent -= m->flow[i].sent_bytes;
	}
	m->queue_sum = m->queue_count = 0;
	m->flow[0].rtt_sum_us = m->flow[0].rtt_count = 0;
	cm_run(m, ns);
	for (unsigned i = 0; i < m->flows; i++) {
		all += m->flow[i].delivered_bytes;
		sent += m->flow[i].sent_bytes;
	}
	r.permille = all * 1000 / (m->rate / 1000 * (ns / RILL_MS));
	r.share = (m->flow[0].delivered_bytes - first) * 1000 / RILL_MAX(all, UINT64_C(1));
	r.queue_bytes = m->queue_sum / RILL_MAX(m->queue_count, UINT64_C(1));
	r.rtt_us = m->flow[0].rtt_sum_us / RILL_MAX(m->flow[0].rtt_count, UINT64_C(1));
	r.lost_permille =
		(m->drops - drops) * m->flow[0].e.tcb.snd_mss * 1000 / RILL_MAX(sent, UINT64_C(1));
	return r;
}

#endif
