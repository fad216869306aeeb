/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/wire/vlan.h"

#include "netstack/wire/bytes.h"
#include "netstack/wire/eth.h"

#define ADDRS_LEN (2 * RILL_ETH_ADDR_LEN)

/* The frame's start moved by n. */
static void moved(struct rill_buf *b, int n)
{
	if (b->flags & RILL_BUF_CSUM_PARTIAL)
		b->csum_start = (uint16_t)(b->csum_start + n);
	if (b->flags & RILL_BUF_GSO)
		rill_buf_meta(b)->header_len = (uint16_t)(rill_buf_meta(b)->header_len + n);
}

bool rill_vlan_insert(struct rill_buf *b)
{
	uint8_t *p;

	if ((b->flags & RILL_BUF_VLAN) == 0 || b->len < RILL_ETH_LEN || !rill_buf_exclusive(b) ||
	    rill_buf_headroom(b) < RILL_VLAN_LEN)
		return false;
	p = rill_buf_push(b, RILL_VLAN_LEN);
	memmove(p, p + RILL_VLAN_LEN, ADDRS_LEN);
	rill_store_be16(p + ADDRS_LEN, RILL_VLAN_8021Q);
	rill_store_be16(p + ADDRS_LEN + 2, rill_buf_meta(b)->vlan_tci);
	moved(b, RILL_VLAN_LEN);
	b->flags &= (uint16_t)~RILL_BUF_VLAN;
	return true;
}

bool rill_vlan_strip(struct rill_buf *b)
{
	uint8_t *p = b->data;

	if ((b->flags & RILL_BUF_VLAN) != 0 || b->len < RILL_ETH_LEN + RILL_VLAN_LEN ||
	    rill_load_be16(p + ADDRS_LEN) != RILL_VLAN_8021Q)
		return false;
	rill_buf_meta(b)->vlan_tci = rill_load_be16(p + ADDRS_LEN + 2);
	b->flags |= RILL_BUF_VLAN;
	memmove(p + RILL_VLAN_LEN, p, ADDRS_LEN);
	rill_buf_pull(b, RILL_VLAN_LEN);
	moved(b, -RILL_VLAN_LEN);
	return true;
}
