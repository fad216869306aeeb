/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One word counts whatever is tracked, and says whether the tracker is closed. Only a step that may
 * leave it closed and empty takes the lock: each such moment is a new generation, and a wait ends
 * with the first after its beginning, also when the tracker is not empty any more by the time that
 * the waiter looks.
 */
#include <rill/group.h>
#include <stdlib.h>

#include "base/spinlock.h"
#include "runtime/await.h"
#include "runtime/handle.h"
#include "runtime/outcome.h"

enum tracker_word {
	CLOSED = 1,
	DESTROYED = 2, /* by its user: the last to leave frees it */
	ONE = 4,       /* the upper bits count */
};

struct rill_tracker {
	struct rill_task_owner owner;
	RILL_ATOMIC(size_t) word;
	struct rill_spinlock lock;
	RILL_ATOMIC(uint64_t) generation; /* written under lock */
	struct rill_list waiters;	  /* under lock */
};

static void wake_all_locked(struct rill_tracker *k, struct rill_wake_batch *batch)
{
	struct rill_await *aw;

	rill_store_relaxed(&k->generation, k->generation + 1);
	while ((aw = rill_await_first(&k->waiters)))
		rill_await_wake(aw, batch);
}

void rill_tracker_begin(struct rill_tracker *k)
{
	rill_fetch_add_relaxed(&k->word, ONE);
}

/* Under the lock, so that whoever learns of it, and destroys the tracker, comes after us. */
static void end_last(struct rill_tracker *k)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&k->lock);
	/* acq_rel: the waiters see what was done before every end; pairs with rill_tracker_end() */
	size_t word = rill_fetch_sub_acq_rel(&k->word, ONE) - ONE;

	if (word / ONE == 0 && (word & CLOSED))
		wake_all_locked(k, &batch);
	rill_spin_unlock(&k->lock);
	rill_wake_flush(&batch);
	if (word / ONE == 0 && (word & DESTROYED))
		free(k);
}

void rill_tracker_end(struct rill_tracker *k)
{
	size_t word = rill_load_relaxed(&k->word);

	RILL_ASSERT(word >= ONE); /* ended more often than begun */
	do {
		if (word / ONE == 1 && (word & (CLOSED | DESTROYED))) {
			end_last(k);
			return;
		}
		/* acq_rel: pairs with end_last() and is_over_locked() */
	} while (!rill_cas_weak_acq_rel(&k->word, &word, word - ONE));
}

/* ---- wait ---- */

static int check_locked(struct rill_tracker *k, uint64_t since)
{
	/* acquire: pairs with the ends in rill_tracker_end() */
	size_t word = rill_load_acquire(&k->word);

	return (word / ONE == 0 && (word & CLOSED)) || k->generation != since ? 0 : -EAGAIN;
}

static int wait_try(struct rill_await *aw)
{
	struct rill_tracker *k = aw->obj;

	rill_spin_lock(&k->lock);
	int r = check_locked(k, aw->value);

	rill_spin_unlock(&k->lock);
	return r;
}

static int wait_arm(struct rill_await *aw)
{
	struct rill_tracker *k = aw->obj;

	rill_spin_lock(&k->lock);
	int r = check_locked(k, aw->value);

	if (r == -EAGAIN)
		rill_list_push_back(&k->waiters, &aw->link);
	rill_spin_unlock(&k->lock);
	return r;
}

static int wait_disarm(struct rill_await *aw, bool take)
{
	struct rill_tracker *k = aw->obj;

	rill_spin_lock(&k->lock);
	rill_list_del(&aw->link);
	int r = take ? check_locked(k, aw->value) : -EAGAIN;

	rill_spin_unlock(&k->lock);
	return r;
}

static const struct rill_await_ops wait_ops = {
	.what = "tracker",
	.try = wait_try,
	.arm = wait_arm,
	.disarm = wait_disarm,
};

static void prepare(struct rill_await *aw, struct rill_tracker *k)
{
	rill_await_init(aw, &wait_ops, k, NULL);
	aw->value = rill_load_relaxed(&k->generation);
}

int rill_tracker_wait(struct rill_tracker *k)
{
	struct rill_await aw;

	prepare(&aw, k);
	return rill_await(&aw, 0);
}

void rill_case_tracker_wait(struct rill_case *c, struct rill_tracker *k)
{
	prepare(rill_await_of(c), k);
}

/* ---- tasks ---- */

/*
 * Both the spawner, once it has the handle's id, and the end leave a mark in the task's owner_link;
 * whoever comes second frees it.
 */
static struct rill_list seen;

static void meet(struct rill_tracker *k, struct rill_task *t)
{
	/* acq_rel: the second has all that the first did */
	if (rill_exchange_acq_rel(&t->owner_link.prev, &seen) == NULL)
		return;
	t->owner_link.prev = NULL;
	rill_task_forget(t);
	rill_tracker_end(k);
}

static void task_ended(struct rill_task_owner *o, struct rill_task *t)
{
	meet(RILL_CONTAINER_OF(o, struct rill_tracker, owner), t);
}

static int spawn(struct rill_tracker *k, const struct rill_spawn_options *o, const void *site,
		 void *(*fn)(void *), void *arg, bool blocking,
		 struct rill_abort_handle *ret_handle)
{
	struct rill_task *t;
	int r;

	if (!rill_handle_enter_by(o))
		return -ESHUTDOWN;
	rill_tracker_begin(k);
	if (blocking)
		r = rill_task_spawn_blocking(o, site, fn, arg, &k->owner, &t);
	else
		r = rill_task_spawn(o, site, fn, arg, &k->owner, &t);
	if (r < 0) {
		rill_tracker_end(k);
		goto out;
	}
	if (ret_handle)
		*ret_handle = rill_abort_handle(t);
	meet(k, t);
out:
	rill_handle_exit_by(o);
	return r;
}

int rill_tracker_spawn(struct rill_tracker *k, void *(*fn)(void *), void *arg)
{
	return spawn(k, NULL, __builtin_return_address(0), fn, arg, false, NULL);
}

int rill_tracker_spawn_with(struct rill_tracker *k, const struct rill_spawn_options *o,
			    void *(*fn)(void *), void *arg, struct rill_abort_handle *ret_handle)
{
	return spawn(k, o, __builtin_return_address(0), fn, arg, false, ret_handle);
}

int rill_tracker_spawn_blocking(struct rill_tracker *k, const struct rill_spawn_options *o,
				void *(*fn)(void *), void *arg,
				struct rill_abort_handle *ret_handle)
{
	return spawn(k, o, __builtin_return_address(0), fn, arg, true, ret_handle);
}

/* ---- the tracker itself ---- */

int rill_tracker_create(struct rill_tracker **ret_tracker)
{
	struct rill_tracker *k = malloc(sizeof(*k));

	if (!k)
		return -ENOMEM;
	*k = (struct rill_tracker){.owner.ended = task_ended};
	rill_list_init(&k->waiters);
	*ret_tracker = k;
	return 0;
}

void rill_tracker_destroy(struct rill_tracker *k)
{
	if (!k)
		return;
	rill_spin_lock(&k->lock);
	RILL_ASSERT(rill_list_empty(&k->waiters)); /* nobody waits any more */
	/* acq_rel: pairs with rill_tracker_end(): the second of the two frees it */
	size_t word = rill_fetch_or_acq_rel(&k->word, DESTROYED);

	rill_spin_unlock(&k->lock);
	if (word / ONE == 0)
		free(k);
}

bool rill_tracker_close(struct rill_tracker *k)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&k->lock);
	/* acq_rel: pairs with rill_tracker_end(): one of the two finds it closed and empty */
	size_t word = rill_fetch_or_acq_rel(&k->word, CLOSED);

	if (word / ONE == 0 && !(word & CLOSED))
		wake_all_locked(k, &batch);
	rill_spin_unlock(&k->lock);
	rill_wake_flush(&batch);
	return !(word & CLOSED);
}

bool rill_tracker_reopen(struct rill_tracker *k)
{
	rill_spin_lock(&k->lock);
	size_t word = rill_load_relaxed(&k->word);

	/* acq_rel: as rill_tracker_close() */
	while ((word & CLOSED) && !rill_cas_weak_acq_rel(&k->word, &word, word - CLOSED))
		;
	rill_spin_unlock(&k->lock);
	return word & CLOSED;
}

bool rill_tracker_is_closed(const struct rill_tracker *k)
{
	return rill_load_relaxed(&k->word) & CLOSED;
}

size_t rill_tracker_len(const struct rill_tracker *k)
{
	return rill_load_relaxed(&k->word) / ONE;
}

bool rill_tracker_is_empty(const struct rill_tracker *k)
{
	return rill_tracker_len(k) == 0;
}
