/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The run queue: owner against thieves. Every task is taken exactly once, and whoever takes it sees
 * all that was written before it was pushed.
 */
#include "runtime/queue.c"

#include <string.h>

#include "tests/model/engine/model.h"

#define TASKS 8
#define HALF (RILL_QUEUE_CAP / 2)

struct rill_task {
	unsigned content;
	unsigned taken;
};

static struct rill_task tasks[TASKS];
static struct rill_queue queue, dst_b, dst_c;
static unsigned pushed;

static void init_at(uint32_t index)
{
	memset(tasks, 0, sizeof(tasks));
	rill_queue_init(&queue);
	rill_queue_init(&dst_b);
	rill_queue_init(&dst_c);
	queue.head = pack(index, index);
	queue.tail = index;
	dst_b.head = pack(index, index);
	dst_b.tail = index;
	pushed = 0;
	rill_model_exclusive(queue.slots, sizeof(queue.slots));
	rill_model_exclusive(dst_b.slots, sizeof(dst_b.slots));
	rill_model_name(&queue, sizeof(queue), "queue");
	rill_model_name(&dst_b, sizeof(dst_b), "dst_b");
	rill_model_name(&dst_c, sizeof(dst_c), "dst_c");
}

static void take(struct rill_task *t)
{
	RILL_ASSERT_CMP(t->content, ==, 100 + (unsigned)(t - tasks));
	t->taken++;
}

static void push(struct rill_queue *q)
{
	struct rill_task *t = &tasks[pushed++];
	struct rill_task *batch[HALF];

	t->content = 100 + (unsigned)(t - tasks);
	switch (rill_queue_push_back(q, t, batch)) {
	case RILL_QUEUE_PUSHED:
		return;
	case RILL_QUEUE_OVERFLOW:
		for (unsigned i = 0; i < HALF; i++)
			take(batch[i]);
		break;
	case RILL_QUEUE_BUSY:
		break;
	}
	take(t);
}

static void push_n(unsigned n)
{
	while (n-- > 0)
		push(&queue);
}

static bool pop(struct rill_queue *q)
{
	struct rill_task *t = rill_queue_pop(q);

	if (t)
		take(t);
	return t != NULL;
}

static void steal_from(struct rill_queue *src, struct rill_queue *dst)
{
	uint32_t n = 0;
	struct rill_task *t = rill_queue_steal_into(src, dst, &n);

	if (!t)
		return;
	take(t);
	for (; n > 1; n--)
		pop(dst); /* unless a thief's thief has it */
}

static void steal(struct rill_queue *dst)
{
	steal_from(&queue, dst);
}

static void check(void)
{
	while (pop(&queue))
		;
	while (pop(&dst_b) || pop(&dst_c))
		;
	for (unsigned i = 0; i < pushed; i++)
		RILL_ASSERT_CMP(tasks[i].taken, ==, 1u);
}

/* ---- setups ---- */

static void empty(void)
{
	init_at(0);
}

/* indices are about to wrap */
static void empty_wrap(void)
{
	init_at(UINT32_MAX - 1);
}

static void holds_3(void)
{
	init_at(0);
	push_n(3);
}

static void holds_4_wrap(void)
{
	init_at(UINT32_MAX - 1);
	push_n(4);
}

/* a thief of b's queue, while b itself steals into it */
static void both_hold_3(void)
{
	init_at(0);
	push_n(3);
	for (unsigned i = 0; i < 3; i++)
		push(&dst_b);
}

static void holds_4(void)
{
	init_at(0);
	push_n(4);
}

/* ---- threads ---- */

static void steal_b(void)
{
	steal(&dst_b);
}

static void steal_c(void)
{
	steal(&dst_c);
}

static void steal_twice_b(void)
{
	steal(&dst_b);
	steal(&dst_b);
}

static void pop_steal_b(void)
{
	pop(&dst_b);
	steal(&dst_b);
}

static void steal_b_to_c(void)
{
	steal_from(&dst_b, &dst_c);
}

static void push_2_pop_2(void)
{
	push_n(2);
	pop(&queue);
	pop(&queue);
}

static void push_pop_push(void)
{
	push_n(1);
	pop(&queue);
	push_n(1);
}

static void push_2(void)
{
	push_n(2);
}

static void push_3(void)
{
	push_n(3);
}

static void push_5(void)
{
	push_n(5);
}

static void pop_2_push_2(void)
{
	pop(&queue);
	pop(&queue);
	push_n(2);
}

static void pop_push_pop(void)
{
	pop(&queue);
	push_n(1);
	pop(&queue);
}

/* The room that the owner sees is room that it may fill. */
static void fill_room(void)
{
	uint32_t room = rill_queue_room(&queue);

	for (uint32_t i = 0; i < room; i++) {
		struct rill_task *t = &tasks[pushed++];

		t->content = 100 + (unsigned)(t - tasks);
		RILL_ASSERT(rill_queue_push_back(&queue, t, NULL) == RILL_QUEUE_PUSHED);
	}
}

#define TEST(n, setup_, ...)                                                                       \
	{                                                                                          \
		.name = n, .setup = setup_, .threads = {__VA_ARGS__}, .check = check,              \
		.exhaustive = true,                                                                \
	}

static const struct rill_model_test tests[] = {
	TEST("push_pop_steal", empty, push_2_pop_2, steal_b),
	TEST("push_pop_steal_wrap", empty_wrap, push_2_pop_2, steal_b),
	TEST("push_steal_twice", empty, push_3, steal_twice_b),
	TEST("overflow", holds_3, push_2, steal_b),
	TEST("overflow_from_empty", empty, push_5, steal_b),
	TEST("overflow_wrap", holds_4_wrap, push_pop_push, steal_b),
	TEST("reuse_slots", holds_4, pop_2_push_2, steal_b),
	TEST("fill_room", holds_4, fill_room, steal_b),
	TEST("chain", both_hold_3, pop_steal_b, steal_b_to_c),
	TEST("two_thieves", holds_4, pop_push_pop, steal_b, steal_c),
	TEST("two_thieves_empty", empty, push_2, steal_b, steal_c),
	TEST("two_thieves_overflow", holds_4, push_2, steal_b, steal_c),
};

static const struct rill_model_mutation mutations[] = {
	{"push_tail_relaxed", "push_pop_steal", "runtime/queue.c", "rill_queue_push_back", "store",
	 "tail", RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"claim_tail_relaxed", "push_pop_steal", "runtime/queue.c", "claim", "load", "tail",
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"thief_done_relaxed", "reuse_slots", "runtime/queue.c", "rill_queue_steal_into", "cas",
	 NULL, RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"push_head_relaxed", "reuse_slots", "runtime/queue.c", "rill_queue_push_back", "load",
	 "head", RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"pop_unconditional", "push_pop_steal", "runtime/queue.c", "rill_queue_pop", "cas", NULL,
	 RILL_MODEL_FORCE, 0, 0},
	{"claim_unconditional", "two_thieves", "runtime/queue.c", "claim", "cas", NULL,
	 RILL_MODEL_FORCE, 0, 0},
	{"overflow_unconditional", "overflow", "runtime/queue.c", "overflow", "cas", NULL,
	 RILL_MODEL_FORCE, 0, 0},
	/* either of the two releases in overflow() would do */
	{"overflow_relaxed", "overflow_from_empty", "runtime/queue.c", "overflow", NULL, NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"room_relaxed", "chain", "runtime/queue.h", "rill_queue_room", "load", "head",
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
