/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening and closing. */
#include "fs/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "fs/sys.h"
#include "runtime/ring.h"

#define MODE_DEFAULT 0666
#define MODE_MASK 07777

const char *rill_fs_no_io_uring(void)
{
	return rill_ring_refusal();
}

/* A negative errno where the options make no sense together, as std::fs has it. */
static int access_flags(const struct rill_file_options *o)
{
	bool write = o->write || o->append;

	/* A path alone is opened for nothing. */
	if (o->flags & O_PATH)
		return 0;
	if (!o->read && !write)
		return -EINVAL;
	if (!write)
		return O_RDONLY;
	return (o->read ? O_RDWR : O_WRONLY) | (o->append ? O_APPEND : 0);
}

static int creation_flags(const struct rill_file_options *o)
{
	if ((o->truncate || o->create || o->create_new) && !o->write && !o->append)
		return -EINVAL;
	if (o->truncate && o->append)
		return -EINVAL;
	/* It must be new, so there is nothing to truncate. */
	if (o->create_new)
		return O_CREAT | O_EXCL;
	return (o->create ? O_CREAT : 0) | (o->truncate ? O_TRUNC : 0);
}

/* openat2 refuses a mode that creates nothing. */
static uint64_t mode_of(const struct rill_file_options *o, uint64_t flags)
{
	bool creates = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;

	if (!creates)
		return 0;
	return o->mode ? o->mode & MODE_MASK : MODE_DEFAULT;
}

static int how_of(const struct rill_file_options *o, struct open_how *how)
{
	int access = access_flags(o), creation = creation_flags(o);

	if (access < 0 || creation < 0)
		return -EINVAL;
	*how = (struct open_how){0};
	how->flags = (unsigned)(access | creation | o->flags | O_CLOEXEC);
	how->mode = mode_of(o, how->flags);
	how->resolve = o->resolve;
	return 0;
}

int rill_file_open(const char *path, const struct rill_file_options *in,
		   struct rill_file **ret_file)
{
	struct rill_file_options o = {0};
	struct open_how how;
	struct rill_file *f;
	int fd, r;

	if (in)
		memcpy(&o, in, RILL_MIN(in->size, sizeof(o)));
	else
		o.read = true;
	r = how_of(&o, &how);
	if (r < 0)
		return r;
	/* Before the descriptor: nothing may fail once that is there. */
	f = malloc(sizeof(*f));
	if (!f)
		return -ENOMEM;
	fd = rill_sys_openat2(o.at ? o.at->fd : AT_FDCWD, path, &how);
	if (fd < 0) {
		free(f);
		return fd;
	}
	f->fd = fd;
	*ret_file = f;
	return 0;
}

int rill_file_create(const char *path, struct rill_file **ret_file)
{
	const struct rill_file_options o = {RILL_OPTIONS(o), .write = true, .create = true,
					    .truncate = true};

	return rill_file_open(path, &o, ret_file);
}

int rill_file_from_fd(int fd, struct rill_file **ret_file)
{
	struct rill_file *f;

	if (fcntl(fd, F_GETFD) < 0)
		return -errno;
	f = malloc(sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->fd = fd;
	*ret_file = f;
	return 0;
}

int rill_file_into_fd(struct rill_file *f)
{
	int fd = f->fd;

	free(f);
	return fd;
}

int rill_file_fd(const struct rill_file *f)
{
	return f->fd;
}

int rill_file_close(struct rill_file *f)
{
	return f ? rill_sys_close(rill_file_into_fd(f)) : 0;
}
