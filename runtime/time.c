/* SPDX-License-Identifier: BSD-3-Clause */
#include <rill/time.h>

#include <rill/task.h>

#include "base/clock.h"
#include "runtime/await.h"
#include "runtime/pause.h"
#include "runtime/runtime.h"

/* Later than this, a tick was missed and the interval's behaviour decides (Tokio: 5 ms). */
#define MISSED_NS (5 * RILL_MS)

uint64_t rill_now(void)
{
	struct rill_worker *w = rill_worker_current();

	return w ? rill_runtime_now(w->rt) : rill_clock_mono();
}

static uint64_t add_saturating(uint64_t ns, uint64_t dur_ns)
{
	return dur_ns > RILL_FOREVER - ns ? RILL_FOREVER : ns + dur_ns;
}

uint64_t rill_after(uint64_t dur_ns)
{
	return add_saturating(rill_now(), dur_ns);
}

static int sleep_try(struct rill_await *aw)
{
	return rill_now() >= aw->value ? 0 : -EAGAIN;
}

/* Nothing provides a point in time, so there is nothing to arm: the deadline does it. */
static const struct rill_await_ops sleep_ops = {
	.what = "sleep",
	.try = sleep_try,
};

void rill_case_sleep_until(struct rill_case *c, uint64_t deadline_ns)
{
	struct rill_await *aw = rill_await_of(c);

	rill_await_init(aw, &sleep_ops, NULL, NULL);
	aw->value = deadline_ns;
	aw->deadline_ns = deadline_ns;
}

int rill_sleep_until(uint64_t deadline_ns)
{
	struct rill_case c;

	rill_case_sleep_until(&c, deadline_ns);
	return rill_await(rill_await_of(&c), 0);
}

int rill_sleep(uint64_t dur_ns)
{
	return rill_sleep_until(rill_after(dur_ns));
}

int rill_timeout_at(uint64_t deadline_ns, int (*fn)(void *), void *arg)
{
	struct rill_scope scope;

	rill_scope_begin(&scope, deadline_ns, NULL);
	int r = fn(arg);

	rill_scope_end(&scope);
	return r;
}

int rill_timeout(uint64_t dur_ns, int (*fn)(void *), void *arg)
{
	return rill_timeout_at(rill_after(dur_ns), fn, arg);
}

/* ---- intervals ---- */

int rill_interval_init_at(struct rill_interval *iv, uint64_t start_ns, uint64_t period_ns,
			  enum rill_missed_tick missed)
{
	if (period_ns == 0)
		return -EINVAL;
	*iv = (struct rill_interval){
		.next_ns = start_ns,
		.period_ns = period_ns,
		.missed = missed,
	};
	return 0;
}

int rill_interval_init(struct rill_interval *iv, uint64_t period_ns, enum rill_missed_tick missed)
{
	return rill_interval_init_at(iv, rill_now(), period_ns, missed);
}

static uint64_t tick_after(const struct rill_interval *iv, uint64_t now)
{
	uint64_t late = now - iv->next_ns;

	if (late <= MISSED_NS || iv->missed == RILL_MISSED_BURST)
		return add_saturating(iv->next_ns, iv->period_ns);
	if (iv->missed == RILL_MISSED_DELAY)
		return add_saturating(now, iv->period_ns);
	return add_saturating(now, iv->period_ns - late % iv->period_ns);
}

/* Only here the interval moves on, so a tick that another case of a select beat is not lost. */
static int tick_try(struct rill_await *aw)
{
	struct rill_interval *iv = aw->obj;
	uint64_t *ret_scheduled = aw->arg;
	uint64_t now = rill_now();

	aw->deadline_ns = iv->next_ns;
	if (now < iv->next_ns)
		return -EAGAIN;
	if (ret_scheduled)
		*ret_scheduled = iv->next_ns;
	iv->next_ns = tick_after(iv, now);
	return 0;
}

static const struct rill_await_ops tick_ops = {
	.what = "interval",
	.try = tick_try,
};

void rill_case_interval_tick(struct rill_case *c, struct rill_interval *iv, uint64_t *ret_scheduled)
{
	rill_await_init(rill_await_of(c), &tick_ops, iv, ret_scheduled);
}

int rill_interval_tick(struct rill_interval *iv, uint64_t *ret_scheduled)
{
	return rill_await_on(&tick_ops, iv, ret_scheduled);
}

void rill_interval_reset_at(struct rill_interval *iv, uint64_t deadline_ns)
{
	iv->next_ns = deadline_ns;
}

void rill_interval_reset_after(struct rill_interval *iv, uint64_t dur_ns)
{
	rill_interval_reset_at(iv, rill_after(dur_ns));
}

void rill_interval_reset_immediately(struct rill_interval *iv)
{
	rill_interval_reset_at(iv, rill_now());
}

void rill_interval_reset(struct rill_interval *iv)
{
	rill_interval_reset_after(iv, iv->period_ns);
}

uint64_t rill_interval_period(const struct rill_interval *iv)
{
	return iv->period_ns;
}

void rill_interval_set_missed(struct rill_interval *iv, enum rill_missed_tick missed)
{
	iv->missed = missed;
}

/* ---- the paused clock ---- */

/*
 * Of the calling task, when its clock can stand still: all who read it are on one thread, which
 * goes to sleep at times, for it is then that the clock jumps.
 */
static struct rill_runtime *pausable(void)
{
	struct rill_task *t = rill_task_current();

	if (!t || t->rt->o.flavor != RILL_CURRENT_THREAD || t->rt->o.idle == RILL_IDLE_SPIN)
		return NULL;
	return t->rt;
}

static void fire_due(struct rill_worker *w, uint64_t now)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_list due;
	struct rill_list *n;

	rill_list_init(&due);
	rill_spin_lock(&w->wheel_lock);
	rill_wheel_advance(&w->wheel, now, &due);
	rill_wheel_take_due(&w->wheel, now, &due);
	while ((n = rill_list_pop_front(&due))) {
		struct rill_timer *timer = RILL_LIST_ENTRY(n, struct rill_timer, link);

		rill_wake_add(&batch, &RILL_CONTAINER_OF(timer, struct rill_task, timer)->waiter);
	}
	rill_store_relaxed(&w->wheel_next_ns, rill_wheel_next(&w->wheel));
	rill_spin_unlock(&w->wheel_lock);
	rill_wake_flush(&batch);
}

void rill_clock_jump(struct rill_worker *w, uint64_t dur_ns)
{
	struct rill_task *t = w->current;

	uint64_t to = RILL_MIN(add_saturating(rill_runtime_now(w->rt), dur_ns), RILL_CLOCK_MAX);

	rill_clock_set(w->rt, true, (int64_t)to);
	/* Those who are woken are woken by time and not by a task: in the order of their coming. */
	w->current = NULL;
	fire_due(w, rill_worker_now(w));
	w->current = t;
}

int rill_clock_pause(void)
{
	struct rill_runtime *rt = pausable();

	if (!rt)
		return -EOPNOTSUPP;
	if (rill_clock_is_paused(rt))
		return -EBUSY;
	rill_clock_set(rt, true, (int64_t)rill_runtime_now(rt));
	return 0;
}

int rill_clock_resume(void)
{
	struct rill_runtime *rt = pausable();

	if (!rt)
		return -EOPNOTSUPP;
	if (!rill_clock_is_paused(rt))
		return -EINVAL;
	/* Runs on as far from the machine's clock as it is now, before or behind. */
	rill_clock_set(
		rt, false,
		(int64_t)(RILL_MIN(rill_runtime_now(rt), RILL_CLOCK_MAX) - rill_clock_mono()));
	return 0;
}

int rill_clock_advance(uint64_t dur_ns)
{
	struct rill_runtime *rt = pausable();

	if (!rt)
		return -EOPNOTSUPP;
	if (!rill_clock_is_paused(rt))
		return -EINVAL;
	rill_clock_jump(rill_worker_current(), dur_ns);
	return rill_yield();
}
