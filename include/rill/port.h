/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Raw packets, for appliances: a struct rill_port is a NIC without a stack. Whole Ethernet frames
 * come in bursts, to tasks that wait for them or to a handler that the NIC queue's worker runs to
 * completion, and go out in bursts on the same port or another, of whatever driver: without a copy
 * where the two share memory (several af_xdp NICs, several dpdk NICs), with one copy else.
 *
 * A packet has one holder. Whoever receives or allocates one has to send or free it. All functions
 * may be called from tasks and plain threads, and those which do not wait from handlers as well.
 * Queues are independent; one that several threads use at once is theirs in turn, for a burst each,
 * and who finds it taken spins. With a queue per worker (the default) and each worker on its own,
 * nobody does.
 *
 * A NIC is a port's or an interface's (rill/net.h), not both: who opens it second gets -EBUSY.
 */
#ifndef RILL_PORT_H
#define RILL_PORT_H

#include <rill/addr.h>
#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_case;
struct rill_port;
struct rill_runtime;

/* ---- packets ---- */

enum rill_pkt_flags {
	/* Received: the transport checksum is right, or (PARTIAL) was never computed. */
	RILL_PKT_CSUM_OK = 1,
	/*
	 * The 16 bits at csum_start + csum_offset hold the sum of the pseudo header, not inverted;
	 * what is from csum_start to the end has to be added. On sending that is done by the NIC or
	 * by rill. Frames of a kernel on this machine are received so: pass the flag on.
	 */
	RILL_PKT_CSUM_PARTIAL = 2,
	RILL_PKT_CHAIN = 4,	/* next, and so on to NULL, are the rest of the frame */
	RILL_PKT_HASH = 16,	/* received: meta.hash, of the NIC's */
	RILL_PKT_VLAN = 32,	/* meta.vlan_tci is a tag that the frame's bytes are without */
	RILL_PKT_GSO = 64,	/* one header for many frames: meta.gso_size, meta.header_len */
	RILL_PKT_HW_TIME = 128, /* received: time_ns is of the NIC's clock */
	RILL_PKT_TX_AT = 256,	/* to be sent at meta.tx_at_ns of the NIC's clock, if it can */
};

struct rill_pkt_meta {
	uint32_t hash;
	uint16_t vlan_tci;
	uint16_t gso_size;   /* payload bytes of each frame */
	uint16_t header_len; /* bytes in front of the payload */
	uint16_t internal16;
	uint32_t internal32;
	uint64_t tx_at_ns;
};

/*
 * One packet: len bytes at data, in memory of the NIC's. A sole holder may write the bytes and
 * change data and len, between head and end; of a clone only reading is allowed. What is called
 * internal is rill's.
 */
struct rill_pkt {
	uint8_t *data;
	uint32_t len;
	uint32_t internal_refs;
	uint8_t *head; /* first usable byte */
	uint8_t *end;  /* one past the last */
	struct rill_pkt *next;
	void *internal_pool;
	uint16_t flags;	      /* enum rill_pkt_flags */
	uint16_t csum_start;  /* from data */
	uint16_t csum_offset; /* from csum_start */
	uint16_t queue;	      /* received on */
	uint64_t time_ns;     /* when it was received; see RILL_PKT_HW_TIME */
	struct rill_pkt_meta meta;
	uint64_t user[5]; /* of the holder; not kept across a send */
};

static inline size_t rill_pkt_headroom(const struct rill_pkt *p)
{
	return (size_t)(p->data - p->head);
}

static inline size_t rill_pkt_tailroom(const struct rill_pkt *p)
{
	return (size_t)(p->end - p->data) - p->len;
}

/* n more bytes in front, of n <= headroom; the new start. csum_start is moved along. */
static inline uint8_t *rill_pkt_push(struct rill_pkt *p, uint32_t n)
{
	p->data -= n;
	p->len += n;
	p->csum_start = (uint16_t)(p->csum_start + n);
	return p->data;
}

/* n bytes less in front, of n <= len. */
static inline uint8_t *rill_pkt_pull(struct rill_pkt *p, uint32_t n)
{
	p->data += n;
	p->len -= n;
	p->csum_start = (uint16_t)(p->csum_start - n);
	return p->data;
}

/* n more bytes at the end, of n <= tailroom; where they begin. Not of a chain. */
static inline uint8_t *rill_pkt_append(struct rill_pkt *p, uint32_t n)
{
	uint8_t *at = p->data + p->len;

	p->len += n;
	return at;
}

/* Bytes of the whole frame, its chain included. */
RILL_API uint32_t rill_pkt_frame_len(const struct rill_pkt *p);
/* Gives packets back, of any ports; NULLs are left out. */
RILL_API void rill_pkt_free(struct rill_pkt **pkts, unsigned n);
/* One more reference to the same bytes, for one more holder: p itself, read-only from now on. */
RILL_API struct rill_pkt *rill_pkt_clone(struct rill_pkt *p);
/* True: the caller is the only holder, and may write. */
RILL_API bool rill_pkt_is_sole(const struct rill_pkt *p);
/* Puts tail (with its own chain) behind the frame that head begins; both sole. */
RILL_API void rill_pkt_chain(struct rill_pkt *head, struct rill_pkt *tail);

/* ---- ports ---- */

/* What the port wants of an interface that it shares with the kernel. Zero fields match anything.
 */
struct rill_port_rule {
	struct rill_ip local;
	uint8_t proto; /* IPPROTO_TCP, ...; 0: all, ARP for the address included */
	uint16_t port; /* local, host order; 0: all */
};

/* Packets in a handler's burst at most. */
#define RILL_PORT_BURST 64
#define RILL_PORT_QUEUES_MAX 64

struct rill_port_options {
	size_t size;	 /* sizeof, by RILL_OPTIONS */
	const char *nic; /* as in struct rill_net_options */
	unsigned queues; /* NIC queues to open; 0: as many as NIC and workers allow */
	/*
	 * Runs on the worker of the queue for each burst, one at a time per queue, and must not
	 * wait. Takes over the first so many of pkts, and says how many: n mostly. What it leaves
	 * is offered again, in front of newer packets, so that the NIC's own ring fills up
	 * (back-pressure). NULL: tasks receive.
	 */
	unsigned (*handler)(struct rill_port *port, unsigned queue, struct rill_pkt **pkts,
			    unsigned n, void *ctx);
	void *ctx; /* handler's */
	/* On a NIC that is shared with the kernel; none: every packet. Not kept. */
	const struct rill_port_rule *rules;
	unsigned rule_count;
	/* rules are added later, with rill_port_add_rule(); until then nothing is received. */
	bool no_rules;
};

/*
 * Opens the NIC; rt NULL: the caller's runtime. Bursts go to the handler from then on, before this
 * returns perhaps. Errors as of rill_net_open(), in words by rill_port_error().
 */
RILL_API int rill_port_open(struct rill_runtime *rt, const struct rill_port_options *o,
			    struct rill_port **ret_port);
/* Text for the calling thread's last failed rill_port_open(). Never NULL. */
RILL_API const char *rill_port_error(void);
/*
 * No burst goes to the handler after this, and none is under way. What the port has received and
 * not given out is dropped. Of ports that send each other's packets, stop all before closing one.
 */
RILL_API void rill_port_stop(struct rill_port *port);
/* Stops it, and closes the NIC. Nobody may be in a call of it or hold a packet of it. */
RILL_API void rill_port_close(struct rill_port *port);

enum rill_port_caps {
	RILL_PORT_RX_CSUM = 1,
	RILL_PORT_TX_CSUM = 2,
	RILL_PORT_TX_SEGS = 4,
	RILL_PORT_TX_TSO = 8,
	RILL_PORT_TX_USO = 16,
	RILL_PORT_RX_SEGS = 32,
	RILL_PORT_RX_LRO = 64,
	RILL_PORT_RX_HASH = 128,
	RILL_PORT_RX_VLAN = 256,
	RILL_PORT_TX_VLAN = 512,
	RILL_PORT_RX_TIME = 1024,
	RILL_PORT_TX_AT = 8192,
};

struct rill_port_info {
	unsigned queues;
	uint8_t mac[6];
	uint16_t mtu;	      /* of the layer above Ethernet */
	uint32_t caps;	      /* enum rill_port_caps: tried, where that is possible */
	uint32_t pool_size;   /* packets of each queue */
	uint32_t packet_room; /* bytes from head to end of each */
};

RILL_API void rill_port_info(const struct rill_port *port, struct rill_port_info *ret_info);
/* "af_xdp:veth1 native copy need-wakeup, 1 queue, mtu 1500, 02:..": how the NIC really runs. */
RILL_API const char *rill_port_describe(const struct rill_port *port);
RILL_API const char *rill_port_name(const struct rill_port *port); /* options.nic */

struct rill_port_link {
	bool up;
	bool gone; /* the NIC was taken away: close the port */
	uint16_t mtu;
	uint32_t mbit; /* 0: not known */
	uint8_t mac[6];
};

RILL_API void rill_port_link(struct rill_port *port, struct rill_port_link *ret_link);

/* -EOPNOTSUPP: the NIC is not shared; else what the kernel says, -ENOSPC, -EEXIST, -ENOENT. */
RILL_API int rill_port_add_rule(struct rill_port *port, const struct rill_port_rule *rule);
RILL_API int rill_port_del_rule(struct rill_port *port, const struct rill_port_rule *rule);

/* ---- receive ---- */

/*
 * Waits until there are packets on the queue and takes up to max of them: how many. For ports
 * without a handler; any number of receivers. -ECANCELED, -ETIMEDOUT from the caller's scopes;
 * -EINVAL: no such queue, or the port has a handler; -ENODEV: the NIC is gone. Cancel safe.
 */
RILL_API int rill_port_recv(struct rill_port *port, unsigned queue, struct rill_pkt **ret_pkts,
			    unsigned max);
/* For rill_select(): packets wait. */
RILL_API void rill_case_port_readable(struct rill_case *c, struct rill_port *port, unsigned queue);

/* ---- send ---- */

enum rill_port_send_flags {
	RILL_PORT_NOWAIT = 1, /* take what there is room for */
	RILL_PORT_DROP = 2,   /* the same, and free the rest, counted as tx_full */
	RILL_PORT_MORE = 4,   /* more follows soon: the NIC need not be told yet */
};

/*
 * Sends packets of any ports on the queue and takes over those that it accepted: the first so many,
 * which is returned. When the transmit ring is full: waits for room (back-pressure), or see the
 * flags; a handler never waits, as with RILL_PORT_NOWAIT. What the NIC cannot do (checksums, VLAN
 * tags, pieces, segmentation) is done here; what cannot be sent at all is freed and counted, as
 * accepted. Elements of pkts that were not accepted may have been replaced. -EINVAL: no such queue.
 * When nothing was accepted yet: -ECANCELED, -ETIMEDOUT; -ENODEV: the NIC is gone.
 */
RILL_API int rill_port_send(struct rill_port *port, unsigned queue, struct rill_pkt **pkts,
			    unsigned n, unsigned flags);
/* The NIC begins with what was sent with RILL_PORT_MORE. */
RILL_API void rill_port_flush(struct rill_port *port, unsigned queue);

/* Up to n empty packets of the queue's, with headroom: how many. Never waits. */
RILL_API unsigned rill_port_alloc(struct rill_port *port, unsigned queue,
				  struct rill_pkt **ret_pkts, unsigned n);
/* A copy of the frame, in one packet of the queue's. NULL: none free, or the frame is too long. */
RILL_API struct rill_pkt *rill_port_copy(struct rill_port *port, unsigned queue,
					 const struct rill_pkt *p);

/* ---- numbers ---- */

struct rill_port_stats {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t rx_dropped;   /* lost before rill saw them: ring full, no packet free */
	uint64_t tx_dropped;   /* the NIC refused them for good */
	uint64_t tx_full;      /* RILL_PORT_DROP found the ring full */
	uint64_t tx_too_long;  /* longer than a packet, and could not be sent in pieces */
	uint64_t tx_no_packet; /* had to be copied, and none was free */
	uint64_t tx_gso;       /* RILL_PKT_GSO, and it could not be cut */
	uint64_t tx_fixed;     /* copied or changed, as the NIC lacked something: not dropped */
	uint64_t alloc_failures;
	uint64_t handed_back; /* packets that the handler left */
};

#define RILL_PORT_ALL_QUEUES UINT32_MAX

/* Of one queue, or of RILL_PORT_ALL_QUEUES; the same is in the runtime's metrics. -EINVAL. */
RILL_API int rill_port_stats(struct rill_port *port, unsigned queue,
			     struct rill_port_stats *ret_stats);
/* The driver's own counters, by name. */
RILL_API void rill_port_counters(struct rill_port *port,
				 void (*each)(const char *name, uint64_t value, void *ctx),
				 void *ctx);

RILL_END_DECLS

#endif
