/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/ip/icmp.h"

#include "netstack/ip/l3.h"
#include "netstack/wire/bytes.h"
#include "netstack/wire/chain.h"
#include "netstack/wire/checksum.h"

#define COST_NS (RILL_SEC / RILL_ICMP_RATE)
#define CREDIT_MAX_NS (COST_NS * RILL_ICMP_BURST)

void rill_icmp_bucket_init(struct rill_icmp_bucket *b)
{
	b->credit_ns = CREDIT_MAX_NS;
	b->last_ns = 0;
}

bool rill_icmp_bucket_take(struct rill_icmp_bucket *b, uint64_t now)
{
	uint64_t earned = now > b->last_ns ? now - b->last_ns : 0;

	b->credit_ns =
		earned < CREDIT_MAX_NS - b->credit_ns ? b->credit_ns + earned : CREDIT_MAX_NS;
	b->last_ns = now;
	if (b->credit_ns < COST_NS)
		return false;
	b->credit_ns -= COST_NS;
	return true;
}

/* ---- echo ---- */

/*
 * The request becomes the reply: only the type changes, so the data cannot (RFC 1122, 3.2.2.6).
 * Received buffers have the headers that were in front of them as headroom.
 */
static void echo_reply(struct rill_l3 *l3, struct rill_buf *b, const struct rill_ip_meta *m,
		       uint64_t now)
{
	struct rill_ip_out o = {
		.dst = m->src,
		.src = rill_ip4_get(&m->dst),
		.proto = RILL_IP_ICMP,
		.tos = m->tos,
		.chain = true,
	};
	uint16_t old = rill_load_raw16(b->data);

	b->data[0] = RILL_ICMP4_ECHO_REPLY;
	rill_store_raw16(b->data + 2, rill_csum_update16(rill_load_raw16(b->data + 2), old,
							 rill_load_raw16(b->data)));
	b->flags = 0;
	rill_l3_output(l3, b, &o, NULL, now);
}

/* ---- errors received ---- */

static enum rill_drop error_input(struct rill_l3 *l3, struct rill_buf *b,
				  const struct rill_icmp4 *icmp, const struct rill_ip_meta *m)
{
	struct rill_icmp4_embedded em;
	enum rill_drop drop =
		rill_icmp4_parse_embedded(b->data + RILL_ICMP4_LEN, b->len - RILL_ICMP4_LEN, &em);

	if (drop)
		return drop;
	/* Ours came from our address and did not go to a group (RFC 1122, 3.2.2). */
	if (!rill_l3_owns(l3, em.ip.src) || rill_ip4_is_bad_source(em.ip.dst) ||
	    rill_l3_is_broadcast(l3, em.ip.dst))
		return RILL_DROP_ICMP_EMBEDDED;
	struct rill_icmp_error e = {
		.type = icmp->type,
		.code = icmp->code,
		.proto = em.ip.proto,
		.local_port = em.src_port,
		.remote_port = em.dst_port,
		.tcp_seq = em.tcp_seq,
		.from = m->src,
	};

	rill_ip4_set(&e.local, em.ip.src);
	rill_ip4_set(&e.remote, em.ip.dst);
	if (icmp->type == RILL_ICMP4_UNREACHABLE && icmp->code == RILL_ICMP4_FRAG_NEEDED)
		e.mtu = (uint16_t)icmp->rest;
	if (l3->ops->icmp_error)
		l3->ops->icmp_error(l3->ctx, &e);
	rill_l3_put_chain(l3, b);
	return RILL_DROP_NONE;
}

enum rill_drop rill_icmp_input(struct rill_l3 *l3, struct rill_buf *b, const struct rill_ip_meta *m,
			       uint64_t now)
{
	/* Reassembly leaves at least 8 bytes in each buffer but the last. */
	enum rill_drop drop = rill_icmp4_check(b->len, rill_chain_csum(0, b, rill_chain_len(b)));
	struct rill_icmp4 icmp;

	if (drop)
		return drop;
	/* RFC 1122, 3.2.2.6 allows silence to all of these, and amplification forbids anything
	 * else. */
	if (m->broadcast)
		return RILL_DROP_ICMP_BROADCAST;
	rill_icmp4_parse(b->data, &icmp);
	switch (icmp.type) {
	case RILL_ICMP4_ECHO:
		echo_reply(l3, b, m, now);
		return RILL_DROP_NONE;
	case RILL_ICMP4_UNREACHABLE:
	case RILL_ICMP4_TIME_EXCEEDED:
	case RILL_ICMP4_PARAMETER_PROBLEM:
		return error_input(l3, b, &icmp, m);
	default:
		/* Redirects by policy: the route is configured. Source quench by RFC 6633. */
		return RILL_DROP_ICMP_TYPE;
	}
}

/* ---- errors sent ---- */

/* RFC 1122, 3.2.2. Bad and broadcast sources were dropped on input already. */
static bool may_report(const struct rill_l3 *l3, const struct rill_buf *b, const struct rill_ip4 *h)
{
	if (!rill_l3_owns(l3, h->dst) || h->frag_offset)
		return false;
	return h->proto != RILL_IP_ICMP || (b->len > 0 && !rill_icmp4_is_error(b->data[0]));
}

void rill_icmp_send_error(struct rill_l3 *l3, const struct rill_buf *b, const struct rill_ip4 *h,
			  uint8_t type, uint8_t code, uint64_t now)
{
	struct rill_icmp4 icmp = {.type = type, .code = code};
	struct rill_ip_out o = {.src = h->dst, .proto = RILL_IP_ICMP};

	if (!may_report(l3, b, h))
		return;
	if (!rill_icmp_bucket_take(&l3->icmp_bucket, now)) {
		rill_l3_tx_drop(l3, NULL, RILL_DROP_ICMP_RATE);
		return;
	}
	struct rill_buf *e = rill_l3_alloc(l3);

	if (!e)
		return;
	uint32_t payload_max = RILL_ICMP_ERROR_MAX - RILL_IP4_LEN;
	uint32_t room = RILL_MIN(payload_max, l3->payload_max) - RILL_ICMP4_LEN;
	uint32_t quoted = RILL_MIN(h->header_len + b->len, room);
	uint8_t *p = rill_buf_append(e, RILL_ICMP4_LEN + quoted);

	memcpy(p + RILL_ICMP4_LEN, b->data - h->header_len, quoted);
	rill_icmp4_emit(p, &icmp, rill_csum_add(0, p + RILL_ICMP4_LEN, quoted));
	rill_ip4_set(&o.dst, h->src);
	rill_l3_output(l3, e, &o, NULL, now);
}
