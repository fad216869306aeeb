/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Both halves share one block of memory, freed by whoever leaves last. All that they tell each
 * other is in one word of flags. Each flag is set by one side only, by a read-modify-write, and
 * what a side sets last is its going: from then on the block is the other's alone.
 *
 * A side that waits has put its waiter into the block before it set RX_WAITS or TX_WAITS, and takes
 * the flag back when it gives up. If the other side's event came first, that one is about to wake
 * the waiter and clears the flag when it has done so; this side waits for that, a few instructions,
 * before it goes on. So it is neither woken nor looked at afterwards.
 *
 * A receiver that waits for nothing else has the message copied to where it wants it. For any other
 * it lies in the block: one that gives up its wait leaves it there for the next one.
 */
#include <rill/oneshot.h>

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/spinlock.h"
#include "runtime/await.h"

enum oneshot_flags {
	RX_WAITS = 1, /* in a recv */
	TX_WAITS = 2, /* in a wait_closed */
	CLOSED = 4,   /* by the receiver: no send any more */
	RX_GONE = 8,
	SENT = 16, /* the message is in the block; cleared when it is taken */
	TX_GONE = 32,
};

/* How a waiting receiver is served, in the value of its node. */
enum delivery {
	TO_RECEIVER, /* it waits for nothing else */
	TO_BLOCK,    /* in a select */
};

struct rill_oneshot {
	RILL_ATOMIC(uint32_t) flags;
	struct rill_await *receiver; /* while RX_WAITS */
	struct rill_await *sender;   /* while TX_WAITS */
	size_t msg_size;
	void (*drop)(void *msg, void *arg);
	void *drop_arg;
	_Alignas(max_align_t) unsigned char msg[];
};

static RILL_ALWAYS_INLINE void copy(void *to, const void *from, size_t size)
{
	/* A pointer or a number is what most carry; a message of no bytes may have no address. */
	if (size == 8)
		memcpy(to, from, 8);
	else if (size)
		memcpy(to, from, size);
}

/* ---- waiting for the other side, the same for both ---- */

/* The flags, by the side that reads what the other one did before it set them. */
static uint32_t look(const struct rill_oneshot *ch)
{
	/* acquire: pairs with the release of each read-modify-write, and in wake() */
	return rill_load_acquire(&ch->flags);
}

/* Sets waits unless one of the events is there: false. */
static bool begin_to_wait(struct rill_oneshot *ch, uint32_t waits, uint32_t events)
{
	uint32_t flags = look(ch);

	do {
		if (flags & events)
			return false;
		RILL_ASSERT(!(flags & waits)); /* two at a time on one side */
		/* acq_rel: the other side finds the waiter, or we find its event */
	} while (!rill_cas_acq_rel(&ch->flags, &flags, flags | waits));
	return true;
}

/* Clears waits, or has it cleared: nobody looks at our waiter any more. Returns the flags. */
static uint32_t end_waiting(struct rill_oneshot *ch, uint32_t waits, uint32_t events)
{
	uint32_t flags = look(ch);

	while (!(flags & events))
		/* acq_rel: as in begin_to_wait() */
		if (rill_cas_acq_rel(&ch->flags, &flags, flags & ~waits))
			return flags;
	for (unsigned spins = 1; flags & waits; spins++) {
		rill_spin_pause(spins);
		flags = look(ch);
	}
	return flags;
}

/*
 * After the event that these flags hold: it was waited for. The other side does not touch the word
 * until it sees waits cleared, and may free the block then.
 */
static void wake(struct rill_oneshot *ch, uint32_t flags, uint32_t waits, struct rill_await *aw)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;

	rill_wake_add(&batch, aw->waiter);
	/* release: pairs with the acquire in look() */
	rill_store_release(&ch->flags, flags & ~waits);
	rill_wake_flush(&batch);
}

/* ---- the receiver's half ---- */

/* The sender has gone: the block is the receiver's alone. */
static void take_out(struct rill_oneshot *ch, uint32_t flags, void *ret_msg)
{
	copy(ret_msg, ch->msg, ch->msg_size);
	rill_store_relaxed(&ch->flags, flags & ~SENT);
}

static int take_if_sent(struct rill_oneshot *ch, uint32_t flags, void *ret_msg)
{
	if (RILL_LIKELY(flags & SENT)) {
		take_out(ch, flags, ret_msg);
		return 0;
	}
	return flags & (TX_GONE | CLOSED) ? -EPIPE : -EAGAIN;
}

static int recv_try(struct rill_await *aw)
{
	return rill_oneshot_try_recv(aw->obj, aw->arg);
}

static int recv_arm(struct rill_await *aw)
{
	struct rill_oneshot *ch = aw->obj;

	ch->receiver = aw;
	if (begin_to_wait(ch, RX_WAITS, TX_GONE | CLOSED))
		return -EAGAIN;
	return take_if_sent(ch, look(ch), aw->arg);
}

static int recv_disarm(struct rill_await *aw, bool take)
{
	struct rill_oneshot *ch = aw->obj;
	uint32_t flags = end_waiting(ch, RX_WAITS, TX_GONE);

	if (rill_await_granted(aw))
		return 0;
	return take ? take_if_sent(ch, flags, aw->arg) : -EAGAIN;
}

static const struct rill_await_ops recv_ops = {
	.what = "oneshot recv",
	.arm_only = true,
	.try = recv_try,
	.arm = recv_arm,
	.disarm = recv_disarm,
};

int rill_oneshot_try_recv(struct rill_oneshot *ch, void *ret_msg)
{
	return take_if_sent(ch, look(ch), ret_msg);
}

int rill_oneshot_recv(struct rill_oneshot *ch, void *ret_msg)
{
	return rill_await_on(&recv_ops, ch, ret_msg);
}

void rill_case_oneshot_recv(struct rill_case *c, struct rill_oneshot *ch, void *ret_msg)
{
	struct rill_await *aw = rill_await_of(c);

	rill_await_init(aw, &recv_ops, ch, ret_msg);
	aw->value = TO_BLOCK;
}

bool rill_oneshot_is_empty(const struct rill_oneshot *ch)
{
	return !(look(ch) & SENT);
}

bool rill_oneshot_is_terminated(const struct rill_oneshot *ch)
{
	uint32_t flags = look(ch);

	return !(flags & SENT) && (flags & (TX_GONE | CLOSED));
}

/* No more sending. Returns the flags as they were. */
static uint32_t close_by_receiver(struct rill_oneshot *ch, uint32_t events)
{
	/* acq_rel: the sender finds us gone, or we find its waiter, its message or it gone */
	uint32_t flags = rill_fetch_or_acq_rel(&ch->flags, events);

	RILL_ASSERT(!(flags & (RX_GONE | RX_WAITS))); /* closed twice, or in a recv */
	if (flags & TX_WAITS)
		wake(ch, flags | events, TX_WAITS, ch->sender);
	return flags;
}

void rill_oneshot_close(struct rill_oneshot *ch)
{
	/* What is not shared any more needs no closing. */
	if (!(look(ch) & TX_GONE))
		close_by_receiver(ch, CLOSED);
}

static void destroy(struct rill_oneshot *ch, uint32_t flags)
{
	if (flags & SENT && ch->drop)
		ch->drop(ch->msg, ch->drop_arg);
	free(ch);
}

void rill_oneshot_close_receiver(struct rill_oneshot *ch)
{
	uint32_t flags = look(ch);

	if (!(flags & TX_GONE))
		flags = close_by_receiver(ch, CLOSED | RX_GONE);
	if (flags & TX_GONE)
		destroy(ch, flags);
}

/* ---- the sender's half ---- */

bool rill_oneshot_is_closed(const struct rill_oneshot *ch)
{
	return look(ch) & CLOSED;
}

static int closed_try(struct rill_await *aw)
{
	return rill_oneshot_is_closed(aw->obj) ? 0 : -EAGAIN;
}

static int closed_arm(struct rill_await *aw)
{
	struct rill_oneshot *ch = aw->obj;

	ch->sender = aw;
	return begin_to_wait(ch, TX_WAITS, CLOSED) ? -EAGAIN : 0;
}

static int closed_disarm(struct rill_await *aw, bool take)
{
	uint32_t flags = end_waiting(aw->obj, TX_WAITS, CLOSED);

	return take && flags & CLOSED ? 0 : -EAGAIN;
}

static const struct rill_await_ops closed_ops = {
	.what = "oneshot closed",
	.arm_only = true,
	.try = closed_try,
	.arm = closed_arm,
	.disarm = closed_disarm,
};

int rill_oneshot_wait_closed(struct rill_oneshot *ch)
{
	return rill_await_on(&closed_ops, ch, NULL);
}

void rill_case_oneshot_closed(struct rill_case *c, struct rill_oneshot *ch)
{
	rill_await_init(rill_await_of(c), &closed_ops, ch, NULL);
}

void rill_oneshot_close_sender(struct rill_oneshot *ch)
{
	/* acq_rel: the receiver finds us gone, or we find its waiter, or it gone */
	uint32_t flags = rill_fetch_or_acq_rel(&ch->flags, TX_GONE);

	RILL_ASSERT(!(flags & (TX_GONE | TX_WAITS))); /* closed twice, or in a wait_closed */
	if (flags & RX_WAITS)
		wake(ch, flags | TX_GONE, RX_WAITS, ch->receiver);
	else if (flags & RX_GONE)
		destroy(ch, flags);
}

/* The receiver waits, and does not go before it sees RX_WAITS cleared. */
static void deliver(struct rill_oneshot *ch, uint32_t flags, const void *msg)
{
	struct rill_wake_batch batch = RILL_WAKE_BATCH_INIT;
	struct rill_await *aw = ch->receiver;

	if (aw->value == TO_BLOCK) {
		copy(ch->msg, msg, ch->msg_size);
		wake(ch, flags | SENT | TX_GONE, RX_WAITS, aw);
		return;
	}
	copy(aw->arg, msg, ch->msg_size);
	/* As rill_await_grant(), for a node that is in no queue. */
	bool woke = rill_wake_add(&batch, aw->waiter);

	rill_store_relaxed(&aw->granted, woke ? RILL_GRANT_WOKE : RILL_GRANT_GIVEN);
	/* release: pairs with the acquire in look() */
	rill_store_release(&ch->flags, TX_GONE);
	rill_wake_flush(&batch);
}

int rill_oneshot_send(struct rill_oneshot *ch, const void *msg)
{
	uint32_t flags = look(ch);

	RILL_ASSERT(!(flags & (TX_GONE | TX_WAITS))); /* sent before, or in a wait_closed */
	do {
		if (RILL_UNLIKELY(flags & CLOSED)) {
			rill_oneshot_close_sender(ch);
			return -EPIPE;
		}
		if (!(flags & RX_WAITS))
			copy(ch->msg, msg, ch->msg_size);
		/* acq_rel: the receiver finds the message, or we find its waiter, or it gone */
	} while (!rill_cas_acq_rel(&ch->flags, &flags, flags | SENT | TX_GONE));
	if (flags & RX_WAITS)
		deliver(ch, flags, msg);
	return 0;
}

/* ---- creating ---- */

static int create(const struct rill_oneshot_options *o, struct rill_oneshot **ret_ch)
{
	size_t bytes;

	if (__builtin_add_overflow(sizeof(struct rill_oneshot), o->msg_size, &bytes))
		return -ENOMEM;
	struct rill_oneshot *ch = malloc(bytes);

	if (!ch)
		return -ENOMEM;
	*ch = (struct rill_oneshot){.msg_size = o->msg_size, .drop = o->drop, .drop_arg = o->arg};
	*ret_ch = ch;
	return 0;
}

int rill_oneshot_create(size_t msg_size, struct rill_oneshot **ret_ch)
{
	struct rill_oneshot_options o = {RILL_OPTIONS(o), .msg_size = msg_size};

	return create(&o, ret_ch);
}

int rill_oneshot_create_with(const struct rill_oneshot_options *given, struct rill_oneshot **ret_ch)
{
	struct rill_oneshot_options o = {0};

	/* A program may have been built with an older, shorter struct. */
	memcpy(&o, given, RILL_MIN(given->size, sizeof(o)));
	return create(&o, ret_ch);
}
