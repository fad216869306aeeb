/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames through a tun descriptor with IFF_VNET_HDR: in front of each is a struct virtio_net_hdr,
 * which says what nobody has done yet, since no wire is in between. Checksums are left out both
 * ways. So is segmentation: TCP (and UDP, from Linux 6.2 on) comes and goes in packets of up to
 * 64 KiB, one system call each. Received ones lie in a chain of the pool's buffers (RILL_BUF_CHAIN,
 * RILL_BUF_GSO); sent ones may have pieces of either kind.
 */
#ifndef RILL_DRIVERS_TAP_VNET_H
#define RILL_DRIVERS_TAP_VNET_H

#include "drivers/buf.h"

/* Buffers that one received frame may take. */
#define RILL_TAP_VNET_PIECES RILL_BUF_SEGS_MAX
/* Bytes of a frame before it is cut. */
#define RILL_TAP_VNET_GSO_MAX 65535

struct rill_tap_vnet {
	int fd;
	uint16_t queue;
	struct rill_buf_pool *pool;
	bool gso; /* frames may be longer than the MTU */
	/* What the next frame is read into; most of it stays. */
	unsigned spare_count;
	struct rill_buf *spare[RILL_TAP_VNET_PIECES];
};

/*
 * Asks the kernel for all that it can leave out on fd, or for checksums alone with no_gso: which
 * of enum rill_nic_caps the NIC has then. -errno.
 */
int rill_tap_vnet_configure(int fd, bool no_gso, uint32_t *ret_caps);

void rill_tap_vnet_init(struct rill_tap_vnet *v, int fd, uint16_t queue, struct rill_buf_pool *pool,
			uint32_t caps);
/* Gives the spare buffers back. */
void rill_tap_vnet_fini(struct rill_tap_vnet *v);

/*
 * The next frame. -EAGAIN: there is none. -ENOBUFS: no buffer, and nothing was read. -EINVAL: there
 * was one, which is of no use, and is gone.
 */
int rill_tap_vnet_read(struct rill_tap_vnet *v, struct rill_buf **ret_b);
/* Sends b, which stays the caller's. -EAGAIN: the kernel has no room now; else it does not like it.
 */
int rill_tap_vnet_write(const struct rill_tap_vnet *v, struct rill_buf *b);

#endif
