/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening and closing interfaces: what is refused, in words, and that closing leaves nothing
 * behind. */
#include "tests/integration/lab.h"

#include <string.h>

#define DRAIN_BYTES (100 << 10)

static struct rill_runtime *start(void)
{
	struct rill_runtime_options o = {RILL_OPTIONS(o), .workers = 2, .no_pin = true};
	struct rill_runtime *rt = NULL;

	assert_int_equal(rill_runtime_create(&o, &rt), 0);
	return rt;
}

static void test_start_opens_all_or_nothing(void **state)
{
	struct rill_runtime_options o = {RILL_OPTIONS(o), .workers = 2, .no_pin = true};
	struct rill_net_options nets[] = {
		{RILL_OPTIONS(nets[0]), .nic = "mem:start", .addr = "198.18.0.1/24"},
		{RILL_OPTIONS(nets[0]), .nic = "mem:start", .addr = "198.18.0.2/24"},
		{RILL_OPTIONS(nets[0]), .nic = "pigeon:start", .addr = "198.18.0.3/24"},
	};
	struct rill_net *opened[3] = {NULL, NULL, NULL};
	struct rill_runtime *rt = NULL;

	(void)state;
	assert_int_equal(rill_net_start(&o, nets, 3, &rt, opened), -EINVAL);
	assert_null(rt);
	assert_non_null(strstr(rill_net_error(), "pigeon"));
	o.workers = 5000;
	assert_int_equal(rill_net_start(&o, nets, 2, &rt, opened), -EINVAL);
	assert_non_null(strstr(rill_net_error(), "5000"));
	o.workers = 2;
	assert_int_equal(rill_net_start(&o, nets, 2, &rt, opened), 0);
	assert_int_equal(rill_net_ip(opened[1]).bytes[3], 2);
	rill_net_close(opened[0]);
	rill_net_close(opened[1]);
	assert_int_equal(rill_runtime_destroy(rt), 0);
}

struct refusal {
	const char *nic, *addr, *gateway;
	int error;
	const char *word; /* of the message */
};

static void test_refusals(void **state)
{
	static const struct refusal refusals[] = {
		{NULL, "198.18.0.1/24", NULL, -EINVAL, "NIC"},
		{"mem:lab", NULL, NULL, -EINVAL, "address"},
		{"mem:lab", "198.18.0.1", NULL, -EINVAL, "198.18.0.1"},
		{"mem:lab", "198.18.0.1/33", NULL, -EINVAL, "198.18.0.1/33"},
		{"mem:lab", "rill/24", NULL, -EINVAL, "rill/24"},
		{"mem:lab", "224.0.0.1/24", NULL, -EINVAL, ""},
		{"mem:lab", "127.0.0.1/8", NULL, -EINVAL, ""},
		{"mem:lab", "198.18.0.1/24", "198.18.0.2:80", -EINVAL, "198.18.0.2:80"},
		{"mem:lab", "198.18.0.1/24", "198.18.1.2", -EINVAL, "gateway"},
		{"mem", "198.18.0.1/24", NULL, -EINVAL, "mem"},
		{"pigeon:lab", "198.18.0.1/24", NULL, -EINVAL, "pigeon"},
		{"mem:lab,loss=2", "198.18.0.1/24", NULL, -EINVAL, "loss"},
		{"mem:lab,gain=2", "198.18.0.1/24", NULL, -EINVAL, "gain"},
		{"mem:lab,ring=4", "198.18.0.1/24", NULL, -EINVAL, "ring"},
	};
	struct rill_runtime *rt = start();

	(void)state;
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct rill_net_options o = {RILL_OPTIONS(o), .nic = r->nic, .addr = r->addr,
					     .gateway = r->gateway};
		struct rill_net *net = NULL;

		assert_int_equal(rill_net_open(rt, &o, &net), r->error);
		assert_null(net);
		assert_true(strlen(rill_net_error()) > 0);
		assert_non_null(strstr(rill_net_error(), r->word));
	}
	struct rill_net_options o = {RILL_OPTIONS(o), .nic = "mem:lab", .addr = "198.18.0.1/24"};
	struct rill_net *net = NULL;

	assert_int_equal(rill_net_open(NULL, &o, &net), -EINVAL);
	assert_int_equal(rill_runtime_destroy(rt), 0);
}

static void test_open_and_close(void **state)
{
	struct rill_net_options o = {RILL_OPTIONS(o), .nic = "mem:lab", .addr = "198.18.0.1/24",
				     .queues = 2};
	struct rill_runtime *rt = start();

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		struct rill_net *net = NULL;

		assert_int_equal(rill_net_open(rt, &o, &net), 0);
		assert_non_null(strstr(rill_net_describe(net), "mem"));
		rill_net_close(net);
	}
	rill_net_close(NULL);
	assert_int_equal(rill_runtime_destroy(rt), 0);
}

/* The interface goes with all that is on it; the peers learn of it. */
static void test_close_with_open_connections(void **state)
{
	const struct lab_options o = {.workers = 2, .queues = 2};
	struct rill_tcp *pairs[20][LAB_SIDES];
	struct lab lab;
	char byte;

	(void)state;
	lab_open(&lab, &o);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(pairs); i++) {
		lab_pair(&lab, NULL, pairs[i]);
		assert_int_equal(rill_tcp_send(pairs[i][LAB_SERVER], "x", 1), 1);
		assert_int_equal(rill_tcp_recv(pairs[i][LAB_CLIENT], &byte, 1), 1);
		assert_int_equal(rill_tcp_send(pairs[i][LAB_CLIENT], "unread", 6), 6);
	}
	rill_net_close(lab.net[LAB_SERVER]);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(pairs); i++) {
		assert_int_equal(rill_tcp_recv(pairs[i][LAB_CLIENT], &byte, 1), -ECONNRESET);
		rill_tcp_close(pairs[i][LAB_CLIENT]);
	}
	lab_settle(&lab, LAB_CLIENT);
	rill_net_close(lab.net[LAB_CLIENT]);
	rill_mem_hub_leave(lab.hub, lab.hub_port);
	assert_int_equal(rill_runtime_destroy(lab.rt[LAB_SERVER]), 0);
}

/* What a closed connection has yet to send is sent, also where the interface closes right after. */
static void *send_and_close(void *arg)
{
	struct rill_tcp **pair = arg;
	static uint8_t data[DRAIN_BYTES];

	lab_fill(7, 0, data, sizeof(data));
	RILL_ASSERT_CMP(rill_tcp_send(pair[LAB_CLIENT], data, sizeof(data)), ==,
			(ssize_t)sizeof(data));
	rill_tcp_close(pair[LAB_CLIENT]);
	return NULL;
}

static void *receive_to_the_end(void *arg)
{
	struct rill_tcp **pair = arg;
	static uint8_t data[DRAIN_BYTES];
	char more;

	RILL_ASSERT_CMP(rill_tcp_recv_all(pair[LAB_SERVER], data, sizeof(data)), ==,
			(ssize_t)sizeof(data));
	RILL_ASSERT(lab_same(7, 0, data, sizeof(data)));
	RILL_ASSERT_CMP(rill_tcp_recv(pair[LAB_SERVER], &more, 1), ==, 0);
	rill_tcp_close(pair[LAB_SERVER]);
	return NULL;
}

static void test_close_delivers_what_was_sent(void **state)
{
	const struct lab_options o = {.workers = 2, .queues = 1, .two_runtimes = true};
	struct rill_tcp *pair[LAB_SIDES];
	struct rill_task *receiver;
	struct lab lab;

	(void)state;
	lab_open(&lab, &o);
	lab_pair(&lab, NULL, pair);
	receiver = lab_spawn(lab.rt[LAB_SERVER], receive_to_the_end, pair);
	assert_int_equal(rill_block_on(lab.rt[LAB_CLIENT], send_and_close, pair, NULL), 0);
	rill_net_close(lab.net[LAB_CLIENT]);
	lab_join(receiver);
	rill_net_close(lab.net[LAB_SERVER]);
	rill_mem_hub_leave(lab.hub, lab.hub_port);
	assert_int_equal(rill_runtime_destroy(lab.rt[LAB_SERVER]), 0);
	assert_int_equal(rill_runtime_destroy(lab.rt[LAB_CLIENT]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_opens_all_or_nothing),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_open_and_close),
		cmocka_unit_test(test_close_with_open_connections),
		cmocka_unit_test(test_close_delivers_what_was_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
