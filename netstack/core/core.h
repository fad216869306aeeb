/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A core: one instance of the stack. IP layer, TCP connections and their timers, listening ports
 * and UDP ports, over a pool of packet buffers. It has no clock, no lock and no thread: its owner
 * makes all calls one at a time, and says what time it is. The runtime has one for each shard
 * (netstack/stack), the bare stack is one (netstack/bare).
 *
 * A time of use:
 *
 *	rill_core_enter(core, now);
 *	... rill_core_input(), rill_core_run_timers(), calls on connections ...
 *	rill_core_settle(core);
 *
 * What input, timers and the user's calls leave to be done (segments to send, events to tell, the
 * next timer, freeing) waits in the dirty list and is done by settling, once for each connection
 * however much happened to it.
 */
#ifndef RILL_NETSTACK_CORE_CORE_H
#define RILL_NETSTACK_CORE_CORE_H

#include "base/list.h"
#include "base/slab.h"
#include "netstack/core/ephemeral.h"
#include "netstack/core/flow.h"
#include "netstack/core/port.h"
#include "netstack/core/timers.h"
#include "netstack/ip/l3.h"
#include "netstack/tcp/env.h"
#include "netstack/tcp/fastopen.h"
#include "netstack/tcp/seg.h"
#include "netstack/tcp/syncache.h"
#include "netstack/wire/udp.h"

struct rill_acceptor;
struct rill_conn;
struct rill_core;
struct rill_udp_port;

/* Packets given to the owner at once. */
#define RILL_CORE_TX_BURST 64

/* Connections in TIME-WAIT at most; more, and the oldest go early (RFC 9293, 3.6.1 wants a bound
 * too). */
#define RILL_CORE_TIME_WAIT_MAX 16384

/* What a core needs from its owner. None of them may call the core, but for what conn_event does
 * with its connection. */
struct rill_core_ops {
	/* Frames (packets, without a link layer) to send, in order. Takes the references. */
	void (*tx)(struct rill_core *core, struct rill_buf **bufs, unsigned count);
	/* The pool is empty; true when it no longer is. May be NULL. */
	bool (*refill)(struct rill_core *core);

	/*
	 * Something happened to a connection that is held and not in an accept queue: events is of
	 * enum rill_tcb_events. RILL_TCB_CLOSED may come more than once. It may receive and send on
	 * the connection, and touch it.
	 */
	void (*conn_event)(struct rill_core *core, struct rill_conn *c, uint32_t events);
	/* One more connection is in the queue of a. */
	void (*acceptable)(struct rill_core *core, struct rill_acceptor *a);
	/* A validated datagram. Takes the chain on RILL_DROP_NONE, else leaves it as it was. */
	enum rill_drop (*udp_input)(struct rill_core *core, struct rill_udp_port *p,
				    struct rill_buf *chain, const struct rill_udp_hdr *hdr,
				    const struct rill_addr *from);
	/* An ICMP error about a datagram to remote: a negative errno; hard: its port or protocol is
	 * not there (RFC 1122, 4.1.3.3), else it may pass. May be NULL. */
	void (*udp_error)(struct rill_core *core, struct rill_udp_port *p,
			  const struct rill_addr *remote, int error, bool hard);

	/*
	 * For the cores of one interface among one another; NULL, all six, for a single one.
	 * claim: false when another core has a connection with c's addresses.
	 * admit: false when the listening port that a is a part of has all the connections waiting
	 * that it may have, and always is not set; dismiss: one less waits.
	 * foreign_segment: true when the segment, for which this core has no connection, has gone
	 * to the core that has one; header is where it began in b.
	 */
	bool (*claim)(struct rill_core *core, struct rill_conn *c);
	void (*release)(struct rill_core *core, struct rill_conn *c);
	bool (*admit)(struct rill_core *core, struct rill_acceptor *a, bool always);
	void (*dismiss)(struct rill_core *core, struct rill_acceptor *a);
	bool (*foreign_segment)(struct rill_core *core, struct rill_buf *b,
				const struct rill_ip_meta *m, const struct rill_tcp_seg *seg,
				uint8_t *header);
	void (*foreign_error)(struct rill_core *core, const struct rill_icmp_error *e);
	/*
	 * Whether segments from remote to local come to this core, where the NIC's hash is known.
	 * NULL: it is not, or there is no other.
	 */
	bool (*is_home)(struct rill_core *core, const struct rill_addr *local,
			const struct rill_addr *remote);
};

struct rill_core_config {
	const struct rill_core_ops *ops;
	struct rill_buf_pool *pool;
	const struct rill_memory *memory; /* outlives the core */
	size_t conn_bytes; /* of the owner's struct, which begins with a struct rill_conn */
	uint32_t conn_max; /* 0: no bound */
	struct rill_ephemeral *ephemeral; /* of all cores of an interface; outlives the core. NULL:
					     one of its own */
	/* Of flow hashes, sequence numbers, ports: unpredictable but in tests. */
	struct rill_hash_key flow_secret; /* the same for all cores of an interface */
	struct rill_hash_key tcp_secret;
	bool csum_offload; /* the NIC sums up what is sent */
	uint32_t
		gso_max; /* bytes of a TCP packet that the NIC cuts into segments; 0: it does not */
	struct rill_l3_config l3;
};

struct rill_core {
	uint64_t now_ns;
	const struct rill_core_ops *ops;
	struct rill_buf_pool *pool;
	int link_error; /* of what cannot be begun now: -ENETDOWN, -ENODEV; 0: nothing */
	struct rill_conn *dirty_first; /* linked by dirty_next */
	struct rill_conn *dirty_last;
	struct rill_hash_key flow_secret;
	struct rill_flow_table flows;
	unsigned tx_count;
	unsigned time_wait_count;
	struct rill_buf *tx[RILL_CORE_TX_BURST];
	struct rill_port_table acceptors; /* of struct rill_acceptor */
	struct rill_port_table udp_ports; /* of struct rill_udp_port */
	struct rill_slab conns;
	struct rill_list time_wait; /* oldest first */
	struct rill_list detached;  /* closed, held, and in no accept queue */
	uint64_t port_draws;	    /* ephemeral ports looked for */
	struct rill_ephemeral *ephemeral;
	bool owns_ephemeral;
	struct rill_fast_open fast_open;
	struct rill_syncache syns;	      /* half-open connections of the acceptors */
	struct rill_prefix_table conn_counts; /* connections of acceptors with a limit */
	uint64_t drops[RILL_DROP_COUNT];      /* besides those of l3 */
	struct rill_tcp_env env;
	struct rill_timers timers;
	struct rill_l3 l3;
};

/* -ENOMEM, or what rill_l3_init() says; then ops is NULL. The core is to be zero. */
int rill_core_init(struct rill_core *core, const struct rill_core_config *config, uint64_t now);
/* Frees every connection, whoever holds it, and gives back all buffers. Sends nothing. */
void rill_core_fini(struct rill_core *core);

/* It is now (it never goes back: owners on several threads read the clock at different moments). */
static inline void rill_core_enter(struct rill_core *core, uint64_t now)
{
	core->now_ns = RILL_MAX(core->now_ns, now);
}

/* A frame (a packet, without a link layer) arrived; takes the reference. */
static inline void rill_core_input(struct rill_core *core, struct rill_buf *b)
{
	rill_l3_input(&core->l3, b, core->now_ns);
}

/* Fires what is due; true if a connection's timer was. */
bool rill_core_run_timers(struct rill_core *core);
/* Does all that is left to be done, and gives the last packets to the owner. */
void rill_core_settle(struct rill_core *core);

/* When to run the timers, at the latest, after settling; UINT64_MAX: no need. */
static inline uint64_t rill_core_next_deadline(const struct rill_core *core)
{
	uint64_t next = RILL_MIN(core->timers.next_ns, core->syns.next_ns);

	return RILL_MIN(next, rill_l3_next_deadline(&core->l3));
}

/* Connections that nobody holds any more and that are not over yet, TIME-WAIT aside. */
unsigned rill_core_count_closing(const struct rill_core *core);
/* Resets every connection. */
void rill_core_abort_all(struct rill_core *core);

/*
 * An own address goes away, and with it its connections: their peers get a RST, and their users
 * -EADDRNOTAVAIL. What is bound to it stays, and hears nothing. As rill_l3_del_addr().
 */
int rill_core_del_addr(struct rill_core *core, const struct rill_ip *ip);

/* A packet buffer, or NULL. */
struct rill_buf *rill_core_alloc(struct rill_core *core);

static inline void rill_core_put(struct rill_core *core, struct rill_buf *b)
{
	rill_buf_put_owner(core->pool, b);
}

static inline void rill_core_count_drop(struct rill_core *core, enum rill_drop drop)
{
	rill_counter_add(&core->drops[drop], 1);
}

#endif
