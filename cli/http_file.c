/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/http_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <rill/runtime.h>
#include <rill/task.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Without O_NONBLOCK, opening a FIFO would wait for its writer. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
/* A rename elsewhere during the walk makes openat2() ask for another try. */
#define OPEN_TRIES 8

/* The job for the pool; lies on the stack of the task that waits for it. */
struct open_job {
	int root;
	const char *path;
	struct rill_http_file *file;
	int err;
};

struct read_job {
	int fd;
	char *buf;
	size_t len;
	uint64_t offset;
	ssize_t result;
};

int rill_http_root_open(const char *dir)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* For kernels before 5.6: one component at a time, and no symbolic links at all. */
static int open_by_component(int root, const char *path)
{
	char name[NAME_MAX + 1];
	int dir = dup(root);

	while (dir >= 0) {
		size_t len = strcspn(path, "/");
		const char *next = path + len + strspn(path + len, "/");
		int flags = OPEN_FLAGS | O_NOFOLLOW, fd, err;

		if (len > NAME_MAX || (len == 2 && !memcmp(path, "..", 2))) {
			close(dir);
			return -ENOENT;
		}
		memcpy(name, path, len);
		name[len] = 0;
		fd = openat(dir, len ? name : ".", *next ? flags | O_DIRECTORY : flags);
		err = -errno;
		close(dir);
		if (fd < 0)
			return err;
		if (!*next)
			return fd;
		dir = fd;
		path = next;
	}
	return -errno;
}

static int open_beneath(int root, const char *path)
{
	struct open_how how = {
		.flags = OPEN_FLAGS,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	for (int i = 0; i < OPEN_TRIES; i++) {
		long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		/* Some sandboxes answer EPERM to system calls which they do not know. */
		if (errno == ENOSYS || errno == EPERM)
			return open_by_component(root, path);
		if (errno != EAGAIN)
			break;
	}
	return -errno;
}

/* What is not there, not below the root or no file at all looks the same from outside. */
static int hide_errno(int err)
{
	switch (err) {
	case -ENOTDIR:
	case -EXDEV:
	case -ELOOP:
	case -ENAMETOOLONG:
	case -ENXIO:
	case -ENODEV:
		return -ENOENT;
	default:
		return err;
	}
}

/* A file descriptor of a regular file, or negative errno. */
static int open_regular(int root, const char *path, bool *ret_is_index, struct stat *ret_stat)
{
	int fd = open_beneath(root, path);

	*ret_is_index = fd >= 0 && !fstat(fd, ret_stat) && S_ISDIR(ret_stat->st_mode);
	if (*ret_is_index) {
		int index = open_beneath(fd, RILL_HTTP_INDEX);

		close(fd);
		fd = index;
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, ret_stat) || !S_ISREG(ret_stat->st_mode)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

/* Reads until len bytes, the end of the file or an error. */
static ssize_t read_full(int fd, char *buf, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return done ? (ssize_t)done : -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* A small file is read at once: one visit to the pool instead of three. */
static int load_small(struct rill_http_file *file)
{
	ssize_t n = read_full(file->fd, file->data, file->size, 0);

	if (n < 0)
		return (int)n;
	file->size = (uint64_t)n;
	close(file->fd);
	file->fd = -1;
	return 0;
}

static int open_file(struct open_job *job)
{
	struct rill_http_file *file = job->file;
	struct stat st;
	size_t len;
	int err = 0;

	file->fd = open_regular(job->root, job->path, &file->is_index, &st);
	if (file->fd < 0)
		return hide_errno(file->fd);
	file->size = (uint64_t)st.st_size;
	file->modified = st.st_mtime;
	len = file->size < RILL_HTTP_CHUNK_LEN ? (size_t)file->size : RILL_HTTP_CHUNK_LEN;
	file->memory = malloc(RILL_HTTP_HEADROOM + len);
	file->data = file->memory + RILL_HTTP_HEADROOM;
	if (!file->memory)
		err = -ENOMEM;
	else if (file->size <= RILL_HTTP_CHUNK_LEN)
		err = load_small(file);
	if (err < 0) {
		free(file->memory);
		close(file->fd);
	}
	return err;
}

static void *run_open(void *arg)
{
	struct open_job *job = arg;

	job->err = open_file(job);
	return NULL;
}

int rill_http_file_open(int root, const char *path, struct rill_http_file *ret_file)
{
	struct rill_http_file file = {.fd = -1};
	struct open_job job = {.root = root, .path = path, .file = &file};
	int err = rill_blocking(run_open, &job, NULL);

	if (!err)
		err = job.err;
	if (!err)
		*ret_file = file;
	return err;
}

static void *run_read(void *arg)
{
	struct read_job *job = arg;

	job->result = read_full(job->fd, job->buf, job->len, job->offset);
	return NULL;
}

ssize_t rill_http_file_read(struct rill_http_file *file, uint64_t offset, uint64_t len,
			    char **ret_data)
{
	struct read_job job = {.fd = file->fd, .buf = file->data, .offset = offset};
	int err;

	if (file->fd < 0) {
		uint64_t left = offset < file->size ? file->size - offset : 0;

		*ret_data = file->data + offset;
		return (ssize_t)(len < left ? len : left);
	}
	job.len = len < RILL_HTTP_CHUNK_LEN ? (size_t)len : RILL_HTTP_CHUNK_LEN;
	err = rill_blocking(run_read, &job, NULL);
	if (err < 0)
		return err;
	*ret_data = file->data;
	return job.result;
}

static void *run_close(void *arg)
{
	close(*(int *)arg);
	return NULL;
}

void rill_http_file_close(struct rill_http_file *file)
{
	struct rill_scope shield;

	free(file->memory);
	if (file->fd < 0)
		return;
	/* Also when the task has been cancelled; and better wait than leak when the pool is
	 * exhausted. */
	rill_scope_begin_shield(&shield);
	if (rill_blocking(run_close, &file->fd, NULL) < 0)
		close(file->fd);
	rill_scope_end(&shield);
}
