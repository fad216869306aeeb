/* SPDX-License-Identifier: BSD-3-Clause */
/* How a kernel interface spreads what it receives over its queues, as ethtool -x shows it. */
#ifndef RILL_DRIVERS_NETDEV_RSS_H
#define RILL_DRIVERS_NETDEV_RSS_H

struct rill_nic_rss;

/*
 * See rill_driver.rss. In the caller's network namespace. -EOPNOTSUPP: the NIC's driver does not
 * tell, or the hash is none that rill can follow (another function than Toeplitz, a symmetric
 * input); -ENODEV.
 */
int rill_netdev_rss(const char *name, struct rill_nic_rss *ret_rss);

#endif
