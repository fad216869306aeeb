/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * af_xdp:IFNAME[,mode=auto|native|generic][,zerocopy=auto|off|on][,frames=N][,ring=N]
 *              [,busy_poll=USEC]
 *
 * A kernel interface shared with the kernel: an XDP program sends what flow_add() named to rill,
 * past the kernel's stack, and leaves it the rest. mode=auto tries the NIC driver's own XDP before
 * the kernel's generic one; zerocopy=auto lets the kernel choose what the NIC can do. How it came
 * out is in rill_nic.describe.
 *
 * One socket per receive queue. Queues without a socket (fewer were wanted than the NIC has) stay
 * with the kernel, rill's flows on them included, unless ethtool -L gives the NIC fewer.
 *
 * Frames carry whole checksums, and are checked by the stack. A kernel that sends into a veth pair
 * leaves its checksums to be filled in by a NIC that is not there; that cannot be seen from here,
 * so switch it off at the peer: ethtool -K PEER tx off.
 */
#include "drivers/af_xdp.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xdp/libxdp.h>

#include "drivers/af_xdp_prog.h"
#include "drivers/af_xdp_queue.h"
#include "drivers/builtin.h"
#include "drivers/netdev.h"
#include "drivers/netdev_rss.h"
#include "drivers/spec.h"

#define RING_DEFAULT 2048
#define RING_MAX 32768
#define FRAMES_MAX (1 << 20)
#define CHUNK_SMALL 2048u
#define CHUNK_LARGE 4096u /* the kernel takes none larger without huge pages */
/* Ethernet with two VLAN tags, on top of the mtu. */
#define FRAME_OVERHEAD (14 + 2 * 4)

enum mode { MODE_AUTO, MODE_NATIVE, MODE_GENERIC };
static const char *const mode_names[] = {"auto", "native", "generic", NULL};

enum zerocopy { ZEROCOPY_AUTO, ZEROCOPY_OFF, ZEROCOPY_ON };
static const char *const zerocopy_names[] = {"auto", "off", "on", NULL};

struct xdp_nic {
	struct rill_nic base;
	char name[RILL_SPEC_NAME_LEN];
	unsigned ifindex;
	uint64_t mode, zerocopy, frames, ring_slots, busy_poll_us;
	unsigned queues_there; /* what the interface has */
	bool native;
	struct rill_xdp_prog *prog;
};

static struct xdp_nic *nic_of(struct rill_nic *nic)
{
	return RILL_CONTAINER_OF(nic, struct xdp_nic, base);
}

static struct rill_xsk_queue *queue_of(struct rill_nic_queue *q)
{
	return RILL_CONTAINER_OF(q, struct rill_xsk_queue, base);
}

/* ---- the libraries' messages: errors are returned here, not printed ---- */

static pthread_mutex_t quiet_lock = PTHREAD_MUTEX_INITIALIZER;
static libbpf_print_fn_t libbpf_print; /* whoever's, under quiet_lock */
static libxdp_print_fn_t libxdp_print;

static void quiet_begin(void)
{
	pthread_mutex_lock(&quiet_lock);
	libbpf_print = libbpf_set_print(NULL);
	libxdp_print = libxdp_set_print(NULL);
}

static void quiet_end(void)
{
	libbpf_set_print(libbpf_print);
	libxdp_set_print(libxdp_print);
	pthread_mutex_unlock(&quiet_lock);
}

/* ---- open and close ---- */

static void queues_close(struct xdp_nic *nic)
{
	for (unsigned i = 0; i < nic->base.queue_count; i++)
		rill_xsk_queue_close(queue_of(nic->base.queues[i]));
	nic->base.queue_count = 0;
}

static void xdp_close(struct rill_nic *base)
{
	struct xdp_nic *nic = nic_of(base);

	/* First, so that nothing is redirected to sockets that go. */
	if (nic->prog)
		rill_xdp_prog_detach(nic->prog);
	queues_close(nic);
	rill_xdp_prog_destroy(nic->prog);
	free(nic);
}

static uint16_t bind_flags(const struct xdp_nic *nic)
{
	if (!nic->native || nic->zerocopy == ZEROCOPY_OFF)
		return XDP_COPY;
	return nic->zerocopy == ZEROCOPY_ON ? XDP_ZEROCOPY : 0;
}

static uint32_t chunk_len(unsigned mtu)
{
	return mtu + FRAME_OVERHEAD <= rill_xsk_frame_len_max(CHUNK_SMALL) ? CHUNK_SMALL
									   : CHUNK_LARGE;
}

static int queues_open(struct xdp_nic *nic, unsigned count, char *error)
{
	const struct rill_xsk_config config = {
		.ifname = nic->name,
		.ifindex = nic->ifindex,
		.frame_count = (uint32_t)nic->frames,
		.ring_slots = (uint32_t)nic->ring_slots,
		.chunk_len = chunk_len(nic->base.mtu),
		.bind_flags = bind_flags(nic),
		.busy_poll_us = (unsigned)nic->busy_poll_us,
	};
	struct rill_xsk_queue *q;

	for (unsigned i = 0; i < count; i++) {
		int err = rill_xsk_queue_open(&config, i, &q, error);

		if (err)
			return err;
		q->base.nic = &nic->base;
		nic->base.queues[nic->base.queue_count++] = &q->base;
		err = rill_xdp_prog_set_socket(nic->prog, i, q->fd);
		if (err)
			return rill_nic_fail(error, err,
					     "af_xdp:%s: queue %u is out of the map's range: %s",
					     nic->name, i, strerror(-err));
	}
	return 0;
}

/* Program and sockets in one mode; on failure all of it is undone. */
static int start_in_mode(struct xdp_nic *nic, bool native, unsigned queues, char *error)
{
	int err = rill_xdp_prog_attach(nic->prog, nic->ifindex, nic->name, native, error);

	if (err)
		return err;
	nic->native = native;
	/* The program first: some NICs set up their queues anew for it. */
	err = queues_open(nic, queues, error);
	if (err) {
		rill_xdp_prog_detach(nic->prog);
		queues_close(nic);
	}
	return err;
}

static int start(struct xdp_nic *nic, unsigned queues, char *error)
{
	int err;

	if (nic->mode == MODE_GENERIC)
		return start_in_mode(nic, false, queues, error);
	err = start_in_mode(nic, true, queues, error);
	/* What is taken, or not allowed, is so in the other mode as well. */
	if (err == 0 || nic->mode == MODE_NATIVE || err == -EBUSY || err == -EPERM ||
	    err == -EACCES)
		return err;
	/* zerocopy=on is a demand, and generic mode cannot meet it. */
	if (nic->zerocopy == ZEROCOPY_ON)
		return err;
	return start_in_mode(nic, false, queues, error);
}

static int interface_check(struct xdp_nic *nic, char *error)
{
	const char *name = nic->name;
	unsigned mtu_max = rill_xsk_frame_len_max(CHUNK_LARGE) - FRAME_OVERHEAD;
	unsigned mtu = 0;
	bool up = false;
	int err = rill_netdev_is_up(name, &up);

	nic->ifindex = if_nametoindex(name);
	if (err || nic->ifindex == 0)
		return rill_nic_fail(error, -ENODEV,
				     "af_xdp: there is no interface %s: see ip link", name);
	if (!up)
		return rill_nic_fail(error, -ENETDOWN, "af_xdp:%s is down: ip link set dev %s up",
				     name, name);
	err = rill_netdev_mtu(name, &mtu);
	if (!err)
		err = rill_netdev_mac(name, nic->base.mac);
	if (!err)
		err = rill_netdev_queues(name, &nic->queues_there);
	if (err)
		return rill_nic_fail(error, err, "af_xdp:%s: %s", name, strerror(-err));
	if (mtu > mtu_max)
		return rill_nic_fail(
			error, -EMSGSIZE,
			"af_xdp:%s: mtu %u does not fit a buffer: ip link set dev %s mtu %u", name,
			mtu, name, mtu_max);
	nic->base.mtu = (uint16_t)mtu;
	return 0;
}

static int parse_spec(struct xdp_nic *nic, const char *spec, char *error)
{
	const struct rill_spec_key keys[] = {
		{"mode", RILL_SPEC_CHOICE, &nic->mode, .choices = mode_names},
		{"zerocopy", RILL_SPEC_CHOICE, &nic->zerocopy, .choices = zerocopy_names},
		{"frames", RILL_SPEC_UINT, &nic->frames, 32, FRAMES_MAX},
		{"ring", RILL_SPEC_UINT, &nic->ring_slots, 16, RING_MAX},
		{"busy_poll", RILL_SPEC_UINT, &nic->busy_poll_us, 0, 1000000},
	};
	int err = rill_spec_parse("af_xdp", spec, keys, RILL_ARRAY_SIZE(keys), nic->name, error);

	if (err)
		return err;
	if (strlen(nic->name) >= IFNAMSIZ)
		return rill_nic_fail(error, -EINVAL, "af_xdp: '%s' is longer than %d bytes",
				     nic->name, IFNAMSIZ - 1);
	if (nic->mode == MODE_GENERIC && nic->zerocopy == ZEROCOPY_ON)
		return rill_nic_fail(error, -EINVAL,
				     "af_xdp: zerocopy=on needs mode=native or auto");
	while (nic->ring_slots & (nic->ring_slots - 1))
		nic->ring_slots += nic->ring_slots & -nic->ring_slots;
	if (nic->frames == 0)
		nic->frames = 4 * nic->ring_slots;
	if (nic->frames < 2 * nic->ring_slots)
		return rill_nic_fail(
			error, -EINVAL,
			"af_xdp: frames=%u is too few: want at least twice the ring (%u)",
			(unsigned)nic->frames, (unsigned)nic->ring_slots);
	return 0;
}

static void describe(struct xdp_nic *nic)
{
	const struct rill_xsk_queue *q = queue_of(nic->base.queues[0]);
	unsigned count = nic->base.queue_count;
	char *text = nic->base.describe;
	size_t len = sizeof(nic->base.describe);
	size_t at = (size_t)snprintf(
		text, len, "af_xdp:%s %s %s need-wakeup%s %u queue%s mtu %u", nic->name,
		nic->native ? "native" : "generic", q->zerocopy ? "zero-copy" : "copy",
		q->busy_poll ? " busy-poll" : "", count, count == 1 ? "" : "s", nic->base.mtu);

	if (q->frame_count < nic->frames && at < len)
		at += (size_t)snprintf(text + at, len - at, "; memlock leaves %u frames",
				       q->frame_count);
	if (count < nic->queues_there && at < len)
		snprintf(text + at, len - at,
			 "; %u more stay with the kernel, our flows included: ethtool -L %s",
			 nic->queues_there - count, nic->name);
}

static int nic_start(struct xdp_nic *nic, const char *spec, unsigned queues, char *error)
{
	int err = parse_spec(nic, spec, error);

	if (!err)
		err = interface_check(nic, error);
	if (err)
		return err;
	quiet_begin();
	err = rill_xdp_prog_create(&nic->prog, error);
	if (!err)
		err = start(nic, RILL_MIN(queues, nic->queues_there), error);
	quiet_end();
	return err;
}

static int xdp_open(const char *spec, unsigned queues, struct rill_nic **ret_nic, char *error)
{
	struct xdp_nic *nic = calloc(1, sizeof(*nic));

	if (!nic)
		return rill_nic_fail(error, -ENOMEM, "af_xdp: out of memory");
	nic->base.driver = &rill_af_xdp_driver;
	nic->ring_slots = RING_DEFAULT;
	int err = nic_start(nic, spec, queues, error);

	if (err) {
		xdp_close(&nic->base);
		return err;
	}
	describe(nic);
	*ret_nic = &nic->base;
	return 0;
}

/* ---- the rest of the interface ---- */

static void xdp_rx_disarm(struct rill_nic_queue *q)
{
}

static int xdp_rx_fd(struct rill_nic_queue *q)
{
	return queue_of(q)->fd;
}

static int xdp_flow_add(struct rill_nic *nic, const struct rill_flow_rule *rule)
{
	return rill_xdp_prog_add_rule(nic_of(nic)->prog, rule);
}

static int xdp_flow_del(struct rill_nic *nic, const struct rill_flow_rule *rule)
{
	return rill_xdp_prog_del_rule(nic_of(nic)->prog, rule);
}

static int xdp_rss(struct rill_nic *nic, struct rill_nic_rss *ret_rss)
{
	return rill_netdev_rss(nic_of(nic)->name, ret_rss);
}

int rill_af_xdp_counters(struct rill_nic *nic, uint64_t ret_counters[RILL_XDP_REASON_COUNT])
{
	RILL_ASSERT(nic->driver == &rill_af_xdp_driver);
	return rill_xdp_prog_counters(nic_of(nic)->prog, ret_counters);
}

const struct rill_driver rill_af_xdp_driver = {
	.name = "af_xdp",
	.open = xdp_open,
	.close = xdp_close,
	.rx_burst = rill_xsk_rx_burst,
	.tx_burst = rill_xsk_tx_burst,
	.tx_flush = rill_xsk_tx_flush,
	.rx_arm = rill_xsk_rx_arm,
	.poll_due = rill_xsk_poll_due,
	.rx_disarm = xdp_rx_disarm,
	.rx_fd = xdp_rx_fd,
	.flow_add = xdp_flow_add,
	.flow_del = xdp_flow_del,
	.stats = rill_xsk_stats,
	.rss = xdp_rss,
};
