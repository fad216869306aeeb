/* SPDX-License-Identifier: BSD-3-Clause */
/* One interface: the NIC, its shards, and the ports that are bound on it. */
#ifndef RILL_NETSTACK_STACK_NET_H
#define RILL_NETSTACK_STACK_NET_H

#include <rill/net.h>

#include "base/rand.h"
#include "netstack/stack/flow.h"
#include "netstack/stack/shard.h"

struct rill_listener;
struct rill_udp;

/* RFC 6335: the dynamic ports, widened to what Linux uses. */
#define RILL_PORT_EPHEMERAL_FIRST 32768
#define RILL_PORT_EPHEMERAL_COUNT 28232

struct rill_net {
	struct rill_runtime *rt;
	struct rill_nic *nic;
	struct rill_ip ip;
	unsigned shard_count;
	struct rill_shard *shards;
	struct rill_steer steer;
	struct rill_hash_key secret;	/* of flow hashes */
	struct rill_spinlock port_lock; /* for binding; look-ups need none */
	struct rill_rand rand;		/* port_lock */
	/*
	 * By port. Written under port_lock, read by the shards; who takes one out calls
	 * rill_net_sync() before freeing it.
	 */
	RILL_ATOMIC(struct rill_listener *) listeners[65536];
	RILL_ATOMIC(struct rill_udp *) udp[65536];
};

/* The shard that suits the calling task: its worker's own, if it has one. */
struct rill_shard *rill_net_shard(struct rill_net *net);

/* Returns when no shard can be using what was reachable through the tables before. */
void rill_net_sync(struct rill_net *net);

/*
 * Puts obj at port of table, 0 meaning any free one: the port, or -EADDRINUSE, -EADDRNOTAVAIL.
 */
int rill_net_bind_port(struct rill_net *net, void **table, uint16_t port, void *obj);
void rill_net_unbind_port(struct rill_net *net, void **table, uint16_t port);

/* Is addr one of ours, or unset? */
bool rill_net_owns(const struct rill_net *net, const struct rill_ip *ip);

#endif
