/* SPDX-License-Identifier: BSD-3-Clause */
/* What is done with an open file. */
#include "fs/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <rill/task.h>
#include <rill/time.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/compiler.h"
#include "fs/sys.h"

/* ---- bytes ---- */

ssize_t rill_file_read(struct rill_file *f, void *buf, size_t len)
{
	return rill_sys_read(f->fd, buf, len, RILL_SYS_CURSOR);
}

ssize_t rill_file_pread(struct rill_file *f, void *buf, size_t len, uint64_t offset)
{
	return offset > INT64_MAX ? -EINVAL : rill_sys_read(f->fd, buf, len, offset);
}

ssize_t rill_file_write(struct rill_file *f, const void *buf, size_t len)
{
	return rill_sys_write(f->fd, buf, len, RILL_SYS_CURSOR);
}

ssize_t rill_file_pwrite(struct rill_file *f, const void *buf, size_t len, uint64_t offset)
{
	return offset > INT64_MAX ? -EINVAL : rill_sys_write(f->fd, buf, len, offset);
}

ssize_t rill_file_readv(struct rill_file *f, const struct iovec *iov, unsigned count)
{
	return count > IOV_MAX ? -EINVAL : rill_sys_readv(f->fd, iov, count, RILL_SYS_CURSOR);
}

ssize_t rill_file_preadv(struct rill_file *f, const struct iovec *iov, unsigned count,
			 uint64_t offset)
{
	if (offset > INT64_MAX || count > IOV_MAX)
		return -EINVAL;
	return rill_sys_readv(f->fd, iov, count, offset);
}

ssize_t rill_file_writev(struct rill_file *f, const struct iovec *iov, unsigned count)
{
	return count > IOV_MAX ? -EINVAL : rill_sys_writev(f->fd, iov, count, RILL_SYS_CURSOR);
}

ssize_t rill_file_pwritev(struct rill_file *f, const struct iovec *iov, unsigned count,
			  uint64_t offset)
{
	if (offset > INT64_MAX || count > IOV_MAX)
		return -EINVAL;
	return rill_sys_writev(f->fd, iov, count, offset);
}

/* ---- all of them ---- */

static uint64_t place(uint64_t offset, size_t done)
{
	return offset == RILL_SYS_CURSOR ? offset : offset + done;
}

static int read_exact(int fd, char *buf, size_t len, uint64_t offset, size_t *ret_done)
{
	size_t done = 0;
	int r = 1;

	while (done < len && r > 0) {
		r = rill_sys_read(fd, buf + done, len - done, place(offset, done));
		if (r > 0)
			done += (size_t)r;
	}
	if (ret_done)
		*ret_done = done;
	if (r < 0)
		return r;
	return done < len ? -ENODATA : 0;
}

static int write_all(int fd, const char *buf, size_t len, uint64_t offset, size_t *ret_done)
{
	size_t done = 0;
	int r = 1;

	while (done < len && r > 0) {
		r = rill_sys_write(fd, buf + done, len - done, place(offset, done));
		if (r > 0)
			done += (size_t)r;
	}
	if (ret_done)
		*ret_done = done;
	if (r < 0)
		return r;
	/* Nothing went and nothing is wrong: trying for ever would not help. */
	return done < len ? -EIO : 0;
}

int rill_file_read_exact(struct rill_file *f, void *buf, size_t len, size_t *ret_done)
{
	return read_exact(f->fd, buf, len, RILL_SYS_CURSOR, ret_done);
}

int rill_file_pread_exact(struct rill_file *f, void *buf, size_t len, uint64_t offset,
			  size_t *ret_done)
{
	return offset > INT64_MAX ? -EINVAL : read_exact(f->fd, buf, len, offset, ret_done);
}

int rill_file_write_all(struct rill_file *f, const void *buf, size_t len, size_t *ret_done)
{
	return write_all(f->fd, buf, len, RILL_SYS_CURSOR, ret_done);
}

int rill_file_pwrite_all(struct rill_file *f, const void *buf, size_t len, uint64_t offset,
			 size_t *ret_done)
{
	return offset > INT64_MAX ? -EINVAL : write_all(f->fd, buf, len, offset, ret_done);
}

/* ---- its length, its place on the disk ---- */

struct seek {
	int fd;
	int whence;
	int64_t offset;
	int64_t result;
};

static int call_seek(void *arg)
{
	struct seek *s = arg;

	s->result = lseek(s->fd, s->offset, s->whence);
	return s->result < 0 ? -errno : 0;
}

int64_t rill_file_seek(struct rill_file *f, int64_t offset, int whence)
{
	struct seek s = {.fd = f->fd, .whence = whence, .offset = offset};
	/* The length is the server's to tell, where there is one; data and holes are the disk's. */
	bool quick = whence == SEEK_SET || whence == SEEK_CUR;
	int r = quick ? call_seek(&s) : rill_sys_call(call_seek, &s);

	return r < 0 ? r : s.result;
}

int rill_file_sync_all(struct rill_file *f)
{
	return rill_sys_fsync(f->fd);
}

int rill_file_sync_data(struct rill_file *f)
{
	return rill_sys_fdatasync(f->fd);
}

struct set_len {
	int fd;
	uint64_t len;
};

static int call_set_len(void *arg)
{
	const struct set_len *s = arg;

	return ftruncate(s->fd, (off_t)s->len) < 0 ? -errno : 0;
}

int rill_file_set_len(struct rill_file *f, uint64_t len)
{
	struct set_len s = {f->fd, len};

	return len > INT64_MAX ? -EFBIG : rill_sys_call(call_set_len, &s);
}

int rill_file_allocate(struct rill_file *f, uint64_t offset, uint64_t len)
{
	return rill_sys_fallocate(f->fd, 0, offset, len);
}

int rill_file_advise(struct rill_file *f, uint64_t offset, uint32_t len, int advice)
{
	return rill_sys_fadvise(f->fd, offset, len, advice);
}

/* ---- locks ---- */

#define LOCK_PAUSE_MIN_NS (50 * RILL_US)
#define LOCK_PAUSE_MAX_NS (20 * RILL_MS)

struct flock_call {
	int fd;
	int operation;
};

static int call_flock(void *arg)
{
	const struct flock_call *c = arg;

	return flock(c->fd, c->operation) < 0 ? -errno : 0;
}

/* LOCK_NB is about the lock: the server of a network's file system is asked all the same. */
int rill_file_try_lock(struct rill_file *f, enum rill_file_lock lock)
{
	static const int operations[] = {LOCK_SH, LOCK_EX, LOCK_UN};
	struct flock_call c = {.fd = f->fd};
	struct rill_scope shield;

	if ((unsigned)lock >= RILL_ARRAY_SIZE(operations))
		return -EINVAL;
	c.operation = operations[lock] | LOCK_NB;
	if (lock != RILL_LOCK_NONE)
		return rill_sys_call(call_flock, &c);
	/* A task that is cancelled must be able to let go. */
	rill_scope_begin_shield(&shield);
	int r = rill_sys_call(call_flock, &c);

	rill_scope_end(&shield);
	return r;
}

int rill_file_lock(struct rill_file *f, enum rill_file_lock lock)
{
	uint64_t pause = LOCK_PAUSE_MIN_NS;
	int r;

	while ((r = rill_file_try_lock(f, lock)) == -EWOULDBLOCK) {
		r = rill_sleep(pause);
		if (r < 0)
			return r;
		pause = RILL_MIN(2 * pause, LOCK_PAUSE_MAX_NS);
	}
	return r;
}
