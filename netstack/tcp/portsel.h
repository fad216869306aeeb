/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ephemeral ports (RFC 6056, algorithm 4, with steps of random length): for each pair of source and
 * destination the search begins at a secret place and goes on from connection to connection, so
 * that nobody else can tell the next port and ports are reused as late as may be.
 *
 * Which ports are in use is known by destination: a few are listed, more are a bitmap. So a full
 * destination is found full at once, and a free port is found in a few words.
 *
 * One instance for all shards of an interface; the caller serialises the calls.
 */
#ifndef RILL_NETSTACK_TCP_PORTSEL_H
#define RILL_NETSTACK_TCP_PORTSEL_H

#include <rill/net.h>

#include "base/hash.h"
#include "base/slab.h"

/* Counters of the search, each shared by many destinations (RFC 6056, 3.3.4). */
#define RILL_PORTS_COUNTERS 4096
/* Free ports that are offered to the caller in one search before it gives up. */
#define RILL_PORTS_OFFERS 512

struct rill_port_dest;

struct rill_ports {
	struct rill_slab slab;
	struct rill_hash_key secret;
	uint16_t first, size;		 /* the range */
	uint32_t used;			 /* ports given out, of all destinations */
	uint64_t exhausted;		 /* requests refused */
	uint64_t draws;			 /* for the random steps */
	struct rill_port_dest **buckets; /* NULL before the first use */
	uint32_t mask, count;
	uint32_t counters[RILL_PORTS_COUNTERS];
};

/* What the caller thinks of a free port. */
enum rill_port_fit {
	RILL_PORT_TAKEN,  /* by something that was not given out here */
	RILL_PORT_USABLE, /* if there is none better */
	RILL_PORT_SUITS,  /* replies land on the shard that asks */
};

struct rill_port_request {
	const struct rill_ip *sources; /* addresses to choose from */
	unsigned source_count;
	const struct rill_addr *remote;
	/* NULL: every free port suits. */
	enum rill_port_fit (*fit)(void *ctx, const struct rill_addr *local);
	void *ctx;
};

void rill_ports_init(struct rill_ports *p, const struct rill_memory *memory,
		     const struct rill_hash_key *secret, uint16_t first, uint16_t size);
void rill_ports_fini(struct rill_ports *p);

/*
 * A source address with a port, kept until rill_ports_put(). -EADDRNOTAVAIL: none is free.
 * -ENOMEM.
 */
int rill_ports_get(struct rill_ports *p, const struct rill_port_request *req,
		   struct rill_addr *ret_local);
/* A port that was given out, or was not: then nothing happens. */
void rill_ports_put(struct rill_ports *p, const struct rill_addr *local,
		    const struct rill_addr *remote);
/* How many are in use between the two. */
uint32_t rill_ports_used(const struct rill_ports *p, const struct rill_ip *source,
			 const struct rill_addr *remote);

#endif
