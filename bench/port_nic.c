/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rill's raw packets on a NIC named on the command line, beside limit_dpdk:
 *
 *   rill-port-nic drop NIC   receives and drops: prints nanoseconds per frame
 *   rill-port-nic loop NIC   sends again what comes, on a port that is a loop: the same
 *   rill-port-nic echo NIC   sends back what comes, addresses swapped, until killed
 *
 * One worker, which spins; the packets' handler runs on it. BENCH_MS as for rill-bench.
 */
#include <rill/port.h>
#include <rill/runtime.h>
#include <rill/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN_MS 300
#define WARM_UP_SHARE 5
#define GIVE_UP_AFTER (10 * RILL_SEC)
#define LOOPING 128

struct nic {
	struct rill_port *port;
	const char *spec;
	unsigned (*handler)(struct rill_port *, unsigned, struct rill_pkt **, unsigned, void *);
	bool loop;
	uint64_t frames; /* of the handler and the task on one worker */
};

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "rill-port-nic: %s: %s\n", what, why);
	exit(1);
}

static uint64_t run_ns(void)
{
	const char *ms = getenv("BENCH_MS");

	return (ms ? strtoull(ms, NULL, 10) : RUN_MS) * RILL_MS;
}

static unsigned drop(struct rill_port *port, unsigned queue, struct rill_pkt **pkts, unsigned n,
		     void *ctx)
{
	struct nic *nic = ctx;

	nic->frames += n;
	rill_pkt_free(pkts, n);
	return n;
}

static unsigned again(struct rill_port *port, unsigned queue, struct rill_pkt **pkts, unsigned n,
		      void *ctx)
{
	struct nic *nic = ctx;

	nic->frames += n;
	rill_port_send(port, queue, pkts, n, RILL_PORT_DROP);
	return n;
}

static unsigned swap(struct rill_port *port, unsigned queue, struct rill_pkt **pkts, unsigned n,
		     void *ctx)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t dst[6];

		memcpy(dst, pkts[i]->data, 6);
		memcpy(pkts[i]->data, pkts[i]->data + 6, 6);
		memcpy(pkts[i]->data + 6, dst, 6);
	}
	rill_port_send(port, queue, pkts, n, RILL_PORT_DROP);
	return n;
}

static void seed_loop(struct rill_port *port)
{
	struct rill_pkt *pkts[LOOPING];
	unsigned n = rill_port_alloc(port, 0, pkts, LOOPING);

	for (unsigned i = 0; i < n; i++)
		memset(rill_pkt_append(pkts[i], 64), 0, 64);
	if (rill_port_send(port, 0, pkts, n, RILL_PORT_DROP) != LOOPING)
		fail("loop", "it took too few");
}

/* The task looks at the clock now and then; the worker goes on with the NIC meanwhile. */
static double measure(struct nic *nic, uint64_t ns)
{
	uint64_t begin = rill_now(), frames = nic->frames;

	rill_sleep(ns);
	return (double)(rill_now() - begin) / (double)(nic->frames - frames);
}

static void *run(void *arg)
{
	struct nic *nic = arg;
	struct rill_port_options o = {RILL_OPTIONS(o), .nic = nic->spec, .queues = 1,
				      .handler = nic->handler, .ctx = nic};
	uint64_t until = rill_now() + GIVE_UP_AFTER;

	if (rill_port_open(NULL, &o, &nic->port) < 0)
		fail(nic->spec, rill_port_error());
	if (nic->loop)
		seed_loop(nic->port);
	while (nic->handler != swap && nic->frames == 0 && rill_now() < until)
		rill_sleep(RILL_MS);
	if (nic->handler == swap)
		rill_sleep_until(RILL_FOREVER);
	if (nic->frames == 0)
		fail(nic->spec, "no frames");
	measure(nic, run_ns() / WARM_UP_SHARE);
	printf("%.3f\n", measure(nic, run_ns()));
	rill_port_close(nic->port);
	return NULL;
}

int main(int argc, char **argv)
{
	struct rill_runtime_options o = {RILL_OPTIONS(o), .workers = 1, .idle = RILL_IDLE_SPIN};
	struct rill_runtime *rt;
	struct nic nic = {0};
	int err;

	if (argc == 3) {
		nic.spec = argv[2];
		nic.loop = strcmp(argv[1], "loop") == 0;
		nic.handler = nic.loop			     ? again
			      : strcmp(argv[1], "drop") == 0 ? drop
			      : strcmp(argv[1], "echo") == 0 ? swap
							     : NULL;
	}
	if (!nic.handler) {
		fprintf(stderr, "usage: rill-port-nic drop|loop|echo NIC\n");
		return 2;
	}
	err = rill_runtime_create(&o, &rt);
	if (err < 0)
		fail("runtime", strerror(-err));
	rill_block_on(rt, run, &nic, NULL);
	rill_runtime_destroy(rt);
	return 0;
}
