/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SYN cookies (RFC 4987, 3.6): with no room for one more half-open connection, what must be known
 * of it is put where the peer sends it back. In our initial sequence number:
 *
 *      hash(addresses, irs) + irs + (counter << 24) + ((hash(addresses, irs, counter) + mss) %
 * 2^24)
 *
 * with a counter of 64 s and one of eight MSS; in the lowest six bits of our timestamp, when the
 * peer sends timestamps, window scale, SACK and ECN. Without timestamps these are off.
 *
 * A cookie is taken while the counter has moved by one at most, 64 to 128 s. Whoever guesses hits
 * one with 16 of 2^24 numbers.
 */
#ifndef RILL_NETSTACK_TCP_COOKIE_H
#define RILL_NETSTACK_TCP_COOKIE_H

#include "netstack/tcp/env.h"

#define RILL_SYN_COOKIE_PERIOD_NS (64 * RILL_SEC)
/* For how many counters one is good. */
#define RILL_SYN_COOKIE_PERIODS 2
/* In the timestamp: the peer does not scale windows. */
#define RILL_SYN_COOKIE_NO_WSCALE 15

/* What travels in the timestamp. */
struct rill_syn_cookie_options {
	uint8_t wscale; /* or RILL_SYN_COOKIE_NO_WSCALE */
	bool sack;
	bool ecn;
};

/* The largest MSS that a cookie can say which is not above mss. */
uint16_t rill_syn_cookie_mss(uint16_t mss);
/* The initial sequence number. irs: the number of the peer's SYN. */
uint32_t rill_syn_cookie_make(const struct rill_tcp_env *env, const struct rill_addr *local,
			      const struct rill_addr *remote, uint32_t irs, uint16_t mss,
			      uint64_t now);
/* Whether iss is one of ours, for these ends, and not too old. */
bool rill_syn_cookie_check(const struct rill_tcp_env *env, const struct rill_addr *local,
			   const struct rill_addr *remote, uint32_t irs, uint32_t iss, uint64_t now,
			   uint16_t *ret_mss);

/* The timestamp to send instead of ts_now: the latest before it that says o. */
uint32_t rill_syn_cookie_stamp(uint32_t ts_now, const struct rill_syn_cookie_options *o);
struct rill_syn_cookie_options rill_syn_cookie_unstamp(uint32_t tsecr);

#endif
