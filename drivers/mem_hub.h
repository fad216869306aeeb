/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The switch behind all mem: NICs of one name. It comes with its first port and goes with the last
 * one. Joining and leaving take a lock; senders read the port table without one: rings stay until
 * the hub goes, and whoever sends has a port.
 */
#ifndef RILL_DRIVERS_MEM_HUB_H
#define RILL_DRIVERS_MEM_HUB_H

#include "drivers/driver.h"
#include "drivers/mem_ring.h"
#include "drivers/spec.h"

#define RILL_MEM_PORTS_MAX 16

struct rill_mem_port {
	/* 0: nobody there. Release by rill_mem_hub_up(), acquire by senders: rings[] up to it is
	 * filled in. */
	RILL_ATOMIC(uint32_t) queue_count;
	bool taken; /* under the registry's lock */
	struct rill_mem_ring *rings[RILL_NIC_QUEUES_MAX];
};

struct rill_mem_hub {
	struct rill_mem_hub *next;
	char name[RILL_SPEC_NAME_LEN];
	unsigned refs;
	uint8_t mac_prefix[5];
	struct rill_mem_port ports[RILL_MEM_PORTS_MAX];
};

/*
 * A port of the hub of that name, with queue_count closed rings. -ENOSPC: all taken. -ENOMEM: also
 * when out of descriptors. Senders do not see it before rill_mem_hub_up(), nor after
 * rill_mem_hub_down().
 */
int rill_mem_hub_join(const char *name, unsigned queue_count, struct rill_mem_hub **ret_hub,
		      unsigned *ret_port);
void rill_mem_hub_up(struct rill_mem_hub *hub, unsigned port, unsigned queue_count);
void rill_mem_hub_down(struct rill_mem_hub *hub, unsigned port);
/* After down and with the rings closed. */
void rill_mem_hub_leave(struct rill_mem_hub *hub, unsigned port);

/* Locally administered: a hash of the hub's name, and the port. */
void rill_mem_hub_mac(const struct rill_mem_hub *hub, unsigned port, uint8_t *ret_mac);

/* The port with that MAC, or -1: not one of this hub's. */
static inline int rill_mem_hub_find(const struct rill_mem_hub *hub, const uint8_t *mac)
{
	if (memcmp(mac, hub->mac_prefix, sizeof(hub->mac_prefix)) != 0)
		return -1;
	return mac[5] >= 1 && mac[5] <= RILL_MEM_PORTS_MAX ? mac[5] - 1 : -1;
}

#endif
