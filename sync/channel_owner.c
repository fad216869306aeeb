/* SPDX-License-Identifier: BSD-3-Clause */
/* Making, owning and closing channels; how one is. */
#include <rill/channel.h>

#include <stdlib.h>

#include "sync/channel.h"

/* ---- making ---- */

static int init_blocks(struct rill_channel *ch)
{
	bool bounded = ch->capacity != RILL_UNBOUNDED;
	struct rill_channel_block *block;
	size_t bytes;

	if (__builtin_mul_overflow(bounded ? ch->capacity : RILL_CHANNEL_BLOCK_MSGS, ch->msg_size,
				   &ch->block_bytes) ||
	    __builtin_add_overflow(ch->block_bytes, sizeof(*block), &bytes))
		return -ENOMEM;
	block = malloc(bytes);
	if (!block)
		return -ENOMEM;
	block->next = bounded ? block : NULL;
	ch->head_block = ch->tail_block = block;
	ch->head = ch->tail = block->msgs;
	ch->head_end = ch->tail_end = block->msgs + ch->block_bytes;
	return 0;
}

static int create(const struct rill_channel_options *o, struct rill_channel **ret_ch)
{
	if (o->capacity == 0 || o->msg_size == 0)
		return -EINVAL;
	struct rill_channel *ch = aligned_alloc(RILL_CACHE_LINE, sizeof(*ch));

	if (!ch)
		return -ENOMEM;
	*ch = (struct rill_channel){
		.capacity = o->capacity,
		.room = o->capacity,
		.msg_size = o->msg_size,
		.send_budget = o->capacity != RILL_UNBOUNDED,
		.drop = o->drop,
		.drop_arg = o->arg,
		.senders = 1,
		.receivers = 1,
		.refs = 2,
	};
	rill_list_init(&ch->senders_q);
	rill_list_init(&ch->receivers_q);
	rill_list_init(&ch->closers_q);
	int err = init_blocks(ch);

	if (err < 0) {
		free(ch);
		return err;
	}
	*ret_ch = ch;
	return 0;
}

int rill_channel_create_with(const struct rill_channel_options *options,
			     struct rill_channel **ret_ch)
{
	struct rill_channel_options o = {0};

	/* An older program's is shorter. */
	if (options->size < offsetof(struct rill_channel_options, drop))
		return -EINVAL;
	memcpy(&o, options, RILL_MIN(options->size, sizeof(o)));
	return create(&o, ret_ch);
}

int rill_channel_create(size_t capacity, size_t msg_size, struct rill_channel **ret_ch)
{
	struct rill_channel_options o = {
		RILL_OPTIONS(o),
		.capacity = capacity,
		.msg_size = msg_size,
	};

	return create(&o, ret_ch);
}

/* ---- owners ---- */

static void destroy(struct rill_channel *ch)
{
	if (ch->capacity == RILL_UNBOUNDED)
		rill_channel_free_blocks(ch->head_block);
	else
		free(ch->head_block);
	free(ch->spare);
	free(ch);
}

/* Only who is one can make another. */
static void add_owner(struct rill_channel *ch, size_t *owners)
{
	rill_spin_lock(&ch->lock);
	RILL_ASSERT(*owners > 0);
	rill_store_relaxed(owners, *owners + 1);
	rill_spin_unlock(&ch->lock);
}

void rill_channel_add_sender(struct rill_channel *ch)
{
	add_owner(ch, &ch->senders);
}

void rill_channel_add_receiver(struct rill_channel *ch)
{
	add_owner(ch, &ch->receivers);
}

void rill_channel_add_weak(struct rill_channel *ch)
{
	rill_spin_lock(&ch->lock);
	rill_store_relaxed(&ch->weaks, ch->weaks + 1);
	ch->refs++;
	rill_spin_unlock(&ch->lock);
}

int rill_channel_upgrade(struct rill_channel *ch)
{
	rill_spin_lock(&ch->lock);
	RILL_ASSERT(ch->weaks > 0);
	int r = ch->senders > 0 ? 0 : -EPIPE;

	if (r == 0)
		rill_store_relaxed(&ch->senders, ch->senders + 1);
	rill_spin_unlock(&ch->lock);
	return r;
}

/* Gives a reference back. */
static void unref(struct rill_channel *ch)
{
	rill_spin_lock(&ch->lock);
	bool last = --ch->refs == 0;

	rill_spin_unlock(&ch->lock);
	if (last)
		destroy(ch);
}

void rill_channel_close_weak(struct rill_channel *ch)
{
	rill_spin_lock(&ch->lock);
	RILL_ASSERT(ch->weaks > 0);
	rill_store_relaxed(&ch->weaks, ch->weaks - 1);
	rill_spin_unlock(&ch->lock);
	unref(ch);
}

void rill_channel_close_sender(struct rill_channel *ch)
{
	struct rill_channel_rest rest = RILL_CHANNEL_REST_INIT;

	rill_spin_lock(&ch->lock);
	RILL_ASSERT(ch->senders > 0);
	rill_store_relaxed(&ch->senders, ch->senders - 1);
	bool last = ch->senders == 0;

	if (last)
		rill_channel_tell_ended(ch, &rest);
	rill_channel_unlock(ch, &rest);
	if (last)
		unref(ch);
}

/* What nobody will receive. Nobody sends or receives any more: it needs no lock. */
static void drop_all(struct rill_channel *ch, size_t n)
{
	struct rill_channel_rest rest = RILL_CHANNEL_REST_INIT;

	for (; n > 0; n--) {
		if (ch->head == ch->head_end)
			rill_channel_head_advance(ch, &rest);
		if (ch->drop)
			ch->drop(ch->head, ch->drop_arg);
		ch->head += ch->msg_size;
	}
	rill_channel_free_blocks(rest.dead);
}

void rill_channel_close_receiver(struct rill_channel *ch)
{
	struct rill_channel_rest rest = RILL_CHANNEL_REST_INIT;
	size_t n = 0;

	rill_spin_lock(&ch->lock);
	RILL_ASSERT(ch->receivers > 0);
	rill_store_relaxed(&ch->receivers, ch->receivers - 1);
	bool last = ch->receivers == 0;

	if (last) {
		/* Somebody receives without a receiver of his own. */
		RILL_ASSERT(rill_list_empty(&ch->receivers_q) && ch->owed == 0);
		n = ch->len;
		rill_store_relaxed(&ch->len, 0);
		rill_store_relaxed(&ch->room, ch->room + n);
		rill_channel_close_locked(ch, &rest);
	}
	rill_channel_unlock(ch, &rest);
	if (!last)
		return;
	drop_all(ch, n);
	unref(ch);
}

void rill_channel_close(struct rill_channel *ch)
{
	struct rill_channel_rest rest = RILL_CHANNEL_REST_INIT;

	rill_spin_lock(&ch->lock);
	rill_channel_close_locked(ch, &rest);
	rill_channel_unlock(ch, &rest);
}

/* ---- waiting for the end ---- */

static int closed_try(struct rill_await *aw)
{
	const struct rill_channel *ch = aw->obj;

	/* acquire: pairs with the release in rill_channel_close_locked() */
	return rill_load_acquire(&ch->closed) ? 0 : -EAGAIN;
}

static int closed_arm(struct rill_await *aw)
{
	struct rill_channel *ch = aw->obj;

	rill_spin_lock(&ch->lock);
	bool closed = ch->closed;

	if (!closed)
		rill_list_push_back(&ch->closers_q, &aw->link);
	rill_spin_unlock(&ch->lock);
	return closed ? 0 : -EAGAIN;
}

static int closed_disarm(struct rill_await *aw, bool take)
{
	struct rill_channel *ch = aw->obj;

	rill_spin_lock(&ch->lock);
	rill_list_del(&aw->link);
	rill_spin_unlock(&ch->lock);
	return take && rill_await_granted(aw) ? 0 : -EAGAIN;
}

static const struct rill_await_ops closed_ops = {
	.what = "channel closed",
	.try = closed_try,
	.arm = closed_arm,
	.disarm = closed_disarm,
};

int rill_channel_wait_closed(struct rill_channel *ch)
{
	return rill_await_on(&closed_ops, ch, NULL);
}

void rill_case_channel_closed(struct rill_case *c, struct rill_channel *ch)
{
	rill_await_init(rill_await_of(c), &closed_ops, ch, NULL);
}

/* ---- how it is ---- */

bool rill_channel_is_closed(const struct rill_channel *ch)
{
	/* acquire: pairs with the release in rill_channel_close_locked() */
	return rill_load_acquire(&ch->closed) || rill_load_relaxed(&ch->senders) == 0;
}

bool rill_channel_is_empty(const struct rill_channel *ch)
{
	return rill_channel_len(ch) == 0;
}

size_t rill_channel_len(const struct rill_channel *ch)
{
	return rill_load_relaxed(&ch->len);
}

size_t rill_channel_capacity(const struct rill_channel *ch)
{
	return ch->capacity == RILL_UNBOUNDED ? RILL_UNBOUNDED : rill_load_relaxed(&ch->room);
}

size_t rill_channel_max_capacity(const struct rill_channel *ch)
{
	return ch->capacity;
}

size_t rill_channel_sender_count(const struct rill_channel *ch)
{
	return rill_load_relaxed(&ch->senders);
}

size_t rill_channel_weak_count(const struct rill_channel *ch)
{
	return rill_load_relaxed(&ch->weaks);
}

size_t rill_channel_receiver_count(const struct rill_channel *ch)
{
	return rill_load_relaxed(&ch->receivers);
}
