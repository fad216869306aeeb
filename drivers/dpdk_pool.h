/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Buffers of DPDK ports. A struct rill_buf lies in the private area of its mbuf, in front of the
 * data, so that going from one to the other is arithmetic:
 *
 *   | struct rte_mbuf, 128 | struct rill_buf, 128 | headroom, 128 | data ... |
 *
 * An mbuf on rill's free list is one that was taken from the mempool and can go back to it as it
 * is: no next, one segment, one reference. The list is a cache in front of the mempool, so that
 * taking and giving back a buffer is as cheap as with other drivers.
 *
 * Who owns an mbuf that is sent. A PMD frees what it has sent without telling anybody. So it gets
 * the mbuf itself only when nobody else has the buffer, and that ends the buffer's life in rill.
 * Of a buffer that somebody keeps (TCP, until it is acknowledged) it gets a *handle*: an mbuf
 * without memory, attached to the buffer's bytes, whose end gives back the reference that it
 * holds. Until then the buffer is not exclusive.
 */
#ifndef RILL_DRIVERS_DPDK_POOL_H
#define RILL_DRIVERS_DPDK_POOL_H

#include <rte_mbuf.h>

#include "drivers/buf.h"

RILL_STATIC_ASSERT(sizeof(struct rte_mbuf) % 64 == 0, "buffers begin at cache lines");

/* Buffers that a queue's cache keeps, and how many it takes and gives at a time. */
#define RILL_DPDK_POOL_KEEP 256u
#define RILL_DPDK_POOL_BATCH 64u

struct rill_dpdk_pool {
	struct rill_buf_pool base;
	struct rte_mempool *mbufs;
	struct rte_mempool *handles;
	struct rill_dpdk_pool *next; /* of those that wait for their buffers */
};

/* What base.shared points to in all of them: EAL's memory is every port's. */
extern const char rill_dpdk_shared;

/*
 * count buffers of room bytes behind the headroom, and handles for as many. -ENOMEM: error says
 * what to do.
 */
int rill_dpdk_pool_create(unsigned count, unsigned room, unsigned handles, int socket,
			  struct rill_dpdk_pool **ret_pool, char *error);
/*
 * Frees it when all its buffers are back, and else when the last one is: another port may still
 * have some. Owner only. Serialised by the caller, with create.
 */
void rill_dpdk_pool_destroy(struct rill_dpdk_pool *p);
/*
 * Frees what was waiting and need not any more, or all: no port is left that could have a buffer.
 * How many pools still wait. As above.
 */
unsigned rill_dpdk_pool_sweep(bool all);

/* Gives the mempool what the cache has too much of. Owner only. */
void rill_dpdk_pool_spill(struct rill_dpdk_pool *p);

/* Is m, which a port received, a buffer of some pool of these, and nobody else's? */
bool rill_dpdk_mbuf_is_ours(const struct rte_mbuf *m);

static inline struct rte_mbuf *rill_dpdk_mbuf_of(const struct rill_buf *b)
{
	return (struct rte_mbuf *)((uintptr_t)b - sizeof(struct rte_mbuf));
}

static inline struct rill_buf *rill_dpdk_buf_of(struct rte_mbuf *m)
{
	return (struct rill_buf *)(void *)(m + 1);
}

/*
 * A handle on len bytes at data, which belong to b; NULL: there is none. It takes over a
 * reference of the caller's. Any thread.
 */
struct rte_mbuf *rill_dpdk_handle(struct rill_dpdk_pool *p, struct rill_buf *b, uint8_t *data,
				  uint32_t len);

#endif
