/* SPDX-License-Identifier: BSD-3-Clause */
/* Simulated links under the machine's clock, and what is exact under the paused one. */
#include "tests/integration/lab.h"
#include "tests/sim/bed.h"

#define ECHOES 10
#define DELAY_NS RILL_MS

/* ---- the machine's clock: two runtimes of two workers each ---- */

struct real {
	struct rill_runtime *rt[BED_SIDES];
	struct rill_net *net[BED_SIDES];
	struct rill_listener *listener;
};

static void open_side(struct real *r, enum bed_side side)
{
	static const char *const addresses[] = {"198.18.0.1/24", "198.18.0.2/24"};
	struct rill_runtime_options o = {RILL_OPTIONS(o), .workers = 2, .no_pin = true};
	struct rill_net_options net = {
		RILL_OPTIONS(net),
		.nic = "sim:real,rate=1000000000,delay_ns=1000000,loss=0.02,reorder=0.05,"
		       "reorder_ns=200000,dup=0.02,corrupt=0.01,seed=3",
		.addr = addresses[side],
		.queues = 2,
	};

	assert_int_equal(rill_net_start(&o, &net, 1, &r->rt[side], &r->net[side]), 0);
}

static void *echo_many(void *arg)
{
	struct real *r = arg;
	struct rill_addr remote = rill_listener_addr(r->listener);
	uint64_t start = rill_now();
	struct rill_tcp *c;

	remote.ip = rill_net_ip(r->net[BED_SERVER]);
	RILL_ASSERT_CMP(rill_tcp_connect(r->net[BED_CLIENT], NULL, &remote, NULL, &c), ==, 0);
	for (unsigned i = 0; i < ECHOES; i++)
		lab_echo_once(c, i, 1 + 500 * i);
	rill_tcp_close(c);
	/* Never early: there and back again, each time, and for the handshake. */
	RILL_ASSERT_CMP(rill_now() - start, >=, (ECHOES + 1) * 2 * DELAY_NS);
	return NULL;
}

static void test_real_clock(void **state)
{
	struct rill_addr local = {.port = 7};
	struct real r;

	for (enum bed_side side = 0; side < BED_SIDES; side++)
		open_side(&r, side);
	assert_int_equal(rill_tcp_listen(r.net[BED_SERVER], &local, NULL, &r.listener), 0);
	struct rill_task *server = lab_spawn(r.rt[BED_SERVER], lab_echo_server, r.listener);

	assert_int_equal(rill_block_on(r.rt[BED_CLIENT], echo_many, &r, NULL), 0);
	rill_listener_shutdown(r.listener);
	lab_join(server);
	rill_listener_close(r.listener);
	for (enum bed_side side = 0; side < BED_SIDES; side++) {
		rill_net_close(r.net[side]);
		assert_int_equal(rill_runtime_destroy(r.rt[side]), 0);
	}
}

/* ---- the paused clock ---- */

static int one_round_trip(struct bed *bed, void *arg)
{
	struct rill_addr a = {.port = 9}, from;
	struct rill_udp *udp[BED_SIDES];
	char buf[8];

	for (enum bed_side side = 0; side < BED_SIDES; side++)
		RILL_ASSERT_CMP(rill_udp_bind(bed->net[side], &a, NULL, &udp[side]), ==, 0);
	a.ip = rill_net_ip(bed->net[BED_SERVER]);
	/* The first one waits for the address to be resolved. */
	for (unsigned i = 0; i < 3; i++) {
		uint64_t start = bed_now();

		RILL_ASSERT_CMP(rill_udp_send(udp[BED_CLIENT], "ping", 4, &a), ==, 4);
		RILL_ASSERT_CMP(rill_udp_recv(udp[BED_SERVER], buf, 8, &from), ==, 4);
		RILL_ASSERT_CMP(rill_udp_send(udp[BED_SERVER], "pong", 4, &from), ==, 4);
		RILL_ASSERT_CMP(rill_udp_recv(udp[BED_CLIENT], buf, 8, NULL), ==, 4);
		((uint64_t *)arg)[i] = bed_now() - start;
	}
	for (enum bed_side side = 0; side < BED_SIDES; side++)
		rill_udp_close(udp[side]);
	return 0;
}

/* Not a nanosecond off: 46 bytes of frame take 3,680 ns at 100 Mb/s. */
static void test_paused_clock_is_exact(void **state)
{
	struct bed_options o = {.seed = 1};
	uint64_t took[3];

	o.link[BED_CLIENT] = (struct rill_sim_config){.rate = 100000000, .delay_ns = 123456};
	o.link[BED_SERVER] = (struct rill_sim_config){.rate = 100000000, .delay_ns = 7};
	assert_int_equal(bed_run(&o, one_round_trip, took), 0);
	assert_int_equal(took[1], 123456 + 7 + 2 * 3680);
	assert_int_equal(took[2], took[1]);
	assert_true(took[0] > took[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paused_clock_is_exact),
		cmocka_unit_test(test_real_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
