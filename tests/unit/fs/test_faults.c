/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What goes wrong around files: calls that are interrupted, kernels that lack one, threads that are
 * gone, files that are not what they seem, others who look on. Some calls of libc are this file's
 * own, so that they fail when they are told to.
 */
#include "tests/unit/fs/fs_test.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "runtime/ring.h"
#include "runtime/runtime.h"

/* ---- libc's calls, as we want them ---- */

static RILL_ATOMIC(unsigned) closes_interrupted; /* so many, from now on */
static RILL_ATOMIC(bool) no_openat2;
static RILL_ATOMIC(bool) chown_refused;
static RILL_ATOMIC(unsigned) chown_mode; /* the file's, when it was asked */

static long (*libc_syscall)(long number, ...);
/* ThreadSanitizer's, where it looks on: it keeps an account of descriptors. */
static int (*libc_close)(int fd);

static __attribute__((constructor)) void find_calls(void)
{
	*(void **)&libc_syscall = dlsym(RTLD_NEXT, "syscall");
	*(void **)&libc_close = dlsym(RTLD_NEXT, "close");
}

long syscall(long number, ...)
{
	va_list args;
	long a[6];

	va_start(args, number);
	for (unsigned i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_openat2 && rill_load_relaxed(&no_openat2)) {
		errno = ENOSYS;
		return -1;
	}
	return libc_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Linux has closed it, whatever it says. */
int close(int fd)
{
	int r = libc_close ? libc_close(fd) : (int)syscall(SYS_close, fd);

	if (r < 0 || rill_load_relaxed(&closes_interrupted) == 0)
		return r;
	rill_fetch_sub_relaxed(&closes_interrupted, 1);
	errno = EINTR;
	return -1;
}

int fchown(int fd, uid_t uid, gid_t gid)
{
	struct stat st;

	if (fstat(fd, &st) == 0)
		rill_store_relaxed(&chown_mode, st.st_mode & 07777);
	if (rill_load_relaxed(&chown_refused)) {
		errno = EPERM;
		return -1;
	}
	return (int)libc_syscall(SYS_fchown, fd, uid, gid);
}

/* ---- what the kernel says ---- */

/* By the ring a close is no call of libc's, and nothing is interrupted there. */
static void *interrupted_close(void *folder)
{
	struct rill_file *f;

	CHECK_OK(rill_fs_write(fs_path(folder, "closed"), "c", 1));
	CHECK_OK(rill_file_open(fs_path(folder, "closed"), NULL, &f));
	rill_store_relaxed(&closes_interrupted, 1);
	CHECK_OK(rill_file_close(f));
	rill_store_relaxed(&closes_interrupted, 0);
	return NULL;
}

/* Only openat2 can keep to a folder: without it that is refused, and not forgotten. */
static void *without_openat2(void *folder)
{
	struct rill_file_options o = {RILL_OPTIONS(o), .write = true, .create_new = true,
				      .mode = 0640};
	struct rill_file_info info;
	struct rill_file *f;
	int r;

	CHECK_OK(rill_file_open(fs_path(folder, "by openat"), &o, &f));
	CHECK_OK(rill_file_info(f, &info));
	CHECK(info.mode, ==, 0640u);
	CHECK_OK(rill_file_close(f));
	o.create_new = false;
	o.resolve = RILL_RESOLVE_NO_SYMLINKS;
	r = rill_file_open(fs_path(folder, "by openat"), &o, &f);
	if (r == 0)
		CHECK_OK(rill_file_close(f));
	else
		CHECK(r, ==, -ENOSYS);
	return NULL;
}

static void test_without_openat2(void **state)
{
	(void)state;
	rill_store_relaxed(&no_openat2, true);
	fs_in_each_way(without_openat2);
	rill_store_relaxed(&no_openat2, false);
}

static int open_for(const char *path, bool write, uint64_t dur_ns, struct rill_file **ret_file)
{
	const struct rill_file_options o = {RILL_OPTIONS(o), .read = !write, .write = write};
	struct rill_scope scope;
	int r;

	rill_scope_begin(&scope, rill_after(dur_ns), NULL);
	r = rill_file_open(path, &o, ret_file);
	rill_scope_end(&scope);
	return r;
}

/* Writes and goes before the reader has seen it. */
static void *fifo_writer(void *path)
{
	struct rill_file *f;

	CHECK_OK(open_for(path, true, 3600 * RILL_SEC, &f));
	CHECK(rill_file_write(f, "word", 4), ==, 4);
	CHECK_OK(rill_file_close(f));
	return NULL;
}

/* While nobody has opened its other end the kernel waits, and is called back. */
static void *fifo(void *folder)
{
	const char *path = fs_path(folder, "fifo");
	struct rill_file *f;
	struct rill_task *t;
	char buf[8];

	CHECK(mkfifo(path, 0600), ==, 0);
	for (unsigned i = 0; i < 10; i++) {
		CHECK(open_for(path, false, 200 * RILL_US, &f), ==, -ETIMEDOUT);
		CHECK(open_for(path, true, 200 * RILL_US, &f), ==, -ETIMEDOUT);
	}
	for (unsigned i = 0; i < 50; i++) {
		CHECK_OK(rill_spawn(fifo_writer, (void *)path, &t));
		CHECK_OK(rill_file_open(path, NULL, &f));
		CHECK(rill_file_read(f, buf, sizeof(buf)), ==, 4);
		CHECK_OK(rill_join(t, NULL));
		CHECK_OK(rill_file_close(f));
	}
	return NULL;
}

static void *pipe_offsets(void *folder)
{
	struct rill_file *in, *out;
	char buf[4];
	const struct iovec iov = {buf, 2};
	int fds[2];

	(void)folder;
	CHECK(pipe2(fds, O_CLOEXEC), ==, 0);
	CHECK_OK(rill_file_from_fd(fds[0], &in));
	CHECK_OK(rill_file_from_fd(fds[1], &out));
	CHECK(rill_file_pwrite(out, "ab", 2, 100), ==, 2);
	CHECK(rill_file_pread(in, buf, 2, 7), ==, 2);
	CHECK(memcmp(buf, "ab", 2), ==, 0);
	CHECK(rill_file_pwritev(out, &iov, 1, 100), ==, 2);
	CHECK(rill_file_preadv(in, &iov, 1, 7), ==, 2);
	CHECK_OK(rill_file_close(in));
	CHECK_OK(rill_file_close(out));
	return NULL;
}

/* Years that 64 bits of nanoseconds do not have. */
static void *far_times(void *folder)
{
	const struct timespec far[2] = {{.tv_sec = 14000000000}, {.tv_sec = 14000000000}};
	const char *path = fs_path(folder, "far");
	struct rill_file_info info;
	struct rill_file *f;
	struct stat st;

	CHECK_OK(rill_file_create(path, &f));
	CHECK(futimens(rill_file_fd(f), far), ==, 0);
	CHECK(fstat(rill_file_fd(f), &st), ==, 0);
	CHECK_OK(rill_file_info(f, &info));
	/* The file system may have a nearer last year than ours. */
	CHECK(info.modified_ns, ==,
	      st.st_mtime > 9223372036 ? INT64_MAX : st.st_mtime * (int64_t)RILL_SEC);
	CHECK_OK(rill_file_set_times(f, RILL_TIME_KEEP, INT64_MIN + 1));
	CHECK_OK(rill_file_close(f));
	return NULL;
}

/* ---- threads that are not there, or not any more ---- */

static void *close_without_threads(void *arg)
{
	struct rill_file *f = arg, *g;

	CHECK(rill_file_open("/", NULL, &g), ==, -EAGAIN);
	CHECK_OK(rill_file_close(f));
	return NULL;
}

/* A descriptor that can't be closed elsewhere is closed here: there is no second time. */
static void test_close_without_threads(void **state)
{
	const struct rill_runtime_options o = {RILL_OPTIONS(o), .flavor = RILL_CURRENT_THREAD,
					       .no_io_uring = true};
	unsigned before = fs_descriptors();
	struct rill_runtime *rt;
	struct rill_file *f;

	(void)state;
	assert_int_equal(rill_file_open("/", NULL, &f), 0);
	assert_int_equal(rill_runtime_create(&o, &rt), 0);
	/* No machine has as much. */
	rt->o.thread_stack_size = (size_t)1 << 56;
	assert_int_equal(rill_block_on(rt, close_without_threads, f, NULL), 0);
	assert_int_equal(rill_runtime_destroy(rt), 0);
	assert_int_equal(fs_descriptors(), before);
}

/* As if the task had come to a worker that could make no ring. */
static void *take_ring(void *arg)
{
	struct rill_worker *w = rill_worker_current();

	*(struct rill_ring **)arg = w->ring;
	w->ring = NULL;
	w->no_ring = true;
	return NULL;
}

static void *wanderer(void *arg)
{
	struct rill_ring *ring = NULL;
	struct rill_task *t;
	char buf[4];

	CHECK(rill_file_pread(arg, buf, 4, 0), ==, 4);
	CHECK_OK(rill_spawn(take_ring, &ring, &t));
	/* Nothing is left of the slice: the read yields, after it has asked for the ring. */
	while (rill_has_budget_remaining())
		CHECK_OK(rill_consume_budget());
	CHECK(rill_file_pread(arg, buf, 4, 0), ==, 4);
	CHECK_OK(rill_join(t, NULL));
	/* To be closed. */
	rill_worker_current()->ring = ring;
	return NULL;
}

/* Tasks yield, and move, between asking for a ring and using it. */
static void test_moved_from_ring(void **state)
{
	const struct rill_runtime_options o = {RILL_OPTIONS(o), .workers = 1, .no_pin = true};
	struct rill_runtime *rt;
	struct rill_file *f;

	(void)state;
	assert_int_equal(rill_fs_temp_file(NULL, &f), 0);
	assert_int_equal(rill_file_write_all(f, "four", 4, NULL), 0);
	assert_int_equal(rill_runtime_create(&o, &rt), 0);
	assert_int_equal(rill_block_on(rt, wanderer, f, NULL), 0);
	assert_int_equal(rill_runtime_destroy(rt), 0);
	assert_int_equal(rill_file_close(f), 0);
}

struct left {
	struct rill_runtime *rt;
	struct rill_task *task;
	struct rill_file *in, *out;
};

static void *left_reader(void *arg)
{
	struct left *l = arg;
	char buf[8];

	return (void *)(intptr_t)rill_file_read(l->in, buf, sizeof(buf));
}

static void *leave_reader(void *arg)
{
	struct left *l = arg;

	CHECK_OK(rill_spawn(left_reader, l, &l->task));
	rill_yield();
	/* What is asked after it is answered: the kernel has the read. */
	CHECK(rill_fs_exists("/"), ==, 1);
	return NULL;
}

static void *drive_and_leave(void *arg)
{
	struct left *l = arg;

	CHECK_OK(rill_block_on(l->rt, leave_reader, l, NULL));
	return NULL;
}

static void *feed_reader(void *arg)
{
	struct left *l = arg;
	void *result;

	CHECK(rill_file_write(l->out, "later", 5), ==, 5);
	CHECK_OK(rill_join(l->task, &result));
	CHECK((intptr_t)result, ==, 5);
	return NULL;
}

/* The thread that has driven the runtime ends, and with it what it gave to the kernel. */
static void test_driver_gone(void **state)
{
	const struct rill_runtime_options o = {RILL_OPTIONS(o), .flavor = RILL_CURRENT_THREAD};
	struct left l = {0};
	pthread_t thread;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(rill_file_from_fd(fds[0], &l.in), 0);
	assert_int_equal(rill_file_from_fd(fds[1], &l.out), 0);
	assert_int_equal(rill_runtime_create(&o, &l.rt), 0);
	assert_int_equal(pthread_create(&thread, NULL, drive_and_leave, &l), 0);
	pthread_join(thread, NULL);
	assert_int_equal(rill_block_on(l.rt, feed_reader, &l, NULL), 0);
	assert_int_equal(rill_runtime_destroy(l.rt), 0);
	assert_int_equal(rill_file_close(l.in), 0);
	assert_int_equal(rill_file_close(l.out), 0);
}

/* ---- files that are not what they seem ---- */

static void expect(const char *path, const char *text)
{
	void *data;
	size_t len;

	CHECK_OK(rill_fs_read(path, 0, &data, &len));
	CHECK(len, ==, strlen(text));
	CHECK(memcmp(data, text, len), ==, 0);
	free(data);
}

static void *copy_to_itself(void *folder)
{
	const char *path = fs_path(folder, "one"), *link = fs_path(folder, "link");
	const char *name = fs_path(folder, "name");

	CHECK_OK(rill_fs_write(path, "precious", 8));
	CHECK_OK(rill_fs_symlink("one", link));
	CHECK_OK(rill_fs_hard_link(path, name));
	CHECK(rill_fs_copy(path, path), ==, -EINVAL);
	CHECK(rill_fs_copy(path, link), ==, -EINVAL);
	CHECK(rill_fs_copy(name, path), ==, -EINVAL);
	expect(path, "precious");
	return NULL;
}

/* A device would be everybody's, or nobody's, with a file's permissions. */
static void *copy_to_fifo(void *folder)
{
	const char *from = fs_path(folder, "from"), *to = fs_path(folder, "to");
	struct rill_file_info info;
	char buf[8];
	int fd;

	CHECK_OK(rill_fs_write(from, "through", 7));
	CHECK_OK(rill_fs_set_mode(from, 0604));
	CHECK(mkfifo(to, 0620), ==, 0);
	CHECK_OK(rill_fs_set_mode(to, 0620));
	fd = open(to, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	CHECK(fd, >=, 0);
	CHECK(rill_fs_copy(from, to), ==, 7);
	CHECK(read(fd, buf, sizeof(buf)), ==, 7);
	CHECK(close(fd), ==, 0);
	CHECK_OK(rill_fs_info(to, &info));
	CHECK(info.mode, ==, 0620u);
	return NULL;
}

static void *copy_without_set_id(void *folder)
{
	const char *from = fs_path(folder, "set-id"), *to = fs_path(folder, "plain");
	struct rill_file_info info;

	CHECK_OK(rill_fs_write(from, "x", 1));
	CHECK_OK(rill_fs_set_mode(from, 04755));
	CHECK_OK(rill_fs_write(to, "longer", 6));
	CHECK(rill_fs_copy(from, to), ==, 1);
	CHECK_OK(rill_fs_info(to, &info));
	CHECK(info.mode, ==, 0755u);
	CHECK(info.len, ==, 1u);
	return NULL;
}

/* A link with a slash behind it is the folder that it leads to, for the kernel. */
static void *remove_by_link(void *folder)
{
	const char *kept = fs_path(folder, "kept/file");

	CHECK_OK(rill_fs_create_dir(fs_path(folder, "kept"), 0));
	CHECK_OK(rill_fs_write(kept, "k", 1));
	CHECK_OK(rill_fs_symlink("kept", fs_path(folder, "way")));
	CHECK(rill_fs_remove_dir_all(fs_path(folder, "way//")), ==, -ENOTDIR);
	expect(kept, "k");
	CHECK_OK(rill_fs_remove_dir_all(fs_path(folder, "kept/")));
	CHECK(rill_fs_exists(kept), ==, 0);
	return NULL;
}

/* While it is not yet what the old one was, nobody else can open it. */
static void *replace_secret(void *folder)
{
	const char *path = fs_path(folder, "secret");
	struct rill_file_info info;

	CHECK_OK(rill_fs_write(path, "old", 3));
	CHECK_OK(rill_fs_set_mode(path, 0640));
	rill_store_relaxed(&chown_mode, 0);
	CHECK_OK(rill_fs_replace(path, "new", 3, 0666));
	CHECK(rill_load_relaxed(&chown_mode), ==, 0600u);
	CHECK_OK(rill_fs_info(path, &info));
	CHECK(info.mode, ==, 0640u);
	expect(path, "new");
	return NULL;
}

/* Whose it was stays so; where it can't, it must not run as somebody else. */
static void *replace_owned(void *folder)
{
	const char *path = fs_path(folder, "owned");
	uid_t uid = geteuid() == 0 ? 12345 : geteuid();
	struct rill_file_info info;

	CHECK_OK(rill_fs_write(path, "old", 3));
	CHECK(chown(path, uid, (gid_t)-1), ==, 0);
	CHECK_OK(rill_fs_set_mode(path, 04755));
	CHECK_OK(rill_fs_replace(path, "new", 3, 0));
	CHECK_OK(rill_fs_info(path, &info));
	CHECK(info.uid, ==, uid);
	CHECK(info.mode, ==, 04755u);
	rill_store_relaxed(&chown_refused, true);
	CHECK_OK(rill_fs_replace(path, "newer", 5, 0));
	rill_store_relaxed(&chown_refused, false);
	CHECK_OK(rill_fs_info(path, &info));
	CHECK(info.mode, ==, 0755u);
	return NULL;
}

/* Cleaning up is done by tasks that are cancelled. */
static void *unlock_late(void *folder)
{
	const char *path = fs_path(folder, "locked");
	struct rill_scope scope;
	struct rill_file *a, *b;

	CHECK_OK(rill_file_create(path, &a));
	CHECK_OK(rill_file_create(path, &b));
	CHECK_OK(rill_file_lock(a, RILL_LOCK_EXCLUSIVE));
	rill_scope_begin(&scope, 1, NULL);
	CHECK_OK(rill_file_lock(a, RILL_LOCK_NONE));
	rill_scope_end(&scope);
	CHECK_OK(rill_file_try_lock(b, RILL_LOCK_EXCLUSIVE));
	CHECK_OK(rill_file_close(a));
	CHECK_OK(rill_file_close(b));
	return NULL;
}

/* Says why, or that there is a ring. */
static void test_refusal(void **state)
{
	(void)state;
	assert_ptr_equal(rill_fs_no_io_uring(), rill_ring_refusal());
	assert_true(rill_fs_no_io_uring() != NULL || rill_ring_has(IORING_OP_READ));
}

#define TESTS(X)                                                                                   \
	X(interrupted_close)                                                                       \
	X(pipe_offsets)                                                                            \
	X(far_times)                                                                               \
	X(copy_to_itself)                                                                          \
	X(copy_to_fifo)                                                                            \
	X(copy_without_set_id)                                                                     \
	X(remove_by_link)                                                                          \
	X(replace_secret)                                                                          \
	X(replace_owned)                                                                           \
	X(unlock_late)

#define TEST(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		fs_in_each_way(name);                                                              \
	}
TESTS(TEST)

static void test_fifo(void **state)
{
	(void)state;
	fs_by_ring(fifo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define UNIT(name) cmocka_unit_test(test_##name),
		TESTS(UNIT)
#undef UNIT
			cmocka_unit_test(test_without_openat2),
		cmocka_unit_test(test_fifo),
		cmocka_unit_test(test_close_without_threads),
		cmocka_unit_test(test_moved_from_ring),
		cmocka_unit_test(test_driver_gone),
		cmocka_unit_test(test_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
