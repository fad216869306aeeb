/* SPDX-License-Identifier: BSD-3-Clause */
/* What is done by path, in one call of the kernel's or a few. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <rill/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/sys.h"

#define DIR_MODE_DEFAULT 0777

int rill_fs_rename(const char *from, const char *to)
{
	return rill_sys_renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int rill_fs_remove(const char *path)
{
	return rill_sys_unlinkat(AT_FDCWD, path, 0);
}

int rill_fs_hard_link(const char *from, const char *to)
{
	return rill_sys_linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int rill_fs_symlink(const char *target, const char *path)
{
	return rill_sys_symlinkat(target, AT_FDCWD, path);
}

/* ---- paths in memory of their own ---- */

struct path_call {
	const char *path;
	char *result;
};

/* Links longer than PATH_MAX can't be made, but for those of /proc, which are cut. */
static int call_read_link(void *arg)
{
	struct path_call *p = arg;
	char text[PATH_MAX + 1];
	ssize_t n = readlink(p->path, text, sizeof(text) - 1);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	p->result = strdup(text);
	return p->result ? 0 : -ENOMEM;
}

static int call_canonicalize(void *arg)
{
	struct path_call *p = arg;

	p->result = realpath(p->path, NULL);
	return p->result ? 0 : -errno;
}

static int path_by(int (*fn)(void *), const char *path, char **ret_path)
{
	struct path_call p = {.path = path};
	int r = rill_sys_call(fn, &p);

	if (r == 0)
		*ret_path = p.result;
	return r;
}

int rill_fs_read_link(const char *path, char **ret_target)
{
	return path_by(call_read_link, path, ret_target);
}

int rill_fs_canonicalize(const char *path, char **ret_path)
{
	return path_by(call_canonicalize, path, ret_path);
}

/* ---- folders ---- */

int rill_fs_create_dir(const char *path, unsigned mode)
{
	return rill_sys_mkdirat(AT_FDCWD, path, mode ? mode : DIR_MODE_DEFAULT);
}

int rill_fs_remove_dir(const char *path)
{
	return rill_sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

/* 0 too where it is there, and is a folder (or leads to one). */
static int make_if_missing(const char *path, unsigned mode)
{
	struct rill_file_info info;
	int r = rill_fs_create_dir(path, mode);

	if (r != -EEXIST)
		return r;
	r = rill_fs_info(path, &info);
	if (r < 0)
		return r;
	return info.type == RILL_FILE_FOLDER ? 0 : -EEXIST;
}

/* Where path without its last part ends; path itself where that is nothing, or "/". */
static char *end_of_parent(char *path, char *end)
{
	while (end > path && end[-1] == '/')
		end--;
	while (end > path && end[-1] != '/')
		end--;
	while (end > path && end[-1] == '/')
		end--;
	return end;
}

/* From the first that is there downwards. */
static int create_all(char *path, unsigned mode)
{
	char *whole = path + strlen(path), *end = whole;
	int r;

	while ((r = make_if_missing(path, mode)) == -ENOENT) {
		end = end_of_parent(path, end);
		if (end == path)
			return r;
		*end = '\0';
	}
	/* Put the slashes back, one part at a time. */
	while (r == 0 && end < whole) {
		*end = '/';
		end += strlen(end);
		r = make_if_missing(path, mode);
	}
	return r;
}

int rill_fs_create_dir_all(const char *path, unsigned mode)
{
	char *copy;
	int r;

	if (path[0] == '\0')
		return -ENOENT;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	r = create_all(copy, mode);
	free(copy);
	return r;
}

/* ---- temporary ones ---- */

static const char *temp_root(const char *dir)
{
	const char *env = dir ? NULL : getenv("TMPDIR");

	if (dir)
		return dir;
	return env && env[0] ? env : "/tmp";
}

int rill_fs_temp_file(const char *dir, struct rill_file **ret_file)
{
	const struct rill_file_options o = {RILL_OPTIONS(o), .read = true, .write = true,
					    .flags = O_TMPFILE, .mode = 0600};

	return rill_file_open(temp_root(dir), &o, ret_file);
}

static int call_mkdtemp(void *arg)
{
	return mkdtemp(arg) ? 0 : -errno;
}

int rill_fs_temp_dir(const char *dir, char **ret_path)
{
	char *path;
	int r;

	if (asprintf(&path, "%s/rill-XXXXXX", temp_root(dir)) < 0)
		return -ENOMEM;
	r = rill_sys_call(call_mkdtemp, path);
	if (r < 0) {
		free(path);
		return r;
	}
	*ret_path = path;
	return 0;
}
