/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Doing something in another network namespace. A process with threads cannot enter every one (a
 * user namespace only lets single threads in), and would have to find its way back: so a child
 * process goes there, and sends the descriptors that it opened.
 */
#ifndef RILL_DRIVERS_NETNS_H
#define RILL_DRIVERS_NETNS_H

#include <stddef.h>

#define RILL_NETNS_FDS_MAX 128

struct rill_netns_job {
	/*
	 * Where: a name (as of ip netns), a path, or "new", for a namespace that did not exist and
	 * goes with the last descriptor of it. Who may not make one gets one in a user namespace.
	 */
	const char *where;
	const char *driver; /* for messages */
	/* In the child: 0, or a negative errno and what is wrong in error (RILL_NIC_ERROR_LEN). */
	int (*fn)(struct rill_netns_job *job, char *error);
	void *result;	   /* what fn leaves here is copied to the caller */
	size_t result_len; /* at most 1024 */
	/* What fn opened, those not -1: the caller's afterwards, in the same places. */
	int *fds;
	unsigned fd_count;
	/* Set for "new": the namespaces, to be held open; -1: none. /proc/PID/fd/N to others. */
	int net_fd, user_fd;
};

/* Runs job->fn there. As fn; or -ENOENT (no such namespace), -EPERM, -ENOMEM, -EMFILE, with error.
 */
int rill_netns_run(struct rill_netns_job *job, char *error);

#endif
