/* SPDX-License-Identifier: BSD-3-Clause */
/* Open files: bytes in and out, positions, lengths, what is refused. */
#include "tests/unit/fs/fs_test.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rill_file *open_rw(const char *folder, const char *name)
{
	const struct rill_file_options o = {RILL_OPTIONS(o), .read = true, .write = true,
					    .create = true};
	struct rill_file *f;

	CHECK_OK(rill_file_open(fs_path(folder, name), &o, &f));
	return f;
}

/* ---- bytes ---- */

static void *bytes(void *folder)
{
	struct rill_file *f = open_rw(folder, "bytes");
	char buf[32];
	size_t done;

	CHECK_OK(rill_file_write_all(f, "hello, world", 12, &done));
	CHECK(done, ==, 12u);
	CHECK(rill_file_seek(f, 7, SEEK_SET), ==, 7);
	CHECK(rill_file_read(f, buf, sizeof(buf)), ==, 5);
	CHECK(memcmp(buf, "world", 5), ==, 0);
	CHECK(rill_file_read(f, buf, sizeof(buf)), ==, 0);
	CHECK(rill_file_pread(f, buf, 5, 0), ==, 5);
	CHECK(memcmp(buf, "hello", 5), ==, 0);
	CHECK(rill_file_seek(f, 0, SEEK_CUR), ==, 12);
	CHECK(rill_file_pwrite(f, "H", 1, 0), ==, 1);
	CHECK(rill_file_seek(f, -12, SEEK_END), ==, 0);
	CHECK_OK(rill_file_read_exact(f, buf, 12, NULL));
	CHECK(memcmp(buf, "Hello, world", 12), ==, 0);
	CHECK(rill_file_pread_exact(f, buf, 8, 7, &done), ==, -ENODATA);
	CHECK(done, ==, 5u);
	CHECK(rill_file_seek(f, -1, SEEK_SET), ==, -EINVAL);
	CHECK(rill_file_seek(f, 0, SEEK_DATA), ==, 0);
	CHECK(rill_file_seek(f, 100, SEEK_DATA), ==, -ENXIO);
	CHECK(rill_file_pread(f, buf, 1, UINT64_MAX), ==, -EINVAL);
	CHECK_OK(rill_file_close(f));
	return NULL;
}

static void *vectors(void *folder)
{
	struct rill_file *f = open_rw(folder, "vectors");
	char a[3], b[4];
	char one[] = "one", four[] = "four";
	const struct iovec out[] = {{one, 3}, {one, 0}, {four, 4}};
	const struct iovec in[] = {{a, 3}, {b, 4}};

	CHECK(rill_file_writev(f, out, 3), ==, 7);
	CHECK(rill_file_preadv(f, in, 2, 0), ==, 7);
	CHECK(memcmp(a, "one", 3), ==, 0);
	CHECK(memcmp(b, "four", 4), ==, 0);
	CHECK(rill_file_pwritev(f, out + 2, 1, 3), ==, 4);
	CHECK(rill_file_seek(f, 3, SEEK_SET), ==, 3);
	CHECK(rill_file_readv(f, in, 1), ==, 3);
	CHECK(memcmp(a, "fou", 3), ==, 0);
	CHECK(rill_file_readv(f, in, 5000), ==, -EINVAL);
	CHECK_OK(rill_file_close(f));
	return NULL;
}

static void *lengths(void *folder)
{
	struct rill_file *f = open_rw(folder, "lengths");
	struct rill_file_info info;
	char byte = 'x';

	CHECK_OK(rill_file_set_len(f, 1 << 20));
	CHECK_OK(rill_file_info(f, &info));
	CHECK(info.len, ==, 1u << 20);
	CHECK((int)info.type, ==, RILL_FILE_REGULAR);
	CHECK(rill_file_pread(f, &byte, 1, 1000), ==, 1);
	CHECK(byte, ==, 0);
	CHECK_OK(rill_file_set_len(f, 10));
	CHECK(rill_file_pread(f, &byte, 1, 10), ==, 0);
	CHECK_OK(rill_file_allocate(f, 0, 65536));
	CHECK_OK(rill_file_info(f, &info));
	CHECK(info.len, ==, 65536u);
	CHECK(info.blocks, >=, 128u);
	CHECK_OK(rill_file_advise(f, 0, 0, POSIX_FADV_SEQUENTIAL));
	CHECK_OK(rill_file_sync_data(f));
	CHECK_OK(rill_file_sync_all(f));
	CHECK(rill_file_set_len(f, UINT64_MAX), ==, -EFBIG);
	CHECK_OK(rill_file_set_mode(f, 0640));
	CHECK_OK(rill_file_set_times(f, RILL_TIME_KEEP, -1500000000));
	CHECK_OK(rill_file_info(f, &info));
	CHECK(info.mode, ==, 0640u);
	CHECK(info.modified_ns, ==, -1500000000);
	CHECK_OK(rill_file_close(f));
	return NULL;
}

/* ---- opening ---- */

static int open_code(const char *path, struct rill_file_options o)
{
	struct rill_file *f = NULL;
	int r;

	o.size = sizeof(o);
	r = rill_file_open(path, &o, &f);
	if (r == 0)
		CHECK_OK(rill_file_close(f));
	return r;
}

#define OPEN(path, ...) open_code(path, (struct rill_file_options){__VA_ARGS__})

static void *opening(void *folder)
{
	const char *path = fs_path(folder, "opening");
	struct rill_file_info info;

	CHECK(OPEN(path, .read = true), ==, -ENOENT);
	CHECK(OPEN(path, .size = 0), ==, -EINVAL);
	CHECK(OPEN(path, .read = true, .create = true), ==, -EINVAL);
	CHECK(OPEN(path, .read = true, .truncate = true), ==, -EINVAL);
	CHECK(OPEN(path, .append = true, .truncate = true, .create = true), ==, -EINVAL);
	CHECK(OPEN(path, .write = true, .create_new = true, .mode = 0600), ==, 0);
	CHECK(OPEN(path, .write = true, .create_new = true), ==, -EEXIST);
	CHECK_OK(rill_fs_info(path, &info));
	CHECK(info.mode, ==, 0600u);
	CHECK(OPEN(path, .read = true, .flags = O_DIRECTORY), ==, -ENOTDIR);
	CHECK(OPEN(folder, .write = true), ==, -EISDIR);
	CHECK(OPEN("", .read = true), ==, -ENOENT);
	CHECK(OPEN(path, .flags = O_PATH), ==, 0);
	CHECK_OK(rill_fs_write(path, "four", 4));
	CHECK(OPEN(path, .write = true, .truncate = true), ==, 0);
	CHECK_OK(rill_fs_info(path, &info));
	CHECK(info.len, ==, 0u);
	return NULL;
}

static void *appending(void *folder)
{
	const struct rill_file_options o = {RILL_OPTIONS(o), .append = true, .create = true};
	const char *path = fs_path(folder, "append");
	struct rill_file *a, *b;
	void *text;
	size_t len;

	CHECK_OK(rill_file_open(path, &o, &a));
	CHECK_OK(rill_file_open(path, &o, &b));
	CHECK(rill_file_write(a, "a1", 2), ==, 2);
	CHECK(rill_file_write(b, "b1", 2), ==, 2);
	CHECK(rill_file_write(a, "a2", 2), ==, 2);
	CHECK_OK(rill_file_close(a));
	CHECK_OK(rill_file_close(b));
	CHECK_OK(rill_fs_read(path, 0, &text, &len));
	CHECK(len, ==, 6u);
	CHECK(memcmp(text, "a1b1a2", 7), ==, 0);
	free(text);
	return NULL;
}

/* A folder as the root of what may be opened. */
static void *beneath(void *folder)
{
	const struct rill_file_options dir = {RILL_OPTIONS(dir), .flags = O_PATH | O_DIRECTORY};
	struct rill_file_options o = {RILL_OPTIONS(o), .read = true,
				      .resolve = RILL_RESOLVE_BENEATH};
	struct rill_file *root, *f;

	CHECK_OK(rill_fs_write(fs_path(folder, "inside"), "x", 1));
	CHECK_OK(rill_fs_symlink("/etc/passwd", fs_path(folder, "out")));
	CHECK_OK(rill_file_open(folder, &dir, &root));
	o.at = root;
	int r = rill_file_open("inside", &o, &f);

	/* Without openat2(2) such a wish is refused, and not ignored. */
	if (r == -ENOSYS) {
		print_message("no openat2 here: RESOLVE flags are not tried\n");
		CHECK_OK(rill_file_close(root));
		return NULL;
	}
	CHECK_OK(r);
	CHECK_OK(rill_file_close(f));
	CHECK(rill_file_open("../inside", &o, &f), ==, -EXDEV);
	CHECK(rill_file_open("out", &o, &f), ==, -EXDEV);
	o.resolve = RILL_RESOLVE_NO_SYMLINKS;
	CHECK(rill_file_open("out", &o, &f), ==, -ELOOP);
	CHECK_OK(rill_file_close(root));
	return NULL;
}

static void *descriptors(void *folder)
{
	struct rill_file *f = open_rw(folder, "fd");
	int fd = rill_file_into_fd(f);

	CHECK(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
	CHECK_OK(rill_file_from_fd(fd, &f));
	CHECK(rill_file_fd(f), ==, fd);
	CHECK_OK(rill_file_close(f));
	CHECK(rill_file_from_fd(fd, &f), ==, -EBADF);
	CHECK_OK(rill_file_close(NULL));
	return NULL;
}

/* ---- locks ---- */

static void *lock_waiter(void *arg)
{
	return (void *)(intptr_t)rill_file_lock(arg, RILL_LOCK_EXCLUSIVE);
}

static void *locks(void *folder)
{
	struct rill_file *a = open_rw(folder, "lock"), *b = open_rw(folder, "lock");
	struct rill_task *t;
	void *result;

	CHECK_OK(rill_file_lock(a, RILL_LOCK_SHARED));
	CHECK_OK(rill_file_try_lock(b, RILL_LOCK_SHARED));
	CHECK(rill_file_try_lock(b, RILL_LOCK_EXCLUSIVE), ==, -EWOULDBLOCK);
	CHECK_OK(rill_spawn(lock_waiter, b, &t));
	rill_yield();
	CHECK_OK(rill_file_lock(a, RILL_LOCK_NONE));
	CHECK_OK(rill_join(t, &result));
	CHECK((intptr_t)result, ==, 0);
	CHECK(rill_file_try_lock(a, RILL_LOCK_EXCLUSIVE), ==, -EWOULDBLOCK);
	CHECK(rill_file_try_lock(a, 7), ==, -EINVAL);
	CHECK_OK(rill_file_close(b));
	CHECK_OK(rill_file_lock(a, RILL_LOCK_EXCLUSIVE));
	CHECK_OK(rill_file_close(a));
	return NULL;
}

/* ---- faults ---- */

static void *faults(void *folder)
{
	struct rlimit old, none = {0};
	struct rill_file *f = open_rw(folder, "faults"), *full, *g;
	char buf[16];

	CHECK(rill_file_write(f, (void *)8, 16), ==, -EFAULT);
	CHECK_OK(rill_file_write_all(f, "sixteen bytes...", 16, NULL));
	/* It shrinks while it is read: a short read, then the end. */
	CHECK_OK(rill_file_set_len(f, 4));
	CHECK(rill_file_pread(f, buf, 16, 0), ==, 4);
	CHECK(rill_file_pread(f, buf, 16, 4), ==, 0);
	CHECK_OK(rill_file_close(f));

	const struct rill_file_options w = {RILL_OPTIONS(w), .write = true};

	CHECK_OK(rill_file_open("/dev/full", &w, &full));
	CHECK(rill_file_write_all(full, "x", 1, NULL), ==, -ENOSPC);
	CHECK(rill_file_read(full, buf, 1), ==, -EBADF);
	CHECK_OK(rill_file_close(full));

	/* Too many open files. */
	CHECK(getrlimit(RLIMIT_NOFILE, &old), ==, 0);
	none.rlim_max = old.rlim_max;
	none.rlim_cur = 3;
	CHECK(setrlimit(RLIMIT_NOFILE, &none), ==, 0);
	int r = rill_file_open("/dev/null", NULL, &g);

	CHECK(setrlimit(RLIMIT_NOFILE, &old), ==, 0);
	CHECK(r, ==, -EMFILE);
	return NULL;
}

#define TESTS(X)                                                                                   \
	X(bytes)                                                                                   \
	X(vectors)                                                                                 \
	X(lengths)                                                                                 \
	X(opening)                                                                                 \
	X(appending)                                                                               \
	X(beneath)                                                                                 \
	X(descriptors)                                                                             \
	X(faults)

#define TEST(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		fs_in_each_way(name);                                                              \
	}
TESTS(TEST)

static void test_locks(void **state)
{
	(void)state;
	fs_in_tasks(locks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define UNIT(name) cmocka_unit_test(test_##name),
		TESTS(UNIT)
#undef UNIT
			cmocka_unit_test(test_locks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
