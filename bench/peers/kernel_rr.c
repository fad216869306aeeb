/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A request-response of 64 bytes over the kernel's TCP, by two programs that never sleep:
 *
 *   kernel_rr client IP PORT   prints the median round trip in microseconds
 *   kernel_rr server IP PORT   echoes one connection after the other, until killed
 *
 * Sockets are non-blocking and asked again and again, without epoll: the shortest way through the
 * kernel.
 */
#include "bench/peers/kernel_tcp.h"

#include <fcntl.h>

#define MESSAGE_BYTES 64
#define SAMPLES_MAX 2000000
#define REPLY_WITHIN_NS UINT64_C(1000000000)

static void make_spinning(int fd)
{
	int on = 1;

	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		kernel_fail("O_NONBLOCK");
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
		kernel_fail("TCP_NODELAY");
}

/* Sends all of it. False when the connection has gone. */
static bool send_all(int fd, const char *buf, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, buf, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			buf += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/* One request and its answer, in ns. */
static uint64_t round_trip(int fd)
{
	char buf[MESSAGE_BYTES] = {0};
	uint64_t begin = limit_now();
	size_t got = 0;

	if (!send_all(fd, buf, sizeof(buf)))
		kernel_fail("send");
	while (got < sizeof(buf)) {
		ssize_t n = recv(fd, buf + got, sizeof(buf) - got, 0);

		if (n > 0) {
			got += (size_t)n;
			continue;
		}
		if (n == 0 || errno != EAGAIN)
			kernel_fail("recv");
		if (limit_now() - begin > REPLY_WITHIN_NS) {
			errno = ETIMEDOUT;
			kernel_fail("recv");
		}
	}
	return limit_now() - begin;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int client(const struct sockaddr_in *addr)
{
	uint32_t *samples_ns = calloc(SAMPLES_MAX, sizeof(*samples_ns));
	int fd = kernel_connect(addr);
	uint64_t run_ns = limit_run_ns();
	size_t count = 0;
	uint64_t until;

	if (!samples_ns)
		kernel_fail("calloc");
	make_spinning(fd);
	for (until = limit_now() + run_ns / LIMIT_WARM_UP_SHARE; limit_now() < until;)
		round_trip(fd);
	for (until = limit_now() + run_ns; limit_now() < until && count < SAMPLES_MAX;)
		samples_ns[count++] = (uint32_t)round_trip(fd);
	close(fd);
	qsort(samples_ns, count, sizeof(*samples_ns), by_value);
	printf("%.3f\n", samples_ns[count / 2] / 1000.0);
	free(samples_ns);
	return 0;
}

static void echo(int fd)
{
	char buf[4096];

	for (;;) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0 || !send_all(fd, buf, (size_t)n))
			return;
	}
}

__attribute__((noreturn)) static void server(const struct sockaddr_in *addr)
{
	int listener = kernel_listen(addr);

	for (;;) {
		int fd = kernel_accept(listener);

		make_spinning(fd);
		echo(fd);
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
	fprintf(stderr, "usage: kernel_rr client|server IP PORT\n");
	return 2;
}
