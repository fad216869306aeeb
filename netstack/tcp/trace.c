/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/trace.h"

#include <stdio.h>
#include <string.h>

static size_t trace_bytes(uint32_t blocks)
{
	return sizeof(struct rill_tcp_trace) + (size_t)blocks * sizeof(struct rill_tcp_trace_block);
}

/* tcb->trace has 16 bits, and 0 means none. */
static uint32_t blocks_wanted(const struct rill_tcp_env *env)
{
	return RILL_MIN(env->params.trace_blocks, (uint32_t)UINT16_MAX);
}

static struct rill_tcp_trace *trace_get(struct rill_tcp_env *env)
{
	const struct rill_memory *m = env->xfers.memory;
	uint32_t count = blocks_wanted(env);
	struct rill_tcp_trace *trace = env->trace;

	if (trace || count == 0)
		return trace;
	trace = m->alloc(m->ctx, trace_bytes(count));
	if (!trace)
		return NULL;
	memset(trace, 0, trace_bytes(count));
	trace->block_count = count;
	rill_list_init(&trace->queue);
	for (uint32_t i = 0; i < count; i++)
		rill_list_push_back(&trace->queue, &trace->blocks[i].link);
	env->trace = trace;
	return trace;
}

void rill_tcp_trace_fini(struct rill_tcp_env *env)
{
	const struct rill_memory *m = env->xfers.memory;

	if (env->trace)
		m->free(m->ctx, env->trace, trace_bytes(env->trace->block_count));
	env->trace = NULL;
}

/*
 * Appending leaves the queue alone, for it shall be cheap. So who comes up may have had an event
 * since it was queued: then its turn is over, and it goes to the back.
 */
static struct rill_tcp_trace_block *silent_longest(struct rill_tcp_trace *trace)
{
	struct rill_tcp_trace_block *t;

	for (;;) {
		struct rill_list *node = rill_list_pop_front(&trace->queue);

		t = RILL_LIST_ENTRY(node, struct rill_tcp_trace_block, link);
		rill_list_push_back(&trace->queue, &t->link);
		if (t->last_ns == t->queued_ns)
			return t;
		t->queued_ns = t->last_ns;
	}
}

struct rill_tcp_trace_block *rill_tcp_trace_begin(struct rill_tcb *tcb, struct rill_tcp_env *env,
						  uint64_t now)
{
	struct rill_tcp_trace *trace = trace_get(env);
	struct rill_tcp_trace_block *t;

	if (!trace)
		return NULL;
	t = silent_longest(trace);
	trace->stolen += t->count > 0;
	t->tcb = tcb;
	t->local = tcb->local;
	t->remote = tcb->remote;
	t->count = 0;
	t->last_ns = now;
	t->queued_ns = now;
	tcb->trace = (uint16_t)(t - trace->blocks + 1);
	return t;
}

void rill_tcp_trace_archive(struct rill_tcp_env *env, const struct rill_tcp_trace_block *t,
			    enum rill_tcp_event why)
{
	struct rill_tcp_trace *trace = env->trace;
	struct rill_tcp_trace_block *to =
		&trace->archive[trace->archived++ % RILL_TCP_TRACE_ARCHIVED];

	*to = *t;
	rill_list_init(&to->link);
	to->why = why;
}

void rill_tcp_trace_forget(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	struct rill_tcp_trace_block *t = env->trace ? rill_tcp_trace_of(tcb, env) : NULL;

	if (t)
		t->tcb = NULL;
	tcb->trace = 0;
}

/* ---- looking at it ---- */

static const struct {
	const char *name, *a, *b;
} texts[RILL_TCP_EV_COUNT] = {[RILL_TCP_EV_NONE] = {"none", "a", "b"},
#define X(id, text, kind, a, b) [RILL_TCP_EV_##id] = {text, a, b},
			      RILL_TCP_EVENTS(X)
#undef X
};

const char *rill_tcp_event_name(enum rill_tcp_event event)
{
	return (unsigned)event < RILL_TCP_EV_COUNT ? texts[event].name : "unknown";
}

void rill_tcp_trace_each(const struct rill_tcp_env *env, bool archived,
			 void (*visit)(void *ctx, const struct rill_tcp_trace_block *t), void *ctx)
{
	const struct rill_tcp_trace *trace = env->trace;
	uint32_t first = 0;

	if (!trace)
		return;
	for (uint32_t i = 0; !archived && i < trace->block_count; i++)
		if (trace->blocks[i].count > 0)
			visit(ctx, &trace->blocks[i]);
	if (trace->archived > RILL_TCP_TRACE_ARCHIVED)
		first = trace->archived - RILL_TCP_TRACE_ARCHIVED;
	for (uint32_t i = first; archived && i < trace->archived; i++)
		visit(ctx, &trace->archive[i % RILL_TCP_TRACE_ARCHIVED]);
}

const struct rill_tcp_trace_record *rill_tcp_trace_record(const struct rill_tcp_trace_block *t,
							  uint32_t i)
{
	uint32_t first = t->count > RILL_TCP_TRACE_RECORDS ? t->count - RILL_TCP_TRACE_RECORDS : 0;

	return first + i < t->count ? &t->records[(first + i) % RILL_TCP_TRACE_RECORDS] : NULL;
}

static void tell_event(const struct rill_tcp_trace_record *r, uint64_t at_ns,
		       struct rill_tcp_trouble_event *ret_event)
{
	unsigned event = r->event < RILL_TCP_EV_COUNT ? r->event : RILL_TCP_EV_NONE;

	*ret_event = (struct rill_tcp_trouble_event){
		.at_ns = at_ns,
		.name = texts[event].name,
		.state = rill_tcp_state_name((enum rill_tcp_state)r->state),
		.a_name = texts[event].a,
		.b_name = texts[event].b,
		.a = r->a,
		.b = r->b,
	};
}

void rill_tcp_trace_tell(const struct rill_tcp_trace_block *t, bool archived,
			 struct rill_tcp_trouble *ret_trouble)
{
	unsigned n = (unsigned)RILL_MIN(t->count, (uint32_t)RILL_TCP_TRACE_RECORDS);
	uint64_t at_ns = t->last_ns;

	ret_trouble->local = t->local;
	ret_trouble->remote = t->remote;
	rill_addr_format(&t->local, ret_trouble->local_text);
	rill_addr_format(&t->remote, ret_trouble->remote_text);
	ret_trouble->closed = !archived && !t->tcb;
	ret_trouble->over = archived ? rill_tcp_event_name((enum rill_tcp_event)t->why) : NULL;
	ret_trouble->recorded = t->count;
	ret_trouble->event_count = n;
	/* Each has the time since the one before it. */
	while (n-- > 0) {
		const struct rill_tcp_trace_record *r = rill_tcp_trace_record(t, n);

		tell_event(r, at_ns, &ret_trouble->events[n]);
		at_ns -= RILL_MIN(r->after_us * RILL_US, at_ns);
	}
}

int rill_tcp_trace_format(const struct rill_tcp_trace_record *r, char *buf, size_t size)
{
	unsigned event = r->event < RILL_TCP_EV_COUNT ? r->event : RILL_TCP_EV_NONE;

	return snprintf(buf, size, "+%uus %s %s %s=%u %s=%u", r->after_us,
			rill_tcp_state_name((enum rill_tcp_state)r->state), texts[event].name,
			texts[event].a, r->a, texts[event].b, r->b);
}
