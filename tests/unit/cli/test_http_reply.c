/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/http_reply.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* After those it needs. */
#include <cmocka.h>

static struct rill_http_reply parse_ok(const char *head)
{
	struct rill_http_reply r;

	assert_int_equal(rill_http_parse_reply(head, strlen(head), &r), 0);
	return r;
}

static void test_replies(void **state)
{
	struct rill_http_reply r = parse_ok("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n");

	assert_int_equal(r.status, 200);
	assert_true(r.has_length && r.length == 12 && r.keep_alive && !r.has_coding);
	r = parse_ok("HTTP/1.1 404\r\ncontent-length: 1\r\nConnection: close\r\n\r\n");
	assert_int_equal(r.status, 404);
	assert_false(r.keep_alive);
	r = parse_ok("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n");
	assert_true(r.keep_alive);
	r = parse_ok("HTTP/1.1 200 OK\r\n\r\n");
	assert_true(!r.has_length && !r.keep_alive);
	r = parse_ok("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	assert_true(r.has_coding);
	r = parse_ok("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n");
	assert_true(r.has_length && r.length == 0);
}

static void test_bad_replies(void **state)
{
	static const char *const heads[] = {
		"",
		"\r\n\r\n",
		"HTTP/1.1\r\n\r\n",
		"HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000\r\n\r\n",
		"HTTP/1.1 099 X\r\n\r\n",
		"HTTP/1.1 abc\r\n\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		struct rill_http_reply r;

		if (rill_http_parse_reply(heads[i], strlen(heads[i]), &r) != -EBADMSG)
			fail_msg("%s", heads[i]);
	}
}

static void test_urls(void **state)
{
	static const uint8_t ip[4] = {198, 18, 0, 1};
	struct rill_http_url url;

	assert_null(rill_http_parse_url("http://198.18.0.1:8080/a?b", &url));
	assert_memory_equal(url.addr.ip.bytes, ip, 4);
	assert_int_equal(url.addr.port, 8080);
	assert_string_equal(url.path, "/a?b");
	assert_int_equal(url.host.len, strlen("198.18.0.1:8080"));
	assert_null(rill_http_parse_url("HTTP://198.18.0.1", &url));
	assert_int_equal(url.addr.port, 80);
	assert_string_equal(url.path, "");
}

static void test_bad_urls(void **state)
{
	static const char *const urls[] = {
		"",
		"198.18.0.1/",
		"https://198.18.0.1/",
		"ftp://198.18.0.1/",
		"http://",
		"http:///a",
		"http://:80/",
		"http://example.org/",
		"http://[::1]/",
		"http://::1/",
		"http://198.18.0.1:99999/",
		"http://198.18.0.1:/",
		"http://198.18.0.1?x",
		"http://198.18.0.1/a b",
		"http://198.18.0.1/a#b",
		"http://198.18.0.1/\r\nX: y",
		"http://user@198.18.0.1/",
		"http://198.18.0.1.5/",
		"http://0123456789012345678901234567890123456789012345678901234567890123456789/",
	};

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct rill_http_url url;

		if (!rill_http_parse_url(urls[i], &url))
			fail_msg("%s", urls[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_bad_replies),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_bad_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
