/* SPDX-License-Identifier: BSD-3-Clause */
/* What the af_xdp driver tells beyond the common interface. Only in builds with RILL_HAVE_AF_XDP.
 */
#ifndef RILL_DRIVERS_AF_XDP_H
#define RILL_DRIVERS_AF_XDP_H

#include "drivers/bpf/rill_xdp.h"
#include "drivers/driver.h"

/* Where the XDP program sent the frames, by reason (RILL_XDP_REASONS). nic must be an af_xdp one.
 */
int rill_af_xdp_counters(struct rill_nic *nic, uint64_t ret_counters[RILL_XDP_REASON_COUNT]);

#endif
