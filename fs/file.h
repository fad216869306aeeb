/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef RILL_FS_FILE_H
#define RILL_FS_FILE_H

#include <rill/fs.h>

#include <sys/stat.h>

struct rill_file {
	int fd;
};

/* What statx(2) is asked for, and its answer in our words. */
#define RILL_FS_STATX_MASK (STATX_BASIC_STATS | STATX_BTIME | STATX_DIOALIGN)
void rill_file_info_fill(struct rill_file_info *info, const struct statx *st);

#endif
