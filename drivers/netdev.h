/* SPDX-License-Identifier: BSD-3-Clause */
/* Questions to the kernel about one of its network interfaces, for the drivers that sit on one. */
#ifndef RILL_DRIVERS_NETDEV_H
#define RILL_DRIVERS_NETDEV_H

#include <stdbool.h>
#include <stdint.h>

/* All: 0 or a negative errno; -ENODEV: there is no such interface. */
int rill_netdev_exists(const char *name);
int rill_netdev_is_up(const char *name, bool *ret_up);
int rill_netdev_mtu(const char *name, unsigned *ret_mtu);
int rill_netdev_mac(const char *name, uint8_t *ret_mac);
/* Receive queues. */
int rill_netdev_queues(const char *name, unsigned *ret_count);

int rill_netdev_set_up(const char *name);
int rill_netdev_set_mtu(const char *name, unsigned mtu);

#endif
