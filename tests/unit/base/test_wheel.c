/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rand.h"

#define TICK_NS (UINT64_C(1) << RILL_WHEEL_TICK_SHIFT)
/* One turn of the whole wheel. */
#define ROUND_NS (TICK_NS << (RILL_WHEEL_LEVEL_BITS * RILL_WHEEL_LEVELS))
#define TIMERS 512

/* The model: for each timer whether it is pending, and its deadline. */
struct model {
	struct rill_wheel wheel;
	struct rill_timer timers[TIMERS];
	bool pending[TIMERS];
	uint64_t due[TIMERS]; /* when it has to fire: at the end of a tick, and not in the past */
	uint64_t now;
	struct rill_rand rand;
};

static struct model m;

static uint64_t round_up(uint64_t ns)
{
	return ns > UINT64_MAX - TICK_NS ? UINT64_MAX : (ns + TICK_NS - 1) & ~(TICK_NS - 1);
}

static void model_init(uint64_t now, uint64_t seed)
{
	m.now = now;
	rill_rand_init(&m.rand, seed);
	rill_wheel_init(&m.wheel, now);
	for (int i = 0; i < TIMERS; i++) {
		rill_timer_init(&m.timers[i]);
		m.pending[i] = false;
	}
}

static void insert(int i, uint64_t deadline)
{
	rill_wheel_insert(&m.wheel, &m.timers[i], deadline);
	m.due[i] = RILL_MAX(round_up(deadline), m.wheel.now_tick * TICK_NS);
	m.pending[i] = true;
}

static void cancel(int i)
{
	rill_wheel_cancel(&m.wheel, &m.timers[i]);
	m.pending[i] = false;
	assert_false(rill_timer_pending(&m.timers[i]));
}

/* The first deadline there is, as seen at the resolution of the wheel. */
static uint64_t first_deadline(void)
{
	uint64_t first = UINT64_MAX;

	for (int i = 0; i < TIMERS; i++)
		if (m.pending[i])
			first = RILL_MIN(first, m.timers[i].deadline_ns);
	return first;
}

/* A slot's bit is set exactly when the slot is not empty. */
static void assert_bits(void)
{
	for (int l = 0; l < RILL_WHEEL_LEVELS; l++)
		for (int s = 0; s < RILL_WHEEL_SLOTS; s++)
			assert_int_equal((m.wheel.occupied[l] >> s) & 1,
					 !rill_list_empty(&m.wheel.slots[l][s]));
}

static void assert_next(void)
{
	uint64_t next = rill_wheel_next(&m.wheel);
	uint64_t first = first_deadline();
	bool any = false;

	for (int i = 0; i < TIMERS; i++)
		any |= m.pending[i];
	if (!any) {
		assert_true(next == UINT64_MAX);
		return;
	}
	/* What is overdue already is wanted at once. */
	assert_true(next <= RILL_MAX(round_up(first), m.now));
}

static void assert_first(void)
{
	struct rill_timer *first = rill_wheel_first(&m.wheel);
	bool any = false;

	for (int i = 0; i < TIMERS; i++)
		any |= m.pending[i];
	assert_int_equal(any, first != NULL);
	if (first)
		assert_true(first->deadline_ns == first_deadline());
}

/* What has fired: pending until then, not early, and in the order of ticks. */
static unsigned take(struct rill_list *expired, uint64_t *last_ns)
{
	struct rill_list *n;
	unsigned fired = 0;

	while ((n = rill_list_pop_front(expired))) {
		int i = (int)(RILL_LIST_ENTRY(n, struct rill_timer, link) - m.timers);

		assert_true(m.pending[i]);
		assert_true(m.timers[i].deadline_ns <= m.now);
		assert_true(m.due[i] >= *last_ns);
		*last_ns = m.due[i];
		m.pending[i] = false;
		fired++;
	}
	return fired;
}

static void assert_all_fired(void)
{
	for (int i = 0; i < TIMERS; i++) {
		assert_int_equal(m.pending[i], rill_timer_pending(&m.timers[i]));
		if (m.pending[i])
			assert_true(round_up(m.timers[i].deadline_ns) > (m.now & ~(TICK_NS - 1)));
	}
	assert_next();
}

/* Moves the time and compares what fires with what the model says. */
static unsigned advance(uint64_t now)
{
	struct rill_list expired;
	uint64_t last_ns = 0;

	rill_list_init(&expired);
	m.now = now;
	bool any = rill_wheel_advance(&m.wheel, now, &expired);

	assert_int_equal(any, !rill_list_empty(&expired));
	unsigned fired = take(&expired, &last_ns);

	assert_all_fired();
	return fired;
}

/* Distances of all magnitudes alike, so that every level is used. */
static uint64_t random_distance(unsigned bits_max)
{
	unsigned bits = rill_rand_below(&m.rand, bits_max + 1);

	return bits == 0 ? 0 : rill_rand_next(&m.rand) >> (64 - bits);
}

static void random_step(unsigned bits_max)
{
	int i = (int)rill_rand_below(&m.rand, TIMERS);

	if (m.pending[i])
		cancel(i);
	else if (rill_rand_below(&m.rand, 16) == 0)
		insert(i, m.now - RILL_MIN(m.now, random_distance(20)));
	else
		insert(i, m.now + random_distance(bits_max));
	assert_next();
}

static void run_random(uint64_t now, uint64_t seed, unsigned bits_max)
{
	model_init(now, seed);
	for (int round = 0; round < 4000; round++) {
		for (unsigned n = rill_rand_below(&m.rand, 8); n > 0; n--)
			random_step(bits_max);
		advance(m.now + random_distance(bits_max - 2));
		if (round % 64 == 0)
			assert_bits();
		if (round % 16 == 0)
			assert_first();
	}
}

/* ---- in portions ---- */

/* In which slot each timer hangs. */
static void locate(const struct rill_list *ret_slots[TIMERS])
{
	for (int i = 0; i < TIMERS; i++)
		ret_slots[i] = NULL;
	for (int l = 0; l < RILL_WHEEL_LEVELS; l++)
		for (int s = 0; s < RILL_WHEEL_SLOTS; s++)
			RILL_LIST_FOR_EACH (n, &m.wheel.slots[l][s])
				ret_slots[RILL_LIST_ENTRY(n, struct rill_timer, link) - m.timers] =
					&m.wheel.slots[l][s];
}

/* One portion, of which no more than max timers notice; how many fired. */
static unsigned advance_some(uint64_t now, unsigned max, uint64_t *last_ns)
{
	const struct rill_list *before[TIMERS], *after[TIMERS];
	struct rill_list expired;
	unsigned moved = 0;

	rill_list_init(&expired);
	m.now = now;
	locate(before);
	rill_wheel_advance_some(&m.wheel, now, max, &expired);
	locate(after);
	for (int i = 0; i < TIMERS; i++)
		moved += before[i] != after[i];
	assert_true(moved <= max);
	return take(&expired, last_ns);
}

/* Until there is nothing more to do at that time. */
static unsigned advance_in_portions(uint64_t now, unsigned max)
{
	unsigned fired = 0, portions = 0;
	uint64_t last_ns = 0;

	while (rill_wheel_next(&m.wheel) <= now) {
		fired += advance_some(now, max, &last_ns);
		/* each timer moves down a level or fires, and a portion is not empty */
		assert_true(++portions <= TIMERS * RILL_WHEEL_LEVELS);
	}
	m.now = now;
	assert_all_fired();
	return fired;
}

/* As run_random(), with changes also while a portion is moved and the rest is not. */
static void run_random_in_portions(uint64_t seed, unsigned bits_max)
{
	model_init(0, seed);
	for (int round = 0; round < 1000; round++) {
		uint64_t now = m.now + random_distance(bits_max - 2);
		unsigned max = 1 + rill_rand_below(&m.rand, 20);
		uint64_t last_ns = 0;

		for (unsigned n = rill_rand_below(&m.rand, 40); n > 0; n--)
			random_step(bits_max);
		for (unsigned n = rill_rand_below(&m.rand, 4); n > 0; n--) {
			advance_some(now, max, &last_ns);
			last_ns = 0;
			random_step(bits_max);
			assert_first();
		}
		if (rill_rand_below(&m.rand, 2))
			advance_in_portions(now, max);
		else
			advance(now);
		assert_bits();
	}
}

static void test_random_in_portions(void **state)
{
	const unsigned widths[] = {12, 16, 22, 30, 50};

	for (size_t i = 0; i < RILL_ARRAY_SIZE(widths); i++)
		run_random_in_portions(1 + i, widths[i]);
}

/* A full slot: an owner who comes each tick moves few timers each time, and all fire on time. */
static void test_full_slots_are_moved_ahead(void **state)
{
	/* a slot of the second level and one of the third, begun in the middle of another one */
	const uint64_t widths[] = {32 * TICK_NS, 1024 * TICK_NS};

	for (size_t i = 0; i < RILL_ARRAY_SIZE(widths); i++) {
		uint64_t begin = 5000 * widths[i], last_ns = 0;
		unsigned fired = 0;

		model_init(begin - 2 * widths[i] - 7 * TICK_NS, i);
		for (int t = 0; t < TIMERS / 4; t++)
			insert(t, begin + rill_rand_below(&m.rand, (uint32_t)widths[i]));
		for (uint64_t now = m.now; now <= begin + widths[i]; now += TICK_NS) {
			unsigned due = 0;

			for (int t = 0; t < TIMERS; t++)
				due += m.pending[t] && m.due[t] <= now;
			assert_int_equal(advance_some(now, due + RILL_WHEEL_AHEAD, &last_ns), due);
			assert_all_fired();
			fired += due;
		}
		assert_int_equal(fired, TIMERS / 4);
	}
}

/* Nobody came in time: portions bring all, in order. */
static void test_late_owner(void **state)
{
	for (unsigned max = 1; max <= 64; max *= 4) {
		model_init(0, max);
		for (int t = 0; t < TIMERS; t++)
			insert(t, 1 + random_distance(40));
		assert_int_equal(advance_in_portions(UINT64_C(1) << 41, max), TIMERS);
		assert_true(rill_wheel_next(&m.wheel) == UINT64_MAX);
		assert_bits();
	}
}

/* Of a slot that is half moved, some are cancelled on each side. */
static void test_cancel_while_moved(void **state)
{
	const uint64_t begin = 10 * 1024 * TICK_NS;
	uint64_t last_ns = 0;
	unsigned fired = 0;

	model_init(0, 1);
	for (int t = 0; t < 100; t++)
		insert(t, begin + (unsigned)t * 10 * TICK_NS);
	uint64_t now = begin - 1024 * TICK_NS;

	for (int n = 0; n < 5; n++)
		assert_int_equal(advance_some(now, TIMERS, &last_ns), 0);
	assert_true(rill_wheel_next(&m.wheel) <= now);
	for (int t = 0; t < 100; t += 2)
		cancel(t);
	/* those that come now belong beside those which are not moved yet */
	for (int t = 0; t < 100; t += 4)
		insert(t, begin + (unsigned)t * 10 * TICK_NS);
	assert_bits();
	for (; now < begin + 1024 * TICK_NS; now += TICK_NS)
		fired += advance_in_portions(now, 3);
	assert_int_equal(fired, 75);
	assert_true(rill_wheel_next(&m.wheel) == UINT64_MAX);
}

/* ---- edges ---- */

static void test_random_against_model(void **state)
{
	/* up to a level's width, up to the top level, beyond it */
	const unsigned widths[] = {14, 22, 30, 40, 52};

	for (size_t i = 0; i < RILL_ARRAY_SIZE(widths); i++) {
		run_random(0, 1 + i, widths[i]);
		run_random(rill_rand_next(&m.rand) >> 8, 100 + i, widths[i]);
	}
}

/* Going from next() to next() gets to every deadline, each time further, in few steps, in order. */
static void test_next_makes_progress(void **state)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		uint64_t last = 0;
		unsigned fired = 0;
		unsigned steps = 0;

		model_init(seed * 12345678901u, seed);
		for (int i = 0; i < TIMERS; i++)
			insert(i, m.now + random_distance(57));
		for (uint64_t next; (next = rill_wheel_next(&m.wheel)) != UINT64_MAX; steps++) {
			assert_true(steps == 0 || next > last);
			last = next;
			fired += advance(next);
		}
		assert_int_equal(fired, TIMERS);
		assert_bits();
		/* each timer goes down at most one level at a time */
		assert_true(steps <= TIMERS * RILL_WHEEL_LEVELS);
	}
}

/* To the nanosecond below and at each boundary between slots and levels. */
static void test_boundaries(void **state)
{
	for (unsigned bits = RILL_WHEEL_TICK_SHIFT; bits < 63; bits++) {
		uint64_t at = UINT64_C(1) << bits;

		model_init(0, bits);
		insert(0, at - 1);
		insert(1, at);
		insert(2, at + 1);
		assert_int_equal(advance(at - 1), 0);
		assert_int_equal(advance(at), 2);
		assert_int_equal(advance(at + TICK_NS - 1), 0);
		assert_int_equal(advance(at + TICK_NS), 1);
		assert_true(rill_wheel_next(&m.wheel) == UINT64_MAX);
	}
}

static void test_past_and_now_fire_at_once(void **state)
{
	model_init(1000 * TICK_NS, 1);
	insert(0, 0);
	insert(1, 999 * TICK_NS);
	insert(2, 1000 * TICK_NS);
	insert(3, 1000 * TICK_NS + 1);
	assert_int_equal(advance(1000 * TICK_NS), 3);
	assert_int_equal(advance(1000 * TICK_NS), 0);
	assert_int_equal(advance(1001 * TICK_NS), 1);
}

/* A deadline beyond the top level goes round and is not fired on the way. */
static void test_beyond_the_top_level(void **state)
{
	const uint64_t starts[] = {0, ROUND_NS - 5 * TICK_NS, ROUND_NS / 2 + 12345};

	for (size_t i = 0; i < RILL_ARRAY_SIZE(starts); i++) {
		uint64_t far = starts[i] + 5 * ROUND_NS + 777;
		unsigned fired = 0;
		unsigned steps = 0;

		model_init(starts[i], 1);
		insert(0, far);
		insert(1, far + ROUND_NS);
		insert(2, starts[i] + ROUND_NS);
		while (fired < 3) {
			fired += advance(rill_wheel_next(&m.wheel));
			assert_true(++steps < 200);
		}
		assert_true(m.now == round_up(far + ROUND_NS));
		/* and in one leap */
		model_init(starts[i], 1);
		insert(0, far);
		assert_int_equal(advance(round_up(far) - 1), 0);
		assert_int_equal(advance(round_up(far)), 1);
	}
}

static void test_never_is_never(void **state)
{
	model_init(123, 1);
	insert(0, UINT64_MAX);
	for (int i = 0; i < 100; i++)
		assert_int_equal(advance(rill_wheel_next(&m.wheel)), 0);
	/* not even at the end of time */
	assert_int_equal(advance(UINT64_MAX), 0);
	cancel(0);
	assert_true(rill_wheel_next(&m.wheel) == UINT64_MAX);
}

/* An advance to an earlier time than before changes nothing. */
static void test_time_does_not_go_back(void **state)
{
	model_init(0, 1);
	insert(0, 100 * TICK_NS);
	insert(1, 200 * TICK_NS);
	assert_int_equal(advance(150 * TICK_NS), 1);

	struct rill_list expired;

	rill_list_init(&expired);
	assert_false(rill_wheel_advance(&m.wheel, 50 * TICK_NS, &expired));
	assert_int_equal(advance(199 * TICK_NS), 0);
	assert_int_equal(advance(200 * TICK_NS), 1);
}

static void test_cancel(void **state)
{
	model_init(0, 1);
	cancel(0); /* never inserted */
	insert(0, 100 * TICK_NS);
	insert(1, 100 * TICK_NS);
	cancel(0);
	assert_true(rill_wheel_next(&m.wheel) <= 100 * TICK_NS);
	cancel(1);
	assert_true(rill_wheel_next(&m.wheel) == UINT64_MAX);
	assert_bits();
	/* cancelled on the list of the expired ones */
	insert(2, TICK_NS);
	insert(3, TICK_NS);

	struct rill_list expired;

	rill_list_init(&expired);
	assert_true(rill_wheel_advance(&m.wheel, 2 * TICK_NS, &expired));
	rill_wheel_cancel(&m.wheel, &m.timers[2]);
	assert_ptr_equal(rill_list_pop_front(&expired), &m.timers[3].link);
	assert_true(rill_list_empty(&expired));
	assert_bits();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_against_model),
		cmocka_unit_test(test_random_in_portions),
		cmocka_unit_test(test_full_slots_are_moved_ahead),
		cmocka_unit_test(test_late_owner),
		cmocka_unit_test(test_cancel_while_moved),
		cmocka_unit_test(test_next_makes_progress),
		cmocka_unit_test(test_boundaries),
		cmocka_unit_test(test_past_and_now_fire_at_once),
		cmocka_unit_test(test_beyond_the_top_level),
		cmocka_unit_test(test_never_is_never),
		cmocka_unit_test(test_time_does_not_go_back),
		cmocka_unit_test(test_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
