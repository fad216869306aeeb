/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/driver.h"

#define RESULT_MAX 1024

/* What the child says. The descriptors come beside it, in order; places tells whose they are. */
struct reply {
	int err;
	char error[RILL_NIC_ERROR_LEN];
	bool sent[RILL_NETNS_FDS_MAX + 2]; /* job->fds, net_fd, user_fd */
	char result[RESULT_MAX];
};

/* ---- in the child ---- */

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* We are root in there: so who is to look in can become that. */
static void map_ids(uid_t uid, gid_t gid)
{
	char text[32];

	snprintf(text, sizeof(text), "0 %u 1", (unsigned)uid);
	write_file("/proc/self/uid_map", text);
	write_file("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "0 %u 1", (unsigned)gid);
	write_file("/proc/self/gid_map", text);
}

static int enter_new(struct rill_netns_job *job, char *error)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(CLONE_NEWNET) < 0) {
		if (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
			return rill_nic_fail(
				error, -errno,
				"%s: no network namespace of our own: %s: run as root, or "
				"sudo sysctl user.max_user_namespaces=1024 "
				"kernel.unprivileged_userns_clone=1",
				job->driver, strerror(errno));
		map_ids(uid, gid);
		job->user_fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	}
	job->net_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return 0;
}

/* Where its owner is another user namespace, through that. */
static int enter_fd(int fd)
{
	if (setns(fd, CLONE_NEWNET) == 0)
		return 0;
	int err = -errno, user = err == -EPERM ? ioctl(fd, NS_GET_USERNS) : -1;

	if (user < 0)
		return err;
	err = setns(user, CLONE_NEWUSER) < 0 || setns(fd, CLONE_NEWNET) < 0 ? -errno : 0;
	close(user);
	return err;
}

static int enter_there(const struct rill_netns_job *job, char *error)
{
	char path[256];
	const char *where = job->where;

	snprintf(path, sizeof(path), "%s%s", strchr(where, '/') ? "" : "/run/netns/", where);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return rill_nic_fail(error, -errno,
				     "%s: netns=%s: cannot open %s: %s: see ip netns list, or: "
				     "ip netns add NAME",
				     job->driver, where, path, strerror(errno));
	int err = enter_fd(fd);

	close(fd);
	if (err == -EINVAL)
		return rill_nic_fail(error, err, "%s: netns=%s is no network namespace",
				     job->driver, where);
	if (err)
		return rill_nic_fail(error, err,
				     "%s: netns=%s: not let in: %s: run with CAP_SYS_ADMIN, or say "
				     "netns=new",
				     job->driver, where, strerror(-err));
	return 0;
}

static void send_reply(int sock, struct rill_netns_job *job, struct reply *r)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * (RILL_NETNS_FDS_MAX + 2))];
	} control;
	struct iovec iov = {r, sizeof(*r)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[RILL_NETNS_FDS_MAX + 2];
	unsigned count = 0;

	for (unsigned i = 0; i < job->fd_count + 2; i++) {
		int fd = i < job->fd_count    ? job->fds[i]
			 : i == job->fd_count ? job->net_fd
					      : job->user_fd;

		r->sent[i] = r->err == 0 && fd >= 0;
		if (r->sent[i])
			fds[count++] = fd;
	}
	memcpy(r->result, job->result, job->result_len);
	memset(&control, 0, sizeof(control));
	if (count > 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(&control.align), fds, sizeof(int) * count);
	}
	/* Who is not there any more gets nothing. */
	if (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0)
		_exit(1);
}

static void child(int sock, struct rill_netns_job *job)
{
	struct reply r;

	memset(&r, 0, sizeof(r));
	r.err = strcmp(job->where, "new") == 0 ? enter_new(job, r.error)
					       : enter_there(job, r.error);
	if (!r.err)
		r.err = job->fn(job, r.error);
	send_reply(sock, job, &r);
	_exit(0);
}

/* ---- in the parent ---- */

static void take_fds(struct rill_netns_job *job, const struct reply *r, struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	const unsigned char *at = c ? CMSG_DATA(c) : NULL;
	/* Past this process's limit they are fewer than were sent. */
	size_t count = c ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

	for (unsigned i = 0; i < job->fd_count + 2; i++) {
		int fd = -1;

		if (r->sent[i] && count > 0) {
			memcpy(&fd, at, sizeof(fd));
			at += sizeof(fd);
			count--;
		}
		if (i < job->fd_count)
			job->fds[i] = fd;
		else if (i == job->fd_count)
			job->net_fd = fd;
		else
			job->user_fd = fd;
	}
}

static int receive_reply(int sock, struct rill_netns_job *job, char *error)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * (RILL_NETNS_FDS_MAX + 2))];
	} control;
	struct reply r;
	struct iovec iov = {&r, sizeof(r)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	ssize_t n;

	do {
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(r))
		return rill_nic_fail(error, -ECHILD, "%s: the process in netns=%s ended early",
				     job->driver, job->where);
	take_fds(job, &r, &msg);
	if (r.err) {
		r.error[sizeof(r.error) - 1] = 0;
		return rill_nic_fail(error, r.err, "%s", r.error);
	}
	/* Too many for this process's limit: the kernel drops the rest. */
	if ((msg.msg_flags & MSG_CTRUNC) != 0)
		return rill_nic_fail(error, -EMFILE, "%s: too many open files: ulimit -n 65536",
				     job->driver);
	memcpy(job->result, r.result, job->result_len);
	return 0;
}

int rill_netns_run(struct rill_netns_job *job, char *error)
{
	int pair[2];

	RILL_ASSERT(job->result_len <= RESULT_MAX && job->fd_count <= RILL_NETNS_FDS_MAX);
	job->net_fd = job->user_fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return rill_nic_fail(error, -errno, "%s: socketpair: %s", job->driver,
				     strerror(errno));
	pid_t pid = fork();

	if (pid == 0)
		child(pair[1], job);
	close(pair[1]);
	int err =
		pid < 0 ? rill_nic_fail(error, -errno, "%s: fork: %s", job->driver, strerror(errno))
			: receive_reply(pair[0], job, error);

	close(pair[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return err;
}
