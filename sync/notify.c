/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A wait remembers the generation at which it was prepared; notify_all begins a new one. So a wait
 * sees every notify_all since its preparation, whether it was queued at that instant or not, and
 * without spending the permit that a notify_one has stored.
 */
#include <rill/notify.h>

#include "base/assert.h"
#include "base/spinlock.h"
#include "runtime/await.h"

enum notify_state {
	PERMIT = 1,	/* a notify_one without waiters, kept */
	GENERATION = 2, /* the upper bits count the calls of notify_all */
};

struct notify {
	struct rill_spinlock lock;
	RILL_ATOMIC(uint32_t) state; /* written under lock */
	struct rill_list queue;	     /* of armed nodes, longest waiter first; under lock */
};

RILL_STATIC_ASSERT(sizeof(struct notify) == sizeof(struct rill_notify),
		   "laid over the public struct");
RILL_STATIC_ASSERT(_Alignof(struct notify) <= _Alignof(struct rill_notify), "as aligned");

static struct notify *notify_of(struct rill_notify *n)
{
	return (struct notify *)(void *)n;
}

static uint32_t generation(const struct notify *n)
{
	return rill_load_relaxed(&n->state) & ~(uint32_t)PERMIT;
}

/* Is there something for a wait prepared at that generation? */
static bool notified(const struct notify *n, uint64_t since)
{
	return (rill_load_relaxed(&n->state) & PERMIT) || generation(n) != since;
}

/* Under lock. A notify_all is for everybody, so it comes before the permit. */
static int take_locked(struct notify *n, uint64_t since)
{
	uint32_t state = rill_load_relaxed(&n->state);

	if (generation(n) != since)
		return 0;
	if (!(state & PERMIT))
		return -EAGAIN;
	rill_store_relaxed(&n->state, state - PERMIT);
	return 0;
}

/* Under lock. */
static void give_locked(struct notify *n, struct rill_wake_batch *batch)
{
	struct rill_await *aw = rill_await_first(&n->queue);

	if (!aw) {
		rill_store_relaxed(&n->state, rill_load_relaxed(&n->state) | PERMIT);
		return;
	}
	rill_await_grant(aw, batch);
}

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
	bool granted = rill_await_granted(aw);

	if (granted && !take)
		give_locked(n, &batch);
	else if (granted || (take && generation(n) != aw->value))
		r = 0;
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

static void prepare(struct rill_await *aw, struct notify *n)
{
	rill_await_init(aw, &notify_ops, n, NULL);
	aw->value = generation(n);
}

void rill_notify_init(struct rill_notify *notify)
{
	struct notify *n = notify_of(notify);

	n->lock = (struct rill_spinlock){0};
	n->state = 0;
	rill_list_init(&n->queue);
}

int rill_notify_wait(struct rill_notify *notify)
{
	struct rill_await aw;

	prepare(&aw, notify_of(notify));
	return rill_await(&aw, 0);
}

void rill_notify_one(struct rill_notify *notify)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct notify *n = notify_of(notify);

	rill_spin_lock(&n->lock);
	give_locked(n, &batch);
	rill_spin_unlock(&n->lock);
	rill_wake_flush(&batch);
}

void rill_notify_all(struct rill_notify *notify)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct notify *n = notify_of(notify);
	struct rill_await *aw;

	rill_spin_lock(&n->lock);
	rill_store_relaxed(&n->state, rill_load_relaxed(&n->state) + GENERATION);
	/* Woken, not granted: the new generation tells them, and a loser passes nothing on. */
	while ((aw = rill_await_first(&n->queue)))
		rill_await_wake(aw, &batch);
	rill_spin_unlock(&n->lock);
	rill_wake_flush(&batch);
}

void rill_case_notify(struct rill_case *c, struct rill_notify *notify)
{
	prepare(rill_await_of(c), notify_of(notify));
}
