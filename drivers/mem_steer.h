/* SPDX-License-Identifier: BSD-3-Clause */
/* The hash by which a mem: NIC spreads frames over its receive queues, as a NIC's RSS does. */
#ifndef RILL_DRIVERS_MEM_STEER_H
#define RILL_DRIVERS_MEM_STEER_H

#include <stdint.h>

/*
 * The same for all frames of one direction of a flow: by addresses, protocol and ports for TCP and
 * UDP, by addresses and protocol for other IP and for fragments. What is not IP, or cut short, is
 * 0.
 */
uint32_t rill_mem_steer_hash(const uint8_t *frame, uint32_t len);

struct rill_addr;
struct rill_nic;

/* See struct rill_driver: rx_queue_of. */
int rill_mem_steer_queue_of(const struct rill_nic *nic, uint8_t proto, const struct rill_addr *from,
			    const struct rill_addr *to);

/* queue_count > 0. */
static inline uint32_t rill_mem_steer_queue(uint32_t hash, uint32_t queue_count)
{
	return (uint32_t)(((uint64_t)hash * queue_count) >> 32);
}

#endif
