/* SPDX-License-Identifier: BSD-3-Clause */
#include "inject.h"

#include <string.h>

#define OPTIONS_MAX 40

static int64_t value_of(struct number_range r, int64_t otherwise)
{
	return number_is_any(r) ? otherwise : r.low;
}

/* ---- options ---- */

struct options {
	uint8_t bytes[2 * OPTIONS_MAX];
	unsigned len;
};

static void add_blocks(uint8_t *out, const struct world_flow *f, const struct spec_option *o)
{
	for (unsigned i = 0; i < o->count; i++)
		packet_put32(out + 4 * i, (uint32_t)o->value[i].low + f->our_isn);
}

/* The value of o to out: how long it is. */
static unsigned emit_value(uint8_t *out, const struct world_flow *f, const struct spec_option *o)
{
	switch (o->kind) {
	case OPTION_MSS:
	case OPTION_UTO:
		packet_put16(out, (uint16_t)o->value[0].low);
		return 2;
	case OPTION_WSCALE:
		out[0] = (uint8_t)o->value[0].low;
		return 1;
	case OPTION_SACK:
		add_blocks(out, f, o);
		return 4 * o->count;
	case OPTION_TS:
		packet_put32(out, (uint32_t)o->value[0].low);
		packet_put32(out + 4, (uint32_t)o->value[1].low + f->ts_base);
		return 8;
	default:
		if (o->last) {
			memcpy(out, f->cookie, f->cookie_len);
			return f->cookie_len;
		}
		memcpy(out, o->bytes, o->len);
		return o->len;
	}
}

static void emit_option(struct options *to, const struct world_flow *f, const struct spec_option *o)
{
	uint8_t *out = to->bytes + to->len;

	if (o->raw) {
		memcpy(out, o->bytes, o->len);
		to->len += o->len;
		return;
	}
	out[0] = o->kind;
	if (o->kind == OPTION_NOP || o->kind == OPTION_END) {
		to->len++;
		return;
	}
	out[1] = (uint8_t)(2 + emit_value(out + 2, f, o));
	to->len += out[1];
}

static void emit_options(struct world *w, const struct world_flow *f, const struct spec *spec,
			 struct options *to)
{
	memset(to, 0, sizeof(*to));
	for (unsigned i = 0; i < spec->option_count; i++) {
		emit_option(to, f, &spec->option[i]);
		if (to->len > OPTIONS_MAX)
			world_fail(w, "more than %d bytes of options", OPTIONS_MAX);
	}
	to->len = (to->len + 3) / 4 * 4;
}

/* ---- segments ---- */

static unsigned emit(struct world *w, const struct packet *p, uint8_t *out)
{
	if (p->len + 20 + p->ip_options_len + 20 + p->options_len > PACKET_MAX)
		world_fail(w, "too long for a packet");
	return packet_emit(p, out);
}

static void send(struct world *w, const struct packet *p)
{
	static uint8_t bytes[PACKET_MAX];
	struct iovec iov = {bytes, emit(w, p, bytes)};

	world_input(w, &iov, 1);
}

/* The peer's stream begins after its SYN. */
static void fill(uint8_t *data, const struct spec *spec, uint32_t seq, unsigned len)
{
	uint64_t offset = (uint64_t)(seq + !!(spec->flags & PACKET_SYN)) - 1;

	for (unsigned i = 0; i < len; i++)
		data[i] = world_pattern(offset + i);
}

/* The segment as bytes to out, PACKET_MAX of them: how many. */
static unsigned emit_segment(struct world *w, const struct world_flow *f, const struct spec *spec,
			     uint32_t seq, unsigned len, uint8_t *out)
{
	static uint8_t data[PACKET_MAX];
	struct options options;
	uint32_t ack = (uint32_t)value_of(spec->ack, 0) + f->our_isn;
	uint8_t ecn = spec->ecn > 0 ? (uint8_t)spec->ecn : 0;

	if (len > PACKET_MAX)
		world_fail(w, "too long for a packet");
	emit_options(w, f, spec, &options);
	fill(data, spec, seq, len);
	return emit(w,
		    &(struct packet){
			    .src = spec->from_given ? spec->from : f->peer_ip,
			    .dst = spec->to_given ? spec->to : f->our_ip,
			    .protocol = 6,
			    .tos = (uint8_t)(value_of(spec->tos, 0) | ecn),
			    .ttl = (uint8_t)value_of(spec->ttl, 64),
			    .df = true,
			    .bad_ip_checksum = spec->bad_ip_checksum,
			    .bad_checksum = spec->bad_checksum,
			    .ip_options = spec->ip_options,
			    .ip_options_len = spec->ip_options_len,
			    .src_port = f->peer_port,
			    .dst_port = f->our_port,
			    .seq = seq + f->peer_isn,
			    .ack = number_is_any(spec->ack) ? 0 : ack,
			    .flags = spec->flags,
			    .win = (uint16_t)value_of(spec->win, 65535),
			    .urg = (uint16_t)value_of(spec->urg, 0),
			    .options = options.bytes,
			    .options_len = options.len,
			    .data_offset = spec->data_offset,
			    .data = data,
			    .len = len,
		    },
		    out);
}

void inject_segment(struct world *w, const struct world_flow *f, const struct spec *spec)
{
	static uint8_t bytes[PACKET_MAX];
	struct iovec iov = {.iov_base = bytes};

	if (spec->len != spec->end.low - spec->seq.low)
		world_fail(w, "the numbers and the length disagree");
	iov.iov_len = emit_segment(w, f, spec, (uint32_t)spec->seq.low, (unsigned)spec->len, bytes);
	world_input(w, &iov, 1);
}

#define SERIES_MAX 128

void inject_series(struct world *w, const struct world_flow *f, const struct spec *spec)
{
	static uint8_t bytes[SERIES_MAX][PACKET_MAX];
	struct iovec iov[SERIES_MAX];
	int64_t at = spec->seq.low;
	unsigned n = 0;

	if (spec->len <= 0)
		world_fail(w, "a series needs a length");
	while (at < spec->end.low) {
		int64_t left = spec->end.low - at, len = left < spec->len ? left : spec->len;

		if (n == SERIES_MAX)
			world_fail(w, "at most %d packets", SERIES_MAX);
		iov[n].iov_base = bytes[n];
		iov[n].iov_len = emit_segment(w, f, spec, (uint32_t)at, (unsigned)len, bytes[n]);
		at += len;
		n++;
	}
	world_input(w, iov, n);
}

/* ---- ICMP ---- */

struct icmp {
	int64_t type, code, seq, mtu, len;
	uint32_t from;
	bool foreign; /* quotes a segment from a port that is not ours */
};

static const struct {
	const char *name;
	int type, code;
} kinds[] = {
	{"net_unreachable", 3, 0},    {"host_unreachable", 3, 1}, {"protocol_unreachable", 3, 2},
	{"port_unreachable", 3, 3},   {"too_big", 3, 4},	  {"source_route_failed", 3, 5},
	{"source_quench", 4, 0},      {"ttl_exceeded", 11, 0},	  {"reassembly_exceeded", 11, 1},
	{"parameter_problem", 12, 0},
};

static bool parse_kind(struct icmp *m, const char *word)
{
	const char *p = word;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(kinds[i].name, word) == 0) {
			m->type = kinds[i].type;
			m->code = kinds[i].code;
			return true;
		}
	}
	return number_parse(&p, &m->type) && *p++ == '/' && number_whole(p, &m->code);
}

static bool parse_icmp(struct icmp *m, char *const *words, unsigned count)
{
	if (count < 1 || !parse_kind(m, words[0]))
		return false;
	for (unsigned i = 1; i < count; i++) {
		int64_t *to = strcmp(words[i], "seq") == 0   ? &m->seq
			      : strcmp(words[i], "mtu") == 0 ? &m->mtu
			      : strcmp(words[i], "len") == 0 ? &m->len
							     : NULL;

		if (strcmp(words[i], "foreign") == 0)
			m->foreign = true;
		else if (i + 1 < count && strcmp(words[i], "from") == 0)
			i += number_ip(words[i + 1], &m->from);
		else if (!to || i + 1 == count || !number_whole(words[++i], to))
			return false;
	}
	return true;
}

void inject_icmp(struct world *w, const struct world_flow *f, char *const *words, unsigned count)
{
	struct icmp m = {.len = 28, .from = f->peer_ip};
	uint8_t quoted[64], message[8 + sizeof(quoted)] = {0};

	if (!parse_icmp(&m, words, count) || m.len > 40)
		world_fail(w, "not an ICMP message: TYPE/CODE seq N [mtu N] [from IP] [len N]");
	packet_emit(&(struct packet){.src = f->our_ip,
				     .dst = f->peer_ip,
				     .protocol = 6,
				     .ttl = 60,
				     .df = true,
				     .src_port = (uint16_t)(f->our_port + m.foreign),
				     .dst_port = f->peer_port,
				     .seq = (uint32_t)m.seq + f->our_isn,
				     .flags = PACKET_ACK},
		    quoted);
	message[0] = (uint8_t)m.type;
	message[1] = (uint8_t)m.code;
	packet_put16(message + 6, (uint16_t)m.mtu);
	memcpy(message + 8, quoted, (size_t)m.len);
	packet_put16(message + 2, packet_checksum(message, 8 + (unsigned)m.len, 0));
	send(w, &(struct packet){.src = m.from,
				 .dst = f->our_ip,
				 .protocol = 1,
				 .ttl = 64,
				 .data = message,
				 .len = 8 + (unsigned)m.len});
}
