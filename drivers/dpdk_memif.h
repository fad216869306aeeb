/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net_memif's own ways. The PMD works from EAL's interrupt thread and locks nothing against other
 * threads: what starts, stops or closes its ports while a peer comes or goes must run there, too.
 */
#ifndef RILL_DRIVERS_DPDK_MEMIF_H
#define RILL_DRIVERS_DPDK_MEMIF_H

#include <stdbool.h>

/* device: "net_memif0,key=value,..." */
bool rill_dpdk_is_memif(const char *device);
bool rill_dpdk_memif_is_server(const char *device);
/* Its memory is the peer's as well, so that only EAL's can be sent. */
bool rill_dpdk_memif_is_zero_copy(const char *device);

/* Servers with several ids may: it is one in the process then. */
bool rill_dpdk_memif_share_socket(const char *one, const char *other);

/* A server that was killed leaves the path of its socket behind, and the next cannot bind then. */
void rill_dpdk_memif_before_open(const char *device);
/*
 * A server that closes leaves its listening socket open, and the callback for it, whose memory is
 * gone. Replaces the socket by something that nothing ever comes from. Before the close of the last
 * server that shares it.
 */
void rill_dpdk_memif_before_close(const char *device);

/* Runs fn(arg) on EAL's interrupt thread, or here where that cannot be had, and waits for it. */
void rill_dpdk_on_interrupt_thread(void (*fn)(void *arg), void *arg);

#endif
