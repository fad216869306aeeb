/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/sim_net.h"

#include <stdlib.h>

#include "drivers/mem_steer.h"
#include "drivers/sim_frame.h"

#define ARRIVE_MAX 64u

/* The rings whose receivers are to be woken, once the lock is free: a frame has one queue a port.
 */
struct kicks {
	struct rill_mem_ring *rings[RILL_MEM_PORTS_MAX];
	unsigned count;
};

static void *net_create(struct rill_mem_hub *hub)
{
	struct rill_sim_net *net = calloc(1, sizeof(*net));

	if (!net)
		return NULL;
	net->hub = hub;
	for (unsigned p = 0; p < RILL_MEM_PORTS_MAX; p++)
		rill_sim_link_init(&net->links[p], p);
	return net;
}

static void net_destroy(void *ext)
{
	struct rill_sim_net *net = ext;

	for (unsigned p = 0; p < RILL_MEM_PORTS_MAX; p++)
		rill_sim_link_fini(&net->links[p]);
	free(net);
}

const struct rill_mem_hub_kind rill_sim_kind = {
	.name = "sim",
	.create = net_create,
	.destroy = net_destroy,
};

void rill_sim_net_enter(struct rill_sim_net *net, struct rill_mem_nic *nic)
{
	rill_spin_lock(&net->lock);
	net->nics[nic->port] = nic;
	rill_spin_unlock(&net->lock);
}

void rill_sim_net_leave(struct rill_sim_net *net, struct rill_mem_nic *nic)
{
	rill_spin_lock(&net->lock);
	net->nics[nic->port] = NULL;
	for (unsigned q = 0; q < nic->base.queue_count; q++)
		rill_sim_flight_clear(&net->flights[nic->port][q]);
	rill_spin_unlock(&net->lock);
}

/* ---- sending ---- */

static void put_in_flight(struct rill_sim_net *net, struct rill_sim_flight *flight,
			  const struct rill_sim_verdict *v, const uint8_t *frame,
			  const struct rill_sim_frame_kind *kind, struct rill_sim_link *link)
{
	uint8_t *copy = rill_sim_flight_push(flight, v->arrival_ns, frame, kind->len);

	if (!copy) {
		link->stats.fates[RILL_SIM_LOST_FULL]++;
		return;
	}
	if (v->mark)
		rill_sim_frame_mark(copy, kind);
	if (v->flip_bit != RILL_SIM_NO_FLIP)
		copy[v->flip_bit / 8] ^= (uint8_t)(1u << v->flip_bit % 8);
}

static void deliver_locked(struct rill_sim_net *net, unsigned from, unsigned to,
			   const struct rill_sim_verdict *v, const uint8_t *frame,
			   const struct rill_sim_frame_kind *kind, struct kicks *kicks)
{
	struct rill_mem_port *port = &net->hub->ports[to];
	/* acquire: pairs with the release in rill_mem_hub_up() */
	uint32_t count = rill_load_acquire(&port->queue_count);

	if (count == 0)
		return;
	uint32_t hash = count > 1 ? rill_mem_steer_hash(frame, kind->len) : 0;
	uint32_t queue = rill_mem_steer_queue(hash, count);
	struct rill_sim_flight *flight = &net->flights[to][queue];
	uint64_t next = rill_sim_flight_next(flight);

	for (int copies = v->dup ? 2 : 1; copies > 0; copies--)
		put_in_flight(net, flight, v, frame, kind, &net->links[from]);
	/* The receiver sleeps until the time that it knows of. */
	if (rill_sim_flight_next(flight) < next)
		kicks->rings[kicks->count++] = port->rings[queue];
}

static void report_locked(struct rill_sim_net *net, unsigned port, uint64_t now,
			  const struct rill_sim_verdict *v, const uint8_t *frame, uint32_t len)
{
	struct rill_sim_event e = {
		.now_ns = now,
		.arrival_ns = v->arrival_ns,
		.port = port,
		.fate = v->fate,
		.marked = v->mark,
		.corrupted = v->flip_bit != RILL_SIM_NO_FLIP,
		.reordered = v->reordered,
		.duplicated = v->dup,
		.frame = frame,
		.len = len,
	};

	if (net->watch)
		net->watch(net->watch_ctx, &e);
}

/* A router whose next link is too narrow answers, as far away as that link is long. */
static void answer_locked(struct rill_sim_net *net, unsigned port, uint64_t now,
			  const uint8_t *frame, uint32_t len, struct kicks *kicks)
{
	const struct rill_sim_config *c = &net->links[port].config;
	struct rill_sim_verdict v = {
		.arrival_ns = now + c->delay_ns,
		.flip_bit = RILL_SIM_NO_FLIP,
	};
	uint8_t answer[RILL_SIM_TOO_BIG_LEN];

	if (!rill_sim_frame_too_big(frame, len, c->mtu, answer))
		return;
	struct rill_sim_frame_kind kind = rill_sim_frame_kind(answer, sizeof(answer));

	deliver_locked(net, port, port, &v, answer, &kind, kicks);
}

static void send_locked(struct rill_sim_net *net, unsigned port, const uint8_t *frame, uint32_t len,
			uint64_t now, struct kicks *kicks)
{
	struct rill_sim_link *link = &net->links[port];
	struct rill_sim_frame_kind kind = rill_sim_frame_kind(frame, len);
	struct rill_sim_verdict v = rill_sim_link_send(link, &kind, now);

	report_locked(net, port, now, &v, frame, len);
	if (v.fate == RILL_SIM_LOST_MTU && link->config.mtu_answer)
		answer_locked(net, port, now, frame, len, kicks);
	if (v.fate != RILL_SIM_SENT)
		return;
	uint32_t targets = rill_mem_hub_targets(net->hub, port, frame);

	for (; targets; targets &= targets - 1)
		deliver_locked(net, port, (unsigned)__builtin_ctz(targets), &v, frame, &kind,
			       kicks);
}

void rill_sim_net_send(struct rill_sim_net *net, unsigned port, const uint8_t *frame, uint32_t len,
		       uint64_t now)
{
	struct kicks kicks = {.count = 0};

	rill_spin_lock(&net->lock);
	send_locked(net, port, frame, len, now, &kicks);
	rill_spin_unlock(&net->lock);
	for (unsigned i = 0; i < kicks.count; i++)
		rill_mem_ring_kick(kicks.rings[i]);
}

/* ---- receiving ---- */

static struct rill_sim_flight *flight_to(struct rill_sim_net *net, struct rill_mem_queue *q)
{
	return &net->flights[rill_mem_nic_of(q->base.nic)->port][q->base.index];
}

void rill_sim_net_arrive(struct rill_sim_net *net, struct rill_mem_queue *q, unsigned n,
			 uint64_t now)
{
	struct rill_sim_frame *frames[ARRIVE_MAX];
	unsigned count = 0;

	n = RILL_MIN(n, ARRIVE_MAX);
	rill_spin_lock(&net->lock);
	while (count < n && (frames[count] = rill_sim_flight_pop(flight_to(net, q), now)))
		count++;
	rill_spin_unlock(&net->lock);
	if (count == 0)
		return;
	rill_mem_ring_lock(q->ring);
	for (unsigned i = 0; i < count; i++)
		rill_mem_ring_fill_locked(q->ring, frames[i]->bytes, frames[i]->len);
	rill_mem_ring_unlock(q->ring);
	for (unsigned i = 0; i < count; i++)
		free(frames[i]);
}

bool rill_sim_net_arm(struct rill_sim_net *net, struct rill_mem_queue *q, uint64_t now)
{
	/* Armed first: a sender whose frame is not seen here sees that, and kicks. */
	bool quiet = rill_mem_ring_arm(q->ring);

	return rill_sim_net_next(net, q) > now && quiet;
}

uint64_t rill_sim_net_next(struct rill_sim_net *net, struct rill_mem_queue *q)
{
	rill_spin_lock(&net->lock);
	uint64_t next = rill_sim_flight_next(flight_to(net, q));

	rill_spin_unlock(&net->lock);
	return next;
}

/* ---- for tests ---- */

struct rill_sim_net *rill_sim_get(const char *name)
{
	struct rill_mem_hub *hub = rill_mem_hub_get(&rill_sim_kind, name);

	return hub ? hub->ext : NULL;
}

void rill_sim_put(struct rill_sim_net *net)
{
	rill_mem_hub_put(net->hub);
}

int rill_sim_set(struct rill_sim_net *net, unsigned port, const struct rill_sim_config *config)
{
	RILL_ASSERT_CMP(port, <, RILL_MEM_PORTS_MAX);
	rill_spin_lock(&net->lock);
	int r = rill_sim_link_set(&net->links[port], config);

	rill_spin_unlock(&net->lock);
	return r;
}

void rill_sim_seed(struct rill_sim_net *net, unsigned port, uint64_t seed)
{
	RILL_ASSERT_CMP(port, <, RILL_MEM_PORTS_MAX);
	rill_spin_lock(&net->lock);
	rill_rand_init(&net->links[port].rand, seed);
	rill_spin_unlock(&net->lock);
}

void rill_sim_config(struct rill_sim_net *net, unsigned port, struct rill_sim_config *ret_config)
{
	RILL_ASSERT_CMP(port, <, RILL_MEM_PORTS_MAX);
	rill_spin_lock(&net->lock);
	*ret_config = net->links[port].config;
	rill_spin_unlock(&net->lock);
}

void rill_sim_stats(struct rill_sim_net *net, unsigned port, struct rill_sim_stats *ret_stats)
{
	RILL_ASSERT_CMP(port, <, RILL_MEM_PORTS_MAX);
	rill_spin_lock(&net->lock);
	*ret_stats = net->links[port].stats;
	rill_spin_unlock(&net->lock);
}

void rill_sim_watch(struct rill_sim_net *net, void (*fn)(void *ctx, const struct rill_sim_event *e),
		    void *ctx)
{
	rill_spin_lock(&net->lock);
	net->watch = fn;
	net->watch_ctx = ctx;
	rill_spin_unlock(&net->lock);
}

uint32_t rill_sim_buffers_out(struct rill_sim_net *net, unsigned port)
{
	struct rill_mem_nic *nic = net->nics[port];
	uint32_t out = 0;

	for (unsigned i = 0; nic && i < nic->base.queue_count; i++) {
		struct rill_mem_queue *q = rill_mem_queue_of(nic->base.queues[i]);
		uint32_t waiting = rill_load_relaxed(&q->ring->posted) - q->ring->taken;

		out += q->pool.size - rill_buf_pool_reclaim(&q->pool) - waiting;
	}
	return out;
}

const char *rill_sim_fate_name(enum rill_sim_fate fate)
{
	static const char *const names[RILL_SIM_FATE_COUNT] = {
		[RILL_SIM_SENT] = "sent",
		[RILL_SIM_LOST_DOWN] = "lost: link down",
		[RILL_SIM_LOST_MTU] = "lost: larger than the mtu",
		[RILL_SIM_LOST_QUEUE] = "lost: queue full",
		[RILL_SIM_LOST_RANDOM] = "lost",
		[RILL_SIM_LOST_BURST] = "lost in a burst",
		[RILL_SIM_LOST_FULL] = "lost: too many in flight",
	};

	return names[fate];
}
