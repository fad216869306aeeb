/* SPDX-License-Identifier: BSD-3-Clause */
/* Layer 3: an IPv4 router (RFC 1812, 5.2) with static routes. */
#include "cli/fwd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#define IP_MIN 20
#define UDP_LEN 8
#define TCP_OFFSET_AT 12
#define PROTO_TCP 6
#define ICMP_UNREACHABLE 3
#define ICMP_NET_UNREACHABLE 0
#define ICMP_FRAGMENTATION_NEEDED 4
#define ICMP_TIME_EXCEEDED 11

uint16_t rill_fwd_checksum(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += fwd_get16(data + i);
	if (len & 1)
		sum += (uint32_t)data[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* ---- routes ---- */

uint32_t rill_fwd_mask(unsigned prefix)
{
	return prefix == 0 ? 0 : htonl(UINT32_MAX << (32 - prefix));
}

static int longest_first(const void *a, const void *b)
{
	return (int)((const struct fwd_route *)b)->prefix -
	       (int)((const struct fwd_route *)a)->prefix;
}

/* Every port's own net, and gateways get the port on whose net they are. */
int rill_fwd_l3_init(struct fwd *fwd)
{
	for (unsigned i = 0; i < fwd->route_count; i++) {
		struct fwd_route *r = &fwd->routes[i];
		unsigned port = 0;

		while (port < fwd->port_count && ((fwd->ports[port].ip ^ r->gateway) &
						  rill_fwd_mask(fwd->ports[port].prefix)))
			port++;
		if (port == fwd->port_count)
			return -ENETUNREACH;
		r->port = port;
	}
	for (unsigned i = 0; i < fwd->port_count; i++) {
		if (fwd->route_count == FWD_ROUTES_MAX)
			return -ENOSPC;
		fwd->routes[fwd->route_count++] = (struct fwd_route){
			.net = fwd->ports[i].ip & rill_fwd_mask(fwd->ports[i].prefix),
			.prefix = fwd->ports[i].prefix,
			.port = i};
	}
	for (unsigned i = 0; i < fwd->route_count; i++)
		fwd->routes[i].net &= rill_fwd_mask(fwd->routes[i].prefix);
	qsort(fwd->routes, fwd->route_count, sizeof(fwd->routes[0]), longest_first);
	return rill_fwd_arp_init(fwd);
}

void rill_fwd_l3_fini(struct fwd *fwd)
{
	rill_fwd_arp_fini(fwd);
}

static const struct fwd_route *route_to(const struct fwd *fwd, uint32_t dst)
{
	for (unsigned i = 0; i < fwd->route_count; i++)
		if (((dst ^ fwd->routes[i].net) & rill_fwd_mask(fwd->routes[i].prefix)) == 0)
			return &fwd->routes[i];
	return NULL;
}

static bool is_own(const struct fwd *fwd, uint32_t ip)
{
	for (unsigned i = 0; i < fwd->port_count; i++)
		if (fwd->ports[i].ip == ip)
			return true;
	return false;
}

/* ---- a packet ---- */

/* RFC 1812, 5.2.2. Cuts off what Ethernet put behind it. */
static bool is_whole(struct rill_pkt *p)
{
	const uint8_t *ip = p->data + FWD_ETH_LEN;
	uint32_t header, total;

	if (p->len < FWD_ETH_LEN + IP_MIN || ip[0] >> 4 != 4)
		return false;
	header = (ip[0] & 15u) * 4;
	total = fwd_get16(ip + 2);
	if (header < IP_MIN || total < header || FWD_ETH_LEN + total > rill_pkt_frame_len(p) ||
	    FWD_ETH_LEN + header > p->len || rill_fwd_checksum(ip, header) != 0)
		return false;
	if (!(p->flags & RILL_PKT_CHAIN))
		p->len = FWD_ETH_LEN + total;
	return true;
}

/* One less, and the checksum along with it (RFC 1624, equation 3). */
static void decrement_ttl(uint8_t *ip)
{
	uint16_t old = fwd_get16(ip + 8), new = (uint16_t)(old - 0x100);
	uint32_t sum = (uint16_t)~fwd_get16(ip + 10) + (uint32_t)(uint16_t)~old + new;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	fwd_put16(ip + 8, new);
	fwd_put16(ip + 10, (uint16_t)~sum);
}

void rill_fwd_ip_out(const struct fwd_port *in, struct fwd_lane *lane, uint32_t dst,
		     struct rill_pkt *p)
{
	const struct fwd_route *r = route_to(in->fwd, dst);
	const struct fwd_port *out;
	uint8_t mac[FWD_MAC_LEN];

	if (!r) {
		fwd_drop(&fwd_counters(lane, in)->no_route, p);
		return;
	}
	out = &in->fwd->ports[r->port];
	memcpy(p->data + FWD_MAC_LEN, out->info.mac, FWD_MAC_LEN);
	if (!rill_fwd_resolve(in, lane, r->port, r->gateway ? r->gateway : dst, p, mac))
		return;
	memcpy(p->data, mac, FWD_MAC_LEN);
	rill_fwd_out(lane, in, r->port, p);
}

/* Of nobody in particular, or of this machine alone (RFC 1812, 5.3.7): nobody to answer, either. */
static bool is_no_source(uint32_t src)
{
	uint8_t from = (uint8_t)(ntohl(src) >> 24);

	return from >= 224 || from == 127 || src == 0;
}

static bool is_no_destination(uint32_t dst)
{
	uint8_t to = (uint8_t)(ntohl(dst) >> 24);

	return to >= 224 || to == 127 || to == 0;
}

/* The longest packet that p becomes on its way out: one header for many is cut there. */
static uint32_t longest(const struct rill_pkt *p)
{
	const uint8_t *ip = p->data + FWD_ETH_LEN;
	uint32_t total = fwd_get16(ip + 2), header = (ip[0] & 15u) * 4, transport = UDP_LEN, one;

	if (!(p->flags & RILL_PKT_GSO))
		return total;
	if (ip[9] == PROTO_TCP && FWD_ETH_LEN + header + TCP_OFFSET_AT < p->len)
		transport = (ip[header + TCP_OFFSET_AT] >> 4) * 4u;
	one = header + transport + p->meta.gso_size;
	return one < total ? one : total;
}

static void forward(struct fwd_port *in, struct fwd_lane *lane, struct rill_pkt *p)
{
	struct fwd_counters *c = fwd_counters(lane, in);
	uint8_t *ip = p->data + FWD_ETH_LEN;
	uint32_t dst = fwd_get_ip(ip + 16);
	const struct fwd_route *r;

	if (is_no_destination(dst)) {
		fwd_drop(&c->not_ours, p);
		return;
	}
	if (ip[8] <= 1) {
		fwd_count(&c->ttl, 1);
		rill_fwd_icmp_error(in, lane, ICMP_TIME_EXCEEDED, 0, 0, p);
		return;
	}
	r = route_to(in->fwd, dst);
	if (!r) {
		fwd_count(&c->no_route, 1);
		rill_fwd_icmp_error(in, lane, ICMP_UNREACHABLE, ICMP_NET_UNREACHABLE, 0, p);
		return;
	}
	if (longest(p) > in->fwd->ports[r->port].info.mtu) {
		/* Whoever allows fragments gets the same answer: none are made here. */
		fwd_count(&c->too_big, 1);
		rill_fwd_icmp_error(in, lane, ICMP_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED,
				    in->fwd->ports[r->port].info.mtu, p);
		return;
	}
	decrement_ttl(ip);
	rill_fwd_ip_out(in, lane, dst, p);
}

void rill_fwd_route(struct fwd_port *in, struct fwd_lane *lane, struct rill_pkt *p)
{
	struct fwd_counters *c = fwd_counters(lane, in);
	uint16_t type;

	if (p->len < FWD_ETH_LEN) {
		fwd_drop(&c->malformed, p);
		return;
	}
	type = fwd_get16(p->data + 12);
	/* Of a VLAN, whether the NIC took the tag off or not: another net, and none of ours. */
	if (p->flags & RILL_PKT_VLAN) {
		fwd_drop(&c->not_ip, p);
		return;
	}
	if (type == FWD_ETHERTYPE_ARP) {
		rill_fwd_arp_in(in, lane, p);
		return;
	}
	if (type != FWD_ETHERTYPE_IP4) {
		fwd_drop(&c->not_ip, p);
		return;
	}
	if (memcmp(p->data, in->info.mac, FWD_MAC_LEN) != 0) {
		fwd_drop(&c->not_ours, p);
		return;
	}
	/* A clone's bytes are not ours to change; nothing that comes from a NIC is one. */
	if (!is_whole(p)) {
		fwd_drop(&c->malformed, p);
		return;
	}
	if (is_no_source(fwd_get_ip(p->data + FWD_ETH_LEN + 12)))
		fwd_drop(&c->not_ours, p);
	else if (is_own(in->fwd, fwd_get_ip(p->data + FWD_ETH_LEN + 16)))
		rill_fwd_icmp_in(in, lane, p);
	else
		forward(in, lane, p);
}
