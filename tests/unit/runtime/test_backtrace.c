/* SPDX-License-Identifier: BSD-3-Clause */
#include <rill/dump.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/backtrace.h"
#include "runtime/debuginfo.h"
#include "tests/unit/runtime/rt.h"

#define WORDS 16

/* A stack made by hand: words[i] lies at the address of the i-th. */
struct fake {
	uintptr_t words[WORDS];
};

static struct rill_stack_bounds bounds_of(const struct fake *f)
{
	return (struct rill_stack_bounds){(uintptr_t)f->words, (uintptr_t)(f->words + WORDS)};
}

static uintptr_t at(const struct fake *f, unsigned i)
{
	return (uintptr_t)&f->words[i];
}

static void put_record(struct fake *f, unsigned i, uintptr_t next, uintptr_t ret)
{
	f->words[i] = next;
	f->words[i + 1] = ret;
}

static void test_walk_follows_the_chain(void **state)
{
	const void *frames[8];
	struct fake f = {0};

	put_record(&f, 2, at(&f, 6), 0x1001);
	put_record(&f, 6, at(&f, 10), 0x2001);
	put_record(&f, 10, 0, 0x3001); /* the outermost, called by nobody */
	unsigned n = rill_frames_walk(0x500, at(&f, 2), bounds_of(&f), frames, 8);

	assert_int_equal(n, 3);
	assert_ptr_equal(frames[0], (void *)0x500);
	assert_ptr_equal(frames[1], (void *)0x1000);
	assert_ptr_equal(frames[2], (void *)0x2000);
	/* no more than there is room for */
	assert_int_equal(rill_frames_walk(0x500, at(&f, 2), bounds_of(&f), frames, 2), 2);
	assert_int_equal(rill_frames_walk(0x500, at(&f, 2), bounds_of(&f), frames, 0), 0);
}

static void test_walk_never_leaves_the_stack(void **state)
{
	const void *frames[8];
	struct fake f = {0};
	uintptr_t wrong[] = {0,
			     8,
			     at(&f, 0) - 8,
			     at(&f, 2) + 1,
			     at(&f, WORDS - 1),
			     at(&f, WORDS),
			     UINTPTR_MAX,
			     UINTPTR_MAX - 7};

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(wrong); i++)
		assert_int_equal(rill_frames_walk(1, wrong[i], bounds_of(&f), frames, 8), 1);
	/* out of the bounds in the second step */
	put_record(&f, 2, at(&f, WORDS), 0x1001);
	assert_int_equal(rill_frames_walk(1, at(&f, 2), bounds_of(&f), frames, 8), 2);
	/* round in a circle, and downwards */
	put_record(&f, 2, at(&f, 2), 0x1001);
	assert_int_equal(rill_frames_walk(1, at(&f, 2), bounds_of(&f), frames, 8), 2);
	put_record(&f, 6, at(&f, 2), 0x1001);
	assert_int_equal(rill_frames_walk(1, at(&f, 6), bounds_of(&f), frames, 8), 2);
}

static void test_guess_finds_the_lowest_whole_chain(void **state)
{
	struct fake f = {0};

	put_record(&f, 6, at(&f, 10), 0x2001);
	put_record(&f, 10, 0, 0x3001);
	put_record(&f, 2, at(&f, 3), 0x1001); /* leads into words which are no record */
	f.words[3] = 0x77;
	assert_int_equal(rill_frames_guess(at(&f, 0), bounds_of(&f)), at(&f, 6));
	/* below it is looked past */
	assert_int_equal(rill_frames_guess(at(&f, 7), bounds_of(&f)), 0);
}

static void test_unwound_and_walked_are_joined(void **state)
{
	const void *frames[8] = {(void *)1, (void *)2, (void *)3};
	const void *const walked[] = {(void *)1, (void *)3, (void *)4};
	const void *const other[] = {(void *)1, (void *)9};

	assert_int_equal(rill_debuginfo_merge(frames, 3, walked, 3, 8), 4);
	assert_ptr_equal(frames[1], (void *)2);
	assert_ptr_equal(frames[3], (void *)4);
	/* nothing in common but where both begin: the longer one is right */
	assert_int_equal(rill_debuginfo_merge(frames, 3, other, 2, 8), 3);
	assert_ptr_equal(frames[1], (void *)2);
	assert_int_equal(rill_debuginfo_merge(frames, 0, walked, 3, 8), 3);
	assert_ptr_equal(frames[1], (void *)3);
	assert_int_equal(rill_debuginfo_merge(frames, 1, walked, 3, 2), 2);
}

static void test_copies(void **state)
{
	char from[40] = "0123456789abcdefghijklmnopqrstuvwxyz";
	char to[40] = {0};

	rill_copy_racy(to, from, sizeof(from));
	assert_string_equal(to, from);
	memset(to, 0, sizeof(to));
	rill_copy_racy(to + 1, from + 3, 13);
	assert_string_equal(to + 1, "3456789abcdef");
	memset(to, 0, sizeof(to));
	assert_true(rill_copy_checked(to, from, 8));
	assert_memory_equal(to, "01234567", 8);
}

static void test_what_is_not_mapped_is_not_read(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *hole = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t word = 7;

	assert_ptr_not_equal(hole, MAP_FAILED);
	assert_false(rill_copy_checked(&word, hole, sizeof(word)));
	assert_false(rill_copy_checked(&word, NULL, sizeof(word)));
	assert_int_equal(word, 7);
	munmap(hole, page);
}

/* ---- our own stack ---- */

static unsigned seen;
static const void *seen_frames[RILL_DUMP_FRAMES];

static RILL_NOINLINE void bottom_of_the_well(void)
{
	seen = rill_backtrace(seen_frames, RILL_DUMP_FRAMES);
	__asm__ volatile("");
}

static RILL_NOINLINE void way_down(unsigned depth)
{
	if (depth > 0)
		way_down(depth - 1);
	else
		bottom_of_the_well();
	__asm__ volatile("");
}

static void *look_up(void *arg)
{
	way_down(3);
	/* no place for all */
	const void *one[1];

	RILL_ASSERT_CMP(rill_backtrace(one, 1), ==, 1u);
	RILL_ASSERT_CMP(rill_backtrace(one, 0), ==, 0u);
	return NULL;
}

static void assert_frame(unsigned i, const char *function)
{
	struct rill_symbol s[8];
	unsigned n = rill_symbolize(seen_frames[i], s, RILL_ARRAY_SIZE(s));

	assert_in_range(n, 1, RILL_ARRAY_SIZE(s));
	assert_string_equal(s[0].module, "test_runtime_backtrace");
	assert_true(s[0].offset > 0);
#ifdef RILL_HAVE_LIBDW
	assert_string_equal(s[n - 1].function, function);
	assert_non_null(strstr(s[n - 1].file, "test_backtrace.c"));
	assert_true(s[n - 1].line > 0);
	assert_false(s[n - 1].inlined);
#endif
}

static void test_own_stack(void **state)
{
	struct rill_runtime *rt = start_current();

	run(rt, look_up, NULL);
	stop(rt);
	assert_true(seen >= 6);
	assert_frame(0, "bottom_of_the_well");
	assert_frame(1, "way_down");
	assert_frame(4, "way_down");
	assert_frame(5, "look_up");
	/* a plain thread has a debugger */
	assert_int_equal(rill_backtrace(seen_frames, RILL_DUMP_FRAMES), 0);
}

static void test_names_of_nothing(void **state)
{
	struct rill_symbol s;

	memset(&s, 0xff, sizeof(s));
	assert_int_equal(rill_symbolize(NULL, &s, 1), 1);
	assert_string_equal(s.function, "");
	assert_string_equal(s.file, "");
	assert_string_equal(s.module, "");
	assert_int_equal(rill_symbolize((void *)(uintptr_t)&test_names_of_nothing, &s, 0), 0);
}

static void test_names_of_a_library(void **state)
{
	struct rill_symbol s;

	assert_int_equal(rill_symbolize((void *)(uintptr_t)&cmocka_set_message_output, &s, 1), 1);
	assert_string_equal(s.function, "cmocka_set_message_output");
	assert_non_null(strstr(s.module, "libcmocka"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk_follows_the_chain),
		cmocka_unit_test(test_walk_never_leaves_the_stack),
		cmocka_unit_test(test_guess_finds_the_lowest_whole_chain),
		cmocka_unit_test(test_unwound_and_walked_are_joined),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_what_is_not_mapped_is_not_read),
		cmocka_unit_test(test_own_stack),
		cmocka_unit_test(test_names_of_nothing),
		cmocka_unit_test(test_names_of_a_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
