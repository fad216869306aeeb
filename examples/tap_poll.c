/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP echo in a poll(2) loop: the bare stack on a TAP device. The kernel's end of it:
 * ip addr add 198.18.0.2/24 dev rill0; ip link set rill0 up; nc 198.18.0.1 7 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <rill/stack.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void *tap)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * RILL_SEC + (uint64_t)t.tv_nsec;
}

static void output(void *tap, const void *frame, size_t len)
{
	if (write(*(int *)tap, frame, len) < 0)
		perror("rill0"); /* lost, as on any wire */
}

static void echo(struct rill_stack *s, int fd)
{
	/* A peer that does not read is not read from either. */
	while ((rill_stack_poll(s, fd) & (POLLIN | POLLNVAL)) == POLLIN &&
	       rill_stack_unacked(s, fd) < 65536) {
		char buf[2048];
		struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf)};
		ssize_t n = rill_stack_recv(s, fd, &iov, 1, 0, NULL, NULL);

		iov.iov_len = (size_t)n;
		if (n <= 0 || rill_stack_send(s, fd, &iov, 1, 0, NULL) < n)
			rill_stack_close(s, fd);
	}
}

int main(void)
{
	struct rill_stack_ops ops = {.now = now, .output = output};
	struct ifreq req = {.ifr_name = "rill0", .ifr_flags = IFF_TAP | IFF_NO_PI};
	struct pollfd p = {.fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK), .events = POLLIN};
	struct rill_stack_options o = {RILL_OPTIONS(o), .ops = &ops, .ctx = &p.fd,
				       .addr = "198.18.0.1/24", .sockets = 64};
	struct rill_addr port = {.port = 7};
	struct rill_stack *s;
	char frame[2048];
	ssize_t n;

	if (ioctl(p.fd, TUNSETIFF, &req) < 0 || rill_stack_create(&o, &s) < 0)
		return perror("rill0"), 1;
	int listener = rill_stack_socket(s, SOCK_STREAM);

	rill_stack_bind(s, listener, &port);
	for (rill_stack_listen(s, listener, 64);;) {
		uint64_t t = now(NULL), at = rill_stack_next_deadline(s);

		poll(&p, 1, at <= t ? 0 : at - t < RILL_SEC ? (int)((at - t) / RILL_MS) + 1 : 1000);
		while ((n = read(p.fd, frame, sizeof(frame))) > 0)
			rill_stack_input(s, frame, (size_t)n);
		rill_stack_run_timers(s);
		while (rill_stack_accept(s, listener, NULL) >= 0)
			continue;
		for (int fd = listener + 1; fd < 64; fd++)
			if ((rill_stack_poll(s, fd) & POLLNVAL) == 0)
				echo(s, fd);
	}
}
