/* SPDX-License-Identifier: BSD-3-Clause */
/* Values inside HTTP messages: dates, byte ranges, paths, media types. Pure functions. */
#ifndef RILL_CLI_HTTP_VALUE_H
#define RILL_CLI_HTTP_VALUE_H

#include "cli/http_parse.h"

#include <time.h>

/* "Sun, 06 Nov 1994 08:49:37 GMT" and its 0. */
#define RILL_HTTP_DATE_LEN 30

/*
 * Writes an IMF-fixdate (RFC 9110, 5.6.7) into buf (RILL_HTTP_DATE_LEN bytes) and returns it. Times
 * outside the years 0 to 9999 become the nearest that is inside.
 */
const char *rill_http_format_date(time_t t, char *buf);
/* All three forms of RFC 9110, 5.6.7. 0 or -EINVAL. */
int rill_http_parse_date(struct rill_http_slice s, time_t *ret_time);

struct rill_http_range {
	uint64_t first;
	uint64_t len;
};

/*
 * One range of a file of size bytes (RFC 9110, 14.1.2). 0 with the range; -ENOENT: the field is to
 * be ignored (another unit, several ranges, not well formed); -ERANGE: nothing of it exists, 416.
 */
int rill_http_parse_range(struct rill_http_slice s, uint64_t size,
			  struct rill_http_range *ret_range);

/*
 * The path of a target, relative to the root ("." for the root itself), decoded, terminated,
 * without its query, into buf (cap bytes). 0, or the status: 400 (neither origin nor absolute form,
 * bad escape, a zero byte), 404 (a "." or ".." segment), 414 (does not fit).
 */
int rill_http_target_path(struct rill_http_slice target, char *buf, size_t cap);

/* By the extension of path; "application/octet-stream" when it is not known. Never NULL. */
const char *rill_http_media_type(const char *path);

#endif
