/* SPDX-License-Identifier: BSD-3-Clause */
/* What channels cost. */
#include "bench/bench.h"

#include <rill/broadcast.h>
#include <rill/select.h>
#include <rill/sync.h>
#include <rill/task.h>
#include <rill/watch.h>

#include <errno.h>
#include <stdatomic.h>

#define ROUND_TRIPS 10000
#define MESSAGES 100000
#define CAPACITY 1000
#define UNBOUNDED_MESSAGES 10000
#define PRODUCERS 4
#define CHANNELS 8
#define SELECT_CAPACITY 16
#define SELECTS 10000
#define LISTENERS 8
#define BROADCAST_CAPACITY 128
#define BROADCASTS 100
#define VERSIONS 1000

static void expect(uint64_t message, uint64_t expected)
{
	bench_must(message == expected ? 0 : -EPROTO, "message");
}

static struct rill_channel *new_channel(size_t capacity)
{
	struct rill_channel *ch;

	bench_must(rill_channel_create(capacity, sizeof(uint64_t), &ch), "channel");
	return ch;
}

/* ---- one receiver ---- */

/* Two tasks play with one ball, over two channels with room for it. */
struct rally {
	struct rill_channel *served, *returned;
};

static void *server(void *arg)
{
	struct rally *r = arg;
	uint64_t ball;

	for (uint64_t i = 0; i < ROUND_TRIPS; i++) {
		bench_must(rill_channel_send(r->served, &i), "send");
		bench_must(rill_channel_recv(r->returned, &ball), "recv");
		expect(ball, i);
	}
	rill_channel_close_sender(r->served);
	rill_channel_close_receiver(r->returned);
	return NULL;
}

static void *returner(void *arg)
{
	struct rally *r = arg;
	uint64_t ball;

	while (rill_channel_recv(r->served, &ball) == 0)
		bench_must(rill_channel_send(r->returned, &ball), "send");
	rill_channel_close_receiver(r->served);
	rill_channel_close_sender(r->returned);
	return NULL;
}

static int round_of_round_trips(void *state, uint64_t *ret_ops)
{
	struct rally r = {new_channel(1), new_channel(1)};
	struct rill_task *tasks[2];

	tasks[0] = bench_spawn(returner, &r);
	tasks[1] = bench_spawn(server, &r);
	bench_join_all(tasks, 2);
	*ret_ops = ROUND_TRIPS;
	return 0;
}

struct traffic {
	struct rill_channel *ch;
	uint64_t each; /* messages of a producer */
};

static void *producer(void *arg)
{
	struct traffic *t = arg;

	for (uint64_t i = 0; i < t->each; i++)
		bench_must(rill_channel_send(t->ch, &i), "send");
	rill_channel_close_sender(t->ch);
	return NULL;
}

/* Returns how many messages came. */
static void *consumer(void *arg)
{
	struct traffic *t = arg;
	uintptr_t received = 0;
	uint64_t message;

	while (rill_channel_recv(t->ch, &message) == 0)
		received++;
	rill_channel_close_receiver(t->ch);
	return (void *)received;
}

static int carry(size_t capacity, unsigned producers, uint64_t messages, uint64_t *ret_ops)
{
	struct traffic t = {new_channel(capacity), messages / producers};
	struct rill_task *from[PRODUCERS], *to;
	void *received;

	for (unsigned i = 1; i < producers; i++)
		rill_channel_add_sender(t.ch);
	for (unsigned i = 0; i < producers; i++)
		from[i] = bench_spawn(producer, &t);
	to = bench_spawn(consumer, &t);
	bench_join_all(from, producers);
	bench_must(rill_join(to, &received), "join");
	*ret_ops = messages;
	return (uintptr_t)received == messages ? 0 : -EPROTO;
}

static int round_of_one_producer(void *state, uint64_t *ret_ops)
{
	return carry(CAPACITY, 1, MESSAGES, ret_ops);
}

static int round_of_producers(void *state, uint64_t *ret_ops)
{
	return carry(CAPACITY, PRODUCERS, MESSAGES, ret_ops);
}

static int round_unbounded(void *state, uint64_t *ret_ops)
{
	return carry(RILL_UNBOUNDED, 1, UNBOUNDED_MESSAGES, ret_ops);
}

/* The one channel of many that has a message is found. */
static int round_of_selects(void *state, uint64_t *ret_ops)
{
	struct rill_channel *channels[CHANNELS];
	struct rill_case cases[CHANNELS];
	uint64_t message;

	for (int i = 0; i < CHANNELS; i++)
		channels[i] = new_channel(SELECT_CAPACITY);
	for (uint64_t i = 0; i < SELECTS; i++) {
		int full = i % CHANNELS;

		bench_must(rill_channel_try_send(channels[full], &i), "send");
		for (int c = 0; c < CHANNELS; c++)
			rill_case_channel_recv(&cases[c], channels[c], &message);
		expect(rill_select(cases, CHANNELS, 0), full);
		expect(message, i);
	}
	for (int i = 0; i < CHANNELS; i++) {
		rill_channel_close_sender(channels[i]);
		rill_channel_close_receiver(channels[i]);
	}
	*ret_ops = SELECTS;
	return 0;
}

/* ---- many receivers ---- */

/* Listeners say that they have heard what was said, and the speaker waits for all of them. */
struct audience {
	atomic_uint left;
	struct rill_notify all;
};

static void audience_init(struct audience *a)
{
	atomic_init(&a->left, LISTENERS);
	rill_notify_init(&a->all);
}

static void heard(struct audience *a)
{
	if (atomic_fetch_sub_explicit(&a->left, 1, memory_order_relaxed) > 1)
		return;
	/* Before the speaker goes on: the next to count are those of the next time. */
	atomic_store_explicit(&a->left, LISTENERS, memory_order_relaxed);
	rill_notify_one(&a->all);
}

struct broadcast_listener {
	struct rill_broadcast_rx rx;
	struct audience *audience;
};

static void *broadcast_listener(void *arg)
{
	struct broadcast_listener *l = arg;
	uint64_t message;

	for (int n = 0; n < BROADCASTS; n++) {
		for (uint64_t i = 0; i < BROADCAST_CAPACITY; i++) {
			bench_must(rill_broadcast_recv(&l->rx, &message), "recv");
			expect(message, i);
		}
		heard(l->audience);
	}
	rill_broadcast_close_receiver(&l->rx);
	return NULL;
}

/* As many messages as there is room for, again and again, so that nobody loses any. */
static int round_of_broadcasts(void *state, uint64_t *ret_ops)
{
	struct rill_broadcast_options o = {RILL_OPTIONS(o), .capacity = BROADCAST_CAPACITY,
					   .msg_size = sizeof(uint64_t)};
	struct broadcast_listener listeners[LISTENERS];
	struct rill_task *tasks[LISTENERS];
	struct rill_broadcast *b;
	struct audience a;

	audience_init(&a);
	bench_must(rill_broadcast_create(&o, &b), "broadcast");
	for (int i = 0; i < LISTENERS; i++) {
		listeners[i].audience = &a;
		rill_broadcast_subscribe(b, &listeners[i].rx);
		tasks[i] = bench_spawn(broadcast_listener, &listeners[i]);
	}
	for (int n = 0; n < BROADCASTS; n++) {
		for (uint64_t i = 0; i < BROADCAST_CAPACITY; i++)
			bench_must(rill_broadcast_send(b, &i, NULL), "send");
		bench_must(rill_notify_wait(&a.all), "wait");
	}
	bench_join_all(tasks, LISTENERS);
	rill_broadcast_close_sender(b);
	*ret_ops = BROADCASTS * BROADCAST_CAPACITY;
	return 0;
}

struct watch_listener {
	struct rill_watch_rx rx;
	struct audience *audience;
};

static void *watch_listener(void *arg)
{
	struct watch_listener *l = arg;
	uint64_t value;

	for (uint64_t version = 1; version <= VERSIONS; version++) {
		bench_must(rill_watch_changed(&l->rx), "changed");
		rill_watch_rx_get(&l->rx, &value);
		expect(value, version);
		heard(l->audience);
	}
	rill_watch_close_receiver(&l->rx);
	return NULL;
}

static int round_of_versions(void *state, uint64_t *ret_ops)
{
	struct rill_watch_options o = {RILL_OPTIONS(o), .msg_size = sizeof(uint64_t)};
	struct watch_listener listeners[LISTENERS];
	struct rill_task *tasks[LISTENERS];
	struct rill_watch *w;
	struct audience a;

	audience_init(&a);
	bench_must(rill_watch_create(&o, &w), "watch");
	for (int i = 0; i < LISTENERS; i++) {
		listeners[i].audience = &a;
		rill_watch_subscribe(w, &listeners[i].rx);
		tasks[i] = bench_spawn(watch_listener, &listeners[i]);
	}
	for (uint64_t version = 1; version <= VERSIONS; version++) {
		bench_must(rill_watch_send(w, &version), "send");
		bench_must(rill_notify_wait(&a.all), "wait");
	}
	bench_join_all(tasks, LISTENERS);
	rill_watch_close_sender(w);
	*ret_ops = VERSIONS;
	return 0;
}

const struct bench bench_channels[] = {
	{.name = "mpsc1_pingpong", .round = round_of_round_trips},
	{.name = "mpsc_1p1c", .round = round_of_one_producer},
	{.name = "mpsc_4p1c", .round = round_of_producers},
	{.name = "mpsc_unbounded_1p1c", .round = round_unbounded},
	{.name = "select_8", .round = round_of_selects},
	{.name = "broadcast_1to8", .round = round_of_broadcasts},
	{.name = "watch", .round = round_of_versions},
	{0},
};
