/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * References to a runtime that may outlive it. Whoever is in a call through one is counted, so that
 * the runtime's end can wait for him: he announces himself, then looks whether it is still there;
 * the end takes it away, then looks who is announced.
 */
#include "runtime/handle.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "runtime/runtime.h"

struct rill_handle *rill_handle_create(struct rill_runtime *rt)
{
	struct rill_handle *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->refs = 1;
	h->rt = rt;
	return h;
}

struct rill_runtime *rill_handle_enter(struct rill_handle *h)
{
	/* seq_cst: before the look; pairs with rill_handle_close() */
	rill_fetch_add_seq_cst(&h->users, 1);
	struct rill_runtime *rt = rill_load_seq_cst(&h->rt);

	if (!rt)
		rill_handle_exit(h);
	return rt;
}

void rill_handle_exit(struct rill_handle *h)
{
	/* release: our last touch of the runtime; pairs with rill_handle_close() */
	rill_fetch_sub_release(&h->users, 1);
}

static struct rill_handle *handle_of(const struct rill_spawn_options *o)
{
	return o && !o->runtime ? o->handle : NULL;
}

bool rill_handle_enter_by(const struct rill_spawn_options *o)
{
	struct rill_handle *h = handle_of(o);

	return !h || rill_handle_enter(h);
}

void rill_handle_exit_by(const struct rill_spawn_options *o)
{
	struct rill_handle *h = handle_of(o);

	if (h)
		rill_handle_exit(h);
}

void rill_handle_close(struct rill_handle *h)
{
	/* seq_cst: before the look at users; pairs with rill_handle_enter() */
	rill_publish(&h->rt, NULL);
	while (rill_load_seq_cst(&h->users) > 0)
		sched_yield();
	rill_handle_put(h);
}

struct rill_handle *rill_runtime_handle(struct rill_runtime *rt)
{
	return rill_handle_get(rt->handle);
}

struct rill_handle *rill_handle_get(struct rill_handle *h)
{
	rill_fetch_add_relaxed(&h->refs, 1);
	return h;
}

void rill_handle_put(struct rill_handle *h)
{
	/* acq_rel: whoever frees it has seen all that the others did with it */
	if (h && rill_fetch_sub_acq_rel(&h->refs, 1) == 1)
		free(h);
}

int rill_handle_block_on(struct rill_handle *h, void *(*fn)(void *), void *arg, void **ret_value)
{
	struct rill_runtime *rt = rill_handle_enter(h);

	if (!rt)
		return -ESHUTDOWN;
	int r = rill_block_on(rt, fn, arg, ret_value);

	rill_handle_exit(h);
	return r;
}
