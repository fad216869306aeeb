/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/http_parse.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* After those it needs. */
#include <cmocka.h>

#define HOST "Host: a\r\n"
#define END "\r\n"

static struct rill_http_request parse_ok(const char *head)
{
	struct rill_http_scan scan = {0};
	struct rill_http_request r;

	assert_int_equal(rill_http_find_head(&scan, head, strlen(head)), strlen(head));
	assert_int_equal(rill_http_parse_request(head, strlen(head), &r), 0);
	return r;
}

static void parse_fails(const char *head, int status)
{
	struct rill_http_request r, before;

	memset(&r, 0x5a, sizeof(r));
	before = r;
	if (rill_http_parse_request(head, strlen(head), &r) != status)
		fail_msg("%s: not %d", head, status);
	assert_memory_equal(&r, &before, sizeof(r));
}

static void slice_equals(struct rill_http_slice s, const char *text)
{
	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(s.data, text, s.len);
}

static void test_a_plain_get(void **state)
{
	struct rill_http_request r = parse_ok("GET /a?b=c HTTP/1.1\r\nHost: h:80\r\n"
					      "Range: bytes=0-1 \r\nX-Other:\r\n\r\n");

	assert_int_equal(r.method, RILL_HTTP_GET);
	slice_equals(r.target, "/a?b=c");
	assert_int_equal(r.minor, 1);
	assert_true(r.keep_alive);
	assert_int_equal(r.fields, 3);
	slice_equals(r.host, "h:80");
	slice_equals(r.range, "bytes=0-1");
	assert_null(r.if_range.data);
	assert_false(r.has_length);
}

static void test_methods_have_a_case(void **state)
{
	assert_int_equal(parse_ok("HEAD / HTTP/1.1\r\n" HOST END).method, RILL_HTTP_HEAD);
	assert_int_equal(parse_ok("POST / HTTP/1.1\r\n" HOST END).method, RILL_HTTP_OTHER);
	assert_int_equal(parse_ok("get / HTTP/1.1\r\n" HOST END).method, RILL_HTTP_OTHER);
	assert_int_equal(parse_ok("GETS / HTTP/1.1\r\n" HOST END).method, RILL_HTTP_OTHER);
}

static void test_keep_alive(void **state)
{
	assert_true(parse_ok("GET / HTTP/1.1\r\n" HOST END).keep_alive);
	assert_true(parse_ok("GET / HTTP/1.2\r\n" HOST END).keep_alive);
	assert_false(parse_ok("GET / HTTP/1.0\r\n" END).keep_alive);
	assert_true(parse_ok("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n" END).keep_alive);
	assert_false(parse_ok("GET / HTTP/1.1\r\nConnection: CLOSE\r\n" HOST END).keep_alive);
	assert_false(parse_ok("GET / HTTP/1.1\r\nConnection: x ,, close,\r\n" HOST END).keep_alive);
	assert_false(parse_ok("GET / HTTP/1.1\r\nConnection: close\r\n"
			      "Connection: keep-alive\r\n" HOST END)
			     .keep_alive);
	assert_true(parse_ok("GET / HTTP/1.1\r\nConnection: closed\r\n" HOST END).keep_alive);
}

static void test_bodies(void **state)
{
	struct rill_http_request r;

	r = parse_ok("GET / HTTP/1.1\r\ncontent-length: 18446744073709551615\r\n" HOST END);
	assert_true(r.has_length);
	assert_true(r.content_length == UINT64_MAX);
	r = parse_ok("GET / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n" HOST END);
	assert_true(r.has_coding && r.chunked);
	r = parse_ok("GET / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n" HOST END);
	assert_true(r.expects_continue);
}

static void test_bad_lengths_and_codings(void **state)
{
	static const char *const lengths[] = {
		"", "-1", "+1", "1 1", "0x1", "1,1", "1.0", "a", "18446744073709551616"};
	char head[256];

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nContent-Length: %s\r\n" HOST END,
			 lengths[i]);
		parse_fails(head, 400);
	}
	parse_fails("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n" HOST END, 400);
	parse_fails(
		"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n" HOST END,
		400);
	parse_fails(
		"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n" HOST END,
		400);
	parse_fails("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
		    "chunked\r\n" HOST END,
		    400);
	parse_fails("GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n" HOST END, 501);
	parse_fails("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END, 400);
}

static void test_host(void **state)
{
	slice_equals(parse_ok("GET / HTTP/1.1\r\nHost:\r\n" END).host, "");
	parse_ok("GET / HTTP/1.0\r\n" END);
	parse_fails("GET / HTTP/1.1\r\n" END, 400);
	parse_fails("GET / HTTP/1.1\r\n" HOST HOST END, 400);
	parse_fails("GET / HTTP/1.1\r\nHost: a b\r\n" END, 400);
	parse_fails("GET / HTTP/1.1\r\nHost: a,b\r\n" END, 400);
	parse_fails("GET / HTTP/1.1\r\nHost: a/b\r\n" END, 400);
}

static void test_bad_request_lines(void **state)
{
	static const char *const lines[] = {
		"",
		"GET",
		"GET /",
		"GET  / HTTP/1.1",
		"GET /  HTTP/1.1",
		" GET / HTTP/1.1",
		"GET / HTTP/1.1 ",
		"GET /a b HTTP/1.1",
		"GET / HTTP/1",
		"GET / HTTP/1.",
		"GET / http/1.1",
		"GET / HTTP/1.11",
		"GET / HTTP/a.1",
		"GET / HTTP/1.a",
		"GET / HTTP/1,1",
		"G(T / HTTP/1.1",
		"GET\t/\tHTTP/1.1",
		"GET /\x01 HTTP/1.1",
		"GET /\x7f HTTP/1.1",
		"GET /\xc3\xa4 HTTP/1.1",
		"GET /#x HTTP/1.1",
		"GET / XTTP/1.1",
		"GET /\r HTTP/1.1",
		" / HTTP/1.1",
	};
	char head[256];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(head, sizeof(head), "%s\r\n" HOST END, lines[i]);
		parse_fails(head, 400);
	}
	parse_fails("GET / HTTP/2.0\r\n" HOST END, 505);
	parse_fails("GET / HTTP/0.9\r\n" HOST END, 505);
	parse_fails("", 400);
}

static void test_bad_fields(void **state)
{
	static const char *const fields[] = {
		"no colon",
		": no name",
		"space : x",
		"tab\t: x",
		" folded: x",
		"\tfolded",
		"a: b\rc",
		"a: \x01",
		"a: \x7f",
		"a\x80: b",
		"a(b): c",
		"a: b\nc",
		"Range: a\r\nRange: b",
		"If-Range: a\r\nIf-Range: b",
		"If-Modified-Since: a\r\nIf-Modified-Since: b",
	};
	char head[256];

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		snprintf(head, sizeof(head), "GET / HTTP/1.1\r\n" HOST "%s\r\n\r\n", fields[i]);
		parse_fails(head, 400);
	}
	/* Not terminated, and more than the head. */
	parse_fails("GET / HTTP/1.1\r\n" HOST "\r\nX: y\r\n", 400);
	/* A zero byte inside. */
	static const char zero[] = "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n";
	struct rill_http_request r;

	assert_int_equal(rill_http_parse_request(zero, sizeof(zero) - 1, &r), 400);
	/* Above ASCII is fine (RFC 9110, 5.5: obs-text). */
	parse_ok("GET / HTTP/1.1\r\nX: \xc3\xa4\r\n" HOST END);
}

static void test_too_many_fields(void **state)
{
	char *head = malloc(RILL_HTTP_HEAD_MAX);
	size_t len = (size_t)sprintf(head, "GET / HTTP/1.1\r\n" HOST);
	struct rill_http_request r;

	for (int i = 1; i < RILL_HTTP_FIELDS_MAX; i++)
		len += (size_t)sprintf(head + len, "X: y\r\n");
	sprintf(head + len, END);
	assert_int_equal(rill_http_parse_request(head, len + 2, &r), 0);
	len += (size_t)sprintf(head + len, "X: y\r\n" END);
	assert_int_equal(rill_http_parse_request(head, len, &r), 431);
	free(head);
}

/* However the bytes arrive, the head is found in the same place. */
static void test_split_at_every_byte(void **state)
{
	static const char two[] = "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\n";
	size_t head = strlen("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");

	for (size_t first = 0; first < head; first++) {
		struct rill_http_scan scan = {0};

		assert_int_equal(rill_http_find_head(&scan, two, first), 0);
		assert_int_equal(rill_http_find_head(&scan, two, sizeof(two) - 1), head);
	}
	struct rill_http_scan scan = {0};

	for (size_t len = 0; len < head; len++)
		assert_int_equal(rill_http_find_head(&scan, two, len), 0);
	assert_int_equal(rill_http_find_head(&scan, two, head), head);
}

static void test_pipelined(void **state)
{
	const char *text = "GET /a HTTP/1.1\r\nHost: a\r\n\r\nHEAD /b HTTP/1.1\r\nHost: b\r\n\r\n";
	size_t left = strlen(text);
	struct rill_http_request r;
	unsigned count = 0;

	while (left) {
		struct rill_http_scan scan = {0};
		ssize_t n = rill_http_find_head(&scan, text, left);

		assert_true(n > 0);
		assert_int_equal(rill_http_parse_request(text, (size_t)n, &r), 0);
		slice_equals(r.target, count++ ? "/b" : "/a");
		text += n;
		left -= (size_t)n;
	}
	assert_int_equal(count, 2);
}

static ssize_t find(const char *text, size_t len)
{
	struct rill_http_scan scan = {0};

	return rill_http_find_head(&scan, text, len);
}

static void test_bare_line_feeds(void **state)
{
	assert_int_equal(find("\n", 1), -400);
	assert_int_equal(find("GET / HTTP/1.1\n", 15), -400);
	assert_int_equal(find("GET / HTTP/1.1\r\nA: b\n", 21), -400);
	assert_int_equal(find("A: b\r\n\n", 7), -400);
}

static void test_over_long(void **state)
{
	char *text = malloc(RILL_HTTP_HEAD_MAX + 4);

	memset(text, 'a', RILL_HTTP_HEAD_MAX + 4);
	assert_int_equal(find(text, RILL_HTTP_LINE_MAX), 0);
	assert_int_equal(find(text, RILL_HTTP_LINE_MAX + 1), -414);
	/* The longest line that is allowed, then an endless field. */
	memcpy(text + RILL_HTTP_LINE_MAX - 2, "\r\n", 2);
	assert_int_equal(find(text, RILL_HTTP_HEAD_MAX), 0);
	assert_int_equal(find(text, RILL_HTTP_HEAD_MAX + 1), -431);
	memcpy(text + RILL_HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
	assert_int_equal(find(text, RILL_HTTP_HEAD_MAX + 4), RILL_HTTP_HEAD_MAX);
	/* One byte too many for the line, with its end in sight. */
	memcpy(text + RILL_HTTP_LINE_MAX - 2, "a\r\n", 3);
	assert_int_equal(find(text, RILL_HTTP_HEAD_MAX), -414);
	free(text);
}

static void test_lists(void **state)
{
	struct rill_http_slice list = {" ,a, b c\t,,d", 12}, e;

	assert_true(rill_http_next_element(&list, &e));
	slice_equals(e, "a");
	assert_true(rill_http_next_element(&list, &e));
	slice_equals(e, "b c");
	assert_true(rill_http_next_element(&list, &e));
	slice_equals(e, "d");
	assert_false(rill_http_next_element(&list, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_plain_get),
		cmocka_unit_test(test_methods_have_a_case),
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_bad_lengths_and_codings),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_bad_request_lines),
		cmocka_unit_test(test_bad_fields),
		cmocka_unit_test(test_too_many_fields),
		cmocka_unit_test(test_split_at_every_byte),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_bare_line_feeds),
		cmocka_unit_test(test_over_long),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
