/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/options.h"

#include "netstack/wire/bytes.h"

enum kind {
	KIND_EOL = 0,
	KIND_NOP = 1,
	KIND_MSS = 2,
	KIND_WSCALE = 3,
	KIND_SACK_PERMITTED = 4,
	KIND_TIMESTAMPS = 8,
};

/* Two no-operations, kind 8, length 10: what nearly every segment carries, in one compare. */
#define TIMESTAMPS_WORD 0x0101080au

static void read_timestamps(const uint8_t *p, struct rill_tcp_options_seen *o)
{
	o->present |= RILL_TCP_OPT_TIMESTAMPS;
	o->tsval = rill_load_be32(p);
	o->tsecr = rill_load_be32(p + 4);
}

/* An option with a wrong length for its kind is as good as an unknown one. */
static void read_option(const uint8_t *p, struct rill_tcp_options_seen *o)
{
	uint8_t len = p[1];

	if (p[0] == KIND_MSS && len == 4) {
		o->present |= RILL_TCP_OPT_MSS;
		o->mss = rill_load_be16(p + 2);
	} else if (p[0] == KIND_WSCALE && len == 3) {
		/* a shift beyond 14 must be used as 14 (RFC 7323, 2.3) */
		o->present |= RILL_TCP_OPT_WSCALE;
		o->wscale = p[2] > RILL_TCP_WSCALE_MAX ? RILL_TCP_WSCALE_MAX : p[2];
	} else if (p[0] == KIND_SACK_PERMITTED && len == 2) {
		o->present |= RILL_TCP_OPT_SACK_PERMITTED;
	} else if (p[0] == KIND_TIMESTAMPS && len == 10) {
		read_timestamps(p + 2, o);
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
	rill_store_be32(p + 4, o->tsval);
	rill_store_be32(p + 8, o->tsecr);
	return p + RILL_TCP_TIMESTAMPS_LEN;
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

uint8_t rill_tcp_options_emit(uint8_t p[RILL_TCP_OPTIONS_MAX],
			      const struct rill_tcp_options_seen *opt)
{
	uint8_t *start = p;

	if (opt->present & RILL_TCP_OPT_MSS)
		p = put_mss(p, opt->mss);
	if (opt->present & RILL_TCP_OPT_WSCALE)
		p = put_wscale(p, opt->wscale);
	if (opt->present & RILL_TCP_OPT_TIMESTAMPS)
		p = put_timestamps(p, opt);
	return (uint8_t)(p - start);
}
