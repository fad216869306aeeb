/* SPDX-License-Identifier: BSD-3-Clause */
/* One connection from many sides: several tasks, plain threads, selects; and what it tells of
 * itself. */
#include "tests/integration/stream.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SENDERS 4u
#define MESSAGE_LEN 10000u
#define MESSAGES LAB_ROUNDS(200u)

struct crowd {
	struct rill_tcp *c;
	uint8_t id;
};

static void *send_messages(void *arg)
{
	const struct crowd *member = arg;
	uint8_t *buf = malloc(MESSAGE_LEN);

	memset(buf, member->id, MESSAGE_LEN);
	for (unsigned i = 0; i < MESSAGES; i++)
		RILL_ASSERT_CMP(rill_tcp_send(member->c, buf, MESSAGE_LEN), ==,
				(ssize_t)MESSAGE_LEN);
	free(buf);
	return NULL;
}

/* Tasks of both workers send on one connection: nothing is lost, and no message is torn. */
static void *many_senders(void *arg)
{
	struct rill_tcp_options o = {RILL_OPTIONS(o), .send_buffer = 4000};
	struct lab *lab = arg;
	struct rill_tcp *pair[LAB_SIDES];
	struct crowd crowd[SENDERS];
	struct rill_task *tasks[SENDERS];
	uint8_t *buf = malloc(MESSAGE_LEN);

	lab_pair(lab, &o, pair);
	for (unsigned i = 0; i < SENDERS; i++) {
		crowd[i] = (struct crowd){pair[LAB_CLIENT], (uint8_t)(i + 1)};
		tasks[i] = lab_spawn(lab->rt[LAB_CLIENT], send_messages, &crowd[i]);
	}
	for (unsigned i = 0; i < SENDERS * MESSAGES; i++) {
		RILL_ASSERT_CMP(rill_tcp_recv_all(pair[LAB_SERVER], buf, MESSAGE_LEN), ==,
				MESSAGE_LEN);
		for (unsigned j = 1; j < MESSAGE_LEN; j++)
			RILL_ASSERT_CMP(buf[j], ==, buf[0]);
	}
	for (unsigned i = 0; i < SENDERS; i++)
		lab_join(tasks[i]);
	for (enum lab_side s = 0; s < LAB_SIDES; s++)
		rill_tcp_close(pair[s]);
	free(buf);
	return NULL;
}

static void test_many_senders(void **state)
{
	(void)state;
	lab_run_in_each(many_senders, NULL);
}

static void *count_bytes(void *arg)
{
	uint64_t total = 0;
	char buf[1000];
	ssize_t n;

	while ((n = rill_tcp_recv(arg, buf, sizeof(buf))) > 0)
		total += (uint64_t)n;
	RILL_ASSERT_CMP(n, ==, 0);
	return (void *)(uintptr_t)total;
}

/* Each byte is for one of many readers, and all of them see the end. */
static void *many_readers(void *arg)
{
	struct lab *lab = arg;
	struct rill_tcp *pair[LAB_SIDES];
	struct rill_task *tasks[4];
	uint64_t total = 0;

	lab_pair(lab, NULL, pair);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(tasks); i++)
		tasks[i] = lab_spawn(lab->rt[LAB_SERVER], count_bytes, pair[LAB_SERVER]);
	struct stream s = {pair[LAB_CLIENT], 1, 1 << 20, 0};

	stream_send(&s);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(tasks); i++)
		total += (uintptr_t)lab_join(tasks[i]);
	RILL_ASSERT_CMP(total, ==, s.len);
	for (enum lab_side side = 0; side < LAB_SIDES; side++)
		rill_tcp_close(pair[side]);
	return NULL;
}

static void test_many_readers(void **state)
{
	(void)state;
	lab_run_in_each(many_readers, NULL);
}

/* ---- plain threads ---- */

struct thread {
	struct lab *lab;
	struct rill_listener *l;
	pthread_t id;
};

static void *thread_client(void *arg)
{
	struct thread *t = arg;

	for (unsigned i = 0; i < LAB_ROUNDS(50u); i++) {
		struct rill_tcp *c = lab_connect(t->lab, t->l, NULL);

		lab_echo_once(c, i, 3000);
		rill_tcp_close(c);
	}
	return NULL;
}

static void test_threads(void **state)
{
	const struct lab_options o = {.workers = 2, .queues = 2};
	struct thread threads[4];
	struct lab lab;

	(void)state;
	lab_open(&lab, &o);
	struct rill_listener *l = lab_listen(&lab, 0, NULL);
	struct rill_task *server = lab_spawn(lab.rt[LAB_SERVER], lab_echo_server, l);

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(threads); i++) {
		threads[i] = (struct thread){.lab = &lab, .l = l};
		assert_int_equal(pthread_create(&threads[i].id, NULL, thread_client, &threads[i]),
				 0);
	}
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(threads); i++)
		pthread_join(threads[i].id, NULL);
	rill_listener_shutdown(l);
	lab_join(server);
	rill_listener_close(l);
	lab_close(&lab);
}

/* ---- select ---- */

static int select_all(struct rill_tcp *conn, struct rill_listener *l, struct rill_tcp **ret_conn,
		      uint64_t wait_ns)
{
	struct rill_case c[3];

	rill_case_tcp_readable(&c[0], conn);
	rill_case_accept(&c[1], l, ret_conn);
	rill_case_sleep_until(&c[2], rill_after(wait_ns));
	int which = rill_select(c, 3, 0);

	RILL_ASSERT_CMP(which, >=, 0);
	RILL_ASSERT_CMP(c[which].result, ==, 0);
	return which;
}

static void *selects(void *arg)
{
	struct lab *lab = arg;
	struct rill_listener *l = lab_listen(lab, 0, NULL);
	struct rill_tcp *pair[LAB_SIDES], *other, *accepted = NULL;
	char byte;

	lab_pair(lab, NULL, pair);
	RILL_ASSERT_CMP(select_all(pair[LAB_SERVER], l, &accepted, RILL_MS), ==, 2);
	RILL_ASSERT_CMP(rill_tcp_send(pair[LAB_CLIENT], "x", 1), ==, 1);
	RILL_ASSERT_CMP(select_all(pair[LAB_SERVER], l, &accepted, RILL_FOREVER), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_recv(pair[LAB_SERVER], &byte, 1), ==, 1);
	RILL_ASSERT(accepted == NULL);
	other = lab_connect(lab, l, NULL);
	RILL_ASSERT_CMP(select_all(pair[LAB_SERVER], l, &accepted, RILL_FOREVER), ==, 1);
	RILL_ASSERT(accepted != NULL);
	rill_tcp_close(accepted);
	rill_tcp_close(other);
	for (enum lab_side s = 0; s < LAB_SIDES; s++)
		rill_tcp_close(pair[s]);
	rill_listener_close(l);
	return NULL;
}

static void test_selects(void **state)
{
	(void)state;
	lab_run_in_each(selects, NULL);
}

/* ---- facts ---- */

static void *info(void *arg)
{
	struct lab *lab = arg;
	struct rill_tcp *pair[LAB_SIDES];
	struct rill_tcp_info i;
	char buf[100];

	lab_pair(lab, NULL, pair);
	RILL_ASSERT_CMP(rill_tcp_set_nodelay(pair[LAB_CLIENT], true), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_send(pair[LAB_CLIENT], "0123456789", 10), ==, 10);
	RILL_ASSERT_CMP(rill_tcp_recv_all(pair[LAB_SERVER], buf, 4), ==, 4);
	RILL_ASSERT_CMP(rill_tcp_info(pair[LAB_SERVER], &i), ==, 0);
	RILL_ASSERT(strcmp(i.state, "ESTABLISHED") == 0);
	RILL_ASSERT_CMP(i.bytes_received, ==, 10u);
	RILL_ASSERT_CMP(i.unread, ==, 6u);
	RILL_ASSERT_CMP(i.snd_mss, >, 1000u);
	RILL_ASSERT_CMP(rill_tcp_info(pair[LAB_CLIENT], &i), ==, 0);
	RILL_ASSERT_CMP(i.bytes_sent, ==, 10u);
	RILL_ASSERT_CMP(i.cwnd, >, 0u);
	RILL_ASSERT_CMP(rill_tcp_set_nodelay(pair[LAB_CLIENT], false), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_local(pair[0]).port, ==, rill_tcp_peer(pair[1]).port);
	RILL_ASSERT_CMP(rill_tcp_recv_all(pair[LAB_SERVER], buf, 6), ==, 6);
	for (enum lab_side s = 0; s < LAB_SIDES; s++)
		rill_tcp_close(pair[s]);
	return NULL;
}

static void test_info(void **state)
{
	(void)state;
	lab_run_in_each(info, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_senders), cmocka_unit_test(test_many_readers),
		cmocka_unit_test(test_threads),	     cmocka_unit_test(test_selects),
		cmocka_unit_test(test_info),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
