/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ends from the middle of a task. There is no unwinding: the frames are left as they lie, and what
 * has to be given back is given back by clean-up handlers.
 */
#include "runtime/outcome.h"

#include <rill/dump.h>
#include <rill/group.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "runtime/local.h"
#include "runtime/runtime.h"
#include "runtime/slice.h"

/* ---- clean-up handlers ---- */

void rill_cleanup_push(struct rill_cleanup *c, void (*fn)(void *), void *arg)
{
	struct rill_task *t = rill_task_current();

	*c = (struct rill_cleanup){.fn = fn, .arg = arg};
	/* A plain thread cannot leave by rill_exit(): pop is all that will run it. */
	if (!t)
		return;
	c->next = t->cleanups;
	t->cleanups = c;
	/* In case that the task returns with it. */
	t->changed = true;
}

void rill_cleanup_pop(struct rill_cleanup *c, bool run)
{
	struct rill_task *t = rill_task_current();

	if (t) {
		RILL_ASSERT(t->cleanups == c); /* handlers are popped youngest first */
		t->cleanups = c->next;
	}
	if (run)
		c->fn(c->arg);
}

/* A handler may wait: neither an abort nor the scopes that are being left reach it. */
static void run_cleanups(struct rill_task *t)
{
	struct rill_scope shield;

	t->waiter.scope = NULL;
	t->unconstrained = 0;
	rill_scope_begin_shield(&shield);
	while (t->cleanups) {
		struct rill_cleanup *c = t->cleanups;

		/* First, so that one which itself leaves by rill_exit() goes on with the next. */
		t->cleanups = c->next;
		c->fn(c->arg);
	}
	rill_scope_end(&shield);
}

static _Noreturn void leave(struct rill_task *t)
{
	run_cleanups(t);
	rill_local_unwind(t);
	rill_slice_exit(t);
}

_Noreturn void rill_exit(void *value)
{
	struct rill_task *t = rill_task_current();

	RILL_ASSERT(t && "rill_exit() is for tasks: this is a plain thread");
	t->arg = value;
	leave(t);
}

/* ---- failure ---- */

static _Noreturn void crash(struct rill_task *t)
{
	fprintf(stderr, "rill: task %llu (%s) failed: %s\n", (unsigned long long)t->id,
		t->name[0] ? t->name : "no name", t->reason);
	rill_runtime_dump(t->rt, stderr, RILL_DUMP_TEXT);
	abort();
}

static void apply_policy(struct rill_task *t)
{
	switch (t->rt->o.on_failure) {
	case RILL_FAILURE_TO_JOINER:
		break;
	case RILL_FAILURE_SHUTDOWN:
		rill_runtime_fail(t->rt);
		break;
	case RILL_FAILURE_CRASH:
		/* Before any handler: the dump shows where it happened. */
		crash(t);
	}
}

_Noreturn void rill_fail(const char *reason, ...)
{
	struct rill_task *t = rill_task_current();
	va_list args;

	RILL_ASSERT(t && "rill_fail() is for tasks: this is a plain thread");
	/* A handler of a failing task that fails as well has nothing to add. */
	if (t->status == RILL_JOIN_FAILED)
		leave(t);
	va_start(args, reason);
	vsnprintf(t->reason, sizeof(t->reason), reason, args);
	va_end(args);
	t->status = RILL_JOIN_FAILED;
	apply_policy(t);
	leave(t);
}

/* ---- outcomes ---- */

void rill_outcome_of(const struct rill_task *t, struct rill_outcome *ret_outcome)
{
	bool failed = t->status == RILL_JOIN_FAILED;

	ret_outcome->status = t->status;
	ret_outcome->value = failed ? NULL : t->arg;
	ret_outcome->id = t->id;
	memcpy(ret_outcome->name, t->name, sizeof(t->name));
	ret_outcome->reason[0] = '\0';
	if (failed)
		memcpy(ret_outcome->reason, t->reason, sizeof(t->reason));
}

int rill_join_outcome(struct rill_task *t, struct rill_outcome *ret_outcome)
{
	int r = rill_task_await_end(t);

	if (r < 0)
		return r;
	rill_outcome_of(t, ret_outcome);
	rill_task_release(t);
	return ret_outcome->status;
}

void rill_task_forget(struct rill_task *t)
{
	if (RILL_UNLIKELY(t->status == RILL_JOIN_FAILED))
		rill_fetch_add_relaxed(&t->rt->failed_tasks, 1);
	rill_task_release(t);
}

int rill_outcome_print(const struct rill_outcome *o, char *buf, size_t len)
{
	static const char *const ends[] = {
		[0] = "ended",
		[RILL_JOIN_ABORTED] = "was aborted",
		[RILL_JOIN_FAILED] = "failed: ",
	};
	bool named = o->name[0];

	return snprintf(buf, len, "task %llu%s%s%s %s%s", (unsigned long long)o->id,
			named ? " (" : "", o->name, named ? ")" : "", ends[o->status], o->reason);
}
