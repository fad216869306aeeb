/* SPDX-License-Identifier: BSD-3-Clause */
#include "fs/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <rill/task.h>
#include <rill/time.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compiler.h"
#include "runtime/io.h"

/* One call's arguments; which of them are used is for its two functions to know. */
struct sys {
	struct rill_io io;
	int fd, fd2;
	const char *path, *path2;
	int flags;
	unsigned mode; /* or a mask, or a count of vectors */
	uint64_t offset, len;
	void *ptr;
};

static struct sys *sys_of_op(struct rill_ring_op *op)
{
	return RILL_CONTAINER_OF(op, struct sys, io.op);
}

static struct sys *sys_of(struct rill_io *io)
{
	return RILL_CONTAINER_OF(io, struct sys, io);
}

static int checked(long r)
{
	return r < 0 ? -errno : (int)r;
}

/* The two forms of a call: PREP queues s to sqe, PLAIN is an expression for its result. */
#define SYS_FORMS(name, PREP, PLAIN)                                                               \
	static void prep_##name(struct rill_ring_op *op, struct io_uring_sqe *sqe)                 \
	{                                                                                          \
		struct sys *s = sys_of_op(op);                                                     \
                                                                                                   \
		PREP;                                                                              \
	}                                                                                          \
	static int plain_##name(struct rill_io *io)                                                \
	{                                                                                          \
		struct sys *s = sys_of(io);                                                        \
                                                                                                   \
		return checked(PLAIN);                                                             \
	}

#define SYS_IO(name, operation)                                                                    \
	.io = {.op = {.prep = prep_##name}, .opcode = (operation), .call = plain_##name}

/* Emulators and containers know the old call better; it can do all but keep to a folder. */
static int openat2_or_openat(const struct sys *s)
{
	const struct open_how *how = s->ptr;
	long fd = syscall(SYS_openat2, s->fd, s->path, how, sizeof(*how));

	if (fd < 0 && errno == ENOSYS && how->resolve == 0)
		return openat(s->fd, s->path, (int)how->flags, (mode_t)how->mode);
	return (int)fd;
}

SYS_FORMS(openat2, io_uring_prep_openat2(sqe, s->fd, s->path, s->ptr), openat2_or_openat(s))

static void prep_openat2_waiting(struct rill_ring_op *op, struct io_uring_sqe *sqe)
{
	prep_openat2(op, sqe);
	sqe->flags |= IOSQE_ASYNC;
}

/* How often it is looked whether a FIFO's writer has been there meanwhile. */
#define WRITER_PAUSE_NS (20 * RILL_MS)

static int open_for(struct sys *s, uint64_t dur_ns)
{
	struct rill_scope scope;

	rill_scope_begin(&scope, rill_after(dur_ns), NULL);
	int fd = rill_io_call(&s->io);

	rill_scope_end(&scope);
	return fd;
}

/*
 * A FIFO of which fd reads, opened without waiting for a writer: who waited for a reader may have
 * come, written and gone by now, and shows as POLLIN or POLLHUP. Else a second open waits for one.
 */
static int wait_for_writer(struct sys *s, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (poll(&p, 1, 0) == 0) {
		int second = open_for(s, WRITER_PAUSE_NS);
		/* Whose time is over: the look's, or the caller's? */
		int r = second == -ETIMEDOUT ? rill_consume_budget() : second;

		if (r != 0 || second >= 0)
			return r;
	}
	return fd;
}

/*
 * A ring opens with O_NONBLOCK first, which for a FIFO means not to wait for somebody at the other
 * end: it is open too early to read, and -ENXIO to write.
 */
static int wait_for_partner(struct sys *s, int fd)
{
	int second;

	if (fd != -ENXIO && (fd < 0 || fcntl(fd, F_GETPIPE_SZ) < 0))
		return fd;
	s->io.op.prep = prep_openat2_waiting;
	if (fd < 0)
		return rill_io_call(&s->io);
	second = wait_for_writer(s, fd);
	if (second != fd)
		rill_sys_close(fd);
	return second;
}

int rill_sys_openat2(int dir, const char *path, const struct open_how *how)
{
	struct sys s = {SYS_IO(openat2, IORING_OP_OPENAT2), .fd = dir, .path = path,
			.ptr = (void *)how};
	int fd = rill_io_call(&s.io);

	if (!s.io.op.ring || (how->flags & (O_NONBLOCK | O_DIRECTORY)))
		return fd;
	return wait_for_partner(&s, fd);
}

SYS_FORMS(close, io_uring_prep_close(sqe, s->fd), close(s->fd))

int rill_sys_close(int fd)
{
	struct sys s = {SYS_IO(close, IORING_OP_CLOSE), .fd = fd};
	struct rill_scope shield;

	s.io.op.once = true;
	rill_scope_begin_shield(&shield);
	int r = rill_io_call(&s.io);

	rill_scope_end(&shield);
	return r;
}

/* A ring does not look at the offset where there are no positions (pipes); so neither do these. */
static bool no_position(ssize_t n)
{
	return n < 0 && errno == ESPIPE;
}

#define BYTES_FORM(name, at_offset, at_position, count)                                            \
	static ssize_t name(const struct sys *s)                                                   \
	{                                                                                          \
		ssize_t n = -1;                                                                    \
                                                                                                   \
		if (s->offset != RILL_SYS_CURSOR)                                                  \
			n = at_offset(s->fd, s->ptr, count, (off_t)s->offset);                     \
		if (s->offset == RILL_SYS_CURSOR || no_position(n))                                \
			n = at_position(s->fd, s->ptr, count);                                     \
		return n;                                                                          \
	}

BYTES_FORM(pread_or_read, pread, read, s->len)
BYTES_FORM(pwrite_or_write, pwrite, write, s->len)
BYTES_FORM(preadv_or_readv, preadv, readv, (int)s->mode)
BYTES_FORM(pwritev_or_writev, pwritev, writev, (int)s->mode)

SYS_FORMS(read, io_uring_prep_read(sqe, s->fd, s->ptr, (unsigned)s->len, s->offset),
	  pread_or_read(s))
SYS_FORMS(write, io_uring_prep_write(sqe, s->fd, s->ptr, (unsigned)s->len, s->offset),
	  pwrite_or_write(s))
SYS_FORMS(readv, io_uring_prep_readv(sqe, s->fd, s->ptr, s->mode, s->offset), preadv_or_readv(s))
SYS_FORMS(writev, io_uring_prep_writev(sqe, s->fd, s->ptr, s->mode, s->offset),
	  pwritev_or_writev(s))

int rill_sys_read(int fd, void *buf, size_t len, uint64_t offset)
{
	struct sys s = {SYS_IO(read, IORING_OP_READ), .fd = fd, .ptr = buf,
			.len = RILL_MIN(len, (size_t)RILL_SYS_RW_MAX), .offset = offset};

	return rill_io_call(&s.io);
}

int rill_sys_write(int fd, const void *buf, size_t len, uint64_t offset)
{
	struct sys s = {SYS_IO(write, IORING_OP_WRITE), .fd = fd, .ptr = (void *)buf,
			.len = RILL_MIN(len, (size_t)RILL_SYS_RW_MAX), .offset = offset};

	return rill_io_call(&s.io);
}

int rill_sys_readv(int fd, const struct iovec *iov, unsigned count, uint64_t offset)
{
	struct sys s = {SYS_IO(readv, IORING_OP_READV), .fd = fd, .ptr = (void *)iov, .mode = count,
			.offset = offset};

	return rill_io_call(&s.io);
}

int rill_sys_writev(int fd, const struct iovec *iov, unsigned count, uint64_t offset)
{
	struct sys s = {SYS_IO(writev, IORING_OP_WRITEV), .fd = fd, .ptr = (void *)iov,
			.mode = count, .offset = offset};

	return rill_io_call(&s.io);
}

SYS_FORMS(fsync, io_uring_prep_fsync(sqe, s->fd, (unsigned)s->flags),
	  s->flags &IORING_FSYNC_DATASYNC ? fdatasync(s->fd) : fsync(s->fd))

int rill_sys_fsync(int fd)
{
	struct sys s = {SYS_IO(fsync, IORING_OP_FSYNC), .fd = fd};

	return rill_io_call(&s.io);
}

int rill_sys_fdatasync(int fd)
{
	struct sys s = {SYS_IO(fsync, IORING_OP_FSYNC), .fd = fd, .flags = IORING_FSYNC_DATASYNC};

	return rill_io_call(&s.io);
}

SYS_FORMS(fallocate, io_uring_prep_fallocate(sqe, s->fd, s->flags, (off_t)s->offset, (off_t)s->len),
	  fallocate(s->fd, s->flags, (off_t)s->offset, (off_t)s->len))

int rill_sys_fallocate(int fd, int mode, uint64_t offset, uint64_t len)
{
	struct sys s = {SYS_IO(fallocate, IORING_OP_FALLOCATE), .fd = fd, .flags = mode,
			.offset = offset, .len = len};

	return rill_io_call(&s.io);
}

/* It returns its error instead of setting errno. */
static int fadvise_errno(const struct sys *s)
{
	errno = posix_fadvise(s->fd, (off_t)s->offset, (off_t)s->len, s->flags);
	return errno ? -1 : 0;
}

SYS_FORMS(fadvise, io_uring_prep_fadvise(sqe, s->fd, s->offset, (off_t)s->len, s->flags),
	  fadvise_errno(s))

int rill_sys_fadvise(int fd, uint64_t offset, uint32_t len, int advice)
{
	struct sys s = {SYS_IO(fadvise, IORING_OP_FADVISE), .fd = fd, .flags = advice,
			.offset = offset, .len = len};

	return rill_io_call(&s.io);
}

SYS_FORMS(statx, io_uring_prep_statx(sqe, s->fd, s->path, s->flags, s->mode, s->ptr),
	  statx(s->fd, s->path, s->flags, s->mode, s->ptr))

int rill_sys_statx(int dir, const char *path, int flags, unsigned mask, struct statx *ret_stat)
{
	struct sys s = {SYS_IO(statx, IORING_OP_STATX),
			.fd = dir,
			.path = path,
			.flags = flags,
			.mode = mask,
			.ptr = ret_stat};

	return rill_io_call(&s.io);
}

SYS_FORMS(renameat2,
	  io_uring_prep_renameat(sqe, s->fd, s->path, s->fd2, s->path2, (unsigned)s->flags),
	  renameat2(s->fd, s->path, s->fd2, s->path2, (unsigned)s->flags))

int rill_sys_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	struct sys s = {SYS_IO(renameat2, IORING_OP_RENAMEAT),
			.fd = from_dir,
			.path = from,
			.fd2 = to_dir,
			.path2 = to,
			.flags = (int)flags};

	return rill_io_call(&s.io);
}

SYS_FORMS(unlinkat, io_uring_prep_unlinkat(sqe, s->fd, s->path, s->flags),
	  unlinkat(s->fd, s->path, s->flags))

int rill_sys_unlinkat(int dir, const char *path, int flags)
{
	struct sys s = {SYS_IO(unlinkat, IORING_OP_UNLINKAT), .fd = dir, .path = path,
			.flags = flags};

	return rill_io_call(&s.io);
}

SYS_FORMS(mkdirat, io_uring_prep_mkdirat(sqe, s->fd, s->path, s->mode),
	  mkdirat(s->fd, s->path, s->mode))

int rill_sys_mkdirat(int dir, const char *path, mode_t mode)
{
	struct sys s = {SYS_IO(mkdirat, IORING_OP_MKDIRAT), .fd = dir, .path = path, .mode = mode};

	return rill_io_call(&s.io);
}

SYS_FORMS(linkat, io_uring_prep_linkat(sqe, s->fd, s->path, s->fd2, s->path2, s->flags),
	  linkat(s->fd, s->path, s->fd2, s->path2, s->flags))

int rill_sys_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	struct sys s = {SYS_IO(linkat, IORING_OP_LINKAT),
			.fd = from_dir,
			.path = from,
			.fd2 = to_dir,
			.path2 = to,
			.flags = flags};

	return rill_io_call(&s.io);
}

SYS_FORMS(symlinkat, io_uring_prep_symlinkat(sqe, s->path, s->fd, s->path2),
	  symlinkat(s->path, s->fd, s->path2))

int rill_sys_symlinkat(const char *target, int dir, const char *path)
{
	struct sys s = {SYS_IO(symlinkat, IORING_OP_SYMLINKAT), .fd = dir, .path = target,
			.path2 = path};

	return rill_io_call(&s.io);
}

/* ---- what has no other form ---- */

struct other {
	struct rill_io io;
	int (*fn)(void *arg);
	void *arg;
};

static int call_other(struct rill_io *io)
{
	struct other *o = RILL_CONTAINER_OF(io, struct other, io);

	return o->fn(o->arg);
}

int rill_sys_call(int (*fn)(void *arg), void *arg)
{
	struct other o = {.io = {.call = call_other}, .fn = fn, .arg = arg};

	return rill_io_call(&o.io);
}
