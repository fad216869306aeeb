/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "rill doctor --measure": how long it takes from sending a datagram until the task that waits for
 * it runs, and what two workers with two NICs cost while nothing comes. For each driver between two
 * NICs that are connected with one another. What needs interfaces gets them in a network namespace
 * of a child process, and they go with it: the machine's own are not touched.
 */
#include "cli/doctor.h"

#include <errno.h>
#include <poll.h>
#include <rill/rill.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 200
#define PAUSE_MS 3 /* longer than workers spin before they sleep */
#define IDLE_MS 500
/* A kernel that is stuck does not even let go of a process that is killed. */
#define PATIENCE_MS 30000

struct pair {
	const char *driver;
	const char *nic, *peer;
	const char *setup; /* a shell command, in a namespace of its own; NULL: none is needed */
};

static const struct pair pairs[] = {
	{"mem", "mem:doctor", "mem:doctor", NULL},
	{"tap", "tap:rilld0", "tap:rilld1",
	 "ip link add rilldb type bridge && ip link set rilldb up && "
	 "for i in 0 1; do ip tuntap add dev rilld$i mode tap && "
	 "ip link set dev rilld$i master rilldb up || exit 1; done"},
	{"af_xdp", "af_xdp:rilld0", "af_xdp:rilld1",
	 "ip link add rilld0 type veth peer name rilld1 && ip link set dev rilld0 up && "
	 "ip link set dev rilld1 up"},
};

struct result {
	int err;
	char error[200];
	double idle_percent; /* of one CPU */
	uint64_t p50_ns, p99_ns;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void pause_ms(unsigned ms)
{
	const struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

/* ---- between two interfaces ---- */

struct bench {
	struct rill_net *nets[2];
	struct rill_udp *from, *to;
	uint64_t sent_ns[ROUNDS + 1], took_ns[ROUNDS];
};

/* Datagrams carry their number; 0 has the neighbours found, and the last ends it. */
static void *receive(void *arg)
{
	struct bench *b = arg;
	uint32_t number;

	while (rill_udp_recv(b->to, &number, sizeof(number), NULL) == sizeof(number)) {
		uint64_t now = clock_ns(CLOCK_MONOTONIC);

		if (number > ROUNDS)
			break;
		if (number > 0)
			b->took_ns[number - 1] = now - b->sent_ns[number];
	}
	return NULL;
}

static void send_number(struct bench *b, uint32_t number)
{
	struct rill_addr to = {.ip = rill_net_ip(b->nets[1]), .port = 9};

	if (number <= ROUNDS)
		b->sent_ns[number] = clock_ns(CLOCK_MONOTONIC);
	rill_udp_send(b->from, &number, sizeof(number), &to);
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* One that was lost counts as nothing: it is left at 0 and sorted to the front. */
static void fill_in(struct bench *b, struct result *r)
{
	unsigned lost = 0;

	qsort(b->took_ns, ROUNDS, sizeof(b->took_ns[0]), by_time);
	while (lost < ROUNDS && b->took_ns[lost] == 0)
		lost++;
	if (lost > ROUNDS / 2) {
		r->err = -EIO;
		snprintf(r->error, sizeof(r->error), "%u of %u datagrams were lost", lost, ROUNDS);
		return;
	}
	r->p50_ns = b->took_ns[lost + (ROUNDS - lost) / 2];
	r->p99_ns = b->took_ns[lost + (ROUNDS - lost) * 99 / 100];
}

static int open_sockets(struct bench *b)
{
	const struct rill_addr any = {.port = 0}, nine = {.port = 9};
	int r = rill_udp_bind(b->nets[0], &any, NULL, &b->from);

	return r < 0 ? r : rill_udp_bind(b->nets[1], &nine, NULL, &b->to);
}

static int run_rounds(struct bench *b, struct rill_runtime *rt, struct result *r)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt};
	struct rill_task *task;
	int err = open_sockets(b);

	if (err == 0)
		err = rill_spawn_with(&o, receive, b, &task);
	if (err < 0)
		return err;
	send_number(b, 0);
	pause_ms(100);
	uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID), wall = clock_ns(CLOCK_MONOTONIC);

	pause_ms(IDLE_MS);
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	wall = clock_ns(CLOCK_MONOTONIC) - wall;
	r->idle_percent = 100.0 * (double)cpu / (double)wall;
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		send_number(b, i);
		pause_ms(PAUSE_MS);
	}
	/* Should these be lost as well, the process ends all the same. */
	for (unsigned i = 0; i < 10; i++)
		send_number(b, ROUNDS + 1);
	rill_join(task, NULL);
	fill_in(b, r);
	return 0;
}

static void measure(const struct pair *p, enum rill_idle idle, struct result *r)
{
	struct rill_runtime_options o = {RILL_OPTIONS(o), .flavor = RILL_MULTI_THREAD, .workers = 2,
					 .idle = idle};
	struct rill_net_options nets[] = {
		{RILL_OPTIONS(nets[0]), .nic = p->nic, .addr = "198.18.0.1/24", .queues = 1},
		{RILL_OPTIONS(nets[1]), .nic = p->peer, .addr = "198.18.0.2/24", .queues = 1},
	};
	struct bench *b = calloc(1, sizeof(*b));
	struct rill_runtime *rt;

	r->err = b ? rill_net_start(&o, nets, 2, &rt, b->nets) : -ENOMEM;
	if (r->err < 0) {
		snprintf(r->error, sizeof(r->error), "%s", b ? rill_net_error() : "out of memory");
		return;
	}
	int err = run_rounds(b, rt, r);

	if (err < 0) {
		r->err = err;
		snprintf(r->error, sizeof(r->error), "%s", strerror(-err));
	}
	/* The process ends: nothing has to be closed. */
}

/* ---- in a child ---- */

static void child(const struct pair *p, enum rill_idle idle, int out)
{
	struct result r = {0};

	if (p->setup && unshare(CLONE_NEWNET) < 0) {
		r.err = -errno;
		snprintf(r.error, sizeof(r.error), "no network namespace of our own: %s",
			 strerror(errno));
	} else if (p->setup && system(p->setup) != 0) {
		r.err = -ENODEV;
		snprintf(r.error, sizeof(r.error), "cannot make interfaces");
	} else {
		measure(p, idle, &r);
	}
	if (write(out, &r, sizeof(r)) != sizeof(r))
		_exit(1);
	_exit(0);
}

static void run_child(const struct pair *p, enum rill_idle idle, struct result *r)
{
	int fds[2];

	*r = (struct result){.err = -EIO};
	if (pipe(fds) < 0)
		return;
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0)
		child(p, idle, fds[1]);
	close(fds[1]);
	struct pollfd wait = {.fd = fds[0], .events = POLLIN};

	if (pid < 0 || poll(&wait, 1, PATIENCE_MS) != 1 ||
	    read(fds[0], r, sizeof(*r)) != sizeof(*r)) {
		*r = (struct result){.err = -ETIMEDOUT};
		snprintf(r->error, sizeof(r->error), "no result within %d s", PATIENCE_MS / 1000);
		if (pid > 0)
			kill(pid, SIGKILL);
	}
	close(fds[0]);
	if (pid > 0)
		waitpid(pid, NULL, r->err == -ETIMEDOUT ? WNOHANG : 0);
}

static void measure_pair(struct rill_doctor *d, const struct pair *p)
{
	static const struct {
		enum rill_idle idle;
		const char *name;
	} modes[] = {{RILL_IDLE_ADAPTIVE, "adaptive"}, {RILL_IDLE_SPIN, "spin"}};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct result r;
		char item[64];

		snprintf(item, sizeof(item), "%s %s", p->driver, modes[i].name);
		run_child(p, modes[i].idle, &r);
		if (r.err < 0)
			rill_doctor_item(d, RILL_DOCTOR_MISSING, item,
					 "see the items above of what this driver needs", "%s",
					 r.error);
		else
			rill_doctor_item(d, RILL_DOCTOR_INFO, item, NULL,
					 "wake-up p50 %.1f us, p99 %.1f us; idle %.2f %% of a CPU",
					 (double)r.p50_ns / 1000, (double)r.p99_ns / 1000,
					 r.idle_percent);
		if (r.err < 0)
			return;
	}
}

bool rill_doctor_measure(struct rill_doctor *d, const char *driver)
{
	bool any = false;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (driver && strcmp(driver, pairs[i].driver) != 0)
			continue;
		measure_pair(d, &pairs[i]);
		any = true;
	}
	return any;
}

void rill_doctor_measure_between(struct rill_doctor *d, const char *nic, const char *peer)
{
	const struct pair p = {nic, nic, peer, NULL};

	measure_pair(d, &p);
}
