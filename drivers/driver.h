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
	RILL_NIC_TX_SEGS = 4, /* frames of several pieces, RILL_BUF_SEGS_MAX at least */
	RILL_NIC_TX_TSO = 8, /* RILL_BUF_GSO of TCP, gso_max bytes at most; with TX_CSUM, TX_SEGS */
	RILL_NIC_TX_USO = 16,  /* the same of UDP */
	RILL_NIC_RX_SEGS = 32, /* received frames may have several pieces (RILL_BUF_CHAIN) */
	RILL_NIC_RX_LRO = 64,  /* received frames may be RILL_BUF_GSO, with CSUM_OK */
	RILL_NIC_RX_HASH = 128,
	RILL_NIC_RX_VLAN = 256,
	RILL_NIC_TX_VLAN = 512,
	RILL_NIC_RX_TIME = 1024, /* RILL_BUF_HW_TIME on some frames; on all: RX_TIME_ALL */
	RILL_NIC_RX_TIME_ALL = 2048,
	RILL_NIC_TX_TIME = 4096, /* see tx_times */
	RILL_NIC_TX_AT = 8192,
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

/* The state of the link and what may change with it. */
struct rill_nic_link {
	bool up;
	bool gone; /* the NIC itself: for good. Bursts find and take nothing */
	uint16_t mtu;
	uint32_t mbit; /* 0: not known */
	uint8_t mac[6];
};

/* How the NIC spreads what it receives over its queues: Toeplitz with this key and table. */
struct rill_nic_rss {
	uint8_t key[64];
	unsigned key_len;
	uint16_t table[1024]; /* queue by hash & (table_len - 1) */
	unsigned table_len;   /* 0: the NIC does not tell */
	bool hashes_ports_tcp, hashes_ports_udp;
};

/* One line of "rill caps": what was tried, and how it came out. */
struct rill_nic_fact {
	char name[24];	  /* "tx-checksum", "zero-copy", "rx-hash" */
	bool claimed;	  /* by the kernel, the PMD, ... */
	int tried;	  /* 1: works; 0: was not tried; negative errno: does not */
	char detail[120]; /* for people; how it was tried, or what to do about it */
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
	 * buffer of another pool is copied, unless the pools' shared says that it need not be. A
	 * buffer may have other references: it is only read. tx_flush makes the NIC start on them.
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
	/*
	 * The link now. Optional: NULL for NICs that are always up. Cheap enough for ten times a
	 * second; any thread, serialised by the caller.
	 */
	void (*link)(struct rill_nic *nic, struct rill_nic_link *ret_link);
	/* Asks the NIC itself. -EOPNOTSUPP: it does not tell. Optional. At start, and after a link
	 * change. */
	int (*rss)(struct rill_nic *nic, struct rill_nic_rss *ret_rss);
	/* Tries everything that this driver knows of on a NIC just opened and not in use: how many
	 * facts. Optional. */
	unsigned (*try_caps)(struct rill_nic *nic, struct rill_nic_fact *facts, unsigned max);
	/* The driver's own counters by name, of the whole NIC. Optional. */
	void (*counters)(struct rill_nic *nic,
			 void (*each)(const char *name, uint64_t value, void *ctx), void *ctx);
	/* Times (NIC's clock) of frames sent with RILL_BUF_TX_TIME, in order of sending; how many.
	 * Optional, with RILL_NIC_TX_TIME. */
	unsigned (*tx_times)(struct rill_nic_queue *q, uint64_t *times_ns, unsigned max);
	/* The NIC's clock in ns. Optional. */
	int (*clock)(struct rill_nic *nic, uint64_t *ret_ns);
};

/* The head of each driver's own struct. */
struct rill_nic {
	const struct rill_driver *driver;
	unsigned queue_count;
	struct rill_nic_queue *queues[RILL_NIC_QUEUES_MAX];
	uint8_t mac[6];
	uint16_t mtu;	    /* of the layer above Ethernet */
	uint32_t caps;	    /* enum rill_nic_caps: tried, where that is possible */
	uint32_t gso_max;   /* with TX_TSO or TX_USO: bytes of a frame before it is cut */
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
