/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rill against the kernel's own TCP, UDP and ICMP, in a network namespace of the test's own: over a
 * tap interface, and over AF_XDP on one end of a veth pair.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/integration/stream.h"
#include "tests/unit/drivers/testnet.h"

#define RILL_CIDR "198.18.8.1/24"
#define KERNEL_CIDR "198.18.8.2/24"
#define KERNEL_IP 0xc6120802
#define RILL_IP 0xc6120801
#define LEN (UINT64_C(8) << 20)
#define PIECE 65536u

static struct rill_runtime *rt;
static struct rill_net *net;

/* ---- the interfaces ---- */

static int open_net(const char *nic)
{
	struct rill_runtime_options ro = {RILL_OPTIONS(ro), .workers = 2, .no_pin = true};
	struct rill_net_options o = {RILL_OPTIONS(o), .nic = nic, .addr = RILL_CIDR, .queues = 1};

	assert_int_equal(rill_runtime_create(&ro, &rt), 0);
	int r = rill_net_open(rt, &o, &net);

	if (r == 0)
		return 0;
	print_message("%s: %s\n", nic, rill_net_error());
	rill_runtime_destroy(rt);
	return r;
}

static int close_net(void **state)
{
	(void)state;
	rill_net_close(net);
	return rill_runtime_destroy(rt);
}

static int open_tap(void **state)
{
	(void)state;
	assert_int_equal(open_net("tap:rill0"), 0);
	testnet_run("ip link set rill0 up");
	testnet_run("ip addr add " KERNEL_CIDR " dev rill0");
	return 0;
}

/* The kernel is on the other end of the pair, and sends what a wire would carry: whole checksums.
 */
static int open_veth(void **state)
{
	(void)state;
	testnet_run("ip link add rill1 type veth peer name wire1");
	testnet_run("ethtool -K wire1 tx off tso off gso off gro off >/dev/null");
	testnet_run("ip link set rill1 up");
	testnet_run("ip link set wire1 up");
	testnet_run("ip addr add " KERNEL_CIDR " dev wire1");
	assert_int_equal(open_net("af_xdp:rill1"), 0);
	return 0;
}

/* ---- the kernel's sockets ---- */

static int kernel_socket(int type, int protocol)
{
	struct timeval patience = {.tv_sec = 30};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, protocol);

	RILL_ASSERT(fd >= 0);
	RILL_ASSERT(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
	return fd;
}

static struct sockaddr_in kernel_addr(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(ip),
	};
}

static void kernel_connect(int fd, uint16_t port)
{
	struct sockaddr_in to = kernel_addr(RILL_IP, port);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
}

static void *kernel_send(void *arg)
{
	uint8_t *buf = malloc(PIECE);
	int fd = *(int *)arg;

	for (uint64_t at = 0; at < LEN; at += PIECE) {
		lab_fill(77, at, buf, PIECE);
		RILL_ASSERT_CMP(send(fd, buf, PIECE, MSG_NOSIGNAL), ==, (ssize_t)PIECE);
	}
	shutdown(fd, SHUT_WR);
	free(buf);
	return NULL;
}

static void kernel_recv_all(int fd)
{
	uint8_t *buf = malloc(PIECE);
	uint64_t at = 0;
	ssize_t n;

	while ((n = recv(fd, buf, PIECE, 0)) > 0) {
		assert_true(lab_same(77, at, buf, (size_t)n));
		at += (uint64_t)n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(at, LEN);
	free(buf);
}

/* ---- the tests ---- */

static struct rill_listener *listen_on(uint16_t port)
{
	struct rill_addr local = {.port = port};
	struct rill_listener *l = NULL;

	assert_int_equal(rill_tcp_listen(net, &local, NULL, &l), 0);
	return l;
}

/* The kernel connects, and gets 8 MiB back while it sends them. */
static void test_kernel_client(void **state)
{
	struct rill_listener *l = listen_on(7);
	struct rill_task *server = lab_spawn(rt, lab_echo_server, l);
	int fd = kernel_socket(SOCK_STREAM, 0);
	pthread_t sender;

	(void)state;
	kernel_connect(fd, 7);
	assert_int_equal(pthread_create(&sender, NULL, kernel_send, &fd), 0);
	kernel_recv_all(fd);
	pthread_join(sender, NULL);
	close(fd);
	rill_listener_shutdown(l);
	lab_join(server);
	rill_listener_close(l);
}

static void *kernel_echo(void *arg)
{
	int fd = accept(*(int *)arg, NULL, NULL);
	uint8_t *buf = malloc(PIECE);
	ssize_t n;

	RILL_ASSERT(fd >= 0);
	while ((n = recv(fd, buf, PIECE, 0)) > 0)
		RILL_ASSERT_CMP(send(fd, buf, (size_t)n, MSG_NOSIGNAL), ==, n);
	RILL_ASSERT_CMP(n, ==, 0);
	close(fd);
	free(buf);
	return NULL;
}

/* And the other way round. */
static void test_kernel_server(void **state)
{
	struct sockaddr_in at = kernel_addr(KERNEL_IP, 7007);
	int fd = kernel_socket(SOCK_STREAM, 0), on = 1;
	struct rill_addr remote;
	struct rill_tcp *c = NULL;
	pthread_t server;

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(pthread_create(&server, NULL, kernel_echo, &fd), 0);
	assert_int_equal(rill_addr_parse("198.18.8.2:7007", &remote), 0);
	assert_int_equal(rill_tcp_connect(net, NULL, &remote, NULL, &c), 0);
	struct stream out = {c, 8, LEN, 0}, in = {c, 8, LEN, 0};
	struct rill_task *sender = lab_spawn(rt, stream_send, &out);
	struct rill_task *receiver = lab_spawn(rt, stream_recv, &in);

	lab_join(sender);
	lab_join(receiver);
	rill_tcp_close(c);
	pthread_join(server, NULL);
	close(fd);
	remote.port = 7008;
	assert_int_equal(rill_tcp_connect(net, NULL, &remote, NULL, &c), -ECONNREFUSED);
}

static void test_refused(void **state)
{
	struct sockaddr_in to = kernel_addr(RILL_IP, 81);
	int fd = kernel_socket(SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
}

static uint16_t icmp_sum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void test_ping(void **state)
{
	struct sockaddr_in to = kernel_addr(RILL_IP, 0);
	int fd = kernel_socket(SOCK_RAW, IPPROTO_ICMP);
	uint8_t ping[64] = {ICMP_ECHO, 0, 0, 0, 0x12, 0x34}, pong[256];
	uint16_t sum;

	(void)state;
	lab_fill(3, 0, ping + 8, sizeof(ping) - 8);
	sum = icmp_sum(ping, sizeof(ping));
	memcpy(ping + 2, &sum, 2);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(
			sendto(fd, ping, sizeof(ping), 0, (struct sockaddr *)&to, sizeof(to)),
			sizeof(ping));
		/* other ICMP of the namespace may come as well */
		do
			assert_true(recv(fd, pong, sizeof(pong), 0) > 0);
		while (pong[20] != ICMP_ECHOREPLY);
		assert_memory_equal(pong + 24, ping + 4, sizeof(ping) - 4);
	}
	close(fd);
}

static void *udp_echo(void *arg)
{
	uint8_t *buf = malloc(65536);
	struct rill_addr from;
	ssize_t n;

	while ((n = rill_udp_recv(arg, buf, 65536, &from)) > 0)
		RILL_ASSERT_CMP(rill_udp_send(arg, buf, (size_t)n, &from), ==, n);
	free(buf);
	return NULL;
}

static void test_udp(void **state)
{
	static const size_t lens[] = {1, 1472, 1473, 20000};
	struct rill_addr local = {.port = 7};
	int fd = kernel_socket(SOCK_DGRAM, 0);
	uint8_t *buf = malloc(65536);
	struct rill_udp *u;

	(void)state;
	assert_int_equal(rill_udp_bind(net, &local, NULL, &u), 0);
	struct rill_task *t = lab_spawn(rt, udp_echo, u);

	kernel_connect(fd, 7);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(lens); i++) {
		lab_fill(9, 0, buf, lens[i]);
		assert_int_equal(send(fd, buf, lens[i], 0), lens[i]);
		memset(buf, 0, lens[i]);
		assert_int_equal(recv(fd, buf, 65536, 0), lens[i]);
		assert_true(lab_same(9, 0, buf, lens[i]));
	}
	assert_int_equal(send(fd, buf, 0, 0), 0);
	lab_join(t);
	rill_udp_close(u);
	close(fd);
	free(buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_client), cmocka_unit_test(test_kernel_server),
		cmocka_unit_test(test_refused),	      cmocka_unit_test(test_ping),
		cmocka_unit_test(test_udp),
	};

	testnet_isolate();
	testnet_run("ip link set lo up");
	int failed = cmocka_run_group_tests_name("tap", tests, open_tap, close_net);
#ifdef RILL_HAVE_AF_XDP
	failed += cmocka_run_group_tests_name("af_xdp", tests, open_veth, close_net);
#else
	(void)open_veth;
	printf("built without AF_XDP: not tested\n");
#endif
	return failed;
}
