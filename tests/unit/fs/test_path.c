/* SPDX-License-Identifier: BSD-3-Clause */
/* What is done by path: whole files, links, folders. */
#include "tests/unit/fs/fs_test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void expect(const char *path, const char *text)
{
	void *data;
	size_t len;

	CHECK_OK(rill_fs_read(path, 0, &data, &len));
	CHECK(len, ==, strlen(text));
	CHECK(memcmp(data, text, len + 1), ==, 0);
	free(data);
}

/* ---- whole files ---- */

static void *reading(void *folder)
{
	const char *path = fs_path(folder, "reading");
	size_t big = 300000, len;
	char *text = malloc(big);
	void *data;

	memset(text, 'x', big);
	CHECK_OK(rill_fs_write(path, text, big));
	CHECK_OK(rill_fs_read(path, big, &data, &len));
	CHECK(len, ==, big);
	CHECK(memcmp(data, text, big), ==, 0);
	free(data);
	free(text);
	CHECK(rill_fs_read(path, big - 1, &data, &len), ==, -EFBIG);
	CHECK_OK(rill_fs_write(path, "", 0));
	expect(path, "");
	/* Its length says 0. */
	CHECK_OK(rill_fs_read("/proc/self/status", 0, &data, &len));
	CHECK(len, >, 100u);
	free(data);
	CHECK(rill_fs_read("/proc/self/status", 10, &data, &len), ==, -EFBIG);
	CHECK(rill_fs_read(folder, 0, &data, &len), ==, -EISDIR);
	CHECK(rill_fs_read(fs_path(folder, "no"), 0, &data, &len), ==, -ENOENT);
	return NULL;
}

static void *text(void *folder)
{
	const char *path = fs_path(folder, "text");
	static const struct {
		const char *bytes;
		size_t len;
		int result;
	} cases[] = {
		{"na\xc3\xafve \xe2\x82\xac \xf0\x9f\x90\xa7", 15, 0},
		{"nul\0", 4, -EILSEQ},
		{"cut \xe2\x82", 6, -EILSEQ},
		{"\xed\xa0\x80", 3, -EILSEQ},
		{"\xc0\x80", 2, -EILSEQ},
		{"\xf4\x90\x80\x80", 4, -EILSEQ},
	};

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(cases); i++) {
		char *got = NULL;
		size_t len;

		CHECK_OK(rill_fs_write(path, cases[i].bytes, cases[i].len));
		CHECK(rill_fs_read_text(path, 0, &got, &len), ==, cases[i].result);
		if (cases[i].result == 0)
			CHECK(len, ==, cases[i].len);
		free(got);
	}
	return NULL;
}

static unsigned entries(const char *folder)
{
	struct rill_dir_entry e;
	struct rill_dir *d;
	unsigned n = 0;
	int r;

	CHECK_OK(rill_dir_open(folder, &d));
	while ((r = rill_dir_next(d, &e)) == 1)
		n++;
	CHECK(r, ==, 0);
	CHECK_OK(rill_dir_close(d));
	return n;
}

static void *replacing(void *folder)
{
	const char *path = fs_path(folder, "replaced");
	struct rill_file_info info;

	CHECK_OK(rill_fs_replace(path, "one", 3, 0600));
	expect(path, "one");
	CHECK_OK(rill_fs_info(path, &info));
	CHECK(info.mode, ==, 0600u);
	CHECK_OK(rill_fs_set_mode(path, 0751));
	CHECK_OK(rill_fs_replace(path, "second", 6, 0600));
	expect(path, "second");
	CHECK_OK(rill_fs_info(path, &info));
	CHECK(info.mode, ==, 0751u);
	/* A folder is in the way: nothing is left of the attempt. */
	CHECK_OK(rill_fs_create_dir(fs_path(folder, "dir"), 0));
	CHECK(rill_fs_replace(fs_path(folder, "dir"), "x", 1, 0), ==, -EISDIR);
	CHECK(rill_fs_replace(fs_path(folder, "no/file"), "x", 1, 0), ==, -ENOENT);
	CHECK(entries(folder), ==, 2u);
	return NULL;
}

static void *copying(void *folder)
{
	const char *from = fs_path(folder, "from"), *to = fs_path(folder, "to");
	struct rill_file_info info;
	size_t big = 40 << 20, len;
	char *data = malloc(big);
	void *got;

	for (size_t i = 0; i < big; i++)
		data[i] = (char)(i >> 12 ^ i);
	CHECK_OK(rill_fs_write(from, data, big));
	CHECK_OK(rill_fs_set_mode(from, 0604));
	CHECK(rill_fs_copy(from, to), ==, (int64_t)big);
	CHECK_OK(rill_fs_read(to, 0, &got, &len));
	CHECK(len, ==, big);
	CHECK(memcmp(got, data, big), ==, 0);
	free(got);
	free(data);
	CHECK_OK(rill_fs_info(to, &info));
	CHECK(info.mode, ==, 0604u);
	/* Over what was there; and from where the kernel can't copy. */
	CHECK(rill_fs_copy("/proc/self/comm", to), >, 0);
	CHECK_OK(rill_fs_info(to, &info));
	CHECK(info.len, <, 100u);
	CHECK(rill_fs_copy(folder, to), ==, -EISDIR);
	CHECK(rill_fs_copy(fs_path(folder, "no"), to), ==, -ENOENT);
	return NULL;
}

/* ---- names ---- */

static void *names(void *folder)
{
	const char *a = fs_path(folder, "a"), *b = fs_path(folder, "b");
	struct rill_file_info info;
	char *path;

	CHECK(rill_fs_exists(a), ==, 0);
	CHECK_OK(rill_fs_write(a, "a", 1));
	CHECK(rill_fs_exists(a), ==, 1);
	CHECK(rill_fs_exists(fs_path(folder, "a/b")), ==, 0);
	CHECK_OK(rill_fs_hard_link(a, b));
	CHECK_OK(rill_fs_info(b, &info));
	CHECK(info.links, ==, 2u);
	CHECK(rill_fs_hard_link(a, b), ==, -EEXIST);
	CHECK_OK(rill_fs_rename(a, b)); /* two names of one file: nothing happens */
	CHECK_OK(rill_fs_remove(a));
	CHECK_OK(rill_fs_symlink("b", a));
	CHECK_OK(rill_fs_read_link(a, &path));
	CHECK(strcmp(path, "b"), ==, 0);
	free(path);
	CHECK_OK(rill_fs_link_info(a, &info));
	CHECK((int)info.type, ==, RILL_FILE_SYMLINK);
	CHECK_OK(rill_fs_info(a, &info));
	CHECK((int)info.type, ==, RILL_FILE_REGULAR);
	CHECK_OK(rill_fs_canonicalize(a, &path));
	CHECK(strcmp(strrchr(path, '/'), "/b"), ==, 0);
	free(path);
	CHECK_OK(rill_fs_remove(b));
	CHECK(rill_fs_exists(a), ==, 0); /* it leads nowhere */
	CHECK(rill_fs_read_link(folder, &path), ==, -EINVAL);
	CHECK(rill_fs_canonicalize(a, &path), ==, -ENOENT);
	CHECK(rill_fs_remove(folder), ==, -EISDIR);
	CHECK(rill_fs_rename(b, a), ==, -ENOENT);
	return NULL;
}

/* ---- folders ---- */

static void *folders(void *folder)
{
	CHECK_OK(rill_fs_create_dir_all(fs_path(folder, "x//y/z/"), 0));
	CHECK_OK(rill_fs_create_dir_all(fs_path(folder, "x/y/z"), 0));
	CHECK_OK(rill_fs_create_dir_all("/", 0));
	CHECK(rill_fs_create_dir_all("", 0), ==, -ENOENT);
	CHECK(rill_fs_create_dir(fs_path(folder, "x"), 0), ==, -EEXIST);
	CHECK_OK(rill_fs_write(fs_path(folder, "x/file"), "f", 1));
	CHECK(rill_fs_create_dir_all(fs_path(folder, "x/file"), 0), ==, -EEXIST);
	CHECK(rill_fs_create_dir_all(fs_path(folder, "x/file/y"), 0), ==, -ENOTDIR);
	CHECK(rill_fs_create_dir_all("/proc/no/such", 0), ==, -ENOENT);
	CHECK(rill_fs_remove_dir(fs_path(folder, "x")), ==, -ENOTEMPTY);
	CHECK_OK(rill_fs_remove_dir(fs_path(folder, "x/y/z")));
	CHECK(rill_fs_remove_dir(fs_path(folder, "x/file")), ==, -ENOTDIR);
	return NULL;
}

static void *many_entries(void *folder)
{
	enum { COUNT = 2000 };
	static bool seen[COUNT];
	struct rill_dir_entry e;
	struct rill_dir *d;
	char name[32];
	unsigned n = 0;

	memset(seen, 0, sizeof(seen));
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "a-rather-long-name-%u", i);
		CHECK_OK(rill_fs_write(fs_path(folder, name), NULL, 0));
	}
	CHECK_OK(rill_dir_open(folder, &d));
	while (rill_dir_next(d, &e) == 1) {
		unsigned i = (unsigned)atoi(strrchr(e.name, '-') + 1);

		CHECK((int)e.type, ==, RILL_FILE_REGULAR);
		RILL_ASSERT(i < COUNT && !seen[i]);
		seen[i] = true;
		n++;
	}
	CHECK(n, ==, (unsigned)COUNT);
	CHECK(rill_dir_next(d, &e), ==, 0);
	CHECK_OK(rill_dir_close(d));
	CHECK(rill_dir_open(fs_path(folder, "no"), &d), ==, -ENOENT);
	CHECK_OK(rill_dir_close(NULL));
	return NULL;
}

/* Deep, wide, and with a way out that is not taken. */
static void *removing_all(void *folder)
{
	const char *root = fs_path(folder, "root"), *keep = fs_path(folder, "keep");
	char path[512];
	int at = snprintf(path, sizeof(path), "%s", root);

	CHECK_OK(rill_fs_create_dir(keep, 0));
	CHECK_OK(rill_fs_write(fs_path(folder, "keep/file"), "k", 1));
	for (unsigned i = 0; i < 40; i++) {
		at += snprintf(path + at, sizeof(path) - (size_t)at, "/%u", i);
		CHECK_OK(rill_fs_create_dir_all(path, 0));
		snprintf(path + at, sizeof(path) - (size_t)at, "/file");
		CHECK_OK(rill_fs_write(path, "f", 1));
		snprintf(path + at, sizeof(path) - (size_t)at, "/link");
		CHECK_OK(rill_fs_symlink(keep, path));
		path[at] = '\0';
	}
	CHECK_OK(rill_fs_remove_dir_all(root));
	CHECK(rill_fs_exists(root), ==, 0);
	CHECK(entries(keep), ==, 1u);
	CHECK(rill_fs_remove_dir_all(root), ==, -ENOENT);
	CHECK_OK(rill_fs_symlink(keep, root));
	CHECK(rill_fs_remove_dir_all(root), <, 0);
	CHECK(entries(keep), ==, 1u);
	return NULL;
}

static void *temporary(void *folder)
{
	struct rill_file *f;
	char *path;

	CHECK_OK(rill_fs_temp_dir(folder, &path));
	CHECK_OK(rill_fs_remove_dir(path));
	free(path);
	CHECK(rill_fs_temp_dir("/proc/no", &path), ==, -ENOENT);
	CHECK_OK(rill_fs_temp_file(folder, &f));
	CHECK(rill_file_write(f, "t", 1), ==, 1);
	CHECK(entries(folder), ==, 0u);
	CHECK_OK(rill_file_close(f));
	return NULL;
}

#define TESTS(X)                                                                                   \
	X(reading)                                                                                 \
	X(text)                                                                                    \
	X(replacing)                                                                               \
	X(copying)                                                                                 \
	X(names)                                                                                   \
	X(folders)                                                                                 \
	X(many_entries)                                                                            \
	X(removing_all)                                                                            \
	X(temporary)

#define TEST(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		fs_in_each_way(name);                                                              \
	}
TESTS(TEST)

int main(void)
{
	const struct CMUnitTest tests[] = {
#define UNIT(name) cmocka_unit_test(test_##name),
		TESTS(UNIT)
#undef UNIT
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
