/* SPDX-License-Identifier: BSD-3-Clause */
/* One port of DPDK's and its queues: what the files of the driver share. */
#ifndef RILL_DRIVERS_DPDK_PORT_H
#define RILL_DRIVERS_DPDK_PORT_H

#include <rte_ethdev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "drivers/dpdk_pool.h"
#include "drivers/driver.h"
#include "drivers/toeplitz.h"

/* What a look before sleeping may find at most; the next burst delivers it. */
#define RILL_DPDK_STASH 32u
/* Handed to the PMD at a time. */
#define RILL_DPDK_BURST 64u

/* What no query tells of a PMD. */
struct rill_dpdk_traits {
	const char *pmd;
	/*
	 * It reads frames with the CPU: memory that EAL does not know may be sent as it is. Other
	 * PMDs get a copy of it.
	 */
	bool reads_any_memory;
	bool connects_once; /* at start, as a client: rill tries again */
	bool rss_in_name_only;
	bool keeps_frames;     /* in what outlives the port: to be emptied at its end */
	uint32_t time_unit_ns; /* of received timestamps; 0: by the port's clock */
};

struct rill_dpdk_port;

struct rill_dpdk_queue {
	struct rill_nic_queue base;
	struct rill_dpdk_port *port;
	struct rill_dpdk_pool *pool;
	/* The holder is in a burst: pairs with pause, see rill_dpdk_enter(). */
	RILL_ATOMIC(bool) busy;
	bool wakes; /* rx interrupts, at epoll_fd; else sleep is timed */
	int epoll_fd;
	uint32_t nap_ns; /* the next timed sleep */
	unsigned stash_begin, stash_count;
	struct rill_buf *stash[RILL_DPDK_STASH];
};

struct rill_dpdk_options {
	uint64_t bufs, ring, mtu, nap_us;
	uint64_t offload, isolate, lro, vlan, time, promisc;
};

struct rill_dpdk_port {
	struct rill_nic base;
	struct rill_list link; /* of all ports, under the driver's lock */
	uint16_t id;
	uint16_t ring_slots;
	char name[64]; /* "net_memif0", "0000:01:00.0" */
	struct rill_dpdk_options options;
	struct rill_dpdk_traits traits;
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;
	bool foreign_ok; /* traits.reads_any_memory, as this port is set up */
	char *device;	 /* the spec's, with its arguments */
	bool is_memif;
	bool started;
	bool isolated;
	uint16_t segs_max;	  /* of a frame to send */
	RILL_ATOMIC(bool) paused; /* no bursts: being restarted */
	RILL_ATOMIC(bool) gone;	  /* removed */
	uint64_t restarts;
	unsigned down_ticks;
	/* Dynamic fields of mbufs; -1: none. */
	int rx_time_field, tx_time_field;
	uint64_t rx_time_flag, tx_time_flag;
	double ns_per_tick;
	struct rill_nic_rss rss; /* as read back; table_len 0: not known */
	struct rill_toeplitz *toeplitz;
	struct rill_list flows; /* struct flow of dpdk_flow.c */
};

static inline struct rill_dpdk_queue *rill_dpdk_queue_of(const struct rill_nic_queue *q)
{
	return RILL_CONTAINER_OF(q, struct rill_dpdk_queue, base);
}

static inline struct rill_dpdk_port *rill_dpdk_port_of(const struct rill_nic *nic)
{
	return RILL_CONTAINER_OF(nic, struct rill_dpdk_port, base);
}

/*
 * Around every use of the port's queue by its holder. False: the port is paused, or gone.
 *
 * A port is restarted by another thread, which sets paused, runs a barrier on all threads of the
 * process (membarrier) and waits until no queue is busy. So a burst pays a plain store and a load.
 */
static inline bool rill_dpdk_enter(struct rill_dpdk_queue *q)
{
	rill_store_relaxed(&q->busy, true);
	__asm__ volatile("" ::: "memory");
	if (RILL_LIKELY(!rill_load_relaxed(&q->port->paused)))
		return true;
	rill_store_relaxed(&q->busy, false);
	return false;
}

static inline void rill_dpdk_leave(struct rill_dpdk_queue *q)
{
	/* release: the burst is over; pairs with the acquire in quiesce() of dpdk_watch.c */
	rill_store_release(&q->busy, false);
}

/* ---- dpdk_setup.c ---- */

/* Configures and starts the port, whose id and options are set, with as many queues at most. */
int rill_dpdk_port_setup(struct rill_dpdk_port *p, unsigned queues, char *error);
void rill_dpdk_port_teardown(struct rill_dpdk_port *p);

/* ---- dpdk_rx.c, dpdk_tx.c: see struct rill_driver ---- */

unsigned rill_dpdk_rx_burst(struct rill_nic_queue *base, struct rill_buf **bufs, unsigned n);
bool rill_dpdk_rx_arm(struct rill_nic_queue *base);
void rill_dpdk_rx_disarm(struct rill_nic_queue *base);
int rill_dpdk_rx_fd(struct rill_nic_queue *base);
uint64_t rill_dpdk_rx_next(struct rill_nic_queue *base);
/* Puts back what the last look found. */
void rill_dpdk_rx_drop_stash(struct rill_dpdk_queue *q);

unsigned rill_dpdk_tx_burst(struct rill_nic_queue *base, struct rill_buf **bufs, unsigned n);
void rill_dpdk_tx_flush(struct rill_nic_queue *base);

/* ---- dpdk_rss.c ---- */

/* Reads the key and the table back, and gets ready for rx_queue_of. */
void rill_dpdk_rss_read(struct rill_dpdk_port *p);
int rill_dpdk_rss(struct rill_nic *nic, struct rill_nic_rss *ret_rss);
int rill_dpdk_rx_queue_of(const struct rill_nic *nic, uint8_t proto, const struct rill_addr *from,
			  const struct rill_addr *to);

/* ---- dpdk_flow.c ---- */

int rill_dpdk_flow_add(struct rill_nic *nic, const struct rill_flow_rule *rule);
int rill_dpdk_flow_del(struct rill_nic *nic, const struct rill_flow_rule *rule);
void rill_dpdk_flow_forget(struct rill_dpdk_port *p);

/* ---- dpdk_facts.c ---- */

void rill_dpdk_stats(struct rill_nic_queue *base, struct rill_nic_stats *stats);
void rill_dpdk_link(struct rill_nic *nic, struct rill_nic_link *ret_link);
unsigned rill_dpdk_try_caps(struct rill_nic *nic, struct rill_nic_fact *facts, unsigned max);
void rill_dpdk_counters(struct rill_nic *nic,
			void (*each)(const char *name, uint64_t value, void *ctx), void *ctx);
int rill_dpdk_clock(struct rill_nic *nic, uint64_t *ret_ns);

/* ---- dpdk_watch.c ---- */

/* From now on the port is looked after: started, or started again, when its peer comes. */
int rill_dpdk_watch_begin(struct rill_dpdk_port *p);
void rill_dpdk_watch_end(struct rill_dpdk_port *p);

#endif
