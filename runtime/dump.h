/* SPDX-License-Identifier: BSD-3-Clause */
/* Dumps, as the rest of the runtime sees them. */
#ifndef RILL_RUNTIME_DUMP_H
#define RILL_RUNTIME_DUMP_H

#include <rill/dump.h>

struct rill_runtime;

/* Gathers what parked tasks wait for, to be shown by object. */
struct rill_dump_waits {
	struct rill_dump_wait *waits;
	size_t count;
	size_t room;
	bool failed; /* no memory */
};
void rill_dump_waits_add(struct rill_dump_waits *w, const struct rill_dump_task *t);
/* Calls object for each, and frees the rest. object: NULL only if nothing was added. -ENOMEM. */
int rill_dump_waits_end(struct rill_runtime *rt, struct rill_dump_waits *w,
			void (*object)(void *ctx, const struct rill_dump_object *o), void *ctx);
/* How it is waited for, where the kind does not say it: "write"; else "". */
const char *rill_dump_way(const struct rill_dump_wait *w);

/* A dump to be written, and what it says at its end. */
struct rill_dump {
	struct rill_runtime *rt;
	FILE *out;
	unsigned tasks;
	unsigned states[RILL_DUMP_FINISHED + 1];
	unsigned timers; /* armed by parked tasks */
	unsigned items;	 /* written of the current list */
	struct rill_dump_waits waits;
};

/* On the caller's stack, some 32 KiB of it: not in tasks. -EIO, -ENOMEM. */
int rill_dump_write_text(struct rill_runtime *rt, FILE *out);
int rill_dump_write_json(struct rill_runtime *rt, FILE *out);

/* Numbers that both formats have at their head. */
struct rill_dump_head {
	unsigned blocking_threads;
	unsigned blocking_idle;
	unsigned blocking_queued;
	uint32_t injected; /* in the queues of tasks from elsewhere */
	uint64_t stacks;   /* of the default size, in use or kept */
	unsigned pollers;
};
void rill_dump_head(struct rill_runtime *rt, struct rill_dump_head *ret_head);

/* Which word is for the state, the priority, the placement. */
extern const char *const rill_dump_state_names[];
extern const char *const rill_dump_placement_names[];

/* True when a signal asked for a dump of rt. Writes it. rt will not do so any more. */
bool rill_dump_signalled(const struct rill_runtime *rt);
void rill_dump_serve_signals(struct rill_runtime *rt);
void rill_dump_forget_signals(struct rill_runtime *rt);

#endif
