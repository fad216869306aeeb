/* SPDX-License-Identifier: BSD-3-Clause */
/* A sender's tcb and transfer with nothing else around it, for tests of congestion control. */
#ifndef RILL_TESTS_TCP_CC_H
#define RILL_TESTS_TCP_CC_H

#include "base/rand.h"
#include "netstack/tcp/cc_common.h"
#include "netstack/tcp/pace.h"
#include "netstack/tcp/rate.h"
#include "netstack/tcp/sendq.h"
#include "netstack/tcp/seq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CC_MSS 1000u
#define CC_ISS 4000000000u /* the numbers wrap soon */

struct cc_end {
	struct rill_tcp_env env;
	struct rill_tcb tcb;
	struct rill_tcp_xfer x;
	uint64_t now;
};

/* A connection that has just been established; its transfer begins now. */
static inline void cc_open(struct cc_end *e, const struct rill_tcp_cc *cc, uint16_t mss)
{
	static const struct rill_hash_key key;

	memset(e, 0, sizeof(*e));
	rill_tcp_env_init(&e->env, NULL, &rill_memory_heap, &key);
	e->now = RILL_SEC;
	e->tcb.cc = cc;
	e->tcb.x = &e->x;
	e->tcb.settings = &e->env.settings;
	e->tcb.snd_mss = mss;
	e->tcb.flags = RILL_TCB_SACK;
	e->tcb.min_rtt_us = UINT32_MAX;
	e->tcb.iss = CC_ISS;
	e->tcb.snd_una = e->tcb.snd_nxt = e->tcb.snd_end = CC_ISS + 1;
	e->tcb.recover = CC_ISS;
	e->x.min_rtt_us = UINT32_MAX;
	e->x.delivered_ns = e->x.first_tx_ns = e->now;
	cc->init(&e->tcb, &e->env, e->now);
}

static inline void cc_set_rtt(struct cc_end *e, uint32_t us)
{
	e->tcb.srtt_us = us;
	e->tcb.flags |= RILL_TCB_RTT_VALID;
	e->x.min_rtt_us = RILL_MIN(e->x.min_rtt_us, us);
}

/* n bytes, sent just now, are acknowledged; the window is full again afterwards. */
static inline struct rill_tcp_cc_ack cc_ack(struct cc_end *e, uint32_t n)
{
	e->tcb.snd_una += n;
	e->tcb.snd_nxt = rill_seq_max(e->tcb.snd_nxt, e->tcb.snd_una);
	return (struct rill_tcp_cc_ack){
		.now_ns = e->now,
		.acked = n,
		.delivered = n,
		.flight = e->tcb.cwnd,
		.cwnd_limited = true,
	};
}

static inline void cc_on_ack(struct cc_end *e, uint32_t n)
{
	struct rill_tcp_cc_ack ack = cc_ack(e, n);

	e->tcb.cc->on_ack(&e->tcb, &ack);
}

/* Fast recovery from beginning to end, at once. */
static inline void cc_lose(struct cc_end *e)
{
	e->tcb.cc->on_event(&e->tcb, RILL_TCP_CC_LOSS, e->tcb.cwnd, e->now);
	e->tcb.cwnd = e->tcb.ssthresh;
	if (e->tcb.cc->on_recovered)
		e->tcb.cc->on_recovered(&e->tcb, e->now);
}

/* One round trip: a window of ACKs, one for each segment, spread over rtt. */
static inline void cc_round(struct cc_end *e, uint64_t rtt_ns)
{
	uint32_t n = e->tcb.cwnd / e->tcb.snd_mss;
	uint64_t end = e->now + rtt_ns;

	e->tcb.snd_nxt = e->tcb.snd_una + n * e->tcb.snd_mss;
	for (uint32_t i = 0; i < n; i++) {
		e->now += rtt_ns / n;
		cc_on_ack(e, e->tcb.snd_mss);
	}
	e->now = end;
}

#define CC_T(name) cmocka_unit_test(name)

/* Within per mille of what is right. */
static inline void cc_assert_near(uint64_t is, uint64_t right, uint32_t permille)
{
	uint64_t off = right * permille / 1000;

	assert_in_range(is, right - off, right + off);
}

#endif
