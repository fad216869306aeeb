/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * To which queue of a NIC what comes from a peer will come: by what the NIC tells (its choice, or
 * key and table), as long as that is found to be so; else by what was learned from what arrived;
 * else nothing is foretold. Nothing rests on it but the choice of a port: a segment that comes to
 * another queue is handed over to its connection's shard.
 *
 * What is looked at is each SYN that arrives, so once for each connection.
 */
#ifndef RILL_NETSTACK_STACK_STEER_MAP_H
#define RILL_NETSTACK_STACK_STEER_MAP_H

#include <stddef.h>

#include "base/spinlock.h"
#include "drivers/driver.h"
#include "drivers/toeplitz.h"
#include "netstack/stack/steer_learn.h"

/* By what it is foretold. */
enum rill_steer_by {
	RILL_STEER_BY_NOTHING, /* what was told or learned proved wrong too often */
	RILL_STEER_BY_LEARNING,
	RILL_STEER_BY_KEY,   /* Toeplitz with the NIC's key and table */
	RILL_STEER_BY_QUEUE, /* the driver's rx_queue_of */
};

/* How often it came true lately. */
struct rill_steer_score {
	uint32_t right, wrong;
};

/* An input of the hash that is tried. */
enum rill_steer_tuple {
	RILL_STEER_AS_IS,
	RILL_STEER_SORTED, /* the smaller address and the smaller port first: symmetric hashes */
	RILL_STEER_TUPLES,
};

struct rill_steer_map {
	struct rill_nic *nic;
	struct rill_spinlock lock;
	/* All below: under lock. */
	enum rill_steer_by by;
	bool told;	       /* the NIC told something, and it was wrong */
	bool hash_differs;     /* ... the hash itself, as the NIC writes it into packets */
	bool ports;	       /* BY_KEY: they are in the hash */
	unsigned tuple;	       /* BY_LEARNING: which is believed */
	unsigned fresh_starts; /* of learning */
	struct rill_steer_score score;
	uint16_t table[1024];
	unsigned table_len; /* 0: not known */
	struct rill_toeplitz toeplitz;
	struct rill_learn learn[RILL_STEER_TUPLES];
};

/* One direction of a flow, and where it came. */
struct rill_steer_sight {
	struct rill_addr from, to;
	uint16_t queue;
	bool has_hash; /* as the NIC wrote it */
	uint32_t hash;
};

struct rill_steer_found {
	int predicted; /* queue, or -1 */
	bool learned;  /* something new */
};

/* Asks the NIC. NULL: no memory. */
struct rill_steer_map *rill_steer_map_create(struct rill_nic *nic);
void rill_steer_map_destroy(struct rill_steer_map *m);
/* Asks again, and forgets: the link went down and up, and who knows what else. */
void rill_steer_map_restart(struct rill_steer_map *m);

/* The queue of TCP segments from one end to the other, or -1. */
int rill_steer_map_queue(struct rill_steer_map *m, const struct rill_addr *from,
			 const struct rill_addr *to);
/* This came. */
struct rill_steer_found rill_steer_map_saw(struct rill_steer_map *m,
					   const struct rill_steer_sight *s);

enum rill_steer_by rill_steer_map_by(struct rill_steer_map *m);
/* For people, "receive hash ...": into buf. */
void rill_steer_map_describe(struct rill_steer_map *m, char *buf, size_t len);

#endif
