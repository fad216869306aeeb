/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/bed.h"

#define ETH_LEN 14

static uint32_t load16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t load32(const uint8_t *p)
{
	return load16(p) << 16 | load16(p + 2);
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static uint64_t mix_bytes(uint64_t h, const uint8_t *p, uint32_t len)
{
	uint64_t word;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = mix(h, word);
	}
	for (; len > 0; p++, len--)
		h = mix(h, *p);
	return h;
}

/* ---- for people ---- */

static void print_sack(const uint8_t *option, uint32_t len)
{
	for (uint32_t i = 2; i + 8 <= len; i += 8)
		printf(" sack %" PRIu32 "-%" PRIu32, load32(option + i), load32(option + i + 4));
}

static void print_options(const uint8_t *at, const uint8_t *end)
{
	while (at < end && *at != 0) {
		if (*at == 1) {
			at++;
			continue;
		}
		if (end - at < 2 || at[1] < 2 || at[1] > end - at)
			return;
		if (*at == 2 && at[1] == 4)
			printf(" mss %" PRIu32, load16(at + 2));
		if (*at == 3 && at[1] == 3)
			printf(" wscale %u", at[2]);
		if (*at == 4)
			printf(" sackOK");
		if (*at == 5)
			print_sack(at, at[1]);
		if (*at == 8 && at[1] == 10)
			printf(" ts %" PRIu32 "/%" PRIu32, load32(at + 2), load32(at + 6));
		at += at[1];
	}
}

static void print_tcp(const uint8_t *tcp, uint32_t len)
{
	static const char letters[] = "FSRP.UEW";
	uint32_t header = (tcp[12] >> 4) * 4u;

	if (header < 20 || header > len)
		return;
	printf("%" PRIu32 " > %" PRIu32 " ", load16(tcp), load16(tcp + 2));
	for (unsigned i = 0; i < 8; i++)
		if (tcp[13] & 1u << i)
			putchar(letters[i]);
	printf(" seq %" PRIu32 " len %" PRIu32 " ack %" PRIu32 " win %" PRIu32, load32(tcp + 4),
	       len - header, load32(tcp + 8), load16(tcp + 14));
	print_options(tcp + 20, tcp + header);
}

static void print_packet(const uint8_t *frame, uint32_t len)
{
	const uint8_t *ip = frame + ETH_LEN;
	uint32_t type = load16(frame + 12), total = len >= 34 ? load16(ip + 2) : 0;

	if (type == 0x0806 && len >= ETH_LEN + 28) {
		printf("arp %s", ip[7] == 1 ? "request" : "reply");
	} else if (type == 0x0800 && total >= 40 && total <= len - ETH_LEN && ip[0] == 0x45 &&
		   ip[9] == 6) {
		if (ip[1] & 3)
			printf("ecn %u ", ip[1] & 3);
		print_tcp(ip + 20, total - 20);
	} else {
		printf("ethertype %04" PRIx32 " protocol %u, %" PRIu32 " bytes", type,
		       len > ETH_LEN + 9 ? ip[9] : 0, len);
	}
}

static void print(const struct rill_sim_event *e)
{
	uint64_t now = e->now_ns - BED_START_NS;

	printf("%4" PRIu64 ".%09" PRIu64 " %s ", now / 1000000000, now % 1000000000,
	       e->port == BED_CLIENT ? "-->" : "<--");
	print_packet(e->frame, e->len);
	if (e->fate != RILL_SIM_SENT)
		printf("  [%s]\n", rill_sim_fate_name(e->fate));
	else
		printf("  [+%" PRIu64 " us%s%s%s%s]\n", (e->arrival_ns - e->now_ns) / 1000,
		       e->marked ? " CE" : "", e->corrupted ? " corrupted" : "",
		       e->reordered ? " late" : "", e->duplicated ? " twice" : "");
}

void trace_frame(void *ctx, const struct rill_sim_event *e)
{
	struct bed *bed = ctx;
	uint64_t fate = (uint64_t)e->fate | (uint64_t)e->port << 8 | (uint64_t)e->marked << 16 |
			(uint64_t)e->corrupted << 17 | (uint64_t)e->duplicated << 18;

	bed->frames++;
	bed->hash = mix(mix(mix(bed->hash, e->now_ns), e->arrival_ns), fate);
	bed->hash = mix_bytes(bed->hash, e->frame, e->len);
	if (bed->print)
		print(e);
}
