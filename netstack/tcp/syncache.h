/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The SYN cache (RFC 4987, 3.4): a connection in SYN-RECEIVED that came from a listener is an entry
 * of 96 bytes until the peer's ACK shows that it is there. Whoever floods fills this table and
 * nothing else; when there is no room the answer is a SYN cookie (cookie.h).
 *
 *      SYN ---> rill_syncache_syn()           an entry, or a cookie; SYN-ACK
 *      ACK ---> rill_syncache_input()         true: this one completes the handshake
 *               rill_syncache_cookie()        the same, without an entry
 *               rill_tcb_from_handshake()     a tcb in SYN-RECEIVED, which gets the ACK as input
 *               rill_syncache_remove()        or, with no room to accept, rill_syncache_put_off()
 *
 * What an entry does is what RFC 9293, 3.10.7.4 says of SYN-RECEIVED after a passive open. SYN-ACKs
 * are sent by a tcb that exists for just as long, so that they are those of a connection.
 *
 * One for each instance of the stack; used by whoever holds that.
 */
#ifndef RILL_NETSTACK_TCP_SYNCACHE_H
#define RILL_NETSTACK_TCP_SYNCACHE_H

#include "base/list.h"
#include "netstack/tcp/prefix.h"
#include "netstack/tcp/tcb.h"

/* An entry of step n waits for the end of its nth timeout, n = 0, 1, ... */
#define RILL_SYNCACHE_STEPS 16

/* What has to be kept of a SYN and of our answer. */
struct rill_tcp_syn {
	uint32_t iss, irs;
	uint32_t ts_recent;
	uint32_t sent_us; /* when the first SYN-ACK went out, modulo 2^32 */
	uint16_t mss;	  /* with OPT_MSS */
	uint16_t wnd;
	uint8_t opts; /* enum rill_tcp_opts */
	uint8_t wscale : 4, rcv_wscale : 4;
	uint8_t ecn_flags : 3;	/* ECE, CWR, AE of the SYN */
	uint8_t ip_ecn : 2;	/* of the packet it came in */
	uint8_t resent : 1;	/* the SYN-ACK was: an ACK measures nothing */
	uint8_t unmeasured : 1; /* a cookie: sent_us is not known */
};

struct rill_syn_entry {
	struct rill_syn_entry *next; /* in its bucket */
	struct rill_list link;	     /* in the list of its step, the oldest first */
	void *listener;
	uint8_t remote[16], local[16];
	uint16_t remote_port, local_port;
	struct rill_tcp_syn syn;
	uint8_t step : 4, resends : 4;
	uint8_t ip6 : 1, acked : 1; /* the ACK came, and waits for data */
	uint8_t waits : 1;	    /* the ACK came, and there was no room */
	uint8_t defer_s;	    /* how long it waits for data; 0: it does not */
};

RILL_STATIC_ASSERT(sizeof(struct rill_syn_entry) <= 96, "room for many");

struct rill_syncache_ops {
	/* Puts the listener's options into a tcb that was just initialised. */
	void (*prepare)(void *listener, struct rill_tcb *tcb);
	/* Who takes an entry over from a listener that goes away. NULL: nobody. */
	void *(*heir)(void *listener, const struct rill_ip *local, const struct rill_ip *remote,
		      uint16_t remote_port);
};

struct rill_syncache {
	struct rill_tcp_env *env;
	const struct rill_syncache_ops *ops;
	struct rill_slab slab;
	struct rill_prefix_table prefixes; /* entries of each remote network */
	struct rill_syn_entry **buckets;   /* NULL before the first use */
	uint32_t mask;
	struct rill_list steps[RILL_SYNCACHE_STEPS];
	struct rill_list called; /* entries for which there is room */
	uint64_t next_ns;	 /* nothing is due before; RILL_FOREVER: nothing at all */
	uint32_t count;		 /* entries; any thread may look */
	uint32_t waiting;	 /* those with waits */
	uint64_t cookie_until;	 /* until then an ACK may carry a cookie */
};

void rill_syncache_init(struct rill_syncache *c, struct rill_tcp_env *env,
			const struct rill_memory *memory, const struct rill_syncache_ops *ops);
void rill_syncache_fini(struct rill_syncache *c);

/*
 * A SYN that rill_tcp_listen_check() let through, and for which there is no entry. old: the
 * connection in TIME-WAIT that it replaces, or NULL. NONE: answered.
 */
enum rill_drop rill_syncache_syn(struct rill_syncache *c, void *listener,
				 const struct rill_tcp_seg *seg, const struct rill_tcb *old,
				 uint64_t now);
/* The entry that seg belongs to, or NULL. */
struct rill_syn_entry *rill_syncache_find(const struct rill_syncache *c,
					  const struct rill_ip *local, uint16_t local_port,
					  const struct rill_ip *remote, uint16_t remote_port);
/*
 * A segment for e. True: it completes the handshake, and the rest is the caller's. False: dealt
 * with, and e may be gone; ret_drop says why it did nothing, or NONE.
 */
bool rill_syncache_input(struct rill_syncache *c, struct rill_syn_entry *e,
			 const struct rill_tcp_seg *seg, uint64_t now, enum rill_drop *ret_drop);
/* Whether seg, to a listener and without an entry, brings a cookie back: then what it says. */
bool rill_syncache_cookie(struct rill_syncache *c, const struct rill_tcp_seg *seg, uint64_t now,
			  struct rill_tcp_syn *ret_syn);
/*
 * The handshake that a segment completes cannot be taken now, as the accept queue is full. The
 * SYN-ACK goes out again in its time, or when there is room, and the peer's answer finds it then.
 */
void rill_syncache_put_off(struct rill_syncache *c, struct rill_syn_entry *e);
/* The listener's accept queue has room for one: the timer, due at once, tells one that waits. */
void rill_syncache_room(struct rill_syncache *c, const void *listener);
void rill_syncache_remove(struct rill_syncache *c, struct rill_syn_entry *e);
/* The listener goes away: so do its entries for which there is no heir. */
void rill_syncache_forget(struct rill_syncache *c, const void *listener);
/* All entries of an own address that goes away. */
void rill_syncache_forget_local(struct rill_syncache *c, const struct rill_ip *local);

/* An ICMP error about a segment of ours that began at seq (RFC 5927, 4). e may be gone. */
void rill_syncache_icmp_error(struct rill_syncache *c, struct rill_syn_entry *e, bool hard,
			      uint32_t seq);

void rill_syncache_on_timer(struct rill_syncache *c, uint64_t now);

static inline uint32_t rill_syncache_count(const struct rill_syncache *c)
{
	return c->count;
}

/*
 * CLOSED -> SYN-RECEIVED with the SYN-ACK sent, for a tcb that was initialised and has its
 * listener's options. The segment that made it necessary is its next input.
 */
void rill_tcb_from_handshake(struct rill_tcb *tcb, struct rill_tcp_env *env,
			     const struct rill_tcp_syn *syn, uint64_t now);

#endif
