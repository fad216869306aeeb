/* SPDX-License-Identifier: BSD-3-Clause */
/* From a probed port to a running one: what it offers, what of that we use, queues, start. */
#include "drivers/dpdk_port.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_flow.h>
#include <rte_mbuf_dyn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/rand.h"
#include "drivers/dpdk_eal.h"

#define RING_DEFAULT 1024u
#define BUFS_DEFAULT 4096u
#define ROOM_MIN 2048u
#define ROOM_MAX 16384u
#define FRAME_OVERHEAD (14 + 2 * 4) /* Ethernet with two VLAN tags */
#define RSS_HF                                                                                     \
	(RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |          \
	 RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP)

static const struct rill_dpdk_traits pmds[] = {
	{.pmd = "net_memif", .reads_any_memory = true},
	{.pmd = "net_ring", .reads_any_memory = true, .keeps_frames = true},
	{.pmd = "net_null", .reads_any_memory = true, .rss_in_name_only = true},
	{.pmd = "net_pcap", .reads_any_memory = true, .time_unit_ns = 1000},
	{.pmd = "net_tap", .reads_any_memory = true, .rss_in_name_only = true},
	{.pmd = "net_af_packet", .reads_any_memory = true},
	{.pmd = "net_af_xdp", .reads_any_memory = true},
	{.pmd = "net_vhost", .reads_any_memory = true},
};

static int fail(struct rill_dpdk_port *p, int err, const char *what, char *error)
{
	char why[120];

	rill_dpdk_log_first(why, sizeof(why));
	return rill_nic_fail(error, err, "dpdk:%s: %s: %s%s%s", p->name, what, strerror(-err),
			     why[0] ? "; " : "", why);
}

/* ---- what there is ---- */

static void find_traits(struct rill_dpdk_port *p)
{
	p->traits = (struct rill_dpdk_traits){.pmd = p->info.driver_name};
	for (size_t i = 0; i < RILL_ARRAY_SIZE(pmds); i++)
		if (strcmp(pmds[i].pmd, p->info.driver_name) == 0)
			p->traits = pmds[i];
}

static void find_mac(struct rill_dpdk_port *p)
{
	struct rte_ether_addr mac = {0};

	if (rte_eth_macaddr_get(p->id, &mac) < 0 || !rte_is_valid_assigned_ether_addr(&mac)) {
		rill_rand_secret(mac.addr_bytes, 6);
		/* Locally administered, unicast. */
		mac.addr_bytes[0] = (uint8_t)((mac.addr_bytes[0] & 0xfc) | 2);
		/* Where there is none to set, frames are told apart by rill alone. */
		rte_eth_dev_default_mac_addr_set(p->id, &mac);
	}
	memcpy(p->base.mac, mac.addr_bytes, 6);
}

/* ---- what of it we use ---- */

/*
 * What costs others nothing is on: checksums, segmentation, several pieces, the hash. What changes
 * frames, or keeps PMDs from their fast paths, is on demand.
 */
static void choose_offloads(struct rill_dpdk_port *p)
{
	const struct rill_dpdk_options *o = &p->options;
	uint64_t rx = RTE_ETH_RX_OFFLOAD_CHECKSUM | RTE_ETH_RX_OFFLOAD_RSS_HASH;
	uint64_t tx = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
		      RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO |
		      RTE_ETH_TX_OFFLOAD_UDP_TSO;

	if (!o->offload)
		rx = tx = 0;
	tx |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (o->lro)
		rx |= RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_SCATTER;
	if (o->vlan) {
		rx |= RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
		tx |= RTE_ETH_TX_OFFLOAD_VLAN_INSERT;
	}
	if (o->time) {
		rx |= RTE_ETH_RX_OFFLOAD_TIMESTAMP;
		tx |= RTE_ETH_TX_OFFLOAD_SEND_ON_TIMESTAMP;
	}
	p->conf.rxmode.offloads = rx & p->info.rx_offload_capa;
	p->conf.txmode.offloads = tx & p->info.tx_offload_capa;
	if (p->conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO)
		p->conf.rxmode.max_lro_pkt_size = p->info.max_lro_pkt_size;
}

static uint32_t caps_of(const struct rill_dpdk_port *p)
{
	const uint64_t rx_sums = RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
	const uint64_t tx_sums = RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	uint64_t rx = p->conf.rxmode.offloads, tx = p->conf.txmode.offloads;
	bool sums = (tx & tx_sums) == tx_sums;
	uint32_t caps = RILL_NIC_TX_SEGS | RILL_NIC_RX_SEGS; /* copied where the PMD cannot */

	caps |= (rx & rx_sums) == rx_sums ? RILL_NIC_RX_CSUM : 0;
	caps |= sums ? RILL_NIC_TX_CSUM : 0;
	if (sums && (tx & RTE_ETH_TX_OFFLOAD_MULTI_SEGS)) {
		caps |= tx & RTE_ETH_TX_OFFLOAD_TCP_TSO ? RILL_NIC_TX_TSO : 0;
		caps |= tx & RTE_ETH_TX_OFFLOAD_UDP_TSO ? RILL_NIC_TX_USO : 0;
	}
	caps |= rx & RTE_ETH_RX_OFFLOAD_TCP_LRO ? RILL_NIC_RX_LRO : 0;
	caps |= rx & RTE_ETH_RX_OFFLOAD_RSS_HASH ? RILL_NIC_RX_HASH : 0;
	caps |= rx & RTE_ETH_RX_OFFLOAD_VLAN_STRIP ? RILL_NIC_RX_VLAN : 0;
	caps |= tx & RTE_ETH_TX_OFFLOAD_VLAN_INSERT ? RILL_NIC_TX_VLAN : 0;
	caps |= p->rx_time_flag ? RILL_NIC_RX_TIME : 0;
	caps |= p->tx_time_flag ? RILL_NIC_TX_AT : 0;
	return caps;
}

static void choose_rss(struct rill_dpdk_port *p, unsigned queues)
{
	struct rte_eth_rss_conf *rss = &p->conf.rx_adv_conf.rss_conf;
	uint8_t len = p->info.hash_key_size;

	p->conf.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE;
	rss->rss_hf = RSS_HF & p->info.flow_type_rss_offloads;
	if (queues < 2 || !rss->rss_hf)
		return;
	p->conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	/* A key of our own: nobody outside can choose flows that all go to one queue. */
	if (len >= RILL_TOEPLITZ_KEY_MIN && len <= sizeof(p->rss.key)) {
		rill_rand_secret(p->rss.key, len);
		rss->rss_key = p->rss.key;
		rss->rss_key_len = len;
	}
}

/* ---- mtu and buffers ---- */

static int choose_mtu(struct rill_dpdk_port *p, char *error)
{
	uint64_t want = p->options.mtu;
	uint16_t mtu = RTE_ETHER_MTU;

	rte_eth_dev_get_mtu(p->id, &mtu);
	if (want && p->info.max_mtu && want > p->info.max_mtu)
		return rill_nic_fail(error, -EMSGSIZE, "dpdk:%s: rill.mtu=%u: it can do %u at most",
				     p->name, (unsigned)want, p->info.max_mtu);
	if (want)
		mtu = (uint16_t)want;
	if (mtu > UINT16_MAX - FRAME_OVERHEAD)
		mtu = UINT16_MAX - FRAME_OVERHEAD;
	p->base.mtu = mtu;
	p->conf.rxmode.mtu = mtu;
	return 0;
}

/* A whole frame in one buffer, if it can be; else receive scatters. */
static uint32_t choose_room(struct rill_dpdk_port *p)
{
	uint32_t room = RILL_MAX(ROOM_MIN, p->base.mtu + (uint32_t)FRAME_OVERHEAD);

	room = RILL_MAX(room, p->info.min_rx_bufsize);
	if (room <= ROOM_MAX)
		return (room + 63) & ~63u;
	p->conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER & p->info.rx_offload_capa;
	return ROOM_MAX;
}

/* ---- time ---- */

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* How fast does the port's clock tick? 0: it does not tell. */
static double measure_ns_per_tick(const struct rill_dpdk_port *p)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	uint64_t begin, end, begin_ns = monotonic_ns();

	if (p->traits.time_unit_ns)
		return p->traits.time_unit_ns;
	if (rte_eth_read_clock(p->id, &begin) < 0)
		return 0;
	nanosleep(&pause, NULL);
	if (rte_eth_read_clock(p->id, &end) < 0 || end == begin)
		return 0;
	double ns = (double)(monotonic_ns() - begin_ns) / (double)(end - begin);

	/* Clocks of NICs that count nanoseconds are meant to. */
	return ns > 0.99 && ns < 1.01 ? 1 : ns;
}

static void setup_time(struct rill_dpdk_port *p)
{
	p->rx_time_field = -1;
	p->tx_time_field = -1;
	if (!p->options.time)
		return;
	if (p->conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_TIMESTAMP)
		rte_mbuf_dyn_rx_timestamp_register(&p->rx_time_field, &p->rx_time_flag);
	if (p->conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_SEND_ON_TIMESTAMP)
		rte_mbuf_dyn_tx_timestamp_register(&p->tx_time_field, &p->tx_time_flag);
	/* Some PMDs (net_pcap) stamp whatever was asked for, once the field is there. */
	if (p->traits.time_unit_ns && p->rx_time_field < 0)
		rte_mbuf_dyn_rx_timestamp_register(&p->rx_time_field, &p->rx_time_flag);
}

/* ---- queues ---- */

static int queue_alloc(struct rill_dpdk_port *p, unsigned index, uint32_t room, char *error)
{
	struct rill_dpdk_queue *q = calloc(1, sizeof(*q));
	/* What the PMD may hold, besides what is ours. */
	unsigned bufs = (unsigned)p->options.bufs + 2u * p->ring_slots;

	if (!q)
		return rill_nic_fail(error, -ENOMEM, "dpdk: out of memory");
	q->port = p;
	q->epoll_fd = -1;
	q->base.nic = &p->base;
	q->base.index = (uint16_t)index;
	p->base.queues[p->base.queue_count++] = &q->base;
	int err = rill_dpdk_pool_create(bufs, room, bufs, rte_eth_dev_socket_id(p->id), &q->pool,
					error);

	if (!err)
		q->base.pool = &q->pool->base;
	return err;
}

static int queue_setup(struct rill_dpdk_port *p, struct rill_dpdk_queue *q, uint16_t rxd,
		       uint16_t txd, char *error)
{
	struct rte_eth_rxconf rx = p->info.default_rxconf;
	struct rte_eth_txconf tx = p->info.default_txconf;
	unsigned socket = (unsigned)rte_eth_dev_socket_id(p->id);
	uint16_t index = q->base.index;
	int err;

	rx.offloads = p->conf.rxmode.offloads & p->info.rx_queue_offload_capa;
	tx.offloads = p->conf.txmode.offloads & p->info.tx_queue_offload_capa;
	err = rte_eth_rx_queue_setup(p->id, index, rxd, socket, &rx, q->pool->mbufs);
	if (!err)
		err = rte_eth_tx_queue_setup(p->id, index, txd, socket, &tx);
	return err ? fail(p, err, "a queue cannot be set up", error) : 0;
}

/*
 * An epoll descriptor in front of the PMD's own: what has to be read after a wake-up differs, and
 * rte_epoll_wait() knows.
 */
static bool setup_wake(struct rill_dpdk_queue *q)
{
	uint16_t port = q->port->id, index = q->base.index;

	q->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (q->epoll_fd < 0)
		return false;
	/* The tag must not be NULL for some versions. */
	if (rte_eth_dev_rx_intr_ctl_q(port, index, q->epoll_fd, RTE_INTR_EVENT_ADD, q) < 0)
		return false;
	if (rte_eth_dev_rx_intr_enable(port, index) < 0)
		return false;
	rte_eth_dev_rx_intr_disable(port, index);
	return true;
}

static int configure_queues(struct rill_dpdk_port *p, char *error)
{
	uint16_t rxd = p->ring_slots, txd = p->ring_slots;
	int err = rte_eth_dev_configure(p->id, (uint16_t)p->base.queue_count,
					(uint16_t)p->base.queue_count, &p->conf);

	if (err)
		return fail(p, err, "it cannot be configured", error);
	err = rte_eth_dev_adjust_nb_rx_tx_desc(p->id, &rxd, &txd);
	if (err)
		return fail(p, err, "no ring size suits it", error);
	for (unsigned i = 0; !err && i < p->base.queue_count; i++)
		err = queue_setup(p, rill_dpdk_queue_of(p->base.queues[i]), rxd, txd, error);
	return err;
}

static int configure(struct rill_dpdk_port *p, char *error)
{
	int err;

	p->conf.intr_conf.lsc = (*p->info.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0;
	p->conf.intr_conf.rmv = (*p->info.dev_flags & RTE_ETH_DEV_INTR_RMV) != 0;
	p->conf.intr_conf.rxq = 1;
	err = configure_queues(p, error);
	if (err)
		return err;
	err = rte_eth_dev_start(p->id);
	if (err && !p->traits.connects_once) {
		/* Some PMDs refuse to start over interrupts that they do not have. */
		p->conf.intr_conf.rxq = 0;
		err = configure_queues(p, error);
		if (err)
			return err;
		err = rte_eth_dev_start(p->id);
	}
	if (err && !p->traits.connects_once)
		return fail(p, err, "it does not start", error);
	p->started = err == 0;
	return 0;
}

static void setup_wakes(struct rill_dpdk_port *p)
{
	for (unsigned i = 0; i < p->base.queue_count; i++) {
		struct rill_dpdk_queue *q = rill_dpdk_queue_of(p->base.queues[i]);

		q->wakes = p->started && p->conf.intr_conf.rxq && setup_wake(q);
	}
}

static int isolate(struct rill_dpdk_port *p, char *error)
{
	struct rte_flow_error why = {0};

	if (!p->options.isolate)
		return 0;
	if (rte_flow_isolate(p->id, 1, &why) == 0) {
		p->isolated = true;
		return 0;
	}
	return rill_nic_fail(error, -ENOTSUP,
			     "dpdk:%s: %s cannot leave to the kernel what is not rill's%s%s: take "
			     "rill.isolate=off, and all of the port",
			     p->name, p->info.driver_name, why.message ? ": " : "",
			     why.message ? why.message : "");
}

static unsigned choose_queues(const struct rill_dpdk_port *p, unsigned queues)
{
	unsigned most = RILL_MIN(p->info.max_rx_queues, p->info.max_tx_queues);

	return RILL_MAX(1u, RILL_MIN(queues, most));
}

static void choose_rings(struct rill_dpdk_port *p)
{
	p->ring_slots = (uint16_t)(p->options.ring ? p->options.ring : RING_DEFAULT);
	if (p->options.bufs == 0)
		p->options.bufs = BUFS_DEFAULT;
}

static void finish(struct rill_dpdk_port *p)
{
	uint16_t segs = p->info.tx_desc_lim.nb_mtu_seg_max;

	if (p->info.tx_desc_lim.nb_seg_max)
		segs = RILL_MIN(segs ? segs : UINT16_MAX, p->info.tx_desc_lim.nb_seg_max);
	p->segs_max = segs ? segs : UINT16_MAX;
	if (!(p->conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS))
		p->segs_max = 1;
	if (p->options.promisc)
		rte_eth_promiscuous_enable(p->id);
	/* Neighbour discovery and group members need some; rill sorts the rest out. */
	rte_eth_allmulticast_enable(p->id);
	p->base.caps = caps_of(p);
	p->base.gso_max = p->base.caps & (RILL_NIC_TX_TSO | RILL_NIC_TX_USO) ? 65535 : 0;
}

int rill_dpdk_port_setup(struct rill_dpdk_port *p, unsigned queues, char *error)
{
	uint32_t room;
	int err = rte_eth_dev_info_get(p->id, &p->info);

	if (err)
		return fail(p, err, "it does not say what it is", error);
	bool connects_once = p->traits.connects_once;

	find_traits(p);
	p->traits.connects_once = connects_once;
	p->foreign_ok = p->foreign_ok && p->traits.reads_any_memory;
	queues = choose_queues(p, queues);
	choose_offloads(p);
	choose_rss(p, queues);
	choose_rings(p);
	err = choose_mtu(p, error);
	if (!err)
		err = isolate(p, error);
	if (err)
		return err;
	room = choose_room(p);
	find_mac(p);
	setup_time(p);
	for (unsigned i = 0; !err && i < queues; i++)
		err = queue_alloc(p, i, room, error);
	if (!err)
		err = configure(p, error);
	if (err)
		return err;
	setup_wakes(p);
	p->ns_per_tick = p->rx_time_flag || p->tx_time_flag ? measure_ns_per_tick(p) : 0;
	if (p->ns_per_tick == 0)
		p->rx_time_flag = p->tx_time_flag = 0;
	finish(p);
	rill_dpdk_rss_read(p);
	return 0;
}

static void drop_received(struct rill_dpdk_port *p, uint16_t queue)
{
	struct rte_mbuf *mbufs[RILL_DPDK_BURST];
	unsigned n;

	while ((n = rte_eth_rx_burst(p->id, queue, mbufs, RILL_DPDK_BURST)) > 0)
		rte_pktmbuf_free_bulk(mbufs, n);
}

void rill_dpdk_port_teardown(struct rill_dpdk_port *p)
{
	for (unsigned i = 0; i < p->base.queue_count; i++) {
		struct rill_dpdk_queue *q = rill_dpdk_queue_of(p->base.queues[i]);

		if (q->wakes)
			rte_eth_dev_rx_intr_ctl_q(p->id, (uint16_t)i, q->epoll_fd,
						  RTE_INTR_EVENT_DEL, q);
		if (q->epoll_fd >= 0)
			close(q->epoll_fd);
		rill_dpdk_rx_drop_stash(q);
		if (p->started && p->traits.keeps_frames)
			drop_received(p, (uint16_t)i);
	}
	rill_dpdk_flow_forget(p);
	rte_eth_dev_stop(p->id);
}
