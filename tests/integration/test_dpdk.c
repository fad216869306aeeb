/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP between two processes over shared memory (dpdk:net_memif): this program starts itself as the
 * server, which sends back what it receives.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/lab.h"
#include "tests/integration/stream.h"

#define BYTES (UINT64_C(64) << 20)
#define SERVER "198.18.0.1"
#define CLIENT "198.18.0.2"
#define CONNECT_TRIES 200
#define PIECE 65536u

static char nic[2][128]; /* the server's, the client's */

/* The server keeps its address when it starts again, as a machine would. */
static void name_nics(int pid)
{
	snprintf(nic[0], sizeof(nic[0]),
		 "dpdk:net_memif0,role=server,socket=rill-test-%d,mac=02:00:00:00:00:07", pid);
	snprintf(nic[1], sizeof(nic[1]), "dpdk:net_memif0,role=client,socket=rill-test-%d", pid);
}

static void start(struct rill_runtime **ret_rt, struct rill_net **ret_net, const char *spec,
		  const char *addr, enum rill_idle idle)
{
	struct rill_runtime_options o = {RILL_OPTIONS(o), .workers = 1, .idle = idle};
	struct rill_net_options n = {RILL_OPTIONS(n), .nic = spec, .addr = addr, .queues = 1};

	if (rill_net_start(&o, &n, 1, ret_rt, ret_net) < 0) {
		fprintf(stderr, "%s\n", rill_net_error());
		abort();
	}
}

/* ---- the server ---- */

static void *echo(void *arg)
{
	struct rill_tcp *c = arg;
	uint8_t *buf = malloc(PIECE);
	ssize_t n;

	while ((n = rill_tcp_recv(c, buf, PIECE)) > 0)
		if (rill_tcp_send(c, buf, (size_t)n) != n)
			break;
	rill_tcp_close(c);
	free(buf);
	return NULL;
}

static void *serve(void *arg)
{
	struct rill_net *net = arg;
	struct rill_addr addr;
	struct rill_listener *l;
	struct rill_tcp *c;

	RILL_ASSERT_CMP(rill_addr_parse(":7", &addr), ==, 0);
	RILL_ASSERT_CMP(rill_tcp_listen(net, &addr, NULL, &l), ==, 0);
	while (rill_tcp_accept(l, &c) == 0)
		RILL_ASSERT_CMP(rill_spawn(echo, c, NULL), ==, 0);
	return NULL;
}

static int run_server(const char *pid)
{
	struct rill_runtime *rt;
	struct rill_net *net;

	name_nics(atoi(pid));
	start(&rt, &net, nic[0], SERVER "/24", RILL_IDLE_ADAPTIVE);
	rill_block_on(rt, serve, net, NULL);
	return 1;
}

static pid_t start_server(void)
{
	char arg[16];
	pid_t pid, parent = getpid();

	snprintf(arg, sizeof(arg), "%d", (int)getpid());
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		/* It must not outlive this program, however that ends. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			execl("/proc/self/exe", "test_net_dpdk", arg, NULL);
		_exit(1);
	}
	assert_true(pid > 0);
	return pid;
}

static void kill_server(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* ---- the client ---- */

static struct rill_tcp *connect_to_server(struct rill_net *net)
{
	struct rill_addr addr;
	struct rill_tcp *c;

	RILL_ASSERT_CMP(rill_addr_parse(SERVER ":7", &addr), ==, 0);
	/* It may not be there yet. */
	for (int i = 0; i < CONNECT_TRIES; i++) {
		struct rill_scope scope;
		int err;

		rill_scope_begin(&scope, rill_after(200 * RILL_MS), NULL);
		err = rill_tcp_connect(net, NULL, &addr, NULL, &c);
		rill_scope_end(&scope);
		if (err == 0)
			return c;
		rill_sleep(10 * RILL_MS);
	}
	RILL_ASSERT_CMP(0, ==, CONNECT_TRIES);
	return NULL;
}

static void *stream_there_and_back(void *arg)
{
	struct rill_tcp *c = connect_to_server(arg);
	struct stream out = {c, 77, BYTES, 0}, in = {c, 77, BYTES, 0};
	struct rill_task *sender;

	RILL_ASSERT_CMP(rill_spawn(stream_send, &out, &sender), ==, 0);
	stream_recv(&in);
	RILL_ASSERT_CMP(rill_join(sender, NULL), ==, 0);
	rill_tcp_close(c);
	return NULL;
}

static void check_stream(enum rill_idle idle)
{
	struct rill_runtime *rt;
	struct rill_net *net;
	pid_t pid = start_server();

	start(&rt, &net, nic[1], CLIENT "/24", idle);
	assert_int_equal(rill_block_on(rt, stream_there_and_back, net, NULL), 0);
	rill_net_close(net);
	rill_runtime_destroy(rt);
	kill_server(pid);
}

static void test_stream_spinning(void **state)
{
	check_stream(RILL_IDLE_SPIN);
}

/* memif has no interrupts: sleep is timed. */
static void test_stream_adaptive(void **state)
{
	check_stream(RILL_IDLE_ADAPTIVE);
}

/* A server that is killed, and one that takes its place: no memory of old connections. */
static void *talk_twice(void *arg)
{
	struct rill_tcp *c = connect_to_server(arg);
	uint8_t byte = 1;

	RILL_ASSERT_CMP(rill_tcp_send(c, &byte, 1), ==, 1);
	RILL_ASSERT_CMP(rill_tcp_recv(c, &byte, 1), ==, 1);
	rill_tcp_abort(c);
	return NULL;
}

static void test_server_restart(void **state)
{
	struct rill_runtime *rt;
	struct rill_net *net;

	start(&rt, &net, nic[1], CLIENT "/24", RILL_IDLE_ADAPTIVE);
	for (int i = 0; i < 2; i++) {
		pid_t pid = start_server();

		assert_int_equal(rill_block_on(rt, talk_twice, net, NULL), 0);
		kill_server(pid);
	}
	rill_net_close(net);
	rill_runtime_destroy(rt);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream_spinning),
		cmocka_unit_test(test_stream_adaptive),
		cmocka_unit_test(test_server_restart),
	};

	if (argc == 2)
		return run_server(argv[1]);
	name_nics(getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
