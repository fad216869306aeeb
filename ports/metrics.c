/* SPDX-License-Identifier: BSD-3-Clause */
/* A port's numbers: by function, and in the runtime's metrics. */
#include <errno.h>
#include <inttypes.h>

#include "ports/port.h"

static void read_queue(struct rill_port_queue *q, struct rill_port_stats *s)
{
	const struct rill_nic_stats *nic = &q->nicq->stats;
	/* relaxed: counters, all of them */
	struct rill_nic_stats kernel = {.rx_dropped = rill_load_relaxed(&nic->rx_dropped)};

	if (q->driver->stats)
		q->driver->stats(q->nicq, &kernel);
	*s = (struct rill_port_stats){
		.rx_packets = rill_load_relaxed(&nic->rx_packets),
		.rx_bytes = rill_load_relaxed(&nic->rx_bytes),
		.tx_packets = rill_load_relaxed(&nic->tx_packets),
		.tx_bytes = rill_load_relaxed(&nic->tx_bytes),
		.rx_dropped = kernel.rx_dropped,
		.tx_dropped = rill_load_relaxed(&nic->tx_dropped),
		.tx_full = rill_load_relaxed(&q->counts.tx_full),
		.tx_too_long = rill_load_relaxed(&q->counts.tx_too_long),
		.tx_no_packet = rill_load_relaxed(&q->counts.tx_no_packet),
		.tx_gso = rill_load_relaxed(&q->counts.tx_gso),
		.tx_fixed = rill_load_relaxed(&q->counts.tx_fixed),
		.alloc_failures = rill_load_relaxed(&q->nicq->pool->alloc_failures),
		.handed_back = rill_load_relaxed(&q->counts.handed_back),
	};
}

int rill_port_stats(struct rill_port *port, unsigned queue, struct rill_port_stats *ret_stats)
{
	struct rill_port_stats sum = {0}, one;
	const uint64_t *from = (const uint64_t *)&one;
	uint64_t *to = (uint64_t *)&sum;

	if (queue != RILL_PORT_ALL_QUEUES && queue >= port->queue_count)
		return -EINVAL;
	for (unsigned i = 0; i < port->queue_count; i++) {
		if (queue != RILL_PORT_ALL_QUEUES && queue != i)
			continue;
		read_queue(&port->queues[i], &one);
		for (size_t field = 0; field < sizeof(sum) / sizeof(*to); field++)
			to[field] += from[field];
	}
	*ret_stats = sum;
	return 0;
}

void rill_port_counters(struct rill_port *port,
			void (*each)(const char *name, uint64_t value, void *ctx), void *ctx)
{
	if (!port->nic->driver->counters)
		return;
	pthread_mutex_lock(&port->control);
	port->nic->driver->counters(port->nic, each, ctx);
	pthread_mutex_unlock(&port->control);
}

/* ---- OpenMetrics ---- */

static const struct {
	const char *name, *reason, *help;
	size_t offset;
} families[] = {
#define STAT(field, name, reason, help)                                                            \
	{                                                                                          \
		name, reason, help, offsetof(struct rill_port_stats, field)                        \
	}
	STAT(rx_packets, "port_rx_packets", NULL, "Packets received"),
	STAT(rx_bytes, "port_rx_bytes", NULL, "Bytes received"),
	STAT(tx_packets, "port_tx_packets", NULL, "Packets sent"),
	STAT(tx_bytes, "port_tx_bytes", NULL, "Bytes sent"),
	STAT(handed_back, "port_handed_back", NULL, "Packets that the handler left"),
	STAT(tx_fixed, "port_tx_fixed", NULL, "Packets changed for what the NIC lacks"),
	STAT(alloc_failures, "port_alloc_failures", NULL, "Packets that were not to be had"),
#define DROPS_FROM 7
	STAT(rx_dropped, "port_drops", "rx_dropped", "Packets dropped, by reason"),
	STAT(tx_dropped, NULL, "tx_dropped", NULL),
	STAT(tx_full, NULL, "tx_full", NULL),
	STAT(tx_too_long, NULL, "tx_too_long", NULL),
	STAT(tx_no_packet, NULL, "tx_no_packet", NULL),
	STAT(tx_gso, NULL, "tx_gso", NULL),
#undef STAT
};

static void print_sample(const struct rill_port_queue *q, FILE *out, const char *name,
			 const struct rill_port_stats *stats, unsigned i)
{
	const uint64_t *value =
		(const uint64_t *)(const void *)((const char *)stats + families[i].offset);

	fprintf(out, "rill_%s_total{port=\"", name);
	for (const char *c = q->port->name; *c; c++)
		fprintf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
	fprintf(out, "\",queue=\"%u\"", q->nicq->index);
	if (families[i].reason)
		fprintf(out, ",reason=\"%s\"", families[i].reason);
	fprintf(out, "} %" PRIu64 "\n", *value);
}

bool rill_port_print_family(struct rill_poller *p, FILE *out, unsigned family, bool header)
{
	struct rill_port_queue *q = RILL_CONTAINER_OF(p, struct rill_port_queue, poller);
	struct rill_port_stats stats;
	unsigned end = family < DROPS_FROM ? family + 1 : (unsigned)RILL_ARRAY_SIZE(families);

	if (family > DROPS_FROM)
		return false;
	if (header)
		fprintf(out, "# TYPE rill_%s counter\n# HELP rill_%s %s.\n", families[family].name,
			families[family].name, families[family].help);
	read_queue(q, &stats);
	for (unsigned i = family; i < end; i++)
		print_sample(q, out, families[family].name, &stats, i);
	return true;
}
