/* SPDX-License-Identifier: BSD-3-Clause */
/* Delivery rate estimation (draft-ietf-ccwg-bbr, 4.1). */
#include "test_tcp_cc.h"

#define BUFS 64

struct path {
	struct cc_end e;
	struct rill_buf bufs[BUFS];
};

static void path_open(struct path *p)
{
	memset(p, 0, sizeof(*p));
	cc_open(&p->e, &rill_tcp_cc_newreno, CC_MSS);
}

static struct rill_send_cb *cb(struct path *p, unsigned i)
{
	return rill_send_cb(&p->bufs[i]);
}

/* Segment i goes out for the first time. */
static void send(struct path *p, unsigned i)
{
	struct cc_end *e = &p->e;

	cb(p, i)->seq = e->tcb.snd_nxt;
	cb(p, i)->len = CC_MSS;
	rill_tcp_rate_on_send(&e->tcb, &p->bufs[i], e->now);
	p->bufs[i].time_ns = e->now;
	e->tcb.snd_nxt += CC_MSS;
	e->tcb.snd_end = rill_seq_max(e->tcb.snd_end, e->tcb.snd_nxt);
}

/* Segments first to last are acknowledged together. */
static struct rill_tcp_rate ack(struct path *p, unsigned first, unsigned last)
{
	struct rill_tcp_rate rs = {0};

	for (unsigned i = first; i <= last; i++) {
		rill_tcp_rate_on_delivered(&p->e.tcb, &p->bufs[i], CC_MSS, p->e.now, &rs);
		p->e.tcb.snd_una += CC_MSS;
	}
	rill_tcp_rate_finish(&p->e.tcb, p->e.now, &rs);
	return rs;
}

/* Four segments at once, acknowledged together 10 ms later. */
static void a_flight_over_its_round_trip(void **state)
{
	struct path p;
	struct rill_tcp_rate rs;

	path_open(&p);
	for (unsigned i = 0; i < 4; i++)
		send(&p, i);
	p.e.now += 10 * RILL_MS;
	rs = ack(&p, 0, 3);
	assert_true(rs.valid);
	assert_int_equal(rs.delivered, 4 * CC_MSS);
	assert_int_equal(rs.interval_ns, 10 * RILL_MS);
	assert_int_equal(rs.prior_delivered, 0);
	assert_int_equal(rs.tx_in_flight, 4 * CC_MSS);
	assert_int_equal(rill_tcp_rate_bps(&rs), 400000);
	assert_int_equal(p.e.x.delivered, 4 * CC_MSS);
}

/* What is sent on ACKs is measured from ACK to ACK: the bottleneck's rate, not flight over RTT. */
static void ack_clocked_samples_show_the_bottleneck(void **state)
{
	struct path p;
	struct rill_tcp_rate rs = {0};

	path_open(&p);
	for (unsigned i = 0; i < 8; i++)
		send(&p, i);
	/* A segment a millisecond after a delay of 4 ms: 1 MB/s. Eight in flight queue. */
	p.e.now += 4 * RILL_MS;
	for (unsigned i = 0; i < 40; i++) {
		p.e.now += RILL_MS;
		rs = ack(&p, i, i);
		send(&p, i + 8);
	}
	assert_int_equal(rill_tcp_rate_bps(&rs), 1000000);
	assert_int_equal(rs.interval_ns, 8 * RILL_MS);
	assert_int_equal(rs.delivered, 8 * CC_MSS);
}

/* ACKs in a bunch: the slower rate of sending bounds the sample. */
static void compressed_acks_are_not_believed(void **state)
{
	struct path p;
	struct rill_tcp_rate rs = {0};

	path_open(&p);
	for (unsigned i = 0; i < 20; i++) { /* one each millisecond */
		send(&p, i);
		p.e.now += RILL_MS;
	}
	for (unsigned i = 0; i < 10; i++)
		rs = ack(&p, i, i);
	for (unsigned i = 20; i < 30; i++) {
		send(&p, i);
		p.e.now += RILL_MS;
	}
	/* All of a sudden everything: 20 within no time. */
	rs = ack(&p, 10, 29);
	assert_in_range(rill_tcp_rate_bps(&rs), 600000, 1100000);
	assert_true(rs.interval_ns >= 10 * RILL_MS);
}

static void silence_is_not_the_paths(void **state)
{
	struct path p;
	struct rill_tcp_rate rs;

	path_open(&p);
	send(&p, 0);
	p.e.now += 5 * RILL_MS;
	ack(&p, 0, 0);
	p.e.now += 3600 * RILL_SEC;
	send(&p, 1);
	p.e.now += 5 * RILL_MS;
	rs = ack(&p, 1, 1);
	assert_int_equal(rs.interval_ns, 5 * RILL_MS);
	assert_int_equal(rs.prior_delivered, CC_MSS);
}

/* Faster than any round trip was: an answer to the first transmission (4.1.3.5). */
static void implausible_samples_are_dropped(void **state)
{
	struct path p;
	struct rill_tcp_rate rs;

	path_open(&p);
	send(&p, 0);
	p.e.now += 10 * RILL_MS;
	ack(&p, 0, 0);
	p.e.x.min_rtt_us = 10000;
	send(&p, 1);
	p.e.now += 9 * RILL_MS;
	rs = ack(&p, 1, 1);
	assert_true(rs.valid);
	assert_int_equal(rs.interval_ns, 0);
	assert_int_equal(rill_tcp_rate_bps(&rs), 0);
	assert_int_equal(p.e.x.delivered, 2 * CC_MSS);
}

static void an_ack_of_nothing_is_no_sample(void **state)
{
	struct path p;
	struct rill_tcp_rate rs = {0};

	path_open(&p);
	rill_tcp_rate_finish(&p.e.tcb, p.e.now, &rs);
	assert_false(rs.valid);
	assert_int_equal(rill_tcp_rate_bps(&rs), 0);
}

/* The newest segment decides, in whichever order they are told; of two sent at once, the later. */
static void newest_segment_decides(void **state)
{
	struct path p;
	struct rill_tcp_rate rs = {0};

	path_open(&p);
	send(&p, 0);
	p.e.now += RILL_MS;
	send(&p, 1);
	send(&p, 2);
	p.e.now += 10 * RILL_MS;
	rill_tcp_rate_on_delivered(&p.e.tcb, &p.bufs[2], CC_MSS, p.e.now, &rs);
	assert_int_equal(rs.end_seq, cb(&p, 2)->seq + CC_MSS);
	rill_tcp_rate_on_delivered(&p.e.tcb, &p.bufs[1], CC_MSS, p.e.now, &rs);
	rill_tcp_rate_on_delivered(&p.e.tcb, &p.bufs[0], CC_MSS, p.e.now, &rs);
	assert_int_equal(rs.end_seq, cb(&p, 2)->seq + CC_MSS);
	assert_int_equal(rs.tx_in_flight, 3 * CC_MSS);
	assert_int_equal(p.e.x.delivered, 3 * CC_MSS);
}

static void losses_within_the_sample(void **state)
{
	struct path p;
	struct rill_tcp_rate rs = {0};

	path_open(&p);
	for (unsigned i = 0; i < 10; i++)
		send(&p, i);
	rill_tcp_rate_on_lost(&p.e.tcb, &p.bufs[0], p.e.now);
	assert_int_equal(p.e.x.lost_total, CC_MSS);
	send(&p, 10);
	rill_tcp_rate_on_lost(&p.e.tcb, &p.bufs[1], p.e.now);
	rill_tcp_rate_on_lost(&p.e.tcb, &p.bufs[2], p.e.now);
	p.e.now += RILL_MS;
	rill_tcp_rate_on_delivered(&p.e.tcb, &p.bufs[9], CC_MSS, p.e.now, &rs);
	assert_int_equal(rs.lost, 3 * CC_MSS);
	rill_tcp_rate_on_delivered(&p.e.tcb, &p.bufs[10], CC_MSS, p.e.now, &rs);
	assert_int_equal(rs.lost, 2 * CC_MSS);
}

/* 32 bits in the segment are enough for any total. */
static void totals_beyond_4_gib(void **state)
{
	struct path p;
	struct rill_tcp_rate rs;

	path_open(&p);
	p.e.x.delivered = UINT64_C(0x7ffffff00);
	p.e.x.lost_total = UINT64_C(0x2fffffff0);
	send(&p, 0);
	send(&p, 1);
	rill_tcp_rate_on_lost(&p.e.tcb, &p.bufs[0], p.e.now);
	p.e.now += RILL_MS;
	ack(&p, 0, 0);
	rs = ack(&p, 1, 1);
	assert_int_equal(rs.prior_delivered, UINT64_C(0x7ffffff00));
	assert_int_equal(rs.delivered, 2 * CC_MSS);
	assert_int_equal(rs.lost, CC_MSS);
}

/* 4.1.1.3: from when there was nothing to send until all of that has left the pipe. */
static void app_limited(void **state)
{
	struct path p;
	struct rill_tcp_rate rs;

	path_open(&p);
	send(&p, 0);
	send(&p, 1);
	rill_tcp_rate_check_app_limited(&p.e.tcb);
	assert_int_equal(p.e.x.app_limited, 2 * CC_MSS);
	send(&p, 2);
	p.e.now += RILL_MS;
	rs = ack(&p, 0, 1);
	assert_false(rs.app_limited);
	assert_int_equal(p.e.x.app_limited, 2 * CC_MSS);
	rs = ack(&p, 2, 2);
	assert_true(rs.app_limited);
	assert_int_equal(p.e.x.app_limited, 0);
	send(&p, 3);
	p.e.now += RILL_MS;
	rs = ack(&p, 3, 3);
	assert_false(rs.app_limited);
}

static void what_is_not_app_limited(void **state)
{
	struct path p;

	path_open(&p);
	for (unsigned i = 0; i < 10; i++)
		send(&p, i);
	rill_tcp_rate_check_app_limited(&p.e.tcb); /* cwnd is full */
	assert_int_equal(p.e.x.app_limited, 0);
	p.e.tcb.cwnd = 20 * CC_MSS;
	p.e.x.flags |= RILL_XF_PACED_OUT; /* the pacer waits */
	rill_tcp_rate_check_app_limited(&p.e.tcb);
	assert_int_equal(p.e.x.app_limited, 0);
	p.e.x.flags = 0;
	p.e.x.lost = CC_MSS; /* something is to be sent again */
	rill_tcp_rate_check_app_limited(&p.e.tcb);
	assert_int_equal(p.e.x.app_limited, 0);
	p.e.x.retrans = CC_MSS;
	p.e.tcb.snd_end += CC_MSS; /* there is a segment to send */
	rill_tcp_rate_check_app_limited(&p.e.tcb);
	assert_int_equal(p.e.x.app_limited, 0);
	p.e.tcb.snd_end--; /* less than one */
	rill_tcp_rate_check_app_limited(&p.e.tcb);
	assert_int_not_equal(p.e.x.app_limited, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CC_T(a_flight_over_its_round_trip),
		CC_T(ack_clocked_samples_show_the_bottleneck),
		CC_T(compressed_acks_are_not_believed),
		CC_T(silence_is_not_the_paths),
		CC_T(implausible_samples_are_dropped),
		CC_T(an_ack_of_nothing_is_no_sample),
		CC_T(newest_segment_decides),
		CC_T(losses_within_the_sample),
		CC_T(totals_beyond_4_gib),
		CC_T(app_limited),
		CC_T(what_is_not_app_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
