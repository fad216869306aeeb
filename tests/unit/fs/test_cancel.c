/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ring under tasks that are cancelled, that are many, that move: nothing is lost, and no buffer
 * is used after its call returned (which ASan would see, for each is on a stack or freed).
 */
#include "tests/unit/fs/fs_test.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/atomic.h"
#include "runtime/ring.h"

/* ---- a pipe that nothing comes out of ---- */

struct pipe_pair {
	struct rill_file *in, *out;
};

static void pipe_open(struct pipe_pair *p)
{
	int fds[2];

	CHECK(pipe2(fds, O_CLOEXEC), ==, 0);
	CHECK_OK(rill_file_from_fd(fds[0], &p->in));
	CHECK_OK(rill_file_from_fd(fds[1], &p->out));
}

static void pipe_close(struct pipe_pair *p)
{
	CHECK_OK(rill_file_close(p->in));
	CHECK_OK(rill_file_close(p->out));
}

static ssize_t read_for(struct rill_file *f, char *buf, size_t len, uint64_t dur_ns)
{
	struct rill_scope scope;
	ssize_t n;

	rill_scope_begin(&scope, rill_after(dur_ns), NULL);
	n = rill_file_read(f, buf, len);
	rill_scope_end(&scope);
	return n;
}

/* Not on blocking threads: they can't be called back from a pipe. */
static void *deadline(void *folder)
{
	struct pipe_pair p;

	(void)folder;
	pipe_open(&p);
	for (unsigned i = 0; i < 50; i++) {
		char *buf = malloc(16);

		CHECK(read_for(p.in, buf, 16, 100 * RILL_US), ==, -ETIMEDOUT);
		free(buf);
	}
	/* What comes after a cancelled read is the next one's. */
	CHECK(rill_file_write(p.out, "later", 5), ==, 5);
	char buf[16];

	CHECK(rill_file_read(p.in, buf, sizeof(buf)), ==, 5);
	pipe_close(&p);
	return NULL;
}

/* A scope that is over: the call is not begun, or undone, before it returns. */
static void *expired(void *folder)
{
	struct rill_scope scope;
	struct pipe_pair p;
	char buf[4];

	(void)folder;
	pipe_open(&p);
	CHECK(rill_file_write(p.out, "kept", 4), ==, 4);
	rill_scope_begin(&scope, 1, NULL);
	CHECK(rill_file_read(p.in, buf, 4), ==, -ETIMEDOUT);
	/* Closing is not kept from it. */
	struct rill_file *f;

	CHECK_OK(rill_file_from_fd(dup(0), &f));
	CHECK_OK(rill_file_close(f));
	rill_scope_end(&scope);
	CHECK(rill_file_read(p.in, buf, 4), ==, 4);
	pipe_close(&p);
	return NULL;
}

/* ---- bytes race with cancellation ---- */

struct race {
	struct pipe_pair pipe;
	size_t got;
};

static void *racing_reader(void *arg)
{
	struct race *race = arg;

	for (;;) {
		char *buf = malloc(3);
		ssize_t n = read_for(race->pipe.in, buf, 3, 3 * RILL_US);

		free(buf);
		if (n == 0)
			return NULL;
		if (n > 0)
			race->got += (size_t)n;
		else
			CHECK(n, ==, -ETIMEDOUT);
	}
}

/* Every byte comes out once, though the reads give up all the time. */
static void *race(void *folder)
{
	struct race r = {.got = 0};
	struct rill_task *t;

	(void)folder;
	pipe_open(&r.pipe);
	CHECK_OK(rill_spawn(racing_reader, &r, &t));
	for (unsigned i = 0; i < 2000; i++) {
		CHECK(rill_file_write(r.pipe.out, "b", 1), ==, 1);
		if (i % 7 == 0)
			rill_yield();
	}
	CHECK_OK(rill_file_close(r.pipe.out));
	CHECK_OK(rill_join(t, NULL));
	CHECK(r.got, ==, 2000u);
	CHECK_OK(rill_file_close(r.pipe.in));
	return NULL;
}

/* ---- aborts ---- */

static void *stuck_reader(void *arg)
{
	struct pipe_pair *p = arg;
	char buf[64];

	return (void *)(intptr_t)rill_file_read(p->in, buf, sizeof(buf));
}

static void *aborts(void *folder)
{
	enum { COUNT = 100 };
	struct rill_task *tasks[COUNT];
	struct pipe_pair p;

	(void)folder;
	pipe_open(&p);
	for (unsigned i = 0; i < COUNT; i++)
		CHECK_OK(rill_spawn(stuck_reader, &p, &tasks[i]));
	rill_yield();
	for (unsigned i = 0; i < COUNT; i++) {
		void *result = NULL;

		rill_abort(tasks[i]);
		int r = rill_join(tasks[i], &result);

		if (r == 0)
			CHECK((intptr_t)result, ==, -ECANCELED);
		else
			CHECK(r, ==, RILL_JOIN_ABORTED);
	}
	pipe_close(&p);
	return NULL;
}

/* ---- many at once ---- */

#define BLOCK 64
#define BLOCKS 64
#define TASKS 300

struct crowd {
	struct rill_file *f;
	RILL_ATOMIC(unsigned) sum;
};

static void *crowd_member(void *arg)
{
	struct crowd *c = arg;

	for (unsigned i = 0; i < 20; i++) {
		unsigned at = (unsigned)(rill_self_id() * 7 + i) % BLOCKS;
		unsigned char buf[BLOCK];

		CHECK(rill_file_pread(c->f, buf, BLOCK, at * BLOCK), ==, BLOCK);
		for (unsigned k = 0; k < BLOCK; k++)
			CHECK(buf[k], ==, (unsigned char)at);
		rill_fetch_add_relaxed(&c->sum, 1);
	}
	return NULL;
}

/* More operations than the queues have room for. */
static void *crowd(void *folder)
{
	const struct rill_file_options o = {RILL_OPTIONS(o), .read = true, .write = true,
					    .create = true};
	struct rill_task *tasks[TASKS];
	struct crowd c = {.sum = 0};
	unsigned char block[BLOCK];

	CHECK_OK(rill_file_open(fs_path(folder, "crowd"), &o, &c.f));
	for (unsigned i = 0; i < BLOCKS; i++) {
		memset(block, (int)i, BLOCK);
		CHECK_OK(rill_file_pwrite_all(c.f, block, BLOCK, i * BLOCK, NULL));
	}
	for (unsigned i = 0; i < TASKS; i++)
		CHECK_OK(rill_spawn(crowd_member, &c, &tasks[i]));
	for (unsigned i = 0; i < TASKS; i++)
		CHECK_OK(rill_join(tasks[i], NULL));
	CHECK(rill_load_relaxed(&c.sum), ==, TASKS * 20u);
	CHECK_OK(rill_file_close(c.f));
	return NULL;
}

/* ---- the runtime's end, a paused clock ---- */

/* Destroying a runtime ends what is in flight. */
static void test_destroy(void **state)
{
	struct rill_runtime_options o = {RILL_OPTIONS(o), .workers = 2, .no_pin = true};
	unsigned before = fs_descriptors();
	struct rill_runtime *rt;
	struct rill_task *t;
	struct pipe_pair p;

	(void)state;
	if (rill_ring_refusal()) {
		print_message("no io_uring here (%s): blocking threads can't be called back\n",
			      rill_ring_refusal());
		return;
	}
	pipe_open(&p);
	assert_int_equal(rill_runtime_create(&o, &rt), 0);
	for (unsigned i = 0; i < 10; i++) {
		struct rill_spawn_options so = {RILL_OPTIONS(so), .runtime = rt};

		assert_int_equal(rill_spawn_with(&so, stuck_reader, &p, &t), 0);
		rill_detach(t);
	}
	assert_int_equal(rill_runtime_destroy(rt), 0);
	pipe_close(&p);
	assert_int_equal(fs_descriptors(), before);
}

static void *sleeper(void *arg)
{
	(void)arg;
	rill_sleep(3600 * RILL_SEC);
	return NULL;
}

static void *paused(void *folder)
{
	uint64_t start = rill_now();
	struct rill_task *t;

	CHECK_OK(rill_spawn(sleeper, NULL, &t));
	/* The clock could jump an hour while the kernel works; it does not. */
	for (unsigned i = 0; i < 20; i++) {
		CHECK_OK(rill_fs_write(fs_path(folder, "paused"), "p", 1));
		CHECK_OK(rill_fs_replace(fs_path(folder, "paused"), "q", 1, 0));
	}
	CHECK(rill_now() - start, <, RILL_SEC);
	CHECK_OK(rill_join(t, NULL));
	CHECK(rill_now() - start, >=, 3600 * RILL_SEC);
	return NULL;
}

static void test_paused_clock(void **state)
{
	(void)state;
	for (unsigned off = 0; off < 2; off++) {
		struct rill_runtime_options o = {RILL_OPTIONS(o), .flavor = RILL_CURRENT_THREAD,
						 .start_paused = true, .no_io_uring = off};
		struct rill_runtime *rt;
		char *folder;

		assert_int_equal(rill_fs_temp_dir(NULL, &folder), 0);
		assert_int_equal(rill_runtime_create(&o, &rt), 0);
		assert_int_equal(rill_block_on(rt, paused, folder, NULL), 0);
		assert_int_equal(rill_runtime_destroy(rt), 0);
		assert_int_equal(rill_fs_remove_dir_all(folder), 0);
		free(folder);
	}
}

static void test_options(void **state)
{
	struct rill_runtime_options o = {RILL_OPTIONS(o), .workers = 1, .ring_entries = 1 << 20};
	struct rill_runtime *rt;

	(void)state;
	assert_int_equal(rill_runtime_create(&o, &rt), -EINVAL);
	assert_non_null(strstr(rill_runtime_error(), "ring_entries"));
}

#define TESTS(X)                                                                                   \
	X(deadline)                                                                                \
	X(race)                                                                                    \
	X(aborts)

#define TEST(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		fs_by_ring(name);                                                                  \
	}
TESTS(TEST)

static void test_expired(void **state)
{
	(void)state;
	fs_in_tasks(expired);
}

static void test_crowd(void **state)
{
	(void)state;
	fs_in_tasks(crowd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define UNIT(name) cmocka_unit_test(test_##name),
		TESTS(UNIT)
#undef UNIT
			cmocka_unit_test(test_expired),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_destroy),
		cmocka_unit_test(test_paused_clock),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
