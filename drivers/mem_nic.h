/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the NICs in memory (mem:, sim:) have in common: a port of a hub, and for each queue a buffer
 * pool and a receive ring. A driver puts these structs at the head of its own.
 */
#ifndef RILL_DRIVERS_MEM_NIC_H
#define RILL_DRIVERS_MEM_NIC_H

#include "drivers/mem_hub.h"

#define RILL_MEM_ETH_LEN 14
/* What a frame may have on top of the mtu: Ethernet with two VLAN tags. */
#define RILL_MEM_FRAME_OVERHEAD (RILL_MEM_ETH_LEN + 2 * 4)

#define RILL_MEM_BUFS_DEFAULT 4096u
#define RILL_MEM_RING_DEFAULT 512u
#define RILL_MEM_RING_MAX 32768u

struct rill_mem_nic {
	struct rill_nic base;
	struct rill_mem_hub *hub;
	unsigned port;
	bool joined;
	/* The driver's options, before rill_mem_nic_start(). */
	uint64_t mtu, ring_slots, bufs;
};

struct rill_mem_queue {
	struct rill_nic_queue base;
	struct rill_buf_pool pool;
	struct rill_mem_ring *ring; /* the receive side */
};

/* The keys that both drivers take, for rill_spec_parse(). */
#define RILL_MEM_NIC_KEYS(nic)                                                                     \
	{"mtu", RILL_SPEC_UINT, &(nic)->mtu, 68, 65535 - RILL_MEM_FRAME_OVERHEAD},                 \
		{"ring", RILL_SPEC_UINT, &(nic)->ring_slots, 8, RILL_MEM_RING_MAX},                \
	{                                                                                          \
		"bufs", RILL_SPEC_UINT, &(nic)->bufs, 16, 1 << 22                                  \
	}

static inline struct rill_mem_nic *rill_mem_nic_of(struct rill_nic *nic)
{
	return RILL_CONTAINER_OF(nic, struct rill_mem_nic, base);
}

static inline struct rill_mem_queue *rill_mem_queue_of(struct rill_nic_queue *q)
{
	return RILL_CONTAINER_OF(q, struct rill_mem_queue, base);
}

/* The longest frame that the NIC sends. */
static inline uint32_t rill_mem_nic_frame_max(const struct rill_nic *nic)
{
	return nic->mtu + RILL_MEM_FRAME_OVERHEAD;
}

/* Sets the defaults of the options. */
void rill_mem_nic_init(struct rill_mem_nic *nic, const struct rill_driver *driver);

/*
 * Joins the hub of that kind and name and opens the queues, each queue_size bytes with a struct
 * rill_mem_queue in front, zeroed behind. Then rill_mem_nic_up() lets frames in. On failure too,
 * rill_mem_nic_close() is for the caller.
 */
int rill_mem_nic_start(struct rill_mem_nic *nic, const struct rill_mem_hub_kind *kind,
		       const char *name, unsigned queues, size_t queue_size, char *error);
void rill_mem_nic_up(struct rill_mem_nic *nic);
/* No frames any more; before the driver clears up what is its own. */
void rill_mem_nic_down(struct rill_mem_nic *nic);
/* After down: frees all, nic included. */
void rill_mem_nic_close(struct rill_mem_nic *nic);

/* Up to n frames from the ring, counted; refills it. */
unsigned rill_mem_queue_rx(struct rill_mem_queue *q, struct rill_buf **bufs, unsigned n);
/* Counts a burst of n frames with so many bytes, of which some were refused for their length. */
void rill_mem_queue_sent(struct rill_mem_queue *q, unsigned n, uint64_t bytes, unsigned refused);

/* As ops of a driver. */
void rill_mem_queue_disarm(struct rill_nic_queue *base);
int rill_mem_queue_fd(struct rill_nic_queue *base);
void rill_mem_queue_stats(struct rill_nic_queue *base, struct rill_nic_stats *stats);

#endif
