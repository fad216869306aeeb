/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/core/timers.h"

#include "netstack/core/conn.h"

#define FAR_UNIT_SHIFT 10
#define FAR_TICK_SHIFT (FAR_UNIT_SHIFT + RILL_WHEEL_TICK_SHIFT)
/* What is nearer would soon be moved to the near wheel. */
#define FAR_NS (UINT64_C(4) << FAR_TICK_SHIFT)

void rill_timers_init(struct rill_timers *t, uint64_t now)
{
	t->next_ns = UINT64_MAX;
	rill_wheel_init(&t->near, now);
	rill_wheel_init(&t->far, now >> FAR_UNIT_SHIFT);
}

/* Never after the deadline: the tick in which it lies. */
static uint64_t to_far(uint64_t ns)
{
	return ns >> FAR_TICK_SHIFT << RILL_WHEEL_TICK_SHIFT;
}

static uint64_t fires_at(const struct rill_conn *c)
{
	return c->far_timer ? c->timer.deadline_ns << FAR_UNIT_SHIFT : c->timer.deadline_ns;
}

void rill_timers_stop(struct rill_timers *t, struct rill_conn *c)
{
	rill_wheel_cancel(c->far_timer ? &t->far : &t->near, &c->timer);
}

void rill_timers_set(struct rill_timers *t, struct rill_conn *c, uint64_t deadline, uint64_t now)
{
	if (rill_timer_pending(&c->timer)) {
		if (fires_at(c) <= deadline)
			return;
		rill_timers_stop(t, c);
	}
	c->far_timer = deadline - now >= FAR_NS && deadline > now;
	if (c->far_timer)
		rill_wheel_insert(&t->far, &c->timer, to_far(deadline));
	else
		rill_wheel_insert(&t->near, &c->timer, deadline);
	t->next_ns = RILL_MIN(t->next_ns, fires_at(c));
}

static uint64_t next_far(const struct rill_timers *t)
{
	uint64_t next = rill_wheel_next(&t->far);

	return next == UINT64_MAX ? UINT64_MAX : next << FAR_UNIT_SHIFT;
}

bool rill_timers_advance(struct rill_timers *t, uint64_t now, struct rill_list *expired)
{
	bool any = rill_wheel_advance(&t->near, now, expired);

	any |= rill_wheel_advance(&t->far, now >> FAR_UNIT_SHIFT, expired);
	t->next_ns = RILL_MIN(rill_wheel_next(&t->near), next_far(t));
	return any;
}
