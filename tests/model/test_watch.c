/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Watch: nobody reads a value half written, nobody sleeps through the last change or the end, and a
 * change that was seen is not reported again. Waking lets go of the lock after each waiter.
 */
#define RILL_FANOUT_CHUNK 1
#include "sync/watch.c"
#include "sync/watch_recv.c"

#include "tests/model/doubles.h"
#include "tests/model/engine/model.h"

struct value {
	uint64_t n;
	uint64_t inverse;
};

static struct rill_watch *w;
static struct rill_watch_rx rx, other;
static unsigned said; /* before what is sent or closed */

static void setup(void)
{
	struct value initial = {.n = 0, .inverse = ~UINT64_C(0)};
	struct rill_watch_options o = {
		RILL_OPTIONS(o),
		.msg_size = sizeof(initial),
		.initial = &initial,
	};

	rill_doubles_reset();
	said = 0;
	RILL_ASSERT(rill_watch_create(&o, &w) == 0);
	rill_model_name(w, sizeof(*w) + sizeof(initial), "w");
	rill_model_name(&rx, sizeof(rx), "rx");
	rill_watch_subscribe(w, &rx);
}

static void setup_pair(void)
{
	setup();
	rill_model_name(&other, sizeof(other), "other");
	rill_watch_subscribe(w, &other);
}

static uint64_t seen(const struct rill_watch_rx *of)
{
	return rill_watch_receiver_of(of)->seen;
}

/* ---- what the threads do ---- */

static void send(uint64_t n)
{
	struct value value = {.n = n, .inverse = ~n};

	RILL_ASSERT(rill_watch_send(w, &value) == 0);
}

static void send_1(void)
{
	said = 42;
	send(1);
}

static void send_2_and_close(void)
{
	send(1);
	send(2);
	rill_watch_close_sender(w);
}

static void add_one(void *value, void *arg)
{
	struct value *v = value;

	v->n++;
	v->inverse--;
}

static void add(void)
{
	rill_watch_send_modify(w, add_one, NULL);
}

static void add_2(void)
{
	add();
	add();
}

static void close_sender(void)
{
	rill_watch_close_sender(w);
}

/* In place: races with a writer would show. */
static void look_at(const void *value, void *arg)
{
	const struct value *v = value;

	RILL_ASSERT_CMP(v->n, ==, ~v->inverse);
	*(uint64_t *)arg = v->n;
}

static uint64_t get(struct rill_watch_rx *from)
{
	uint64_t n;

	rill_watch_rx_borrow(from, look_at, &n);
	return n;
}

static void get_twice(void)
{
	uint64_t first = get(&rx);

	RILL_ASSERT_CMP(get(&rx), >=, first);
}

static void wait_for_a_change(struct rill_watch_rx *of)
{
	RILL_ASSERT(rill_watch_changed(of) == 0);
	RILL_ASSERT_CMP(said, ==, 42u);
	RILL_ASSERT_CMP(get(of), ==, 1u);
}

static void wait_rx(void)
{
	wait_for_a_change(&rx);
}

static void wait_other(void)
{
	wait_for_a_change(&other);
}

static void wait_in_select(void)
{
	struct rill_case c;

	rill_case_watch_changed(&c, &rx);
	RILL_ASSERT(rill_select(&c, 1, 0) == 0 && c.result == 0);
	RILL_ASSERT_CMP(get(&rx), ==, 1u);
}

/* Each time something else. */
static void wait_until_the_end(void)
{
	uint64_t last = seen(&rx);
	int r;

	while ((r = rill_watch_changed(&rx)) == 0) {
		RILL_ASSERT_CMP(seen(&rx), >, last);
		last = seen(&rx);
	}
	RILL_ASSERT_CMP(r, ==, -EPIPE);
	RILL_ASSERT_CMP(get(&rx), ==, 2u);
}

/* The deadline is there already, but the change may come first. */
static void wait_late(void)
{
	struct rill_scope s;

	rill_scope_begin(&s, RILL_MODEL_START_NS + 1, NULL);
	int r = rill_watch_changed(&rx);

	rill_scope_end(&s);
	RILL_ASSERT(r == 0 || r == -ETIMEDOUT);
	if (r < 0)
		RILL_ASSERT(rill_watch_changed(&rx) == 0);
	RILL_ASSERT_CMP(rill_watch_has_changed(&rx), ==, 0);
	RILL_ASSERT_CMP(get(&rx), ==, 1u);
}

static bool is_2(const void *value, void *arg)
{
	const struct value *v = value;

	RILL_ASSERT_CMP(v->n, ==, ~v->inverse);
	return v->n == 2;
}

static void wait_for_2(void)
{
	struct value value;

	RILL_ASSERT(rill_watch_wait_for(&rx, is_2, NULL, &value) == 0);
	RILL_ASSERT_CMP(value.n, ==, 2u);
	RILL_ASSERT_CMP(rill_watch_has_changed(&rx), !=, 1);
}

static bool is_3(const void *value, void *arg)
{
	return ((const struct value *)value)->n == 3;
}

static void wait_for_3_in_vain(void)
{
	RILL_ASSERT(rill_watch_wait_for(&rx, is_3, NULL, NULL) == -EPIPE);
}

static void close_rx(void)
{
	said = 42;
	rill_watch_close_receiver(&rx);
}

static void close_other(void)
{
	rill_watch_close_receiver(&other);
}

static void wait_closed(void)
{
	RILL_ASSERT(rill_watch_wait_closed(w) == 0);
	RILL_ASSERT_CMP(said, ==, 42u);
}

static void look_closed(void)
{
	if (rill_watch_is_closed(w))
		RILL_ASSERT_CMP(said, ==, 42u);
}

static void wait_closed_and_close(void)
{
	wait_closed();
	rill_watch_close_sender(w);
}

static void close_and_subscribe(void)
{
	close_rx();
	rill_watch_subscribe(w, &rx);
	rill_watch_close_receiver(&rx);
}

static void look_for_1(void)
{
	if (rill_watch_has_changed(&rx) == 1)
		RILL_ASSERT_CMP(said, ==, 42u);
}

/* ---- and what comes of it ---- */

static void check_nothing(void)
{
}

static void check_idle(void)
{
	RILL_ASSERT(rill_list_empty(&w->waiting));
	RILL_ASSERT(rill_list_empty(&w->observers));
	RILL_ASSERT_CMP(w->value_word, ==, 0u);
}

static void check_2(void)
{
	check_idle();
	RILL_ASSERT_CMP(get(&rx), ==, 2u);
	RILL_ASSERT_CMP(w->version, ==, 3u * RILL_WATCH_STEP);
}

static void setup_other_owner(void)
{
	setup_pair();
	rill_watch_close_sender(w);
}

#define TEST_WITHIN(n, preemptions_, setup_, check_, ...)                                          \
	{                                                                                          \
		.name = n, .setup = setup_, .threads = {__VA_ARGS__}, .check = check_,             \
		.exhaustive = true, .preemptions = preemptions_,                                   \
	}
#define TEST(n, setup_, check_, ...) TEST_WITHIN(n, 0, setup_, check_, __VA_ARGS__)

static const struct rill_model_test tests[] = {
	TEST("whole", setup, check_2, add_2, get_twice),
	TEST("writers", setup, check_2, add, add),
	TEST("changed", setup, check_idle, send_1, wait_rx),
	TEST("found", setup, check_idle, send_1, look_for_1),
	TEST("select", setup, check_idle, send_1, wait_in_select),
	TEST("end", setup, check_idle, send_2_and_close, wait_until_the_end),
	TEST("late", setup, check_idle, send_1, wait_late),
	TEST_WITHIN("pair", 2, setup_pair, check_idle, send_1, wait_rx, wait_other),
	TEST_WITHIN("wait_for", 2, setup, check_idle, send_2_and_close, wait_for_2),
	TEST_WITHIN("in_vain", 2, setup, check_idle, send_2_and_close, wait_for_3_in_vain),
	TEST("closed", setup, check_idle, wait_closed, close_rx),
	TEST("closed_found", setup, check_nothing, look_closed, close_rx),
	TEST("reopened", setup, check_idle, wait_closed, close_and_subscribe),
	TEST("last_sender", setup, check_nothing, wait_closed_and_close, close_rx),
	TEST("last", setup, check_nothing, close_sender, close_rx),
	TEST("last_receiver", setup_other_owner, check_nothing, close_other, close_rx),
};

#define SEND "sync/watch.c"
#define RECV "sync/watch_recv.c"

static const struct rill_model_mutation mutations[] = {
	{"writer_unseen", "whole", SEND, "enter", "cas", NULL, RILL_MODEL_FORCE, 0, 0},
	{"readers_not_awaited", "whole", SEND, "write_lock", "load", "value_word", RILL_MODEL_VALUE,
	 0, RILL_WATCH_WRITER},
	{"read_unlock_relaxed", "whole", SEND, "rill_watch_read_unlock", "rmw", "value_word",
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"write_lock_relaxed", "whole", SEND, "write_lock", "load", "value_word", RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"write_unlock_relaxed", "whole", SEND, "write_unlock", "store", "value_word",
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"enter_relaxed", "whole", SEND, "enter", "cas", "value_word", RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"no_step", "changed", SEND, "step", "store", "version", RILL_MODEL_SKIP, 0, 0},
	{"step_relaxed", "found", SEND, "step", "store", "version", RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"version_read_relaxed", "found", RECV, "version_of", "load", "version", RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	/* A waiter that is faster than the announcement is told of it all the same. */
	{"announced_twice", "end", SEND, "serve", "load", "version", RILL_MODEL_VALUE, 0, 100},
	{"never_closed", "end", SEND, "rill_watch_close_sender", "store", "version",
	 RILL_MODEL_SKIP, 0, 0},
	{"not_left", "closed", RECV, "rill_watch_close_receiver", "store", "receivers",
	 RILL_MODEL_SKIP, 0, 0},
	{"left_relaxed", "closed_found", RECV, "rill_watch_close_receiver", "store", "receivers",
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
	{"lock_relaxed", "last", "base/spinlock.h", "rill_spin_lock", "lock", NULL,
	 RILL_MODEL_WEAKEN, __ATOMIC_RELAXED, 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
