/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine itself: what it must find, and what it must not. The litmus tests' usual names. */
#include "tests/model/engine/kernel.h"

static uint32_t x, y, r[6];
static uint32_t data;
static uint32_t word;
static int fd;
static struct rill_spinlock lock_a, lock_b;

static void reset(void)
{
	x = y = data = word = 0;
	for (unsigned i = 0; i < 6; i++)
		r[i] = 0;
	lock_a = lock_b = (struct rill_spinlock){0};
	fd = eventfd(0, 0);
}

static void fence(int order)
{
	rill_model_fence(order, RILL_MODEL_SITE("fence"));
}

/* ---- store buffering (Dekker) ---- */

#define SB(name, store, load)                                                                      \
	static void sb_##name##_1(void)                                                            \
	{                                                                                          \
		store(&x, 1u);                                                                     \
		r[0] = load(&y);                                                                   \
	}                                                                                          \
	static void sb_##name##_2(void)                                                            \
	{                                                                                          \
		store(&y, 1u);                                                                     \
		r[1] = load(&x);                                                                   \
	}

SB(relaxed, rill_store_relaxed, rill_load_relaxed)
SB(acq_rel, rill_store_release, rill_load_acquire)
SB(rmw_acq_rel, rill_exchange_acq_rel, rill_load_acquire)
SB(seq_cst, rill_store_seq_cst, rill_load_seq_cst)
SB(publish, rill_publish, rill_load_seq_cst)

/* one side too weak is enough to lose it */
static void sb_half(void)
{
	rill_publish(&x, 1u);
	r[0] = rill_load_acquire(&y);
}

static void sb_fence_1(void)
{
	rill_store_relaxed(&x, 1u);
	fence(__ATOMIC_SEQ_CST);
	r[0] = rill_load_relaxed(&y);
}

static void sb_fence_2(void)
{
	rill_store_relaxed(&y, 1u);
	fence(__ATOMIC_SEQ_CST);
	r[1] = rill_load_relaxed(&x);
}

static void sb_check(void)
{
	RILL_ASSERT(r[0] == 1 || r[1] == 1);
}

/* ---- message passing ---- */

static void mp_release(void)
{
	RILL_MODEL_WRITE(data, 42);
	rill_store_release(&x, 1u);
}

static void mp_relaxed(void)
{
	RILL_MODEL_WRITE(data, 42);
	rill_store_relaxed(&x, 1u);
}

static void mp_fence(void)
{
	RILL_MODEL_WRITE(data, 42);
	fence(__ATOMIC_RELEASE);
	rill_store_relaxed(&x, 1u);
}

static void mp_acquire(void)
{
	if (rill_load_acquire(&x) == 1)
		RILL_ASSERT_CMP(RILL_MODEL_READ(data), ==, 42u);
}

static void mp_read_relaxed(void)
{
	if (rill_load_relaxed(&x) == 1)
		RILL_ASSERT_CMP(RILL_MODEL_READ(data), ==, 42u);
}

static void mp_read_fence(void)
{
	if (rill_load_relaxed(&x) == 1) {
		fence(__ATOMIC_ACQUIRE);
		RILL_ASSERT_CMP(RILL_MODEL_READ(data), ==, 42u);
	}
}

/* an increment in between keeps the release sequence; a plain store breaks it */
static void mp_increment(void)
{
	rill_fetch_add_relaxed(&x, 1u);
}

static void mp_acquire_two(void)
{
	if (rill_load_acquire(&x) == 2)
		RILL_ASSERT_CMP(RILL_MODEL_READ(data), ==, 42u);
}

static void mp_replace(void)
{
	if (rill_load_relaxed(&x) == 1)
		rill_store_relaxed(&x, 2u);
}

/* after the plain write, too late to be released */
static void mp_late(void)
{
	rill_store_release(&x, 1u);
	RILL_MODEL_WRITE(data, 42);
}

/* ---- an old value, and coherence ---- */

static void store_twice(void)
{
	rill_store_relaxed(&x, 1u);
	rill_store_relaxed(&x, 2u);
	rill_store_relaxed(&y, 1u);
}

static void load_stale(void)
{
	if (rill_load_relaxed(&y) == 1)
		RILL_ASSERT_CMP(rill_load_relaxed(&x), ==, 2u);
}

static void load_coherent(void)
{
	uint32_t first = rill_load_relaxed(&x);

	RILL_ASSERT_CMP(rill_load_relaxed(&x), >=, first);
}

/* ---- independent reads of independent writes ---- */

static void iriw_x(void)
{
	rill_store_seq_cst(&x, 1u);
}

static void iriw_y(void)
{
	rill_store_seq_cst(&y, 1u);
}

#define IRIW(name, load)                                                                           \
	static void iriw_##name##_1(void)                                                          \
	{                                                                                          \
		r[0] = load(&x);                                                                   \
		r[1] = load(&y);                                                                   \
	}                                                                                          \
	static void iriw_##name##_2(void)                                                          \
	{                                                                                          \
		r[2] = load(&y);                                                                   \
		r[3] = load(&x);                                                                   \
	}

IRIW(seq_cst, rill_load_seq_cst)
IRIW(acquire, rill_load_acquire)

static void iriw_check(void)
{
	RILL_ASSERT(!(r[0] == 1 && r[1] == 0 && r[2] == 1 && r[3] == 0));
}

/* ---- read-modify-writes ---- */

static void add_twice(void)
{
	rill_fetch_add_relaxed(&x, 1u);
	rill_fetch_add_relaxed(&x, 1u);
}

static void add_by_cas(void)
{
	uint32_t v = rill_load_relaxed(&x);

	while (!rill_cas_relaxed(&x, &v, v + 1))
		;
}

static void added_check(void)
{
	RILL_ASSERT_CMP(x, ==, 5u);
}

static void add_torn(void)
{
	rill_store_relaxed(&x, rill_load_relaxed(&x) + 1);
}

static void torn_check(void)
{
	RILL_ASSERT_CMP(x, ==, 2u);
}

static void cas_once(void)
{
	uint32_t zero = 0;

	if (rill_cas_acq_rel(&x, &zero, 1u))
		r[rill_model_self()]++;
}

static void cas_check(void)
{
	RILL_ASSERT_CMP(r[1] + r[2] + r[3], ==, 1u);
}

/* A weak one fails for no reason, even alone. */
static void cas_weak(void)
{
	uint32_t zero = 0;

	RILL_ASSERT(rill_cas_weak_acq_rel(&x, &zero, 1u));
}

/* ---- locks, waiting ---- */

static void locked_add(void)
{
	rill_spin_lock(&lock_a);
	RILL_MODEL_WRITE(data, RILL_MODEL_READ(data) + 1);
	rill_spin_unlock(&lock_a);
}

static void locked_check(void)
{
	RILL_ASSERT_CMP(data, ==, 3u);
}

static void tried_add(void)
{
	while (!rill_spin_trylock(&lock_a))
		rill_cpu_relax();
	RILL_MODEL_WRITE(data, RILL_MODEL_READ(data) + 1);
	rill_spin_unlock(&lock_a);
}

static void unlocked_add(void)
{
	RILL_MODEL_WRITE(data, RILL_MODEL_READ(data) + 1);
}

static void lock_ab(void)
{
	rill_spin_lock(&lock_a);
	rill_spin_lock(&lock_b);
	rill_spin_unlock(&lock_b);
	rill_spin_unlock(&lock_a);
}

static void lock_ba(void)
{
	rill_spin_lock(&lock_b);
	rill_spin_lock(&lock_a);
	rill_spin_unlock(&lock_a);
	rill_spin_unlock(&lock_b);
}

static void spin_for_x(void)
{
	while (rill_load_acquire(&x) != 1)
		rill_cpu_relax();
	RILL_ASSERT_CMP(RILL_MODEL_READ(data), ==, 42u);
}

static void spin_for_y(void)
{
	while (rill_load_acquire(&y) != 1)
		rill_cpu_relax();
}

static void spin_and_store(void)
{
	while (rill_load_acquire(&y) != 1) {
		rill_fetch_add_relaxed(&x, 1u);
		rill_cpu_relax();
	}
}

static void futex_wait(void)
{
	while (rill_load_acquire(&word) == 0)
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void futex_wake(void)
{
	rill_store_release(&word, 1u);
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void futex_wake_early(void)
{
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	rill_store_release(&word, 1u);
}

static void fd_wait(void)
{
	struct pollfd set = {.fd = fd, .events = POLLIN};
	uint64_t n;

	RILL_ASSERT_CMP(ppoll(&set, 1, NULL, NULL), ==, 1);
	RILL_ASSERT_CMP(RILL_MODEL_READ(data), ==, 42u);
	RILL_ASSERT_CMP(read(fd, &n, sizeof(n)), ==, 8);
}

static void fd_kick(void)
{
	uint64_t one = 1;

	RILL_MODEL_WRITE(data, 42);
	RILL_ASSERT_CMP(write(fd, &one, sizeof(one)), ==, 8);
}

/* Needs three preemptions: a between both pairs of b's stores, and b again in between. */
static void deep_1(void)
{
	uint32_t a = rill_load_seq_cst(&x);
	uint32_t b = rill_load_seq_cst(&x);
	uint32_t c = rill_load_seq_cst(&x);

	RILL_ASSERT(!(a == 1 && b == 2 && c == 3));
}

static void deep_2(void)
{
	rill_store_seq_cst(&x, 1u);
	rill_store_seq_cst(&x, 2u);
	rill_store_seq_cst(&x, 3u);
}

#define TEST(n, check_, fails_, ...)                                                               \
	{                                                                                          \
		.name = n, .setup = reset, .threads = {__VA_ARGS__}, .check = check_,              \
		.exhaustive = true, .fails = fails_,                                               \
	}

static const struct rill_model_test tests[] = {
	TEST("sb_relaxed", sb_check, "assertion", sb_relaxed_1, sb_relaxed_2),
	TEST("sb_acq_rel", sb_check, "assertion", sb_acq_rel_1, sb_acq_rel_2),
	TEST("sb_rmw_acq_rel", sb_check, "assertion", sb_rmw_acq_rel_1, sb_rmw_acq_rel_2),
	TEST("sb_half", sb_check, "assertion", sb_half, sb_publish_2),
	TEST("sb_seq_cst", sb_check, NULL, sb_seq_cst_1, sb_seq_cst_2),
	TEST("sb_publish", sb_check, NULL, sb_publish_1, sb_publish_2),
	TEST("sb_fence", sb_check, NULL, sb_fence_1, sb_fence_2),
	TEST("sb_fence_half", sb_check, "assertion", sb_fence_1, sb_relaxed_2),
	TEST("mp", NULL, NULL, mp_release, mp_acquire),
	TEST("mp_store_relaxed", NULL, "race", mp_relaxed, mp_acquire),
	TEST("mp_load_relaxed", NULL, "race", mp_release, mp_read_relaxed),
	TEST("mp_fences", NULL, NULL, mp_fence, mp_read_fence),
	TEST("mp_fence_half", NULL, "race", mp_fence, mp_read_relaxed),
	TEST("mp_late", NULL, "race", mp_late, mp_acquire),
	TEST("mp_release_sequence", NULL, NULL, mp_release, mp_increment, mp_acquire_two),
	TEST("mp_broken_sequence", NULL, "race", mp_release, mp_replace, mp_acquire_two),
	TEST("stale", NULL, "assertion", store_twice, load_stale),
	TEST("coherence", NULL, NULL, store_twice, load_coherent),
	TEST("iriw_seq_cst", iriw_check, NULL, iriw_x, iriw_y, iriw_seq_cst_1, iriw_seq_cst_2),
	TEST("iriw_acquire", iriw_check, "assertion", iriw_x, iriw_y, iriw_acquire_1,
	     iriw_acquire_2),
	TEST("rmw", added_check, NULL, add_twice, add_twice, add_by_cas),
	TEST("rmw_torn", torn_check, "assertion", add_torn, add_torn),
	TEST("cas", cas_check, NULL, cas_once, cas_once, cas_once),
	TEST("cas_weak", NULL, "assertion", cas_weak),
	TEST("lock", locked_check, NULL, locked_add, locked_add, locked_add),
	TEST("trylock", locked_check, NULL, tried_add, tried_add, locked_add),
	TEST("unlocked", NULL, "race", locked_add, unlocked_add),
	TEST("lock_order", NULL, "deadlock", lock_ab, lock_ba),
	TEST("spin", NULL, NULL, spin_for_x, mp_release),
	TEST("spin_forever", NULL, "deadlock", spin_for_y, mp_release),
	TEST("livelock", NULL, "livelock", spin_and_store, spin_and_store),
	TEST("futex", NULL, NULL, futex_wait, futex_wake),
	TEST("futex_lost", NULL, "deadlock", futex_wait, futex_wake_early),
	TEST("eventfd", NULL, NULL, fd_wait, fd_kick),
	{.name = "preemptions_3",
	 .setup = reset,
	 .threads = {deep_1, deep_2},
	 .exhaustive = true,
	 .preemptions = 5,
	 .fails = "assertion"},
};

int main(int argc, char **argv)
{
	return rill_model_main(argc, argv, tests, RILL_ARRAY_SIZE(tests), NULL, 0);
}
