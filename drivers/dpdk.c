/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dpdk:DEVICE[,DEVICE ARGUMENT...][,rill.KEY=VALUE...]
 *
 * A port of DPDK's: DEVICE is a virtual device ("net_memif0"; its PMD's name and a number) or a
 * PCI address, and what follows is handed to the PMD as it is, except what begins with "rill.":
 *
 *   rill.bufs=N      buffers for each queue, besides those that the rings hold (4096)
 *   rill.ring=N      descriptors of each ring (1024; the PMD may want others)
 *   rill.mtu=N       (the port's)
 *   rill.offload=on|off   checksums, segmentation, hash (on)
 *   rill.lro=off|on, rill.vlan=off|on, rill.time=off|on   merged frames, tags taken out and put
 *                    in, timestamps and sending at a time
 *   rill.isolate=off|on   on: only what rules name comes here, the kernel keeps the rest
 *   rill.promisc=off|on
 *   rill.nap=USEC    longest sleep where the PMD has no rx interrupts (1000)
 *   rill.eal=OPTIONS of EAL, separated by blanks, for the first port of the process
 *
 * EAL's options may be in the environment's RILL_DPDK_EAL as well. Without any, EAL uses no shared
 * state, touches no device but those that specs name, and takes hugepages if there are enough.
 */
#include <errno.h>
#include <pthread.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/dpdk_eal.h"
#include "drivers/dpdk_memif.h"
#include "drivers/dpdk_port.h"
#include "drivers/plugin.h"
#include "drivers/spec.h"

#define SPEC_LEN 1024
#define OUR_PREFIX "rill."
#define NAP_DEFAULT_US 1000

extern const struct rill_driver rill_dpdk_module_driver;

/* Opening, closing and probing, of all ports. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rill_list ports = {&ports, &ports};

static const char *const off_on[] = {"off", "on", NULL};

/* ---- the spec ---- */

struct spec {
	char device[SPEC_LEN]; /* with its arguments */
	char name[64];
	char ours[SPEC_LEN]; /* "dpdk,key=value,..." */
	char eal[SPEC_LEN];
	bool has_eal;
};

static bool append(char *buf, const char *text, size_t len)
{
	size_t at = strlen(buf);

	if (at + len >= SPEC_LEN)
		return false;
	memcpy(buf + at, text, len);
	buf[at + len] = 0;
	return true;
}

/* Splits at commas; what a device's argument has in brackets or quotes never begins like ours. */
static bool split(const char *text, struct spec *s)
{
	bool ok = append(s->ours, "dpdk", 4);

	for (const char *at = text; ok && *at;) {
		size_t len = strcspn(at, ",");
		size_t prefix = sizeof(OUR_PREFIX) - 1;

		if (strncmp(at, OUR_PREFIX "eal=", prefix + 4) == 0) {
			s->has_eal = true;
			ok = append(s->eal, at + prefix + 4, len - prefix - 4);
		} else if (strncmp(at, OUR_PREFIX, prefix) == 0) {
			ok = append(s->ours, ",", 1) && append(s->ours, at + prefix, len - prefix);
		} else {
			ok = append(s->device, ",", s->device[0] ? 1 : 0) &&
			     append(s->device, at, len);
		}
		at += len;
		at += *at == ',';
	}
	return ok;
}

static int parse(struct rill_dpdk_port *p, const char *text, struct spec *s, char *error)
{
	struct rill_dpdk_options *o = &p->options;
	const struct rill_spec_key keys[] = {
		{"bufs", RILL_SPEC_UINT, &o->bufs, 256, 1 << 22},
		{"ring", RILL_SPEC_UINT, &o->ring, 32, 32768},
		{"mtu", RILL_SPEC_UINT, &o->mtu, 68, 65000},
		{"nap", RILL_SPEC_UINT, &o->nap_us, 20, 1000000},
		{"offload", RILL_SPEC_CHOICE, &o->offload, .choices = off_on},
		{"isolate", RILL_SPEC_CHOICE, &o->isolate, .choices = off_on},
		{"lro", RILL_SPEC_CHOICE, &o->lro, .choices = off_on},
		{"vlan", RILL_SPEC_CHOICE, &o->vlan, .choices = off_on},
		{"time", RILL_SPEC_CHOICE, &o->time, .choices = off_on},
		{"promisc", RILL_SPEC_CHOICE, &o->promisc, .choices = off_on},
	};
	char word[RILL_SPEC_NAME_LEN];
	size_t name_len;

	if (!split(text, s))
		return rill_nic_fail(error, -EINVAL, "dpdk: the spec is longer than %d bytes",
				     SPEC_LEN - 1);
	name_len = strcspn(s->device, ",");
	if (name_len == 0 || name_len >= sizeof(s->name))
		return rill_nic_fail(error, -EINVAL,
				     "dpdk: '%.64s' names no device: want for instance "
				     "dpdk:net_memif0,role=client or dpdk:0000:01:00.0",
				     text);
	memcpy(s->name, s->device, name_len);
	s->name[name_len] = 0;
	memcpy(p->name, s->name, sizeof(p->name));
	return rill_spec_parse("dpdk (rill.)", s->ours, keys, RILL_ARRAY_SIZE(keys), word, error);
}

static int prepare_device(struct rill_dpdk_port *p, const struct spec *s)
{
	p->device = strdup(s->device);
	if (!p->device)
		return -ENOMEM;
	p->foreign_ok = true;
	if (!rill_dpdk_is_memif(p->device))
		return 0;
	p->is_memif = true;
	p->foreign_ok = !rill_dpdk_memif_is_zero_copy(p->device);
	p->traits.connects_once = !rill_dpdk_memif_is_server(p->device);
	rill_dpdk_memif_before_open(p->device);
	return 0;
}

/* ---- probe ---- */

static int fail_probe(const struct spec *s, int err, char *error)
{
	bool virtual = strncmp(s->name, "net_", 4) == 0;
	char why[120];

	rill_dpdk_log_first(why, sizeof(why));
	if (virtual)
		return rill_nic_fail(error, err,
				     "dpdk: no port by '%.80s': is it a PMD that is installed "
				     "(net_memif0, net_tap0, ...), and are its arguments right? "
				     "%s",
				     s->device, why[0] ? why : strerror(-err));
	return rill_nic_fail(error, err,
			     "dpdk: no port at '%.60s': bind it to vfio-pci (dpdk-devbind.py -b "
			     "vfio-pci ADDRESS), run with the rights for it; %s",
			     s->device, why[0] ? why : strerror(-err));
}

static int probe(struct rill_dpdk_port *p, const struct spec *s, char *error)
{
	struct rte_dev_iterator it;
	uint16_t id;
	int err;

	if (rte_eth_dev_get_port_by_name(s->name, &id) == 0)
		return rill_nic_fail(error, -EBUSY, "dpdk:%s is in use by this process", s->name);
	err = rte_dev_probe(s->device);
	if (err)
		return fail_probe(s, err, error);
	if (rte_eth_dev_get_port_by_name(s->name, &p->id) == 0)
		return 0;
	/* PMDs of several ports call them otherwise: the first is meant. */
	if (rte_eth_iterator_init(&it, s->name) == 0) {
		p->id = rte_eth_iterator_next(&it);
		rte_eth_iterator_cleanup(&it);
		if (p->id != RTE_MAX_ETHPORTS)
			return 0;
	}
	return fail_probe(s, -ENODEV, error);
}

/* ---- open and close ---- */

static int on_removal(uint16_t id, enum rte_eth_event_type type, void *port, void *ret)
{
	struct rill_dpdk_port *p = port;

	/* Bursts end; the rest waits for close. */
	rill_store_relaxed(&p->gone, true);
	rill_store_relaxed(&p->paused, true);
	return 0;
}

static void describe(struct rill_dpdk_port *p)
{
	const struct rill_dpdk_queue *q = rill_dpdk_queue_of(p->base.queues[0]);
	unsigned count = p->base.queue_count;
	char *text = p->base.describe;
	size_t len = sizeof(p->base.describe);
	size_t at = (size_t)snprintf(text, len, "dpdk:%s %s %s %u queue%s mtu %u", p->name,
				     p->info.driver_name, rill_dpdk_eal_memory(), count,
				     count == 1 ? "" : "s", p->base.mtu);

	if (at < len && q->wakes)
		at += (size_t)snprintf(text + at, len - at, " rx-interrupts");
	else if (at < len)
		at += (size_t)snprintf(text + at, len - at, "; no rx interrupts: naps of %u us",
				       (unsigned)p->options.nap_us);
	if (at < len && p->isolated)
		at += (size_t)snprintf(text + at, len - at, "; isolated");
	if (at < len && p->traits.connects_once && !p->started)
		snprintf(text + at, len - at, "; waits for its server");
}

static void port_close(void *port)
{
	struct rill_dpdk_port *p = port;
	struct rte_eth_dev_info info;
	bool known = rte_eth_dev_info_get(p->id, &info) == 0;

	rill_dpdk_port_teardown(p);
	rte_eth_dev_close(p->id);
	if (known)
		rte_dev_remove(info.device);
}

/* p is in the list no more, or not yet. */
static bool is_last_at_socket(const struct rill_dpdk_port *p)
{
	for (struct rill_list *n = ports.next; n != &ports; n = n->next) {
		const struct rill_dpdk_port *other =
			RILL_LIST_ENTRY(n, struct rill_dpdk_port, link);

		if (other->is_memif && rill_dpdk_memif_is_server(other->device) &&
		    rill_dpdk_memif_share_socket(p->device, other->device))
			return false;
	}
	return true;
}

/* EAL's and the PMD's part of it, and the memory. */
static void port_free(struct rill_dpdk_port *p, bool probed)
{
	bool virtual = strchr(p->name, ':') == NULL;

	if (probed && p->is_memif && is_last_at_socket(p))
		rill_dpdk_memif_before_close(p->device);
	/*
	 * Virtual devices' callbacks (a peer that goes, a link that changes) expect the port to be
	 * there, so it goes between two of them. PMDs of hardware may wait for theirs to run.
	 */
	if (probed && virtual)
		rill_dpdk_on_interrupt_thread(port_close, p);
	else if (probed)
		port_close(p);
	for (unsigned i = 0; i < p->base.queue_count; i++) {
		struct rill_dpdk_queue *q = rill_dpdk_queue_of(p->base.queues[i]);

		if (q->pool)
			rill_dpdk_pool_destroy(q->pool);
		free(q);
	}
	free(p->toeplitz);
	free(p->device);
	free(p);
	rill_dpdk_pool_sweep(rill_list_empty(&ports));
}

static int port_start(struct rill_dpdk_port *p, unsigned queues, char *error)
{
	int err = rill_dpdk_port_setup(p, queues, error);

	if (!err && p->traits.connects_once)
		err = rill_dpdk_watch_begin(p);
	if (err)
		return err;
	for (unsigned i = 0; i < p->base.queue_count; i++)
		rill_dpdk_queue_of(p->base.queues[i])->nap_ns = 20000;
	rte_eth_dev_callback_register(p->id, RTE_ETH_EVENT_INTR_RMV, on_removal, p);
	describe(p);
	return 0;
}

static int open_locked(struct rill_dpdk_port *p, const char *text, unsigned queues, char *error)
{
	struct spec *s = calloc(1, sizeof(*s));
	int err = s ? parse(p, text, s, error) : -ENOMEM;

	if (!err)
		err = rill_dpdk_eal_start(s->has_eal ? s->eal : NULL, error);
	rill_dpdk_log_forget();
	if (!err)
		err = prepare_device(p, s);
	if (!err)
		err = probe(p, s, error);
	free(s);
	if (err) {
		port_free(p, false);
		return err;
	}
	err = port_start(p, queues, error);
	if (err) {
		port_free(p, true);
		return err;
	}
	rill_list_push_back(&ports, &p->link);
	return 0;
}

static int dpdk_open(const char *text, unsigned queues, struct rill_nic **ret_nic, char *error)
{
	struct rill_dpdk_port *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return rill_nic_fail(error, -ENOMEM, "dpdk: out of memory");
	p->base.driver = &rill_dpdk_module_driver;
	p->options.offload = 1;
	p->options.nap_us = NAP_DEFAULT_US;
	rill_list_init(&p->flows);
	pthread_mutex_lock(&lock);
	err = open_locked(p, text, queues, error);
	pthread_mutex_unlock(&lock);
	if (!err)
		*ret_nic = &p->base;
	return err;
}

static void dpdk_close(struct rill_nic *nic)
{
	struct rill_dpdk_port *p = rill_dpdk_port_of(nic);

	if (p->traits.connects_once)
		rill_dpdk_watch_end(p);
	pthread_mutex_lock(&lock);
	rill_list_del(&p->link);
	rte_eth_dev_callback_unregister(p->id, RTE_ETH_EVENT_INTR_RMV, on_removal, p);
	port_free(p, true);
	pthread_mutex_unlock(&lock);
}

const struct rill_driver rill_dpdk_module_driver = {
	.name = "dpdk",
	.open = dpdk_open,
	.close = dpdk_close,
	.rx_burst = rill_dpdk_rx_burst,
	.tx_burst = rill_dpdk_tx_burst,
	.tx_flush = rill_dpdk_tx_flush,
	.rx_arm = rill_dpdk_rx_arm,
	.rx_disarm = rill_dpdk_rx_disarm,
	.rx_fd = rill_dpdk_rx_fd,
	.rx_next = rill_dpdk_rx_next,
	.rx_queue_of = rill_dpdk_rx_queue_of,
	.flow_add = rill_dpdk_flow_add,
	.flow_del = rill_dpdk_flow_del,
	.stats = rill_dpdk_stats,
	.link = rill_dpdk_link,
	.rss = rill_dpdk_rss,
	.try_caps = rill_dpdk_try_caps,
	.counters = rill_dpdk_counters,
	.clock = rill_dpdk_clock,
};

extern const struct rill_driver_plugin rill_driver_plugin;

__attribute__((visibility("default"))) const struct rill_driver_plugin rill_driver_plugin =
	RILL_DRIVER_PLUGIN(&rill_dpdk_module_driver);
