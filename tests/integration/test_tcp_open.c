/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening connections: what can fail, what can be given up, and that no connection is lost by it.
 */
#include "tests/integration/lab.h"

#include <rill/token.h>

#include <stdlib.h>

static const struct lab_options virtual_time = {
	.flavor = RILL_CURRENT_THREAD,
	.paused = true,
	.queues = 2,
};

static int connect_to(struct lab *lab, struct rill_addr to)
{
	struct rill_tcp *c = NULL;
	int r = rill_tcp_connect(lab->net[LAB_CLIENT], NULL, &to, NULL, &c);

	RILL_ASSERT((r == 0) == (c != NULL));
	if (c)
		rill_tcp_close(c);
	return r;
}

/* ---- failures ---- */

static void *refused(void *arg)
{
	struct lab *lab = arg;
	struct rill_listener *l = lab_listen(lab, 80, NULL);

	RILL_ASSERT_CMP(connect_to(lab, lab_addr(lab, LAB_SERVER, 81)), ==, -ECONNREFUSED);
	RILL_ASSERT_CMP(connect_to(lab, lab_addr(lab, LAB_SERVER, 80)), ==, 0);
	rill_listener_close(l);
	RILL_ASSERT_CMP(connect_to(lab, lab_addr(lab, LAB_SERVER, 80)), ==, -ECONNREFUSED);
	return NULL;
}

static void test_refused(void **state)
{
	(void)state;
	lab_run_in_each(refused, NULL);
}

/* Nobody answers ARP. */
static void *unreachable(void *arg)
{
	struct lab *lab = arg;
	struct rill_addr to;

	RILL_ASSERT_CMP(rill_addr_parse("198.18.0.77:80", &to), ==, 0);
	RILL_ASSERT_CMP(connect_to(lab, to), ==, -EHOSTUNREACH);
	/* off the subnet, and no gateway */
	RILL_ASSERT_CMP(rill_addr_parse("203.0.113.1:80", &to), ==, 0);
	RILL_ASSERT_CMP(connect_to(lab, to), ==, -ENETUNREACH);
	RILL_ASSERT_CMP(rill_addr_parse("127.0.0.1:80", &to), ==, 0);
	RILL_ASSERT_CMP(connect_to(lab, to), ==, -ENETUNREACH);
	RILL_ASSERT_CMP(rill_addr_parse("224.0.0.1:80", &to), ==, 0);
	RILL_ASSERT_CMP(connect_to(lab, to), ==, -ENETUNREACH);
	return NULL;
}

static void test_unreachable(void **state)
{
	(void)state;
	lab_run_in(&virtual_time, unreachable);
}

static void *bad_local(void *arg)
{
	struct lab *lab = arg;
	struct rill_listener *l = lab_listen(lab, 80, NULL);
	struct rill_addr to = lab_addr(lab, LAB_SERVER, 80);
	struct rill_addr local = lab_addr(lab, LAB_CLIENT, 5000);
	struct rill_tcp *first = NULL, *second = NULL;
	struct rill_net *net = lab->net[LAB_CLIENT];

	RILL_ASSERT_CMP(rill_tcp_connect(net, &to, &to, NULL, &first), ==, -EADDRNOTAVAIL);
	RILL_ASSERT_CMP(rill_tcp_connect(net, &local, &to, NULL, &first), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_local(first).port, ==, 5000);
	RILL_ASSERT_CMP(rill_tcp_connect(net, &local, &to, NULL, &second), ==, -EADDRINUSE);
	RILL_ASSERT(second == NULL);
	rill_tcp_abort(first);
	/* a reset connection leaves nothing behind */
	RILL_ASSERT_CMP(rill_tcp_connect(net, &local, &to, NULL, &second), ==, 0);
	rill_tcp_abort(second);
	rill_listener_close(l);
	return NULL;
}

static void test_bad_local(void **state)
{
	(void)state;
	lab_run_in_each(bad_local, NULL);
}

static void *bind_conflicts(void *arg)
{
	struct lab *lab = arg;
	struct rill_addr any = {.port = 80}, other = lab_addr(lab, LAB_CLIENT, 80);
	struct rill_tcp_options huge = {RILL_OPTIONS(huge), .send_buffer = UINT32_MAX};
	struct rill_listener *l = lab_listen(lab, 80, NULL), *second = NULL;
	struct rill_net *net = lab->net[LAB_SERVER];

	RILL_ASSERT_CMP(rill_tcp_listen(net, &any, NULL, &second), ==, -EADDRINUSE);
	RILL_ASSERT_CMP(rill_tcp_listen(net, &other, NULL, &second), ==, -EADDRNOTAVAIL);
	any.port = 81;
	RILL_ASSERT_CMP(rill_tcp_listen(net, &any, &huge, &second), ==, -EINVAL);
	RILL_ASSERT(second == NULL);
	rill_listener_close(l);
	rill_listener_close(lab_listen(lab, 80, NULL));
	return NULL;
}

static void test_bind_conflicts(void **state)
{
	(void)state;
	lab_run_in_each(bind_conflicts, NULL);
}

/* ---- giving up ---- */

/* A listener that answers nobody: its backlog is taken by a connection of ours. */
static struct rill_listener *deaf_listener(struct lab *lab, struct rill_tcp **ret_first)
{
	struct rill_tcp_options o = {RILL_OPTIONS(o), .backlog = 1};
	struct rill_listener *l = lab_listen(lab, 0, &o);
	uint64_t before = lab_metric(lab->rt[0], lab->net[0], "tcp_opened_passive");

	*ret_first = lab_connect(lab, l, NULL);
	/* The queue is full when the third segment has come, and not before. */
	while (lab_metric(lab->rt[0], lab->net[0], "tcp_opened_passive") == before)
		rill_sleep(10 * RILL_US);
	return l;
}

struct attempt {
	struct lab *lab;
	struct rill_addr to;
	uint64_t timeout_ns;
	struct rill_token *token;
	int result;
};

static void *attempt(void *arg)
{
	struct attempt *a = arg;
	struct rill_scope scope;

	rill_scope_begin(&scope, a->timeout_ns ? rill_after(a->timeout_ns) : RILL_FOREVER,
			 a->token);
	a->result = connect_to(a->lab, a->to);
	rill_scope_end(&scope);
	return NULL;
}

static void *connect_given_up(void *arg)
{
	struct lab *lab = arg;
	struct rill_tcp *first;
	struct rill_listener *l = deaf_listener(lab, &first);
	struct rill_addr to = rill_listener_addr(l);
	struct attempt late = {.lab = lab, .to = to, .timeout_ns = 2 * RILL_MS};
	struct attempt cancelled = {.lab = lab, .to = to}, aborted = {.lab = lab, .to = to};

	attempt(&late);
	RILL_ASSERT_CMP(late.result, ==, -ETIMEDOUT);

	RILL_ASSERT_CMP(rill_token_create(&cancelled.token), ==, 0);
	struct rill_task *t = lab_spawn(lab->rt[LAB_CLIENT], attempt, &cancelled);

	rill_sleep(RILL_MS);
	rill_token_cancel(cancelled.token);
	lab_join(t);
	RILL_ASSERT_CMP(cancelled.result, ==, -ECANCELED);
	rill_token_unref(cancelled.token);

	aborted.result = -ECANCELED; /* when it never ran */
	t = lab_spawn(lab->rt[LAB_CLIENT], attempt, &aborted);
	rill_sleep(RILL_MS);
	rill_abort(t);
	RILL_ASSERT_CMP(rill_join(t, NULL), ==, RILL_JOIN_ABORTED);
	RILL_ASSERT_CMP(aborted.result, ==, -ECANCELED);
	rill_tcp_close(first);
	rill_listener_close(l);
	return NULL;
}

static void test_connect_given_up(void **state)
{
	(void)state;
	lab_run_in_each(connect_given_up, NULL);
}

/* ---- accepting ---- */

#define CLIENTS LAB_ROUNDS(400u)

struct hasty {
	struct rill_listener *l;
	RILL_ATOMIC(uint32_t) * accepted;
	uint64_t seed;
	uint32_t given_up;
};

/* Accepts with deadlines that are mostly too short. */
static void *accept_hastily(void *arg)
{
	struct hasty *h = arg;
	struct rill_rand rand;

	rill_rand_init(&rand, h->seed);
	while (rill_load_relaxed(h->accepted) < CLIENTS) {
		struct rill_tcp *c = NULL;
		struct rill_scope scope;

		rill_scope_begin(&scope, rill_after(rill_rand_below(&rand, 50000)), NULL);
		int r = rill_tcp_accept(h->l, &c);

		rill_scope_end(&scope);
		if (r == -ETIMEDOUT) {
			h->given_up++;
			continue;
		}
		RILL_ASSERT_CMP(r, ==, 0);
		rill_fetch_add_relaxed(h->accepted, 1);
		RILL_ASSERT_CMP(rill_tcp_send(c, "welcome", 7), ==, 7);
		rill_tcp_close(c);
	}
	return NULL;
}

struct guest {
	struct lab *lab;
	struct rill_listener *l;
};

static void *come_in(void *arg)
{
	struct guest *g = arg;
	struct rill_tcp *c = lab_connect(g->lab, g->l, NULL);
	char buf[16];

	RILL_ASSERT_CMP(rill_tcp_recv_all(c, buf, sizeof(buf)), ==, 7);
	rill_tcp_close(c);
	return NULL;
}

static void *accept_given_up(void *arg)
{
	struct lab *lab = arg;
	struct rill_listener *l = lab_listen(lab, 0, NULL);
	RILL_ATOMIC(uint32_t) accepted = 0;
	struct rill_task **guests = calloc(CLIENTS, sizeof(*guests)), *hosts[4];
	struct guest guest = {lab, l};
	struct hasty hasty[4];

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(hosts); i++) {
		hasty[i] = (struct hasty){l, &accepted, i, 0};
		hosts[i] = lab_spawn(lab->rt[LAB_SERVER], accept_hastily, &hasty[i]);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		guests[i] = lab_spawn(lab->rt[LAB_CLIENT], come_in, &guest);
	for (unsigned i = 0; i < CLIENTS; i++)
		lab_join(guests[i]);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(hosts); i++)
		lab_join(hosts[i]);
	RILL_ASSERT_CMP(accepted, ==, CLIENTS);
	rill_listener_close(l);
	free(guests);
	return NULL;
}

static void test_accept_given_up(void **state)
{
	(void)state;
	lab_run_in_each(accept_given_up, NULL);
}

static void *accept_once(void *arg)
{
	struct rill_tcp *c;

	return (void *)(intptr_t)rill_tcp_accept(arg, &c);
}

static void *shutdown_wakes(void *arg)
{
	struct lab *lab = arg;
	struct rill_listener *l = lab_listen(lab, 0, NULL);
	struct rill_task *tasks[8];
	struct rill_tcp *c = NULL;
	char byte;

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(tasks); i++)
		tasks[i] = lab_spawn(lab->rt[LAB_SERVER], accept_once, l);
	rill_sleep(RILL_MS);
	rill_listener_shutdown(l);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(tasks); i++)
		RILL_ASSERT_CMP((intptr_t)lab_join(tasks[i]), ==, -ESHUTDOWN);
	RILL_ASSERT_CMP(rill_tcp_accept(l, &c), ==, -ESHUTDOWN);
	rill_listener_close(l);

	/* who was not accepted yet is reset */
	l = lab_listen(lab, 0, NULL);
	c = lab_connect(lab, l, NULL);
	rill_listener_close(l);
	RILL_ASSERT_CMP(rill_tcp_recv(c, &byte, 1), ==, -ECONNRESET);
	rill_tcp_close(c);
	return NULL;
}

static void test_shutdown_wakes(void **state)
{
	(void)state;
	lab_run_in_each(shutdown_wakes, NULL);
}

/* More connects than the backlog holds: the rest wait for room, by sending their SYN again. */
static void *backlog(void *arg)
{
	struct lab *lab = arg;
	struct rill_tcp_options o = {RILL_OPTIONS(o), .backlog = 4};
	struct rill_listener *l = lab_listen(lab, 0, &o);
	struct guest guest = {lab, l};
	struct rill_task *guests[20];
	struct rill_tcp *c;

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(guests); i++)
		guests[i] = lab_spawn(lab->rt[LAB_CLIENT], come_in, &guest);
	rill_sleep(500 * RILL_MS);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(guests); i++) {
		RILL_ASSERT_CMP(rill_tcp_accept(l, &c), ==, 0);
		RILL_ASSERT_CMP(rill_tcp_send(c, "welcome", 7), ==, 7);
		rill_tcp_close(c);
	}
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(guests); i++)
		lab_join(guests[i]);
	RILL_ASSERT_CMP(lab_metric(lab->rt[0], lab->net[0], "tcp_opened_passive"), ==, 20u);
	rill_listener_close(l);
	return NULL;
}

static void test_backlog(void **state)
{
	(void)state;
	lab_run_in(&virtual_time, backlog);
}

/* Past the limit a connect waits, and gets in when another connection is gone. */
static void *max_conns(void *arg)
{
	struct lab *lab = arg;
	struct rill_tcp_options o = {RILL_OPTIONS(o), .max_conns = 2};
	struct rill_listener *l = lab_listen(lab, 0, &o);
	struct guest guest = {lab, l};
	struct rill_task *guests[5];
	struct rill_tcp *c[RILL_ARRAY_SIZE(guests)];

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(guests); i++)
		guests[i] = lab_spawn(lab->rt[LAB_CLIENT], come_in, &guest);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(guests); i++) {
		RILL_ASSERT_CMP(rill_tcp_accept(l, &c[i]), ==, 0);
		RILL_ASSERT_CMP(lab_metric(lab->rt[0], lab->net[0], "tcp_opened_passive"), <=,
				i + 2u);
		rill_sleep(10 * RILL_SEC);
		RILL_ASSERT_CMP(rill_tcp_send(c[i], "welcome", 7), ==, 7);
		rill_tcp_close(c[i]);
	}
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(guests); i++)
		lab_join(guests[i]);
	RILL_ASSERT_CMP(lab_metric(lab->rt[0], lab->net[0], "tcp_limited"), >, 0u);
	rill_listener_close(l);
	return NULL;
}

static void test_max_conns(void **state)
{
	(void)state;
	lab_run_in(&virtual_time, max_conns);
}

/* Accepted with the first data, or when that has taken too long. */
static void *deferred(void *arg)
{
	struct lab *lab = arg;
	struct rill_tcp_options o = {RILL_OPTIONS(o), .defer_accept_ms = 2000};
	struct rill_listener *l = lab_listen(lab, 0, &o);
	struct rill_tcp *c = lab_connect(lab, l, NULL), *s;
	struct rill_scope scope;

	rill_scope_begin(&scope, rill_after(RILL_SEC), NULL);
	RILL_ASSERT_CMP(rill_tcp_accept(l, &s), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	RILL_ASSERT_CMP(rill_tcp_send(c, "x", 1), ==, 1);
	RILL_ASSERT_CMP(rill_tcp_accept(l, &s), ==, 0);
	rill_tcp_close(s);
	rill_tcp_close(c);
	c = lab_connect(lab, l, NULL);
	rill_scope_begin(&scope, rill_after(10 * RILL_SEC), NULL);
	RILL_ASSERT_CMP(rill_tcp_accept(l, &s), ==, 0);
	rill_scope_end(&scope);
	rill_tcp_close(s);
	rill_tcp_close(c);
	rill_listener_close(l);
	return NULL;
}

static void test_deferred(void **state)
{
	(void)state;
	lab_run_in(&virtual_time, deferred);
}

/* ---- ports and queues ---- */

#define CONNS LAB_ROUNDS(600u)

struct many_ports {
	struct lab *lab;
	uint16_t first_port; /* 0: ephemeral ones */
};

/*
 * Ephemeral ports are chosen such that answers come to the queue of the shard that connects. With
 * ports that the user chooses about half come to the other one: they work all the same.
 */
static void *many_ports(void *arg)
{
	struct many_ports *many = arg;
	struct lab *lab = many->lab;
	struct rill_tcp **conns = calloc(2 * CONNS, sizeof(*conns));
	struct rill_listener *l = lab_listen(lab, 0, NULL);
	uint8_t *seen = calloc(65536, 1);

	for (unsigned i = 0; i < CONNS; i++) {
		struct rill_addr to = rill_listener_addr(l), local = {.port = 0};

		if (many->first_port)
			local.port = (uint16_t)(many->first_port + i);
		RILL_ASSERT_CMP(
			rill_tcp_connect(lab->net[LAB_CLIENT], &local, &to, NULL, &conns[2 * i]),
			==, 0);
		RILL_ASSERT_CMP(rill_tcp_accept(l, &conns[2 * i + 1]), ==, 0);
		uint16_t port = rill_tcp_local(conns[2 * i]).port;

		if (many->first_port)
			RILL_ASSERT_CMP(port, ==, local.port);
		else
			RILL_ASSERT_CMP(port, >=, 32768);
		RILL_ASSERT_CMP(rill_tcp_peer(conns[2 * i + 1]).port, ==, port);
		RILL_ASSERT_CMP(seen[port]++, ==, 0);
	}
	for (unsigned i = 0; i < 2 * CONNS; i++) {
		char buf[4] = {0};

		RILL_ASSERT_CMP(rill_tcp_send(conns[i], "rill", 4), ==, 4);
		RILL_ASSERT_CMP(rill_tcp_recv_all(conns[i ^ 1], buf, 4), ==, 4);
	}
	for (unsigned i = 0; i < 2 * CONNS; i++)
		rill_tcp_close(conns[i]);
	rill_listener_close(l);
	free(conns);
	free(seen);
	return NULL;
}

static void test_many_ports(void **state)
{
	const struct lab_options kinds[] = {
		{.workers = 2, .queues = 1},
		{.workers = 2, .queues = 2},
		{.workers = 2, .queues = 2, .two_runtimes = true},
	};

	(void)state;
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(kinds); i++) {
		struct lab lab;

		lab_open(&lab, &kinds[i]);
		for (unsigned chosen = 0; chosen < 2; chosen++) {
			struct many_ports many = {&lab, chosen ? 10000 : 0};

			RILL_ASSERT_CMP(rill_block_on(lab.rt[LAB_CLIENT], many_ports, &many, NULL),
					==, 0);
			uint64_t mismatches = lab_metric(lab.rt[LAB_CLIENT], lab.net[LAB_CLIENT],
							 "rss_mismatches");

			assert_true((mismatches > 0) == (chosen && kinds[i].queues > 1));
		}
		lab_close(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),		 cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_bad_local),	 cmocka_unit_test(test_bind_conflicts),
		cmocka_unit_test(test_connect_given_up), cmocka_unit_test(test_accept_given_up),
		cmocka_unit_test(test_shutdown_wakes),	 cmocka_unit_test(test_backlog),
		cmocka_unit_test(test_max_conns),	 cmocka_unit_test(test_deferred),
		cmocka_unit_test(test_many_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
