/* SPDX-License-Identifier: BSD-3-Clause */
/* Receiving, and waiting for it. */
#include "drivers/dpdk_port.h"

#include <rte_epoll.h>
#include <string.h>

#include "drivers/dpdk_eal.h"

/*
 * Sleep where a PMD has no rx interrupts: short after there was something, doubled at each look
 * for nothing. A thousand looks a second take about one percent of a core.
 */
#define NAP_MIN_NS 20000u

/* ---- from mbufs to buffers ---- */

static unsigned ip_header_len(const uint8_t *p, uint32_t len, uint8_t *ret_proto)
{
	if (len >= 20 && p[0] >> 4 == 4) {
		*ret_proto = p[9];
		return (p[0] & 15u) * 4;
	}
	if (len >= 40 && p[0] >> 4 == 6) {
		*ret_proto = p[6];
		return 40;
	}
	return 0;
}

/* Bytes before the payload of a merged frame; 0: it is none that rill can cut again. */
static uint16_t merged_header_len(const struct rill_buf *b)
{
	uint32_t l2 = 14, len = 0;
	uint8_t proto = 0;

	if (b->len >= 18 && b->data[12] == 0x81 && b->data[13] == 0)
		l2 += 4;
	if (b->len <= l2)
		return 0;
	unsigned l3 = ip_header_len(b->data + l2, b->len - l2, &proto);

	if (l3 && proto == 17)
		len = l2 + l3 + 8;
	if (l3 && proto == 6 && b->len >= l2 + l3 + 20)
		len = l2 + l3 + (b->data[l2 + l3 + 12] >> 4) * 4u;
	/* Lengths in headers are the sender's word. */
	return len <= b->len ? (uint16_t)len : 0;
}

static RILL_NOINLINE void take_meta(struct rill_dpdk_port *p, struct rill_buf *b,
				    const struct rte_mbuf *m, uint64_t flags)
{
	struct rill_buf_meta *meta = rill_buf_meta(b);
	uint64_t sum = flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	/* NONE: whoever sent it never made the sum, as it never left memory (virtio). */
	if (sum == RTE_MBUF_F_RX_L4_CKSUM_GOOD || sum == RTE_MBUF_F_RX_L4_CKSUM_NONE)
		b->flags |= RILL_BUF_CSUM_OK;
	if (flags & RTE_MBUF_F_RX_RSS_HASH) {
		meta->hash = m->hash.rss;
		b->flags |= RILL_BUF_HASH;
	}
	if (flags & RTE_MBUF_F_RX_VLAN_STRIPPED) {
		meta->vlan_tci = m->vlan_tci;
		b->flags |= RILL_BUF_VLAN;
	}
	if ((flags & RTE_MBUF_F_RX_LRO) && m->tso_segsz) {
		meta->gso_size = m->tso_segsz;
		meta->header_len = merged_header_len(b);
		if (meta->header_len)
			b->flags |= RILL_BUF_GSO | RILL_BUF_CSUM_OK;
	}
	if (flags & p->rx_time_flag) {
		uint64_t ticks = *RTE_MBUF_DYNFIELD(m, p->rx_time_field, const uint64_t *);

		b->time_ns = (uint64_t)((double)ticks * p->ns_per_tick);
		b->flags |= RILL_BUF_HW_TIME;
	}
}

static struct rill_buf *adopt(struct rill_dpdk_queue *q, struct rte_mbuf *m)
{
	struct rill_buf *b = rill_dpdk_buf_of(m);
	uint64_t flags = m->ol_flags;

	b->data = (uint8_t *)m->buf_addr + m->data_off;
	b->len = m->data_len;
	b->next = NULL;
	b->flags = 0;
	b->queue = q->base.index;
	b->time_ns = 0;
	rill_store_relaxed(&b->refs, 1);
	if (flags)
		take_meta(q->port, b, m, flags);
	return b;
}

/* The rest of the frame, each piece a buffer of its own again. */
static void adopt_rest(struct rill_dpdk_queue *q, struct rill_buf *head, struct rte_mbuf *m)
{
	struct rill_buf *last = head;

	head->flags |= RILL_BUF_CHAIN;
	while (m->next) {
		struct rte_mbuf *next = m->next;

		m->next = NULL;
		m->nb_segs = 1;
		last->next = adopt(q, next);
		last->next->flags = 0;
		last = last->next;
		m = next;
	}
	m->nb_segs = 1;
}

/*
 * What is another's memory (a handle that came through a ring, in the same process) is copied: who
 * receives a buffer may write to it.
 */
static RILL_NOINLINE struct rill_buf *copy_in(struct rill_dpdk_queue *q, struct rte_mbuf *m)
{
	struct rill_buf *b = rill_buf_alloc(&q->pool->base);
	const uint8_t *whole;

	if (b && m->pkt_len <= rill_buf_tailroom(b)) {
		b->len = m->pkt_len;
		whole = rte_pktmbuf_read(m, 0, m->pkt_len, b->data);
		if (whole != b->data)
			memcpy(b->data, whole, b->len);
		b->queue = q->base.index;
		take_meta(q->port, b, m, m->ol_flags);
		rte_pktmbuf_free(m);
		return b;
	}
	rill_buf_put_owner(&q->pool->base, b);
	rte_pktmbuf_free(m);
	rill_counter_add(&q->base.stats.rx_dropped, 1);
	return NULL;
}

static bool all_ours(const struct rte_mbuf *m)
{
	for (; m; m = m->next)
		if (!rill_dpdk_mbuf_is_ours(m))
			return false;
	return true;
}

static RILL_NOINLINE struct rill_buf *take_odd(struct rill_dpdk_queue *q, struct rte_mbuf *m)
{
	if (!all_ours(m))
		return copy_in(q, m);
	struct rill_buf *b = adopt(q, m);

	if (m->nb_segs > 1)
		adopt_rest(q, b, m);
	return b;
}

static unsigned receive(struct rill_dpdk_queue *q, struct rill_buf **bufs, unsigned n)
{
	struct rte_mbuf *mbufs[RILL_DPDK_BURST];
	unsigned count = 0;
	uint64_t bytes = 0;

	n = rte_eth_rx_burst(q->port->id, q->base.index, mbufs,
			     (uint16_t)RILL_MIN(n, RILL_DPDK_BURST));
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = mbufs[i];
		struct rill_buf *b;

		if (i + 1 < n)
			__builtin_prefetch(rill_dpdk_buf_of(mbufs[i + 1]), 1);
		bytes += m->pkt_len;
		if (RILL_LIKELY(m->pool == q->pool->mbufs && m->nb_segs == 1 &&
				RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1))
			b = adopt(q, m);
		else
			b = take_odd(q, m);
		if (RILL_LIKELY(b))
			bufs[count++] = b;
	}
	if (n) {
		rill_counter_add(&q->base.stats.rx_packets, count);
		rill_counter_add(&q->base.stats.rx_bytes, bytes);
	}
	return count;
}

static unsigned take_stash(struct rill_dpdk_queue *q, struct rill_buf **bufs, unsigned n)
{
	n = RILL_MIN(n, q->stash_count);
	memcpy(bufs, q->stash + q->stash_begin, n * sizeof(*bufs));
	q->stash_begin += n;
	q->stash_count -= n;
	return n;
}

unsigned rill_dpdk_rx_burst(struct rill_nic_queue *base, struct rill_buf **bufs, unsigned n)
{
	struct rill_dpdk_queue *q = rill_dpdk_queue_of(base);
	unsigned count;

	if (RILL_UNLIKELY(q->stash_count))
		return take_stash(q, bufs, n);
	rill_dpdk_thread_use();
	if (rill_buf_pool_reclaim(&q->pool->base) > RILL_DPDK_POOL_KEEP + RILL_DPDK_POOL_BATCH)
		rill_dpdk_pool_spill(q->pool);
	if (RILL_UNLIKELY(!rill_dpdk_enter(q)))
		return 0;
	count = receive(q, bufs, n);
	rill_dpdk_leave(q);
	if (count)
		q->nap_ns = NAP_MIN_NS;
	return count;
}

void rill_dpdk_rx_drop_stash(struct rill_dpdk_queue *q)
{
	struct rill_buf *b;

	while (take_stash(q, &b, 1))
		rill_buf_put_owner(&q->pool->base, b);
}

/* ---- sleep ---- */

/*
 * Whether something is there already no PMD tells reliably (with some, the interrupt comes for
 * what arrives from now on only): so it is received, and kept for the next burst.
 */
bool rill_dpdk_rx_arm(struct rill_nic_queue *base)
{
	struct rill_dpdk_queue *q = rill_dpdk_queue_of(base);

	if (q->stash_count)
		return false;
	rill_dpdk_thread_use();
	/* None on our list does not mean that there are none: see arm_shard(). */
	if (rill_buf_pool_reclaim(&q->pool->base) == 0)
		q->pool->base.refill(&q->pool->base);
	if (!rill_dpdk_enter(q))
		return true;
	if (q->wakes)
		rte_eth_dev_rx_intr_enable(q->port->id, base->index);
	q->stash_begin = 0;
	q->stash_count = receive(q, q->stash, RILL_DPDK_STASH);
	rill_dpdk_leave(q);
	return q->stash_count == 0;
}

void rill_dpdk_rx_disarm(struct rill_nic_queue *base)
{
	struct rill_dpdk_queue *q = rill_dpdk_queue_of(base);
	struct rte_epoll_event event;

	if (!q->wakes || !rill_dpdk_enter(q))
		return;
	rte_eth_dev_rx_intr_disable(q->port->id, base->index);
	/* Takes the event, and reads what has to be read so that there can be another. */
	rte_epoll_wait(q->epoll_fd, &event, 1, 0);
	rill_dpdk_leave(q);
}

int rill_dpdk_rx_fd(struct rill_nic_queue *base)
{
	const struct rill_dpdk_queue *q = rill_dpdk_queue_of(base);

	return q->wakes ? q->epoll_fd : -1;
}

uint64_t rill_dpdk_rx_next(struct rill_nic_queue *base)
{
	struct rill_dpdk_queue *q = rill_dpdk_queue_of(base);
	uint64_t nap = q->nap_ns;

	if (q->wakes)
		return UINT64_MAX;
	q->nap_ns = (uint32_t)RILL_MIN(2 * nap, q->port->options.nap_us * 1000);
	return base->now_ns + nap;
}
