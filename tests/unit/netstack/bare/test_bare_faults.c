/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that is refused at every place, buffers that run out, and closing in every state. */
#include "world.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static void settle(struct world *w)
{
	world_run_lossy(w, 200 * RILL_MS);
}

static void close_all(struct world *w, enum side side, const int *fd, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (fd[i] >= 0)
			assert_int_equal(rill_stack_close(w->ends[side].stack, fd[i]), 0);
}

/* Everything may fail, and only with these. */
static void check_error(ssize_t r)
{
	assert_true(r >= 0 || r == -EAGAIN || r == -ENOMEM || r == -ENOBUFS || r == -EINPROGRESS ||
		    r == -ENOTCONN || r == -EPIPE || r == -ECONNRESET || r == -EBADF ||
		    r == -EINVAL || r == -ETIMEDOUT || r == -ECONNREFUSED || r == -EALREADY ||
		    r == -EHOSTUNREACH || r == -EADDRNOTAVAIL || r == -EISCONN);
}

/* A stream both ways with holes, an option of its own, a datagram, and the end. */
static void session(struct world *w)
{
	static uint8_t data[20000], back[20000];
	struct rill_addr at = {.port = 80};
	struct rill_addr to = w->addr[SERVER];
	struct iovec iov = {.iov_base = data, .iov_len = 3000};
	int udp[2], tcp[3] = {-1, -1, -1};

	to.port = 80;
	tcp[0] = rill_stack_socket(server(w), SOCK_STREAM);
	tcp[1] = rill_stack_socket(client(w), SOCK_STREAM);
	udp[0] = rill_stack_socket(server(w), SOCK_DGRAM);
	udp[1] = rill_stack_socket(client(w), SOCK_DGRAM);
	check_error(rill_stack_bind(server(w), tcp[0], &at));
	check_error(rill_stack_bind(server(w), udp[0], &at));
	check_error(rill_stack_listen(server(w), tcp[0], 4));
	check_error(rill_stack_send(client(w), udp[1], &iov, 1, 0, &to));
	check_error(rill_stack_connect(client(w), tcp[1], &to));
	settle(w);
	check_error(get(server(w), udp[0], back, sizeof(back)));
	tcp[2] = rill_stack_accept(server(w), tcp[0], NULL);
	check_error(tcp[2]);
	for (unsigned i = 0; i < 3; i++) {
		check_error(put(client(w), tcp[1], data, sizeof(data)));
		check_error(put(server(w), tcp[2], data, 5000));
		settle(w);
		check_error(get(server(w), tcp[2], back, sizeof(back)));
		check_error(get(client(w), tcp[1], back, sizeof(back)));
	}
	if (tcp[2] >= 0)
		(void)rill_stack_setsockopt(server(w), tcp[2], SOL_SOCKET, SO_KEEPALIVE, &(int){1},
					    sizeof(int));
	(void)rill_stack_poll(client(w), tcp[1]);
	if (tcp[1] >= 0)
		(void)rill_stack_shutdown(client(w), tcp[1], SHUT_WR);
	settle(w);
	close_all(w, SERVER, (int[]){udp[0], tcp[2], tcp[0]}, 3);
	close_all(w, CLIENT, (int[]){udp[1], tcp[1]}, 2);
	world_run_lossy(w, 5 * RILL_SEC);
}

/* For each n the allocations after the nth fail; then there is memory again, and all works. */
static void fail_after_each(enum side side)
{
	unsigned n = 0;

	for (bool all_done = false; !all_done; n++) {
		struct world w;
		uint32_t used;

		world_open(&w, &(struct world_options){.layer = RILL_STACK_L3, .packets = 256});
		for (enum side i = 0; i < SIDES; i++)
			w.ends[i].drop_every = 11;
		w.ends[side].alloc_fails = true;
		w.ends[side].alloc_fails_after = n;
		session(&w);
		used = w.ends[side].alloc_fails_after;
		w.ends[side].alloc_fails = false;
		all_done = used > 0;
		session(&w);
		world_close(&w);
		assert_true(n < 1000);
	}
	assert_true(n > 5);
}

static void no_memory_for_the_client(void **state)
{
	(void)state;
	fail_after_each(CLIENT);
}

static void no_memory_for_the_server(void **state)
{
	(void)state;
	fail_after_each(SERVER);
}

/* Connections that are not read must leave buffers for the others. */
static void unread_data_does_not_pin_every_buffer(void **state)
{
	static uint8_t data[100000];
	struct world w;
	int listener, fd[3][SIDES];
	ssize_t sent;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3, .packets = 160});
	/* the client has as many as it likes */
	rill_stack_destroy(client(&w));
	struct rill_stack_options o = {
		RILL_OPTIONS(o),	.ops = world_ops(),	 .ctx = &w.ends[CLIENT],
		.layer = RILL_STACK_L3, .addr = "198.18.0.1/24", .seed = 5,
	};

	assert_int_equal(rill_stack_create(&o, &w.ends[CLIENT].stack), 0);
	listener = world_listen(&w, 8);
	for (unsigned i = 0; i < 3; i++)
		world_connect(&w, listener, fd[i]);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 2; i++)
			(void)put(client(&w), fd[i][CLIENT], data, sizeof(data));
		world_run_lossy(&w, 500 * RILL_MS);
	}
	/* the third is served as if the others were not there */
	assert_int_equal(put(client(&w), fd[2][CLIENT], data, 3000), 3000);
	world_run(&w, RILL_SEC);
	assert_int_equal(get(server(&w), fd[2][SERVER], data, sizeof(data)), 3000);
	sent = put(server(&w), fd[2][SERVER], data, 3000); /* a segment at least */
	assert_in_range(sent, 1000, 3000);
	world_run(&w, RILL_SEC);
	assert_int_equal(get(client(&w), fd[2][CLIENT], data, sizeof(data)), sent);
	/* and the others go on once they are read */
	for (unsigned i = 0; i < 2; i++)
		for (unsigned round = 0; round < 200; round++) {
			(void)get(server(&w), fd[i][SERVER], data, sizeof(data));
			world_run_lossy(&w, 500 * RILL_MS);
		}
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(rill_stack_unsent(client(&w), fd[i][CLIENT]), 0);
	world_close(&w);
}

/* A read that finds the urgent byte alone is no end of the stream. */
static void urgent_byte_is_no_end_of_stream(void **state)
{
	struct world w;
	uint8_t data[16];
	int fd[SIDES], listener;
	char abc[] = "abc";
	struct iovec out = {.iov_base = abc, .iov_len = 3};
	struct iovec in = {.iov_base = data, .iov_len = sizeof(data)};

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	listener = world_listen(&w, 1);
	world_connect(&w, listener, fd);
	assert_int_equal(rill_stack_send(client(&w), fd[CLIENT], &out, 1, MSG_OOB, NULL), 3);
	world_run(&w, 100 * RILL_MS);
	assert_int_equal(rill_stack_recv(server(&w), fd[SERVER], &in, 1, MSG_PEEK, NULL, NULL), 2);
	assert_int_equal(get(server(&w), fd[SERVER], data, sizeof(data)), 2);
	assert_int_equal(rill_stack_recv(server(&w), fd[SERVER], &in, 1, MSG_PEEK, NULL, NULL),
			 -EAGAIN);
	assert_int_equal(rill_stack_poll(server(&w), fd[SERVER]) & (POLLIN | POLLPRI), POLLPRI);
	assert_int_equal(get(server(&w), fd[SERVER], data, sizeof(data)), -EAGAIN);
	assert_int_equal(put(client(&w), fd[CLIENT], "de", 2), 2);
	world_run(&w, 100 * RILL_MS);
	assert_int_equal(get(server(&w), fd[SERVER], data, sizeof(data)), 2);
	assert_memory_equal(data, "de", 2);
	world_close(&w);
}

/* ---- closing in every state ---- */

enum way { CLOSE, RESET, SHUT, WAYS };

static void end_it(struct rill_stack *s, int fd, enum way way)
{
	struct linger none = {.l_onoff = 1, .l_linger = 0};

	if (way == RESET)
		assert_int_equal(
			rill_stack_setsockopt(s, fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)),
			0);
	if (way == SHUT)
		(void)rill_stack_shutdown(s, fd, SHUT_RDWR);
	assert_int_equal(rill_stack_close(s, fd), 0);
	assert_int_equal(rill_stack_poll(s, fd), POLLNVAL);
}

/* Both ends go away at any time, in any way, with and without unread data and a new socket. */
static void close_at_any_time_in_any_way(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 60 * WAYS * WAYS; i++) {
		enum way way[SIDES] = {i % WAYS, i / WAYS % WAYS};
		uint64_t step = (i / (WAYS * WAYS)) * 250 * RILL_US;
		struct world w;
		struct rill_addr to;
		int listener, c, a, again;

		world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
		w.ends[SERVER].drop_every = i % 7 + 2;
		listener = world_listen(&w, 4);
		to = w.addr[SERVER];
		to.port = 80;
		c = rill_stack_socket(client(&w), SOCK_STREAM);
		assert_int_equal(rill_stack_connect(client(&w), c, &to), -EINPROGRESS);
		world_run(&w, step);
		a = rill_stack_accept(server(&w), listener, NULL);
		(void)put(client(&w), c, "data", 4);
		world_run(&w, step);
		end_it(client(&w), c, way[CLIENT]);
		/* its number is given to the next */
		again = rill_stack_socket(client(&w), SOCK_STREAM);
		assert_int_equal(again, c);
		world_run(&w, step);
		assert_int_equal(rill_stack_poll(client(&w), again) & POLLIN, 0);
		if (i % 2 == 0)
			end_it(server(&w), listener, CLOSE);
		if (a >= 0)
			end_it(server(&w), a, way[SERVER]);
		world_run(&w, 600 * RILL_SEC);
		if (i % 2 == 0) {
			struct rill_stack_stats stats;

			rill_stack_stats(server(&w), &stats);
			assert_int_equal(stats.connections, 0);
		}
		world_close(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_memory_for_the_client),
		cmocka_unit_test(no_memory_for_the_server),
		cmocka_unit_test(unread_data_does_not_pin_every_buffer),
		cmocka_unit_test(urgent_byte_is_no_end_of_stream),
		cmocka_unit_test(close_at_any_time_in_any_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
