/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The turnstile, as a semaphore: permits are neither lost nor doubled, whoever cancels, closes or
 * gives up a place at that moment; what was written before a release is seen after the acquire; and
 * who got the last permit may free it all.
 */
/* All others get a chance at the word after each one. */
#define RILL_FANOUT_CHUNK 1

#include "sync/turnstile.c"

#include "sync/semaphore.c"

#include "tests/model/doubles.h"

static struct rill_semaphore sem;
static struct rill_acquiring place;
static unsigned guarded; /* by one permit of one */
static unsigned got[RILL_MODEL_THREADS + 1];

static void setup_n(size_t permits)
{
	rill_doubles_reset();
	RILL_ASSERT(rill_semaphore_init(&sem, permits) == 0);
	rill_acquiring_begin(&place, &sem);
	rill_model_name(&sem, sizeof(sem), "sem");
	rill_model_name(&place, sizeof(place), "place");
	guarded = 0;
	for (unsigned i = 0; i <= RILL_MODEL_THREADS; i++)
		got[i] = 0;
}

static void setup_0(void)
{
	setup_n(0);
}

static void setup_1(void)
{
	setup_n(1);
}

static void acquire(size_t n)
{
	int r = rill_semaphore_acquire(&sem, n);

	if (r < 0)
		RILL_ASSERT_CMP(r, ==, -EPIPE);
	else
		got[rill_model_self()] += (unsigned)n;
	/* Its batch has let go of it. */
	rill_waiter_current()->next = NULL;
}

static void acquire_1(void)
{
	acquire(1);
}

static void acquire_2(void)
{
	acquire(2);
}

static void release_1(void)
{
	rill_semaphore_release(&sem, 1);
}

static void release_2(void)
{
	rill_semaphore_release(&sem, 2);
}

static void close_it(void)
{
	rill_semaphore_close(&sem);
}

static void use_once(void)
{
	acquire(1);
	guarded++;
	release_1();
	got[rill_model_self()] = 0;
}

static void try_once(void)
{
	if (rill_semaphore_try_acquire(&sem, 1) < 0)
		return;
	guarded += 16;
	release_1();
}

/* One that is cancelled as soon as it is queued. */
static void cancel_soon(size_t n, bool take)
{
	struct rill_turn t;

	rill_turn_init(&t, &acquire_ops, turnstile_of(&sem), n, false);
	t.aw.waiter = rill_waiter_current();
	int r = rill_turn_arm(&t.aw);

	if (r == -EAGAIN)
		r = rill_turn_disarm(&t.aw, take);
	if (r == 0 && take)
		got[rill_model_self()] += (unsigned)n;
	else if (r == 0)
		rill_semaphore_release(&sem, n);
}

static void cancel_1(void)
{
	cancel_soon(1, true);
}

/* As the loser of a select: what it is handed goes on. */
static void lose_1(void)
{
	cancel_soon(1, false);
}

static void lose_2(void)
{
	cancel_soon(2, false);
}

/* Whoever gets the permit is the last user. */
static void acquire_and_free(void)
{
	acquire(1);
	turnstile_of(&sem)->word = 0;
	turnstile_of(&sem)->queue.next = NULL;
	rill_list_init(&turnstile_of(&sem)->queue);
	got[rill_model_self()] = 0;
}

static void forget_1(void)
{
	/* As if somebody had taken it. */
	got[rill_model_self()] += (unsigned)rill_semaphore_forget(&sem, 1);
}

/* ---- places ---- */

static void place_wait(void)
{
	if (rill_acquiring_wait(&place, 1) == 0)
		got[rill_model_self()] += 1;
	rill_acquiring_end(&place);
}

static void place_poll_then_wait_for_less(void)
{
	if (rill_acquiring_poll(&place, 2) == 0) {
		got[rill_model_self()] += 1;
		release_1();
	} else if (rill_acquiring_wait(&place, 1) == 0) {
		got[rill_model_self()] += 1;
	}
	rill_acquiring_end(&place);
}

static void place_poll_then_more(void)
{
	if (rill_acquiring_poll(&place, 1) == 0)
		got[rill_model_self()] += 1;
	else if (rill_acquiring_wait(&place, 2) == 0)
		got[rill_model_self()] += 2;
	rill_acquiring_end(&place);
}

static void place_give_up(void)
{
	if (rill_acquiring_poll(&place, 1) == 0)
		release_1();
	rill_acquiring_end(&place);
}

/* A wait that is cancelled, and the place is used again. */
static void place_pause_then_poll(void)
{
	struct rill_turn *t = place_of(&place);

	if (rill_turn_ask(t, 1, rill_waiter_current()) == 0 || rill_turn_pause(t, false) == 0 ||
	    rill_acquiring_poll(&place, 1) == 0)
		got[rill_model_self()] += 1;
	rill_acquiring_end(&place);
}

/* ---- checks ---- */

static void check_all_there(size_t permits)
{
	size_t n = rill_semaphore_available(&sem);

	for (unsigned i = 0; i <= RILL_MODEL_THREADS; i++)
		n += got[i];
	RILL_ASSERT_CMP(n, ==, permits);
	RILL_ASSERT(rill_list_empty(&turnstile_of(&sem)->queue));
	RILL_ASSERT(!(turnstile_of(&sem)->word & (WAITED | QUEUE)));
}

static void check_0(void)
{
	check_all_there(0);
}

static void check_1(void)
{
	check_all_there(1);
}

static void check_2(void)
{
	check_all_there(2);
}

static void check_3(void)
{
	check_all_there(3);
}

static void check_used_twice(void)
{
	RILL_ASSERT_CMP(guarded % 16, ==, 2u);
	check_1();
}

static void check_got_2(void)
{
	RILL_ASSERT_CMP(got[1], ==, 2u);
	check_2();
}

#define TEST(n, setup_, check_, ...)                                                               \
	{                                                                                          \
		.name = n, .setup = setup_, .threads = {__VA_ARGS__}, .check = check_,             \
		.exhaustive = true, .preemptions = 2, .stale = 1,                                  \
	}

static const struct rill_model_test tests[] = {
	TEST("use", setup_1, check_used_twice, use_once, use_once),
	TEST("use_try", setup_1, check_used_twice, use_once, use_once, try_once),
	TEST("partial", setup_0, check_got_2, acquire_2, release_1, release_1),
	TEST("big_first", setup_1, check_3, acquire_2, acquire_1, release_2),
	TEST("cancel", setup_0, check_1, cancel_1, release_1),
	TEST("lose", setup_0, check_1, lose_1, release_1, acquire_1),
	TEST("lose_partial", setup_1, check_1, lose_2, acquire_1),
	TEST("close", setup_0, check_1, acquire_1, release_1, close_it),
	TEST("many", setup_0, check_2, acquire_1, acquire_1, release_2),
	TEST("many_cancel", setup_0, check_2, cancel_1, acquire_1, release_2),
	TEST("close_many", setup_0, check_0, acquire_1, acquire_1, close_it),
	TEST("close_many_cancel", setup_1, check_1, acquire_2, lose_2, close_it),
	TEST("close_partial", setup_1, check_1, acquire_2, close_it),
	TEST("free", setup_0, check_0, acquire_and_free, release_1),
	TEST("forget", setup_1, check_2, forget_1, acquire_1, release_1),
	TEST("place", setup_0, check_1, place_wait, release_1),
	TEST("place_less", setup_0, check_2, place_poll_then_wait_for_less, release_2, acquire_1),
	TEST("place_more", setup_0, check_3, place_poll_then_more, release_1, release_2),
	TEST("place_end", setup_0, check_1, place_give_up, release_1, acquire_1),
	TEST("place_pause", setup_0, check_1, place_pause_then_poll, release_1),
	TEST("place_close", setup_0, check_1, place_wait, release_1, close_it),
};

#define HEADER "sync/turnstile.h"
#define SOURCE "sync/turnstile.c"

static const struct rill_model_mutation mutations[] = {
	{"take_relaxed", "use", HEADER, "rill_turnstile_take", "cas", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"take_unconditional", "use", HEADER, "rill_turnstile_take", "cas", NULL, RILL_MODEL_FORCE,
	 0, 0},
	{"give_relaxed", "use", HEADER, "rill_turnstile_give", "cas", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"give_unconditional", "use", HEADER, "rill_turnstile_give", "cas", NULL, RILL_MODEL_FORCE,
	 0, 0},
	{"give_skipped", "use", HEADER, "rill_turnstile_give", "cas", NULL, RILL_MODEL_SKIP, 0, 0},
	{"lock_relaxed", "partial", SOURCE, "try_lock", "cas", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"lock_unconditional", "partial", SOURCE, "try_lock", "cas", NULL, RILL_MODEL_FORCE, 0, 0},
	{"unlock_relaxed", "partial", SOURCE, "unlock", "store", NULL, RILL_MODEL_WEAKEN,
	 __ATOMIC_RELAXED, 0},
	{"unlock_frees", "big_first", SOURCE, "unlock", "store", NULL, RILL_MODEL_VALUE, 0, PERMIT},
	{"close_wakes_nobody", "close_partial", "runtime/waiter.h", "rill_wake_add", "rmw", NULL,
	 RILL_MODEL_SKIP, 0, 0},
	{"place_unlocked", "place_end", SOURCE, "try_lock", "cas", NULL, RILL_MODEL_FORCE, 0, 0},
	{"place_never_queued", "place", SOURCE, "unlock", "store", NULL, RILL_MODEL_VALUE, 0, 0},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), mutations,
			       RILL_ARRAY_SIZE(mutations));
}
