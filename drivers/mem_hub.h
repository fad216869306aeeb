/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The switch behind all mem: NICs of one name, or all sim: NICs. It comes with its first port and
 * goes with the last one. Joining and leaving take a lock; senders read the port table without one:
 * rings stay until the hub goes, and whoever sends has a port.
 */
#ifndef RILL_DRIVERS_MEM_HUB_H
#define RILL_DRIVERS_MEM_HUB_H

#include "drivers/driver.h"
#include "drivers/mem_ring.h"
#include "drivers/mem_steer.h"
#include "drivers/spec.h"

#define RILL_MEM_PORTS_MAX 16u

struct rill_mem_port {
	/* 0: nobody there. Release by rill_mem_hub_up(), acquire by senders: rings[] up to it is
	 * filled in. */
	RILL_ATOMIC(uint32_t) queue_count;
	bool taken; /* under the registry's lock */
	struct rill_mem_spread spread; /* set before it is up */
	struct rill_mem_ring *rings[RILL_NIC_QUEUES_MAX];
};

struct rill_mem_hub;

/* Hubs of different kinds share no names. */
struct rill_mem_hub_kind {
	const char *name;
	/* What the driver keeps beside the ports: both, or neither. create gives NULL when out of
	 * memory. */
	void *(*create)(struct rill_mem_hub *hub);
	void (*destroy)(void *ext);
};

struct rill_mem_hub {
	struct rill_mem_hub *next;
	const struct rill_mem_hub_kind *kind;
	char name[RILL_SPEC_NAME_LEN];
	unsigned refs;
	void *ext; /* kind->create()'s */
	uint8_t mac_prefix[5];
	struct rill_mem_port ports[RILL_MEM_PORTS_MAX];
};

/* A reference to the hub of that name, which may come with it. NULL: out of memory. */
struct rill_mem_hub *rill_mem_hub_get(const struct rill_mem_hub_kind *kind, const char *name);
void rill_mem_hub_put(struct rill_mem_hub *hub);

/*
 * A port of the hub of that name, with queue_count closed rings. -ENOSPC: all taken. -ENOMEM: also
 * when out of descriptors. Senders do not see it before rill_mem_hub_up(), nor after
 * rill_mem_hub_down().
 */
int rill_mem_hub_join(const struct rill_mem_hub_kind *kind, const char *name, unsigned queue_count,
		      struct rill_mem_hub **ret_hub, unsigned *ret_port);
void rill_mem_hub_up(struct rill_mem_hub *hub, unsigned port, unsigned queue_count);
void rill_mem_hub_down(struct rill_mem_hub *hub, unsigned port);
/* After down and with the rings closed. */
void rill_mem_hub_leave(struct rill_mem_hub *hub, unsigned port);

/* Locally administered: a hash of the hub's name, and the port. */
void rill_mem_hub_mac(const struct rill_mem_hub *hub, unsigned port, uint8_t *ret_mac);

/* Of the mem: driver. */
extern const struct rill_mem_hub_kind rill_mem_kind;

/* The port with that MAC, or -1: not one of this hub's. */
static inline int rill_mem_hub_find(const struct rill_mem_hub *hub, const uint8_t *mac)
{
	if (memcmp(mac, hub->mac_prefix, sizeof(hub->mac_prefix)) != 0)
		return -1;
	return mac[5] >= 1 && mac[5] <= RILL_MEM_PORTS_MAX ? mac[5] - 1 : -1;
}

/*
 * The ports that a frame from that port to that MAC goes to, one bit each: its owner, if it is up;
 * else all others. A switch does not send a frame back where it came from.
 */
static inline uint32_t rill_mem_hub_targets(const struct rill_mem_hub *hub, unsigned from,
					    const uint8_t *mac)
{
	int port = rill_mem_hub_find(hub, mac);
	uint32_t others = ((UINT32_C(1) << RILL_MEM_PORTS_MAX) - 1) & ~(UINT32_C(1) << from);

	/* relaxed: only a hint whether to flood; whoever delivers reads it again */
	if (port < 0 || rill_load_relaxed(&hub->ports[port].queue_count) == 0)
		return port == (int)from ? 0 : others;
	return others & UINT32_C(1) << port;
}

#endif
