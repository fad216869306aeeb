/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Networking on NICs that rill owns. A struct rill_net is one interface: a NIC, its addresses, and
 * the userspace TCP/UDP stack on it, whose sockets are those of rill/tcp.h and rill/udp.h.
 */
#ifndef RILL_NET_H
#define RILL_NET_H

#include <rill/addr.h>
#include <rill/base.h>
#include <rill/tcp.h>
#include <rill/udp.h>
#include <stdio.h>

RILL_BEGIN_DECLS

struct rill_runtime;
struct rill_runtime_options;
struct rill_net;

struct rill_net_options {
	size_t size; /* sizeof, by RILL_OPTIONS */
	/*
	 * The NIC: "af_xdp:eth0", "tap:rill0", "mem:lab". Driver options follow after commas:
	 * "af_xdp:eth0,mode=generic", "mem:lab,loss=0.01,seed=7". Each driver refuses what it does
	 * not know.
	 */
	const char *nic;
	const char *addr;    /* own address with prefix length: "198.18.0.1/24"; more of them, 64 at
				most, follow after commas */
	const char *gateway; /* next hop for everything else; NULL: none */
	unsigned queues; /* NIC queues to open, one shard each; 0: as many as NIC and workers allow
			  */
	unsigned mtu;	 /* 0: the NIC's */
	uint64_t drain_ns; /* see rill_net_close(); 0: RILL_NET_DRAIN_NS */
	/*
	 * The VLAN (IEEE 802.1Q) to be on, 1 to 4094: what is sent has its tag, what comes without
	 * it is dropped. 0: no tags.
	 */
	unsigned vlan;
};

#define RILL_NET_DRAIN_NS (1 * RILL_SEC)

/*
 * Opens the NIC and starts the stack on it; rt NULL: the caller's runtime. -EINVAL (bad spec or
 * address), -ENODEV, -EPERM, -EOPNOTSUPP, -EBUSY; rill_net_error() says in words what was wrong and
 * what to do.
 */
RILL_API int rill_net_open(struct rill_runtime *rt, const struct rill_net_options *o,
			   struct rill_net **ret_net);
/*
 * rill_runtime_create(), then rill_net_open() for each of count interfaces, whose handles go to the
 * array ret_nets: all of it, or nothing. o may be NULL. Errors as of the two, in words by
 * rill_net_error(). From a plain thread.
 */
RILL_API int rill_net_start(const struct rill_runtime_options *o,
			    const struct rill_net_options *nets, unsigned count,
			    struct rill_runtime **ret_rt, struct rill_net **ret_nets);
/* Text for the calling thread's last failed rill_net_open() or rill_net_start(). Never NULL. */
RILL_API const char *rill_net_error(void);

/*
 * Lets connections that were closed deliver what they have, and hear the peer's end, for drain_ns
 * at most (a task that is cancelled does not wait). Then resets what is still connected, and closes
 * the NIC. No socket of it may be in a call; all become invalid.
 */
RILL_API void rill_net_close(struct rill_net *net);

/*
 * Own addresses while the interface runs, "198.18.0.7/24". Adding: -EINVAL, -EEXIST, -ENOSPC (there
 * are 64), or what the NIC says. Deleting resets the connections from and to it, whose users get
 * -EADDRNOTAVAIL; sockets bound to it stay, and work again when it comes back. -ENOENT; -EBUSY: it
 * is the first, which stays as long as the interface, or the gateway is reached by it. From tasks
 * and plain threads.
 */
RILL_API int rill_net_add_addr(struct rill_net *net, const char *addr);
RILL_API int rill_net_del_addr(struct rill_net *net, const struct rill_ip *ip);
/* The first max of its addresses: how many there are. */
RILL_API unsigned rill_net_addrs(struct rill_net *net, struct rill_ip *list, unsigned max);

/* The first of them. */
RILL_API struct rill_ip rill_net_ip(const struct rill_net *net);
/*
 * "af_xdp:veth1 native copy need-wakeup 1 queue mtu 1500": how the NIC really runs, and with
 * several queues, by what their choice is foretold. Until the calling thread asks again.
 */
RILL_API const char *rill_net_describe(const struct rill_net *net);

RILL_END_DECLS

#endif
