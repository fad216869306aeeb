/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random mutations of right frames against a live interface with a bound port, a listener and an
 * established connection. Afterwards it works as before, each frame is accounted for, and nothing
 * is lost. Time is virtual, so that everything that the frames left behind can be waited for.
 *
 * RILL_MUTATIONS sets how many, RILL_SEED which.
 */
#include "tests/integration/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netstack/stack/conn.h"
#include "netstack/stack/net.h"
#include "netstack/wire/bytes.h"
#include "netstack/wire/checksum.h"

#define FRAME_MAX 256u
#define ETH_LEN 14u
#define L4_AT (ETH_LEN + 20u)
#define BURST 32u

#define SERVER_IP 0xc6120001
#define CLIENT_IP 0xc6120002
#define RAW_IP 0xc6120003

struct frame {
	uint8_t bytes[FRAME_MAX];
	uint32_t len;
};

struct hostile {
	struct lab *lab;
	struct rill_nic *nic;		  /* the attacker's */
	struct rill_tcp *victim, *client; /* the two ends */
	struct rill_rand rand;
	uint32_t rcv_nxt, snd_nxt; /* the victim's */
};

/* ---- right frames ---- */

static void fix_checksums(struct frame *f)
{
	static const uint32_t at[256] = {[1] = 2, [6] = 16, [17] = 6};
	uint8_t *ip = f->bytes + ETH_LEN;

	if (f->len < L4_AT || rill_load_be16(f->bytes + 12) != 0x0800 || ip[0] != 0x45)
		return;
	memset(ip + 10, 0, 2);
	rill_store_raw16(ip + 10, rill_csum_fold(rill_csum_add(0, ip, 20)));
	struct rill_ip src = {.family = RILL_AF_IP4}, dst = src;
	uint32_t l4_len = RILL_MIN(f->len - L4_AT, (uint32_t)rill_load_be16(ip + 2) - 20);
	uint32_t csum_at = at[ip[9]];

	if (rill_load_be16(ip + 2) < 20 || csum_at == 0 || csum_at + 2 > l4_len)
		return;
	memcpy(src.bytes, ip + 12, 4);
	memcpy(dst.bytes, ip + 16, 4);
	uint32_t sum = ip[9] == 1 ? 0 : rill_csum_pseudo(&src, &dst, ip[9], l4_len);

	memset(f->bytes + L4_AT + csum_at, 0, 2);
	rill_store_raw16(f->bytes + L4_AT + csum_at,
			 rill_csum_fold(rill_csum_add(sum, f->bytes + L4_AT, l4_len)));
}

static struct frame ip_frame(struct hostile *h, uint8_t proto, uint32_t src, uint32_t payload_len)
{
	struct frame f = {.len = L4_AT + payload_len};
	uint8_t *ip = f.bytes + ETH_LEN;

	memcpy(f.bytes, h->lab->net[LAB_SERVER]->nic->mac, 6);
	memcpy(f.bytes + 6, h->nic->mac, 6);
	rill_store_be16(f.bytes + 12, 0x0800);
	ip[0] = 0x45;
	rill_store_be16(ip + 2, (uint16_t)(20 + payload_len));
	rill_store_be16(ip + 4, (uint16_t)rill_rand_next(&h->rand));
	ip[8] = 64;
	ip[9] = proto;
	rill_store_be32(ip + 12, src);
	rill_store_be32(ip + 16, SERVER_IP);
	return f;
}

static struct frame arp_frame(struct hostile *h)
{
	struct frame f = {.len = ETH_LEN + 28};
	uint8_t *arp = f.bytes + ETH_LEN;

	memset(f.bytes, 0xff, 6);
	memcpy(f.bytes + 6, h->nic->mac, 6);
	rill_store_be16(f.bytes + 12, 0x0806);
	memcpy(arp, "\x00\x01\x08\x00\x06\x04\x00\x01", 8);
	arp[7] = (uint8_t)(1 + rill_rand_below(&h->rand, 2));
	memcpy(arp + 8, h->nic->mac, 6);
	rill_store_be32(arp + 14, RAW_IP);
	rill_store_be32(arp + 24, SERVER_IP);
	return f;
}

static struct frame ping_frame(struct hostile *h)
{
	struct frame f = ip_frame(h, 1, RAW_IP, 40);

	f.bytes[L4_AT] = 8;
	return f;
}

static struct frame udp_frame(struct hostile *h)
{
	struct frame f = ip_frame(h, 17, RAW_IP, 60);

	rill_store_be16(f.bytes + L4_AT, 4000);
	rill_store_be16(f.bytes + L4_AT + 2, rill_rand_below(&h->rand, 4) ? 7 : 9);
	rill_store_be16(f.bytes + L4_AT + 4, 60);
	return f;
}

/* One piece of a datagram of four. */
static struct frame fragment_frame(struct hostile *h)
{
	struct frame f = udp_frame(h);
	uint32_t piece = rill_rand_below(&h->rand, 4);

	rill_store_be16(f.bytes + ETH_LEN + 4, (uint16_t)rill_rand_below(&h->rand, 64));
	f.len = L4_AT + 56;
	rill_store_be16(f.bytes + ETH_LEN + 2, 20 + 56);
	rill_store_be16(f.bytes + ETH_LEN + 6, (uint16_t)((piece < 3 ? 0x2000 : 0) | piece * 7));
	return f;
}

static void put_tcp(uint8_t *tcp, uint16_t src, uint16_t dst, uint32_t seq, uint32_t ack)
{
	rill_store_be16(tcp, src);
	rill_store_be16(tcp + 2, dst);
	rill_store_be32(tcp + 4, seq);
	rill_store_be32(tcp + 8, ack);
	tcp[12] = 5 << 4;
	rill_store_be16(tcp + 14, 60000);
}

static struct frame syn_frame(struct hostile *h)
{
	struct frame f = ip_frame(h, 6, RAW_IP, 40);
	uint8_t *tcp = f.bytes + L4_AT;

	put_tcp(tcp, (uint16_t)rill_rand_next(&h->rand), 80, (uint32_t)rill_rand_next(&h->rand), 0);
	tcp[12] = 10 << 4;
	tcp[13] = 2;
	memcpy(tcp + 20, "\x02\x04\x05\xb4\x04\x02\x08\x0a\0\0\0\1\0\0\0\0\1\3\3\7", 20);
	return f;
}

/* In the name of the client: of its connection's, as good as exactly in sequence. */
static struct frame victim_frame(struct hostile *h)
{
	static const uint8_t flags[] = {0x10, 0x18, 0x11, 0x14, 0x02, 0x04, 0x00, 0xff};
	struct frame f = ip_frame(h, 6, CLIENT_IP, 20 + 12 + rill_rand_below(&h->rand, 100));
	uint8_t *tcp = f.bytes + L4_AT;
	uint32_t seq = h->rcv_nxt + rill_rand_below(&h->rand, 64) - 8;

	put_tcp(tcp, rill_tcp_peer(h->victim).port, rill_tcp_local(h->victim).port, seq,
		h->snd_nxt);
	tcp[12] = 8 << 4;
	tcp[13] = flags[rill_rand_below(&h->rand, RILL_ARRAY_SIZE(flags))];
	memcpy(tcp + 20, "\1\1\x08\x0a", 4);
	return f;
}

/* An ICMP error about the victim's connection. */
static struct frame icmp_error_frame(struct hostile *h)
{
	struct frame f = ip_frame(h, 1, RAW_IP, 8 + 20 + 8);
	uint8_t *icmp = f.bytes + L4_AT, *ip = icmp + 8;

	icmp[0] = 3;
	icmp[1] = (uint8_t)rill_rand_below(&h->rand, 6);
	rill_store_be16(icmp + 6, (uint16_t)rill_rand_below(&h->rand, 1600));
	ip[0] = 0x45;
	rill_store_be16(ip + 2, 40);
	ip[9] = 6;
	rill_store_be32(ip + 12, SERVER_IP);
	rill_store_be32(ip + 16, CLIENT_IP);
	put_tcp(f.bytes + L4_AT + 28, rill_tcp_local(h->victim).port, rill_tcp_peer(h->victim).port,
		h->snd_nxt, 0);
	f.len = L4_AT + 36;
	return f;
}

/* ---- mutations ---- */

static void mutate(struct hostile *h, struct frame *f)
{
	struct rill_rand *r = &h->rand;
	uint32_t changes = rill_rand_below(r, 5);

	for (uint32_t i = 0; i < changes; i++) {
		uint8_t *at = f->bytes + rill_rand_below(r, f->len);

		if (rill_rand_below(r, 2))
			*at = (uint8_t)rill_rand_next(r);
		else
			*at ^= (uint8_t)(1u << rill_rand_below(r, 8));
	}
	if (rill_rand_below(r, 8) == 0)
		f->len = ETH_LEN + rill_rand_below(r, f->len - ETH_LEN + 1);
	else if (rill_rand_below(r, 8) == 0)
		f->len += rill_rand_below(r, FRAME_MAX - f->len);
	if (rill_rand_below(r, 4))
		fix_checksums(f);
}

static struct frame next_frame(struct hostile *h)
{
	static struct frame (*const kinds[])(struct hostile *) = {
		arp_frame, ping_frame,	 udp_frame,	   fragment_frame,
		syn_frame, victim_frame, icmp_error_frame, victim_frame,
	};
	struct frame f = kinds[rill_rand_below(&h->rand, RILL_ARRAY_SIZE(kinds))](h);

	mutate(h, &f);
	return f;
}

static void send_burst(struct hostile *h, uint32_t n)
{
	struct rill_nic_queue *q = h->nic->queues[0];
	struct rill_buf *bufs[BURST], *b;

	while (h->nic->driver->rx_burst(q, &b, 1) == 1)
		rill_buf_put_owner(q->pool, b);
	for (uint32_t i = 0; i < n; i++) {
		struct frame f = next_frame(h);

		bufs[i] = rill_buf_alloc(q->pool);
		RILL_ASSERT(bufs[i]);
		memcpy(rill_buf_append(bufs[i], f.len), f.bytes, f.len);
	}
	RILL_ASSERT_CMP(h->nic->driver->tx_burst(q, bufs, n), ==, n);
	h->nic->driver->tx_flush(q);
}

/* ---- around them ---- */

static void *echo_datagrams(void *arg)
{
	struct rill_addr from;
	char buf[512];
	ssize_t n;

	while ((n = rill_udp_recv(arg, buf, sizeof(buf), &from)) >= 0)
		rill_udp_send(arg, buf, (size_t)n, &from);
	RILL_ASSERT_CMP(n, ==, -ECANCELED);
	return NULL;
}

static void look(struct rill_shard *sh, void *arg)
{
	struct hostile *h = arg;

	(void)sh;
	h->rcv_nxt = h->victim->conn.tcb.rcv_nxt;
	h->snd_nxt = h->victim->conn.tcb.snd_nxt;
}

static void new_victim(struct hostile *h)
{
	struct rill_tcp *pair[LAB_SIDES];

	lab_pair(h->lab, NULL, pair);
	h->victim = pair[LAB_SERVER];
	h->client = pair[LAB_CLIENT];
}

static void attack(struct hostile *h, uint64_t mutations)
{
	for (uint64_t i = 0; i < mutations; i += BURST) {
		rill_shard_call(rill_tcp_shard(h->victim), look, h);
		send_burst(h, (uint32_t)RILL_MIN(BURST, mutations - i));
		/* it is read before the clock goes on */
		RILL_ASSERT_CMP(rill_sleep(rill_rand_below(&h->rand, RILL_MS)), ==, 0);
	}
}

/* Each frame that was sent arrived, and became one thing or the other. */
static void check_accounts(struct rill_shard *sh, void *arg)
{
	(void)arg;
	RILL_ASSERT(rill_l3_valid(&sh->core.l3));
	RILL_ASSERT_CMP(sh->core.l3.rx_frames, ==, sh->queue->stats.rx_packets);
	RILL_ASSERT_CMP(sh->core.l3.rx_frames, ==,
			sh->core.l3.rx_accepted + sh->core.l3.rx_dropped);
}

static unsigned reasons_met(const struct rill_shard *sh)
{
	unsigned n = 0;

	for (unsigned i = 1; i < RILL_DROP_COUNT; i++)
		n += sh->core.l3.drops[i] + sh->core.drops[i] > 0;
	return n;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void *hostile(void *arg)
{
	struct hostile h = {.lab = arg};
	struct rill_listener *l = lab_listen(arg, 80, NULL);
	struct rill_task *server = lab_spawn(NULL, lab_echo_server, l), *datagrams;
	struct rill_addr local = {.port = 7};
	char spec[64], error[RILL_NIC_ERROR_LEN];
	struct rill_udp *u;

	snprintf(spec, sizeof(spec), "mem:%s", h.lab->hub->name);
	RILL_ASSERT_CMP(rill_nic_open(spec, 1, &h.nic, error), ==, 0);
	rill_rand_init(&h.rand, setting("RILL_SEED", 1));
	RILL_ASSERT_CMP(rill_udp_bind(h.lab->net[LAB_SERVER], &local, NULL, &u), ==, 0);
	datagrams = lab_spawn(NULL, echo_datagrams, u);

	uint64_t left = setting("RILL_MUTATIONS", 100000);

	while (left > 0) {
		uint64_t n = RILL_MIN(left, UINT64_C(5000));

		new_victim(&h);
		attack(&h, n);
		rill_tcp_close(h.client);
		rill_tcp_close(h.victim);
		left -= n;
	}
	/* what half-open connections, fragments and neighbours are left time out */
	rill_sleep(1000 * RILL_SEC);

	struct rill_tcp *c = lab_connect(arg, l, NULL);

	lab_echo_once(c, 1, 100000);
	rill_tcp_close(c);
	rill_abort(datagrams);
	lab_join(datagrams);
	rill_udp_close(u);
	rill_listener_shutdown(l);
	lab_join(server);
	rill_listener_close(l);
	print_message("%llu frames sent, %u reasons to drop one met\n",
		      (unsigned long long)h.nic->queues[0]->stats.tx_packets,
		      reasons_met(&h.lab->net[LAB_SERVER]->shards[0]));
	rill_nic_close(h.nic);
	rill_shard_call(&h.lab->net[LAB_SERVER]->shards[0], check_accounts, NULL);
	return NULL;
}

static void test_mutations(void **state)
{
	const struct lab_options o = {
		.flavor = RILL_CURRENT_THREAD,
		.paused = true,
		.queues = 1,
	};

	(void)state;
	lab_run_in(&o, hostile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
