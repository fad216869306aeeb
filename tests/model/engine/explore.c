/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The search. Depth first over a stack of choices; an execution repeats the stack and goes on by
 * default: the same thread as long as it can, the newest value. Afterwards the deepest choice with
 * something left to try is changed, and all above it forgotten.
 *
 * Which threads are worth trying at a step is found out on the way (dynamic partial-order
 * reduction: Flanagan, Godefroid 2005): when a step touches what an earlier step of another thread
 * touched, and nothing in between orders the two, the thread is tried before that earlier step as
 * well. Switching away from a thread that could go on is a preemption, and those are bounded; then
 * the thread is also tried where that thread's stretch began, for there it may cost nothing (Coons,
 * Musuvathi, McKinley 2013).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/engine/engine.h"

#define CHOICES_MAX (2 * RILL_MODEL_STEPS_MAX)
#define PREEMPTIONS_DEFAULT 3
#define STALE_DEFAULT 3

struct choice {
	bool is_value;
	bool goes_on; /* the thread before could have gone on */
	uint8_t chosen;
	uint8_t last;		       /* the thread before */
	uint8_t count;		       /* of values */
	uint8_t enabled, wanted, done; /* threads */
	uint8_t preemptions, stale;    /* before this choice */
};

static struct {
	struct choice stack[CHOICES_MAX];
	unsigned depth; /* of the stack */
	unsigned at;	/* where the execution is in it */
	unsigned preemptions, stale;
	unsigned preemptions_max, stale_max;
	bool full; /* no reduction: to check the reduction by */
	const char *replay, *replay_rest;
	char replay_letter;
	unsigned replay_left;
} ex;

static unsigned setting(const char *name, unsigned fallback)
{
	const char *v = getenv(name);

	return v && *v ? (unsigned)strtoul(v, NULL, 10) : fallback;
}

void rill_model_explore_begin(const struct rill_model_test *t, const char *replay)
{
	memset(&ex, 0, sizeof(ex));
	ex.preemptions_max = setting("RILL_MODEL_PREEMPTIONS",
				     t->preemptions ? t->preemptions : PREEMPTIONS_DEFAULT);
	ex.stale_max = setting("RILL_MODEL_STALE", t->stale ? t->stale : STALE_DEFAULT);
	ex.full = setting("RILL_MODEL_FULL", 0) != 0;
	ex.replay = replay;
}

void rill_model_explore_rewind(void)
{
	ex.at = 0;
	ex.preemptions = 0;
	ex.stale = 0;
}

/*
 * A replay is written as letters: of the thread that goes on, followed by how many times when that
 * is more than once; or, in upper case, of the value that is read, A being the newest.
 */
static void replay(struct choice *c)
{
	char *end;

	if (!ex.replay || !*ex.replay)
		return;
	if (ex.replay_left > 0) {
		ex.replay_left--;
	} else {
		ex.replay_letter = *ex.replay++;
		unsigned long times = strtoul(ex.replay, &end, 10);

		ex.replay_left = times > 0 ? (unsigned)times - 1 : 0;
		ex.replay_rest = end;
	}
	c->chosen = (uint8_t)(ex.replay_letter - (c->is_value ? 'A' : 'a' - 1));
	if (ex.replay_left == 0)
		ex.replay = ex.replay_rest;
}

static void print_choice(char letter, unsigned times)
{
	if (times > 1)
		printf("%c%u", letter, times);
	else if (times == 1)
		putchar(letter);
}

static void print_choices(void)
{
	unsigned times = 0;
	char letter = 0;

	for (unsigned i = 0; i < ex.at; i++) {
		const struct choice *c = &ex.stack[i];
		char now = c->is_value ? (char)('A' + c->chosen) : rill_model_letter(c->chosen);

		if (now != letter) {
			print_choice(letter, times);
			letter = now;
			times = 0;
		}
		times++;
	}
	print_choice(letter, times);
}

/* The next choice: from the stack, from the replayed string, or the default. */
static struct choice *take(const struct choice *fresh)
{
	if (ex.at == CHOICES_MAX)
		rill_model_fail("engine", "too many choices");
	if (ex.at == ex.depth) {
		ex.stack[ex.depth++] = *fresh;
		replay(&ex.stack[ex.at]);
	}
	return &ex.stack[ex.at++];
}

static unsigned cost(const struct choice *c, unsigned thread)
{
	return c->goes_on && thread != c->last;
}

unsigned rill_model_choose_thread(unsigned enabled, unsigned last, bool goes_on,
				  uint32_t *ret_choice)
{
	struct choice fresh = {
		.goes_on = goes_on,
		.last = (uint8_t)last,
		.enabled = (uint8_t)enabled,
		.preemptions = (uint8_t)ex.preemptions,
		.stale = (uint8_t)ex.stale,
	};

	fresh.chosen = goes_on ? (uint8_t)last : (uint8_t)__builtin_ctz(enabled);
	fresh.wanted = ex.full ? fresh.enabled : (uint8_t)(1u << fresh.chosen);
	struct choice *c = take(&fresh);

	if (c->is_value || c->enabled != enabled || !(enabled >> c->chosen & 1))
		rill_model_fail("engine", "the test is not deterministic, or not this replay's");
	ex.preemptions += cost(c, c->chosen);
	*ret_choice = ex.at - 1;
	return c->chosen;
}

unsigned rill_model_choose_value(unsigned n)
{
	struct choice fresh = {
		.is_value = true,
		.count = (uint8_t)n,
		.preemptions = (uint8_t)ex.preemptions,
		.stale = (uint8_t)ex.stale,
	};

	if (n == 1 || ex.stale >= ex.stale_max)
		return 0;
	struct choice *c = take(&fresh);

	if (!c->is_value || c->count != n || c->chosen >= n)
		rill_model_fail("engine", "the test is not deterministic, or not this replay's");
	ex.stale += c->chosen > 0;
	return c->chosen;
}

static bool advance(struct choice *c)
{
	if (c->is_value)
		return ++c->chosen < c->count;
	c->done |= (uint8_t)(1u << c->chosen);
	for (unsigned left = c->wanted & (unsigned)~c->done; left; left &= left - 1) {
		unsigned thread = (unsigned)__builtin_ctz(left);

		if (c->preemptions + cost(c, thread) > ex.preemptions_max)
			continue;
		c->chosen = (uint8_t)thread;
		return true;
	}
	return false;
}

bool rill_model_explore_next(void)
{
	if (ex.replay)
		return false;
	for (; ex.depth > 0; ex.depth--)
		if (advance(&ex.stack[ex.depth - 1]))
			return true;
	return false;
}

void rill_model_explore_print(void)
{
	printf("  again: RILL_MODEL_PREEMPTIONS=%u RILL_MODEL_STALE=%u RILL_MODEL_REPLAY=",
	       ex.preemptions_max, ex.stale_max);
	print_choices();
	printf(" with --%s %s\n", rill_model.mutation ? "mutation" : "test",
	       rill_model.mutation ? rill_model.mutation->name : rill_model.test->name);
}

/* ---- reduction ---- */

static void want(struct choice *c, unsigned thread)
{
	if (c->enabled >> thread & 1)
		c->wanted |= (uint8_t)(1u << thread);
	else
		c->wanted |= c->enabled;
}

/* thread ought to be tried before step. */
static void want_before(unsigned thread, uint32_t step)
{
	const struct rill_model_step *steps = rill_model.steps;
	uint32_t i = step;

	want(&ex.stack[steps[step].choice], thread);
	if (i == 0)
		return;
	/* and where the stretch before began */
	for (i--; i > 0 && steps[i - 1].thread == steps[i].thread; i--)
		;
	want(&ex.stack[steps[i].choice], thread);
}

static uint32_t max2(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* The last step of q that the touching step could trade places with; 0: none. */
static uint32_t rival(const struct rill_model_conflict *c, enum rill_model_touch how, unsigned q)
{
	switch (how) {
	case RILL_MODEL_TOUCH_READ:
	case RILL_MODEL_TOUCH_READ_SEQ_CST:
		return max2(c->wrote[q], c->unlocked[q]);
	case RILL_MODEL_TOUCH_READ_FREE:
		return max2(max2(c->wrote[q], c->unlocked[q]), c->read_seq_cst[q]);
	case RILL_MODEL_TOUCH_WRITE:
		return max2(max2(c->wrote[q], c->unlocked[q]), c->read[q]);
	case RILL_MODEL_TOUCH_LOCK:
		/* an unlock cannot wait for a later lock: it trades with the lock before it */
		return max2(c->wrote[q], c->read[q]);
	case RILL_MODEL_TOUCH_UNLOCK:
		return c->read[q];
	}
	return 0;
}

static void record(struct rill_model_conflict *c, enum rill_model_touch how, unsigned self,
		   uint32_t now)
{
	switch (how) {
	case RILL_MODEL_TOUCH_READ_SEQ_CST:
	case RILL_MODEL_TOUCH_READ_FREE:
		c->read_seq_cst[self] = now;
		/* fallthrough */
	case RILL_MODEL_TOUCH_READ:
		c->read[self] = now;
		break;
	case RILL_MODEL_TOUCH_WRITE:
	case RILL_MODEL_TOUCH_LOCK:
		c->wrote[self] = now;
		break;
	case RILL_MODEL_TOUCH_UNLOCK:
		c->unlocked[self] = now;
		break;
	}
}

void rill_model_touch(struct rill_model_conflict *c, enum rill_model_touch how)
{
	struct rill_model_clock *order = &rill_model_thread()->order;
	unsigned self = rill_model.self;
	uint32_t now = rill_model.step_count; /* the current step, plus one */
	bool write = how >= RILL_MODEL_TOUCH_WRITE;

	for (unsigned q = 1; q < rill_model.thread_count; q++) {
		uint32_t step = q == self ? 0 : rival(c, how, q);

		if (step > order->at[q])
			want_before(self, step - 1);
	}
	order->at[self] = now;
	rill_model_clock_join(order, &c->writes);
	if (write)
		rill_model_clock_join(order, &c->reads);
	else if (how == RILL_MODEL_TOUCH_READ_FREE)
		rill_model_clock_join(order, &c->seq_cst_reads);
	rill_model_clock_join(write ? &c->writes : &c->reads, order);
	if (!write && how != RILL_MODEL_TOUCH_READ)
		rill_model_clock_join(&c->seq_cst_reads, order);
	record(c, how, self, now);
}
