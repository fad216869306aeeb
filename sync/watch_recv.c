/* SPDX-License-Identifier: BSD-3-Clause */
/* The receivers' side. */
#include "sync/watch.h"

#include <string.h>

#include "sync/fanout.h"

/* ---- the value ---- */

struct reading {
	void *to; /* NULL: nowhere */
	void (*fn)(const void *value, void *arg);
	void *arg;
};

/* Returns the version of what was read. */
static uint64_t read_value(struct rill_watch *w, const struct reading *r)
{
	rill_watch_read_lock(w);
	/* relaxed: who writes it has the lock, but for the last sender, whose bit may come late */
	uint64_t version = rill_watch_of_value(rill_load_relaxed(&w->version));

	if (r->to)
		memcpy(r->to, w->value, w->msg_size);
	if (r->fn)
		r->fn(w->value, r->arg);
	rill_watch_read_unlock(w);
	return version;
}

static bool mark(struct rill_watch_receiver *rx, uint64_t version)
{
	bool changed = rx->seen != version;

	rx->seen = version;
	return changed;
}

void rill_watch_rx_get(const struct rill_watch_rx *rx, void *ret_msg)
{
	rill_watch_get(rill_watch_receiver_of(rx)->w, ret_msg);
}

bool rill_watch_rx_get_and_mark(struct rill_watch_rx *public, void *ret_msg)
{
	struct rill_watch_receiver *rx = rill_watch_receiver_of(public);
	struct reading r = {.to = ret_msg};

	return mark(rx, read_value(rx->w, &r));
}

void rill_watch_rx_borrow(const struct rill_watch_rx *rx, void (*fn)(const void *value, void *arg),
			  void *arg)
{
	rill_watch_borrow(rill_watch_receiver_of(rx)->w, fn, arg);
}

bool rill_watch_rx_borrow_and_mark(struct rill_watch_rx *public,
				   void (*fn)(const void *value, void *arg), void *arg)
{
	struct rill_watch_receiver *rx = rill_watch_receiver_of(public);
	struct reading r = {.fn = fn, .arg = arg};

	return mark(rx, read_value(rx->w, &r));
}

/* ---- waiting for a change ---- */

static uint64_t version_of(const struct rill_watch_receiver *rx)
{
	/* acquire: pairs with the release in step() and rill_watch_close_sender() */
	return rill_load_acquire(&rx->w->version);
}

static int look(struct rill_watch_receiver *rx)
{
	uint64_t version = version_of(rx);

	if (mark(rx, rill_watch_of_value(version)))
		return 0;
	return version & RILL_WATCH_CLOSED ? -EPIPE : -EAGAIN;
}

/* Queues the node, if what is seen is what there is. */
static bool queue(struct rill_await *aw)
{
	struct rill_watch_receiver *rx = aw->obj;
	struct rill_watch *w = rx->w;

	rill_spin_lock(&w->lock);
	bool wait = version_of(rx) == rx->seen;

	if (wait) {
		aw->value = rx->seen;
		rill_list_push_back(&w->waiting, &aw->link);
	}
	rill_spin_unlock(&w->lock);
	return wait;
}

/* True: it was granted. */
static bool dequeue(struct rill_await *aw)
{
	struct rill_watch *w = ((struct rill_watch_receiver *)aw->obj)->w;

	rill_spin_lock(&w->lock);
	rill_list_del(&aw->link);
	bool granted = rill_await_granted(aw);

	rill_spin_unlock(&w->lock);
	return granted;
}

static int changed_try(struct rill_await *aw)
{
	return look(aw->obj);
}

static int changed_arm(struct rill_await *aw)
{
	return queue(aw) ? -EAGAIN : look(aw->obj);
}

static int changed_disarm(struct rill_await *aw, bool take)
{
	if (dequeue(aw)) {
		RILL_ASSERT(take); /* nothing else can complete a wait for one thing */
		return 0;
	}
	return take ? look(aw->obj) : -EAGAIN;
}

static const struct rill_await_ops changed_ops = {
	.what = "watch changed",
	.try = changed_try,
	.arm = changed_arm,
	.disarm = changed_disarm,
};

int rill_watch_changed(struct rill_watch_rx *public)
{
	struct rill_watch_receiver *rx = rill_watch_receiver_of(public);
	struct rill_await aw;

	rill_await_init(&aw, &changed_ops, rx, NULL);
	int r = rill_await(&aw, 0);

	return r == 0 && rill_await_granted(&aw) ? look(rx) : r;
}

void rill_case_watch_changed(struct rill_case *c, struct rill_watch_rx *rx)
{
	/* With an argument: not granted, but woken to look. */
	rill_await_init(rill_await_of(c), &changed_ops, rill_watch_receiver_of(rx), c);
}

int rill_watch_has_changed(const struct rill_watch_rx *public)
{
	const struct rill_watch_receiver *rx = rill_watch_receiver_of(public);
	uint64_t version = version_of(rx);

	if (version & RILL_WATCH_CLOSED)
		return -EPIPE;
	return version != rx->seen;
}

/* ---- waiting for a value ---- */

struct wanted {
	bool (*pred)(const void *value, void *arg);
	void *arg;
	void *ret_msg;
};

static int examine(struct rill_watch_receiver *rx, const struct wanted *want)
{
	struct rill_watch *w = rx->w;

	rill_watch_read_lock(w);
	uint64_t version = version_of(rx);
	bool found = want->pred(w->value, want->arg);

	if (found && want->ret_msg)
		memcpy(want->ret_msg, w->value, w->msg_size);
	rill_watch_read_unlock(w);
	rx->seen = rill_watch_of_value(version);
	if (found)
		return 0;
	return version & RILL_WATCH_CLOSED ? -EPIPE : -EAGAIN;
}

static int wanted_try(struct rill_await *aw)
{
	return examine(aw->obj, aw->arg);
}

static int wanted_arm(struct rill_await *aw)
{
	while (!queue(aw)) {
		int r = examine(aw->obj, aw->arg);

		if (r != -EAGAIN)
			return r;
	}
	return -EAGAIN;
}

static int wanted_disarm(struct rill_await *aw, bool take)
{
	dequeue(aw);
	return take ? examine(aw->obj, aw->arg) : -EAGAIN;
}

static const struct rill_await_ops wanted_ops = {
	.what = "watch value",
	.try = wanted_try,
	.arm = wanted_arm,
	.disarm = wanted_disarm,
};

int rill_watch_wait_for(struct rill_watch_rx *rx, bool (*pred)(const void *value, void *arg),
			void *arg, void *ret_msg)
{
	struct wanted want = {.pred = pred, .arg = arg, .ret_msg = ret_msg};

	return rill_await_on(&wanted_ops, rill_watch_receiver_of(rx), &want);
}

/* ---- receivers ---- */

void rill_watch_mark_changed(struct rill_watch_rx *rx)
{
	rill_watch_receiver_of(rx)->seen = RILL_WATCH_UNSEEN;
}

void rill_watch_mark_unchanged(struct rill_watch_rx *public)
{
	struct rill_watch_receiver *rx = rill_watch_receiver_of(public);

	rx->seen = rill_watch_of_value(version_of(rx));
}

static void join_watch(struct rill_watch *w)
{
	rill_spin_lock(&w->lock);
	rill_watch_own(w);
	rill_store_relaxed(&w->receivers, w->receivers + 1);
	rill_spin_unlock(&w->lock);
}

void rill_watch_subscribe(struct rill_watch *w, struct rill_watch_rx *ret_rx)
{
	rill_watch_receiver_of(ret_rx)->w = w;
	join_watch(w);
	rill_watch_mark_unchanged(ret_rx);
}

void rill_watch_clone(const struct rill_watch_rx *rx, struct rill_watch_rx *ret_rx)
{
	join_watch(rill_watch_receiver_of(rx)->w);
	*ret_rx = *rx;
}

void rill_watch_close_receiver(struct rill_watch_rx *rx)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_watch *w = rill_watch_receiver_of(rx)->w;

	rill_spin_lock(&w->lock);
	RILL_ASSERT(w->receivers > 0);
	/* release: pairs with the acquire in rill_watch_is_closed() */
	rill_store_release(&w->receivers, w->receivers - 1);
	if (w->receivers == 0)
		rill_fanout(&w->observers, &w->lock, &batch, rill_fanout_wake, NULL);
	/* Last, for the lock was let go of between. */
	bool last = rill_watch_disown(w);

	rill_spin_unlock(&w->lock);
	rill_wake_flush(&batch);
	if (last)
		rill_watch_destroy(w);
}

bool rill_watch_rx_same_channel(const struct rill_watch_rx *a, const struct rill_watch_rx *b)
{
	return rill_watch_receiver_of(a)->w == rill_watch_receiver_of(b)->w;
}
