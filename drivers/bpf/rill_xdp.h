/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* What the XDP program and its loader agree on: the keys of its maps. */
#ifndef RILL_DRIVERS_BPF_RILL_XDP_H
#define RILL_DRIVERS_BPF_RILL_XDP_H

#include <linux/types.h>

#define RILL_XDP_QUEUES_MAX 64
#define RILL_XDP_RULES_MAX 16384

/*
 * A rule: frames to this address. proto 0: every protocol, ARP and neighbour discovery for the
 * address included. port 0: every port. Unused bytes are 0.
 */
struct rill_xdp_key {
	__u32 addr[4]; /* network order; IPv4 in the first */
	__u16 port;    /* network order */
	__u8 proto;
	__u8 family; /* 4 or 6 */
};

/* Why a frame went where it went; one counter each. */
#define RILL_XDP_REASONS(X)                                                                        \
	X(REDIRECT_PORT, "redirected: address, protocol and port")                                 \
	X(REDIRECT_PROTO, "redirected: address and protocol")                                      \
	X(REDIRECT_ADDR, "redirected: address")                                                    \
	X(REDIRECT_ARP, "redirected: ARP for the address")                                         \
	X(REDIRECT_ND, "redirected: neighbour discovery for the address")                          \
	X(REDIRECT_ALL, "redirected: everything is")                                               \
	X(PASS_NO_RULE, "passed: not rill's")                                                      \
	X(PASS_NO_SOCKET, "passed: rill's, but no socket on this receive queue")                   \
	X(PASS_VLAN, "passed: VLAN tag")                                                           \
	X(PASS_OTHER, "passed: neither IP nor ARP")                                                \
	X(PASS_SHORT, "passed: cut short or malformed")

enum rill_xdp_reason {
#define RILL_XDP_REASON_ENUM(name, text) RILL_XDP_##name,
	RILL_XDP_REASONS(RILL_XDP_REASON_ENUM)
#undef RILL_XDP_REASON_ENUM
		RILL_XDP_REASON_COUNT,
};

#endif
