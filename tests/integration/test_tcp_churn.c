/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections that begin and end in every way, many at a time: each ending is told to the other
 * side. */
#include "tests/integration/lab.h"

#include <stdlib.h>

#define CLIENTS 50u
#define CONNS LAB_ROUNDS(2000u)
#define REPLY_LEN 3000u

/* What a client asks the server to do, by its first byte. */
enum request {
	ECHO = 'e',	  /* until the client's FIN */
	REPLY = 'r',	  /* REPLY_LEN bytes, after the client's FIN */
	EXPECT_RST = 'a', /* the client aborts */
	UNREAD = 'u',	  /* send something that the client will not read */
	ABORT = 'x',
};

struct churn {
	struct lab *lab;
	struct rill_listener *l;
	RILL_ATOMIC(uint32_t) next;
};

/* ---- the server's side ---- */

static void serve_request(struct rill_tcp *c, uint8_t request)
{
	uint8_t buf[REPLY_LEN] = {0};
	ssize_t n;

	switch ((enum request)request) {
	case ECHO:
		while ((n = rill_tcp_recv(c, buf, sizeof(buf))) > 0)
			RILL_ASSERT_CMP(rill_tcp_send(c, buf, (size_t)n), ==, n);
		RILL_ASSERT_CMP(n, ==, 0);
		break;
	case REPLY:
		RILL_ASSERT_CMP(rill_tcp_recv(c, buf, sizeof(buf)), ==, 0);
		lab_fill(REPLY, 0, buf, sizeof(buf));
		RILL_ASSERT_CMP(rill_tcp_send(c, buf, sizeof(buf)), ==, (ssize_t)sizeof(buf));
		break;
	case EXPECT_RST:
		RILL_ASSERT_CMP(rill_tcp_recv(c, buf, sizeof(buf)), ==, -ECONNRESET);
		RILL_ASSERT_CMP(rill_tcp_send(c, buf, 1), <, 0);
		break;
	case UNREAD:
		RILL_ASSERT_CMP(rill_tcp_send(c, buf, 1000), ==, 1000);
		RILL_ASSERT_CMP(rill_tcp_recv(c, buf, sizeof(buf)), ==, -ECONNRESET);
		break;
	case ABORT:
		rill_tcp_abort(c);
		return;
	default:
		RILL_ASSERT(false);
	}
	rill_tcp_close(c);
}

static void *serve(void *arg)
{
	uint8_t request;
	ssize_t n = rill_tcp_recv(arg, &request, 1);

	/* The abort may have come before the request was read. */
	if (n == 1)
		serve_request(arg, request);
	else
		rill_tcp_close(arg);
	RILL_ASSERT(n >= 0 || n == -ECONNRESET);
	return NULL;
}

static void *serve_all(void *arg)
{
	struct rill_task **tasks = calloc(CONNS, sizeof(*tasks));
	struct churn *churn = arg;

	for (unsigned i = 0; i < CONNS; i++) {
		struct rill_tcp *c;

		RILL_ASSERT_CMP(rill_tcp_accept(churn->l, &c), ==, 0);
		RILL_ASSERT_CMP(rill_spawn(serve, c, &tasks[i]), ==, 0);
	}
	for (unsigned i = 0; i < CONNS; i++)
		lab_join(tasks[i]);
	free(tasks);
	return NULL;
}

/* ---- the client's ---- */

static void request(struct rill_tcp *c, enum request what)
{
	uint8_t byte = (uint8_t)what;

	RILL_ASSERT_CMP(rill_tcp_send(c, &byte, 1), ==, 1);
}

static void expect_end(struct rill_tcp *c)
{
	char byte;

	RILL_ASSERT_CMP(rill_tcp_recv(c, &byte, 1), ==, 0);
	rill_tcp_close(c);
}

static void echo_and_close(struct rill_tcp *c)
{
	request(c, ECHO);
	lab_echo_once(c, 3, 5000);
	RILL_ASSERT_CMP(rill_tcp_shutdown(c, RILL_SHUT_WR), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_send(c, "x", 1), ==, -EPIPE);
	expect_end(c);
}

static void half_close(struct rill_tcp *c)
{
	uint8_t buf[REPLY_LEN] = {0};

	request(c, REPLY);
	RILL_ASSERT_CMP(rill_tcp_shutdown(c, RILL_SHUT_WR), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_recv_all(c, buf, sizeof(buf)), ==, (ssize_t)sizeof(buf));
	RILL_ASSERT(lab_same(REPLY, 0, buf, sizeof(buf)));
	expect_end(c);
}

static void close_unread(struct rill_tcp *c)
{
	struct rill_case readable;

	request(c, UNREAD);
	rill_case_tcp_readable(&readable, c);
	RILL_ASSERT_CMP(rill_select(&readable, 1, 0), ==, 0);
	rill_tcp_close(c);
}

static void be_aborted(struct rill_tcp *c)
{
	char byte;

	request(c, ABORT);
	RILL_ASSERT_CMP(rill_tcp_recv(c, &byte, 1), ==, -ECONNRESET);
	rill_tcp_close(c);
}

static void abort_it(struct rill_tcp *c)
{
	request(c, EXPECT_RST);
	rill_tcp_abort(c);
}

static void close_it(struct rill_tcp *c)
{
	RILL_ASSERT_CMP(rill_tcp_close(c), ==, 0);
}

static void *client(void *arg)
{
	static void (*const patterns[])(struct rill_tcp *) = {
		echo_and_close, half_close, close_unread, be_aborted, abort_it, close_it,
	};
	struct churn *churn = arg;
	uint32_t i;

	while ((i = rill_fetch_add_relaxed(&churn->next, 1)) < CONNS) {
		struct rill_rand rand;

		rill_rand_init(&rand, i);
		struct rill_tcp *c = lab_connect(churn->lab, churn->l, NULL);

		patterns[rill_rand_below(&rand, RILL_ARRAY_SIZE(patterns))](c);
	}
	return NULL;
}

static void *churn(void *arg)
{
	struct lab *lab = arg;
	struct churn churn = {.lab = lab, .l = lab_listen(lab, 0, NULL)};
	struct rill_task *server = lab_spawn(lab->rt[LAB_SERVER], serve_all, &churn);
	struct rill_task *clients[CLIENTS];

	for (unsigned i = 0; i < CLIENTS; i++)
		clients[i] = lab_spawn(lab->rt[LAB_CLIENT], client, &churn);
	for (unsigned i = 0; i < CLIENTS; i++)
		lab_join(clients[i]);
	lab_join(server);
	rill_listener_close(churn.l);
	return NULL;
}

static void test_churn(void **state)
{
	(void)state;
	lab_run_in_each(churn, NULL);
}

/* ---- shutdown ---- */

static void *recv_one(void *arg)
{
	char byte;

	return (void *)(intptr_t)rill_tcp_recv(arg, &byte, 1);
}

static void *shutdown_both(void *arg)
{
	struct lab *lab = arg;
	struct rill_tcp *pair[LAB_SIDES];

	lab_pair(lab, NULL, pair);
	struct rill_task *t = lab_spawn(lab->rt[LAB_CLIENT], recv_one, pair[LAB_CLIENT]);

	rill_sleep(RILL_MS);
	RILL_ASSERT_CMP(rill_tcp_shutdown(pair[LAB_CLIENT], 0), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_tcp_shutdown(pair[LAB_CLIENT], RILL_SHUT_RD), ==, 0);
	RILL_ASSERT_CMP((intptr_t)lab_join(t), ==, 0);
	/* discarded */
	RILL_ASSERT_CMP(rill_tcp_send(pair[LAB_SERVER], "late", 4), ==, 4);
	RILL_ASSERT_CMP((intptr_t)recv_one(pair[LAB_CLIENT]), ==, 0);
	/* the other direction goes on */
	RILL_ASSERT_CMP(rill_tcp_send(pair[LAB_CLIENT], "x", 1), ==, 1);
	RILL_ASSERT_CMP((intptr_t)recv_one(pair[LAB_SERVER]), ==, 1);
	RILL_ASSERT_CMP(rill_tcp_shutdown(pair[LAB_CLIENT], RILL_SHUT_RDWR), ==, 0);
	RILL_ASSERT_CMP((intptr_t)recv_one(pair[LAB_SERVER]), ==, 0);
	for (enum lab_side s = 0; s < LAB_SIDES; s++)
		rill_tcp_close(pair[s]);
	return NULL;
}

static void test_shutdown_both(void **state)
{
	(void)state;
	lab_run_in_each(shutdown_both, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_churn),
		cmocka_unit_test(test_shutdown_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
