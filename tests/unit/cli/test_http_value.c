/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/http_value.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* After those it needs. */
#include <cmocka.h>

static struct rill_http_slice slice(const char *text)
{
	return (struct rill_http_slice){text, strlen(text)};
}

static void date_is(time_t t, const char *text)
{
	char buf[RILL_HTTP_DATE_LEN];
	time_t back;

	assert_string_equal(rill_http_format_date(t, buf), text);
	assert_int_equal(rill_http_parse_date(slice(text), &back), 0);
	assert_true(back == t);
}

static void test_dates(void **state)
{
	date_is(0, "Thu, 01 Jan 1970 00:00:00 GMT");
	date_is(784111777, "Sun, 06 Nov 1994 08:49:37 GMT");
	date_is(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
	date_is(-1, "Wed, 31 Dec 1969 23:59:59 GMT");
	date_is(253402300799, "Fri, 31 Dec 9999 23:59:59 GMT");
	date_is(4107542400, "Mon, 01 Mar 2100 00:00:00 GMT");
	char buf[RILL_HTTP_DATE_LEN];

	assert_string_equal(rill_http_format_date(INT64_MAX, buf), "Fri, 31 Dec 9999 23:59:59 GMT");
	assert_string_equal(rill_http_format_date(INT64_MIN, buf), "Wed, 01 Mar 0000 00:00:00 GMT");
}

/* Against the C library, over 400 years in odd steps. */
static void test_dates_agree_with_libc(void **state)
{
	for (time_t t = -2208988800; t < 10413792000; t += 86400 * 3 + 4321) {
		char ours[RILL_HTTP_DATE_LEN], theirs[RILL_HTTP_DATE_LEN];
		struct tm tm;
		time_t back;

		gmtime_r(&t, &tm);
		strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		assert_string_equal(rill_http_format_date(t, ours), theirs);
		assert_int_equal(rill_http_parse_date(slice(ours), &back), 0);
		assert_true(back == t);
	}
}

static void test_obsolete_dates(void **state)
{
	time_t t;

	assert_int_equal(rill_http_parse_date(slice("Sunday, 06-Nov-94 08:49:37 GMT"), &t), 0);
	assert_true(t == 784111777);
	assert_int_equal(rill_http_parse_date(slice("Sun Nov  6 08:49:37 1994"), &t), 0);
	assert_true(t == 784111777);
}

static void test_bad_dates(void **state)
{
	static const char *const texts[] = {
		"",
		"x",
		"Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 GMT ",
		"Sun, 06 Nov 1994 08:49:37 CET",
		"Sun, 06 Foo 1994 08:49:37 GMT",
		"Sun, 32 Nov 1994 08:49:37 GMT",
		"Sun, 00 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:49:37 GMT",
		"Sun, 06 Nov 1994 08:60:37 GMT",
		"Sun, 06 Nov 1994 08:49:61 GMT",
		"Sun, +6 Nov 1994 08:49:37 GMT",
		"Sun, -6 Nov 1994 08:49:37 GMT",
		"06 Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMTX",
		"0123456789012345678901234567890123456789",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		time_t t = 7;

		if (rill_http_parse_date(slice(texts[i]), &t) != -EINVAL || t != 7)
			fail_msg("%s", texts[i]);
	}
}

static void range_is(const char *text, uint64_t size, uint64_t first, uint64_t len)
{
	struct rill_http_range r;

	assert_int_equal(rill_http_parse_range(slice(text), size, &r), 0);
	assert_true(r.first == first && r.len == len);
}

static void test_ranges(void **state)
{
	range_is("bytes=0-0", 10, 0, 1);
	range_is("bytes=2-5", 10, 2, 4);
	range_is("bytes=2-", 10, 2, 8);
	range_is("bytes=-3", 10, 7, 3);
	range_is("bytes=-30", 10, 0, 10);
	range_is("bytes=9-30", 10, 9, 1);
	range_is("BYTES=9-18446744073709551615", 10, 9, 1);
	range_is("bytes=18446744073709551614-18446744073709551615", UINT64_MAX, UINT64_MAX - 1, 1);
}

static void test_ranges_not_taken(void **state)
{
	static const char *const ignored[] = {
		"",	      "bytes",	    "bytes=",	     "bytes=-",
		"bytes=5-2",  "bytes=a-b",  "bytes=1-2,4-5", "lines=1-2",
		"bytes=1-2x", "bytes= 1-2", "bytes=+1-2",    "bytes=18446744073709551616-",
		"bytes=--1",
	};
	static const char *const beyond[] = {"bytes=10-", "bytes=10-20", "bytes=-0"};
	struct rill_http_range r;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		assert_int_equal(rill_http_parse_range(slice(ignored[i]), 10, &r), -ENOENT);
	for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++)
		assert_int_equal(rill_http_parse_range(slice(beyond[i]), 10, &r), -ERANGE);
	assert_int_equal(rill_http_parse_range(slice("bytes=0-"), 0, &r), -ERANGE);
	assert_int_equal(rill_http_parse_range(slice("bytes=-5"), 0, &r), -ERANGE);
}

static void path_is(const char *target, const char *path)
{
	char buf[64];

	assert_int_equal(rill_http_target_path(slice(target), buf, sizeof(buf)), 0);
	assert_string_equal(buf, path);
}

static void path_fails(const char *target, int status)
{
	char buf[16];

	if (rill_http_target_path(slice(target), buf, sizeof(buf)) != status)
		fail_msg("%s: not %d", target, status);
}

static void test_paths(void **state)
{
	path_is("/", ".");
	path_is("//", ".");
	path_is("/?q", ".");
	path_is("/a", "a");
	path_is("//a//b/", "a//b/");
	path_is("/a?b/../c", "a");
	path_is("/a%20b%2Fc%2e", "a b/c.");
	path_is("/...", "...");
	path_is("/.a/..b/c..", ".a/..b/c..");
	path_is("http://host/a", "a");
	path_is("HTTP://host", ".");
	path_is("http://host:80/a?b", "a");
	path_is("/%c3%a4", "\xc3\xa4");
}

static void test_bad_paths(void **state)
{
	path_fails("", 400);
	path_fails("a", 400);
	path_fails("*", 400);
	path_fails("?", 400);
	path_fails("host:80", 400);
	path_fails("https://h/", 400);
	path_fails("/%", 400);
	path_fails("/%2", 400);
	path_fails("/%2g", 400);
	path_fails("/%g2", 400);
	path_fails("/a%00", 400);
	path_fails("/..", 404);
	path_fails("/../x", 404);
	path_fails("/a/../b", 404);
	path_fails("/a/..", 404);
	path_fails("/%2e%2E/x", 404);
	path_fails("/a%2f..%2fb", 404);
	path_fails("/%2fetc", 404);
	path_fails("/./a", 404);
	path_fails("/0123456789abcdef", 414);
	/* The longest that fits. */
	path_fails("/0123456789abc.", 0);
}

static void test_media_types(void **state)
{
	assert_string_equal(rill_http_media_type("a/b.html"), "text/html; charset=utf-8");
	assert_string_equal(rill_http_media_type("A.PNG"), "image/png");
	assert_string_equal(rill_http_media_type("a.tar.gz"), "application/gzip");
	assert_string_equal(rill_http_media_type("a.html/b"), "application/octet-stream");
	assert_string_equal(rill_http_media_type("a."), "application/octet-stream");
	assert_string_equal(rill_http_media_type(""), "application/octet-stream");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dates),	       cmocka_unit_test(test_dates_agree_with_libc),
		cmocka_unit_test(test_obsolete_dates), cmocka_unit_test(test_bad_dates),
		cmocka_unit_test(test_ranges),	       cmocka_unit_test(test_ranges_not_taken),
		cmocka_unit_test(test_paths),	       cmocka_unit_test(test_bad_paths),
		cmocka_unit_test(test_media_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
