/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/dpdk_pool.h"

#include <errno.h>
#include <rte_errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/dpdk_eal.h"
#include "drivers/driver.h"

#define CACHE_MAX 256u
#define NAME_PREFIX "rill"

const char rill_dpdk_shared;

/* Pools whose NIC is closed, and some of whose buffers are elsewhere. */
static struct rill_dpdk_pool *waiting;

/* ---- between the cache and the mempool ---- */

static void refill(struct rill_buf_pool *base)
{
	struct rill_dpdk_pool *p = RILL_CONTAINER_OF(base, struct rill_dpdk_pool, base);
	void *mbufs[RILL_DPDK_POOL_BATCH];
	unsigned n = RILL_DPDK_POOL_BATCH;

	/* Near the end of it, what there is. */
	while (n > 0 && rte_mempool_get_bulk(p->mbufs, mbufs, n) < 0)
		n /= 2;
	for (unsigned i = 0; i < n; i++) {
		struct rill_buf *b = rill_dpdk_buf_of(mbufs[i]);

		b->next = base->free;
		base->free = b;
	}
	base->available += n;
}

static void give_back(struct rill_dpdk_pool *p, unsigned n)
{
	void *mbufs[RILL_DPDK_POOL_BATCH];

	RILL_DEBUG_ASSERT(n <= RILL_DPDK_POOL_BATCH && n <= p->base.available);
	for (unsigned i = 0; i < n; i++) {
		struct rill_buf *b = p->base.free;

		p->base.free = b->next;
		mbufs[i] = rill_dpdk_mbuf_of(b);
	}
	p->base.available -= n;
	rte_mempool_put_bulk(p->mbufs, mbufs, n);
}

void rill_dpdk_pool_spill(struct rill_dpdk_pool *p)
{
	while (p->base.available > RILL_DPDK_POOL_KEEP)
		give_back(p, RILL_DPDK_POOL_BATCH);
}

/* ---- handles ---- */

/* The NIC has done with the buffer. Whichever thread that is on. */
static void handle_end(void *addr, void *buf)
{
	rill_buf_put(buf);
}

static rte_iova_t iova_of(const struct rill_buf *b, const uint8_t *data)
{
	const struct rte_mbuf *m = rill_dpdk_mbuf_of(b);

	/* Of others' memory only CPUs read, by address. */
	if (b->pool->shared != &rill_dpdk_shared)
		return (rte_iova_t)(uintptr_t)data;
	return m->buf_iova + (rte_iova_t)(data - (const uint8_t *)m->buf_addr);
}

struct rte_mbuf *rill_dpdk_handle(struct rill_dpdk_pool *p, struct rill_buf *b, uint8_t *data,
				  uint32_t len)
{
	struct rte_mbuf *m = len <= UINT16_MAX ? rte_pktmbuf_alloc(p->handles) : NULL;

	if (RILL_UNLIKELY(!m))
		return NULL;
	struct rte_mbuf_ext_shared_info *info = rte_mbuf_to_priv(m);

	info->free_cb = handle_end;
	info->fcb_opaque = b;
	rte_mbuf_ext_refcnt_set(info, 1);
	rte_pktmbuf_attach_extbuf(m, data, iova_of(b, data), (uint16_t)len, info);
	m->data_off = 0;
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	return m;
}

bool rill_dpdk_mbuf_is_ours(const struct rte_mbuf *m)
{
	return RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1 &&
	       rte_pktmbuf_priv_size(m->pool) == RILL_BUF_HEADER_SIZE &&
	       memcmp(m->pool->name, NAME_PREFIX, sizeof(NAME_PREFIX) - 1) == 0;
}

/* ---- create and destroy ---- */

static void place_buf(struct rte_mempool *mp, void *pool, void *object, unsigned index)
{
	struct rte_mbuf *m = object;
	struct rill_buf *b = rill_dpdk_buf_of(m);

	memset(b, 0, RILL_BUF_HEADER_SIZE);
	b->head = m->buf_addr;
	b->end = b->head + m->buf_len;
	b->pool = pool;
}

static struct rte_mempool *make_mempool(const char *kind, unsigned count, unsigned priv,
					unsigned room, int socket)
{
	static unsigned serial;
	char name[RTE_MEMPOOL_NAMESIZE];
	unsigned cache = RILL_MIN(CACHE_MAX, count / 16);

	snprintf(name, sizeof(name), NAME_PREFIX "_%s%u", kind, serial++);
	return rte_pktmbuf_pool_create(name, count, cache, (uint16_t)priv, (uint16_t)room, socket);
}

static void pool_free(struct rill_dpdk_pool *p)
{
	rte_mempool_free(p->mbufs);
	rte_mempool_free(p->handles);
	free(p);
}

static int fail_memory(unsigned count, unsigned room, char *error)
{
	return rill_nic_fail(
		error, -ENOMEM,
		"dpdk: no memory for %u buffers of %u bytes, with %s: take fewer (rill.bufs=N), "
		"or give it more (%s)",
		count, room, rill_dpdk_eal_memory(),
		strncmp(rill_dpdk_eal_memory(), "no", 2) == 0 ? "RILL_DPDK_EAL=\"-m MEGABYTES\""
							      : "sysctl vm.nr_hugepages=N");
}

int rill_dpdk_pool_create(unsigned count, unsigned room, unsigned handles, int socket,
			  struct rill_dpdk_pool **ret_pool, char *error)
{
	struct rill_dpdk_pool *p = calloc(1, sizeof(*p));
	unsigned info = RTE_ALIGN(sizeof(struct rte_mbuf_ext_shared_info), RTE_MBUF_PRIV_ALIGN);

	if (!p)
		return fail_memory(count, room, error);
	p->mbufs =
		make_mempool("bufs", count, RILL_BUF_HEADER_SIZE, RILL_BUF_HEADROOM + room, socket);
	p->handles = make_mempool("handles", handles, info, 0, socket);
	if (!p->mbufs || !p->handles) {
		pool_free(p);
		return fail_memory(count, room, error);
	}
	rte_mempool_obj_iter(p->mbufs, place_buf, &p->base);
	p->base.size = count;
	p->base.buf_bytes = RILL_BUF_HEADROOM + room;
	p->base.refill = refill;
	p->base.shared = &rill_dpdk_shared;
	*ret_pool = p;
	return 0;
}

/* Nobody else has a buffer, so nobody will give one back. */
static bool try_free(struct rill_dpdk_pool *p, bool anyway)
{
	rill_buf_pool_reclaim(&p->base);
	while (p->base.available > 0)
		give_back(p, RILL_MIN(p->base.available, RILL_DPDK_POOL_BATCH));
	if (!anyway && (!rte_mempool_full(p->mbufs) || !rte_mempool_full(p->handles)))
		return false;
	pool_free(p);
	return true;
}

unsigned rill_dpdk_pool_sweep(bool all)
{
	struct rill_dpdk_pool *list = waiting;
	unsigned left = 0;

	waiting = NULL;
	while (list) {
		struct rill_dpdk_pool *p = list;

		list = p->next;
		if (try_free(p, all))
			continue;
		p->next = waiting;
		waiting = p;
		left++;
	}
	return left;
}

void rill_dpdk_pool_destroy(struct rill_dpdk_pool *p)
{
	p->next = waiting;
	waiting = p;
	rill_dpdk_pool_sweep(false);
}
