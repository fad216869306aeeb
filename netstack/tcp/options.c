/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/options.h"

#include "netstack/tcp/seq.h"
#include "netstack/wire/bytes.h"

#include <string.h>

enum kind {
	KIND_EOL = 0,
	KIND_NOP = 1,
	KIND_MSS = 2,
	KIND_WSCALE = 3,
	KIND_SACK_PERMITTED = 4,
	KIND_SACK = 5,
	KIND_TIMESTAMPS = 8,
	KIND_USER_TIMEOUT = 28,
	KIND_FAST_OPEN = 34,
	KIND_ACCECN0 = 172, /* E0B, CEB, E1B */
	KIND_ACCECN1 = 174, /* E1B, CEB, E0B */
};

/* RFC 7413, 4.1.1: shorter or longer cookies are none. */
#define FAST_OPEN_MIN 4

/* Two no-operations, kind 8, length 10: what nearly every segment carries, in one compare. */
#define TIMESTAMPS_WORD 0x0101080au

static void read_timestamps(const uint8_t *p, struct rill_tcp_options_seen *o)
{
	o->present |= RILL_TCP_OPT_TIMESTAMPS;
	o->tsval = rill_load_be32(p);
	o->tsecr = rill_load_be32(p + 4);
}

/* RFC 2018, 3. Blocks that are empty or run backwards say nothing, so they are left out. */
static void read_sack(const uint8_t *p, uint8_t n, struct rill_tcp_options_seen *o)
{
	o->sack_count = 0;
	for (; n >= 8; p += 8, n = (uint8_t)(n - 8)) {
		struct rill_tcp_sack_block k = {rill_load_be32(p), rill_load_be32(p + 4)};

		if (rill_seq_lt(k.start, k.end) && o->sack_count < RILL_TCP_SACK_BLOCKS_MAX)
			o->sack[o->sack_count++] = k;
	}
	if (o->sack_count > 0)
		o->present |= RILL_TCP_OPT_SACK;
}

/* RFC 7413, 4.1.1. Without a cookie it asks for one. */
static void read_fast_open(const uint8_t *p, uint8_t n, struct rill_tcp_options_seen *o)
{
	if (n != 0 && (n < FAST_OPEN_MIN || n > RILL_TCP_FAST_OPEN_MAX || n % 2 != 0))
		return;
	o->present |= RILL_TCP_OPT_FAST_OPEN;
	o->fast_open_len = n;
	memcpy(o->fast_open, p, n);
}

static uint32_t load_be24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

/*
 * RFC 9768, 3.2.3: what does not change may be left out at the end. A last counter that is not
 * there is 1 here, as at the beginning: it is only looked at for zero.
 */
static void read_accecn(const uint8_t *p, uint8_t n, bool e1b_first,
			struct rill_tcp_options_seen *o)
{
	uint32_t first, last = 1;

	if (n != 6 && n != 9)
		return;
	first = load_be24(p);
	if (n == 9)
		last = load_be24(p + 6);
	o->present |= RILL_TCP_OPT_ACCECN;
	o->ceb = load_be24(p + 3);
	o->e0b = e1b_first ? last : first;
	o->e1b = e1b_first ? first : last;
}

/* A shift beyond 14 must be used as 14 (RFC 7323, 2.3). */
static void read_wscale(const uint8_t *p, struct rill_tcp_options_seen *o)
{
	o->present |= RILL_TCP_OPT_WSCALE;
	o->wscale = p[0] > RILL_TCP_WSCALE_MAX ? RILL_TCP_WSCALE_MAX : p[0];
}

/* The kinds of one length only. An option with a wrong length is as good as an unknown one. */
static const uint8_t length_of[] = {
	[KIND_MSS] = 4,		[KIND_WSCALE] = 3,	 [KIND_SACK_PERMITTED] = 2,
	[KIND_TIMESTAMPS] = 10, [KIND_USER_TIMEOUT] = 4,
};

static void read_option(const uint8_t *p, struct rill_tcp_options_seen *o)
{
	uint8_t kind = p[0];
	uint8_t len = p[1];

	if (kind < RILL_ARRAY_SIZE(length_of) && length_of[kind] != 0 && length_of[kind] != len)
		return;
	switch (kind) {
	case KIND_MSS:
		o->present |= RILL_TCP_OPT_MSS;
		o->mss = rill_load_be16(p + 2);
		break;
	case KIND_WSCALE:
		read_wscale(p + 2, o);
		break;
	case KIND_SACK_PERMITTED:
		o->present |= RILL_TCP_OPT_SACK_PERMITTED;
		break;
	case KIND_SACK:
		if (len % 8 == 2)
			read_sack(p + 2, (uint8_t)(len - 2), o);
		break;
	case KIND_TIMESTAMPS:
		read_timestamps(p + 2, o);
		break;
	case KIND_USER_TIMEOUT:
		o->present |= RILL_TCP_OPT_USER_TIMEOUT;
		o->user_timeout = rill_load_be16(p + 2);
		break;
	case KIND_ACCECN0:
	case KIND_ACCECN1:
		read_accecn(p + 2, (uint8_t)(len - 2), kind == KIND_ACCECN1, o);
		break;
	case KIND_FAST_OPEN:
		read_fast_open(p + 2, (uint8_t)(len - 2), o);
		break;
	default:
		break;
	}
}

void rill_tcp_options_parse(const uint8_t *p, uint32_t len, struct rill_tcp_options_seen *ret_opt)
{
	ret_opt->present = 0;
	if (len == RILL_TCP_TIMESTAMPS_LEN && rill_load_be32(p) == TIMESTAMPS_WORD) {
		read_timestamps(p + 4, ret_opt);
		return;
	}
	while (len > 0 && p[0] != KIND_EOL) {
		if (p[0] == KIND_NOP) {
			p++;
			len--;
			continue;
		}
		if (len < 2 || p[1] < 2 || p[1] > len)
			return;
		read_option(p, ret_opt);
		len -= p[1];
		p += p[1];
	}
}

static uint8_t *put_timestamps(uint8_t *p, const struct rill_tcp_options_seen *o)
{
	rill_store_be32(p, TIMESTAMPS_WORD);
	/* Where both are offered, the one takes the place of the padding of the other. */
	if ((o->present & RILL_TCP_OPT_SACK_PERMITTED) != 0) {
		p[0] = KIND_SACK_PERMITTED;
		p[1] = 2;
	}
	rill_store_be32(p + 4, o->tsval);
	rill_store_be32(p + 8, o->tsecr);
	return p + RILL_TCP_TIMESTAMPS_LEN;
}

static uint8_t *put_sack_permitted(uint8_t *p)
{
	*p++ = KIND_NOP;
	*p++ = KIND_NOP;
	*p++ = KIND_SACK_PERMITTED;
	*p++ = 2;
	return p;
}

static uint8_t *put_mss(uint8_t *p, uint16_t mss)
{
	*p++ = KIND_MSS;
	*p++ = 4;
	rill_store_be16(p, mss);
	return p + 2;
}

static uint8_t *put_wscale(uint8_t *p, uint8_t wscale)
{
	*p++ = KIND_NOP;
	*p++ = KIND_WSCALE;
	*p++ = 3;
	*p++ = wscale;
	return p;
}

static uint8_t *put_sack(uint8_t *p, const struct rill_tcp_options_seen *o, uint32_t room)
{
	uint32_t n = room < 4 ? 0 : RILL_MIN((uint32_t)o->sack_count, (room - 4) / 8);

	if (n == 0)
		return p;
	*p++ = KIND_NOP;
	*p++ = KIND_NOP;
	*p++ = KIND_SACK;
	*p++ = (uint8_t)(2 + 8 * n);
	for (unsigned i = 0; i < n; i++, p += 8) {
		rill_store_be32(p, o->sack[i].start);
		rill_store_be32(p + 4, o->sack[i].end);
	}
	return p;
}

static uint8_t *put_fast_open(uint8_t *p, const struct rill_tcp_options_seen *o, uint32_t room)
{
	if (room < 4u + o->fast_open_len)
		return p;
	if (o->fast_open_len % 4 == 0) {
		*p++ = KIND_NOP;
		*p++ = KIND_NOP;
	}
	*p++ = KIND_FAST_OPEN;
	*p++ = (uint8_t)(2 + o->fast_open_len);
	memcpy(p, o->fast_open, o->fast_open_len);
	return p + o->fast_open_len;
}

static uint8_t *put_user_timeout(uint8_t *p, uint16_t timeout)
{
	*p++ = KIND_USER_TIMEOUT;
	*p++ = 4;
	rill_store_be16(p, timeout);
	return p + 2;
}

static uint8_t *put_be24(uint8_t *p, uint32_t value)
{
	*p++ = (uint8_t)(value >> 16);
	*p++ = (uint8_t)(value >> 8);
	*p++ = (uint8_t)value;
	return p;
}

/* Whole, or without E1B, which nobody counts who is sent ECT(0). */
static uint8_t *put_accecn(uint8_t *p, const struct rill_tcp_options_seen *o, uint32_t room)
{
	bool whole = room >= 12;

	if (room < RILL_TCP_ACCECN_LEN_MIN)
		return p;
	*p++ = KIND_ACCECN0;
	*p++ = whole ? 11 : 8;
	p = put_be24(p, o->e0b);
	p = put_be24(p, o->ceb);
	if (!whole)
		return p;
	p = put_be24(p, o->e1b);
	*p++ = KIND_NOP;
	return p;
}

uint8_t rill_tcp_options_emit(uint8_t p[RILL_TCP_OPTIONS_MAX],
			      const struct rill_tcp_options_seen *opt)
{
	const uint8_t *start = p;
	const uint8_t *end = p + RILL_TCP_OPTIONS_MAX;

	if (opt->present & RILL_TCP_OPT_MSS)
		p = put_mss(p, opt->mss);
	if (opt->present & RILL_TCP_OPT_WSCALE)
		p = put_wscale(p, opt->wscale);
	if (opt->present & RILL_TCP_OPT_TIMESTAMPS)
		p = put_timestamps(p, opt);
	else if (opt->present & RILL_TCP_OPT_SACK_PERMITTED)
		p = put_sack_permitted(p);
	if (opt->present & RILL_TCP_OPT_SACK)
		p = put_sack(p, opt, (uint32_t)(end - p));
	if (opt->present & RILL_TCP_OPT_FAST_OPEN)
		p = put_fast_open(p, opt, (uint32_t)(end - p));
	if ((opt->present & RILL_TCP_OPT_USER_TIMEOUT) && end - p >= 4)
		p = put_user_timeout(p, opt->user_timeout);
	if (opt->present & RILL_TCP_OPT_ACCECN)
		p = put_accecn(p, opt, (uint32_t)(end - p));
	RILL_DEBUG_ASSERT(p - start <= RILL_TCP_OPTIONS_MAX);
	return (uint8_t)(p - start);
}
