/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XDP program of one interface with its maps: loading, attaching, the rules of what is rill's,
 * and its counters. It goes with the process, however that ends: the kernel holds it for us by a
 * bpf_link.
 */
#ifndef RILL_DRIVERS_AF_XDP_PROG_H
#define RILL_DRIVERS_AF_XDP_PROG_H

#include "drivers/bpf/rill_xdp.h"
#include "drivers/driver.h"

struct rill_xdp_prog;

/* Errors are described in error (RILL_NIC_ERROR_LEN). */
int rill_xdp_prog_create(struct rill_xdp_prog **ret_prog, char *error);
/* Detaches, too. NULL is allowed. */
void rill_xdp_prog_destroy(struct rill_xdp_prog *p);

/*
 * native: in the NIC's driver, else in the kernel's generic receive path. Verified by asking the
 * kernel. -EBUSY: another XDP program is there.
 */
int rill_xdp_prog_attach(struct rill_xdp_prog *p, unsigned ifindex, const char *ifname, bool native,
			 char *error);
void rill_xdp_prog_detach(struct rill_xdp_prog *p);

/* From now on rill's frames on that receive queue go to the socket. */
int rill_xdp_prog_set_socket(struct rill_xdp_prog *p, unsigned queue, int fd);

/*
 * An empty rule is for everything, VLANs and what is not IP included. -EINVAL: a port without a
 * protocol, or either without an address. -ENOSPC. Adding twice is adding once.
 */
int rill_xdp_prog_add_rule(struct rill_xdp_prog *p, const struct rill_flow_rule *rule);
/* -ENOENT */
int rill_xdp_prog_del_rule(struct rill_xdp_prog *p, const struct rill_flow_rule *rule);

/* The sums over all CPUs. */
int rill_xdp_prog_counters(struct rill_xdp_prog *p, uint64_t ret_counters[RILL_XDP_REASON_COUNT]);

#endif
