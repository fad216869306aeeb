/* SPDX-License-Identifier: BSD-3-Clause */
/* Readiness of many sockets. */
#include "tests/integration/lab.h"

#include <pthread.h>
#include <stdlib.h>

#define MANY LAB_ROUNDS(2000u)

static struct rill_poll_set *new_set(void)
{
	struct rill_poll_set *set = NULL;

	RILL_ASSERT_CMP(rill_poll_create(&set), ==, 0);
	return set;
}

static void close_pair(struct rill_tcp *pair[LAB_SIDES])
{
	for (enum lab_side s = 0; s < LAB_SIDES; s++)
		rill_tcp_close(pair[s]);
}

/* One event, for user, of these kinds. */
static void expect(struct rill_poll_set *set, unsigned events, void *user)
{
	struct rill_poll_event e[4];

	RILL_ASSERT_CMP(rill_poll_wait(set, e, 4), ==, 1);
	RILL_ASSERT_CMP(e[0].events, ==, events);
	RILL_ASSERT(e[0].user == user);
}

static void expect_nothing(struct rill_poll_set *set)
{
	struct rill_poll_event e;

	RILL_ASSERT_CMP(rill_poll_try(set, &e, 1), ==, 0);
}

/* Waits until the peer of what was just sent has it. */
static void send_byte(struct rill_tcp *from, struct rill_tcp *to)
{
	struct rill_case c;

	RILL_ASSERT_CMP(rill_tcp_send(from, "x", 1), ==, 1);
	rill_case_tcp_readable(&c, to);
	RILL_ASSERT_CMP(rill_select(&c, 1, 0), ==, 0);
}

static void read_byte(struct rill_tcp *c)
{
	char byte;

	RILL_ASSERT_CMP(rill_tcp_recv(c, &byte, 1), ==, 1);
}

/* ---- one connection ---- */

static void *levels(void *arg)
{
	struct rill_poll_set *set = new_set();
	struct rill_tcp *pair[LAB_SIDES];
	struct rill_poll_source s;

	lab_pair(arg, NULL, pair);
	s = rill_poll_tcp(pair[LAB_SERVER]);
	RILL_ASSERT_CMP(rill_poll_add(set, s, RILL_POLL_READ, &s), ==, 0);
	RILL_ASSERT_CMP(rill_poll_add(set, s, RILL_POLL_READ, &s), ==, -EEXIST);
	expect_nothing(set);
	/* as long as it is so */
	send_byte(pair[LAB_CLIENT], pair[LAB_SERVER]);
	expect(set, RILL_POLL_READ, &s);
	expect(set, RILL_POLL_READ, &s);
	read_byte(pair[LAB_SERVER]);
	expect_nothing(set);
	/* what is asked for is looked for at once */
	RILL_ASSERT_CMP(rill_poll_modify(set, s, RILL_POLL_WRITE, set), ==, 0);
	expect(set, RILL_POLL_WRITE, set);
	RILL_ASSERT_CMP(rill_poll_modify(set, s, RILL_POLL_WRITE | RILL_POLL_ONCE, set), ==, 0);
	expect(set, RILL_POLL_WRITE, set);
	expect_nothing(set);
	RILL_ASSERT_CMP(rill_poll_modify(set, s, RILL_POLL_READ, &s), ==, 0);
	expect_nothing(set);
	/* both ends */
	RILL_ASSERT_CMP(rill_tcp_shutdown(pair[LAB_CLIENT], RILL_SHUT_WR), ==, 0);
	expect(set, RILL_POLL_READ, &s);
	RILL_ASSERT_CMP(rill_tcp_shutdown(pair[LAB_SERVER], RILL_SHUT_WR), ==, 0);
	expect(set, RILL_POLL_READ | RILL_POLL_HANGUP, &s);
	RILL_ASSERT_CMP(rill_poll_remove(set, s), ==, 0);
	RILL_ASSERT_CMP(rill_poll_remove(set, s), ==, -ENOENT);
	RILL_ASSERT_CMP(rill_poll_modify(set, s, RILL_POLL_READ, &s), ==, -ENOENT);
	expect_nothing(set);
	close_pair(pair);
	rill_poll_destroy(set);
	return NULL;
}

static void test_levels(void **state)
{
	(void)state;
	lab_run_in_each(levels, NULL);
}

static void *errors(void *arg)
{
	struct rill_poll_set *set = new_set();
	struct rill_tcp *pair[LAB_SIDES];
	struct rill_poll_event e;

	lab_pair(arg, NULL, pair);
	RILL_ASSERT_CMP(rill_poll_wait(set, &e, 0), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_poll_add(set, rill_poll_tcp(pair[0]), 1u << 9, NULL), ==, -EINVAL);
	/* not asked for, and told */
	RILL_ASSERT_CMP(rill_poll_add(set, rill_poll_tcp(pair[LAB_SERVER]), 0, set), ==, 0);
	expect_nothing(set);
	rill_tcp_abort(pair[LAB_CLIENT]);
	expect(set, RILL_POLL_ERROR | RILL_POLL_HANGUP, set);
	/* closing takes it out, of both sets */
	struct rill_poll_set *other = new_set();

	RILL_ASSERT_CMP(rill_poll_add(other, rill_poll_tcp(pair[LAB_SERVER]), 0, set), ==, 0);
	rill_tcp_close(pair[LAB_SERVER]);
	expect_nothing(set);
	expect_nothing(other);
	rill_poll_destroy(set);
	rill_poll_destroy(other);
	return NULL;
}

static void test_errors(void **state)
{
	(void)state;
	lab_run_in_each(errors, NULL);
}

/* A full send buffer, and then room. */
static void *room(void *arg)
{
	struct rill_tcp_options o = {RILL_OPTIONS(o), .send_buffer = 20000, .recv_buffer = 20000};
	struct rill_poll_set *set = new_set();
	struct rill_tcp *pair[LAB_SIDES];
	static char bytes[4096];
	struct iovec iov = {bytes, sizeof(bytes)};
	size_t sent = 0;
	ssize_t n;

	lab_pair(arg, &o, pair);
	while ((n = rill_tcp_sendv(pair[LAB_CLIENT], &iov, 1, RILL_TCP_NOWAIT)) != -EAGAIN) {
		if (n > 0)
			sent += (size_t)n;
		else
			RILL_ASSERT_CMP(n, ==, -ENOBUFS);
		if (sent > 15000)
			RILL_ASSERT_CMP(rill_sleep(RILL_MS), ==, 0);
	}
	RILL_ASSERT_CMP(rill_poll_add(set, rill_poll_tcp(pair[LAB_CLIENT]), RILL_POLL_WRITE, set),
			==, 0);
	while (sent > 0) {
		n = rill_tcp_recv(pair[LAB_SERVER], bytes, RILL_MIN(sizeof(bytes), sent));
		RILL_ASSERT_CMP(n, >, 0);
		sent -= (size_t)n;
	}
	expect(set, RILL_POLL_WRITE, set);
	rill_poll_destroy(set);
	close_pair(pair);
	return NULL;
}

static void test_room(void **state)
{
	(void)state;
	lab_run_in_each(room, NULL);
}

/* ---- other kinds ---- */

static void *kinds(void *arg)
{
	struct lab *lab = arg;
	struct rill_listener *l = lab_listen(lab, 0, NULL);
	struct rill_poll_set *set = new_set();
	struct rill_addr any = {0};
	struct rill_udp *u = NULL, *v = NULL;
	struct rill_tcp *c, *accepted = NULL;
	char byte;

	RILL_ASSERT_CMP(rill_udp_bind(lab->net[LAB_SERVER], &any, NULL, &u), ==, 0);
	RILL_ASSERT_CMP(rill_udp_bind(lab->net[LAB_CLIENT], &any, NULL, &v), ==, 0);
	RILL_ASSERT_CMP(rill_poll_add(set, rill_poll_listener(l), RILL_POLL_WRITE, l), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_poll_add(set, rill_poll_listener(l), RILL_POLL_READ, l), ==, 0);
	RILL_ASSERT_CMP(rill_poll_add(set, rill_poll_listener(l), RILL_POLL_READ, l), ==, -EEXIST);
	RILL_ASSERT_CMP(rill_poll_add(set, rill_poll_udp(u), RILL_POLL_READ, u), ==, 0);
	expect_nothing(set);
	RILL_ASSERT_CMP(rill_tcp_try_accept(l, &accepted), ==, -EAGAIN);

	c = lab_connect(lab, l, NULL);
	expect(set, RILL_POLL_READ, l);
	RILL_ASSERT_CMP(rill_tcp_try_accept(l, &accepted), ==, 0);
	expect_nothing(set);

	struct rill_addr to = lab_addr(lab, LAB_SERVER, rill_udp_addr(u).port);

	RILL_ASSERT_CMP(rill_udp_send(v, "x", 1, &to), ==, 1);
	expect(set, RILL_POLL_READ, u);
	RILL_ASSERT_CMP(rill_udp_recv(u, &byte, 1, NULL), ==, 1);
	expect_nothing(set);
	RILL_ASSERT_CMP(
		rill_poll_modify(set, rill_poll_udp(u), RILL_POLL_READ | RILL_POLL_WRITE, u), ==,
		0);
	expect(set, RILL_POLL_WRITE, u);
	rill_udp_close(u);
	expect_nothing(set);

	rill_listener_shutdown(l);
	expect(set, RILL_POLL_READ | RILL_POLL_HANGUP, l);
	rill_listener_close(l);
	expect_nothing(set);
	rill_tcp_close(c);
	rill_tcp_close(accepted);
	rill_udp_close(v);
	rill_poll_destroy(set);
	return NULL;
}

static void test_kinds(void **state)
{
	(void)state;
	lab_run_in_each(kinds, NULL);
}

/* ---- waiting ---- */

static void *wait_and_read(void *arg)
{
	struct rill_poll_event e;

	RILL_ASSERT_CMP(rill_poll_wait(arg, &e, 1), ==, 1);
	RILL_ASSERT(e.events == RILL_POLL_READ);
	read_byte(e.user);
	return NULL;
}

static void *waits(void *arg)
{
	struct lab *lab = arg;
	struct rill_poll_set *set = new_set();
	struct rill_tcp *pair[LAB_SIDES];
	struct rill_poll_event e;
	struct rill_case c[2];

	lab_pair(lab, NULL, pair);
	struct rill_poll_source s = rill_poll_tcp(pair[LAB_SERVER]);

	RILL_ASSERT_CMP(rill_poll_add(set, s, RILL_POLL_READ | RILL_POLL_ONCE, pair[LAB_SERVER]),
			==, 0);
	struct rill_task *t = lab_spawn(lab->rt[LAB_SERVER], wait_and_read, set);

	RILL_ASSERT_CMP(rill_sleep(RILL_MS), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_send(pair[LAB_CLIENT], "x", 1), ==, 1);
	lab_join(t);
	RILL_ASSERT_CMP(rill_poll_modify(set, s, RILL_POLL_READ | RILL_POLL_ONCE, set), ==, 0);
	/* cancelled: the one report is not spent */
	struct rill_scope scope;

	rill_scope_begin(&scope, rill_after(RILL_MS), NULL);
	RILL_ASSERT_CMP(rill_poll_wait(set, &e, 1), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	rill_case_poll(&c[0], set);
	rill_case_sleep_until(&c[1], rill_after(RILL_MS));
	RILL_ASSERT_CMP(rill_select(c, 2, 0), ==, 1);
	RILL_ASSERT_CMP(rill_tcp_send(pair[LAB_CLIENT], "x", 1), ==, 1);
	RILL_ASSERT_CMP(rill_select(c, 1, 0), ==, 0);
	expect(set, RILL_POLL_READ, set);
	expect_nothing(set);
	read_byte(pair[LAB_SERVER]);
	rill_poll_destroy(set);
	close_pair(pair);
	return NULL;
}

static void test_waits(void **state)
{
	(void)state;
	lab_run_in_each(waits, NULL);
}

/* ---- many ---- */

struct many {
	struct lab *lab;
	struct rill_poll_set *set;
	struct rill_tcp **server, **client;
	RILL_ATOMIC(unsigned) left;
};

/* Each socket is read by one, and only once it was ready. */
static void *serve_many(void *arg)
{
	struct many *m = arg;
	struct rill_poll_event e[16];
	char byte;

	while (rill_load_relaxed(&m->left) > 0) {
		struct rill_scope scope;

		/* the last may be another's */
		rill_scope_begin(&scope, rill_after(5 * RILL_MS), NULL);
		int n = rill_poll_wait(m->set, e, 16);

		rill_scope_end(&scope);
		if (n == -ETIMEDOUT)
			continue;
		RILL_ASSERT_CMP(n, >, 0);
		for (int i = 0; i < n; i++) {
			struct iovec iov = {&byte, 1};
			ssize_t r = rill_tcp_recvv(e[i].user, &iov, 1, RILL_TCP_NOWAIT);

			RILL_ASSERT_CMP(r, ==, 1);
			RILL_ASSERT_CMP(rill_tcp_send(e[i].user, "y", 1), ==, 1);
			rill_fetch_sub_relaxed(&m->left, 1);
			RILL_ASSERT_CMP(rill_poll_modify(m->set, rill_poll_tcp(e[i].user),
							 RILL_POLL_READ | RILL_POLL_ONCE,
							 e[i].user),
					==, 0);
		}
	}
	return NULL;
}

static void many_open(struct many *m)
{
	struct rill_listener *l = lab_listen(m->lab, 0, NULL);

	m->server = calloc(MANY, sizeof(*m->server));
	m->client = calloc(MANY, sizeof(*m->client));
	m->set = new_set();
	rill_store_relaxed(&m->left, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		m->client[i] = lab_connect(m->lab, l, NULL);
		RILL_ASSERT_CMP(rill_tcp_accept(l, &m->server[i]), ==, 0);
		RILL_ASSERT_CMP(rill_poll_add(m->set, rill_poll_tcp(m->server[i]),
					      RILL_POLL_READ | RILL_POLL_ONCE, m->server[i]),
				==, 0);
	}
	rill_listener_close(l);
}

static void many_close(struct many *m)
{
	for (unsigned i = 0; i < MANY; i++) {
		rill_tcp_close(m->client[i]);
		rill_tcp_close(m->server[i]);
	}
	rill_poll_destroy(m->set);
	free(m->server);
	free(m->client);
}

static void *many(void *arg)
{
	struct many m = {.lab = arg};
	struct rill_task *tasks[3];

	many_open(&m);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(tasks); i++)
		tasks[i] = lab_spawn(m.lab->rt[LAB_SERVER], serve_many, &m);
	for (unsigned i = 0; i < MANY; i++)
		RILL_ASSERT_CMP(rill_tcp_send(m.client[i * 7 % MANY], "x", 1), ==, 1);
	for (unsigned i = 0; i < MANY; i++)
		read_byte(m.client[i]);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(tasks); i++)
		lab_join(tasks[i]);
	many_close(&m);
	return NULL;
}

static void test_many(void **state)
{
	(void)state;
	lab_run_in_each(many, NULL);
}

/* ---- plain threads, and sockets that go while the set is waited for ---- */

static void *churn(void *arg)
{
	struct many *m = arg;

	for (unsigned i = 0; i < LAB_ROUNDS(300u); i++) {
		struct rill_tcp *pair[LAB_SIDES];

		lab_pair(m->lab, NULL, pair);
		for (enum lab_side s = 0; s < LAB_SIDES; s++)
			RILL_ASSERT_CMP(rill_poll_add(m->set, rill_poll_tcp(pair[s]),
						      RILL_POLL_READ | RILL_POLL_WRITE, NULL),
					==, 0);
		RILL_ASSERT_CMP(rill_tcp_send(pair[LAB_CLIENT], "x", 1), ==, 1);
		close_pair(pair);
	}
	rill_fetch_sub_relaxed(&m->left, 1);
	return NULL;
}

static void *look_on(void *arg)
{
	struct many *m = arg;
	struct rill_poll_event e[8];

	while (rill_load_relaxed(&m->left) > 0)
		RILL_ASSERT_CMP(rill_poll_try(m->set, e, 8), >=, 0);
	return NULL;
}

static void test_threads(void **state)
{
	const struct lab_options o = {.workers = 2, .queues = 2};
	struct lab lab;
	struct many m = {.lab = &lab};
	pthread_t threads[4];

	(void)state;
	lab_open(&lab, &o);
	m.set = new_set();
	rill_store_relaxed(&m.left, 2);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, i < 2 ? churn : look_on, &m), 0);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	rill_poll_destroy(m.set);
	lab_close(&lab);
}

/* Sockets of two interfaces in one set, which is destroyed first. */
static void *destroyed_first(void *arg)
{
	struct rill_poll_set *set = new_set();
	struct rill_tcp *pair[LAB_SIDES];

	lab_pair(arg, NULL, pair);
	for (enum lab_side s = 0; s < LAB_SIDES; s++)
		RILL_ASSERT_CMP(rill_poll_add(set, rill_poll_tcp(pair[s]),
					      RILL_POLL_READ | RILL_POLL_WRITE, NULL),
				==, 0);
	rill_poll_destroy(set);
	send_byte(pair[LAB_CLIENT], pair[LAB_SERVER]);
	read_byte(pair[LAB_SERVER]);
	close_pair(pair);
	return NULL;
}

static void test_destroyed_first(void **state)
{
	(void)state;
	lab_run_in_each(destroyed_first, NULL);
}

/* The same from a plain thread. */
static void test_from_threads(void **state)
{
	const struct lab_options o = {.workers = 2, .queues = 2};

	(void)state;
	lab_run_in_thread(&o, levels);
	lab_run_in_thread(&o, errors);
	lab_run_in_thread(&o, room);
	lab_run_in_thread(&o, kinds);
	lab_run_in_thread(&o, waits);
	lab_run_in_thread(&o, many);
	lab_run_in_thread(&o, destroyed_first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),	     cmocka_unit_test(test_errors),
		cmocka_unit_test(test_room),	     cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_waits),	     cmocka_unit_test(test_many),
		cmocka_unit_test(test_threads),	     cmocka_unit_test(test_destroyed_first),
		cmocka_unit_test(test_from_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
