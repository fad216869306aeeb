/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The event trace: what went wrong with a connection lately, always on. There are so many blocks of
 * 32 records; a connection takes one when something odd first happens to it, and takes that of the
 * connection that has been silent longest. So a connection without trouble costs nothing, and all
 * of them together a fixed amount of memory. When the trouble is over the block is copied to the
 * archive, a ring, which shows how it came and went after the connection is long gone.
 *
 * Owned by the env, used by whoever holds that.
 */
#ifndef RILL_NETSTACK_TCP_TRACE_H
#define RILL_NETSTACK_TCP_TRACE_H

#include <rill/trouble.h>

#include "base/list.h"
#include "netstack/tcp/tcb.h"

#define RILL_TCP_TRACE_RECORDS 32
#define RILL_TCP_TRACE_ARCHIVED 64

/* What an event does to a connection that has no block, and to one that has. */
enum rill_tcp_event_kind {
	RILL_TCP_EVENT_NOTE, /* recorded by those that have a block */
	RILL_TCP_EVENT_ODD,  /* takes a block */
	RILL_TCP_EVENT_OVER, /* takes a block, and the trouble is over: archived */
	RILL_TCP_EVENT_END,  /* archived, if there is a block: the connection is over */
};

/* Name, text, kind, and what the two arguments are. Sequence numbers are relative to the ISN. */
#define RILL_TCP_EVENTS(X)                                                                         \
	X(SYN_RESENT, "syn-resent", ODD, "count", "rto_us")                                        \
	X(ESTABLISHED, "established", NOTE, "srtt_us", "snd_mss")                                  \
	X(RTX, "rtx", ODD, "seq", "len")                                                           \
	X(RTO, "rto", ODD, "count", "rto_us")                                                      \
	X(RTO_OVER, "rto-over", OVER, "una", "cwnd")                                               \
	X(TLP, "tlp", ODD, "nxt", "retrans")                                                       \
	X(RECOVERY, "recovery", ODD, "una", "flight")                                              \
	X(RECOVERED, "recovered", NOTE, "una", "cwnd")                                             \
	X(UNDO, "undo", OVER, "una", "cwnd")                                                       \
	X(RENEGE, "sack-renege", ODD, "una", "sacked")                                             \
	X(REORDER, "reorder", NOTE, "seq", "distance")                                             \
	X(ZERO_WINDOW, "zero-window", ODD, "una", "unsent")                                        \
	X(PROBE, "probe", NOTE, "count", "backoff")                                                \
	X(WINDOW_OPEN, "window-open", OVER, "una", "wnd")                                          \
	X(PMTU, "pmtu", ODD, "from", "to")                                                         \
	X(CE, "ce", NOTE, "una", "cwnd")                                                           \
	X(OOO, "ooo", NOTE, "distance", "len")                                                     \
	X(DROP, "drop", NOTE, "reason", "distance")                                                \
	X(MEMORY, "memory", ODD, "queued", "len")                                                  \
	X(KEEPALIVE, "keepalive", ODD, "count", "idle_s")                                          \
	X(CLOSE, "close", NOTE, "state", "unsent")                                                 \
	X(RESET_IN, "reset-in", END, "state", "unacked")                                           \
	X(RESET_OUT, "reset-out", END, "state", "unacked")                                         \
	X(TIMEOUT, "timeout", OVER, "count", "error")                                              \
	X(USER_TIMEOUT, "user-timeout", OVER, "count", "ms")

enum rill_tcp_event {
	RILL_TCP_EV_NONE = 0,
#define X(id, text, kind, a, b) RILL_TCP_EV_##id,
	RILL_TCP_EVENTS(X)
#undef X
		RILL_TCP_EV_COUNT,
};

struct rill_tcp_trace_record {
	uint32_t after_us; /* since the one before; UINT32_MAX: that, or longer */
	uint8_t event;	   /* enum rill_tcp_event */
	uint8_t state;	   /* of the connection, before the event */
	uint16_t pad;
	uint32_t a, b;
};

RILL_STATIC_ASSERT(sizeof(struct rill_tcp_trace_record) == 16, "as many as may be");
RILL_STATIC_ASSERT(RILL_TCP_TRACE_RECORDS <= RILL_TCP_TROUBLE_EVENTS, "all can be told");

/* The records of one connection: the last 32 of count. */
struct rill_tcp_trace_block {
	struct rill_list link;
	const struct rill_tcb *tcb; /* only to be compared; NULL: it is gone */
	struct rill_addr local, remote;
	uint64_t last_ns;   /* of the newest record */
	uint64_t queued_ns; /* last_ns when it was put where it is in the queue */
	uint32_t count;
	uint32_t why; /* in the archive: enum rill_tcp_event */
	struct rill_tcp_trace_record records[RILL_TCP_TRACE_RECORDS];
};

struct rill_tcp_trace {
	uint32_t block_count;
	uint32_t archived;	/* ever */
	uint64_t stolen;	/* blocks that were taken from another connection */
	struct rill_list queue; /* of all blocks, whoever was silent longest near the front */
	struct rill_tcp_trace_block archive[RILL_TCP_TRACE_ARCHIVED];
	struct rill_tcp_trace_block blocks[];
};

static inline enum rill_tcp_event_kind rill_tcp_event_kind(enum rill_tcp_event event)
{
	switch (event) {
#define X(id, text, kind, a, b)                                                                    \
	case RILL_TCP_EV_##id:                                                                     \
		return RILL_TCP_EVENT_##kind;
		RILL_TCP_EVENTS(X)
#undef X
	default:
		return RILL_TCP_EVENT_NOTE;
	}
}

/* The tcb's own block, or NULL. */
static inline struct rill_tcp_trace_block *rill_tcp_trace_of(const struct rill_tcb *tcb,
							     const struct rill_tcp_env *env)
{
	struct rill_tcp_trace_block *t;

	if (RILL_LIKELY(tcb->trace == 0))
		return NULL;
	t = &env->trace->blocks[tcb->trace - 1];
	return t->tcb == tcb ? t : NULL;
}

/* Takes a block for it. NULL: there is no memory, or params want no trace. */
struct rill_tcp_trace_block *rill_tcp_trace_begin(struct rill_tcb *tcb, struct rill_tcp_env *env,
						  uint64_t now);
void rill_tcp_trace_archive(struct rill_tcp_env *env, const struct rill_tcp_trace_block *t,
			    enum rill_tcp_event why);

static inline void rill_tcp_trace_append(struct rill_tcp_trace_block *t, enum rill_tcp_event event,
					 uint8_t state, uint32_t a, uint32_t b, uint64_t now)
{
	struct rill_tcp_trace_record *r = &t->records[t->count++ % RILL_TCP_TRACE_RECORDS];
	uint64_t after_us = (now - t->last_ns) / RILL_US;

	r->after_us = (uint32_t)RILL_MIN(after_us, (uint64_t)UINT32_MAX);
	r->event = (uint8_t)event;
	r->state = state;
	r->pad = 0;
	r->a = a;
	r->b = b;
	t->last_ns = now;
}

/* event is a constant where this is called: so what is left of it is a few instructions. */
static inline void rill_tcp_trace(struct rill_tcb *tcb, struct rill_tcp_env *env,
				  enum rill_tcp_event event, uint32_t a, uint32_t b, uint64_t now)
{
#ifndef RILL_NO_TCP_TRACE
	enum rill_tcp_event_kind kind = rill_tcp_event_kind(event);
	struct rill_tcp_trace_block *t = rill_tcp_trace_of(tcb, env);

	if (!t && (kind == RILL_TCP_EVENT_ODD || kind == RILL_TCP_EVENT_OVER))
		t = rill_tcp_trace_begin(tcb, env, now);
	if (!t)
		return;
	rill_tcp_trace_append(t, event, tcb->state, a, b, now);
	if (kind == RILL_TCP_EVENT_OVER || kind == RILL_TCP_EVENT_END)
		rill_tcp_trace_archive(env, t, event);
#endif
}

/* The connection is no more; what was recorded stays until somebody else needs the block. */
void rill_tcp_trace_forget(struct rill_tcb *tcb, struct rill_tcp_env *env);

/* ---- looking at it ---- */

const char *rill_tcp_event_name(enum rill_tcp_event event);
/* The blocks of connections, or the archive, the oldest first. t is good within visit alone. */
void rill_tcp_trace_each(const struct rill_tcp_env *env, bool archived,
			 void (*visit)(void *ctx, const struct rill_tcp_trace_block *t), void *ctx);
/* The ith record that t still has, the oldest first; NULL: there are fewer. */
const struct rill_tcp_trace_record *rill_tcp_trace_record(const struct rill_tcp_trace_block *t,
							  uint32_t i);
/* The same in the public form. Needs nothing but t. archived: t is of the archive. */
void rill_tcp_trace_tell(const struct rill_tcp_trace_block *t, bool archived,
			 struct rill_tcp_trouble *ret_trouble);
/* "+1200us rto count=1 rto_us=400000" */
int rill_tcp_trace_format(const struct rill_tcp_trace_record *r, char *buf, size_t size);

/* With the env. */
void rill_tcp_trace_fini(struct rill_tcp_env *env);

#endif
