/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A channel is a queue of messages under one spinlock. channel.c is what happens under it;
 * channel_send.c, _permit.c, _recv.c and _owner.c are the calls.
 *
 *   room + len + permits == capacity      (of one without bound, room is what is left of SIZE_MAX)
 *   room == 0                             while anybody waits for room
 *   len == owed                           while anybody waits for a message
 *
 * Room that comes while somebody waits for it is the first one's, a message the first receiver's.
 * So nobody barges in, and whoever comes finds out by one look at room, or at len and owed.
 *
 * Who waits for nothing else has his message copied at once, to or from where he has it, and is
 * done when he wakes. Others may turn out to have completed another case of their select: a sender
 * is promised room, which is a permit, and a receiver is owed a message, which stays in the
 * channel, until they run.
 */
#ifndef RILL_SYNC_CHANNEL_H
#define RILL_SYNC_CHANNEL_H

#include <rill/channel.h>

#include <string.h>

#include "base/assert.h"
#include "base/spinlock.h"
#include "runtime/await.h"
#include "runtime/runtime.h"

/* Of a channel without bound; of others one block has all. Model tests want fewer. */
#ifndef RILL_CHANNEL_BLOCK_MSGS
#define RILL_CHANNEL_BLOCK_MSGS 32
#endif

struct rill_channel_block {
	struct rill_channel_block *next; /* of a bounded channel: itself */
	_Alignas(max_align_t) unsigned char msgs[];
};

struct rill_channel {
	/* Of all below but the constants; some of it is looked at without. */
	struct rill_spinlock lock RILL_CACHE_ALIGNED;
	RILL_ATOMIC(bool) closed;   /* for good */
	RILL_ATOMIC(size_t) room;   /* for so many more messages */
	RILL_ATOMIC(size_t) len;    /* messages in the blocks */
	size_t owed;		    /* of these: promised to receivers who were woken */
	unsigned char *tail;	    /* where the next message goes */
	unsigned char *tail_end;    /* tail, when its block is full */
	unsigned char *head;	    /* where the oldest message is */
	unsigned char *head_end;    /* head, when its block has been read */
	struct rill_list senders_q; /* armed, longest waiter first; value: room that each lacks */
	struct rill_list receivers_q;
	size_t msg_size;      /* constant */
	unsigned send_budget; /* constant: units that a send takes; none if it cannot wait */
	size_t permits; /* room set aside, by permits, promises and for the first in senders_q */
	struct rill_channel_block *tail_block;
	struct rill_channel_block *head_block;

	struct rill_channel_block *spare; /* to be linked next, or NULL */
	struct rill_list closers_q;	  /* wait until it is closed */
	RILL_ATOMIC(size_t) senders;
	RILL_ATOMIC(size_t) receivers;
	RILL_ATOMIC(size_t) weaks;
	size_t refs; /* weak senders; one of all senders, one of all receivers */
	/* constants */
	size_t capacity;
	size_t block_bytes;
	void (*drop)(void *msg, void *arg);
	void *drop_arg;
};

/* What an operation leaves to be done when it has let go of the lock. */
struct rill_channel_rest {
	struct rill_wake_batch batch;
	struct rill_channel_block *dead; /* to be freed */
};

#define RILL_CHANNEL_REST_INIT                                                                     \
	{                                                                                          \
		RILL_WAKE_BATCH_INIT, NULL                                                         \
	}

/* Those whose message is copied for them. */
extern const struct rill_await_ops rill_channel_send_ops;
extern const struct rill_await_ops rill_channel_recv_ops;
/* In a select: is promised room. */
extern const struct rill_await_ops rill_channel_send_case_ops;
/* arg: how many. */
extern const struct rill_await_ops rill_channel_reserve_ops;

/* ---- channel.c: under the lock ---- */

bool rill_channel_valid(const struct rill_channel *ch);
void rill_channel_tail_advance(struct rill_channel *ch);
void rill_channel_head_advance(struct rill_channel *ch, struct rill_channel_rest *rest);
/* There is a block to go on with when the last one is full. */
bool rill_channel_extend(struct rill_channel *ch);
/* Messages that are owed to nobody go to the receivers who wait. */
void rill_channel_offer(struct rill_channel *ch, struct rill_channel_rest *rest);
/* Room goes to the senders who wait. */
void rill_channel_refill(struct rill_channel *ch, struct rill_channel_rest *rest);
/* n permits are room again. */
void rill_channel_release(struct rill_channel *ch, size_t n, struct rill_channel_rest *rest);
/* A permit becomes the message. */
void rill_channel_spend(struct rill_channel *ch, const void *msg, struct rill_channel_rest *rest);
/* What the first in the queue has of the permits that it wants. */
size_t rill_channel_partial(const struct rill_await *aw);
/* After whatever may have ended it: then receivers need not wait. As rill_fanout(), this and the
 * next let go of the lock when there are many to wake. */
void rill_channel_tell_ended(struct rill_channel *ch, struct rill_channel_rest *rest);
void rill_channel_close_locked(struct rill_channel *ch, struct rill_channel_rest *rest);
void rill_channel_free_blocks(struct rill_channel_block *dead);
/* The disarm of a plain send or receive, whose message was copied for it. */
int rill_channel_disarm_plain(struct rill_await *aw, bool take);

static RILL_ALWAYS_INLINE void rill_channel_unlock(struct rill_channel *ch,
						   struct rill_channel_rest *rest)
{
	RILL_DEBUG_ASSERT(rill_channel_valid(ch));
	rill_spin_unlock(&ch->lock);
	rill_wake_flush(&rest->batch);
	if (RILL_UNLIKELY(rest->dead != NULL))
		rill_channel_free_blocks(rest->dead);
}

/* Nothing is left in it, and nothing will come. */
static inline bool rill_channel_ended(const struct rill_channel *ch)
{
	return (ch->closed || ch->senders == 0) && ch->len == 0 && ch->permits == 0;
}

/* What most channels carry: a pointer or a counter. */
#define RILL_CHANNEL_WORD sizeof(uint64_t)

static RILL_ALWAYS_INLINE void rill_channel_copy(void *to, const void *from, size_t size)
{
	if (RILL_LIKELY(size == RILL_CHANNEL_WORD))
		memcpy(to, from, RILL_CHANNEL_WORD);
	else
		memcpy(to, from, size);
}

/* There is a block to put it into, and its room is accounted for. */
static RILL_ALWAYS_INLINE void rill_channel_put(struct rill_channel *ch, const void *msg)
{
	if (RILL_UNLIKELY(ch->tail == ch->tail_end))
		rill_channel_tail_advance(ch);
	rill_channel_copy(ch->tail, msg, ch->msg_size);
	ch->tail += ch->msg_size;
	rill_store_relaxed(&ch->len, ch->len + 1);
}

/* There is one. The room that it leaves is nobody's yet. */
static RILL_ALWAYS_INLINE void rill_channel_get(struct rill_channel *ch, void *ret_msg,
						struct rill_channel_rest *rest)
{
	if (RILL_UNLIKELY(ch->head == ch->head_end))
		rill_channel_head_advance(ch, rest);
	rill_channel_copy(ret_msg, ch->head, ch->msg_size);
	ch->head += ch->msg_size;
	rill_store_relaxed(&ch->len, ch->len - 1);
	rill_store_relaxed(&ch->room, ch->room + 1);
}

/* Straight to the first receiver, if there is one and it waits for nothing else. */
static RILL_ALWAYS_INLINE bool rill_channel_hand_over(struct rill_channel *ch, const void *msg,
						      struct rill_channel_rest *rest)
{
	struct rill_await *aw = rill_await_first(&ch->receivers_q);

	if (!aw || aw->ops != &rill_channel_recv_ops)
		return false;
	rill_channel_copy(aw->arg, msg, ch->msg_size);
	rill_await_grant(aw, &rest->batch);
	return true;
}

/* What was put last is the first receiver's, who has to come for it. */
static RILL_ALWAYS_INLINE void rill_channel_owe(struct rill_channel *ch,
						struct rill_channel_rest *rest)
{
	struct rill_await *aw = rill_await_first(&ch->receivers_q);

	if (!aw)
		return;
	ch->owed++;
	rill_await_promise(aw, &rest->batch);
}

#endif
