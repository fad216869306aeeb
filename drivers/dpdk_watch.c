/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports that connect to a peer once, when they start (net_memif as a client): a thread of ours
 * starts them again until the peer is there, and after it went. Workers keep polling such a port,
 * and find nothing, while it is down.
 */
#include "drivers/dpdk_port.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "drivers/dpdk_memif.h"

#define TICK_NS 50000000
/* A peer that was reached needs some messages there and back until the link is up. */
#define DOWN_TICKS 20

struct watch {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool running;
	struct rill_dpdk_port *ports[RTE_MAX_ETHPORTS];
	unsigned count;
};

static struct watch watch = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
};

/* All threads have passed a barrier: whoever has not seen paused has set busy. */
static void barrier_everywhere(void)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) < 0)
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

static void quiesce(struct rill_dpdk_port *p)
{
	rill_store_relaxed(&p->paused, true);
	barrier_everywhere();
	for (unsigned i = 0; i < p->base.queue_count; i++)
		/* acquire: pairs with the release in rill_dpdk_leave() */
		while (rill_load_acquire(&rill_dpdk_queue_of(p->base.queues[i])->busy))
			sched_yield();
}

/* On EAL's interrupt thread, like all else that the PMD does to the port. */
static void restart(void *port)
{
	struct rill_dpdk_port *p = port;

	quiesce(p);
	if (p->started) {
		rte_eth_dev_stop(p->id);
		p->restarts++;
	}
	p->started = rte_eth_dev_start(p->id) == 0;
	p->down_ticks = 0;
	/* release: the port is started; pairs with the dependency of a burst that goes there */
	if (p->started)
		rill_store_release(&p->paused, false);
}

static void look_after(struct rill_dpdk_port *p)
{
	struct rte_eth_link link = {0};

	if (rill_load_relaxed(&p->gone))
		return;
	rte_eth_link_get_nowait(p->id, &link);
	if (p->started && link.link_status == RTE_ETH_LINK_UP) {
		p->down_ticks = 0;
		return;
	}
	if (!p->started || ++p->down_ticks >= DOWN_TICKS)
		rill_dpdk_on_interrupt_thread(restart, p);
}

static void *watch_thread(void *arg)
{
	struct timespec until;

	pthread_mutex_lock(&watch.lock);
	while (watch.count > 0) {
		for (unsigned i = 0; i < watch.count; i++)
			look_after(watch.ports[i]);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += TICK_NS;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_clockwait(&watch.changed, &watch.lock, CLOCK_MONOTONIC, &until);
	}
	watch.running = false;
	pthread_mutex_unlock(&watch.lock);
	return NULL;
}

static int start_thread(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &attr, watch_thread, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

int rill_dpdk_watch_begin(struct rill_dpdk_port *p)
{
	int err = 0;

	/* No bursts on a port that is not started yet. */
	rill_store_relaxed(&p->paused, !p->started);
	pthread_mutex_lock(&watch.lock);
	watch.ports[watch.count++] = p;
	if (!watch.running)
		err = start_thread();
	watch.running = watch.running || err == 0;
	if (err)
		watch.count--;
	pthread_mutex_unlock(&watch.lock);
	return err;
}

void rill_dpdk_watch_end(struct rill_dpdk_port *p)
{
	pthread_mutex_lock(&watch.lock);
	for (unsigned i = 0; i < watch.count; i++)
		if (watch.ports[i] == p)
			watch.ports[i--] = watch.ports[--watch.count];
	pthread_cond_signal(&watch.changed);
	pthread_mutex_unlock(&watch.lock);
}
