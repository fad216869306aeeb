/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tap:NAME[,mtu=N][,bufs=N][,gso=on|off][,netns=NAME|PATH|new][,persist=on|off]
 *
 * The other end of a kernel interface: what the kernel sends on NAME, rill receives, and the other
 * way round. Checksums are left out in both directions, since no wire is in between, and so is
 * segmentation, but with gso=off (tap_vnet.h). One system call per frame: for trying out and for
 * exchange with the kernel, not for speed.
 *
 * An interface that is not there is created, brought up, and goes with the NIC, unless persist=on.
 * One that is there (ip tuntap add ... mode tap) is left as it is. The NIC's MAC is its own, not
 * the interface's: the two are ends of a cable.
 *
 * netns: the interface is in that network namespace. netns=new makes one that goes with the NIC,
 * inside a user namespace where that takes no privilege otherwise; describe says how to get in.
 *
 * With several queues the kernel sends what belongs to a flow to the queue that sent for it last,
 * so that connections come home by themselves.
 */
#include "drivers/builtin.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/rand.h"
#include "drivers/netdev.h"
#include "drivers/netns.h"
#include "drivers/spec.h"
#include "drivers/tap_vnet.h"

#define ETH_LEN 14
#define VLAN_LEN 4
#define FRAME_OVERHEAD (ETH_LEN + 2 * VLAN_LEN)
#define BUF_BYTES_MIN 2048u
#define BUFS_DEFAULT 4096u
#define NETNS_LEN 128

struct tap_queue {
	struct rill_nic_queue base;
	struct rill_buf_pool pool;
	int fd;
	struct rill_tap_vnet vnet;
};

struct tap_nic {
	struct rill_nic base;
	char name[RILL_SPEC_NAME_LEN];
	uint64_t mtu; /* 0: the interface's */
	uint64_t bufs;
	bool created;	       /* by us, so ours to configure */
	uint64_t gso;	       /* enum tap_gso */
	uint64_t persist;      /* enum tap_persist */
	char netns[NETNS_LEN]; /* "": the caller's */
	int control_fd;	       /* asks about the interface, in its network namespace */
	int net_fd, user_fd;   /* the namespaces of netns=new; else -1 */
	bool gone;
};

enum tap_gso {
	GSO_ON,
	GSO_OFF,
};

enum tap_persist {
	PERSIST_OFF,
	PERSIST_ON,
	PERSIST_AS_IT_IS,
};

/* What is found out where the interface is. */
struct tap_facts {
	bool created;
	uint16_t mtu;
	uint32_t caps;
};

static struct tap_queue *queue_of(struct rill_nic_queue *q)
{
	return RILL_CONTAINER_OF(q, struct tap_queue, base);
}

/* ---- receive ---- */

static unsigned tap_rx_burst(struct rill_nic_queue *base, struct rill_buf **bufs, unsigned n)
{
	struct tap_queue *q = queue_of(base);
	unsigned count = 0;
	uint64_t bytes = 0;
	int err = 0;

	/* Without a buffer the kernel's queue keeps the rest. What is of no use counts, too. */
	for (unsigned i = 0; i < n && err != -EAGAIN && err != -ENOBUFS; i++) {
		err = rill_tap_vnet_read(&q->vnet, &bufs[count]);
		if (!err)
			bytes += rill_buf_frame_len(bufs[count++]);
		else if (err == -EINVAL)
			rill_counter_add(&base->stats.rx_dropped, 1);
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
static bool write_frame(struct tap_queue *q, struct rill_buf *b)
{
	int err = rill_tap_vnet_write(&q->vnet, b);

	if (err == -EAGAIN)
		return false;
	if (err) {
		rill_counter_add(&q->base.stats.tx_dropped, 1);
		return true;
	}
	rill_counter_add(&q->base.stats.tx_packets, 1);
	rill_counter_add(&q->base.stats.tx_bytes, rill_buf_frame_len(b));
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

static struct tap_nic *nic_of(struct rill_nic *nic)
{
	return RILL_CONTAINER_OF(nic, struct tap_nic, base);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void tap_close(struct rill_nic *base)
{
	struct tap_nic *nic = nic_of(base);

	for (unsigned i = 0; i < base->queue_count; i++) {
		struct tap_queue *q = queue_of(base->queues[i]);

		close_fd(q->fd);
		rill_tap_vnet_fini(&q->vnet);
		rill_buf_pool_fini_heap(&q->pool);
		free(q);
	}
	close_fd(nic->control_fd);
	close_fd(nic->net_fd);
	close_fd(nic->user_fd);
	free(nic);
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
			"ip tuntap add dev %s mode tap user $USER, or say netns=new",
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
		err = rill_tap_vnet_configure(q->fd, nic->gso == GSO_OFF, &nic->base.caps);
	return err ? fail_attach(nic, err, error) : 0;
}

static int queue_open(struct tap_nic *nic, char *error)
{
	struct tap_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return rill_nic_fail(error, -ENOMEM, "tap: out of memory");
	q->fd = -1;
	q->base.nic = &nic->base;
	q->base.index = (uint16_t)nic->base.queue_count;
	q->base.pool = &q->pool;
	nic->base.queues[nic->base.queue_count++] = &q->base;
	return 0;
}

static void vnet_start(const struct tap_nic *nic, struct tap_queue *q)
{
	rill_tap_vnet_init(&q->vnet, q->fd, q->base.index, &q->pool, nic->base.caps);
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
		vnet_start(nic, queue_of(nic->base.queues[i]));
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

static int persist_setup(struct tap_nic *nic, char *error)
{
	int fd = queue_of(nic->base.queues[0])->fd;

	if (nic->persist == PERSIST_AS_IT_IS ||
	    ioctl(fd, TUNSETPERSIST, nic->persist == PERSIST_ON ? 1 : 0) == 0)
		return 0;
	return rill_nic_fail(error, -errno, "tap:%s: persist: %s", nic->name, strerror(errno));
}

/* All that has to be done in the network namespace of the interface. */
static int interface_open(struct tap_nic *nic, char *error)
{
	int err = 0;

	nic->created = rill_netdev_exists(nic->name) == -ENODEV;
	nic->control_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (nic->control_fd < 0)
		return rill_nic_fail(error, -errno, "tap:%s: socket: %s", nic->name,
				     strerror(errno));
	for (unsigned i = 0; !err && i < nic->base.queue_count; i++)
		err = queue_attach(nic, queue_of(nic->base.queues[i]), nic->base.queue_count,
				   error);
	if (!err)
		err = persist_setup(nic, error);
	return err ? err : interface_setup(nic, error);
}

/* In another one: by a child process, which has a copy of the NIC. */
struct tap_job {
	struct rill_netns_job job;
	struct tap_nic *nic;
	struct tap_facts facts;
	int fds[RILL_NIC_QUEUES_MAX + 1]; /* of the queues, and control_fd */
};

static int interface_open_there(struct rill_netns_job *job, char *error)
{
	struct tap_job *there = RILL_CONTAINER_OF(job, struct tap_job, job);
	struct tap_nic *nic = there->nic;
	unsigned count = nic->base.queue_count;
	int err = interface_open(nic, error);

	there->facts = (struct tap_facts){nic->created, nic->base.mtu, nic->base.caps};
	for (unsigned i = 0; i < count; i++)
		there->fds[i] = queue_of(nic->base.queues[i])->fd;
	there->fds[count] = nic->control_fd;
	return err;
}

static int interface_open_in_netns(struct tap_nic *nic, char *error)
{
	unsigned count = nic->base.queue_count;
	struct tap_job there = {
		.job = {.where = nic->netns,
			.driver = "tap",
			.fn = interface_open_there,
			.result = &there.facts,
			.result_len = sizeof(there.facts),
			.fds = there.fds,
			.fd_count = count + 1},
		.nic = nic,
	};

	memset(there.fds, -1, sizeof(there.fds));
	int err = rill_netns_run(&there.job, error);

	for (unsigned i = 0; i < count; i++)
		queue_of(nic->base.queues[i])->fd = there.fds[i];
	nic->control_fd = there.fds[count];
	nic->net_fd = there.job.net_fd;
	nic->user_fd = there.job.user_fd;
	nic->created = there.facts.created;
	nic->base.mtu = there.facts.mtu;
	nic->base.caps = there.facts.caps;
	return err;
}

static void make_mac(uint8_t *mac)
{
	rill_rand_secret(mac, 6);
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02); /* locally administered, unicast */
}

static int nic_start(struct tap_nic *nic, const char *spec, unsigned queues, char *error)
{
	static const char *const gso_names[] = {"on", "off", NULL};
	static const char *const persist_names[] = {"off", "on", NULL};
	const struct rill_spec_key keys[] = {
		{"mtu", RILL_SPEC_UINT, &nic->mtu, 68, UINT16_MAX - FRAME_OVERHEAD},
		{"bufs", RILL_SPEC_UINT, &nic->bufs, 16, 1 << 22},
		{"gso", RILL_SPEC_CHOICE, &nic->gso, .choices = gso_names},
		{"netns", RILL_SPEC_TEXT, .text = nic->netns, .max = NETNS_LEN},
		{"persist", RILL_SPEC_CHOICE, &nic->persist, .choices = persist_names},
	};
	int err = rill_spec_parse("tap", spec, keys, RILL_ARRAY_SIZE(keys), nic->name, error);

	if (err)
		return err;
	if (strlen(nic->name) >= IFNAMSIZ)
		return rill_nic_fail(error, -EINVAL, "tap: '%s' is longer than %d bytes", nic->name,
				     IFNAMSIZ - 1);
	for (unsigned i = 0; !err && i < queues; i++)
		err = queue_open(nic, error);
	if (!err)
		err = nic->netns[0] ? interface_open_in_netns(nic, error)
				    : interface_open(nic, error);
	return err ? err : pools_open(nic, error);
}

static void describe(struct tap_nic *nic)
{
	unsigned queues = nic->base.queue_count;
	char *text = nic->base.describe;
	size_t len = sizeof(nic->base.describe);
	size_t at = (size_t)snprintf(text, len, "tap:%s%s, %u queue%s, mtu %u", nic->name,
				     nic->created ? "" : " (not ours)", queues,
				     queues == 1 ? "" : "s", nic->base.mtu);

	if (nic->net_fd >= 0 && nic->user_fd >= 0 && at < len)
		snprintf(text + at, len - at,
			 ", in: nsenter --user=/proc/%d/fd/%d --net=/proc/%d/fd/%d", (int)getpid(),
			 nic->user_fd, (int)getpid(), nic->net_fd);
	else if (nic->net_fd >= 0 && at < len)
		snprintf(text + at, len - at, ", in: nsenter --net=/proc/%d/fd/%d", (int)getpid(),
			 nic->net_fd);
	else if (nic->netns[0] && at < len)
		snprintf(text + at, len - at, ", netns %.32s", nic->netns);
}

static int tap_open(const char *spec, unsigned queues, struct rill_nic **ret_nic, char *error)
{
	struct tap_nic *nic = calloc(1, sizeof(*nic));

	if (!nic)
		return rill_nic_fail(error, -ENOMEM, "tap: out of memory");
	nic->base.driver = &rill_tap_driver;
	nic->base.gso_max = RILL_TAP_VNET_GSO_MAX;
	nic->bufs = BUFS_DEFAULT;
	nic->persist = PERSIST_AS_IT_IS;
	nic->control_fd = nic->net_fd = nic->user_fd = -1;
	int err = nic_start(nic, spec, queues, error);

	if (err) {
		tap_close(&nic->base);
		return err;
	}
	make_mac(nic->base.mac);
	describe(nic);
	*ret_nic = &nic->base;
	return 0;
}

/* ---- the link ---- */

/*
 * The interface was deleted. Its descriptors would be readable for ever, with errors: something
 * that never is takes their numbers, and their place in whatever waits for them.
 */
static void silence(struct tap_nic *nic)
{
	int quiet = epoll_create1(EPOLL_CLOEXEC);

	for (unsigned i = 0; quiet >= 0 && i < nic->base.queue_count; i++)
		dup3(quiet, queue_of(nic->base.queues[i])->fd, O_CLOEXEC);
	close_fd(quiet);
	nic->gone = true;
}

/* Frames longer than the buffers cannot be received: no more is said than fits. */
static uint16_t mtu_max(const struct tap_nic *nic)
{
	uint32_t bytes = nic->base.queues[0]->pool->buf_bytes - RILL_BUF_HEADROOM;

	return (uint16_t)RILL_MIN(bytes - FRAME_OVERHEAD, (uint32_t)UINT16_MAX);
}

/* By its name of now, which TUNGETIFF knows. */
static void tap_link(struct rill_nic *base, struct rill_nic_link *ret_link)
{
	struct tap_nic *nic = nic_of(base);
	struct ifreq ifr = {.ifr_flags = 0};

	*ret_link = (struct rill_nic_link){.mtu = base->mtu};
	memcpy(ret_link->mac, base->mac, sizeof(ret_link->mac));
	if (!nic->gone && ioctl(queue_of(base->queues[0])->fd, TUNGETIFF, &ifr) < 0 &&
	    errno == EBADFD)
		silence(nic);
	ret_link->gone = nic->gone;
	if (nic->gone)
		return;
	if (ioctl(nic->control_fd, SIOCGIFFLAGS, &ifr) == 0)
		ret_link->up = (ifr.ifr_flags & IFF_UP) != 0;
	if (ioctl(nic->control_fd, SIOCGIFMTU, &ifr) == 0)
		ret_link->mtu = (uint16_t)RILL_MIN(ifr.ifr_mtu, (int)mtu_max(nic));
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
	.link = tap_link,
};
