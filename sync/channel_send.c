/* SPDX-License-Identifier: BSD-3-Clause */
/* Sending. */
#include <rill/channel.h>

#include <stdlib.h>

#include "sync/channel.h"

/* -ENOBUFS: the channel has no bound, and wants another block. */
static RILL_ALWAYS_INLINE int send_locked(struct rill_channel *ch, const void *msg,
					  struct rill_channel_rest *rest)
{
	if (RILL_UNLIKELY(ch->closed))
		return -EPIPE;
	if (ch->room == 0)
		return -EAGAIN;
	if (rill_channel_hand_over(ch, msg, rest))
		return 0;
	if (RILL_UNLIKELY(ch->tail == ch->tail_end) && !rill_channel_extend(ch))
		return -ENOBUFS;
	rill_store_relaxed(&ch->room, ch->room - 1);
	rill_channel_put(ch, msg);
	rill_channel_owe(ch, rest);
	return 0;
}

/* Brings a block; others may be quicker to use it up. */
static RILL_COLD int send_extended(struct rill_channel *ch, const void *msg)
{
	int r;

	do {
		struct rill_channel_rest rest = RILL_CHANNEL_REST_INIT;
		struct rill_channel_block *block = malloc(sizeof(*block) + ch->block_bytes);

		if (!block)
			return -ENOMEM;
		block->next = NULL;
		rill_spin_lock(&ch->lock);
		/* Of a closed one even spare is not to be looked at: see drop_all(). */
		if (ch->closed || ch->spare)
			rest.dead = block;
		else
			ch->spare = block;
		r = send_locked(ch, msg, &rest);
		rill_channel_unlock(ch, &rest);
	} while (r == -ENOBUFS);
	return r;
}

/* With the lock held, which it releases. */
static RILL_NOINLINE int send_and_unlock(struct rill_channel *ch, const void *msg)
{
	struct rill_channel_rest rest = RILL_CHANNEL_REST_INIT;
	int r = send_locked(ch, msg, &rest);

	rill_channel_unlock(ch, &rest);
	return RILL_UNLIKELY(r == -ENOBUFS) ? send_extended(ch, msg) : r;
}

/*
 * The usual case, under the lock: a word, into the middle of a block, for nobody in particular. It
 * needs nothing that is called.
 */
static RILL_ALWAYS_INLINE bool put_word(struct rill_channel *ch, const void *msg)
{
	if (RILL_UNLIKELY(ch->room == 0 || ch->closed || ch->tail == ch->tail_end ||
			  !rill_list_empty(&ch->receivers_q) || ch->msg_size != RILL_CHANNEL_WORD))
		return false;
	memcpy(ch->tail, msg, RILL_CHANNEL_WORD);
	ch->tail += RILL_CHANNEL_WORD;
	rill_store_relaxed(&ch->room, ch->room - 1);
	rill_store_relaxed(&ch->len, ch->len + 1);
	return true;
}

int rill_channel_try_send(struct rill_channel *ch, const void *msg)
{
	rill_spin_lock(&ch->lock);
	if (RILL_UNLIKELY(!put_word(ch, msg)))
		return send_and_unlock(ch, msg);
	rill_spin_unlock(&ch->lock);
	return 0;
}

/* ---- waiting ---- */

static int send_try(struct rill_await *aw)
{
	return rill_channel_try_send(aw->obj, aw->arg);
}

static int send_arm(struct rill_await *aw)
{
	struct rill_channel_rest rest = RILL_CHANNEL_REST_INIT;
	struct rill_channel *ch = aw->obj;

	rill_spin_lock(&ch->lock);
	int r = send_locked(ch, aw->arg, &rest);

	if (r == -EAGAIN)
		rill_list_push_back(&ch->senders_q, &aw->link);
	rill_channel_unlock(ch, &rest);
	return RILL_UNLIKELY(r == -ENOBUFS) ? send_extended(ch, aw->arg) : r;
}

const struct rill_await_ops rill_channel_send_ops = {
	.what = "channel send",
	.arm_only = true,
	.try = send_try,
	.arm = send_arm,
	.disarm = rill_channel_disarm_plain,
};

static RILL_NOINLINE int send_waiting(struct rill_channel *ch, const void *msg)
{
	/* What cannot wait is not cancelled either. */
	if (ch->capacity == RILL_UNBOUNDED)
		return rill_channel_try_send(ch, msg);
	return rill_await_on(&rill_channel_send_ops, ch, (void *)(uintptr_t)msg);
}

/* With the lock held. */
static RILL_NOINLINE int send_slow(struct rill_channel *ch, const void *msg, struct rill_worker *w)
{
	unsigned budget = ch->send_budget;
	int r = send_and_unlock(ch, msg);

	if (r == -EAGAIN)
		return send_waiting(ch, msg);
	w->budget -= budget;
	return r;
}

int rill_channel_send(struct rill_channel *ch, const void *msg)
{
	struct rill_worker *w;

	/* When it seems to be full, to queue up is the one thing to do under the lock. */
	if (RILL_UNLIKELY(!rill_task_unhindered(&w) || rill_load_relaxed(&ch->room) == 0))
		return send_waiting(ch, msg);
	rill_spin_lock(&ch->lock);
	if (RILL_UNLIKELY(!put_word(ch, msg)))
		return send_slow(ch, msg, w);
	w->budget -= ch->send_budget;
	rill_spin_unlock(&ch->lock);
	return 0;
}

/* ---- in a select ---- */

static int send_case_arm(struct rill_await *aw)
{
	aw->value = 1;
	return send_arm(aw);
}

/* The promise is kept, or passed on. Without a receiver it is worth nothing. */
static int redeem_locked(struct rill_channel *ch, struct rill_await *aw, bool take,
			 struct rill_channel_rest *rest)
{
	if (take && ch->receivers > 0) {
		rill_channel_spend(ch, aw->arg, rest);
		return 0;
	}
	rill_channel_release(ch, 1, rest);
	return take ? -EPIPE : -EAGAIN;
}

static int send_case_disarm(struct rill_await *aw, bool take)
{
	struct rill_channel_rest rest = RILL_CHANNEL_REST_INIT;
	struct rill_channel *ch = aw->obj;
	int r = -EAGAIN;

	rill_spin_lock(&ch->lock);
	rill_list_del(&aw->link);
	if (rill_await_granted(aw))
		r = redeem_locked(ch, aw, take, &rest);
	rill_channel_unlock(ch, &rest);
	return r;
}

const struct rill_await_ops rill_channel_send_case_ops = {
	.what = "channel send",
	.arm_only = true,
	.try = send_try,
	.arm = send_case_arm,
	.disarm = send_case_disarm,
};

void rill_case_channel_send(struct rill_case *c, struct rill_channel *ch, const void *msg)
{
	rill_await_init(rill_await_of(c), &rill_channel_send_case_ops, ch, (void *)(uintptr_t)msg);
}
