/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a connection needs from outside: buffers, a way to send, memory, parameters, secrets, and
 * what all connections of one instance of the stack share. One per instance; used by whoever holds
 * it.
 */
#ifndef RILL_NETSTACK_TCP_ENV_H
#define RILL_NETSTACK_TCP_ENV_H

#include <rill/net.h>

#include "base/hash.h"
#include "base/quota.h"
#include "base/slab.h"
#include "drivers/buf.h"

struct rill_tcb;
struct rill_tcp_cc;
struct rill_fast_open;
struct rill_tcp_env;
struct rill_tcp_trace;
struct rill_tcp_train;

/* Where a segment goes, and how. */
struct rill_tcp_xmit {
	const struct rill_tcb *tcb; /* NULL: no connection sends it, or it is half open */
	const struct rill_ip *src;
	const struct rill_ip *dst;
	uint8_t tos; /* DSCP, and the ECN field (enum rill_ecn) in the lowest two bits */
	uint8_t ttl; /* 0: the default */
};

struct rill_tcp_env_ops {
	/* An empty buffer with RILL_BUF_HEADROOM in front, or NULL. */
	struct rill_buf *(*alloc)(struct rill_tcp_env *env);
	/* Sends b (TCP header and payload); takes one reference. */
	void (*xmit)(struct rill_tcp_env *env, const struct rill_tcp_xmit *to, struct rill_buf *b);
	/* The same for segments of one connection, in order, which go the same way. NULL: one by
	 * one. */
	void (*xmit_burst)(struct rill_tcp_env *env, const struct rill_tcp_xmit *to,
			   struct rill_buf **bufs, unsigned count);
	/* Gives one reference back. */
	void (*put)(struct rill_tcp_env *env, struct rill_buf *b);
};

enum rill_tcp_ecn_policy {
	RILL_TCP_ECN_PASSIVE = 0, /* agree when asked (what Linux does by default) */
	RILL_TCP_ECN_OFF,
	RILL_TCP_ECN_ON,       /* ask for it */
	RILL_TCP_ECN_ACCURATE, /* ask for AccECN (RFC 9768), fall back to RFC 3168 */
};

/*
 * Every bound and interval of the protocol that is one for all connections. rill_tcp_env_init()
 * sets the defaults named here.
 */
struct rill_tcp_params {
	uint32_t rto_initial_us; /* 1 s (RFC 6298, 2.1) */
	uint32_t rto_min_us; /* 200 ms, not the 1 s of RFC 6298, 2.4: ACKs are no longer so late */
	uint32_t rto_max_us; /* 120 s; must be >= 60 s (RFC 6298, 2.5) */
	uint32_t delack_us;  /* 40 ms; must be < 500 ms (MUST-40) */
	uint32_t time_wait_us; /* 60 s: 2 MSL */
	uint32_t fin_wait2_us; /* 60 s: how long a closed connection waits for the peer's FIN */
	uint32_t rest_us;      /* 1 s: a transfer with nothing to do is given back after this */
	uint32_t tlp_max_ack_delay_us;	 /* 200 ms: of the peer (RFC 8985, 7.2: WCDelAckT) */
	uint32_t min_rtt_window_us;	 /* 300 s: RFC 8985, 6.2 step 2 */
	uint32_t send_buffer;		 /* 512 KiB: at first; see autotune */
	uint32_t recv_buffer;		 /* 512 KiB */
	uint32_t send_buffer_max;	 /* 4 MiB: how far autotuning goes */
	uint32_t recv_buffer_max;	 /* 6 MiB; the window scale follows from it */
	uint32_t initial_window;	 /* segments: 10 (RFC 6928) */
	uint32_t initial_recv_window;	 /* bytes offered in a SYN; 0: as much as there is */
	uint32_t challenge_acks_per_sec; /* 1,000: RFC 5961, 7; and so many for half-open ones */
	uint32_t trace_blocks;	/* 1,024 connections in trouble are traced at once, see trace.h */
	uint32_t syn_cache_max; /* 8,192 half-open connections; then SYN cookies (RFC 4987) */
	uint32_t syn_cache_prefix_max; /* 2,048 of them from one remote network */
	uint64_t mem_max;	       /* bytes of packet buffers for all queues; 0: no bound */
	uint16_t mtu;		       /* 1500: of the IP layer */
	uint16_t mtu_min;	       /* 552: below it no router's word is believed (RFC 1191) */
	uint8_t syn_retries;	/* 7: gives up after 247 s; R2 for SYN is >= 3 min (MUST-23) */
	uint8_t synack_retries; /* 5: gives up after 63 s */
	uint8_t data_retries;	/* 15: gives up after about 15 min; R2 >= 100 s (SHLD-11) */
	uint8_t r1_retries;	/* 3: then the route is doubted (SHLD-10) */
	uint8_t orphan_retries; /* 8: window probes of a connection without user */
	uint8_t quick_acks;	/* 16: first segments that are acknowledged at once */
	uint8_t window_scale;	/* 0xff: chosen by recv_buffer_max; else this one is offered */
	uint8_t ecn;		/* enum rill_tcp_ecn_policy */
	uint8_t prefix4_len;	/* 24: which bits of an address make a remote network */
	uint8_t prefix6_len;	/* 56 */
	bool nodelay;		/* Nagle off */
	bool no_timestamps;
	bool no_window_scale;
	bool no_sack;
	bool no_rack; /* fast retransmit by counting alone (RFC 6675) */
	bool no_tlp;
	bool no_frto;
	bool no_autotune;
	bool no_pacing;
	bool no_trains;	     /* each segment is made by itself, see train.h */
	bool pace_all;	     /* loss-based algorithms too, see pace.h */
	bool no_mtu_probing; /* RFC 4821, on black holes only */
	bool no_syn_cookies; /* the oldest half-open connection makes room instead */
	bool syn_cookies_always;
	bool fast_open_client, fast_open_server;
	bool fast_open_no_cookie;
	bool synack_offers_all; /* of a simultaneous open: options that the peer did not offer, too
				 */
};

/*
 * What the user may set for one connection. Shared: a connection points at the env's defaults, its
 * listener's, or one of its own (rill_tcp_settings_own()).
 */
struct rill_tcp_settings {
	uint32_t refs;
	uint32_t keep_idle_ms;	  /* 2 h (MUST-28) */
	uint32_t keep_intvl_ms;	  /* 75 s */
	uint32_t user_timeout_ms; /* 0: as the peer suggests, else as data_retries say */
	uint32_t uto_ms;	  /* suggested to the peer (RFC 5482); 0: nothing, nor taken */
	uint32_t peer_timeout_ms; /* what came of the peer's suggestion, see uto.h; 0: none */
	uint32_t linger_ms;	  /* with RILL_TCB_LINGER */
	uint32_t linger2_ms;	  /* FIN-WAIT-2; 0: fin_wait2_us */
	uint32_t notsent_lowat;	  /* writable below this many unsent bytes; 0: by room alone */
	uint32_t window_clamp;	  /* 0: none */
	uint32_t defer_accept_ms; /* 0: off */
	uint64_t max_pacing_rate; /* bytes per second; 0: no bound */
	uint16_t mss_clamp;	  /* TCP_MAXSEG; 0: none */
	uint8_t keep_count;	  /* 9 */
	uint8_t syn_retries;	  /* 0: as params */
	uint8_t tos, ttl;
	bool keepalive; /* off (MUST-25) */
	bool oob_inline;
	bool fast_open_no_cookie; /* of a listener: every SYN may bring data */
};

/* Single writer: whoever holds the instance. */
struct rill_tcp_stats {
	uint64_t segs_in, segs_out;
	uint64_t opened_active, opened_passive; /* connections that reached ESTABLISHED */
	uint64_t retransmits;			/* segments sent again */
	uint64_t rtos;				/* retransmission timeouts */
	uint64_t fast_recoveries;		/* times entered */
	uint64_t tlp_probes;			/* RFC 8985, 7 */
	uint64_t tlp_recoveries;		/* losses that a probe repaired */
	uint64_t spurious_rtos;			/* F-RTO, Eifel or D-SACK said so */
	uint64_t undos;				/* times cwnd was restored */
	uint64_t spurious_retransmits;		/* D-SACKs for segments sent again */
	uint64_t dsacks_in, dsacks_out;
	uint64_t sack_reneges; /* RFC 2018, 8 */
	uint64_t reorder_seen; /* segments that were late, not lost */
	uint64_t dup_acks_in;
	uint64_t resets_in, resets_out;
	uint64_t challenge_acks;
	uint64_t challenge_acks_limited; /* those that the rate limit held back */
	uint64_t out_of_order;
	uint64_t paws_drops;
	uint64_t window_probes;
	uint64_t delayed_acks; /* sent by the timer */
	uint64_t keepalives;
	uint64_t ecn_reductions;
	uint64_t ce_in;	       /* segments that arrived with CE */
	uint64_t timeouts;     /* connections given up */
	uint64_t no_buffer;    /* sends put off because alloc gave nothing */
	uint64_t no_memory;    /* transfers that could not begin */
	uint64_t mem_pressure; /* windows not grown, or data refused, because of mem_max */
	uint64_t pruned;       /* out-of-order segments given up for it */
	uint64_t syn_cookies_out, syn_cookies_in, syn_cookies_bad;
	uint64_t syn_cache_full, accept_overflows, prefix_limited;
	uint64_t fast_open_out, fast_open_in, fast_open_bad, fast_open_fallback;
	uint64_t mtu_probes, mtu_black_holes;
	uint64_t user_timeouts;
};

/* What went out in the current second, see challenge.h. */
struct rill_tcp_challenges {
	uint32_t sent;
	uint32_t limit;
	uint64_t since_ns;
};

struct rill_tcp_env {
	const struct rill_tcp_env_ops *ops;
	const struct rill_tcp_cc *cc; /* for new connections */
	struct rill_tcp_params params;
	struct rill_tcp_settings settings; /* the defaults of new connections */
	struct rill_hash_key secret;	   /* of sequence numbers, timestamp offsets and cookies */
	bool csum_offload;		   /* the NIC fills in checksums */
	uint32_t gso_max; /* bytes of a packet that the NIC cuts into segments; 0: it does not */
	struct rill_tcp_train *train; /* segments to be sent together, see train.h; NULL: no */
	struct rill_tcp_challenges challenges; /* of connections */
	struct rill_tcp_challenges half_open_challenges;
	uint64_t mem_used; /* bytes of buffers in all queues, counted by the size of the buffer */
	struct rill_quota_share mem_share; /* what it has of a bound that others share; see mem.h */
	struct rill_tcp_trace *trace;	   /* made at the first event, see trace.h */
	struct rill_fast_open *fast_open;  /* the caller's (fastopen.h); NULL: no Fast Open */
	struct rill_slab xfers;
	struct rill_slab settings_slab;
	struct rill_tcp_stats stats;
};

/*
 * secret must be unpredictable (rill_rand_secret()) except in tests. memory: where transfers come
 * from; must outlive env.
 */
void rill_tcp_env_init(struct rill_tcp_env *env, const struct rill_tcp_env_ops *ops,
		       const struct rill_memory *memory, const struct rill_hash_key *secret);
/* All connections are gone. */
void rill_tcp_env_fini(struct rill_tcp_env *env);

/* The largest segment that may be sent to us, and that our own link takes (RFC 6691). */
uint16_t rill_tcp_env_mss(const struct rill_tcp_env *env, enum rill_family family);

/* The tcb's settings, to be changed: a copy of its own. NULL: no memory. */
struct rill_tcp_settings *rill_tcp_settings_own(struct rill_tcb *tcb, struct rill_tcp_env *env);
struct rill_tcp_settings *rill_tcp_settings_get(struct rill_tcp_settings *s);
/* The env's own are not counted. */
void rill_tcp_settings_put(struct rill_tcp_env *env, struct rill_tcp_settings *s);

#endif
