/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP Fast Open (RFC 7413): data in the SYN. A server hands out cookies, which prove that a client
 * can receive at its address; a SYN with a good one may bring data, which is delivered, and
 * answered, before the handshake is over.
 *
 * Server: a cookie is the address under a secret key, so nothing is kept. Of two keys the first
 * makes cookies, both are good: so keys can be changed without turning clients away (4.1.2).
 * Client: cookies are kept by address, with the MSS that came with them.
 *
 * The struct is the caller's, and hangs in env->fast_open; without one there is no Fast Open.
 *
 * A client sets RILL_TCB_FAST_OPEN in tcb->flags before rill_tcb_connect(), rill_tcb_send() and
 * rill_tcb_output(). A server asks rill_tcp_fast_open_good(), then calls rill_tcb_accept() and
 * rill_tcb_accept_early().
 */
#ifndef RILL_NETSTACK_TCP_FASTOPEN_H
#define RILL_NETSTACK_TCP_FASTOPEN_H

#include "netstack/tcp/tcb.h"

#define RILL_FAST_OPEN_COOKIE_LEN 8
#define RILL_FAST_OPEN_KEYS 2
/* Remembered addresses; of those that share a set the one not used for longest makes room. */
#define RILL_FAST_OPEN_WAYS 4
#define RILL_FAST_OPEN_SETS 32

struct rill_fast_open_entry {
	struct rill_ip ip; /* of the server */
	uint8_t len;	   /* of cookie; 0: free */
	uint8_t cookie[RILL_TCP_FAST_OPEN_MAX];
	uint16_t mss;
	uint64_t used; /* higher: later */
};

struct rill_fast_open {
	struct rill_hash_key keys[RILL_FAST_OPEN_KEYS];
	uint32_t key_count;
	uint64_t clock;
	struct rill_fast_open_entry entries[RILL_FAST_OPEN_SETS][RILL_FAST_OPEN_WAYS];
};

/* One key, made from secret; nothing remembered. */
void rill_fast_open_init(struct rill_fast_open *fo, const struct rill_hash_key *secret);
/* The key for new cookies; the one before it stays good. */
void rill_fast_open_add_key(struct rill_fast_open *fo, const struct rill_hash_key *key);

/* Whether there is a cookie for that server, so that a SYN may bring data. */
bool rill_fast_open_knows(struct rill_fast_open *fo, const struct rill_ip *server);

/* Whether seg, a SYN for a listener with these settings, may bring its data at once. */
bool rill_tcp_fast_open_good(const struct rill_tcp_env *env,
			     const struct rill_tcp_settings *settings,
			     const struct rill_tcp_seg *seg);

/* What the SYN or SYN-ACK that is being sent says. With RILL_TCB_FAST_OPEN. */
void rill_tcp_fast_open_option(struct rill_tcb *tcb, const struct rill_tcp_env *env, uint16_t flags,
			       struct rill_tcp_options_seen *o);
/*
 * Sends the SYN of a connect with RILL_TCB_FAST_OPEN, with the first bytes queued if there is a
 * cookie. Sent again, it goes without both: something on the way may not like them (RFC 7413,
 * 4.1.3.1). False: no buffer.
 */
bool rill_tcp_fast_open_send_syn(struct rill_tcb *tcb, struct rill_tcp_env *env, uint64_t now);
/* Of what the SYN brought, how much a SYN-ACK with this number acknowledges. */
uint32_t rill_tcp_fast_open_acked(const struct rill_tcb *tcb, uint32_t ack);
/* seg is an acceptable SYN-ACK for a connect: takes the cookie, and the data that was taken. */
void rill_tcp_fast_open_on_synack(struct rill_tcb *tcb, struct rill_tcp_env *env,
				  const struct rill_tcp_seg *seg);
/* A SYN for a listener: whether a cookie goes back. */
void rill_tcp_fast_open_on_syn(struct rill_tcb *tcb, const struct rill_tcp_env *env,
			       const struct rill_tcp_seg *seg);

/* A passive open whose data was taken, and which may answer before the handshake is over. */
static inline bool rill_tcp_is_early(const struct rill_tcb *tcb)
{
	return tcb->syn_data != 0 && (tcb->flags & RILL_TCB_PASSIVE) != 0;
}

#endif
