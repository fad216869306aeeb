/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Valid requests with bytes changed, taken out, doubled and cut off, from a seed: whatever the
 * parser makes of them must be consistent, and the same for any split. RILL_MUTATIONS sets how
 * many.
 */
#include "base/rand.h"
#include "cli/http_reply.h"
#include "cli/http_value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* After those it needs. */
#include <cmocka.h>

#define MUTATIONS 100000
#define TEXT_MAX 1024

/* clang-format off */
static const char *const seeds[] = {
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /a%20b/../c?d=e HTTP/1.1\r\nHost: a\r\nRange: bytes=1-2\r\nConnection: close\r\n\r\n",
	"HEAD http://h/x HTTP/1.0\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
	"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
	"GET /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nIf-Range: Sun Nov  6 08:49:37 1994\r\nRange: bytes=5\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
};
/* clang-format on */

#define SEEDS (sizeof(seeds) / sizeof(seeds[0]))

static size_t mutate_once(struct rill_rand *rand, char *text, size_t len)
{
	static const char special[] = "\r\n\t :,;/%.-=+#?0\x7f\x80\xff";
	size_t at = len ? rill_rand_below(rand, (uint32_t)len) : 0;
	size_t n = 1 + rill_rand_below(rand, 8);

	if (!len)
		return 0;
	switch (rill_rand_below(rand, 5)) {
	case 0:
		text[at] = (char)rill_rand_below(rand, 256);
		return len;
	case 1:
		/* The terminating zero takes part. */
		text[at] = special[rill_rand_below(rand, sizeof(special))];
		return len;
	case 2:
		if (n > len - at)
			n = len - at;
		memmove(text + at, text + at + n, len - at - n);
		return len - n;
	case 3:
		if (n > len - at || len + n > TEXT_MAX)
			return len;
		memmove(text + at + n, text + at, len - at);
		return len + n;
	default:
		return at;
	}
}

static bool within(struct rill_http_slice s, const char *text, size_t len)
{
	return !s.data || (s.data >= text && s.data + s.len <= text + len);
}

static void check_values(const struct rill_http_request *r)
{
	char path[TEXT_MAX];
	struct rill_http_range range;
	time_t t;

	if (rill_http_target_path(r->target, path, sizeof(path)) == 0) {
		assert_true(path[0] && path[0] != '/');
		assert_null(strstr(path, "/../"));
		assert_true(strlen(path) <= r->target.len || !strcmp(path, "."));
	}
	if (r->range.data && rill_http_parse_range(r->range, 1000, &range) == 0)
		assert_true(range.len > 0 && range.first + range.len <= 1000);
	if (r->if_modified_since.data)
		rill_http_parse_date(r->if_modified_since, &t);
	if (r->if_range.data)
		rill_http_parse_date(r->if_range, &t);
}

static void check_request(const char *head, size_t len)
{
	struct rill_http_request r;
	struct rill_http_reply reply;
	int status = rill_http_parse_request(head, len, &r);

	rill_http_parse_reply(head, len, &reply);
	if (status) {
		assert_true(status == 400 || status == 431 || status == 501 || status == 505);
		return;
	}
	assert_true(within(r.target, head, len) && r.target.len > 0);
	assert_true(within(r.host, head, len) && within(r.range, head, len));
	assert_true(within(r.if_range, head, len) && within(r.if_modified_since, head, len));
	assert_false(r.has_length && r.has_coding);
	assert_true(r.minor == 0 || r.host.data);
	check_values(&r);
}

/* The answer must not depend on how the bytes came. */
static ssize_t find_in_steps(struct rill_rand *rand, const char *text, size_t len)
{
	struct rill_http_scan scan = {0};
	size_t have = 0;

	for (;;) {
		ssize_t n = rill_http_find_head(&scan, text, have);

		if (n || have == len)
			return n;
		have += 1 + rill_rand_below(rand, (uint32_t)(len - have));
	}
}

static void one_mutation(struct rill_rand *rand)
{
	const char *seed = seeds[rill_rand_below(rand, SEEDS)];
	size_t len = strlen(seed);
	unsigned count = 1 + rill_rand_below(rand, 6);
	struct rill_http_scan scan = {0};
	char text[TEXT_MAX], *exact;
	ssize_t n;

	memcpy(text, seed, len);
	for (unsigned i = 0; i < count; i++)
		len = mutate_once(rand, text, len);
	/* A copy of just its size, so that the sanitizer sees a byte read beyond it. */
	exact = malloc(len ? len : 1);
	assert_non_null(exact);
	memcpy(exact, text, len);
	n = rill_http_find_head(&scan, exact, len);
	assert_int_equal(find_in_steps(rand, exact, len), n);
	assert_true(n <= (ssize_t)len);
	if (n > 0)
		check_request(exact, (size_t)n);
	/* Also what was never found to be a head. */
	check_request(exact, len);
	free(exact);
}

static void test_mutations(void **state)
{
	const char *wanted = getenv("RILL_MUTATIONS");
	unsigned long count = wanted ? strtoul(wanted, NULL, 10) : MUTATIONS;
	struct rill_rand rand;

	rill_rand_init(&rand, 1);
	for (unsigned long i = 0; i < count; i++)
		one_mutation(&rand);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
