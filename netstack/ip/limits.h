/* SPDX-License-Identifier: BSD-3-Clause */
/* Every bound of the IP layer, each with its reason. All are per shard. */
#ifndef RILL_NETSTACK_IP_LIMITS_H
#define RILL_NETSTACK_IP_LIMITS_H

#include <rill/base.h>

#include "base/assert.h"

/* ---- neighbours ---- */

/* A /22 full of hosts; more than that evicts the least recently used. */
#define RILL_NEIGH_MAX 1024
#define RILL_NEIGH_BUCKETS 1024
/* Unresolved entries may not push out the resolved ones: spoofed local senders make us look for
 * them. */
#define RILL_NEIGH_INCOMPLETE_MAX 256
/* RFC 1122, 2.3.2.2: at least one packet is kept; this many are an initial window. */
#define RILL_NEIGH_QUEUE_MAX 16
/* Of all entries together: bounds what unresolved neighbours can hold of the buffer pool. */
#define RILL_NEIGH_QUEUED_MAX 256
/* RFC 1122, 2.3.2.1: at most one request per second for one destination. */
#define RILL_NEIGH_RETRY_NS RILL_SEC
#define RILL_NEIGH_TRIES 3
/* RFC 4861's REACHABLE_TIME, as ARP has none of its own. */
#define RILL_NEIGH_REACHABLE_NS (30 * RILL_SEC)
/* An entry that nobody used for so long is forgotten. */
#define RILL_NEIGH_STALE_NS (600 * RILL_SEC)

/* ---- reassembly ---- */

/* Datagrams under way at once. Found by a walk, so few enough for that. */
#define RILL_REASS_MAX 64
/* 65,535 bytes over a path with the smallest MTU that is still met, 576. */
#define RILL_REASS_FRAGS_MAX 128
/* Buffers that all fragments together may hold when the configuration says nothing. */
#define RILL_REASS_BUFS_DEFAULT 256
/* RFC 1122, 3.3.2: 60 to 120 s. */
#define RILL_REASS_TIMEOUT_NS (60 * RILL_SEC)

/* ---- ICMP ---- */

/* Errors per second and at once (RFC 1812, 4.3.2.8). */
#define RILL_ICMP_RATE 1000
#define RILL_ICMP_BURST 50
/* RFC 1812, 4.3.2.3: as much of the packet as fits a message of 576 bytes. */
#define RILL_ICMP_ERROR_MAX 576

/* ---- the rest ---- */

/* Own addresses of an interface. Found by a walk, the first one without it. */
#define RILL_L3_ADDRS_MAX 64

#define RILL_IP_TTL_DEFAULT 64
/* RFC 791: every host takes 576; below 68 not even the largest header can be sent. */
#define RILL_IP_MTU_MIN 68

RILL_STATIC_ASSERT((RILL_NEIGH_BUCKETS & (RILL_NEIGH_BUCKETS - 1)) == 0, "a mask finds the bucket");
RILL_STATIC_ASSERT(RILL_NEIGH_INCOMPLETE_MAX < RILL_NEIGH_MAX, "resolved entries keep a place");
RILL_STATIC_ASSERT(RILL_NEIGH_QUEUE_MAX <= RILL_NEIGH_QUEUED_MAX, "one entry may fill its queue");
RILL_STATIC_ASSERT(RILL_REASS_FRAGS_MAX <= RILL_REASS_BUFS_DEFAULT, "one datagram has room");

#endif
