/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/http_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* After those it needs. */
#include <cmocka.h>

#define NOW 784111777
#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define HEAD(status) "HTTP/1.1 " status "\r\nDate: " DATE "\r\nServer: rill\r\n"

static void head_is(struct rill_http_response r, const char *text)
{
	char buf[RILL_HTTP_RESPONSE_MAX];

	assert_int_equal(rill_http_format_response(&r, NOW, buf), strlen(text));
	assert_string_equal(buf, text);
}

static void test_ok(void **state)
{
	head_is((struct rill_http_response){.status = 200,
					    .minor = 1,
					    .keep_alive = true,
					    .type = "image/png",
					    .length = 5,
					    .has_modified = true,
					    .modified = NOW},
		HEAD("200 OK") "Last-Modified: " DATE "\r\nContent-Type: image/png\r\n"
			       "Content-Length: 5\r\nAccept-Ranges: bytes\r\n\r\n");
}

static void test_partial(void **state)
{
	head_is((struct rill_http_response){.status = 206,
					    .minor = 1,
					    .length = 5,
					    .size = 100,
					    .range = {.first = 10, .len = 5}},
		HEAD("206 Partial Content") "Content-Type: text/plain; charset=utf-8\r\n"
					    "Content-Length: 5\r\nContent-Range: bytes "
					    "10-14/100\r\n"
					    "Connection: close\r\n\r\n");
	head_is(
		(struct rill_http_response){
			.status = 416, .minor = 1, .keep_alive = true, .length = 5, .size = 100},
		HEAD("416 Range Not Satisfiable") "Content-Type: text/plain; charset=utf-8\r\n"
						  "Content-Length: 5\r\n"
						  "Content-Range: bytes */100\r\n\r\n");
}

static void test_not_modified_has_no_content(void **state)
{
	head_is((struct rill_http_response){.status = 304,
					    .minor = 0,
					    .keep_alive = true,
					    .has_modified = true,
					    .modified = 0},
		HEAD("304 Not Modified") "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
					 "Connection: keep-alive\r\n\r\n");
}

static void test_not_allowed_says_what_is(void **state)
{
	head_is((struct rill_http_response){.status = 405, .minor = 1, .keep_alive = true},
		HEAD("405 Method Not Allowed") "Content-Type: text/plain; charset=utf-8\r\n"
					       "Content-Length: 0\r\nAllow: GET, HEAD\r\n\r\n");
}

/* Every field at its longest. */
static void test_the_longest_fits(void **state)
{
	char buf[RILL_HTTP_RESPONSE_MAX];
	struct rill_http_response r = {
		.status = 206,
		.type = "text/javascript; charset=utf-8",
		.length = UINT64_MAX,
		.has_modified = true,
		.size = UINT64_MAX,
		.range = {.first = UINT64_MAX - 1, .len = 1},
	};
	size_t len = rill_http_format_response(&r, NOW, buf);

	assert_true(len < sizeof(buf));
	assert_int_equal(strlen(buf), len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ok),
		cmocka_unit_test(test_partial),
		cmocka_unit_test(test_not_modified_has_no_content),
		cmocka_unit_test(test_not_allowed_says_what_is),
		cmocka_unit_test(test_the_longest_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
