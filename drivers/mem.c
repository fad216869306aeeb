/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mem:NAME[,csum=software|offload][,loss=P][,dup=P][,reorder=P][,corrupt=P][,seed=N][,mtu=N]
 *     [,ring=N][,bufs=N][,rss=mix|toeplitz|toeplitz16|sorted|nat|spray]
 *     [,tell=queue|key|nothing][,rxhash=off|on][,queues=N]
 *
 * NICs in memory: all of one NAME in this process are ports of one switch. No privilege, no system
 * calls while the receiver is awake, one copy per frame. As with real NICs, a frame that finds the
 * receiver's ring full is lost and counted there (rx_dropped), and sending never waits.
 *
 * csum=offload: the stack leaves the checksums of what it sends to this NIC, which vouches for them
 * at the receiver's instead of computing them, as veth does: the bytes never leave this memory.
 */
#include "drivers/builtin.h"

#include <errno.h>
#include <stdlib.h>

#include "drivers/mem_impair.h"
#include "drivers/mem_nic.h"
#include "drivers/mem_steer.h"

struct mem_queue {
	struct rill_mem_queue base;
	struct rill_mem_impair *impair; /* NULL: a perfect network */
};

struct mem_nic {
	struct rill_mem_nic base;
	struct rill_mem_impair_config impair;
	uint64_t csum; /* enum mem_csum */
	struct rill_mem_steer steer;
};

enum mem_csum {
	CSUM_SOFTWARE,
	CSUM_OFFLOAD,
};

/* The ring that is locked for a run of frames to the same queue. */
struct mem_batch {
	struct rill_mem_nic *nic;
	struct rill_mem_ring *ring; /* NULL: none */
};

static struct mem_queue *queue_of(struct rill_nic_queue *q)
{
	return RILL_CONTAINER_OF(q, struct mem_queue, base.base);
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
	uint32_t hash = 0, queue = 0;

	if (count > 1)
		queue = rill_mem_spread_queue(&port->spread, count, b->data, b->len, &hash);
	struct rill_mem_ring *ring = port->rings[queue];

	if (ring != batch->ring) {
		batch_end(batch);
		rill_mem_ring_lock(ring);
		batch->ring = ring;
	}
	struct rill_buf *copy = rill_mem_ring_fill_locked(ring, b->data, b->len);

	if (!copy)
		return;
	if (b->flags & RILL_BUF_CSUM_PARTIAL) {
		copy->flags |= RILL_BUF_CSUM_OK | RILL_BUF_CSUM_PARTIAL;
		copy->csum_start = b->csum_start;
		copy->csum_offset = b->csum_offset;
	}
	if (RILL_UNLIKELY(rill_mem_spread_tells_hash(&port->spread))) {
		copy->flags |= RILL_BUF_HASH;
		rill_buf_meta(copy)->hash = hash;
	}
	if (flip_bit != RILL_MEM_NO_FLIP)
		copy->data[flip_bit / 8] ^= (uint8_t)(1u << flip_bit % 8);
}

static void deliver(struct mem_batch *batch, const struct rill_buf *b, uint32_t flip_bit)
{
	struct rill_mem_hub *hub = batch->nic->hub;
	uint32_t targets = rill_mem_hub_targets(hub, batch->nic->port, b->data);

	for (; targets; targets &= targets - 1)
		deliver_to(batch, &hub->ports[__builtin_ctz(targets)], b, flip_bit);
}

/* Lets the held frames go that are due. */
static void release_held(struct mem_batch *batch, struct mem_queue *q)
{
	struct rill_mem_held held;

	while (rill_mem_impair_pop(q->impair, false, &held)) {
		deliver(batch, held.buf, held.flip_bit);
		rill_buf_put_owner(&q->base.pool, held.buf);
	}
}

static void send_impaired(struct mem_batch *batch, struct mem_queue *q, struct rill_buf *b)
{
	struct rill_mem_impair *im = q->impair;
	uint32_t flip_bit = RILL_MEM_NO_FLIP;

	if (rill_mem_roll(&im->rand, im->config.loss)) {
		rill_buf_put_owner(&q->base.pool, b);
		return;
	}
	if (rill_mem_roll(&im->rand, im->config.corrupt))
		flip_bit = rill_rand_below(&im->rand, b->len * 8);
	if (rill_mem_roll(&im->rand, im->config.reorder) && rill_mem_impair_hold(im, b, flip_bit))
		return;
	deliver(batch, b, flip_bit);
	if (rill_mem_roll(&im->rand, im->config.dup))
		deliver(batch, b, flip_bit);
	rill_buf_put_owner(&q->base.pool, b);
	rill_mem_impair_sent(im);
	release_held(batch, q);
}

static unsigned mem_tx_burst(struct rill_nic_queue *base, struct rill_buf **bufs, unsigned n)
{
	struct mem_queue *q = queue_of(base);
	struct mem_batch batch = {.nic = rill_mem_nic_of(base->nic)};
	uint32_t frame_max = rill_mem_nic_frame_max(base->nic);
	uint64_t bytes = 0;
	unsigned refused = 0;

	for (unsigned i = 0; i < n; i++) {
		struct rill_buf *b = bufs[i];

		if (i + 1 < n)
			__builtin_prefetch(bufs[i + 1]);
		if (RILL_UNLIKELY(b->len < RILL_MEM_ETH_LEN || b->len > frame_max)) {
			rill_buf_put_owner(&q->base.pool, b);
			refused++;
			continue;
		}
		bytes += b->len;
		if (RILL_UNLIKELY(q->impair != NULL)) {
			send_impaired(&batch, q, b);
			continue;
		}
		deliver(&batch, b, RILL_MEM_NO_FLIP);
		rill_buf_put_owner(&q->base.pool, b);
	}
	batch_end(&batch);
	rill_mem_queue_sent(&q->base, n, bytes, refused);
	return n;
}

/* Frames are with the receiver at the end of tx_burst; a flush is only time passing for the held
 * ones. */
static void mem_tx_flush(struct rill_nic_queue *base)
{
	struct mem_queue *q = queue_of(base);
	struct mem_batch batch = {.nic = rill_mem_nic_of(base->nic)};

	if (!q->impair || q->impair->held_count == 0)
		return;
	rill_mem_impair_flushed(q->impair);
	release_held(&batch, q);
	batch_end(&batch);
}

/* ---- receive ---- */

static unsigned mem_rx_burst(struct rill_nic_queue *base, struct rill_buf **bufs, unsigned n)
{
	return rill_mem_queue_rx(rill_mem_queue_of(base), bufs, n);
}

static bool mem_poll_due(const struct rill_nic_queue *base)
{
	const struct mem_queue *q = RILL_CONTAINER_OF(base, struct mem_queue, base.base);

	/* For held frames time passes with every flush. */
	return q->impair || rill_mem_ring_due(q->base.ring);
}

static bool mem_rx_arm(struct rill_nic_queue *base)
{
	return rill_mem_ring_arm(rill_mem_queue_of(base)->ring);
}

/* ---- open and close ---- */

static void impair_close(struct mem_queue *q)
{
	struct rill_mem_held held;

	while (q->impair && rill_mem_impair_pop(q->impair, true, &held))
		rill_buf_put_owner(&q->base.pool, held.buf);
	free(q->impair);
}

static void mem_close(struct rill_nic *base)
{
	struct rill_mem_nic *nic = rill_mem_nic_of(base);

	rill_mem_nic_down(nic);
	for (unsigned i = 0; i < base->queue_count; i++)
		impair_close(queue_of(base->queues[i]));
	rill_mem_nic_close(nic);
}

static bool impaired(const struct rill_mem_impair_config *c)
{
	return c->loss || c->dup || c->reorder || c->corrupt;
}

static int impair_open(struct mem_nic *nic, char *error)
{
	struct rill_nic *base = &nic->base.base;

	for (unsigned i = 0; impaired(&nic->impair) && i < base->queue_count; i++) {
		struct mem_queue *q = queue_of(base->queues[i]);

		q->impair = malloc(sizeof(*q->impair));
		if (!q->impair)
			return rill_nic_fail(error, -ENOMEM, "mem: out of memory");
		rill_mem_impair_init(q->impair, &nic->impair, nic->base.port, i);
	}
	return 0;
}

static int parse_spec(struct mem_nic *nic, const char *spec, char *ret_name, char *error)
{
	static const char *const csum_names[] = {"software", "offload", NULL};
	struct rill_mem_impair_config *im = &nic->impair;
	const struct rill_spec_key keys[] = {
		{"csum", RILL_SPEC_CHOICE, &nic->csum, .choices = csum_names},
		{"loss", RILL_SPEC_PROB, &im->loss},
		{"dup", RILL_SPEC_PROB, &im->dup},
		{"reorder", RILL_SPEC_PROB, &im->reorder},
		{"corrupt", RILL_SPEC_PROB, &im->corrupt},
		{"seed", RILL_SPEC_UINT, &im->seed, 0, UINT64_MAX},
		RILL_MEM_STEER_KEYS(&nic->steer),
		RILL_MEM_NIC_KEYS(&nic->base),
	};

	return rill_spec_parse("mem", spec, keys, RILL_ARRAY_SIZE(keys), ret_name, error);
}

static int mem_open(const char *spec, unsigned queues, struct rill_nic **ret_nic, char *error)
{
	char name[RILL_SPEC_NAME_LEN];
	struct mem_nic *nic = calloc(1, sizeof(*nic));

	if (!nic)
		return rill_nic_fail(error, -ENOMEM, "mem: out of memory");
	rill_mem_nic_init(&nic->base, &rill_mem_driver);
	int err = parse_spec(nic, spec, name, error);

	if (!err && nic->csum == CSUM_OFFLOAD && nic->impair.corrupt)
		err = rill_nic_fail(error, -EINVAL,
				    "mem: with csum=offload nobody would notice corrupt=");
	if (nic->csum == CSUM_OFFLOAD)
		nic->base.base.caps = RILL_NIC_RX_CSUM | RILL_NIC_TX_CSUM;
	if (nic->steer.rxhash)
		nic->base.base.caps |= RILL_NIC_RX_HASH;
	if (nic->steer.queues)
		queues = RILL_MIN(queues, (unsigned)nic->steer.queues);
	if (!err)
		err = rill_mem_nic_start(&nic->base, &rill_mem_kind, name, queues,
					 sizeof(struct mem_queue), error);
	if (!err)
		err = impair_open(nic, error);
	struct rill_nic *base = &nic->base.base;

	if (err) {
		mem_close(base);
		return err;
	}
	rill_mem_spread_set(&nic->base.hub->ports[nic->base.port].spread, &nic->steer);
	rill_mem_nic_up(&nic->base);
	snprintf(base->describe, sizeof(base->describe), "mem:%s port %u%s, %u queue%s, mtu %u",
		 name, nic->base.port, impaired(&nic->impair) ? " impaired" : "", queues,
		 queues == 1 ? "" : "s", base->mtu);
	*ret_nic = base;
	return 0;
}

/* ---- where frames will come ---- */

static const struct rill_mem_steer *steer_of(const struct rill_nic *base)
{
	return &RILL_CONTAINER_OF(base, const struct mem_nic, base.base)->steer;
}

static int mem_rx_queue_of(const struct rill_nic *base, uint8_t proto, const struct rill_addr *from,
			   const struct rill_addr *to)
{
	return rill_mem_steer_told_queue(steer_of(base), base, proto, from, to);
}

static int mem_rss(struct rill_nic *base, struct rill_nic_rss *ret_rss)
{
	return rill_mem_steer_told_rss(steer_of(base), base, ret_rss);
}

const struct rill_driver rill_mem_driver = {
	.name = "mem",
	.open = mem_open,
	.close = mem_close,
	.rx_burst = mem_rx_burst,
	.tx_burst = mem_tx_burst,
	.tx_flush = mem_tx_flush,
	.poll_due = mem_poll_due,
	.rx_arm = mem_rx_arm,
	.rx_disarm = rill_mem_queue_disarm,
	.rx_fd = rill_mem_queue_fd,
	.rx_queue_of = mem_rx_queue_of,
	.rss = mem_rss,
	.stats = rill_mem_queue_stats,
};
