/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/sync/sync_test.h"

static struct rill_watch *create(uint64_t initial)
{
	struct rill_watch_options o = {
		RILL_OPTIONS(o),
		.msg_size = sizeof(initial),
		.initial = &initial,
	};
	struct rill_watch *w;

	CHECK(rill_watch_create(&o, &w), ==, 0);
	return w;
}

static int try_send(struct rill_watch *w, uint64_t value)
{
	return rill_watch_send(w, &value);
}

static uint64_t get(struct rill_watch_rx *rx)
{
	uint64_t value;

	rill_watch_rx_get(rx, &value);
	return value;
}

static uint64_t get_and_mark(struct rill_watch_rx *rx)
{
	uint64_t value;

	rill_watch_rx_get_and_mark(rx, &value);
	return value;
}

/* Closes both, and with them the watch. */
static void close_both(struct rill_watch *w, struct rill_watch_rx *rx)
{
	rill_watch_close_sender(w);
	rill_watch_close_receiver(rx);
}

static int changed_once(struct call *c)
{
	return rill_watch_changed(c->obj);
}

static int changed_case(struct call *c)
{
	struct rill_case sole;

	rill_case_watch_changed(&sole, c->obj);
	int i = rill_select(&sole, 1, 0);

	return i < 0 ? i : sole.result;
}

static int wait_closed(struct call *c)
{
	return rill_watch_wait_closed(c->obj);
}

static void add_one(void *value, void *arg)
{
	++*(uint64_t *)value;
}

static bool store_if_larger(void *value, void *arg)
{
	uint64_t *old = value, new = *(uint64_t *)arg;

	if (new <= *old)
		return false;
	*old = new;
	return true;
}

static void look_at(const void *value, void *arg)
{
	*(uint64_t *)arg = *(const uint64_t *)value;
}

static bool at_least(const void *value, void *arg)
{
	return *(const uint64_t *)value >= *(uint64_t *)arg;
}

/* Waits for a value of c->msg or more, which then is in c->msg. */
static int wait_for_once(struct call *c)
{
	uint64_t least = c->msg;

	return rill_watch_wait_for(c->obj, at_least, &least, &c->msg);
}

/* ---- creation ---- */

static void drop_nothing(void *value, void *arg)
{
}

static void bad_options(void **state)
{
	struct rill_watch_options o = {RILL_OPTIONS(o), .msg_size = 0};
	struct rill_watch *w = NULL;

	assert_int_equal(rill_watch_create(&o, &w), -EINVAL);
	o.msg_size = SIZE_MAX;
	assert_int_equal(rill_watch_create(&o, &w), -ENOMEM);
	o.msg_size = RILL_WATCH_HOOKED_MAX + 1;
	o.drop = drop_nothing;
	assert_int_equal(rill_watch_create(&o, &w), -EINVAL);
	o.msg_size = 8;
	o.size = 0;
	assert_int_equal(rill_watch_create(&o, &w), -EINVAL);
	assert_null(w);
}

static void values_of_any_size(void **state)
{
	static const size_t sizes[] = {1, 3, 8, 24, 1000, 5000};

	for (unsigned s = 0; s < RILL_ARRAY_SIZE(sizes); s++) {
		struct rill_watch_options o = {RILL_OPTIONS(o), .msg_size = sizes[s]};
		unsigned char in[5001], out[5001] = {7};
		struct rill_watch *w;

		assert_int_equal(rill_watch_create(&o, &w), 0);
		/* zero bytes, where nothing else is said */
		rill_watch_get(w, out);
		assert_int_equal(out[0], 0);
		memset(in, 9, sizeof(in));
		memset(out, 0, sizeof(out));
		rill_watch_send_replace(w, in, out);
		assert_int_equal(out[0], 0);
		rill_watch_get(w, out);
		assert_memory_equal(in, out, sizes[s]);
		assert_int_equal(out[sizes[s]], 0);
		rill_watch_close_sender(w);
	}
}

/* ---- sending ---- */

static void send_without_receivers_stores_nothing(void **state)
{
	struct rill_watch *w = create(1);
	struct rill_watch_rx rx;
	uint64_t value = 0;

	assert_true(rill_watch_is_closed(w));
	assert_int_equal(try_send(w, 2), -EPIPE);
	rill_watch_get(w, &value);
	assert_int_equal(value, 1);
	/* a subscribe opens it again */
	rill_watch_subscribe(w, &rx);
	assert_false(rill_watch_is_closed(w));
	assert_int_equal(try_send(w, 2), 0);
	assert_int_equal(get(&rx), 2);
	rill_watch_close_receiver(&rx);
	assert_int_equal(try_send(w, 3), -EPIPE);
	rill_watch_close_sender(w);
}

static void modify_and_replace_store_without_receivers(void **state)
{
	struct rill_watch *w = create(1);
	uint64_t value = 10, old = 0;

	rill_watch_send_modify(w, add_one, NULL);
	rill_watch_send_replace(w, &value, &old);
	assert_int_equal(old, 2);
	value = 0;
	rill_watch_borrow(w, look_at, &value);
	assert_int_equal(value, 10);
	value = 11;
	assert_true(rill_watch_send_if_modified(w, store_if_larger, &value));
	rill_watch_get(w, &old);
	assert_int_equal(old, 11);
	rill_watch_close_sender(w);
}

static void each_way_of_sending_is_a_change(void **state)
{
	struct rill_watch *w = create(1);
	struct rill_watch_rx rx;
	uint64_t value = 10, old;

	rill_watch_subscribe(w, &rx);
	assert_int_equal(rill_watch_has_changed(&rx), 0);
	rill_watch_send_modify(w, add_one, NULL);
	assert_int_equal(rill_watch_has_changed(&rx), 1);
	assert_int_equal(get_and_mark(&rx), 2);
	rill_watch_send_replace(w, &value, &old);
	assert_int_equal(old, 2);
	assert_int_equal(rill_watch_changed(&rx), 0);
	assert_int_equal(get(&rx), 10);
	value = 11;
	assert_true(rill_watch_send_if_modified(w, store_if_larger, &value));
	assert_int_equal(rill_watch_changed(&rx), 0);
	/* but not where the function says no */
	assert_false(rill_watch_send_if_modified(w, store_if_larger, &value));
	assert_int_equal(rill_watch_has_changed(&rx), 0);
	/* the same value again is a change */
	assert_int_equal(try_send(w, 11), 0);
	assert_int_equal(rill_watch_has_changed(&rx), 1);
	close_both(w, &rx);
}

static bool store_silently(void *value, void *arg)
{
	*(uint64_t *)value = 5;
	return false;
}

TASK_TEST(silent_modification_wakes_nobody)
{
	struct rill_watch *w = create(1);
	struct rill_watch_rx rx;

	rill_watch_subscribe(w, &rx);
	struct call c = {.fn = changed_once, .obj = &rx};

	call_start(&c);
	CHECK(rill_watch_send_if_modified(w, store_silently, NULL), ==, false);
	CHECK(rill_yield(), ==, 0);
	CHECK(rill_load_relaxed(&c.result), ==, 1);
	CHECK(call_abort(&c), ==, -ECANCELED);
	CHECK(get(&rx), ==, 5u);
	close_both(w, &rx);
	return NULL;
}

static void counts(void **state)
{
	struct rill_watch *w = create(1), *v = create(1);
	struct rill_watch_rx x, y, z;

	rill_watch_subscribe(w, &x);
	rill_watch_clone(&x, &y);
	rill_watch_subscribe(v, &z);
	assert_int_equal(rill_watch_receiver_count(w), 2);
	rill_watch_add_sender(w);
	assert_int_equal(rill_watch_sender_count(w), 2);
	rill_watch_close_sender(w);
	assert_int_equal(rill_watch_sender_count(w), 1);
	assert_int_equal(try_send(w, 2), 0);
	assert_true(rill_watch_rx_same_channel(&x, &y));
	assert_false(rill_watch_rx_same_channel(&x, &z));
	rill_watch_close_receiver(&y);
	assert_int_equal(rill_watch_receiver_count(w), 1);
	close_both(w, &x);
	close_both(v, &z);
}

/* ---- what counts as seen ---- */

static void subscribed_value_counts_as_seen(void **state)
{
	struct rill_watch *w = create(1);
	struct rill_watch_rx x, y;

	rill_watch_subscribe(w, &x);
	assert_int_equal(try_send(w, 2), 0);
	rill_watch_subscribe(w, &y);
	assert_int_equal(rill_watch_has_changed(&x), 1);
	assert_int_equal(rill_watch_has_changed(&y), 0);
	rill_watch_close_receiver(&y);
	close_both(w, &x);
}

static void get_marks_nothing_and_get_and_mark_does(void **state)
{
	struct rill_watch *w = create(1);
	struct rill_watch_rx rx;
	uint64_t value = 0;

	rill_watch_subscribe(w, &rx);
	assert_int_equal(try_send(w, 2), 0);
	assert_int_equal(get(&rx), 2);
	rill_watch_rx_borrow(&rx, look_at, &value);
	assert_int_equal(value, 2);
	assert_int_equal(rill_watch_has_changed(&rx), 1);
	assert_true(rill_watch_rx_get_and_mark(&rx, &value));
	assert_false(rill_watch_rx_get_and_mark(&rx, &value));
	assert_int_equal(rill_watch_has_changed(&rx), 0);
	assert_int_equal(try_send(w, 3), 0);
	assert_true(rill_watch_rx_borrow_and_mark(&rx, look_at, &value));
	assert_int_equal(value, 3);
	assert_false(rill_watch_rx_borrow_and_mark(&rx, look_at, &value));
	close_both(w, &rx);
}

static void clone_has_seen_what_the_original_has(void **state)
{
	struct rill_watch *w = create(1);
	struct rill_watch_rx x, y, z;

	rill_watch_subscribe(w, &x);
	rill_watch_clone(&x, &y);
	assert_int_equal(rill_watch_has_changed(&y), 0);
	assert_int_equal(try_send(w, 2), 0);
	rill_watch_clone(&x, &z);
	assert_int_equal(rill_watch_has_changed(&z), 1);
	assert_int_equal(get_and_mark(&x), 2);
	assert_int_equal(rill_watch_has_changed(&z), 1);
	rill_watch_close_receiver(&y);
	rill_watch_close_receiver(&z);
	close_both(w, &x);
}

static void marked_changed_and_unchanged(void **state)
{
	struct rill_watch *w = create(1);
	struct rill_watch_rx x, y;

	rill_watch_subscribe(w, &x);
	rill_watch_mark_changed(&x);
	assert_int_equal(rill_watch_has_changed(&x), 1);
	rill_watch_clone(&x, &y);
	assert_int_equal(rill_watch_changed(&x), 0);
	assert_int_equal(rill_watch_has_changed(&x), 0);
	assert_int_equal(rill_watch_changed(&y), 0);
	assert_int_equal(try_send(w, 2), 0);
	rill_watch_mark_unchanged(&x);
	assert_int_equal(rill_watch_has_changed(&x), 0);
	rill_watch_mark_changed(&y);
	rill_watch_close_sender(w);
	/* also of a closed watch */
	assert_int_equal(rill_watch_changed(&y), 0);
	assert_int_equal(rill_watch_changed(&y), -EPIPE);
	rill_watch_mark_unchanged(&x);
	assert_int_equal(rill_watch_changed(&x), -EPIPE);
	rill_watch_close_receiver(&x);
	rill_watch_close_receiver(&y);
}

/* ---- closed by the senders ---- */

static void unseen_value_comes_before_the_end(void **state)
{
	struct rill_watch *w = create(1);
	struct rill_watch_rx rx;

	rill_watch_subscribe(w, &rx);
	assert_int_equal(try_send(w, 2), 0);
	rill_watch_close_sender(w);
	assert_int_equal(rill_watch_has_changed(&rx), -EPIPE);
	assert_int_equal(rill_watch_changed(&rx), 0);
	assert_int_equal(rill_watch_changed(&rx), -EPIPE);
	/* the value stays */
	assert_int_equal(get_and_mark(&rx), 2);
	rill_watch_close_receiver(&rx);
}

/* ---- waiting for a change ---- */

TASK_TEST(waiting_receivers_are_woken)
{
	struct rill_watch *w = create(0);
	struct rill_watch_rx rx[3];
	struct call c[3];

	for (unsigned i = 0; i < 3; i++) {
		rill_watch_subscribe(w, &rx[i]);
		c[i] = (struct call){.fn = i ? changed_once : changed_case, .obj = &rx[i]};
		call_start(&c[i]);
	}
	CHECK(try_send(w, 1), ==, 0);
	CHECK(try_send(w, 2), ==, 0);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(call_join(&c[i]), ==, 0);
		CHECK(get(&rx[i]), ==, 2u);
	}
	/* Those between are missed; one that was handed the first has a change to see. */
	for (unsigned i = 0; i < 3; i++) {
		get_and_mark(&rx[i]);
		call_start(&c[i]);
	}
	rill_watch_close_sender(w);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(call_join(&c[i]), ==, -EPIPE);
		rill_watch_close_receiver(&rx[i]);
	}
	return NULL;
}

TASK_TEST(more_receivers_than_are_woken_at_once)
{
	enum { N = 200 };
	struct rill_watch *w = create(0);
	static struct rill_watch_rx rx[N];
	static struct call c[N];

	for (unsigned i = 0; i < N; i++) {
		rill_watch_subscribe(w, &rx[i]);
		c[i] = (struct call){.fn = changed_once, .obj = &rx[i]};
		call_start(&c[i]);
	}
	CHECK(try_send(w, 7), ==, 0);
	for (unsigned i = 0; i < N; i++) {
		CHECK(call_join(&c[i]), ==, 0);
		CHECK(get(&rx[i]), ==, 7u);
		call_start(&c[i]);
	}
	rill_watch_close_sender(w);
	for (unsigned i = 0; i < N; i++) {
		CHECK(call_join(&c[i]), ==, -EPIPE);
		rill_watch_close_receiver(&rx[i]);
	}
	return NULL;
}

TASK_TEST(cancelled_wait_marks_nothing_seen)
{
	struct rill_watch *w = create(0);
	struct rill_watch_rx rx;

	rill_watch_subscribe(w, &rx);
	struct call aborted = {.fn = changed_once, .obj = &rx}, late = aborted, cancelled = aborted;

	call_start(&aborted);
	CHECK(call_abort(&aborted), ==, -ECANCELED);
	late.deadline_ns = rill_after(RILL_SEC);
	call_start(&late);
	CHECK(call_join(&late), ==, -ETIMEDOUT);
	CHECK(rill_token_create(&cancelled.token), ==, 0);
	call_start(&cancelled);
	rill_token_cancel(cancelled.token);
	CHECK(call_join(&cancelled), ==, -ECANCELED);
	rill_token_unref(cancelled.token);
	CHECK(try_send(w, 1), ==, 0);
	CHECK(rill_watch_changed(&rx), ==, 0);
	close_both(w, &rx);
	return NULL;
}

/* The change is seen exactly when the call says so. */
static void changes_and_aborts(int (*fn)(struct call *), bool abort_first)
{
	struct rill_watch *w = create(0);
	struct rill_watch_rx rx;

	rill_watch_subscribe(w, &rx);
	struct call c = {.fn = fn, .obj = &rx};

	call_start(&c);
	if (abort_first)
		rill_abort(c.task);
	CHECK(try_send(w, 1), ==, 0);
	int r = abort_first ? call_join(&c) : call_abort(&c);

	RILL_ASSERT(r == 0 || r == -ECANCELED);
	CHECK(rill_watch_has_changed(&rx), ==, r == 0 ? 0 : 1);
	close_both(w, &rx);
}

TASK_TEST(abort_around_a_change)
{
	changes_and_aborts(changed_once, false);
	changes_and_aborts(changed_once, true);
	changes_and_aborts(changed_case, false);
	changes_and_aborts(changed_case, true);
	return NULL;
}

static int changed_either(struct call *c)
{
	struct rill_case cases[2];

	rill_case_watch_changed(&cases[0], c->obj);
	rill_case_watch_changed(&cases[1], c->other);
	return rill_select(cases, 2, RILL_SELECT_BIASED);
}

TASK_TEST(select_marks_only_what_it_chose)
{
	struct rill_watch *v = create(0), *w = create(0);
	struct rill_watch_rx x, y;

	rill_watch_subscribe(v, &x);
	rill_watch_subscribe(w, &y);
	struct call c = {.fn = changed_either, .obj = &x, .other = &y};

	call_start(&c);
	CHECK(try_send(w, 1), ==, 0);
	CHECK(try_send(v, 1), ==, 0);
	CHECK(call_join(&c), ==, 0);
	CHECK(rill_watch_has_changed(&x), ==, 0);
	CHECK(rill_watch_has_changed(&y), ==, 1);
	CHECK(changed_either(&c), ==, 1);
	close_both(v, &x);
	close_both(w, &y);
	return NULL;
}

/* ---- waiting for a value ---- */

TASK_TEST(wait_for_looks_at_the_value_there_first)
{
	struct rill_watch *w = create(5);
	struct rill_watch_rx rx;
	uint64_t least = 5, value = 0;

	rill_watch_subscribe(w, &rx);
	/* seen already */
	CHECK(rill_watch_wait_for(&rx, at_least, &least, &value), ==, 0);
	CHECK(value, ==, 5u);
	CHECK(rill_watch_wait_for(&rx, at_least, &least, NULL), ==, 0);
	CHECK(try_send(w, 6), ==, 0);
	CHECK(rill_watch_wait_for(&rx, at_least, &least, &value), ==, 0);
	CHECK(value, ==, 6u);
	CHECK(rill_watch_has_changed(&rx), ==, 0);
	/* also of a closed watch */
	rill_watch_close_sender(w);
	CHECK(rill_watch_wait_for(&rx, at_least, &least, &value), ==, 0);
	least = 7;
	value = 77;
	CHECK(rill_watch_wait_for(&rx, at_least, &least, &value), ==, -EPIPE);
	CHECK(value, ==, 77u);
	rill_watch_close_receiver(&rx);
	return NULL;
}

TASK_TEST(wait_for_waits_until_it_is_true)
{
	struct rill_watch *w = create(0);
	struct rill_watch_rx rx;

	rill_watch_subscribe(w, &rx);
	struct call c = {.fn = wait_for_once, .obj = &rx, .msg = 3};

	call_start(&c);
	for (uint64_t i = 1; i < 3; i++) {
		CHECK(try_send(w, i), ==, 0);
		CHECK(rill_yield(), ==, 0);
		CHECK(rill_load_relaxed(&c.result), ==, 1);
	}
	CHECK(try_send(w, 4), ==, 0);
	CHECK(call_join(&c), ==, 0);
	CHECK(c.msg, ==, 4u);
	/* the end, while it waits */
	c.msg = 9;
	call_start(&c);
	CHECK(try_send(w, 5), ==, 0);
	rill_watch_close_sender(w);
	CHECK(call_join(&c), ==, -EPIPE);
	rill_watch_close_receiver(&rx);
	return NULL;
}

TASK_TEST(last_value_satisfies_wait_for)
{
	struct rill_watch *w = create(0);
	struct rill_watch_rx rx;

	rill_watch_subscribe(w, &rx);
	struct call c = {.fn = wait_for_once, .obj = &rx, .msg = 3};

	call_start(&c);
	CHECK(try_send(w, 3), ==, 0);
	rill_watch_close_sender(w);
	CHECK(call_join(&c), ==, 0);
	rill_watch_close_receiver(&rx);
	return NULL;
}

TASK_TEST(cancelled_wait_for)
{
	struct rill_watch *w = create(0);
	struct rill_watch_rx rx;

	rill_watch_subscribe(w, &rx);
	struct call c = {.fn = wait_for_once, .obj = &rx, .msg = 3}, late = c;

	late.deadline_ns = rill_after(RILL_SEC);
	call_start(&late);
	CHECK(try_send(w, 1), ==, 0);
	CHECK(call_join(&late), ==, -ETIMEDOUT);
	/* the values that would not do count as seen */
	CHECK(rill_watch_has_changed(&rx), ==, 0);
	call_start(&c);
	CHECK(try_send(w, 3), ==, 0);
	int r = call_abort(&c);

	/* one that would do counts as seen only for who was given it */
	CHECK(rill_watch_has_changed(&rx), ==, r == 0 ? 0 : 1);
	close_both(w, &rx);
	return NULL;
}

/* ---- waiting for the receivers to go ---- */

TASK_TEST(sender_waits_for_the_receivers_to_go)
{
	struct rill_watch *w = create(0);
	struct rill_watch_rx x, y;
	struct call c = {.fn = wait_closed, .obj = w}, aborted = c, late = c;

	CHECK(rill_watch_wait_closed(w), ==, 0);
	rill_watch_subscribe(w, &x);
	rill_watch_clone(&x, &y);
	late.deadline_ns = rill_after(RILL_SEC);
	call_start(&c);
	call_start(&aborted);
	call_start(&late);
	CHECK(call_abort(&aborted), ==, -ECANCELED);
	CHECK(call_join(&late), ==, -ETIMEDOUT);
	rill_watch_close_receiver(&x);
	CHECK(rill_yield(), ==, 0);
	CHECK(rill_load_relaxed(&c.result), ==, 1);
	rill_watch_close_receiver(&y);
	CHECK(call_join(&c), ==, 0);

	struct rill_case sole;

	rill_case_watch_closed(&sole, w);
	CHECK(look(&sole), ==, 0);
	/* opened again between wake and look */
	rill_watch_subscribe(w, &x);
	rill_case_watch_closed(&sole, w);
	CHECK(look(&sole), ==, -EAGAIN);
	call_start(&c);
	rill_watch_close_receiver(&x);
	rill_watch_subscribe(w, &x);
	for (unsigned i = 0; i < 3; i++)
		CHECK(rill_yield(), ==, 0);
	CHECK(rill_load_relaxed(&c.result), ==, 1);
	rill_watch_close_receiver(&x);
	CHECK(call_join(&c), ==, 0);
	rill_watch_close_sender(w);
	return NULL;
}

/* ---- the drop hook ---- */

struct tally {
	unsigned drops;
	struct rill_watch *probe; /* a drop finds its locks free */
};

static void drop_block(void *value, void *arg)
{
	struct tally *tally = arg;

	free(*(uint64_t **)value);
	tally->drops++;
	if (tally->probe)
		rill_watch_send_modify(tally->probe, drop_nothing, NULL);
}

static uint64_t *block_of(uint64_t value)
{
	uint64_t *block = malloc(sizeof(*block));

	RILL_ASSERT(block);
	*block = value;
	return block;
}

static void replaced_values_are_dropped(void **state)
{
	struct tally tally = {0};
	uint64_t *block = block_of(1), *old;
	struct rill_watch_options o = {
		RILL_OPTIONS(o), .msg_size = sizeof(block), .initial = &block, .drop = drop_block,
		.arg = &tally,
	};
	struct rill_watch_rx rx;
	struct rill_watch *w;

	assert_int_equal(rill_watch_create(&o, &w), 0);
	tally.probe = w;
	/* refused: the caller's */
	block = block_of(2);
	assert_int_equal(rill_watch_send(w, &block), -EPIPE);
	assert_int_equal(tally.drops, 0);
	rill_watch_subscribe(w, &rx);
	assert_int_equal(rill_watch_send(w, &block), 0);
	assert_int_equal(tally.drops, 1);
	/* the old one is the caller's */
	block = block_of(3);
	rill_watch_send_replace(w, &block, &old);
	assert_int_equal(*old, 2);
	free(old);
	assert_int_equal(tally.drops, 1);
	tally.probe = NULL;
	rill_watch_close_sender(w);
	assert_int_equal(tally.drops, 1);
	rill_watch_close_receiver(&rx);
	assert_int_equal(tally.drops, 2);
}

/* ---- the budget ---- */

#define BUDGET 128 /* the default of a slice */

static void *count_turns(void *arg)
{
	unsigned *turns = arg;

	/* until aborted */
	while (rill_yield() == 0)
		++*turns;
	return NULL;
}

TASK_TEST(waiting_in_vain_lets_others_run)
{
	struct rill_watch *w = create(0);
	struct rill_watch_rx rx;
	unsigned turns = 0;
	struct rill_task *peer = spawn(count_turns, &turns);
	uint64_t least = 0;

	rill_watch_subscribe(w, &rx);
	while (turns == 0)
		CHECK(rill_yield(), ==, 0);
	turns = 0;
	/* What the last one spends shows with the next. */
	for (unsigned i = 0; i <= 5 * BUDGET; i++) {
		CHECK(try_send(w, i), ==, 0);
		CHECK(rill_watch_changed(&rx), ==, 0);
		CHECK(rill_watch_wait_for(&rx, at_least, &least, NULL), ==, 0);
	}
	CHECK(turns, ==, 10u);
	rill_abort(peer);
	join(peer);
	close_both(w, &rx);
	return NULL;
}

/* ---- stress ---- */

/* All words of a value are the same, unless somebody read a value half written. */
struct wide {
	uint64_t n[9];
};

#define CHANGES STRESS(20000)
#define READERS STRESS(1000)

struct reader {
	struct rill_watch_rx rx;
	uint64_t last;
	unsigned way; /* how it waits */
	bool began;
	int end;
};

static uint64_t number_of(const struct wide *value)
{
	for (unsigned i = 1; i < 9; i++)
		CHECK(value->n[i], ==, value->n[0]);
	return value->n[0];
}

static bool is_newer(const void *value, void *arg)
{
	return number_of(value) > *(uint64_t *)arg;
}

static int read_next(struct reader *r, struct wide *ret_value)
{
	struct call c = {.obj = &r->rx};
	int e;

	if (r->way % 3 == 0)
		return rill_watch_wait_for(&r->rx, is_newer, &r->last, ret_value);
	e = r->way % 3 == 1 ? rill_watch_changed(&r->rx) : changed_case(&c);
	if (e == 0)
		rill_watch_rx_get(&r->rx, ret_value);
	return e;
}

static void *read_all(void *arg)
{
	struct reader *r = arg;
	struct wide value;

	r->began = true;
	while ((r->end = read_next(r, &value)) == 0) {
		/* changed may speak of a value that an earlier get has read */
		CHECK(number_of(&value), >=, r->last);
		r->last = value.n[0];
	}
	rill_watch_close_receiver(&r->rx);
	return NULL;
}

static void add_to_all(void *value, void *arg)
{
	struct wide *wide = value;

	for (unsigned i = 0; i < 9; i++)
		wide->n[i]++;
}

struct writer {
	struct rill_watch *w;
	unsigned changes;
};

static void *write_all(void *arg)
{
	struct writer *w = arg;

	for (unsigned i = 0; i < w->changes; i++) {
		rill_watch_send_modify(w->w, add_to_all, NULL);
		if (i % 4 == 0)
			rill_yield();
	}
	rill_watch_close_sender(w->w);
	return NULL;
}

static struct rill_watch *create_wide(void)
{
	struct rill_watch_options o = {RILL_OPTIONS(o), .msg_size = sizeof(struct wide)};
	struct rill_watch *w;

	CHECK(rill_watch_create(&o, &w), ==, 0);
	return w;
}

/* Everybody sees the last value. */
STRESS_TEST(stress_of_writers_and_readers)
{
	struct rill_watch *w = create_wide();
	struct writer writer = {.w = w, .changes = CHANGES};
	struct reader r[12] = {0};
	struct rill_task *tasks[11];
	pthread_t threads[4], other;

	for (unsigned i = 0; i < 12; i++) {
		r[i].way = i;
		rill_watch_subscribe(w, &r[i].rx);
	}
	for (unsigned i = 0; i < 8; i++)
		tasks[i] = spawn(read_all, &r[i]);
	for (unsigned i = 0; i < 4; i++)
		threads[i] = thread_start(read_all, &r[8 + i]);
	for (unsigned i = 0; i < 4; i++)
		rill_watch_add_sender(w);
	for (unsigned i = 0; i < 3; i++)
		tasks[8 + i] = spawn(write_all, &writer);
	other = thread_start(write_all, &writer);
	rill_watch_close_sender(w);
	for (unsigned i = 0; i < 11; i++)
		join(tasks[i]);
	for (unsigned i = 0; i < 4; i++)
		thread_join(threads[i]);
	thread_join(other);
	for (unsigned i = 0; i < 12; i++) {
		CHECK(r[i].end, ==, -EPIPE);
		CHECK(r[i].last, ==, (uint64_t)4 * CHANGES);
	}
	return NULL;
}

/* Whoever is not aborted sees the last value. */
STRESS_TEST(stress_of_1000_aborted_readers)
{
	struct rill_watch *w = create_wide();
	struct reader *r = calloc(READERS, sizeof(*r));
	struct rill_task **tasks = calloc(READERS, sizeof(struct rill_task *));
	struct reader in_thread[2] = {{.way = 0}, {.way = 1}};
	struct rill_rand rand;
	pthread_t threads[2];

	RILL_ASSERT(r && tasks);
	rill_rand_init(&rand, 7);
	for (unsigned i = 0; i < 2; i++) {
		rill_watch_subscribe(w, &in_thread[i].rx);
		threads[i] = thread_start(read_all, &in_thread[i]);
	}
	for (unsigned i = 0; i < READERS; i++) {
		r[i].way = i;
		rill_watch_subscribe(w, &r[i].rx);
		tasks[i] = spawn(read_all, &r[i]);
	}
	for (unsigned i = 0; i < READERS; i++) {
		if (i % 8 == 0)
			rill_watch_send_modify(w, add_to_all, NULL);
		if (i % 3)
			rill_abort(tasks[i]);
		if (rill_rand_below(&rand, 4) == 0)
			rill_yield();
	}
	rill_watch_close_sender(w);
	for (unsigned i = 0; i < READERS; i++) {
		join(tasks[i]);
		if (i % 3)
			continue;
		CHECK(r[i].end, ==, -EPIPE);
		CHECK(r[i].last, ==, (uint64_t)(READERS + 7) / 8);
	}
	for (unsigned i = 0; i < 2; i++) {
		thread_join(threads[i]);
		CHECK(in_thread[i].last, ==, (uint64_t)(READERS + 7) / 8);
	}
	/* one that never began did not close either */
	for (unsigned i = 0; i < READERS; i++)
		if (!r[i].began)
			rill_watch_close_receiver(&r[i].rx);
	free(r);
	free(tasks);
	return NULL;
}

static void *come_and_go(void *arg)
{
	struct rill_watch *w = arg;

	for (unsigned i = 0; i < STRESS(200); i++) {
		struct rill_watch_rx rx, other;

		rill_watch_subscribe(w, &rx);
		rill_watch_clone(&rx, &other);
		rill_watch_close_receiver(&rx);
		rill_watch_send_modify(w, add_to_all, NULL);
		CHECK(rill_watch_changed(&other), ==, 0);
		rill_watch_close_receiver(&other);
	}
	rill_watch_close_sender(w);
	return NULL;
}

static void *wait_until_closed(void *arg)
{
	CHECK(rill_watch_wait_closed(arg), ==, 0);
	rill_watch_close_sender(arg);
	return NULL;
}

STRESS_TEST(stress_of_receivers_that_come_and_go)
{
	struct rill_watch *w = create_wide();
	struct rill_task *tasks[8];
	struct rill_watch_rx rx;
	pthread_t thread;

	rill_watch_subscribe(w, &rx);
	for (unsigned i = 0; i < 9; i++)
		rill_watch_add_sender(w);
	for (unsigned i = 0; i < 8; i++)
		tasks[i] = spawn(i < 4 ? come_and_go : wait_until_closed, w);
	thread = thread_start(come_and_go, w);
	rill_watch_close_sender(w);
	for (unsigned i = 0; i < 4; i++)
		join(tasks[i]);
	thread_join(thread);
	rill_watch_close_receiver(&rx);
	for (unsigned i = 4; i < 8; i++)
		join(tasks[i]);
	return NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_options),
		cmocka_unit_test(values_of_any_size),
		cmocka_unit_test(send_without_receivers_stores_nothing),
		cmocka_unit_test(modify_and_replace_store_without_receivers),
		cmocka_unit_test(each_way_of_sending_is_a_change),
		cmocka_unit_test(silent_modification_wakes_nobody),
		cmocka_unit_test(counts),
		cmocka_unit_test(subscribed_value_counts_as_seen),
		cmocka_unit_test(get_marks_nothing_and_get_and_mark_does),
		cmocka_unit_test(clone_has_seen_what_the_original_has),
		cmocka_unit_test(marked_changed_and_unchanged),
		cmocka_unit_test(unseen_value_comes_before_the_end),
		cmocka_unit_test(waiting_receivers_are_woken),
		cmocka_unit_test(more_receivers_than_are_woken_at_once),
		cmocka_unit_test(cancelled_wait_marks_nothing_seen),
		cmocka_unit_test(abort_around_a_change),
		cmocka_unit_test(select_marks_only_what_it_chose),
		cmocka_unit_test(wait_for_looks_at_the_value_there_first),
		cmocka_unit_test(wait_for_waits_until_it_is_true),
		cmocka_unit_test(last_value_satisfies_wait_for),
		cmocka_unit_test(cancelled_wait_for),
		cmocka_unit_test(sender_waits_for_the_receivers_to_go),
		cmocka_unit_test(replaced_values_are_dropped),
		cmocka_unit_test(waiting_in_vain_lets_others_run),
		cmocka_unit_test(stress_of_writers_and_readers),
		cmocka_unit_test(stress_of_1000_aborted_readers),
		cmocka_unit_test(stress_of_receivers_that_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
