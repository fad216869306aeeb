/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/dpdk_memif.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <rte_alarm.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Of net_memif. */
#define SOCKET_DEFAULT "/run/memif.sock"

static bool has_arg(const char *device, const char *arg)
{
	size_t len = strlen(arg);

	for (const char *at = strchr(device, ','); at; at = strchr(at + 1, ','))
		if (strncmp(at + 1, arg, len) == 0 && (at[1 + len] == ',' || at[1 + len] == 0))
			return true;
	return false;
}

bool rill_dpdk_is_memif(const char *device)
{
	static const char pmd[] = "net_memif";
	char next = device[strnlen(device, sizeof(pmd) - 1)];

	return strncmp(device, pmd, sizeof(pmd) - 1) == 0 &&
	       (!next || next == ',' || isdigit((unsigned char)next));
}

bool rill_dpdk_memif_is_server(const char *device)
{
	return has_arg(device, "role=server") || has_arg(device, "role=master");
}

bool rill_dpdk_memif_is_zero_copy(const char *device)
{
	return has_arg(device, "zero-copy=yes");
}

/* ---- sockets ---- */

static socklen_t socket_name(const char *device, struct sockaddr_un *ret_addr)
{
	bool abstract = !has_arg(device, "socket-abstract=no");
	const char *path = strstr(device, ",socket=");
	char *to = ret_addr->sun_path + abstract;
	size_t room = sizeof(ret_addr->sun_path) - 1 - abstract, len;

	path = path ? path + strlen(",socket=") : SOCKET_DEFAULT;
	len = strcspn(path, ",");
	memset(ret_addr, 0, sizeof(*ret_addr));
	ret_addr->sun_family = AF_UNIX;
	memcpy(to, path, len < room ? len : room);
	return (socklen_t)sizeof(*ret_addr);
}

void rill_dpdk_memif_before_open(const char *device)
{
	struct sockaddr_un addr;
	socklen_t len = socket_name(device, &addr);
	struct stat st;
	int fd;

	if (!rill_dpdk_memif_is_server(device) || addr.sun_path[0] == 0)
		return;
	/*
	 * Of another kind than the PMD's, so that whoever listens hears nothing of it (EPROTOTYPE).
	 * The PMD aborts its process when a connection is gone before it has answered.
	 */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Refused: the path is there, and nobody listens. So it is with files of other kinds. */
	if (connect(fd, (struct sockaddr *)&addr, len) < 0 && errno == ECONNREFUSED &&
	    lstat(addr.sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(addr.sun_path);
	close(fd);
}

bool rill_dpdk_memif_share_socket(const char *one, const char *other)
{
	struct sockaddr_un a, b;

	socket_name(one, &a);
	socket_name(other, &b);
	return memcmp(a.sun_path, b.sun_path, sizeof(a.sun_path)) == 0;
}

static bool listens_at(int fd, const struct sockaddr_un *want)
{
	struct sockaddr_un addr = {0};
	socklen_t len = sizeof(addr), size = sizeof(int);
	int listens = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 || !listens)
		return false;
	return getsockname(fd, (struct sockaddr *)&addr, &len) == 0 && addr.sun_family == AF_UNIX &&
	       memcmp(addr.sun_path, want->sun_path, sizeof(addr.sun_path)) == 0;
}

void rill_dpdk_memif_before_close(const char *device)
{
	DIR *dir = rill_dpdk_memif_is_server(device) ? opendir("/proc/self/fd") : NULL;
	struct sockaddr_un addr;
	struct dirent *entry;

	socket_name(device, &addr);
	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name), silent;

		if (!isdigit((unsigned char)entry->d_name[0]) || !listens_at(fd, &addr))
			continue;
		/* In the same place, so that the number never becomes another file's. */
		silent = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (silent < 0)
			continue;
		dup3(silent, fd, O_CLOEXEC);
		close(silent);
	}
	if (dir)
		closedir(dir);
}

/* ---- the interrupt thread ---- */

struct job {
	void (*fn)(void *arg);
	void *arg;
	sem_t done;
};

static void run_job(void *arg)
{
	struct job *job = arg;

	job->fn(job->arg);
	sem_post(&job->done);
}

void rill_dpdk_on_interrupt_thread(void (*fn)(void *arg), void *arg)
{
	struct job job = {.fn = fn, .arg = arg};

	sem_init(&job.done, 0, 0);
	/* Alarms run there. */
	if (rte_eal_alarm_set(1, run_job, &job) < 0) {
		fn(arg);
	} else {
		while (sem_wait(&job.done) < 0)
			;
	}
	sem_destroy(&job.done);
}
