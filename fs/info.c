/* SPDX-License-Identifier: BSD-3-Clause */
/* What is known of a file, and changing it. */
#include "fs/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "fs/sys.h"

static enum rill_file_type type_of(unsigned mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return RILL_FILE_REGULAR;
	case S_IFDIR:
		return RILL_FILE_FOLDER;
	case S_IFLNK:
		return RILL_FILE_SYMLINK;
	case S_IFIFO:
		return RILL_FILE_FIFO;
	case S_IFSOCK:
		return RILL_FILE_SOCKET;
	case S_IFCHR:
		return RILL_FILE_CHARACTER;
	case S_IFBLK:
		return RILL_FILE_BLOCK;
	default:
		return RILL_FILE_UNKNOWN;
	}
}

/* A file's times are whatever somebody has set: those outside of 1677 to 2262 become the nearest.
 */
static int64_t ns_of(const struct statx_timestamp *t)
{
	int64_t ns;

	if (__builtin_mul_overflow(t->tv_sec, (int64_t)RILL_SEC, &ns) ||
	    __builtin_add_overflow(ns, (int64_t)t->tv_nsec, &ns))
		return t->tv_sec < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

void rill_file_info_fill(struct rill_file_info *info, const struct statx *st)
{
	*info = (struct rill_file_info){
		.type = type_of(st->stx_mode),
		.mode = st->stx_mode & 07777,
		.uid = st->stx_uid,
		.gid = st->stx_gid,
		.len = st->stx_size,
		.blocks = st->stx_blocks,
		.dev = (uint64_t)st->stx_dev_major << 32 | st->stx_dev_minor,
		.ino = st->stx_ino,
		.links = st->stx_nlink,
		.block_len = st->stx_blksize,
		.accessed_ns = ns_of(&st->stx_atime),
		.modified_ns = ns_of(&st->stx_mtime),
		.changed_ns = ns_of(&st->stx_ctime),
		.born_ns = st->stx_mask & STATX_BTIME ? ns_of(&st->stx_btime) : 0,
	};
	if (st->stx_mask & STATX_DIOALIGN) {
		info->direct_memory_align = st->stx_dio_mem_align;
		info->direct_offset_align = st->stx_dio_offset_align;
	}
}

static int info_at(int dir, const char *path, int flags, struct rill_file_info *ret_info)
{
	struct statx st;
	int r = rill_sys_statx(dir, path, flags, RILL_FS_STATX_MASK, &st);

	if (r < 0)
		return r;
	rill_file_info_fill(ret_info, &st);
	return 0;
}

int rill_file_info(struct rill_file *f, struct rill_file_info *ret_info)
{
	return info_at(f->fd, "", AT_EMPTY_PATH, ret_info);
}

int rill_fs_info(const char *path, struct rill_file_info *ret_info)
{
	return info_at(AT_FDCWD, path, 0, ret_info);
}

int rill_fs_link_info(const char *path, struct rill_file_info *ret_info)
{
	return info_at(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, ret_info);
}

int rill_fs_exists(const char *path)
{
	struct statx st;
	int r = rill_sys_statx(AT_FDCWD, path, 0, STATX_TYPE, &st);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	return r < 0 ? r : 1;
}

/* ---- changing ---- */

struct change {
	int fd;
	const char *path; /* NULL: fd */
	unsigned mode;
	struct timespec times[2];
};

static int call_set_mode(void *arg)
{
	const struct change *c = arg;
	int r = c->path ? chmod(c->path, c->mode) : fchmod(c->fd, c->mode);

	return r < 0 ? -errno : 0;
}

int rill_file_set_mode(struct rill_file *f, unsigned mode)
{
	struct change c = {.fd = f->fd, .mode = mode};

	return rill_sys_call(call_set_mode, &c);
}

int rill_fs_set_mode(const char *path, unsigned mode)
{
	struct change c = {.path = path, .mode = mode};

	return rill_sys_call(call_set_mode, &c);
}

static struct timespec timespec_of(int64_t ns)
{
	int64_t sec = ns / (int64_t)RILL_SEC, part = ns % (int64_t)RILL_SEC;

	if (ns == RILL_TIME_KEEP)
		return (struct timespec){.tv_nsec = UTIME_OMIT};
	if (ns == RILL_TIME_NOW)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	/* The part of a second is never negative, also before 1970. */
	if (part < 0) {
		part += (int64_t)RILL_SEC;
		sec--;
	}
	return (struct timespec){.tv_sec = sec, .tv_nsec = part};
}

static int call_set_times(void *arg)
{
	const struct change *c = arg;

	return futimens(c->fd, c->times) < 0 ? -errno : 0;
}

int rill_file_set_times(struct rill_file *f, int64_t accessed_ns, int64_t modified_ns)
{
	struct change c = {
		.fd = f->fd,
		.times = {timespec_of(accessed_ns), timespec_of(modified_ns)},
	};

	return rill_sys_call(call_set_times, &c);
}
