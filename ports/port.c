/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening and closing a port, and what there is to know about it. */
#include "ports/port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/runtime.h"

static __thread char open_error[RILL_NIC_ERROR_LEN];

/* See runtime/current.c: the buffer's address must not be kept across a switch. */
static RILL_NOINLINE char *error_buffer(void)
{
	__asm__ volatile("");
	return open_error;
}

const char *rill_port_error(void)
{
	return error_buffer();
}

static int fail(int err, const char *text)
{
	snprintf(error_buffer(), RILL_NIC_ERROR_LEN, "%s", text);
	return err;
}

/* ---- open ---- */

struct open_nic {
	const char *spec;
	unsigned queues;
	struct rill_nic *nic;
	char error[RILL_NIC_ERROR_LEN];
};

/* Opening a NIC may take the kernel a while: on a thread of the blocking pool. */
static void *open_nic(void *arg)
{
	struct open_nic *o = arg;

	return (void *)(intptr_t)rill_nic_open(o->spec, o->queues, &o->nic, o->error);
}

static void port_free(struct rill_port *port)
{
	if (port->nic)
		rill_nic_close(port->nic);
	pthread_mutex_destroy(&port->control);
	free(port->queues);
	free(port->name);
	free(port);
}

static uint32_t able_by(uint32_t caps)
{
	uint32_t able = 0;

	if (caps & RILL_NIC_TX_CSUM)
		able |= RILL_BUF_CSUM_PARTIAL;
	if (caps & RILL_NIC_TX_SEGS)
		able |= RILL_BUF_CHAIN | RILL_BUF_PARTS;
	if (caps & RILL_NIC_TX_VLAN)
		able |= RILL_BUF_VLAN;
	/* One that cuts TCP only refuses, and counts, the rest itself. */
	if (caps & (RILL_NIC_TX_TSO | RILL_NIC_TX_USO))
		able |= RILL_BUF_GSO;
	return able;
}

static void queue_init(struct rill_port *port, unsigned i)
{
	struct rill_port_queue *q = &port->queues[i];

	q->port = port;
	q->nicq = port->nic->queues[i];
	q->driver = port->nic->driver;
	q->poller.ops = port->handler ? &rill_port_handler_ops : &rill_port_task_ops;
	q->poller.fd = q->driver->rx_fd(q->nicq);
	q->link_next_ns = q->driver->link ? 0 : RILL_FOREVER;
	rill_list_init(&q->waiters);
}

/* Takes over the NIC. */
static int port_create(struct rill_runtime *rt, const struct rill_port_options *o,
		       struct rill_nic *nic, struct rill_port **ret_port)
{
	struct rill_port *port = calloc(1, sizeof(*port));

	if (!port) {
		rill_nic_close(nic);
		return fail(-ENOMEM, "out of memory");
	}
	pthread_mutex_init(&port->control, NULL);
	port->rt = rt;
	port->nic = nic;
	port->handler = o->handler;
	port->ctx = o->ctx;
	port->tx_able = able_by(nic->caps);
	port->queue_count = nic->queue_count;
	port->name = strdup(o->nic);
	port->queues = aligned_alloc(RILL_CACHE_LINE, nic->queue_count * sizeof(*port->queues));
	if (!port->name || !port->queues) {
		port_free(port);
		return fail(-ENOMEM, "out of memory");
	}
	memset(port->queues, 0, nic->queue_count * sizeof(*port->queues));
	for (unsigned i = 0; i < port->queue_count; i++)
		queue_init(port, i);
	*ret_port = port;
	return 0;
}

static int add_rules(struct rill_port *port, const struct rill_port_options *o)
{
	const struct rill_port_rule all = {.proto = 0};
	unsigned count = o->rule_count ? o->rule_count : 1;
	int err = 0;

	if (o->no_rules || !port->nic->driver->flow_add)
		return 0;
	for (unsigned i = 0; err == 0 && i < count; i++)
		err = rill_port_add_rule(port, o->rule_count ? &o->rules[i] : &all);
	if (err < 0)
		snprintf(error_buffer(), RILL_NIC_ERROR_LEN,
			 "%s: the NIC refused a rule for what to receive: %s", port->name,
			 strerror(-err));
	return err;
}

/* Queue i of every port is at home on worker i, so that forwarding stays on it. */
static int start_polling(struct rill_port *port)
{
	for (unsigned i = 0; i < port->queue_count; i++) {
		int err = rill_poller_add_at(port->rt, &port->queues[i].poller,
					     i % port->rt->worker_count);

		if (err == 0)
			continue;
		while (i-- > 0)
			rill_poller_remove(&port->queues[i].poller);
		return fail(err, "too many NIC queues on one runtime");
	}
	return 0;
}

static unsigned queues_wanted(const struct rill_port_options *o, const struct rill_runtime *rt)
{
	unsigned queues = o->queues ? o->queues : rt->worker_count;

	return RILL_MIN(queues, (unsigned)RILL_PORT_QUEUES_MAX);
}

static int open_spec(const char *spec, unsigned queues, struct rill_nic **ret_nic)
{
	struct open_nic open = {.spec = spec, .queues = queues};
	void *result = NULL;
	int err = rill_blocking(open_nic, &open, &result);

	if (err == 0)
		err = (int)(intptr_t)result;
	if (err < 0)
		return fail(err, open.error);
	*ret_nic = open.nic;
	return 0;
}

int rill_port_open(struct rill_runtime *rt, const struct rill_port_options *in,
		   struct rill_port **ret_port)
{
	struct rill_port_options o = {0};
	struct rill_port *port;
	struct rill_nic *nic;
	int err;

	memcpy(&o, in, RILL_MIN(in->size, sizeof(o)));
	if (!rt)
		rt = rill_runtime_current();
	if (!rt)
		return fail(-EINVAL, "no runtime: give one, or call this from a task");
	if (!o.nic)
		return fail(-EINVAL,
			    "no NIC given: say for instance \"mem:lab\" or \"af_xdp:eth0\"");
	err = open_spec(o.nic, queues_wanted(&o, rt), &nic);
	if (err < 0)
		return err;
	err = port_create(rt, &o, nic, &port);
	if (err < 0)
		return err;
	err = add_rules(port, &o);
	if (err == 0)
		err = start_polling(port);
	if (err < 0) {
		port_free(port);
		return err;
	}
	*ret_port = port;
	return 0;
}

/* ---- close ---- */

static void drop_held(struct rill_port_queue *q)
{
	for (unsigned i = 0; i < q->held_count; i++)
		rill_buf_put(q->held[i]);
	q->held_count = 0;
}

void rill_port_stop(struct rill_port *port)
{
	if (port->stopped)
		return;
	port->stopped = true;
	for (unsigned i = 0; i < port->queue_count; i++)
		rill_poller_remove(&port->queues[i].poller);
	for (unsigned i = 0; i < port->queue_count; i++)
		drop_held(&port->queues[i]);
}

void rill_port_close(struct rill_port *port)
{
	if (!port)
		return;
	rill_port_stop(port);
	port_free(port);
}

/* ---- to know ---- */

void rill_port_info(const struct rill_port *port, struct rill_port_info *ret_info)
{
	const struct rill_nic *nic = port->nic;

	*ret_info = (struct rill_port_info){
		.queues = nic->queue_count,
		.mtu = nic->mtu,
		.caps = nic->caps,
		.pool_size = nic->queues[0]->pool->size,
		.packet_room = nic->queues[0]->pool->buf_bytes,
	};
	memcpy(ret_info->mac, nic->mac, sizeof(ret_info->mac));
}

const char *rill_port_describe(const struct rill_port *port)
{
	return port->nic->describe;
}

const char *rill_port_name(const struct rill_port *port)
{
	return port->name;
}

static void link_now(struct rill_port *port, struct rill_nic_link *ret_link)
{
	*ret_link = (struct rill_nic_link){.up = true, .mtu = port->nic->mtu};
	memcpy(ret_link->mac, port->nic->mac, sizeof(ret_link->mac));
	if (!port->nic->driver->link)
		return;
	pthread_mutex_lock(&port->control);
	port->nic->driver->link(port->nic, ret_link);
	pthread_mutex_unlock(&port->control);
}

void rill_port_link(struct rill_port *port, struct rill_port_link *ret_link)
{
	struct rill_nic_link link;

	link_now(port, &link);
	*ret_link = (struct rill_port_link){
		.up = link.up,
		.gone = link.gone,
		.mtu = link.mtu,
		.mbit = link.mbit,
	};
	memcpy(ret_link->mac, link.mac, sizeof(ret_link->mac));
}

bool rill_port_ask_gone(struct rill_port *port)
{
	struct rill_nic_link link;

	link_now(port, &link);
	return link.gone;
}

/* ---- rules ---- */

static int change_rule(struct rill_port *port,
		       int (*fn)(struct rill_nic *nic, const struct rill_flow_rule *rule),
		       const struct rill_port_rule *rule)
{
	const struct rill_flow_rule flow = {
		.local = rule->local, .proto = rule->proto, .port = rule->port};
	int err;

	if (!fn)
		return -EOPNOTSUPP;
	pthread_mutex_lock(&port->control);
	err = fn(port->nic, &flow);
	pthread_mutex_unlock(&port->control);
	return err;
}

int rill_port_add_rule(struct rill_port *port, const struct rill_port_rule *rule)
{
	return change_rule(port, port->nic->driver->flow_add, rule);
}

int rill_port_del_rule(struct rill_port *port, const struct rill_port_rule *rule)
{
	return change_rule(port, port->nic->driver->flow_del, rule);
}
