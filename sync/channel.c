/* SPDX-License-Identifier: BSD-3-Clause */
/* The queue: what becomes of messages, room and those who wait for them. All under the lock. */
#include "sync/channel.h"

#include <stdlib.h>

#include "sync/fanout.h"

bool rill_channel_valid(const struct rill_channel *ch)
{
	return ch->room + ch->len + ch->permits == ch->capacity && ch->owed <= ch->len &&
	       (ch->room == 0 || rill_list_empty(&ch->senders_q)) &&
	       (ch->len == ch->owed || rill_list_empty(&ch->receivers_q));
}

/* ---- the blocks ---- */

void rill_channel_tail_advance(struct rill_channel *ch)
{
	ch->tail_block = ch->tail_block->next;
	ch->tail = ch->tail_block->msgs;
	ch->tail_end = ch->tail + ch->block_bytes;
}

void rill_channel_head_advance(struct rill_channel *ch, struct rill_channel_rest *rest)
{
	struct rill_channel_block *read = ch->head_block;

	ch->head_block = read->next;
	ch->head = ch->head_block->msgs;
	ch->head_end = ch->head + ch->block_bytes;
	if (read == ch->head_block)
		return;
	if (!ch->spare) {
		read->next = NULL;
		ch->spare = read;
		return;
	}
	read->next = rest->dead;
	rest->dead = read;
}

bool rill_channel_extend(struct rill_channel *ch)
{
	if (ch->tail_block->next)
		return true;
	ch->tail_block->next = ch->spare;
	ch->spare = NULL;
	return ch->tail_block->next != NULL;
}

RILL_COLD void rill_channel_free_blocks(struct rill_channel_block *dead)
{
	while (dead) {
		struct rill_channel_block *next = dead->next;

		free(dead);
		dead = next;
	}
}

/* ---- messages to receivers ---- */

void rill_channel_offer(struct rill_channel *ch, struct rill_channel_rest *rest)
{
	struct rill_await *aw;

	while (ch->len > ch->owed && (aw = rill_await_first(&ch->receivers_q))) {
		if (aw->ops != &rill_channel_recv_ops) {
			rill_channel_owe(ch, rest);
			continue;
		}
		rill_channel_get(ch, aw->arg, rest);
		rill_await_grant(aw, &rest->batch);
	}
}

void rill_channel_tell_ended(struct rill_channel *ch, struct rill_channel_rest *rest)
{
	if (!rill_channel_ended(ch))
		return;
	/* They look again, and find it so. */
	rill_fanout(&ch->receivers_q, &ch->lock, &rest->batch, rill_fanout_wake, NULL);
}

/* ---- room to senders ---- */

/* Room of one was taken off for it. Only a bounded channel, which has its block, has such. */
static void push(struct rill_channel *ch, const void *msg, struct rill_channel_rest *rest)
{
	if (rill_channel_hand_over(ch, msg, rest)) {
		rill_store_relaxed(&ch->room, ch->room + 1);
		return;
	}
	rill_channel_put(ch, msg);
	rill_channel_owe(ch, rest);
}

/* Who takes permits has them now; who sends in a select must come to send. */
static void give_room(struct rill_channel *ch, struct rill_await *aw,
		      struct rill_channel_rest *rest)
{
	size_t n = RILL_MIN(ch->room, aw->value);

	rill_store_relaxed(&ch->room, ch->room - n);
	ch->permits += n;
	aw->value -= n;
	if (aw->value > 0)
		return;
	if (aw->ops == &rill_channel_reserve_ops)
		rill_await_grant(aw, &rest->batch);
	else
		rill_await_promise(aw, &rest->batch);
}

void rill_channel_refill(struct rill_channel *ch, struct rill_channel_rest *rest)
{
	struct rill_await *aw;

	while (ch->room > 0 && (aw = rill_await_first(&ch->senders_q))) {
		if (aw->ops != &rill_channel_send_ops) {
			give_room(ch, aw, rest);
			continue;
		}
		rill_store_relaxed(&ch->room, ch->room - 1);
		push(ch, aw->arg, rest);
		rill_await_grant(aw, &rest->batch);
	}
}

size_t rill_channel_partial(const struct rill_await *aw)
{
	return aw->ops == &rill_channel_reserve_ops ? (uintptr_t)aw->arg - aw->value : 0;
}

void rill_channel_release(struct rill_channel *ch, size_t n, struct rill_channel_rest *rest)
{
	ch->permits -= n;
	rill_store_relaxed(&ch->room, ch->room + n);
	rill_channel_refill(ch, rest);
	rill_channel_tell_ended(ch, rest);
}

void rill_channel_spend(struct rill_channel *ch, const void *msg, struct rill_channel_rest *rest)
{
	ch->permits--;
	push(ch, msg, rest);
	/* Straight to a receiver: its room is somebody else's, or nothing will come any more. */
	rill_channel_refill(ch, rest);
	rill_channel_tell_ended(ch, rest);
}

/* Nobody but the first in the queue has a part of what he wants. */
static void take_back(struct rill_channel *ch, struct rill_await *first)
{
	size_t n = rill_channel_partial(first);

	ch->permits -= n;
	rill_store_relaxed(&ch->room, ch->room + n);
	first->value += n;
}

static void tell_closed(struct rill_await *aw, void *arg, struct rill_wake_batch *batch)
{
	rill_await_grant(aw, batch);
}

void rill_channel_close_locked(struct rill_channel *ch, struct rill_channel_rest *rest)
{
	struct rill_await *aw = rill_await_first(&ch->senders_q);

	/* release: pairs with the acquire in closed_try() and rill_channel_is_closed() */
	rill_store_release(&ch->closed, true);
	if (aw)
		take_back(ch, aw);
	/* Without room, they look again and find it closed. */
	rill_fanout(&ch->senders_q, &ch->lock, &rest->batch, rill_fanout_wake, NULL);
	rill_fanout(&ch->closers_q, &ch->lock, &rest->batch, tell_closed, NULL);
	rill_channel_tell_ended(ch, rest);
}

int rill_channel_disarm_plain(struct rill_await *aw, bool take)
{
	struct rill_channel *ch = aw->obj;

	rill_spin_lock(&ch->lock);
	rill_list_del(&aw->link);
	bool served = rill_await_granted(aw);

	rill_spin_unlock(&ch->lock);
	RILL_ASSERT(!served || take); /* nothing else can complete a wait for one thing */
	return served ? 0 : -EAGAIN;
}
