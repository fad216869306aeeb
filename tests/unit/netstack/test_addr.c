/* SPDX-License-Identifier: BSD-3-Clause */
#include <rill/net.h>

#include "base/compiler.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_round_trip(void **state)
{
	const char *texts[] = {"198.18.0.1:80", "0.0.0.0:0",	     "255.255.255.255:65535",
			       "[::1]:80",	"[2001:db8::1]:443", "[::ffff:1.2.3.4]:1"};
	char buf[RILL_ADDR_STRLEN];

	for (size_t i = 0; i < RILL_ARRAY_SIZE(texts); i++) {
		struct rill_addr a;

		assert_int_equal(rill_addr_parse(texts[i], &a), 0);
		assert_ptr_equal(rill_addr_format(&a, buf), buf);
		assert_string_equal(buf, texts[i]);
	}
}

static void test_forms(void **state)
{
	struct rill_addr a;
	const uint8_t v4[16] = {198, 18, 0, 1};
	const uint8_t zero[16] = {0};

	assert_int_equal(rill_addr_parse("198.18.0.1", &a), 0);
	assert_int_equal(a.ip.family, RILL_AF_IP4);
	assert_int_equal(a.port, 0);
	assert_memory_equal(a.ip.bytes, v4, 16);
	assert_int_equal(rill_addr_parse(":80", &a), 0);
	assert_int_equal(a.ip.family, RILL_AF_IP4);
	assert_memory_equal(a.ip.bytes, zero, 16);
	assert_int_equal(a.port, 80);
	assert_int_equal(rill_addr_parse("fe80::1", &a), 0);
	assert_int_equal(a.ip.family, RILL_AF_IP6);
	assert_int_equal(a.port, 0);
	assert_int_equal(rill_addr_parse("[fe80::1]", &a), 0);
	assert_int_equal(rill_addr_parse("::", &a), 0);
}

static void test_refused(void **state)
{
	const char *texts[] = {
		"",
		"1",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.256",
		"01.2.3.4",
		"1.2.3.4:",
		":",
		"1.2.3.4:65536",
		"1.2.3.4:-1",
		"1.2.3.4:+1",
		"1.2.3.4: 1",
		"1.2.3.4:1x",
		" 1.2.3.4",
		"1.2.3.4 ",
		"a.b.c.d",
		"[1.2.3.4]:80",
		"[::1",
		"[::1]80",
		"[::1]:",
		"::1]:80",
		"[]:80",
		":::",
		"0x1.2.3.4",
		"1.2.3.4:99999999999999999999",
		"1111111111111111111111111111111111111111111111111111111111111111",
	};
	struct rill_addr a, before;

	memset(&a, 0xa5, sizeof(a));
	before = a;
	for (size_t i = 0; i < RILL_ARRAY_SIZE(texts); i++)
		if (rill_addr_parse(texts[i], &a) != -EINVAL)
			fail_msg("accepted \"%s\"", texts[i]);
	assert_int_equal(rill_addr_parse(NULL, &a), -EINVAL);
	assert_memory_equal(&a, &before, sizeof(a));
}

static void test_cidr(void **state)
{
	const char *refused[] = {"",	     "1.2.3.4",	   "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1",
				 "1.2.3/24", "1.2.3.4/8 ", "/8",       "::1/129",    "1.2.3.4/8/8"};
	struct rill_ip ip;
	unsigned prefix;

	assert_int_equal(rill_cidr_parse("198.18.0.1/24", &ip, &prefix), 0);
	assert_int_equal(ip.family, RILL_AF_IP4);
	assert_int_equal(prefix, 24);
	assert_int_equal(rill_cidr_parse("0.0.0.0/0", &ip, &prefix), 0);
	assert_int_equal(prefix, 0);
	assert_int_equal(rill_cidr_parse("2001:db8::1/64", &ip, &prefix), 0);
	assert_int_equal(ip.family, RILL_AF_IP6);
	assert_int_equal(prefix, 64);
	for (size_t i = 0; i < RILL_ARRAY_SIZE(refused); i++)
		if (rill_cidr_parse(refused[i], &ip, &prefix) != -EINVAL)
			fail_msg("accepted \"%s\"", refused[i]);
	assert_int_equal(rill_cidr_parse(NULL, &ip, &prefix), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cidr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
