/* SPDX-License-Identifier: BSD-3-Clause */
/* What trying a NIC in memory says of it. */
#include <errno.h>
#include <rill/caps.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct rill_caps caps;

static const struct rill_caps_fact *fact(const char *name)
{
	const struct rill_caps_fact *found = NULL;

	for (unsigned i = 0; i < caps.fact_count; i++) {
		if (strcmp(caps.facts[i].name, name) != 0)
			continue;
		/* each is there once */
		assert_null(found);
		found = &caps.facts[i];
	}
	assert_non_null(found);
	return found;
}

static void test_what_works(void **state)
{
	char error[RILL_CAPS_ERROR];

	assert_int_equal(rill_caps_try("mem:caps,mtu=1400", &caps, error), 0);
	assert_int_equal(caps.mtu, 1400);
	assert_int_equal(caps.queues, 4);
	assert_non_null(strstr(caps.describe, "mem:caps"));
	assert_int_equal(fact("send")->tried, 1);
	assert_int_equal(fact("sleep")->tried, 1);
	assert_int_equal(fact("several-queues")->tried, 1);
	assert_false(fact("tx-checksum")->claimed);
	assert_int_equal(fact("tx-checksum")->tried, 0);
	assert_int_equal(rill_caps_try("mem:caps,csum=offload", &caps, error), 0);
	assert_true(fact("tx-checksum")->claimed);
	/* and again: nothing of it stays open */
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(rill_caps_try("mem:caps", &caps, error), 0);
}

static void test_what_does_not(void **state)
{
	char error[RILL_CAPS_ERROR] = "";

	caps.queues = 77;
	assert_int_equal(rill_caps_try("mem:caps,nonsense=1", &caps, error), -EINVAL);
	assert_non_null(strstr(error, "nonsense"));
	assert_int_equal(caps.queues, 77);
	assert_int_equal(rill_caps_try("mem:caps,bufs=16,ring=8", &caps, error), 0);
	assert_true(fact("send")->tried != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_works),
		cmocka_unit_test(test_what_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
