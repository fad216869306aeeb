/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A DPDK port with nothing around it: what its driver allows.
 *
 * - limit_dpdk echo DEVICE: sends back what comes, addresses swapped, until killed
 * - limit_dpdk flood DEVICE: sends 64 byte frames as fast as they are taken, until killed
 * - limit_dpdk rr DEVICE: one frame, as long as a TCP segment with 64 bytes, there and back to an
 *   echo; prints the median in microseconds
 * - limit_dpdk load DEVICE: 64 UDP datagrams of 64 bytes on their way to an echo and back; prints
 *   nanoseconds per answer
 * - limit_dpdk drop DEVICE: receives and drops; prints nanoseconds per frame
 * - limit_dpdk loop DEVICE: sends again what comes, on a port that is a loop (net_ring0); the same
 *
 * DEVICE is for EAL's --vdev.
 */
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <string.h>

#include "bench/limits/limit.h"

#define BURST 32
#define RING_SLOTS 1024
#define MBUFS 8191
#define CACHE 256
#define RR_BYTES (14 + 20 + 32 + 64)
#define UDP_BYTES (14 + 20 + 8 + 64)
#define SMALL_BYTES 64
#define IN_FLIGHT 64
#define SAMPLES_MAX 2000000
#define LOST_AFTER_NS UINT64_C(100000000)
#define GIVE_UP_NS UINT64_C(20000000000)

static uint16_t port;
static struct rte_mempool *pool;
static const uint8_t server_mac[6] = {2, 0, 0, 0, 0, 1}, client_mac[6] = {2, 0, 0, 0, 0, 2};

static void check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "limit_dpdk: %s\n", what);
	exit(1);
}

static void open_port(const char *device)
{
	static const char *const args[] = {
		"limit", "--no-shconf", "--no-huge",	  "-m",
		"512",	 "--no-pci",	"--no-telemetry", "--log-level=1"};
	enum { ARGS = sizeof(args) / sizeof(args[0]) };
	char vdev[256], *argv[ARGS + 1];
	struct rte_eth_conf conf = {0};
	uint64_t until = limit_now() + GIVE_UP_NS;

	snprintf(vdev, sizeof(vdev), "--vdev=%s", device);
	for (int i = 0; i < ARGS; i++)
		argv[i] = strdup(args[i]);
	argv[ARGS] = vdev;
	check(rte_eal_init(ARGS + 1, argv) >= 0, "EAL");
	pool = rte_pktmbuf_pool_create("mbufs", MBUFS, CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, -1);
	check(pool && rte_eth_dev_count_avail() == 1, device);
	check(rte_eth_dev_configure(port, 1, 1, &conf) == 0, "configure");
	check(rte_eth_rx_queue_setup(port, 0, RING_SLOTS, 0, NULL, pool) == 0, "rx queue");
	check(rte_eth_tx_queue_setup(port, 0, RING_SLOTS, 0, NULL) == 0, "tx queue");
	/* A client of memif fails until its server is there. */
	while (rte_eth_dev_start(port) != 0)
		check(limit_now() < until, "start");
}

static struct rte_mbuf *frame(const uint8_t *bytes, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	check(m != NULL, "mbufs");
	memcpy(rte_pktmbuf_append(m, len), bytes, len);
	return m;
}

static unsigned receive(struct rte_mbuf **m)
{
	return rte_eth_rx_burst(port, 0, m, BURST);
}

static unsigned transmit(struct rte_mbuf **m, unsigned n)
{
	unsigned sent = rte_eth_tx_burst(port, 0, m, (uint16_t)n);

	if (sent < n)
		rte_pktmbuf_free_bulk(m + sent, n - sent);
	return sent;
}

/* ---- without an end ---- */

static void swap(struct rte_mbuf *m)
{
	struct rte_ether_hdr *h = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_ether_addr dst = h->dst_addr;

	h->dst_addr = h->src_addr;
	h->src_addr = dst;
}

static void echo(void)
{
	struct rte_mbuf *m[BURST];

	for (;;) {
		unsigned n = receive(m);

		for (unsigned i = 0; i < n; i++)
			swap(m[i]);
		if (n)
			transmit(m, n);
	}
}

static void flood(void)
{
	uint8_t bytes[SMALL_BYTES] = {0};
	struct rte_mbuf *m[BURST];

	memset(bytes, 0xff, 6);
	memcpy(bytes + 6, client_mac, 6);
	bytes[12] = 0x88;
	bytes[13] = 0xb5;
	for (;;) {
		for (int i = 0; i < BURST; i++)
			m[i] = frame(bytes, sizeof(bytes));
		transmit(m, BURST);
		/* memif's other end counts on our looking. */
		rte_pktmbuf_free_bulk(m, receive(m));
	}
}

/* ---- measured ---- */

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Is there an answer with this number at its end? 0: any will do. */
static int answered(uint32_t number)
{
	struct rte_mbuf *m[BURST];
	unsigned n = receive(m);
	int found = n > 0 && number == 0;

	for (unsigned i = 0; i < n && !found; i++)
		found = memcmp(rte_pktmbuf_mtod_offset(m[i], uint8_t *, m[i]->data_len - 4),
			       &number, 4) == 0;
	rte_pktmbuf_free_bulk(m, n);
	return found;
}

/* 0: no answer in time. A late one is not taken for the next. */
static uint64_t round_trip(uint8_t *bytes, uint16_t len, uint32_t number)
{
	uint64_t begin = limit_now();
	struct rte_mbuf *m;

	memcpy(bytes + len - 4, &number, number ? 4 : 0);
	m = frame(bytes, len);
	transmit(&m, 1);
	while (!answered(number))
		if (limit_now() - begin > LOST_AFTER_NS)
			return 0;
	return limit_now() - begin;
}

static void rr(void)
{
	uint32_t *samples_ns = calloc(SAMPLES_MAX, sizeof(*samples_ns));
	uint8_t bytes[RR_BYTES] = {0};
	uint64_t run_ns = limit_run_ns(), until = limit_now() + GIVE_UP_NS;
	uint32_t number = 0;
	size_t count = 0;

	check(samples_ns != NULL, "memory");
	memcpy(bytes, server_mac, 6);
	memcpy(bytes + 6, client_mac, 6);
	while (round_trip(bytes, sizeof(bytes), ++number) == 0)
		check(limit_now() < until, "an answer");
	for (until = limit_now() + run_ns / LIMIT_WARM_UP_SHARE; limit_now() < until;)
		round_trip(bytes, sizeof(bytes), ++number);
	for (until = limit_now() + run_ns; limit_now() < until && count < SAMPLES_MAX;)
		samples_ns[count++] = (uint32_t)round_trip(bytes, sizeof(bytes), ++number);
	qsort(samples_ns, count, sizeof(*samples_ns), by_value);
	printf("%.3f\n", samples_ns[count / 2] / 1000.0);
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* From 198.18.0.2:40000 to 198.18.0.1:7777, without a UDP checksum. */
static void make_datagram(uint8_t *p)
{
	static const uint8_t addresses[8] = {198, 18, 0, 2, 198, 18, 0, 1};
	uint32_t sum = 0;

	memset(p, 0, UDP_BYTES);
	memcpy(p, server_mac, 6);
	memcpy(p + 6, client_mac, 6);
	put16(p + 12, 0x0800);
	p[14] = 0x45;
	put16(p + 16, UDP_BYTES - 14);
	p[22] = 64;
	p[23] = 17;
	memcpy(p + 26, addresses, 8);
	for (int i = 14; i < 34; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	put16(p + 24, (uint16_t) ~((sum & 0xffff) + (sum >> 16)));
	put16(p + 34, 40000);
	put16(p + 36, 7777);
	put16(p + 38, UDP_BYTES - 34);
}

/* Who asks for the server's address tells its own. */
static void make_arp(uint8_t *p)
{
	static const uint8_t fixed[8] = {0, 1, 8, 0, 6, 4, 0, 1};

	memset(p, 0, SMALL_BYTES);
	memset(p, 0xff, 6);
	memcpy(p + 6, client_mac, 6);
	put16(p + 12, 0x0806);
	memcpy(p + 14, fixed, 8);
	memcpy(p + 22, client_mac, 6);
	memcpy(p + 28, (uint8_t[]){198, 18, 0, 2}, 4);
	memcpy(p + 38, (uint8_t[]){198, 18, 0, 1}, 4);
}

/* Answers in ns nanoseconds; what is lost is made up for. */
static uint64_t answers(const uint8_t *bytes, uint64_t ns, uint64_t *ret_ns)
{
	uint64_t begin = limit_now(), now = begin, last = begin, count = 0;
	unsigned in_flight = 0;
	struct rte_mbuf *m[BURST];

	while (now - begin < ns) {
		unsigned want = IN_FLIGHT - in_flight < BURST ? IN_FLIGHT - in_flight : BURST, n;

		for (unsigned i = 0; i < want; i++)
			m[i] = frame(bytes, UDP_BYTES);
		in_flight += transmit(m, want);
		n = receive(m);
		rte_pktmbuf_free_bulk(m, n);
		count += n;
		in_flight -= n < in_flight ? n : in_flight;
		now = limit_now();
		if (n)
			last = now;
		if (now - last > LOST_AFTER_NS) {
			in_flight = 0;
			last = now;
		}
	}
	*ret_ns = now - begin;
	return count;
}

static void load(void)
{
	uint8_t arp[SMALL_BYTES], bytes[UDP_BYTES];
	uint64_t run_ns = limit_run_ns(), ns, count, until = limit_now() + GIVE_UP_NS;

	make_arp(arp);
	make_datagram(bytes);
	while (round_trip(arp, sizeof(arp), 0) == 0 || round_trip(bytes, sizeof(bytes), 0) == 0)
		check(limit_now() < until, "an answer");
	answers(bytes, run_ns / LIMIT_WARM_UP_SHARE, &ns);
	count = answers(bytes, run_ns, &ns);
	check(count > 0, "answers");
	printf("%.3f\n", (double)ns / (double)count);
}

/* Frames in ns nanoseconds, dropped or sent again. */
static uint64_t frames(int again, uint64_t ns, uint64_t *ret_ns)
{
	uint64_t begin = limit_now(), count = 0;
	struct rte_mbuf *m[BURST];

	do {
		for (int i = 0; i < 64; i++) {
			unsigned n = receive(m);

			count += n;
			if (again)
				transmit(m, n);
			else
				rte_pktmbuf_free_bulk(m, n);
		}
		*ret_ns = limit_now() - begin;
	} while (*ret_ns < ns);
	return count;
}

static void count_frames(int again)
{
	uint64_t run_ns = limit_run_ns(), ns, count, until = limit_now() + GIVE_UP_NS;

	while (frames(again, run_ns / LIMIT_WARM_UP_SHARE, &ns) == 0)
		check(limit_now() < until, "frames");
	count = frames(again, run_ns, &ns);
	printf("%.3f\n", (double)ns / (double)count);
}

static void drop(void)
{
	count_frames(0);
}

static void loop(void)
{
	uint8_t bytes[SMALL_BYTES] = {0};
	struct rte_mbuf *m;

	for (int i = 0; i < 4 * BURST; i++) {
		m = frame(bytes, sizeof(bytes));
		transmit(&m, 1);
	}
	count_frames(1);
}

static const struct {
	const char *name;
	void (*run)(void);
} modes[] = {{"echo", echo}, {"flood", flood}, {"rr", rr},
	     {"load", load}, {"drop", drop},   {"loop", loop}};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(argv[1], modes[i].name) != 0)
			continue;
		open_port(argv[2]);
		modes[i].run();
		return 0;
	}
	fprintf(stderr, "usage: limit_dpdk echo|flood|rr|load|drop|loop DEVICE\n");
	return 2;
}
