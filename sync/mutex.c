/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole lock is one word, so that an unlock ends with its one store or CAS: whoever gets the
 * lock by it may free the mutex, for the one before does not touch it again.
 *
 *   0                 free
 *   HELD              held, nobody waits
 *   HELD | WAITED     held, the queue is not empty
 *   ... | QUEUE       somebody works on the queue, and owns the word until its store clears QUEUE
 *
 * The fast paths are CASes from exactly 0 and exactly HELD, and so fail while QUEUE is set. An
 * unlock with waiters leaves HELD set: the lock changes hands without being free, so nobody barges.
 */
#include <rill/mutex.h>

#include <sched.h>

#include "base/assert.h"
#include "base/spinlock.h"
#include "runtime/await.h"
#include "runtime/held.h"
#include "runtime/runtime.h"

enum mutex_word {
	HELD = 1,
	WAITED = 2,
	QUEUE = 4,
};

struct mutex {
	struct rill_held held; /* first: dumps look for it; by the holder, or whoever makes it so */
	RILL_ATOMIC(uint32_t) word;
	uint32_t unused;
	struct rill_list queue; /* of armed nodes, longest waiter first; by whoever set QUEUE */
};

RILL_STATIC_ASSERT(sizeof(struct mutex) == sizeof(struct rill_mutex),
		   "laid over the public struct");
RILL_STATIC_ASSERT(_Alignof(struct mutex) <= _Alignof(struct rill_mutex), "as aligned");

static struct mutex *mutex_of(struct rill_mutex *m)
{
	return (struct mutex *)(void *)m;
}

/* Returns the word as it was; the caller gives it back, changed or not, to queue_unlock(). */
static uint32_t queue_lock(struct mutex *m)
{
	for (unsigned spins = 1;; spins++) {
		uint32_t old = rill_load_relaxed(&m->word);

		/* acquire: pairs with the release in queue_unlock() */
		if (!(old & QUEUE) && rill_cas_acquire(&m->word, &old, old | QUEUE))
			return old;
		if (spins % RILL_SPIN_BEFORE_YIELD == 0)
			sched_yield();
		else
			rill_cpu_relax();
	}
}

static void queue_unlock(struct mutex *m, uint32_t word)
{
	/* release: pairs with the acquires in queue_lock() and take_free() */
	rill_store_release(&m->word, word);
}

static void note_holder(struct mutex *m, const struct rill_task *t)
{
	/* relaxed: for those who look on */
	rill_store_relaxed(&m->held.task_id, t ? rill_load_relaxed(&t->id) : 0);
}

static void note_waiter(struct mutex *m, struct rill_waiter *w)
{
	note_holder(m, w->is_task ? rill_task_of(w) : NULL);
}

static uint32_t held_word(const struct mutex *m)
{
	return rill_list_empty(&m->queue) ? HELD : HELD | WAITED;
}

/* Hands the lock to the longest waiter, or frees it. Called with the queue locked; unlocks it. */
static void hand_on(struct mutex *m)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_await *next = rill_await_first(&m->queue);

	if (next) {
		rill_await_grant(next, &batch);
		/* Not before: nobody waits for what he holds. */
		note_waiter(m, next->waiter);
	}
	queue_unlock(m, next ? held_word(m) : 0);
	rill_wake_flush(&batch);
}

static bool take_free(struct mutex *m)
{
	uint32_t word = 0;

	/* acquire: pairs with the release in rill_mutex_unlock() and queue_unlock() */
	if (!rill_cas_acquire(&m->word, &word, HELD))
		return false;
	note_holder(m, rill_task_current());
	return true;
}

static int mutex_try(struct rill_await *aw)
{
	return take_free(aw->obj) ? 0 : -EAGAIN;
}

static int mutex_arm(struct rill_await *aw)
{
	struct mutex *m = aw->obj;
	uint32_t word = queue_lock(m);

	/* The holder may have left since mutex_try(). */
	if (!(word & HELD)) {
		note_waiter(m, aw->waiter);
		queue_unlock(m, HELD);
		return 0;
	}
	rill_list_push_back(&m->queue, &aw->link);
	queue_unlock(m, HELD | WAITED);
	return -EAGAIN;
}

static int mutex_disarm(struct rill_await *aw, bool take)
{
	struct mutex *m = aw->obj;
	uint32_t word = queue_lock(m);

	if (!rill_await_granted(aw)) {
		rill_list_del(&aw->link);
		queue_unlock(m, held_word(m));
		return -EAGAIN;
	}
	if (take) {
		queue_unlock(m, word);
		return 0;
	}
	hand_on(m);
	return -EAGAIN;
}

static const struct rill_await_ops mutex_ops = {
	.what = rill_what_mutex,
	.try = mutex_try,
	.arm = mutex_arm,
	.disarm = mutex_disarm,
};

void rill_mutex_init(struct rill_mutex *mutex)
{
	struct mutex *m = mutex_of(mutex);

	m->held.task_id = 0;
	m->word = 0;
	m->unused = 0;
	rill_list_init(&m->queue);
}

int rill_mutex_lock(struct rill_mutex *mutex)
{
	return rill_await_on(&mutex_ops, mutex_of(mutex), NULL);
}

int rill_mutex_trylock(struct rill_mutex *mutex)
{
	return take_free(mutex_of(mutex)) ? 0 : -EBUSY;
}

void rill_mutex_unlock(struct rill_mutex *mutex)
{
	struct mutex *m = mutex_of(mutex);
	uint32_t word = HELD;

	note_holder(m, NULL);
	/* release: pairs with the acquire in take_free() */
	if (RILL_LIKELY(rill_cas_release(&m->word, &word, 0)))
		return;
	word = queue_lock(m);
	RILL_ASSERT(word & HELD); /* unlocked by somebody who does not hold it */
	hand_on(m);
}

void rill_case_mutex_lock(struct rill_case *c, struct rill_mutex *mutex)
{
	rill_await_init(rill_await_of(c), &mutex_ops, mutex_of(mutex), NULL);
}
