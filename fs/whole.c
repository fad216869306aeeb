/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole files: reading, writing, replacing, copying. */
#include "fs/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <rill/task.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utf8.h"
#include "fs/sys.h"

/* For files whose length is not known beforehand (0 in /proc). */
#define CHUNK_MIN 4096u

/* ---- reading ---- */

struct text {
	char *data;
	size_t len, room; /* one more byte than room is there, for the 0 */
	size_t max;
};

static int grow(struct text *t)
{
	size_t room = RILL_MAX(2 * t->room, (size_t)CHUNK_MIN);
	char *data = realloc(t->data, room + 1);

	if (!data)
		return -ENOMEM;
	t->data = data;
	t->room = room;
	return 0;
}

/* Room for what the file says it has, and a byte more, which shows that there is no more. */
static int reserve(struct text *t, struct rill_file *f)
{
	struct rill_file_info info;
	int r = rill_file_info(f, &info);

	if (r < 0)
		return r;
	if (info.len > t->max)
		return -EFBIG;
	t->room = info.len < CHUNK_MIN ? CHUNK_MIN : info.len + 1;
	t->data = malloc(t->room + 1);
	return t->data ? 0 : -ENOMEM;
}

static int read_to_end(struct text *t, struct rill_file *f)
{
	ssize_t n;
	int r = reserve(t, f);

	while (r == 0) {
		n = rill_file_read(f, t->data + t->len, t->room - t->len);
		if (n <= 0)
			return (int)n;
		t->len += (size_t)n;
		if (t->len > t->max)
			return -EFBIG;
		if (t->len == t->room)
			r = grow(t);
	}
	return r;
}

int rill_fs_read(const char *path, size_t max, void **ret_data, size_t *ret_len)
{
	struct text t = {.max = max ? max : SIZE_MAX};
	struct rill_file *f;
	int r = rill_file_open(path, NULL, &f);

	if (r < 0)
		return r;
	r = read_to_end(&t, f);
	rill_file_close(f);
	if (r < 0) {
		free(t.data);
		return r;
	}
	t.data[t.len] = '\0';
	*ret_data = t.data;
	*ret_len = t.len;
	return 0;
}

int rill_fs_read_text(const char *path, size_t max, char **ret_text, size_t *ret_len)
{
	void *data;
	size_t len;
	int r = rill_fs_read(path, max, &data, &len);

	if (r < 0)
		return r;
	if (!rill_utf8_is_text(data, len)) {
		free(data);
		return -EILSEQ;
	}
	*ret_text = data;
	*ret_len = len;
	return 0;
}

/* ---- writing ---- */

/* A close that fails says that the writes have. */
static int close_after(struct rill_file *f, int r)
{
	int closed = rill_file_close(f);

	return r < 0 ? r : closed;
}

int rill_fs_write(const char *path, const void *data, size_t len)
{
	struct rill_file *f;
	int r = rill_file_create(path, &f);

	if (r < 0)
		return r;
	return close_after(f, rill_file_write_all(f, data, len, NULL));
}

static struct rill_file *open_folder_of(const char *path, int *ret_error)
{
	const struct rill_file_options o = {RILL_OPTIONS(o), .read = true, .flags = O_DIRECTORY};
	const char *slash = strrchr(path, '/');
	struct rill_file *f = NULL;
	char *folder;

	if (!slash)
		folder = strdup(".");
	else
		folder = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	*ret_error = folder ? rill_file_open(folder, &o, &f) : -ENOMEM;
	free(folder);
	return f;
}

/* A name in the same folder that nobody else has, also after those who could not clean up. */
static int create_beside(const struct rill_file *folder, char *name, size_t name_len, unsigned mode,
			 struct rill_file **ret_file)
{
	const struct rill_file_options o = {RILL_OPTIONS(o), .write = true, .create_new = true,
					    .mode = mode, .at = folder};
	uint64_t number;
	int r = -EEXIST;

	for (int tries = 0; tries < 100 && r == -EEXIST; tries++) {
		if (getentropy(&number, sizeof(number)) < 0)
			return -errno;
		snprintf(name, name_len, ".rill-%016" PRIx64 ".tmp", number);
		r = rill_file_open(name, &o, ret_file);
	}
	return r;
}

struct owner {
	int fd;
	uid_t uid;
	gid_t gid;
};

/* Whose it was, or at least the group's. */
static int call_set_owner(void *arg)
{
	const struct owner *o = arg;

	if (fchown(o->fd, o->uid, o->gid) == 0)
		return 0;
	return fchown(o->fd, (uid_t)-1, o->gid) == 0 ? -EPERM : -errno;
}

/* An old file's owner and permissions outlive its replacement. */
static int make_alike(struct rill_file *f, const struct rill_file_info *old)
{
	struct owner o = {f->fd, old->uid, old->gid};
	unsigned mode = old->mode;
	int r = rill_sys_call(call_set_owner, &o);

	if (r == -ECANCELED || r == -ETIMEDOUT)
		return r;
	/* Not ours to give: then it must not run as whoever has it now. */
	if (r < 0)
		mode &= 0777;
	return rill_file_set_mode(f, mode);
}

/* old: NULL: there was none. */
static int fill_replacement(struct rill_file *f, const struct rill_file_info *old, const void *data,
			    size_t len)
{
	int r = old ? make_alike(f, old) : 0;

	if (r == 0)
		r = rill_file_write_all(f, data, len, NULL);
	return r < 0 ? r : rill_file_sync_all(f);
}

/* Some file systems have nothing to flush in a folder, and say so. */
static int flush_folder(const struct rill_file *folder)
{
	int r = rill_sys_fsync(folder->fd);

	return r == -EINVAL ? 0 : r;
}

/* The renaming is done whole, or undone, also for a task that is cancelled. */
static int put_in_place(const struct rill_file *folder, const char *name, const char *path, int r)
{
	struct rill_scope shield;

	rill_scope_begin_shield(&shield);
	if (r == 0)
		r = rill_sys_renameat2(folder->fd, name, folder->fd, path, 0);
	if (r < 0)
		rill_sys_unlinkat(folder->fd, name, 0);
	else
		r = flush_folder(folder);
	rill_scope_end(&shield);
	return r;
}

static int replace_in(const struct rill_file *folder, const char *path, const void *data,
		      size_t len, unsigned mode)
{
	const char *slash = strrchr(path, '/');
	struct rill_file_info old;
	struct rill_file *f;
	char name[64];
	int r = rill_fs_info(path, &old);
	bool is_new = r == -ENOENT;

	if (r < 0 && !is_new)
		return r;
	/* Who may not read the old one may not open the new one in time, either. */
	r = create_beside(folder, name, sizeof(name), is_new ? mode : 0600, &f);
	if (r < 0)
		return r;
	r = close_after(f, fill_replacement(f, is_new ? NULL : &old, data, len));
	return put_in_place(folder, name, slash ? slash + 1 : path, r);
}

int rill_fs_replace(const char *path, const void *data, size_t len, unsigned mode)
{
	struct rill_file *folder;
	int r;

	folder = open_folder_of(path, &r);
	if (!folder)
		return r;
	r = replace_in(folder, path, data, len, mode);
	rill_file_close(folder);
	return r;
}

/* ---- copying ---- */

/* So much at once, so that a cancelled copy ends soon. */
#define COPY_STEP (16u << 20)

struct copy {
	int from, to;
	size_t len;
	ssize_t result;
};

static int call_clone(void *arg)
{
	const struct copy *c = arg;

	return ioctl(c->to, FICLONE, c->from) < 0 ? -errno : 0;
}

static int call_copy_range(void *arg)
{
	struct copy *c = arg;

	c->result = copy_file_range(c->from, NULL, c->to, NULL, c->len, 0);
	return c->result < 0 ? -errno : 0;
}

/* For files that the kernel can't copy between: other file systems, /proc. */
static int64_t copy_bytes(struct rill_file *from, struct rill_file *to, int64_t done)
{
	size_t room = 256u << 10;
	char *buf = malloc(room);
	ssize_t n = 0;

	if (!buf)
		return -ENOMEM;
	while ((n = rill_file_read(from, buf, room)) > 0) {
		int r = rill_file_write_all(to, buf, (size_t)n, NULL);

		if (r < 0) {
			n = r;
			break;
		}
		done += n;
	}
	free(buf);
	return n < 0 ? n : done;
}

static bool cannot_copy_there(int r)
{
	return r == -EXDEV || r == -EINVAL || r == -ENOSYS || r == -EOPNOTSUPP || r == -EBADF;
}

static int64_t copy_contents(struct rill_file *from, struct rill_file *to, uint64_t len)
{
	struct copy c = {.from = from->fd, .to = to->fd, .len = COPY_STEP};
	int64_t done = 0;
	int r = len > 0 ? rill_sys_call(call_clone, &c) : -EINVAL;

	if (r == 0)
		return (int64_t)len;
	if (r == -ECANCELED || r == -ETIMEDOUT)
		return r;
	do {
		r = rill_sys_call(call_copy_range, &c);
		if (r == 0)
			done += c.result;
	} while (r == 0 && c.result > 0);
	/* At the end, or where the kernel makes nothing of it (files of /proc), see for ourselves.
	 */
	if (r == 0 || cannot_copy_there(r))
		return copy_bytes(from, to, done);
	return r;
}

/* What is no file (a device, a FIFO) is written to, and stays as it is. */
static int prepare_target(struct rill_file *to, const struct rill_file_info *from)
{
	struct rill_file_info info;
	int r = rill_file_info(to, &info);

	if (r < 0)
		return r;
	if (info.dev == from->dev && info.ino == from->ino)
		return -EINVAL;
	if (info.type != RILL_FILE_REGULAR)
		return 0;
	if (info.len > 0)
		r = rill_file_set_len(to, 0);
	/* Before the contents: who may not read the one must not read the other, either. */
	return r < 0 ? r : rill_file_set_mode(to, from->mode & 0777);
}

static int64_t copy_to(struct rill_file *from, const struct rill_file_info *info, const char *path)
{
	/* Not truncated before it is known to be another file. */
	const struct rill_file_options o = {RILL_OPTIONS(o), .write = true, .create = true,
					    .mode = 0600};
	struct rill_file *to;
	int64_t done;
	int r = rill_file_open(path, &o, &to);

	if (r < 0)
		return r;
	r = prepare_target(to, info);
	done = r < 0 ? r : copy_contents(from, to, info->len);
	r = close_after(to, done < 0 ? (int)done : 0);
	return r < 0 ? r : done;
}

int64_t rill_fs_copy(const char *from_path, const char *to_path)
{
	struct rill_file_info info;
	struct rill_file *from;
	int64_t r = rill_file_open(from_path, NULL, &from);

	if (r < 0)
		return r;
	r = rill_file_info(from, &info);
	if (r == 0)
		r = info.type == RILL_FILE_FOLDER ? -EISDIR : copy_to(from, &info, to_path);
	rill_file_close(from);
	return r;
}
