/* SPDX-License-Identifier: BSD-3-Clause */
/* The receivers' side. */
#include "sync/broadcast.h"

#include <stdlib.h>
#include <string.h>

#include "sync/fanout.h"

/* ---- reading a slot: 0 and going on, -EAGAIN (not there yet) or -EOVERFLOW (overwritten) ---- */

static int missing(uint64_t seq, uint64_t pos)
{
	return seq < rill_broadcast_seq(pos) ? -EAGAIN : -EOVERFLOW;
}

/* After the last word. relaxed: a word that is newer has brought the newer seq with it. */
static bool still_there(const struct rill_broadcast_slot *slot, uint64_t pos)
{
	return rill_load_relaxed(&slot->seq) == rill_broadcast_seq(pos);
}

static void advance(struct rill_broadcast_receiver *rx, uint64_t pos)
{
	/* relaxed: others only count what is left */
	rill_store_relaxed(&rx->next, pos);
}

static RILL_ALWAYS_INLINE int read_words(struct rill_broadcast_receiver *rx, uint64_t pos,
					 void *ret_msg, size_t size)
{
	struct rill_broadcast_slot *slot = rill_broadcast_slot(rx->b, pos);
	uint64_t *from = rill_broadcast_slot_words(slot), to[RILL_BROADCAST_WORDS];
	/* acquire: pairs with the release in show() */
	uint64_t seq = rill_load_acquire(&slot->seq);

	if (RILL_UNLIKELY(seq != rill_broadcast_seq(pos)))
		return missing(seq, pos);
	/* acquire: pairs with the release of the words in write_words() */
	for (size_t i = 0; i < (size + 7) / 8; i++)
		to[i] = rill_load_acquire(&from[i]);
	if (RILL_UNLIKELY(!still_there(slot, pos)))
		return -EOVERFLOW;
	memcpy(ret_msg, to, size);
	advance(rx, pos + 1);
	return 0;
}

/* One receiver less needs the message. True: it was the last, and the message is in old now. */
static bool release_locked(struct rill_broadcast *b, struct rill_broadcast_slot *slot, void *old)
{
	if (!b->drop || --slot->unread > 0)
		return false;
	memcpy(old, slot->msg, b->msg_size);
	return true;
}

static RILL_NOINLINE int read_locked(struct rill_broadcast_receiver *rx, uint64_t pos,
				     void *ret_msg)
{
	_Alignas(max_align_t) unsigned char old[RILL_BROADCAST_HOOKED_MAX];
	struct rill_broadcast *b = rx->b;
	struct rill_broadcast_slot *slot = rill_broadcast_slot(b, pos);

	rill_spin_lock(&slot->lock);
	uint64_t seq = slot->seq;

	if (seq != rill_broadcast_seq(pos)) {
		rill_spin_unlock(&slot->lock);
		return missing(seq, pos);
	}
	if (b->copy)
		b->copy(ret_msg, slot->msg, b->arg);
	else
		memcpy(ret_msg, slot->msg, b->msg_size);
	bool last = release_locked(b, slot, old);

	rill_spin_unlock(&slot->lock);
	/* Before the hook, which may receive with rx, too. */
	advance(rx, pos + 1);
	if (last)
		rill_broadcast_drop(b, old);
	return 0;
}

/* Of any other size than that of a pointer or a counter, which is what most channels carry. */
static RILL_NOINLINE int read_any(struct rill_broadcast_receiver *rx, uint64_t pos, void *ret_msg)
{
	return rx->b->words ? read_words(rx, pos, ret_msg, rx->b->msg_size)
			    : read_locked(rx, pos, ret_msg);
}

/* ---- receiving ---- */

/* Goes on to the oldest that is kept. */
static RILL_NOINLINE int fall_behind(struct rill_broadcast_receiver *rx)
{
	struct rill_broadcast *b = rx->b;

	/* Whoever overwrites the message has the lock until the tail says so. */
	rill_spin_lock(&b->lock);
	uint64_t oldest = b->tail - b->capacity;

	RILL_ASSERT(b->tail > b->capacity && oldest > rx->next);
	rx->lagged = oldest - rx->next;
	advance(rx, oldest);
	rill_spin_unlock(&b->lock);
	return -EOVERFLOW;
}

/* What a receive returns that does not wait. Without locks, for it may call hooks. */
static int look(struct rill_broadcast_receiver *rx, void *ret_msg)
{
	struct rill_broadcast *b = rx->b;
	uint64_t pos = rx->next;
	/* First: what was sent before is there. acquire: pairs with the release in close_sender. */
	bool closed = rill_load_acquire(&b->closed);
	int r = b->one_word ? read_words(rx, pos, ret_msg, sizeof(uint64_t))
			    : read_any(rx, pos, ret_msg);

	if (RILL_LIKELY(r == 0))
		return 0;
	if (r == -EOVERFLOW)
		return fall_behind(rx);
	return closed ? -EPIPE : -EAGAIN;
}

static int recv_try(struct rill_await *aw)
{
	return look(aw->obj, aw->arg);
}

static int recv_arm(struct rill_await *aw)
{
	struct rill_broadcast_receiver *rx = aw->obj;
	struct rill_broadcast *b = rx->b;

	rill_spin_lock(&b->lock);
	bool wait = b->tail == rx->next && !b->closed;

	if (wait)
		rill_list_push_back(&b->waiting, &aw->link);
	rill_spin_unlock(&b->lock);
	return wait ? -EAGAIN : look(rx, aw->arg);
}

static int recv_disarm(struct rill_await *aw, bool take)
{
	struct rill_broadcast_receiver *rx = aw->obj;
	struct rill_broadcast *b = rx->b;

	rill_spin_lock(&b->lock);
	rill_list_del(&aw->link);
	bool granted = rill_await_granted(aw);

	rill_spin_unlock(&b->lock);
	if (granted) {
		RILL_ASSERT(take); /* nothing else can complete a wait for one thing */
		return 0;
	}
	return take ? look(rx, aw->arg) : -EAGAIN;
}

static const struct rill_await_ops recv_ops = {
	.what = "broadcast recv",
	.try = recv_try,
	.arm = recv_arm,
	.disarm = recv_disarm,
};

int rill_broadcast_recv(struct rill_broadcast_rx *public, void *ret_msg)
{
	struct rill_broadcast_receiver *rx = rill_broadcast_receiver_of(public);
	struct rill_await aw;

	rill_await_init(&aw, &recv_ops, rx, ret_msg);
	int r = rill_await(&aw, 0);

	/* A grant says that there is a message; it may be overwritten by now. */
	return r == 0 && rill_await_granted(&aw) ? look(rx, ret_msg) : r;
}

int rill_broadcast_try_recv(struct rill_broadcast_rx *rx, void *ret_msg)
{
	return look(rill_broadcast_receiver_of(rx), ret_msg);
}

void rill_case_broadcast_recv(struct rill_case *c, struct rill_broadcast_rx *rx, void *ret_msg)
{
	struct rill_await *aw = rill_await_of(c);

	rill_await_init(aw, &recv_ops, rill_broadcast_receiver_of(rx), ret_msg);
	aw->value = true; /* not granted, but woken to look */
}

/* ---- looking ---- */

uint64_t rill_broadcast_lagged(const struct rill_broadcast_rx *rx)
{
	return rill_broadcast_receiver_of(rx)->lagged;
}

size_t rill_broadcast_rx_len(const struct rill_broadcast_rx *rx)
{
	const struct rill_broadcast_receiver *r = rill_broadcast_receiver_of(rx);

	return (size_t)(rill_load_relaxed(&r->b->tail) - r->next);
}

bool rill_broadcast_rx_is_empty(const struct rill_broadcast_rx *rx)
{
	return rill_broadcast_rx_len(rx) == 0;
}

bool rill_broadcast_rx_is_closed(const struct rill_broadcast_rx *rx)
{
	/* acquire: pairs with the release in rill_broadcast_close_sender() */
	return rill_load_acquire(&rill_broadcast_receiver_of(rx)->b->closed);
}

size_t rill_broadcast_rx_sender_count(const struct rill_broadcast_rx *rx)
{
	return rill_broadcast_sender_count(rill_broadcast_receiver_of(rx)->b);
}

size_t rill_broadcast_rx_weak_count(const struct rill_broadcast_rx *rx)
{
	return rill_broadcast_weak_count(rill_broadcast_receiver_of(rx)->b);
}

bool rill_broadcast_rx_same_channel(const struct rill_broadcast_rx *a,
				    const struct rill_broadcast_rx *b)
{
	return rill_broadcast_receiver_of(a)->b == rill_broadcast_receiver_of(b)->b;
}

/* ---- receivers ---- */

static void join_channel(struct rill_broadcast *b, struct rill_broadcast_receiver *rx)
{
	rx->b = b;
	rx->lagged = 0;
	rill_spin_lock(&b->lock);
	rx->next = b->tail;
	rill_list_push_back(&b->all, &rx->link);
	rill_broadcast_own(b);
	rill_store_relaxed(&b->receivers, b->receivers + 1);
	rill_spin_unlock(&b->lock);
}

void rill_broadcast_subscribe(struct rill_broadcast *b, struct rill_broadcast_rx *ret_rx)
{
	join_channel(b, rill_broadcast_receiver_of(ret_rx));
}

void rill_broadcast_resubscribe(const struct rill_broadcast_rx *rx,
				struct rill_broadcast_rx *ret_rx)
{
	join_channel(rill_broadcast_receiver_of(rx)->b, rill_broadcast_receiver_of(ret_rx));
}

/* Later messages do not count the receiver any more. */
static void leave_locked(struct rill_broadcast_receiver *rx, struct rill_wake_batch *batch)
{
	struct rill_broadcast *b = rx->b;

	rill_list_del(&rx->link);
	/* release: pairs with the acquire in rill_broadcast_is_closed() */
	rill_store_release(&b->receivers, b->receivers - 1);
	if (b->receivers == 0)
		rill_fanout(&b->observers, &b->lock, batch, rill_fanout_wake, NULL);
}

static void release(struct rill_broadcast *b, uint64_t pos)
{
	_Alignas(max_align_t) unsigned char old[RILL_BROADCAST_HOOKED_MAX];
	struct rill_broadcast_slot *slot = rill_broadcast_slot(b, pos);

	rill_spin_lock(&slot->lock);
	bool last = slot->seq == rill_broadcast_seq(pos) && release_locked(b, slot, old);

	rill_spin_unlock(&slot->lock);
	if (last)
		rill_broadcast_drop(b, old);
}

/* What was unread, and then the reference. True: that was the last. */
static bool release_all(struct rill_broadcast *b, uint64_t pos, uint64_t end)
{
	if (end - pos > b->capacity)
		pos = end - b->capacity;
	for (; pos < end; pos++)
		release(b, pos);
	rill_spin_lock(&b->lock);
	bool last = rill_broadcast_disown(b);

	rill_spin_unlock(&b->lock);
	return last;
}

void rill_broadcast_close_receiver(struct rill_broadcast_rx *public)
{
	struct rill_broadcast_receiver *rx = rill_broadcast_receiver_of(public);
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_broadcast *b = rx->b;

	rill_spin_lock(&b->lock);
	uint64_t end = b->tail;

	leave_locked(rx, &batch);
	/* Who has messages to drop owns the channel until then; nobody else may look at it. */
	bool owner = b->drop, last = !owner && rill_broadcast_disown(b);

	rill_spin_unlock(&b->lock);
	rill_wake_flush(&batch);
	if (owner)
		last = release_all(b, rx->next, end);
	if (last)
		free(b);
}
