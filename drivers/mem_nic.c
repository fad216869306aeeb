/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/mem_nic.h"

#include <errno.h>
#include <stdlib.h>

#define BUF_BYTES_MIN 2048u

void rill_mem_nic_init(struct rill_mem_nic *nic, const struct rill_driver *driver)
{
	nic->base.driver = driver;
	nic->mtu = 1500;
	nic->ring_slots = RILL_MEM_RING_DEFAULT;
}

/* ---- open and close ---- */

/* Completes what the spec left open. */
static int check_options(struct rill_mem_nic *nic, char *error)
{
	while (nic->ring_slots & (nic->ring_slots - 1))
		nic->ring_slots += nic->ring_slots & -nic->ring_slots;
	if (nic->bufs == 0)
		nic->bufs = RILL_MAX((uint64_t)RILL_MEM_BUFS_DEFAULT, 4 * nic->ring_slots);
	if (nic->bufs < 2 * nic->ring_slots)
		return rill_nic_fail(
			error, -EINVAL, "%s: bufs=%u is too few: want at least twice the ring (%u)",
			nic->base.driver->name, (unsigned)nic->bufs, (unsigned)nic->ring_slots);
	nic->base.mtu = (uint16_t)nic->mtu;
	return 0;
}

/* On failure the queue, if it is in the NIC already, is for rill_mem_nic_close(). */
static int queue_open(struct rill_mem_nic *nic, unsigned index, size_t queue_size)
{
	struct rill_mem_queue *q = calloc(1, queue_size);
	uint32_t frame_max = rill_mem_nic_frame_max(&nic->base);
	uint32_t buf_bytes = RILL_MAX(BUF_BYTES_MIN, frame_max + RILL_BUF_HEADROOM);

	if (!q)
		return -ENOMEM;
	q->base.nic = &nic->base;
	q->base.index = (uint16_t)index;
	q->base.pool = &q->pool;
	nic->base.queues[nic->base.queue_count++] = &q->base;
	int err = rill_buf_pool_init_heap(&q->pool, (uint32_t)nic->bufs, buf_bytes);

	if (err)
		return err;
	struct rill_mem_ring *ring = nic->hub->ports[nic->port].rings[index];

	err = rill_mem_ring_open(ring, (uint32_t)nic->ring_slots, frame_max);
	if (err)
		return err;
	q->ring = ring;
	rill_mem_ring_refill(ring, &q->pool);
	return 0;
}

int rill_mem_nic_start(struct rill_mem_nic *nic, const struct rill_mem_hub_kind *kind,
		       const char *name, unsigned queues, size_t queue_size, char *error)
{
	int err = check_options(nic, error);

	if (err)
		return err;
	err = rill_mem_hub_join(kind, name, queues, &nic->hub, &nic->port);
	if (err == -ENOSPC)
		return rill_nic_fail(error, err, "%s:%s has its %u ports already", kind->name, name,
				     RILL_MEM_PORTS_MAX);
	nic->joined = !err;
	for (unsigned i = 0; !err && i < queues; i++)
		err = queue_open(nic, i, queue_size);
	if (err)
		return rill_nic_fail(
			error, err,
			"%s:%s: out of memory or descriptors for %u queues: lower bufs=",
			kind->name, name, queues);
	rill_mem_hub_mac(nic->hub, nic->port, nic->base.mac);
	return 0;
}

void rill_mem_nic_up(struct rill_mem_nic *nic)
{
	rill_mem_hub_up(nic->hub, nic->port, nic->base.queue_count);
}

void rill_mem_nic_down(struct rill_mem_nic *nic)
{
	if (nic->joined)
		rill_mem_hub_down(nic->hub, nic->port);
}

static void queue_close(struct rill_mem_queue *q)
{
	if (q->ring)
		rill_mem_ring_close(q->ring);
	rill_buf_pool_fini_heap(&q->pool);
	free(q);
}

void rill_mem_nic_close(struct rill_mem_nic *nic)
{
	for (unsigned i = 0; i < nic->base.queue_count; i++)
		queue_close(rill_mem_queue_of(nic->base.queues[i]));
	if (nic->joined)
		rill_mem_hub_leave(nic->hub, nic->port);
	free(nic);
}

/* ---- frames ---- */

unsigned rill_mem_queue_rx(struct rill_mem_queue *q, struct rill_buf **bufs, unsigned n)
{
	unsigned count = rill_mem_ring_take(q->ring, bufs, n);
	uint64_t bytes = 0;

	for (unsigned i = 0; i < count; i++) {
		bufs[i]->queue = q->base.index;
		bytes += bufs[i]->len;
	}
	if (count) {
		rill_counter_add(&q->base.stats.rx_packets, count);
		rill_counter_add(&q->base.stats.rx_bytes, bytes);
	}
	rill_mem_ring_refill(q->ring, &q->pool);
	return count;
}

void rill_mem_queue_sent(struct rill_mem_queue *q, unsigned n, uint64_t bytes, unsigned refused)
{
	rill_counter_add(&q->base.stats.tx_packets, n - refused);
	rill_counter_add(&q->base.stats.tx_bytes, bytes);
	if (refused)
		rill_counter_add(&q->base.stats.tx_dropped, refused);
}

void rill_mem_queue_disarm(struct rill_nic_queue *base)
{
	rill_mem_ring_disarm(rill_mem_queue_of(base)->ring);
}

int rill_mem_queue_fd(struct rill_nic_queue *base)
{
	return rill_mem_queue_of(base)->ring->fd;
}

void rill_mem_queue_stats(struct rill_nic_queue *base, struct rill_nic_stats *stats)
{
	/* relaxed: a counter */
	stats->rx_dropped += rill_load_relaxed(&rill_mem_queue_of(base)->ring->dropped);
}
