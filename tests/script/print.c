/* SPDX-License-Identifier: BSD-3-Clause */
#include "print.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "constants.h"
#include "spec.h"

/* Leaves room for the time in front. */
#define TEXT_MAX (PRINT_PACKET_MAX - 64)

struct text {
	char *out;
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->out + t->used, TEXT_MAX - t->used, format, args);
	va_end(args);
	t->used += (size_t)n;
	if (t->used >= TEXT_MAX)
		t->used = TEXT_MAX - 1;
}

static void add_blocks(struct text *t, const struct world_flow *f, const struct packet_option *o)
{
	add(t, "sack");
	for (unsigned i = 0; i + 8 <= o->len; i += 8)
		add(t, " %u:%u", packet_get32(o->value + i) - f->peer_isn,
		    packet_get32(o->value + i + 4) - f->peer_isn);
}

static void add_option(struct text *t, const struct world_flow *f, const struct packet_option *o)
{
	if (o->kind == OPTION_MSS && o->len == 2)
		add(t, "mss %u", packet_get16(o->value));
	else if (o->kind == OPTION_WSCALE && o->len == 1)
		add(t, "wscale %u", o->value[0]);
	else if (o->kind == OPTION_SACK_OK)
		add(t, "sackOK");
	else if (o->kind == OPTION_SACK)
		add_blocks(t, f, o);
	else if (o->kind == OPTION_TS && o->len == 8)
		add(t, "TS val %u ecr %u", packet_get32(o->value) - f->ts_base,
		    packet_get32(o->value + 4));
	else
		add(t, o->kind == OPTION_FAST_OPEN ? "FO " : "opt %u ", o->kind);
	if (o->kind > OPTION_TS)
		for (unsigned i = 0; i < o->len; i++)
			add(t, "%02x", o->value[i]);
}

void print_packet(const struct world_flow *f, unsigned n, const struct packet *p, char *out)
{
	static const char *const ecn[] = {"", " ect1", " ect0", " ce"};
	struct text t = {.out = out};
	uint32_t seq = p->seq - f->our_isn;
	char flags[32];

	add(&t, "@%u %s %u:%u(%u)", n, spec_flags(p->flags, flags), seq, seq + p->len, p->len);
	if (p->flags & PACKET_ACK)
		add(&t, " ack %u", p->ack - f->peer_isn);
	add(&t, " win %u%s", p->win, ecn[p->tos & 3]);
	if (p->flags & PACKET_URG)
		add(&t, " urg %u", p->urg);
	if (p->tos >> 2)
		add(&t, " tos %u", p->tos);
	if (p->ttl != 64)
		add(&t, " ttl %u", p->ttl);
	add(&t, " <");
	for (unsigned i = 0; i < p->option_count; i++) {
		add(&t, i ? ", " : "");
		add_option(&t, f, &p->option[i]);
	}
	add(&t, ">");
}

void print_sent(struct world *w, const struct world_packet *sent, char *out)
{
	double at = (double)(sent->at - w->start) / 1e9;
	struct world_flow *f;
	struct packet p;
	const char *wrong = packet_parse(&p, sent->bytes, sent->len);
	int n;

	if (wrong) {
		snprintf(out, PRINT_PACKET_MAX, "%.6f > a packet with %s", at, wrong);
		return;
	}
	if (p.protocol != 6) {
		snprintf(out, PRINT_PACKET_MAX, "%.6f > protocol %u, %u bytes, first %u/%u", at,
			 p.protocol, p.len, p.len ? p.data[0] : 0, p.len > 1 ? p.data[1] : 0);
		return;
	}
	f = world_flow_of(w, &p);
	if (!f) {
		snprintf(out, PRINT_PACKET_MAX, "%.6f > of no flow: port %u to port %u, flags 0x%x",
			 at, p.src_port, p.dst_port, p.flags);
		return;
	}
	n = snprintf(out, PRINT_PACKET_MAX, "%.6f > ", at);
	print_packet(f, (unsigned)(f - w->flows), &p, out + n);
}

const char *print_errno(int err)
{
	static char text[32];
	const char *name = constants_errno(-err);

	if (name)
		snprintf(text, sizeof(text), "-%s", name);
	else
		snprintf(text, sizeof(text), "%d", err);
	return text;
}
