/* SPDX-License-Identifier: BSD-3-Clause */
/* Receiving, one message or many. */
#include <rill/channel.h>

#include "sync/channel.h"

/* There is none for who does not wait. */
static int nothing_locked(const struct rill_channel *ch)
{
	return rill_channel_ended(ch) ? -EPIPE : -EAGAIN;
}

static RILL_ALWAYS_INLINE int recv_locked(struct rill_channel *ch, void *ret_msg,
					  struct rill_channel_rest *rest)
{
	if (ch->len == ch->owed)
		return nothing_locked(ch);
	rill_channel_get(ch, ret_msg, rest);
	if (!rill_list_empty(&ch->senders_q))
		rill_channel_refill(ch, rest);
	return 0;
}

/* With the lock held, which it releases. */
static RILL_NOINLINE int recv_and_unlock(struct rill_channel *ch, void *ret_msg)
{
	struct rill_channel_rest rest = RILL_CHANNEL_REST_INIT;
	int r = recv_locked(ch, ret_msg, &rest);

	rill_channel_unlock(ch, &rest);
	return r;
}

/* As put_word(): nobody waits for the room. */
static RILL_ALWAYS_INLINE bool get_word(struct rill_channel *ch, void *ret_msg)
{
	if (RILL_UNLIKELY(ch->len == ch->owed || ch->head == ch->head_end ||
			  !rill_list_empty(&ch->senders_q) || ch->msg_size != RILL_CHANNEL_WORD))
		return false;
	memcpy(ret_msg, ch->head, RILL_CHANNEL_WORD);
	ch->head += RILL_CHANNEL_WORD;
	rill_store_relaxed(&ch->len, ch->len - 1);
	rill_store_relaxed(&ch->room, ch->room + 1);
	return true;
}

int rill_channel_try_recv(struct rill_channel *ch, void *ret_msg)
{
	rill_spin_lock(&ch->lock);
	if (RILL_UNLIKELY(!get_word(ch, ret_msg)))
		return recv_and_unlock(ch, ret_msg);
	rill_spin_unlock(&ch->lock);
	return 0;
}

/* ---- waiting for one ---- */

static int recv_try(struct rill_await *aw)
{
	return rill_channel_try_recv(aw->obj, aw->arg);
}

static int recv_arm(struct rill_await *aw)
{
	struct rill_channel *ch = aw->obj;

	rill_spin_lock(&ch->lock);
	if (ch->len != ch->owed)
		return recv_and_unlock(ch, aw->arg);
	int r = nothing_locked(ch);

	if (r == -EAGAIN)
		rill_list_push_back(&ch->receivers_q, &aw->link);
	rill_spin_unlock(&ch->lock);
	return r;
}

const struct rill_await_ops rill_channel_recv_ops = {
	.what = "channel recv",
	.arm_only = true,
	.try = recv_try,
	.arm = recv_arm,
	.disarm = rill_channel_disarm_plain,
};

static RILL_NOINLINE int recv_waiting(struct rill_channel *ch, void *ret_msg)
{
	return rill_await_on(&rill_channel_recv_ops, ch, ret_msg);
}

/* With the lock held. */
static RILL_NOINLINE int recv_slow(struct rill_channel *ch, void *ret_msg, struct rill_worker *w)
{
	int r = recv_and_unlock(ch, ret_msg);

	if (r == -EAGAIN)
		return recv_waiting(ch, ret_msg);
	w->budget--;
	return r;
}

int rill_channel_recv(struct rill_channel *ch, void *ret_msg)
{
	struct rill_worker *w;

	/* When it seems to be empty, to queue up is the one thing to do under the lock. */
	if (RILL_UNLIKELY(!rill_task_unhindered(&w) || rill_load_relaxed(&ch->len) == 0))
		return recv_waiting(ch, ret_msg);
	rill_spin_lock(&ch->lock);
	if (RILL_UNLIKELY(!get_word(ch, ret_msg)))
		return recv_slow(ch, ret_msg, w);
	rill_spin_unlock(&ch->lock);
	w->budget--;
	return 0;
}

/* ---- in a select ---- */

/* Of an owed message: takes it, or lets others have it. */
static int settle_locked(struct rill_channel *ch, struct rill_await *aw, bool take,
			 struct rill_channel_rest *rest)
{
	ch->owed--;
	if (!take) {
		rill_channel_offer(ch, rest);
		rill_channel_refill(ch, rest);
		rill_channel_tell_ended(ch, rest);
		return -EAGAIN;
	}
	rill_channel_get(ch, aw->arg, rest);
	rill_channel_refill(ch, rest);
	/* It may have been all that others waited behind. */
	rill_channel_tell_ended(ch, rest);
	return 0;
}

static int recv_case_disarm(struct rill_await *aw, bool take)
{
	struct rill_channel_rest rest = RILL_CHANNEL_REST_INIT;
	struct rill_channel *ch = aw->obj;
	int r = -EAGAIN;

	rill_spin_lock(&ch->lock);
	rill_list_del(&aw->link);
	if (rill_await_granted(aw))
		r = settle_locked(ch, aw, take, &rest);
	rill_channel_unlock(ch, &rest);
	return r;
}

static const struct rill_await_ops recv_case_ops = {
	.what = "channel recv",
	.arm_only = true,
	.try = recv_try,
	.arm = recv_arm,
	.disarm = recv_case_disarm,
};

void rill_case_channel_recv(struct rill_case *c, struct rill_channel *ch, void *ret_msg)
{
	rill_await_init(rill_await_of(c), &recv_case_ops, ch, ret_msg);
}

/* ---- many ---- */

/* So many are copied before others get a chance at the lock. */
#ifndef RILL_CHANNEL_RECV_CHUNK
#define RILL_CHANNEL_RECV_CHUNK 64u
#endif

struct many {
	unsigned char *msgs;
	size_t limit; /* for now */
	size_t n;
};

/* So many as lie side by side. */
static size_t get_run(struct rill_channel *ch, struct many *many, struct rill_channel_rest *rest)
{
	if (ch->head == ch->head_end)
		rill_channel_head_advance(ch, rest);
	size_t in_block = (size_t)(ch->head_end - ch->head) / ch->msg_size;
	size_t n = RILL_MIN(ch->len - ch->owed, many->limit - many->n);

	n = RILL_MIN(n, in_block);
	memcpy(many->msgs + many->n * ch->msg_size, ch->head, n * ch->msg_size);
	ch->head += n * ch->msg_size;
	many->n += n;
	return n;
}

static int recv_many_locked(struct rill_channel *ch, struct many *many,
			    struct rill_channel_rest *rest)
{
	if (ch->len == ch->owed)
		return nothing_locked(ch);
	while (many->n < many->limit && ch->len > ch->owed) {
		size_t n = get_run(ch, many, rest);

		rill_store_relaxed(&ch->len, ch->len - n);
		rill_store_relaxed(&ch->room, ch->room + n);
	}
	rill_channel_refill(ch, rest);
	rill_channel_tell_ended(ch, rest);
	return 0;
}

static int many_try(struct rill_await *aw)
{
	struct rill_channel_rest rest = RILL_CHANNEL_REST_INIT;
	struct rill_channel *ch = aw->obj;

	rill_spin_lock(&ch->lock);
	int r = recv_many_locked(ch, aw->arg, &rest);

	rill_channel_unlock(ch, &rest);
	return r;
}

static int many_arm(struct rill_await *aw)
{
	struct rill_channel_rest rest = RILL_CHANNEL_REST_INIT;
	struct rill_channel *ch = aw->obj;

	rill_spin_lock(&ch->lock);
	int r = recv_many_locked(ch, aw->arg, &rest);

	if (r == -EAGAIN)
		rill_list_push_back(&ch->receivers_q, &aw->link);
	rill_channel_unlock(ch, &rest);
	return r;
}

static int many_disarm(struct rill_await *aw, bool take)
{
	struct rill_channel_rest rest = RILL_CHANNEL_REST_INIT;
	struct rill_channel *ch = aw->obj;
	int r = -EAGAIN;

	rill_spin_lock(&ch->lock);
	rill_list_del(&aw->link);
	if (rill_await_granted(aw)) {
		RILL_ASSERT(take); /* nothing else can complete a wait for one thing */
		ch->owed--;
		r = recv_many_locked(ch, aw->arg, &rest);
	}
	rill_channel_unlock(ch, &rest);
	return r;
}

static const struct rill_await_ops many_ops = {
	.what = "channel recv",
	.arm_only = true,
	.try = many_try,
	.arm = many_arm,
	.disarm = many_disarm,
};

/* After the first ones: what else there is. */
static void get_more(struct rill_await *aw, size_t limit)
{
	struct many *many = aw->arg;

	while (many->n == many->limit && many->n < limit) {
		many->limit += RILL_MIN(limit - many->n, RILL_CHANNEL_RECV_CHUNK);
		many_try(aw);
	}
}

static int recv_many(struct rill_channel *ch, void *ret_msgs, size_t limit, size_t *ret_n,
		     int (*get_first)(struct rill_await *aw))
{
	struct many many = {
		.msgs = ret_msgs,
		.limit = RILL_MIN(limit, RILL_CHANNEL_RECV_CHUNK),
	};
	struct rill_await aw;

	rill_await_init(&aw, &many_ops, ch, &many);
	int r = limit > 0 ? get_first(&aw) : 0;

	if (r < 0)
		return r;
	get_more(&aw, limit);
	*ret_n = many.n;
	return 0;
}

static int await_many(struct rill_await *aw)
{
	return rill_await(aw, 0);
}

int rill_channel_recv_many(struct rill_channel *ch, void *ret_msgs, size_t limit, size_t *ret_n)
{
	return recv_many(ch, ret_msgs, limit, ret_n, await_many);
}

int rill_channel_try_recv_many(struct rill_channel *ch, void *ret_msgs, size_t limit, size_t *ret_n)
{
	return recv_many(ch, ret_msgs, limit, ret_n, many_try);
}
