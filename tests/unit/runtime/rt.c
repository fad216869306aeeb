/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/runtime/rt.h"

void gate_init(struct gate *g)
{
	*g = (struct gate){0};
	rill_list_init(&g->waiters);
}

static void post_locked(struct gate *g, struct rill_wake_batch *batch)
{
	struct rill_await *aw = rill_await_first(&g->waiters);

	if (!aw) {
		g->permits++;
		return;
	}
	rill_await_grant(aw, batch);
}

void gate_post(struct gate *g)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&g->lock);
	post_locked(g, &batch);
	rill_spin_unlock(&g->lock);
	rill_wake_flush(&batch);
}

static int try_locked(struct gate *g)
{
	if (g->permits == 0)
		return -EAGAIN;
	g->permits--;
	return 0;
}

static int gate_try(struct rill_await *aw)
{
	struct gate *g = aw->obj;

	rill_spin_lock(&g->lock);
	int r = try_locked(g);

	rill_spin_unlock(&g->lock);
	return r;
}

static int gate_arm(struct rill_await *aw)
{
	struct gate *g = aw->obj;

	rill_spin_lock(&g->lock);
	int r = try_locked(g);

	if (r == -EAGAIN)
		rill_list_push_back(&g->waiters, &aw->link);
	rill_spin_unlock(&g->lock);
	return r;
}

static int gate_disarm(struct rill_await *aw, bool take)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct gate *g = aw->obj;
	int r = -EAGAIN;

	rill_spin_lock(&g->lock);
	rill_list_del(&aw->link);
	if (rill_await_granted(aw) && take)
		r = 0;
	else if (rill_await_granted(aw))
		post_locked(g, &batch);
	rill_spin_unlock(&g->lock);
	rill_wake_flush(&batch);
	return r;
}

static const struct rill_await_ops gate_ops = {
	.what = "gate",
	.try = gate_try,
	.arm = gate_arm,
	.disarm = gate_disarm,
};

int gate_wait(struct gate *g)
{
	return rill_await_on(&gate_ops, g, NULL);
}

void gate_case(struct rill_case *c, struct gate *g)
{
	rill_await_init(rill_await_of(c), &gate_ops, g, NULL);
}
