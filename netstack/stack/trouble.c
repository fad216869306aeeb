/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/trouble.h"

#include <errno.h>
#include <rill/dump.h>
#include <stdlib.h>

#include "netstack/stack/shard.h"
#include "netstack/tcp/trace.h"

#define WAIT_NS (20 * RILL_MS)

/* Copies, so that the shard is not held while somebody writes them. */
struct copies {
	size_t count, max;
	bool archived;
	struct copy {
		struct rill_tcp_trace_block block;
		bool archived;
	} * list;
};

static void copy(void *ctx, const struct rill_tcp_trace_block *t)
{
	struct copies *c = ctx;

	if (c->count < c->max)
		c->list[c->count++] = (struct copy){*t, c->archived};
}

static void copy_all(struct rill_shard *sh, void *arg)
{
	struct copies *c = arg;

	rill_tcp_trace_each(&sh->core.env, false, copy, c);
	c->archived = true;
	rill_tcp_trace_each(&sh->core.env, true, copy, c);
}

int rill_shard_visit_troubles(struct rill_poller *p, const struct rill_dump_visitor *v)
{
	struct rill_shard *sh = RILL_CONTAINER_OF(p, struct rill_shard, poller);
	struct copies c = {.max = sh->core.env.params.trace_blocks + RILL_TCP_TRACE_ARCHIVED};
	struct rill_tcp_trouble trouble;

	c.list = malloc(c.max * sizeof(*c.list));
	if (!c.list)
		return -ENOMEM;
	bool looked = rill_shard_try_call(sh, WAIT_NS, copy_all, &c);

	for (size_t i = 0; i < c.count; i++) {
		rill_tcp_trace_tell(&c.list[i].block, c.list[i].archived, &trouble);
		v->trouble(v->ctx, &trouble);
	}
	free(c.list);
	return looked ? 0 : -EBUSY;
}
