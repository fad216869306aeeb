/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a mem: NIC spreads frames over its receive queues: by default with a hash of its own, of
 * which the stack may ask. It can also play NICs that were met in the field: with Toeplitz and a
 * key that is told or not, a hash narrower than it says, a symmetric one, a translator in front of
 * the hash, or none that anybody could follow.
 */
#ifndef RILL_DRIVERS_MEM_STEER_H
#define RILL_DRIVERS_MEM_STEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "drivers/spec.h"

struct rill_addr;
struct rill_nic;
struct rill_nic_rss;

enum rill_mem_rss {
	RILL_MEM_RSS_MIX,	 /* multiply and fold */
	RILL_MEM_RSS_TOEPLITZ,	 /* the specification's */
	RILL_MEM_RSS_TOEPLITZ16, /* its upper 16 bits, which are all that this NIC has */
	RILL_MEM_RSS_SORTED,	 /* the smaller address and the smaller port first */
	RILL_MEM_RSS_NAT,	 /* over addresses and ports that a translator has not undone yet */
	RILL_MEM_RSS_SPRAY,	 /* each frame to the next queue */
};

enum rill_mem_tell {
	RILL_MEM_TELL_QUEUE,   /* rx_queue_of: what is so */
	RILL_MEM_TELL_KEY,     /* rss: key and table as if for plain Toeplitz */
	RILL_MEM_TELL_NOTHING, /* neither */
};

/* Of one NIC: its options. */
struct rill_mem_steer {
	uint64_t rss;	 /* enum rill_mem_rss */
	uint64_t tell;	 /* enum rill_mem_tell */
	uint64_t rxhash; /* frames carry RILL_BUF_HASH: 1 */
	uint64_t queues; /* this many at most; 0: as many as are wanted */
};

extern const char *const rill_mem_rss_names[], *const rill_mem_tell_names[],
						       *const rill_mem_off_on[];

#define RILL_MEM_STEER_KEYS(s)                                                                     \
	{"rss", RILL_SPEC_CHOICE, &(s)->rss, .choices = rill_mem_rss_names},                       \
		{"tell", RILL_SPEC_CHOICE, &(s)->tell, .choices = rill_mem_tell_names},            \
		{"rxhash", RILL_SPEC_CHOICE, &(s)->rxhash, .choices = rill_mem_off_on},            \
	{                                                                                          \
		"queues", RILL_SPEC_UINT, &(s)->queues, 1, 64                                      \
	}

/* What senders have to know of a receiver: in its port of the hub. Zero: the default. */
struct rill_mem_spread {
	RILL_ATOMIC(uint32_t) mode; /* see rill_mem_spread_set() */
	RILL_ATOMIC(uint32_t) next; /* RILL_MEM_RSS_SPRAY */
};

/* Before the port is up. */
void rill_mem_spread_set(struct rill_mem_spread *s, const struct rill_mem_steer *steer);

static inline bool rill_mem_spread_tells_hash(const struct rill_mem_spread *s)
{
	return (rill_load_relaxed(&s->mode) & 1) != 0;
}

/* The queue of a frame to a NIC with so many (at least 2), and its hash. */
uint32_t rill_mem_spread_queue(struct rill_mem_spread *s, uint32_t queue_count,
			       const uint8_t *frame, uint32_t len, uint32_t *ret_hash);

/* See struct rill_driver: rx_queue_of, rss. */
int rill_mem_steer_told_queue(const struct rill_mem_steer *steer, const struct rill_nic *nic,
			      uint8_t proto, const struct rill_addr *from,
			      const struct rill_addr *to);
int rill_mem_steer_told_rss(const struct rill_mem_steer *steer, const struct rill_nic *nic,
			    struct rill_nic_rss *ret_rss);

/*
 * The default hash. The same for all frames of one direction of a flow: by addresses, protocol and
 * ports for TCP and UDP, by addresses and protocol for other IP and for fragments. What is not IP,
 * or cut short, is 0.
 */
uint32_t rill_mem_steer_hash(const uint8_t *frame, uint32_t len);

/* See struct rill_driver: rx_queue_of, with that hash. */
int rill_mem_steer_queue_of(const struct rill_nic *nic, uint8_t proto, const struct rill_addr *from,
			    const struct rill_addr *to);

/* queue_count > 0. */
static inline uint32_t rill_mem_steer_queue(uint32_t hash, uint32_t queue_count)
{
	return (uint32_t)(((uint64_t)hash * queue_count) >> 32);
}

#endif
