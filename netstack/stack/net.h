/* SPDX-License-Identifier: BSD-3-Clause */
/* One interface: the NIC, its shards, and the ports that are bound on it. */
#ifndef RILL_NETSTACK_STACK_NET_H
#define RILL_NETSTACK_STACK_NET_H

#include <rill/net.h>

#include "base/rand.h"
#include "netstack/stack/link.h"
#include "netstack/stack/shard.h"
#include "netstack/stack/steer.h"

struct rill_net_own {
	struct rill_ip ip;
	bool changing; /* comes or goes: not to be bound to */
};

struct rill_net {
	struct rill_runtime *rt;
	struct rill_nic *nic;
	struct rill_ip ip; /* the first of own */
	uint64_t drain_ns;
	uint16_t vlan; /* 0: frames have no tags */
	unsigned shard_count;
	struct rill_shard *shards;
	struct rill_steer steer;
	struct rill_link link;
	struct rill_hash_key secret;	 /* of flow hashes */
	struct rill_ephemeral ephemeral; /* of all shards */
	struct rill_spinlock poll_lock;	 /* see poll.h; taken before a UDP socket's */
	struct rill_spinlock port_lock;
	/* under port_lock */
	struct rill_rand rand;
	struct rill_port_table tcp_ports, udp_ports; /* of listeners, of UDP sockets */
	uint32_t port_ids;			     /* given out */
	unsigned own_count;
	struct rill_net_own own[RILL_L3_ADDRS_MAX]; /* all that its shards have, in their order */
	struct rill_list listeners;		    /* by binding.link */
	struct rill_list udps;
};

/* The shard that suits the calling task: its worker's own, if it has one. */
struct rill_shard *rill_net_shard(struct rill_net *net);

/* What is bound at a port of an interface, before its shards hear of it. */
struct rill_net_binding {
	struct rill_port at;
	struct rill_list link; /* in listeners or udps */
};

/*
 * Binds to local, port 0 meaning any free dynamic one, and fills b in. -EADDRINUSE,
 * -EADDRNOTAVAIL: no own address, or no free port. Nothing is told to the shards.
 */
int rill_net_bind(struct rill_net *net, struct rill_port_table *t, const struct rill_addr *local,
		  bool shared, struct rill_net_binding *b);
void rill_net_unbind(struct rill_net *net, struct rill_port_table *t, struct rill_net_binding *b);
/* The address that users see: the interface's first where it is any. */
struct rill_addr rill_net_bound_addr(const struct rill_net *net, const struct rill_net_binding *b);

/* Unset, or 0.0.0.0. */
bool rill_net_is_any(const struct rill_ip *ip);
/* Is ip one of ours, or any? */
bool rill_net_owns(struct rill_net *net, const struct rill_ip *ip);

/* addr.c: the rule that sends packets to ip to this NIC. As of the driver. */
int rill_net_add_rule(struct rill_net *net, const struct rill_ip *ip);
void rill_net_del_rule(struct rill_net *net, const struct rill_ip *ip);

#endif
