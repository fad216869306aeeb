/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every public header of rill shares.
 *
 * Conventions that hold for the whole API:
 *  - errors are negative errno values; 0 or a count is success;
 *  - times are nanoseconds on one monotonic clock (rill_now()), durations are nanoseconds;
 *  - results come last, in parameters called ret_*, and are left alone on failure;
 *  - option structs begin with their size (RILL_OPTIONS fills it in), so that they may grow;
 *  - pointers to opaque structs are owned by whoever got them from a create, open or connect call.
 */
#ifndef RILL_BASE_H
#define RILL_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
#define RILL_BEGIN_DECLS extern "C" {
#define RILL_END_DECLS }
#else
#define RILL_BEGIN_DECLS
#define RILL_END_DECLS
#endif

/* Exported from librill.so; everything else is hidden. */
#define RILL_API __attribute__((visibility("default")))
#define RILL_MUST_USE __attribute__((warn_unused_result))
#define RILL_NORETURN __attribute__((noreturn))

#define RILL_NS UINT64_C(1)
#define RILL_US UINT64_C(1000)
#define RILL_MS UINT64_C(1000000)
#define RILL_SEC UINT64_C(1000000000)

/* A deadline that never comes. */
#define RILL_FOREVER UINT64_MAX

/* First initialiser of every option struct: struct rill_x_options o = {RILL_OPTIONS(o), .f = v}. */
#define RILL_OPTIONS(var) .size = sizeof(var)

#endif
