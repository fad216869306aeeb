/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ring of messages under one spinlock. A slot that the receiver frees while senders wait is the
 * first one's. A plain send has its message copied at once, so messages keep the queue's order. A
 * send in a select may turn out to have completed another case, and a message that was received
 * cannot be taken back: it is promised the slot, and fills it itself when it runs, or passes it on.
 *
 *   len + promised <= capacity, and == capacity while anybody is in the queue
 *
 * A plain receive has the message copied to where it wants it. One in a select is only woken, and
 * the message waits in the ring: it may turn out to have completed another case.
 */
#include <rill/channel.h>

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/spinlock.h"
#include "runtime/await.h"

/* How a waiting node is served, in its value. */
enum hand_over {
	COPY,	 /* its message is copied for it: it waits for nothing else */
	PROMISE, /* it sends or receives itself when it runs */
};

struct rill_channel {
	struct rill_spinlock lock; /* of all below */
	bool receiver_gone;
	size_t capacity;
	size_t msg_size;
	size_t head;		 /* the slot of the oldest message */
	size_t tail;		 /* the slot of the next one */
	RILL_ATOMIC(size_t) len; /* read without the lock by rill_channel_len() */
	size_t promised;
	size_t senders;
	struct rill_await *receiver; /* armed, and not woken yet */
	struct rill_list queue;	     /* of armed senders, longest waiter first */
	_Alignas(max_align_t) unsigned char ring[];
};

static RILL_ALWAYS_INLINE void copy(void *to, const void *from, size_t size)
{
	/* A pointer or a counter is what most channels carry. */
	if (RILL_LIKELY(size == 8))
		memcpy(to, from, 8);
	else
		memcpy(to, from, size);
}

static size_t slot_after(const struct rill_channel *ch, size_t slot)
{
	return slot + 1 == ch->capacity ? 0 : slot + 1;
}

/* ---- under the lock ---- */

/* There is room, by count or by promise. */
static void push_locked(struct rill_channel *ch, const void *msg, struct rill_wake_batch *batch)
{
	struct rill_await *receiver = ch->receiver;

	RILL_DEBUG_ASSERT(ch->len + ch->promised < ch->capacity);
	ch->receiver = NULL;
	/* It waits, so the ring is empty. */
	if (receiver && receiver->value == COPY) {
		copy(receiver->arg, msg, ch->msg_size);
		rill_await_grant(receiver, batch);
		return;
	}
	copy(ch->ring + ch->tail * ch->msg_size, msg, ch->msg_size);
	ch->tail = slot_after(ch, ch->tail);
	rill_store_relaxed(&ch->len, ch->len + 1);
	if (receiver)
		rill_wake_add(batch, receiver->waiter);
}

/* What is free is the first waiters'. */
static void refill_locked(struct rill_channel *ch, struct rill_wake_batch *batch)
{
	struct rill_await *aw;

	while (ch->len + ch->promised < ch->capacity && (aw = rill_await_first(&ch->queue))) {
		if (aw->value == PROMISE) {
			ch->promised++;
			rill_await_promise(aw, batch);
		} else {
			push_locked(ch, aw->arg, batch);
			rill_await_grant(aw, batch);
		}
	}
}

static int send_locked(struct rill_channel *ch, const void *msg, struct rill_wake_batch *batch)
{
	if (RILL_UNLIKELY(ch->receiver_gone))
		return -EPIPE;
	if (ch->len + ch->promised == ch->capacity)
		return -EAGAIN;
	push_locked(ch, msg, batch);
	return 0;
}

static int recv_locked(struct rill_channel *ch, void *ret_msg, struct rill_wake_batch *batch)
{
	if (ch->len == 0)
		return ch->senders == 0 ? -EPIPE : -EAGAIN;
	copy(ret_msg, ch->ring + ch->head * ch->msg_size, ch->msg_size);
	ch->head = slot_after(ch, ch->head);
	rill_store_relaxed(&ch->len, ch->len - 1);
	refill_locked(ch, batch);
	return 0;
}

/* ---- sending ---- */

int rill_channel_try_send(struct rill_channel *ch, const void *msg)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&ch->lock);
	int r = send_locked(ch, msg, &batch);

	rill_spin_unlock(&ch->lock);
	rill_wake_flush(&batch);
	return r;
}

static int send_try(struct rill_await *aw)
{
	return rill_channel_try_send(aw->obj, aw->arg);
}

static int send_arm(struct rill_await *aw)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_channel *ch = aw->obj;

	rill_spin_lock(&ch->lock);
	int r = send_locked(ch, aw->arg, &batch);

	if (r == -EAGAIN)
		rill_list_push_back(&ch->queue, &aw->link);
	rill_spin_unlock(&ch->lock);
	rill_wake_flush(&batch);
	return r;
}

/* A promise is kept, or passed on; one of a channel without receiver is worth nothing. */
static int redeem_locked(struct rill_channel *ch, struct rill_await *aw, bool take,
			 struct rill_wake_batch *batch)
{
	ch->promised--;
	if (ch->receiver_gone)
		return take ? -EPIPE : -EAGAIN;
	if (take)
		push_locked(ch, aw->arg, batch);
	/* The slot is free again, also when its message went to a waiting receiver. */
	refill_locked(ch, batch);
	return take ? 0 : -EAGAIN;
}

static int granted_locked(struct rill_channel *ch, struct rill_await *aw, bool take,
			  struct rill_wake_batch *batch)
{
	if (aw->value == PROMISE)
		return redeem_locked(ch, aw, take, batch);
	RILL_ASSERT(take); /* nothing else can complete a wait for one thing */
	return 0;
}

static int send_disarm(struct rill_await *aw, bool take)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_channel *ch = aw->obj;
	int r = -EAGAIN;

	rill_spin_lock(&ch->lock);
	rill_list_del(&aw->link);
	if (rill_await_granted(aw))
		r = granted_locked(ch, aw, take, &batch);
	rill_spin_unlock(&ch->lock);
	rill_wake_flush(&batch);
	return r;
}

static const struct rill_await_ops send_ops = {
	.what = "channel send",
	.try = send_try,
	.arm = send_arm,
	.disarm = send_disarm,
};

int rill_channel_send(struct rill_channel *ch, const void *msg)
{
	return rill_await_on(&send_ops, ch, (void *)(uintptr_t)msg);
}

void rill_case_channel_send(struct rill_case *c, struct rill_channel *ch, const void *msg)
{
	struct rill_await *aw = rill_await_of(c);

	rill_await_init(aw, &send_ops, ch, (void *)(uintptr_t)msg);
	aw->value = PROMISE;
}

/* ---- receiving ---- */

int rill_channel_try_recv(struct rill_channel *ch, void *ret_msg)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&ch->lock);
	int r = recv_locked(ch, ret_msg, &batch);

	rill_spin_unlock(&ch->lock);
	rill_wake_flush(&batch);
	return r;
}

static int recv_try(struct rill_await *aw)
{
	return rill_channel_try_recv(aw->obj, aw->arg);
}

static int recv_arm(struct rill_await *aw)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_channel *ch = aw->obj;

	rill_spin_lock(&ch->lock);
	int r = recv_locked(ch, aw->arg, &batch);

	if (r == -EAGAIN) {
		RILL_ASSERT(!ch->receiver); /* one receiver at a time */
		ch->receiver = aw;
	}
	rill_spin_unlock(&ch->lock);
	rill_wake_flush(&batch);
	return r;
}

static int recv_disarm(struct rill_await *aw, bool take)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_channel *ch = aw->obj;

	rill_spin_lock(&ch->lock);
	if (ch->receiver == aw)
		ch->receiver = NULL;
	int r = -EAGAIN;

	if (rill_await_granted(aw))
		r = 0;
	else if (take)
		r = recv_locked(ch, aw->arg, &batch);
	rill_spin_unlock(&ch->lock);
	rill_wake_flush(&batch);
	return r;
}

static const struct rill_await_ops recv_ops = {
	.what = "channel recv",
	.try = recv_try,
	.arm = recv_arm,
	.disarm = recv_disarm,
};

int rill_channel_recv(struct rill_channel *ch, void *ret_msg)
{
	return rill_await_on(&recv_ops, ch, ret_msg);
}

void rill_case_channel_recv(struct rill_case *c, struct rill_channel *ch, void *ret_msg)
{
	struct rill_await *aw = rill_await_of(c);

	rill_await_init(aw, &recv_ops, ch, ret_msg);
	aw->value = PROMISE;
}

size_t rill_channel_len(const struct rill_channel *ch)
{
	return rill_load_relaxed(&ch->len);
}

/* ---- the halves ---- */

int rill_channel_create(size_t capacity, size_t msg_size, struct rill_channel **ret_ch)
{
	size_t bytes;

	if (capacity == 0 || msg_size == 0)
		return -EINVAL;
	if (__builtin_mul_overflow(capacity, msg_size, &bytes) ||
	    __builtin_add_overflow(bytes, sizeof(struct rill_channel), &bytes))
		return -ENOMEM;
	struct rill_channel *ch = malloc(bytes);

	if (!ch)
		return -ENOMEM;
	*ch = (struct rill_channel){.capacity = capacity, .msg_size = msg_size, .senders = 1};
	rill_list_init(&ch->queue);
	*ret_ch = ch;
	return 0;
}

void rill_channel_add_sender(struct rill_channel *ch)
{
	rill_spin_lock(&ch->lock);
	RILL_ASSERT(ch->senders > 0); /* only who is a sender can make another */
	ch->senders++;
	rill_spin_unlock(&ch->lock);
}

void rill_channel_close_sender(struct rill_channel *ch)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&ch->lock);
	RILL_ASSERT(ch->senders > 0);
	ch->senders--;
	bool last = ch->senders == 0 && ch->receiver_gone;

	if (ch->senders == 0 && ch->receiver) {
		rill_wake_add(&batch, ch->receiver->waiter);
		ch->receiver = NULL;
	}
	rill_spin_unlock(&ch->lock);
	rill_wake_flush(&batch);
	if (last)
		free(ch);
}

void rill_channel_close_receiver(struct rill_channel *ch)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_await *aw;

	rill_spin_lock(&ch->lock);
	RILL_ASSERT(!ch->receiver_gone && !ch->receiver);
	ch->receiver_gone = true;
	rill_store_relaxed(&ch->len, 0);
	/* Woken without a promise, they look again and find the receiver gone. */
	while ((aw = rill_await_first(&ch->queue)))
		rill_await_wake(aw, &batch);
	bool last = ch->senders == 0;

	rill_spin_unlock(&ch->lock);
	rill_wake_flush(&batch);
	if (last)
		free(ch);
}
