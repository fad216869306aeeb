/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `kernel_crr` prints the nanoseconds of one TCP connection over 127.0.0.1: connect, 64 bytes
 * there and back, close.
 *
 * One thread has both ends, so there is no switch of tasks, no wake-up and no epoll: every call
 * finds done what it asks for, since the loopback interface delivers within the sender's call.
 * That is the least that a server and a client can do. The server's end closes first and stays in
 * TIME-WAIT, from where a SYN with a later timestamp takes its place: ports never run out.
 */
#include "bench/peers/kernel_tcp.h"

#define MESSAGE_BYTES 64
#define CONNECTIONS 64

static struct sockaddr_in addr;
static int listener;

static void transfer(int from, int to)
{
	char buf[MESSAGE_BYTES] = {0};

	if (send(from, buf, sizeof(buf), MSG_NOSIGNAL) != sizeof(buf))
		kernel_fail("send");
	if (recv(to, buf, sizeof(buf), MSG_WAITALL) != sizeof(buf))
		kernel_fail("recv");
}

static void connection(void)
{
	int client = kernel_socket();
	char end;

	if (connect(client, (const struct sockaddr *)&addr, sizeof(addr)) != 0)
		kernel_fail("connect");
	int server = kernel_accept(listener);

	transfer(client, server);
	transfer(server, client);
	close(server);
	if (recv(client, &end, 1, 0) != 0)
		kernel_fail("the end of the stream");
	close(client);
}

static void connections(void)
{
	for (int i = 0; i < CONNECTIONS; i++)
		connection();
}

int main(void)
{
	socklen_t len = sizeof(addr);

	kernel_addr("127.0.0.1", "0", &addr);
	listener = kernel_listen(&addr);
	if (getsockname(listener, (struct sockaddr *)&addr, &len) != 0)
		kernel_fail("getsockname");
	return limit_main(connections, CONNECTIONS);
}
