/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The DPDK driver over PMDs that need neither hardware nor the kernel's network. EAL starts once
 * per process, so the tests share it, and what is about its start is tested in children.
 */
#include "drivers/driver.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/plugin.h"
#include "testnet.h"

#define FRAME_LEN 90
/* Other processes start EAL meanwhile. */
#define PATIENCE_MS 30000

/* ---- helpers ---- */

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* The next frame of the queue; NULL: none came for as long as a test waits. */
static struct rill_buf *receive_on(struct rill_nic *nic, unsigned queue)
{
	struct rill_buf *b;

	for (uint64_t end = now_ms() + PATIENCE_MS; now_ms() < end; sched_yield())
		if (nic->driver->rx_burst(nic->queues[queue], &b, 1) == 1)
			return b;
	return NULL;
}

static struct rill_buf *receive(struct rill_nic *nic)
{
	return receive_on(nic, 0);
}

static void put(struct rill_nic *nic, struct rill_buf *b)
{
	rill_buf_put_owner(nic->queues[0]->pool, b);
}

static void wait_link(struct rill_nic *nic, bool up)
{
	struct rill_nic_link link = {0};

	for (uint64_t end = now_ms() + PATIENCE_MS; now_ms() < end; sched_yield()) {
		struct rill_buf *b;

		/* Shared-memory PMDs send only into what the other end has posted by receiving. */
		assert_int_equal(nic->driver->rx_burst(nic->queues[0], &b, 1), 0);
		nic->driver->link(nic, &link);
		if (link.up == up)
			break;
	}
	for (unsigned i = 0; i < nic->queue_count && link.up; i++) {
		struct rill_buf *b;

		assert_int_equal(nic->driver->rx_burst(nic->queues[i], &b, 1), 0);
	}
	if (link.up == up)
		return;
	fail_msg("%s: the link did not go %s", nic->describe, up ? "up" : "down");
}

/* len bytes that tell their place, behind an Ethernet header of which nobody knows anything. */
static struct rill_buf *make_frame(struct rill_buf_pool *pool, uint32_t len, uint32_t tag)
{
	struct rill_buf *b = rill_buf_alloc(pool);
	uint8_t *p;

	assert_non_null(b);
	p = rill_buf_append(b, len);
	for (uint32_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 7 + tag);
	memset(p, 0xff, 6);
	memset(p + 6, 2, 6);
	p[12] = 0x88;
	p[13] = 0xb5;
	for (int i = 0; i < 4; i++)
		p[len - 4 + (uint32_t)i] = (uint8_t)(tag >> (24 - 8 * i));
	return b;
}

static void send_one(struct rill_nic *nic, struct rill_buf *b)
{
	assert_int_equal(nic->driver->tx_burst(nic->queues[0], &b, 1), 1);
	nic->driver->tx_flush(nic->queues[0]);
}

static int open_error(const char *spec, char *error)
{
	struct rill_nic *nic = NULL;
	int err = rill_nic_open(spec, 1, &nic, error);

	assert_null(nic);
	return err;
}

static void assert_error(const char *spec, int err, const char *text)
{
	char error[RILL_NIC_ERROR_LEN];
	int got = open_error(spec, error);

	if (err)
		assert_int_equal(got, err);
	assert_true(got < 0);
	if (!strstr(error, text))
		fail_msg("'%s' does not say '%s'", error, text);
}

/* All buffers of the queue's pool can be had: none is lost. */
static void assert_all_back(struct rill_nic *nic, unsigned held_by_pmd)
{
	struct rill_buf_pool *pool = nic->queues[0]->pool;
	struct rill_buf *all = NULL;
	unsigned count = 0;

	for (struct rill_buf *b; (b = rill_buf_alloc(pool)); count++) {
		b->next = all;
		all = b;
	}
	while (all) {
		struct rill_buf *next = all->next;

		all->next = NULL;
		rill_buf_put_owner(pool, all);
		all = next;
	}
	assert_in_range(count, pool->size - held_by_pmd, pool->size);
}

/* ---- opening ---- */

static void test_missing_module(void **state)
{
	const struct rill_driver *driver = NULL;
	char error[RILL_NIC_ERROR_LEN];

	assert_int_equal(rill_driver_plugin_load("nosuch", "libnosuch", &driver, error), -ENOTSUP);
	assert_non_null(strstr(error, "librill_nosuch.so"));
	assert_non_null(strstr(error, "apt-get install libnosuch"));
}

/* One that is there and is none of ours. */
static void test_foreign_module(void **state)
{
	const struct rill_driver *driver = NULL;
	char dir[] = "/tmp/rill-test-dpdk-XXXXXX", path[64], error[RILL_NIC_ERROR_LEN];
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/librill_broken.so", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("no library\n", f);
	fclose(f);
	setenv("RILL_PLUGIN_PATH", dir, 1);
	assert_int_equal(rill_driver_plugin_load("broken", "x", &driver, error), -ENOTSUP);
	assert_non_null(strstr(error, "does not load"));
	unsetenv("RILL_PLUGIN_PATH");
	unlink(path);
	rmdir(dir);
}

/* In a child, since EAL does not try twice. What it prints comes into out. */
static void child_error(const char *spec, const char *eal, char *error, char *out, size_t len)
{
	int to[2], said[2];
	pid_t pid;
	ssize_t n;

	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(said), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		/* The parent waits for what it says. */
		alarm(PATIENCE_MS / 1000);
		dup2(said[1], 1);
		dup2(said[1], 2);
		setenv("RILL_DPDK_EAL", eal, 1);
		memset(error, 0, RILL_NIC_ERROR_LEN);
		open_error(spec, error);
		n = write(to[1], error, RILL_NIC_ERROR_LEN);
		_exit(n != RILL_NIC_ERROR_LEN);
	}
	close(to[1]);
	close(said[1]);
	assert_int_equal(read(to[0], error, RILL_NIC_ERROR_LEN), RILL_NIC_ERROR_LEN);
	n = read(said[0], out, len - 1);
	out[n > 0 ? n : 0] = 0;
	close(to[0]);
	close(said[0]);
	waitpid(pid, NULL, 0);
}

static void test_eal_does_not_start(void **state)
{
	char error[RILL_NIC_ERROR_LEN], out[4096];

	child_error("dpdk:net_null0", "--lcores=9999", error, out, sizeof(out));
	assert_non_null(strstr(error, "EAL does not start"));
	child_error("dpdk:net_null0,rill.bufs=200000", "--no-huge -m 64", error, out, sizeof(out));
	assert_non_null(strstr(error, "no memory for"));
	assert_non_null(strstr(error, "rill.bufs"));
	assert_string_equal(out, "");
}

static void test_bad_specs(void **state)
{
	assert_error("dpdk:", -EINVAL, "names no NIC");
	assert_error("dpdk:rill.bufs=300", -EINVAL, "names no device");
	assert_error("dpdk:net_null0,rill.foo=1", -EINVAL, "unknown option 'foo'");
	assert_error("dpdk:net_null0,rill.bufs=1", -EINVAL, "bad bufs");
	assert_error("dpdk:net_nosuch0", 0, "is it a PMD that is installed");
	assert_error("dpdk:net_memif0,role=nobody", 0, "are its arguments right");
	assert_error("dpdk:fffe:00:1e.5", 0, "vfio-pci");
	assert_error("dpdk:net_null0,rill.isolate=on", -ENOTSUP, "rill.isolate=off");
	assert_error("dpdk:net_null0,rill.mtu=99999", -EINVAL, "bad mtu");
}

static void test_once_per_process(void **state)
{
	struct rill_nic *nic = testnet_nic_open("dpdk:net_null0", 1);

	assert_error("dpdk:net_null0", -EBUSY, "in use by this process");
	assert_error("dpdk:net_null1,rill.eal=-m 5", -EBUSY, "once per process");
	rill_nic_close(nic);
	nic = testnet_nic_open("dpdk:net_null0", 1);
	rill_nic_close(nic);
}

/* ---- buffers ---- */

/* What a ring takes comes back on the same port: one that is a loop. */
static void test_ring_loop(void **state)
{
	struct rill_nic *nic = testnet_nic_open("dpdk:net_ring0", 1);
	struct rill_buf *b = make_frame(nic->queues[0]->pool, FRAME_LEN, 1);
	struct rill_buf *in;

	send_one(nic, b);
	in = receive(nic);
	/* Nobody else had it: it is the buffer itself, without a copy. */
	assert_ptr_equal(in, b);
	assert_int_equal(in->len, FRAME_LEN);
	assert_int_equal(testnet_tag(in->data, in->len), 1);
	assert_true(rill_buf_exclusive(in));
	assert_int_equal(rill_buf_headroom(in), RILL_BUF_HEADROOM);
	put(nic, in);
	assert_int_equal(nic->queues[0]->stats.tx_packets, 1);
	assert_int_equal(nic->queues[0]->stats.rx_packets, 1);
	assert_all_back(nic, 0);
	rill_nic_close(nic);
}

/* A buffer that its sender keeps is not exclusive until the NIC has done with it. */
static void test_kept_buffer(void **state)
{
	struct rill_nic *nic = testnet_nic_open("dpdk:net_ring0", 1);
	struct rill_buf *b = make_frame(nic->queues[0]->pool, FRAME_LEN, 2);
	struct rill_buf *in;

	rill_buf_get(b);
	send_one(nic, b);
	assert_false(rill_buf_exclusive(b));
	in = receive(nic);
	assert_true(rill_buf_exclusive(b));
	/* Whoever receives may write: so not into ours. */
	assert_ptr_not_equal(in, b);
	assert_true(in->data >= in->head && in->data + in->len <= in->end);
	assert_int_equal(in->len, b->len);
	assert_memory_equal(in->data, b->data, b->len);
	memset(in->data, 0, in->len);
	assert_int_equal(testnet_tag(b->data, b->len), 2);
	put(nic, in);
	/* Sent again, as a retransmission, and now for good. */
	send_one(nic, b);
	in = receive(nic);
	assert_ptr_equal(in, b);
	put(nic, in);
	assert_all_back(nic, 0);
	rill_nic_close(nic);
}

/* A full ring takes no more, and what it does not take stays whole. */
static void test_full_ring(void **state)
{
	struct rill_nic *nic = testnet_nic_open("dpdk:net_ring0,rill.bufs=4096", 1);
	struct rill_buf_pool *pool = nic->queues[0]->pool;
	struct rill_buf *kept = make_frame(pool, FRAME_LEN, 3);
	struct rill_buf *bufs[8];
	unsigned sent = 0, got = 0, n;

	do {
		for (int i = 0; i < 8; i++) {
			bufs[i] = i & 1 ? kept : make_frame(pool, FRAME_LEN, 3);
			if (i & 1)
				rill_buf_get(kept);
		}
		n = nic->driver->tx_burst(nic->queues[0], bufs, 8);
		sent += n;
		for (unsigned i = n; i < 8; i++)
			put(nic, bufs[i]);
	} while (n == 8 && sent < 100000);
	assert_in_range(sent, 100, 99999);
	for (; (n = nic->driver->rx_burst(nic->queues[0], bufs, 8)) > 0; got += n)
		for (unsigned i = 0; i < n; i++)
			put(nic, bufs[i]);
	assert_int_equal(got, sent);
	assert_true(rill_buf_exclusive(kept));
	put(nic, kept);
	assert_all_back(nic, 0);
	rill_nic_close(nic);
}

/* Memory that is not EAL's. */
static void test_foreign_memory(void **state)
{
	struct rill_nic *nic = testnet_nic_open("dpdk:net_ring0", 1);
	struct rill_buf_pool heap;
	struct rill_buf *b, *in;

	assert_int_equal(rill_buf_pool_init_heap(&heap, 4, 2048), 0);
	b = make_frame(&heap, FRAME_LEN, 4);
	send_one(nic, b);
	/* It is on its way by reference: not back in its pool. */
	assert_int_equal(rill_buf_pool_reclaim(&heap), 3);
	in = receive(nic);
	assert_int_equal(testnet_tag(in->data, in->len), 4);
	assert_int_equal(rill_buf_pool_reclaim(&heap), 4);
	put(nic, in);
	assert_all_back(nic, 0);
	rill_nic_close(nic);
	rill_buf_pool_fini_heap(&heap);
}

static void check_pieces(struct rill_nic *from, struct rill_nic *to)
{
	struct rill_buf_pool *pool = from->queues[0]->pool;
	struct rill_buf *head = make_frame(pool, 54, 0), *body = make_frame(pool, 600, 5), *in;
	uint8_t whole[54 + 500 + 100];

	memcpy(whole, head->data, 54);
	memcpy(whole + 54, body->data + 100, 500);
	memcpy(whole + 554, body->data, 100);
	assert_true(rill_buf_add_part(head, body, body->data + 100, 500));
	assert_true(rill_buf_add_part(head, body, body->data, 100));
	send_one(from, head);
	in = receive(to);
	assert_non_null(in);
	assert_int_equal(rill_buf_frame_len(in), sizeof(whole));
	assert_int_equal(in->len, sizeof(whole));
	assert_memory_equal(in->data, whole, sizeof(whole));
	put(to, in);
	/* Some PMDs let go of what they sent when they send more. */
	for (uint64_t end = now_ms() + PATIENCE_MS; !rill_buf_exclusive(body) && now_ms() < end;) {
		send_one(from, make_frame(pool, FRAME_LEN, 0));
		in = receive(to);
		assert_non_null(in);
		put(to, in);
	}
	/* The head is gone, and the pieces' references with it. */
	assert_true(rill_buf_exclusive(body));
	put(from, body);
}

static void test_pieces(void **state)
{
	struct rill_nic *nic = testnet_nic_open("dpdk:net_ring0", 1);

	check_pieces(nic, nic);
	assert_all_back(nic, 0);
	rill_nic_close(nic);
}

/* A chain of whole buffers, as it was received from elsewhere. */
static void test_chain(void **state)
{
	struct rill_nic *nic = testnet_nic_open("dpdk:net_ring0", 1);
	struct rill_buf_pool *pool = nic->queues[0]->pool;
	struct rill_buf *head = make_frame(pool, 100, 6), *in;

	head->next = make_frame(pool, 200, 7);
	head->flags |= RILL_BUF_CHAIN;
	send_one(nic, head);
	in = receive(nic);
	assert_int_equal(rill_buf_frame_len(in), 300);
	assert_int_equal(testnet_tag(in->data, 300), 7);
	put(nic, in);
	assert_all_back(nic, 0);
	rill_nic_close(nic);
}

/* What can never be sent is dropped and counted, and does not hold up the rest. */
static void test_unsendable(void **state)
{
	struct rill_nic *nic = testnet_nic_open("dpdk:net_ring0", 1);
	struct rill_buf_pool *pool = nic->queues[0]->pool;
	struct rill_buf *bufs[4] = {make_frame(pool, FRAME_LEN, 8), rill_buf_alloc(pool),
				    make_frame(pool, 1600, 9), make_frame(pool, FRAME_LEN, 10)};
	struct rill_buf *in;

	assert_int_equal(nic->driver->tx_burst(nic->queues[0], bufs, 4), 4);
	assert_int_equal(nic->queues[0]->stats.tx_dropped, 2);
	assert_int_equal(nic->queues[0]->stats.tx_packets, 2);
	in = receive(nic);
	assert_int_equal(testnet_tag(in->data, in->len), 8);
	put(nic, in);
	in = receive(nic);
	assert_int_equal(testnet_tag(in->data, in->len), 10);
	put(nic, in);
	assert_all_back(nic, 0);
	rill_nic_close(nic);
}

/* What a packet wants of the NIC may be nonsense: it is dropped, and nothing beside it written. */
static void test_false_offloads(void **state)
{
	static const struct {
		uint16_t flags, start, offset;
		unsigned dropped;
	} frames[] = {
		{RILL_BUF_CSUM_PARTIAL, 34, 16, 0},    {RILL_BUF_CSUM_PARTIAL, 34, 6, 0},
		{RILL_BUF_CSUM_PARTIAL, 65535, 16, 1}, {RILL_BUF_CSUM_PARTIAL, 34, 65535, 1},
		{RILL_BUF_CSUM_PARTIAL, 71, 16, 1},    {RILL_BUF_CSUM_PARTIAL, 70, 16, 0},
		{RILL_BUF_CSUM_PARTIAL, 13, 6, 1},     {RILL_BUF_CSUM_PARTIAL, 33, 6, 1},
		{RILL_BUF_CSUM_PARTIAL, 34, 2, 1},     {RILL_BUF_GSO, 34, 16, 1},
	};
	struct rill_nic *nic = testnet_nic_open("dpdk:net_ring0", 1);

	for (size_t i = 0; i < RILL_ARRAY_SIZE(frames); i++) {
		uint64_t before = nic->queues[0]->stats.tx_dropped;
		struct rill_buf *b = make_frame(nic->queues[0]->pool, FRAME_LEN, 14), *in;

		b->flags = frames[i].flags;
		b->csum_start = frames[i].start;
		b->csum_offset = frames[i].offset;
		rill_buf_meta(b)->gso_size = 0;
		send_one(nic, b);
		assert_int_equal(nic->queues[0]->stats.tx_dropped - before, frames[i].dropped);
		if (frames[i].dropped)
			continue;
		in = receive(nic);
		assert_int_equal(testnet_tag(in->data, in->len), 14);
		put(nic, in);
	}
	assert_all_back(nic, 0);
	rill_nic_close(nic);
}

/* Buffers of one NIC that lie in another's queue when it closes: their memory waits for them. */
static void test_close_with_buffers_elsewhere(void **state)
{
	struct rill_nic *a = testnet_nic_open("dpdk:net_ring0", 1);
	struct rill_nic *b = testnet_nic_open("dpdk:net_ring1", 1);
	struct rill_buf *out = make_frame(a->queues[0]->pool, FRAME_LEN, 11), *in;

	/* Of the same kind of memory: without a copy. */
	assert_ptr_equal(a->queues[0]->pool->shared, b->queues[0]->pool->shared);
	send_one(b, out);
	rill_nic_close(a);
	in = receive(b);
	assert_ptr_equal(in, out);
	assert_int_equal(testnet_tag(in->data, in->len), 11);
	rill_buf_put(in);
	assert_all_back(b, 0);
	rill_nic_close(b);
}

static void test_null(void **state)
{
	struct rill_nic *nic = testnet_nic_open("dpdk:net_null0,size=64", 2);
	struct rill_buf *bufs[32];
	unsigned n;

	assert_int_equal(nic->queue_count, 2);
	for (int i = 0; i < 1000; i++) {
		n = nic->driver->rx_burst(nic->queues[i & 1], bufs, 32);
		assert_int_equal(n, 32);
		assert_int_equal(bufs[0]->len, 64);
		assert_int_equal(bufs[0]->queue, i & 1);
		assert_int_equal(nic->driver->tx_burst(nic->queues[i & 1], bufs, n), n);
	}
	assert_int_equal(nic->queues[0]->stats.rx_packets, 16000);
	/* It takes a key and a table, and has no use for them. */
	assert_int_equal(nic->driver->rss(nic, &(struct rill_nic_rss){0}), -EOPNOTSUPP);
	assert_int_equal(
		nic->driver->rx_queue_of(nic, 6, &(struct rill_addr){0}, &(struct rill_addr){0}),
		-1);
	assert_all_back(nic, 0);
	rill_nic_close(nic);
}

/* A pool that runs dry loses frames, and recovers. */
static void test_dry_pool(void **state)
{
	struct rill_nic *nic = testnet_nic_open("dpdk:net_null0,rill.bufs=256,rill.ring=64", 1);
	struct rill_buf *held[2048], *b;
	unsigned n = 0;

	while (n < 2048 && nic->driver->rx_burst(nic->queues[0], &held[n], 1) == 1)
		n++;
	assert_in_range(n, 128, nic->queues[0]->pool->size);
	assert_int_equal(nic->driver->rx_burst(nic->queues[0], &b, 1), 0);
	while (n > 0)
		rill_buf_put(held[--n]);
	b = receive(nic);
	assert_non_null(b);
	put(nic, b);
	rill_nic_close(nic);
}

/* ---- sleep ---- */

static void test_naps(void **state)
{
	struct rill_nic *nic = testnet_nic_open("dpdk:net_ring0,rill.nap=100", 1);
	const struct rill_driver *d = nic->driver;
	struct rill_nic_queue *q = nic->queues[0];
	struct rill_buf *in;

	assert_non_null(strstr(nic->describe, "naps of 100 us"));
	assert_int_equal(d->rx_fd(q), -1);
	q->now_ns = 5000000;
	assert_true(d->rx_arm(q));
	assert_int_equal(d->rx_next(q), 5020000);
	assert_int_equal(d->rx_next(q), 5040000);
	assert_int_equal(d->rx_next(q), 5080000);
	assert_int_equal(d->rx_next(q), 5100000);
	assert_int_equal(d->rx_next(q), 5100000);
	d->rx_disarm(q);
	/* What is there already is no reason to sleep, and is not lost. */
	send_one(nic, make_frame(q->pool, FRAME_LEN, 12));
	assert_false(d->rx_arm(q));
	d->rx_disarm(q);
	assert_false(d->rx_arm(q));
	d->rx_disarm(q);
	in = receive(nic);
	assert_int_equal(testnet_tag(in->data, in->len), 12);
	put(nic, in);
	send_one(nic, make_frame(q->pool, FRAME_LEN, 13));
	put(nic, receive(nic));
	assert_true(d->rx_arm(q));
	assert_int_equal(d->rx_next(q), 5020000);
	assert_all_back(nic, 0);
	rill_nic_close(nic);
}

/* ---- memif ---- */

/*
 * Over a path of this process: net_memif leaves abstract sockets open when their server closes, so
 * that a name cannot be used twice.
 */
static struct rill_nic *open_memif(const char *role, unsigned queues)
{
	char spec[160];

	snprintf(spec, sizeof(spec),
		 "dpdk:net_memif%d,role=%s,socket=/tmp/rill-test-dpdk-%d,socket-abstract=no",
		 role[0] == 'c', role, (int)getpid());
	return testnet_nic_open(spec, queues);
}

static void exchange(struct rill_nic *a, struct rill_nic *b, uint32_t tag)
{
	struct rill_buf *in;

	send_one(a, make_frame(a->queues[0]->pool, FRAME_LEN, tag));
	in = receive(b);
	assert_non_null(in);
	assert_int_equal(in->len, FRAME_LEN);
	assert_int_equal(testnet_tag(in->data, in->len), tag);
	/* Back in the buffer that it came in. */
	send_one(b, in);
	in = receive(a);
	assert_non_null(in);
	assert_int_equal(testnet_tag(in->data, in->len), tag);
	put(a, in);
}

static void test_memif(void **state)
{
	struct rill_nic *server = open_memif("server", 1);
	struct rill_nic *client = open_memif("client", 1);

	wait_link(server, true);
	wait_link(client, true);
	exchange(client, server, 20);
	check_pieces(server, client);
	check_pieces(client, server);
	assert_all_back(client, 64);
	assert_all_back(server, 64);
	rill_nic_close(client);
	rill_nic_close(server);
}

/* Two servers at one socket, by their ids: when the first one closes the other is still heard. */
static void test_memif_shared_socket(void **state)
{
	struct rill_nic *first = open_memif("server", 1), *second, *client;
	char spec[160];

	snprintf(
		spec, sizeof(spec),
		"dpdk:net_memif1,id=1,role=server,socket=/tmp/rill-test-dpdk-%d,socket-abstract=no",
		(int)getpid());
	second = testnet_nic_open(spec, 1);
	rill_nic_close(first);
	snprintf(
		spec, sizeof(spec),
		"dpdk:net_memif2,id=1,role=client,socket=/tmp/rill-test-dpdk-%d,socket-abstract=no",
		(int)getpid());
	client = testnet_nic_open(spec, 1);
	wait_link(second, true);
	wait_link(client, true);
	exchange(client, second, 22);
	rill_nic_close(client);
	rill_nic_close(second);
}

/* What lies where the socket is to be is removed if it is a socket that nobody listens at. */
static void test_memif_spares_files(void **state)
{
	char path[] = "/tmp/rill-test-dpdk-XXXXXX", spec[160];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	snprintf(spec, sizeof(spec), "dpdk:net_memif9,role=server,socket=%s,socket-abstract=no",
		 path);
	assert_error(spec, 0, "net_memif9");
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
}

static void test_memif_queues(void **state)
{
	struct rill_nic *server = open_memif("server", 2);
	struct rill_nic *client = open_memif("client", 2);
	struct rill_buf *b, *in;

	wait_link(server, true);
	wait_link(client, true);
	for (unsigned q = 0; q < 2; q++) {
		b = make_frame(client->queues[q]->pool, FRAME_LEN, 50 + q);
		assert_int_equal(client->driver->tx_burst(client->queues[q], &b, 1), 1);
		in = receive_on(server, q);
		assert_non_null(in);
		assert_int_equal(in->queue, q);
		assert_int_equal(testnet_tag(in->data, in->len), 50 + q);
		rill_buf_put_owner(server->queues[q]->pool, in);
	}
	rill_nic_close(client);
	rill_nic_close(server);
}

/* ---- a peer in another process ---- */

/* This program as a NIC that sends back what it receives, until it is killed. */
static int run_echo(const char *spec)
{
	struct rill_nic *nic = testnet_nic_open(spec, 1);
	struct rill_buf *bufs[32];

	for (;;) {
		unsigned n = nic->driver->rx_burst(nic->queues[0], bufs, 32), sent;

		sent = nic->driver->tx_burst(nic->queues[0], bufs, n);
		while (sent < n)
			put(nic, bufs[sent++]);
		if (n == 0)
			sched_yield();
	}
	return 0;
}

static pid_t start_echo(const char *spec)
{
	pid_t pid, parent = getpid();

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		/* It must not outlive this program, however that ends. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			execl("/proc/self/exe", "test_drivers_dpdk", spec, NULL);
		_exit(1);
	}
	assert_true(pid > 0);
	return pid;
}

static void kill_echo(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* A frame there and back; again and again, until the other end is ready. */
static void echo(struct rill_nic *nic, uint32_t tag)
{
	struct rill_buf *b;

	for (uint64_t end = now_ms() + PATIENCE_MS; now_ms() < end; sched_yield()) {
		b = make_frame(nic->queues[0]->pool, FRAME_LEN, tag);
		if (nic->driver->tx_burst(nic->queues[0], &b, 1) == 0)
			put(nic, b);
		if (nic->driver->rx_burst(nic->queues[0], &b, 1) == 0)
			continue;
		bool right = b->len == FRAME_LEN && testnet_tag(b->data, b->len) == tag;

		put(nic, b);
		if (right)
			return;
	}
	fail_msg("nothing came back");
}

static void drain(struct rill_nic *nic)
{
	struct rill_buf *b;

	while (nic->driver->rx_burst(nic->queues[0], &b, 1))
		put(nic, b);
}

/*
 * The client is there first. Its server comes, is killed, which leaves the path of its socket
 * behind, and comes back.
 */
static void test_memif_peer_restart(void **state)
{
	struct rill_nic *client = open_memif("client", 1);
	struct rill_buf *b = make_frame(client->queues[0]->pool, FRAME_LEN, 21);
	struct rill_nic_link link;
	char spec[160];

	snprintf(spec, sizeof(spec),
		 "dpdk:net_memif0,role=server,socket=/tmp/rill-test-dpdk-%d,socket-abstract=no",
		 (int)getpid());
	assert_non_null(strstr(client->describe, "waits for its server"));
	client->driver->link(client, &link);
	assert_false(link.up);
	assert_false(link.gone);
	assert_int_equal(client->driver->tx_burst(client->queues[0], &b, 1), 0);
	put(client, b);
	for (uint32_t round = 0; round < 3; round++) {
		pid_t pid = start_echo(spec);

		wait_link(client, true);
		echo(client, 30 + round);
		kill_echo(pid);
		drain(client);
		wait_link(client, false);
	}
	assert_all_back(client, 64);
	rill_nic_close(client);
	snprintf(spec, sizeof(spec), "/tmp/rill-test-dpdk-%d", (int)getpid());
	unlink(spec);
}

/* The server stays, and its clients are killed. */
static void test_memif_client_restart(void **state)
{
	struct rill_nic *server = open_memif("server", 1);
	char spec[160];

	snprintf(spec, sizeof(spec),
		 "dpdk:net_memif0,role=client,socket=/tmp/rill-test-dpdk-%d,socket-abstract=no",
		 (int)getpid());
	for (uint32_t round = 0; round < 3; round++) {
		pid_t pid = start_echo(spec);

		wait_link(server, true);
		echo(server, 40 + round);
		kill_echo(pid);
		drain(server);
		wait_link(server, false);
	}
	assert_all_back(server, 64);
	rill_nic_close(server);
}

/* ---- vhost and virtio ---- */

/* In two processes, as they are used: in one, both ends wait for the same memory lock. */
static void test_vhost(void **state)
{
	char dir[] = "/tmp/rill-test-dpdk-XXXXXX", host_spec[128], guest_spec[128];
	struct rill_nic *host;

	assert_non_null(mkdtemp(dir));
	snprintf(host_spec, sizeof(host_spec), "dpdk:net_vhost0,iface=%s/v", dir);
	snprintf(guest_spec, sizeof(guest_spec), "dpdk:net_virtio_user0,path=%s/v", dir);
	host = testnet_nic_open(host_spec, 1);
	for (uint32_t round = 0; round < 2; round++) {
		pid_t pid = start_echo(guest_spec);

		wait_link(host, true);
		echo(host, 60 + round);
		kill_echo(pid);
		drain(host);
		wait_link(host, false);
	}
	assert_all_back(host, 64);
	rill_nic_close(host);
	rmdir(dir);
}

/* ---- files ---- */

static void test_pcap(void **state)
{
	char dir[] = "/tmp/rill-test-dpdk-XXXXXX", spec[160];
	struct rill_nic *nic;
	struct rill_buf *in;

	assert_non_null(mkdtemp(dir));
	snprintf(spec, sizeof(spec), "dpdk:net_pcap0,tx_pcap=%s/p", dir);
	nic = testnet_nic_open(spec, 1);
	for (uint32_t i = 0; i < 3; i++)
		send_one(nic, make_frame(nic->queues[0]->pool, FRAME_LEN, 90 + i));
	rill_nic_close(nic);
	snprintf(spec, sizeof(spec), "dpdk:net_pcap1,rx_pcap=%s/p,rill.time=on", dir);
	nic = testnet_nic_open(spec, 1);
	for (uint32_t i = 0; i < 3; i++) {
		in = receive(nic);
		assert_non_null(in);
		assert_int_equal(testnet_tag(in->data, in->len), 90 + i);
		/* When it was written, by the file: some time after this was. */
		assert_true(in->flags & RILL_BUF_HW_TIME);
		assert_true(in->time_ns > UINT64_C(1700000000) * 1000000000);
		put(nic, in);
	}
	rill_nic_close(nic);
	snprintf(spec, sizeof(spec), "rm -r %s", dir);
	testnet_run("%s", spec);
}

/* ---- facts ---- */

static void count_counter(const char *name, uint64_t value, void *ctx)
{
	uint64_t *packets = ctx;

	if (strcmp(name, "tx_good_packets") == 0)
		*packets = value;
}

static const struct rill_nic_fact *find_fact(const struct rill_nic_fact *facts, unsigned n,
					     const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(facts[i].name, name) == 0)
			return &facts[i];
	fail_msg("no fact %s", name);
	return NULL;
}

static void test_facts(void **state)
{
	struct rill_nic *nic = testnet_nic_open("dpdk:net_ring0", 1);
	struct rill_nic_fact facts[32];
	unsigned n = nic->driver->try_caps(nic, facts, 32);
	uint64_t packets = 0;

	assert_int_equal(find_fact(facts, n, "rx-interrupts")->tried, -EOPNOTSUPP);
	assert_true(find_fact(facts, n, "flow-rules")->tried < 0);
	assert_false(find_fact(facts, n, "tx-tso")->claimed);
	assert_int_equal(find_fact(facts, n, "external-buffers")->tried, 1);
	assert_non_null(strstr(find_fact(facts, n, "external-buffers")->detail, "came back"));
	assert_int_equal(nic->driver->try_caps(nic, facts, 2), 2);
	nic->driver->counters(nic, count_counter, &packets);
	assert_int_equal(packets, 2);
	assert_all_back(nic, 0);
	rill_nic_close(nic);
	/* One that receives without an end. */
	nic = testnet_nic_open("dpdk:net_null0", 2);
	n = nic->driver->try_caps(nic, facts, 32);
	assert_int_equal(find_fact(facts, n, "external-buffers")->tried, 1);
	assert_int_equal(find_fact(facts, n, "rss")->tried, -EOPNOTSUPP);
	rill_nic_close(nic);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missing_module),
		cmocka_unit_test(test_foreign_module),
		cmocka_unit_test(test_eal_does_not_start),
		cmocka_unit_test(test_bad_specs),
		cmocka_unit_test(test_once_per_process),
		cmocka_unit_test(test_ring_loop),
		cmocka_unit_test(test_kept_buffer),
		cmocka_unit_test(test_full_ring),
		cmocka_unit_test(test_foreign_memory),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_unsendable),
		cmocka_unit_test(test_false_offloads),
		cmocka_unit_test(test_close_with_buffers_elsewhere),
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_dry_pool),
		cmocka_unit_test(test_naps),
		cmocka_unit_test(test_memif),
		cmocka_unit_test(test_memif_shared_socket),
		cmocka_unit_test(test_memif_spares_files),
		cmocka_unit_test(test_memif_peer_restart),
		cmocka_unit_test(test_memif_client_restart),
		cmocka_unit_test(test_memif_queues),
		cmocka_unit_test(test_vhost),
		cmocka_unit_test(test_pcap),
		cmocka_unit_test(test_facts),
	};

	if (argc == 2)
		return run_echo(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
