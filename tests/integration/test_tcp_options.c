/* SPDX-License-Identifier: BSD-3-Clause */
/* What may be set for a connection, what it tells of itself, and Fast Open. */
#include "tests/integration/lab.h"

#include <string.h>

static void close_pair(struct rill_tcp *pair[LAB_SIDES])
{
	for (enum lab_side s = 0; s < LAB_SIDES; s++)
		rill_tcp_close(pair[s]);
}

static struct rill_tcp_values values_of(struct rill_tcp *c)
{
	struct rill_tcp_values v = {RILL_OPTIONS(v)};

	RILL_ASSERT_CMP(rill_tcp_get_options(c, &v), ==, 0);
	return v;
}

static struct rill_tcp_info info_of(struct rill_tcp *c)
{
	struct rill_tcp_info i;

	RILL_ASSERT_CMP(rill_tcp_info(c, &i), ==, 0);
	return i;
}

/* ---- setting, and reading back ---- */

static void set_all(struct rill_tcp *c)
{
	const struct rill_tcp_keepalive k = {.idle_ms = 1500, .interval_ms = 20, .count = 3};

	RILL_ASSERT_CMP(rill_tcp_set_nodelay(c, true), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_cork(c, true), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_quickack(c, true), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_keepalive(c, &k), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_user_timeout(c, 12345), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_linger(c, 700), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_send_buffer(c, 11111), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_recv_buffer(c, 22222), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_max_pacing_rate(c, UINT64_C(1) << 40), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_notsent_lowat(c, 5000), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_window_clamp(c, 9000), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_max_segment(c, 700), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_tos(c, 0xbb), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_ttl(c, 7), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_oob_inline(c, true), ==, 0);
}

static void *set_and_get(void *arg)
{
	struct rill_tcp *pair[LAB_SIDES];
	struct rill_tcp_values v;

	lab_pair(arg, NULL, pair);
	v = values_of(pair[0]);
	RILL_ASSERT(!v.nodelay && !v.cork && !v.keepalive_on && !v.send_buffer_fixed);
	RILL_ASSERT_CMP(v.linger_ms, ==, -1);
	RILL_ASSERT_CMP(v.keepalive.idle_ms, ==, 7200u * 1000);
	RILL_ASSERT_CMP(v.ttl, ==, 64);
	RILL_ASSERT(strcmp(v.congestion, "cubic") == 0);
	set_all(pair[0]);
	v = values_of(pair[0]);
	RILL_ASSERT(v.nodelay && v.cork && v.quickack && v.keepalive_on && v.oob_inline);
	RILL_ASSERT(v.send_buffer_fixed && v.recv_buffer_fixed);
	RILL_ASSERT_CMP(v.keepalive.idle_ms, ==, 1500u);
	RILL_ASSERT_CMP(v.keepalive.interval_ms, ==, 20u);
	RILL_ASSERT_CMP(v.keepalive.count, ==, 3u);
	RILL_ASSERT_CMP(v.user_timeout_ms, ==, 12345u);
	RILL_ASSERT_CMP(v.linger_ms, ==, 700);
	RILL_ASSERT_CMP(v.send_buffer, ==, 11111u);
	RILL_ASSERT_CMP(v.recv_buffer, ==, 22222u);
	RILL_ASSERT_CMP(v.max_pacing_rate, ==, UINT64_C(1) << 40);
	RILL_ASSERT_CMP(v.notsent_lowat, ==, 5000u);
	RILL_ASSERT_CMP(v.window_clamp, ==, 9000u);
	RILL_ASSERT_CMP(v.max_segment, ==, 700);
	/* the lower two bits are not the user's */
	RILL_ASSERT_CMP(v.tos, ==, 0xb8);
	RILL_ASSERT_CMP(v.ttl, ==, 7);
	RILL_ASSERT_CMP(info_of(pair[0]).snd_mss, ==, 700u);
	/* the other end shares none of it */
	v = values_of(pair[1]);
	RILL_ASSERT(!v.keepalive_on && !v.nodelay);
	RILL_ASSERT_CMP(rill_tcp_set_keepalive(pair[0], NULL), ==, 0);
	RILL_ASSERT(!values_of(pair[0]).keepalive_on);
	close_pair(pair);
	return NULL;
}

static void test_set_and_get(void **state)
{
	(void)state;
	lab_run_in_each(set_and_get, NULL);
}

/* What is refused changes nothing. */
static void *refused(void *arg)
{
	const struct rill_tcp_keepalive many = {.idle_ms = 5, .count = 256};
	const struct rill_tcp_keepalive late = {.idle_ms = UINT32_MAX};
	struct rill_tcp *pair[LAB_SIDES];
	struct rill_tcp_values before, after;

	lab_pair(arg, NULL, pair);
	struct rill_tcp *c = pair[0];

	before = values_of(c);
	RILL_ASSERT_CMP(rill_tcp_set_keepalive(c, &many), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_tcp_set_keepalive(c, &late), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_tcp_set_user_timeout(c, UINT32_MAX), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_tcp_set_user_timeout_option(c, 999), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_tcp_set_user_timeout_option(c, 30000), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_user_timeout_option(c, 0), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_send_buffer(c, 1023), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_tcp_set_recv_buffer(c, (1u << 30) + 1), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_tcp_set_max_segment(c, 87), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_tcp_set_max_segment(c, 32768), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_tcp_set_congestion(c, "vegas"), ==, -ENOENT);
	after = values_of(c);
	RILL_ASSERT_CMP(after.keepalive.idle_ms, ==, before.keepalive.idle_ms);
	RILL_ASSERT_CMP(after.keepalive.count, ==, before.keepalive.count);
	RILL_ASSERT_CMP(after.user_timeout_ms, ==, before.user_timeout_ms);
	RILL_ASSERT_CMP(after.send_buffer, ==, before.send_buffer);
	RILL_ASSERT_CMP(after.recv_buffer, ==, before.recv_buffer);
	RILL_ASSERT_CMP(after.max_segment, ==, before.max_segment);
	RILL_ASSERT(strcmp(after.congestion, before.congestion) == 0);
	/* a caller of yesterday */
	struct rill_tcp_values small = {.size = offsetof(struct rill_tcp_values, keepalive),
					.ttl = 99};

	RILL_ASSERT_CMP(rill_tcp_get_options(c, &small), ==, 0);
	RILL_ASSERT_CMP(small.ttl, ==, 99);
	small.size = 0;
	RILL_ASSERT_CMP(rill_tcp_get_options(c, &small), ==, -EINVAL);
	close_pair(pair);
	return NULL;
}

static void test_refused(void **state)
{
	(void)state;
	lab_run_in_each(refused, NULL);
}

/* In the middle of a transfer, by each to each. */
static void *congestion(void *arg)
{
	static const char *const names[] = {"reno", "bbr", "dctcp", "cubic", "bbr", "reno"};
	static char bytes[50000];
	struct rill_tcp *pair[LAB_SIDES];

	lab_pair(arg, NULL, pair);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(names); i++) {
		RILL_ASSERT_CMP(rill_tcp_send(pair[0], bytes, sizeof(bytes)), ==,
				(ssize_t)sizeof(bytes));
		RILL_ASSERT_CMP(rill_tcp_set_congestion(pair[0], names[i]), ==, 0);
		RILL_ASSERT(strcmp(values_of(pair[0]).congestion, names[i]) == 0);
		RILL_ASSERT(strcmp(info_of(pair[0]).congestion, names[i]) == 0);
		RILL_ASSERT_CMP(rill_tcp_recv_all(pair[1], bytes, sizeof(bytes)), ==,
				(ssize_t)sizeof(bytes));
	}
	close_pair(pair);
	return NULL;
}

static void test_congestion(void **state)
{
	(void)state;
	lab_run_in_each(congestion, NULL);
}

/* ---- what they do ---- */

static void *of_listen(void *arg)
{
	const struct rill_tcp_keepalive k = {.idle_ms = 4000};
	struct rill_tcp_options o = {
		RILL_OPTIONS(o), .congestion = "reno", .max_segment = 600,     .tos = 0x20,
		.ttl = 9,	 .keepalive = &k,      .user_timeout_ms = 777,
	};
	struct rill_tcp_options bad = {RILL_OPTIONS(bad), .congestion = "vegas"};
	struct lab *lab = arg;
	struct rill_addr any = {.port = 0};
	struct rill_listener *l = NULL;
	struct rill_tcp *pair[LAB_SIDES];

	lab_pair(lab, &o, pair);
	for (enum lab_side s = 0; s < LAB_SIDES; s++) {
		struct rill_tcp_values v = values_of(pair[s]);

		RILL_ASSERT(strcmp(v.congestion, "reno") == 0 && v.keepalive_on);
		RILL_ASSERT_CMP(v.keepalive.idle_ms, ==, 4000u);
		RILL_ASSERT_CMP(v.keepalive.count, ==, 9u);
		RILL_ASSERT_CMP(v.tos, ==, 0x20);
		RILL_ASSERT_CMP(v.ttl, ==, 9);
		RILL_ASSERT_CMP(v.user_timeout_ms, ==, 777u);
		RILL_ASSERT_CMP(info_of(pair[s]).snd_mss, <=, 600u);
	}
	close_pair(pair);
	RILL_ASSERT_CMP(rill_tcp_listen(lab->net[0], &any, &bad, &l), ==, -ENOENT);
	bad.congestion = NULL;
	bad.max_segment = 10;
	RILL_ASSERT_CMP(rill_tcp_listen(lab->net[0], &any, &bad, &l), ==, -EINVAL);
	bad.max_segment = 0;
	bad.early_len = 1;
	RILL_ASSERT_CMP(rill_tcp_listen(lab->net[0], &any, &bad, &l), ==, -EINVAL);
	return NULL;
}

static void test_of_listen(void **state)
{
	(void)state;
	lab_run_in_each(of_listen, NULL);
}

/* A corked byte waits; uncorked it goes at once. */
static void *cork(void *arg)
{
	struct rill_tcp *pair[LAB_SIDES];
	char byte;

	lab_pair(arg, NULL, pair);
	RILL_ASSERT_CMP(rill_tcp_set_cork(pair[0], true), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_send(pair[0], "x", 1), ==, 1);
	RILL_ASSERT_CMP(info_of(pair[0]).unsent, ==, 1u);
	RILL_ASSERT_CMP(rill_tcp_set_cork(pair[0], false), ==, 0);
	RILL_ASSERT_CMP(info_of(pair[0]).unsent, ==, 0u);
	RILL_ASSERT_CMP(rill_tcp_recv(pair[1], &byte, 1), ==, 1);
	close_pair(pair);
	return NULL;
}

/* Lingering for no time is a reset. */
static void *linger(void *arg)
{
	struct rill_tcp *pair[LAB_SIDES];
	char byte;

	lab_pair(arg, NULL, pair);
	RILL_ASSERT_CMP(rill_tcp_set_linger(pair[0], 0), ==, 0);
	rill_tcp_close(pair[0]);
	RILL_ASSERT_CMP(rill_tcp_recv(pair[1], &byte, 1), ==, -ECONNRESET);
	rill_tcp_close(pair[1]);
	return NULL;
}

static void test_effects(void **state)
{
	const struct lab_options o = {.flavor = RILL_CURRENT_THREAD, .paused = true, .queues = 1};

	(void)state;
	lab_run_in(&o, cork);
	lab_run_in_each(linger, NULL);
}

/* ---- facts ---- */

static void *facts(void *arg)
{
	struct rill_tcp *pair[LAB_SIDES];
	static char bytes[100000];
	struct rill_tcp_info i;

	lab_pair(arg, NULL, pair);
	for (unsigned round = 0; round < 3; round++) {
		RILL_ASSERT_CMP(rill_tcp_send(pair[0], bytes, sizeof(bytes)), ==,
				(ssize_t)sizeof(bytes));
		RILL_ASSERT_CMP(rill_tcp_recv_all(pair[1], bytes, sizeof(bytes)), ==,
				(ssize_t)sizeof(bytes));
	}
	i = info_of(pair[0]);
	RILL_ASSERT(strcmp(i.state, "ESTABLISHED") == 0 && strcmp(i.congestion, "cubic") == 0);
	RILL_ASSERT(i.timestamps && i.sack && i.window_scaling && !i.early_data);
	RILL_ASSERT_CMP(i.bytes_sent, ==, 3 * sizeof(bytes));
	RILL_ASSERT_CMP(i.data_segs_out, >=, 3 * sizeof(bytes) / i.snd_mss);
	RILL_ASSERT_CMP(i.segs_out, >=, i.data_segs_out);
	RILL_ASSERT_CMP(i.bytes_acked, >, sizeof(bytes));
	RILL_ASSERT_CMP(i.delivered, >, sizeof(bytes));
	RILL_ASSERT_CMP(i.path_mtu, >=, i.snd_mss + 40u);
	RILL_ASSERT_CMP(i.advertised_mss, >=, i.snd_mss);
	RILL_ASSERT_CMP(i.min_rtt_us, >, 0u);
	RILL_ASSERT_CMP(i.send_buffer, >, 0u);
	RILL_ASSERT(i.since_send_ns != UINT64_MAX && i.since_recv_ns != UINT64_MAX);
	i = info_of(pair[1]);
	RILL_ASSERT_CMP(i.bytes_received, ==, 3 * sizeof(bytes));
	RILL_ASSERT_CMP(i.data_segs_in, >=, 3 * sizeof(bytes) / i.snd_mss);
	close_pair(pair);
	return NULL;
}

static void test_facts(void **state)
{
	(void)state;
	lab_run_in_each(facts, NULL);
}

/* ---- Fast Open (RFC 7413) ---- */

static void open_early(struct lab *lab, struct rill_listener *l, bool in_syn)
{
	struct rill_tcp_options o = {RILL_OPTIONS(o), .early = "hello", .early_len = 5};
	struct rill_tcp *c = lab_connect(lab, l, &o), *s = NULL;
	char buf[5];

	RILL_ASSERT_CMP(rill_tcp_accept(l, &s), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_recv_all(s, buf, 5), ==, 5);
	RILL_ASSERT(memcmp(buf, "hello", 5) == 0);
	RILL_ASSERT(info_of(s).early_data == in_syn);
	RILL_ASSERT_CMP(rill_tcp_send(s, "world", 5), ==, 5);
	RILL_ASSERT_CMP(rill_tcp_recv_all(c, buf, 5), ==, 5);
	RILL_ASSERT(memcmp(buf, "world", 5) == 0);
	rill_tcp_close(c);
	rill_tcp_close(s);
}

/* The first SYN gets the cookie, the second has the data. */
static void *fast_open(void *arg)
{
	struct rill_tcp_options o = {RILL_OPTIONS(o), .fast_open = 8};
	struct lab *lab = arg;
	struct rill_listener *l = lab_listen(lab, 0, &o);

	open_early(lab, l, false);
	open_early(lab, l, true);
	open_early(lab, l, true);
	rill_listener_close(l);
	/* a server that will not: the data follows the handshake */
	l = lab_listen(lab, 0, NULL);
	open_early(lab, l, false);
	rill_listener_close(l);
	return NULL;
}

static void *too_early(void *arg)
{
	static char bytes[20000];
	struct rill_tcp_options o = {RILL_OPTIONS(o), .early = bytes, .early_len = sizeof(bytes),
				     .send_buffer = 9000};
	struct lab *lab = arg;
	struct rill_listener *l = lab_listen(lab, 0, NULL);
	struct rill_addr remote = rill_listener_addr(l);
	struct rill_tcp *c = NULL;

	RILL_ASSERT_CMP(rill_tcp_connect(lab->net[LAB_CLIENT], NULL, &remote, &o, &c), ==,
			-EMSGSIZE);
	RILL_ASSERT(c == NULL);
	rill_listener_close(l);
	return NULL;
}

static void test_fast_open(void **state)
{
	const struct lab_options one = {.flavor = RILL_CURRENT_THREAD, .queues = 1};
	const struct lab_options two = {.workers = 2, .queues = 1, .two_runtimes = true};

	(void)state;
	lab_run_in(&one, fast_open);
	lab_run_in(&two, fast_open);
	lab_run_in_each(too_early, NULL);
}

/* The same from a plain thread. */
static void test_from_threads(void **state)
{
	const struct lab_options o = {.workers = 2, .queues = 2};
	const struct lab_options one = {.workers = 2, .queues = 1};

	(void)state;
	lab_run_in_thread(&o, set_and_get);
	lab_run_in_thread(&o, refused);
	lab_run_in_thread(&o, of_listen);
	lab_run_in_thread(&o, linger);
	lab_run_in_thread(&o, facts);
	lab_run_in_thread(&one, fast_open);
	lab_run_in_thread(&o, too_early);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_and_get), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_of_listen),   cmocka_unit_test(test_congestion),
		cmocka_unit_test(test_effects),	    cmocka_unit_test(test_facts),
		cmocka_unit_test(test_fast_open),   cmocka_unit_test(test_from_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
