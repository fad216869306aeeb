/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a connection needs from outside: buffers, a way to send, parameters, secrets, and what all
 * connections of a shard share. One per shard; used by whoever holds the shard.
 */
#ifndef RILL_NETSTACK_TCP_ENV_H
#define RILL_NETSTACK_TCP_ENV_H

#include <rill/net.h>

#include "base/hash.h"
#include "drivers/buf.h"

struct rill_tcb;
struct rill_tcp_cc;
struct rill_tcp_env;

struct rill_tcp_env_ops {
	/* An empty buffer with RILL_BUF_HEADROOM in front, or NULL. */
	struct rill_buf *(*alloc)(struct rill_tcp_env *env);
	/*
	 * Sends b (TCP header and payload); takes one reference. tcb is NULL when no connection
	 * sends it.
	 */
	void (*xmit)(struct rill_tcp_env *env, const struct rill_tcb *tcb,
		     const struct rill_ip *src, const struct rill_ip *dst, struct rill_buf *b);
	/* Gives one reference back. */
	void (*put)(struct rill_tcp_env *env, struct rill_buf *b);
};

/* Every bound and interval of the protocol. rill_tcp_env_init() sets the defaults named here. */
struct rill_tcp_params {
	uint32_t rto_initial_us; /* 1 s (RFC 6298, 2.1) */
	uint32_t rto_min_us; /* 200 ms, not the 1 s of RFC 6298, 2.4: ACKs are no longer so late */
	uint32_t rto_max_us; /* 120 s; must be >= 60 s (RFC 6298, 2.5) */
	uint32_t delack_us;  /* 40 ms; must be < 500 ms (MUST-40) */
	uint32_t time_wait_us; /* 60 s: 2 MSL */
	uint32_t fin_wait2_us; /* 60 s: how long a closed connection waits for the peer's FIN */
	uint32_t send_buffer;  /* 512 KiB */
	uint32_t recv_buffer;  /* 512 KiB */
	uint32_t challenge_acks_per_sec; /* 1,000: RFC 5961, 7 */
	uint16_t mtu;			 /* 1500: of the IP layer */
	uint8_t syn_retries;	/* 7: gives up after 247 s; R2 for SYN is >= 3 min (MUST-23) */
	uint8_t synack_retries; /* 5: gives up after 63 s */
	uint8_t data_retries;	/* 15: gives up after about 15 min; R2 >= 100 s (SHLD-11) */
	uint8_t orphan_retries; /* 8: window probes of a connection without user */
	uint8_t quick_acks;	/* 8: first segments that are acknowledged at once */
	bool nodelay;		/* Nagle off */
	bool no_timestamps;
	bool no_window_scale;
};

/* Single writer: whoever holds the shard. */
struct rill_tcp_stats {
	uint64_t segs_in, segs_out;
	uint64_t opened_active, opened_passive; /* connections that reached ESTABLISHED */
	uint64_t retransmits;			/* segments sent again */
	uint64_t rtos;				/* retransmission timeouts */
	uint64_t fast_recoveries;		/* times entered */
	uint64_t dup_acks_in;
	uint64_t resets_in, resets_out;
	uint64_t challenge_acks;
	uint64_t challenge_acks_limited; /* those that the rate limit held back */
	uint64_t out_of_order;
	uint64_t paws_drops;
	uint64_t window_probes;
	uint64_t delayed_acks; /* sent by the timer */
	uint64_t timeouts;     /* connections given up */
	uint64_t no_buffer;    /* sends put off because alloc gave nothing */
};

struct rill_tcp_env {
	const struct rill_tcp_env_ops *ops;
	const struct rill_tcp_cc *cc; /* for new connections */
	struct rill_tcp_params params;
	struct rill_hash_key secret; /* of sequence numbers and timestamp offsets */
	bool csum_offload;	     /* the NIC fills in checksums */
	uint32_t challenge_sent;     /* in the current second */
	uint64_t challenge_since_ns;
	struct rill_tcp_stats stats;
};

/* secret must be unpredictable (rill_rand_secret()) except in tests. */
void rill_tcp_env_init(struct rill_tcp_env *env, const struct rill_tcp_env_ops *ops,
		       const struct rill_hash_key *secret);

/* The largest segment that may be sent to us, and that our own link takes (RFC 6691). */
uint16_t rill_tcp_env_mss(const struct rill_tcp_env *env, enum rill_family family);

#endif
