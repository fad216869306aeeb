/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's Environment Abstraction Layer (EAL): started once per process, at the first dpdk: spec,
 * and never ended. It gets no thread and no CPU of rill's: the thread that it takes for its main
 * one is gone when it has started, and workers are registered with it when they first use a port.
 */
#ifndef RILL_DRIVERS_DPDK_EAL_H
#define RILL_DRIVERS_DPDK_EAL_H

#include <rte_lcore.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/*
 * args: what the spec says, or NULL; the environment's RILL_DPDK_EAL comes before it. Both are
 * EAL options separated by blanks. They count for the first NIC only: another one with args that
 * differ is an error. Serialised by the caller.
 */
int rill_dpdk_eal_start(const char *args, char *error);
/* "hugepages", or "no hugepages". */
const char *rill_dpdk_eal_memory(void);

/*
 * DPDK's messages go nowhere, or to the standard error with RILL_DPDK_LOG in the environment. The
 * first error since rill_dpdk_log_forget() is kept for error texts, for it says most; or the first
 * warning, or "".
 */
void rill_dpdk_log_forget(void);
void rill_dpdk_log_first(char *buf, size_t len);

RILL_COLD void rill_dpdk_thread_register(void);

/*
 * To be called by a thread before it sends or receives: gives it the caches of mempools, without
 * which each buffer taken or given back is an atomic operation of its own.
 */
static inline void rill_dpdk_thread_use(void)
{
	if (RILL_UNLIKELY(rte_lcore_id() == LCORE_ID_ANY))
		rill_dpdk_thread_register();
}

#endif
