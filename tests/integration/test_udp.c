/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagrams between two interfaces. */
#include "tests/integration/lab.h"

#include <stdlib.h>
#include <string.h>

static struct rill_udp *bind_port(struct lab *lab, enum lab_side side, uint16_t port,
				  uint32_t recv_buffer)
{
	struct rill_udp_options o = {RILL_OPTIONS(o), .recv_buffer = recv_buffer};
	struct rill_addr local = {.port = port};
	struct rill_udp *u = NULL;

	RILL_ASSERT_CMP(rill_udp_bind(lab->net[side], &local, &o, &u), ==, 0);
	return u;
}

static void *echo_server(void *arg)
{
	uint8_t *buf = malloc(65536);
	struct rill_addr from;
	ssize_t n;

	/* an empty datagram ends it */
	while ((n = rill_udp_recv(arg, buf, 65536, &from)) > 0)
		RILL_ASSERT_CMP(rill_udp_send(arg, buf, (size_t)n, &from), ==, n);
	RILL_ASSERT_CMP(n, ==, 0);
	free(buf);
	return NULL;
}

static void echo_once(struct rill_udp *u, const struct rill_addr *to, size_t len)
{
	uint8_t *buf = malloc(len + 1);
	struct rill_addr from;

	lab_fill(len, 0, buf, len);
	RILL_ASSERT_CMP(rill_udp_send(u, buf, len, to), ==, (ssize_t)len);
	memset(buf, 0, len);
	RILL_ASSERT_CMP(rill_udp_recv(u, buf, len + 1, &from), ==, (ssize_t)len);
	RILL_ASSERT(lab_same(len, 0, buf, len));
	RILL_ASSERT_CMP(from.port, ==, to->port);
	RILL_ASSERT(memcmp(&from.ip, &to->ip, sizeof(from.ip)) == 0);
	free(buf);
}

static void *echo(void *arg)
{
	struct lab *lab = arg;
	struct rill_udp *server = bind_port(lab, LAB_SERVER, 7, 0);
	struct rill_udp *u = bind_port(lab, LAB_CLIENT, 0, 0);
	struct rill_addr to = rill_udp_addr(server);
	struct rill_task *t = lab_spawn(lab->rt[LAB_SERVER], echo_server, server);
	static const size_t lens[] = {1, 100, 1472, 1473, 9000, 20000, 65507};

	RILL_ASSERT_CMP(to.port, ==, 7);
	RILL_ASSERT_CMP(rill_udp_addr(u).port, >=, 32768);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(lens); i++)
		echo_once(u, &to, lens[i]);
	RILL_ASSERT_CMP(rill_udp_send(u, lens, 65508, &to), ==, -EMSGSIZE);
	RILL_ASSERT_CMP(rill_udp_send(u, NULL, 0, &to), ==, 0);
	lab_join(t);
	rill_udp_close(u);
	rill_udp_close(server);
	return NULL;
}

static void test_echo(void **state)
{
	(void)state;
	lab_run_in_each(echo, NULL);
}

static void *cut_off(void *arg)
{
	struct lab *lab = arg;
	struct rill_udp *server = bind_port(lab, LAB_SERVER, 0, 0);
	struct rill_udp *u = bind_port(lab, LAB_CLIENT, 0, 0);
	struct rill_addr to = rill_udp_addr(server);
	char buf[8] = {0};

	RILL_ASSERT_CMP(rill_udp_send(u, "0123456789", 10, &to), ==, 10);
	RILL_ASSERT_CMP(rill_udp_recv(server, buf, 4, NULL), ==, 4);
	RILL_ASSERT(memcmp(buf, "0123", 5) == 0);
	/* the rest is gone: the next datagram is the next */
	RILL_ASSERT_CMP(rill_udp_send(u, "ab", 2, &to), ==, 2);
	RILL_ASSERT_CMP(rill_udp_recv(server, buf, 4, NULL), ==, 2);
	RILL_ASSERT(memcmp(buf, "ab", 2) == 0);
	rill_udp_close(u);
	rill_udp_close(server);
	return NULL;
}

static void test_cut_off(void **state)
{
	(void)state;
	lab_run_in_each(cut_off, NULL);
}

/* On both sides: what comes too fast while ARP is under way is dropped by the sender. */
static uint64_t drops(struct lab *lab)
{
	uint64_t sum = 0;

	for (enum lab_side s = 0; s < LAB_SIDES; s++)
		sum += lab_metric(lab->rt[s], lab->net[s], "drops");
	return sum;
}

/* What does not fit into the queue is dropped and counted, and the rest is still there. */
static void *overflow(void *arg)
{
	struct lab *lab = arg;
	struct rill_udp *server = bind_port(lab, LAB_SERVER, 0, 20000);
	struct rill_udp *u = bind_port(lab, LAB_CLIENT, 0, 0);
	struct rill_addr to = rill_udp_addr(server);
	uint64_t before = drops(lab);
	struct rill_case c;
	unsigned got = 0;
	char buf[64];

	for (unsigned i = 0; i < 100; i++) {
		RILL_ASSERT_CMP(rill_udp_send(u, buf, sizeof(buf), &to), ==, (ssize_t)sizeof(buf));
		rill_sleep(50 * RILL_US);
	}
	while (drops(lab) == before)
		rill_sleep(RILL_MS);
	/* none is lost without being counted */
	while (got + drops(lab) - before < 100) {
		rill_case_udp_readable(&c, server);
		if (rill_select(&c, 1, RILL_SELECT_NONBLOCKING) < 0) {
			rill_sleep(RILL_MS);
			continue;
		}
		RILL_ASSERT_CMP(rill_udp_recv(server, buf, sizeof(buf), NULL), ==, 64);
		got++;
	}
	RILL_ASSERT_CMP(got, >, 0u);
	RILL_ASSERT_CMP(got, <, 100u);
	rill_udp_close(u);
	rill_udp_close(server);
	return NULL;
}

static void test_overflow(void **state)
{
	(void)state;
	lab_run_in_each(overflow, NULL);
}

static bool take_one(struct rill_udp *u)
{
	struct rill_case c;
	char buf[64];

	rill_case_udp_readable(&c, u);
	if (rill_select(&c, 1, RILL_SELECT_NONBLOCKING) < 0)
		return false;
	RILL_ASSERT_CMP(rill_udp_recv(u, buf, sizeof(buf), NULL), >=, 0);
	return true;
}

/* The NIC has no buffer left, as all lie in a socket: it receives again when they come back. */
static void *dry_ring(void *arg)
{
	struct lab *lab = arg;
	struct rill_udp *server = bind_port(lab, LAB_SERVER, 0, 1u << 30);
	struct rill_udp *u = bind_port(lab, LAB_CLIENT, 0, 0);
	struct rill_addr to = rill_udp_addr(server);
	unsigned got = 0;

	for (unsigned i = 0; i < 500; i++) {
		rill_udp_send(u, "x", 1, &to);
		rill_sleep(20 * RILL_US);
	}
	/* long enough for the workers to have gone to sleep */
	rill_sleep(5 * RILL_MS);
	while (take_one(server))
		got++;
	RILL_ASSERT_CMP(got, >, 0u);
	RILL_ASSERT_CMP(got, <, 500u);
	/* for ever, and the test's time limit, if it is deaf now */
	do {
		rill_udp_send(u, "y", 1, &to);
		rill_sleep(RILL_MS);
	} while (!take_one(server));
	rill_udp_close(u);
	rill_udp_close(server);
	return NULL;
}

static void test_dry_ring_fills_again(void **state)
{
	(void)state;
	lab_run_in_each(dry_ring, ",ring=16,bufs=64");
}

/* Nobody there: an ICMP error comes back, and nothing else happens. */
static void *no_port(void *arg)
{
	struct lab *lab = arg;
	struct rill_udp *u = bind_port(lab, LAB_CLIENT, 0, 0);
	struct rill_addr to = lab_addr(lab, LAB_SERVER, 9);
	uint64_t before = drops(lab);

	for (unsigned i = 0; i < 10; i++)
		RILL_ASSERT_CMP(rill_udp_send(u, "x", 1, &to), ==, 1);
	while (drops(lab) < before + 10)
		rill_sleep(RILL_MS);
	RILL_ASSERT_CMP(rill_addr_parse("203.0.113.1:9", &to), ==, 0);
	RILL_ASSERT_CMP(rill_udp_send(u, "x", 1, &to), ==, -ENETUNREACH);
	rill_udp_close(u);
	return NULL;
}

static void test_no_port(void **state)
{
	(void)state;
	lab_run_in_each(no_port, NULL);
}

static void *binds(void *arg)
{
	struct lab *lab = arg;
	struct rill_net *net = lab->net[LAB_SERVER];
	struct rill_addr local = {.port = 53}, other = lab_addr(lab, LAB_CLIENT, 53);
	struct rill_udp *u = bind_port(lab, LAB_SERVER, 53, 0), *second = NULL, *more[64];

	RILL_ASSERT_CMP(rill_udp_bind(net, &local, NULL, &second), ==, -EADDRINUSE);
	RILL_ASSERT_CMP(rill_udp_bind(net, &other, NULL, &second), ==, -EADDRNOTAVAIL);
	RILL_ASSERT(second == NULL);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(more); i++) {
		more[i] = bind_port(lab, LAB_SERVER, 0, 0);
		for (unsigned j = 0; j < i; j++)
			RILL_ASSERT(rill_udp_addr(more[i]).port != rill_udp_addr(more[j]).port);
	}
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(more); i++)
		rill_udp_close(more[i]);
	rill_udp_close(u);
	rill_udp_close(bind_port(lab, LAB_SERVER, 53, 0));
	return NULL;
}

static void test_binds(void **state)
{
	(void)state;
	lab_run_in_each(binds, NULL);
}

static void *selects(void *arg)
{
	struct lab *lab = arg;
	struct rill_udp *a = bind_port(lab, LAB_SERVER, 0, 0),
			*b = bind_port(lab, LAB_SERVER, 0, 0);
	struct rill_udp *u = bind_port(lab, LAB_CLIENT, 0, 0);
	struct rill_addr to = rill_udp_addr(b);
	struct rill_scope scope;
	struct rill_case c[3];
	char byte;

	rill_case_udp_readable(&c[0], a);
	rill_case_udp_readable(&c[1], b);
	rill_case_sleep_until(&c[2], rill_after(2 * RILL_MS));
	RILL_ASSERT_CMP(rill_select(c, 3, 0), ==, 2);
	RILL_ASSERT_CMP(rill_udp_send(u, "x", 1, &to), ==, 1);
	rill_case_udp_readable(&c[0], a);
	rill_case_udp_readable(&c[1], b);
	RILL_ASSERT_CMP(rill_select(c, 2, 0), ==, 1);
	RILL_ASSERT_CMP(rill_udp_recv(b, &byte, 1, NULL), ==, 1);
	rill_scope_begin(&scope, rill_after(RILL_MS), NULL);
	RILL_ASSERT_CMP(rill_udp_recv(b, &byte, 1, NULL), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	/* what nobody fetched goes with the socket */
	RILL_ASSERT_CMP(rill_udp_send(u, "x", 1, &to), ==, 1);
	rill_case_udp_readable(&c[0], b);
	RILL_ASSERT_CMP(rill_select(c, 1, 0), ==, 0);
	rill_udp_close(a);
	rill_udp_close(b);
	rill_udp_close(u);
	return NULL;
}

static void test_selects(void **state)
{
	(void)state;
	lab_run_in_each(selects, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),	 cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_overflow), cmocka_unit_test(test_dry_ring_fills_again),
		cmocka_unit_test(test_no_port),	 cmocka_unit_test(test_binds),
		cmocka_unit_test(test_selects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
