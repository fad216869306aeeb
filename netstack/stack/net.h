/* SPDX-License-Identifier: BSD-3-Clause */
/* One interface: the NIC, its shards, and the ports that are bound on it. */
#ifndef RILL_NETSTACK_STACK_NET_H
#define RILL_NETSTACK_STACK_NET_H

#include <rill/net.h>

#include "base/rand.h"
#include "netstack/stack/shard.h"
#include "netstack/stack/steer.h"

/* Ports of one protocol that are taken, one bit each. */
struct rill_net_ports {
	uint64_t taken[65536 / 64];
};

struct rill_net {
	struct rill_runtime *rt;
	struct rill_nic *nic;
	struct rill_ip ip;
	uint64_t drain_ns;
	unsigned shard_count;
	struct rill_shard *shards;
	struct rill_steer steer;
	struct rill_hash_key secret;	 /* of flow hashes */
	struct rill_ephemeral ephemeral; /* of all shards */
	struct rill_spinlock poll_lock;	 /* see poll.h; taken before a UDP socket's */
	struct rill_spinlock port_lock;
	/* under port_lock */
	struct rill_rand rand;
	struct rill_net_ports tcp_ports, udp_ports;
	struct rill_list listeners; /* by net_link */
	struct rill_list udps;
};

/* The shard that suits the calling task: its worker's own, if it has one. */
struct rill_shard *rill_net_shard(struct rill_net *net);

/*
 * Takes a port, 0 meaning any free dynamic one, and puts link into list: the port, or -EADDRINUSE,
 * -EADDRNOTAVAIL. Nothing is told to the shards.
 */
int rill_net_take_port(struct rill_net *net, struct rill_net_ports *ports, uint16_t port,
		       struct rill_list *list, struct rill_list *link);
void rill_net_release_port(struct rill_net *net, struct rill_net_ports *ports, uint16_t port,
			   struct rill_list *link);

/* Is addr one of ours, or unset? */
bool rill_net_owns(const struct rill_net *net, const struct rill_ip *ip);

#endif
