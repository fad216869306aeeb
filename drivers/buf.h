/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * struct rill_buf: one packet buffer. The memory belongs to a pool of the driver's (a UMEM chunk, a
 * heap page) and the header lies in front of the data, so that going from one to the other is
 * arithmetic.
 *
 *   | struct rill_buf | head ... headroom ... | data, len bytes | ... tailroom ... end |
 *
 * References: a buffer with refs == 1 belongs to its holder, who may write header bytes into its
 * headroom and bytes after its data. With more than one it is read-only for all. Whoever sees refs
 * == 1 holds the only reference, so nobody can be adding another.
 *
 * Pools: allocation is for the pool's owner alone (the shard that holds the queue). Giving back is
 * possible from anywhere (rill_buf_put), and cheaper for the owner (rill_buf_put_owner).
 */
#ifndef RILL_DRIVERS_BUF_H
#define RILL_DRIVERS_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/atomic.h"

struct rill_buf_pool;

enum rill_buf_flags {
	/* Receive: the NIC (or a kernel that never put it on a wire) vouches for the transport
	   checksum. */
	RILL_BUF_CSUM_OK = 1,
	/*
	 * Transmit: the 16-bit field at csum_start + csum_offset holds the pseudo-header sum (not
	 * inverted), and the sum from csum_start to the end is for the NIC to fill in. Only on NICs
	 * whose caps say so. Receive, with CSUM_OK: it is so already, for the frame came from a
	 * sender in this machine's memory; whoever passes it on passes this on.
	 */
	RILL_BUF_CSUM_PARTIAL = 2,
	/*
	 * Frames of several pieces; drivers read them with rill_buf_segs() and otherwise need not
	 * know which kind it is.
	 * CHAIN: next, and so on to NULL, are the rest of the frame, each with one reference of its
	 * own. What is received, and what is passed on.
	 * PARTS: the rest are bytes of others' buffers (the send queue's, the caller's memory),
	 * which are listed in the tail of this one, see rill_buf_add_part(). Transmit only. Never
	 * both. To a NIC only where its caps have RILL_NIC_TX_SEGS.
	 */
	RILL_BUF_CHAIN = 4,
	RILL_BUF_PARTS = 8,
	/* The fields of rill_buf_meta() that say something. */
	RILL_BUF_HASH = 16, /* receive: hash */
	RILL_BUF_VLAN =
		32, /* vlan_tci. Receive: the NIC took the tag out; transmit: it puts it in */
	/*
	 * gso_size and header_len: TCP or UDP payload in units of gso_size behind one header.
	 * Transmit: to be cut into frames; with CSUM_PARTIAL. Receive: was merged from such.
	 */
	RILL_BUF_GSO = 64,
	RILL_BUF_HW_TIME = 128, /* receive: time_ns is by the NIC's clock, not by rill's */
	RILL_BUF_TX_AT = 256,	/* transmit: not before tx_at_ns, by the NIC's clock */
	RILL_BUF_TX_TIME = 512, /* transmit: the NIC's time of sending is wanted */
};

struct rill_buf {
	uint8_t *data; /* first byte of the packet, or of what is left of it */
	uint32_t len;  /* bytes at data */
	RILL_ATOMIC(uint32_t) refs;
	uint8_t *head;	       /* first usable byte */
	uint8_t *end;	       /* one past the last */
	struct rill_buf *next; /* queue or batch; NULL when alone */
	struct rill_buf_pool *pool;
	uint16_t flags;	      /* enum rill_buf_flags */
	uint16_t csum_start;  /* from data, when RILL_BUF_CSUM_PARTIAL */
	uint16_t csum_offset; /* from csum_start */
	uint16_t queue;	      /* received on */
	uint64_t time_ns;     /* when it was received, or last sent */
	uint64_t cookie[8];   /* of whoever holds the buffer: TCP keeps sequence numbers here */
};

/*
 * What a NIC and the stack tell one another about a frame. It lies in the cookie: valid from
 * rx_burst until the buffer's first holder writes there, and in what is given to tx_burst, where
 * the buffer is the sender's alone. Which fields hold anything is in flags.
 */
struct rill_buf_meta {
	uint32_t hash;
	uint16_t vlan_tci;
	uint16_t gso_size;   /* payload bytes of each frame */
	uint16_t header_len; /* bytes in front of the payload, from data */
	uint16_t part_count; /* PARTS */
	uint32_t part_bytes; /* PARTS: all that they have */
	uint64_t tx_at_ns;
};

static inline struct rill_buf_meta *rill_buf_meta(struct rill_buf *b)
{
	return (struct rill_buf_meta *)(void *)b->cookie;
}

#define RILL_BUF_HEADER_SIZE 128
RILL_STATIC_ASSERT(sizeof(struct rill_buf) <= RILL_BUF_HEADER_SIZE, "the header has its place");

/*
 * Headroom for every header that rill may put in front of a payload: Ethernet with two VLAN tags,
 * IPv6, TCP with full options, rounded up.
 */
#define RILL_BUF_HEADROOM 128

struct rill_buf_pool {
	struct rill_buf *free;			 /* the owner's list */
	RILL_ATOMIC(struct rill_buf *) returned; /* pushed by anyone, taken whole by the owner */
	uint32_t size;				 /* buffers in all */
	uint32_t available;			 /* on the owner's list */
	uint32_t buf_bytes;			 /* from head to end of each */
	uint64_t alloc_failures;
	void *memory; /* what the creator has to free */
	size_t memory_len;
	/*
	 * Pools whose buffers are not their own (an rte_mempool's, a caller's memory). Both may be
	 * NULL. refill: the owner's list is empty; puts more on it, or not. release: instead of
	 * going back to a list; from any thread.
	 */
	void (*refill)(struct rill_buf_pool *p);
	void (*release)(struct rill_buf *b);
	/* Buffers of pools with the same, not NULL, can be given to one another's NICs as they are.
	 */
	const void *shared;
};

/*
 * A pool of count buffers with buf_bytes usable bytes each, on heap memory. NULL: out of memory.
 * For drivers with memory of their own: rill_buf_pool_add() after zeroing the struct.
 */
int rill_buf_pool_init_heap(struct rill_buf_pool *p, uint32_t count, uint32_t buf_bytes);
void rill_buf_pool_fini_heap(struct rill_buf_pool *p);

/* Makes the buffer whose header is at b part of p, free. */
void rill_buf_pool_add(struct rill_buf_pool *p, struct rill_buf *b, uint8_t *head, uint8_t *end);

/* Takes back what others returned; the number of free buffers afterwards. Owner only. */
uint32_t rill_buf_pool_reclaim(struct rill_buf_pool *p);

/* An empty buffer with RILL_BUF_HEADROOM in front and one reference, or NULL. Owner only. */
struct rill_buf *rill_buf_alloc(struct rill_buf_pool *p);

static inline void rill_buf_get(struct rill_buf *b)
{
	rill_fetch_add_relaxed(&b->refs, 1);
}

/* The caller's own reference is the only one. acquire: pairs with the release of the others' last
 * put. */
static inline bool rill_buf_exclusive(const struct rill_buf *b)
{
	return rill_load_acquire(&b->refs) == 1;
}

/* Gives one reference back. From anywhere. NULL is allowed. */
void rill_buf_put(struct rill_buf *b);

/* The same, for the owner of b's pool, or for any pool: falls back to rill_buf_put() for foreign
 * ones. */
void rill_buf_put_owner(struct rill_buf_pool *owner, struct rill_buf *b);

static inline size_t rill_buf_headroom(const struct rill_buf *b)
{
	return (size_t)(b->data - b->head);
}

static inline size_t rill_buf_tailroom(const struct rill_buf *b)
{
	return (size_t)(b->end - (b->data + b->len));
}

/* Grows the data by n bytes at the front and returns the new start. */
static inline uint8_t *rill_buf_push(struct rill_buf *b, uint32_t n)
{
	RILL_DEBUG_ASSERT(rill_buf_headroom(b) >= n);
	b->data -= n;
	b->len += n;
	return b->data;
}

/* Cuts n bytes off the front. */
static inline uint8_t *rill_buf_pull(struct rill_buf *b, uint32_t n)
{
	RILL_DEBUG_ASSERT(b->len >= n);
	b->data += n;
	b->len -= n;
	return b->data;
}

/* Grows the data by n bytes at the end and returns where they begin. */
static inline uint8_t *rill_buf_append(struct rill_buf *b, uint32_t n)
{
	uint8_t *tail = b->data + b->len;

	RILL_DEBUG_ASSERT(rill_buf_tailroom(b) >= n);
	b->len += n;
	return tail;
}

/* ---- frames of several pieces ---- */

/* One piece of a frame: len bytes at data, which belong to buf. */
struct rill_buf_seg {
	struct rill_buf *buf;
	uint8_t *data;
	uint32_t len;
};

/* Pieces of a frame at most: what every NIC with RILL_NIC_TX_SEGS takes. */
#define RILL_BUF_SEGS_MAX 48

/*
 * Adds bytes of buf to the frame that b begins, which becomes (or is) one of PARTS and is the
 * caller's alone: takes a reference of its own, which goes with b's last. False: no room for one
 * more, or RILL_BUF_SEGS_MAX reached. Nothing may be appended to b afterwards.
 */
bool rill_buf_add_part(struct rill_buf *b, struct rill_buf *buf, uint8_t *data, uint32_t len);
/* The pieces of the frame, b's own bytes first; 0: there are more than max. */
unsigned rill_buf_segs(struct rill_buf *b, struct rill_buf_seg *segs, unsigned max);
/* Bytes of the whole frame. */
uint32_t rill_buf_frame_len(const struct rill_buf *b);

/* A FIFO of buffers, linked by next. */
struct rill_buf_queue {
	struct rill_buf *first;
	struct rill_buf *last;
	uint32_t count;
};

static inline void rill_buf_queue_push(struct rill_buf_queue *q, struct rill_buf *b)
{
	b->next = NULL;
	if (q->last)
		q->last->next = b;
	else
		q->first = b;
	q->last = b;
	q->count++;
}

static inline struct rill_buf *rill_buf_queue_pop(struct rill_buf_queue *q)
{
	struct rill_buf *b = q->first;

	if (!b)
		return NULL;
	q->first = b->next;
	if (!q->first)
		q->last = NULL;
	q->count--;
	b->next = NULL;
	return b;
}

#endif
