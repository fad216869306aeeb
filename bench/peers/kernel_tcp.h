/* SPDX-License-Identifier: BSD-3-Clause */
/* What the programs share that measure the kernel's TCP. Errors end the program. */
#ifndef BENCH_PEERS_KERNEL_TCP_H
#define BENCH_PEERS_KERNEL_TCP_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/limits/limit.h"

#define KERNEL_CONNECT_WITHIN_NS UINT64_C(5000000000)
#define KERNEL_RETRY_AFTER_US 20000
#define KERNEL_BACKLOG 16

__attribute__((noreturn)) static inline void kernel_fail(const char *what)
{
	fprintf(stderr, "the kernel's TCP: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* IP and port of the command line. */
static inline bool kernel_addr(const char *ip, const char *port, struct sockaddr_in *ret_addr)
{
	*ret_addr = (struct sockaddr_in){.sin_family = AF_INET,
					 .sin_port = htons((uint16_t)atoi(port))};
	return inet_pton(AF_INET, ip, &ret_addr->sin_addr) == 1;
}

static inline int kernel_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		kernel_fail("socket");
	return fd;
}

static inline int kernel_listen(const struct sockaddr_in *addr)
{
	int fd = kernel_socket();
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) != 0)
		kernel_fail("bind");
	if (listen(fd, KERNEL_BACKLOG) != 0)
		kernel_fail("listen");
	return fd;
}

static inline int kernel_accept(int listener)
{
	int fd = accept(listener, NULL, NULL);

	if (fd < 0)
		kernel_fail("accept");
	return fd;
}

/* Patiently: the server may have been started a moment ago. */
static inline int kernel_connect(const struct sockaddr_in *addr)
{
	uint64_t give_up = limit_now() + KERNEL_CONNECT_WITHIN_NS;

	for (;;) {
		int fd = kernel_socket();

		if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
			return fd;
		close(fd);
		if (limit_now() > give_up)
			kernel_fail("connect");
		usleep(KERNEL_RETRY_AFTER_US);
	}
}

#endif
