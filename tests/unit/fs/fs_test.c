/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/fs/fs_test.h"

#include <dirent.h>
#include <unistd.h>

#include "runtime/ring.h"

static const struct way {
	const char *name;
	struct rill_runtime_options o;
} ways[] = {
	{"ring", {.size = sizeof(ways[0].o), .workers = 2, .no_pin = true}},
	{"driven ring", {.size = sizeof(ways[0].o), .flavor = RILL_CURRENT_THREAD}},
	{"small ring",
	 {.size = sizeof(ways[0].o), .workers = 1, .no_pin = true, .ring_entries = 2}},
	{"threads", {.size = sizeof(ways[0].o), .workers = 2, .no_pin = true, .no_io_uring = true}},
	{"driven, threads",
	 {.size = sizeof(ways[0].o), .flavor = RILL_CURRENT_THREAD, .no_io_uring = true}},
};

unsigned fs_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	RILL_ASSERT(d != NULL);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

const char *fs_path(const char *folder, const char *name)
{
	static _Thread_local char paths[4][512];
	static _Thread_local unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static char *begin(void)
{
	char *folder;

	CHECK_OK(rill_fs_temp_dir(NULL, &folder));
	return folder;
}

static void end(char *folder, unsigned before)
{
	CHECK_OK(rill_fs_remove_dir_all(folder));
	CHECK(fs_descriptors(), ==, before);
	free(folder);
}

static void in_task(const struct way *way, void *(*fn)(void *))
{
	unsigned before = fs_descriptors();
	struct rill_runtime *rt;
	char *folder = begin();

	CHECK_OK(rill_runtime_create(&way->o, &rt));
	CHECK_OK(rill_block_on(rt, fn, folder, NULL));
	CHECK_OK(rill_runtime_destroy(rt));
	end(folder, before);
}

void fs_in_tasks(void *(*fn)(void *))
{
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(ways); i++)
		in_task(&ways[i], fn);
}

void fs_by_ring(void *(*fn)(void *))
{
	const char *why = rill_ring_refusal();

	if (why)
		print_message("no io_uring here (%s): not run\n", why);
	for (unsigned i = 0; !why && i < RILL_ARRAY_SIZE(ways); i++)
		if (!ways[i].o.no_io_uring)
			in_task(&ways[i], fn);
}

void fs_in_each_way(void *(*fn)(void *))
{
	unsigned before = fs_descriptors();
	char *folder = begin();

	fn(folder);
	end(folder, before);
	fs_in_tasks(fn);
}
