/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of files share: every case runs in each way that a call can take (the ring of a
 * worker of its own, the ring of a driven runtime, blocking threads, a plain thread), in an empty
 * folder, and leaves no descriptor behind.
 */
#ifndef RILL_TESTS_UNIT_FS_FS_TEST_H
#define RILL_TESTS_UNIT_FS_FS_TEST_H

#include <errno.h>
#include <rill/rill.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

/* Asserts inside tasks: cmocka's would jump off the task's stack. */
#define CHECK(a, op, b) RILL_ASSERT_CMP(a, op, b)
#define CHECK_OK(call) CHECK(call, ==, 0)

/* Runs fn(folder) in each way. */
void fs_in_each_way(void *(*fn)(void *folder));
/* The same, but for the plain thread. */
void fs_in_tasks(void *(*fn)(void *folder));
/* The same, but for blocking threads too: for calls that have to be cancelled on their way. */
void fs_by_ring(void *(*fn)(void *folder));
/* "folder/name", in memory that is used anew by the fourth next call. */
const char *fs_path(const char *folder, const char *name);
/* Descriptors of this process now. */
unsigned fs_descriptors(void);

#endif
