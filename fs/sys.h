/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * System calls on files, as a task may make them: each waits as rill_io_call() does, and returns
 * what the call of that name returns, or a negative errno. Everything in this folder is built of
 * these.
 */
#ifndef RILL_FS_SYS_H
#define RILL_FS_SYS_H

#include <linux/openat2.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>

/* offset: the file's own position. */
#define RILL_SYS_CURSOR UINT64_MAX

/* Bytes in one call, at most: the kernel's own bound (MAX_RW_COUNT). */
#define RILL_SYS_RW_MAX 0x7ffff000u

int rill_sys_openat2(int dir, const char *path, const struct open_how *how);
/* Whatever the caller's scopes say. */
int rill_sys_close(int fd);
int rill_sys_read(int fd, void *buf, size_t len, uint64_t offset);
int rill_sys_write(int fd, const void *buf, size_t len, uint64_t offset);
int rill_sys_readv(int fd, const struct iovec *iov, unsigned count, uint64_t offset);
int rill_sys_writev(int fd, const struct iovec *iov, unsigned count, uint64_t offset);
int rill_sys_fsync(int fd);
int rill_sys_fdatasync(int fd);
int rill_sys_fallocate(int fd, int mode, uint64_t offset, uint64_t len);
int rill_sys_fadvise(int fd, uint64_t offset, uint32_t len, int advice);
int rill_sys_statx(int dir, const char *path, int flags, unsigned mask, struct statx *ret_stat);
int rill_sys_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
int rill_sys_unlinkat(int dir, const char *path, int flags);
int rill_sys_mkdirat(int dir, const char *path, mode_t mode);
int rill_sys_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int rill_sys_symlinkat(const char *target, int dir, const char *path);

/*
 * Any other: fn(arg) on a blocking thread, or on the caller's where that is a plain thread: what it
 * returns. Not begun for a cancelled task; once begun it is waited for.
 */
int rill_sys_call(int (*fn)(void *arg), void *arg);

#endif
