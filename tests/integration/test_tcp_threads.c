/* SPDX-License-Identifier: BSD-3-Clause */
/* Every call of rill/tcp.h from plain threads: what waits blocks the thread. */
#include "tests/integration/lab.h"

#include <pthread.h>
#include <semaphore.h>
#include <string.h>

struct world {
	struct lab lab;
	struct rill_listener *l;
	struct rill_listener *other;
	sem_t reset; /* the last connection has ended */
};

static struct iovec vector(void *data, size_t len)
{
	return (struct iovec){data, len};
}

/* ---- the server's thread ---- */

static void receive_in_all_ways(struct rill_tcp *c)
{
	char buf[16];
	struct iovec iov = vector(buf, 4);
	struct rill_bytes b;
	struct rill_case readable;

	rill_case_tcp_readable(&readable, c);
	RILL_ASSERT_CMP(rill_select(&readable, 1, 0), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_recv(c, buf, 1), ==, 1);
	RILL_ASSERT_CMP(rill_tcp_recv_all(c, buf + 1, 3), ==, 3);
	RILL_ASSERT(memcmp(buf, "send", 4) == 0);
	RILL_ASSERT_CMP(rill_tcp_recvv(c, &iov, 1, RILL_TCP_PEEK), >, 0);
	RILL_ASSERT_CMP(rill_tcp_recv_all(c, buf, 4), ==, 4);
	RILL_ASSERT(memcmp(buf, "vect", 4) == 0);
	RILL_ASSERT(!rill_tcp_at_mark(c));
	RILL_ASSERT_CMP(rill_tcp_send(c, "go", 2), ==, 2);
	/* nothing else is there */
	RILL_ASSERT_CMP(rill_tcp_recv_bytes(c, &b), ==, 1);
	RILL_ASSERT_CMP(b.len, ==, 4u);
	RILL_ASSERT(memcmp(b.data, "buff", 4) == 0);
	RILL_ASSERT_CMP(rill_tcp_send_bytes(c, &b), ==, 4);
	rill_bytes_release(&b);
}

static void *server(void *arg)
{
	struct world *w = arg;
	struct rill_tcp *c = NULL, *d = NULL;
	struct rill_case accepts;
	uint64_t moved;
	char byte;

	RILL_ASSERT_CMP(rill_tcp_accept(w->l, &c), ==, 0);
	receive_in_all_ways(c);
	rill_case_accept(&accepts, w->other, &d);
	RILL_ASSERT_CMP(rill_select(&accepts, 1, 0), ==, 0);
	RILL_ASSERT_CMP(accepts.result, ==, 0);
	RILL_ASSERT_CMP(rill_tcp_splice(c, d, UINT64_MAX, &moved), ==, 0);
	RILL_ASSERT_CMP(moved, ==, 6u);
	RILL_ASSERT_CMP(rill_tcp_shutdown(d, RILL_SHUT_WR), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_recv(d, &byte, 1), ==, 0);
	rill_tcp_close(d);
	rill_tcp_close(c);
	RILL_ASSERT_CMP(rill_tcp_accept(w->l, &c), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_recv(c, &byte, 1), ==, -ECONNRESET);
	rill_tcp_close(c);
	RILL_ASSERT_CMP(sem_post(&w->reset), ==, 0);
	/* until the listener is shut down */
	RILL_ASSERT_CMP(rill_tcp_accept(w->l, &c), ==, -ESHUTDOWN);
	return NULL;
}

/* ---- the client's ---- */

static void send_in_all_ways(struct rill_tcp *c)
{
	char buf[4];
	struct iovec iov = vector(buf, 4);
	struct rill_tx_buffer b;
	struct rill_case writable;

	rill_case_tcp_writable(&writable, c);
	RILL_ASSERT_CMP(rill_select(&writable, 1, 0), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_send(c, "send", 4), ==, 4);
	memcpy(buf, "vect", 4);
	RILL_ASSERT_CMP(rill_tcp_sendv(c, &iov, 1, 0), ==, 4);
	RILL_ASSERT_CMP(rill_tcp_recv_all(c, buf, 2), ==, 2);
	RILL_ASSERT_CMP(rill_tcp_alloc_buffer(c, &b), ==, 0);
	rill_tcp_release_buffer(&b);
	RILL_ASSERT_CMP(rill_tcp_alloc_buffer(c, &b), ==, 0);
	memcpy(b.data, "buff", 4);
	RILL_ASSERT_CMP(rill_tcp_send_buffer(c, &b, 4), ==, 4);
	RILL_ASSERT_CMP(rill_tcp_recv_all(c, buf, 4), ==, 4);
	RILL_ASSERT(memcmp(buf, "buff", 4) == 0);
}

static void set_everything(struct rill_tcp *c)
{
	const struct rill_tcp_keepalive k = {.idle_ms = 60000};
	struct rill_tcp_values v = {RILL_OPTIONS(v)};
	struct rill_tcp_info i;

	RILL_ASSERT_CMP(rill_tcp_set_nodelay(c, true), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_cork(c, false), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_quickack(c, false), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_keepalive(c, &k), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_user_timeout(c, 60000), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_linger(c, -1), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_send_buffer(c, 100000), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_recv_buffer(c, 100000), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_max_pacing_rate(c, 0), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_notsent_lowat(c, 0), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_window_clamp(c, 0), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_max_segment(c, 1000), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_tos(c, 0), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_ttl(c, 0), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_oob_inline(c, false), ==, 0);
	/* what it is is always right */
	RILL_ASSERT_CMP(rill_tcp_get_options(c, &v), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_set_congestion(c, v.congestion), ==, 0);
	RILL_ASSERT_CMP(v.max_segment, ==, 1000);
	RILL_ASSERT_CMP(rill_tcp_info(c, &i), ==, 0);
	RILL_ASSERT(strcmp(i.state, "ESTABLISHED") == 0);
}

static void *client(void *arg)
{
	struct world *w = arg;
	struct rill_tcp *c = lab_connect(&w->lab, w->l, NULL), *d;
	char buf[7];

	set_everything(c);
	send_in_all_ways(c);
	d = lab_connect(&w->lab, w->other, NULL);
	RILL_ASSERT_CMP(rill_tcp_peer(d).port, ==, rill_listener_addr(w->other).port);
	RILL_ASSERT(rill_tcp_local(d).port != 0);
	RILL_ASSERT_CMP(rill_tcp_send(c, "splice", 6), ==, 6);
	RILL_ASSERT_CMP(rill_tcp_shutdown(c, RILL_SHUT_WR), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_recv_all(d, buf, 7), ==, 6);
	RILL_ASSERT(memcmp(buf, "splice", 6) == 0);
	rill_tcp_close(d);
	RILL_ASSERT_CMP(rill_tcp_recv(c, buf, 1), ==, 0);
	rill_tcp_close(c);
	rill_tcp_abort(lab_connect(&w->lab, w->l, NULL));
	return NULL;
}

static void test_every_call(void **state)
{
	const struct lab_options kinds[] = {
		{.workers = 1, .queues = 1},
		{.workers = 2, .queues = 2},
		{.workers = 2, .queues = 2, .two_runtimes = true},
	};

	(void)state;
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(kinds); i++) {
		struct world w = {0};
		struct rill_tcp *none = NULL;
		pthread_t threads[2];

		assert_int_equal(sem_init(&w.reset, 0, 0), 0);
		lab_open(&w.lab, &kinds[i]);
		w.l = lab_listen(&w.lab, 0, NULL);
		w.other = lab_listen(&w.lab, 0, NULL);
		RILL_ASSERT_CMP(rill_tcp_try_accept(w.l, &none), ==, -EAGAIN);
		assert_int_equal(pthread_create(&threads[0], NULL, server, &w), 0);
		assert_int_equal(pthread_create(&threads[1], NULL, client, &w), 0);
		pthread_join(threads[1], NULL);
		assert_int_equal(sem_wait(&w.reset), 0);
		rill_listener_shutdown(w.l);
		pthread_join(threads[0], NULL);
		rill_listener_close(w.l);
		rill_listener_close(w.other);
		lab_close(&w.lab);
		sem_destroy(&w.reset);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
