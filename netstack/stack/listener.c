/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/listener.h"

#include <stdlib.h>
#include <string.h>

struct rill_listener *rill_listener_alloc(struct rill_net *net)
{
	size_t size =
		sizeof(struct rill_listener) + net->shard_count * sizeof(struct rill_listener_part);
	struct rill_listener *l = aligned_alloc(RILL_CACHE_LINE, size);

	if (!l)
		return NULL;
	memset(l, 0, size);
	l->net = net;
	rill_list_init(&l->binding.link);
	rill_list_init(&l->waiters);
	rill_polls_init(&l->polls);
	for (unsigned i = 0; i < net->shard_count; i++)
		l->parts[i].listener = l;
	return l;
}

void rill_listener_free(struct rill_listener *l)
{
	free(l);
}

static struct rill_listener_part *part_of(struct rill_acceptor *a)
{
	return RILL_CONTAINER_OF(a, struct rill_listener_part, acceptor);
}

bool rill_listener_admit(struct rill_core *core, struct rill_acceptor *a, bool always)
{
	struct rill_listener *l = part_of(a)->listener;

	(void)core;
	if (rill_fetch_add_relaxed(&l->pending, 1) < l->backlog || always)
		return true;
	rill_fetch_sub_relaxed(&l->pending, 1);
	return false;
}

void rill_listener_dismiss(struct rill_core *core, struct rill_acceptor *a)
{
	(void)core;
	rill_fetch_sub_relaxed(&part_of(a)->listener->pending, 1);
}

struct rill_tcp *rill_listener_pop(struct rill_listener_part *part)
{
	struct rill_conn *c = rill_acceptor_pop(&part->acceptor);

	if (!c)
		return NULL;
	rill_store_relaxed(&part->ready, part->acceptor.ready_count);
	return rill_tcp_of(c);
}

void rill_listener_match(struct rill_shard *sh, struct rill_listener_part *part)
{
	struct rill_listener *l = part->listener;
	struct rill_await *aw;
	struct rill_tcp *t;

	rill_spin_lock(&l->lock);
	while ((aw = rill_await_first(&l->waiters)) && (t = rill_listener_pop(part))) {
		*(struct rill_tcp **)aw->arg = t;
		rill_counter_add(&l->waiting, -1);
		rill_await_grant(aw, &sh->wakes);
	}
	rill_spin_unlock(&l->lock);
}

static void became_ready(struct rill_shard *sh, struct rill_listener_part *part)
{
	/* seq_cst: seen before we look; pairs with the same in accept_arm() */
	rill_publish(&part->ready, part->acceptor.ready_count);
	/* seq_cst: pairs with the publishing in accept_arm() */
	if (rill_load_seq_cst(&part->listener->waiting) > 0)
		rill_listener_match(sh, part);
	rill_polls_notify(&part->listener->polls, sh->net, &sh->wakes);
}

void rill_listener_acceptable(struct rill_core *core, struct rill_acceptor *a)
{
	became_ready(rill_shard_of_core(core), part_of(a));
}

void rill_listener_give_back(struct rill_shard *sh, struct rill_listener_part *part,
			     struct rill_tcp *t)
{
	if (!part->open) {
		t->conn.held = false;
		rill_conn_abort(&t->conn);
		return;
	}
	rill_acceptor_unpop(&part->acceptor, &t->conn);
	became_ready(sh, part);
}
