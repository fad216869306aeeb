/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/parcel.h"

#include "netstack/core/burst.h"
#include "netstack/core/demux.h"
#include "netstack/stack/net.h"
#include "netstack/wire/eth.h"

#include <string.h>

struct parcel {
	struct rill_shard_op op;
	struct rill_ip_meta meta; /* of a segment */
};

RILL_STATIC_ASSERT(sizeof(struct parcel) <= sizeof(((struct rill_buf *)0)->cookie),
		   "in the cookies");

static struct parcel *parcel_of(struct rill_buf *b)
{
	return (struct parcel *)(void *)b->cookie;
}

static struct rill_buf *buf_of(struct rill_shard_op *op)
{
	struct parcel *p = RILL_CONTAINER_OF(op, struct parcel, op);

	return (struct rill_buf *)(void *)((char *)p - offsetof(struct rill_buf, cookie));
}

static void send_parcel(struct rill_shard *to, struct rill_buf *b,
			void (*fn)(struct rill_shard *, struct rill_shard_op *))
{
	struct rill_shard_op *op = &parcel_of(b)->op;

	op->fn = fn;
	if (!rill_shard_post(to, op))
		return;
	fn(to, op);
	rill_shard_leave(to);
}

/* ---- ARP ---- */

static void deliver_frame(struct rill_shard *sh, struct rill_shard_op *op)
{
	rill_core_input(&sh->core, buf_of(op));
}

/*
 * ARP packets come on one queue, but each shard keeps its own neighbours: the others get copies.
 * They are few, and a copy that finds no buffer is like one lost on the wire.
 */
static void share_arp(struct rill_shard *sh, const struct rill_buf *frame)
{
	for (unsigned i = 0; i < sh->net->shard_count; i++) {
		struct rill_shard *to = &sh->net->shards[i];
		struct rill_buf *copy;

		if (to == sh)
			continue;
		copy = rill_buf_alloc(sh->queue->pool);
		if (!copy)
			return;
		if (rill_buf_tailroom(copy) < frame->len) {
			rill_buf_put_owner(sh->queue->pool, copy);
			return;
		}
		memcpy(rill_buf_append(copy, frame->len), frame->data, frame->len);
		send_parcel(to, copy, deliver_frame);
	}
}

static bool is_arp(const struct rill_buf *b)
{
	return b->len >= RILL_ETH_LEN && b->data[12] == 0x08 && b->data[13] == 0x06;
}

void rill_shard_input(struct rill_shard *sh, struct rill_buf **frames, unsigned count)
{
	if (sh->net->shard_count > 1) {
		for (unsigned i = 0; i < count; i++) {
			if (i + 1 < count)
				__builtin_prefetch(frames[i + 1]->data);
			if (RILL_UNLIKELY(is_arp(frames[i])))
				share_arp(sh, frames[i]);
			rill_steer_observe(sh, frames[i]);
		}
	}
	rill_core_input_burst(&sh->core, frames, count);
}

/* ---- segments and errors ---- */

/* The shard that owns the flow, when that is another one. */
static struct rill_shard *owner_of(struct rill_shard *sh, const struct rill_flow_key *key)
{
	struct rill_shard *to =
		rill_steer_find(&sh->net->steer, rill_flow_hash(&sh->core.flow_secret, key), key);

	return to == sh ? NULL : to;
}

static void deliver_segment(struct rill_shard *sh, struct rill_shard_op *op)
{
	struct rill_buf *b = buf_of(op);
	struct rill_ip_meta meta = parcel_of(b)->meta;

	rill_counter_add(&sh->stats.steered_in, 1);
	rill_demux_segment(&sh->core, b, &meta);
}

bool rill_parcel_segment(struct rill_core *core, struct rill_buf *b, const struct rill_ip_meta *m,
			 const struct rill_tcp_seg *seg, uint8_t *header)
{
	struct rill_shard *sh = rill_shard_of_core(core);
	struct rill_flow_key key = {seg->src, seg->dst, seg->src_port, seg->dst_port};
	struct rill_shard *to = owner_of(sh, &key);

	if (!to)
		return false;
	/* Parsing left the payload alone; the owner parses again, without the checksum. */
	rill_buf_push(b, (uint32_t)(b->data - header));
	b->flags |= RILL_BUF_CSUM_OK;
	parcel_of(b)->meta = *m;
	rill_counter_add(&sh->stats.steered_out, 1);
	send_parcel(to, b, deliver_segment);
	return true;
}

/* b holds a copy of an error that came on another shard's queue. */
static void deliver_error(struct rill_shard *sh, struct rill_shard_op *op)
{
	struct rill_buf *b = buf_of(op);
	struct rill_icmp_error e;

	memcpy(&e, b->data, sizeof(e));
	rill_core_put(&sh->core, b);
	rill_demux_error(&sh->core, &e);
}

/* The NIC hashes an error by its own addresses, so that it mostly comes to the wrong shard. */
void rill_parcel_error(struct rill_core *core, const struct rill_icmp_error *e)
{
	struct rill_shard *sh = rill_shard_of_core(core);
	struct rill_flow_key key = {&e->remote, &e->local, e->remote_port, e->local_port};
	struct rill_shard *to = owner_of(sh, &key);
	struct rill_buf *b;

	if (!to)
		return;
	b = rill_buf_alloc(core->pool);
	if (!b)
		return;
	memcpy(rill_buf_append(b, sizeof(*e)), e, sizeof(*e));
	send_parcel(to, b, deliver_error);
}
