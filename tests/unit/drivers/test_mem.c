/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/driver.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rand.h"
#include "testnet.h"

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void send_udp(struct rill_nic *from, const uint8_t *mac, uint16_t port, uint32_t tag)
{
	uint8_t frame[128];

	testnet_nic_send(from, frame, testnet_udp4(frame, mac, 0xc6120001, port, tag));
}

/* The tag of the next frame on that queue, 0: none; the frame is put back. */
static uint32_t next_tag(struct rill_nic *nic, unsigned queue)
{
	struct rill_nic_queue *q = nic->queues[queue];
	struct rill_buf *b;

	if (nic->driver->rx_burst(q, &b, 1) == 0)
		return 0;
	uint32_t tag = testnet_tag(b->data, b->len);

	assert_int_equal(b->queue, queue);
	rill_buf_put_owner(q->pool, b);
	return tag;
}

static uint64_t rx_dropped(struct rill_nic *nic)
{
	struct rill_nic_stats stats = {0};

	nic->driver->stats(nic->queues[0], &stats);
	return stats.rx_dropped;
}

static void test_two_ports(void **state)
{
	struct rill_nic *a = testnet_nic_open("mem:lab", 1), *b = testnet_nic_open("mem:lab", 1);
	uint8_t frame[128];
	size_t len = testnet_udp4(frame, b->mac, 0xc6120001, 7, 1);

	assert_memory_not_equal(a->mac, b->mac, 6);
	assert_int_equal(a->mac[0] & 3, 2);
	assert_int_equal(a->mtu, 1500);
	assert_int_equal(a->caps, 0);
	testnet_nic_send(a, frame, len);
	struct rill_buf *got = testnet_nic_recv(b, 0);

	assert_non_null(got);
	assert_int_equal(got->len, len);
	assert_memory_equal(got->data, frame, len);
	assert_true(rill_buf_headroom(got) >= RILL_BUF_HEADROOM);
	rill_buf_put(got);
	assert_int_equal(next_tag(a, 0), 0);
	assert_int_equal(a->queues[0]->stats.tx_packets, 1);
	assert_int_equal(a->queues[0]->stats.tx_bytes, len);
	assert_int_equal(b->queues[0]->stats.rx_packets, 1);
	assert_int_equal(b->queues[0]->stats.rx_bytes, len);
	rill_nic_close(a);
	rill_nic_close(b);
}

static void test_switching(void **state)
{
	static const uint8_t group[6] = {0x33, 0x33, 0, 0, 0, 1}, stranger[6] = {2, 2, 2, 2, 2, 2};
	struct rill_nic *a = testnet_nic_open("mem:lab", 1), *b = testnet_nic_open("mem:lab", 1);
	struct rill_nic *c = testnet_nic_open("mem:lab", 1);
	struct rill_nic *elsewhere = testnet_nic_open("mem:other", 1);

	send_udp(a, c->mac, 1, 1);
	assert_int_equal(next_tag(b, 0), 0);
	assert_int_equal(next_tag(c, 0), 1);
	send_udp(a, broadcast, 1, 2);
	send_udp(a, group, 1, 3);
	send_udp(a, stranger, 1, 4);
	for (uint32_t tag = 2; tag <= 4; tag++) {
		assert_int_equal(next_tag(b, 0), tag);
		assert_int_equal(next_tag(c, 0), tag);
	}
	send_udp(a, a->mac, 1, 5);
	assert_int_equal(next_tag(a, 0), 0);
	assert_int_equal(next_tag(elsewhere, 0), 0);
	/* A port that left is a stranger. */
	uint8_t gone[6];

	memcpy(gone, c->mac, 6);
	rill_nic_close(c);
	send_udp(a, gone, 1, 6);
	assert_int_equal(next_tag(b, 0), 6);
	rill_nic_close(a);
	rill_nic_close(b);
	rill_nic_close(elsewhere);
}

static void test_sixteen_ports(void **state)
{
	char error[RILL_NIC_ERROR_LEN];
	struct rill_nic *ports[16], *more;

	for (unsigned i = 0; i < 16; i++)
		ports[i] = testnet_nic_open("mem:lab,bufs=64,ring=8", 1);
	assert_int_equal(rill_nic_open("mem:lab", 1, &more, error), -ENOSPC);
	assert_non_null(strstr(error, "16 ports"));
	rill_nic_close(ports[3]);
	ports[3] = testnet_nic_open("mem:lab,bufs=64,ring=8", 2);
	send_udp(ports[0], ports[3]->mac, 1, 9);
	assert_int_equal(next_tag(ports[3], 0) + next_tag(ports[3], 1), 9);
	for (unsigned i = 0; i < 16; i++)
		rill_nic_close(ports[i]);
}

static void test_bad_specs(void **state)
{
	char error[RILL_NIC_ERROR_LEN];
	struct rill_nic *nic;

	assert_int_equal(rill_nic_open("mem:lab,loss=2", 1, &nic, error), -EINVAL);
	assert_non_null(strstr(error, "loss"));
	assert_int_equal(rill_nic_open("mem:lab,bufs=100", 1, &nic, error), -EINVAL);
	assert_non_null(strstr(error, "twice the ring"));
	assert_int_equal(rill_nic_open("mem:lab,delay=1", 1, &nic, error), -EINVAL);
	assert_non_null(strstr(error, "reorder"));
	assert_int_equal(rill_nic_open("mem:lab,csum=offload,corrupt=0.1", 1, &nic, error),
			 -EINVAL);
	assert_non_null(strstr(error, "corrupt"));
}

static void test_flows_spread_over_queues(void **state)
{
	struct rill_nic *a = testnet_nic_open("mem:lab", 1), *b = testnet_nic_open("mem:lab", 4);
	unsigned total = 0;

	for (unsigned flow = 0; flow < 256; flow++) {
		unsigned home = 0, seen = 0;

		send_udp(a, b->mac, (uint16_t)flow, 1);
		send_udp(a, b->mac, (uint16_t)flow, 2);
		for (unsigned q = 0; q < 4; q++) {
			while (next_tag(b, q)) {
				home = q;
				seen++;
			}
		}
		assert_int_equal(b->queues[home]->stats.rx_packets % 2, 0);
		assert_int_equal(seen, 2);
	}
	for (unsigned q = 0; q < 4; q++) {
		assert_in_range(b->queues[q]->stats.rx_packets, 2 * 32, 2 * 96);
		total += (unsigned)b->queues[q]->stats.rx_packets;
	}
	assert_int_equal(total, 512);
	rill_nic_close(a);
	rill_nic_close(b);
}

/* All fragments of a flow share a queue; what is not IP is for queue 0. */
static void test_steering_of_fragments_and_others(void **state)
{
	struct rill_nic *a = testnet_nic_open("mem:lab", 1), *b = testnet_nic_open("mem:lab", 4);
	uint8_t frame[128];
	unsigned homes = 0;

	for (uint16_t port = 0; port < 32; port++) {
		size_t len = testnet_udp4(frame, b->mac, 0xc6120001, port, 1);

		frame[20] = 0x20;
		testnet_nic_send(a, frame, len);
		frame[12] = 0x88;
		testnet_nic_send(a, frame, len);
		testnet_nic_send(a, frame, 20);
	}
	for (unsigned i = 0; i < 64; i++) {
		struct rill_buf *buf = testnet_nic_recv(b, 0);

		assert_non_null(buf);
		rill_buf_put(buf);
	}
	for (unsigned q = 0; q < 4; q++) {
		while (next_tag(b, q))
			homes |= 1u << q;
	}
	assert_int_equal(homes & (homes - 1), 0);
	rill_nic_close(a);
	rill_nic_close(b);
}

static void test_full_ring_drops_and_counts(void **state)
{
	struct rill_nic *a = testnet_nic_open("mem:lab", 1);
	struct rill_nic *b = testnet_nic_open("mem:lab,ring=16", 1);

	for (uint32_t i = 1; i <= 20; i++)
		send_udp(a, b->mac, 1, i);
	assert_int_equal(rx_dropped(b), 4);
	for (uint32_t i = 1; i <= 16; i++)
		assert_int_equal(next_tag(b, 0), i);
	assert_int_equal(next_tag(b, 0), 0);
	assert_int_equal(a->queues[0]->stats.tx_packets, 20);
	rill_nic_close(a);
	rill_nic_close(b);
}

static void test_dry_pool_drops_and_recovers(void **state)
{
	struct rill_nic *a = testnet_nic_open("mem:lab", 1);
	struct rill_nic *b = testnet_nic_open("mem:lab,ring=8,bufs=16", 1);
	struct rill_buf *held[16];

	for (uint32_t i = 0; i < 16; i++) {
		send_udp(a, b->mac, 1, i + 1);
		held[i] = testnet_nic_recv(b, 0);
		assert_non_null(held[i]);
	}
	send_udp(a, b->mac, 1, 17);
	assert_int_equal(rx_dropped(b), 1);
	for (unsigned i = 0; i < 16; i++)
		rill_buf_put(held[i]);
	assert_int_equal(next_tag(b, 0), 0);
	send_udp(a, b->mac, 1, 18);
	assert_int_equal(next_tag(b, 0), 18);
	rill_nic_close(a);
	rill_nic_close(b);
}

static void test_frame_sizes(void **state)
{
	struct rill_nic *a = testnet_nic_open("mem:lab,mtu=9000", 1),
			*b = testnet_nic_open("mem:lab", 1);
	struct rill_nic *jumbo = testnet_nic_open("mem:lab,mtu=9000", 1);
	static uint8_t frame[9100];

	memcpy(frame, jumbo->mac, 6);
	testnet_nic_send(a, frame, 9014);
	struct rill_buf *got = testnet_nic_recv(jumbo, 0);

	assert_non_null(got);
	assert_int_equal(got->len, 9014);
	rill_buf_put(got);
	memcpy(frame, b->mac, 6);
	testnet_nic_send(a, frame, 9014);
	assert_int_equal(rx_dropped(b), 1);
	testnet_nic_send(a, frame, 9023);
	testnet_nic_send(a, frame, 13);
	assert_int_equal(a->queues[0]->stats.tx_dropped, 2);
	rill_nic_close(a);
	rill_nic_close(b);
	rill_nic_close(jumbo);
}

/* ---- impairments ---- */

#define SENT 10000

struct received {
	uint32_t count;
	uint32_t different; /* tags that were there */
	uint32_t late;	    /* came after a larger one */
	uint32_t hash;	    /* of the sequence */
};

/* Sends tags 1 to SENT, and what came out of it. */
static struct received run_impaired(const char *spec)
{
	struct rill_nic *a = testnet_nic_open(spec, 1), *b = testnet_nic_open("mem:lab", 1);
	static uint8_t seen[SENT + 1];
	struct received r = {0};
	uint32_t largest = 0;

	memset(seen, 0, sizeof(seen));
	for (uint32_t i = 1; i <= SENT + 8; i++) {
		if (i <= SENT)
			send_udp(a, b->mac, 1, i);
		else
			a->driver->tx_flush(a->queues[0]);
		for (uint32_t tag = next_tag(b, 0); tag; tag = next_tag(b, 0)) {
			assert_true(tag <= SENT);
			r.count++;
			r.different += !seen[tag];
			seen[tag] = 1;
			r.late += tag < largest;
			/* Neither held for more than three frames, nor overtaken by more. */
			assert_true(tag + 4 > largest);
			largest = RILL_MAX(largest, tag);
			r.hash = r.hash * 31 + tag;
		}
	}
	/* Nothing is kept back but what waits in the receive ring. */
	assert_int_equal(a->queues[0]->pool->available, 4096 - 512);
	rill_nic_close(a);
	rill_nic_close(b);
	return r;
}

static void test_loss(void **state)
{
	struct received r = run_impaired("mem:lab,loss=0.1,seed=1");
	struct received same = run_impaired("mem:lab,loss=0.1,seed=1");
	struct received other = run_impaired("mem:lab,loss=0.1,seed=2");

	/* Five standard deviations of the binomial distribution. */
	assert_in_range(r.count, SENT * 9 / 10 - 150, SENT * 9 / 10 + 150);
	assert_int_equal(r.late, 0);
	assert_int_equal(r.hash, same.hash);
	assert_int_not_equal(r.hash, other.hash);
	assert_int_equal(run_impaired("mem:lab,loss=1").count, 0);
	assert_int_equal(run_impaired("mem:lab,loss=0").count, SENT);
}

static void test_dup(void **state)
{
	struct received r = run_impaired("mem:lab,dup=0.2,seed=3");

	assert_int_equal(r.different, SENT);
	assert_in_range(r.count, SENT * 12 / 10 - 200, SENT * 12 / 10 + 200);
	assert_int_equal(run_impaired("mem:lab,dup=1").count, 2 * SENT);
}

static void test_reorder(void **state)
{
	struct received r = run_impaired("mem:lab,reorder=0.1,seed=4");

	assert_int_equal(r.count, SENT);
	assert_int_equal(r.different, SENT);
	assert_in_range(r.late, SENT / 20, SENT / 8);
}

static void test_held_frame_leaves_by_flushes(void **state)
{
	struct rill_nic *a = testnet_nic_open("mem:lab,reorder=1", 1),
			*b = testnet_nic_open("mem:lab", 1);
	unsigned flushes = 0;

	send_udp(a, b->mac, 1, 77);
	while (next_tag(b, 0) != 77) {
		a->driver->tx_flush(a->queues[0]);
		assert_true(++flushes <= 4);
	}
	assert_int_not_equal(flushes, 0);
	/* One that is still held goes with the NIC. */
	send_udp(a, b->mac, 1, 78);
	rill_nic_close(a);
	assert_int_equal(next_tag(b, 0), 0);
	rill_nic_close(b);
}

static void test_corrupt_flips_one_bit(void **state)
{
	struct rill_nic *a = testnet_nic_open("mem:lab,corrupt=1", 1),
			*b = testnet_nic_open("mem:lab", 1);
	uint8_t frame[128];
	size_t len = testnet_udp4(frame, b->mac, 0xc6120001, 7, 1);
	struct rill_buf *sent = rill_buf_alloc(a->queues[0]->pool), *again = sent;

	/* The sender's own copy is not touched, for it may send it again. */
	rill_buf_get(sent);
	memcpy(rill_buf_append(sent, (uint32_t)len), frame, len);
	assert_int_equal(a->driver->tx_burst(a->queues[0], &again, 1), 1);
	assert_memory_equal(sent->data, frame, len);
	rill_buf_put(sent);
	struct rill_buf *got = testnet_nic_recv(b, 0);
	unsigned bits = 0;

	assert_non_null(got);
	for (size_t i = 0; i < len; i++)
		bits += (unsigned)__builtin_popcount(got->data[i] ^ frame[i]);
	assert_int_equal(bits, 1);
	rill_buf_put(got);
	rill_nic_close(a);
	rill_nic_close(b);
}

/* ---- checksums ---- */

/* What was left to the NIC is vouched for at the receiver's, and nothing else is. */
static void test_checksum_offload(void **state)
{
	struct rill_nic *a = testnet_nic_open("mem:lab,csum=offload", 1);
	struct rill_nic *b = testnet_nic_open("mem:lab,csum=software", 1);
	const uint16_t flags[] = {0, RILL_BUF_CSUM_PARTIAL};
	uint8_t frame[128];
	size_t len = testnet_udp4(frame, b->mac, 0xc6120001, 7, 1);

	assert_int_equal(a->caps, RILL_NIC_RX_CSUM | RILL_NIC_TX_CSUM);
	assert_int_equal(b->caps, 0);
	for (unsigned i = 0; i < 2; i++) {
		struct rill_buf *sent = rill_buf_alloc(a->queues[0]->pool);

		memcpy(rill_buf_append(sent, (uint32_t)len), frame, len);
		sent->flags = flags[i];
		assert_int_equal(a->driver->tx_burst(a->queues[0], &sent, 1), 1);
		struct rill_buf *got = testnet_nic_recv(b, 0);

		assert_non_null(got);
		assert_int_equal(got->flags,
				 flags[i] ? RILL_BUF_CSUM_OK | RILL_BUF_CSUM_PARTIAL : 0);
		assert_memory_equal(got->data, frame, len);
		rill_buf_put(got);
	}
	rill_nic_close(a);
	rill_nic_close(b);
}

/* Whether a turn would find something, without taking anything. */
static void test_poll_due(void **state)
{
	struct rill_nic *a = testnet_nic_open("mem:lab", 1);
	struct rill_nic *b = testnet_nic_open("mem:lab,ring=64,bufs=128", 1);
	struct rill_nic *held = testnet_nic_open("mem:lab,reorder=0.1", 1);
	struct rill_nic_queue *q = b->queues[0];
	struct rill_buf *bufs[128];
	unsigned n = 0, more;

	assert_false(b->driver->poll_due(q));
	send_udp(a, b->mac, 1, 1);
	assert_true(b->driver->poll_due(q));
	assert_int_equal(next_tag(b, 0), 1);
	assert_false(b->driver->poll_due(q));
	/* The pool is dry: slots stay empty until somebody looks again. */
	do {
		send_udp(a, b->mac, 1, n + 1);
		more = b->driver->rx_burst(q, bufs + n, 1);
		n += more;
	} while (more > 0);
	assert_int_equal(n, 128);
	assert_true(b->driver->poll_due(q));
	while (n > 0)
		rill_buf_put_owner(q->pool, bufs[--n]);
	assert_int_equal(next_tag(b, 0), 0);
	assert_false(b->driver->poll_due(q));
	/* Here time passes with every turn. */
	assert_true(held->driver->poll_due(held->queues[0]));
	rill_nic_close(a);
	rill_nic_close(b);
	rill_nic_close(held);
}

/* ---- sleeping ---- */

static void test_arm(void **state)
{
	struct rill_nic *a = testnet_nic_open("mem:lab", 1), *b = testnet_nic_open("mem:lab", 1);
	struct rill_nic_queue *q = b->queues[0];
	struct pollfd p = {.fd = b->driver->rx_fd(q), .events = POLLIN};

	send_udp(a, b->mac, 1, 1);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_false(b->driver->rx_arm(q));
	b->driver->rx_disarm(q);
	assert_int_equal(next_tag(b, 0), 1);
	assert_true(b->driver->rx_arm(q));
	assert_int_equal(poll(&p, 1, 0), 0);
	send_udp(a, b->mac, 1, 2);
	assert_int_equal(poll(&p, 1, 0), 1);
	b->driver->rx_disarm(q);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(next_tag(b, 0), 2);
	assert_true(b->driver->rx_arm(q));
	b->driver->rx_disarm(q);
	send_udp(a, b->mac, 1, 3);
	assert_int_equal(poll(&p, 1, 0), 0);
	rill_nic_close(a);
	rill_nic_close(b);
}

#define ECHOES 20000

/* Sends every frame back, sleeping in between; ends with the frame that carries tag ECHOES. */
static void *echo(void *arg)
{
	struct rill_nic *nic = arg;
	struct rill_nic_queue *q = nic->queues[0];

	for (;;) {
		struct rill_buf *b = testnet_nic_recv(nic, TESTNET_PATIENCE_MS);

		if (!b)
			return (void *)"no frame came: a wake-up was lost";
		bool last = testnet_tag(b->data, b->len) == ECHOES;

		memcpy(b->data, broadcast, 6);
		if (nic->driver->tx_burst(q, &b, 1) != 1)
			return (void *)"not sent";
		nic->driver->tx_flush(q);
		if (last)
			return NULL;
	}
}

/* Two threads that sleep for each other's frame: one lost wake-up and both wait until patience
 * ends. */
static void test_no_wakeup_is_lost(void **state)
{
	struct rill_nic *a = testnet_nic_open("mem:lab", 1), *b = testnet_nic_open("mem:lab", 1);
	pthread_t thread;
	void *complaint;

	assert_int_equal(pthread_create(&thread, NULL, echo, b), 0);
	for (uint32_t i = 1; i <= ECHOES; i++) {
		send_udp(a, b->mac, 1, i);
		struct rill_buf *got = testnet_nic_recv(a, TESTNET_PATIENCE_MS);

		assert_non_null(got);
		assert_int_equal(testnet_tag(got->data, got->len), i);
		rill_buf_put_owner(a->queues[0]->pool, got);
	}
	pthread_join(thread, &complaint);
	assert_null(complaint);
	rill_nic_close(a);
	rill_nic_close(b);
}

struct sleeper {
	struct rill_nic *nic;
	RILL_ATOMIC(uint32_t) ready_for; /* the tag it is going to wait for; 0: it gave up */
};

static void dawdle(struct rill_rand *rand)
{
	for (uint32_t n = rill_rand_below(rand, 64); n > 0; n--)
		rill_cpu_relax();
}

static void *sleep_for_each(void *arg)
{
	struct sleeper *s = arg;
	struct rill_rand rand;

	rill_rand_init(&rand, 2);
	for (uint32_t i = 1; i <= ECHOES; i++) {
		/* release: pairs with the acquire in test_wakeup_in_the_last_moment() */
		rill_store_release(&s->ready_for, i);
		dawdle(&rand);
		struct rill_buf *b = testnet_nic_recv(s->nic, TESTNET_PATIENCE_MS);

		if (!b || testnet_tag(b->data, b->len) != i) {
			rill_store_release(&s->ready_for, 0);
			return NULL;
		}
		rill_buf_put_owner(s->nic->queues[0]->pool, b);
	}
	return s;
}

/* The frame comes just when the receiver has looked and is about to sleep, sometimes before,
 * sometimes after. */
static void test_wakeup_in_the_last_moment(void **state)
{
	struct rill_nic *a = testnet_nic_open("mem:lab", 1);
	struct sleeper s = {.nic = testnet_nic_open("mem:lab", 1), .ready_for = UINT32_MAX};
	struct rill_rand rand;
	pthread_t thread;
	void *content;

	rill_rand_init(&rand, 1);
	assert_int_equal(pthread_create(&thread, NULL, sleep_for_each, &s), 0);
	for (uint32_t i = 1; i <= ECHOES; i++) {
		uint32_t ready;
		/* acquire: pairs with the release in sleep_for_each() */
		for (unsigned n = 1; (ready = rill_load_acquire(&s.ready_for)) != i && ready; n++) {
			if (n % 1000 == 0)
				sched_yield();
		}
		if (!ready)
			break;
		dawdle(&rand);
		send_udp(a, s.nic->mac, 1, i);
	}
	pthread_join(thread, &content);
	assert_non_null(content);
	rill_nic_close(a);
	rill_nic_close(s.nic);
}

/* ---- several senders, and ports that come and go ---- */

#define FLOOD 20000

static RILL_ATOMIC(uint32_t) senders_left;

static void *flood(void *arg)
{
	struct rill_nic *nic = arg;

	for (uint32_t i = 1; i <= FLOOD; i++)
		send_udp(nic, broadcast, (uint16_t)i, i);
	/* release: pairs with the acquire in test_concurrent_senders() */
	rill_fetch_sub_release(&senders_left, 1);
	return NULL;
}

static void test_concurrent_senders(void **state)
{
	struct rill_nic *b = testnet_nic_open("mem:lab,ring=64", 2);
	struct rill_nic *senders[2];
	pthread_t threads[2];
	uint64_t got = 0;

	rill_store_relaxed(&senders_left, 2);
	for (unsigned i = 0; i < 2; i++) {
		senders[i] = testnet_nic_open("mem:lab", 1);
		assert_int_equal(pthread_create(&threads[i], NULL, flood, senders[i]), 0);
	}
	/* acquire: pairs with the release in flood() */
	while (rill_load_acquire(&senders_left) > 0) {
		struct rill_nic *guest = testnet_nic_open("mem:lab,ring=8,bufs=16", 3);

		for (unsigned i = 0; i < 64; i++)
			got += (next_tag(b, 0) != 0) + (next_tag(b, 1) != 0);
		rill_nic_close(guest);
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	while (next_tag(b, 0) || next_tag(b, 1))
		got++;
	struct rill_nic_stats stats = {0};
	struct rill_nic_stats *s[2] = {&b->queues[0]->stats, &b->queues[1]->stats};

	b->driver->stats(b->queues[0], &stats);
	b->driver->stats(b->queues[1], &stats);
	assert_int_equal(s[0]->rx_packets + s[1]->rx_packets + stats.rx_dropped, 2 * FLOOD);
	assert_true(got > 0);
	for (unsigned i = 0; i < 2; i++)
		rill_nic_close(senders[i]);
	rill_nic_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_ports),
		cmocka_unit_test(test_switching),
		cmocka_unit_test(test_sixteen_ports),
		cmocka_unit_test(test_bad_specs),
		cmocka_unit_test(test_flows_spread_over_queues),
		cmocka_unit_test(test_steering_of_fragments_and_others),
		cmocka_unit_test(test_full_ring_drops_and_counts),
		cmocka_unit_test(test_dry_pool_drops_and_recovers),
		cmocka_unit_test(test_frame_sizes),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_dup),
		cmocka_unit_test(test_reorder),
		cmocka_unit_test(test_held_frame_leaves_by_flushes),
		cmocka_unit_test(test_corrupt_flips_one_bit),
		cmocka_unit_test(test_checksum_offload),
		cmocka_unit_test(test_poll_due),
		cmocka_unit_test(test_arm),
		cmocka_unit_test(test_no_wakeup_is_lost),
		cmocka_unit_test(test_wakeup_in_the_last_moment),
		cmocka_unit_test(test_concurrent_senders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
