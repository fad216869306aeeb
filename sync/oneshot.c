/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Both halves share one block of memory, freed by whoever leaves last. A receiver that waits for
 * nothing else has the message copied to where it wants it. For any other it waits in the block:
 * one that gives up its wait leaves it there for the next one.
 */
#include <rill/oneshot.h>

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/spinlock.h"
#include "runtime/await.h"

struct rill_oneshot {
	struct rill_spinlock lock; /* of all below */
	bool full;
	bool sender_gone;
	bool receiver_gone;
	struct rill_await *receiver; /* armed; its value: it is in a select */
	size_t msg_size;
	_Alignas(max_align_t) unsigned char msg[];
};

static void copy(void *to, const void *from, size_t size)
{
	/* A message of no bytes may have no address. */
	if (size)
		memcpy(to, from, size);
}

static int take_locked(struct rill_oneshot *ch, void *ret_msg)
{
	if (ch->full) {
		copy(ret_msg, ch->msg, ch->msg_size);
		ch->full = false;
		return 0;
	}
	return ch->sender_gone ? -EPIPE : -EAGAIN;
}

static int oneshot_try(struct rill_await *aw)
{
	struct rill_oneshot *ch = aw->obj;

	rill_spin_lock(&ch->lock);
	int r = take_locked(ch, aw->arg);

	rill_spin_unlock(&ch->lock);
	return r;
}

static int oneshot_arm(struct rill_await *aw)
{
	struct rill_oneshot *ch = aw->obj;

	rill_spin_lock(&ch->lock);
	int r = take_locked(ch, aw->arg);

	if (r == -EAGAIN) {
		RILL_ASSERT(!ch->receiver); /* one receiver */
		ch->receiver = aw;
	}
	rill_spin_unlock(&ch->lock);
	return r;
}

static int oneshot_disarm(struct rill_await *aw, bool take)
{
	struct rill_oneshot *ch = aw->obj;

	rill_spin_lock(&ch->lock);
	if (ch->receiver == aw)
		ch->receiver = NULL;
	int r = -EAGAIN;

	if (rill_await_granted(aw))
		r = 0;
	else if (take)
		r = take_locked(ch, aw->arg);
	rill_spin_unlock(&ch->lock);
	return r;
}

static const struct rill_await_ops oneshot_ops = {
	.what = "oneshot recv",
	.try = oneshot_try,
	.arm = oneshot_arm,
	.disarm = oneshot_disarm,
};

int rill_oneshot_create(size_t msg_size, struct rill_oneshot **ret_ch)
{
	size_t bytes;

	if (__builtin_add_overflow(sizeof(struct rill_oneshot), msg_size, &bytes))
		return -ENOMEM;
	struct rill_oneshot *ch = malloc(bytes);

	if (!ch)
		return -ENOMEM;
	*ch = (struct rill_oneshot){.msg_size = msg_size};
	*ret_ch = ch;
	return 0;
}

static void deliver_locked(struct rill_oneshot *ch, const void *msg, struct rill_wake_batch *batch)
{
	struct rill_await *receiver = ch->receiver;

	if (receiver && !receiver->value) {
		ch->receiver = NULL;
		copy(receiver->arg, msg, ch->msg_size);
		rill_await_grant(receiver, batch);
		return;
	}
	copy(ch->msg, msg, ch->msg_size);
	ch->full = true;
}

/* The sender's half goes. */
static int leave_sender(struct rill_oneshot *ch, const void *msg, bool has_msg)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&ch->lock);
	RILL_ASSERT(!ch->sender_gone); /* sent or closed twice */
	bool last = ch->receiver_gone;

	ch->sender_gone = true;
	if (has_msg && !last)
		deliver_locked(ch, msg, &batch);
	if (ch->receiver) {
		rill_wake_add(&batch, ch->receiver->waiter);
		ch->receiver = NULL;
	}
	rill_spin_unlock(&ch->lock);
	rill_wake_flush(&batch);
	if (last)
		free(ch);
	return last ? -EPIPE : 0;
}

int rill_oneshot_send(struct rill_oneshot *ch, const void *msg)
{
	return leave_sender(ch, msg, true);
}

void rill_oneshot_close_sender(struct rill_oneshot *ch)
{
	leave_sender(ch, NULL, false);
}

int rill_oneshot_recv(struct rill_oneshot *ch, void *ret_msg)
{
	return rill_await_on(&oneshot_ops, ch, ret_msg);
}

void rill_oneshot_close_receiver(struct rill_oneshot *ch)
{
	rill_spin_lock(&ch->lock);
	RILL_ASSERT(!ch->receiver_gone && !ch->receiver);
	bool last = ch->sender_gone;

	ch->receiver_gone = true;
	rill_spin_unlock(&ch->lock);
	if (last)
		free(ch);
}

void rill_case_oneshot_recv(struct rill_case *c, struct rill_oneshot *ch, void *ret_msg)
{
	struct rill_await *aw = rill_await_of(c);

	rill_await_init(aw, &oneshot_ops, ch, ret_msg);
	aw->value = true;
}
