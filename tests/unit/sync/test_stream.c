/* SPDX-License-Identifier: BSD-3-Clause */
#include <rill/net.h>
#include <rill/stream.h>

#include "tests/integration/lab.h"
#include "tests/unit/sync/sync_test.h"

static struct rill_channel *channel_new(void)
{
	struct rill_channel *ch;

	CHECK(rill_channel_create(100, sizeof(uint64_t), &ch), ==, 0);
	return ch;
}

static void put(struct rill_channel *ch, uint64_t first, uint64_t last)
{
	for (uint64_t i = first; i <= last; i++)
		CHECK(rill_channel_try_send(ch, &i), ==, 0);
}

static void expect(struct rill_stream *s, uint64_t expected)
{
	uint64_t item = 0;

	CHECK(rill_stream_next(s, &item), ==, 0);
	CHECK(item, ==, expected);
}

static void expect_end(struct rill_stream *s)
{
	unsigned char anything[64];

	CHECK(rill_stream_next(s, anything), ==, -EPIPE);
	CHECK(rill_stream_next(s, anything), ==, -EPIPE);
}

/* ---- sources ---- */

static void messages_of_a_channel(void **state)
{
	struct rill_channel *ch = channel_new();
	struct rill_stream s;

	rill_stream_channel(&s, ch);
	put(ch, 1, 3);
	rill_channel_close_sender(ch);
	for (uint64_t i = 1; i <= 3; i++)
		expect(&s, i);
	expect_end(&s);
	rill_channel_close_receiver(ch);
}

static void messages_of_a_broadcast(void **state)
{
	struct rill_broadcast_options o = {RILL_OPTIONS(o), .capacity = 2, .msg_size = 8};
	struct rill_broadcast *b;
	struct rill_broadcast_rx rx;
	struct rill_stream s;
	uint64_t item;

	CHECK(rill_broadcast_create(&o, &b), ==, 0);
	rill_broadcast_subscribe(b, &rx);
	rill_stream_broadcast(&s, &rx);
	for (uint64_t i = 1; i <= 3; i++)
		CHECK(rill_broadcast_send(b, &i, NULL), ==, 0);
	/* the first was overwritten: an error in its place */
	CHECK(rill_stream_next(&s, &item), ==, -EOVERFLOW);
	CHECK(rill_broadcast_lagged(&rx), ==, 1u);
	expect(&s, 2);
	expect(&s, 3);
	rill_broadcast_close_sender(b);
	expect_end(&s);
	rill_broadcast_close_receiver(&rx);
}

static void values_of_a_watch(void **state)
{
	struct rill_watch_options o = {RILL_OPTIONS(o), .msg_size = sizeof(uint64_t)};
	struct rill_watch *w;
	struct rill_watch_rx rx;
	struct rill_stream s;

	CHECK(rill_watch_create(&o, &w), ==, 0);
	rill_watch_subscribe(w, &rx);
	rill_stream_watch(&s, &rx);
	for (uint64_t i = 1; i <= 3; i++)
		CHECK(rill_watch_send(w, &i), ==, 0);
	expect(&s, 3);
	rill_watch_close_sender(w);
	expect_end(&s);
	rill_watch_close_receiver(&rx);
}

TASK_TEST(ticks_of_an_interval)
{
	uint64_t t0 = rill_now(), item;
	struct rill_interval iv;
	struct rill_stream s;

	CHECK(rill_interval_init(&iv, RILL_MS, RILL_MISSED_BURST), ==, 0);
	rill_stream_interval(&s, &iv);
	for (uint64_t i = 0; i < 3; i++) {
		CHECK(rill_stream_next(&s, &item), ==, 0);
		CHECK(item, ==, t0 + i * RILL_MS);
		CHECK(rill_now(), >=, item);
	}
	return NULL;
}

/* One of the user's own: counts down, and is always ready. */
struct countdown {
	struct rill_stream stream;
	uint64_t left;
};

static int countdown_prepare(struct rill_stream *s, struct rill_case *cases, void *item)
{
	struct countdown *c = RILL_CONTAINER_OF(s, struct countdown, stream);

	if (c->left == 0)
		return -EPIPE;
	rill_case_sleep_until(cases, 0);
	return 1;
}

static int countdown_finish(struct rill_stream *s, unsigned which, int result, void *item)
{
	struct countdown *c = RILL_CONTAINER_OF(s, struct countdown, stream);

	memcpy(item, &c->left, sizeof(c->left));
	c->left--;
	return 0;
}

static void countdown_init(struct countdown *c, uint64_t from)
{
	static const struct rill_stream_ops ops = {countdown_prepare, countdown_finish};

	rill_stream_init(&c->stream, &ops, 1);
	c->left = from;
}

static void one_of_the_users_own(void **state)
{
	struct countdown c;

	countdown_init(&c, 3);
	for (uint64_t i = 3; i > 0; i--)
		expect(&c.stream, i);
	expect_end(&c.stream);
}

/* ---- datagrams ---- */

struct datagram {
	char text[16];
	ssize_t len;
};

struct datagrams {
	struct rill_stream stream;
	struct rill_udp *udp;
};

static int datagrams_prepare(struct rill_stream *s, struct rill_case *cases, void *item)
{
	rill_case_udp_readable(cases, RILL_CONTAINER_OF(s, struct datagrams, stream)->udp);
	return 1;
}

/* The only one who receives from it, so what is readable is there. An empty one is the last. */
static int datagrams_finish(struct rill_stream *s, unsigned which, int result, void *item)
{
	struct datagrams *d = RILL_CONTAINER_OF(s, struct datagrams, stream);
	struct datagram *got = item;

	got->len = rill_udp_recv(d->udp, got->text, sizeof(got->text), NULL);
	return got->len > 0 ? 0 : -EPIPE;
}

static void *receive_datagrams(void *arg)
{
	static const struct rill_stream_ops ops = {datagrams_prepare, datagrams_finish};
	struct lab *lab = arg;
	struct rill_addr local = {.port = 7};
	struct datagrams d[2];
	struct rill_stream *both[2] = {&d[0].stream, &d[1].stream}, merged;
	struct rill_udp *client;
	unsigned seen = 0;

	CHECK(rill_udp_bind(lab->net[LAB_CLIENT], &(struct rill_addr){0}, NULL, &client), ==, 0);
	for (uint16_t i = 0; i < 2; i++) {
		local.port = (uint16_t)(7 + i);
		CHECK(rill_udp_bind(lab->net[LAB_SERVER], &local, NULL, &d[i].udp), ==, 0);
		rill_stream_init(&d[i].stream, &ops, 1);
	}
	CHECK(rill_stream_merge(&merged, both, 2), ==, 0);
	for (uint16_t i = 0; i < 8; i++) {
		struct rill_addr to = lab_addr(lab, LAB_SERVER, (uint16_t)(7 + i % 2));
		struct datagram got = {.text = ""};
		char text = (char)('a' + i);

		CHECK(rill_udp_send(client, &text, 1, &to), ==, 1);
		CHECK(rill_stream_next(&merged, &got), ==, 0);
		RILL_ASSERT(got.len == 1 && got.text[0] == text);
		seen++;
	}
	CHECK(seen, ==, 8u);
	for (int i = 0; i < 2; i++) {
		struct rill_addr to = lab_addr(lab, LAB_SERVER, (uint16_t)(7 + i));

		CHECK(rill_udp_send(client, NULL, 0, &to), ==, 0);
	}
	expect_end(&merged);
	rill_udp_close(d[0].udp);
	rill_udp_close(d[1].udp);
	rill_udp_close(client);
	return NULL;
}

static void datagrams_of_two_sockets(void **state)
{
	lab_run_in_each(receive_datagrams, NULL);
}

/* ---- map and filter ---- */

static int twice(void *arg, void *item, void *ret_item)
{
	uint64_t n;

	memcpy(&n, item, sizeof(n));
	n *= 2;
	memcpy(ret_item, &n, sizeof(n));
	return 0;
}

struct sized {
	char text[24];
	uint64_t n;
};

/* Leaves multiples of 3 out, says no to 5, and ends at 7. */
static int to_sized(void *arg, void *item, void *ret_item)
{
	struct sized *out = ret_item;

	memcpy(&out->n, item, sizeof(out->n));
	if (out->n % 3 == 0)
		return -EAGAIN;
	if (out->n == 5)
		return -EINVAL;
	if (out->n == 7)
		return -EPIPE;
	++*(unsigned *)arg;
	snprintf(out->text, sizeof(out->text), "<%llu>", (unsigned long long)out->n);
	return 0;
}

static void map_makes_other_items(void **state)
{
	struct rill_channel *ch = channel_new();
	struct rill_stream source, s;
	struct sized item;
	unsigned calls = 0;
	uint64_t in;

	rill_stream_channel(&source, ch);
	rill_stream_map(&s, &source, &in, to_sized, &calls);
	put(ch, 1, 9);
	for (uint64_t n = 1; n < 7; n++) {
		if (n % 3 == 0)
			continue;
		int r = rill_stream_next(&s, &item);

		CHECK(r, ==, n == 5 ? -EINVAL : 0);
		CHECK(item.n, ==, n);
	}
	assert_string_equal(item.text, "<4>");
	assert_int_equal(calls, 3);
	expect_end(&s);
	/* the rest is in the source */
	CHECK(rill_channel_len(ch), ==, 2u);
	rill_channel_close_sender(ch);
	rill_channel_close_receiver(ch);
}

static bool is_even(void *arg, void *item)
{
	uint64_t n;

	memcpy(&n, item, sizeof(n));
	return n % 2 == 0;
}

static void filter_and_map_in_place(void **state)
{
	struct rill_channel *ch = channel_new();
	struct rill_stream source, even, s;

	rill_stream_channel(&source, ch);
	rill_stream_filter(&even, &source, is_even, NULL);
	rill_stream_map(&s, &even, NULL, twice, NULL);
	put(ch, 1, 7);
	rill_channel_close_sender(ch);
	expect(&s, 4);
	expect(&s, 8);
	expect(&s, 12);
	expect_end(&s);
	rill_channel_close_receiver(ch);
}

static bool none(void *arg, void *item)
{
	return false;
}

static void *set_flag(void *arg)
{
	rill_store_relaxed((bool *)arg, true);
	return NULL;
}

/* A filter that nothing passes, over a source that never waits. */
TASK_TEST(leaving_out_lets_others_run)
{
	bool ran = false;
	struct rill_stream s;
	struct countdown c;

	countdown_init(&c, 1000);
	rill_stream_filter(&s, &c.stream, none, NULL);
	CHECK(rill_spawn(set_flag, &ran, NULL), ==, 0);
	expect_end(&s);
	RILL_ASSERT(rill_load_relaxed(&ran));
	return NULL;
}

/* ---- merge ---- */

static void merge_ends_with_the_last(void **state)
{
	struct rill_channel *ch[2] = {channel_new(), channel_new()};
	struct rill_stream source[2], *all[2] = {&source[0], &source[1]}, s;
	uint64_t sum = 0, item;

	for (int i = 0; i < 2; i++)
		rill_stream_channel(&source[i], ch[i]);
	assert_int_equal(rill_stream_merge(&s, all, 0), -EINVAL);
	assert_int_equal(rill_stream_merge(&s, all, 2), 0);
	put(ch[0], 1, 3);
	put(ch[1], 4, 10);
	rill_channel_close_sender(ch[0]);
	rill_channel_close_sender(ch[1]);
	for (int i = 0; i < 10; i++) {
		CHECK(rill_stream_next(&s, &item), ==, 0);
		sum += item;
	}
	assert_int_equal(sum, 55);
	expect_end(&s);
	rill_channel_close_receiver(ch[0]);
	rill_channel_close_receiver(ch[1]);
}

/* As many as a select has cases, in two storeys, under a map. */
TASK_TEST(merge_of_as_many_as_can_be_is_fair)
{
	struct countdown c[RILL_SELECT_MAX];
	struct rill_stream *all[RILL_SELECT_MAX], half[2], *halves[2] = {&half[0], &half[1]};
	struct rill_stream merged, more, s, *too_many[2] = {&merged, &c[0].stream};
	uint64_t item;

	for (int i = 0; i < RILL_SELECT_MAX; i++) {
		countdown_init(&c[i], 100);
		all[i] = &c[i].stream;
	}
	CHECK(rill_stream_merge(&half[0], all, RILL_SELECT_MAX / 2), ==, 0);
	CHECK(rill_stream_merge(&half[1], all + RILL_SELECT_MAX / 2, RILL_SELECT_MAX / 2), ==, 0);
	CHECK(rill_stream_merge(&merged, halves, 2), ==, 0);
	CHECK(rill_stream_merge(&more, too_many, 2), ==, -EINVAL);
	rill_stream_map(&s, &merged, NULL, twice, NULL);
	for (int i = 0; i < RILL_SELECT_MAX * 50; i++)
		CHECK(rill_stream_next(&s, &item), ==, 0);
	/* 50 of each expected, with a deviation of 7 */
	for (int i = 0; i < RILL_SELECT_MAX; i++)
		RILL_ASSERT(c[i].left > 15 && c[i].left < 85);
	for (int i = 0; i < RILL_SELECT_MAX * 50; i++)
		CHECK(rill_stream_next(&s, &item), ==, 0);
	expect_end(&s);
	return NULL;
}

/* ---- chunks ---- */

static void expect_chunk(struct rill_stream_chunks *c, uint64_t first, uint64_t last)
{
	struct rill_stream_chunk chunk;

	CHECK(rill_stream_next(&c->stream, &chunk), ==, 0);
	CHECK(chunk.len, ==, last - first + 1);
	for (uint64_t i = 0; i < chunk.len; i++)
		CHECK(((uint64_t *)chunk.items)[i], ==, first + i);
}

static void *put_slowly(void *arg)
{
	struct rill_channel *ch = arg;

	for (uint64_t i = 1; i <= 10; i++) {
		rill_channel_send(ch, &i);
		/* 1 2 3 | pause | 4 | pause | 5 6 7 8 9 10 */
		if (i == 3 || i == 4)
			CHECK(rill_sleep(RILL_SEC), ==, 0);
	}
	rill_channel_close_sender(ch);
	return NULL;
}

TASK_TEST(chunks_are_full_or_late_or_last)
{
	struct rill_channel *ch = channel_new();
	struct rill_stream_chunks c;
	struct rill_stream source;
	uint64_t buf[4], t0 = rill_now();

	rill_stream_channel(&source, ch);
	CHECK(rill_stream_chunks(&c, &source, buf, 0, 4, RILL_MS), ==, -EINVAL);
	CHECK(rill_stream_chunks(&c, &source, buf, sizeof(buf[0]), 0, RILL_MS), ==, -EINVAL);
	CHECK(rill_stream_chunks(&c, &source, buf, sizeof(buf[0]), 4, 10 * RILL_MS), ==, 0);
	struct rill_task *t = spawn(put_slowly, ch);

	expect_chunk(&c, 1, 3);
	CHECK(rill_now(), >=, t0 + 10 * RILL_MS);
	CHECK(rill_now(), <, t0 + 11 * RILL_MS);
	/* the limit counts from the first item, which is a second away */
	expect_chunk(&c, 4, 4);
	expect_chunk(&c, 5, 8);
	expect_chunk(&c, 9, 10);
	expect_end(&c.stream);
	join(t);
	rill_channel_close_receiver(ch);
	return NULL;
}

TASK_TEST(a_cancel_keeps_the_chunk_that_has_begun)
{
	struct rill_channel *ch = channel_new();
	struct rill_stream_chunks c;
	struct rill_stream_chunk chunk;
	struct rill_stream source;
	struct rill_scope scope;
	uint64_t buf[4];

	rill_stream_channel(&source, ch);
	CHECK(rill_stream_chunks(&c, &source, buf, sizeof(buf[0]), 4, RILL_FOREVER), ==, 0);
	put(ch, 1, 2);
	rill_scope_begin(&scope, rill_after(RILL_MS), NULL);
	CHECK(rill_stream_next(&c.stream, &chunk), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	put(ch, 3, 5);
	expect_chunk(&c, 1, 4);
	rill_channel_close_sender(ch);
	expect_chunk(&c, 5, 5);
	expect_end(&c.stream);
	rill_channel_close_receiver(ch);
	return NULL;
}

/* The last one ends between two calls. */
TASK_TEST(chunk_of_a_stream_that_ended_meanwhile)
{
	struct rill_stream_chunks c;
	struct countdown down;
	uint64_t buf[4] = {0};
	struct rill_stream_chunk chunk;

	countdown_init(&down, 6);
	CHECK(rill_stream_chunks(&c, &down.stream, buf, sizeof(buf[0]), 4, RILL_SEC), ==, 0);
	CHECK(rill_stream_next(&c.stream, &chunk), ==, 0);
	CHECK(chunk.len, ==, 4u);
	CHECK(rill_stream_next(&c.stream, &chunk), ==, 0);
	CHECK(chunk.len, ==, 2u);
	RILL_ASSERT(buf[0] == 2 && buf[1] == 1);
	expect_end(&c.stream);
	return NULL;
}

/* ---- throttle ---- */

TASK_TEST(throttle_keeps_its_distance)
{
	struct rill_channel *ch = channel_new();
	struct rill_stream source, s;
	uint64_t t0 = rill_now();

	rill_stream_channel(&source, ch);
	rill_stream_throttle(&s, &source, 10 * RILL_MS);
	put(ch, 1, 4);
	expect(&s, 1);
	CHECK(rill_now(), ==, t0);
	for (uint64_t i = 2; i <= 3; i++) {
		expect(&s, i);
		CHECK(rill_now(), >=, t0 + (i - 1) * 10 * RILL_MS);
		CHECK(rill_now(), <, t0 + (i - 1) * 10 * RILL_MS + RILL_MS);
	}
	/* Time that has passed meanwhile counts. */
	CHECK(rill_sleep(RILL_SEC), ==, 0);
	t0 = rill_now();
	expect(&s, 4);
	CHECK(rill_now(), ==, t0);
	rill_channel_close_sender(ch);
	expect_end(&s);
	rill_channel_close_receiver(ch);
	return NULL;
}

/* ---- cancels, and other things waited for ---- */

static int next_of(struct call *c)
{
	return rill_stream_next(c->obj, &c->msg);
}

/* In each state of a tower of steps, an aborted next leaves the item in the source. */
TASK_TEST(a_cancel_loses_no_item)
{
	struct rill_channel *ch = channel_new();
	struct rill_stream source, even, merged, s, *all[1] = {&even};

	rill_stream_channel(&source, ch);
	rill_stream_filter(&even, &source, is_even, NULL);
	CHECK(rill_stream_merge(&merged, all, 1), ==, 0);
	rill_stream_map(&s, &merged, NULL, twice, NULL);
	for (int how = 0; how < 3; how++) {
		struct call c = {.fn = next_of, .obj = &s};

		CHECK(rill_token_create(&c.token), ==, 0);
		c.deadline_ns = how == 2 ? rill_after(RILL_MS) : 0;
		call_start(&c);
		if (how == 0)
			rill_abort(c.task);
		if (how == 1)
			rill_token_cancel(c.token);
		CHECK(call_join(&c), ==, how == 2 ? -ETIMEDOUT : -ECANCELED);
		put(ch, 2, 2);
		expect(&s, 4);
		/* after the item has come: returned, or still there */
		struct call late = {.fn = next_of, .obj = &s};

		call_start(&late);
		put(ch, 6, 6);
		if (call_abort(&late) == 0)
			CHECK(late.msg, ==, 12u);
		else
			expect(&s, 12);
		rill_token_unref(c.token);
	}
	rill_channel_close_sender(ch);
	expect_end(&s);
	rill_channel_close_receiver(ch);
	return NULL;
}

TASK_TEST(a_stream_is_some_cases_among_others)
{
	struct rill_channel *ch[2] = {channel_new(), channel_new()};
	struct rill_stream source[2], *all[2] = {&source[0], &source[1]}, s;
	struct rill_case c[3];
	uint64_t item = 0;

	rill_stream_channel(&source[0], ch[0]);
	rill_stream_channel(&source[1], ch[1]);
	CHECK(rill_stream_merge(&s, all, 2), ==, 0);
	CHECK(s.width, ==, 2u);
	CHECK(rill_stream_prepare(&s, c, &item), ==, 2);
	rill_case_sleep_until(&c[2], rill_after(RILL_MS));
	CHECK(rill_select(c, 3, 0), ==, 2);
	put(ch[1], 5, 5);
	CHECK(rill_stream_prepare(&s, c, &item), ==, 2);
	CHECK(rill_select(c, 3, RILL_SELECT_BIASED), ==, 1);
	CHECK(rill_stream_finish(&s, 1, c[1].result, &item), ==, 0);
	CHECK(item, ==, 5u);
	for (int i = 0; i < 2; i++) {
		rill_channel_close_sender(ch[i]);
		rill_channel_close_receiver(ch[i]);
	}
	return NULL;
}

/* ---- stress ---- */

#define SENDERS 8
#define MESSAGES STRESS(2000)

static void *send_some(void *arg)
{
	for (uint64_t i = 1; i <= MESSAGES; i++)
		CHECK(rill_channel_send(arg, &i), ==, 0);
	rill_channel_close_sender(arg);
	return NULL;
}

/* Chunks of what two channels have, with deadlines in between: each message once. */
STRESS_TEST(no_item_is_lost)
{
	struct rill_channel *ch[2] = {channel_new(), channel_new()};
	struct rill_stream source[2], *all[2] = {&source[0], &source[1]}, merged;
	struct rill_stream_chunks chunks;
	struct rill_task *t[SENDERS];
	uint64_t buf[16], sum = 0;
	int r;

	for (int i = 0; i < SENDERS; i++) {
		rill_channel_add_sender(ch[i % 2]);
		t[i] = spawn(send_some, ch[i % 2]);
	}
	for (int i = 0; i < 2; i++) {
		rill_channel_close_sender(ch[i]);
		rill_stream_channel(&source[i], ch[i]);
	}
	CHECK(rill_stream_merge(&merged, all, 2), ==, 0);
	CHECK(rill_stream_chunks(&chunks, &merged, buf, sizeof(buf[0]), 16, 50 * RILL_US), ==, 0);
	do {
		struct rill_stream_chunk chunk;
		struct rill_scope scope;

		rill_scope_begin(&scope, rill_after(20 * RILL_US), NULL);
		r = rill_stream_next(&chunks.stream, &chunk);
		rill_scope_end(&scope);
		for (size_t i = 0; r == 0 && i < chunk.len; i++)
			sum += ((uint64_t *)chunk.items)[i];
	} while (r != -EPIPE);
	CHECK(sum, ==, (uint64_t)SENDERS * MESSAGES * (MESSAGES + 1) / 2);
	for (int i = 0; i < SENDERS; i++)
		join(t[i]);
	rill_channel_close_receiver(ch[0]);
	rill_channel_close_receiver(ch[1]);
	return NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_of_a_channel),
		cmocka_unit_test(messages_of_a_broadcast),
		cmocka_unit_test(values_of_a_watch),
		cmocka_unit_test(ticks_of_an_interval),
		cmocka_unit_test(one_of_the_users_own),
		cmocka_unit_test(datagrams_of_two_sockets),
		cmocka_unit_test(map_makes_other_items),
		cmocka_unit_test(filter_and_map_in_place),
		cmocka_unit_test(leaving_out_lets_others_run),
		cmocka_unit_test(merge_ends_with_the_last),
		cmocka_unit_test(merge_of_as_many_as_can_be_is_fair),
		cmocka_unit_test(chunks_are_full_or_late_or_last),
		cmocka_unit_test(a_cancel_keeps_the_chunk_that_has_begun),
		cmocka_unit_test(chunk_of_a_stream_that_ended_meanwhile),
		cmocka_unit_test(throttle_keeps_its_distance),
		cmocka_unit_test(a_cancel_loses_no_item),
		cmocka_unit_test(a_stream_is_some_cases_among_others),
		cmocka_unit_test(no_item_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
