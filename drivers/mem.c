/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mem:NAME[,loss=P][,dup=P][,reorder=P][,corrupt=P][,seed=N][,mtu=N][,ring=N][,bufs=N]
 *
 * NICs in memory: all of one NAME in this process are ports of one switch. No privilege, no system
 * calls while the receiver is awake, one copy per frame. As with real NICs, a frame that finds the
 * receiver's ring full is lost and counted there (rx_dropped), and sending never waits.
 */
#include "drivers/builtin.h"

#include <errno.h>
#include <stdlib.h>

#include "drivers/mem_hub.h"
#include "drivers/mem_impair.h"
#include "drivers/mem_steer.h"

#define ETH_LEN 14
#define VLAN_LEN 4
/* What a frame may have on top of the mtu: Ethernet with two VLAN tags. */
#define FRAME_OVERHEAD (ETH_LEN + 2 * VLAN_LEN)

#define BUF_BYTES_MIN 2048u
#define BUFS_DEFAULT 4096u
#define RING_DEFAULT 512u
#define RING_MAX 32768u

struct mem_queue {
	struct rill_nic_queue base;
	struct rill_buf_pool pool;
	struct rill_mem_ring *ring;	/* the receive side */
	struct rill_mem_impair *impair; /* NULL: a perfect network */
};

struct mem_nic {
	struct rill_nic base;
	struct rill_mem_hub *hub;
	unsigned port;
	bool joined;
	uint64_t mtu, ring_slots, bufs;
	struct rill_mem_impair_config impair;
};

/* The ring that is locked for a run of frames to the same queue. */
struct mem_batch {
	struct mem_nic *nic;
	struct rill_mem_ring *ring; /* NULL: none */
};

static struct mem_nic *nic_of(struct rill_nic *nic)
{
	return RILL_CONTAINER_OF(nic, struct mem_nic, base);
}

static struct mem_queue *queue_of(struct rill_nic_queue *q)
{
	return RILL_CONTAINER_OF(q, struct mem_queue, base);
}

/* ---- transmit ---- */

static void batch_end(struct mem_batch *batch)
{
	if (batch->ring)
		rill_mem_ring_unlock(batch->ring);
	batch->ring = NULL;
}

static void deliver_to(struct mem_batch *batch, struct rill_mem_port *port,
		       const struct rill_buf *b, uint32_t flip_bit)
{
	/* acquire: pairs with the release in rill_mem_hub_up() */
	uint32_t count = rill_load_acquire(&port->queue_count);

	if (count == 0)
		return;
	uint32_t hash = count > 1 ? rill_mem_steer_hash(b->data, b->len) : 0;
	struct rill_mem_ring *ring = port->rings[rill_mem_steer_queue(hash, count)];

	if (ring != batch->ring) {
		batch_end(batch);
		rill_mem_ring_lock(ring);
		batch->ring = ring;
	}
	struct rill_buf *copy = rill_mem_ring_fill_locked(ring, b->data, b->len);

	if (copy && flip_bit != RILL_MEM_NO_FLIP)
		copy->data[flip_bit / 8] ^= (uint8_t)(1u << flip_bit % 8);
}

static void deliver(struct mem_batch *batch, const struct rill_buf *b, uint32_t flip_bit)
{
	struct mem_nic *nic = batch->nic;
	int port = rill_mem_hub_find(nic->hub, b->data);

	/* A switch does not send a frame back where it came from. */
	if (port == (int)nic->port)
		return;
	/* relaxed: only a hint whether to flood; deliver_to() reads it again */
	if (port >= 0 && rill_load_relaxed(&nic->hub->ports[port].queue_count) > 0) {
		deliver_to(batch, &nic->hub->ports[port], b, flip_bit);
		return;
	}
	for (unsigned p = 0; p < RILL_MEM_PORTS_MAX; p++) {
		if (p != nic->port)
			deliver_to(batch, &nic->hub->ports[p], b, flip_bit);
	}
}

/* Lets the held frames go that are due. */
static void release_held(struct mem_batch *batch, struct mem_queue *q)
{
	struct rill_mem_held held;

	while (rill_mem_impair_pop(q->impair, false, &held)) {
		deliver(batch, held.buf, held.flip_bit);
		rill_buf_put_owner(&q->pool, held.buf);
	}
}

static void send_impaired(struct mem_batch *batch, struct mem_queue *q, struct rill_buf *b)
{
	struct rill_mem_impair *im = q->impair;
	uint32_t flip_bit = RILL_MEM_NO_FLIP;

	if (rill_mem_impair_roll(im, im->config.loss)) {
		rill_buf_put_owner(&q->pool, b);
		return;
	}
	if (rill_mem_impair_roll(im, im->config.corrupt))
		flip_bit = rill_rand_below(&im->rand, b->len * 8);
	if (rill_mem_impair_roll(im, im->config.reorder) && rill_mem_impair_hold(im, b, flip_bit))
		return;
	deliver(batch, b, flip_bit);
	if (rill_mem_impair_roll(im, im->config.dup))
		deliver(batch, b, flip_bit);
	rill_buf_put_owner(&q->pool, b);
	rill_mem_impair_sent(im);
	release_held(batch, q);
}

static unsigned mem_tx_burst(struct rill_nic_queue *base, struct rill_buf **bufs, unsigned n)
{
	struct mem_queue *q = queue_of(base);
	struct mem_batch batch = {.nic = nic_of(base->nic)};
	uint32_t frame_max = base->nic->mtu + FRAME_OVERHEAD;
	uint64_t bytes = 0, refused = 0;

	for (unsigned i = 0; i < n; i++) {
		struct rill_buf *b = bufs[i];

		if (RILL_UNLIKELY(b->len < ETH_LEN || b->len > frame_max)) {
			rill_buf_put_owner(&q->pool, b);
			refused++;
			continue;
		}
		bytes += b->len;
		if (RILL_UNLIKELY(q->impair != NULL)) {
			send_impaired(&batch, q, b);
			continue;
		}
		deliver(&batch, b, RILL_MEM_NO_FLIP);
		rill_buf_put_owner(&q->pool, b);
	}
	batch_end(&batch);
	rill_counter_add(&base->stats.tx_packets, n - refused);
	rill_counter_add(&base->stats.tx_bytes, bytes);
	if (refused)
		rill_counter_add(&base->stats.tx_dropped, refused);
	return n;
}

/* Frames are with the receiver at the end of tx_burst; a flush is only time passing for the held
 * ones. */
static void mem_tx_flush(struct rill_nic_queue *base)
{
	struct mem_queue *q = queue_of(base);
	struct mem_batch batch = {.nic = nic_of(base->nic)};

	if (!q->impair || q->impair->held_count == 0)
		return;
	rill_mem_impair_flushed(q->impair);
	release_held(&batch, q);
	batch_end(&batch);
}

/* ---- receive ---- */

static unsigned mem_rx_burst(struct rill_nic_queue *base, struct rill_buf **bufs, unsigned n)
{
	struct mem_queue *q = queue_of(base);
	unsigned count = rill_mem_ring_take(q->ring, bufs, n);
	uint64_t bytes = 0;

	for (unsigned i = 0; i < count; i++) {
		bufs[i]->queue = base->index;
		bytes += bufs[i]->len;
	}
	if (count) {
		rill_counter_add(&base->stats.rx_packets, count);
		rill_counter_add(&base->stats.rx_bytes, bytes);
	}
	rill_mem_ring_refill(q->ring, &q->pool);
	return count;
}

static bool mem_rx_arm(struct rill_nic_queue *base)
{
	return rill_mem_ring_arm(queue_of(base)->ring);
}

static void mem_rx_disarm(struct rill_nic_queue *base)
{
	rill_mem_ring_disarm(queue_of(base)->ring);
}

static int mem_rx_fd(struct rill_nic_queue *base)
{
	return queue_of(base)->ring->fd;
}

static void mem_stats(struct rill_nic_queue *base, struct rill_nic_stats *stats)
{
	/* relaxed: a counter */
	stats->rx_dropped += rill_load_relaxed(&queue_of(base)->ring->dropped);
}

/* ---- open and close ---- */

static void queue_close(struct mem_queue *q)
{
	struct rill_mem_held held;

	while (q->impair && rill_mem_impair_pop(q->impair, true, &held))
		rill_buf_put_owner(&q->pool, held.buf);
	if (q->ring)
		rill_mem_ring_close(q->ring);
	rill_buf_pool_fini_heap(&q->pool);
	free(q->impair);
	free(q);
}

static void mem_close(struct rill_nic *base)
{
	struct mem_nic *nic = nic_of(base);

	if (nic->joined)
		rill_mem_hub_down(nic->hub, nic->port);
	for (unsigned i = 0; i < base->queue_count; i++)
		queue_close(queue_of(base->queues[i]));
	if (nic->joined)
		rill_mem_hub_leave(nic->hub, nic->port);
	free(nic);
}

static bool impaired(const struct rill_mem_impair_config *c)
{
	return c->loss || c->dup || c->reorder || c->corrupt;
}

/* On failure the queue, if it is in the NIC already, is for mem_close(). */
static int queue_open(struct mem_nic *nic, unsigned index)
{
	struct mem_queue *q = calloc(1, sizeof(*q));
	uint32_t frame_max = (uint32_t)nic->mtu + FRAME_OVERHEAD;
	uint32_t buf_bytes = RILL_MAX(BUF_BYTES_MIN, frame_max + RILL_BUF_HEADROOM);

	if (!q)
		return -ENOMEM;
	q->base.nic = &nic->base;
	q->base.index = (uint16_t)index;
	q->base.pool = &q->pool;
	nic->base.queues[nic->base.queue_count++] = &q->base;
	if (impaired(&nic->impair)) {
		q->impair = malloc(sizeof(*q->impair));
		if (!q->impair)
			return -ENOMEM;
		rill_mem_impair_init(q->impair, &nic->impair, nic->port, index);
	}
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

static int parse_spec(struct mem_nic *nic, const char *spec, char *ret_name, char *error)
{
	struct rill_mem_impair_config *im = &nic->impair;
	const struct rill_spec_key keys[] = {
		{"loss", RILL_SPEC_PROB, &im->loss},
		{"dup", RILL_SPEC_PROB, &im->dup},
		{"reorder", RILL_SPEC_PROB, &im->reorder},
		{"corrupt", RILL_SPEC_PROB, &im->corrupt},
		{"seed", RILL_SPEC_UINT, &im->seed, 0, UINT64_MAX},
		{"mtu", RILL_SPEC_UINT, &nic->mtu, 68, 65535 - FRAME_OVERHEAD},
		{"ring", RILL_SPEC_UINT, &nic->ring_slots, 8, RING_MAX},
		{"bufs", RILL_SPEC_UINT, &nic->bufs, 16, 1 << 22},
	};
	int err = rill_spec_parse("mem", spec, keys, RILL_ARRAY_SIZE(keys), ret_name, error);

	if (err)
		return err;
	while (nic->ring_slots & (nic->ring_slots - 1))
		nic->ring_slots += nic->ring_slots & -nic->ring_slots;
	if (nic->bufs == 0)
		nic->bufs = RILL_MAX((uint64_t)BUFS_DEFAULT, 4 * nic->ring_slots);
	if (nic->bufs < 2 * nic->ring_slots)
		return rill_nic_fail(error, -EINVAL,
				     "mem: bufs=%u is too few: want at least twice the ring (%u)",
				     (unsigned)nic->bufs, (unsigned)nic->ring_slots);
	return 0;
}

static int nic_start(struct mem_nic *nic, const char *name, unsigned queues, char *error)
{
	int err = rill_mem_hub_join(name, queues, &nic->hub, &nic->port);

	if (err == -ENOSPC)
		return rill_nic_fail(error, err, "mem:%s has its %d ports already", name,
				     RILL_MEM_PORTS_MAX);
	nic->joined = !err;
	for (unsigned i = 0; !err && i < queues; i++)
		err = queue_open(nic, i);
	if (err)
		return rill_nic_fail(
			error, err,
			"mem:%s: out of memory or descriptors for %u queues: lower bufs=", name,
			queues);
	rill_mem_hub_mac(nic->hub, nic->port, nic->base.mac);
	rill_mem_hub_up(nic->hub, nic->port, queues);
	return 0;
}

static int mem_open(const char *spec, unsigned queues, struct rill_nic **ret_nic, char *error)
{
	char name[RILL_SPEC_NAME_LEN];
	struct mem_nic *nic = calloc(1, sizeof(*nic));

	if (!nic)
		return rill_nic_fail(error, -ENOMEM, "mem: out of memory");
	nic->base.driver = &rill_mem_driver;
	nic->mtu = 1500;
	nic->ring_slots = RING_DEFAULT;
	int err = parse_spec(nic, spec, name, error);

	if (!err)
		err = nic_start(nic, name, queues, error);
	if (err) {
		mem_close(&nic->base);
		return err;
	}
	nic->base.mtu = (uint16_t)nic->mtu;
	snprintf(nic->base.describe, sizeof(nic->base.describe),
		 "mem:%s port %u%s, %u queue%s, mtu %u", name, nic->port,
		 impaired(&nic->impair) ? " impaired" : "", queues, queues == 1 ? "" : "s",
		 nic->base.mtu);
	*ret_nic = &nic->base;
	return 0;
}

const struct rill_driver rill_mem_driver = {
	.name = "mem",
	.open = mem_open,
	.close = mem_close,
	.rx_burst = mem_rx_burst,
	.tx_burst = mem_tx_burst,
	.tx_flush = mem_tx_flush,
	.rx_arm = mem_rx_arm,
	.rx_disarm = mem_rx_disarm,
	.rx_fd = mem_rx_fd,
	.stats = mem_stats,
};
