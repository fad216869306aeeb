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

static bool is_taken(const struct rill_net_ports *ports, uint32_t port)
{
	return (ports->taken[port / 64] >> port % 64 & 1) != 0;
}

static int pick_port(struct rill_net *net, const struct rill_net_ports *ports, uint16_t port)
{
	uint32_t start = rill_rand_below(&net->rand, RILL_PORT_EPHEMERAL_COUNT);

	if (port)
		return is_taken(ports, port) ? -EADDRINUSE : port;
	for (uint32_t i = 0; i < RILL_PORT_EPHEMERAL_COUNT; i++) {
		uint32_t at = RILL_PORT_EPHEMERAL_FIRST + (start + i) % RILL_PORT_EPHEMERAL_COUNT;

		if (!is_taken(ports, at))
			return (int)at;
	}
	return -EADDRNOTAVAIL;
}

int rill_net_take_port(struct rill_net *net, struct rill_net_ports *ports, uint16_t port,
		       struct rill_list *list, struct rill_list *link)
{
	rill_spin_lock(&net->port_lock);
	int r = pick_port(net, ports, port);

	if (r > 0) {
		ports->taken[r / 64] |= UINT64_C(1) << r % 64;
		rill_list_push_back(list, link);
	}
	rill_spin_unlock(&net->port_lock);
	return r;
}

void rill_net_release_port(struct rill_net *net, struct rill_net_ports *ports, uint16_t port,
			   struct rill_list *link)
{
	rill_spin_lock(&net->port_lock);
	ports->taken[port / 64] &= ~(UINT64_C(1) << port % 64);
	rill_list_del(link);
	rill_spin_unlock(&net->port_lock);
}

bool rill_net_owns(const struct rill_net *net, const struct rill_ip *ip)
{
	static const uint8_t any[16];

	return ip->family == RILL_AF_NONE || memcmp(ip->bytes, any, sizeof(any)) == 0 ||
	       memcmp(ip, &net->ip, sizeof(*ip)) == 0;
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

static int parse_options(const struct rill_net_options *o, struct rill_l3_config *config)
{
	struct rill_addr gateway = {.port = 0};

	memset(config, 0, sizeof(*config));
	if (!o->nic)
		return fail(-EINVAL,
			    "no NIC given: say for instance \"mem:lab\" or \"af_xdp:eth0\"", "");
	if (!o->addr || rill_cidr_parse(o->addr, &config->ip, &config->prefix) < 0)
		return fail(-EINVAL,
			    "\"%s\" is no address with a prefix: say for instance 198.18.0.1/24",
			    o->addr);
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
		rill_listener_free(RILL_LIST_ENTRY(n, struct rill_listener, net_link));
	RILL_LIST_FOR_EACH (n, &net->udps)
		free(RILL_LIST_ENTRY(n, struct rill_udp, net_link));
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
	rill_rand_secret(&net->secret, sizeof(net->secret));
	rill_rand_secret(&ports, sizeof(ports));
	rill_ephemeral_init(&net->ephemeral, &rill_memory_heap, &ports);
	rill_rand_secret(&seed, sizeof(seed));
	rill_rand_init(&net->rand, seed);
	net->shards = aligned_alloc(RILL_CACHE_LINE, size);
	if (!net->shards || rill_steer_init(&net->steer) < 0)
		return fail(-ENOMEM, "out of memory", "");
	memset(net->shards, 0, size);
	net->shard_count = nic->queue_count;
	for (unsigned i = 0; i < net->shard_count; i++) {
		int r = rill_shard_init(&net->shards[i], net, i, config);

		if (r < 0)
			return fail(r, "the gateway must be on the subnet of the address%s", "");
	}
	return 0;
}

static int net_start(struct rill_net *net)
{
	struct rill_flow_rule rule = {.local = net->ip};
	const struct rill_driver *driver = net->nic->driver;
	int r = driver->flow_add ? driver->flow_add(net->nic, &rule) : 0;

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
	struct rill_l3_config config;
	struct open_nic open = {0};
	void *result = NULL;

	memcpy(&o, in, RILL_MIN(in->size, sizeof(o)));
	if (!rt)
		rt = rill_runtime_current();
	if (!rt)
		return fail(-EINVAL, "no runtime: give one, or call this from a task", "");
	int r = parse_options(&o, &config);

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

const char *rill_net_describe(const struct rill_net *net)
{
	return net->nic->describe;
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
