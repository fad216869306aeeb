/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/sim.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/spec.h"
#include "testnet.h"

#define PROB(p) ((uint64_t)((p) * (double)RILL_SPEC_PROB_ONE))
#define MS UINT64_C(1000000)

/* A frame of 1,250 bytes takes this long at 10 Mb/s. */
#define FRAME_LEN 1250u
#define FRAME_NS MS
#define RATE 10000000u

/* ---- a pair of NICs, and frames with a tag in their last four bytes ---- */

struct pair {
	struct rill_sim_net *net;
	struct rill_nic *nic[2];
	uint8_t mac[2][6];
};

struct arrival {
	uint64_t ns;
	uint32_t tag;
	uint32_t len;
};

static void pair_open_nic(struct pair *p, unsigned i, const char *spec)
{
	p->nic[i] = testnet_nic_open(spec, 1);
	memcpy(p->mac[i], p->nic[i]->mac, 6);
}

static void pair_open(struct pair *p, const struct rill_sim_config *config)
{
	p->net = rill_sim_get("t");
	assert_non_null(p->net);
	for (unsigned i = 0; i < 2; i++)
		pair_open_nic(p, i, "sim:t,mtu=2000");
	assert_int_equal(rill_sim_set(p->net, 0, config), 0);
}

static void pair_close(struct pair *p)
{
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(rill_sim_buffers_out(p->net, i), 0);
		rill_nic_close(p->nic[i]);
	}
	rill_sim_put(p->net);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint16_t ip_sum(const uint8_t *ip)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

/* An IPv4 packet with DF and that ECN field. */
static void make_frame(struct pair *p, uint8_t *frame, uint32_t len, uint32_t tag, uint8_t ecn)
{
	uint8_t *ip = frame + 14;

	memset(frame, 0, len);
	memcpy(frame, p->mac[1], 6);
	memcpy(frame + 6, p->mac[0], 6);
	put16(frame + 12, 0x0800);
	ip[0] = 0x45;
	ip[1] = ecn;
	put16(ip + 2, len - 14);
	ip[6] = 0x40;
	ip[9] = 17;
	put16(ip + 12, 0xc612);
	put16(ip + 14, 1);
	put16(ip + 16, 0xc612);
	put16(ip + 18, 2);
	put16(ip + 10, (uint16_t)~ip_sum(ip));
	put16(frame + len - 4, tag >> 16);
	put16(frame + len - 2, tag);
}

static void send_ecn(struct pair *p, uint64_t now, uint32_t tag, uint32_t len, uint8_t ecn)
{
	uint8_t frame[2048];

	make_frame(p, frame, len, tag, ecn);
	p->nic[0]->queues[0]->now_ns = now;
	testnet_nic_send(p->nic[0], frame, len);
}

static void send(struct pair *p, uint64_t now, uint32_t tag)
{
	send_ecn(p, now, tag, FRAME_LEN, 0);
}

/* Receives as a runtime with a paused clock does: jumps to the next arrival, a buffer each time. */
static struct rill_buf *next_buf(struct rill_nic *nic)
{
	struct rill_nic_queue *q = nic->queues[0];
	uint64_t next = nic->driver->rx_next(q);
	struct rill_buf *b;

	if (next == UINT64_MAX)
		return NULL;
	if (next > q->now_ns) {
		q->now_ns = next - 1;
		assert_int_equal(nic->driver->rx_burst(q, &b, 1), 0);
		q->now_ns = next;
	}
	assert_int_equal(nic->driver->rx_burst(q, &b, 1), 1);
	return b;
}

static unsigned receive_all(struct pair *p, struct arrival *arrivals, unsigned max)
{
	struct rill_buf *b;
	unsigned n = 0;

	while ((b = next_buf(p->nic[1]))) {
		assert_true(n < max);
		arrivals[n++] = (struct arrival){p->nic[1]->queues[0]->now_ns,
						 testnet_tag(b->data, b->len), b->len};
		rill_buf_put(b);
	}
	return n;
}

static struct rill_sim_stats stats_of(struct pair *p, unsigned port)
{
	struct rill_sim_stats stats;

	rill_sim_stats(p->net, port, &stats);
	return stats;
}

/* ---- rate, delay, queue ---- */

static void test_perfect(void **state)
{
	struct pair p;
	struct arrival a[4];

	pair_open(&p, &(struct rill_sim_config){0});
	send(&p, 5, 1);
	send(&p, 5, 2);
	assert_int_equal(receive_all(&p, a, 4), 2);
	assert_int_equal(a[0].ns, 5);
	assert_int_equal(a[0].tag, 1);
	assert_int_equal(a[1].tag, 2);
	pair_close(&p);
}

static void test_delay_is_exact(void **state)
{
	struct pair p;
	struct arrival a[4];

	pair_open(&p, &(struct rill_sim_config){.delay_ns = 12345});
	send(&p, 1000, 1);
	send(&p, 1001, 2);
	assert_int_equal(receive_all(&p, a, 4), 2);
	assert_int_equal(a[0].ns, 13345);
	assert_int_equal(a[1].ns, 13346);
	/* The other direction is another link. */
	assert_int_equal(p.nic[0]->driver->rx_next(p.nic[0]->queues[0]), UINT64_MAX);
	pair_close(&p);
}

static void test_rate(void **state)
{
	struct pair p;
	struct arrival a[4];

	pair_open(&p, &(struct rill_sim_config){.rate = RATE, .delay_ns = 7});
	for (uint32_t i = 1; i <= 3; i++)
		send(&p, 0, i);
	send(&p, 10 * FRAME_NS, 4);
	assert_int_equal(receive_all(&p, a, 4), 4);
	for (uint32_t i = 1; i <= 3; i++)
		assert_int_equal(a[i - 1].ns, i * FRAME_NS + 7);
	assert_int_equal(a[3].ns, 11 * FRAME_NS + 7);
	pair_close(&p);
}

/* No nanosecond is lost or won by rounding: 3,000 bits a frame at 7 Gb/s are 428.57 ns. */
static void test_rate_adds_up(void **state)
{
	struct pair p;
	struct arrival *a = calloc(7000, sizeof(*a));

	pair_open(&p, &(struct rill_sim_config){.rate = UINT64_C(7000000000)});
	for (uint32_t i = 0; i < 7000; i++)
		send_ecn(&p, 0, i, 375, 0);
	assert_int_equal(receive_all(&p, a, 7000), 7000);
	assert_int_equal(a[0].ns, 428);
	assert_int_equal(a[6999].ns, 3 * MS);
	free(a);
	pair_close(&p);
}

static void test_queue_drops_the_tail(void **state)
{
	struct pair p;
	struct arrival a[8];

	pair_open(&p, &(struct rill_sim_config){.rate = RATE, .queue_bytes = 3 * FRAME_LEN});
	for (uint32_t i = 1; i <= 6; i++)
		send(&p, 0, i);
	/* Half a frame has been sent: there is no room for a whole one. */
	send(&p, FRAME_NS / 2, 7);
	send(&p, FRAME_NS, 8);
	assert_int_equal(receive_all(&p, a, 8), 4);
	assert_int_equal(a[2].tag, 3);
	assert_int_equal(a[3].tag, 8);
	assert_int_equal(a[3].ns, 4 * FRAME_NS);
	assert_int_equal(stats_of(&p, 0).fates[RILL_SIM_LOST_QUEUE], 4);
	assert_int_equal(stats_of(&p, 0).backlog_max, 3 * FRAME_LEN);
	pair_close(&p);
}

static void test_queue_in_frames(void **state)
{
	struct pair p;
	struct arrival a[8];

	pair_open(&p, &(struct rill_sim_config){.rate = RATE, .queue_frames = 3});
	for (uint32_t i = 1; i <= 5; i++)
		send(&p, 0, i);
	send(&p, FRAME_NS - 1, 6);
	send(&p, FRAME_NS, 7);
	assert_int_equal(receive_all(&p, a, 8), 4);
	assert_int_equal(a[3].tag, 7);
	/* A longer queue keeps what waits. */
	send(&p, 100 * FRAME_NS, 8);
	rill_sim_set(p.net, 0, &(struct rill_sim_config){.rate = RATE, .queue_frames = 4});
	for (uint32_t i = 9; i <= 13; i++)
		send(&p, 100 * FRAME_NS, i);
	assert_int_equal(receive_all(&p, a, 8), 4);
	assert_int_equal(a[3].tag, 11);
	pair_close(&p);
}

static void test_ecn_marks_the_queue(void **state)
{
	struct pair p;
	struct rill_buf *b;
	unsigned marked[3] = {0};

	pair_open(&p, &(struct rill_sim_config){.rate = RATE, .ecn_bytes = 2 * FRAME_LEN});
	for (uint32_t i = 0; i < 9; i++)
		send_ecn(&p, 0, i, FRAME_LEN, (uint8_t)(i % 3));
	while ((b = next_buf(p.nic[1]))) {
		uint32_t tag = testnet_tag(b->data, b->len);
		bool ce = (b->data[15] & 3) == 3;

		assert_int_equal(ip_sum(b->data + 14), 0xffff);
		/* Not-ECT is never marked, nor who finds less than the threshold. */
		assert_int_equal(ce, tag % 3 != 0 && tag >= 2);
		marked[tag % 3] += ce;
		rill_buf_put(b);
	}
	assert_int_equal(marked[1], 2);
	assert_int_equal(marked[2], 3);
	assert_int_equal(stats_of(&p, 0).marked, 5);
	pair_close(&p);
}

/* ---- the bad wire ---- */

/* Sends n frames, a millisecond apart; which of them were lost, as a string of n. */
static unsigned lost_of(struct pair *p, uint64_t start, unsigned n, char *ret_lost)
{
	struct arrival *a = calloc(2 * n, sizeof(*a));

	for (uint32_t i = 0; i < n; i++)
		send(p, start + i * MS, i);
	unsigned got = receive_all(p, a, 2 * n);

	memset(ret_lost, 1, n);
	for (unsigned i = 0; i < got; i++)
		ret_lost[a[i].tag] = 0;
	free(a);
	return n - got;
}

static void test_loss(void **state)
{
	struct pair p;
	char lost[10000];

	pair_open(&p, &(struct rill_sim_config){.loss = PROB(0.1)});
	/* 1,000 expected with a deviation of 30 */
	assert_in_range(lost_of(&p, 0, 10000, lost), 850, 1150);
	assert_in_range(stats_of(&p, 0).fates[RILL_SIM_LOST_RANDOM], 850, 1150);
	rill_sim_set(p.net, 0, &(struct rill_sim_config){.loss = PROB(1)});
	assert_int_equal(lost_of(&p, UINT64_C(20000) * MS, 100, lost), 100);
	rill_sim_set(p.net, 0, &(struct rill_sim_config){0});
	assert_int_equal(lost_of(&p, UINT64_C(21000) * MS, 100, lost), 0);
	pair_close(&p);
}

static void test_bursts(void **state)
{
	struct pair p;
	char lost[20000];
	unsigned bursts = 0;
	struct rill_sim_config config = {.burst = PROB(0.01), .burst_end = PROB(0.2)};

	pair_open(&p, &config);
	unsigned n = lost_of(&p, 0, sizeof(lost), lost);

	for (size_t i = 1; i < sizeof(lost); i++)
		bursts += lost[i] && !lost[i - 1];
	/* One frame in 21 is in a burst, which has five on average. */
	assert_in_range(n, 750, 1150);
	assert_true(n > 4 * bursts && n < 6 * bursts);
	config.burst_loss = PROB(0.5);
	rill_sim_set(p.net, 0, &config);
	assert_in_range(lost_of(&p, UINT64_C(30000) * MS, sizeof(lost), lost), 350, 600);
	pair_close(&p);
}

static void test_reordering(void **state)
{
	struct pair p;
	struct arrival a[1000];
	unsigned late = 0;

	pair_open(&p, &(struct rill_sim_config){
			      .delay_ns = 100,
			      .reorder = PROB(0.1),
			      .reorder_ns = 3 * MS + MS / 2,
		      });
	for (uint32_t i = 0; i < 1000; i++)
		send(&p, i * MS, i);
	assert_int_equal(receive_all(&p, a, 1000), 1000);
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t wait = a[i].ns - a[i].tag * MS;

		assert_true(wait == 100 || wait == 100 + 3 * MS + MS / 2);
		late += wait != 100;
	}
	assert_in_range(late, 60, 140);
	assert_int_equal(stats_of(&p, 0).reordered, late);
	pair_close(&p);
}

static void test_jitter_keeps_the_order(void **state)
{
	struct pair p;
	struct arrival a[500];
	uint64_t longest = 0;

	pair_open(&p, &(struct rill_sim_config){.delay_ns = MS, .jitter_ns = 5 * MS});
	for (uint32_t i = 0; i < 500; i++)
		send(&p, i * MS, i);
	assert_int_equal(receive_all(&p, a, 500), 500);
	for (unsigned i = 0; i < 500; i++) {
		uint64_t wait = a[i].ns - a[i].tag * MS;

		assert_int_equal(a[i].tag, i);
		assert_true(wait >= MS && wait <= 6 * MS);
		longest = wait > longest ? wait : longest;
	}
	assert_true(longest > 5 * MS);
	pair_close(&p);
}

static void test_duplicates(void **state)
{
	struct pair p;
	struct arrival a[2000];
	unsigned twice = 0;

	pair_open(&p, &(struct rill_sim_config){.delay_ns = 9, .dup = PROB(0.25)});
	for (uint32_t i = 0; i < 1000; i++)
		send(&p, i * MS, i);
	unsigned n = receive_all(&p, a, 2000);

	for (unsigned i = 1; i < n; i++)
		twice += a[i].tag == a[i - 1].tag;
	assert_int_equal(n, 1000 + twice);
	assert_in_range(twice, 190, 310);
	pair_close(&p);
}

static void test_corruption_flips_one_bit(void **state)
{
	struct pair p;
	uint8_t frame[FRAME_LEN];
	struct rill_buf *b;
	unsigned flipped = 0;

	pair_open(&p, &(struct rill_sim_config){.corrupt = PROB(0.2)});
	make_frame(&p, frame, FRAME_LEN, 77, 0);
	for (unsigned i = 0; i < 1000; i++)
		send(&p, i * MS, 77);
	while ((b = next_buf(p.nic[1]))) {
		unsigned bits = 0;

		assert_memory_equal(b->data, frame, 14);
		for (unsigned i = 14; i < FRAME_LEN; i++)
			bits += (unsigned)__builtin_popcount(b->data[i] ^ frame[i]);
		assert_in_range(bits, 0, 1);
		flipped += bits;
		rill_buf_put(b);
	}
	assert_in_range(flipped, 130, 270);
	assert_int_equal(stats_of(&p, 0).corrupted, flipped);
	/* What has no checksum of its own is spared. */
	rill_sim_set(p.net, 0, &(struct rill_sim_config){.corrupt = PROB(1)});
	put16(frame + 12, 0x0806);
	testnet_nic_send(p.nic[0], frame, FRAME_LEN);
	b = next_buf(p.nic[1]);
	assert_memory_equal(b->data, frame, FRAME_LEN);
	rill_buf_put(b);
	pair_close(&p);
}

/* ---- mtu, flaps, changes ---- */

static void test_mtu_black_hole(void **state)
{
	struct pair p;
	struct arrival a[4];

	pair_open(&p, &(struct rill_sim_config){.mtu = 1000});
	send_ecn(&p, 0, 1, 1014, 0);
	send_ecn(&p, 0, 2, 1015, 0);
	assert_int_equal(receive_all(&p, a, 4), 1);
	assert_int_equal(a[0].tag, 1);
	assert_int_equal(stats_of(&p, 0).fates[RILL_SIM_LOST_MTU], 1);
	assert_null(next_buf(p.nic[0]));
	pair_close(&p);
}

static void test_mtu_answer(void **state)
{
	struct pair p;
	uint8_t frame[1015];
	uint32_t sum = 0;

	pair_open(&p, &(struct rill_sim_config){.mtu = 1000, .mtu_answer = true, .delay_ns = 50});
	send_ecn(&p, 1000, 2, 1015, 0);
	make_frame(&p, frame, 1015, 2, 0);
	struct rill_buf *b = next_buf(p.nic[0]);

	assert_non_null(b);
	assert_int_equal(p.nic[0]->queues[0]->now_ns, 1050);
	assert_int_equal(b->len, 14 + 20 + 8 + 28);
	assert_memory_equal(b->data, p.nic[0]->mac, 6);
	const uint8_t *ip = b->data + 14, *icmp = ip + 20;

	assert_int_equal(ip_sum(ip), 0xffff);
	assert_memory_equal(ip + 12, frame + 14 + 16, 4);
	assert_memory_equal(ip + 16, frame + 14 + 12, 4);
	assert_int_equal(icmp[0], 3);
	assert_int_equal(icmp[1], 4);
	assert_int_equal(icmp[6] << 8 | icmp[7], 1000);
	assert_memory_equal(icmp + 8, frame + 14, 28);
	for (unsigned i = 0; i < 36; i += 2)
		sum += (uint32_t)icmp[i] << 8 | icmp[i + 1];
	assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
	rill_buf_put(b);
	/* Who allows fragments gets no answer. */
	frame[14 + 6] = 0;
	testnet_nic_send(p.nic[0], frame, sizeof(frame));
	assert_null(next_buf(p.nic[0]));
	pair_close(&p);
}

static void test_flapping(void **state)
{
	struct pair p;
	char lost[40];

	pair_open(&p, &(struct rill_sim_config){.up_ns = 7 * MS, .down_ns = 3 * MS});
	assert_int_equal(lost_of(&p, 0, 40, lost), 12);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(lost[i], i % 10 >= 7);
	rill_sim_set(p.net, 0, &(struct rill_sim_config){.down = true});
	assert_int_equal(lost_of(&p, 100 * MS, 40, lost), 40);
	assert_int_equal(stats_of(&p, 0).fates[RILL_SIM_LOST_DOWN], 52);
	rill_sim_set(p.net, 0, &(struct rill_sim_config){0});
	assert_int_equal(lost_of(&p, 200 * MS, 40, lost), 0);
	pair_close(&p);
}

/* What is in flight when the delay shrinks comes when it would have, the next one is not earlier.
 */
static void test_change_while_running(void **state)
{
	struct pair p;
	struct arrival a[4];

	pair_open(&p, &(struct rill_sim_config){.delay_ns = 10 * MS});
	send(&p, 0, 1);
	rill_sim_set(p.net, 0, &(struct rill_sim_config){.delay_ns = MS});
	send(&p, MS, 2);
	send(&p, 20 * MS, 3);
	assert_int_equal(receive_all(&p, a, 4), 3);
	assert_int_equal(a[0].ns, 10 * MS);
	assert_int_equal(a[1].ns, 10 * MS);
	assert_int_equal(a[1].tag, 2);
	assert_int_equal(a[2].ns, 21 * MS);
	pair_close(&p);
}

/* ---- seeds, specs, sleeping ---- */

static unsigned run_seed(const char *spec, uint64_t *ret_hash)
{
	struct pair p = {.net = rill_sim_get("t")};
	struct arrival a[1000];

	pair_open_nic(&p, 0, spec);
	pair_open_nic(&p, 1, "sim:t");
	for (uint32_t i = 0; i < 500; i++)
		send(&p, i * MS, i);
	unsigned n = receive_all(&p, a, 1000);

	*ret_hash = 14695981039346656037u;
	for (unsigned i = 0; i < n; i++)
		*ret_hash = (*ret_hash ^ a[i].ns ^ (uint64_t)a[i].tag << 40) * 1099511628211u;
	pair_close(&p);
	return n;
}

static void test_same_seed_same_sequence(void **state)
{
#define BAD                                                                                        \
	"sim:t,loss=0.1,dup=0.1,burst=0.01,burst_end=0.3,burst_loss=0.9,reorder=0.1,"              \
	"reorder_ns=5000000,jitter_ns=100000,rate=20000000,queue=5000,corrupt=0,delay_ns=1000,"
	uint64_t a, b, other;

	assert_true(run_seed(BAD "seed=7", &a) > 300);
	run_seed(BAD "seed=7", &b);
	run_seed(BAD "seed=8", &other);
	assert_int_equal(a, b);
	assert_int_not_equal(a, other);
}

static void test_specs(void **state)
{
	static const char *const bad[] = {
		"sim:t,rate=fast", "sim:t,loss=2", "sim:t,delay=5", "sim:t,rate=1", "sim:t,ring=7",
	};
	char error[RILL_NIC_ERROR_LEN];
	struct rill_sim_config config;
	struct rill_nic *nic;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(rill_nic_open(bad[i], 1, &nic, error), -EINVAL);
		assert_non_null(strstr(error, "sim:"));
	}
	struct rill_sim_net *net = rill_sim_get("t");

	nic = testnet_nic_open("sim:t,rate=5000,loss=0.5,link_mtu=900,up_ns=3,down_ns=4,ecn=7", 2);
	rill_sim_config(net, 0, &config);
	assert_int_equal(config.rate, 5000);
	assert_int_equal(config.loss, RILL_SPEC_PROB_ONE / 2);
	assert_int_equal(config.mtu, 900);
	assert_int_equal(config.up_ns, 3);
	assert_int_equal(config.down_ns, 4);
	assert_int_equal(config.ecn_bytes, 7);
	assert_int_equal(nic->queue_count, 2);
	rill_nic_close(nic);
	/* The link is the net's: a NIC that says nothing finds it as it was. */
	nic = testnet_nic_open("sim:t", 1);
	rill_sim_config(net, 0, &config);
	assert_int_equal(config.rate, 5000);
	rill_nic_close(nic);
	rill_sim_put(net);
}

/* mem: and sim: of one name are strangers. */
static void test_not_mem(void **state)
{
	struct pair p;
	struct rill_nic *mem = testnet_nic_open("mem:t", 1);
	struct rill_buf *b;

	pair_open(&p, &(struct rill_sim_config){0});
	uint8_t frame[FRAME_LEN];

	make_frame(&p, frame, FRAME_LEN, 1, 0);
	memset(frame, 0xff, 6);
	testnet_nic_send(p.nic[0], frame, FRAME_LEN);
	testnet_nic_send(mem, frame, FRAME_LEN);
	assert_int_equal(mem->driver->rx_burst(mem->queues[0], &b, 1), 0);
	b = next_buf(p.nic[1]);
	assert_non_null(b);
	rill_buf_put(b);
	assert_null(next_buf(p.nic[1]));
	rill_nic_close(mem);
	pair_close(&p);
}

static bool readable(int fd)
{
	struct pollfd set = {.fd = fd, .events = POLLIN};

	return poll(&set, 1, 0) == 1;
}

/* A receiver that sleeps until some time is woken for what comes earlier, and for that only. */
static void test_sleeping(void **state)
{
	struct pair p;

	pair_open(&p, &(struct rill_sim_config){.delay_ns = 10 * MS});
	const struct rill_driver *d = p.nic[1]->driver;
	struct rill_nic_queue *q = p.nic[1]->queues[0];

	assert_true(d->rx_arm(q));
	assert_int_equal(d->rx_next(q), UINT64_MAX);
	send(&p, 0, 1);
	/* Woken, but the frame is not there yet. */
	assert_true(readable(d->rx_fd(q)));
	struct rill_buf *b = NULL;

	assert_int_equal(d->rx_burst(q, &b, 1), 0);
	d->rx_disarm(q);
	assert_true(d->rx_arm(q));
	assert_int_equal(d->rx_next(q), 10 * MS);
	/* One that comes later is no reason to wake up. */
	send(&p, MS, 2);
	assert_false(readable(d->rx_fd(q)));
	d->rx_disarm(q);
	q->now_ns = 10 * MS;
	assert_false(d->rx_arm(q));
	d->rx_disarm(q);
	for (uint32_t tag = 1; tag <= 2; tag++) {
		b = next_buf(p.nic[1]);
		assert_non_null(b);
		assert_int_equal(testnet_tag(b->data, b->len), tag);
		rill_buf_put(b);
	}
	pair_close(&p);
}

/* What is in flight to a port that closes goes with it. */
static void test_close_in_flight(void **state)
{
	struct pair p;

	pair_open(&p, &(struct rill_sim_config){.delay_ns = 10 * MS});
	send(&p, 0, 1);
	rill_nic_close(p.nic[1]);
	send(&p, 0, 2);
	pair_open_nic(&p, 1, "sim:t");
	p.nic[1]->queues[0]->now_ns = 20 * MS;
	assert_null(next_buf(p.nic[1]));
	send(&p, 0, 3);
	struct rill_buf *b = next_buf(p.nic[1]);

	assert_non_null(b);
	rill_buf_put(b);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_perfect),
		cmocka_unit_test(test_delay_is_exact),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_rate_adds_up),
		cmocka_unit_test(test_queue_drops_the_tail),
		cmocka_unit_test(test_queue_in_frames),
		cmocka_unit_test(test_ecn_marks_the_queue),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_reordering),
		cmocka_unit_test(test_jitter_keeps_the_order),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_corruption_flips_one_bit),
		cmocka_unit_test(test_mtu_black_hole),
		cmocka_unit_test(test_mtu_answer),
		cmocka_unit_test(test_flapping),
		cmocka_unit_test(test_change_while_running),
		cmocka_unit_test(test_same_seed_same_sequence),
		cmocka_unit_test(test_specs),
		cmocka_unit_test(test_not_mem),
		cmocka_unit_test(test_sleeping),
		cmocka_unit_test(test_close_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
