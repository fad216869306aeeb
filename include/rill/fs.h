/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files and folders. All calls are for tasks, which they let wait while the kernel works (io_uring,
 * or a blocking thread where there is none), and for plain threads, which they block.
 *
 * Errors are the kernel's, as negative errno. A call that a scope ends or an abort cancels returns
 * -ETIMEDOUT or -ECANCELED and has had no effect; when the kernel had done it, or some of it, by
 * then, it returns that instead. A call never returns before the kernel has let go of its buffers.
 *
 * Paths are relative to the working folder of the process, or to an open folder where one is given.
 */
#ifndef RILL_FS_H
#define RILL_FS_H

#include <rill/base.h>
#include <sys/types.h>
#include <sys/uio.h>

RILL_BEGIN_DECLS

struct rill_file;

/*
 * Why the calls of this process's tasks go by blocking threads, in words; NULL: they go by
 * io_uring, where the runtime's options do not say otherwise.
 */
RILL_API const char *rill_fs_no_io_uring(void);

/* Of rill_file_options.resolve: openat2(2)'s RESOLVE flags. */
enum rill_file_resolve {
	RILL_RESOLVE_NO_XDEV = 1,	/* not into another mount */
	RILL_RESOLVE_NO_MAGICLINKS = 2, /* not through /proc/PID/fd and the like */
	RILL_RESOLVE_NO_SYMLINKS = 4,
	RILL_RESOLVE_BENEATH = 8,  /* not out of the folder */
	RILL_RESOLVE_IN_ROOT = 16, /* the folder is / */
};

struct rill_file_options {
	size_t size; /* sizeof, by RILL_OPTIONS */
	bool read;
	bool write;
	bool append;	 /* every write goes to the end; implies write */
	bool truncate;	 /* to nothing; with write */
	bool create;	 /* if it is not there; with write or append */
	bool create_new; /* it must not be there, a dangling link neither; with write or append */
	int flags;     /* more of open(2)'s: O_DIRECT, O_NOFOLLOW, O_DIRECTORY, O_PATH, O_TMPFILE */
	unsigned mode; /* of a new file, less the umask; 0: 0666 */
	const struct rill_file *at; /* an open folder; NULL: the working folder */
	unsigned resolve;	    /* enum rill_file_resolve */
};

/*
 * Opens. o NULL: to read. -EINVAL: neither read, write nor append; or truncate, create or
 * create_new without leave to write; or truncate with append. Descriptors are close-on-exec.
 */
RILL_API int rill_file_open(const char *path, const struct rill_file_options *o,
			    struct rill_file **ret_file);
/* To write, made if need be, truncated. */
RILL_API int rill_file_create(const char *path, struct rill_file **ret_file);
/* A file for the descriptor, which becomes its own. -EBADF, -ENOMEM: it stays the caller's. */
RILL_API int rill_file_from_fd(int fd, struct rill_file **ret_file);
/* The descriptor becomes the caller's, the file is gone. */
RILL_API int rill_file_into_fd(struct rill_file *f);
RILL_API int rill_file_fd(const struct rill_file *f);
/*
 * Closes, whatever the caller's scopes say. No call on f may be under way. An error (-EIO, -ENOSPC,
 * -EDQUOT: of writes before) does not keep it open. NULL: nothing.
 */
RILL_API int rill_file_close(struct rill_file *f);

/*
 * At the file's position, which moves on; or at offset, in bytes, with p in front. Up to len bytes
 * (2 GiB - 4 KiB at most): how many, 0 at the end of the file. Tasks may use one file at once; at
 * its position they then get what they get. What has no positions (a pipe) takes no offset: it is
 * not looked at.
 */
RILL_API ssize_t rill_file_read(struct rill_file *f, void *buf, size_t len);
RILL_API ssize_t rill_file_pread(struct rill_file *f, void *buf, size_t len, uint64_t offset);
RILL_API ssize_t rill_file_readv(struct rill_file *f, const struct iovec *iov, unsigned count);
RILL_API ssize_t rill_file_preadv(struct rill_file *f, const struct iovec *iov, unsigned count,
				  uint64_t offset);
RILL_API ssize_t rill_file_write(struct rill_file *f, const void *buf, size_t len);
RILL_API ssize_t rill_file_pwrite(struct rill_file *f, const void *buf, size_t len,
				  uint64_t offset);
RILL_API ssize_t rill_file_writev(struct rill_file *f, const struct iovec *iov, unsigned count);
RILL_API ssize_t rill_file_pwritev(struct rill_file *f, const struct iovec *iov, unsigned count,
				   uint64_t offset);

/*
 * As many calls as it takes. *ret_done (may be NULL) is how many bytes went, also on failure: not
 * cancel safe without it. read: 0, or -ENODATA where the file ends before.
 */
RILL_API int rill_file_read_exact(struct rill_file *f, void *buf, size_t len, size_t *ret_done);
RILL_API int rill_file_pread_exact(struct rill_file *f, void *buf, size_t len, uint64_t offset,
				   size_t *ret_done);
RILL_API int rill_file_write_all(struct rill_file *f, const void *buf, size_t len,
				 size_t *ret_done);
RILL_API int rill_file_pwrite_all(struct rill_file *f, const void *buf, size_t len, uint64_t offset,
				  size_t *ret_done);

/* As lseek(2): the new position. */
RILL_API int64_t rill_file_seek(struct rill_file *f, int64_t offset, int whence);
RILL_API int rill_file_sync_all(struct rill_file *f);  /* fsync(2) */
RILL_API int rill_file_sync_data(struct rill_file *f); /* fdatasync(2) */
RILL_API int rill_file_set_len(struct rill_file *f, uint64_t len);
/* As fallocate(2), mode 0: room for len bytes at offset. */
RILL_API int rill_file_allocate(struct rill_file *f, uint64_t offset, uint64_t len);
/* As posix_fadvise(2); len 0: to the end. */
RILL_API int rill_file_advise(struct rill_file *f, uint64_t offset, uint32_t len, int advice);

enum rill_file_lock {
	RILL_LOCK_SHARED,
	RILL_LOCK_EXCLUSIVE,
	RILL_LOCK_NONE,
};
/*
 * flock(2) on the open file. Waits for it: looked for again ever less often, 20 ms at most, for
 * the kernel tells nobody. Cancel safe; RILL_LOCK_NONE is not cancelled. try_: -EWOULDBLOCK instead
 * of waiting.
 */
RILL_API int rill_file_lock(struct rill_file *f, enum rill_file_lock lock);
RILL_API int rill_file_try_lock(struct rill_file *f, enum rill_file_lock lock);

enum rill_file_type {
	RILL_FILE_UNKNOWN,
	RILL_FILE_REGULAR,
	RILL_FILE_FOLDER,
	RILL_FILE_SYMLINK,
	RILL_FILE_FIFO,
	RILL_FILE_SOCKET,
	RILL_FILE_CHARACTER,
	RILL_FILE_BLOCK,
};

/* Times in ns since 1970 (UTC), the nearest that there is; 0: the file system does not tell (born).
 */
struct rill_file_info {
	enum rill_file_type type;
	unsigned mode; /* permissions: the lower 12 bits */
	uint32_t uid, gid;
	uint64_t len;
	uint64_t blocks; /* of 512 bytes, allocated */
	uint64_t dev, ino;
	uint32_t links;
	uint32_t block_len; /* for good I/O */
	int64_t accessed_ns, modified_ns, changed_ns, born_ns;
	uint32_t direct_memory_align; /* of buffers for O_DIRECT; 0: not told, or not possible */
	uint32_t direct_offset_align; /* of offsets and lengths */
};

/* A time for rill_file_set_times(): leave it, or take the present. */
#define RILL_TIME_KEEP INT64_MIN
#define RILL_TIME_NOW INT64_MAX

RILL_API int rill_file_info(struct rill_file *f, struct rill_file_info *ret_info);
RILL_API int rill_file_set_mode(struct rill_file *f, unsigned mode);
RILL_API int rill_file_set_times(struct rill_file *f, int64_t accessed_ns, int64_t modified_ns);

/* ---- by path ---- */

RILL_API int rill_fs_info(const char *path, struct rill_file_info *ret_info);
/* Of a link itself. */
RILL_API int rill_fs_link_info(const char *path, struct rill_file_info *ret_info);
/* 1: there is something (a link that leads nowhere is not), 0: there is not, or an error. */
RILL_API int rill_fs_exists(const char *path);
RILL_API int rill_fs_set_mode(const char *path, unsigned mode);

/*
 * The whole file, in memory to be freed with free(), with a byte 0 behind it. -EFBIG: longer than
 * max (0: no bound).
 */
RILL_API int rill_fs_read(const char *path, size_t max, void **ret_data, size_t *ret_len);
/* As rill_fs_read(); -EILSEQ where it is not UTF-8 (RFC 3629), or has a byte 0. */
RILL_API int rill_fs_read_text(const char *path, size_t max, char **ret_text, size_t *ret_len);
/* Made or truncated, and written. Cancelled or failed in the middle it has some of the bytes. */
RILL_API int rill_fs_write(const char *path, const void *data, size_t len);
/*
 * Path has the old contents or the new, whatever happens, a power cut too: a new file beside it is
 * written, flushed, renamed, and the folder flushed. Permissions and owner stay; an owner that is
 * not the caller's to give does not, nor do the set-id bits then, and extended attributes never. A
 * new file has mode (0: 0666) less the umask. A link at path is itself replaced. On failure the new
 * file is gone (not where only flushing the folder failed); a process that is killed leaves it
 * behind, as .rill-*.tmp.
 */
RILL_API int rill_fs_replace(const char *path, const void *data, size_t len, unsigned mode);
/*
 * Contents and permissions (no set-id bits): a clone where the file system can, else copied in the
 * kernel. What is no file at to (a device, a FIFO) is only written to. The number of bytes.
 * -EINVAL: both are one file.
 */
RILL_API int64_t rill_fs_copy(const char *from, const char *to);
RILL_API int rill_fs_rename(const char *from, const char *to);
RILL_API int rill_fs_remove(const char *path); /* not a folder */
RILL_API int rill_fs_hard_link(const char *from, const char *to);
RILL_API int rill_fs_symlink(const char *target, const char *path);
/* To be freed with free(). */
RILL_API int rill_fs_read_link(const char *path, char **ret_target);
RILL_API int rill_fs_canonicalize(const char *path, char **ret_path);

RILL_API int rill_fs_create_dir(const char *path, unsigned mode);
/* With all above it; 0 where it is there already. */
RILL_API int rill_fs_create_dir_all(const char *path, unsigned mode);
RILL_API int rill_fs_remove_dir(const char *path); /* an empty one */
/*
 * With all in it. Links are not followed, path itself neither, also when somebody plants them
 * meanwhile. Takes a descriptor for each level.
 */
RILL_API int rill_fs_remove_dir_all(const char *path);

/* A file without a name, to read and write, in folder dir (NULL: TMPDIR, or /tmp). */
RILL_API int rill_fs_temp_file(const char *dir, struct rill_file **ret_file);
/* A new folder, mode 0700; its path is to be freed with free(). */
RILL_API int rill_fs_temp_dir(const char *dir, char **ret_path);

/* ---- reading folders ---- */

struct rill_dir;

struct rill_dir_entry {
	const char *name; /* until the next call */
	uint64_t ino;
	enum rill_file_type
		type; /* UNKNOWN: the file system does not tell, see rill_fs_link_info() */
};

RILL_API int rill_dir_open(const char *path, struct rill_dir **ret_dir);
/* The next entry, "." and ".." left out: 1, or 0 at the end. Cancel safe: no entry is lost. */
RILL_API int rill_dir_next(struct rill_dir *d, struct rill_dir_entry *ret_entry);
RILL_API int rill_dir_close(struct rill_dir *d);

RILL_END_DECLS

#endif
