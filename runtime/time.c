/* SPDX-License-Identifier: BSD-3-Clause */
#include <rill/time.h>

#include "base/clock.h"
#include "runtime/await.h"
#include "runtime/runtime.h"

/* Later than this, a tick was missed and the interval's behaviour decides (Tokio: 5 ms). */
#define MISSED_NS (5 * RILL_MS)

uint64_t rill_now(void)
{
	struct rill_worker *w = rill_worker_current();

	return w ? rill_runtime_now(w->rt) : rill_clock_mono();
}

uint64_t rill_after(uint64_t dur_ns)
{
	uint64_t now = rill_now();

	return dur_ns > RILL_FOREVER - now ? RILL_FOREVER : now + dur_ns;
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

int rill_interval_init(struct rill_interval *iv, uint64_t period_ns, enum rill_missed_tick missed)
{
	if (period_ns == 0)
		return -EINVAL;
	*iv = (struct rill_interval){
		.next_ns = rill_now(),
		.period_ns = period_ns,
		.missed = missed,
	};
	return 0;
}

static uint64_t next_tick(const struct rill_interval *iv, uint64_t now)
{
	uint64_t late = now - iv->next_ns;

	if (late <= MISSED_NS || iv->missed == RILL_MISSED_BURST)
		return iv->next_ns + iv->period_ns;
	if (iv->missed == RILL_MISSED_DELAY)
		return now + iv->period_ns;
	return now + iv->period_ns - late % iv->period_ns;
}

int rill_interval_tick(struct rill_interval *iv, uint64_t *ret_scheduled)
{
	int r = rill_sleep_until(iv->next_ns);

	if (r < 0)
		return r;
	if (ret_scheduled)
		*ret_scheduled = iv->next_ns;
	iv->next_ns = next_tick(iv, rill_now());
	return 0;
}
