/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/model/sem.h"

#include "tests/model/engine/model.h"

struct rill_sem rill_sem;

void rill_sem_reset(void)
{
	rill_sem.lock.word = 0;
	rill_sem.tokens = 0;
	rill_list_init(&rill_sem.queue);
	rill_model_name(&rill_sem, sizeof(rill_sem), "sem");
}

static int sem_take_locked(struct rill_await *aw)
{
	if (rill_sem.tokens == 0)
		return -EAGAIN;
	rill_sem.tokens--;
	return 0;
}

static int sem_try(struct rill_await *aw)
{
	rill_spin_lock(&rill_sem.lock);
	int r = sem_take_locked(aw);

	rill_spin_unlock(&rill_sem.lock);
	return r;
}

static int sem_arm(struct rill_await *aw)
{
	rill_spin_lock(&rill_sem.lock);
	int r = sem_take_locked(aw);

	if (r == -EAGAIN)
		rill_list_push_back(&rill_sem.queue, &aw->link);
	rill_spin_unlock(&rill_sem.lock);
	return r;
}

static int sem_disarm(struct rill_await *aw, bool take)
{
	rill_spin_lock(&rill_sem.lock);
	int r = rill_await_granted(aw) ? 0 : -EAGAIN;

	rill_list_del(&aw->link);
	rill_spin_unlock(&rill_sem.lock);
	aw->value++;
	return r;
}

const struct rill_await_ops rill_sem_ops = {
	.what = "sem",
	.try = sem_try,
	.arm = sem_arm,
	.disarm = sem_disarm,
};

/* Gives up after having waited. */
static int sem_try_late(struct rill_await *aw)
{
	int r = sem_try(aw);

	return r == -EAGAIN && aw->value > 0 ? -ETIMEDOUT : r;
}

const struct rill_await_ops rill_sem_late_ops = {
	.what = "sem",
	.try = sem_try_late,
	.arm = sem_arm,
	.disarm = sem_disarm,
};

/* To whoever waits, or for later. */
void rill_sem_give(void)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_spin_lock(&rill_sem.lock);
	struct rill_await *aw = rill_await_first(&rill_sem.queue);

	if (aw) {
		rill_await_grant(aw, &batch);
	} else {
		rill_sem.tokens++;
	}
	rill_spin_unlock(&rill_sem.lock);
	rill_wake_flush(&batch);
}

void rill_sem_take(void)
{
	RILL_ASSERT(rill_await_on(&rill_sem_ops, NULL, NULL) == 0);
}

int rill_sem_take_late(void)
{
	struct rill_await aw;

	rill_await_init(&aw, &rill_sem_late_ops, NULL, NULL);
	aw.deadline_ns = 1;
	return rill_await(&aw, 0);
}
