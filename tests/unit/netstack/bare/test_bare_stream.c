/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening, transfer, ending: what each call returns and poll says at each step, as on Linux. */
#include "world.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#define IN (POLLIN | POLLRDNORM)
#define OUT (POLLOUT | POLLWRNORM)

static void poll_is(struct rill_stack *s, int fd, int mask)
{
	assert_int_equal(rill_stack_poll(s, fd), mask);
}

static void open_and_poll(enum rill_stack_layer layer)
{
	struct world_options o = {.layer = layer};
	struct rill_addr to;
	struct world w;

	world_open(&w, &o);
	int l = rill_stack_socket(server(&w), SOCK_STREAM);
	int c = rill_stack_socket(client(&w), SOCK_STREAM);

	to = w.addr[SERVER];
	to.port = 80;
	poll_is(client(&w), c, OUT | POLLHUP);
	assert_int_equal(rill_stack_accept(server(&w), l, NULL), -EINVAL);
	assert_int_equal(rill_stack_bind(server(&w), l, &to), 0);
	assert_int_equal(rill_stack_bind(server(&w), l, &to), -EINVAL);
	assert_int_equal(rill_stack_listen(server(&w), l, 5), 0);
	poll_is(server(&w), l, 0);
	assert_int_equal(rill_stack_accept(server(&w), l, NULL), -EAGAIN);
	assert_int_equal(rill_stack_connect(client(&w), c, &to), -EINPROGRESS);
	assert_int_equal(rill_stack_connect(client(&w), c, &to), -EALREADY);
	poll_is(client(&w), c, 0);
	assert_int_equal(put(client(&w), c, "x", 1), -EAGAIN);
	assert_int_equal(rill_stack_unread(client(&w), c), 0);
	world_run(&w, 10 * RILL_MS);
	poll_is(client(&w), c, OUT);
	poll_is(server(&w), l, IN);
	assert_int_equal(w.ends[SERVER].ready_fd, l);
	assert_int_equal(w.ends[CLIENT].ready_fd, c);
	assert_int_equal(get_int(client(&w), c, SOL_SOCKET, SO_ERROR), 0);
	assert_int_equal(rill_stack_connect(client(&w), c, &to), 0);
	assert_int_equal(rill_stack_connect(client(&w), c, &to), -EISCONN);
	int s = rill_stack_accept(server(&w), l, NULL);

	assert_int_equal(s, 1);
	poll_is(server(&w), l, 0);
	poll_is(server(&w), s, OUT);
	world_close(&w);
}

static void open_l3(void **state)
{
	(void)state;
	open_and_poll(RILL_STACK_L3);
}

static void open_l2(void **state)
{
	(void)state;
	open_and_poll(RILL_STACK_L2);
}

static void transfer(void **state)
{
	struct world w;
	int fd[SIDES];
	char buf[16];

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	world_connect(&w, world_listen(&w, 5), fd);
	assert_int_equal(get(server(&w), fd[SERVER], buf, sizeof(buf)), -EAGAIN);
	struct iovec out[3] = {
		{(void *)(uintptr_t) "ab", 2}, {NULL, 0}, {(void *)(uintptr_t) "cde", 3}};

	assert_int_equal(rill_stack_send(client(&w), fd[CLIENT], out, 3, MSG_DONTWAIT, NULL), 5);
	assert_int_equal(rill_stack_unacked(client(&w), fd[CLIENT]), 5);
	assert_int_equal(rill_stack_unsent(client(&w), fd[CLIENT]), 0);
	world_run(&w, 100 * RILL_MS);
	assert_int_equal(rill_stack_unacked(client(&w), fd[CLIENT]), 0);
	assert_int_equal(rill_stack_unread(server(&w), fd[SERVER]), 5);
	poll_is(server(&w), fd[SERVER], IN | OUT);
	struct iovec in[2] = {{buf, 1}, {buf + 8, 8}};

	memset(buf, '.', sizeof(buf));
	assert_int_equal(rill_stack_recv(server(&w), fd[SERVER], in, 2, MSG_PEEK, NULL, NULL), 5);
	assert_memory_equal(buf, "a.......bcde....", 16);
	assert_int_equal(
		rill_stack_recv(server(&w), fd[SERVER], in, 2, MSG_PEEK | MSG_TRUNC, NULL, NULL),
		5);
	struct iovec none = {NULL, 2};

	assert_int_equal(rill_stack_recv(server(&w), fd[SERVER], &none, 1, MSG_TRUNC, NULL, NULL),
			 2);
	assert_int_equal(get(server(&w), fd[SERVER], buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "cde", 3);
	poll_is(server(&w), fd[SERVER], OUT);
	assert_int_equal(put(server(&w), fd[SERVER], "back", 4), 4);
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(get(client(&w), fd[CLIENT], buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "back", 4);
	world_close(&w);
}

/* More than any window, with losses, both ways at once. */
static void bulk(void **state)
{
	enum { BYTES = 1 << 20, PIECE = 30000 };
	size_t sent[SIDES] = {0}, got[SIDES] = {0};
	struct rill_stack_stats stats;
	static uint8_t buf[PIECE];
	struct world w;
	int fd[SIDES];

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L2});
	world_connect(&w, world_listen(&w, 5), fd);
	w.ends[SERVER].drop_every = 97;
	for (unsigned round = 0; round < 20000 && (got[0] < BYTES || got[1] < BYTES); round++) {
		for (enum side i = 0; i < SIDES; i++) {
			struct rill_stack *s = w.ends[i].stack;
			size_t len = BYTES - sent[i] < PIECE ? BYTES - sent[i] : PIECE;
			ssize_t n;

			for (size_t at = 0; at < len; at++)
				buf[at] = (uint8_t)((sent[i] + at) * 7 >> 3);
			n = len ? put(s, fd[i], buf, len) : 0;
			assert_true(n >= 0 || n == -EAGAIN);
			sent[i] += n > 0 ? (size_t)n : 0;
			while ((n = get(s, fd[i], buf, sizeof(buf))) > 0) {
				for (ssize_t at = 0; at < n; at++)
					assert_int_equal(buf[at],
							 (uint8_t)((got[i] + (size_t)at) * 7 >> 3));
				got[i] += (size_t)n;
			}
			assert_int_equal(n, -EAGAIN);
		}
		world_run(&w, RILL_MS);
	}
	assert_int_equal(got[CLIENT], BYTES);
	assert_int_equal(got[SERVER], BYTES);
	rill_stack_stats(client(&w), &stats);
	assert_true(stats.retransmits > 0);
	world_run(&w, RILL_SEC);
	rill_stack_stats(client(&w), &stats);
	assert_int_equal(stats.packet_buffers, 0);
	world_close(&w);
}

static void half_close(void **state)
{
	struct rill_stack_stats stats;
	struct world w;
	int fd[SIDES];
	char c;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	world_connect(&w, world_listen(&w, 5), fd);
	assert_int_equal(put(client(&w), fd[CLIENT], "q", 1), 1);
	assert_int_equal(rill_stack_shutdown(client(&w), fd[CLIENT], SHUT_WR), 0);
	poll_is(client(&w), fd[CLIENT], OUT);
	assert_int_equal(put(client(&w), fd[CLIENT], "x", 1), -EPIPE);
	world_run(&w, 10 * RILL_MS);
	poll_is(server(&w), fd[SERVER], IN | OUT | POLLRDHUP);
	assert_int_equal(get(server(&w), fd[SERVER], &c, 1), 1);
	assert_int_equal(get(server(&w), fd[SERVER], &c, 1), 0);
	assert_int_equal(get(server(&w), fd[SERVER], &c, 1), 0);
	assert_int_equal(put(server(&w), fd[SERVER], "a", 1), 1);
	assert_int_equal(rill_stack_shutdown(server(&w), fd[SERVER], SHUT_WR), 0);
	poll_is(server(&w), fd[SERVER], IN | OUT | POLLRDHUP | POLLHUP);
	world_run(&w, 10 * RILL_MS);
	/* TIME-WAIT: to its user as good as closed. */
	poll_is(client(&w), fd[CLIENT], IN | OUT | POLLRDHUP | POLLHUP);
	assert_int_equal(get(client(&w), fd[CLIENT], &c, 1), 1);
	assert_int_equal(get(client(&w), fd[CLIENT], &c, 1), 0);
	assert_int_equal(rill_stack_shutdown(client(&w), fd[CLIENT], SHUT_RDWR), -ENOTCONN);
	assert_int_equal(rill_stack_close(client(&w), fd[CLIENT]), 0);
	assert_int_equal(rill_stack_close(server(&w), fd[SERVER]), 0);
	rill_stack_stats(client(&w), &stats);
	assert_int_equal(stats.connections, 1);
	rill_stack_stats(server(&w), &stats);
	assert_int_equal(stats.connections, 0);
	world_run(&w, 61 * RILL_SEC);
	rill_stack_stats(client(&w), &stats);
	assert_int_equal(stats.connections, 0);
	assert_int_equal(stats.packet_buffers, 0);
	world_close(&w);
}

static void reset(void **state)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};
	struct world w;
	int fd[SIDES];
	char c;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	world_connect(&w, world_listen(&w, 5), fd);
	assert_int_equal(rill_stack_setsockopt(client(&w), fd[CLIENT], SOL_SOCKET, SO_LINGER,
					       &linger, sizeof(linger)),
			 0);
	assert_int_equal(rill_stack_close(client(&w), fd[CLIENT]), 0);
	world_run(&w, 10 * RILL_MS);
	poll_is(server(&w), fd[SERVER], IN | OUT | POLLRDHUP | POLLHUP | POLLERR);
	assert_int_equal(get(server(&w), fd[SERVER], &c, 1), -ECONNRESET);
	poll_is(server(&w), fd[SERVER], IN | OUT | POLLRDHUP | POLLHUP);
	assert_int_equal(get(server(&w), fd[SERVER], &c, 1), 0);
	assert_int_equal(put(server(&w), fd[SERVER], "x", 1), -EPIPE);
	assert_int_equal(rill_stack_close(server(&w), fd[SERVER]), 0);
	world_close(&w);
}

/* Data that nobody read makes the close a reset (RFC 2525, 2.17). */
static void close_with_unread(void **state)
{
	struct world w;
	int fd[SIDES];

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	world_connect(&w, world_listen(&w, 5), fd);
	assert_int_equal(put(client(&w), fd[CLIENT], "unread", 6), 6);
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(rill_stack_close(server(&w), fd[SERVER]), 0);
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(get_int(client(&w), fd[CLIENT], SOL_SOCKET, SO_ERROR), ECONNRESET);
	assert_int_equal(get_int(client(&w), fd[CLIENT], SOL_SOCKET, SO_ERROR), 0);
	world_close(&w);
}

static void refused_and_again(void **state)
{
	struct rill_addr to;
	struct world w;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	int c = rill_stack_socket(client(&w), SOCK_STREAM);

	to = w.addr[SERVER];
	to.port = 80;
	assert_int_equal(rill_stack_connect(client(&w), c, &to), -EINPROGRESS);
	world_run(&w, 10 * RILL_MS);
	poll_is(client(&w), c, IN | OUT | POLLRDHUP | POLLHUP | POLLERR);
	assert_int_equal(rill_stack_connect(client(&w), c, &to), -ECONNREFUSED);
	world_listen(&w, 1);
	assert_int_equal(rill_stack_connect(client(&w), c, &to), -EINPROGRESS);
	world_run(&w, 10 * RILL_MS);
	poll_is(client(&w), c, OUT);
	/* Nobody has accepted it, and now nobody will. */
	world_close(&w);
}

static void backlog(void **state)
{
	struct rill_addr to;
	struct world w;
	int c[4];

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	int l = world_listen(&w, 1);

	to = w.addr[SERVER];
	to.port = 80;
	for (unsigned i = 0; i < 4; i++) {
		c[i] = rill_stack_socket(client(&w), SOCK_STREAM);
		assert_int_equal(rill_stack_connect(client(&w), c[i], &to), -EINPROGRESS);
		world_run(&w, 10 * RILL_MS);
	}
	poll_is(client(&w), c[0], OUT);
	poll_is(client(&w), c[1], OUT);
	int first = rill_stack_accept(server(&w), l, NULL);
	int second = rill_stack_accept(server(&w), l, NULL);

	assert_true(first >= 0 && second >= 0);
	assert_int_equal(rill_stack_accept(server(&w), l, NULL), -EAGAIN);
	/* There is room now, and the peers try again. */
	world_run(&w, 5 * RILL_SEC);
	poll_is(client(&w), c[2], OUT);
	poll_is(client(&w), c[3], OUT);
	assert_true(rill_stack_accept(server(&w), l, NULL) >= 0);
	assert_true(rill_stack_accept(server(&w), l, NULL) >= 0);
	/* A listener that goes away resets what waits. */
	int late = rill_stack_socket(client(&w), SOCK_STREAM);

	assert_int_equal(rill_stack_connect(client(&w), late, &to), -EINPROGRESS);
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(rill_stack_close(server(&w), l), 0);
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(get_int(client(&w), late, SOL_SOCKET, SO_ERROR), ECONNRESET);
	world_close(&w);
}

/* A new connection over the same addresses, while the old one is in TIME-WAIT (RFC 6191). */
static void time_wait_reuse(void **state)
{
	struct rill_addr from = {.port = 4000}, to;
	struct rill_stack_stats stats;
	struct world w;
	int fd[SIDES];

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	int l = world_listen(&w, 5);

	to = w.addr[SERVER];
	to.port = 80;
	for (unsigned i = 0; i < 3; i++) {
		fd[CLIENT] = rill_stack_socket(client(&w), SOCK_STREAM);
		assert_int_equal(rill_stack_bind(client(&w), fd[CLIENT], &from), 0);
		assert_int_equal(rill_stack_connect(client(&w), fd[CLIENT], &to), -EINPROGRESS);
		world_run(&w, 10 * RILL_MS);
		poll_is(client(&w), fd[CLIENT], OUT);
		fd[SERVER] = rill_stack_accept(server(&w), l, NULL);
		/* The server closes first: TIME-WAIT is there. */
		assert_int_equal(rill_stack_close(server(&w), fd[SERVER]), 0);
		world_run(&w, 10 * RILL_MS);
		assert_int_equal(rill_stack_close(client(&w), fd[CLIENT]), 0);
		world_run(&w, 10 * RILL_MS);
		rill_stack_stats(server(&w), &stats);
		assert_int_equal(stats.connections, 1);
	}
	world_close(&w);
}

/* RFC 6093, as Linux has it: out of line, and reads stop at the mark. */
static void urgent(void **state)
{
	struct world w;
	int fd[SIDES];
	char buf[16];
	struct iovec out[2] = {{(void *)(uintptr_t) "abc", 3}, {(void *)(uintptr_t) "d!", 2}};
	struct iovec in = {buf, sizeof(buf)};

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	world_connect(&w, world_listen(&w, 5), fd);
	struct rill_stack *s = server(&w);

	assert_int_equal(rill_stack_recv(s, fd[SERVER], &in, 1, MSG_OOB, NULL, NULL), -EINVAL);
	assert_int_equal(rill_stack_send(client(&w), fd[CLIENT], out, 2, MSG_OOB, NULL), 5);
	assert_int_equal(put(client(&w), fd[CLIENT], "ef", 2), 2);
	world_run(&w, 10 * RILL_MS);
	poll_is(s, fd[SERVER], IN | OUT | POLLPRI);
	assert_int_equal(rill_stack_recv(s, fd[SERVER], &in, 1, MSG_OOB | MSG_PEEK, NULL, NULL), 1);
	assert_int_equal(rill_stack_recv(s, fd[SERVER], &in, 1, MSG_OOB, NULL, NULL), 1);
	assert_int_equal(buf[0], '!');
	assert_int_equal(rill_stack_recv(s, fd[SERVER], &in, 1, MSG_OOB, NULL, NULL), -EINVAL);
	assert_int_equal(rill_stack_at_mark(s, fd[SERVER]), 0);
	assert_int_equal(get(s, fd[SERVER], buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "abcd", 4);
	assert_int_equal(rill_stack_at_mark(s, fd[SERVER]), 1);
	assert_int_equal(get(s, fd[SERVER], buf, sizeof(buf)), 2);
	assert_memory_equal(buf, "ef", 2);
	assert_int_equal(rill_stack_at_mark(s, fd[SERVER]), 0);
	poll_is(s, fd[SERVER], OUT);
	world_close(&w);
}

/* MSG_MORE holds an incomplete segment back until a send without it. */
static void more(void **state)
{
	struct iovec iov = {(void *)(uintptr_t) "head", 4};
	struct world w;
	int fd[SIDES];

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	world_connect(&w, world_listen(&w, 5), fd);
	assert_int_equal(rill_stack_send(client(&w), fd[CLIENT], &iov, 1, MSG_MORE, NULL), 4);
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(rill_stack_unsent(client(&w), fd[CLIENT]), 4);
	assert_int_equal(rill_stack_unread(server(&w), fd[SERVER]), 0);
	assert_int_equal(put(client(&w), fd[CLIENT], "body", 4), 4);
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(rill_stack_unread(server(&w), fd[SERVER]), 8);
	world_close(&w);
}

/* RFC 7413: the first connection brings a cookie, with which the next ones bring data at once. */
static void fast_open(void **state)
{
	struct rill_stack_profile p;
	struct rill_addr to;
	struct world w;
	int fd[SIDES], value = 1;
	char buf[8];
	struct iovec iov = {(void *)(uintptr_t) "early", 5};

	(void)state;
	rill_stack_profile_init(&p);
	p.fast_open = RILL_STACK_FAST_OPEN_CLIENT | RILL_STACK_FAST_OPEN_SERVER;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3, .profile = &p});
	int l = world_listen(&w, 5);

	assert_int_equal(set_int(server(&w), l, IPPROTO_TCP, TCP_FASTOPEN, 5), 0);
	assert_int_equal(get_int(server(&w), l, IPPROTO_TCP, TCP_FASTOPEN), 5);
	to = w.addr[SERVER];
	to.port = 80;
	/* No cookie yet: it is asked for, and the data has to wait. */
	fd[CLIENT] = rill_stack_socket(client(&w), SOCK_STREAM);
	assert_int_equal(rill_stack_send(client(&w), fd[CLIENT], &iov, 1, MSG_FASTOPEN, &to),
			 -EINPROGRESS);
	assert_int_equal(rill_stack_send(client(&w), fd[CLIENT], &iov, 1, MSG_FASTOPEN, &to),
			 -EALREADY);
	world_run(&w, 10 * RILL_MS);
	assert_true(rill_stack_accept(server(&w), l, NULL) >= 0);
	/* Now it goes with the SYN, and is there before the handshake is over. */
	fd[CLIENT] = rill_stack_socket(client(&w), SOCK_STREAM);
	assert_int_equal(rill_stack_send(client(&w), fd[CLIENT], &iov, 1, MSG_FASTOPEN, &to), 5);
	poll_is(client(&w), fd[CLIENT], 0);
	world_run(&w, DELAY_NS);
	fd[SERVER] = rill_stack_accept(server(&w), l, NULL);
	assert_true(fd[SERVER] >= 0);
	poll_is(server(&w), fd[SERVER], IN | OUT);
	assert_int_equal(get(server(&w), fd[SERVER], buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "early", 5);
	assert_int_equal(put(server(&w), fd[SERVER], "answer", 6), 6);
	world_run(&w, 10 * RILL_MS);
	assert_int_equal(get(client(&w), fd[CLIENT], buf, sizeof(buf)), 6);
	/* By connect(), which puts the SYN off until there is data. */
	fd[CLIENT] = rill_stack_socket(client(&w), SOCK_STREAM);
	assert_int_equal(rill_stack_setsockopt(client(&w), fd[CLIENT], IPPROTO_TCP,
					       TCP_FASTOPEN_CONNECT, &value, sizeof(value)),
			 0);
	assert_int_equal(rill_stack_connect(client(&w), fd[CLIENT], &to), 0);
	assert_int_equal(rill_stack_connect(client(&w), fd[CLIENT], &to), -EISCONN);
	poll_is(client(&w), fd[CLIENT], OUT);
	assert_int_equal(get(client(&w), fd[CLIENT], buf, 1), -EAGAIN);
	assert_int_equal(put(client(&w), fd[CLIENT], "later", 5), 5);
	world_run(&w, DELAY_NS);
	fd[SERVER] = rill_stack_accept(server(&w), l, NULL);
	assert_true(fd[SERVER] >= 0);
	assert_int_equal(rill_stack_unread(server(&w), fd[SERVER]), 5);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_l3),
		cmocka_unit_test(open_l2),
		cmocka_unit_test(transfer),
		cmocka_unit_test(bulk),
		cmocka_unit_test(half_close),
		cmocka_unit_test(reset),
		cmocka_unit_test(close_with_unread),
		cmocka_unit_test(refused_and_again),
		cmocka_unit_test(backlog),
		cmocka_unit_test(time_wait_reuse),
		cmocka_unit_test(urgent),
		cmocka_unit_test(more),
		cmocka_unit_test(fast_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
