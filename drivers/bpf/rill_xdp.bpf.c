/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * Decides, for each frame that the NIC receives, whether it is rill's (to the AF_XDP socket of its
 * queue) or the kernel's. What is not understood is the kernel's, so that the machine keeps its
 * ssh.
 *
 * A fragment is looked up without ports, the first one too: all fragments of a datagram have to go
 * the same way, and only the first has the ports.
 */
#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "drivers/bpf/rill_xdp.h"

#define IP_FRAGMENT_MASK 0x3fff /* more-fragments bit and offset */

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, RILL_XDP_QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} rill_sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RILL_XDP_RULES_MAX);
	__type(key, struct rill_xdp_key);
	__type(value, __u32);
} rill_local SEC(".maps");

/* Not 0: everything is rill's, whatever it is. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} rill_everything SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RILL_XDP_REASON_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} rill_counters SEC(".maps");

/* ARP for IPv4 over Ethernet (RFC 826); <linux/if_arp.h> drags in libc. */
struct arp_ip4 {
	__be16 hw_type;
	__be16 proto_type;
	__u8 hw_len;
	__u8 proto_len;
	__be16 op;
	__u8 sender_mac[ETH_ALEN];
	__u8 sender_ip[4];
	__u8 target_mac[ETH_ALEN];
	__u8 target_ip[4];
} __attribute__((packed));

static __always_inline void count(__u32 reason)
{
	__u64 *n = bpf_map_lookup_elem(&rill_counters, &reason);

	if (n)
		(*n)++;
}

static __always_inline int pass(__u32 reason)
{
	count(reason);
	return XDP_PASS;
}

static __always_inline int redirect(struct xdp_md *ctx, __u32 reason)
{
	int action = bpf_redirect_map(&rill_sockets, ctx->rx_queue_index, XDP_PASS);

	count(action == XDP_REDIRECT ? reason : RILL_XDP_PASS_NO_SOCKET);
	return action;
}

static __always_inline bool everything(void)
{
	__u32 zero = 0;
	const __u32 *on = bpf_map_lookup_elem(&rill_everything, &zero);

	return on && *on;
}

static __always_inline bool owned(const struct rill_xdp_key *key)
{
	return bpf_map_lookup_elem(&rill_local, key) != NULL;
}

/* From the most particular rule to the most general; key has them all filled in. */
static __always_inline int match(struct xdp_md *ctx, struct rill_xdp_key *key)
{
	if (key->port && owned(key))
		return redirect(ctx, RILL_XDP_REDIRECT_PORT);
	key->port = 0;
	if (owned(key))
		return redirect(ctx, RILL_XDP_REDIRECT_PROTO);
	key->proto = 0;
	if (owned(key))
		return redirect(ctx, RILL_XDP_REDIRECT_ADDR);
	return pass(RILL_XDP_PASS_NO_RULE);
}

/* The destination port of TCP and UDP; both have it at the same place. 0: none there. */
static __always_inline __u16 dest_port(__u8 proto, const void *l4, const void *end)
{
	const __be16 *ports = l4;

	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return 0;
	if ((const void *)(ports + 2) > end)
		return 0;
	return ports[1];
}

static __always_inline int input_ip4(struct xdp_md *ctx, const struct iphdr *ip, const void *end)
{
	struct rill_xdp_key key = {.family = 4};

	if ((const void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
		return pass(RILL_XDP_PASS_SHORT);
	key.addr[0] = ip->daddr;
	key.proto = ip->protocol;
	if (!(ip->frag_off & bpf_htons(IP_FRAGMENT_MASK)))
		key.port = dest_port(ip->protocol, (const __u8 *)ip + ip->ihl * 4, end);
	return match(ctx, &key);
}

/* Solicitations go to a group, so that their target has to be looked at. */
static __always_inline bool nd_target_owned(const struct icmp6hdr *icmp, const void *end)
{
	const struct in6_addr *target = (const struct in6_addr *)(icmp + 1);
	struct rill_xdp_key key = {.family = 6};

	if ((const void *)(target + 1) > end)
		return false;
	if (icmp->icmp6_type != 135 && icmp->icmp6_type != 136)
		return false;
	__builtin_memcpy(key.addr, target, sizeof(key.addr));
	return owned(&key);
}

static __always_inline int input_ip6(struct xdp_md *ctx, const struct ipv6hdr *ip, const void *end)
{
	struct rill_xdp_key key = {.family = 6};

	if ((const void *)(ip + 1) > end || ip->version != 6)
		return pass(RILL_XDP_PASS_SHORT);
	if (ip->nexthdr == IPPROTO_ICMPV6 && nd_target_owned((const void *)(ip + 1), end))
		return redirect(ctx, RILL_XDP_REDIRECT_ND);
	/* Extension headers, fragments among them, are not looked behind: rules for the address
	 * apply. */
	__builtin_memcpy(key.addr, &ip->daddr, sizeof(key.addr));
	key.proto = ip->nexthdr;
	key.port = dest_port(ip->nexthdr, ip + 1, end);
	return match(ctx, &key);
}

static __always_inline int input_arp(struct xdp_md *ctx, const struct arp_ip4 *arp, const void *end)
{
	struct rill_xdp_key key = {.family = 4};

	if ((const void *)(arp + 1) > end || arp->proto_type != bpf_htons(ETH_P_IP) ||
	    arp->hw_len != ETH_ALEN || arp->proto_len != 4)
		return pass(RILL_XDP_PASS_SHORT);
	__builtin_memcpy(key.addr, arp->target_ip, 4);
	if (!owned(&key))
		return pass(RILL_XDP_PASS_NO_RULE);
	return redirect(ctx, RILL_XDP_REDIRECT_ARP);
}

SEC("xdp")
int rill_xdp_steer(struct xdp_md *ctx)
{
	const void *end = (const void *)(long)ctx->data_end;
	const struct ethhdr *eth = (const void *)(long)ctx->data;

	if (everything())
		return redirect(ctx, RILL_XDP_REDIRECT_ALL);
	if ((const void *)(eth + 1) > end)
		return pass(RILL_XDP_PASS_SHORT);
	switch (eth->h_proto) {
	case bpf_htons(ETH_P_IP):
		return input_ip4(ctx, (const void *)(eth + 1), end);
	case bpf_htons(ETH_P_IPV6):
		return input_ip6(ctx, (const void *)(eth + 1), end);
	case bpf_htons(ETH_P_ARP):
		return input_arp(ctx, (const void *)(eth + 1), end);
	case bpf_htons(ETH_P_8021Q):
	case bpf_htons(ETH_P_8021AD):
		return pass(RILL_XDP_PASS_VLAN);
	default:
		return pass(RILL_XDP_PASS_OTHER);
	}
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
