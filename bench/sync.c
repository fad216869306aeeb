/* SPDX-License-Identifier: BSD-3-Clause */
/* What locks and channels cost. */
#include "bench/bench.h"

#include <rill/sync.h>
#include <rill/task.h>

#include <errno.h>

#define LOCKS 100000
#define MESSAGES 100000
#define CAPACITY 1000

static int round_of_locks(void *state, uint64_t *ret_ops)
{
	struct rill_mutex mutex;
	volatile uint64_t guarded = 0;

	rill_mutex_init(&mutex);
	for (int i = 0; i < LOCKS; i++) {
		int err = rill_mutex_lock(&mutex);

		if (err < 0)
			return err;
		guarded = guarded + 1;
		rill_mutex_unlock(&mutex);
	}
	*ret_ops = LOCKS;
	return 0;
}

static void *producer(void *arg)
{
	struct rill_channel *ch = arg;

	for (uint64_t i = 0; i < MESSAGES; i++)
		if (rill_channel_send(ch, &i) < 0)
			break;
	rill_channel_close_sender(ch);
	return NULL;
}

/* Returns how many messages came. */
static void *consumer(void *arg)
{
	struct rill_channel *ch = arg;
	uintptr_t received = 0;
	uint64_t msg;

	while (rill_channel_recv(ch, &msg) == 0)
		received++;
	rill_channel_close_receiver(ch);
	return (void *)received;
}

static int round_of_messages(void *state, uint64_t *ret_ops)
{
	struct rill_task *from, *to;
	struct rill_channel *ch;
	void *received;
	int err = rill_channel_create(CAPACITY, sizeof(uint64_t), &ch);

	if (err < 0)
		return err;
	err = rill_spawn(producer, ch, &from);
	if (err < 0) {
		rill_channel_close_sender(ch);
		rill_channel_close_receiver(ch);
		return err;
	}
	err = rill_spawn(consumer, ch, &to);
	if (err < 0) {
		rill_channel_close_receiver(ch);
		rill_join(from, NULL);
		return err;
	}
	rill_join(from, NULL);
	rill_join(to, &received);
	*ret_ops = MESSAGES;
	return (uintptr_t)received == MESSAGES ? 0 : -EPROTO;
}

const struct bench bench_sync[] = {
	{.name = "mutex", .round = round_of_locks},
	{.name = "mpsc_1p1c", .round = round_of_messages},
	{0},
};
