/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tap:NAME[,mtu=N][,bufs=N]
 *
 * The other end of a kernel interface: what the kernel sends on NAME, rill receives, and the other
 * way round. Checksums are left out in both directions (IFF_VNET_HDR), since no wire is in between.
 * One system call per frame: for trying out and for exchange with the kernel, not for speed.
 *
 * An interface that is not there is created, brought up, and goes with the NIC. One that is there
 * (ip tuntap add ... mode tap) is left as it is. The NIC's MAC is its own, not the interface's: the
 * two are ends of a cable.
 */
#include "drivers/builtin.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/rand.h"
#include "drivers/netdev.h"
#include "drivers/spec.h"

#define ETH_LEN 14
#define VLAN_LEN 4
#define FRAME_OVERHEAD (ETH_LEN + 2 * VLAN_LEN)
#define BUF_BYTES_MIN 2048u
#define BUFS_DEFAULT 4096u

struct tap_queue {
	struct rill_nic_queue base;
	struct rill_buf_pool pool;
	int fd;
};

struct tap_nic {
	struct rill_nic base;
	char name[RILL_SPEC_NAME_LEN];
	uint64_t mtu; /* 0: the interface's */
	uint64_t bufs;
	bool created; /* by us, so ours to configure */
};

static struct tap_queue *queue_of(struct rill_nic_queue *q)
{
	return RILL_CONTAINER_OF(q, struct tap_queue, base);
}

/* ---- receive ---- */

/* A frame in b, or 0: none, or one that is of no use (the pool is the caller's). */
static bool read_frame(struct tap_queue *q, struct rill_buf *b, bool *ret_empty)
{
	struct virtio_net_hdr hdr;
	struct iovec iov[2] = {{&hdr, sizeof(hdr)}, {b->data, rill_buf_tailroom(b)}};
	ssize_t n = readv(q->fd, iov, 2);

	*ret_empty = n < 0;
	if (n < (ssize_t)sizeof(hdr) + ETH_LEN)
		return false;
	/* Segmentation was not offered, so this would be a kernel's mistake. */
	if (hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return false;
	b->len = (uint32_t)n - sizeof(hdr);
	/* NEEDS_CSUM: the sum was never computed, for the frame never left this machine's memory.
	 */
	if (hdr.flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID))
		b->flags |= RILL_BUF_CSUM_OK;
	b->queue = q->base.index;
	return true;
}

static unsigned tap_rx_burst(struct rill_nic_queue *base, struct rill_buf **bufs, unsigned n)
{
	struct tap_queue *q = queue_of(base);
	unsigned count = 0;
	uint64_t bytes = 0;
	bool empty = false;

	while (count < n && !empty) {
		struct rill_buf *b = rill_buf_alloc(&q->pool);

		/* The kernel's queue keeps the rest. */
		if (!b)
			break;
		if (read_frame(q, b, &empty)) {
			bytes += b->len;
			bufs[count++] = b;
			continue;
		}
		if (!empty)
			rill_counter_add(&base->stats.rx_dropped, 1);
		rill_buf_put_owner(&q->pool, b);
	}
	rill_counter_add(&base->stats.rx_packets, count);
	rill_counter_add(&base->stats.rx_bytes, bytes);
	return count;
}

/* The descriptor is readable as long as frames wait: there is nothing to arm and nothing to miss.
 */
static bool tap_rx_arm(struct rill_nic_queue *base)
{
	return true;
}

static void tap_rx_disarm(struct rill_nic_queue *base)
{
}

static int tap_rx_fd(struct rill_nic_queue *base)
{
	return queue_of(base)->fd;
}

/* ---- transmit ---- */

/* False: the kernel has no room now. */
static bool write_frame(struct tap_queue *q, const struct rill_buf *b)
{
	struct virtio_net_hdr hdr = {.gso_type = VIRTIO_NET_HDR_GSO_NONE};
	struct iovec iov[2] = {{&hdr, sizeof(hdr)}, {b->data, b->len}};

	if (b->flags & RILL_BUF_CSUM_PARTIAL) {
		hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		hdr.csum_start = b->csum_start;
		hdr.csum_offset = b->csum_offset;
	}
	if (writev(q->fd, iov, 2) >= 0) {
		rill_counter_add(&q->base.stats.tx_packets, 1);
		rill_counter_add(&q->base.stats.tx_bytes, b->len);
		return true;
	}
	if (errno == EAGAIN || errno == EINTR)
		return false;
	/* EIO: the interface is down. EINVAL: the kernel does not like the frame. */
	rill_counter_add(&q->base.stats.tx_dropped, 1);
	return true;
}

static unsigned tap_tx_burst(struct rill_nic_queue *base, struct rill_buf **bufs, unsigned n)
{
	struct tap_queue *q = queue_of(base);
	unsigned i = 0;

	while (i < n && write_frame(q, bufs[i]))
		rill_buf_put_owner(&q->pool, bufs[i++]);
	return i;
}

static void tap_tx_flush(struct rill_nic_queue *base)
{
}

/* ---- open and close ---- */

static void tap_close(struct rill_nic *base)
{
	for (unsigned i = 0; i < base->queue_count; i++) {
		struct tap_queue *q = queue_of(base->queues[i]);

		if (q->fd >= 0)
			close(q->fd);
		rill_buf_pool_fini_heap(&q->pool);
		free(q);
	}
	free(RILL_CONTAINER_OF(base, struct tap_nic, base));
}

static int fail_device(int err, char *error)
{
	if (err == -ENOENT || err == -ENODEV || err == -ENXIO)
		return rill_nic_fail(
			error, err,
			"tap: no /dev/net/tun here: load the tun module (modprobe tun), or give "
			"the container the device");
	if (err == -EACCES || err == -EPERM)
		return rill_nic_fail(
			error, err,
			"tap: not allowed to open /dev/net/tun: run as root or change its mode");
	return rill_nic_fail(error, err, "tap: cannot open /dev/net/tun: %s", strerror(-err));
}

static int fail_attach(const struct tap_nic *nic, int err, char *error)
{
	const char *name = nic->name;

	if (err == -EPERM)
		return rill_nic_fail(
			error, err,
			"tap:%s: not permitted: run with CAP_NET_ADMIN, or have it made for you: "
			"ip tuntap add dev %s mode tap user $USER",
			name, name);
	if (err == -EBUSY)
		return rill_nic_fail(
			error, err,
			"tap:%s is in use by another process (or by another NIC of this one)",
			name);
	if (err == -EINVAL)
		return rill_nic_fail(
			error, err,
			"tap:%s exists and is no tap, or has one queue only: ip link del %s, or "
			"make it with: ip tuntap add dev %s mode tap multi_queue",
			name, name, name);
	return rill_nic_fail(error, err, "tap:%s: %s", name, strerror(-err));
}

static int attach(int fd, const char *name, int flags)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | flags)};

	snprintf(ifr.ifr_name, IFNAMSIZ, "%.*s", IFNAMSIZ - 1, name);
	return ioctl(fd, TUNSETIFF, &ifr) < 0 ? -errno : 0;
}

static int configure(int fd)
{
	int hdr_len = sizeof(struct virtio_net_hdr);

	if (ioctl(fd, TUNSETVNETHDRSZ, &hdr_len) < 0 || ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM) < 0)
		return -errno;
	return 0;
}

static int queue_attach(struct tap_nic *nic, struct tap_queue *q, unsigned queues, char *error)
{
	q->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (q->fd < 0)
		return fail_device(-errno, error);
	int err = attach(q->fd, nic->name, queues > 1 ? IFF_MULTI_QUEUE : 0);

	/* One that others made with several queues is no obstacle. */
	if (err == -EINVAL && queues == 1)
		err = attach(q->fd, nic->name, IFF_MULTI_QUEUE);
	if (!err)
		err = configure(q->fd);
	return err ? fail_attach(nic, err, error) : 0;
}

static int queue_open(struct tap_nic *nic, unsigned queues, char *error)
{
	struct tap_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return rill_nic_fail(error, -ENOMEM, "tap: out of memory");
	q->base.nic = &nic->base;
	q->base.index = (uint16_t)nic->base.queue_count;
	q->base.pool = &q->pool;
	nic->base.queues[nic->base.queue_count++] = &q->base;
	return queue_attach(nic, q, queues, error);
}

static int pools_open(struct tap_nic *nic, char *error)
{
	uint32_t buf_bytes = RILL_MAX(BUF_BYTES_MIN,
				      nic->base.mtu + (uint32_t)FRAME_OVERHEAD + RILL_BUF_HEADROOM);

	for (unsigned i = 0; i < nic->base.queue_count; i++) {
		struct rill_buf_pool *pool = &queue_of(nic->base.queues[i])->pool;
		int err = rill_buf_pool_init_heap(pool, (uint32_t)nic->bufs, buf_bytes);

		if (err)
			return rill_nic_fail(error, err, "tap:%s: no memory for %u buffers",
					     nic->name, (unsigned)nic->bufs);
	}
	return 0;
}

static int interface_setup(struct tap_nic *nic, char *error)
{
	unsigned mtu = 0;
	int err = 0;

	if (nic->created && nic->mtu)
		err = rill_netdev_set_mtu(nic->name, (unsigned)nic->mtu);
	if (nic->created && !err)
		err = rill_netdev_set_up(nic->name);
	if (!err)
		err = rill_netdev_mtu(nic->name, &mtu);
	if (err)
		return rill_nic_fail(error, err, "tap:%s: cannot set it up: %s", nic->name,
				     strerror(-err));
	if (mtu > UINT16_MAX - FRAME_OVERHEAD)
		return rill_nic_fail(error, -EMSGSIZE, "tap:%s: mtu %u is too large", nic->name,
				     mtu);
	if (nic->mtu && nic->mtu != mtu)
		return rill_nic_fail(
			error, -EINVAL,
			"tap:%s is there with mtu %u: ip link set dev %s mtu %u, or leave mtu=",
			nic->name, mtu, nic->name, (unsigned)nic->mtu);
	nic->base.mtu = (uint16_t)mtu;
	return 0;
}

static void make_mac(uint8_t *mac)
{
	rill_rand_secret(mac, 6);
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02); /* locally administered, unicast */
}

static int nic_start(struct tap_nic *nic, const char *spec, unsigned queues, char *error)
{
	const struct rill_spec_key keys[] = {
		{"mtu", RILL_SPEC_UINT, &nic->mtu, 68, UINT16_MAX - FRAME_OVERHEAD},
		{"bufs", RILL_SPEC_UINT, &nic->bufs, 16, 1 << 22},
	};
	int err = rill_spec_parse("tap", spec, keys, RILL_ARRAY_SIZE(keys), nic->name, error);

	if (err)
		return err;
	if (strlen(nic->name) >= IFNAMSIZ)
		return rill_nic_fail(error, -EINVAL, "tap: '%s' is longer than %d bytes", nic->name,
				     IFNAMSIZ - 1);
	nic->created = rill_netdev_exists(nic->name) == -ENODEV;
	for (unsigned i = 0; !err && i < queues; i++)
		err = queue_open(nic, queues, error);
	if (!err)
		err = interface_setup(nic, error);
	return err ? err : pools_open(nic, error);
}

static int tap_open(const char *spec, unsigned queues, struct rill_nic **ret_nic, char *error)
{
	struct tap_nic *nic = calloc(1, sizeof(*nic));

	if (!nic)
		return rill_nic_fail(error, -ENOMEM, "tap: out of memory");
	nic->base.driver = &rill_tap_driver;
	nic->base.caps = RILL_NIC_RX_CSUM | RILL_NIC_TX_CSUM;
	nic->bufs = BUFS_DEFAULT;
	int err = nic_start(nic, spec, queues, error);

	if (err) {
		tap_close(&nic->base);
		return err;
	}
	make_mac(nic->base.mac);
	snprintf(nic->base.describe, sizeof(nic->base.describe), "tap:%s%s, %u queue%s, mtu %u",
		 nic->name, nic->created ? "" : " (not ours)", queues, queues == 1 ? "" : "s",
		 nic->base.mtu);
	*ret_nic = &nic->base;
	return 0;
}

const struct rill_driver rill_tap_driver = {
	.name = "tap",
	.open = tap_open,
	.close = tap_close,
	.rx_burst = tap_rx_burst,
	.tx_burst = tap_tx_burst,
	.tx_flush = tap_tx_flush,
	.rx_arm = tap_rx_arm,
	.rx_disarm = tap_rx_disarm,
	.rx_fd = tap_rx_fd,
};
