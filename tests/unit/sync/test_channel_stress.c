/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thousand tasks and some plain threads send and receive in all ways on two channels, and are
 * cancelled at random. Whatever a call says is what happened: each message that was sent goes to
 * one receiver, or is dropped, once.
 */
#include "tests/unit/sync/channel_test.h"

#define SENDERS STRESS(1000)
#define RECEIVERS 12
#define THREADS 2
#define MESSAGES 50 /* of each sender */
#define PARTIES (SENDERS + THREADS)

/* One who sends or receives, with a half of both channels. */
struct party {
	uint64_t id;
	bool began;
	unsigned patience; /* a receiver leaves after so many messages */
	struct rill_task *task;
	pthread_t thread;
};

static struct rill_channel *channels[2];
static struct party senders[PARTIES], receivers[RECEIVERS + THREADS];
static bool sent[PARTIES * MESSAGES]; /* by whoever sends it; to be read after that */
static RILL_ATOMIC(uint8_t) gone[PARTIES * MESSAGES];

static void note(uint64_t msg)
{
	CHECK(msg, <, (uint64_t)PARTIES * MESSAGES);
	rill_fetch_add_relaxed(&gone[msg], (uint8_t)1);
}

static void note_drop(void *msg, void *arg)
{
	note(*(uint64_t *)msg);
}

static void setup(size_t first_capacity, size_t second_capacity)
{
	size_t capacities[] = {first_capacity, second_capacity};

	memset(sent, 0, sizeof(sent));
	memset(gone, 0, sizeof(gone));
	for (unsigned i = 0; i < 2; i++) {
		struct rill_channel_options o = {RILL_OPTIONS(o), capacities[i], sizeof(uint64_t),
						 note_drop, NULL};

		CHECK(rill_channel_create_with(&o, &channels[i]), ==, 0);
	}
}

/* ---- senders ---- */

static int send_by_select(uint64_t *msg)
{
	struct rill_case cases[2];

	rill_case_channel_send(&cases[0], channels[0], msg);
	rill_case_channel_send(&cases[1], channels[1], msg);
	int i = rill_select(cases, 2, 0);

	return i < 0 ? i : cases[i].result;
}

/* Takes some permits, and may or may not use one. Only the first channel is always bounded. */
static int send_by_permit(uint64_t *msg, uint32_t dice)
{
	size_t n = 1 + dice % 3;
	int r = rill_channel_reserve(channels[0], n);

	if (r < 0)
		return r;
	if (dice % 2) {
		rill_channel_unreserve(channels[0], n);
		return -EAGAIN;
	}
	rill_channel_send_reserved(channels[0], msg);
	rill_channel_unreserve(channels[0], n - 1);
	return 0;
}

/* Of two selects, on permits and on the end, the first. */
static int send_by_permit_case(uint64_t *msg)
{
	struct rill_case cases[3];

	rill_case_channel_reserve(&cases[0], channels[0], 2);
	rill_case_channel_closed(&cases[1], channels[1]);
	rill_case_channel_send(&cases[2], channels[1], msg);
	int i = rill_select(cases, 3, 0);

	if (i != 0 || cases[0].result < 0)
		return i < 0 ? i : i == 1 ? -EPIPE : cases[i].result;
	rill_channel_send_reserved(channels[0], msg);
	rill_channel_unreserve(channels[0], 1);
	return 0;
}

static int send_somehow(uint64_t *msg, uint32_t dice)
{
	switch (dice % 6) {
	case 0:
		return rill_channel_try_send(channels[dice / 6 % 2], msg);
	case 1:
		return send_by_permit(msg, dice / 6);
	case 2:
		return send_by_permit_case(msg);
	case 3:
		return send_by_select(msg);
	default:
		return rill_channel_send(channels[dice / 6 % 2], msg);
	}
}

static void close_senders(void)
{
	rill_channel_close_sender(channels[0]);
	rill_channel_close_sender(channels[1]);
}

static void *send_many(void *arg)
{
	struct party *p = arg;
	struct rill_rand rand;

	rill_store_relaxed(&p->began, true);
	rill_rand_init(&rand, p->id + 1);
	for (uint64_t i = 0; i < MESSAGES; i++) {
		uint64_t msg = p->id * MESSAGES + i;
		uint32_t dice = rill_rand_below(&rand, 1000);
		struct rill_scope scope;

		rill_scope_begin(&scope, dice < 200 ? rill_after(dice * RILL_US) : RILL_FOREVER,
				 NULL);
		int r = send_somehow(&msg, rill_rand_below(&rand, 1 << 20));

		rill_scope_end(&scope);
		sent[msg] = r == 0;
		if (r == -ECANCELED || r == -EPIPE)
			break;
	}
	close_senders();
	return NULL;
}

/* ---- receivers ---- */

/* 0, or -EPIPE of channel *at. */
static int recv_one(bool open[2], bool select, uint32_t dice, unsigned *at, unsigned *n)
{
	unsigned first = open[0] && (!open[1] || dice % 2) ? 0 : 1;
	struct rill_case cases[2];
	uint64_t msg[2];
	int i = 0;

	*at = first;
	if (!select || !open[!first]) {
		int r = rill_channel_recv(channels[first], &msg[0]);

		if (r == 0) {
			note(msg[0]);
			++*n;
		}
		return r;
	}
	for (unsigned c = 0; c < 2; c++)
		rill_case_channel_recv(&cases[c], channels[c], &msg[c]);
	i = rill_select(cases, 2, 0);
	if (i < 0)
		return i;
	*at = (unsigned)i;
	if (cases[i].result == 0) {
		note(msg[i]);
		++*n;
	}
	return cases[i].result;
}

static int recv_some(unsigned at, unsigned *n)
{
	uint64_t msgs[10];
	size_t got = 0;
	int r = rill_channel_recv_many(channels[at], msgs, RILL_ARRAY_SIZE(msgs), &got);

	for (size_t i = 0; i < got; i++)
		note(msgs[i]);
	*n += (unsigned)got;
	return r;
}

/* Until both have ended, it was cancelled, or has enough. */
static void receive(struct party *p, bool select)
{
	bool open[2] = {true, true};
	struct rill_rand rand;
	unsigned n = 0;

	rill_rand_init(&rand, p->id + 77);
	while ((open[0] || open[1]) && n < p->patience) {
		uint32_t dice = rill_rand_below(&rand, 1 << 20);
		unsigned at = dice % 2;
		int r;

		if (!select && dice / 2 % 3 == 0 && open[at])
			r = recv_some(at, &n);
		else
			r = recv_one(open, select || dice / 6 % 2, dice, &at, &n);
		if (r == -EPIPE)
			open[at] = false;
		else if (r < 0)
			break;
	}
}

static void close_receivers(void)
{
	rill_channel_close_receiver(channels[0]);
	rill_channel_close_receiver(channels[1]);
}

static void *receive_many(void *arg)
{
	struct party *p = arg;

	rill_store_relaxed(&p->began, true);
	/* If nobody stays who looks at both, each must. */
	receive(p, p->patience != UINT32_MAX);
	close_receivers();
	return NULL;
}

/* ---- all of them ---- */

static void start_senders(void)
{
	for (unsigned i = 0; i < PARTIES; i++) {
		senders[i] = (struct party){.id = i};
		rill_channel_add_sender(channels[0]);
		rill_channel_add_sender(channels[1]);
		if (i < SENDERS)
			senders[i].task = spawn(send_many, &senders[i]);
		else
			senders[i].thread = thread_start(send_many, &senders[i]);
	}
	close_senders();
}

static void start_receivers(unsigned patience)
{
	for (unsigned i = 0; i < RECEIVERS + THREADS; i++) {
		receivers[i] = (struct party){.id = i, .patience = patience};
		rill_channel_add_receiver(channels[0]);
		rill_channel_add_receiver(channels[1]);
		if (i < RECEIVERS)
			receivers[i].task = spawn(receive_many, &receivers[i]);
		else
			receivers[i].thread = thread_start(receive_many, &receivers[i]);
	}
}

static void abort_some(struct party *p, unsigned n, struct rill_rand *rand)
{
	for (unsigned i = 0; i < n; i++) {
		if (rill_rand_below(rand, 8) == 0)
			rill_yield();
		if (p[i].task && rill_rand_below(rand, 3) == 0)
			rill_abort(p[i].task);
	}
}

/* One that never began did not close its halves either. */
static void join_all(struct party *p, unsigned n, void (*close_halves)(void))
{
	for (unsigned i = 0; i < n; i++) {
		if (!p[i].task) {
			thread_join(p[i].thread);
			continue;
		}
		join(p[i].task);
		if (!rill_load_relaxed(&p[i].began))
			close_halves();
	}
}

static void check(void)
{
	for (unsigned i = 0; i < PARTIES * MESSAGES; i++)
		CHECK(gone[i], ==, sent[i]);
}

static void *receive_both(void *arg)
{
	receive(arg, true);
	return NULL;
}

static void stress(size_t first_capacity, size_t second_capacity)
{
	struct party steady = {.id = 1000, .patience = UINT32_MAX};
	struct rill_rand rand;

	rill_rand_init(&rand, first_capacity);
	setup(first_capacity, second_capacity);
	start_senders();
	start_receivers(UINT32_MAX);
	/* There is one who looks at both to the end. */
	steady.task = spawn(receive_both, &steady);
	abort_some(receivers, RECEIVERS, &rand);
	abort_some(senders, SENDERS, &rand);
	join_all(senders, PARTIES, close_senders);
	join_all(receivers, RECEIVERS + THREADS, close_receivers);
	join(steady.task);
	CHECK(rill_channel_len(channels[0]) + rill_channel_len(channels[1]), ==, 0u);
	CHECK(rill_channel_capacity(channels[0]), ==, first_capacity);
	close_receivers();
	check();
}

STRESS_TEST(stress_all_received)
{
	stress(3, 7);
	stress(4, RILL_UNBOUNDED);
	stress(1000, 3);
	return NULL;
}

/* The receivers leave one by one, and the last of them has the rest dropped. */
static void stress_leaving(size_t first_capacity, size_t second_capacity, unsigned patience)
{
	struct rill_rand rand;

	rill_rand_init(&rand, patience);
	setup(first_capacity, second_capacity);
	start_receivers(patience);
	start_senders();
	abort_some(senders, SENDERS, &rand);
	close_receivers();
	join_all(senders, PARTIES, close_senders);
	join_all(receivers, RECEIVERS + THREADS, close_receivers);
	check();
}

STRESS_TEST(stress_receivers_leave)
{
	for (unsigned patience = 1; patience < STRESS(1000); patience *= 10) {
		stress_leaving(3, 100, patience);
		stress_leaving(5, RILL_UNBOUNDED, patience);
	}
	return NULL;
}

/* Somebody else closes: what was sent until then is received. */
STRESS_TEST(stress_closed_meanwhile)
{
	for (unsigned round = 0; round < STRESS(20); round++) {
		struct party self = {.id = 1000, .patience = 20 * round};

		setup(3 + round, round % 2 ? RILL_UNBOUNDED : 5);
		start_senders();
		receive(&self, true);
		rill_channel_close(channels[0]);
		rill_channel_close(channels[1]);
		self.patience = UINT32_MAX;
		receive(&self, true);
		join_all(senders, PARTIES, close_senders);
		close_receivers();
		check();
	}
	return NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stress_all_received),
		cmocka_unit_test(stress_receivers_leave),
		cmocka_unit_test(stress_closed_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
