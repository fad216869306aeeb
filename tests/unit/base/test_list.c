/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct item {
	int value;
	struct rill_list link;
};

#define ITEMS 5

static struct item items[ITEMS];

static int value_of(struct rill_list *n)
{
	return RILL_LIST_ENTRY(n, struct item, link)->value;
}

static int setup(void **state)
{
	for (int i = 0; i < ITEMS; i++) {
		items[i].value = i;
		rill_list_init(&items[i].link);
	}
	return 0;
}

static void assert_values(struct rill_list *l, const int *values, int n)
{
	int i = 0;

	RILL_LIST_FOR_EACH (pos, l) {
		assert_true(i < n);
		assert_int_equal(value_of(pos), values[i++]);
	}
	assert_int_equal(i, n);
	/* and backwards */
	for (struct rill_list *pos = l->prev; pos != l; pos = pos->prev)
		assert_int_equal(value_of(pos), values[--i]);
}

static void test_empty(void **state)
{
	struct rill_list l;

	rill_list_init(&l);
	assert_true(rill_list_empty(&l));
	assert_null(rill_list_pop_front(&l));
	assert_false(rill_list_linked(&items[0].link));
	rill_list_del(&items[0].link);
	assert_false(rill_list_linked(&items[0].link));
}

static void test_order(void **state)
{
	struct rill_list l;

	rill_list_init(&l);
	rill_list_push_back(&l, &items[1].link);
	rill_list_push_back(&l, &items[2].link);
	rill_list_push_front(&l, &items[0].link);
	assert_values(&l, (int[]){0, 1, 2}, 3);
	assert_true(rill_list_linked(&items[1].link));
	assert_int_equal(value_of(rill_list_pop_front(&l)), 0);
	assert_false(rill_list_linked(&items[0].link));
	rill_list_del(&items[2].link);
	assert_values(&l, (int[]){1}, 1);
	rill_list_del(&items[1].link);
	assert_true(rill_list_empty(&l));
}

static void test_splice(void **state)
{
	struct rill_list a, b;

	rill_list_init(&a);
	rill_list_init(&b);
	rill_list_splice_back(&a, &b);
	assert_true(rill_list_empty(&a));
	rill_list_push_back(&b, &items[0].link);
	rill_list_push_back(&b, &items[1].link);
	rill_list_splice_back(&a, &b);
	assert_values(&a, (int[]){0, 1}, 2);
	assert_true(rill_list_empty(&b));
	rill_list_push_back(&b, &items[2].link);
	rill_list_splice_back(&a, &b);
	assert_values(&a, (int[]){0, 1, 2}, 3);
	rill_list_splice_back(&a, &b);
	assert_values(&a, (int[]){0, 1, 2}, 3);
}

/* The body of the loop may take the current entry out. */
static void test_delete_while_walking(void **state)
{
	struct rill_list l;

	rill_list_init(&l);
	for (int i = 0; i < ITEMS; i++)
		rill_list_push_back(&l, &items[i].link);
	RILL_LIST_FOR_EACH (pos, &l)
		if (value_of(pos) % 2 == 0)
			rill_list_del(pos);
	assert_values(&l, (int[]){1, 3}, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_empty, setup),
		cmocka_unit_test_setup(test_order, setup),
		cmocka_unit_test_setup(test_splice, setup),
		cmocka_unit_test_setup(test_delete_while_walking, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
