/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One AF_XDP socket with its UMEM: a NIC queue of the af_xdp driver.
 *
 * The UMEM is an array of chunks, and each begins with its struct rill_buf, so that from the
 * address in a descriptor to the buffer is a mask:
 *
 *   | struct rill_buf (frame_headroom) | the kernel's XDP headroom, 256 | packet ... |
 *
 * A buffer is free in the pool, or posted in the fill ring, or with a holder; the ones that the
 * kernel is sending carry one reference for it, which the completion ring gives back.
 */
#ifndef RILL_DRIVERS_AF_XDP_QUEUE_H
#define RILL_DRIVERS_AF_XDP_QUEUE_H

#include <xdp/xsk.h>

#include "drivers/driver.h"

struct rill_xsk_config {
	const char *ifname;
	unsigned ifindex;
	uint32_t frame_count;
	uint32_t ring_slots;   /* power of two */
	uint32_t chunk_len;    /* power of two */
	uint16_t bind_flags;   /* XDP_COPY, XDP_ZEROCOPY, or 0: as the kernel can */
	unsigned busy_poll_us; /* 0: off */
};

struct rill_xsk_queue {
	struct rill_nic_queue base;
	struct rill_buf_pool pool;
	struct xsk_ring_cons rx;
	struct xsk_ring_prod fill;
	struct xsk_ring_prod tx;
	struct xsk_ring_cons comp;
	uint8_t *area;
	size_t area_len;
	uint64_t chunk_mask; /* an offset & this: the start of its chunk */
	struct xsk_umem *umem;
	struct xsk_socket *xsk;
	int fd;
	bool zerocopy;
	bool busy_poll;
	RILL_ATOMIC(bool) short_of_bufs; /* the fill ring got less than it had room for */
	uint32_t frame_count;		 /* what RLIMIT_MEMLOCK left of the wish */
};

/* What of a chunk is left for a frame. */
uint32_t rill_xsk_frame_len_max(uint32_t chunk_len);

/*
 * Binds to the interface's queue with that index. -EBUSY: another socket has it. With too little
 * RLIMIT_MEMLOCK it makes do with fewer frames.
 */
int rill_xsk_queue_open(const struct rill_xsk_config *config, unsigned index,
			struct rill_xsk_queue **ret_queue, char *error);
void rill_xsk_queue_close(struct rill_xsk_queue *q);

unsigned rill_xsk_rx_burst(struct rill_nic_queue *q, struct rill_buf **bufs, unsigned n);
unsigned rill_xsk_tx_burst(struct rill_nic_queue *q, struct rill_buf **bufs, unsigned n);
void rill_xsk_tx_flush(struct rill_nic_queue *q);
bool rill_xsk_poll_due(const struct rill_nic_queue *q);
bool rill_xsk_rx_arm(struct rill_nic_queue *q);
void rill_xsk_stats(struct rill_nic_queue *q, struct rill_nic_stats *stats);

#endif
