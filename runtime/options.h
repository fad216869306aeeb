/* SPDX-License-Identifier: BSD-3-Clause */
/* A runtime's options: checked, and with their defaults filled in. */
#ifndef RILL_RUNTIME_OPTIONS_H
#define RILL_RUNTIME_OPTIONS_H

#include <rill/runtime.h>

#include "base/compiler.h"

/*
 * Fills *o by in (NULL: all defaults) and RILL_WORKERS of the environment. Afterwards no field for
 * which 0 stands for a default is 0 but the intervals, which tune themselves, and
 * thread_stack_size; cpus has one entry per worker, or is NULL when no worker is to be pinned.
 * -EINVAL or -ENOMEM, with rill_runtime_error() saying why and *o untouched.
 */
int rill_options_fill(struct rill_runtime_options *o, const struct rill_runtime_options *in);

/* Frees what rill_options_fill() allocated: cpus. */
void rill_options_release(struct rill_runtime_options *o);

/* Sets what rill_runtime_error() says on this thread. Returns -EINVAL. */
int rill_options_fail(const char *fmt, ...) RILL_PRINTF(1, 2);

#endif
