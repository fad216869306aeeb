/* SPDX-License-Identifier: BSD-3-Clause */
/* The drivers that a build can have, for the list in driver.c and for the drivers themselves. */
#ifndef RILL_DRIVERS_BUILTIN_H
#define RILL_DRIVERS_BUILTIN_H

#include "drivers/driver.h"

extern const struct rill_driver rill_mem_driver;
extern const struct rill_driver rill_pcap_driver;
extern const struct rill_driver rill_sim_driver;
extern const struct rill_driver rill_tap_driver;
extern const struct rill_driver rill_af_xdp_driver;
extern const struct rill_driver rill_dpdk_driver; /* its module's front door, plugin.c */

#endif
