/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/poll.h"

#include <errno.h>
#include <stdlib.h>

#include "netstack/stack/listener.h"
#include "netstack/stack/net.h"
#include "netstack/stack/udp_port.h"

#define ALWAYS (RILL_POLL_HANGUP | RILL_POLL_ERROR)

/* ---- how a socket is ---- */

static bool urgent(const struct rill_tcb *tcb)
{
	if ((tcb->flags & RILL_TCB_OOB_READY) != 0)
		return true;
	return (tcb->flags & RILL_TCB_URG_IN) != 0 && tcb->settings->oob_inline;
}

static bool both_ended(const struct rill_tcb *tcb)
{
	const uint32_t fins = RILL_TCB_FIN_RCVD | RILL_TCB_FIN_QUEUED;

	return tcb->state == RILL_TCP_CLOSED || (tcb->flags & fins) == fins;
}

static unsigned look_tcp(const struct rill_tcp *c)
{
	const struct rill_tcb *tcb = &c->conn.tcb;
	unsigned events = 0;

	if (rill_tcb_readable(tcb))
		events |= RILL_POLL_READ;
	if (!c->conn.user && rill_tcb_writable(tcb))
		events |= RILL_POLL_WRITE;
	if (urgent(tcb))
		events |= RILL_POLL_URGENT;
	if (both_ended(tcb))
		events |= RILL_POLL_HANGUP;
	if (tcb->error)
		events |= RILL_POLL_ERROR;
	return events;
}

static unsigned look_listener(const struct rill_listener *l)
{
	if (rill_load_relaxed(&l->closed))
		return RILL_POLL_READ | RILL_POLL_HANGUP;
	for (unsigned i = 0; i < l->net->shard_count; i++)
		/* seq_cst: pairs with the publishing in became_ready() */
		if (rill_load_seq_cst(&l->parts[i].ready) > 0)
			return RILL_POLL_READ;
	return 0;
}

static unsigned look_udp(struct rill_udp *u)
{
	rill_spin_lock(&u->lock);
	bool any = u->queue.bufs.count > 0, failed = u->error != 0;

	rill_spin_unlock(&u->lock);
	return RILL_POLL_WRITE | (any || failed ? RILL_POLL_READ : 0u) |
	       (failed ? RILL_POLL_ERROR : 0u);
}

unsigned rill_poll_look(const struct rill_poll_entry *e)
{
	unsigned events;

	if (!e->source.socket || e->events == 0)
		return 0;
	if (e->source.kind == RILL_POLL_TCP)
		events = look_tcp(e->source.socket);
	else if (e->source.kind == RILL_POLL_LISTENER)
		events = look_listener(e->source.socket);
	else
		events = look_udp(e->source.socket);
	return events & (e->events | ALWAYS);
}

/* ---- what happens ---- */

void rill_poll_notify(struct rill_poll_entry *e, struct rill_wake_batch *wakes)
{
	struct rill_poll_set *set = e->set;
	struct rill_await *aw;

	if (rill_poll_look(e) == 0)
		return;
	rill_spin_lock(&set->lock);
	if (e->state == RILL_POLL_STATE_IDLE) {
		e->state = RILL_POLL_STATE_READY;
		rill_list_push_back(&set->ready, &e->ready_link);
		aw = rill_await_first(&set->waiters);
		if (aw)
			rill_await_wake(aw, wakes);
	}
	rill_spin_unlock(&set->lock);
}

/* The call of an entry in a connection's rings: it is never done, and so stays there. */
static int op_notify(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	(void)c;
	rill_poll_notify(RILL_CONTAINER_OF(call, struct rill_poll_entry, call), &sh->wakes);
	return -EAGAIN;
}

static struct rill_poll_entry *entry_of(const struct rill_list *n)
{
	const struct rill_await *aw = RILL_LIST_ENTRY(n, const struct rill_await, link);
	struct rill_tcp_call *call = aw->arg;

	return call->op == op_notify ? RILL_CONTAINER_OF(call, struct rill_poll_entry, call) : NULL;
}

void rill_polls_notify(struct rill_polls *p, struct rill_net *net, struct rill_wake_batch *wakes)
{
	/* seq_cst: pairs with the publishing in rill_poll_attach(), after which the entry looks */
	if (rill_load_seq_cst(&p->count) == 0)
		return;
	rill_spin_lock(&net->poll_lock);
	for (struct rill_list *n = p->entries.next; n != &p->entries; n = n->next)
		rill_poll_notify(RILL_LIST_ENTRY(n, struct rill_poll_entry, socket_link), wakes);
	rill_spin_unlock(&net->poll_lock);
}

/* ---- on the socket ---- */

static struct rill_polls *polls_of(struct rill_poll_source s)
{
	if (s.kind == RILL_POLL_LISTENER)
		return &((struct rill_listener *)s.socket)->polls;
	return &((struct rill_udp *)s.socket)->polls;
}

static struct rill_poll_entry *find_tcp(const struct rill_poll_set *set, const struct rill_tcp *c)
{
	struct rill_list *n = c->readers.first;

	if (!n)
		return NULL;
	do {
		struct rill_poll_entry *e = entry_of(n);

		if (e && e->set == set)
			return e;
		n = n->next;
	} while (n != c->readers.first);
	return NULL;
}

struct rill_poll_entry *rill_poll_find(const struct rill_poll_set *set, struct rill_poll_source s)
{
	struct rill_list *list;

	if (s.kind == RILL_POLL_TCP)
		return find_tcp(set, s.socket);
	list = &polls_of(s)->entries;
	for (struct rill_list *n = list->next; n != list; n = n->next) {
		struct rill_poll_entry *e = RILL_LIST_ENTRY(n, struct rill_poll_entry, socket_link);

		if (e->set == set)
			return e;
	}
	return NULL;
}

/* In the ring of writers only as long as that is asked for: every ACK may be an event there. */
static void settle_writer(struct rill_poll_entry *e, bool wanted)
{
	struct rill_tcp *c = e->source.socket;

	if (wanted == (e->writer.obj != NULL))
		return;
	e->writer.obj = wanted ? c : NULL;
	if (wanted)
		rill_wait_ring_push(&c->writers, &e->writer);
	else
		rill_wait_ring_remove(&c->writers, &e->writer);
}

void rill_poll_attach(struct rill_poll_entry *e)
{
	struct rill_poll_set *set = e->set;

	rill_list_init(&e->socket_link);
	rill_list_init(&e->ready_link);
	e->refs = 1;
	if (e->source.kind == RILL_POLL_TCP) {
		struct rill_tcp *c = e->source.socket;

		e->call = (struct rill_tcp_call){.op = op_notify};
		rill_await_init(&e->reader, NULL, c, &e->call);
		rill_await_init(&e->writer, NULL, NULL, &e->call);
		rill_wait_ring_push(&c->readers, &e->reader);
		settle_writer(e, (e->events & RILL_POLL_WRITE) != 0);
	} else {
		struct rill_polls *p = polls_of(e->source);

		rill_list_push_back(&p->entries, &e->socket_link);
		/* seq_cst: seen before the entry looks; pairs with rill_polls_notify() */
		rill_publish(&p->count, rill_load_relaxed(&p->count) + 1);
	}
	rill_spin_lock(&set->lock);
	rill_list_push_back(&set->entries, &e->link);
	rill_spin_unlock(&set->lock);
}

void rill_poll_detach(struct rill_poll_entry *e)
{
	struct rill_poll_set *set = e->set;

	if (e->source.kind == RILL_POLL_TCP) {
		struct rill_tcp *c = e->source.socket;

		settle_writer(e, false);
		rill_wait_ring_remove(&c->readers, &e->reader);
	} else {
		rill_list_del(&e->socket_link);
		rill_counter_add(&polls_of(e->source)->count, -1);
	}
	e->source.socket = NULL;
	rill_spin_lock(&set->lock);
	rill_list_del(&e->link);
	if (e->state == RILL_POLL_STATE_READY)
		rill_list_del(&e->ready_link);
	bool last = rill_poll_put_locked(e);

	rill_spin_unlock(&set->lock);
	if (last)
		free(e);
}

void rill_poll_ask(struct rill_poll_entry *e, unsigned events, void *user)
{
	rill_spin_lock(&e->set->lock);
	e->events = events;
	e->user = user;
	rill_spin_unlock(&e->set->lock);
	if (e->source.kind == RILL_POLL_TCP)
		settle_writer(e, (events & RILL_POLL_WRITE) != 0);
}

void rill_polls_forget(struct rill_polls *p, struct rill_net *net)
{
	rill_spin_lock(&net->poll_lock);
	while (!rill_list_empty(&p->entries))
		rill_poll_detach(
			RILL_LIST_ENTRY(p->entries.next, struct rill_poll_entry, socket_link));
	rill_spin_unlock(&net->poll_lock);
}

/* Nobody else is in a call, so that only entries are in the ring. */
void rill_poll_forget_tcp(struct rill_tcp *c)
{
	while (c->readers.first) {
		struct rill_poll_entry *e = entry_of(c->readers.first);

		RILL_ASSERT(e != NULL);
		rill_poll_detach(e);
	}
}
