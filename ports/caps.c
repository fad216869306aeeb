/* SPDX-License-Identifier: BSD-3-Clause */
/* Trying a NIC: what its driver knows to try, and what can be tried on any. */
#include <rill/caps.h>

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "drivers/driver.h"

#define QUEUES_TRIED 4u
#define ETH_LEN_MIN 60
#define SEND_WITHIN_NS UINT64_C(100000000)

RILL_STATIC_ASSERT(RILL_CAPS_ERROR >= RILL_NIC_ERROR_LEN, "a driver's message fits");
RILL_STATIC_ASSERT(sizeof(struct rill_caps_fact) == sizeof(struct rill_nic_fact) &&
			   offsetof(struct rill_caps_fact, detail) ==
				   offsetof(struct rill_nic_fact, detail),
		   "facts are the drivers'");

static const struct {
	uint32_t cap;
	const char *name;
} names[] = {
	{RILL_NIC_RX_CSUM, "rx-checksum"},  {RILL_NIC_TX_CSUM, "tx-checksum"},
	{RILL_NIC_TX_SEGS, "tx-pieces"},    {RILL_NIC_TX_TSO, "tx-tso"},
	{RILL_NIC_TX_USO, "tx-uso"},	    {RILL_NIC_RX_SEGS, "rx-pieces"},
	{RILL_NIC_RX_LRO, "rx-lro"},	    {RILL_NIC_RX_HASH, "rx-hash"},
	{RILL_NIC_RX_VLAN, "rx-vlan"},	    {RILL_NIC_TX_VLAN, "tx-vlan"},
	{RILL_NIC_RX_TIME, "rx-timestamp"}, {RILL_NIC_RX_TIME_ALL, "rx-timestamp-all"},
	{RILL_NIC_TX_TIME, "tx-timestamp"}, {RILL_NIC_TX_AT, "tx-at"},
};

/* ---- facts ---- */

static bool has_fact(const struct rill_caps *caps, const char *name)
{
	for (unsigned i = 0; i < caps->fact_count; i++)
		if (strcmp(caps->facts[i].name, name) == 0)
			return true;
	return false;
}

static RILL_PRINTF(5, 6) void add_fact(struct rill_caps *caps, const char *name, bool claimed,
				       int tried, const char *fmt, ...)
{
	struct rill_caps_fact *fact = &caps->facts[caps->fact_count];
	va_list args;

	if (caps->fact_count == RILL_CAPS_FACTS || has_fact(caps, name))
		return;
	caps->fact_count++;
	*fact = (struct rill_caps_fact){.claimed = claimed, .tried = tried};
	snprintf(fact->name, sizeof(fact->name), "%s", name);
	va_start(args, fmt);
	vsnprintf(fact->detail, sizeof(fact->detail), fmt, args);
	va_end(args);
}

/* ---- tries ---- */

/* Some drivers give fewer queues than asked for, and some refuse then. */
static void try_queues(struct rill_caps *caps, const char *spec)
{
	char error[RILL_NIC_ERROR_LEN];
	struct rill_nic *nic;
	int err = rill_nic_open(spec, QUEUES_TRIED, &nic, error);

	if (err < 0) {
		add_fact(caps, "several-queues", false, err, "%.110s", error);
		return;
	}
	caps->queues = nic->queue_count;
	add_fact(caps, "several-queues", true, nic->queue_count > 1 ? 1 : -EOPNOTSUPP,
		 "asked for %u, got %u", QUEUES_TRIED, nic->queue_count);
	rill_nic_close(nic);
}

/* To its own address: a switch keeps that to itself. */
static void write_frame(const struct rill_nic *nic, struct rill_buf *b)
{
	uint8_t *frame = rill_buf_append(b, ETH_LEN_MIN);

	memset(frame, 0, ETH_LEN_MIN);
	memcpy(frame, nic->mac, 6);
	memcpy(frame + 6, nic->mac, 6);
	frame[12] = 0x88; /* for experiments (IEEE 802) */
	frame[13] = 0xb5;
}

/* What happens to come in meanwhile is of no interest. */
static void receive_and_drop(struct rill_nic_queue *q)
{
	struct rill_buf *bufs[32];
	unsigned n = q->nic->driver->rx_burst(q, bufs, RILL_ARRAY_SIZE(bufs));

	while (n > 0)
		rill_buf_put_owner(q->pool, bufs[--n]);
}

/* Ours is the only reference again: it was sent. */
static bool came_back(struct rill_nic_queue *q, const struct rill_buf *b)
{
	uint64_t until = rill_clock_mono() + SEND_WITHIN_NS;

	do {
		q->now_ns = rill_clock_mono();
		receive_and_drop(q);
		q->nic->driver->tx_flush(q);
		rill_buf_pool_reclaim(q->pool);
		if (rill_buf_exclusive(b))
			return true;
	} while (q->now_ns < until);
	return false;
}

static void try_send(struct rill_caps *caps, struct rill_nic_queue *q)
{
	const struct rill_driver *driver = q->nic->driver;
	struct rill_buf *b = rill_buf_alloc(q->pool);

	if (!b) {
		add_fact(caps, "send", true, -ENOBUFS, "no packet buffer free");
		return;
	}
	write_frame(q->nic, b);
	rill_buf_get(b);
	q->now_ns = rill_clock_mono();
	if (driver->tx_burst(q, &b, 1) == 0) {
		rill_buf_put(b);
		rill_buf_put(b);
		add_fact(caps, "send", true, -EAGAIN, "the transmit ring takes nothing");
		return;
	}
	driver->tx_flush(q);
	if (rill_load_relaxed(&q->stats.tx_dropped) > 0)
		add_fact(caps, "send", true, -EIO, "the NIC refused a frame of %d bytes",
			 ETH_LEN_MIN);
	else if (came_back(q, b))
		add_fact(caps, "send", true, 1, "a frame to its own address was sent");
	else
		add_fact(caps, "send", true, -ETIMEDOUT, "a frame was not sent within %u ms",
			 (unsigned)(SEND_WITHIN_NS / 1000000));
	rill_buf_put(b);
}

static void try_sleep(struct rill_caps *caps, struct rill_nic_queue *q)
{
	const struct rill_driver *driver = q->nic->driver;
	struct pollfd set = {.fd = driver->rx_fd(q), .events = POLLIN};
	bool quiet = false;

	if (set.fd < 0) {
		add_fact(caps, "sleep", false, driver->rx_next ? 1 : -EOPNOTSUPP, "%s",
			 driver->rx_next ? "by the clock: the driver knows when packets come"
					 : "nothing to wait for: use --idle spin");
		return;
	}
	/* Armed when there is nothing left: traffic may go on meanwhile. */
	for (unsigned i = 0; i < 1000 && !quiet; i++) {
		q->now_ns = rill_clock_mono();
		receive_and_drop(q);
		quiet = driver->rx_arm(q);
		if (!quiet)
			driver->rx_disarm(q);
	}
	if (!quiet) {
		add_fact(caps, "sleep", true, -EBUSY, "there is always something to receive");
		return;
	}
	int ready = poll(&set, 1, 0);

	driver->rx_disarm(q);
	add_fact(caps, "sleep", true, ready < 0 || set.revents & POLLERR ? -EIO : 1,
		 "armed, and its descriptor can be waited for");
}

static void try_driver(struct rill_caps *caps, struct rill_nic *nic)
{
	struct rill_nic_fact facts[RILL_CAPS_FACTS];
	unsigned n = 0;

	if (nic->driver->try_caps)
		n = nic->driver->try_caps(nic, facts, RILL_CAPS_FACTS);
	for (unsigned i = 0; i < n; i++)
		add_fact(caps, facts[i].name, facts[i].claimed, facts[i].tried, "%s",
			 facts[i].detail);
}

int rill_caps_try(const char *spec, struct rill_caps *ret_caps, char *error)
{
	struct rill_caps caps = {0};
	struct rill_nic *nic;
	int err = rill_nic_open(spec, 1, &nic, error);

	if (err < 0)
		return err;
	caps.queues = nic->queue_count;
	caps.mtu = nic->mtu;
	memcpy(caps.mac, nic->mac, sizeof(caps.mac));
	memcpy(caps.describe, nic->describe, sizeof(caps.describe));
	try_driver(&caps, nic);
	try_send(&caps, nic->queues[0]);
	try_sleep(&caps, nic->queues[0]);
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(names); i++)
		add_fact(&caps, names[i].name, (nic->caps & names[i].cap) != 0, 0,
			 "as the driver says");
	rill_nic_close(nic);
	try_queues(&caps, spec);
	*ret_caps = caps;
	return 0;
}
