/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The accept queues of the shards against accepts that wait, are given up, or meet the listener's
 * end: each connection is handed out once or stays queued, and nobody waits beside one.
 */
#include "netstack/socket/accept.c"
#include "netstack/stack/listener.c"

#include <rill/task.h>

#include "base/clock.h"
#include "tests/model/doubles.h"

#define SHARDS 2

static struct rill_net net;
static struct rill_shard shards[SHARDS];
static struct rill_spinlock held[SHARDS]; /* a shard's word, see test_shard.c */
static struct rill_tcp conns[SHARDS];
static unsigned accepted[SHARDS]; /* how often each was handed out */
static unsigned aborted[SHARDS];

/* A listener and its parts, one for each shard. */
static _Alignas(RILL_CACHE_LINE) char memory[sizeof(struct rill_listener) +
					     SHARDS * sizeof(struct rill_listener_part)];
static struct rill_listener *const listener = (struct rill_listener *)(void *)memory;

/* ---- neighbours ---- */

void rill_shard_call(struct rill_shard *sh, void (*fn)(struct rill_shard *sh, void *arg), void *arg)
{
	struct rill_wake_batch wakes;

	rill_spin_lock(&held[sh->index]);
	fn(sh, arg);
	wakes = sh->wakes;
	sh->wakes = (struct rill_wake_batch)RILL_WAKE_BATCH_INIT;
	rill_spin_unlock(&held[sh->index]);
	rill_wake_flush(&wakes);
}

struct rill_shard *rill_net_shard(struct rill_net *n)
{
	return &n->shards[0];
}

void rill_net_unbind(struct rill_net *n, struct rill_port_table *t, struct rill_net_binding *b)
{
}

/* Nobody has it in a poll set. */
void rill_polls_notify(struct rill_polls *p, struct rill_net *n, struct rill_wake_batch *wakes)
{
}

struct rill_conn *rill_acceptor_pop(struct rill_acceptor *a)
{
	struct rill_list *n = rill_list_pop_front(&a->ready);

	if (!n)
		return NULL;
	a->ready_count--;
	return RILL_LIST_ENTRY(n, struct rill_conn, link);
}

void rill_acceptor_unpop(struct rill_acceptor *a, struct rill_conn *c)
{
	rill_list_push_front(&a->ready, &c->link);
	a->ready_count++;
}

void rill_conn_abort(struct rill_conn *c)
{
	aborted[rill_tcp_of(c) - conns]++;
}

void rill_acceptor_fini(struct rill_acceptor *a)
{
	struct rill_conn *c;

	while ((c = rill_acceptor_pop(a)))
		rill_conn_abort(c);
}

/* ---- the test ---- */

static void setup(void)
{
	rill_doubles_reset();
	memset(memory, 0, sizeof(memory));
	memset(conns, 0, sizeof(conns));
	memset(accepted, 0, sizeof(accepted));
	memset(aborted, 0, sizeof(aborted));
	net.shards = shards;
	net.shard_count = SHARDS;
	listener->net = &net;
	rill_list_init(&listener->binding.link);
	rill_list_init(&listener->waiters);
	for (unsigned i = 0; i < SHARDS; i++) {
		held[i] = (struct rill_spinlock){0};
		shards[i].index = i;
		shards[i].net = &net;
		shards[i].wakes = (struct rill_wake_batch)RILL_WAKE_BATCH_INIT;
		listener->parts[i].listener = listener;
		listener->parts[i].open = true;
		rill_list_init(&listener->parts[i].acceptor.ready);
		rill_list_init(&conns[i].conn.link);
		conns[i].conn.core = &shards[i].core;
	}
	rill_model_name(memory, sizeof(memory), "listener");
}

static void arrive_held(struct rill_shard *sh, void *arg)
{
	struct rill_listener_part *part = &listener->parts[sh->index];

	/* As the acceptor does, for a port that is no longer there. */
	if (!part->open) {
		aborted[sh->index]++;
		return;
	}
	rill_list_push_back(&part->acceptor.ready, &conns[sh->index].conn.link);
	part->acceptor.ready_count++;
	rill_listener_acceptable(&sh->core, &part->acceptor);
}

static void arrive_0(void)
{
	rill_shard_call(&shards[0], arrive_held, NULL);
}

static void arrive_1(void)
{
	rill_shard_call(&shards[1], arrive_held, NULL);
}

static int accept_one(void)
{
	struct rill_tcp *t = NULL;
	int r = rill_tcp_accept(listener, &t);

	if (r == 0)
		accepted[t - conns]++;
	return r;
}

static void wait(void)
{
	RILL_ASSERT_CMP(accept_one(), ==, 0);
}

/* With a deadline, which comes at any time. */
static void wait_a_while(void)
{
	struct rill_scope s;

	rill_scope_begin(&s, rill_clock_mono() + 1, NULL);
	accept_one();
	rill_scope_end(&s);
}

static void wait_for_the_end(void)
{
	int r = accept_one();

	RILL_ASSERT(r == 0 || r == -ESHUTDOWN);
}

static void end(void)
{
	rill_listener_shutdown(listener);
}

/* Of each connection that arrived: handed out, queued, or aborted, and only one of them. */
static void check(unsigned arrived)
{
	for (unsigned i = 0; i < arrived; i++) {
		unsigned queued = listener->parts[i].acceptor.ready_count;

		RILL_ASSERT_CMP(accepted[i] + aborted[i] + queued, ==, 1u);
		RILL_ASSERT_CMP(rill_load_relaxed(&listener->parts[i].ready), ==, queued);
	}
	RILL_ASSERT(rill_list_empty(&listener->waiters));
	RILL_ASSERT_CMP(rill_load_relaxed(&listener->waiting), ==, 0u);
}

static void check_0(void)
{
	check(0);
}

static void check_1(void)
{
	check(1);
}

static void check_2(void)
{
	check(2);
}

/* preemptions 0: the default. Four threads have too many interleavings for it. */
#define TEST(n, preemptions_, check_, ...)                                                         \
	{                                                                                          \
		.name = n, .setup = setup, .threads = {__VA_ARGS__}, .check = check_,              \
		.exhaustive = true, .preemptions = preemptions_,                                   \
	}

static const struct rill_model_test tests[] = {
	TEST("wait", 0, check_1, wait, arrive_0),
	TEST("steal", 1, check_2, wait, wait, arrive_0, arrive_1),
	TEST("cancel", 0, check_1, wait_a_while, arrive_0),
	TEST("hand_on", 1, check_2, wait_a_while, wait, arrive_0, arrive_1),
	TEST("end", 0, check_0, wait_for_the_end, end),
	TEST("end_arrive", 0, check_1, wait_for_the_end, end, arrive_0),
	TEST("end_cancel", 0, check_1, wait_a_while, end, arrive_0),
};

#define LISTENER "netstack/stack/listener.c"
#define ACCEPT "netstack/socket/accept.c"

static const struct rill_model_mutation mutations[] = {
	{"ready_relaxed", "wait", LISTENER, "became_ready", "rmw", "ready", RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"ready_not_told", "wait", LISTENER, "became_ready", "rmw", "ready", RILL_MODEL_SKIP, 0, 0},
	{"waiting_not_told", "wait", ACCEPT, "accept_arm", "rmw", "waiting", RILL_MODEL_SKIP, 0, 0},
	{"waiting_not_looked_at", "wait", LISTENER, "became_ready", "load", "waiting",
	 RILL_MODEL_VALUE, 0, 0},
	{"ready_not_looked_at", "wait", ACCEPT, "accept_arm", "load", "ready", RILL_MODEL_VALUE, 0,
	 0},
	{"pop_not_told", "steal", LISTENER, "rill_listener_pop", "store", "ready", RILL_MODEL_SKIP,
	 0, 0},
	{"unlock_relaxed", "wait", "base/spinlock.h", "rill_spin_unlock", "store", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
