/* SPDX-License-Identifier: BSD-3-Clause */
/* Files: on the disk of BENCH_DIR, or /var/tmp. Unless it says direct, in the page cache. */
#include "bench/bench.h"

#include <rill/fs.h>
#include <rill/task.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES (UINT64_C(256) << 20)
#define BLOCK 4096u
#define DEPTH 64u
#define READS_EACH 500u
#define STEP (128u << 10)
#define CREATES 10000u

/* What a round needs: a big file, and a folder that is empty between rounds. */
struct files {
	char *folder;
	char *path;
	struct rill_file *file;
};

static const char *root(void)
{
	const char *dir = getenv("BENCH_DIR");

	return dir ? dir : "/var/tmp";
}

static void fill(struct rill_file *f)
{
	char *data = malloc(STEP);

	if (!data)
		bench_fail(-ENOMEM, "malloc");
	memset(data, 'r', STEP);
	for (uint64_t at = 0; at < FILE_BYTES; at += STEP)
		bench_must(rill_file_pwrite_all(f, data, STEP, at, NULL), "write");
	bench_must(rill_file_sync_all(f), "fsync");
	free(data);
}

static int open_with(int flags, void **ret_state)
{
	const struct rill_file_options o = {RILL_OPTIONS(o), .read = true, .write = true,
					    .create = true};
	const struct rill_file_options again = {RILL_OPTIONS(again), .read = true, .write = true,
						.flags = flags};
	struct files *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	bench_must(rill_fs_temp_dir(root(), &s->folder), root());
	if (asprintf(&s->path, "%s/big", s->folder) < 0)
		return -ENOMEM;
	bench_must(rill_file_open(s->path, &o, &s->file), s->path);
	fill(s->file);
	if (flags) {
		rill_file_close(s->file);
		bench_must(rill_file_open(s->path, &again, &s->file), "open with O_DIRECT");
	}
	*ret_state = s;
	return 0;
}

static int open_cached(struct rill_runtime *rt, void **ret_state)
{
	return open_with(0, ret_state);
}

static int open_direct(struct rill_runtime *rt, void **ret_state)
{
	return open_with(O_DIRECT, ret_state);
}

static void files_close(void *state)
{
	struct files *s = state;

	rill_file_close(s->file);
	bench_must(rill_fs_remove_dir_all(s->folder), "remove");
	free(s->path);
	free(s->folder);
	free(s);
}

/* ---- random reads by many tasks ---- */

static void *random_reader(void *arg)
{
	struct files *s = arg;
	uint64_t x = rill_self_id() * UINT64_C(0x9e3779b97f4a7c15) | 1;
	char *buf = aligned_alloc(BLOCK, BLOCK);

	for (unsigned i = 0; i < READS_EACH; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		ssize_t n = rill_file_pread(s->file, buf, BLOCK, x % (FILE_BYTES / BLOCK) * BLOCK);

		if (n != BLOCK)
			bench_fail(n < 0 ? (int)n : -EIO, "read");
	}
	free(buf);
	return NULL;
}

static int round_of_random_reads(void *state, uint64_t *ret_ops)
{
	struct rill_task *tasks[DEPTH];

	for (unsigned i = 0; i < DEPTH; i++)
		tasks[i] = bench_spawn(random_reader, state);
	bench_join_all(tasks, DEPTH);
	*ret_ops = DEPTH * READS_EACH;
	return 0;
}

/* ---- one after the other ---- */

static int sequential(struct files *s, bool write, uint64_t *ret_ops)
{
	char *buf = aligned_alloc(BLOCK, STEP);

	memset(buf, 's', STEP);
	for (uint64_t at = 0; at < FILE_BYTES; at += STEP) {
		ssize_t n = write ? rill_file_pwrite(s->file, buf, STEP, at)
				  : rill_file_pread(s->file, buf, STEP, at);

		if (n != STEP)
			bench_fail(n < 0 ? (int)n : -EIO, write ? "write" : "read");
	}
	free(buf);
	*ret_ops = FILE_BYTES / STEP;
	return 0;
}

static int round_of_reads(void *state, uint64_t *ret_ops)
{
	return sequential(state, false, ret_ops);
}

static int round_of_writes(void *state, uint64_t *ret_ops)
{
	return sequential(state, true, ret_ops);
}

/* ---- names ---- */

static int round_of_opens(void *state, uint64_t *ret_ops)
{
	struct files *s = state;
	struct rill_file_info info;
	struct rill_file *f;

	for (unsigned i = 0; i < READS_EACH; i++) {
		bench_must(rill_file_open(s->path, NULL, &f), "open");
		bench_must(rill_file_info(f, &info), "stat");
		bench_must(rill_file_close(f), "close");
	}
	*ret_ops = READS_EACH;
	return 0;
}

struct creator {
	struct files *files;
	unsigned first;
};

static void *create_some(void *arg)
{
	struct creator *c = arg;
	char path[256];

	for (unsigned i = c->first; i < CREATES; i += DEPTH) {
		snprintf(path, sizeof(path), "%s/f%u", c->files->folder, i);
		bench_must(rill_fs_write(path, path, 100), "create");
	}
	for (unsigned i = c->first; i < CREATES; i += DEPTH) {
		snprintf(path, sizeof(path), "%s/f%u", c->files->folder, i);
		bench_must(rill_fs_remove(path), "remove");
	}
	return NULL;
}

/* 100 bytes into each, and removed again. */
static int round_of_creations(void *state, uint64_t *ret_ops)
{
	struct rill_task *tasks[DEPTH];
	struct creator creators[DEPTH];

	for (unsigned i = 0; i < DEPTH; i++) {
		creators[i] = (struct creator){state, i};
		tasks[i] = bench_spawn(create_some, &creators[i]);
	}
	bench_join_all(tasks, DEPTH);
	*ret_ops = CREATES;
	return 0;
}

const struct bench bench_files[] = {
	{.name = "fs_rand4k",
	 .round = round_of_random_reads,
	 .open = open_cached,
	 .close = files_close},
	{.name = "fs_rand4k_direct",
	 .round = round_of_random_reads,
	 .open = open_direct,
	 .close = files_close},
	{.name = "fs_seq_read", .round = round_of_reads, .open = open_cached, .close = files_close},
	{.name = "fs_seq_write",
	 .round = round_of_writes,
	 .open = open_cached,
	 .close = files_close},
	{.name = "fs_open_stat_close",
	 .round = round_of_opens,
	 .open = open_cached,
	 .close = files_close},
	{.name = "fs_create_10k",
	 .round = round_of_creations,
	 .open = open_cached,
	 .close = files_close},
	{.name = NULL},
};
