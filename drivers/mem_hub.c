/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/mem_hub.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct rill_mem_hub *registry; /* under registry_lock */

const struct rill_mem_hub_kind rill_mem_kind = {.name = "mem"};

static struct rill_mem_hub *hub_create_locked(const struct rill_mem_hub_kind *kind,
					      const char *name)
{
	static const struct rill_hash_key key = {{UINT64_C(0x6d656d3a), UINT64_C(0x72696c6c)}};
	struct rill_mem_hub *hub = calloc(1, sizeof(*hub));
	uint64_t words[RILL_SPEC_NAME_LEN / 8] = {0};

	if (!hub)
		return NULL;
	hub->kind = kind;
	hub->ext = kind->create ? kind->create(hub) : NULL;
	if (kind->create && !hub->ext) {
		free(hub);
		return NULL;
	}
	strncpy(hub->name, name, sizeof(hub->name) - 1);
	memcpy(words, hub->name, sizeof(hub->name));
	uint64_t hash = rill_siphash(&key, words, sizeof(words));

	hub->mac_prefix[0] = 0x02; /* locally administered, unicast */
	memcpy(hub->mac_prefix + 1, &hash, 4);
	hub->next = registry;
	registry = hub;
	return hub;
}

static void hub_destroy_locked(struct rill_mem_hub *hub)
{
	struct rill_mem_hub **at = &registry;

	while (*at != hub)
		at = &(*at)->next;
	*at = hub->next;
	for (unsigned p = 0; p < RILL_MEM_PORTS_MAX; p++) {
		for (unsigned q = 0; q < RILL_NIC_QUEUES_MAX; q++)
			rill_mem_ring_destroy(hub->ports[p].rings[q]);
	}
	if (hub->ext)
		hub->kind->destroy(hub->ext);
	free(hub);
}

static struct rill_mem_hub *hub_get_locked(const struct rill_mem_hub_kind *kind, const char *name)
{
	struct rill_mem_hub *hub = registry;

	while (hub && (hub->kind != kind || strcmp(hub->name, name) != 0))
		hub = hub->next;
	if (!hub)
		hub = hub_create_locked(kind, name);
	if (hub)
		hub->refs++;
	return hub;
}

static void hub_put_locked(struct rill_mem_hub *hub)
{
	if (--hub->refs == 0)
		hub_destroy_locked(hub);
}

struct rill_mem_hub *rill_mem_hub_get(const struct rill_mem_hub_kind *kind, const char *name)
{
	pthread_mutex_lock(&registry_lock);
	struct rill_mem_hub *hub = hub_get_locked(kind, name);

	pthread_mutex_unlock(&registry_lock);
	return hub;
}

void rill_mem_hub_put(struct rill_mem_hub *hub)
{
	pthread_mutex_lock(&registry_lock);
	hub_put_locked(hub);
	pthread_mutex_unlock(&registry_lock);
}

static int take_port_locked(struct rill_mem_hub *hub, unsigned queue_count, unsigned *ret_port)
{
	unsigned i = 0;

	while (i < RILL_MEM_PORTS_MAX && hub->ports[i].taken)
		i++;
	if (i == RILL_MEM_PORTS_MAX)
		return -ENOSPC;
	struct rill_mem_port *port = &hub->ports[i];

	for (unsigned q = 0; q < queue_count; q++) {
		if (!port->rings[q])
			port->rings[q] = rill_mem_ring_create();
		if (!port->rings[q])
			return -ENOMEM;
	}
	port->taken = true;
	*ret_port = i;
	return 0;
}

int rill_mem_hub_join(const struct rill_mem_hub_kind *kind, const char *name, unsigned queue_count,
		      struct rill_mem_hub **ret_hub, unsigned *ret_port)
{
	int err = -ENOMEM;

	pthread_mutex_lock(&registry_lock);
	struct rill_mem_hub *hub = hub_get_locked(kind, name);

	if (hub)
		err = take_port_locked(hub, queue_count, ret_port);
	if (!err)
		*ret_hub = hub;
	else if (hub)
		hub_put_locked(hub);
	pthread_mutex_unlock(&registry_lock);
	return err;
}

void rill_mem_hub_up(struct rill_mem_hub *hub, unsigned port, unsigned queue_count)
{
	/* release: pairs with the senders' acquire, see struct rill_mem_port */
	rill_store_release(&hub->ports[port].queue_count, queue_count);
}

void rill_mem_hub_down(struct rill_mem_hub *hub, unsigned port)
{
	/* A sender that still sees the old count finds the rings closed. */
	rill_store_relaxed(&hub->ports[port].queue_count, 0);
}

void rill_mem_hub_leave(struct rill_mem_hub *hub, unsigned port)
{
	pthread_mutex_lock(&registry_lock);
	hub->ports[port].taken = false;
	hub_put_locked(hub);
	pthread_mutex_unlock(&registry_lock);
}

void rill_mem_hub_mac(const struct rill_mem_hub *hub, unsigned port, uint8_t *ret_mac)
{
	memcpy(ret_mac, hub->mac_prefix, sizeof(hub->mac_prefix));
	ret_mac[5] = (uint8_t)(port + 1);
}
