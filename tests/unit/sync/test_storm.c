/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Everything at once: many tasks and a few plain threads do random things to a pool of all kinds of
 * objects, one call or one select at a time, under deadlines and aborts. In the end nothing may be
 * lost or doubled. Each kind is a line of a table.
 */
#include <rill/dump.h>
#include <rill/group.h>

#include "tests/unit/sync/sync_test.h"

#define TASKS 1000
#define THREADS 4
#define ROUNDS 60
#define THREAD_ROUNDS STRESS(4000)
#define CASES 6 /* of one select, at most */
#define EACH 3	/* objects of a kind */
#define PERMITS 5

struct locked {
	struct rill_mutex mutex;
	uint64_t count; /* under mutex */
	RILL_ATOMIC(uint64_t) expected;
};

struct shared {
	struct rill_rwlock lock;
	uint64_t a, b; /* equal, under lock */
	RILL_ATOMIC(unsigned) readers;
	RILL_ATOMIC(uint64_t) expected;
};

struct permits {
	struct rill_semaphore sem;
	RILL_ATOMIC(size_t) taken;
};

/* What went in, and what came out. */
struct flow {
	RILL_ATOMIC(uint64_t) in;
	RILL_ATOMIC(uint64_t) out;
};

struct pool {
	struct rill_runtime *rt, *other; /* half of the tasks are in each */
	struct locked locked[EACH];
	struct shared shared[EACH];
	struct permits permits[EACH];
	struct rill_channel *channel[EACH];
	struct flow channel_flow[EACH];
	struct rill_notify notify[EACH];
	RILL_ATOMIC(struct rill_oneshot *) oneshot[EACH]; /* a sender's half, or NULL */
	struct flow oneshot_flow;
	struct rill_set_once once;
	RILL_ATOMIC(unsigned) setters; /* that succeeded */
	struct rill_token *root;
	RILL_ATOMIC(struct rill_token *) token[EACH]; /* a reference, or NULL */
	struct rill_broadcast *broadcast;
	struct flow broadcast_flow; /* the channel's own copies */
	struct rill_watch *watch;
	RILL_ATOMIC(uint64_t) watch_count;
	struct rill_delay_queue *delay_queue;
	struct flow delay_flow;
	struct rill_join_set *join_set;
	struct flow join_flow;
	RILL_ATOMIC(uint64_t) progress;
	RILL_ATOMIC(bool) over;
};

/* One thing that is waited for. */
struct wait {
	unsigned kind;
	unsigned at; /* of EACH */
	uint64_t msg;
	struct rill_oneshot *oneshot;
	struct rill_token *token;
	struct rill_outcome outcome;
	struct rill_expired expired;
	void *value;
};

struct actor {
	struct pool *p;
	struct rill_rand rand;
	unsigned rounds;
	struct rill_broadcast_rx broadcast_rx;
	struct rill_watch_rx watch_rx;
	uint64_t watch_seen;
	struct wait wait[CASES];
};

static bool chance(struct actor *a, uint32_t one_in)
{
	return rill_rand_below(&a->rand, one_in) == 0;
}

/* With something held. */
static void dawdle(struct actor *a)
{
	if (chance(a, 4))
		rill_yield();
}

/* ---- locks ---- */

static void mutex_prepare(struct actor *a, struct wait *w, struct rill_case *c)
{
	rill_case_mutex_lock(c, &a->p->locked[w->at].mutex);
}

static int mutex_call(struct actor *a, struct wait *w)
{
	return rill_mutex_lock(&a->p->locked[w->at].mutex);
}

static void mutex_settle(struct actor *a, struct wait *w, int r)
{
	struct locked *l = &a->p->locked[w->at];

	CHECK(r, ==, 0);
	uint64_t count = l->count;

	dawdle(a);
	l->count = count + 1;
	rill_fetch_add_relaxed(&l->expected, 1);
	rill_mutex_unlock(&l->mutex);
}

static void read_prepare(struct actor *a, struct wait *w, struct rill_case *c)
{
	rill_case_rwlock_read(c, &a->p->shared[w->at].lock);
}

static int read_call(struct actor *a, struct wait *w)
{
	return rill_rwlock_read(&a->p->shared[w->at].lock);
}

static void read_settle(struct actor *a, struct wait *w, int r)
{
	struct shared *s = &a->p->shared[w->at];

	CHECK(r, ==, 0);
	rill_fetch_add_relaxed(&s->readers, 1);
	uint64_t seen = s->a;

	dawdle(a);
	CHECK(s->b, ==, seen);
	rill_fetch_sub_relaxed(&s->readers, 1);
	rill_rwlock_unlock_read(&s->lock);
}

static void write_prepare(struct actor *a, struct wait *w, struct rill_case *c)
{
	rill_case_rwlock_write(c, &a->p->shared[w->at].lock);
}

static int write_call(struct actor *a, struct wait *w)
{
	return rill_rwlock_write(&a->p->shared[w->at].lock);
}

static void write_settle(struct actor *a, struct wait *w, int r)
{
	struct shared *s = &a->p->shared[w->at];

	CHECK(r, ==, 0);
	CHECK(rill_load_relaxed(&s->readers), ==, 0u);
	s->a++;
	dawdle(a);
	s->b++;
	rill_fetch_add_relaxed(&s->expected, 1);
	if (chance(a, 3)) {
		rill_rwlock_downgrade(&s->lock);
		read_settle(a, w, 0);
		return;
	}
	rill_rwlock_unlock_write(&s->lock);
}

static void permits_prepare(struct actor *a, struct wait *w, struct rill_case *c)
{
	w->msg = 1 + rill_rand_below(&a->rand, PERMITS);
	rill_case_semaphore_acquire(c, &a->p->permits[w->at].sem, w->msg);
}

static int permits_call(struct actor *a, struct wait *w)
{
	w->msg = 1 + rill_rand_below(&a->rand, PERMITS);
	return rill_semaphore_acquire(&a->p->permits[w->at].sem, w->msg);
}

static void permits_settle(struct actor *a, struct wait *w, int r)
{
	struct permits *s = &a->p->permits[w->at];

	CHECK(r, ==, 0);
	CHECK(rill_fetch_add_relaxed(&s->taken, w->msg), <=, PERMITS - w->msg);
	dawdle(a);
	rill_fetch_sub_relaxed(&s->taken, w->msg);
	rill_semaphore_release(&s->sem, w->msg);
}

static void locks_init(struct pool *p)
{
	for (unsigned i = 0; i < EACH; i++) {
		rill_mutex_init(&p->locked[i].mutex);
		rill_rwlock_init(&p->shared[i].lock);
		CHECK(rill_semaphore_init(&p->permits[i].sem, PERMITS), ==, 0);
		rill_notify_init(&p->notify[i]);
	}
}

static void locks_check(struct pool *p)
{
	for (unsigned i = 0; i < EACH; i++) {
		CHECK(rill_mutex_try_lock(&p->locked[i].mutex), ==, 0);
		CHECK(p->locked[i].count, ==, p->locked[i].expected);
		CHECK(rill_rwlock_try_write(&p->shared[i].lock), ==, 0);
		CHECK(p->shared[i].a, ==, p->shared[i].expected);
		CHECK(p->shared[i].b, ==, p->shared[i].expected);
		CHECK(rill_semaphore_available(&p->permits[i].sem), ==, (size_t)PERMITS);
	}
}

/* ---- messages ---- */

static void recv_prepare(struct actor *a, struct wait *w, struct rill_case *c)
{
	rill_case_channel_recv(c, a->p->channel[w->at], &w->msg);
}

static int recv_call(struct actor *a, struct wait *w)
{
	return rill_channel_recv(a->p->channel[w->at], &w->msg);
}

static void recv_settle(struct actor *a, struct wait *w, int r)
{
	CHECK(r, ==, 0);
	rill_fetch_add_relaxed(&a->p->channel_flow[w->at].out, w->msg);
}

static void send_prepare(struct actor *a, struct wait *w, struct rill_case *c)
{
	w->msg = 1 + rill_rand_below(&a->rand, 1000);
	rill_case_channel_send(c, a->p->channel[w->at], &w->msg);
}

static int send_call(struct actor *a, struct wait *w)
{
	w->msg = 1 + rill_rand_below(&a->rand, 1000);
	return rill_channel_send(a->p->channel[w->at], &w->msg);
}

static void send_settle(struct actor *a, struct wait *w, int r)
{
	CHECK(r, ==, 0);
	rill_fetch_add_relaxed(&a->p->channel_flow[w->at].in, w->msg);
}

static void channels_init(struct pool *p)
{
	for (unsigned i = 0; i < EACH; i++)
		CHECK(rill_channel_create(1 + 3 * i, sizeof(uint64_t), &p->channel[i]), ==, 0);
}

static void channels_check(struct pool *p)
{
	uint64_t msg;

	for (unsigned i = 0; i < EACH; i++) {
		while (rill_channel_try_recv(p->channel[i], &msg) == 0)
			p->channel_flow[i].out += msg;
		CHECK(p->channel_flow[i].in, ==, p->channel_flow[i].out);
		rill_channel_close_sender(p->channel[i]);
		rill_channel_close_receiver(p->channel[i]);
	}
}

static void count_out(void *msg, void *arg)
{
	uint64_t value;

	memcpy(&value, msg, sizeof(value));
	rill_fetch_add_relaxed(&((struct flow *)arg)->out, value);
}

static void oneshot_feed(struct actor *a, struct rill_oneshot *sender)
{
	uint64_t msg = 1 + rill_rand_below(&a->rand, 1000);

	if (sender && chance(a, 4))
		rill_oneshot_close_sender(sender);
	else if (sender && rill_oneshot_send(sender, &msg) == 0)
		rill_fetch_add_relaxed(&a->p->oneshot_flow.in, msg);
}

/* Leaves the sender's half for others, and sends by the one that lay there. */
static void oneshot_new(struct actor *a, struct wait *w)
{
	struct rill_oneshot_options o = {RILL_OPTIONS(o), .msg_size = sizeof(uint64_t),
					 .drop = count_out, .arg = &a->p->oneshot_flow};

	CHECK(rill_oneshot_create_with(&o, &w->oneshot), ==, 0);
	/* acq_rel: hands the half over, and takes one */
	oneshot_feed(a, rill_exchange_acq_rel(&a->p->oneshot[w->at], w->oneshot));
}

static void oneshot_prepare(struct actor *a, struct wait *w, struct rill_case *c)
{
	oneshot_new(a, w);
	rill_case_oneshot_recv(c, w->oneshot, &w->msg);
}

static int oneshot_call(struct actor *a, struct wait *w)
{
	oneshot_new(a, w);
	return rill_oneshot_recv(w->oneshot, &w->msg);
}

static void oneshot_settle(struct actor *a, struct wait *w, int r)
{
	RILL_ASSERT(r == 0 || r == -EPIPE);
	if (r == 0)
		rill_fetch_add_relaxed(&a->p->oneshot_flow.out, w->msg);
}

static void oneshot_unwind(struct actor *a, struct wait *w)
{
	rill_oneshot_close_receiver(w->oneshot);
}

static void oneshot_act(struct actor *a, unsigned at)
{
	/* acq_rel: as in oneshot_new() */
	oneshot_feed(a, rill_exchange_acq_rel(&a->p->oneshot[at], NULL));
}

static void oneshot_check(struct pool *p)
{
	for (unsigned i = 0; i < EACH; i++)
		if (p->oneshot[i])
			rill_oneshot_close_sender(p->oneshot[i]);
	CHECK(p->oneshot_flow.in, ==, p->oneshot_flow.out);
}

static void broadcast_prepare(struct actor *a, struct wait *w, struct rill_case *c)
{
	rill_case_broadcast_recv(c, &a->broadcast_rx, &w->msg);
}

static int broadcast_call(struct actor *a, struct wait *w)
{
	return rill_broadcast_recv(&a->broadcast_rx, &w->msg);
}

static void broadcast_settle(struct actor *a, struct wait *w, int r)
{
	RILL_ASSERT((r == 0 && w->msg == 1) || r == -EOVERFLOW);
}

static void broadcast_act(struct actor *a, unsigned at)
{
	uint64_t one = 1;

	if (rill_broadcast_send(a->p->broadcast, &one, NULL) == 0)
		rill_fetch_add_relaxed(&a->p->broadcast_flow.in, 1);
}

static void broadcast_init(struct pool *p)
{
	struct rill_broadcast_options o = {RILL_OPTIONS(o), .capacity = 8,
					   .msg_size = sizeof(uint64_t), .drop = count_out,
					   .arg = &p->broadcast_flow};

	CHECK(rill_broadcast_create(&o, &p->broadcast), ==, 0);
}

static void broadcast_check(struct pool *p)
{
	CHECK(rill_broadcast_receiver_count(p->broadcast), ==, 0u);
	rill_broadcast_close_sender(p->broadcast);
	CHECK(p->broadcast_flow.in, ==, p->broadcast_flow.out);
}

static void add_one(void *value, void *arg)
{
	uint64_t n;

	memcpy(&n, value, sizeof(n));
	n++;
	memcpy(value, &n, sizeof(n));
}

static void watch_prepare(struct actor *a, struct wait *w, struct rill_case *c)
{
	rill_case_watch_changed(c, &a->watch_rx);
}

static int watch_call(struct actor *a, struct wait *w)
{
	return rill_watch_changed(&a->watch_rx);
}

static void watch_settle(struct actor *a, struct wait *w, int r)
{
	CHECK(r, ==, 0);
	rill_watch_rx_get_and_mark(&a->watch_rx, &w->msg);
	CHECK(w->msg, >, a->watch_seen);
	a->watch_seen = w->msg;
}

static void watch_act(struct actor *a, unsigned at)
{
	rill_fetch_add_relaxed(&a->p->watch_count, 1);
	rill_watch_send_modify(a->p->watch, add_one, NULL);
}

static void watch_init(struct pool *p)
{
	struct rill_watch_options o = {RILL_OPTIONS(o), .msg_size = sizeof(uint64_t)};

	CHECK(rill_watch_create(&o, &p->watch), ==, 0);
}

static void watch_check(struct pool *p)
{
	uint64_t value;

	rill_watch_get(p->watch, &value);
	CHECK(value, ==, p->watch_count);
	CHECK(rill_watch_receiver_count(p->watch), ==, 0u);
	rill_watch_close_sender(p->watch);
}

/* ---- signals ---- */

static void notify_prepare(struct actor *a, struct wait *w, struct rill_case *c)
{
	rill_case_notify(c, &a->p->notify[w->at]);
}

static int notify_call(struct actor *a, struct wait *w)
{
	return rill_notify_wait(&a->p->notify[w->at]);
}

static void notify_settle(struct actor *a, struct wait *w, int r)
{
	CHECK(r, ==, 0);
}

static void notify_act(struct actor *a, unsigned at)
{
	if (chance(a, 4))
		rill_notify_all(&a->p->notify[at]);
	else if (chance(a, 2))
		rill_notify_last(&a->p->notify[at]);
	else
		rill_notify_one(&a->p->notify[at]);
}

static void once_prepare(struct actor *a, struct wait *w, struct rill_case *c)
{
	rill_case_set_once(c, &a->p->once, &w->value);
}

static int once_call(struct actor *a, struct wait *w)
{
	return rill_set_once_wait(&a->p->once, &w->value);
}

static void once_settle(struct actor *a, struct wait *w, int r)
{
	CHECK(r, ==, 0);
	RILL_ASSERT(w->value == a->p);
}

/* Late, for the sake of those who wait. */
static void once_act(struct actor *a, unsigned at)
{
	if (chance(a, 100) && rill_set_once_set(&a->p->once, a->p) == 0)
		rill_fetch_add_relaxed(&a->p->setters, 1);
}

static void once_init(struct pool *p)
{
	rill_set_once_init(&p->once);
}

static void once_check(struct pool *p)
{
	CHECK(p->setters, ==, rill_set_once_is_set(&p->once) ? 1u : 0u);
}

static void cancel_and_unref(struct rill_token *t)
{
	if (!t)
		return;
	rill_token_cancel(t);
	rill_token_unref(t);
}

/* A child of the one that lies there, or of the root, takes its place. */
static void token_new(struct actor *a, struct wait *w)
{
	/* acq_rel: hands a reference over, and takes one */
	struct rill_token *old = rill_exchange_acq_rel(&a->p->token[w->at], NULL);
	bool from_old = old && !rill_token_is_cancelled(old) && chance(a, 2);

	CHECK(rill_token_child(from_old ? old : a->p->root, &w->token), ==, 0);
	rill_token_unref(old);
	/* acq_rel: as above */
	rill_token_unref(rill_exchange_acq_rel(&a->p->token[w->at], rill_token_ref(w->token)));
}

static void token_prepare(struct actor *a, struct wait *w, struct rill_case *c)
{
	token_new(a, w);
	rill_case_token(c, w->token);
}

static int token_call(struct actor *a, struct wait *w)
{
	token_new(a, w);
	return rill_token_wait(w->token);
}

static void token_settle(struct actor *a, struct wait *w, int r)
{
	CHECK(r, ==, 0);
	RILL_ASSERT(rill_token_is_cancelled(w->token));
}

static void token_unwind(struct actor *a, struct wait *w)
{
	rill_token_unref(w->token);
}

static void token_act(struct actor *a, unsigned at)
{
	/* acq_rel: as in token_new() */
	cancel_and_unref(rill_exchange_acq_rel(&a->p->token[at], NULL));
}

static void token_init(struct pool *p)
{
	CHECK(rill_token_create(&p->root), ==, 0);
}

static void token_check(struct pool *p)
{
	RILL_ASSERT(!rill_token_is_cancelled(p->root));
	rill_token_cancel(p->root);
	for (unsigned i = 0; i < EACH; i++) {
		RILL_ASSERT(!p->token[i] || rill_token_is_cancelled(p->token[i]));
		rill_token_unref(p->token[i]);
	}
	rill_token_unref(p->root);
}

/* ---- time and tasks ---- */

static void delay_prepare(struct actor *a, struct wait *w, struct rill_case *c)
{
	rill_case_delay_queue_next(c, a->p->delay_queue, RILL_DELAY_STAY, &w->expired);
}

static int delay_call(struct actor *a, struct wait *w)
{
	return rill_delay_queue_next(a->p->delay_queue, 0, &w->expired);
}

static void delay_settle(struct actor *a, struct wait *w, int r)
{
	RILL_ASSERT(r == 0 || r == -ENOENT);
	if (r == 0)
		rill_fetch_add_relaxed(&a->p->delay_flow.out, (uintptr_t)w->expired.value);
}

static void delay_act(struct actor *a, unsigned at)
{
	uint32_t value = 1 + rill_rand_below(&a->rand, 100);
	struct rill_delay_key key;

	CHECK(rill_delay_queue_insert(a->p->delay_queue, (void *)(uintptr_t)value, value * RILL_US,
				      &key),
	      ==, 0);
	rill_fetch_add_relaxed(&a->p->delay_flow.in, value);
}

static void delay_init(struct pool *p)
{
	CHECK(rill_delay_queue_create(0, &p->delay_queue), ==, 0);
}

static void count_expired(void *arg, const struct rill_expired *item)
{
	struct pool *p = arg;

	p->delay_flow.out += (uintptr_t)item->value;
}

static void delay_check(struct pool *p)
{
	rill_delay_queue_clear(p->delay_queue, count_expired, p);
	CHECK(p->delay_flow.in, ==, p->delay_flow.out);
	rill_delay_queue_destroy(p->delay_queue);
}

static void join_prepare(struct actor *a, struct wait *w, struct rill_case *c)
{
	rill_case_join_set(c, a->p->join_set, &w->outcome);
}

static int join_call(struct actor *a, struct wait *w)
{
	return rill_join_set_join_next(a->p->join_set, &w->outcome);
}

static void join_settle(struct actor *a, struct wait *w, int r)
{
	RILL_ASSERT(r == 0 || r == -ENOENT);
	if (r == 0)
		rill_fetch_add_relaxed(&a->p->join_flow.out, 1);
}

static void *short_lived(void *arg)
{
	rill_yield();
	return arg;
}

static void join_act(struct actor *a, unsigned at)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = a->p->rt};

	CHECK(rill_join_set_spawn_with(a->p->join_set, &o, short_lived, NULL, NULL), ==, 0);
	rill_fetch_add_relaxed(&a->p->join_flow.in, 1);
}

static void join_init(struct pool *p)
{
	CHECK(rill_join_set_create(&p->join_set), ==, 0);
}

static void join_check(struct pool *p)
{
	struct rill_outcome o;

	while (rill_join_set_join_next(p->join_set, &o) == 0)
		p->join_flow.out++;
	CHECK(p->join_flow.in, ==, p->join_flow.out);
	rill_join_set_destroy(p->join_set);
}

/* ---- the table ---- */

static const struct kind {
	void (*prepare)(struct actor *a, struct wait *w, struct rill_case *c);
	int (*call)(struct actor *a, struct wait *w);		/* the same, and waits for it */
	void (*settle)(struct actor *a, struct wait *w, int r); /* it was chosen */
	void (*unwind)(struct actor *a, struct wait *w);	/* after all that */
	void (*act)(struct actor *a, unsigned at);		/* does not wait */
	void (*init)(struct pool *p);
	void (*check)(struct pool *p);
} kinds[] = {
	{mutex_prepare, mutex_call, mutex_settle, NULL, NULL, locks_init, locks_check},
	{read_prepare, read_call, read_settle},
	{write_prepare, write_call, write_settle},
	{permits_prepare, permits_call, permits_settle},
	{recv_prepare, recv_call, recv_settle, NULL, NULL, channels_init, channels_check},
	{send_prepare, send_call, send_settle},
	{oneshot_prepare, oneshot_call, oneshot_settle, oneshot_unwind, oneshot_act, NULL,
	 oneshot_check},
	{broadcast_prepare, broadcast_call, broadcast_settle, NULL, broadcast_act, broadcast_init,
	 broadcast_check},
	{watch_prepare, watch_call, watch_settle, NULL, watch_act, watch_init, watch_check},
	{notify_prepare, notify_call, notify_settle, NULL, notify_act},
	{once_prepare, once_call, once_settle, NULL, once_act, once_init, once_check},
	{token_prepare, token_call, token_settle, token_unwind, token_act, token_init, token_check},
	{delay_prepare, delay_call, delay_settle, NULL, delay_act, delay_init, delay_check},
	{join_prepare, join_call, join_settle, NULL, join_act, join_init, join_check},
};

#define KINDS RILL_ARRAY_SIZE(kinds)

/* ---- actors ---- */

static void draw(struct actor *a, struct wait *w)
{
	w->kind = rill_rand_below(&a->rand, KINDS);
	w->at = rill_rand_below(&a->rand, EACH);
}

static void unwind(struct actor *a, struct wait *w)
{
	if (kinds[w->kind].unwind)
		kinds[w->kind].unwind(a, w);
}

static int one_call(struct actor *a)
{
	struct wait *w = &a->wait[0];

	draw(a, w);
	int r = kinds[w->kind].call(a, w);

	if (r != -ECANCELED && r != -ETIMEDOUT)
		kinds[w->kind].settle(a, w, r);
	unwind(a, w);
	return r;
}

static int one_select(struct actor *a)
{
	unsigned n = 1 + rill_rand_below(&a->rand, CASES);
	struct rill_case c[CASES];

	for (unsigned i = 0; i < n; i++) {
		draw(a, &a->wait[i]);
		kinds[a->wait[i].kind].prepare(a, &a->wait[i], &c[i]);
	}
	int r = rill_select(c, n, rill_rand_below(&a->rand, 4));

	if (r >= 0)
		kinds[a->wait[r].kind].settle(a, &a->wait[r], c[r].result);
	for (unsigned i = 0; i < n; i++)
		unwind(a, &a->wait[i]);
	return r;
}

static void one_act(struct actor *a)
{
	unsigned kind;

	do
		kind = rill_rand_below(&a->rand, KINDS);
	while (!kinds[kind].act);
	kinds[kind].act(a, rill_rand_below(&a->rand, EACH));
}

/* True until it was aborted. */
static bool one_round(struct actor *a)
{
	static const uint64_t deadline[] = {0, 20 * RILL_US, 200 * RILL_US, RILL_MS};
	struct rill_scope scope;

	one_act(a);
	rill_scope_begin(&scope, rill_after(deadline[rill_rand_below(&a->rand, 4)]), NULL);
	int r = chance(a, 2) ? one_call(a) : one_select(a);

	rill_scope_end(&scope);
	rill_fetch_add_relaxed(&a->p->progress, 1);
	return r != -ECANCELED;
}

static void *actor_run(void *arg)
{
	struct actor *a = arg;

	rill_broadcast_subscribe(a->p->broadcast, &a->broadcast_rx);
	rill_watch_subscribe(a->p->watch, &a->watch_rx);
	rill_watch_rx_get_and_mark(&a->watch_rx, &a->watch_seen);
	for (unsigned i = 0; i < a->rounds && one_round(a); i++)
		;
	rill_broadcast_close_receiver(&a->broadcast_rx);
	rill_watch_close_receiver(&a->watch_rx);
	return NULL;
}

static void actor_init(struct actor *a, struct pool *p, uint64_t seed, unsigned rounds)
{
	*a = (struct actor){.p = p, .rounds = rounds};
	rill_rand_init(&a->rand, seed);
}

/* ---- the storm ---- */

/* No wait is longer than a deadline: so many looks in vain, each after a sleep, are a hang. */
#define LOOKS_IN_VAIN 20000u

static void *watchdog(void *arg)
{
	struct pool *p = arg;
	uint64_t before = 0;

	for (unsigned looks = 0; !rill_load_relaxed(&p->over); looks++) {
		uint64_t now = rill_load_relaxed(&p->progress);

		if (now != before)
			looks = 0;
		before = now;
		if (looks == LOOKS_IN_VAIN)
			rill_runtime_dump(p->rt, stderr, RILL_DUMP_TEXT);
		CHECK(looks, <, LOOKS_IN_VAIN);
		rill_sleep(RILL_MS);
	}
	return NULL;
}

/* Every fourth one is aborted, by chance early or late. */
static void abort_some(struct pool *p, struct rill_task **tasks)
{
	for (unsigned i = 0; i < TASKS; i += 4) {
		uint64_t until = rill_load_relaxed(&p->progress) + ROUNDS;

		while (rill_load_relaxed(&p->progress) < until && !rill_is_finished(tasks[i]))
			rill_yield();
		rill_abort(tasks[i]);
	}
}

static void storm(struct pool *p, uint64_t seed)
{
	struct actor *actors = calloc(TASKS + THREADS, sizeof(*actors));
	struct rill_task *tasks[TASKS];
	pthread_t threads[THREADS], watch = thread_start(watchdog, p);

	for (unsigned i = 0; i < TASKS; i++) {
		struct rill_spawn_options o = {RILL_OPTIONS(o),
					       .runtime = i % 2 ? p->other : p->rt};

		actor_init(&actors[i], p, seed + i, ROUNDS);
		CHECK(rill_spawn_with(&o, actor_run, &actors[i], &tasks[i]), ==, 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		actor_init(&actors[TASKS + i], p, seed + TASKS + i, THREAD_ROUNDS);
		threads[i] = thread_start(actor_run, &actors[TASKS + i]);
	}
	abort_some(p, tasks);
	for (unsigned i = 0; i < TASKS; i++)
		join(tasks[i]);
	for (unsigned i = 0; i < THREADS; i++)
		thread_join(threads[i]);
	rill_store_relaxed(&p->over, true);
	thread_join(watch);
	free(actors);
}

static void *storm_task(void *arg)
{
	struct pool *p = arg;

	p->rt = rill_runtime_current();
	for (unsigned i = 0; i < KINDS; i++)
		if (kinds[i].init)
			kinds[i].init(p);
	storm(p, 1);
	for (unsigned i = 0; i < KINDS; i++)
		if (kinds[i].check)
			kinds[i].check(p);
	return NULL;
}

static void nothing_is_lost_or_doubled(void **state)
{
	struct pool *p = calloc(1, sizeof(*p));

	p->other = runtime_start(RILL_MULTI_THREAD);
	run_on(RILL_MULTI_THREAD, storm_task, p);
	CHECK(rill_runtime_destroy(p->other), ==, 0);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_or_doubled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
