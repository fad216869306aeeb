/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files below a root directory, read by tasks. Everything that may block in the kernel runs on the
 * blocking pool. Nothing above the root can be reached, not by symbolic links either.
 */
#ifndef RILL_CLI_HTTP_FILE_H
#define RILL_CLI_HTTP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* Read and sent in pieces of this size; a file that is no larger is read whole when it is opened.
 */
#define RILL_HTTP_CHUNK_LEN (256 * 1024)
/* Free bytes before each piece, so that the head of a response goes out with the first one. */
#define RILL_HTTP_HEADROOM 1024
/* What a directory is answered with. */
#define RILL_HTTP_INDEX "index.html"

struct rill_http_file {
	uint64_t size;
	time_t modified;
	bool is_index; /* path named a directory */
	int fd;	       /* -1: the whole file is in data */
	char *data;    /* the current piece, after RILL_HTTP_HEADROOM bytes */
	char *memory;
};

/* A plain thread opens the root. A file descriptor, or negative errno. */
int rill_http_root_open(const char *dir);

/*
 * Opens path below root, or the index file when it names a directory. -ENOENT (also for what is
 * outside the root, or neither file nor directory), -EACCES, other errno.
 */
int rill_http_file_open(int root, const char *path, struct rill_http_file *ret_file);
/*
 * Makes the bytes from offset on available at *ret_data, up to len or a piece: returns how many. 0:
 * the file has become shorter. Negative errno.
 */
ssize_t rill_http_file_read(struct rill_http_file *file, uint64_t offset, uint64_t len,
			    char **ret_data);
void rill_http_file_close(struct rill_http_file *file);

#endif
