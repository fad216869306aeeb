/* SPDX-License-Identifier: BSD-3-Clause */
/* The atomic operations: each waits for its turn, and then does what memory.c allows. */
#include <string.h>

#include "tests/model/engine/engine.h"

static uint64_t masked(uint64_t v, unsigned size)
{
	return size == 8 ? v : v & ((UINT64_C(1) << 8 * size) - 1);
}

static bool changed(const struct rill_model_mutation *m, enum rill_model_change how)
{
	return m && m->change == how;
}

/* The operation's turn, with a planted bug's order. */
static struct rill_model_step *begin(enum rill_model_kind kind, const volatile void *p,
				     unsigned size, int order, const struct rill_model_site *site,
				     const void *from,
				     const struct rill_model_mutation **ret_mutation)
{
	struct rill_model_op op = {
		.kind = kind,
		.order = order,
		.addr = p,
		.size = size,
		.site = *site,
		.from = from,
	};

	*ret_mutation = rill_model_mutated(&op);
	if (changed(*ret_mutation, RILL_MODEL_WEAKEN))
		op.order = (*ret_mutation)->order;
	return rill_model_step(&op);
}

static void touch(struct rill_model_location *l, enum rill_model_touch how)
{
	bool write = how >= RILL_MODEL_TOUCH_WRITE;

	if (!rill_model.parallel)
		return;
	rill_model_touch(&l->conflict, how);
	rill_model_plain_atomic(l->addr, l->size, write,
				rill_model.steps[rill_model.step_count - 1].site.what);
}

/* is_free: as rill_model_candidates() says; else it does not matter who else has read before. */
static void touch_read(struct rill_model_location *l, int order, bool is_free)
{
	if (order != __ATOMIC_SEQ_CST)
		touch(l, RILL_MODEL_TOUCH_READ);
	else
		touch(l, is_free ? RILL_MODEL_TOUCH_READ_FREE : RILL_MODEL_TOUCH_READ_SEQ_CST);
}

uint64_t rill_model_load(const volatile void *p, unsigned size, int order,
			 const struct rill_model_site *site)
{
	const struct rill_model_mutation *m;
	struct rill_model_step *s =
		begin(RILL_MODEL_OP_LOAD, p, size, order, site, __builtin_return_address(0), &m);
	struct rill_model_location *l = rill_model_location(p, size);
	struct rill_model_value *values[RILL_MODEL_CANDIDATES];
	unsigned chosen = 0;
	bool is_free;

	unsigned n = rill_model_candidates(l, s->order, values, &is_free);

	touch_read(l, s->order, is_free);

	if (rill_model.parallel)
		chosen = rill_model_choose_value(n);
	s->stale = chosen > 0;
	s->read = rill_model_read(l, values[chosen], s->order);
	if (changed(m, RILL_MODEL_VALUE))
		s->read = m->value;
	return s->read;
}

void rill_model_store(volatile void *p, unsigned size, uint64_t v, int order,
		      const struct rill_model_site *site)
{
	const struct rill_model_mutation *m;
	struct rill_model_step *s =
		begin(RILL_MODEL_OP_STORE, p, size, order, site, __builtin_return_address(0), &m);
	struct rill_model_location *l = rill_model_location(p, size);

	if (changed(m, RILL_MODEL_SKIP))
		return;
	s->written = changed(m, RILL_MODEL_VALUE) ? m->value : masked(v, size);
	touch(l, l->is_lock && v == 0 ? RILL_MODEL_TOUCH_UNLOCK : RILL_MODEL_TOUCH_WRITE);
	rill_model_write(l, s->written, s->order, NULL);
}

static uint64_t combine(enum rill_model_rmw how, uint64_t old, uint64_t v)
{
	switch (how) {
	case RILL_MODEL_EXCHANGE:
		return v;
	case RILL_MODEL_ADD:
		return old + v;
	case RILL_MODEL_SUB:
		return old - v;
	case RILL_MODEL_OR:
		return old | v;
	}
	return v;
}

uint64_t rill_model_rmw(volatile void *p, unsigned size, enum rill_model_rmw how, uint64_t v,
			int order, const struct rill_model_site *site)
{
	const struct rill_model_mutation *m;
	struct rill_model_step *s =
		begin(RILL_MODEL_OP_RMW, p, size, order, site, __builtin_return_address(0), &m);
	struct rill_model_location *l = rill_model_location(p, size);
	struct rill_model_value *from = l->newest;

	touch(l, RILL_MODEL_TOUCH_WRITE);
	s->read = rill_model_read(l, from, s->order);
	if (changed(m, RILL_MODEL_SKIP))
		return s->written = s->read;
	s->written = masked(combine(how, s->read, v), size);
	if (changed(m, RILL_MODEL_VALUE))
		s->written = m->value;
	rill_model_write(l, s->written, s->order, from);
	return s->read;
}

/* Which value a compare-and-swap finds; NULL: the newest, but a weak one fails all the same. */
static struct rill_model_value *cas_choose(struct rill_model_location *l, uint64_t expected,
					   bool weak, int failed, bool *ret_free)
{
	struct rill_model_value *values[RILL_MODEL_CANDIDATES];
	unsigned n = rill_model_candidates(l, failed, values, ret_free);
	unsigned kept = 1;

	if (!rill_model.parallel)
		return l->newest;
	/* To read an older one is to fail. */
	for (unsigned i = 1; i < n; i++)
		if (values[i]->value != expected)
			values[kept++] = values[i];
	if (weak && l->newest->value == expected && kept < RILL_MODEL_CANDIDATES)
		values[kept++] = NULL;
	return values[rill_model_choose_value(kept)];
}

bool rill_model_cas(volatile void *p, unsigned size, void *expected, uint64_t v, bool weak,
		    int order, int failed, const struct rill_model_site *site)
{
	const struct rill_model_mutation *m;
	struct rill_model_step *s =
		begin(RILL_MODEL_OP_CAS, p, size, order, site, __builtin_return_address(0), &m);
	struct rill_model_location *l = rill_model_location(p, size);
	uint64_t wanted = 0;

	memcpy(&wanted, expected, size);
	bool is_free;
	struct rill_model_value *found = cas_choose(l, wanted, weak, failed, &is_free);

	if (changed(m, RILL_MODEL_FORCE) || (found == l->newest && found->value == wanted)) {
		touch(l, RILL_MODEL_TOUCH_WRITE);
		s->read = rill_model_read(l, l->newest, s->order);
		s->written = masked(v, size);
		if (changed(m, RILL_MODEL_SKIP))
			return true;
		rill_model_write(l, s->written, s->order, l->newest);
		return true;
	}
	if (changed(m, RILL_MODEL_WEAKEN))
		failed = __ATOMIC_RELAXED;
	touch_read(l, failed, is_free);
	s->failed = true;
	s->stale = found != l->newest;
	s->order = failed;
	s->read = rill_model_read(l, found ? found : l->newest, failed);
	memcpy(expected, &s->read, size);
	return false;
}

uint32_t rill_model_lock(volatile uint32_t *word, const struct rill_model_site *site)
{
	const struct rill_model_mutation *m;
	struct rill_model_step *s = begin(RILL_MODEL_OP_LOCK, word, sizeof(*word), __ATOMIC_ACQUIRE,
					  site, __builtin_return_address(0), &m);
	struct rill_model_location *l = rill_model_location(word, sizeof(*word));
	struct rill_model_value *from = l->newest;

	if (from->value != 0)
		rill_model_fail("deadlock", "setup or check takes a held lock");
	l->is_lock = true;
	touch(l, RILL_MODEL_TOUCH_LOCK);
	s->read = rill_model_read(l, from, s->order);
	s->written = changed(m, RILL_MODEL_SKIP) ? 0 : 1;
	rill_model_write(l, s->written, s->order, from);
	return 0;
}

bool rill_model_wake_begin(const volatile void *p, unsigned size,
			   const struct rill_model_site *site)
{
	const struct rill_model_mutation *m;

	begin(RILL_MODEL_OP_WAKE, p, size, __ATOMIC_RELAXED, site, __builtin_return_address(0), &m);
	if (rill_model.parallel)
		rill_model_touch(&rill_model_location(p, size)->conflict, RILL_MODEL_TOUCH_WRITE);
	return !changed(m, RILL_MODEL_SKIP);
}

uint64_t rill_model_sync(const volatile void *p, unsigned size)
{
	struct rill_model_location *l = rill_model_location(p, size);

	touch(l, RILL_MODEL_TOUCH_READ_SEQ_CST);
	return rill_model_read(l, l->newest, __ATOMIC_ACQUIRE);
}

void rill_model_fence(int order, const struct rill_model_site *site)
{
	const struct rill_model_mutation *m;
	struct rill_model_step *s =
		begin(RILL_MODEL_OP_FENCE, NULL, 0, order, site, __builtin_return_address(0), &m);
	struct rill_model_thread *t = rill_model_thread();

	if (s->order != __ATOMIC_RELEASE)
		rill_model_clock_join(&t->clock, &t->unacquired);
	if (s->order == __ATOMIC_SEQ_CST) {
		if (rill_model.parallel)
			rill_model_touch(&rill_model.fence_conflict, RILL_MODEL_TOUCH_WRITE);
		rill_model_clock_join(&t->clock, &rill_model.seq_cst_fences);
		rill_model_clock_join(&rill_model.seq_cst_fences, &t->clock);
		t->seq_cst_fence = rill_model.seq;
	}
	if (s->order != __ATOMIC_ACQUIRE)
		t->release_fence = t->clock;
}

static const char *no_wait;

void rill_model_no_wait_in(const char *func)
{
	no_wait = func;
}

void rill_model_relax_reset(void)
{
	no_wait = NULL;
}

void rill_model_relax(const struct rill_model_site *site)
{
	const struct rill_model_mutation *m;

	if (no_wait && strcmp(site->func, no_wait) == 0)
		return;
	begin(RILL_MODEL_OP_RELAX, NULL, 0, __ATOMIC_RELAXED, site, __builtin_return_address(0),
	      &m);
	rill_model_thread()->round = rill_model.seq;
}

void rill_model_count(volatile void *p, unsigned size, uint64_t n)
{
	uint64_t v = rill_model_peek(p, size) + n;

	memcpy((void *)(uintptr_t)p, &v, size);
}
