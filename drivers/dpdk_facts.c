/* SPDX-License-Identifier: BSD-3-Clause */
/* What a port says of itself, and what it does when tried. */
#include "drivers/dpdk_port.h"

#include <errno.h>
#include <rte_flow.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "drivers/dpdk_eal.h"

#define ETHERTYPE_TRIAL 0x88b5 /* for experiments (IEEE 802) */
#define TRIAL_BYTES 60
#define TRIAL_TRIES 100
#define TRIAL_FRAMES 64

/* ---- counters ---- */

/* The PMD counts for the port: queue 0 tells for all. */
void rill_dpdk_stats(struct rill_nic_queue *base, struct rill_nic_stats *stats)
{
	struct rte_eth_stats s = {0};

	if (base->index != 0 || rte_eth_stats_get(rill_dpdk_queue_of(base)->port->id, &s) < 0)
		return;
	stats->rx_dropped += s.imissed + s.ierrors + s.rx_nombuf;
	stats->tx_dropped += s.oerrors;
}

void rill_dpdk_counters(struct rill_nic *nic,
			void (*each)(const char *name, uint64_t value, void *ctx), void *ctx)
{
	const struct rill_dpdk_port *p = rill_dpdk_port_of(nic);
	int n = rte_eth_xstats_get(p->id, NULL, 0);
	struct rte_eth_xstat *values = n > 0 ? calloc((size_t)n, sizeof(*values)) : NULL;
	struct rte_eth_xstat_name *names = n > 0 ? calloc((size_t)n, sizeof(*names)) : NULL;

	each("restarts", p->restarts, ctx);
	if (values && names && rte_eth_xstats_get(p->id, values, (unsigned)n) == n &&
	    rte_eth_xstats_get_names(p->id, names, (unsigned)n) == n)
		for (int i = 0; i < n; i++)
			each(names[i].name, values[i].value, ctx);
	free(values);
	free(names);
}

/* ---- link and clock ---- */

void rill_dpdk_link(struct rill_nic *nic, struct rill_nic_link *ret_link)
{
	const struct rill_dpdk_port *p = rill_dpdk_port_of(nic);
	struct rte_eth_link link = {0};
	uint16_t mtu = nic->mtu;

	rte_eth_dev_get_mtu(p->id, &mtu);
	*ret_link = (struct rill_nic_link){
		.gone = rill_load_relaxed(&p->gone),
		/* What was asked for stays the bound: buffers were made for it. */
		.mtu = RILL_MIN(mtu, nic->mtu),
	};
	memcpy(ret_link->mac, nic->mac, sizeof(ret_link->mac));
	if (ret_link->gone || rill_load_relaxed(&p->paused) ||
	    rte_eth_link_get_nowait(p->id, &link) < 0)
		return;
	ret_link->up = link.link_status == RTE_ETH_LINK_UP;
	ret_link->mbit = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
}

int rill_dpdk_clock(struct rill_nic *nic, uint64_t *ret_ns)
{
	const struct rill_dpdk_port *p = rill_dpdk_port_of(nic);
	uint64_t ticks;
	int err = rte_eth_read_clock(p->id, &ticks);

	if (err || p->ns_per_tick == 0)
		return -EOPNOTSUPP;
	*ret_ns = (uint64_t)((double)ticks * p->ns_per_tick);
	return 0;
}

/* ---- facts ---- */

struct list {
	struct rill_nic_fact *facts;
	unsigned count, max;
};

static void RILL_PRINTF(5, 6)
	add(struct list *l, const char *name, bool claimed, int tried, const char *fmt, ...)
{
	struct rill_nic_fact *f = &l->facts[l->count];
	va_list args;

	if (l->count == l->max)
		return;
	l->count++;
	memset(f, 0, sizeof(*f));
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->claimed = claimed;
	f->tried = tried;
	va_start(args, fmt);
	vsnprintf(f->detail, sizeof(f->detail), fmt, args);
	va_end(args);
}

/* Only a peer sees what the NIC makes of these: here it is whether the PMD takes them. */
static void add_offloads(struct list *l, const struct rill_dpdk_port *p)
{
	static const struct {
		const char *name;
		bool tx;
		uint64_t bit;
		const char *option; /* that switches it on */
	} offloads[] = {
		{"rx-checksum", false, RTE_ETH_RX_OFFLOAD_TCP_CKSUM, "rill.offload=on"},
		{"rx-hash", false, RTE_ETH_RX_OFFLOAD_RSS_HASH, "rill.offload=on"},
		{"rx-lro", false, RTE_ETH_RX_OFFLOAD_TCP_LRO, "rill.lro=on"},
		{"rx-vlan", false, RTE_ETH_RX_OFFLOAD_VLAN_STRIP, "rill.vlan=on"},
		{"rx-scatter", false, RTE_ETH_RX_OFFLOAD_SCATTER, "a large rill.mtu"},
		{"rx-timestamp", false, RTE_ETH_RX_OFFLOAD_TIMESTAMP, "rill.time=on"},
		{"tx-checksum", true, RTE_ETH_TX_OFFLOAD_TCP_CKSUM, "rill.offload=on"},
		{"tx-tso", true, RTE_ETH_TX_OFFLOAD_TCP_TSO, "rill.offload=on"},
		{"tx-uso", true, RTE_ETH_TX_OFFLOAD_UDP_TSO, "rill.offload=on"},
		{"tx-vlan", true, RTE_ETH_TX_OFFLOAD_VLAN_INSERT, "rill.vlan=on"},
		{"tx-segments", true, RTE_ETH_TX_OFFLOAD_MULTI_SEGS, "rill.offload=on"},
		{"tx-at-a-time", true, RTE_ETH_TX_OFFLOAD_SEND_ON_TIMESTAMP, "rill.time=on"},
	};

	for (size_t i = 0; i < RILL_ARRAY_SIZE(offloads); i++) {
		bool tx = offloads[i].tx;
		bool claimed =
			(tx ? p->info.tx_offload_capa : p->info.rx_offload_capa) & offloads[i].bit;
		bool used =
			(tx ? p->conf.txmode.offloads : p->conf.rxmode.offloads) & offloads[i].bit;

		if (!claimed)
			add(l, offloads[i].name, false, -EOPNOTSUPP, "%s does not offer it",
			    p->info.driver_name);
		else if (used)
			add(l, offloads[i].name, true, 0,
			    "in use: the PMD took it; frames were not compared");
		else
			add(l, offloads[i].name, true, 0, "not in use: see %s", offloads[i].option);
	}
}

static void add_rss(struct list *l, const struct rill_dpdk_port *p)
{
	const struct rte_eth_rss_conf *want = &p->conf.rx_adv_conf.rss_conf;
	bool claimed = p->info.flow_type_rss_offloads != 0;

	if (p->base.queue_count < 2)
		add(l, "rss", claimed, 0, "one queue: ask for more to try it");
	else if (p->traits.rss_in_name_only)
		add(l, "rss", claimed, -EOPNOTSUPP, "%s takes the settings and spreads otherwise",
		    p->info.driver_name);
	else if (p->rss.table_len == 0)
		add(l, "rss", claimed, -EOPNOTSUPP,
		    "key and table cannot be read back: queues are learned");
	else
		add(l, "rss", claimed, 1, "%s key of %u bytes, table of %u, read back",
		    want->rss_key ? "our" : "the NIC's", p->rss.key_len, p->rss.table_len);
}

static void add_flow_rules(struct list *l, const struct rill_dpdk_port *p)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	const struct rte_flow_item_tcp tcp = {.hdr.dst_port = 8080};
	const struct rte_flow_item_tcp mask = {.hdr.dst_port = UINT16_MAX};
	const struct rte_flow_item items[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = RTE_FLOW_ITEM_TYPE_IPV4},
		{.type = RTE_FLOW_ITEM_TYPE_TCP, .spec = &tcp, .mask = &mask},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	const struct rte_flow_action_queue queue = {.index = 0};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};
	struct rte_flow_error why = {0};
	int err = rte_flow_validate(p->id, &attr, items, actions, &why);

	if (err)
		add(l, "flow-rules", false, err, "a rule for a TCP port was refused: %.60s",
		    why.message ? why.message : strerror(-err));
	else
		add(l, "flow-rules", true, 1, "a rule for a TCP port was accepted; %s",
		    p->isolated ? "isolated: the rest is the kernel's" : "rill.isolate=off");
}

/* ---- a frame ---- */

static struct rill_buf *trial_frame(struct rill_dpdk_port *p)
{
	struct rill_buf *b = rill_buf_alloc(p->base.queues[0]->pool);

	if (!b)
		return NULL;
	uint8_t *frame = rill_buf_append(b, TRIAL_BYTES);

	/* To ourselves: switches in between learn nothing wrong, and nobody else takes it. */
	memset(frame, 0, TRIAL_BYTES);
	memcpy(frame, p->base.mac, 6);
	memcpy(frame + 6, p->base.mac, 6);
	frame[12] = ETHERTYPE_TRIAL >> 8;
	frame[13] = ETHERTYPE_TRIAL & 0xff;
	return b;
}

/* Waits until the PMD has let go of b, and for what comes back meanwhile. */
static bool wait_exclusive(struct rill_dpdk_port *p, const struct rill_buf *b, bool *ret_back)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	struct rill_nic_queue *q = p->base.queues[0];
	struct rill_buf *in;

	for (int i = 0; i < TRIAL_TRIES; i++) {
		/* Some ports never run dry (net_null). */
		for (int n = 0; n < TRIAL_FRAMES && rill_dpdk_rx_burst(q, &in, 1); n++) {
			*ret_back |= in->len == TRIAL_BYTES && in->data[12] == 0x88 &&
				     in->data[13] == 0xb5;
			rill_buf_put_owner(q->pool, in);
		}
		rte_eth_tx_done_cleanup(p->id, 0, 0);
		if (rill_buf_exclusive(b))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static void add_trial(struct list *l, struct rill_dpdk_port *p)
{
	struct rill_nic_queue *q = p->base.queues[0];
	struct rill_buf *b = trial_frame(p);
	bool back = false;

	if (!b) {
		add(l, "external-buffers", true, -ENOBUFS, "no buffer for a frame");
		return;
	}
	rill_buf_get(b);
	if (rill_dpdk_tx_burst(q, &b, 1) == 0) {
		add(l, "external-buffers", true, -ENETDOWN,
		    "no frame was taken: is the link up, and the peer there?");
		rill_buf_put_owner(q->pool, b);
	} else if (wait_exclusive(p, b, &back)) {
		add(l, "external-buffers", true, 1, "a frame was sent from memory that we kept%s",
		    back ? ", and came back" : "");
	} else {
		add(l, "external-buffers", true, 0,
		    "a frame was taken; the PMD lets go of it when it sends more");
	}
	rill_buf_put_owner(q->pool, b);
}

unsigned rill_dpdk_try_caps(struct rill_nic *nic, struct rill_nic_fact *facts, unsigned max)
{
	struct rill_dpdk_port *p = rill_dpdk_port_of(nic);
	const struct rill_dpdk_queue *q = rill_dpdk_queue_of(nic->queues[0]);
	struct list l = {facts, 0, max};
	uint64_t ns;

	add_offloads(&l, p);
	add(&l, "rx-interrupts", q->wakes, q->wakes ? 1 : -EOPNOTSUPP,
	    q->wakes ? "armed and disarmed" : "sleep is timed: %u us at most",
	    (unsigned)p->options.nap_us);
	add_rss(&l, p);
	add_flow_rules(&l, p);
	add(&l, "link-events", p->conf.intr_conf.lsc, 0, "claimed by the PMD");
	add(&l, "clock", p->info.driver_name && rill_dpdk_clock(nic, &ns) == 0,
	    rill_dpdk_clock(nic, &ns) == 0 ? 1 : -EOPNOTSUPP, "read");
	add(&l, "hugepages", rill_dpdk_eal_memory()[0] == 'h', 1, "%s", rill_dpdk_eal_memory());
	add_trial(&l, p);
	return l.count;
}
