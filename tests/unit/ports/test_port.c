/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports, and who receives from them. */
#include "tests/unit/ports/port_lab.h"

/* ---- opening ---- */

static void test_open_says_what_is_wrong(void **state)
{
	struct rill_runtime_options ro = {RILL_OPTIONS(ro), .workers = 1, .no_pin = true};
	struct rill_port_options o = {RILL_OPTIONS(o)};
	struct rill_port *port = NULL;
	struct rill_runtime *rt;

	assert_int_equal(rill_port_open(NULL, &o, &port), -EINVAL);
	assert_non_null(strstr(rill_port_error(), "no runtime"));
	assert_int_equal(rill_runtime_create(&ro, &rt), 0);
	assert_int_equal(rill_port_open(rt, &o, &port), -EINVAL);
	assert_non_null(strstr(rill_port_error(), "no NIC"));
	o.nic = "memory:x";
	assert_int_equal(rill_port_open(rt, &o, &port), -EINVAL);
	assert_non_null(strstr(rill_port_error(), "memory"));
	assert_null(port);
	rill_runtime_destroy(rt);
}

static void test_info(void **state)
{
	const struct rill_port_rule rule = {.proto = 6};
	struct rill_port_stats stats;
	struct rill_port_info info;
	struct rill_port_link link;
	struct lab lab;

	port_lab_open(&lab, &(struct lab_options){.queues = 2, .more = ",mtu=1400"});
	rill_port_info(lab.port[A], &info);
	assert_int_equal(info.queues, 2);
	assert_int_equal(info.mtu, 1400);
	assert_true(info.pool_size > 0 && info.packet_room >= 1400);
	rill_port_link(lab.port[A], &link);
	assert_true(link.up && !link.gone);
	assert_int_equal(link.mtu, 1400);
	assert_memory_equal(link.mac, info.mac, 6);
	assert_non_null(strstr(rill_port_describe(lab.port[A]), "mem:"));
	assert_int_equal(strncmp(rill_port_name(lab.port[A]), "mem:port", 8), 0);
	assert_int_equal(rill_port_add_rule(lab.port[A], &rule), -EOPNOTSUPP);
	assert_int_equal(rill_port_stats(lab.port[A], 2, &stats), -EINVAL);
	assert_int_equal(rill_port_stats(lab.port[A], RILL_PORT_ALL_QUEUES, &stats), 0);
	port_lab_close(&lab);
}

/* ---- tasks ---- */

static void *send_numbers(void *arg)
{
	struct lab *lab = arg;

	for (uint32_t i = 0; i < MANY; i++) {
		struct rill_pkt *p;

		while (!(p = port_lab_make(lab, A, 0, i)))
			rill_yield();
		port_lab_send(lab, A, p);
		/* the switch loses what the receiver's ring has no room for */
		if (i % 64 == 63)
			rill_yield();
	}
	return NULL;
}

static void *receive_numbers(void *arg)
{
	struct lab *lab = arg;
	struct rill_pkt *pkts[7];
	struct rill_task *sender;
	uint32_t expected = 0;

	RILL_ASSERT_CMP(rill_spawn(send_numbers, lab, &sender), ==, 0);
	while (expected < MANY) {
		int n = rill_port_recv(lab->port[B], 0, pkts, 7);

		RILL_ASSERT_CMP(n, >, 0);
		for (int i = 0; i < n; i++) {
			RILL_ASSERT_CMP(pkts[i]->len, ==, FRAME_LEN);
			RILL_ASSERT(pkts[i]->time_ns > 0);
			RILL_ASSERT_CMP(port_lab_number(pkts[i]), ==, expected++);
		}
		rill_pkt_free(pkts, (unsigned)n);
	}
	rill_join(sender, NULL);
	return NULL;
}

static void test_order(void **state)
{
	port_lab_run_in(&(struct lab_options){.more = ",ring=1024"}, receive_numbers);
}

static void *wait_in_vain(void *arg)
{
	struct lab *lab = arg;
	struct rill_scope scope;
	struct rill_pkt *p = NULL;

	rill_scope_begin(&scope, rill_after(5 * RILL_MS), NULL);
	RILL_ASSERT_CMP(rill_port_recv(lab->port[B], 0, &p, 1), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	RILL_ASSERT(!p);
	RILL_ASSERT_CMP(rill_port_recv(lab->port[B], 1, &p, 1), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_port_recv(lab->port[B], 0, &p, 0), ==, -EINVAL);
	/* and what comes later is for whoever comes later */
	port_lab_send(lab, A, port_lab_make(lab, A, 0, 7));
	p = port_lab_recv(lab, B);
	RILL_ASSERT_CMP(port_lab_number(p), ==, 7u);
	rill_pkt_free(&p, 1);
	return NULL;
}

static void test_recv_is_cancelled(void **state)
{
	port_lab_run_in(&(struct lab_options){0}, wait_in_vain);
}

static void *send_later(void *arg)
{
	struct lab *lab = arg;

	rill_sleep(2 * RILL_MS);
	port_lab_send(lab, A, port_lab_make(lab, A, 0, 9));
	return NULL;
}

static void *select_readable(void *arg)
{
	struct lab *lab = arg;
	struct rill_case cases[2];
	struct rill_task *sender;
	struct rill_pkt *p;

	rill_case_port_readable(&cases[0], lab->port[A], 0);
	rill_case_port_readable(&cases[1], lab->port[B], 0);
	RILL_ASSERT_CMP(rill_select(cases, 2, RILL_SELECT_NONBLOCKING), ==, -EAGAIN);
	RILL_ASSERT_CMP(rill_spawn(send_later, lab, &sender), ==, 0);
	RILL_ASSERT_CMP(rill_select(cases, 2, 0), ==, 1);
	RILL_ASSERT_CMP(cases[1].result, ==, 0);
	/* it stays there until somebody takes it */
	RILL_ASSERT_CMP(rill_select(cases, 2, RILL_SELECT_NONBLOCKING), ==, 1);
	p = port_lab_recv(lab, B);
	RILL_ASSERT_CMP(port_lab_number(p), ==, 9u);
	rill_pkt_free(&p, 1);
	rill_join(sender, NULL);
	return NULL;
}

static void test_select(void **state)
{
	port_lab_run_in(&(struct lab_options){0}, select_readable);
	port_lab_run_in(&(struct lab_options){.workers = 2}, select_readable);
}

/* A thread that is none of the runtime's, while its worker sleeps. */
static void test_plain_thread(void **state)
{
	struct rill_task *sender;
	struct rill_spawn_options o = {RILL_OPTIONS(o)};
	struct rill_pkt *p;
	struct lab lab;

	port_lab_open(&lab, &(struct lab_options){0});
	o.runtime = lab.rt;
	assert_int_equal(rill_spawn_with(&o, send_later, &lab, &sender), 0);
	p = port_lab_recv(&lab, B);
	assert_int_equal(port_lab_number(p), 9);
	rill_pkt_free(&p, 1);
	rill_join(sender, NULL);
	port_lab_close(&lab);
}

/* Several receivers: every packet goes to one of them. */
struct crowd {
	struct lab *lab;
	RILL_ATOMIC(uint32_t) got;
	uint32_t want;
	struct rill_token *done;
};

static void *crowd_receiver(void *arg)
{
	struct crowd *crowd = arg;
	struct rill_scope scope;
	struct rill_pkt *pkts[4];
	int n;

	rill_scope_begin(&scope, RILL_FOREVER, crowd->done);
	while ((n = rill_port_recv(crowd->lab->port[B], 0, pkts, 4)) > 0) {
		rill_pkt_free(pkts, (unsigned)n);
		if (rill_fetch_add_relaxed(&crowd->got, (uint32_t)n) + (uint32_t)n == crowd->want)
			rill_token_cancel(crowd->done);
	}
	RILL_ASSERT_CMP(n, ==, -ECANCELED);
	rill_scope_end(&scope);
	return NULL;
}

static void *crowd_sender(void *arg)
{
	struct crowd *crowd = arg;

	for (uint32_t i = 0; i < crowd->want; i++) {
		struct rill_pkt *p;

		/* never more on its way than the ring holds */
		while (i >= rill_load_relaxed(&crowd->got) + 200 ||
		       !(p = port_lab_make(crowd->lab, A, 0, i)))
			rill_yield();
		port_lab_send(crowd->lab, A, p);
	}
	return NULL;
}

static void *crowd_task(void *arg)
{
	struct crowd crowd = {.lab = arg, .want = MANY};
	struct rill_task *tasks[5];

	RILL_ASSERT_CMP(rill_token_create(&crowd.done), ==, 0);
	for (unsigned i = 0; i < 5; i++)
		RILL_ASSERT_CMP(
			rill_spawn(i < 4 ? crowd_receiver : crowd_sender, &crowd, &tasks[i]), ==,
			0);
	for (unsigned i = 0; i < 5; i++)
		rill_join(tasks[i], NULL);
	RILL_ASSERT_CMP(crowd.got, ==, crowd.want);
	rill_token_unref(crowd.done);
	return NULL;
}

static void test_many_receivers(void **state)
{
	port_lab_run_in(&(struct lab_options){.more = ",ring=512", .workers = 2}, crowd_task);
	port_lab_run_in(&(struct lab_options){.more = ",ring=512", .workers = 1}, crowd_task);
}

/*
 * One packet, and no more: what came with it is for the others who wait. Without a time limit, at
 * whose end they would look for themselves.
 */
static void *receive_one(void *arg)
{
	struct rill_pkt *p = port_lab_recv(arg, B);

	rill_pkt_free(&p, 1);
	return NULL;
}

static void *share_a_burst(void *arg)
{
	struct lab *lab = arg;
	struct rill_task *tasks[3];
	struct rill_pkt *pkts[3];

	for (unsigned i = 0; i < 3; i++)
		RILL_ASSERT_CMP(rill_spawn(receive_one, lab, &tasks[i]), ==, 0);
	rill_sleep(2 * RILL_MS);
	for (unsigned i = 0; i < 3; i++)
		pkts[i] = port_lab_make(lab, A, 0, i);
	RILL_ASSERT_CMP(rill_port_send(lab->port[A], 0, pkts, 3, 0), ==, 3);
	for (unsigned i = 0; i < 3; i++)
		rill_join(tasks[i], NULL);
	return NULL;
}

static void test_receivers_share_a_burst(void **state)
{
	port_lab_run_in(&(struct lab_options){0}, share_a_burst);
	port_lab_run_in(&(struct lab_options){.workers = 2}, share_a_burst);
}

/* ---- handler ---- */

static unsigned bounce(struct rill_port *port, unsigned queue, struct rill_pkt **pkts, unsigned n,
		       void *ctx)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t mac[6];

		memcpy(mac, pkts[i]->data, 6);
		memcpy(pkts[i]->data, pkts[i]->data + 6, 6);
		memcpy(pkts[i]->data + 6, mac, 6);
	}
	int sent = rill_port_send(port, queue, pkts, n, 0);

	RILL_ASSERT(sent >= 0);
	return (unsigned)sent;
}

static void *there_and_back(void *arg)
{
	struct lab *lab = arg;
	struct rill_pkt *p;

	RILL_ASSERT_CMP(rill_port_recv(lab->port[B], 0, &p, 1), ==, -EINVAL);
	for (uint32_t i = 0; i < MANY / 4; i++) {
		port_lab_send(lab, A, port_lab_make(lab, A, 0, i));
		p = port_lab_recv(lab, A);
		RILL_ASSERT_CMP(port_lab_number(p), ==, i);
		rill_pkt_free(&p, 1);
	}
	return NULL;
}

static void test_handler(void **state)
{
	port_lab_run_in(&(struct lab_options){.handler = bounce}, there_and_back);
	port_lab_run_in(&(struct lab_options){.handler = bounce, .workers = 2}, there_and_back);
}

struct slow {
	RILL_ATOMIC(uint32_t) next;
	RILL_ATOMIC(uint32_t) refusals;
};

/* Takes one packet of every second offer. */
static unsigned take_one(struct rill_port *port, unsigned queue, struct rill_pkt **pkts, unsigned n,
			 void *ctx)
{
	struct slow *slow = ctx;

	if (rill_fetch_add_relaxed(&slow->refusals, 1) % 2 == 0)
		return 0;
	RILL_ASSERT_CMP(port_lab_number(pkts[0]), ==, rill_load_relaxed(&slow->next));
	rill_pkt_free(pkts, 1);
	rill_fetch_add_relaxed(&slow->next, 1);
	return 1;
}

static void test_handler_leaves_some(void **state)
{
	struct slow slow = {0};
	struct rill_port_stats stats;
	struct lab lab;

	port_lab_open(&lab, &(struct lab_options){.handler = take_one, .ctx = &slow});
	for (uint32_t i = 0; i < 200; i++)
		port_lab_send(&lab, A, port_lab_make(&lab, A, 0, i));
	while (rill_load_relaxed(&slow.next) < 200)
		rill_sleep(RILL_MS);
	assert_int_equal(rill_port_stats(lab.port[B], 0, &stats), 0);
	assert_int_equal(stats.rx_packets, 200);
	assert_true(stats.handed_back >= 200);
	port_lab_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_says_what_is_wrong),
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_recv_is_cancelled),
		cmocka_unit_test(test_select),
		cmocka_unit_test(test_plain_thread),
		cmocka_unit_test(test_many_receivers),
		cmocka_unit_test(test_receivers_share_a_burst),
		cmocka_unit_test(test_handler),
		cmocka_unit_test(test_handler_leaves_some),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
