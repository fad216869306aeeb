/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a NIC driver is. A NIC has queues; each queue has its own buffer pool and is used by one
 * thread at a time (whoever holds its shard). A driver knows nothing of tasks.
 */
#ifndef RILL_DRIVERS_DRIVER_H
#define RILL_DRIVERS_DRIVER_H

#include <rill/net.h>

#include "drivers/buf.h"

struct rill_nic;
struct rill_nic_queue;

/* What the NIC does; the stack does the rest in software. */
enum rill_nic_caps {
	RILL_NIC_RX_CSUM = 1, /* received buffers may carry RILL_BUF_CSUM_OK */
	RILL_NIC_TX_CSUM = 2, /* RILL_BUF_CSUM_PARTIAL is honoured */
};

#define RILL_NIC_QUEUES_MAX 64
#define RILL_NIC_ERROR_LEN 256

/* What to redirect to rill on a NIC that is shared with the kernel. Zero fields match anything. */
struct rill_flow_rule {
	struct rill_ip local;
	uint8_t proto; /* IPPROTO_TCP, IPPROTO_UDP, ... 0: all, ARP for the address included */
	uint16_t port; /* local port, host order; 0: all */
};

struct rill_nic_stats {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t rx_dropped; /* lost before rill saw them: ring full, no buffer */
	uint64_t tx_dropped; /* the NIC refused them for good */
};

struct rill_nic_queue {
	struct rill_nic *nic;
	uint16_t index;
	struct rill_buf_pool *pool;
	uint64_t now_ns; /* the caller's clock, which it sets before a call of rx or tx */
	struct rill_nic_stats stats;
};

struct rill_driver {
	const char *name; /* the word before the colon of a spec */
	/*
	 * Opens the NIC: spec is what follows "name:". queues is the most wanted; the NIC may have
	 * fewer. On failure writes into error (RILL_NIC_ERROR_LEN) what is wrong and what to do
	 * about it.
	 */
	int (*open)(const char *spec, unsigned queues, struct rill_nic **ret_nic, char *error);
	/* All buffers must have been put back, or are lost with the memory: the caller has seen to
	 * it. */
	void (*close)(struct rill_nic *nic);
	/* Up to n received packets, each with one reference. Also reclaims and refills. Never
	 * blocks. */
	unsigned (*rx_burst)(struct rill_nic_queue *q, struct rill_buf **bufs, unsigned n);
	/*
	 * Queues packets; takes over one reference of each that it accepted (the first so many). A
	 * buffer of another pool is copied. A buffer may have other references: it is only read.
	 * tx_flush makes the NIC start on them.
	 */
	unsigned (*tx_burst)(struct rill_nic_queue *q, struct rill_buf **bufs, unsigned n);
	void (*tx_flush)(struct rill_nic_queue *q);
	/*
	 * False: rx_burst and tx_flush would find nothing to do now. Only a hint, from any thread
	 * and without the shard, so that a worker that waits need not take it. Optional: NULL where
	 * asking costs as much as looking.
	 */
	bool (*poll_due)(const struct rill_nic_queue *q);
	/*
	 * Before sleeping: from now on a received packet makes fd readable. False when something is
	 * there already; the shard is held. disarm ends it, by the same thread, when the shard may
	 * be anybody's.
	 */
	bool (*rx_arm)(struct rill_nic_queue *q);
	void (*rx_disarm)(struct rill_nic_queue *q);
	int (*rx_fd)(struct rill_nic_queue *q);
	/*
	 * When the next packet will arrive that is on its way already, by the clock of now_ns;
	 * UINT64_MAX: none is. Whoever has armed the queue polls it then. Optional: NICs of a
	 * simulated network.
	 */
	uint64_t (*rx_next)(struct rill_nic_queue *q);
	/*
	 * Which queue gets what comes from one end of a flow to the other; -1: not known. Optional.
	 * Any thread.
	 */
	int (*rx_queue_of)(const struct rill_nic *nic, uint8_t proto, const struct rill_addr *from,
			   const struct rill_addr *to);
	/* Optional: NULL where the NIC is rill's alone. Any thread, serialised by the caller. */
	int (*flow_add)(struct rill_nic *nic, const struct rill_flow_rule *rule);
	int (*flow_del)(struct rill_nic *nic, const struct rill_flow_rule *rule);
	/* Adds what the kernel or the other end knows (rx_dropped) to *stats. Optional. */
	void (*stats)(struct rill_nic_queue *q, struct rill_nic_stats *stats);
};

/* The head of each driver's own struct. */
struct rill_nic {
	const struct rill_driver *driver;
	unsigned queue_count;
	struct rill_nic_queue *queues[RILL_NIC_QUEUES_MAX];
	uint8_t mac[6];
	uint16_t mtu;	    /* of the layer above Ethernet */
	uint32_t caps;	    /* enum rill_nic_caps */
	char describe[160]; /* for people: how it really runs */
};

/* Opens by full spec, "driver:rest". -EINVAL for an unknown driver; error as above. */
int rill_nic_open(const char *spec, unsigned queues, struct rill_nic **ret_nic, char *error);
void rill_nic_close(struct rill_nic *nic);

/* For drivers: writes the message into error and returns err, a negative errno. */
int rill_nic_fail(char *error, int err, const char *fmt, ...) RILL_PRINTF(3, 4);

/* All drivers of this build, NULL-terminated. */
extern const struct rill_driver *const rill_drivers[];

#endif
