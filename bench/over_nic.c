/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rill's end of a measurement between two processes, on a NIC named on the command line:
 *
 *   rill-over-nic rr NIC CIDR SERVER      64 bytes there and back to an echo server over one TCP
 *                                         connection: prints the median in microseconds
 *   rill-over-nic sink NIC CIDR SERVER    receives what a source sends: prints nanoseconds per
 *                                         1,460 bytes
 *   rill-over-nic source NIC CIDR :PORT   sends to one connection after the other, until killed
 *
 * One worker, which spins. BENCH_MS as for rill-bench.
 */
#include <errno.h>
#include <rill/net.h>
#include <rill/runtime.h>
#include <rill/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES 64
#define UNIT_BYTES 1460
#define CHUNK_BYTES (64 * 1024)
#define SAMPLES_MAX 2000000
#define RUN_MS 300
#define WARM_UP_SHARE 5
#define CONNECT_TRIES 100
#define RETRY_AFTER (20 * RILL_MS)

struct end {
	struct rill_net *net;
	struct rill_addr addr;
	int (*run)(struct end *e);
	int result;
};

static void fail(const char *what, int err)
{
	fprintf(stderr, "rill-over-nic: %s: %s\n", what, strerror(-err));
	exit(1);
}

static uint64_t run_ns(void)
{
	const char *ms = getenv("BENCH_MS");

	return (ms ? strtoull(ms, NULL, 10) : RUN_MS) * RILL_MS;
}

/* Patiently: the server may have been started a moment ago. */
static struct rill_tcp *connect_to(struct end *e)
{
	const struct rill_tcp_options o = {RILL_OPTIONS(o), .nodelay = true};
	struct rill_tcp *c;
	int err = -ETIMEDOUT;

	for (int i = 0; i < CONNECT_TRIES; i++) {
		err = rill_tcp_connect(e->net, NULL, &e->addr, &o, &c);
		if (err == 0)
			return c;
		rill_sleep(RETRY_AFTER);
	}
	fail("connect", err);
	return NULL;
}

/* ---- rr ---- */

static uint32_t round_trip(struct rill_tcp *c)
{
	uint8_t buf[MESSAGE_BYTES] = {0};
	uint64_t begin = rill_now();
	ssize_t n = rill_tcp_send(c, buf, sizeof(buf));

	if (n == MESSAGE_BYTES)
		n = rill_tcp_recv_all(c, buf, sizeof(buf));
	if (n != MESSAGE_BYTES)
		fail("round trip", n < 0 ? (int)n : -EPROTO);
	return (uint32_t)(rill_now() - begin);
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int rr(struct end *e)
{
	uint32_t *samples_ns = calloc(SAMPLES_MAX, sizeof(*samples_ns));
	struct rill_tcp *c = connect_to(e);
	size_t count = 0;
	uint64_t until;

	if (!samples_ns)
		return -ENOMEM;
	for (until = rill_now() + run_ns() / WARM_UP_SHARE; rill_now() < until;)
		round_trip(c);
	for (until = rill_now() + run_ns(); rill_now() < until && count < SAMPLES_MAX;)
		samples_ns[count++] = round_trip(c);
	rill_tcp_close(c);
	qsort(samples_ns, count, sizeof(*samples_ns), by_value);
	printf("%.3f\n", samples_ns[count / 2] / 1000.0);
	free(samples_ns);
	return 0;
}

/* ---- bulk ---- */

static double receive(struct rill_tcp *c, uint8_t *chunk, uint64_t ns)
{
	uint64_t begin = rill_now();
	uint64_t bytes = 0;
	uint64_t took;

	do {
		ssize_t n = rill_tcp_recv(c, chunk, CHUNK_BYTES);

		if (n <= 0)
			fail("recv", n < 0 ? (int)n : -EPROTO);
		bytes += (uint64_t)n;
		took = rill_now() - begin;
	} while (took < ns);
	return (double)took * UNIT_BYTES / (double)bytes;
}

static int sink(struct end *e)
{
	uint8_t *chunk = malloc(CHUNK_BYTES);
	struct rill_tcp *c;

	if (!chunk)
		return -ENOMEM;
	c = connect_to(e);
	receive(c, chunk, run_ns() / WARM_UP_SHARE);
	printf("%.3f\n", receive(c, chunk, run_ns()));
	rill_tcp_abort(c);
	free(chunk);
	return 0;
}

static int source(struct end *e)
{
	uint8_t *chunk = calloc(1, CHUNK_BYTES);
	struct rill_listener *l;
	struct rill_tcp *c;
	int err;

	if (!chunk)
		return -ENOMEM;
	err = rill_tcp_listen(e->net, &e->addr, NULL, &l);
	while (err == 0) {
		err = rill_tcp_accept(l, &c);
		if (err < 0)
			break;
		while (rill_tcp_send(c, chunk, CHUNK_BYTES) == CHUNK_BYTES)
			;
		rill_tcp_close(c);
	}
	free(chunk);
	return err;
}

/* ---- start ---- */

static const struct {
	const char *name;
	int (*run)(struct end *e);
} modes[] = {{"rr", rr}, {"sink", sink}, {"source", source}};

static void *run(void *arg)
{
	struct end *e = arg;

	e->result = e->run(e);
	return NULL;
}

static bool parse(int argc, char **argv, struct end *ret_end)
{
	if (argc != 5 || rill_addr_parse(argv[4], &ret_end->addr) < 0)
		return false;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			ret_end->run = modes[i].run;
	return ret_end->run;
}

int main(int argc, char **argv)
{
	struct rill_runtime_options o = {RILL_OPTIONS(o), .workers = 1, .idle = RILL_IDLE_SPIN};
	struct rill_net_options net = {RILL_OPTIONS(net), .queues = 1};
	struct rill_runtime *rt;
	struct end e = {0};
	int err;

	if (!parse(argc, argv, &e)) {
		fprintf(stderr, "usage: rill-over-nic rr|sink NIC CIDR SERVER\n"
				"       rill-over-nic source NIC CIDR :PORT\n");
		return 2;
	}
	net.nic = argv[2];
	net.addr = argv[3];
	err = rill_net_start(&o, &net, 1, &rt, &e.net);
	if (err < 0) {
		fprintf(stderr, "rill-over-nic: %s\n", rill_net_error());
		return 1;
	}
	err = rill_block_on(rt, run, &e, NULL);
	rill_net_close(e.net);
	rill_runtime_destroy(rt);
	if (err < 0 || e.result < 0)
		fail(argv[1], err < 0 ? err : e.result);
	return 0;
}
