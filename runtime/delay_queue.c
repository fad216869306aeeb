/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A timing wheel with a waiting room: items that came due move from the wheel to the due list, from
 * which the consumers take them. Nodes come from chunks that only the queue's end frees, each twice
 * as large as the one before; a node's generation is odd while it holds an item, and moves on with
 * each change, so that a key is good for one item only.
 *
 * Nothing is handed to a waiter: it is woken, looks again and takes what is due. So a waiter that
 * leaves owes nothing to the others.
 */
#include <rill/time.h>

#include <stdlib.h>

#include "base/assert.h"
#include "base/spinlock.h"
#include "base/wheel.h"
#include "runtime/await.h"
#include "runtime/runtime.h"

#define FIRST_CHUNK 1024u /* nodes; the k-th chunk has FIRST_CHUNK << k */
#define CHUNKS_MAX 21	  /* 2^31 nodes: indices fit in 32 bits with room to spare */
#define NO_NODE UINT32_MAX
#define CLEAR_BATCH 64 /* nodes looked at in one go with the lock */

struct node {
	struct rill_timer timer; /* in the wheel or the due list */
	void *value;
	uint32_t generation; /* odd: in use */
	uint32_t index;	     /* its own; of a free one: the next free one */
};

struct rill_delay_queue {
	struct rill_spinlock lock; /* of all below */
	RILL_ATOMIC(size_t) len;   /* read without the lock by rill_delay_queue_len() */
	uint32_t free;		   /* the first of those given back */
	uint32_t used;		   /* nodes from here on have never been used */
	unsigned chunk_count;
	struct node *chunks[CHUNKS_MAX];
	struct rill_list due;
	struct rill_list waiters; /* armed, and not woken yet */
	uint64_t armed_ns;	  /* no waiter wakes by itself later than this */
	struct rill_wheel wheel;
};

/* ---- nodes ---- */

static size_t capacity_of(unsigned chunk_count)
{
	return (size_t)FIRST_CHUNK * ((UINT32_C(1) << chunk_count) - 1);
}

static struct node *node_at(const struct rill_delay_queue *q, uint32_t index)
{
	unsigned k = 31u - (unsigned)__builtin_clz(index / FIRST_CHUNK + 1);

	return &q->chunks[k][index - capacity_of(k)];
}

static struct node *node_of(struct rill_timer *t)
{
	return RILL_CONTAINER_OF(t, struct node, timer);
}

static struct node *first_due(const struct rill_delay_queue *q)
{
	return node_of(RILL_LIST_ENTRY(q->due.next, struct rill_timer, link));
}

static struct node *node_get_locked(struct rill_delay_queue *q)
{
	uint32_t index = q->free;
	struct node *n;

	if (index != NO_NODE) {
		n = node_at(q, index);
		q->free = n->index;
	} else if (q->used < capacity_of(q->chunk_count)) {
		index = q->used++;
		n = node_at(q, index);
		rill_timer_init(&n->timer);
	} else {
		return NULL;
	}
	n->index = index;
	n->generation++;
	rill_store_relaxed(&q->len, rill_load_relaxed(&q->len) + 1);
	return n;
}

static struct rill_expired item_of(const struct node *n)
{
	return (struct rill_expired){
		.value = n->value,
		.deadline_ns = n->timer.deadline_ns,
		.key = {n->index, n->generation},
	};
}

static void wake_all_locked(struct rill_delay_queue *q, struct rill_wake_batch *batch)
{
	struct rill_await *aw;

	while ((aw = rill_await_first(&q->waiters)))
		rill_await_wake(aw, batch);
}

/* Takes n out of the queue. The last item's going ends the waits of those who do not stay. */
static struct rill_expired node_put_locked(struct rill_delay_queue *q, struct node *n,
					   struct rill_wake_batch *batch)
{
	struct rill_expired item = item_of(n);

	rill_wheel_cancel(&q->wheel, &n->timer);
	n->generation++;
	n->index = q->free;
	q->free = item.key.index;
	rill_store_relaxed(&q->len, rill_load_relaxed(&q->len) - 1);
	if (rill_load_relaxed(&q->len) == 0)
		wake_all_locked(q, batch);
	return item;
}

static struct node *find_locked(const struct rill_delay_queue *q, struct rill_delay_key key)
{
	if (key.index >= q->used || !(key.generation & 1))
		return NULL;
	struct node *n = node_at(q, key.index);

	return n->generation == key.generation ? n : NULL;
}

/* Without the lock: allocates. */
static int grow_to(struct rill_delay_queue *q, size_t capacity)
{
	if (capacity > capacity_of(CHUNKS_MAX))
		return -ENOMEM;
	for (;;) {
		rill_spin_lock(&q->lock);
		unsigned k = q->chunk_count;

		rill_spin_unlock(&q->lock);
		if (capacity_of(k) >= capacity)
			return 0;
		/* Zeroed memory of this size is mapped when it is first touched. */
		struct node *chunk = calloc((size_t)FIRST_CHUNK << k, sizeof(*chunk));

		if (!chunk)
			return -ENOMEM;
		rill_spin_lock(&q->lock);
		if (q->chunk_count == k) {
			q->chunks[q->chunk_count++] = chunk;
			chunk = NULL;
		}
		rill_spin_unlock(&q->lock);
		free(chunk);
	}
}

/* ---- time ---- */

/* A clock that is never ahead, and cheap on a worker: it only tells what is due already. */
static uint64_t coarse_now(void)
{
	struct rill_worker *w = rill_worker_current();

	return w ? rill_worker_now(w) : rill_now();
}

/* When a waiter has to look again. */
static uint64_t next_locked(const struct rill_delay_queue *q)
{
	return rill_list_empty(&q->due) ? rill_wheel_next(&q->wheel) : 0;
}

static void place_locked(struct rill_delay_queue *q, struct node *n, uint64_t deadline_ns,
			 uint64_t now, struct rill_wake_batch *batch)
{
	if (deadline_ns > now) {
		/* An empty wheel may have stood still for long, and its distances be off. */
		if (q->wheel.levels == 0)
			rill_wheel_advance(&q->wheel, now, &q->due);
		rill_wheel_insert(&q->wheel, &n->timer, deadline_ns);
	} else {
		/* The wheel's ticks would make it wait for the next one. */
		n->timer.deadline_ns = deadline_ns;
		n->timer.level = 0;
		n->timer.slot = 0;
		rill_list_push_back(&q->due, &n->timer.link);
	}
	if (!rill_list_empty(&q->waiters) && next_locked(q) < q->armed_ns)
		wake_all_locked(q, batch);
}

/* ---- in and out ---- */

int rill_delay_queue_insert_at(struct rill_delay_queue *q, void *value, uint64_t deadline_ns,
			       struct rill_delay_key *ret_key)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	uint64_t now = coarse_now();
	struct node *n;

	rill_spin_lock(&q->lock);
	while (!(n = node_get_locked(q))) {
		size_t more = capacity_of(q->chunk_count) + 1;

		rill_spin_unlock(&q->lock);
		int r = grow_to(q, more);

		if (r < 0)
			return r;
		rill_spin_lock(&q->lock);
	}
	n->value = value;
	if (ret_key)
		*ret_key = (struct rill_delay_key){n->index, n->generation};
	place_locked(q, n, deadline_ns, now, &batch);
	rill_spin_unlock(&q->lock);
	rill_wake_flush(&batch);
	return 0;
}

int rill_delay_queue_insert(struct rill_delay_queue *q, void *value, uint64_t dur_ns,
			    struct rill_delay_key *ret_key)
{
	return rill_delay_queue_insert_at(q, value, rill_after(dur_ns), ret_key);
}

int rill_delay_queue_remove(struct rill_delay_queue *q, struct rill_delay_key key,
			    struct rill_expired *ret_item)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_expired item;

	rill_spin_lock(&q->lock);
	struct node *n = find_locked(q, key);

	if (n)
		item = node_put_locked(q, n, &batch);
	rill_spin_unlock(&q->lock);
	rill_wake_flush(&batch);
	if (!n)
		return -ENOENT;
	if (ret_item)
		*ret_item = item;
	return 0;
}

int rill_delay_queue_reset_at(struct rill_delay_queue *q, struct rill_delay_key key,
			      uint64_t deadline_ns)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	uint64_t now = coarse_now();

	rill_spin_lock(&q->lock);
	struct node *n = find_locked(q, key);

	if (n) {
		rill_wheel_cancel(&q->wheel, &n->timer);
		place_locked(q, n, deadline_ns, now, &batch);
	}
	rill_spin_unlock(&q->lock);
	rill_wake_flush(&batch);
	return n ? 0 : -ENOENT;
}

int rill_delay_queue_reset(struct rill_delay_queue *q, struct rill_delay_key key, uint64_t dur_ns)
{
	return rill_delay_queue_reset_at(q, key, rill_after(dur_ns));
}

int rill_delay_queue_deadline(struct rill_delay_queue *q, struct rill_delay_key key,
			      uint64_t *ret_deadline_ns)
{
	rill_spin_lock(&q->lock);
	const struct node *n = find_locked(q, key);
	uint64_t deadline = n ? n->timer.deadline_ns : 0;

	rill_spin_unlock(&q->lock);
	if (!n)
		return -ENOENT;
	*ret_deadline_ns = deadline;
	return 0;
}

int rill_delay_queue_peek(struct rill_delay_queue *q, struct rill_expired *ret_item)
{
	struct rill_expired item;
	struct rill_timer *first;

	rill_spin_lock(&q->lock);
	if (rill_list_empty(&q->due))
		first = rill_wheel_first(&q->wheel);
	else
		first = &first_due(q)->timer;
	if (first)
		item = item_of(node_of(first));
	rill_spin_unlock(&q->lock);
	if (!first)
		return -ENOENT;
	*ret_item = item;
	return 0;
}

/* ---- waiting ---- */

/* -EAGAIN: nothing is due; look again at *ret_again_ns. */
static int take_locked(struct rill_delay_queue *q, uint64_t now, struct rill_expired *ret_item,
		       uint64_t *ret_again_ns, struct rill_wake_batch *batch)
{
	if (rill_load_relaxed(&q->len) == 0)
		return -ENOENT;
	/* Also when something is due already: old items must not wait behind ever new past ones. */
	rill_wheel_advance(&q->wheel, now, &q->due);
	rill_wheel_take_due(&q->wheel, now, &q->due);
	if (rill_list_empty(&q->due)) {
		*ret_again_ns = rill_wheel_next(&q->wheel);
		return -EAGAIN;
	}
	*ret_item = node_put_locked(q, first_due(q), batch);
	return 0;
}

static int look_locked(struct rill_await *aw, uint64_t now, struct rill_wake_batch *batch)
{
	int r = take_locked(aw->obj, now, aw->arg, &aw->deadline_ns, batch);

	if (r != -ENOENT || !(aw->value & RILL_DELAY_STAY))
		return r;
	aw->deadline_ns = UINT64_MAX;
	return -EAGAIN;
}

static int next_try(struct rill_await *aw)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_delay_queue *q = aw->obj;
	uint64_t now = rill_now();

	rill_spin_lock(&q->lock);
	int r = look_locked(aw, now, &batch);

	rill_spin_unlock(&q->lock);
	rill_wake_flush(&batch);
	return r;
}

static int next_arm(struct rill_await *aw)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_delay_queue *q = aw->obj;
	uint64_t planned = aw->deadline_ns;
	uint64_t now = rill_now();

	rill_spin_lock(&q->lock);
	int r = look_locked(aw, now, &batch);

	if (r == -EAGAIN) {
		bool alone = rill_list_empty(&q->waiters);

		q->armed_ns = alone ? aw->deadline_ns : RILL_MAX(q->armed_ns, aw->deadline_ns);
		rill_list_push_back(&q->waiters, &aw->link);
		/* Something earlier came since the try, with whose time we are about to park. */
		if (aw->deadline_ns < planned)
			rill_waiter_renotify(aw->waiter);
	}
	rill_spin_unlock(&q->lock);
	rill_wake_flush(&batch);
	return r;
}

static int next_disarm(struct rill_await *aw, bool take)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_delay_queue *q = aw->obj;
	uint64_t now = rill_now();

	rill_spin_lock(&q->lock);
	rill_list_del(&aw->link);
	int r = take ? look_locked(aw, now, &batch) : -EAGAIN;

	rill_spin_unlock(&q->lock);
	rill_wake_flush(&batch);
	return r;
}

static const struct rill_await_ops next_ops = {
	.what = "delay queue",
	.try = next_try,
	.arm = next_arm,
	.disarm = next_disarm,
};

void rill_case_delay_queue_next(struct rill_case *c, struct rill_delay_queue *q, unsigned flags,
				struct rill_expired *ret_item)
{
	struct rill_await *aw = rill_await_of(c);

	rill_await_init(aw, &next_ops, q, ret_item);
	aw->value = flags;
}

int rill_delay_queue_next(struct rill_delay_queue *q, unsigned flags, struct rill_expired *ret_item)
{
	struct rill_await aw;

	rill_await_init(&aw, &next_ops, q, ret_item);
	aw.value = flags;
	return rill_await(&aw, 0);
}

int rill_delay_queue_try_next(struct rill_delay_queue *q, struct rill_expired *ret_item)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	uint64_t now = rill_now(), again;

	rill_spin_lock(&q->lock);
	int r = take_locked(q, now, ret_item, &again, &batch);

	rill_spin_unlock(&q->lock);
	rill_wake_flush(&batch);
	return r;
}

/* ---- the whole ---- */

size_t rill_delay_queue_len(const struct rill_delay_queue *q)
{
	return rill_load_relaxed(&q->len);
}

size_t rill_delay_queue_capacity(struct rill_delay_queue *q)
{
	rill_spin_lock(&q->lock);
	size_t capacity = capacity_of(q->chunk_count);

	rill_spin_unlock(&q->lock);
	return capacity;
}

int rill_delay_queue_reserve(struct rill_delay_queue *q, size_t additional)
{
	size_t capacity;

	if (__builtin_add_overflow(rill_delay_queue_len(q), additional, &capacity))
		return -ENOMEM;
	return grow_to(q, capacity);
}

/* The items among the nodes from *index to end, as far as one go carries; how many. */
static unsigned clear_some(struct rill_delay_queue *q, uint32_t *index, uint32_t end,
			   struct rill_expired *items)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	unsigned n = 0;

	rill_spin_lock(&q->lock);
	for (uint32_t stop = RILL_MIN(end, *index + CLEAR_BATCH); *index < stop; ++*index) {
		struct node *node = node_at(q, *index);

		if (node->generation & 1)
			items[n++] = node_put_locked(q, node, &batch);
	}
	rill_spin_unlock(&q->lock);
	rill_wake_flush(&batch);
	return n;
}

void rill_delay_queue_clear(struct rill_delay_queue *q,
			    void (*fn)(void *arg, const struct rill_expired *item), void *arg)
{
	struct rill_expired items[CLEAR_BATCH];

	rill_spin_lock(&q->lock);
	uint32_t index = 0, end = q->used;

	rill_spin_unlock(&q->lock);
	while (index < end) {
		unsigned n = clear_some(q, &index, end, items);

		for (unsigned i = 0; fn && i < n; i++)
			fn(arg, &items[i]);
	}
}

int rill_delay_queue_create(size_t capacity, struct rill_delay_queue **ret_q)
{
	struct rill_delay_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->free = NO_NODE;
	rill_list_init(&q->due);
	rill_list_init(&q->waiters);
	/* The first insert tells the time: of whose clock, is not known yet. */
	rill_wheel_init(&q->wheel, 0);
	int r = grow_to(q, capacity);

	if (r < 0) {
		rill_delay_queue_destroy(q);
		return r;
	}
	*ret_q = q;
	return 0;
}

void rill_delay_queue_destroy(struct rill_delay_queue *q)
{
	if (!q)
		return;
	RILL_ASSERT(rill_list_empty(&q->waiters)); /* somebody waits in it */
	for (unsigned k = 0; k < q->chunk_count; k++)
		free(q->chunks[k]);
	free(q);
}
