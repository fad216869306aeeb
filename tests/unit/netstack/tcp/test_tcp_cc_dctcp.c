/* SPDX-License-Identifier: BSD-3-Clause */
/* DCTCP (RFC 8257). */
#include "netstack/tcp/cc_dctcp.h"
#include "test_tcp_cc.h"

static struct rill_tcp_dctcp *dctcp(struct cc_end *e)
{
	return (struct rill_tcp_dctcp *)(void *)e->x.cc_priv;
}

/* A window of n segments of which the last m were marked. */
static void window(struct cc_end *e, unsigned n, unsigned m)
{
	e->tcb.snd_nxt = e->tcb.snd_una + n * CC_MSS;
	dctcp(e)->window_end = e->tcb.snd_nxt;
	for (unsigned i = 0; i < n; i++) {
		struct rill_tcp_cc_ack ack = cc_ack(e, CC_MSS);

		if (i >= n - m) {
			ack.ece = true;
			ack.ce_delivered = CC_MSS;
		}
		/* More is sent meanwhile: the next window is as large. */
		if (i == n - 1)
			e->tcb.snd_nxt += n * CC_MSS;
		e->tcb.cc->on_ack(&e->tcb, &ack);
	}
}

static void asks_for_ecn(void **state)
{
	assert_true(rill_tcp_cc_dctcp.needs_ecn);
	assert_false(rill_tcp_cc_dctcp.own_recovery);
}

static void alpha_begins_at_one_rfc8257_4_2(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_dctcp, CC_MSS);
	assert_int_equal(dctcp(&e)->alpha, RILL_TCP_DCTCP_ONE);
}

/* alpha = alpha (1 - g) + g M, g = 1/16, against the same in floating point. */
static void alpha_series_rfc8257_3_3(void **state)
{
	static const unsigned marked[] = {10, 0, 0, 5, 3, 10, 10, 0, 1, 0, 0, 7};
	double alpha = 1;
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_dctcp, CC_MSS);
	e.tcb.ssthresh = e.tcb.cwnd;
	for (unsigned i = 0; i < 10 * RILL_ARRAY_SIZE(marked); i++) {
		unsigned m = marked[i % RILL_ARRAY_SIZE(marked)];

		window(&e, 10, m);
		alpha = alpha * 15 / 16 + m / 10.0 / 16;
		assert_in_range(dctcp(&e)->alpha, alpha * RILL_TCP_DCTCP_ONE - 40,
				alpha * RILL_TCP_DCTCP_ONE + 40);
	}
}

/* Neither end of the scale is out of reach. */
static void alpha_reaches_both_ends(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_dctcp, CC_MSS);
	for (unsigned i = 0; i < 400; i++)
		window(&e, 10, 0);
	assert_int_equal(dctcp(&e)->alpha, 0);
	for (unsigned i = 0; i < 400; i++)
		window(&e, 10, 10);
	assert_in_range(dctcp(&e)->alpha, RILL_TCP_DCTCP_ONE - 16, RILL_TCP_DCTCP_ONE);
}

/* cwnd (1 - alpha / 2), once for each window. */
static void cut_once_a_window_rfc8257_3_3(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_dctcp, CC_MSS);
	e.tcb.cwnd = 100 * CC_MSS;
	e.tcb.ssthresh = 100 * CC_MSS;
	e.tcb.flags |= RILL_TCB_ECN;
	dctcp(&e)->alpha = RILL_TCP_DCTCP_ONE / 4;
	window(&e, 100, 99);
	/* Less than 100 - 12.5 would be twice; what follows in the window does not grow it. */
	assert_int_equal(e.tcb.cwnd, 87500);
	assert_int_equal(e.tcb.ssthresh, 87500);
	assert_true((e.tcb.flags & RILL_TCB_CWR_DUE) != 0);
}

static void no_cwr_with_accecn(void **state)
{
	struct cc_end e;

	cc_open(&e, &rill_tcp_cc_dctcp, CC_MSS);
	e.tcb.flags |= RILL_TCB_ECN | RILL_TCB_ACCECN;
	window(&e, 10, 1);
	assert_int_equal(e.tcb.flags & RILL_TCB_CWR_DUE, 0);
	assert_int_equal(e.tcb.ssthresh, e.tcb.cwnd); /* but it did react */
}

static void first_mark_halves(void **state)
{
	struct cc_end e;
	struct rill_tcp_cc_ack ack;

	cc_open(&e, &rill_tcp_cc_dctcp, CC_MSS);
	e.tcb.cwnd = 64 * CC_MSS;
	e.tcb.snd_nxt += 64 * CC_MSS;
	dctcp(&e)->window_end = e.tcb.snd_nxt;
	ack = cc_ack(&e, CC_MSS);
	ack.ece = true;
	ack.ce_delivered = CC_MSS;
	e.tcb.cc->on_ack(&e.tcb, &ack);
	assert_int_equal(e.tcb.cwnd, 32 * CC_MSS);
}

static void without_marks_it_is_reno(void **state)
{
	struct cc_end d, r;

	cc_open(&d, &rill_tcp_cc_dctcp, CC_MSS);
	cc_open(&r, &rill_tcp_cc_newreno, CC_MSS);
	for (unsigned i = 0; i < 40; i++) {
		if (i == 5 || i == 22) {
			cc_lose(&d);
			cc_lose(&r);
		}
		cc_round(&d, RILL_MS);
		cc_round(&r, RILL_MS);
		assert_int_equal(d.tcb.cwnd, r.tcb.cwnd);
		assert_int_equal(d.tcb.ssthresh, r.tcb.ssthresh);
	}
}

/* A loss is answered as any TCP does (3.4), and marks of the same window are not answered again. */
static void loss_rfc8257_3_4(void **state)
{
	struct cc_end e;
	struct rill_tcp_cc_ack ack;

	cc_open(&e, &rill_tcp_cc_dctcp, CC_MSS);
	e.tcb.cwnd = 100 * CC_MSS;
	e.tcb.snd_nxt += 100 * CC_MSS;
	cc_lose(&e);
	assert_int_equal(e.tcb.cwnd, 50 * CC_MSS);
	ack = cc_ack(&e, CC_MSS);
	ack.ece = true;
	ack.ce_delivered = CC_MSS;
	e.tcb.cc->on_ack(&e.tcb, &ack);
	assert_int_equal(e.tcb.cwnd, 50 * CC_MSS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CC_T(asks_for_ecn),
		CC_T(alpha_begins_at_one_rfc8257_4_2),
		CC_T(alpha_series_rfc8257_3_3),
		CC_T(alpha_reaches_both_ends),
		CC_T(cut_once_a_window_rfc8257_3_3),
		CC_T(no_cwr_with_accecn),
		CC_T(first_mark_halves),
		CC_T(without_marks_it_is_reno),
		CC_T(loss_rfc8257_3_4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
