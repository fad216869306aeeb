/* SPDX-License-Identifier: BSD-3-Clause */
#include "match.h"

#include <stdio.h>
#include <string.h>

static bool flags_match(const struct spec *spec, uint16_t flags)
{
	uint16_t compared = (uint16_t)~spec->flags_open;

	if (!spec->psh)
		compared &= (uint16_t)~PACKET_PSH;
	return ((flags ^ spec->flags) & compared) == 0;
}

/* Sequence numbers are compared as they wrap: below zero is written as such, too. */
static bool number_matches(struct number_range want, uint32_t got)
{
	if (number_is_any(want))
		return true;
	return got - (uint32_t)want.low <= (uint32_t)(want.high - want.low);
}

/* ---- options ---- */

static bool blocks_match(const struct world_flow *f, const struct spec_option *want,
			 const struct packet_option *o)
{
	if (o->len != 4 * want->count)
		return false;
	for (unsigned i = 0; i < want->count; i++)
		if (!number_matches(want->value[i], packet_get32(o->value + 4 * i) - f->peer_isn))
			return false;
	return true;
}

static bool timestamps_match(const struct world_flow *f, const struct spec_option *want,
			     const struct packet_option *o)
{
	return o->len == 8 && number_matches(want->value[0], packet_get32(o->value) - f->ts_base) &&
	       number_matches(want->value[1], packet_get32(o->value + 4));
}

static bool value_matches(const struct world_flow *f, const struct spec_option *want,
			  const struct packet_option *o)
{
	if (want->any)
		return true;
	switch (o->kind) {
	case OPTION_MSS:
	case OPTION_UTO:
		return o->len == 2 && number_in(want->value[0], packet_get16(o->value));
	case OPTION_WSCALE:
		return o->len == 1 && number_in(want->value[0], o->value[0]);
	case OPTION_SACK:
		return blocks_match(f, want, o);
	case OPTION_TS:
		return timestamps_match(f, want, o);
	default:
		return o->len == want->len && memcmp(o->value, want->bytes, want->len) == 0;
	}
}

static const char *option_name(uint8_t kind)
{
	static char name[32];

	switch (kind) {
	case OPTION_MSS:
		return "mss";
	case OPTION_WSCALE:
		return "wscale";
	case OPTION_SACK_OK:
		return "sackOK";
	case OPTION_SACK:
		return "sack";
	case OPTION_TS:
		return "TS";
	case OPTION_FAST_OPEN:
		return "FO";
	default:
		snprintf(name, sizeof(name), "option %u", kind);
		return name;
	}
}

static bool is_listed(const struct spec *spec, uint8_t kind)
{
	for (unsigned i = 0; i < spec->option_count; i++)
		if (spec->option[i].kind == kind && !spec->option[i].absent)
			return true;
	return false;
}

static const char *match_options(const struct world_flow *f, const struct spec *spec,
				 const struct packet *p)
{
	static char text[64];

	for (unsigned i = 0; i < spec->option_count; i++) {
		const struct spec_option *want = &spec->option[i];
		const struct packet_option *o = packet_option(p, want->kind);
		const char *how = NULL;

		if (want->kind == OPTION_NOP || want->kind == OPTION_END)
			continue;
		if (want->absent)
			how = o ? "must not be there" : NULL;
		else if (!o)
			how = "is missing";
		else if (!value_matches(f, want, o))
			how = "is another";
		if (how) {
			snprintf(text, sizeof(text), "%s %s", option_name(want->kind), how);
			return text;
		}
	}
	for (unsigned i = 0; spec->mode == SPEC_OPTIONS_EXACT && i < p->option_count; i++) {
		if (is_listed(spec, p->option[i].kind))
			continue;
		snprintf(text, sizeof(text), "%s must not be there",
			 option_name(p->option[i].kind));
		return text;
	}
	return NULL;
}

/* ---- all of it ---- */

/* What we send is the pattern of world.h: its first byte is the one behind our SYN. */
static const char *match_data(const struct world_flow *f, const struct packet *p)
{
	uint64_t offset = (uint32_t)(p->seq + !!(p->flags & PACKET_SYN) - f->our_isn - 1);

	for (unsigned i = 0; i < p->len; i++)
		if (p->data[i] != world_pattern(offset + i))
			return "the payload is not what was written";
	return NULL;
}

const char *match_segment(const struct world_flow *f, const struct spec *spec,
			  const struct packet *p)
{
	if (spec->any)
		return NULL;
	if (!flags_match(spec, p->flags))
		return "other flags";
	if (!number_matches(spec->seq, p->seq - f->our_isn))
		return "another sequence number";
	if (spec->len >= 0 ? p->len != spec->len
			   : !number_matches(spec->end, p->seq + p->len - f->our_isn))
		return "another length";
	if ((p->flags & PACKET_ACK) && !number_matches(spec->ack, p->ack - f->peer_isn))
		return "another acknowledgement number";
	if (!number_in(spec->win, p->win))
		return "another window";
	if (!number_in(spec->urg, p->urg))
		return "another urgent pointer";
	if (!number_in(spec->tos, p->tos))
		return "another TOS";
	if (!number_in(spec->ttl, p->ttl))
		return "another TTL";
	if (spec->ecn >= 0 && (p->tos & 3) != spec->ecn)
		return "another ECN field in the IP header";
	if (spec->mode != SPEC_OPTIONS_OPEN && match_options(f, spec, p))
		return match_options(f, spec, p);
	return spec->nodata ? NULL : match_data(f, p);
}
