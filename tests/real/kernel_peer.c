/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's end of a test, one thread and epoll:
 *
 *   real-kernel echo IP PORT [CC]
 *   real-kernel client IP PORT CONNS AT-ONCE BYTES [CC]
 *
 * echo sends back what it gets, until it is killed. client opens CONNS connections, AT-ONCE of them
 * at a time; each sends BYTES of a pattern while it receives them back, shuts down, and wants the
 * end of the stream after the last byte. AT-ONCE 0: all are open before the first one sends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/real/pattern.h"

#define CHUNK_BYTES 65536
#define EVENTS 256
#define BACKLOG 16384
/* No connection is silent for so long while the test is alive. */
#define PATIENCE_MS 60000

struct conn {
	int fd;
	uint64_t seed, sent, received;
	/* echo: what has been read and not yet written */
	uint32_t held_from, held_to;
	uint8_t *held;
	bool connected, ended;
};

static int epoll;
static struct sockaddr_in address = {.sin_family = AF_INET};
static const char *congestion;
static uint64_t conns_wanted, at_once, bytes_each;
static uint64_t opened, connected, finished, failed;
static struct conn **all; /* client, AT-ONCE 0: those that wait for the others */

static void die(const char *what)
{
	fprintf(stderr, "real-kernel: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int new_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (congestion && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion,
				     (socklen_t)strlen(congestion)) < 0)
		die(congestion);
	return fd;
}

static void watch(struct conn *c, int op, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = c};

	if (epoll_ctl(epoll, op, c->fd, &e) < 0)
		die("epoll_ctl");
}

static void drop(struct conn *c)
{
	close(c->fd);
	free(c->held);
	free(c);
}

/* ---- echo ---- */

static bool echo_write(struct conn *c)
{
	while (c->held_from < c->held_to) {
		ssize_t n = send(c->fd, c->held + c->held_from, c->held_to - c->held_from,
				 MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN;
		c->held_from += (uint32_t)n;
	}
	return true;
}

/* False: the connection is over. */
static bool echo_step(struct conn *c)
{
	for (;;) {
		if (!echo_write(c))
			return false;
		if (c->held_from < c->held_to) {
			watch(c, EPOLL_CTL_MOD, EPOLLOUT);
			return true;
		}
		ssize_t n = recv(c->fd, c->held, CHUNK_BYTES, 0);

		if (n <= 0) {
			watch(c, EPOLL_CTL_MOD, EPOLLIN);
			return n < 0 && errno == EAGAIN;
		}
		c->held_from = 0;
		c->held_to = (uint32_t)n;
	}
}

static void echo_accept(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));

		if (!c || !(c->held = malloc(CHUNK_BYTES)))
			die("connection");
		c->fd = fd;
		watch(c, EPOLL_CTL_ADD, EPOLLIN);
	}
}

static void echo(void)
{
	struct conn listener = {.fd = new_socket()};
	struct epoll_event events[EVENTS];

	if (bind(listener.fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener.fd, BACKLOG) < 0)
		die("listen");
	watch(&listener, EPOLL_CTL_ADD, EPOLLIN);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			if (c == &listener)
				echo_accept(listener.fd);
			else if (!echo_step(c))
				drop(c);
		}
	}
}

/* ---- client ---- */

static void open_one(void)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		die("connection");
	c->fd = new_socket();
	c->seed = opened++;
	if (connect(c->fd, (struct sockaddr *)&address, sizeof(address)) < 0 &&
	    errno != EINPROGRESS)
		die("connect");
	watch(c, EPOLL_CTL_ADD, EPOLLOUT);
}

static void end(struct conn *c, const char *why)
{
	if (why) {
		fprintf(stderr, "real-kernel: connection %llu, after %llu of %llu bytes: %s\n",
			(unsigned long long)c->seed, (unsigned long long)c->received,
			(unsigned long long)bytes_each, why);
		failed++;
	}
	finished++;
	drop(c);
	if (at_once > 0 && opened < conns_wanted)
		open_one();
}

static bool client_send(struct conn *c)
{
	uint8_t buf[CHUNK_BYTES];

	while (c->sent < bytes_each) {
		size_t len =
			bytes_each - c->sent < sizeof(buf) ? bytes_each - c->sent : sizeof(buf);

		pattern_fill(c->seed, c->sent, buf, len);
		ssize_t n = send(c->fd, buf, len, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN;
		c->sent += (uint64_t)n;
	}
	if (!c->ended) {
		c->ended = true;
		shutdown(c->fd, SHUT_WR);
		watch(c, EPOLL_CTL_MOD, EPOLLIN);
	}
	return true;
}

/* An error, "" at the end of the stream, NULL: there is more to come. */
static const char *client_recv(struct conn *c)
{
	uint8_t buf[CHUNK_BYTES];
	ssize_t n;

	while ((n = recv(c->fd, buf, sizeof(buf), 0)) > 0) {
		if (!pattern_same(c->seed, c->received, buf, (size_t)n))
			return "other bytes came back than were sent";
		c->received += (uint64_t)n;
	}
	if (n < 0)
		return errno == EAGAIN ? NULL : strerror(errno);
	return c->received == bytes_each && c->ended ? "" : "the stream ended too early";
}

static void client_step(struct conn *c)
{
	const char *why;

	if (!client_send(c)) {
		end(c, strerror(errno));
		return;
	}
	why = client_recv(c);
	if (why)
		end(c, *why ? why : NULL);
}

/* Sending begins, for one or for all. */
static void start(struct conn *c)
{
	watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
	client_step(c);
}

static void client_connected(struct conn *c)
{
	int err = 0;
	socklen_t len = sizeof(err);

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err) {
		if (at_once == 0)
			conns_wanted--;
		end(c, strerror(err));
		if (at_once == 0)
			finished--;
		return;
	}
	c->connected = true;
	connected++;
	if (at_once > 0) {
		start(c);
		return;
	}
	watch(c, EPOLL_CTL_MOD, 0);
	all[connected - 1] = c;
}

static void release_all(void)
{
	if (!all || connected < conns_wanted)
		return;
	for (uint64_t i = 0; i < connected; i++)
		start(all[i]);
	free(all);
	all = NULL;
}

static int client(void)
{
	struct epoll_event events[EVENTS];
	uint64_t first = at_once ? at_once : conns_wanted;

	if (at_once == 0 && !(all = calloc(conns_wanted, sizeof(struct conn *))))
		die("connections");
	while (opened < first && opened < conns_wanted)
		open_one();
	while (finished < conns_wanted) {
		int n = epoll_wait(epoll, events, EVENTS, PATIENCE_MS);

		if (n == 0) {
			fprintf(stderr, "real-kernel: silence: %llu of %llu connections finished\n",
				(unsigned long long)finished, (unsigned long long)conns_wanted);
			return 1;
		}
		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			if (!c->connected)
				client_connected(c);
			else
				client_step(c);
		}
		release_all();
	}
	printf("%llu connections, %llu failed\n", (unsigned long long)opened,
	       (unsigned long long)failed);
	return failed ? 1 : 0;
}

static void raise_file_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		die("file limit");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		die("file limit");
}

int main(int argc, char **argv)
{
	bool is_echo = argc >= 4 && strcmp(argv[1], "echo") == 0;
	int fixed = is_echo ? 4 : 7;

	if (argc < fixed || argc > fixed + 1 ||
	    inet_pton(AF_INET, argv[2], &address.sin_addr) != 1) {
		fprintf(stderr,
			"usage: %s echo IP PORT [CC] | client IP PORT CONNS AT-ONCE BYTES "
			"[CC]\n",
			argv[0]);
		return 2;
	}
	address.sin_port = htons((uint16_t)atoi(argv[3]));
	congestion = argv[fixed];
	raise_file_limit();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (is_echo)
		echo();
	conns_wanted = strtoull(argv[4], NULL, 10);
	at_once = strtoull(argv[5], NULL, 10);
	bytes_each = strtoull(argv[6], NULL, 10);
	return client();
}
