/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading folders, and removing them with all that is in them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs/file.h"
#include "fs/sys.h"

/* What one call of the kernel's brings: some 500 entries. */
#define BATCH_BYTES (32u << 10)

struct rill_dir {
	struct rill_file file;
	size_t at, len;
	int result;
	_Alignas(struct dirent64) char batch[BATCH_BYTES];
};

static int open_at(const struct rill_file *at, const char *path, int flags, struct rill_dir **ret)
{
	struct open_how how = {.flags = (unsigned)(O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags)};
	struct rill_dir *d = malloc(sizeof(*d));
	int fd;

	if (!d)
		return -ENOMEM;
	fd = rill_sys_openat2(at ? at->fd : AT_FDCWD, path, &how);
	if (fd < 0) {
		free(d);
		return fd;
	}
	d->file.fd = fd;
	d->at = d->len = 0;
	*ret = d;
	return 0;
}

int rill_dir_open(const char *path, struct rill_dir **ret_dir)
{
	return open_at(NULL, path, 0, ret_dir);
}

static int call_getdents(void *arg)
{
	struct rill_dir *d = arg;
	long n = syscall(SYS_getdents64, d->file.fd, d->batch, sizeof(d->batch));

	return n < 0 ? -errno : (int)n;
}

static enum rill_file_type type_of(unsigned char d_type)
{
	static const uint8_t types[] = {
		[DT_REG] = RILL_FILE_REGULAR, [DT_DIR] = RILL_FILE_FOLDER,
		[DT_LNK] = RILL_FILE_SYMLINK, [DT_FIFO] = RILL_FILE_FIFO,
		[DT_SOCK] = RILL_FILE_SOCKET, [DT_CHR] = RILL_FILE_CHARACTER,
		[DT_BLK] = RILL_FILE_BLOCK,
	};

	return d_type < sizeof(types) ? (enum rill_file_type)types[d_type] : RILL_FILE_UNKNOWN;
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

int rill_dir_next(struct rill_dir *d, struct rill_dir_entry *ret_entry)
{
	for (;;) {
		const struct dirent64 *e = (const void *)(d->batch + d->at);

		if (d->at == d->len) {
			int n = rill_sys_call(call_getdents, d);

			if (n <= 0)
				return n;
			d->at = 0;
			d->len = (size_t)n;
			continue;
		}
		d->at += e->d_reclen;
		if (is_dots(e->d_name))
			continue;
		*ret_entry = (struct rill_dir_entry){
			.name = e->d_name, .ino = e->d_ino, .type = type_of(e->d_type)};
		return 1;
	}
}

int rill_dir_close(struct rill_dir *d)
{
	int fd;

	if (!d)
		return 0;
	fd = d->file.fd;
	free(d);
	return rill_sys_close(fd);
}

/* ---- removing all ---- */

/* Deeper than this is deeper than any path that the kernel takes. */
#define DEPTH_MAX 2048

struct level {
	struct level *up;
	struct rill_dir *dir;
	char name[]; /* in the level above; some file systems have longer ones than NAME_MAX */
};

static int descend(struct level **top, const char *name, unsigned *depth)
{
	struct level *l;
	int r;

	if (*depth == DEPTH_MAX)
		return -ENAMETOOLONG;
	l = malloc(sizeof(*l) + strlen(name) + 1);
	if (!l)
		return -ENOMEM;
	/* A link that took the folder's place is not followed. */
	r = open_at(&(*top)->dir->file, name, O_NOFOLLOW, &l->dir);
	if (r < 0) {
		free(l);
		return r;
	}
	strcpy(l->name, name);
	l->up = *top;
	*top = l;
	(*depth)++;
	return 0;
}

static int remove_entry(struct level **top, const struct rill_dir_entry *e, unsigned *depth)
{
	int fd = (*top)->dir->file.fd;
	int r = -ENOTDIR;

	if (e->type == RILL_FILE_FOLDER)
		r = descend(top, e->name, depth);
	/* It is none, or none any more; or it is one after all (the type was not told). */
	if (r == -ENOTDIR || r == -ELOOP)
		r = rill_sys_unlinkat(fd, e->name, 0);
	if (r == -EISDIR && e->type != RILL_FILE_FOLDER)
		r = descend(top, e->name, depth);
	return r == -ENOENT ? 0 : r;
}

/* The folder on top is read to its end: back to the one above, and out of that. */
static int ascend(struct level **top, unsigned *depth)
{
	struct level *l = *top;
	int r;

	rill_dir_close(l->dir);
	r = rill_sys_unlinkat(l->up->dir->file.fd, l->name, AT_REMOVEDIR);
	*top = l->up;
	free(l);
	(*depth)--;
	return r == -ENOENT ? 0 : r;
}

static int empty(struct level *root)
{
	struct level *top = root;
	struct rill_dir_entry e;
	unsigned depth = 0;
	int r = 0;

	while (r >= 0) {
		r = rill_dir_next(top->dir, &e);
		if (r > 0)
			r = remove_entry(&top, &e, &depth);
		else if (r == 0 && top == root)
			break;
		else if (r == 0)
			r = ascend(&top, &depth);
	}
	while (top != root) {
		struct level *l = top;

		top = l->up;
		rill_dir_close(l->dir);
		free(l);
	}
	return r;
}

static int remove_all(const char *path)
{
	struct level root = {.up = NULL};
	int r = open_at(NULL, path, O_NOFOLLOW, &root.dir);

	if (r < 0)
		return r;
	r = empty(&root);
	rill_dir_close(root.dir);
	return r < 0 ? r : rill_fs_remove_dir(path);
}

int rill_fs_remove_dir_all(const char *path)
{
	size_t len = strlen(path);
	char *copy;
	int r;

	/* With a slash behind it the kernel follows a link, which is not what is to be removed. */
	while (len > 1 && path[len - 1] == '/')
		len--;
	copy = strndup(path, len);
	if (!copy)
		return -ENOMEM;
	r = remove_all(copy);
	free(copy);
	return r;
}
