/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/tap_vnet.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "drivers/driver.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define ETH_LEN 14
#define ETH_TYPE_AT 12
#define VLAN_LEN 4
/* Where TCP has its checksum; UDP has it elsewhere. */
#define TCP_CSUM_AT 16

#define OFFLOAD_TCP (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)
#define OFFLOAD_ALL (OFFLOAD_TCP | TUN_F_USO4 | TUN_F_USO6)

#define CAPS_CSUM (RILL_NIC_RX_CSUM | RILL_NIC_TX_CSUM | RILL_NIC_TX_SEGS)
#define CAPS_TCP (CAPS_CSUM | RILL_NIC_TX_TSO | RILL_NIC_RX_SEGS | RILL_NIC_RX_LRO)

int rill_tap_vnet_configure(int fd, bool no_gso, uint32_t *ret_caps)
{
	const struct {
		unsigned offload;
		uint32_t caps;
	} tries[] = {
		{OFFLOAD_ALL, CAPS_TCP | RILL_NIC_TX_USO},
		{OFFLOAD_TCP, CAPS_TCP},
		{TUN_F_CSUM, CAPS_CSUM},
	};
	int hdr_len = sizeof(struct virtio_net_hdr);
	int err = -EINVAL;

	if (ioctl(fd, TUNSETVNETHDRSZ, &hdr_len) < 0)
		return -errno;
	/* Old kernels refuse what they do not know. */
	for (unsigned i = no_gso ? 2 : 0; err && i < RILL_ARRAY_SIZE(tries); i++) {
		err = ioctl(fd, TUNSETOFFLOAD, tries[i].offload) < 0 ? -errno : 0;
		if (!err)
			*ret_caps = tries[i].caps;
	}
	return err;
}

void rill_tap_vnet_init(struct rill_tap_vnet *v, int fd, uint16_t queue, struct rill_buf_pool *pool,
			uint32_t caps)
{
	v->fd = fd;
	v->queue = queue;
	v->pool = pool;
	v->gso = (caps & RILL_NIC_RX_LRO) != 0;
	v->spare_count = 0;
}

void rill_tap_vnet_fini(struct rill_tap_vnet *v)
{
	while (v->spare_count > 0)
		rill_buf_put(v->spare[--v->spare_count]);
}

/* ---- receive ---- */

/* As many buffers as a frame may need, or as there are. */
static unsigned fill_spare(struct rill_tap_vnet *v)
{
	unsigned want = v->gso ? RILL_TAP_VNET_PIECES : 1;
	struct rill_buf *b;

	while (v->spare_count < want && (b = rill_buf_alloc(v->pool)))
		v->spare[v->spare_count++] = b;
	return v->spare_count;
}

/* Makes one frame of the first spare buffers, which hold len bytes. */
static struct rill_buf *take_pieces(struct rill_tap_vnet *v, uint32_t len)
{
	struct rill_buf *first = v->spare[0];
	unsigned n = 0;

	while (len > 0) {
		struct rill_buf *b = v->spare[n++];

		b->len = RILL_MIN(len, (uint32_t)rill_buf_tailroom(b));
		len -= b->len;
		b->next = len > 0 ? v->spare[n] : NULL;
	}
	if (n > 1)
		first->flags |= RILL_BUF_CHAIN;
	v->spare_count -= n;
	memmove(v->spare, v->spare + n, v->spare_count * sizeof(v->spare[0]));
	return first;
}

/* What the kernel says of the frame. False: what was never asked for. */
static bool describe(const struct virtio_net_hdr *hdr, struct rill_buf *b)
{
	/* NEEDS_CSUM: the sum was never computed, for the frame never left this machine. */
	if (hdr->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID))
		b->flags |= RILL_BUF_CSUM_OK;
	/* For whoever passes it on. */
	if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		b->flags |= RILL_BUF_CSUM_PARTIAL;
		b->csum_start = hdr->csum_start;
		b->csum_offset = hdr->csum_offset;
	}
	switch (hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		b->flags |= RILL_BUF_GSO;
		rill_buf_meta(b)->gso_size = hdr->gso_size;
		rill_buf_meta(b)->header_len = hdr->hdr_len;
		return hdr->gso_size != 0;
	default:
		return false;
	}
}

int rill_tap_vnet_read(struct rill_tap_vnet *v, struct rill_buf **ret_b)
{
	struct iovec iov[RILL_TAP_VNET_PIECES + 1];
	struct virtio_net_hdr hdr;
	unsigned count = fill_spare(v);
	size_t room = sizeof(hdr);
	struct rill_buf *b;
	ssize_t n;

	if (count == 0)
		return -ENOBUFS;
	iov[0] = (struct iovec){&hdr, sizeof(hdr)};
	for (unsigned i = 0; i < count; i++) {
		b = v->spare[i];
		iov[i + 1] = (struct iovec){b->data, rill_buf_tailroom(b)};
		room += iov[i + 1].iov_len;
	}
	n = readv(v->fd, iov, (int)count + 1);
	if (n < 0)
		return -EAGAIN;
	/* Filled to the brim, it may have been longer. */
	if (n < (ssize_t)sizeof(hdr) + ETH_LEN || (v->gso && (size_t)n == room))
		return -EINVAL;
	b = take_pieces(v, (uint32_t)n - sizeof(hdr));
	b->queue = v->queue;
	if (!describe(&hdr, b)) {
		rill_buf_put(b);
		return -EINVAL;
	}
	*ret_b = b;
	return 0;
}

/* ---- transmit ---- */

/* The type of what is behind the Ethernet header and its tags. */
static bool is_ip6(const struct rill_buf *b)
{
	uint32_t at = ETH_TYPE_AT;

	while (at + 2 <= b->len) {
		uint16_t type = (uint16_t)(b->data[at] << 8 | b->data[at + 1]);

		if (type != 0x8100 && type != 0x88a8)
			return type == 0x86dd;
		at += VLAN_LEN;
	}
	return false;
}

static struct virtio_net_hdr header_of(struct rill_buf *b)
{
	struct virtio_net_hdr hdr = {.gso_type = VIRTIO_NET_HDR_GSO_NONE};

	if (b->flags & RILL_BUF_CSUM_PARTIAL) {
		hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		hdr.csum_start = b->csum_start;
		hdr.csum_offset = b->csum_offset;
	}
	if ((b->flags & RILL_BUF_GSO) == 0)
		return hdr;
	hdr.gso_size = rill_buf_meta(b)->gso_size;
	hdr.hdr_len = rill_buf_meta(b)->header_len;
	if (b->csum_offset != TCP_CSUM_AT)
		hdr.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
	else if (is_ip6(b))
		hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	else
		hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	return hdr;
}

int rill_tap_vnet_write(const struct rill_tap_vnet *v, struct rill_buf *b)
{
	struct rill_buf_seg segs[RILL_BUF_SEGS_MAX];
	struct iovec iov[RILL_BUF_SEGS_MAX + 1];
	struct virtio_net_hdr hdr = header_of(b);
	unsigned count = rill_buf_segs(b, segs, RILL_BUF_SEGS_MAX);

	if (count == 0)
		return -EMSGSIZE;
	iov[0] = (struct iovec){&hdr, sizeof(hdr)};
	for (unsigned i = 0; i < count; i++)
		iov[i + 1] = (struct iovec){segs[i].data, segs[i].len};
	if (writev(v->fd, iov, (int)count + 1) >= 0)
		return 0;
	/* EIO: the interface is down. EINVAL: the kernel does not like the frame. */
	return errno == EINTR ? -EAGAIN : -errno;
}
