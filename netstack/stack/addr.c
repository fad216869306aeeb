/* SPDX-License-Identifier: BSD-3-Clause */
/* The own addresses of an interface, and how they come and go while it runs. */
#include <errno.h>
#include <string.h>

#include "netstack/ip/arp.h"
#include "netstack/stack/net.h"
#include "netstack/wire/ip4.h"

int rill_net_add_rule(struct rill_net *net, const struct rill_ip *ip)
{
	struct rill_flow_rule rule = {.local = *ip};
	const struct rill_driver *driver = net->nic->driver;

	return driver->flow_add ? driver->flow_add(net->nic, &rule) : 0;
}

void rill_net_del_rule(struct rill_net *net, const struct rill_ip *ip)
{
	struct rill_flow_rule rule = {.local = *ip};
	const struct rill_driver *driver = net->nic->driver;

	if (driver->flow_del)
		driver->flow_del(net->nic, &rule);
}

bool rill_net_is_any(const struct rill_ip *ip)
{
	static const uint8_t any[16];

	return ip->family == RILL_AF_NONE || memcmp(ip->bytes, any, sizeof(any)) == 0;
}

/* ---- the list; port_lock held ---- */

static struct rill_net_own *find(struct rill_net *net, const struct rill_ip *ip)
{
	for (unsigned i = 0; i < net->own_count; i++)
		if (memcmp(&net->own[i].ip, ip, sizeof(*ip)) == 0)
			return &net->own[i];
	return NULL;
}

static int reserve(struct rill_net *net, const struct rill_ip *ip)
{
	if (find(net, ip))
		return -EEXIST;
	if (net->own_count == RILL_L3_ADDRS_MAX)
		return -ENOSPC;
	net->own[net->own_count++] = (struct rill_net_own){*ip, true};
	return 0;
}

static int begin_leaving(struct rill_net *net, const struct rill_ip *ip)
{
	struct rill_net_own *own = find(net, ip);

	if (!own)
		return -ENOENT;
	/* Whoever adds or deletes it already goes first. */
	if (own == net->own || own->changing)
		return -EBUSY;
	own->changing = true;
	return 0;
}

static void forget(struct rill_net *net, const struct rill_ip *ip)
{
	struct rill_net_own *own = find(net, ip);

	net->own_count--;
	memmove(own, own + 1, (size_t)(net->own + net->own_count - own) * sizeof(*own));
}

/* ---- calls ---- */

static void settled(struct rill_net *net, const struct rill_ip *ip, bool stays)
{
	rill_spin_lock(&net->port_lock);
	if (stays)
		find(net, ip)->changing = false;
	else
		forget(net, ip);
	rill_spin_unlock(&net->port_lock);
}

bool rill_net_owns(struct rill_net *net, const struct rill_ip *ip)
{
	struct rill_net_own *own;
	bool owns;

	if (rill_net_is_any(ip))
		return true;
	rill_spin_lock(&net->port_lock);
	own = find(net, ip);
	owns = own && !own->changing;
	rill_spin_unlock(&net->port_lock);
	return owns;
}

struct change {
	struct rill_l3_cidr cidr;
	int result;
};

static void add_held(struct rill_shard *sh, void *arg)
{
	struct change *c = arg;

	c->result = rill_l3_add_addr(&sh->core.l3, &c->cidr.ip, c->cidr.prefix);
	if (c->result == 0 && sh->index == 0)
		rill_arp_announce(&sh->core.l3, rill_ip4_get(&c->cidr.ip));
}

static void del_held(struct rill_shard *sh, void *arg)
{
	struct change *c = arg;

	c->result = rill_core_del_addr(&sh->core, &c->cidr.ip);
}

/* All shards have the same addresses, so that the first one's answer is that of all. */
static int change_all(struct rill_net *net, void (*fn)(struct rill_shard *sh, void *arg),
		      struct change *c)
{
	for (unsigned i = 0; i < net->shard_count && c->result == 0; i++)
		rill_shard_call(&net->shards[i], fn, c);
	return c->result;
}

int rill_net_add_addr(struct rill_net *net, const char *addr)
{
	struct change c = {.result = 0};
	int r;

	if (!addr || rill_cidr_parse(addr, &c.cidr.ip, &c.cidr.prefix) < 0)
		return -EINVAL;
	rill_spin_lock(&net->port_lock);
	r = reserve(net, &c.cidr.ip);
	rill_spin_unlock(&net->port_lock);
	if (r < 0)
		return r;
	r = change_all(net, add_held, &c);
	if (r == 0) {
		r = rill_net_add_rule(net, &c.cidr.ip);
		if (r < 0)
			change_all(net, del_held, &c);
	}
	settled(net, &c.cidr.ip, r == 0);
	return r;
}

int rill_net_del_addr(struct rill_net *net, const struct rill_ip *ip)
{
	struct change c = {.cidr.ip = *ip};
	int r;

	rill_spin_lock(&net->port_lock);
	r = begin_leaving(net, ip);
	rill_spin_unlock(&net->port_lock);
	if (r < 0)
		return r;
	r = change_all(net, del_held, &c);
	if (r == 0)
		rill_net_del_rule(net, ip);
	settled(net, ip, r < 0);
	return r;
}

unsigned rill_net_addrs(struct rill_net *net, struct rill_ip *list, unsigned max)
{
	unsigned count;

	rill_spin_lock(&net->port_lock);
	count = net->own_count;
	for (unsigned i = 0; i < RILL_MIN(count, max); i++)
		list[i] = net->own[i].ip;
	rill_spin_unlock(&net->port_lock);
	return count;
}
