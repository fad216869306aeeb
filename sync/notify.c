/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A wait remembers the generation at which it was prepared; notify_all begins a new one. So a wait
 * sees every notify_all since its preparation, whether it was queued at that instant or not, and
 * without spending the permit that a notify_one has stored.
 *
 * What is queued is the node of a wait, or that of a rill_notified, which is no part of any wait:
 * it has a waiter only while it is waited for, and keeps what it is handed until it is asked.
 */
#include <rill/notify.h>

#include "base/assert.h"
#include "base/spinlock.h"
#include "runtime/await.h"

enum notify_state {
	PERMIT = 1,	/* a notify_one without waiters, kept; the queue is empty then */
	GENERATION = 2, /* the upper bits count the calls of notify_all */
};

struct notify {
	struct rill_spinlock lock;
	uint32_t unused;
	RILL_ATOMIC(uint64_t) state; /* written under lock; never begins again */
	struct rill_list queue;	     /* longest waiter first; under lock */
};

/* Whose turn it is; kept in the arg of the node that was chosen, which may have to pass it on. */
enum turn {
	LONGEST,
	YOUNGEST,
};

struct notified {
	struct rill_await node; /* waiter and granted: under lock */
	bool done;		/* the owner's: it was told of a notification */
};

RILL_STATIC_ASSERT(sizeof(struct notify) == sizeof(struct rill_notify),
		   "laid over the public struct");
RILL_STATIC_ASSERT(_Alignof(struct notify) <= _Alignof(struct rill_notify), "as aligned");
RILL_STATIC_ASSERT(sizeof(struct notified) == sizeof(struct rill_notified),
		   "laid over the public struct");
RILL_STATIC_ASSERT(_Alignof(struct notified) <= _Alignof(struct rill_notified), "as aligned");

static struct notify *notify_of(struct rill_notify *n)
{
	return (struct notify *)(void *)n;
}

static struct notified *notified_of(struct rill_notified *nd)
{
	return (struct notified *)(void *)nd;
}

/* ---- giving and taking, under the lock ---- */

/* Is there something for a wait prepared at that generation? A hint, when without the lock. */
static bool notified(const struct notify *n, uint64_t since)
{
	/* neither the permit nor a new generation */
	return rill_load_relaxed(&n->state) != since;
}

/* A notify_all is for everybody, so it comes before the permit. */
static int take_locked(struct notify *n, uint64_t since)
{
	uint64_t state = rill_load_relaxed(&n->state);

	if ((state & ~(uint64_t)PERMIT) != since)
		return 0;
	if (!(state & PERMIT))
		return -EAGAIN;
	rill_store_relaxed(&n->state, state - PERMIT);
	return 0;
}

static RILL_ALWAYS_INLINE void give_locked(struct notify *n, enum turn turn,
					   struct rill_wake_batch *batch)
{
	if (rill_list_empty(&n->queue)) {
		rill_store_relaxed(&n->state, rill_load_relaxed(&n->state) | PERMIT);
		return;
	}
	struct rill_list *link = turn == YOUNGEST ? n->queue.prev : n->queue.next;
	struct rill_await *aw = RILL_LIST_ENTRY(link, struct rill_await, link);

	aw->arg = (void *)(uintptr_t)turn;
	if (RILL_LIKELY(aw->waiter)) {
		rill_await_grant(aw, batch);
		return;
	}
	rill_list_del(&aw->link);
	rill_store_relaxed(&aw->granted, RILL_GRANT_GIVEN);
}

static void pass_on_locked(struct notify *n, const struct rill_await *aw,
			   struct rill_wake_batch *batch)
{
	give_locked(n, (enum turn)(uintptr_t)aw->arg, batch);
}

/* ---- waiting ---- */

static int notify_try(struct rill_await *aw)
{
	struct notify *n = aw->obj;

	if (!notified(n, aw->value))
		return -EAGAIN;
	rill_spin_lock(&n->lock);
	int r = take_locked(n, aw->value);

	rill_spin_unlock(&n->lock);
	return r;
}

static int notify_arm(struct rill_await *aw)
{
	struct notify *n = aw->obj;

	rill_spin_lock(&n->lock);
	int r = take_locked(n, aw->value);

	if (r == -EAGAIN)
		rill_list_push_back(&n->queue, &aw->link);
	rill_spin_unlock(&n->lock);
	return r;
}

static int notify_disarm(struct rill_await *aw, bool take)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct notify *n = aw->obj;
	int r = -EAGAIN;

	rill_spin_lock(&n->lock);
	rill_list_del(&aw->link);
	if (rill_await_granted(aw) && !take)
		pass_on_locked(n, aw, &batch);
	else if (rill_await_granted(aw))
		r = 0;
	else if (take)
		r = take_locked(n, aw->value);
	rill_spin_unlock(&n->lock);
	rill_wake_flush(&batch);
	return r;
}

static const struct rill_await_ops notify_ops = {
	.what = "notify",
	.arm_only = true,
	.try = notify_try,
	.arm = notify_arm,
	.disarm = notify_disarm,
};

static RILL_ALWAYS_INLINE void prepare(struct rill_await *aw, struct notify *n)
{
	/* acquire: a notify_all that is too early for this wait is seen with all that led to it;
	 * pairs with the release in rill_notify_all() */
	uint64_t state = rill_load_acquire(&n->state);

	rill_await_init(aw, &notify_ops, n, NULL);
	aw->value = state & ~(uint64_t)PERMIT;
}

void rill_notify_init(struct rill_notify *notify)
{
	struct notify *n = notify_of(notify);

	n->lock = (struct rill_spinlock){0};
	n->unused = 0;
	n->state = 0;
	rill_list_init(&n->queue);
}

int rill_notify_wait(struct rill_notify *notify)
{
	struct rill_await aw;

	prepare(&aw, notify_of(notify));
	return rill_await(&aw, 0);
}

void rill_case_notify(struct rill_case *c, struct rill_notify *notify)
{
	prepare(rill_await_of(c), notify_of(notify));
}

/* ---- notifying ---- */

static RILL_ALWAYS_INLINE void give(struct notify *n, enum turn turn)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&n->lock);
	give_locked(n, turn, &batch);
	rill_spin_unlock(&n->lock);
	rill_wake_flush(&batch);
}

void rill_notify_one(struct rill_notify *notify)
{
	give(notify_of(notify), LONGEST);
}

void rill_notify_last(struct rill_notify *notify)
{
	give(notify_of(notify), YOUNGEST);
}

void rill_notify_all(struct rill_notify *notify)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct notify *n = notify_of(notify);
	struct rill_list *link;

	rill_spin_lock(&n->lock);
	/* release: pairs with the acquire in prepare() */
	rill_store_release(&n->state, rill_load_relaxed(&n->state) + GENERATION);
	/* Woken, not granted: the new generation tells them, and a loser passes nothing on. */
	while ((link = rill_list_pop_front(&n->queue))) {
		struct rill_await *aw = RILL_LIST_ENTRY(link, struct rill_await, link);

		if (aw->waiter)
			rill_wake_add(&batch, aw->waiter);
	}
	rill_spin_unlock(&n->lock);
	rill_wake_flush(&batch);
}

/* ---- a place in the queue that outlasts a wait ---- */

static int notified_take_locked(struct notify *n, struct notified *nd)
{
	int r = rill_await_granted(&nd->node) ? 0 : take_locked(n, nd->node.value);

	nd->done = r == 0;
	return r;
}

/* Into the queue unless it is there, with the waiter from now on, or NULL. */
static int notified_enter(struct notified *nd, struct rill_waiter *waiter)
{
	struct notify *n = nd->node.obj;

	if (nd->done)
		return 0;
	rill_spin_lock(&n->lock);
	int r = notified_take_locked(n, nd);

	if (r == -EAGAIN) {
		nd->node.waiter = waiter;
		if (!rill_list_linked(&nd->node.link))
			rill_list_push_back(&n->queue, &nd->node.link);
	}
	rill_spin_unlock(&n->lock);
	return r;
}

static int notified_try(struct rill_await *aw)
{
	struct notified *nd = aw->arg;
	struct notify *n = aw->obj;

	if (nd->done)
		return 0;
	rill_spin_lock(&n->lock);
	int r = notified_take_locked(n, nd);

	rill_spin_unlock(&n->lock);
	return r;
}

static int notified_arm(struct rill_await *aw)
{
	return notified_enter(aw->arg, aw->waiter);
}

/* It stays where it is, and keeps what it was handed. */
static int notified_disarm(struct rill_await *aw, bool take)
{
	struct notified *nd = aw->arg;
	struct notify *n = aw->obj;

	rill_spin_lock(&n->lock);
	nd->node.waiter = NULL;
	int r = take ? notified_take_locked(n, nd) : -EAGAIN;

	rill_spin_unlock(&n->lock);
	return r;
}

static const struct rill_await_ops notified_ops = {
	.what = "notify",
	.arm_only = true,
	.try = notified_try,
	.arm = notified_arm,
	.disarm = notified_disarm,
};

void rill_notified_begin(struct rill_notified *notified, struct rill_notify *n)
{
	struct notified *nd = notified_of(notified);

	prepare(&nd->node, notify_of(n));
	nd->node.waiter = NULL;
	nd->done = false;
}

bool rill_notified_enable(struct rill_notified *notified)
{
	return notified_enter(notified_of(notified), NULL) == 0;
}

int rill_notified_wait(struct rill_notified *notified)
{
	struct notified *nd = notified_of(notified);

	return rill_await_on(&notified_ops, nd->node.obj, nd);
}

void rill_case_notified(struct rill_case *c, struct rill_notified *notified)
{
	struct notified *nd = notified_of(notified);

	rill_await_init(rill_await_of(c), &notified_ops, nd->node.obj, nd);
}

void rill_notified_end(struct rill_notified *notified)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct notified *nd = notified_of(notified);
	struct notify *n = nd->node.obj;

	if (nd->done)
		return;
	rill_spin_lock(&n->lock);
	rill_list_del(&nd->node.link);
	if (rill_await_granted(&nd->node))
		pass_on_locked(n, &nd->node, &batch);
	rill_spin_unlock(&n->lock);
	rill_wake_flush(&batch);
}
