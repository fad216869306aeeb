/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One select over everything that has a case. Each kind of case is a line of a table; what is true
 * of all of them is tested with all of them: who is not chosen has lost nothing and taken nothing.
 * The stepper decides who runs when.
 */
#include <rill/group.h>
#include <rill/test.h>

#include "runtime/await.h"
#include "tests/unit/sync/sync_test.h"

enum {
	MUTEX,
	NOTIFY,
	NOTIFIED,
	ONESHOT_RECV,
	ONESHOT_CLOSED,
	CHANNEL_RECV,
	CHANNEL_SEND,
	CHANNEL_RESERVE,
	CHANNEL_CLOSED,
	SEMAPHORE,
	ACQUIRING,
	RWLOCK_READ,
	RWLOCK_WRITE,
	BROADCAST_RECV,
	BROADCAST_CLOSED,
	WATCH_CHANGED,
	WATCH_CLOSED,
	SET_ONCE,
	SLEEP,
	INTERVAL,
	DELAY_QUEUE,
	JOIN,
	JOIN_SET,
	JOIN_QUEUE,
	JOIN_MAP,
	TRACKER,
	TOKEN,
	KINDS
};

/* One of each, none of which is to be had yet. */
struct things {
	struct rill_stepper *stepper;
	bool provided[KINDS];
	struct rill_mutex mutex;
	struct rill_notify notify, notify_kept, go;
	struct rill_notified notified;
	struct rill_oneshot *oneshot, *oneshot_open;
	struct rill_channel *empty, *full, *packed, *open;
	struct rill_semaphore sem, sem_kept;
	struct rill_acquiring acquiring;
	struct rill_rwlock rwlock_read, rwlock_write;
	struct rill_broadcast *broadcast, *broadcast_open;
	struct rill_broadcast_rx broadcast_rx, broadcast_open_rx;
	struct rill_watch *watch, *watch_open;
	struct rill_watch_rx watch_rx, watch_open_rx;
	struct rill_set_once set_once;
	uint64_t start_ns;
	struct rill_interval interval;
	struct rill_delay_queue *delay_queue;
	struct rill_join_set *join_set;
	struct rill_join_queue *join_queue;
	struct rill_join_map *join_map;
	struct rill_task *member[KINDS]; /* of the three above; theirs, but for that of JOIN */
	struct rill_tracker *tracker;
	struct rill_token *token;
	/* where results go */
	uint64_t msg[KINDS];
	struct rill_outcome outcome[KINDS];
	struct rill_expired expired;
};

/* ---- the kinds ---- */

#define PREPARE(name, call)                                                                        \
	static void name##_prepare(struct things *t, struct rill_case *c)                          \
	{                                                                                          \
		call;                                                                              \
	}
#define PROVIDE(name, call)                                                                        \
	static void name##_provide(struct things *t)                                               \
	{                                                                                          \
		call;                                                                              \
	}

static void drain(struct rill_channel *ch)
{
	uint64_t msg;

	CHECK(rill_channel_try_recv(ch, &msg), ==, 0);
}

static uint64_t some_message = 42;

PREPARE(mutex, rill_case_mutex_lock(c, &t->mutex))
PROVIDE(mutex, rill_mutex_unlock(&t->mutex))
PREPARE(notify, rill_case_notify(c, &t->notify))
PROVIDE(notify, rill_notify_one(&t->notify))
PREPARE(notified, rill_case_notified(c, &t->notified))
PROVIDE(notified, rill_notify_one(&t->notify_kept))
PREPARE(oneshot_recv, rill_case_oneshot_recv(c, t->oneshot, &t->msg[ONESHOT_RECV]))
PROVIDE(oneshot_recv, CHECK(rill_oneshot_send(t->oneshot, &some_message), ==, 0))
PREPARE(oneshot_closed, rill_case_oneshot_closed(c, t->oneshot_open))
PROVIDE(oneshot_closed, rill_oneshot_close(t->oneshot_open))
PREPARE(channel_recv, rill_case_channel_recv(c, t->empty, &t->msg[CHANNEL_RECV]))
PROVIDE(channel_recv, CHECK(rill_channel_try_send(t->empty, &some_message), ==, 0))
PREPARE(channel_send, rill_case_channel_send(c, t->full, &some_message))
PROVIDE(channel_send, drain(t->full))
PREPARE(channel_reserve, rill_case_channel_reserve(c, t->packed, 1))
PREPARE(channel_closed, rill_case_channel_closed(c, t->open))
PROVIDE(channel_closed, rill_channel_close(t->open))
PREPARE(semaphore, rill_case_semaphore_acquire(c, &t->sem, 2))
PROVIDE(semaphore, rill_semaphore_release(&t->sem, 2))
PREPARE(acquiring, rill_case_acquiring(c, &t->acquiring, 2))
PROVIDE(acquiring, rill_semaphore_release(&t->sem_kept, 2))
PREPARE(rwlock_read, rill_case_rwlock_read(c, &t->rwlock_read))
PROVIDE(rwlock_read, rill_rwlock_unlock_write(&t->rwlock_read))
PREPARE(rwlock_write, rill_case_rwlock_write(c, &t->rwlock_write))
PROVIDE(rwlock_write, rill_rwlock_unlock_write(&t->rwlock_write))
PREPARE(broadcast_recv, rill_case_broadcast_recv(c, &t->broadcast_rx, &t->msg[BROADCAST_RECV]))
PROVIDE(broadcast_recv, CHECK(rill_broadcast_send(t->broadcast, &some_message, NULL), ==, 0))
PREPARE(broadcast_closed, rill_case_broadcast_closed(c, t->broadcast_open))
PROVIDE(broadcast_closed, rill_broadcast_close_receiver(&t->broadcast_open_rx))
PREPARE(watch_changed, rill_case_watch_changed(c, &t->watch_rx))
PROVIDE(watch_changed, CHECK(rill_watch_send(t->watch, &some_message), ==, 0))
PREPARE(watch_closed, rill_case_watch_closed(c, t->watch_open))
PROVIDE(watch_closed, rill_watch_close_receiver(&t->watch_open_rx))
PREPARE(set_once, rill_case_set_once(c, &t->set_once, NULL))
PROVIDE(set_once, CHECK(rill_set_once_set(&t->set_once, t), ==, 0))
PREPARE(sleep, rill_case_sleep_until(c, t->start_ns + RILL_SEC))
PREPARE(interval, rill_case_interval_tick(c, &t->interval, NULL))
PREPARE(delay_queue, rill_case_delay_queue_next(c, t->delay_queue, RILL_DELAY_STAY, &t->expired))
PREPARE(join, rill_case_join(c, t->member[JOIN]))
PREPARE(join_set, rill_case_join_set(c, t->join_set, &t->outcome[JOIN_SET]))
PREPARE(join_queue, rill_case_join_queue(c, t->join_queue, &t->outcome[JOIN_QUEUE]))
PREPARE(join_map, rill_case_join_map(c, t->join_map, NULL, &t->outcome[JOIN_MAP]))
PREPARE(tracker, rill_case_tracker_wait(c, t->tracker))
PROVIDE(tracker, RILL_ASSERT(rill_tracker_close(t->tracker)))
PREPARE(token, rill_case_token(c, t->token))
PROVIDE(token, rill_token_cancel(t->token))

static void channel_reserve_provide(struct things *t)
{
	/* what was reserved, or what was there in the beginning */
	if (rill_channel_is_empty(t->packed))
		rill_channel_unreserve(t->packed, 1);
	else
		drain(t->packed);
}

static void advance_to(struct things *t, uint64_t after_ns)
{
	uint64_t now = rill_stepper_now(t->stepper);

	if (now < t->start_ns + after_ns)
		rill_stepper_advance(t->stepper, t->start_ns + after_ns - now);
}

PROVIDE(sleep, advance_to(t, RILL_SEC))
PROVIDE(interval, advance_to(t, 2 * RILL_SEC))

static void delay_queue_provide(struct things *t)
{
	struct rill_delay_key key;

	CHECK(rill_delay_queue_insert_at(t->delay_queue, t, 0, &key), ==, 0);
}

static void end_member(struct things *t, int kind)
{
	rill_abort(t->member[kind]);
	CHECK(rill_stepper_step_until_idle(t->stepper, t->member[kind]), ==, RILL_STEP_FINISHED);
}

PROVIDE(join, end_member(t, JOIN))
PROVIDE(join_set, end_member(t, JOIN_SET))
PROVIDE(join_queue, end_member(t, JOIN_QUEUE))
PROVIDE(join_map, end_member(t, JOIN_MAP))

enum {
	LASTING = 1, /* stays true when it was taken */
	ONCE = 2,    /* can't be provided again */
	ALONE = 4,   /* not for two cases of one select */
	CLOCK = 8,   /* comes with the time */
};

static const struct kind {
	void (*prepare)(struct things *t, struct rill_case *c);
	void (*provide)(struct things *t);
	unsigned flags;
} kinds[KINDS] = {
	[MUTEX] = {mutex_prepare, mutex_provide, 0},
	[NOTIFY] = {notify_prepare, notify_provide, 0},
	[NOTIFIED] = {notified_prepare, notified_provide, ONCE | LASTING | ALONE},
	[ONESHOT_RECV] = {oneshot_recv_prepare, oneshot_recv_provide, ONCE | ALONE},
	[ONESHOT_CLOSED] = {oneshot_closed_prepare, oneshot_closed_provide, LASTING | ALONE},
	[CHANNEL_RECV] = {channel_recv_prepare, channel_recv_provide, 0},
	[CHANNEL_SEND] = {channel_send_prepare, channel_send_provide, 0},
	[CHANNEL_RESERVE] = {channel_reserve_prepare, channel_reserve_provide, 0},
	[CHANNEL_CLOSED] = {channel_closed_prepare, channel_closed_provide, LASTING},
	[SEMAPHORE] = {semaphore_prepare, semaphore_provide, 0},
	[ACQUIRING] = {acquiring_prepare, acquiring_provide, ALONE},
	[RWLOCK_READ] = {rwlock_read_prepare, rwlock_read_provide, LASTING},
	[RWLOCK_WRITE] = {rwlock_write_prepare, rwlock_write_provide, 0},
	[BROADCAST_RECV] = {broadcast_recv_prepare, broadcast_recv_provide, 0},
	[BROADCAST_CLOSED] = {broadcast_closed_prepare, broadcast_closed_provide, LASTING},
	[WATCH_CHANGED] = {watch_changed_prepare, watch_changed_provide, 0},
	[WATCH_CLOSED] = {watch_closed_prepare, watch_closed_provide, LASTING},
	[SET_ONCE] = {set_once_prepare, set_once_provide, LASTING},
	[SLEEP] = {sleep_prepare, sleep_provide, CLOCK | LASTING},
	[INTERVAL] = {interval_prepare, interval_provide, CLOCK | ONCE},
	[DELAY_QUEUE] = {delay_queue_prepare, delay_queue_provide, 0},
	[JOIN] = {join_prepare, join_provide, ONCE | LASTING | ALONE},
	[JOIN_SET] = {join_set_prepare, join_set_provide, ONCE},
	[JOIN_QUEUE] = {join_queue_prepare, join_queue_provide, ONCE},
	[JOIN_MAP] = {join_map_prepare, join_map_provide, ONCE},
	[TRACKER] = {tracker_prepare, tracker_provide, LASTING},
	[TOKEN] = {token_prepare, token_provide, LASTING},
};

/* ---- all of them ---- */

static void provide(struct things *t, int kind)
{
	kinds[kind].provide(t);
	t->provided[kind] = true;
}

static struct rill_channel *channel_new(bool full)
{
	struct rill_channel *ch;

	CHECK(rill_channel_create(1, sizeof(uint64_t), &ch), ==, 0);
	if (full)
		CHECK(rill_channel_try_send(ch, &some_message), ==, 0);
	return ch;
}

static struct rill_broadcast *broadcast_new(struct rill_broadcast_rx *rx)
{
	struct rill_broadcast_options o = {RILL_OPTIONS(o), .capacity = 4, .msg_size = 8};
	struct rill_broadcast *b;

	CHECK(rill_broadcast_create(&o, &b), ==, 0);
	rill_broadcast_subscribe(b, rx);
	return b;
}

static struct rill_watch *watch_new(struct rill_watch_rx *rx)
{
	struct rill_watch_options o = {RILL_OPTIONS(o), .msg_size = sizeof(uint64_t)};
	struct rill_watch *w;

	CHECK(rill_watch_create(&o, &w), ==, 0);
	rill_watch_subscribe(w, rx);
	return w;
}

static void *member(void *arg)
{
	rill_notify_wait(arg);
	return arg;
}

static void members_init(struct things *t)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o),
				       .runtime = rill_stepper_runtime(t->stepper)};
	struct rill_abort_handle h;
	int key = 1;

	CHECK(rill_spawn_with(&o, member, &t->go, &t->member[JOIN]), ==, 0);
	CHECK(rill_join_set_create(&t->join_set), ==, 0);
	CHECK(rill_join_set_spawn_with(t->join_set, &o, member, &t->go, &h), ==, 0);
	t->member[JOIN_SET] = h.task;
	CHECK(rill_join_queue_create(&t->join_queue), ==, 0);
	CHECK(rill_join_queue_spawn_with(t->join_queue, &o, member, &t->go, &h), ==, 0);
	t->member[JOIN_QUEUE] = h.task;
	CHECK(rill_join_map_create(sizeof(key), &t->join_map), ==, 0);
	CHECK(rill_join_map_spawn_with(t->join_map, &key, &o, member, &t->go, &h), ==, 0);
	t->member[JOIN_MAP] = h.task;
	rill_stepper_run_until_idle(t->stepper);
}

static void locks_init(struct things *t)
{
	rill_mutex_init(&t->mutex);
	CHECK(rill_mutex_try_lock(&t->mutex), ==, 0);
	rill_notify_init(&t->notify);
	rill_notify_init(&t->notify_kept);
	rill_notify_init(&t->go);
	rill_notified_begin(&t->notified, &t->notify_kept);
	CHECK(rill_semaphore_init(&t->sem, 0), ==, 0);
	CHECK(rill_semaphore_init(&t->sem_kept, 0), ==, 0);
	rill_acquiring_begin(&t->acquiring, &t->sem_kept);
	rill_set_once_init(&t->set_once);
	rill_rwlock_init(&t->rwlock_read);
	CHECK(rill_rwlock_try_write(&t->rwlock_read), ==, 0);
	rill_rwlock_init(&t->rwlock_write);
	CHECK(rill_rwlock_try_write(&t->rwlock_write), ==, 0);
}

static void things_init(struct things *t, struct rill_stepper *s)
{
	*t = (struct things){.stepper = s, .start_ns = rill_stepper_now(s)};
	locks_init(t);
	CHECK(rill_oneshot_create(sizeof(uint64_t), &t->oneshot), ==, 0);
	CHECK(rill_oneshot_create(sizeof(uint64_t), &t->oneshot_open), ==, 0);
	t->empty = channel_new(false);
	t->full = channel_new(true);
	t->packed = channel_new(true);
	t->open = channel_new(false);
	t->broadcast = broadcast_new(&t->broadcast_rx);
	t->broadcast_open = broadcast_new(&t->broadcast_open_rx);
	t->watch = watch_new(&t->watch_rx);
	t->watch_open = watch_new(&t->watch_open_rx);
	CHECK(rill_interval_init_at(&t->interval, t->start_ns + 2 * RILL_SEC, 3600 * RILL_SEC,
				    RILL_MISSED_BURST),
	      ==, 0);
	CHECK(rill_delay_queue_create(1, &t->delay_queue), ==, 0);
	members_init(t);
	CHECK(rill_tracker_create(&t->tracker), ==, 0);
	CHECK(rill_token_create(&t->token), ==, 0);
}

static void channel_free(struct rill_channel *ch)
{
	rill_channel_close_sender(ch);
	rill_channel_close_receiver(ch);
}

static void subscriptions_fini(struct things *t)
{
	rill_broadcast_close_receiver(&t->broadcast_rx);
	rill_watch_close_receiver(&t->watch_rx);
	if (!t->provided[BROADCAST_CLOSED])
		rill_broadcast_close_receiver(&t->broadcast_open_rx);
	if (!t->provided[WATCH_CLOSED])
		rill_watch_close_receiver(&t->watch_open_rx);
	rill_broadcast_close_sender(t->broadcast);
	rill_broadcast_close_sender(t->broadcast_open);
	rill_watch_close_sender(t->watch);
	rill_watch_close_sender(t->watch_open);
}

static void things_fini(struct things *t)
{
	rill_notified_end(&t->notified);
	rill_acquiring_end(&t->acquiring);
	if (!t->provided[ONESHOT_RECV])
		rill_oneshot_close_sender(t->oneshot);
	rill_oneshot_close_receiver(t->oneshot);
	rill_oneshot_close_sender(t->oneshot_open);
	rill_oneshot_close_receiver(t->oneshot_open);
	/* reserved, and not given back */
	if (rill_channel_is_empty(t->packed) && rill_channel_capacity(t->packed) == 0)
		rill_channel_unreserve(t->packed, 1);
	channel_free(t->empty);
	channel_free(t->full);
	channel_free(t->packed);
	channel_free(t->open);
	subscriptions_fini(t);
	rill_delay_queue_destroy(t->delay_queue);
	rill_notify_all(&t->go);
	rill_detach(t->member[JOIN]);
	rill_join_set_destroy(t->join_set);
	rill_join_queue_destroy(t->join_queue);
	rill_join_map_destroy(t->join_map);
	rill_tracker_destroy(t->tracker);
	rill_token_unref(t->token);
	rill_stepper_run_until_idle(t->stepper);
}

/* ---- a select in a task of its own ---- */

struct wait {
	struct things *things;
	int kind[RILL_SELECT_MAX]; /* of each case */
	unsigned n;
	unsigned flags;
	struct rill_token *token; /* of its scope */
	struct rill_case cases[RILL_SELECT_MAX];
	bool prepared;
	int chosen;
	struct rill_task *task;
};

static void *wait_task(void *arg)
{
	struct wait *w = arg;
	struct rill_scope scope;

	for (unsigned i = 0; i < w->n && !w->prepared; i++) {
		/* whatever was there */
		memset(&w->cases[i], 0xa5, sizeof(w->cases[i]));
		kinds[w->kind[i]].prepare(w->things, &w->cases[i]);
	}
	w->prepared = true;
	rill_scope_begin(&scope, RILL_FOREVER, w->token);
	w->chosen = rill_select(w->cases, w->n, w->flags);
	rill_scope_end(&scope);
	return NULL;
}

/* Runs until it waits: RILL_STEP_PARKED; or until it has ended. */
static int wait_start(struct wait *w)
{
	struct rill_stepper *s = w->things->stepper;

	CHECK(rill_stepper_spawn(s, "wait", wait_task, w, &w->task), ==, 0);
	return rill_stepper_step_until_idle(s, w->task);
}

/* The kind that was chosen, or -errno. */
static int wait_end(struct wait *w)
{
	struct rill_stepper *s = w->things->stepper;
	struct rill_outcome o;

	if (!rill_stepper_is_finished(s, w->task))
		CHECK(rill_stepper_step_until_idle(s, w->task), ==, RILL_STEP_FINISHED);
	rill_stepper_result(s, w->task, &o);
	if (w->chosen < 0)
		return w->chosen;
	CHECK(w->cases[w->chosen].result, ==, 0);
	return w->kind[w->chosen];
}

/* Is it to be had? Takes it. */
static bool take(struct things *t, int kind)
{
	struct wait w = {.things = t, .kind = {kind}, .n = 1, .flags = RILL_SELECT_NONBLOCKING};

	CHECK(wait_start(&w), ==, RILL_STEP_FINISHED);
	if (w.chosen == 0 && w.cases[0].result < 0) {
		struct rill_outcome o;

		/* it says that there will be none */
		rill_stepper_result(t->stepper, w.task, &o);
		return false;
	}
	return wait_end(&w) == kind;
}

/* One of it, neither lost nor doubled. */
static void check_there(struct things *t, int kind)
{
	RILL_ASSERT(take(t, kind));
	CHECK(take(t, kind), ==, (bool)(kinds[kind].flags & LASTING));
}

static void check_taken(struct things *t, int kind)
{
	CHECK(take(t, kind), ==, (bool)(kinds[kind].flags & LASTING));
}

/* One case of each kind that can wait together with this one; of all, if it is KINDS. */
static void add_all(struct wait *w, int with)
{
	for (int k = 0; k < KINDS; k++)
		if (k == with || !(kinds[k].flags & CLOCK) || with == KINDS)
			w->kind[w->n++] = k;
}

static struct rill_stepper *stepper_new(void)
{
	struct rill_stepper *s;

	CHECK(rill_stepper_create(NULL, &s), ==, 0);
	return s;
}

/* ---- what is true of all ---- */

static void each_kind_ends_a_select_of_all(void **state)
{
	struct rill_stepper *s = stepper_new();

	for (int k = 0; k < KINDS; k++) {
		struct wait w = {0};
		struct things t;

		things_init(&t, s);
		w.things = &t;
		add_all(&w, k);
		CHECK(wait_start(&w), ==, RILL_STEP_PARKED);
		provide(&t, k);
		CHECK(wait_end(&w), ==, k);
		check_taken(&t, k);
		for (int other = 0; other < KINDS; other++)
			if (other != k && !(kinds[k].flags & kinds[other].flags & CLOCK))
				RILL_ASSERT(!take(&t, other) || (kinds[k].flags & CLOCK));
		things_fini(&t);
	}
	rill_stepper_destroy(s);
}

/* Both come true, before the select or while it waits, in either order. */
static void two_at_once(struct rill_stepper *s, int a, int b, bool before, unsigned flags)
{
	struct things t;
	struct wait w = {.things = &t, .kind = {a, b}, .n = 2, .flags = flags};

	things_init(&t, s);
	if (!before)
		CHECK(wait_start(&w), ==, RILL_STEP_PARKED);
	provide(&t, a);
	provide(&t, b);
	if (before)
		CHECK(wait_start(&w), ==, RILL_STEP_FINISHED);
	int won = wait_end(&w);

	RILL_ASSERT(won == a || won == b);
	if (flags & RILL_SELECT_BIASED)
		CHECK(won, ==, a);
	check_taken(&t, won);
	check_there(&t, won == a ? b : a);
	things_fini(&t);
}

static void the_loser_of_two_is_untouched(void **state)
{
	struct rill_stepper *s = stepper_new();

	for (int a = 0; a < KINDS; a++) {
		for (int b = 0; b < KINDS; b++) {
			if (a == b)
				continue;
			two_at_once(s, a, b, true, 0);
			two_at_once(s, a, b, true, RILL_SELECT_BIASED);
			two_at_once(s, a, b, false, 0);
		}
	}
	rill_stepper_destroy(s);
}

/* Of a select of all: before anything came true, or after one of them did. */
static void cancelled(struct rill_stepper *s, int given, bool by_token)
{
	struct wait w = {0};
	struct things t;

	things_init(&t, s);
	w.things = &t;
	add_all(&w, KINDS);
	CHECK(rill_token_create(&w.token), ==, 0);
	CHECK(wait_start(&w), ==, RILL_STEP_PARKED);
	if (given < KINDS)
		provide(&t, given);
	if (by_token)
		rill_token_cancel(w.token);
	else
		rill_abort(w.task);
	int r = wait_end(&w);

	RILL_ASSERT(r == -ECANCELED || (given < KINDS && (r == given || r == SLEEP)));
	for (int k = 0; k < KINDS; k++) {
		if (k == r) {
			check_taken(&t, k);
			continue;
		}
		if (!t.provided[k])
			provide(&t, k);
		check_there(&t, k);
	}
	rill_token_unref(w.token);
	things_fini(&t);
}

static void a_cancel_leaves_all_untouched(void **state)
{
	struct rill_stepper *s = stepper_new();

	for (int given = 0; given <= KINDS; given++) {
		cancelled(s, given, false);
		cancelled(s, given, true);
	}
	rill_stepper_destroy(s);
}

/* The same thing in two cases: one of the two gets it. As losers, none does. */
static void the_same_thing_twice(void **state)
{
	struct rill_stepper *s = stepper_new();

	for (int k = 0; k < KINDS; k++) {
		int other = k == TOKEN ? MUTEX : TOKEN;
		struct things t;
		struct wait won = {.things = &t, .kind = {k, k}, .n = 2};
		struct wait lost = {.things = &t, .kind = {other, k, k}, .n = 3};

		if (kinds[k].flags & ALONE)
			continue;
		things_init(&t, s);
		CHECK(wait_start(&won), ==, RILL_STEP_PARKED);
		provide(&t, k);
		CHECK(wait_end(&won), ==, k);
		check_taken(&t, k);
		things_fini(&t);

		things_init(&t, s);
		lost.flags = RILL_SELECT_BIASED;
		CHECK(wait_start(&lost), ==, RILL_STEP_PARKED);
		provide(&t, other);
		provide(&t, k);
		CHECK(wait_end(&lost), ==, other);
		check_there(&t, k);
		things_fini(&t);
	}
	rill_stepper_destroy(s);
}

/* ---- things that come true in the middle of a select ---- */

/*
 * A case whose arming, when all cases before it are armed, makes another one come true, and ends
 * the scope. Then it has completed itself, or not.
 */
struct trap {
	struct things *things;
	int kind;
	int result;
	struct rill_token *token;
};

static int trap_try(struct rill_await *aw)
{
	return -EAGAIN;
}

static int trap_arm(struct rill_await *aw)
{
	struct trap *trap = aw->obj;

	if (!trap->things->provided[trap->kind])
		provide(trap->things, trap->kind);
	if (trap->token)
		rill_token_cancel(trap->token);
	return trap->result;
}

static const struct rill_await_ops trap_ops = {.what = "trap", .try = trap_try, .arm = trap_arm};

struct trapped {
	struct trap trap;
	int chosen;
};

static void *trapped_task(void *arg)
{
	struct trapped *t = arg;
	struct rill_case c[2];
	struct rill_scope scope;

	kinds[t->trap.kind].prepare(t->trap.things, &c[0]);
	rill_await_init(rill_await_of(&c[1]), &trap_ops, &t->trap, NULL);
	rill_scope_begin(&scope, RILL_FOREVER, t->trap.token);
	t->chosen = rill_select(c, 2, RILL_SELECT_BIASED);
	rill_scope_end(&scope);
	RILL_ASSERT(t->chosen < 0 || c[t->chosen].result == 0);
	return NULL;
}

static void run_trapped(struct trapped *t)
{
	struct rill_stepper *s = t->trap.things->stepper;
	struct rill_outcome o;
	struct rill_task *task;

	CHECK(rill_stepper_spawn(s, "trapped", trapped_task, t, &task), ==, 0);
	CHECK(rill_stepper_step_until_idle(s, task), ==, RILL_STEP_FINISHED);
	rill_stepper_result(s, task, &o);
}

/* Can't be made to come true from within a task. */
static bool from_outside(int kind)
{
	return (kinds[kind].flags & CLOCK) || kind == JOIN || kind == JOIN_SET ||
	       kind == JOIN_QUEUE || kind == JOIN_MAP;
}

/* Another case completes at once, when this one was armed and has been handed what it waits for. */
static void handed_over_and_not_chosen(void **state)
{
	struct rill_stepper *s = stepper_new();

	for (int k = 0; k < KINDS; k++) {
		struct things things;
		struct trapped t = {.trap = {&things, k, 0, NULL}};

		if (from_outside(k))
			continue;
		things_init(&things, s);
		run_trapped(&t);
		CHECK(t.chosen, ==, 1);
		check_there(&things, k);
		things_fini(&things);
	}
	rill_stepper_destroy(s);
}

/* Before the task parks; with a scope that ends as well, the thing is taken. */
static void handed_over_before_the_park(void **state)
{
	struct rill_stepper *s = stepper_new();

	for (int n = 0; n < 2 * KINDS; n++) {
		int k = n / 2;
		struct things things;
		struct trapped t = {.trap = {&things, k, -EAGAIN, NULL}};

		if (from_outside(k))
			continue;
		things_init(&things, s);
		if (n % 2)
			CHECK(rill_token_create(&t.trap.token), ==, 0);
		run_trapped(&t);
		CHECK(t.chosen, ==, 0);
		check_taken(&things, k);
		rill_token_unref(t.trap.token);
		things_fini(&things);
	}
	rill_stepper_destroy(s);
}

/* Prepared once, chosen and not chosen many times. */
static void cases_can_be_used_again(void **state)
{
	struct rill_stepper *s = stepper_new();
	struct wait w = {0};
	struct things t;

	things_init(&t, s);
	w.things = &t;
	add_all(&w, KINDS);
	for (int round = 0; round < 3; round++) {
		for (int k = 0; k < KINDS; k++) {
			if (kinds[k].flags & (LASTING | ONCE | CLOCK))
				continue;
			CHECK(wait_start(&w), ==, RILL_STEP_PARKED);
			provide(&t, k);
			CHECK(wait_end(&w), ==, k);
		}
	}
	/* What can be had but once, and at last the things that stay. */
	for (int k = 0; k < KINDS; k++) {
		if (!(kinds[k].flags & ONCE) || (kinds[k].flags & (LASTING | CLOCK)))
			continue;
		CHECK(wait_start(&w), ==, RILL_STEP_PARKED);
		provide(&t, k);
		CHECK(wait_end(&w), ==, k);
		/* it would now say so, each time */
		for (unsigned i = 0; i < w.n; i++) {
			if (w.kind[i] != k)
				continue;
			w.kind[i] = w.kind[--w.n];
			w.cases[i] = w.cases[w.n];
		}
	}
	provide(&t, TOKEN);
	for (int round = 0; round < 3; round++) {
		CHECK(wait_start(&w), ==, RILL_STEP_FINISHED);
		CHECK(wait_end(&w), ==, TOKEN);
	}
	things_fini(&t);
	rill_stepper_destroy(s);
}

static void sixty_four_cases(void **state)
{
	struct rill_stepper *s = stepper_new();

	for (int k = 0; k < KINDS; k++) {
		struct wait w = {0};
		struct things t;

		things_init(&t, s);
		w.things = &t;
		add_all(&w, k);
		for (int i = 0; w.n < RILL_SELECT_MAX; i = (i + 1) % KINDS)
			if (!(kinds[i].flags & (ALONE | CLOCK)))
				w.kind[w.n++] = i;
		CHECK(wait_start(&w), ==, RILL_STEP_PARKED);
		provide(&t, k);
		CHECK(wait_end(&w), ==, k);
		check_taken(&t, k);
		things_fini(&t);
	}
	rill_stepper_destroy(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_ends_a_select_of_all),
		cmocka_unit_test(the_loser_of_two_is_untouched),
		cmocka_unit_test(a_cancel_leaves_all_untouched),
		cmocka_unit_test(the_same_thing_twice),
		cmocka_unit_test(handed_over_and_not_chosen),
		cmocka_unit_test(handed_over_before_the_park),
		cmocka_unit_test(cases_can_be_used_again),
		cmocka_unit_test(sixty_four_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
