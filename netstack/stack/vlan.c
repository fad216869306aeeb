/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/vlan.h"

#include <string.h>

#include "netstack/stack/net.h"
#include "netstack/wire/bytes.h"
#include "netstack/wire/eth.h"
#include "netstack/wire/vlan.h"

/* Both addresses. */
#define ADDRS_LEN 12
/* Of a tag, the rest being priority. */
#define ID_MASK 0xfffu

/* The tag, by the NIC or in software, and whether it is ours. */
static bool untag(struct rill_buf *b, uint16_t id)
{
	if ((b->flags & RILL_BUF_VLAN) == 0 && !rill_vlan_strip(b))
		return false;
	if ((rill_buf_meta(b)->vlan_tci & ID_MASK) != id)
		return false;
	b->flags &= (uint16_t)~RILL_BUF_VLAN;
	return true;
}

unsigned rill_vlan_receive(struct rill_shard *sh, struct rill_buf **bufs, unsigned n)
{
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++) {
		if (untag(bufs[i], sh->net->vlan)) {
			bufs[left++] = bufs[i];
			continue;
		}
		rill_core_count_drop(&sh->core, RILL_DROP_VLAN);
		rill_core_put(&sh->core, bufs[i]);
	}
	return left;
}

static void tag(struct rill_buf *b, uint16_t id)
{
	uint8_t *p = rill_buf_push(b, RILL_VLAN_LEN);

	memmove(p, p + RILL_VLAN_LEN, ADDRS_LEN);
	rill_store_be16(p + ADDRS_LEN, RILL_VLAN_8021Q);
	rill_store_be16(p + ADDRS_LEN + 2, id);
	if (b->flags & RILL_BUF_CSUM_PARTIAL)
		b->csum_start += RILL_VLAN_LEN;
	if (b->flags & RILL_BUF_GSO)
		rill_buf_meta(b)->header_len += RILL_VLAN_LEN;
}

void rill_vlan_send(uint16_t id, struct rill_buf **bufs, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		tag(bufs[i], id);
}
