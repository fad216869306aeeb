/* SPDX-License-Identifier: BSD-3-Clause */
/* The senders' side, and the channel's life. */
#include "sync/broadcast.h"

#include <stdlib.h>
#include <string.h>

#include "sync/fanout.h"

#define CAPACITY_MAX (UINT64_C(1) << 31)

/* ---- creation ---- */

static bool options_valid(const struct rill_broadcast_options *o)
{
	bool hooked = o->copy || o->drop;

	return o->capacity > 0 && o->capacity <= CAPACITY_MAX && o->msg_size > 0 &&
	       (!hooked || o->msg_size <= RILL_BROADCAST_HOOKED_MAX);
}

static uint64_t round_up(uint64_t n)
{
	return n == 1 ? 1 : UINT64_C(1) << (64 - __builtin_clzll(n - 1));
}

static size_t words_of(const struct rill_broadcast_options *o)
{
	size_t words = (o->msg_size + 7) / 8;

	return o->copy || o->drop || words > RILL_BROADCAST_WORDS ? 0 : words;
}

static int ring_size(size_t msg_size, uint64_t capacity, size_t *ret_stride, size_t *ret_bytes)
{
	size_t align = _Alignof(max_align_t), stride, bytes;

	if (__builtin_add_overflow(sizeof(struct rill_broadcast_slot) + align - 1, msg_size,
				   &stride))
		return -ENOMEM;
	stride &= ~(align - 1);
	if (__builtin_mul_overflow(stride, capacity, &bytes) ||
	    __builtin_add_overflow(bytes, sizeof(struct rill_broadcast) + RILL_CACHE_LINE, &bytes))
		return -ENOMEM;
	*ret_stride = stride;
	/* aligned_alloc() wants whole lines */
	*ret_bytes = bytes - bytes % RILL_CACHE_LINE;
	return 0;
}

static void init(struct rill_broadcast *b, const struct rill_broadcast_options *o)
{
	*b = (struct rill_broadcast){
		.msg_size = o->msg_size,
		.words = words_of(o),
		.one_word = words_of(o) == 1 && o->msg_size == sizeof(uint64_t),
		.stride = b->stride,
		.capacity = round_up(o->capacity),
		.copy = o->copy,
		.drop = o->drop,
		.arg = o->arg,
		.senders = 1,
		.owners = 1,
	};
	rill_list_init(&b->all);
	rill_list_init(&b->waiting);
	rill_list_init(&b->observers);
	for (uint64_t i = 0; i < b->capacity; i++)
		*rill_broadcast_slot(b, i) = (struct rill_broadcast_slot){.seq = 0};
}

int rill_broadcast_create(const struct rill_broadcast_options *options,
			  struct rill_broadcast **ret_b)
{
	struct rill_broadcast_options o = {.size = 0};
	size_t stride, bytes;

	memcpy(&o, options, RILL_MIN(options->size, sizeof(o)));
	if (!options_valid(&o))
		return -EINVAL;
	if (ring_size(o.msg_size, round_up(o.capacity), &stride, &bytes) < 0)
		return -ENOMEM;
	struct rill_broadcast *b = aligned_alloc(RILL_CACHE_LINE, bytes);

	if (!b)
		return -ENOMEM;
	b->stride = stride;
	init(b, &o);
	*ret_b = b;
	return 0;
}

/* ---- sending ---- */

/* Before the first new word. */
static void hide(struct rill_broadcast_slot *slot, uint64_t pos)
{
	rill_store_relaxed(&slot->seq, rill_broadcast_seq(pos) - 1);
}

static void show(struct rill_broadcast_slot *slot, uint64_t pos)
{
	/* release: pairs with the first acquire in read_words() */
	rill_store_release(&slot->seq, rill_broadcast_seq(pos));
}

static void write_words(struct rill_broadcast *b, uint64_t pos, const void *msg)
{
	struct rill_broadcast_slot *slot = rill_broadcast_slot(b, pos);
	uint64_t *to = rill_broadcast_slot_words(slot), from[RILL_BROADCAST_WORDS];

	from[b->words - 1] = 0;
	rill_broadcast_copy(from, msg, b->msg_size);
	hide(slot, pos);
	/* release: who reads a new word in read_words() then finds seq changed */
	for (size_t i = 0; i < b->words; i++)
		rill_store_release(&to[i], from[i]);
	show(slot, pos);
}

/* True: the message there before was still to be seen, and is in old now. */
static bool write_locked(struct rill_broadcast *b, uint64_t pos, const void *msg, void *old)
{
	struct rill_broadcast_slot *slot = rill_broadcast_slot(b, pos);

	rill_spin_lock(&slot->lock);
	bool replaced = slot->unread > 0;

	if (replaced)
		memcpy(old, slot->msg, b->msg_size);
	memcpy(slot->msg, msg, b->msg_size);
	slot->unread = b->drop ? b->receivers : 0;
	/* relaxed: what it says is looked for under the slot's lock */
	rill_store_relaxed(&slot->seq, rill_broadcast_seq(pos));
	rill_spin_unlock(&slot->lock);
	return replaced;
}

/* The receiver is not touched, only its node: it fetches the message itself. */
static void serve(struct rill_await *aw, void *arg, struct rill_wake_batch *batch)
{
	/* One in a select may turn out to have completed another case. */
	if (aw->value)
		rill_await_wake(aw, batch);
	else
		rill_await_grant(aw, batch);
}

/* With receivers. True: a message was overwritten, and is in old now. */
static bool send_locked(struct rill_broadcast *b, const void *msg, void *old,
			struct rill_wake_batch *batch)
{
	uint64_t pos = b->tail;
	bool replaced = false;

	/* Before the message: who has that knows of the new tail. */
	rill_store_relaxed(&b->tail, pos + 1);
	if (b->words)
		write_words(b, pos, msg);
	else
		replaced = write_locked(b, pos, msg, old);
	rill_fanout(&b->waiting, &b->lock, batch, serve, NULL);
	return replaced;
}

int rill_broadcast_send(struct rill_broadcast *b, const void *msg, size_t *ret_receivers)
{
	_Alignas(max_align_t) unsigned char old[RILL_BROADCAST_HOOKED_MAX];
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&b->lock);
	uint32_t receivers = b->receivers;

	if (receivers == 0) {
		rill_spin_unlock(&b->lock);
		return -EPIPE;
	}
	bool replaced = send_locked(b, msg, old, &batch);

	rill_spin_unlock(&b->lock);
	rill_wake_flush(&batch);
	if (replaced)
		rill_broadcast_drop(b, old);
	if (ret_receivers)
		*ret_receivers = receivers;
	return 0;
}

/* ---- waiting for the receivers to go ---- */

bool rill_broadcast_is_closed(const struct rill_broadcast *b)
{
	/* acquire: pairs with the release in leave_locked() of broadcast_recv.c */
	return rill_load_acquire(&b->receivers) == 0;
}

static int closed_try(struct rill_await *aw)
{
	return rill_broadcast_is_closed(aw->obj) ? 0 : -EAGAIN;
}

static int closed_arm(struct rill_await *aw)
{
	struct rill_broadcast *b = aw->obj;

	rill_spin_lock(&b->lock);
	int r = closed_try(aw);

	if (r == -EAGAIN)
		rill_list_push_back(&b->observers, &aw->link);
	rill_spin_unlock(&b->lock);
	return r;
}

static int closed_disarm(struct rill_await *aw, bool take)
{
	struct rill_broadcast *b = aw->obj;

	rill_spin_lock(&b->lock);
	rill_list_del(&aw->link);
	rill_spin_unlock(&b->lock);
	return take ? closed_try(aw) : -EAGAIN;
}

static const struct rill_await_ops closed_ops = {
	.what = "broadcast closed",
	.try = closed_try,
	.arm = closed_arm,
	.disarm = closed_disarm,
};

int rill_broadcast_wait_closed(struct rill_broadcast *b)
{
	return rill_await_on(&closed_ops, b, NULL);
}

void rill_case_broadcast_closed(struct rill_case *c, struct rill_broadcast *b)
{
	rill_await_init(rill_await_of(c), &closed_ops, b, NULL);
}

/* ---- looking ---- */

size_t rill_broadcast_len(struct rill_broadcast *b)
{
	rill_spin_lock(&b->lock);
	uint64_t tail = b->tail, oldest = tail;

	RILL_LIST_FOR_EACH (l, &b->all) {
		struct rill_broadcast_receiver *rx =
			RILL_LIST_ENTRY(l, struct rill_broadcast_receiver, link);

		/* relaxed: the receiver moves on meanwhile */
		oldest = RILL_MIN(oldest, rill_load_relaxed(&rx->next));
	}
	rill_spin_unlock(&b->lock);
	return (size_t)RILL_MIN(tail - oldest, b->capacity);
}

bool rill_broadcast_is_empty(struct rill_broadcast *b)
{
	return rill_broadcast_len(b) == 0;
}

size_t rill_broadcast_receiver_count(const struct rill_broadcast *b)
{
	return rill_load_relaxed(&b->receivers);
}

size_t rill_broadcast_sender_count(const struct rill_broadcast *b)
{
	return rill_load_relaxed(&b->senders);
}

size_t rill_broadcast_weak_count(const struct rill_broadcast *b)
{
	return rill_load_relaxed(&b->weak);
}

/* ---- senders ---- */

void rill_broadcast_add_sender(struct rill_broadcast *b)
{
	rill_spin_lock(&b->lock);
	RILL_ASSERT(b->senders > 0); /* only who is a sender can make another */
	rill_broadcast_own(b);
	rill_store_relaxed(&b->senders, b->senders + 1);
	rill_spin_unlock(&b->lock);
}

void rill_broadcast_close_sender(struct rill_broadcast *b)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&b->lock);
	RILL_ASSERT(b->senders > 0);
	rill_store_relaxed(&b->senders, b->senders - 1);
	if (b->senders == 0) {
		/* release: pairs with the acquire in look() of broadcast_recv.c */
		rill_store_release(&b->closed, true);
		rill_fanout(&b->waiting, &b->lock, &batch, rill_fanout_wake, NULL);
	}
	/* Last, for the lock was let go of between. */
	bool last = rill_broadcast_disown(b);

	rill_spin_unlock(&b->lock);
	rill_wake_flush(&batch);
	if (last)
		free(b);
}

void rill_broadcast_add_weak(struct rill_broadcast *b)
{
	rill_spin_lock(&b->lock);
	rill_broadcast_own(b);
	rill_store_relaxed(&b->weak, b->weak + 1);
	rill_spin_unlock(&b->lock);
}

void rill_broadcast_close_weak(struct rill_broadcast *b)
{
	rill_spin_lock(&b->lock);
	RILL_ASSERT(b->weak > 0);
	rill_store_relaxed(&b->weak, b->weak - 1);
	bool last = rill_broadcast_disown(b);

	rill_spin_unlock(&b->lock);
	if (last)
		free(b);
}

int rill_broadcast_upgrade(struct rill_broadcast *b)
{
	int r = -EPIPE;

	rill_spin_lock(&b->lock);
	if (b->senders > 0) {
		rill_broadcast_own(b);
		rill_store_relaxed(&b->senders, b->senders + 1);
		r = 0;
	}
	rill_spin_unlock(&b->lock);
	return r;
}
