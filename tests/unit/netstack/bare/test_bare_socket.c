/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers, addresses, datagrams, what there is, and limits. */
#include "world.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static struct rill_addr at(struct world *w, enum side side, uint16_t port)
{
	struct rill_addr addr = w->addr[side];

	addr.port = port;
	return addr;
}

static void numbers(void **state)
{
	struct rill_addr any = {.port = 0}, local;
	struct world w;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3, .sockets = 3});
	struct rill_stack *s = client(&w);

	assert_int_equal(rill_stack_socket(s, SOCK_RAW), -EPROTONOSUPPORT);
	assert_int_equal(rill_stack_socket(s, SOCK_STREAM), 0);
	assert_int_equal(rill_stack_socket(s, SOCK_DGRAM | SOCK_NONBLOCK), 1);
	assert_int_equal(rill_stack_socket(s, SOCK_STREAM), 2);
	assert_int_equal(rill_stack_socket(s, SOCK_STREAM), -EMFILE);
	assert_int_equal(rill_stack_close(s, 1), 0);
	assert_int_equal(rill_stack_close(s, 1), -EBADF);
	assert_int_equal(rill_stack_poll(s, 1), POLLNVAL);
	assert_int_equal(rill_stack_socket(s, SOCK_STREAM), 1);
	assert_int_equal(rill_stack_bind(s, 0, &any), 0);
	assert_int_equal(rill_stack_local(s, 0, &local), 0);
	assert_true(local.port >= 32768);
	assert_int_equal(rill_stack_bind(s, 1, &local), -EADDRINUSE);
	struct rill_addr foreign = at(&w, SERVER, 80);

	assert_int_equal(rill_stack_bind(s, 1, &foreign), -EADDRNOTAVAIL);
	assert_int_equal(rill_stack_close(s, 0), 0);
	assert_int_equal(rill_stack_bind(s, 1, &local), 0);
	assert_int_equal(rill_stack_close(s, -1), -EBADF);
	world_close(&w);
}

/* What does not fit the socket's state. */
static void wrong_calls(void **state)
{
	struct world w;
	char c;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	struct rill_stack *s = client(&w);
	struct rill_addr group = {.ip = {RILL_AF_IP4, {224, 0, 0, 1}}, .port = 80};
	struct rill_addr self = at(&w, CLIENT, 80), peer;
	int fd = rill_stack_socket(s, SOCK_STREAM);
	int udp = rill_stack_socket(s, SOCK_DGRAM);

	assert_int_equal(get(s, fd, &c, 1), -ENOTCONN);
	assert_int_equal(put(s, fd, &c, 1), -EPIPE);
	assert_int_equal(rill_stack_shutdown(s, fd, SHUT_WR), -ENOTCONN);
	assert_int_equal(rill_stack_shutdown(s, fd, 3), -EINVAL);
	assert_int_equal(rill_stack_peer(s, fd, &peer), -ENOTCONN);
	assert_int_equal(rill_stack_connect(s, fd, &group), -ENETUNREACH);
	assert_int_equal(rill_stack_connect(s, fd, &self), -ENETUNREACH);
	assert_int_equal(rill_stack_listen(s, udp, 1), -EOPNOTSUPP);
	assert_int_equal(rill_stack_accept(s, udp, NULL), -EOPNOTSUPP);
	assert_int_equal(rill_stack_listen(s, fd, 1), 0);
	assert_int_equal(rill_stack_unread(s, fd), -EINVAL);
	assert_int_equal(get(s, fd, &c, 1), -ENOTCONN);
	assert_int_equal(rill_stack_connect(s, fd, &self), -EISCONN);
	assert_int_equal(put(s, udp, &c, 1), -EDESTADDRREQ);
	struct iovec iov = {&c, 1};

	assert_int_equal(rill_stack_send(s, udp, &iov, 1, MSG_ERRQUEUE, NULL), -EOPNOTSUPP);
	assert_int_equal(rill_stack_recv(s, udp, &iov, 1, MSG_ERRQUEUE, NULL, NULL), -EOPNOTSUPP);
	assert_int_equal(rill_stack_send(s, udp, &iov, -1, 0, NULL), -EMSGSIZE);
	/* Giving an attempt up leaves a socket that may try again. */
	int other = rill_stack_socket(s, SOCK_STREAM);
	struct rill_addr to = at(&w, SERVER, 80);

	assert_int_equal(rill_stack_connect(s, other, &to), -EINPROGRESS);
	assert_int_equal(rill_stack_shutdown(s, other, SHUT_RDWR), 0);
	assert_int_equal(get_int(s, other, SOL_SOCKET, SO_ERROR), ECONNRESET);
	assert_int_equal(rill_stack_connect(s, other, &to), -EINPROGRESS);
	world_close(&w);
}

static void datagrams(void **state)
{
	struct rill_addr from, to;
	char buf[8] = "";
	int flags = 0;
	struct world w;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L2});
	int c = rill_stack_socket(client(&w), SOCK_DGRAM);
	int s = rill_stack_socket(server(&w), SOCK_DGRAM);
	struct iovec out[2] = {{(void *)(uintptr_t) "date", 4}, {(void *)(uintptr_t) "gram", 4}};
	struct iovec in = {buf, 5};

	to = at(&w, SERVER, 53);
	assert_int_equal(rill_stack_poll(client(&w), c), POLLOUT | POLLWRNORM);
	assert_int_equal(rill_stack_bind(server(&w), s, &to), 0);
	assert_int_equal(rill_stack_send(client(&w), c, out, 2, 0, &to), 8);
	assert_int_equal(rill_stack_recv(server(&w), s, &in, 1, 0, &from, &flags), -EAGAIN);
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(rill_stack_poll(server(&w), s),
			 POLLOUT | POLLWRNORM | POLLIN | POLLRDNORM);
	assert_int_equal(rill_stack_unread(server(&w), s), 8);
	assert_int_equal(
		rill_stack_recv(server(&w), s, &in, 1, MSG_PEEK | MSG_TRUNC, &from, &flags), 8);
	assert_int_equal(rill_stack_recv(server(&w), s, &in, 1, 0, &from, &flags), 5);
	assert_memory_equal(buf, "dateg", 5);
	assert_int_equal(flags, MSG_TRUNC);
	assert_memory_equal(&from.ip, &w.addr[CLIENT].ip, sizeof(from.ip));
	assert_int_equal(rill_stack_unread(server(&w), s), 0);
	/* A connected socket hears its peer alone, and of its errors. */
	to = at(&w, SERVER, 54);
	assert_int_equal(rill_stack_connect(client(&w), c, &to), 0);
	assert_int_equal(put(client(&w), c, "x", 1), 1);
	assert_int_equal(rill_stack_send(server(&w), s, out, 1, 0, &from), 4);
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(rill_stack_poll(client(&w), c), POLLOUT | POLLWRNORM | POLLERR);
	assert_int_equal(get(client(&w), c, buf, 1), -ECONNREFUSED);
	assert_int_equal(get(client(&w), c, buf, 1), -EAGAIN);
	/* In fragments, and too long. */
	static char big[70000];
	static char back[9000];

	to = at(&w, SERVER, 53);
	assert_int_equal(rill_stack_connect(client(&w), c, &to), 0);
	memset(big, 'b', sizeof(big));
	assert_int_equal(put(client(&w), c, big, sizeof(big)), -EMSGSIZE);
	assert_int_equal(put(client(&w), c, big, sizeof(back)), (ssize_t)sizeof(back));
	assert_int_equal(put(client(&w), c, NULL, 0), 0);
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(rill_stack_unread(server(&w), s), sizeof(back));
	assert_int_equal(get(server(&w), s, back, sizeof(back)), (ssize_t)sizeof(back));
	assert_memory_equal(back, big, sizeof(back));
	assert_int_equal(get(server(&w), s, back, 1), 0);
	assert_int_equal(get(server(&w), s, back, 1), -EAGAIN);
	to = (struct rill_addr){.ip = {RILL_AF_IP4, {255, 255, 255, 255}}, .port = 9};
	assert_int_equal(rill_stack_send(client(&w), c, out, 1, 0, &to), -EACCES);
	assert_int_equal(set_int(client(&w), c, SOL_SOCKET, SO_BROADCAST, 1), 0);
	assert_int_equal(rill_stack_send(client(&w), c, out, 1, 0, &to), 4);
	world_close(&w);
}

/* What arrives beyond the receive buffer is dropped and counted. */
static void datagram_limit(void **state)
{
	struct world w;
	uint64_t full = 0;
	const char *name;
	char c;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	int s = rill_stack_socket(server(&w), SOCK_DGRAM);
	int cl = rill_stack_socket(client(&w), SOCK_DGRAM);
	struct rill_addr to = at(&w, SERVER, 53);

	assert_int_equal(rill_stack_bind(server(&w), s, &to), 0);
	assert_int_equal(set_int(server(&w), s, SOL_SOCKET, SO_RCVBUF, 5000), 0);
	assert_int_equal(rill_stack_connect(client(&w), cl, &to), 0);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(put(client(&w), cl, "x", 1), 1);
	world_run(&w, 10 * RILL_MS);
	unsigned got = 0;

	while (get(server(&w), s, &c, 1) == 1)
		got++;
	for (unsigned i = 0; (name = rill_stack_drops(server(&w), i, &full)); i++)
		if (strcmp(name, "udp_queue_full") == 0)
			break;
	assert_non_null(name);
	assert_true(got > 0 && got < 10);
	assert_int_equal(got + full, 10);
	world_close(&w);
}

static const struct rill_stack_endpoint *find(const struct rill_stack_endpoint *list, size_t n,
					      int fd)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].fd == fd)
			return &list[i];
	return NULL;
}

static void endpoints(void **state)
{
	struct rill_stack_endpoint list[8];
	struct world w;
	int fd[SIDES];

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	assert_int_equal(rill_stack_endpoints(server(&w), NULL, 0), 0);
	int l = world_listen(&w, 4);
	int udp = rill_stack_socket(server(&w), SOCK_DGRAM);

	world_connect(&w, l, fd);
	/* One that nobody accepts. */
	int c = rill_stack_socket(client(&w), SOCK_STREAM);
	struct rill_addr to = at(&w, SERVER, 80);

	assert_int_equal(rill_stack_connect(client(&w), c, &to), -EINPROGRESS);
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(put(client(&w), fd[CLIENT], "four", 4), 4);
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(rill_stack_endpoints(server(&w), list, 1), 4);
	assert_int_equal(rill_stack_endpoints(server(&w), list, 8), 4);
	const struct rill_stack_endpoint *e = find(list, 4, l);

	assert_int_equal(e->state, RILL_STACK_LISTEN);
	assert_int_equal(e->local.port, 80);
	assert_int_equal(e->unread, 1);
	assert_int_equal(e->unacked, 5);
	e = find(list, 4, fd[SERVER]);
	assert_int_equal(e->state, RILL_STACK_ESTABLISHED);
	assert_int_equal(e->unread, 4);
	assert_int_equal(e->remote.ip.family, RILL_AF_IP4);
	assert_int_equal(find(list, 4, udp)->type, SOCK_DGRAM);
	e = find(list, 4, -1);
	assert_int_equal(e->state, RILL_STACK_ESTABLISHED);
	/* A closed one lives on without a number. */
	assert_int_equal(rill_stack_close(client(&w), fd[CLIENT]), 0);
	assert_int_equal(rill_stack_endpoints(client(&w), list, 8), 2);
	assert_int_equal(find(list, 2, -1)->state, RILL_STACK_FIN_WAIT_1);
	world_close(&w);
}

/* ---- limits ---- */

/* Memory that ends, at any point: calls fail, and nothing else does. */
static void no_memory(void **state)
{
	struct world w;

	(void)state;
	for (size_t more = 0; more < 400000; more += 20000) {
		struct rill_addr to;

		world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
		int l = world_listen(&w, 4);
		int s = -1;

		w.ends[CLIENT].alloc_limit = w.ends[CLIENT].allocated + more;
		w.ends[SERVER].alloc_limit = w.ends[SERVER].allocated + more / 2;
		to = at(&w, SERVER, 80);
		int c = rill_stack_socket(client(&w), SOCK_STREAM);

		assert_true(c >= 0 || c == -ENOMEM);
		int r = rill_stack_connect(client(&w), c, &to);

		assert_true(r == -EINPROGRESS || r == -ENOMEM || r == -EBADF);
		for (unsigned i = 0; i < 100; i++) {
			char buf[20000] = "";

			if (s < 0)
				s = rill_stack_accept(server(&w), l, NULL);
			put(client(&w), c, buf, sizeof(buf));
			get(server(&w), s, buf, 100);
			world_run_lossy(&w, RILL_MS);
		}
		world_close(&w);
	}
}

/* A seed is a run. */
static uint64_t run_of(uint64_t seed)
{
	struct world w;
	int fd[SIDES];
	char buf[30000] = "";

	world_open(&w, &(struct world_options){.layer = RILL_STACK_L2, .seed = seed});
	world_connect(&w, world_listen(&w, 4), fd);
	w.ends[SERVER].drop_every = 7;
	for (unsigned i = 0; i < 50; i++) {
		put(client(&w), fd[CLIENT], buf, sizeof(buf));
		world_run(&w, 10 * RILL_MS);
		get(server(&w), fd[SERVER], buf, sizeof(buf));
	}
	uint64_t hash = w.ends[CLIENT].sent_hash ^ w.ends[SERVER].sent_hash * 3;

	world_close(&w);
	return hash;
}

static void repeatable(void **state)
{
	(void)state;
	assert_true(run_of(5) == run_of(5));
	assert_true(run_of(5) != run_of(6));
}

static void connection_limit(void **state)
{
	struct rill_addr to;
	struct world w;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3, .connections = 2});
	world_listen(&w, 100);
	to = at(&w, SERVER, 80);
	for (unsigned i = 0; i < 3; i++) {
		int fd = rill_stack_socket(client(&w), SOCK_STREAM);

		assert_int_equal(rill_stack_connect(client(&w), fd, &to),
				 i < 2 ? -EINPROGRESS : -ENOMEM);
	}
	world_close(&w);
}

/* No port is left: said at once. */
static void port_exhaustion(void **state)
{
	enum { PORTS = 28232 };
	struct rill_addr to;
	struct world w;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	/* Nobody is there: they stay in SYN-SENT. */
	to = (struct rill_addr){.ip = {RILL_AF_IP4, {198, 18, 0, 77}}, .port = 80};
	for (unsigned i = 0; i < PORTS; i++) {
		int fd = rill_stack_socket(client(&w), SOCK_STREAM);

		assert_int_equal(rill_stack_connect(client(&w), fd, &to), -EINPROGRESS);
	}
	int fd = rill_stack_socket(client(&w), SOCK_STREAM);

	assert_int_equal(rill_stack_connect(client(&w), fd, &to), -EADDRNOTAVAIL);
	to.port = 81;
	assert_int_equal(rill_stack_connect(client(&w), fd, &to), -EINPROGRESS);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),	   cmocka_unit_test(wrong_calls),
		cmocka_unit_test(datagrams),	   cmocka_unit_test(datagram_limit),
		cmocka_unit_test(endpoints),	   cmocka_unit_test(no_memory),
		cmocka_unit_test(repeatable),	   cmocka_unit_test(connection_limit),
		cmocka_unit_test(port_exhaustion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
