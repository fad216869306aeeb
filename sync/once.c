/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lock of the queue is in the word that says whether the value is set, so that setting it ends
 * with one store: whoever sees SET finds the value, and that nobody touches the queue any more.
 *
 *   0                empty
 *   BUSY             (cells) somebody initialises; only then somebody waits
 *   SET              the value is there
 *   ... | LOCKED     somebody works on the queue, and owns the word until its store clears LOCKED
 *
 * An initialiser that fails leaves BUSY set when somebody waits, who is promised to be the next.
 */
#include <rill/once.h>

#include <rill/task.h>

#include "base/assert.h"
#include "base/spinlock.h"
#include "runtime/await.h"

enum once_word {
	LOCKED = 1,
	BUSY = 2,
	SET = 4,
};

struct once {
	RILL_ATOMIC(uint32_t) word;
	uint32_t unused;
	void *value;		/* while SET */
	struct rill_list queue; /* of armed nodes; of zeros: nobody has ever waited */
};

struct cell {
	struct once once;
	struct rill_waiter *initialiser; /* while BUSY */
};

RILL_STATIC_ASSERT(sizeof(struct once) == sizeof(struct rill_set_once),
		   "laid over the public struct");
RILL_STATIC_ASSERT(sizeof(struct cell) == sizeof(struct rill_once_cell),
		   "laid over the public struct");
RILL_STATIC_ASSERT(_Alignof(struct cell) <= _Alignof(struct rill_once_cell), "as aligned");
RILL_STATIC_ASSERT(_Alignof(struct once) <= _Alignof(struct rill_set_once), "as aligned");

static struct once *once_of(const struct rill_set_once *s)
{
	return (struct once *)(uintptr_t)s;
}

static struct cell *cell_of(const struct rill_once_cell *c)
{
	return (struct cell *)(uintptr_t)c;
}

/* ---- the word ---- */

static bool is_set(const struct once *o)
{
	/* acquire: pairs with the release in unlock() */
	return rill_load_acquire(&o->word) & SET;
}

/* Returns the word without LOCKED; the caller gives it back, changed or not, to unlock(). */
static uint32_t lock(struct once *o)
{
	uint32_t word;

	for (unsigned spins = 1;; spins++) {
		word = rill_load_relaxed(&o->word);
		/* acquire: pairs with the release in unlock() */
		if (!(word & LOCKED) && rill_cas_acquire(&o->word, &word, word | LOCKED))
			break;
		rill_spin_pause(spins);
	}
	if (!o->queue.next)
		rill_list_init(&o->queue);
	return word;
}

static void unlock(struct once *o, uint32_t word)
{
	/* release: pairs with the acquires in lock() and is_set() */
	rill_store_release(&o->word, word);
}

/* Locked; unlocks it. */
static void publish(struct once *o, void *value)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_await *aw;

	o->value = value;
	while ((aw = rill_await_first(&o->queue)))
		rill_await_wake(aw, &batch);
	unlock(o, SET);
	rill_wake_flush(&batch);
}

static void *get(const struct once *o)
{
	return is_set(o) ? o->value : NULL;
}

static int tell(const struct once *o, void **ret_value)
{
	if (ret_value)
		*ret_value = o->value;
	return 0;
}

/* ---- rill_set_once ---- */

static int set_once_try(struct rill_await *aw)
{
	struct once *o = aw->obj;

	return is_set(o) ? tell(o, aw->arg) : -EAGAIN;
}

static int set_once_arm(struct rill_await *aw)
{
	struct once *o = aw->obj;
	uint32_t word = lock(o);

	if (!(word & SET))
		rill_list_push_back(&o->queue, &aw->link);
	unlock(o, word);
	return word & SET ? tell(o, aw->arg) : -EAGAIN;
}

static int set_once_disarm(struct rill_await *aw, bool take)
{
	struct once *o = aw->obj;

	if (!is_set(o)) {
		uint32_t word = lock(o);

		rill_list_del(&aw->link);
		unlock(o, word);
	}
	return take ? set_once_try(aw) : -EAGAIN;
}

static const struct rill_await_ops set_once_ops = {
	.what = "set_once",
	.try = set_once_try,
	.arm = set_once_arm,
	.disarm = set_once_disarm,
};

void rill_set_once_init(struct rill_set_once *s)
{
	*once_of(s) = (struct once){0};
}

int rill_set_once_set(struct rill_set_once *s, void *value)
{
	struct once *o = once_of(s);
	uint32_t word = lock(o);

	if (word & SET) {
		unlock(o, word);
		return -EEXIST;
	}
	publish(o, value);
	return 0;
}

void *rill_set_once_get(const struct rill_set_once *s)
{
	return get(once_of(s));
}

bool rill_set_once_is_set(const struct rill_set_once *s)
{
	return is_set(once_of(s));
}

int rill_set_once_wait(struct rill_set_once *s, void **ret_value)
{
	return rill_await_on(&set_once_ops, once_of(s), ret_value);
}

void rill_case_set_once(struct rill_case *c, struct rill_set_once *s, void **ret_value)
{
	rill_await_init(rill_await_of(c), &set_once_ops, once_of(s), ret_value);
}

/* ---- rill_once_cell ---- */

/* What a wait for a cell ends with when it is the caller's to initialise. */
#define LEAD 1

static int cell_arm_locked(struct cell *c, struct rill_await *aw, uint32_t *word)
{
	if (*word & SET)
		return 0;
	if (*word & BUSY) {
		if (c->initialiser == aw->waiter)
			return -EDEADLK;
		rill_list_push_back(&c->once.queue, &aw->link);
		return -EAGAIN;
	}
	*word |= BUSY;
	c->initialiser = aw->waiter;
	return LEAD;
}

static int cell_arm(struct rill_await *aw)
{
	struct cell *c = aw->obj;
	uint32_t word = lock(&c->once);
	int r = cell_arm_locked(c, aw, &word);

	unlock(&c->once, word);
	return r;
}

static int cell_disarm(struct rill_await *aw, bool take)
{
	struct cell *c = aw->obj;

	if (is_set(&c->once))
		return 0;
	uint32_t word = lock(&c->once);

	rill_list_del(&aw->link);
	unlock(&c->once, word);
	if (word & SET)
		return 0;
	return rill_await_granted(aw) ? LEAD : -EAGAIN;
}

/* Without a try: one that waits for nothing else begins with arm. */
static const struct rill_await_ops cell_ops = {
	.what = "once_cell",
	.arm_only = true,
	.arm = cell_arm,
	.disarm = cell_disarm,
};

/* The initialiser has failed. */
static void cell_hand_on(void *arg)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct cell *c = arg;

	lock(&c->once);
	struct rill_await *next = rill_await_first(&c->once.queue);

	c->initialiser = next ? next->waiter : NULL;
	/* A promise: it has to ask whose turn it is. */
	if (next)
		rill_await_promise(next, &batch);
	unlock(&c->once, next ? BUSY : 0);
	rill_wake_flush(&batch);
}

static int cell_initialise(struct cell *c, int (*fn)(void *, void **), void *arg, void **ret_value)
{
	struct rill_cleanup cleanup;
	void *value = NULL;

	rill_cleanup_push(&cleanup, cell_hand_on, c);
	int r = fn(arg, &value);

	rill_cleanup_pop(&cleanup, r < 0);
	if (r < 0)
		return r;
	/* Before anybody finds it, and frees what the cell is in. */
	if (ret_value)
		*ret_value = value;
	lock(&c->once);
	publish(&c->once, value);
	return 0;
}

void rill_once_cell_init(struct rill_once_cell *cell)
{
	*cell_of(cell) = (struct cell){0};
}

void *rill_once_cell_get(const struct rill_once_cell *cell)
{
	return get(&cell_of(cell)->once);
}

bool rill_once_cell_is_set(const struct rill_once_cell *cell)
{
	return is_set(&cell_of(cell)->once);
}

int rill_once_cell_set(struct rill_once_cell *cell, void *value)
{
	struct once *o = &cell_of(cell)->once;
	uint32_t word = lock(o);

	if (word) {
		unlock(o, word);
		return word & SET ? -EEXIST : -EBUSY;
	}
	publish(o, value);
	return 0;
}

int rill_once_cell_get_or_init(struct rill_once_cell *cell, int (*fn)(void *arg, void **ret_value),
			       void *arg, void **ret_value)
{
	struct cell *c = cell_of(cell);

	if (RILL_LIKELY(is_set(&c->once)))
		return tell(&c->once, ret_value);
	int r = rill_await_on(&cell_ops, c, NULL);

	if (r == LEAD)
		return cell_initialise(c, fn, arg, ret_value);
	return r < 0 ? r : tell(&c->once, ret_value);
}

void *rill_once_cell_take(struct rill_once_cell *cell)
{
	struct once *o = &cell_of(cell)->once;
	uint32_t word = lock(o);
	void *value = word & SET ? o->value : NULL;

	unlock(o, word & ~(uint32_t)SET);
	return value;
}
