/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The beginning of a file of the thread's; the length, or less than 1. */
static ssize_t read_file(int tid, const char *name, char *buf, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/%s", tid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	ssize_t n = read(fd, buf, size - 1);

	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n;
}

char rill_proc_state(int tid)
{
	char buf[256];

	if (read_file(tid, "stat", buf, sizeof(buf)) < 1)
		return 0;
	/* "tid (name) S ...", and the name may be anything */
	const char *end = strrchr(buf, ')');

	return end && end[1] == ' ' ? end[2] : 0;
}

bool rill_proc_blocked(int tid, struct rill_proc_blocked *ret_blocked)
{
	char buf[256];
	unsigned long sp, pc;

	/* "running", or: call number, six arguments, sp, pc; outside of calls: -1, sp, pc */
	if (read_file(tid, "syscall", buf, sizeof(buf)) < 1 || buf[0] < '0' || buf[0] > '9')
		return false;
	if (sscanf(buf, "%*d %*x %*x %*x %*x %*x %*x %lx %lx", &sp, &pc) != 2)
		return false;
	ret_blocked->sp = sp;
	ret_blocked->pc = pc;
	return true;
}

uint64_t rill_proc_cpu_ns(int tid)
{
	/* The kernel's encoding of a thread's CPU clock (posix-timers.h): ~tid << 3 | per thread |
	 * sched. */
	clockid_t clock = (clockid_t)((~(unsigned)tid << 3) | 4 | 2);
	struct timespec ts;

	if (clock_gettime(clock, &ts) != 0)
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}
