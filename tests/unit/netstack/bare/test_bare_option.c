/* SPDX-License-Identifier: BSD-3-Clause */
/* Every option set and read back, TCP_INFO, and what the profile changes. */
#include "world.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct number {
	int level, name;
	int fresh; /* before it was set */
	int set, back;
	int bad; /* refused with -EINVAL; NONE: nothing is */
};

#define NONE INT32_MIN

static const struct number numbers[] = {
	{SOL_SOCKET, SO_BROADCAST, 0, 1, 1, NONE},
	{SOL_SOCKET, SO_KEEPALIVE, 0, 7, 1, NONE},
	{SOL_SOCKET, SO_OOBINLINE, 0, 1, 1, NONE},
	{SOL_SOCKET, SO_RCVBUF, 1 << 20, 40000, 80000, NONE},
	{SOL_SOCKET, SO_RCVLOWAT, 1, 100, 100, NONE},
	{SOL_SOCKET, SO_REUSEADDR, 0, 1, 1, NONE},
	{SOL_SOCKET, SO_SNDBUF, 1 << 20, 50000, 100000, NONE},
	{IPPROTO_IP, IP_TOS, 0, 0x2b, 0x28, NONE},
	{IPPROTO_IP, IP_TTL, 64, 9, 9, 256},
	{IPPROTO_TCP, TCP_CORK, 0, 1, 1, NONE},
	{IPPROTO_TCP, TCP_DEFER_ACCEPT, 0, 5, 5, NONE},
	{IPPROTO_TCP, TCP_INQ, 0, 1, 1, 2},
	{IPPROTO_TCP, TCP_KEEPCNT, 9, 4, 4, 128},
	{IPPROTO_TCP, TCP_KEEPIDLE, 7200, 30, 30, 0},
	{IPPROTO_TCP, TCP_KEEPINTVL, 75, 3, 3, 32768},
	{IPPROTO_TCP, TCP_LINGER2, 60, 7, 7, 121},
	{IPPROTO_TCP, TCP_MAXSEG, 536, 1000, 1000, 87},
	{IPPROTO_TCP, TCP_NODELAY, 0, 1, 1, NONE},
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0, 16384, 16384, NONE},
	{IPPROTO_TCP, TCP_QUICKACK, 0, 1, 1, NONE},
	{IPPROTO_TCP, TCP_SYNCNT, 7, 2, 2, 0},
	{IPPROTO_TCP, TCP_USER_TIMEOUT, 0, 12345, 12345, -1},
	{IPPROTO_TCP, TCP_WINDOW_CLAMP, 0, 5000, 5000, -1},
};

#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static void read_back(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	for (unsigned i = 0; i < NUMBERS; i++) {
		const struct number *n = &numbers[i];
		int fd = rill_stack_socket(client(&w), SOCK_STREAM);

		assert_int_equal(get_int(client(&w), fd, n->level, n->name), n->fresh);
		assert_int_equal(set_int(client(&w), fd, n->level, n->name, n->set), 0);
		assert_int_equal(get_int(client(&w), fd, n->level, n->name), n->back);
		if (n->bad != NONE)
			assert_int_equal(set_int(client(&w), fd, n->level, n->name, n->bad),
					 -EINVAL);
		assert_int_equal(get_int(client(&w), fd, n->level, n->name), n->back);
		assert_int_equal(rill_stack_setsockopt(client(&w), fd, n->level, n->name, "ab", 2),
				 -EINVAL);
		assert_int_equal(rill_stack_close(client(&w), fd), 0);
	}
	world_close(&w);
}

/* On a listener: what it accepts has them all; and on an open connection. */
static void inherited(void **state)
{
	struct world w;
	int fd[SIDES];

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	int l = world_listen(&w, 5);

	for (unsigned i = 0; i < NUMBERS; i++) {
		if (numbers[i].name == TCP_MAXSEG && numbers[i].level == IPPROTO_TCP)
			continue;
		assert_int_equal(
			set_int(server(&w), l, numbers[i].level, numbers[i].name, numbers[i].set),
			0);
	}
	/* What is corked and deferred would wait for data. */
	assert_int_equal(set_int(server(&w), l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0), 0);
	world_connect(&w, l, fd);
	for (unsigned i = 0; i < NUMBERS; i++) {
		const struct number *n = &numbers[i];

		if (n->level == IPPROTO_TCP &&
		    (n->name == TCP_MAXSEG || n->name == TCP_DEFER_ACCEPT))
			continue;
		if (n->level == SOL_SOCKET && n->name == SO_BROADCAST)
			continue;
		assert_int_equal(get_int(server(&w), fd[SERVER], n->level, n->name), n->back);
	}
	/* One connection's own, and nobody else's. */
	assert_int_equal(set_int(server(&w), fd[SERVER], IPPROTO_TCP, TCP_KEEPIDLE, 99), 0);
	assert_int_equal(get_int(server(&w), fd[SERVER], IPPROTO_TCP, TCP_KEEPIDLE), 99);
	assert_int_equal(get_int(server(&w), l, IPPROTO_TCP, TCP_KEEPIDLE), 30);
	assert_int_equal(get_int(client(&w), fd[CLIENT], IPPROTO_TCP, TCP_KEEPIDLE), 7200);
	world_close(&w);
}

static void structs_and_names(void **state)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 12}, back = {0};
	char name[16] = "";
	size_t len = sizeof(back);
	struct world w;

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	int fd = rill_stack_socket(client(&w), SOCK_STREAM);
	int udp = rill_stack_socket(client(&w), SOCK_DGRAM);

	assert_int_equal(rill_stack_setsockopt(client(&w), fd, SOL_SOCKET, SO_LINGER, &linger,
					       sizeof(linger)),
			 0);
	assert_int_equal(rill_stack_setsockopt(client(&w), fd, SOL_SOCKET, SO_LINGER, &linger, 4),
			 -EINVAL);
	assert_int_equal(rill_stack_getsockopt(client(&w), fd, SOL_SOCKET, SO_LINGER, &back, &len),
			 0);
	assert_int_equal(len, sizeof(back));
	assert_memory_equal(&linger, &back, sizeof(back));

	assert_int_equal(
		rill_stack_setsockopt(client(&w), fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
	len = sizeof(name);
	assert_int_equal(
		rill_stack_getsockopt(client(&w), fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	assert_string_equal(name, "reno");
	assert_int_equal(
		rill_stack_setsockopt(client(&w), fd, IPPROTO_TCP, TCP_CONGESTION, "none", 4),
		-ENOENT);

	assert_int_equal(get_int(client(&w), fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
	assert_int_equal(get_int(client(&w), udp, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
	assert_int_equal(get_int(client(&w), fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
	assert_int_equal(get_int(client(&w), udp, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDP);
	assert_int_equal(get_int(client(&w), fd, SOL_SOCKET, SO_DOMAIN), AF_INET);
	assert_int_equal(get_int(client(&w), fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
	assert_int_equal(rill_stack_listen(client(&w), fd, 1), 0);
	assert_int_equal(get_int(client(&w), fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
	assert_int_equal(set_int(client(&w), fd, SOL_SOCKET, SO_TYPE, 1), -ENOPROTOOPT);
	assert_int_equal(set_int(client(&w), fd, SOL_SOCKET, 9999, 1), -ENOPROTOOPT);
	assert_int_equal(set_int(client(&w), fd, 9999, 1, 1), -ENOPROTOOPT);
	assert_int_equal(set_int(client(&w), udp, IPPROTO_TCP, TCP_NODELAY, 1), -ENOPROTOOPT);
	assert_int_equal(set_int(client(&w), 77, SOL_SOCKET, SO_KEEPALIVE, 1), -EBADF);
	world_close(&w);
}

static void info(void **state)
{
	struct tcp_info info;
	size_t len = sizeof(info);
	struct world w;
	int fd[SIDES];

	(void)state;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	int l = world_listen(&w, 4);

	assert_int_equal(rill_stack_getsockopt(server(&w), l, IPPROTO_TCP, TCP_INFO, &info, &len),
			 0);
	assert_int_equal(info.tcpi_state, RILL_STACK_LISTEN);
	assert_int_equal(info.tcpi_sacked, 5);
	world_connect(&w, l, fd);
	assert_int_equal(put(client(&w), fd[CLIENT], "0123456789", 10), 10);
	len = sizeof(info);
	assert_int_equal(
		rill_stack_getsockopt(client(&w), fd[CLIENT], IPPROTO_TCP, TCP_INFO, &info, &len),
		0);
	assert_int_equal(len, sizeof(info));
	assert_int_equal(info.tcpi_state, RILL_STACK_ESTABLISHED);
	assert_int_equal(info.tcpi_unacked, 1);
	assert_true((info.tcpi_options & TCPI_OPT_TIMESTAMPS) != 0);
	assert_int_equal(info.tcpi_snd_cwnd, 10);
	assert_int_equal(info.tcpi_snd_mss, 1448);
	assert_in_range(info.tcpi_rtt, 1000, 1100);
	world_run(&w, 100 * RILL_MS);
	/* A short buffer gets the beginning. */
	len = 5;
	memset(&info, 0xee, sizeof(info));
	assert_int_equal(
		rill_stack_getsockopt(server(&w), fd[SERVER], IPPROTO_TCP, TCP_INFO, &info, &len),
		0);
	assert_int_equal(len, 5);
	assert_int_equal(info.tcpi_state, RILL_STACK_ESTABLISHED);
	assert_int_equal(info.tcpi_rto, 0xeeeeeeee);
	world_close(&w);
}

/* ---- the profile ---- */

/* How long the sender of one small segment waits for its ACK, at the first and a later one. */
static uint64_t ack_wait(struct world *w, const int fd[SIDES])
{
	uint64_t begin = w->now_ns;

	assert_int_equal(put(client(w), fd[CLIENT], "x", 1), 1);
	while (rill_stack_unacked(client(w), fd[CLIENT]) > 0)
		world_run(w, 100 * RILL_US);
	return w->now_ns - begin;
}

static void delayed_acks(void **state)
{
	struct rill_stack_profile p;
	struct world w;
	int fd[SIDES];

	(void)state;
	rill_stack_profile_init(&p);
	p.quick_acks = 0;
	p.delayed_ack_us = 77 * 1000;
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3, .profile = &p});
	world_connect(&w, world_listen(&w, 4), fd);
	uint64_t wait = ack_wait(&w, fd);

	assert_in_range(wait, 77 * RILL_MS, 79 * RILL_MS);
	world_close(&w);

	rill_stack_profile_init(&p);
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3, .profile = &p});
	world_connect(&w, world_listen(&w, 4), fd);
	assert_in_range(ack_wait(&w, fd), RILL_MS, 2 * RILL_MS);
	world_close(&w);
}

static void bad_profiles(void **state)
{
	static const struct rill_stack_ops nothing;
	struct rill_stack_profile p;
	struct rill_stack *s;
	struct world w;
	struct rill_stack_options o = {RILL_OPTIONS(o), .addr = "198.18.0.1/24", .profile = &p,
				       .ops = &nothing};

	(void)state;
	rill_stack_profile_init(&p);
	assert_int_equal(rill_stack_create(&o, &s), -EINVAL);
	/* ops that work */
	world_open(&w, &(struct world_options){.layer = RILL_STACK_L3});
	o.ops = world_ops();
	o.ctx = &w.ends[CLIENT];
	p.delayed_ack_us = 500 * 1000;
	assert_int_equal(rill_stack_create(&o, &s), -EINVAL);
	rill_stack_profile_init(&p);
	strcpy(p.congestion, "carrier");
	assert_int_equal(rill_stack_create(&o, &s), -EINVAL);
	rill_stack_profile_init(&p);
	p.window_scale = 15;
	assert_int_equal(rill_stack_create(&o, &s), -EINVAL);
	rill_stack_profile_init(&p);
	o.addr = "nowhere";
	assert_int_equal(rill_stack_create(&o, &s), -EINVAL);
	o.addr = "198.18.0.1/24";
	o.mtu = 60;
	assert_int_equal(rill_stack_create(&o, &s), -EINVAL);
	o.mtu = 9217;
	assert_int_equal(rill_stack_create(&o, &s), -EINVAL);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_back),	     cmocka_unit_test(inherited),
		cmocka_unit_test(structs_and_names), cmocka_unit_test(info),
		cmocka_unit_test(delayed_acks),	     cmocka_unit_test(bad_profiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
