/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/core/burst.h"

#include "netstack/core/conn.h"
#include "netstack/core/gro.h"
#include "netstack/tcp/xfer.h"
#include "netstack/wire/bytes.h"

#include <string.h>

/* Below it there is nothing to wait for together. */
#define WORTH_IT 2

/* Frames ahead whose headers are asked for: they have just been written by somebody else. */
#define AHEAD 4

struct look {
	struct rill_ip remote, local;
	struct rill_flow_key key;
	uint32_t hash;
	struct rill_conn *conn; /* NULL: none, or no segment of TCP over plain IPv4 */
	bool tcp;
	bool same; /* as the frame before it */
};

/* Offsets in a frame with 20 bytes of IPv4 header. */
#define AT_TYPE 12
#define AT_IP RILL_ETH_LEN
#define AT_FRAGMENT (AT_IP + 6)
#define AT_PROTO (AT_IP + 9)
#define AT_SRC (AT_IP + 12)
#define AT_PORTS (AT_IP + RILL_IP4_LEN)
#define AT_END (AT_PORTS + 4)

#define IP4_PLAIN 0x45	     /* version 4, no options */
#define FRAGMENT_MASK 0x3fff /* more fragments, and the offset */

/*
 * Only a look: whether the frame is what it seems to be is for rill_l3_input() to check. Who lies
 * gains a prefetch.
 */
static bool is_tcp4(const struct rill_buf *b)
{
	const uint8_t *f = b->data;

	return b->len >= AT_END && rill_load_be16(f + AT_TYPE) == RILL_ETH_IP4 &&
	       f[AT_IP] == IP4_PLAIN && f[AT_PROTO] == RILL_IP_TCP &&
	       (rill_load_be16(f + AT_FRAGMENT) & FRAGMENT_MASK) == 0;
}

/* Addresses and ports are 12 bytes in a row. */
static bool same_flow(const struct rill_buf *a, const struct rill_buf *b)
{
	return memcmp(a->data + AT_SRC, b->data + AT_SRC, AT_END - AT_SRC) == 0;
}

static void key_of(const struct rill_buf *b, struct look *l)
{
	const uint8_t *f = b->data;

	rill_ip4_set(&l->remote, rill_load_be32(f + AT_SRC));
	rill_ip4_set(&l->local, rill_load_be32(f + AT_SRC + 4));
	l->key = (struct rill_flow_key){
		.remote = &l->remote,
		.local = &l->local,
		.remote_port = rill_load_be16(f + AT_PORTS),
		.local_port = rill_load_be16(f + AT_PORTS + 2),
	};
}

static void look_at_headers(struct rill_core *core, struct rill_buf **bufs, unsigned n,
			    struct look *looks)
{
	for (unsigned i = 0; i < n; i++) {
		struct look *l = &looks[i];

		if (i + AHEAD < n)
			__builtin_prefetch(bufs[i + AHEAD]->data);
		l->conn = NULL;
		l->tcp = is_tcp4(bufs[i]);
		l->same = l->tcp && i > 0 && l[-1].tcp && same_flow(bufs[i], bufs[i - 1]);
		if (!l->tcp || l->same)
			continue;
		key_of(bufs[i], l);
		l->hash = rill_flow_hash(&core->flow_secret, &l->key);
		rill_flow_prefetch_bucket(&core->flows, l->hash);
	}
}

static bool is_first(const struct look *l)
{
	return l->tcp && !l->same;
}

static void find_all(struct rill_core *core, unsigned n, struct look *looks)
{
	for (unsigned i = 0; i < n; i++)
		if (is_first(&looks[i]))
			rill_flow_prefetch_first(&core->flows, looks[i].hash);
	for (unsigned i = 0; i < n; i++) {
		struct look *l = &looks[i];

		if (l->same)
			l->conn = l[-1].conn;
		else if (l->tcp)
			l->conn = rill_flow_find(&core->flows, l->hash, &l->key);
		if (l->conn && !l->same)
			rill_conn_prefetch(l->conn);
	}
	for (unsigned i = 0; i < n; i++)
		if (looks[i].conn && !looks[i].same)
			rill_conn_prefetch_transfer(looks[i].conn);
}

static void input_portion(struct rill_core *core, struct rill_buf **bufs, unsigned n)
{
	struct look looks[RILL_CORE_RX_BURST];

	look_at_headers(core, bufs, n, looks);
	find_all(core, n, looks);
	for (unsigned i = 0, taken; i < n; i += RILL_MAX(taken, 1u)) {
		/* Nothing is freed before settling, but it may have given up its addresses. */
		if (looks[i].conn && looks[i].conn->in_flows)
			rill_flow_found(&core->flows, looks[i].conn);
		taken = rill_gro_take(core, bufs + i, n - i);
		if (taken == 0)
			rill_core_input(core, bufs[i]);
	}
}

void rill_core_input_burst(struct rill_core *core, struct rill_buf **bufs, unsigned count)
{
	if (count < WORTH_IT || core->l3.no_link) {
		for (unsigned i = 0, taken; i < count; i += RILL_MAX(taken, 1u)) {
			taken = rill_gro_take(core, bufs + i, count - i);
			if (taken == 0)
				rill_core_input(core, bufs[i]);
		}
		return;
	}
	for (unsigned at = 0; at < count; at += RILL_CORE_RX_BURST)
		input_portion(core, bufs + at, RILL_MIN(count - at, (unsigned)RILL_CORE_RX_BURST));
}
