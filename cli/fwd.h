/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "rill fwd": what its parts share. Bursts are handled to the end by the worker of the queue that
 * they came from, on all queues at once; what all read and few write (who is where) is in words
 * that are read without a lock.
 */
#ifndef RILL_CLI_FWD_H
#define RILL_CLI_FWD_H

#include <pthread.h>
#include <rill/port.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define FWD_PORTS_MAX 16
#define FWD_ROUTES_MAX 64
#define FWD_ETH_LEN 14
#define FWD_MAC_LEN 6

#define FWD_ETHERTYPE_IP4 0x0800
#define FWD_ETHERTYPE_ARP 0x0806

/* Counted by the worker of a queue, of what came in there. */
#define FWD_COUNTERS(X)                                                                            \
	X(forwarded, "forwarded")                                                                  \
	X(flooded, "flooded to all ports")                                                         \
	X(answered, "ARP and ICMP answered or sent")                                               \
	X(to_self, "dropped: to this forwarder, which is no host")                                 \
	X(same_port, "dropped: would go back where it came from")                                  \
	X(malformed, "dropped: malformed")                                                         \
	X(not_ip, "dropped: not IPv4")                                                             \
	X(not_ours, "dropped: to another station")                                                 \
	X(no_route, "dropped: no route")                                                           \
	X(ttl, "dropped: time to live exceeded")                                                   \
	X(too_big, "dropped: larger than the next MTU")                                            \
	X(unresolved, "dropped: the next hop does not answer ARP")                                 \
	X(no_packet, "dropped: no packet free")

struct fwd_counters {
#define X(name, text) atomic_ullong name;
	FWD_COUNTERS(X)
#undef X
};

static inline void fwd_count(atomic_ullong *counter, unsigned n)
{
	/* one writer; readers only show it */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

/* What waits to be sent at the end of a burst. */
struct fwd_batch {
	struct rill_pkt *pkts[RILL_PORT_BURST];
	unsigned count;
};

struct fwd;

struct fwd_port {
	struct fwd *fwd;
	unsigned index;
	const char *spec;
	struct rill_port *port;
	struct rill_port_info info;
	/* L3 */
	uint32_t ip; /* network order, as all of them; 0: none */
	unsigned prefix;
};

/* One queue index of all ports: a worker's. */
struct fwd_lane {
	struct fwd_batch out[FWD_PORTS_MAX];
	struct fwd_counters counters[FWD_PORTS_MAX];
	pthread_mutex_t lock; /* ports with fewer queues share the last lanes */
};

struct fwd_route {
	uint32_t net, gateway; /* gateway 0: the net is at the port itself */
	unsigned prefix;
	unsigned port;
};

struct fwd_macs;
struct fwd_neighbours;

struct fwd {
	struct fwd_port ports[FWD_PORTS_MAX];
	unsigned port_count;
	struct fwd_route routes[FWD_ROUTES_MAX]; /* the longest prefix first */
	unsigned route_count;
	struct fwd_macs *macs;
	struct fwd_neighbours *neighbours;
	atomic_uint icmp_credit; /* errors that may still be sent, refilled by time */
	atomic_bool ready;	 /* all ports are open */
	bool bridge;		 /* between two ports as well */
	unsigned ticks;
	struct fwd_lane *lanes;
	/* One packet that came in: puts it into a batch, or frees it. */
	void (*handle)(struct fwd_port *in, struct fwd_lane *lane, struct rill_pkt *p);
};

static inline struct fwd_counters *fwd_counters(struct fwd_lane *lane, const struct fwd_port *in)
{
	return &lane->counters[in->index];
}

/* The queue of that port on which a lane sends. */
static inline unsigned lane_queue(const struct fwd_lane *lane, const struct fwd *fwd, unsigned port)
{
	return (unsigned)(lane - fwd->lanes) % fwd->ports[port].info.queues;
}

/* Sends p on that port at the end of the burst; counted as forwarded, or (own) not. */
void rill_fwd_out(struct fwd_lane *lane, const struct fwd_port *in, unsigned port,
		  struct rill_pkt *p);
void rill_fwd_out_own(struct fwd_lane *lane, const struct fwd_port *in, unsigned port,
		      struct rill_pkt *p);

static inline void fwd_drop(atomic_ullong *counter, struct rill_pkt *p)
{
	fwd_count(counter, 1);
	rill_pkt_free(&p, 1);
}

/* ---- fwd_engine.c ---- */

#define RILL_FWD_TICK_NS (100 * RILL_MS)

/*
 * Opens the ports (spec, and on layer 3 ip and prefix, are set) and forwards from then on. Negative
 * errno after a message on stderr; rill_fwd_close() is due then, too.
 */
int rill_fwd_open(struct fwd *fwd, struct rill_runtime *rt, unsigned queues);
void rill_fwd_close(struct fwd *fwd);
/* Every RILL_FWD_TICK_NS. */
void rill_fwd_tick(struct fwd *fwd);
/* To stderr. */
void rill_fwd_report(const struct fwd *fwd);

/* ---- fwd_l2.c ---- */

int rill_fwd_l2_init(struct fwd *fwd);
void rill_fwd_l2_fini(struct fwd *fwd);
void rill_fwd_patch(struct fwd_port *in, struct fwd_lane *lane, struct rill_pkt *p);
void rill_fwd_bridge(struct fwd_port *in, struct fwd_lane *lane, struct rill_pkt *p);
/* Forgets stations that were silent for long; once in a while. */
void rill_fwd_l2_age(struct fwd *fwd);

/* ---- fwd_l3.c ---- */

int rill_fwd_l3_init(struct fwd *fwd);
void rill_fwd_l3_fini(struct fwd *fwd);
void rill_fwd_route(struct fwd_port *in, struct fwd_lane *lane, struct rill_pkt *p);
/* Sends p, an IPv4 packet behind its Ethernet header, to where dst belongs. Takes it over. */
void rill_fwd_ip_out(const struct fwd_port *in, struct fwd_lane *lane, uint32_t dst,
		     struct rill_pkt *p);

/* Network order. */
uint32_t rill_fwd_mask(unsigned prefix);

/* ---- fwd_arp.c ---- */

int rill_fwd_arp_init(struct fwd *fwd);
/* Frees what still waits there. */
void rill_fwd_arp_fini(struct fwd *fwd);
void rill_fwd_arp_in(struct fwd_port *in, struct fwd_lane *lane, struct rill_pkt *p);
/* The station with that address, asked for if need be; then p waits for it, or is dropped. */
bool rill_fwd_resolve(const struct fwd_port *in, struct fwd_lane *lane, unsigned port, uint32_t ip,
		      struct rill_pkt *p, uint8_t *ret_mac);

/* ---- fwd_icmp.c ---- */

/* To this forwarder. */
void rill_fwd_icmp_in(struct fwd_port *in, struct fwd_lane *lane, struct rill_pkt *p);
/* An error about p, which it frees (RFC 1812, 4.3.2). */
void rill_fwd_icmp_error(struct fwd_port *in, struct fwd_lane *lane, uint8_t type, uint8_t code,
			 uint32_t rest, struct rill_pkt *p);

/* ---- bytes ---- */

static inline uint16_t fwd_get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline void fwd_put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline uint32_t fwd_get_ip(const uint8_t *at)
{
	uint32_t ip;

	memcpy(&ip, at, sizeof(ip));
	return ip;
}

static inline void fwd_put_ip(uint8_t *at, uint32_t ip)
{
	memcpy(at, &ip, sizeof(ip));
}

/* The Internet checksum (RFC 1071) of bytes that begin at an even place. */
uint16_t rill_fwd_checksum(const uint8_t *data, size_t len);

#endif
