/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is behind all sim: NICs of one name: a hub as mem:'s, with a link in front of each port and
 * the frames in flight to each receive queue. One spin lock for all of it: senders and receivers
 * hold it for a frame, or for the frames that have arrived.
 */
#ifndef RILL_DRIVERS_SIM_NET_H
#define RILL_DRIVERS_SIM_NET_H

#include "base/spinlock.h"
#include "drivers/mem_nic.h"
#include "drivers/sim_flight.h"
#include "drivers/sim_link.h"

struct rill_sim_net {
	struct rill_mem_hub *hub;
	struct rill_spinlock lock;
	/* All below: under lock. */
	struct rill_mem_nic *nics[RILL_MEM_PORTS_MAX]; /* NULL: not open */
	struct rill_sim_link links[RILL_MEM_PORTS_MAX];
	struct rill_sim_flight flights[RILL_MEM_PORTS_MAX][RILL_NIC_QUEUES_MAX];
	void (*watch)(void *ctx, const struct rill_sim_event *e);
	void *watch_ctx;
};

/* Of the sim: driver; ext of its hubs is the net. */
extern const struct rill_mem_hub_kind rill_sim_kind;

/* After rill_mem_nic_start(), before up; and after down: drops what is in flight to it. */
void rill_sim_net_enter(struct rill_sim_net *net, struct rill_mem_nic *nic);
void rill_sim_net_leave(struct rill_sim_net *net, struct rill_mem_nic *nic);

/* A port sends a frame; len is at least that of an Ethernet header. */
void rill_sim_net_send(struct rill_sim_net *net, unsigned port, const uint8_t *frame, uint32_t len,
		       uint64_t now);
/* Moves what has arrived at q, n frames at most, into its ring. */
void rill_sim_net_arrive(struct rill_sim_net *net, struct rill_mem_queue *q, unsigned n,
			 uint64_t now);
/* As rx_arm and rx_next of a driver. */
bool rill_sim_net_arm(struct rill_sim_net *net, struct rill_mem_queue *q, uint64_t now);
uint64_t rill_sim_net_next(struct rill_sim_net *net, struct rill_mem_queue *q);

#endif
