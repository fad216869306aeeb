/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets of sockets, and waiting for them. */
#include <errno.h>
#include <rill/task.h>
#include <stdlib.h>

#include "netstack/stack/listener.h"
#include "netstack/stack/net.h"
#include "netstack/stack/poll.h"
#include "netstack/stack/udp_port.h"

/* Entries that are looked at in one go. */
#define BATCH 64

int rill_poll_create(struct rill_poll_set **ret_set)
{
	struct rill_poll_set *set = calloc(1, sizeof(*set));

	if (!set)
		return -ENOMEM;
	rill_list_init(&set->entries);
	rill_list_init(&set->ready);
	rill_list_init(&set->waiters);
	*ret_set = set;
	return 0;
}

/* ---- with the guard ---- */

struct guarded {
	void (*fn)(void *arg, struct rill_wake_batch *wakes);
	void *arg;
};

static void guarded_held(struct rill_shard *sh, void *arg)
{
	struct guarded *g = arg;

	g->fn(g->arg, &sh->wakes);
}

/* Runs fn(arg) under the guard: the shard's, if there is one, else the interface's. */
static void with_guard(struct rill_shard *shard, struct rill_net *net,
		       void (*fn)(void *arg, struct rill_wake_batch *wakes), void *arg)
{
	struct rill_wake_batch wakes = RILL_WAKE_BATCH_INIT;
	struct guarded g = {fn, arg};

	if (shard) {
		rill_shard_call(shard, guarded_held, &g);
		return;
	}
	rill_spin_lock(&net->poll_lock);
	fn(arg, &wakes);
	rill_spin_unlock(&net->poll_lock);
	rill_wake_flush(&wakes);
}

static struct rill_shard *shard_of(struct rill_poll_source s)
{
	return s.kind == RILL_POLL_TCP ? rill_tcp_shard(s.socket) : NULL;
}

static struct rill_net *net_of(struct rill_poll_source s)
{
	if (s.kind == RILL_POLL_LISTENER)
		return ((struct rill_listener *)s.socket)->net;
	return s.kind == RILL_POLL_UDP ? ((struct rill_udp *)s.socket)->net : NULL;
}

/* ---- what is in a set ---- */

static bool events_good(struct rill_poll_source s, unsigned events)
{
	unsigned possible = RILL_POLL_READ | RILL_POLL_HANGUP | RILL_POLL_ERROR | RILL_POLL_ONCE;

	if (s.kind != RILL_POLL_LISTENER)
		possible |= RILL_POLL_WRITE;
	if (s.kind == RILL_POLL_TCP)
		possible |= RILL_POLL_URGENT;
	return (events & ~possible) == 0;
}

struct change {
	struct rill_poll_set *set;
	struct rill_poll_source source;
	unsigned events;
	void *user;
	struct rill_poll_entry *entry; /* add: the new one */
	int result;
};

static void add_held(void *arg, struct rill_wake_batch *wakes)
{
	struct change *change = arg;

	change->result = -EEXIST;
	if (rill_poll_find(change->set, change->source))
		return;
	change->result = 0;
	rill_poll_attach(change->entry);
	rill_poll_notify(change->entry, wakes);
}

/* Never 0: who asks for nothing is still told of the end. */
static unsigned asked(unsigned events)
{
	return events | RILL_POLL_HANGUP;
}

int rill_poll_add(struct rill_poll_set *set, struct rill_poll_source s, unsigned events, void *user)
{
	struct change change = {.set = set, .source = s};
	struct rill_poll_entry *e;

	if (!events_good(s, events))
		return -EINVAL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->set = set;
	e->source = s;
	e->shard = shard_of(s);
	e->net = net_of(s);
	e->events = asked(events);
	e->user = user;
	change.entry = e;
	with_guard(e->shard, e->net, add_held, &change);
	if (change.result < 0)
		free(e);
	return change.result;
}

static void modify_held(void *arg, struct rill_wake_batch *wakes)
{
	struct change *change = arg;
	struct rill_poll_entry *e = rill_poll_find(change->set, change->source);

	change->result = -ENOENT;
	if (!e)
		return;
	change->result = 0;
	rill_poll_ask(e, change->events, change->user);
	rill_poll_notify(e, wakes);
}

int rill_poll_modify(struct rill_poll_set *set, struct rill_poll_source s, unsigned events,
		     void *user)
{
	struct change change = {.set = set, .source = s, .events = asked(events), .user = user};

	if (!events_good(s, events))
		return -EINVAL;
	with_guard(shard_of(s), net_of(s), modify_held, &change);
	return change.result;
}

static void remove_held(void *arg, struct rill_wake_batch *wakes)
{
	struct change *change = arg;
	struct rill_poll_entry *e = rill_poll_find(change->set, change->source);

	(void)wakes;
	change->result = e ? 0 : -ENOENT;
	if (e)
		rill_poll_detach(e);
}

int rill_poll_remove(struct rill_poll_set *set, struct rill_poll_source s)
{
	struct change change = {.set = set, .source = s};

	with_guard(shard_of(s), net_of(s), remove_held, &change);
	return change.result;
}

static void detach_held(void *arg, struct rill_wake_batch *wakes)
{
	struct rill_poll_entry *e = arg;

	(void)wakes;
	/* its socket may have been closed meanwhile */
	if (e->source.socket)
		rill_poll_detach(e);
}

static struct rill_poll_entry *first_entry(struct rill_poll_set *set)
{
	struct rill_poll_entry *e = NULL;

	rill_spin_lock(&set->lock);
	if (!rill_list_empty(&set->entries)) {
		e = RILL_LIST_ENTRY(set->entries.next, struct rill_poll_entry, link);
		e->refs++;
	}
	rill_spin_unlock(&set->lock);
	return e;
}

static void put_entry(struct rill_poll_entry *e)
{
	struct rill_poll_set *set = e->set;

	rill_spin_lock(&set->lock);
	bool last = rill_poll_put_locked(e);

	rill_spin_unlock(&set->lock);
	if (last)
		free(e);
}

void rill_poll_destroy(struct rill_poll_set *set)
{
	struct rill_poll_entry *e;

	if (!set)
		return;
	while ((e = first_entry(set))) {
		with_guard(e->shard, e->net, detach_held, e);
		put_entry(e);
	}
	RILL_ASSERT(rill_list_empty(&set->waiters));
	free(set);
}

/* ---- looking through what may be ready ---- */

struct look {
	struct rill_poll_set *set;
	struct rill_poll_event *events; /* NULL: only whether there is any */
	unsigned max, found;
	uint64_t id;
	struct rill_poll_entry *batch[BATCH];
	unsigned count;
	unsigned at; /* those before were looked at; those under another guard are NULL */
};

/* What was found ready by this look already ends it: it has been round. */
static void take_batch(struct look *look)
{
	struct rill_poll_set *set = look->set;
	unsigned want = RILL_MIN(look->max - look->found, (unsigned)BATCH);

	look->count = 0;
	rill_spin_lock(&set->lock);
	while (look->count < want && !rill_list_empty(&set->ready)) {
		struct rill_poll_entry *e =
			RILL_LIST_ENTRY(set->ready.next, struct rill_poll_entry, ready_link);

		if (e->look == look->id)
			break;
		rill_list_del(&e->ready_link);
		e->state = RILL_POLL_STATE_CHECKED;
		e->refs++;
		look->batch[look->count++] = e;
	}
	rill_spin_unlock(&set->lock);
}

/* Level-triggered: what is ready stays in the list, at its end. Set's lock held. */
static void keep_ready(struct look *look, struct rill_poll_entry *e, struct rill_wake_batch *wakes)
{
	struct rill_await *next = rill_await_first(&look->set->waiters);

	e->look = look->id;
	e->state = RILL_POLL_STATE_READY;
	rill_list_push_back(&look->set->ready, &e->ready_link);
	/* who began to wait while it was out of the list has not been told */
	if (next)
		rill_await_wake(next, wakes);
}

static void report(struct look *look, struct rill_poll_entry *e, unsigned events,
		   struct rill_wake_batch *wakes)
{
	unsigned at = look->found++;

	if (look->events)
		look->events[at] = (struct rill_poll_event){events, e->user};
	if (!look->events || (e->events & RILL_POLL_ONCE) == 0) {
		keep_ready(look, e, wakes);
		return;
	}
	e->events = 0;
	e->state = RILL_POLL_STATE_IDLE;
}

/* Guard held. The reference is given back. */
static void check(struct look *look, struct rill_poll_entry *e, struct rill_wake_batch *wakes)
{
	unsigned events = rill_poll_look(e);

	rill_spin_lock(&look->set->lock);
	e->state = RILL_POLL_STATE_IDLE;
	if (events != 0)
		report(look, e, events, wakes);
	bool last = rill_poll_put_locked(e);

	rill_spin_unlock(&look->set->lock);
	if (last)
		free(e);
}

/* All of the batch that are under the same guard as the first that is left. */
static void check_held(void *arg, struct rill_wake_batch *wakes)
{
	struct look *look = arg;
	const struct rill_poll_entry *first = look->batch[look->at];
	struct rill_shard *shard = first->shard;
	struct rill_net *net = first->net;

	for (unsigned i = look->at; i < look->count; i++) {
		struct rill_poll_entry *e = look->batch[i];

		if (!e || e->shard != shard || e->net != net)
			continue;
		look->batch[i] = NULL;
		check(look, e, wakes);
	}
}

static unsigned look_through(struct look *look)
{
	do {
		take_batch(look);
		for (look->at = 0; look->at < look->count; look->at++) {
			const struct rill_poll_entry *e = look->batch[look->at];

			if (e)
				with_guard(e->shard, e->net, check_held, look);
		}
	} while (look->count > 0 && look->found < look->max);
	return look->found;
}

static unsigned begin_look(struct rill_poll_set *set, struct rill_poll_event *events, unsigned max)
{
	struct look look = {.set = set, .events = events, .max = max};

	rill_spin_lock(&set->lock);
	look.id = ++set->looks;
	rill_spin_unlock(&set->lock);
	return look_through(&look);
}

/* ---- waiting ---- */

static bool may_be_ready(struct rill_poll_set *set)
{
	rill_spin_lock(&set->lock);
	bool any = !rill_list_empty(&set->ready);

	rill_spin_unlock(&set->lock);
	return any;
}

static int wait_try(struct rill_await *aw)
{
	return may_be_ready(aw->obj) ? 0 : -EAGAIN;
}

static int wait_arm(struct rill_await *aw)
{
	struct rill_poll_set *set = aw->obj;

	rill_spin_lock(&set->lock);
	bool any = !rill_list_empty(&set->ready);

	if (!any)
		rill_list_push_back(&set->waiters, &aw->link);
	rill_spin_unlock(&set->lock);
	return any ? 0 : -EAGAIN;
}

/* Who was woken and does not look passes it on. */
static int wait_disarm(struct rill_await *aw, bool take)
{
	struct rill_poll_set *set = aw->obj;
	struct rill_wake_batch wakes = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&set->lock);
	bool woken = !rill_list_linked(&aw->link);
	bool any = woken && !rill_list_empty(&set->ready);
	struct rill_await *next = any && !take ? rill_await_first(&set->waiters) : NULL;

	rill_list_del(&aw->link);
	if (next)
		rill_await_wake(next, &wakes);
	rill_spin_unlock(&set->lock);
	rill_wake_flush(&wakes);
	return any && take ? 0 : -EAGAIN;
}

static const struct rill_await_ops wait_ops = {
	.what = "poll",
	.try = wait_try,
	.arm = wait_arm,
	.disarm = wait_disarm,
};

int rill_poll_try(struct rill_poll_set *set, struct rill_poll_event *ret_events, unsigned max)
{
	if (max == 0)
		return -EINVAL;
	return (int)begin_look(set, ret_events, RILL_MIN(max, (unsigned)INT32_MAX));
}

int rill_poll_wait(struct rill_poll_set *set, struct rill_poll_event *ret_events, unsigned max)
{
	int r = max == 0 ? -EINVAL : rill_consume_budget();

	while (r == 0) {
		r = rill_poll_try(set, ret_events, max);
		if (r != 0)
			break;
		r = rill_await_on(&wait_ops, set, NULL);
	}
	return r;
}

/* ---- as a case of a select: only when something is ready indeed ---- */

static int case_try(struct rill_await *aw)
{
	return begin_look(aw->obj, NULL, 1) > 0 ? 0 : -EAGAIN;
}

static int case_arm(struct rill_await *aw)
{
	while (wait_arm(aw) == 0)
		if (case_try(aw) == 0)
			return 0;
	return -EAGAIN;
}

/* The select looks again. */
static int case_disarm(struct rill_await *aw, bool take)
{
	wait_disarm(aw, take);
	return -EAGAIN;
}

static const struct rill_await_ops case_ops = {
	.what = "poll",
	.try = case_try,
	.arm = case_arm,
	.disarm = case_disarm,
};

void rill_case_poll(struct rill_case *c, struct rill_poll_set *set)
{
	rill_await_init(rill_await_of(c), &case_ops, set, NULL);
}
