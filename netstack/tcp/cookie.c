/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/cookie.h"

#include "netstack/tcp/seq.h"

#include <string.h>

#define MSS_BITS 24
#define MSS_MASK ((1u << MSS_BITS) - 1)
#define STAMP_BITS 6
#define STAMP_MASK ((1u << STAMP_BITS) - 1)
#define STAMP_WSCALE_MASK 15u
#define STAMP_SACK 16u
#define STAMP_ECN 32u

/* Set apart, for the same secret makes sequence numbers and more. */
#define DOMAIN_BASE UINT64_C(0x636f6f6b69652d62)
#define DOMAIN_COUNTER UINT64_C(0x636f6f6b69652d63)

/*
 * What links announce: Ethernet, with PPPoE or a tunnel, with jumbo frames; IPv6's least; the two
 * defaults. The first is the least that a connection uses at all.
 */
static const uint16_t mss_table[] = {88, 536, 1220, 1360, 1400, 1440, 1460, 8960};

static unsigned mss_index(uint16_t mss)
{
	unsigned i = RILL_ARRAY_SIZE(mss_table) - 1;

	while (i > 0 && mss_table[i] > mss)
		i--;
	return i;
}

uint16_t rill_syn_cookie_mss(uint16_t mss)
{
	return mss_table[mss_index(mss)];
}

static uint64_t hash(const struct rill_tcp_env *env, const struct rill_addr *local,
		     const struct rill_addr *remote, uint32_t irs, uint64_t counter,
		     uint64_t domain)
{
	uint64_t words[7];

	memcpy(words, local->ip.bytes, 16);
	memcpy(words + 2, remote->ip.bytes, 16);
	words[4] = (uint64_t)local->port << 48 | (uint64_t)remote->port << 32 | irs;
	words[5] = counter;
	words[6] = domain;
	return rill_siphash(&env->secret, words, sizeof(words));
}

/* The part that rises with the peer's numbers and, modulo 2^32, with time. */
static uint32_t base(const struct rill_tcp_env *env, const struct rill_addr *local,
		     const struct rill_addr *remote, uint32_t irs)
{
	return (uint32_t)hash(env, local, remote, irs, 0, DOMAIN_BASE) + irs;
}

static uint32_t seal(const struct rill_tcp_env *env, const struct rill_addr *local,
		     const struct rill_addr *remote, uint32_t irs, uint64_t counter)
{
	return (uint32_t)hash(env, local, remote, irs, counter, DOMAIN_COUNTER);
}

uint32_t rill_syn_cookie_make(const struct rill_tcp_env *env, const struct rill_addr *local,
			      const struct rill_addr *remote, uint32_t irs, uint16_t mss,
			      uint64_t now)
{
	uint64_t counter = now / RILL_SYN_COOKIE_PERIOD_NS;
	uint32_t low = (seal(env, local, remote, irs, counter) + mss_index(mss)) & MSS_MASK;

	return base(env, local, remote, irs) + ((uint32_t)counter << MSS_BITS) + low;
}

bool rill_syn_cookie_check(const struct rill_tcp_env *env, const struct rill_addr *local,
			   const struct rill_addr *remote, uint32_t irs, uint32_t iss, uint64_t now,
			   uint16_t *ret_mss)
{
	uint64_t counter = now / RILL_SYN_COOKIE_PERIOD_NS;
	uint32_t rest = iss - base(env, local, remote, irs);
	uint32_t age = ((uint32_t)counter - (rest >> MSS_BITS)) & 0xff;
	uint32_t i;

	if (age >= RILL_SYN_COOKIE_PERIODS || age > counter)
		return false;
	i = (rest - seal(env, local, remote, irs, counter - age)) & MSS_MASK;
	if (i >= RILL_ARRAY_SIZE(mss_table))
		return false;
	*ret_mss = mss_table[i];
	return true;
}

uint32_t rill_syn_cookie_stamp(uint32_t ts_now, const struct rill_syn_cookie_options *o)
{
	uint32_t low = o->wscale & STAMP_WSCALE_MASK;
	uint32_t ts;

	low |= o->sack ? STAMP_SACK : 0;
	low |= o->ecn ? STAMP_ECN : 0;
	ts = (ts_now & ~STAMP_MASK) | low;
	/* Never ahead of the clock, or what follows would look old (RFC 7323, 5). */
	return rill_seq_gt(ts, ts_now) ? ts - (STAMP_MASK + 1) : ts;
}

struct rill_syn_cookie_options rill_syn_cookie_unstamp(uint32_t tsecr)
{
	return (struct rill_syn_cookie_options){
		.wscale = tsecr & STAMP_WSCALE_MASK,
		.sack = (tsecr & STAMP_SACK) != 0,
		.ecn = (tsecr & STAMP_ECN) != 0,
	};
}
