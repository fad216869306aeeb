/* SPDX-License-Identifier: BSD-3-Clause */
#include "expect.h"

#include <stdio.h>
#include <string.h>

#include "match.h"
#include "print.h"

static uint64_t until(struct expect_time when)
{
	/* A day is longer than any timer of a connection but keep-alive's settings. */
	return when.any ? when.at + 86400 * RILL_SEC : when.at + when.tolerance;
}

/* Runs the clock until the next packet was sent, and checks when. */
static const struct world_packet *await(struct world *w, struct expect_time when)
{
	char text[PRINT_PACKET_MAX];
	int64_t late;

	world_advance_to_packet(w, until(when));
	if (!w->first)
		world_fail(w, "nothing was sent until %.6f",
			   (double)(until(when) - w->start) / 1e9);
	late = (int64_t)(w->first->at - when.at);
	if (when.any || (late <= (int64_t)when.tolerance && -late <= (int64_t)when.tolerance))
		return w->first;
	print_sent(w, w->first, text);
	world_fail(w, "sent %.3f ms %s: %s", (double)(late < 0 ? -late : late) / 1e6,
		   late < 0 ? "too early" : "too late", text);
}

/* What every packet of the stack's must keep, whatever the case is about. */
static const char *check_always(const struct packet *p)
{
	const struct packet_option *mss = packet_option(p, OPTION_MSS);

	/* MUST-65 */
	if (mss && !(p->flags & PACKET_SYN))
		return "an MSS option without SYN";
	if ((p->flags & PACKET_SYN) && !mss)
		return "a SYN without an MSS option";
	if ((p->flags & PACKET_SYN) && (p->flags & (PACKET_FIN | PACKET_RST)))
		return "SYN with FIN or RST";
	if (!(p->flags & (PACKET_ACK | PACKET_SYN | PACKET_RST)))
		return "no ACK (RFC 9293, 3.4)";
	if ((p->flags & PACKET_RST) && p->len > 0)
		return "a RST with data";
	if (!p->df)
		return "no DF, which path MTU discovery needs";
	return NULL;
}

static void check(struct world *w, const struct world_flow *f, const struct spec *spec,
		  const struct world_packet *sent)
{
	char text[PRINT_PACKET_MAX];
	struct packet p;
	const char *wrong = packet_parse(&p, sent->bytes, sent->len);

	if (!wrong && p.protocol != 6)
		wrong = "no TCP";
	if (!wrong && world_flow_of(w, &p) != f)
		wrong = "another flow";
	if (!wrong)
		wrong = check_always(&p);
	if (!wrong)
		wrong = match_segment(f, spec, &p);
	if (!wrong)
		return;
	print_sent(w, sent, text);
	world_fail(w, "%s: %s", wrong, text);
}

void expect_segment(struct world *w, const struct world_flow *f, const struct spec *spec,
		    struct expect_time when)
{
	const struct world_packet *sent = await(w, when);

	w->at = sent->at;
	check(w, f, spec, sent);
	world_drop_packet(w);
}

void expect_series(struct world *w, const struct world_flow *f, const struct spec *spec,
		   struct expect_time when)
{
	struct spec one = *spec;

	if (spec->len <= 0)
		world_fail(w, "a series needs a length");
	while (one.seq.low < spec->end.low) {
		int64_t left = spec->end.low - one.seq.low;

		one.len = left < spec->len ? left : spec->len;
		one.seq.high = one.seq.low;
		expect_segment(w, f, &one, when);
		one.seq.low += one.len;
	}
}

void expect_icmp(struct world *w, int64_t type, int64_t code, struct expect_time when)
{
	char text[PRINT_PACKET_MAX];
	const struct world_packet *sent = await(w, when);
	struct packet p;
	const char *wrong = packet_parse(&p, sent->bytes, sent->len);

	w->at = sent->at;
	if (wrong || p.protocol != 1 || p.len < 8 || p.data[0] != type || p.data[1] != code) {
		print_sent(w, sent, text);
		world_fail(w, "%s: %s", wrong ? wrong : "another message", text);
	}
	world_drop_packet(w);
}
