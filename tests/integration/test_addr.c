/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports that several share, addresses that come and go, errors of datagrams, closes that wait. */
#include "tests/integration/lab.h"

#include <string.h>

#include "netstack/stack/net.h"
#include "runtime/runtime.h"

#define MEMBERS 3u
#define ROUNDS 60u

static const struct lab_options virtual_time = {
	.flavor = RILL_CURRENT_THREAD, .paused = true, .queues = 2};

static struct rill_addr at(const char *text)
{
	struct rill_addr a;

	RILL_ASSERT_CMP(rill_addr_parse(text, &a), ==, 0);
	return a;
}

static bool same_ip(struct rill_addr a, const char *text)
{
	struct rill_addr b = at(text);

	return memcmp(&a.ip, &b.ip, sizeof(a.ip)) == 0;
}

static struct rill_tcp *connect_from(struct lab *lab, const char *from, const char *to)
{
	struct rill_addr remote = at(to), local;
	struct rill_tcp *c = NULL;

	if (from)
		local = at(from);
	RILL_ASSERT_CMP(
		rill_tcp_connect(lab->net[LAB_CLIENT], from ? &local : NULL, &remote, NULL, &c), ==,
		0);
	return c;
}

/* ---- groups ---- */

static void *listeners_share(void *arg)
{
	struct lab *lab = arg;
	struct rill_tcp_options o = {RILL_OPTIONS(o), .reuse_port = true, .backlog = ROUNDS};
	struct rill_addr local = at(":80");
	struct rill_listener *l[MEMBERS], *refused;
	struct rill_tcp *c[ROUNDS], *s[ROUNDS];
	unsigned sum = 0;

	for (unsigned i = 0; i < MEMBERS; i++)
		l[i] = lab_listen(lab, 80, &o);
	RILL_ASSERT_CMP(rill_tcp_listen(lab->net[LAB_SERVER], &local, NULL, &refused), ==,
			-EADDRINUSE);
	for (unsigned i = 0; i < ROUNDS; i++)
		c[i] = lab_connect(lab, l[0], NULL);
	/* Until the last ACK is there. */
	rill_sleep(10 * RILL_MS);
	for (unsigned i = 0; i < MEMBERS; i++) {
		struct rill_listener_info info;
		unsigned got = 0;

		while (sum < ROUNDS && rill_tcp_try_accept(l[i], &s[sum]) == 0)
			sum++, got++;
		rill_listener_info(l[i], &info);
		RILL_ASSERT_CMP(got, >, 0u);
		RILL_ASSERT_CMP(info.overflows + info.limited, ==, 0u);
	}
	RILL_ASSERT_CMP(sum, ==, ROUNDS);
	for (unsigned i = 0; i < ROUNDS; i++) {
		rill_tcp_close(c[i]);
		rill_tcp_close(s[i]);
	}
	for (unsigned i = 0; i < MEMBERS; i++)
		rill_listener_close(l[i]);
	return NULL;
}

static void test_listeners_share(void **state)
{
	(void)state;
	lab_run_in(&virtual_time, listeners_share);
}

struct server {
	struct rill_listener *l;
	RILL_ATOMIC(unsigned) served;
};

static void *serve(void *arg)
{
	struct server *server = arg;
	struct rill_tcp *c;

	while (rill_tcp_accept(server->l, &c) == 0) {
		rill_fetch_add_relaxed(&server->served, 1);
		RILL_ASSERT_CMP(rill_tcp_send(c, "x", 1), ==, 1);
		rill_tcp_close(c);
	}
	return NULL;
}

/* With a task each, on whatever workers; one stops in the middle, and nobody is left waiting. */
static void *members_come_and_go(void *arg)
{
	struct lab *lab = arg;
	struct rill_tcp_options o = {RILL_OPTIONS(o), .reuse_port = true};
	struct server servers[MEMBERS] = {0};
	struct rill_task *tasks[MEMBERS];
	unsigned served = 0, reset = 0;

	for (unsigned i = 0; i < MEMBERS; i++) {
		servers[i].l = lab_listen(lab, 80, &o);
		tasks[i] = lab_spawn(lab->rt[LAB_SERVER], serve, &servers[i]);
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct rill_tcp *c = lab_connect(lab, servers[1].l, NULL);
		char byte;
		ssize_t n = rill_tcp_recv(c, &byte, 1);

		RILL_ASSERT(n == 1 || n == -ECONNRESET);
		reset += n < 0;
		rill_tcp_close(c);
		if (i == ROUNDS / 2)
			rill_listener_shutdown(servers[0].l);
	}
	for (unsigned i = 0; i < MEMBERS; i++) {
		rill_listener_shutdown(servers[i].l);
		lab_join(tasks[i]);
		rill_listener_close(servers[i].l);
		served += rill_load_relaxed(&servers[i].served);
	}
	RILL_ASSERT_CMP(served + reset, ==, ROUNDS);
	RILL_ASSERT_CMP(reset, <=, 1u);
	return NULL;
}

static void test_members_come_and_go(void **state)
{
	(void)state;
	lab_run_in_each(members_come_and_go, NULL);
}

/* ---- addresses ---- */

static void *addresses_come_and_go(void *arg)
{
	struct lab *lab = arg;
	struct rill_net *net = lab->net[LAB_SERVER];
	struct rill_addr extra = at("198.18.0.22:80");
	struct rill_listener *any = lab_listen(lab, 81, NULL), *one;
	struct rill_tcp *c[2], *s[2];
	struct rill_ip list[4];
	char byte;

	RILL_ASSERT_CMP(rill_tcp_listen(net, &extra, NULL, &one), ==, -EADDRNOTAVAIL);
	RILL_ASSERT_CMP(rill_net_add_addr(net, "198.18.0.22"), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_net_add_addr(net, "198.18.0.255/24"), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_net_add_addr(net, "198.18.0.22/24"), ==, 0);
	RILL_ASSERT_CMP(rill_net_add_addr(net, "198.18.0.22/24"), ==, -EEXIST);
	RILL_ASSERT_CMP(rill_net_addrs(net, list, 4), ==, 2u);
	RILL_ASSERT(memcmp(&list[1], &extra.ip, sizeof(extra.ip)) == 0);
	RILL_ASSERT_CMP(rill_tcp_listen(net, &extra, NULL, &one), ==, 0);
	RILL_ASSERT(same_ip(rill_listener_addr(one), "198.18.0.22"));
	for (unsigned round = 0; round < 2; round++) {
		c[0] = connect_from(lab, NULL, "198.18.0.22:80");
		c[1] = connect_from(lab, NULL, "198.18.0.1:81");
		RILL_ASSERT_CMP(rill_tcp_accept(one, &s[0]), ==, 0);
		RILL_ASSERT_CMP(rill_tcp_accept(any, &s[1]), ==, 0);
		RILL_ASSERT(same_ip(rill_tcp_local(s[0]), "198.18.0.22"));
		RILL_ASSERT_CMP(rill_net_del_addr(net, &extra.ip), ==, 0);
		RILL_ASSERT_CMP(rill_tcp_recv(s[0], &byte, 1), ==, -EADDRNOTAVAIL);
		RILL_ASSERT_CMP(rill_tcp_recv(c[0], &byte, 1), ==, -ECONNRESET);
		RILL_ASSERT_CMP(rill_tcp_send(c[1], "x", 1), ==, 1);
		RILL_ASSERT_CMP(rill_tcp_recv(s[1], &byte, 1), ==, 1);
		for (unsigned i = 0; i < 2; i++) {
			rill_tcp_close(c[i]);
			rill_tcp_close(s[i]);
		}
		/* What is bound to it stays, and works again when it is back. */
		RILL_ASSERT_CMP(rill_net_add_addr(net, "198.18.0.22/24"), ==, 0);
	}
	RILL_ASSERT_CMP(rill_net_del_addr(net, &list[0]), ==, -EBUSY);
	extra = at("198.18.0.23");
	RILL_ASSERT_CMP(rill_net_del_addr(net, &extra.ip), ==, -ENOENT);
	rill_listener_close(one);
	rill_listener_close(any);
	return NULL;
}

static void test_addresses_come_and_go(void **state)
{
	(void)state;
	lab_run_in(&virtual_time, addresses_come_and_go);
}

static void *sources(void *arg)
{
	struct lab *lab = arg;
	struct rill_net *net = lab->net[LAB_CLIENT];
	struct rill_listener *l = lab_listen(lab, 80, NULL);
	struct rill_addr foreign = at("198.18.0.77"), to = at("198.18.0.1:80");
	const char *const from[] = {NULL, "198.18.0.2", "198.18.0.32", "198.18.0.32:5000",
				    "198.18.0.2:5000"};
	const char *const seen[] = {"198.18.0.2", "198.18.0.2", "198.18.0.32", "198.18.0.32",
				    "198.18.0.2"};
	struct rill_tcp *c, *s;

	RILL_ASSERT_CMP(rill_net_add_addr(net, "198.18.0.32/24"), ==, 0);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(from); i++) {
		c = connect_from(lab, from[i], "198.18.0.1:80");
		RILL_ASSERT_CMP(rill_tcp_accept(l, &s), ==, 0);
		RILL_ASSERT(same_ip(rill_tcp_local(c), seen[i]));
		RILL_ASSERT(same_ip(rill_tcp_peer(s), seen[i]));
		rill_tcp_abort(c);
		rill_tcp_abort(s);
	}
	RILL_ASSERT_CMP(rill_tcp_connect(net, &foreign, &to, NULL, &c), ==, -EADDRNOTAVAIL);
	rill_listener_close(l);
	return NULL;
}

static void test_sources(void **state)
{
	(void)state;
	lab_run_in_each(sources, NULL);
}

/* ---- datagrams ---- */

static struct rill_udp *bind_udp(struct lab *lab, enum lab_side side, const char *text, bool shared,
				 bool all_errors)
{
	struct rill_udp_options o = {RILL_OPTIONS(o), .reuse_port = shared,
				     .all_errors = all_errors};
	struct rill_addr local = at(text);
	struct rill_udp *u = NULL;

	RILL_ASSERT_CMP(rill_udp_bind(lab->net[side], &local, &o, &u), ==, 0);
	return u;
}

static void *datagram_errors(void *arg)
{
	struct lab *lab = arg;
	struct rill_addr closed = lab_addr(lab, LAB_SERVER, 9), open = lab_addr(lab, LAB_SERVER, 7);
	struct rill_udp *server = bind_udp(lab, LAB_SERVER, ":7", false, false);
	struct rill_udp *plain = bind_udp(lab, LAB_CLIENT, ":0", false, false);
	struct rill_udp *all = bind_udp(lab, LAB_CLIENT, ":0", false, true);
	struct rill_addr from;
	struct rill_scope scope;
	char byte;

	/* Connected: told once. */
	RILL_ASSERT_CMP(rill_udp_send(plain, "x", 1, NULL), ==, -EDESTADDRREQ);
	RILL_ASSERT_CMP(rill_udp_connect(plain, &closed), ==, 0);
	RILL_ASSERT_CMP(rill_udp_send(plain, "x", 1, NULL), ==, 1);
	RILL_ASSERT_CMP(rill_udp_recv(plain, &byte, 1, NULL), ==, -ECONNREFUSED);
	/* Not connected: not told. */
	RILL_ASSERT_CMP(rill_udp_connect(plain, NULL), ==, 0);
	RILL_ASSERT_CMP(rill_udp_send(plain, "x", 1, &closed), ==, 1);
	rill_scope_begin(&scope, rill_after(RILL_SEC), NULL);
	RILL_ASSERT_CMP(rill_udp_recv(plain, &byte, 1, NULL), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	/* But where it is wanted; also by a send. */
	RILL_ASSERT_CMP(rill_udp_send(all, "x", 1, &closed), ==, 1);
	RILL_ASSERT_CMP(rill_udp_recv(all, &byte, 1, NULL), ==, -ECONNREFUSED);
	from = rill_udp_failed_peer(all);
	RILL_ASSERT_CMP(from.port, ==, 9);
	RILL_ASSERT(memcmp(&from.ip, &closed.ip, sizeof(from.ip)) == 0);
	RILL_ASSERT_CMP(rill_udp_send(all, "x", 1, &closed), ==, 1);
	rill_sleep(RILL_SEC);
	RILL_ASSERT_CMP(rill_udp_send(all, "x", 1, &open), ==, -ECONNREFUSED);
	RILL_ASSERT_CMP(rill_udp_send(all, "y", 1, &open), ==, 1);
	RILL_ASSERT_CMP(rill_udp_recv(server, &byte, 1, &from), ==, 1);
	RILL_ASSERT_CMP(byte, ==, 'y');
	rill_udp_close(server);
	rill_udp_close(plain);
	rill_udp_close(all);
	return NULL;
}

static void test_datagram_errors(void **state)
{
	(void)state;
	lab_run_in(&virtual_time, datagram_errors);
}

static unsigned waiting(struct rill_udp *u)
{
	struct rill_scope scope;
	unsigned n = 0;
	char byte;

	rill_scope_begin(&scope, rill_after(RILL_MS), NULL);
	while (rill_udp_recv(u, &byte, 1, NULL) == 1)
		n++;
	rill_scope_end(&scope);
	return n;
}

/* All of one peer's datagrams go to one member, until another one is connected to that peer. */
static void *datagram_groups(void *arg)
{
	struct lab *lab = arg;
	struct rill_addr to = lab_addr(lab, LAB_SERVER, 53), from;
	struct rill_udp *u[MEMBERS], *client = NULL;
	unsigned got[MEMBERS] = {0}, n = 0;

	for (unsigned i = 0; i < MEMBERS; i++)
		u[i] = bind_udp(lab, LAB_SERVER, ":53", true, false);
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (client)
			rill_udp_close(client);
		client = bind_udp(lab, LAB_CLIENT, ":0", false, false);
		for (unsigned k = 0; k < 3; k++)
			RILL_ASSERT_CMP(rill_udp_send(client, "x", 1, &to), ==, 1);
		for (unsigned k = 0; k < MEMBERS; k++) {
			n = waiting(u[k]);
			RILL_ASSERT(n == 0 || n == 3);
			got[k] += n;
		}
	}
	from = lab_addr(lab, LAB_CLIENT, rill_udp_addr(client).port);
	for (unsigned k = 0; k < MEMBERS; k++) {
		RILL_ASSERT_CMP(got[k], >, 0u);
		RILL_ASSERT_CMP(rill_udp_connect(u[k], &from), ==, 0);
		RILL_ASSERT_CMP(rill_udp_send(client, "x", 1, &to), ==, 1);
		RILL_ASSERT_CMP(waiting(u[k]), ==, 1u);
		RILL_ASSERT_CMP(rill_udp_connect(u[k], NULL), ==, 0);
	}
	for (unsigned i = 0; i < MEMBERS; i++)
		rill_udp_close(u[i]);
	rill_udp_close(client);
	return NULL;
}

static void test_datagram_groups(void **state)
{
	(void)state;
	lab_run_in(&virtual_time, datagram_groups);
}

/* ---- closing ---- */

/* More than the peer, who does not read, has room for. */
static void stuff(struct rill_tcp *c)
{
	static const char block[4096];
	ssize_t n;
	struct iovec iov = {(void *)(uintptr_t)block, sizeof(block)};

	do {
		n = rill_tcp_sendv(c, &iov, 1, RILL_TCP_NOWAIT);
		if (n == -EAGAIN)
			rill_sleep(RILL_SEC);
		if (n == -EAGAIN)
			n = rill_tcp_sendv(c, &iov, 1, RILL_TCP_NOWAIT);
	} while (n > 0);
	RILL_ASSERT_CMP(n, ==, -EAGAIN);
}

static void *linger(void *arg)
{
	struct rill_tcp *pair[LAB_SIDES];
	struct rill_token *token = NULL;
	struct rill_scope scope;
	uint64_t begun;
	char byte;

	/* Acknowledged: at once. */
	lab_pair(arg, NULL, pair);
	RILL_ASSERT_CMP(rill_tcp_set_linger(pair[0], 5000), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_send(pair[0], "x", 1), ==, 1);
	begun = rill_now();
	RILL_ASSERT_CMP(rill_tcp_close(pair[0]), ==, 0);
	RILL_ASSERT_CMP(rill_now() - begun, <, RILL_SEC);
	RILL_ASSERT_CMP(rill_tcp_recv(pair[1], &byte, 1), ==, 1);
	RILL_ASSERT_CMP(rill_tcp_recv(pair[1], &byte, 1), ==, 0);
	rill_tcp_close(pair[1]);
	/* Not acknowledged: the time, and a RST. */
	lab_pair(arg, NULL, pair);
	stuff(pair[0]);
	RILL_ASSERT_CMP(rill_tcp_set_linger(pair[0], 3000), ==, 0);
	begun = rill_now();
	RILL_ASSERT_CMP(rill_tcp_close(pair[0]), ==, -ETIMEDOUT);
	RILL_ASSERT_CMP(rill_now() - begun, >=, 3 * RILL_SEC);
	RILL_ASSERT_CMP(rill_now() - begun, <, 4 * RILL_SEC);
	while (rill_tcp_recv(pair[1], &byte, 1) == 1)
		;
	RILL_ASSERT_CMP(rill_tcp_recv(pair[1], &byte, 1), ==, -ECONNRESET);
	rill_tcp_close(pair[1]);
	/* The scope ends first: the rest is delivered by itself. */
	lab_pair(arg, NULL, pair);
	stuff(pair[0]);
	RILL_ASSERT_CMP(rill_tcp_set_linger(pair[0], 60000), ==, 0);
	rill_scope_begin(&scope, rill_after(RILL_SEC), token);
	begun = rill_now();
	RILL_ASSERT_CMP(rill_tcp_close(pair[0]), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	RILL_ASSERT_CMP(rill_now() - begun, <, 2 * RILL_SEC);
	while (rill_tcp_recv(pair[1], &byte, 1) == 1)
		;
	RILL_ASSERT_CMP(rill_tcp_recv(pair[1], &byte, 1), ==, 0);
	rill_tcp_close(pair[1]);
	return NULL;
}

static void test_linger(void **state)
{
	(void)state;
	lab_run_in(&virtual_time, linger);
}

/* ---- memory ---- */

static uint64_t reserved(struct lab *lab)
{
	return rill_load_relaxed(&lab->rt[LAB_SERVER]->tcp_memory.used);
}

/* Forty that nobody reads, over two interfaces with two queues each, of one runtime. */
static void *memory_is_bounded(void *arg)
{
	enum { CONNS = 40 };
	struct lab *lab = arg;
	struct rill_tcp *pairs[CONNS][LAB_SIDES];
	uint64_t bytes = 0, segments = CONNS * LAB_SIDES * 5 * 4096;

	for (unsigned i = 0; i < CONNS; i++)
		lab_pair(lab, NULL, pairs[i]);
	for (unsigned i = 0; i < CONNS; i++)
		stuff(pairs[i][LAB_CLIENT]);
	RILL_ASSERT_CMP(reserved(lab), >, 2u << 20);
	RILL_ASSERT_CMP(reserved(lab), <, (4u << 20) + segments);
	RILL_ASSERT_CMP(lab_metric(lab->rt[0], lab->net[LAB_SERVER], "tcp_memory_pressure") +
				lab_metric(lab->rt[0], lab->net[LAB_CLIENT], "tcp_memory_pressure"),
			>, 0u);
	/* All of it arrives, and all of it is given back. */
	for (unsigned i = 0; i < CONNS; i++) {
		static char buf[65536];
		ssize_t n;

		RILL_ASSERT_CMP(rill_tcp_shutdown(pairs[i][LAB_CLIENT], RILL_SHUT_WR), ==, 0);
		while ((n = rill_tcp_recv(pairs[i][LAB_SERVER], buf, sizeof(buf))) > 0)
			bytes += (uint64_t)n;
		RILL_ASSERT_CMP(n, ==, 0);
		rill_tcp_close(pairs[i][LAB_SERVER]);
		rill_tcp_close(pairs[i][LAB_CLIENT]);
	}
	RILL_ASSERT_CMP(bytes, >, 1u << 20);
	RILL_ASSERT_CMP(reserved(lab), <=, 4 * 2 * lab->rt[LAB_SERVER]->tcp_memory.chunk);
	return NULL;
}

static void test_memory_is_bounded(void **state)
{
	struct lab_options o = virtual_time;

	(void)state;
	o.tcp_memory = 4 << 20;
	o.link = ",bufs=8192";
	lab_run_in(&o, memory_is_bounded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listeners_share),
		cmocka_unit_test(test_members_come_and_go),
		cmocka_unit_test(test_addresses_come_and_go),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_datagram_errors),
		cmocka_unit_test(test_datagram_groups),
		cmocka_unit_test(test_linger),
		cmocka_unit_test(test_memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
