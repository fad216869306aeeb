/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening and closing an interface. */
#include "netstack/stack/net.h"

#include <errno.h>
#include <rill/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netstack/stack/listener.h"
#include "netstack/stack/udp_port.h"
#include "netstack/stack/vlan.h"
#include "netstack/wire/ip4.h"
#include "runtime/runtime.h"

/* The first pause of a close that waits. */
#define DRAIN_PAUSE_NS (RILL_MS / 4)

static __thread char open_error[RILL_NIC_ERROR_LEN];

/* See runtime/current.c: the buffer's address must not be kept across a switch. */
static RILL_NOINLINE char *error_buffer(void)
{
	__asm__ volatile("");
	return open_error;
}

const char *rill_net_error(void)
{
	return error_buffer();
}

static int fail(int err, const char *text, const char *what)
{
	snprintf(error_buffer(), RILL_NIC_ERROR_LEN, text, what ? what : "");
	return err;
}

/* ---- ports ---- */

/* Taken as if it were shared: nobody who gets a port by chance gets one that somebody has. */
static int pick_port(struct rill_net *net, const struct rill_port_table *t, struct rill_port *at)
{
	uint32_t start = rill_rand_below(&net->rand, RILL_PORT_EPHEMERAL_COUNT);
	struct rill_port alone = *at;

	alone.shared = false;
	for (uint32_t i = 0; i < RILL_PORT_EPHEMERAL_COUNT; i++) {
		alone.port = (uint16_t)(RILL_PORT_EPHEMERAL_FIRST +
					(start + i) % RILL_PORT_EPHEMERAL_COUNT);
		if (!rill_port_conflicts(t, &alone))
			return alone.port;
	}
	return -EADDRNOTAVAIL;
}

static int bind_locked(struct rill_net *net, struct rill_port_table *t, struct rill_port *at)
{
	int port = at->port ? at->port : pick_port(net, t, at);

	if (port < 0)
		return port;
	at->port = (uint16_t)port;
	if (rill_port_conflicts(t, at))
		return -EADDRINUSE;
	at->id = ++net->port_ids;
	rill_port_insert(t, at);
	return 0;
}

int rill_net_bind(struct rill_net *net, struct rill_port_table *t, const struct rill_addr *local,
		  bool shared, struct rill_net_binding *b)
{
	struct rill_list *list = t == &net->tcp_ports ? &net->listeners : &net->udps;
	int r;

	if (!rill_net_owns(net, &local->ip))
		return -EADDRNOTAVAIL;
	b->at = rill_port_make(local, shared, 0);
	rill_spin_lock(&net->port_lock);
	r = bind_locked(net, t, &b->at);
	if (r == 0)
		rill_list_push_back(list, &b->link);
	rill_spin_unlock(&net->port_lock);
	return r;
}

void rill_net_unbind(struct rill_net *net, struct rill_port_table *t, struct rill_net_binding *b)
{
	rill_spin_lock(&net->port_lock);
	rill_port_remove(t, &b->at);
	rill_list_del(&b->link);
	rill_spin_unlock(&net->port_lock);
}

struct rill_addr rill_net_bound_addr(const struct rill_net *net, const struct rill_net_binding *b)
{
	struct rill_addr addr = {.ip = net->ip, .port = b->at.port};

	if (b->at.ip != 0)
		rill_ip4_set(&addr.ip, b->at.ip);
	return addr;
}

struct rill_shard *rill_net_shard(struct rill_net *net)
{
	struct rill_worker *w = rill_worker_current();

	for (unsigned i = 0; w && i < net->shard_count; i++)
		if (net->shards[i].poller.home == w->index)
			return &net->shards[i];
	return &net->shards[w ? w->index % net->shard_count : 0];
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

static int parse_options(const struct rill_net_options *o, struct rill_l3_config *config,
			 struct rill_l3_cidr cidrs[RILL_L3_ADDRS_MAX])
{
	struct rill_addr gateway = {.port = 0};
	int count = o->addr ? rill_l3_cidrs_parse(o->addr, cidrs) : -EINVAL;

	memset(config, 0, sizeof(*config));
	if (!o->nic)
		return fail(-EINVAL,
			    "no NIC given: say for instance \"mem:lab\" or \"af_xdp:eth0\"", "");
	if (count < 0)
		return fail(-EINVAL,
			    "\"%s\" is no address with a prefix: say for instance 198.18.0.1/24, "
			    "or several with commas between them",
			    o->addr);
	config->ip = cidrs[0].ip;
	config->prefix = cidrs[0].prefix;
	config->more = cidrs + 1;
	config->more_count = (unsigned)count - 1;
	if (o->gateway && (rill_addr_parse(o->gateway, &gateway) < 0 || gateway.port != 0))
		return fail(-EINVAL, "\"%s\" is no gateway: give an IP address", o->gateway);
	config->gateway = gateway.ip;
	return 0;
}

static void net_free(struct rill_net *net)
{
	for (unsigned i = 0; net->shards && i < net->shard_count; i++)
		rill_shard_fini(&net->shards[i]);
	/* What was not closed; the packets in it go with the NIC's memory. */
	RILL_LIST_FOR_EACH (n, &net->listeners)
		rill_listener_free(RILL_LIST_ENTRY(n, struct rill_listener, binding.link));
	RILL_LIST_FOR_EACH (n, &net->udps)
		free(RILL_LIST_ENTRY(n, struct rill_udp, binding.link));
	rill_port_table_fini(&net->tcp_ports);
	rill_port_table_fini(&net->udp_ports);
	free(net->shards);
	rill_steer_fini(&net->steer);
	rill_ephemeral_fini(&net->ephemeral);
	if (net->nic)
		rill_nic_close(net->nic);
	free(net);
}

static int net_init(struct rill_net *net, struct rill_l3_config *config)
{
	struct rill_nic *nic = net->nic;
	size_t size = nic->queue_count * sizeof(*net->shards);
	struct rill_hash_key ports;
	uint64_t seed;

	memcpy(config->mac, nic->mac, sizeof(config->mac));
	config->mtu = nic->mtu;
	config->caps = nic->caps;
	net->ip = config->ip;
	net->own[0].ip = config->ip;
	for (unsigned i = 0; i < config->more_count; i++)
		net->own[1 + i].ip = config->more[i].ip;
	net->own_count = 1 + config->more_count;
	rill_rand_secret(&net->secret, sizeof(net->secret));
	rill_rand_secret(&ports, sizeof(ports));
	rill_ephemeral_init(&net->ephemeral, &rill_memory_heap, &ports);
	rill_rand_secret(&seed, sizeof(seed));
	rill_rand_init(&net->rand, seed);
	net->shards = aligned_alloc(RILL_CACHE_LINE, size);
	if (!net->shards || rill_steer_init(&net->steer, nic) < 0 ||
	    rill_port_table_init(&net->tcp_ports, &rill_memory_heap) < 0 ||
	    rill_port_table_init(&net->udp_ports, &rill_memory_heap) < 0)
		return fail(-ENOMEM, "out of memory", "");
	memset(net->shards, 0, size);
	net->shard_count = nic->queue_count;
	for (unsigned i = 0; i < net->shard_count; i++) {
		int r = rill_shard_init(&net->shards[i], net, i, config);

		if (r < 0)
			return fail(r,
				    "the addresses must be different hosts, and the gateway on a "
				    "subnet of theirs%s",
				    "");
	}
	return 0;
}

static int net_start(struct rill_net *net)
{
	rill_link_start(net);
	int r = 0;

	for (unsigned i = 0; i < net->own_count && r == 0; i++)
		r = rill_net_add_rule(net, &net->own[i].ip);
	if (r < 0)
		return fail(r, "the NIC refused the rule that sends us our address: %s",
			    strerror(-r));
	for (unsigned i = 0; i < net->shard_count; i++) {
		r = rill_poller_add(net->rt, &net->shards[i].poller);
		if (r == 0)
			continue;
		while (i-- > 0)
			rill_poller_remove(&net->shards[i].poller);
		return fail(r, "too many NIC queues on one runtime", "");
	}
	return 0;
}

static unsigned queues_wanted(const struct rill_net_options *o, const struct rill_runtime *rt)
{
	unsigned queues = o->queues ? o->queues : rt->worker_count;

	return RILL_MIN(queues, (unsigned)RILL_NIC_QUEUES_MAX);
}

int rill_net_open(struct rill_runtime *rt, const struct rill_net_options *in,
		  struct rill_net **ret_net)
{
	struct rill_net_options o = {0};
	struct rill_l3_cidr cidrs[RILL_L3_ADDRS_MAX];
	struct rill_l3_config config;
	struct open_nic open = {0};
	void *result = NULL;

	memcpy(&o, in, RILL_MIN(in->size, sizeof(o)));
	if (!rt)
		rt = rill_runtime_current();
	if (!rt)
		return fail(-EINVAL, "no runtime: give one, or call this from a task", "");
	int r = parse_options(&o, &config, cidrs);

	if (r == 0 && o.vlan > RILL_VLAN_ID_MAX)
		r = fail(-EINVAL, "there are VLANs 1 to 4094, and 0 for none%s", "");
	if (r < 0)
		return r;
	open.spec = o.nic;
	open.queues = queues_wanted(&o, rt);
	r = rill_blocking(open_nic, &open, &result);
	if (r == 0)
		r = (int)(intptr_t)result;
	if (r < 0)
		return fail(r, "%s", open.error);
	struct rill_net *net = calloc(1, sizeof(*net));

	if (!net) {
		rill_nic_close(open.nic);
		return fail(-ENOMEM, "out of memory", "");
	}
	net->rt = rt;
	net->nic = open.nic;
	net->drain_ns = o.drain_ns ? o.drain_ns : RILL_NET_DRAIN_NS;
	net->vlan = (uint16_t)o.vlan;
	rill_list_init(&net->listeners);
	rill_list_init(&net->udps);
	if (o.mtu && o.mtu < net->nic->mtu)
		net->nic->mtu = (uint16_t)o.mtu;
	r = net_init(net, &config);
	if (r == 0)
		r = net_start(net);
	if (r < 0) {
		net_free(net);
		return r;
	}
	*ret_net = net;
	return 0;
}

/* ---- close ---- */

/* Tells every peer; letting the shard go sends it. */
static void reset_all(struct rill_shard *sh, void *arg)
{
	(void)arg;
	rill_core_abort_all(&sh->core);
}

static void count_closing(struct rill_shard *sh, void *arg)
{
	unsigned *count = arg;

	*count += rill_core_count_closing(&sh->core);
}

/*
 * What was sent before a connection was closed is owed to the peer (RFC 9293, 3.10.4), and this
 * process is all there is to repeat it. Looked for ever less often: it takes a round trip, or long.
 */
static void *drain(void *arg)
{
	struct rill_net *net = arg;
	uint64_t left = net->drain_ns, pause = DRAIN_PAUSE_NS;

	while (left > 0) {
		unsigned count = 0;

		for (unsigned i = 0; i < net->shard_count; i++)
			rill_shard_call(&net->shards[i], count_closing, &count);
		pause = RILL_MIN(pause, left);
		if (count == 0 || rill_sleep(pause) < 0)
			break;
		left -= pause;
		pause *= 2;
	}
	return NULL;
}

void rill_net_close(struct rill_net *net)
{
	if (!net)
		return;
	/* A task of the runtime's drives it where the caller's thread is its only worker. */
	if (rill_block_on(net->rt, drain, net, NULL) == -EDEADLK)
		drain(net);
	for (unsigned i = 0; i < net->shard_count; i++)
		rill_shard_call(&net->shards[i], reset_all, NULL);
	for (unsigned i = 0; i < net->shard_count; i++)
		rill_poller_remove(&net->shards[i].poller);
	/* Once more, for what came in between. */
	for (unsigned i = 0; i < net->shard_count; i++)
		rill_shard_call(&net->shards[i], reset_all, NULL);
	net_free(net);
}

struct rill_ip rill_net_ip(const struct rill_net *net)
{
	return net->ip;
}

/* Of the calling thread, as open_error. */
static __thread char describe_text[320];

static RILL_NOINLINE char *describe_buffer(void)
{
	__asm__ volatile("");
	return describe_text;
}

const char *rill_net_describe(const struct rill_net *net)
{
	char *text = describe_buffer();
	size_t len = sizeof(describe_text);
	size_t at = (size_t)snprintf(text, len, "%s", net->nic->describe);

	if (net->steer.map && at + 2 < len) {
		at += (size_t)snprintf(text + at, len - at, "; ");
		rill_steer_map_describe(net->steer.map, text + at, len - at);
	}
	at = strlen(text);
	rill_link_describe((struct rill_net *)net, text + at, len - at);
	return text;
}

int rill_net_start(const struct rill_runtime_options *o, const struct rill_net_options *nets,
		   unsigned count, struct rill_runtime **ret_rt, struct rill_net **ret_nets)
{
	struct rill_runtime *rt;
	unsigned opened = 0;
	int r = rill_runtime_create(o, &rt);

	if (r < 0)
		return fail(r, "%s", rill_runtime_error());
	while (r == 0 && opened < count) {
		/* each as large as the caller's header made it */
		const char *at = (const char *)nets + opened * nets[0].size;

		r = rill_net_open(rt, (const struct rill_net_options *)(const void *)at,
				  &ret_nets[opened]);
		if (r == 0)
			opened++;
	}
	if (r == 0) {
		*ret_rt = rt;
		return 0;
	}
	while (opened > 0)
		rill_net_close(ret_nets[--opened]);
	rill_runtime_destroy(rt);
	return r;
}
