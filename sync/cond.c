/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A wait has a place in the queue from before the mutex is unlocked until it is signalled or over,
 * also while its task runs for some other reason. So no signal is missed, and a wait that ends in
 * an error had none.
 */
#include <rill/cond.h>

#include <rill/mutex.h>

#include "base/assert.h"
#include "base/spinlock.h"
#include "runtime/await.h"

struct cond {
	struct rill_spinlock lock;
	RILL_ATOMIC(uint32_t) waiting; /* in the queue; written under lock */
	struct rill_list queue;	       /* of places, longest waiter first; under lock */
};

struct place {
	struct rill_list link;
	struct rill_await *aw;	  /* while the wait is armed; under the cond's lock */
	bool signalled;		  /* and not in the queue any more; under the cond's lock */
	struct rill_mutex *mutex; /* to be unlocked yet, or NULL */
};

RILL_STATIC_ASSERT(sizeof(struct cond) == sizeof(struct rill_cond), "laid over the public struct");
RILL_STATIC_ASSERT(_Alignof(struct cond) <= _Alignof(struct rill_cond), "as aligned");

static struct cond *cond_of(struct rill_cond *c)
{
	return (struct cond *)(void *)c;
}

/* ---- under the lock ---- */

static void enter_locked(struct cond *c, struct place *p)
{
	rill_list_push_back(&c->queue, &p->link);
	rill_store_relaxed(&c->waiting, c->waiting + 1);
}

static void leave_locked(struct cond *c, struct place *p)
{
	rill_list_del(&p->link);
	rill_store_relaxed(&c->waiting, c->waiting - 1);
}

static bool signal_locked(struct cond *c, struct rill_wake_batch *batch)
{
	if (rill_list_empty(&c->queue))
		return false;
	struct place *p = RILL_LIST_ENTRY(c->queue.next, struct place, link);

	leave_locked(c, p);
	p->signalled = true;
	if (p->aw)
		rill_await_grant(p->aw, batch);
	return true;
}

/* ---- waiting ---- */

static int cond_arm(struct rill_await *aw)
{
	struct cond *c = aw->obj;
	struct place *p = aw->arg;

	rill_spin_lock(&c->lock);
	bool signalled = p->signalled;

	if (!signalled) {
		p->aw = aw;
		if (!rill_list_linked(&p->link))
			enter_locked(c, p);
	}
	rill_spin_unlock(&c->lock);
	if (signalled)
		return 0;
	/* Only the first time. From here on a signal finds us. */
	if (p->mutex)
		rill_mutex_unlock(p->mutex);
	p->mutex = NULL;
	return -EAGAIN;
}

static int cond_disarm(struct rill_await *aw, bool take)
{
	struct cond *c = aw->obj;
	struct place *p = aw->arg;

	rill_spin_lock(&c->lock);
	p->aw = NULL;
	bool signalled = p->signalled;

	rill_spin_unlock(&c->lock);
	return signalled ? 0 : -EAGAIN;
}

/* Without a try: one that waits for nothing else begins with arm. */
static const struct rill_await_ops cond_ops = {
	.what = "cond",
	.arm_only = true,
	.arm = cond_arm,
	.disarm = cond_disarm,
};

/* Gives the place up. True: it was signalled just now, which is as good as before. */
static bool leave(struct cond *c, struct place *p)
{
	rill_spin_lock(&c->lock);
	bool signalled = p->signalled;

	if (!signalled)
		leave_locked(c, p);
	rill_spin_unlock(&c->lock);
	return signalled;
}

static void relock(struct rill_mutex *m)
{
	struct rill_case c;

	if (rill_mutex_try_lock(m) == 0)
		return;
	rill_case_mutex_lock(&c, m);
	int r = rill_await(rill_await_of(&c), RILL_AWAIT_UNCANCELLABLE);

	RILL_ASSERT(r == 0);
}

void rill_cond_init(struct rill_cond *cond)
{
	struct cond *c = cond_of(cond);

	c->lock = (struct rill_spinlock){0};
	c->waiting = 0;
	rill_list_init(&c->queue);
}

int rill_cond_wait(struct rill_cond *cond, struct rill_mutex *m)
{
	struct cond *c = cond_of(cond);
	struct place p = {.mutex = m};

	rill_list_init(&p.link);
	int r = rill_await_on(&cond_ops, c, &p);

	/* Cancelled before it began. */
	if (p.mutex)
		return r;
	if (r < 0 && leave(c, &p))
		r = 0;
	relock(m);
	return r;
}

/* ---- signalling ---- */

/* relaxed: who has to be signalled has queued before the mutex was unlocked, and we locked it since
 */
static bool nobody_waits(const struct cond *c)
{
	return rill_load_relaxed(&c->waiting) == 0;
}

void rill_cond_signal(struct rill_cond *cond)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct cond *c = cond_of(cond);

	if (nobody_waits(c))
		return;
	rill_spin_lock(&c->lock);
	signal_locked(c, &batch);
	rill_spin_unlock(&c->lock);
	rill_wake_flush(&batch);
}

void rill_cond_broadcast(struct rill_cond *cond)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct cond *c = cond_of(cond);

	if (nobody_waits(c))
		return;
	rill_spin_lock(&c->lock);
	while (signal_locked(c, &batch))
		;
	rill_spin_unlock(&c->lock);
	rill_wake_flush(&batch);
}
