/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shard's word: lock and mailbox in one. Every operation runs exactly once, one at a time, and
 * a caller goes on only when its operation has run and nobody touches its stack any more.
 */
#include <string.h>

#include "netstack/stack/shard.c"

#include "tests/model/doubles.h"

static struct rill_shard shard;
static struct rill_net net;
static struct rill_nic_queue queue;
static unsigned ran; /* what the shard guards */
static bool posted_ran[RILL_MODEL_THREADS + 1];

struct posted {
	struct rill_shard_op op;
	unsigned thread;
};
static struct posted posted[RILL_MODEL_THREADS + 1];

/* ---- neighbours ---- */

void rill_core_settle(struct rill_core *core)
{
}

void rill_l3_tx_drop(struct rill_l3 *l3, struct rill_buf *b, enum rill_drop reason)
{
}

/* ---- the test ---- */

static void setup(void)
{
	rill_doubles_reset();
	/* as far as entering and leaving look */
	shard.word = NULL;
	shard.net = &net;
	shard.queue = &queue;
	shard.core.now_ns = 0;
	shard.wakes = (struct rill_wake_batch)RILL_WAKE_BATCH_INIT;
	shard.tx_pending = false;
	shard.core.timers.next_ns = UINT64_MAX;
	shard.core.syns.next_ns = UINT64_MAX;
	shard.core.syns.next_ns = UINT64_MAX;
	shard.core.l3.next_timer_ns = UINT64_MAX;
	shard.poller.deadline_ns = UINT64_MAX;
	ran = 0;
	memset(posted_ran, 0, sizeof(posted_ran));
	rill_model_name(&shard, sizeof(shard), "shard");
}

static void count(struct rill_shard *sh, void *arg)
{
	unsigned *result = arg;

	*result = ++ran;
}

/* Where the call has lain something else lies now. */
static RILL_NOINLINE void reuse_stack(void)
{
	/* the return address, and the frame pointer */
	const char *end = (const char *)__builtin_frame_address(0) + 16;

	rill_model_plain(end - 1024, 1024, true, NULL, RILL_MODEL_SITE("the stack"));
}

static void call(void)
{
	unsigned result = 0;

	rill_shard_call(&shard, count, &result);
	RILL_ASSERT(result > 0);
	reuse_stack();
}

static void call_twice(void)
{
	call();
	call();
}

static void on_posted(struct rill_shard *sh, struct rill_shard_op *op)
{
	struct posted *p = RILL_CONTAINER_OF(op, struct posted, op);

	ran++;
	posted_ran[p->thread] = true;
}

/* Nobody waits for this one. */
static void post(void)
{
	struct posted *p = &posted[rill_model_self()];

	p->op.fn = on_posted;
	p->thread = rill_model_self();
	if (!rill_shard_post(&shard, &p->op))
		return;
	on_posted(&shard, &p->op);
	rill_shard_leave(&shard);
}

/* As a poll that finds the shard busy gives up. */
static void poll_once(void)
{
	if (!try_enter(&shard))
		return;
	entered(&shard, 0);
	ran += 10;
	rill_shard_leave(&shard);
}

static void check(unsigned expected)
{
	RILL_ASSERT(shard.word == NULL);
	RILL_ASSERT_CMP(ran % 10, ==, expected);
}

static void check_2(void)
{
	check(2);
}

static void check_3(void)
{
	check(3);
}

#define TEST(n, check_, ...)                                                                       \
	{                                                                                          \
		.name = n, .setup = setup, .threads = {__VA_ARGS__}, .check = check_,              \
		.exhaustive = true,                                                                \
	}

static const struct rill_model_test tests[] = {
	TEST("calls", check_2, call, call),
	TEST("calls_again", check_3, call_twice, call),
	TEST("calls_3", check_3, call, call, call),
	TEST("posts", check_3, post, post, post),
	TEST("poll", check_2, poll_once, call, post),
};

#define SHARD "netstack/stack/shard.c"

static const struct rill_model_mutation mutations[] = {
	{"enter_relaxed", "calls", SHARD, "try_enter", "cas", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"post_relaxed", "posts", SHARD, "rill_shard_post", "cas", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"release_relaxed", "calls", SHARD, "release_or_take", "cas", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"release_unconditional", "posts", SHARD, "release_or_take", "cas", NULL, RILL_MODEL_FORCE,
	 0, 0},
	{"take_relaxed", "posts", SHARD, "release_or_take", "rmw", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"done_relaxed", "calls", SHARD, "call_run", "store", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"done_too_early", "calls_again", SHARD, "call_run", "store", NULL, RILL_MODEL_VALUE, 0,
	 CALL_DONE},
	{"result_relaxed", "calls", SHARD, "call_try", "load", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
