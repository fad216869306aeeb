/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network layer of one shard: Ethernet, ARP, IPv4, ICMP. It shares nothing with other shards:
 * each has its own neighbours, fragments and counters. No clock, no lock, no allocation: time,
 * buffers and what lies above and below come from the owner, who makes all calls one at a time.
 *
 * Accounting, exact at every moment outside a call:
 *   rx_frames == rx_accepted + rx_dropped + reass.held
 *   sum of drops == rx_dropped + tx_dropped
 */
#ifndef RILL_NETSTACK_IP_L3_H
#define RILL_NETSTACK_IP_L3_H

#include <rill/net.h>

#include <stdbool.h>
#include <stdint.h>

#include "base/wheel.h"
#include "drivers/buf.h"
#include "netstack/ip/icmp.h"
#include "netstack/ip/neigh.h"
#include "netstack/ip/reass.h"
#include "netstack/wire/drop.h"
#include "netstack/wire/eth.h"
#include "netstack/wire/ip4.h"

/* An own address with its subnet, in host order; broadcast 0: the prefix has none. */
struct rill_l3_addr {
	uint32_t ip, mask, broadcast;
};

struct rill_l3_cidr {
	struct rill_ip ip;
	unsigned prefix;
};

/* What every outgoing TCP or UDP header needs in front of it in a buffer. */
#define RILL_L3_HEADROOM (RILL_ETH_LEN + RILL_IP4_LEN)

struct rill_l3_config {
	uint8_t mac[RILL_ETH_ADDR_LEN];
	struct rill_ip ip;
	unsigned prefix;
	const struct rill_l3_cidr *more; /* addresses besides that one */
	unsigned more_count;
	struct rill_ip gateway; /* RILL_AF_NONE: none */
	uint16_t mtu;
	uint32_t caps;	     /* enum rill_nic_caps */
	uint32_t reass_bufs; /* buffers that fragments may hold; 0: RILL_REASS_BUFS_DEFAULT */
	unsigned shard;	     /* of shards: each gets its own part of the IP IDs */
	unsigned shards;     /* 0: 1 */
	bool no_link; /* there is no Ethernet: IP packets go in and out, and reach everybody */
	uint64_t seed;
};

/* Of a received packet. */
struct rill_ip_meta {
	struct rill_ip src, dst;
	uint8_t proto, ttl, tos;
	bool broadcast; /* to the limited or the subnet's broadcast address */
};

/* A received, validated ICMP error about a packet that we sent. */
struct rill_icmp_error {
	uint8_t type, code; /* enum rill_icmp4_type */
	uint8_t proto;	    /* of the packet it is about, as all that follows but from */
	struct rill_ip local, remote;
	uint16_t local_port, remote_port; /* TCP and UDP */
	uint32_t tcp_seq;    /* TCP: to be found between SND.UNA and SND.NXT (RFC 5927) */
	uint16_t mtu;	     /* fragmentation needed (RFC 1191): what the router says, perhaps 0 */
	struct rill_ip from; /* who reports */
};

/*
 * What is above and below. ctx is the owner's. tcp and udp take the reference exactly when they
 * return RILL_DROP_NONE; otherwise the buffer must be as it was and the reason is counted.
 */
struct rill_l3_ops {
	/* One buffer, at the TCP header, trimmed. The checksum has not been looked at. */
	enum rill_drop (*tcp)(void *ctx, struct rill_buf *b, const struct rill_ip_meta *m);
	/*
	 * A chain (next; usually one buffer), the UDP header whole in the first, trimmed to the IP
	 * payload; see rill_udp_input(). RILL_DROP_UDP_NO_PORT makes the sender get an ICMP port
	 * unreachable.
	 */
	enum rill_drop (*udp)(void *ctx, struct rill_buf *b, const struct rill_ip_meta *m);
	void (*icmp_error)(void *ctx, const struct rill_icmp_error *e); /* may be NULL */
	/*
	 * The next hop of packets to dst does not answer; called for each destination that had a
	 * packet waiting. May be NULL.
	 */
	void (*unreachable)(void *ctx, const struct rill_ip *dst);
	/* A next hop is known for which rill_l3_output() has said -EAGAIN. May be NULL: it never
	 * does. */
	void (*resolved)(void *ctx);
	struct rill_buf *(*alloc)(
		void *ctx); /* empty, with RILL_BUF_HEADROOM; NULL if there is none */
	void (*tx)(void *ctx, struct rill_buf *b);  /* a frame (packet); takes the reference */
	void (*put)(void *ctx, struct rill_buf *b); /* gives one reference to one buffer back */
};

/* A connection's way to its peer. All zero: not known. Only ever used for one destination. */
struct rill_l3_dst {
	uint32_t generation; /* of the neighbour table when it was filled */
	uint16_t neigh;	     /* index of the entry, whose address may be used as long */
};

/* Of a packet to be sent. */
struct rill_ip_out {
	struct rill_ip dst;
	uint32_t src; /* own address, host order; 0: the first */
	uint8_t proto;
	uint8_t tos;
	uint8_t ttl; /* 0: RILL_IP_TTL_DEFAULT */
	bool dont_fragment;
	bool chain; /* b->next continues the packet; else next is not looked at */
};

struct rill_l3 {
	/* Read for each packet. */
	uint32_t ip, mask, broadcast; /* of the first address: addrs[0] once more */
	uint32_t gateway;	      /* host order; 0: none */
	uint32_t payload_max;	      /* MTU less an IPv4 header */
	uint8_t mac[RILL_ETH_ADDR_LEN];
	uint16_t mtu;
	bool no_link;
	uint32_t caps;
	uint16_t id_base, id_count, id_next; /* IP IDs: base + next, next below count (0: 65,536) */
	uint64_t next_timer_ns;		     /* nothing in wheel is due before */
	const struct rill_l3_ops *ops;
	void *ctx;

	uint64_t rx_frames, rx_accepted, rx_dropped;
	uint64_t tx_frames, tx_dropped;
	uint64_t drops[RILL_DROP_COUNT];

	unsigned addr_count; /* at least 1 */
	struct rill_l3_addr addrs[RILL_L3_ADDRS_MAX];
	struct rill_icmp_bucket icmp_bucket;
	struct rill_wheel wheel;
	struct rill_neigh_table neigh;
	struct rill_reass reass;
};

/*
 * -EINVAL: not IPv4 host addresses with a gateway on one of their subnets, or an MTU below
 * RILL_IP_MTU_MIN. -EEXIST, -ENOSPC: see rill_l3_add_addr().
 */
int rill_l3_init(struct rill_l3 *l3, const struct rill_l3_config *config,
		 const struct rill_l3_ops *ops, void *ctx, uint64_t now);
/* Gives every buffer back that it holds. */
void rill_l3_fini(struct rill_l3 *l3);

/* A received frame (a packet, with no_link). Takes the reference. It must be the only one, except
 * to ARP packets. */
void rill_l3_input(struct rill_l3 *l3, struct rill_buf *frame, uint64_t now);

/*
 * Sends b, which is at the transport header, with RILL_L3_HEADROOM in front of it. Takes the
 * reference, always. Moves b->data to the frame's start and writes only into the headroom: who
 * keeps a reference remembers its own place. cache may be NULL. Packets that wait for ARP or are
 * dropped later are success. -ENETUNREACH (no route; there is none to ourselves), -EMSGSIZE (too
 * long, or dont_fragment), -ENOBUFS. -EAGAIN, with a cache: the next hop is being looked for, and
 * no more packets can wait for it; resolved() tells when they need not.
 */
int rill_l3_output(struct rill_l3 *l3, struct rill_buf *b, const struct rill_ip_out *o,
		   struct rill_l3_dst *cache, uint64_t now);

/* "198.18.0.1/24,198.18.0.7/24": how many, or -EINVAL. */
int rill_l3_cidrs_parse(const char *text, struct rill_l3_cidr ret_cidrs[RILL_L3_ADDRS_MAX]);
/* One more own address. -EINVAL: it cannot be one; -EEXIST; -ENOSPC: there are
 * RILL_L3_ADDRS_MAX. */
int rill_l3_add_addr(struct rill_l3 *l3, const struct rill_ip *ip, unsigned prefix);
/* -ENOENT; -EBUSY: it is the first, or there would be no way to the gateway any more. */
int rill_l3_del_addr(struct rill_l3 *l3, const struct rill_ip *ip);
/* False: no host can have it. */
bool rill_l3_addr_make(const struct rill_ip *ip, unsigned prefix, struct rill_l3_addr *ret_addr);

/* The address that packets to dst come from: the first on the next hop's subnet, or the first. */
void rill_l3_source(const struct rill_l3 *l3, const struct rill_ip *dst, struct rill_ip *ret_ip);
/*
 * Whether packets to dst may come from addrs[i], and which address that is: any on the next hop's
 * subnet; where there is none, any at all.
 */
bool rill_l3_is_source(const struct rill_l3 *l3, unsigned i, const struct rill_ip *dst,
		       struct rill_ip *ret_ip);

/*
 * The same for count packets, which are sent in this order with dont_fragment and no chain. What
 * becomes of each is as with rill_l3_output().
 */
void rill_l3_output_burst(struct rill_l3 *l3, struct rill_buf **bufs, unsigned count,
			  const struct rill_ip_out *o, struct rill_l3_dst *cache, uint64_t now);

/* Is there a way to dst, which is one station: not a group, a broadcast address or ourselves? */
bool rill_l3_has_route(const struct rill_l3 *l3, const struct rill_ip *dst);

/* The peer has just acknowledged something new, so its next hop works (RFC 4861, 7.3.1). Cheap. */
void rill_l3_neigh_confirm(struct rill_l3 *l3, const struct rill_l3_dst *cache, uint64_t now);

/* When to call rill_l3_on_timer(), at the latest; UINT64_MAX: no need. May be too early. */
static inline uint64_t rill_l3_next_deadline(const struct rill_l3 *l3)
{
	return l3->next_timer_ns;
}
void rill_l3_on_timer(struct rill_l3 *l3, uint64_t now);

/* Do counters and lists agree? Slow: for tests and debug assertions. */
bool rill_l3_valid(const struct rill_l3 *l3);

/* ---- for the files of this folder ---- */

/* Counts frames received buffers as accepted, or as dropped, and then gives the chain back. */
void rill_l3_rx_done(struct rill_l3 *l3, struct rill_buf *chain, uint32_t frames,
		     enum rill_drop drop);
/* Counts an outgoing packet as dropped and gives it (NULL: there was not even a buffer) back. */
void rill_l3_tx_drop(struct rill_l3 *l3, struct rill_buf *b, enum rill_drop drop);
/* Gives a chain back. */
void rill_l3_put_chain(struct rill_l3 *l3, struct rill_buf *chain);
/* ops->alloc(), which counts the failure as a dropped packet. */
struct rill_buf *rill_l3_alloc(struct rill_l3 *l3);
/*
 * Copies the first len bytes of a chain into one new buffer. NULL and *ret_drop when there is none,
 * or it is too small.
 */
struct rill_buf *rill_l3_copy(struct rill_l3 *l3, const struct rill_buf *chain, size_t len,
			      enum rill_drop *ret_drop);
/* Puts an Ethernet header in front of an IPv4 packet to be sent. */
void rill_l3_push_eth(struct rill_buf *b, const uint8_t *dst, const uint8_t *src);
/* A whole frame to the NIC. */
static inline void rill_l3_tx(struct rill_l3 *l3, struct rill_buf *b)
{
	l3->tx_frames++;
	l3->ops->tx(l3->ctx, b);
}

/* addrs.c: the others' part of what follows. */
bool rill_l3_owns_another(const struct rill_l3 *l3, uint32_t addr);
const struct rill_l3_addr *rill_l3_other_subnet(const struct rill_l3 *l3, uint32_t addr);
bool rill_l3_is_other_broadcast(const struct rill_l3 *l3, uint32_t addr);
/* Ours that ARP asks from. */
uint32_t rill_l3_source_on_link(const struct rill_l3 *l3, uint32_t next_hop);

/* Is addr one of ours? */
static inline bool rill_l3_owns(const struct rill_l3 *l3, uint32_t addr)
{
	return addr == l3->ip ||
	       (RILL_UNLIKELY(l3->addr_count > 1) && rill_l3_owns_another(l3, addr));
}

/* Our address on whose subnet addr is, the first of them. NULL: it is not on our link. */
static inline const struct rill_l3_addr *rill_l3_subnet(const struct rill_l3 *l3, uint32_t addr)
{
	if (((addr ^ l3->ip) & l3->mask) == 0)
		return &l3->addrs[0];
	return l3->addr_count > 1 ? rill_l3_other_subnet(l3, addr) : NULL;
}

static inline bool rill_l3_is_onlink(const struct rill_l3 *l3, uint32_t addr)
{
	return rill_l3_subnet(l3, addr) != NULL;
}

static inline bool rill_l3_is_broadcast(const struct rill_l3 *l3, uint32_t addr)
{
	return addr == UINT32_MAX || (l3->broadcast && addr == l3->broadcast) ||
	       (RILL_UNLIKELY(l3->addr_count > 1) && rill_l3_is_other_broadcast(l3, addr));
}

/* An address that another host on our link may have. */
static inline bool rill_l3_is_neighbour(const struct rill_l3 *l3, uint32_t addr)
{
	const struct rill_l3_addr *a = rill_l3_subnet(l3, addr);

	if (!a || rill_l3_owns(l3, addr) || rill_ip4_is_bad_source(addr))
		return false;
	/* The subnet's ends, where there are any (not with /31, RFC 3021). */
	return !a->broadcast || (!rill_l3_is_broadcast(l3, addr) && (addr & ~a->mask) != 0);
}

#endif
