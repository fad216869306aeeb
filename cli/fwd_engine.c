/* SPDX-License-Identifier: BSD-3-Clause */
/* The forwarder: its ports, and a burst's way through it. */
#include "cli/fwd.h"

#include <errno.h>
#include <rill/time.h>
#include <stdlib.h>

/* In RILL_FWD_TICK_NS. */
#define ICMP_PER_TICK 100
#define AGE_TICKS 20

/* ---- bursts ---- */

static void send_batch(struct fwd_lane *lane, struct fwd *fwd, unsigned port)
{
	struct fwd_batch *b = &lane->out[port];

	if (b->count)
		rill_port_send(fwd->ports[port].port, lane_queue(lane, fwd, port), b->pkts,
			       b->count, RILL_PORT_DROP);
	b->count = 0;
}

void rill_fwd_out_own(struct fwd_lane *lane, const struct fwd_port *in, unsigned port,
		      struct rill_pkt *p)
{
	struct fwd_batch *b = &lane->out[port];

	b->pkts[b->count++] = p;
	if (b->count == RILL_PORT_BURST)
		send_batch(lane, in->fwd, port);
}

void rill_fwd_out(struct fwd_lane *lane, const struct fwd_port *in, unsigned port,
		  struct rill_pkt *p)
{
	fwd_count(&fwd_counters(lane, in)->forwarded, 1);
	rill_fwd_out_own(lane, in, port, p);
}

static unsigned on_burst(struct rill_port *port, unsigned queue, struct rill_pkt **pkts, unsigned n,
			 void *ctx)
{
	struct fwd_port *in = ctx;
	struct fwd *fwd = in->fwd;
	struct fwd_lane *lane;

	/* Offered again, when all ports are open. acquire: pairs with the release in
	 * rill_fwd_open() */
	if (!atomic_load_explicit(&fwd->ready, memory_order_acquire))
		return 0;
	lane = &fwd->lanes[queue];
	/* Only ever waited for when another worker stands in for one that is stuck. */
	pthread_mutex_lock(&lane->lock);
	for (unsigned i = 0; i < n; i++) {
		if (i + 1 < n)
			__builtin_prefetch(pkts[i + 1]->data);
		fwd->handle(in, lane, pkts[i]);
	}
	for (unsigned i = 0; i < fwd->port_count; i++)
		send_batch(lane, fwd, i);
	pthread_mutex_unlock(&lane->lock);
	return n;
}

/* ---- report ---- */

static void report_counter(const char *name, uint64_t value, void *ctx)
{
	if (value)
		fprintf(stderr, "  %-50s %llu\n", name, (unsigned long long)value);
}

static void report_port(const struct fwd *fwd, const struct fwd_port *p)
{
	struct rill_port_stats s;

	rill_port_stats(p->port, RILL_PORT_ALL_QUEUES, &s);
	fprintf(stderr,
		"%s: received %llu packets, %llu bytes, lost %llu; sent %llu packets, %llu bytes, "
		"full %llu, refused %llu\n",
		p->spec, (unsigned long long)s.rx_packets, (unsigned long long)s.rx_bytes,
		(unsigned long long)s.rx_dropped, (unsigned long long)s.tx_packets,
		(unsigned long long)s.tx_bytes, (unsigned long long)s.tx_full,
		(unsigned long long)(s.tx_dropped + s.tx_too_long + s.tx_no_packet + s.tx_gso));
#define X(name, text)                                                                              \
	{                                                                                          \
		unsigned long long n = 0;                                                          \
		for (unsigned i = 0; i < p->info.queues; i++)                                      \
			n += atomic_load_explicit(&fwd->lanes[i].counters[p->index].name,          \
						  memory_order_relaxed);                           \
		if (n)                                                                             \
			fprintf(stderr, "  %-50s %llu\n", text, n);                                \
	}
	FWD_COUNTERS(X)
#undef X
	rill_port_counters(p->port, report_counter, NULL);
}

void rill_fwd_report(const struct fwd *fwd)
{
	for (unsigned i = 0; i < fwd->port_count; i++)
		report_port(fwd, &fwd->ports[i]);
}

/* ---- life ---- */

void rill_fwd_tick(struct fwd *fwd)
{
	atomic_store_explicit(&fwd->icmp_credit, ICMP_PER_TICK, memory_order_relaxed);
	if (fwd->macs && fwd->ticks++ % AGE_TICKS == 0)
		rill_fwd_l2_age(fwd);
}

static int open_port(struct rill_runtime *rt, struct fwd_port *p, unsigned queues)
{
	const struct rill_port_options o = {
		RILL_OPTIONS(o), .nic = p->spec, .queues = queues, .handler = on_burst, .ctx = p,
	};
	int err = rill_port_open(rt, &o, &p->port);

	if (err < 0) {
		fprintf(stderr, "rill: cannot open %s: %s\n", p->spec, rill_port_error());
		return err;
	}
	rill_port_info(p->port, &p->info);
	return 0;
}

static int make_lanes(struct fwd *fwd)
{
	fwd->lanes = calloc(RILL_PORT_QUEUES_MAX, sizeof(*fwd->lanes));
	if (!fwd->lanes)
		return -ENOMEM;
	for (unsigned i = 0; i < RILL_PORT_QUEUES_MAX; i++)
		pthread_mutex_init(&fwd->lanes[i].lock, NULL);
	return 0;
}

static void choose(struct fwd *fwd)
{
	fwd->handle = rill_fwd_bridge;
	if (fwd->ports[0].ip)
		fwd->handle = rill_fwd_route;
	else if (fwd->port_count == 2 && !fwd->bridge)
		fwd->handle = rill_fwd_patch;
}

int rill_fwd_open(struct fwd *fwd, struct rill_runtime *rt, unsigned queues)
{
	int err = make_lanes(fwd);

	choose(fwd);
	if (!err)
		err = fwd->ports[0].ip ? rill_fwd_l3_init(fwd) : rill_fwd_l2_init(fwd);
	if (err == -ENETUNREACH)
		fprintf(stderr, "rill: a route's gateway is on the net of no port\n");
	else if (err < 0)
		fprintf(stderr, "rill: %s\n", strerror(-err));
	for (unsigned i = 0; !err && i < fwd->port_count; i++)
		err = open_port(rt, &fwd->ports[i], queues);
	if (err < 0)
		return err;
	rill_fwd_tick(fwd);
	/* release: all ports are there; pairs with the acquire in on_burst() */
	atomic_store_explicit(&fwd->ready, true, memory_order_release);
	return 0;
}

void rill_fwd_close(struct fwd *fwd)
{
	for (unsigned i = 0; i < fwd->port_count; i++)
		if (fwd->ports[i].port)
			rill_port_stop(fwd->ports[i].port);
	rill_fwd_l2_fini(fwd);
	rill_fwd_l3_fini(fwd);
	for (unsigned i = 0; i < fwd->port_count; i++)
		rill_port_close(fwd->ports[i].port);
	free(fwd->lanes);
}
