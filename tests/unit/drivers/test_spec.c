/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/spec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/driver.h"

static const char *const colours[] = {"red", "blue", NULL};
static uint64_t count, chance, colour;
static char name[RILL_SPEC_NAME_LEN];
static char place[16];
static char error[RILL_NIC_ERROR_LEN];

static int parse(const char *spec)
{
	const struct rill_spec_key keys[] = {
		{"count", RILL_SPEC_UINT, &count, 2, 100},
		{"chance", RILL_SPEC_PROB, &chance},
		{"colour", RILL_SPEC_CHOICE, &colour, .choices = colours},
		{"place", RILL_SPEC_TEXT, .text = place, .max = sizeof(place)},
	};

	count = 7;
	chance = 0;
	colour = 0;
	error[0] = 0;
	return rill_spec_parse("toy", spec, keys, RILL_ARRAY_SIZE(keys), name, error);
}

static void test_name_alone(void **state)
{
	assert_int_equal(parse("eth0"), 0);
	assert_string_equal(name, "eth0");
	assert_int_equal(count, 7);
}

static void test_all_types(void **state)
{
	assert_int_equal(parse("x,count=100,chance=0.25,colour=blue"), 0);
	assert_string_equal(name, "x");
	assert_int_equal(count, 100);
	assert_int_equal(chance, RILL_SPEC_PROB_ONE / 4);
	assert_int_equal(colour, 1);
}

static void test_probabilities(void **state)
{
	assert_int_equal(parse("x,chance=1"), 0);
	assert_int_equal(chance, RILL_SPEC_PROB_ONE);
	assert_int_equal(parse("x,chance=0"), 0);
	assert_int_equal(chance, 0);
	assert_int_equal(parse("x,chance=.5"), 0);
	assert_int_equal(chance, RILL_SPEC_PROB_ONE / 2);
	assert_int_equal(parse("x,chance=1.0"), 0);
}

static void expect_error(const char *spec, const char *first, const char *second)
{
	assert_int_equal(parse(spec), -EINVAL);
	if (!strstr(error, first) || !strstr(error, second))
		fail_msg("%s: '%s' lacks '%s' or '%s'", spec, error, first, second);
}

static void test_errors_name_the_key_and_what_is_allowed(void **state)
{
	expect_error("x,size=3", "'size'", "count chance colour");
	expect_error("x,count", "count", "from 2 to 100");
	expect_error("x,count=", "count", "from 2 to 100");
	expect_error("x,count=1", "'1'", "from 2 to 100");
	expect_error("x,count=101", "'101'", "from 2 to 100");
	expect_error("x,count=-3", "'-3'", "from 2 to 100");
	expect_error("x,count=18446744073709551621", "count", "from 2 to 100");
	expect_error("x,chance=1.1", "chance", "probability");
	expect_error("x,chance=0.5.5", "chance", "probability");
	expect_error("x,chance=.", "chance", "probability");
	expect_error("x,colour=green", "'green'", "red, blue");
	expect_error("x,", "unknown option ''", "count chance colour");
	expect_error("x,count=5,,", "unknown option ''", "count chance colour");
	expect_error("", "toy", "1 to 31");
	expect_error(",count=5", "toy", "1 to 31");
	expect_error("a-name-that-is-longer-than-it-can-be", "toy", "1 to 31");
}

static void test_open_tells_the_drivers(void **state)
{
	struct rill_nic *nic;

	assert_int_equal(rill_nic_open("ne2000:x", 1, &nic, error), -EINVAL);
	assert_non_null(strstr(error, "'ne2000'"));
	for (const struct rill_driver *const *d = rill_drivers; *d; d++)
		assert_non_null(strstr(error, (*d)->name));
	assert_int_equal(rill_nic_open("mem", 1, &nic, error), -EINVAL);
	assert_non_null(strstr(error, "mem:name"));
	assert_int_equal(rill_nic_open("mem:", 1, &nic, error), -EINVAL);
	assert_int_equal(rill_nic_open("mem:x", 0, &nic, error), -EINVAL);
	assert_int_equal(rill_nic_open("mem:x", RILL_NIC_QUEUES_MAX + 1, &nic, error), -EINVAL);
	assert_non_null(strstr(error, "1 to 64"));
	rill_nic_close(NULL);
}

static void test_driver_missing_from_the_build(void **state)
{
	struct rill_nic *nic;
	int err = rill_nic_open("af_xdp:no-such-interface", 1, &nic, error);

#ifdef RILL_HAVE_AF_XDP
	assert_true(err < 0);
	assert_null(strstr(error, "this build"));
#else
	assert_int_equal(err, -ENOTSUP);
	assert_non_null(strstr(error, "this build has no af_xdp driver: "));
#endif
}

static void test_texts(void **state)
{
	assert_int_equal(parse("x,place=/run/netns/a-b"), 0);
	assert_string_equal(place, "/run/netns/a-b");
	assert_int_equal(parse("x,place=123456789012345"), 0);
	expect_error("x,place=1234567890123456", "place", "1 to 15 letters");
	expect_error("x,place=", "place", "1 to 15 letters");
	expect_error("x,place", "place", "1 to 15 letters");
}

static unsigned distance(const char *a, const char *b)
{
	return rill_spec_distance(a, strlen(a), b);
}

static void test_distances(void **state)
{
	assert_int_equal(distance("", ""), 0);
	assert_int_equal(distance("mtu", "mtu"), 0);
	assert_int_equal(distance("mut", "mtu"), 1);
	assert_int_equal(distance("mt", "mtu"), 1);
	assert_int_equal(distance("mttu", "mtu"), 1);
	assert_int_equal(distance("mto", "mtu"), 1);
	assert_int_equal(distance("", "frames"), 6);
	assert_int_equal(distance("kitten", "sitting"), 3);
	/* far more than there is room for */
	char long_word[200];

	memset(long_word, 'a', sizeof(long_word));
	assert_int_equal(rill_spec_distance(long_word, sizeof(long_word), "a"), 30);
}

static void test_errors_say_what_may_be_meant(void **state)
{
	expect_error("x,cuont=3", "'cuont'", "did you mean 'count'?");
	expect_error("x,chanse=0", "'chanse'", "did you mean 'chance'?");
	expect_error("x,colour=bleu", "'bleu'", "did you mean 'blue'?");
	assert_int_equal(parse("x,banana=3"), -EINVAL);
	assert_null(strstr(error, "did you mean"));
	assert_int_equal(parse("x,colour=green"), -EINVAL);
	assert_null(strstr(error, "did you mean"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_alone),
		cmocka_unit_test(test_all_types),
		cmocka_unit_test(test_probabilities),
		cmocka_unit_test(test_errors_name_the_key_and_what_is_allowed),
		cmocka_unit_test(test_open_tells_the_drivers),
		cmocka_unit_test(test_driver_missing_from_the_build),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_distances),
		cmocka_unit_test(test_errors_say_what_may_be_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
