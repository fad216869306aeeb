/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames that come in several buffers, as from NICs with a large MTU, or with a tag beside them. */
#include "offload.h"

#include <errno.h>

#define PORT 80
#define PAYLOAD 5000

struct pair {
	struct off_core sender, receiver;
	uint64_t now;
	uint8_t payload[PAYLOAD];
};

/* Until nobody says anything. */
static void exchange(struct pair *p)
{
	struct off_core *ends[] = {&p->sender, &p->receiver};
	bool any = true;

	while (any) {
		any = false;
		for (unsigned i = 0; i < 2; i++) {
			for (unsigned k = 0; k < ends[i]->out.count; k++) {
				struct off_frame *f = &ends[i]->out.frames[k];

				off_input(ends[1 - i], &f, 1, OFF_ONE_BY_ONE, false);
				any = true;
			}
			ends[i]->out.count = 0;
		}
	}
}

static int open_pair(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	struct off_config config = {.host = 1, .seed = 1};

	p->now = 1000 * RILL_SEC;
	off_open(&p->sender, &config, p->now);
	config.host = 2;
	off_open(&p->receiver, &config, p->now);
	off_listen(&p->receiver, PORT);
	off_connect(&p->sender, 2, PORT);
	exchange(p);
	assert_non_null(p->receiver.conn);
	for (unsigned i = 0; i < PAYLOAD; i++)
		p->payload[i] = (uint8_t)(i * 31 + i / 255);
	*state = p;
	return 0;
}

static int close_pair(void **state)
{
	struct pair *p = *state;

	off_close(&p->sender);
	off_close(&p->receiver);
	free(p);
	return 0;
}

/* ---- one long segment ---- */

/* The headers of a segment with the payload's first len bytes, skip bytes ahead of what is next. */
static uint32_t make_segment(struct pair *p, uint8_t *f, uint32_t len, uint32_t skip, uint8_t flags)
{
	const struct rill_tcb *tcb = &p->receiver.conn->tcb;
	uint8_t *ip = f + RILL_ETH_LEN, *t = ip + RILL_IP4_LEN;
	struct rill_ip4 h = {
		.src = rill_ip4_get(&tcb->remote.ip),
		.dst = rill_ip4_get(&tcb->local.ip),
		.total_len = (uint16_t)(52 + len),
		.ttl = 64,
		.proto = RILL_IP_TCP,
		.dont_fragment = true,
	};
	uint32_t sum;

	rill_eth_emit(f, p->receiver.core.l3.mac, p->sender.core.l3.mac, RILL_ETH_IP4);
	rill_ip4_emit(ip, &h);
	memset(t, 0, 32);
	rill_store_be16(t, tcb->remote.port);
	rill_store_be16(t + 2, tcb->local.port);
	rill_store_be32(t + 4, tcb->rcv_nxt + skip);
	rill_store_be32(t + 8, tcb->snd_nxt);
	t[12] = 0x80;
	t[13] = flags;
	rill_store_be16(t + 14, 1000);
	rill_store_be32(t + 20, 0x0101080a);
	rill_store_be32(t + 24, tcb->ts_recent);
	memcpy(t + 32, p->payload, len);
	sum = rill_csum_pseudo(&tcb->remote.ip, &tcb->local.ip, RILL_IP_TCP, 32 + len);
	rill_store_raw16(t + 16, rill_csum_fold(rill_csum_add(sum, t, 32 + len)));
	return RILL_ETH_LEN + 52 + len;
}

/* In buffers of at most piece bytes, the headers whole in the first. */
static struct rill_buf *chain_of(struct off_core *o, const uint8_t *f, uint32_t len, uint32_t piece)
{
	struct rill_buf *first = NULL, **last = &first;

	for (uint32_t at = 0, n; at < len; at += n) {
		struct rill_buf *b = rill_buf_alloc(&o->pool);

		n = RILL_MIN(piece, len - at);
		memcpy(rill_buf_append(b, n), f + at, n);
		*last = b;
		last = &b->next;
	}
	first->flags |= RILL_BUF_CHAIN;
	return first;
}

static void give(struct off_core *o, struct rill_buf *b)
{
	if (rill_gro_take(&o->core, &b, 1) == 0)
		rill_core_input(&o->core, b);
	rill_core_settle(&o->core);
	assert_true(rill_l3_valid(&o->core.l3));
}

static void read_back(struct pair *p, uint32_t len)
{
	struct rill_conn *c = p->receiver.conn;
	uint8_t bytes[PAYLOAD + 1];

	assert_int_equal(rill_tcb_recv(&c->tcb, &c->core->env, bytes, sizeof(bytes)), len);
	assert_memory_equal(bytes, p->payload, len);
}

static void a_segment_in_several_buffers_is_one(void **state)
{
	struct pair *p = *state;
	const struct rill_tcb *tcb = &p->receiver.conn->tcb;
	uint8_t f[PAYLOAD + 100];

	/* The headers may fill the first exactly, and lengths be odd. */
	for (uint32_t piece = 66; piece < 1900; piece += 111) {
		uint32_t most = RILL_MIN((uint32_t)PAYLOAD, piece * 40);
		uint32_t len = make_segment(p, f, most, 0, 0x18);
		uint32_t segs = tcb->segs_in;

		give(&p->receiver, chain_of(&p->receiver, f, len, piece));
		assert_int_equal(tcb->segs_in, segs + 1);
		read_back(p, most);
	}
}

/* What a NIC says besides of single frames is no reason to take them one by one. */
static void hashed_and_stamped_ones_are_a_run(void **state)
{
	struct pair *p = *state;
	struct rill_buf *bufs[3];
	uint8_t f[PAYLOAD + 100];

	for (uint32_t i = 0; i < 3; i++) {
		uint32_t len = make_segment(p, f, 500, 500 * i, 0x10);

		bufs[i] = rill_buf_alloc(&p->receiver.pool);
		memcpy(rill_buf_append(bufs[i], len), f, len);
		bufs[i]->flags |= RILL_BUF_HASH | RILL_BUF_HW_TIME;
	}
	assert_int_equal(rill_gro_take(&p->receiver.core, bufs, 3), 3);
	rill_core_settle(&p->receiver.core);
	assert_int_equal(p->receiver.conn->tcb.rcv_queued, 1500);
}

/* Not predicted, and longer than a buffer: it becomes several. */
static void out_of_order_and_long(void **state)
{
	struct pair *p = *state;
	struct rill_conn *c = p->receiver.conn;
	uint8_t f[PAYLOAD + 100], bytes[PAYLOAD];
	uint32_t len = make_segment(p, f, PAYLOAD, 100, 0x19);

	give(&p->receiver, chain_of(&p->receiver, f, len, 1500));
	assert_true((c->tcb.flags & RILL_TCB_FIN_SEEN) != 0);
	assert_int_equal(rill_tcb_recv(&c->tcb, &c->core->env, bytes, PAYLOAD), -EAGAIN);
	len = make_segment(p, f, 100, 0, 0x10);
	give(&p->receiver, chain_of(&p->receiver, f, len, 80));
	assert_int_equal(rill_tcb_recv(&c->tcb, &c->core->env, bytes, 100), 100);
	read_back(p, PAYLOAD);
	assert_int_equal(rill_tcb_recv(&c->tcb, &c->core->env, bytes, 1), 0);
}

/* Where what all cores share is used up, too, no part of a frame is taken without its ACK. */
static void not_beyond_the_quota(void **state)
{
	struct pair *p = *state;
	struct rill_tcp_env *env = &p->receiver.core.env;
	uint8_t f[PAYLOAD + 100];
	uint32_t len = make_segment(p, f, PAYLOAD, 0, 0x10);
	struct rill_quota quota;
	struct rill_buf *b;

	rill_quota_init(&quota, 3 * OFF_FRAME_MAX);
	rill_quota_join(&env->mem_share, &quota);
	b = chain_of(&p->receiver, f, len, 1000);
	assert_int_equal(rill_gro_take(&p->receiver.core, &b, 1), 0);
	assert_int_equal(env->mem_used, 0);
	rill_quota_leave(&env->mem_share);
	assert_int_equal(rill_gro_take(&p->receiver.core, &b, 1), 1);
	read_back(p, PAYLOAD);
}

static void wrong_sums_are_dropped(void **state)
{
	struct pair *p = *state;
	const struct rill_l3 *l3 = &p->receiver.core.l3;
	const uint64_t *drops = p->receiver.core.l3.drops;
	uint8_t f[PAYLOAD + 100];
	uint32_t len;
	uint32_t nxt = p->receiver.conn->tcb.rcv_nxt;

	/* In order or not, in one buffer afterwards or not, merged or not. */
	for (unsigned i = 0; i < 8; i++) {
		uint64_t dropped = l3->rx_dropped;
		struct rill_buf *b;

		len = make_segment(p, f, i & 1 ? PAYLOAD : 700, i & 2 ? 100 : 0, 0x10);
		f[len - 1] ^= 1;
		b = chain_of(&p->receiver, f, len, 500);
		if (i & 4) {
			b->flags |= RILL_BUF_GSO;
			rill_buf_meta(b)->gso_size = 600;
		}
		give(&p->receiver, b);
		assert_int_equal(l3->rx_dropped, dropped + 1);
	}
	assert_int_equal(drops[RILL_DROP_TCP_CHECKSUM], 8);
	assert_int_equal(p->receiver.conn->tcb.rcv_nxt, nxt);
}

/* RFC 1122, 3.2.1.2. What it is cut into would have right ones. */
static void wrong_ip_sums_are_dropped(void **state)
{
	struct pair *p = *state;
	const struct rill_tcb *tcb = &p->receiver.conn->tcb;
	uint32_t segs = tcb->segs_in;
	uint8_t f[PAYLOAD + 100];

	/* Merged, or longer than a buffer; in order or not. */
	for (unsigned i = 0; i < 4; i++) {
		uint32_t len = make_segment(p, f, PAYLOAD, i & 1 ? 100 : 0, 0x10);
		struct rill_buf *b;

		f[RILL_ETH_LEN + 1] ^= 4;
		b = chain_of(&p->receiver, f, len, 1000);
		if (i & 2) {
			b->flags |= RILL_BUF_GSO | RILL_BUF_CSUM_OK;
			rill_buf_meta(b)->gso_size = 1000;
		}
		give(&p->receiver, b);
		assert_int_equal(p->receiver.core.l3.drops[RILL_DROP_IP4_CSUM], i + 1);
	}
	assert_int_equal(tcb->segs_in, segs);
}

static void lengths_that_contradict_are_dropped(void **state)
{
	struct pair *p = *state;
	const struct rill_l3 *l3 = &p->receiver.core.l3;
	uint32_t nxt = p->receiver.conn->tcb.rcv_nxt;
	uint8_t f[PAYLOAD + 100];
	uint32_t len = make_segment(p, f, PAYLOAD, 0, 0x10);

	/* Shorter than it says; or the headers are not in the first buffer, of a frame that would
	 * have to be cut. */
	for (unsigned i = 0; i < 130; i++) {
		uint64_t dropped = l3->rx_dropped;
		bool cut_off = i >= 65;
		struct rill_buf *b = chain_of(&p->receiver, f, cut_off ? len - 1 - i * 30 : len,
					      cut_off ? 1000 : 1 + i + (i < 14 ? 66 : 0));

		if (i % 3 == 0 || !cut_off) {
			b->flags |= RILL_BUF_GSO | RILL_BUF_CSUM_OK;
			rill_buf_meta(b)->gso_size = (uint16_t)(i < 14 ? 0 : 1000);
		}
		give(&p->receiver, b);
		assert_true(l3->rx_dropped > dropped);
	}
	assert_int_equal(p->receiver.conn->tcb.rcv_nxt, nxt);
}

/* A datagram longer than a buffer reaches UDP, which has nobody for it and says so. */
static void long_datagrams_come_as_chains(void **state)
{
	struct pair *p = *state;
	uint8_t f[PAYLOAD + 100];
	uint8_t *ip = f + RILL_ETH_LEN;
	uint32_t len = make_segment(p, f, PAYLOAD, 0, 0);

	ip[9] = RILL_IP_UDP;
	rill_store_be16(ip + 24, (uint16_t)(32 + PAYLOAD));
	rill_store_be16(ip + 26, 0);
	rill_store_raw16(ip + 10, 0);
	rill_store_raw16(ip + 10, rill_ip4_csum(ip, RILL_IP4_LEN));
	give(&p->receiver, chain_of(&p->receiver, f, len, 1900));
	assert_int_equal(p->receiver.core.l3.drops[RILL_DROP_UDP_NO_PORT], 1);
	assert_int_equal(p->receiver.out.count, 1);
	assert_int_equal(p->receiver.out.frames[0].bytes[RILL_ETH_LEN + 9], RILL_IP_ICMP);
}

static void a_tag_beside_a_frame_is_a_tag(void **state)
{
	struct pair *p = *state;
	uint8_t f[PAYLOAD + 100];
	struct rill_buf *b = rill_buf_alloc(&p->receiver.pool);
	uint32_t len = make_segment(p, f, 100, 0, 0x10);
	uint32_t nxt = p->receiver.conn->tcb.rcv_nxt;

	memcpy(rill_buf_append(b, len), f, len);
	b->flags |= RILL_BUF_VLAN;
	rill_buf_meta(b)->vlan_tci = 7;
	give(&p->receiver, b);
	assert_int_equal(p->receiver.core.l3.drops[RILL_DROP_ETH_TYPE], 1);
	assert_int_equal(p->receiver.conn->tcb.rcv_nxt, nxt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, open_pair, close_pair)
		T(a_segment_in_several_buffers_is_one),
		T(hashed_and_stamped_ones_are_a_run),
		T(out_of_order_and_long),
		T(not_beyond_the_quota),
		T(wrong_sums_are_dropped),
		T(wrong_ip_sums_are_dropped),
		T(lengths_that_contradict_are_dropped),
		T(long_datagrams_come_as_chains),
		T(a_tag_beside_a_frame_is_a_tag),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
