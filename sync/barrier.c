/* SPDX-License-Identifier: BSD-3-Clause */
/* The last to come lets the others go. Only who is in the queue is counted. */
#include <rill/barrier.h>

#include "base/assert.h"
#include "base/spinlock.h"
#include "runtime/await.h"

struct barrier {
	struct rill_spinlock lock; /* of all below */
	uint32_t n;
	uint32_t waiting; /* in the queue; less than n */
	uint32_t unused;
	struct rill_list queue; /* of armed nodes */
};

RILL_STATIC_ASSERT(sizeof(struct barrier) == sizeof(struct rill_barrier),
		   "laid over the public struct");
RILL_STATIC_ASSERT(_Alignof(struct barrier) <= _Alignof(struct rill_barrier), "as aligned");

static struct barrier *barrier_of(struct rill_barrier *b)
{
	return (struct barrier *)(void *)b;
}

static void let_go_locked(struct barrier *b, struct rill_wake_batch *batch)
{
	struct rill_await *aw;

	while ((aw = rill_await_first(&b->queue)))
		rill_await_grant(aw, batch);
	b->waiting = 0;
}

static int barrier_arm(struct rill_await *aw)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct barrier *b = aw->obj;
	bool last;

	rill_spin_lock(&b->lock);
	last = b->waiting + 1 == b->n;
	if (last) {
		let_go_locked(b, &batch);
	} else {
		b->waiting++;
		rill_list_push_back(&b->queue, &aw->link);
	}
	rill_spin_unlock(&b->lock);
	rill_wake_flush(&batch);
	return last ? 1 : -EAGAIN;
}

static int barrier_disarm(struct rill_await *aw, bool take)
{
	struct barrier *b = aw->obj;

	rill_spin_lock(&b->lock);
	bool let_go = rill_await_granted(aw);

	if (!let_go) {
		rill_list_del(&aw->link);
		b->waiting--;
	}
	rill_spin_unlock(&b->lock);
	return let_go ? 0 : -EAGAIN;
}

/* Without a try: one that waits for nothing else begins with arm. */
static const struct rill_await_ops barrier_ops = {
	.what = "barrier",
	.arm_only = true,
	.arm = barrier_arm,
	.disarm = barrier_disarm,
};

void rill_barrier_init(struct rill_barrier *barrier, uint32_t n)
{
	struct barrier *b = barrier_of(barrier);

	b->lock = (struct rill_spinlock){0};
	b->n = n ? n : 1;
	b->waiting = 0;
	b->unused = 0;
	rill_list_init(&b->queue);
}

int rill_barrier_wait(struct rill_barrier *b)
{
	return rill_await_on(&barrier_ops, barrier_of(b), NULL);
}
