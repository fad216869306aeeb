/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of an interface's link. The home of shard 0 looks at it ten times a second; what changes
 * goes to each shard by mail:
 *
 * down: connections wait and go on when it is up again. New ones, and datagrams, get -ENETDOWN.
 * MTU: segments and fragments follow. A smaller one also for the connections that there are; they
 * grow again only with new ones.
 * MAC: what is sent from now on has it.
 * gone: for good. Every call on a socket gets -ENODEV, those that wait too.
 */
#ifndef RILL_NETSTACK_STACK_LINK_H
#define RILL_NETSTACK_STACK_LINK_H

#include <stdio.h>

#include "base/spinlock.h"
#include "drivers/driver.h"
#include "netstack/stack/shard.h"

#define RILL_LINK_LOOK_NS (100 * RILL_MS)

struct rill_link {
	struct rill_spinlock lock;
	struct rill_nic_link now; /* under lock */
	uint16_t mtu_max;	  /* the user's, if that is less than the NIC's */
	RILL_ATOMIC(bool) gone;	  /* written once, before anybody is woken for it */
	/* the holder of shard 0 */
	uint64_t downs, changes;
};

/* After the shards are there, before anybody polls. */
void rill_link_start(struct rill_net *net);
/* Its time has come (link_next_ns). Holder of shard 0. */
void rill_link_look(struct rill_shard *sh);
/* ", link down" and the like into buf, or nothing. */
void rill_link_describe(struct rill_net *net, char *buf, size_t len);

#endif
