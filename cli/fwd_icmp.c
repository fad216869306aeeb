/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP (RFC 792): an echo to the forwarder itself, and errors about what it does not forward. */
#include "cli/fwd.h"

#define IP_LEN 20
#define ICMP_LEN 8
#define PROTO_ICMP 1
#define TTL 64
/* Of the packet that an error is about: RFC 1812, 4.3.2.3. */
#define QUOTE_MAX (576 - IP_LEN - ICMP_LEN)

enum {
	ECHO_REPLY = 0,
	ECHO = 8,
};

static uint32_t ip_header_len(const uint8_t *ip)
{
	return (ip[0] & 15u) * 4;
}

void rill_fwd_icmp_in(struct fwd_port *in, struct fwd_lane *lane, struct rill_pkt *p)
{
	uint8_t *ip = p->data + FWD_ETH_LEN, *icmp;
	uint32_t header = ip_header_len(ip), from = fwd_get_ip(ip + 12);
	uint32_t len = fwd_get16(ip + 2) - header;

	icmp = ip + header;
	if (ip[9] != PROTO_ICMP || p->flags & RILL_PKT_CHAIN || len < ICMP_LEN || icmp[0] != ECHO ||
	    fwd_get16(ip + 6) & 0x3fff || rill_fwd_checksum(icmp, len) != 0) {
		fwd_drop(&fwd_counters(lane, in)->to_self, p);
		return;
	}
	icmp[0] = ECHO_REPLY;
	fwd_put16(icmp + 2, 0);
	fwd_put16(icmp + 2, rill_fwd_checksum(icmp, len));
	fwd_put_ip(ip + 12, fwd_get_ip(ip + 16));
	fwd_put_ip(ip + 16, from);
	ip[8] = TTL;
	fwd_put16(ip + 10, 0);
	fwd_put16(ip + 10, rill_fwd_checksum(ip, header));
	fwd_count(&fwd_counters(lane, in)->answered, 1);
	rill_fwd_ip_out(in, lane, from, p);
}

/* None about errors, about other than first fragments, or to no single host (RFC 1812, 4.3.2.7). */
static bool may_answer(const struct rill_pkt *p)
{
	const uint8_t *ip = p->data + FWD_ETH_LEN, *icmp = ip + ip_header_len(ip);

	if (p->data[0] & 1 || fwd_get16(ip + 6) & 0x1fff)
		return false;
	if (ip[9] != PROTO_ICMP)
		return true;
	return icmp < p->data + p->len && (icmp[0] == ECHO || icmp[0] == ECHO_REPLY);
}

/* So many in a tenth of a second (RFC 1812, 4.3.2.8). */
static bool spend_credit(struct fwd *fwd)
{
	unsigned left = atomic_load_explicit(&fwd->icmp_credit, memory_order_relaxed);

	while (left > 0)
		if (atomic_compare_exchange_weak_explicit(&fwd->icmp_credit, &left, left - 1,
							  memory_order_relaxed,
							  memory_order_relaxed))
			return true;
	return false;
}

static void write_header(uint8_t *ip, const struct fwd_port *in, uint32_t to, uint32_t len)
{
	memset(ip, 0, IP_LEN);
	ip[0] = 0x45;
	fwd_put16(ip + 2, (uint16_t)len);
	ip[8] = TTL;
	ip[9] = PROTO_ICMP;
	fwd_put_ip(ip + 12, in->ip);
	fwd_put_ip(ip + 16, to);
	fwd_put16(ip + 10, rill_fwd_checksum(ip, IP_LEN));
}

void rill_fwd_icmp_error(struct fwd_port *in, struct fwd_lane *lane, uint8_t type, uint8_t code,
			 uint32_t rest, struct rill_pkt *p)
{
	const uint8_t *about = p->data + FWD_ETH_LEN;
	uint32_t quote = p->len - FWD_ETH_LEN, to = fwd_get_ip(about + 12);
	struct rill_pkt *e;

	if (quote > QUOTE_MAX)
		quote = QUOTE_MAX;
	/* Nor longer than what the port takes: its packets need not have room for more. */
	if (quote + IP_LEN + ICMP_LEN > in->info.mtu)
		quote = in->info.mtu - IP_LEN - ICMP_LEN;
	if (!may_answer(p) || !spend_credit(in->fwd) ||
	    rill_port_alloc(in->port, lane_queue(lane, in->fwd, in->index), &e, 1) == 0) {
		rill_pkt_free(&p, 1);
		return;
	}
	uint8_t *frame = rill_pkt_append(e, FWD_ETH_LEN + IP_LEN + ICMP_LEN + quote);
	uint8_t *icmp = frame + FWD_ETH_LEN + IP_LEN;

	fwd_put16(frame + 12, FWD_ETHERTYPE_IP4);
	write_header(frame + FWD_ETH_LEN, in, to, IP_LEN + ICMP_LEN + quote);
	memset(icmp, 0, ICMP_LEN);
	icmp[0] = type;
	icmp[1] = code;
	fwd_put16(icmp + 6, (uint16_t)rest); /* the next MTU (RFC 1191, 4) */
	memcpy(icmp + ICMP_LEN, about, quote);
	fwd_put16(icmp + 2, rill_fwd_checksum(icmp, ICMP_LEN + quote));
	rill_pkt_free(&p, 1);
	fwd_count(&fwd_counters(lane, in)->answered, 1);
	rill_fwd_ip_out(in, lane, to, e);
}
