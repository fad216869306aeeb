/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stream over the kernel's TCP, as much as it will carry:
 *
 *   kernel_bulk client IP PORT   receives; prints nanoseconds per 1,460 bytes
 *   kernel_bulk server IP PORT   sends to one connection after the other, until killed
 */
#include "bench/peers/kernel_tcp.h"

#define UNIT_BYTES 1460
#define CHUNK_BYTES (64 * 1024)

static char chunk[CHUNK_BYTES];

static double receive(int fd, uint64_t ns)
{
	uint64_t begin = limit_now();
	uint64_t bytes = 0;
	uint64_t took;

	do {
		ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

		if (n <= 0)
			kernel_fail("recv");
		bytes += (uint64_t)n;
		took = limit_now() - begin;
	} while (took < ns);
	return (double)took * UNIT_BYTES / (double)bytes;
}

static int client(const struct sockaddr_in *addr)
{
	int fd = kernel_connect(addr);

	receive(fd, limit_run_ns() / LIMIT_WARM_UP_SHARE);
	printf("%.3f\n", receive(fd, limit_run_ns()));
	close(fd);
	return 0;
}

__attribute__((noreturn)) static void server(const struct sockaddr_in *addr)
{
	int listener = kernel_listen(addr);

	for (;;) {
		int fd = kernel_accept(listener);

		while (send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) > 0)
			;
		close(fd);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr;

	if (argc == 4 && kernel_addr(argv[2], argv[3], &addr)) {
		if (strcmp(argv[1], "client") == 0)
			return client(&addr);
		if (strcmp(argv[1], "server") == 0)
			server(&addr);
	}
	fprintf(stderr, "usage: kernel_bulk client|server IP PORT\n");
	return 2;
}
