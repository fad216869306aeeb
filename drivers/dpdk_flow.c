/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules for what sockets bind, by rte_flow: on a port that is isolated, so that the kernel keeps
 * what no rule names (rill.isolate=on; bifurcated PMDs). A port that is all rill's needs none:
 * everything comes anyway.
 */
#include "drivers/dpdk_port.h"

#include <errno.h>
#include <netinet/in.h>
#include <rte_errno.h>
#include <rte_flow.h>
#include <stdlib.h>
#include <string.h>

/* The address, and who has it. */
#define HANDLES 2

struct flow {
	struct rill_list link;
	struct rill_flow_rule rule;
	struct rte_flow *handles[HANDLES];
};

struct pattern {
	struct rte_flow_item items[4]; /* the last one ends it */
	unsigned count;
	struct rte_flow_item_ipv4 ip4, ip4_mask;
	struct rte_flow_item_ipv6 ip6, ip6_mask;
	struct rte_flow_item_tcp tcp, tcp_mask;
	struct rte_flow_item_udp udp, udp_mask;
	struct rte_flow_item_eth eth, eth_mask;
};

static void add_item(struct pattern *p, enum rte_flow_item_type type, const void *spec,
		     const void *mask)
{
	p->items[p->count++] = (struct rte_flow_item){.type = type, .spec = spec, .mask = mask};
}

static bool is_any(const struct rill_ip *ip)
{
	static const struct rill_ip none;

	return memcmp(ip->bytes, none.bytes, sizeof(ip->bytes)) == 0;
}

static void match_address(struct pattern *p, const struct rill_flow_rule *rule)
{
	const struct rill_ip *ip = &rule->local;
	bool any = is_any(ip);

	if (ip->family == RILL_AF_IP6) {
		memcpy(p->ip6.hdr.dst_addr, ip->bytes, 16);
		memset(p->ip6_mask.hdr.dst_addr, 0xff, 16);
		p->ip6.hdr.proto = rule->proto;
		p->ip6_mask.hdr.proto = rule->proto ? 0xff : 0;
		if (any)
			memset(p->ip6_mask.hdr.dst_addr, 0, 16);
		add_item(p, RTE_FLOW_ITEM_TYPE_IPV6, &p->ip6, &p->ip6_mask);
		return;
	}
	memcpy(&p->ip4.hdr.dst_addr, ip->bytes, 4);
	p->ip4_mask.hdr.dst_addr = any ? 0 : UINT32_MAX;
	p->ip4.hdr.next_proto_id = rule->proto;
	p->ip4_mask.hdr.next_proto_id = rule->proto ? 0xff : 0;
	add_item(p, RTE_FLOW_ITEM_TYPE_IPV4, &p->ip4, &p->ip4_mask);
}

static void match_port(struct pattern *p, const struct rill_flow_rule *rule)
{
	uint16_t port = htons(rule->port);

	if (rule->proto == IPPROTO_TCP) {
		p->tcp.hdr.dst_port = port;
		p->tcp_mask.hdr.dst_port = port ? UINT16_MAX : 0;
		add_item(p, RTE_FLOW_ITEM_TYPE_TCP, &p->tcp, &p->tcp_mask);
	}
	if (rule->proto == IPPROTO_UDP) {
		p->udp.hdr.dst_port = port;
		p->udp_mask.hdr.dst_port = port ? UINT16_MAX : 0;
		add_item(p, RTE_FLOW_ITEM_TYPE_UDP, &p->udp, &p->udp_mask);
	}
}

static struct rte_flow *install(struct rill_dpdk_port *port, struct pattern *p)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	uint16_t queues[RILL_NIC_QUEUES_MAX];
	const struct rte_flow_action_rss rss = {
		.types = port->conf.rx_adv_conf.rss_conf.rss_hf,
		.queue_num = port->base.queue_count,
		.queue = queues,
	};
	const struct rte_flow_action_queue queue = {.index = 0};
	bool spread = port->base.queue_count > 1;
	struct rte_flow_action actions[] = {
		{.type = spread ? RTE_FLOW_ACTION_TYPE_RSS : RTE_FLOW_ACTION_TYPE_QUEUE,
		 .conf = spread ? (const void *)&rss : &queue},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};
	struct rte_flow_error why;

	for (uint16_t i = 0; i < port->base.queue_count; i++)
		queues[i] = i;
	add_item(p, RTE_FLOW_ITEM_TYPE_END, NULL, NULL);
	return rte_flow_create(port->id, &attr, p->items, actions, &why);
}

static void remove_handles(struct rill_dpdk_port *port, struct flow *f)
{
	struct rte_flow_error why;

	for (unsigned i = 0; i < HANDLES; i++)
		if (f->handles[i])
			rte_flow_destroy(port->id, f->handles[i], &why);
	rill_list_del(&f->link);
	free(f);
}

/* Whoever owns an address answers for it: ARP, which has no address that rules could match. */
static struct rte_flow *install_arp(struct rill_dpdk_port *port)
{
	struct pattern p = {.count = 0};

	p.eth.type = htons(0x0806);
	p.eth_mask.type = UINT16_MAX;
	add_item(&p, RTE_FLOW_ITEM_TYPE_ETH, &p.eth, &p.eth_mask);
	return install(port, &p);
}

int rill_dpdk_flow_add(struct rill_nic *nic, const struct rill_flow_rule *rule)
{
	struct rill_dpdk_port *port = rill_dpdk_port_of(nic);
	bool owns = rule->proto == 0 && rule->local.family != RILL_AF_IP6;
	struct pattern p = {.count = 0};
	struct flow *f;

	if (!port->isolated)
		return 0;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->rule = *rule;
	rill_list_push_back(&port->flows, &f->link);
	add_item(&p, RTE_FLOW_ITEM_TYPE_ETH, NULL, NULL);
	match_address(&p, rule);
	match_port(&p, rule);
	f->handles[0] = install(port, &p);
	if (f->handles[0] && owns)
		f->handles[1] = install_arp(port);
	if (f->handles[0] && (!owns || f->handles[1]))
		return 0;
	int err = rte_errno ? -rte_errno : -ENOTSUP;

	remove_handles(port, f);
	return err;
}

int rill_dpdk_flow_del(struct rill_nic *nic, const struct rill_flow_rule *rule)
{
	struct rill_dpdk_port *port = rill_dpdk_port_of(nic);

	if (!port->isolated)
		return 0;
	for (struct rill_list *n = port->flows.next; n != &port->flows; n = n->next) {
		struct flow *f = RILL_LIST_ENTRY(n, struct flow, link);

		if (memcmp(&f->rule, rule, sizeof(*rule)) != 0)
			continue;
		remove_handles(port, f);
		return 0;
	}
	return -ENOENT;
}

void rill_dpdk_flow_forget(struct rill_dpdk_port *port)
{
	while (!rill_list_empty(&port->flows))
		remove_handles(port, RILL_LIST_ENTRY(port->flows.next, struct flow, link));
}
