/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * In place of current.c, whose thread-local storage is the system thread's and not the model's; and
 * of the clock.
 */
#include "tests/model/doubles.h"

#include "base/clock.h"
#include "runtime/await.h"
#include "tests/model/engine/kernel.h"

static struct rill_waiter waiters[RILL_MODEL_THREADS + 1];

void rill_doubles_reset(void)
{
	for (unsigned i = 0; i <= RILL_MODEL_THREADS; i++)
		waiters[i] = (struct rill_waiter){0};
	rill_model_name(waiters, sizeof(waiters), "waiters");
}

void rill_doubles_be_worker(struct rill_worker *w)
{
	rill_model_set_local(w);
}

struct rill_waiter *rill_doubles_waiter(unsigned thread)
{
	return &waiters[thread];
}

/* ---- current.c ---- */

struct rill_worker *rill_worker_current(void)
{
	return rill_model_local();
}

struct rill_waiter *rill_waiter_current(void)
{
	struct rill_worker *w = rill_model_local();

	return w && w->current ? &w->current->waiter : &waiters[rill_model_self()];
}

uint64_t rill_runtime_now(const struct rill_runtime *rt)
{
	return rill_clock_mono();
}

uint64_t rill_runtime_now_coarse(const struct rill_runtime *rt)
{
	return rill_clock_mono();
}

uint64_t rill_worker_now(struct rill_worker *w)
{
	return rill_clock_mono();
}

/* ---- clock.c ---- */

uint64_t rill_clock_mono(void)
{
	return rill_model_now();
}
