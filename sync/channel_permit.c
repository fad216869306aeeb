/* SPDX-License-Identifier: BSD-3-Clause */
/* Permits: room that is set aside before there is a message. */
#include <rill/channel.h>

#include "sync/channel.h"

static int reserve_locked(struct rill_channel *ch, size_t n)
{
	if (RILL_UNLIKELY(ch->closed))
		return -EPIPE;
	if (ch->room < n)
		return -EAGAIN;
	rill_store_relaxed(&ch->room, ch->room - n);
	ch->permits += n;
	return 0;
}

/* Would for ever be too many. */
static bool too_many(const struct rill_channel *ch, size_t n)
{
	return n > ch->capacity || ch->capacity == RILL_UNBOUNDED;
}

int rill_channel_try_reserve(struct rill_channel *ch, size_t n)
{
	if (too_many(ch, n))
		return -EINVAL;
	rill_spin_lock(&ch->lock);
	int r = reserve_locked(ch, n);

	RILL_DEBUG_ASSERT(rill_channel_valid(ch));
	rill_spin_unlock(&ch->lock);
	return r;
}

static int reserve_try(struct rill_await *aw)
{
	return rill_channel_try_reserve(aw->obj, (uintptr_t)aw->arg);
}

static int reserve_arm(struct rill_await *aw)
{
	struct rill_channel_rest rest = RILL_CHANNEL_REST_INIT;
	struct rill_channel *ch = aw->obj;
	size_t n = (uintptr_t)aw->arg;

	if (too_many(ch, n))
		return -EINVAL;
	rill_spin_lock(&ch->lock);
	int r = reserve_locked(ch, n);

	if (r == -EAGAIN) {
		aw->value = n;
		rill_list_push_back(&ch->senders_q, &aw->link);
		/* As the first it gets the little that there is. */
		rill_channel_refill(ch, &rest);
	}
	rill_channel_unlock(ch, &rest);
	return r;
}

/* Gives back what it has, all or a part, unless that is taken. */
static int reserve_disarm(struct rill_await *aw, bool take)
{
	struct rill_channel_rest rest = RILL_CHANNEL_REST_INIT;
	struct rill_channel *ch = aw->obj;
	int r = 0;

	rill_spin_lock(&ch->lock);
	rill_list_del(&aw->link);
	if (!rill_await_granted(aw) || !take) {
		rill_channel_release(ch, rill_channel_partial(aw), &rest);
		r = -EAGAIN;
	}
	rill_channel_unlock(ch, &rest);
	return r;
}

const struct rill_await_ops rill_channel_reserve_ops = {
	.what = "channel reserve",
	.arm_only = true,
	.try = reserve_try,
	.arm = reserve_arm,
	.disarm = reserve_disarm,
};

int rill_channel_reserve(struct rill_channel *ch, size_t n)
{
	struct rill_worker *w;

	if (rill_load_relaxed(&ch->room) >= n && RILL_LIKELY(rill_task_unhindered(&w) != NULL)) {
		int r = rill_channel_try_reserve(ch, n);

		if (RILL_LIKELY(r != -EAGAIN)) {
			w->budget--;
			return r;
		}
	}
	return rill_await_on(&rill_channel_reserve_ops, ch, (void *)(uintptr_t)n);
}

void rill_case_channel_reserve(struct rill_case *c, struct rill_channel *ch, size_t n)
{
	rill_await_init(rill_await_of(c), &rill_channel_reserve_ops, ch, (void *)(uintptr_t)n);
}

void rill_channel_send_reserved(struct rill_channel *ch, const void *msg)
{
	struct rill_channel_rest rest = RILL_CHANNEL_REST_INIT;

	rill_spin_lock(&ch->lock);
	RILL_ASSERT(ch->permits > 0); /* sent without a permit */
	bool wanted = ch->receivers > 0;

	if (RILL_LIKELY(wanted))
		rill_channel_spend(ch, msg, &rest);
	else
		rill_channel_release(ch, 1, &rest);
	rill_channel_unlock(ch, &rest);
	if (!wanted && ch->drop)
		ch->drop((void *)(uintptr_t)msg, ch->drop_arg);
}

void rill_channel_unreserve(struct rill_channel *ch, size_t n)
{
	struct rill_channel_rest rest = RILL_CHANNEL_REST_INIT;

	rill_spin_lock(&ch->lock);
	RILL_ASSERT(ch->permits >= n); /* gave back more than it had */
	rill_channel_release(ch, n, &rest);
	rill_channel_unlock(ch, &rest);
}
