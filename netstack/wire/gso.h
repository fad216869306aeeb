/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segmentation in software: what a NIC with RILL_NIC_TX_TSO or TX_USO does to a frame with
 * RILL_BUF_GSO, done by the CPU, with the same bytes as result: TCP over IPv4 and IPv6, UDP (each
 * piece becomes a datagram), with VLAN tags in the frame or beside it.
 *
 *   each frame: the header, the next gso_size bytes of payload (the last one: the rest)
 *   IPv4: length, checksum; the ID counts up, but not with DF, where it means nothing (RFC 6864)
 *   IPv6: length
 *   TCP: sequence number; CWR in the first only, PSH and FIN in the last only; checksum
 *   UDP: length; checksum
 */
#ifndef RILL_NETSTACK_WIRE_GSO_H
#define RILL_NETSTACK_WIRE_GSO_H

#include <stdbool.h>

#include "drivers/buf.h"

enum rill_gso_csum {
	RILL_GSO_CSUM_FULL,    /* the transport checksum is computed */
	RILL_GSO_CSUM_PARTIAL, /* RILL_BUF_CSUM_PARTIAL: the NIC's part is left to it */
	RILL_GSO_CSUM_TRUSTED, /* RILL_BUF_CSUM_OK: nobody will look at it */
};

struct rill_gso_config {
	/* An empty buffer with RILL_BUF_HEADROOM in front, or NULL. */
	struct rill_buf *(*alloc)(void *ctx);
	void *ctx;
	enum rill_gso_csum csum;
	bool no_link; /* frames begin with the IP header */
	/* 0: the frame's own. Else TCP is cut into pieces of this many bytes: where a frame of
	 * several buffers is to become one of single ones. */
	uint16_t gso_size;
};

/*
 * Adds the frames to ret, and leaves the one given as it was. Header and payload may lie in
 * several pieces, the header whole in the first. -EINVAL: it is not what it says (nothing is read
 * beyond it). -EMSGSIZE: the buffers are too small. -ENOBUFS. On failure nothing was added.
 */
int rill_gso_cut(struct rill_buf *frame, const struct rill_gso_config *config,
		 struct rill_buf_queue *ret);

#endif
