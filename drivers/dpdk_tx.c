/* SPDX-License-Identifier: BSD-3-Clause */
/* Sending: whose mbuf the PMD gets, and what the NIC is to do to the frame. */
#include "drivers/dpdk_port.h"

#include <string.h>

#include "drivers/dpdk_eal.h"

#define ETH_LEN 14u
#define VLAN_LEN 4u
#define IP_LEN 20u /* at least */
#define TCP_LEN 20u
#define UDP_LEN 8u
#define TCP_SUM_AT 16 /* in its header: tells TCP from UDP */
#define UDP_SUM_AT 6
#define L3_LEN_MAX 511u /* of the bits that an mbuf has for it */

enum given {
	GIVEN_MBUF,   /* the buffer itself: ends with the PMD */
	GIVEN_HANDLE, /* with the caller's reference in it */
	GIVEN_OTHER,  /* copies, or handles with references of their own */
};

struct batch {
	struct rill_buf *bufs[RILL_DPDK_BURST];
	struct rte_mbuf *mbufs[RILL_DPDK_BURST];
	uint32_t lens[RILL_DPDK_BURST];
	uint16_t sums[RILL_DPDK_BURST][2]; /* of GSO frames, as they were given: L4's, IP's */
	uint8_t given[RILL_DPDK_BURST];
	unsigned count;
	unsigned refused; /* of those that count as taken */
	uint64_t flags;	  /* of all mbufs */
};

/* ---- pieces ---- */

/* May the PMD read this buffer's bytes where they are? */
static bool readable(const struct rill_dpdk_queue *q, const struct rill_buf *b)
{
	return b->pool->shared == &rill_dpdk_shared || q->port->foreign_ok;
}

static void set_len(struct rte_mbuf *m, const uint8_t *data, uint32_t len)
{
	m->data_off = (uint16_t)(data - (const uint8_t *)m->buf_addr);
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	m->ol_flags = 0;
}

static struct rte_mbuf *chain(struct rte_mbuf *head, struct rte_mbuf *last, struct rte_mbuf *m)
{
	last->next = m;
	head->nb_segs++;
	head->pkt_len += m->data_len;
	return m;
}

/* A copy of the frame in as many of our own buffers as it takes. NULL: there are not enough. */
static struct rte_mbuf *copy_frame(struct rill_dpdk_queue *q, const struct rill_buf_seg *segs,
				   unsigned count)
{
	struct rte_mbuf *head = NULL, *last = NULL;
	uint32_t room = 0;

	for (unsigned i = 0; i < count; i++) {
		for (uint32_t at = 0; at < segs[i].len;) {
			if (room == 0) {
				struct rill_buf *b = rill_buf_alloc(&q->pool->base);

				if (!b) {
					rte_pktmbuf_free(head);
					return NULL;
				}
				struct rte_mbuf *m = rill_dpdk_mbuf_of(b);

				set_len(m, b->data, 0);
				last = head ? chain(head, last, m) : (head = m);
				room = (uint32_t)rill_buf_tailroom(b);
			}
			uint32_t n = RILL_MIN(room, segs[i].len - at);

			memcpy(rte_pktmbuf_mtod_offset(last, uint8_t *, last->data_len),
			       segs[i].data + at, n);
			last->data_len = (uint16_t)(last->data_len + n);
			head->pkt_len += n;
			at += n;
			room -= n;
		}
	}
	return head;
}

/* Handles on all pieces, each with a reference of its own. */
static struct rte_mbuf *link_frame(struct rill_dpdk_queue *q, const struct rill_buf_seg *segs,
				   unsigned count)
{
	struct rte_mbuf *head = NULL, *last = NULL;

	for (unsigned i = 0; i < count; i++) {
		if (segs[i].len == 0)
			continue;
		struct rte_mbuf *m =
			rill_dpdk_handle(q->pool, segs[i].buf, segs[i].data, segs[i].len);

		if (!m) {
			rte_pktmbuf_free(head);
			return NULL;
		}
		rill_buf_get(segs[i].buf);
		last = head ? chain(head, last, m) : (head = m);
	}
	return head;
}

static bool all_readable(const struct rill_dpdk_queue *q, const struct rill_buf_seg *segs,
			 unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!readable(q, segs[i].buf))
			return false;
	return true;
}

/* ---- what the NIC is to do ---- */

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* The pseudo-header's sum without the length, which the NIC adds for each frame that it makes. */
static void take_length_out(uint8_t *field, uint32_t len)
{
	uint32_t sum = get16(field) + (~len & 0xffff);

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	field[0] = (uint8_t)(sum >> 8);
	field[1] = (uint8_t)sum;
}

static uint32_t l2_len(const struct rill_buf *b)
{
	uint32_t len = ETH_LEN;

	while (len + VLAN_LEN <= b->csum_start &&
	       (get16(b->data + len - 2) == 0x8100 || get16(b->data + len - 2) == 0x88a8))
		len += VLAN_LEN;
	return len;
}

/* By the header itself: what kernels say of received frames (header_len) is a hint. */
static uint32_t l4_len(const struct rill_buf *b)
{
	return b->csum_offset == TCP_SUM_AT ? (b->data[b->csum_start + 12] >> 4) * 4u : UDP_LEN;
}

/* Packets are anybody's, and what one says of itself may be wrong: is all of it in its headers? */
static bool offloads_fit(const struct rill_buf *b)
{
	bool tcp = b->csum_offset == TCP_SUM_AT;
	uint32_t least = tcp ? TCP_LEN : UDP_LEN, l2;

	if (!(b->flags & RILL_BUF_CSUM_PARTIAL) || (!tcp && b->csum_offset != UDP_SUM_AT) ||
	    b->csum_start + least > b->len)
		return false;
	l2 = l2_len(b);
	if (b->csum_start < l2 + IP_LEN || b->csum_start > l2 + L3_LEN_MAX)
		return false;
	if (!(b->flags & RILL_BUF_GSO))
		return true;
	return rill_buf_meta((struct rill_buf *)b)->gso_size > 0 && l4_len(b) >= least &&
	       b->csum_start + l4_len(b) <= b->len;
}

static void set_segmentation(struct rte_mbuf *m, struct rill_buf *b, bool tcp, bool ip4)
{
	uint8_t *header = rte_pktmbuf_mtod(m, uint8_t *);

	m->ol_flags |= tcp ? RTE_MBUF_F_TX_TCP_SEG : RTE_MBUF_F_TX_UDP_SEG;
	m->l4_len = (uint8_t)l4_len(b);
	m->tso_segsz = rill_buf_meta(b)->gso_size;
	take_length_out(header + b->csum_start + b->csum_offset, m->pkt_len - b->csum_start);
	if (ip4) {
		m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
		memset(header + m->l2_len + 10, 0, 2);
	}
}

static void set_checksum(struct rte_mbuf *m, struct rill_buf *b)
{
	bool tcp = b->csum_offset == TCP_SUM_AT;
	uint32_t l2 = l2_len(b);
	bool ip4 = get16(b->data + l2 - 2) == 0x0800;

	m->l2_len = l2;
	m->l3_len = b->csum_start - l2;
	m->ol_flags |= ip4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
	if (b->flags & RILL_BUF_GSO)
		set_segmentation(m, b, tcp, ip4);
	else
		m->ol_flags |= tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
}

static RILL_NOINLINE void set_offloads(const struct rill_dpdk_port *p, struct rte_mbuf *m,
				       struct rill_buf *b)
{
	const struct rill_buf_meta *meta = rill_buf_meta(b);

	if (b->flags & RILL_BUF_CSUM_PARTIAL)
		set_checksum(m, b);
	if (b->flags & RILL_BUF_VLAN) {
		m->ol_flags |= RTE_MBUF_F_TX_VLAN;
		m->vlan_tci = meta->vlan_tci;
	}
	if ((b->flags & RILL_BUF_TX_AT) && p->tx_time_field >= 0) {
		m->ol_flags |= p->tx_time_flag;
		*RTE_MBUF_DYNFIELD(m, p->tx_time_field, uint64_t *) =
			(uint64_t)((double)meta->tx_at_ns / p->ns_per_tick);
	}
}

/* ---- one frame ---- */

static RILL_NOINLINE struct rte_mbuf *build_parts(struct rill_dpdk_queue *q, struct rill_buf *b)
{
	struct rill_buf_seg segs[RILL_BUF_SEGS_MAX];
	unsigned n = rill_buf_segs(b, segs, RILL_BUF_SEGS_MAX);
	struct rte_mbuf *m = NULL;

	if (n == 0)
		return NULL;
	/* Segmentation changes the headers, and others may be reading them. */
	if (n <= q->port->segs_max && all_readable(q, segs, n) &&
	    ((b->flags & RILL_BUF_GSO) == 0 || rill_buf_exclusive(b)))
		m = link_frame(q, segs, n);
	return m ? m : copy_frame(q, segs, n);
}

static struct rte_mbuf *build(struct rill_dpdk_queue *q, struct rill_buf *b, uint8_t *ret_given)
{
	struct rill_buf_seg whole = {b, b->data, b->len};
	struct rte_mbuf *m;

	*ret_given = GIVEN_OTHER;
	if (RILL_UNLIKELY(b->flags & (RILL_BUF_CHAIN | RILL_BUF_PARTS)))
		return build_parts(q, b);
	if (b->pool->shared == &rill_dpdk_shared && rill_buf_exclusive(b)) {
		m = rill_dpdk_mbuf_of(b);
		set_len(m, b->data, b->len);
		*ret_given = GIVEN_MBUF;
		return m;
	}
	if (RILL_UNLIKELY(!readable(q, b) || (b->flags & RILL_BUF_GSO)))
		return copy_frame(q, &whole, 1);
	m = rill_dpdk_handle(q->pool, b, b->data, b->len);
	if (RILL_UNLIKELY(!m))
		return copy_frame(q, &whole, 1);
	*ret_given = GIVEN_HANDLE;
	return m;
}

/* ---- bursts ---- */

static bool sendable(const struct rill_dpdk_port *p, const struct rill_buf *b)
{
	uint32_t len = b->len;

	if (RILL_UNLIKELY(b->flags & (RILL_BUF_CHAIN | RILL_BUF_PARTS)))
		len = rill_buf_frame_len(b);
	if (b->len < ETH_LEN)
		return false;
	if (b->flags & (RILL_BUF_CSUM_PARTIAL | RILL_BUF_GSO) && !offloads_fit(b))
		return false;
	if (b->flags & RILL_BUF_GSO)
		return len <= p->base.gso_max;
	return len <= p->base.mtu + ETH_LEN + 2 * VLAN_LEN;
}

/* What set_segmentation() changes, to or from the frame. */
static void copy_sums(struct rill_buf *b, uint16_t *sums, bool back)
{
	uint8_t *l4 = b->data + b->csum_start + b->csum_offset;
	uint8_t *ip = b->data + l2_len(b) + 10;

	memcpy(back ? (void *)l4 : &sums[0], back ? (void *)&sums[0] : l4, 2);
	memcpy(back ? (void *)ip : &sums[1], back ? (void *)&sums[1] : ip, 2);
}

/* The PMD does not want it: the buffer is as it was, and the caller's. */
static void undo(struct batch *batch, unsigned i)
{
	struct rill_buf *b = batch->bufs[i];

	if (b->flags & RILL_BUF_GSO)
		copy_sums(b, batch->sums[i], true);
	if (batch->given[i] == GIVEN_MBUF)
		return;
	if (batch->given[i] == GIVEN_HANDLE)
		rill_buf_get(b);
	rte_pktmbuf_free(batch->mbufs[i]);
}

/* How many the PMD took; what it can never send counts as taken, and is dropped. */
static unsigned give(const struct rill_dpdk_queue *q, struct batch *batch)
{
	uint16_t port = q->port->id, index = q->base.index;
	unsigned at = 0;

	while (at < batch->count) {
		uint16_t want = (uint16_t)(batch->count - at), ready = want, n = 0;

		if (batch->flags)
			ready = rte_eth_tx_prepare(port, index, batch->mbufs + at, want);
		if (ready)
			n = rte_eth_tx_burst(port, index, batch->mbufs + at, ready);
		at += n;
		if (n < ready || ready == want)
			break;
		/* The next one was refused for what it asks for. */
		rte_pktmbuf_free(batch->mbufs[at++]);
		batch->refused++;
	}
	return at;
}

/* False: no memory for it. */
static bool add_frame(struct rill_dpdk_queue *q, struct batch *batch, struct rill_buf *b)
{
	unsigned at = batch->count;
	struct rte_mbuf *m = build(q, b, &batch->given[at]);

	if (RILL_UNLIKELY(!m))
		return false;
	if (b->flags & RILL_BUF_GSO)
		copy_sums(b, batch->sums[at], false);
	if (b->flags & (RILL_BUF_CSUM_PARTIAL | RILL_BUF_VLAN | RILL_BUF_TX_AT))
		set_offloads(q->port, m, b);
	batch->flags |= m->ol_flags & ~RTE_MBUF_F_EXTERNAL;
	batch->bufs[at] = b;
	batch->mbufs[at] = m;
	batch->lens[at] = m->pkt_len;
	batch->count++;
	return true;
}

/* The first ones of bufs, up to one that cannot be sent; how many the PMD took. */
static unsigned send_some(struct rill_dpdk_queue *q, struct rill_buf **bufs, unsigned n)
{
	struct batch batch;
	uint64_t bytes = 0;
	unsigned taken;

	batch.count = 0;
	batch.refused = 0;
	batch.flags = 0;
	for (unsigned i = 0; i < n && sendable(q->port, bufs[i]); i++)
		if (!add_frame(q, &batch, bufs[i]))
			break;
	taken = give(q, &batch);
	for (unsigned i = 0; i < taken; i++) {
		bytes += batch.lens[i];
		/* The caller's reference, unless it went with the mbuf. */
		if (batch.given[i] == GIVEN_OTHER)
			rill_buf_put_owner(&q->pool->base, batch.bufs[i]);
	}
	for (unsigned i = taken; i < batch.count; i++)
		undo(&batch, i);
	rill_counter_add(&q->base.stats.tx_packets, taken - batch.refused);
	rill_counter_add(&q->base.stats.tx_bytes, bytes);
	rill_counter_add(&q->base.stats.tx_dropped, batch.refused);
	return taken;
}

unsigned rill_dpdk_tx_burst(struct rill_nic_queue *base, struct rill_buf **bufs, unsigned n)
{
	struct rill_dpdk_queue *q = rill_dpdk_queue_of(base);
	unsigned done = 0;

	rill_dpdk_thread_use();
	if (RILL_UNLIKELY(!rill_dpdk_enter(q)))
		return 0;
	while (done < n) {
		unsigned taken = send_some(q, bufs + done, RILL_MIN(n - done, RILL_DPDK_BURST));

		done += taken;
		if (RILL_LIKELY(taken > 0))
			continue;
		if (sendable(q->port, bufs[done]))
			break;
		rill_buf_put_owner(&q->pool->base, bufs[done++]);
		rill_counter_add(&base->stats.tx_dropped, 1);
	}
	rill_dpdk_leave(q);
	return done;
}

/* PMDs send at once. */
void rill_dpdk_tx_flush(struct rill_nic_queue *base)
{
}
