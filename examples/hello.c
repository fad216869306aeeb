/* SPDX-License-Identifier: BSD-3-Clause */
/* A TCP echo server that owns its network card:  hello af_xdp:eth1 192.0.2.7/24 */
#include <rill/rill.h>

static void *echo(void *conn)
{
	char buf[4096];
	ssize_t n;

	while ((n = rill_tcp_recv(conn, buf, sizeof(buf))) > 0)
		rill_tcp_send(conn, buf, (size_t)n);
	rill_tcp_close(conn);
	return NULL;
}

int main(int argc, char **argv)
{
	struct rill_net_options nic = {RILL_OPTIONS(nic), .nic = "mem:hello",
				       .addr = "198.18.0.1/24"};
	struct rill_spawn_options task = {RILL_OPTIONS(task), .name = "echo"};
	struct rill_addr port = {.port = 7};
	struct rill_listener *listener;
	struct rill_net *net;
	struct rill_tcp *conn;

	if (argc == 3)
		nic.nic = argv[1], nic.addr = argv[2];
	if (rill_runtime_create(NULL, &task.runtime) || rill_net_open(task.runtime, &nic, &net) ||
	    rill_tcp_listen(net, &port, NULL, &listener))
		return fprintf(stderr, "hello: %s\n", rill_net_error()), 1;
	fprintf(stderr, "echo on port 7 of %s\n", rill_net_describe(net));
	while (rill_tcp_accept(listener, &conn) == 0)
		rill_spawn_with(&task, echo, conn, NULL);
	return 0;
}
