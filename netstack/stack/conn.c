/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/conn.h"

#include <errno.h>
#include <stdlib.h>

#include "netstack/stack/listener.h"
#include "netstack/stack/net.h"

struct rill_tcp *rill_conn_find(struct rill_shard *sh, const struct rill_ip *remote,
				uint16_t remote_port, uint16_t local_port)
{
	struct rill_flow_key key = {*remote, remote_port, local_port};
	struct rill_flow *f =
		rill_flow_find(&sh->flows, rill_flow_hash(&sh->net->secret, &key), &key);

	return f ? rill_conn_of_flow(f) : NULL;
}

/* With one shard there is nobody to steer to. */
static bool flow_enter(struct rill_shard *sh, struct rill_flow *f)
{
	if (rill_flow_find(&sh->flows, f->hash, &f->key))
		return false;
	if (sh->net->shard_count > 1 && !rill_steer_insert(&sh->net->steer, f))
		return false;
	rill_flow_insert(&sh->flows, f);
	return true;
}

static void flow_leave(struct rill_shard *sh, struct rill_tcp *c)
{
	if (!c->in_flows)
		return;
	c->in_flows = false;
	rill_flow_remove(&sh->flows, &c->flow);
	if (sh->net->shard_count > 1)
		rill_steer_remove(&sh->net->steer, &c->flow);
}

struct rill_tcp *rill_conn_create(struct rill_shard *sh, const struct rill_addr *local,
				  const struct rill_addr *remote,
				  const struct rill_conn_buffers *buffers, bool held)
{
	struct rill_tcp *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->flow.key = (struct rill_flow_key){remote->ip, remote->port, local->port};
	c->flow.hash = rill_flow_hash(&sh->net->secret, &c->flow.key);
	c->flow.shard = sh;
	if (!flow_enter(sh, &c->flow)) {
		free(c);
		return NULL;
	}
	c->in_flows = true;
	c->held = held;
	rill_timer_init(&c->timer);
	rill_list_push_back(&sh->conns, &c->conn_link);
	rill_list_init(&c->dirty_link);
	rill_list_init(&c->time_wait_link);
	rill_list_init(&c->accept_link);
	rill_list_init(&c->readers);
	rill_list_init(&c->writers);
	rill_tcb_init(&c->tcb, &sh->env, local, remote);
	if (buffers->send)
		c->tcb.snd_buf_max = buffers->send;
	if (buffers->recv)
		c->tcb.rcv_buf_max = buffers->recv;
	if (buffers->nodelay)
		c->tcb.flags |= RILL_TCB_NODELAY;
	return c;
}

static void leave_time_wait(struct rill_shard *sh, struct rill_tcp *c)
{
	if (!rill_list_linked(&c->time_wait_link))
		return;
	rill_list_del(&c->time_wait_link);
	sh->time_wait_count--;
}

void rill_conn_destroy(struct rill_shard *sh, struct rill_tcp *c)
{
	rill_tcb_fini(&c->tcb, &sh->env);
	rill_wheel_cancel(&sh->wheel, &c->timer);
	rill_list_del(&c->dirty_link);
	leave_time_wait(sh, c);
	flow_leave(sh, c);
	rill_list_del(&c->conn_link);
	if (c->listener)
		rill_listener_forget(c->listener);
	free(c);
}

void rill_conn_touch(struct rill_shard *sh, struct rill_tcp *c)
{
	if (!rill_list_linked(&c->dirty_link))
		rill_list_push_back(&sh->dirty, &c->dirty_link);
}

static void wake_all(struct rill_shard *sh, struct rill_list *queue)
{
	struct rill_await *aw;

	while ((aw = rill_await_first(queue))) {
		rill_wake_add(&sh->wakes, aw->waiter);
		rill_list_del(&aw->link);
		/* release: the last touch; the waiter may be running already. Pairs with
		 * call_disarm() */
		rill_store_release(&aw->granted, true);
	}
}

static void tell_waiters(struct rill_shard *sh, struct rill_tcp *c)
{
	uint32_t events = c->tcb.events;

	c->tcb.events &= RILL_TCB_CLOSED;
	if (events & RILL_TCB_ACCEPTABLE && c->listener) {
		struct rill_listener *l = c->listener;

		c->listener = NULL;
		rill_listener_ready(l, c, &sh->wakes);
	}
	if (events & (RILL_TCB_READABLE | RILL_TCB_CLOSED))
		wake_all(sh, &c->readers);
	if (events & (RILL_TCB_WRITABLE | RILL_TCB_CONNECTED | RILL_TCB_CLOSED))
		wake_all(sh, &c->writers);
}

/* The wheel is only moved when the deadline comes nearer: it mostly moves away, with every ACK. */
static void set_timer(struct rill_shard *sh, struct rill_tcp *c)
{
	uint64_t deadline = rill_tcb_next_deadline(&c->tcb);

	if (deadline == RILL_FOREVER)
		return;
	if (rill_timer_pending(&c->timer)) {
		if (c->timer.deadline_ns <= deadline)
			return;
		rill_wheel_cancel(&sh->wheel, &c->timer);
	}
	rill_wheel_insert(&sh->wheel, &c->timer, deadline);
	sh->next_timer_ns = RILL_MIN(sh->next_timer_ns, deadline);
}

/* The state is bounded: with too many in TIME-WAIT the oldest goes early. */
static void enter_time_wait(struct rill_shard *sh, struct rill_tcp *c)
{
	if (c->tcb.state != RILL_TCP_TIME_WAIT || rill_list_linked(&c->time_wait_link))
		return;
	rill_list_push_back(&sh->time_wait, &c->time_wait_link);
	if (++sh->time_wait_count <= RILL_SHARD_TIME_WAIT_MAX)
		return;
	struct rill_tcp *oldest =
		RILL_LIST_ENTRY(sh->time_wait.next, struct rill_tcp, time_wait_link);

	leave_time_wait(sh, oldest);
	rill_tcb_abort(&oldest->tcb, &sh->env, sh->now_ns);
	rill_conn_touch(sh, oldest);
}

void rill_conn_settle(struct rill_shard *sh, struct rill_tcp *c)
{
	rill_list_del(&c->dirty_link);
	rill_tcb_output(&c->tcb, &sh->env, sh->now_ns);
	if (c->tcb.events)
		tell_waiters(sh, c);
	if (c->tcb.state != RILL_TCP_CLOSED) {
		enter_time_wait(sh, c);
		set_timer(sh, c);
		return;
	}
	if (!c->held) {
		rill_conn_destroy(sh, c);
		return;
	}
	/* Only its holder can still see it; the addresses are free again. */
	rill_wheel_cancel(&sh->wheel, &c->timer);
	leave_time_wait(sh, c);
	flow_leave(sh, c);
}

void rill_conn_settle_all(struct rill_shard *sh)
{
	struct rill_list *n;

	while ((n = rill_list_pop_front(&sh->dirty)))
		rill_conn_settle(sh, RILL_LIST_ENTRY(n, struct rill_tcp, dirty_link));
}

void rill_conn_on_timer(struct rill_shard *sh, struct rill_tcp *c)
{
	if (rill_tcb_next_deadline(&c->tcb) <= sh->now_ns)
		rill_tcb_on_timer(&c->tcb, &sh->env, sh->now_ns);
	rill_conn_touch(sh, c);
}
