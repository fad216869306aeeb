/* SPDX-License-Identifier: BSD-3-Clause */
/* The value, and the senders' side. */
#include "sync/watch.h"

#include <stdlib.h>
#include <string.h>

#include "sync/fanout.h"

/* ---- the value's lock ---- */

/* Gets add into the word when there is no writer. */
static void enter(struct rill_watch *w, uint32_t add)
{
	for (unsigned n = 1;; n++) {
		uint32_t word = rill_load_relaxed(&w->value_word);

		/* acquire: pairs with the release in write_unlock() */
		if (!(word & RILL_WATCH_WRITER) &&
		    rill_cas_acquire(&w->value_word, &word, word + add))
			return;
		rill_spin_pause(n);
	}
}

void rill_watch_read_lock(struct rill_watch *w)
{
	enter(w, RILL_WATCH_READER);
}

void rill_watch_read_unlock(struct rill_watch *w)
{
	/* release: pairs with the acquire in write_lock() */
	rill_fetch_sub_release(&w->value_word, RILL_WATCH_READER);
}

static void write_lock(struct rill_watch *w)
{
	enter(w, RILL_WATCH_WRITER);
	/* acquire: pairs with the release in rill_watch_read_unlock() */
	for (unsigned n = 1; rill_load_acquire(&w->value_word) != RILL_WATCH_WRITER; n++)
		rill_spin_pause(n);
}

static void write_unlock(struct rill_watch *w)
{
	/* release: pairs with the acquire in enter() */
	rill_store_release(&w->value_word, 0);
}

/* ---- changes ---- */

/* Before the value's lock goes. */
static void step(struct rill_watch *w)
{
	/* release: pairs with the acquires of those who look at the version without the lock */
	rill_store_release(&w->version, w->version + RILL_WATCH_STEP);
}

/* The receiver is not touched, only its node: it marks the change seen itself. */
static void serve(struct rill_await *aw, void *arg, struct rill_wake_batch *batch)
{
	struct rill_watch *w = arg;

	if (aw->value == rill_watch_of_value(rill_load_relaxed(&w->version))) {
		/* It was faster than we, and waits for the next one already. */
		rill_list_del(&aw->link);
		rill_list_push_back(&w->waiting, &aw->link);
		return;
	}
	/* One in a select may turn out to have completed another case. */
	if (aw->arg)
		rill_await_wake(aw, batch);
	else
		rill_await_grant(aw, batch);
}

static void announce(struct rill_watch *w)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&w->lock);
	rill_fanout(&w->waiting, &w->lock, &batch, serve, w);
	rill_spin_unlock(&w->lock);
	rill_wake_flush(&batch);
}

static void replace(struct rill_watch *w, const void *msg, void *old)
{
	write_lock(w);
	if (old)
		memcpy(old, w->value, w->msg_size);
	memcpy(w->value, msg, w->msg_size);
	step(w);
	write_unlock(w);
	announce(w);
}

int rill_watch_send(struct rill_watch *w, const void *msg)
{
	_Alignas(max_align_t) unsigned char old[RILL_WATCH_HOOKED_MAX];

	if (rill_watch_is_closed(w))
		return -EPIPE;
	replace(w, msg, w->drop ? old : NULL);
	if (w->drop)
		w->drop(old, w->arg);
	return 0;
}

void rill_watch_send_replace(struct rill_watch *w, const void *msg, void *ret_old)
{
	replace(w, msg, ret_old);
}

void rill_watch_send_modify(struct rill_watch *w, void (*fn)(void *value, void *arg), void *arg)
{
	write_lock(w);
	fn(w->value, arg);
	step(w);
	write_unlock(w);
	announce(w);
}

bool rill_watch_send_if_modified(struct rill_watch *w, bool (*fn)(void *value, void *arg),
				 void *arg)
{
	write_lock(w);
	bool modified = fn(w->value, arg);

	if (modified)
		step(w);
	write_unlock(w);
	if (modified)
		announce(w);
	return modified;
}

void rill_watch_get(struct rill_watch *w, void *ret_msg)
{
	rill_watch_read_lock(w);
	memcpy(ret_msg, w->value, w->msg_size);
	rill_watch_read_unlock(w);
}

void rill_watch_borrow(struct rill_watch *w, void (*fn)(const void *value, void *arg), void *arg)
{
	rill_watch_read_lock(w);
	fn(w->value, arg);
	rill_watch_read_unlock(w);
}

/* ---- waiting for the receivers to go ---- */

bool rill_watch_is_closed(const struct rill_watch *w)
{
	/* acquire: pairs with the release in rill_watch_close_receiver() */
	return rill_load_acquire(&w->receivers) == 0;
}

static int closed_try(struct rill_await *aw)
{
	return rill_watch_is_closed(aw->obj) ? 0 : -EAGAIN;
}

static int closed_arm(struct rill_await *aw)
{
	struct rill_watch *w = aw->obj;

	rill_spin_lock(&w->lock);
	int r = closed_try(aw);

	if (r == -EAGAIN)
		rill_list_push_back(&w->observers, &aw->link);
	rill_spin_unlock(&w->lock);
	return r;
}

static int closed_disarm(struct rill_await *aw, bool take)
{
	struct rill_watch *w = aw->obj;

	rill_spin_lock(&w->lock);
	rill_list_del(&aw->link);
	rill_spin_unlock(&w->lock);
	return take ? closed_try(aw) : -EAGAIN;
}

static const struct rill_await_ops closed_ops = {
	.what = "watch closed",
	.try = closed_try,
	.arm = closed_arm,
	.disarm = closed_disarm,
};

int rill_watch_wait_closed(struct rill_watch *w)
{
	return rill_await_on(&closed_ops, w, NULL);
}

void rill_case_watch_closed(struct rill_case *c, struct rill_watch *w)
{
	rill_await_init(rill_await_of(c), &closed_ops, w, NULL);
}

size_t rill_watch_receiver_count(const struct rill_watch *w)
{
	return rill_load_relaxed(&w->receivers);
}

size_t rill_watch_sender_count(const struct rill_watch *w)
{
	return rill_load_relaxed(&w->senders);
}

/* ---- senders ---- */

static void init(struct rill_watch *w, const struct rill_watch_options *o)
{
	*w = (struct rill_watch){
		.msg_size = o->msg_size,
		.drop = o->drop,
		.arg = o->arg,
		/* so that none is RILL_WATCH_UNSEEN, also when it is closed */
		.version = RILL_WATCH_STEP,
		.senders = 1,
		.owners = 1,
	};
	rill_list_init(&w->waiting);
	rill_list_init(&w->observers);
	if (o->initial)
		memcpy(w->value, o->initial, o->msg_size);
	else
		memset(w->value, 0, o->msg_size);
}

int rill_watch_create(const struct rill_watch_options *options, struct rill_watch **ret_w)
{
	struct rill_watch_options o = {.size = 0};
	size_t bytes;

	memcpy(&o, options, RILL_MIN(options->size, sizeof(o)));
	if (o.msg_size == 0 || (o.drop && o.msg_size > RILL_WATCH_HOOKED_MAX))
		return -EINVAL;
	if (__builtin_add_overflow(sizeof(struct rill_watch), o.msg_size, &bytes))
		return -ENOMEM;
	struct rill_watch *w = malloc(bytes);

	if (!w)
		return -ENOMEM;
	init(w, &o);
	*ret_w = w;
	return 0;
}

void rill_watch_destroy(struct rill_watch *w)
{
	if (w->drop)
		w->drop(w->value, w->arg);
	free(w);
}

void rill_watch_add_sender(struct rill_watch *w)
{
	rill_spin_lock(&w->lock);
	RILL_ASSERT(w->senders > 0); /* only who is a sender can make another */
	rill_watch_own(w);
	rill_store_relaxed(&w->senders, w->senders + 1);
	rill_spin_unlock(&w->lock);
}

void rill_watch_close_sender(struct rill_watch *w)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&w->lock);
	RILL_ASSERT(w->senders > 0);
	rill_store_relaxed(&w->senders, w->senders - 1);
	if (w->senders == 0) {
		/* release: pairs with the acquire in look() of watch_recv.c */
		rill_store_release(&w->version, w->version | RILL_WATCH_CLOSED);
		rill_fanout(&w->waiting, &w->lock, &batch, rill_fanout_wake, NULL);
	}
	/* Last, for the lock was let go of between. */
	bool last = rill_watch_disown(w);

	rill_spin_unlock(&w->lock);
	rill_wake_flush(&batch);
	if (last)
		rill_watch_destroy(w);
}
