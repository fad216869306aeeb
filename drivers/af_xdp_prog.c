/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/af_xdp_prog.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rill_xdp.skel.h"

struct rill_xdp_prog {
	struct rill_xdp *skel;
	int link_fd; /* -1: not attached */
};

int rill_xdp_prog_create(struct rill_xdp_prog **ret_prog, char *error)
{
	struct rill_xdp_prog *p = calloc(1, sizeof(*p));

	if (!p)
		return rill_nic_fail(error, -ENOMEM, "af_xdp: out of memory");
	p->link_fd = -1;
	errno = 0;
	p->skel = rill_xdp__open_and_load();
	if (!p->skel) {
		int err = errno ? -errno : -EINVAL;

		free(p);
		if (err == -EPERM || err == -EACCES)
			return rill_nic_fail(
				error, err,
				"af_xdp: not permitted to load the XDP program: run as root, or "
				"with CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW");
		return rill_nic_fail(error, err, "af_xdp: the kernel refuses the XDP program: %s",
				     strerror(-err));
	}
	*ret_prog = p;
	return 0;
}

void rill_xdp_prog_detach(struct rill_xdp_prog *p)
{
	if (p->link_fd >= 0)
		close(p->link_fd);
	p->link_fd = -1;
}

void rill_xdp_prog_destroy(struct rill_xdp_prog *p)
{
	if (!p)
		return;
	rill_xdp_prog_detach(p);
	rill_xdp__destroy(p->skel);
	free(p);
}

static int fail_attach(unsigned ifindex, const char *ifname, int err, char *error)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, info);
	__u32 id = 0;

	switch (err) {
	case -EBUSY:
	case -EEXIST:
		if (bpf_xdp_query((int)ifindex, 0, &info) == 0)
			id = info.prog_id	? info.prog_id
			     : info.drv_prog_id ? info.drv_prog_id
						: info.skb_prog_id;
		return rill_nic_fail(
			error, -EBUSY,
			"af_xdp:%s carries another XDP program (id %u): ip link set dev %s xdp "
			"off; if that has no effect, a process holds it (bpftool link show)",
			ifname, id, ifname);
	case -EPERM:
		return rill_nic_fail(error, err,
				     "af_xdp:%s: not permitted to attach: needs CAP_NET_ADMIN",
				     ifname);
	case -ERANGE:
		return rill_nic_fail(
			error, err,
			"af_xdp:%s: the mtu (of the peer, for veth) is too large for native XDP: "
			"lower it, or use mode=generic",
			ifname);
	case -ENOSPC:
		return rill_nic_fail(
			error, err,
			"af_xdp:%s has fewer receive queues than its veth peer transmits on: "
			"ethtool -L, or use mode=generic",
			ifname);
	default:
		return rill_nic_fail(error, err, "af_xdp:%s: cannot attach the XDP program: %s",
				     ifname, strerror(-err));
	}
}

/* That the kernel took the link does not say where it runs. */
static bool attached_as(unsigned ifindex, bool native)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, info);

	if (bpf_xdp_query((int)ifindex, 0, &info) != 0)
		return false;
	return info.attach_mode == (native ? XDP_ATTACHED_DRV : XDP_ATTACHED_SKB);
}

int rill_xdp_prog_attach(struct rill_xdp_prog *p, unsigned ifindex, const char *ifname, bool native,
			 char *error)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	int prog_fd = bpf_program__fd(p->skel->progs.rill_xdp_steer);
	int fd = bpf_link_create(prog_fd, (int)ifindex, BPF_XDP, &opts);

	if (fd < 0)
		return fail_attach(ifindex, ifname, fd, error);
	p->link_fd = fd;
	if (attached_as(ifindex, native))
		return 0;
	rill_xdp_prog_detach(p);
	return rill_nic_fail(error, -EOPNOTSUPP, "af_xdp:%s: the kernel did not attach in %s mode",
			     ifname, native ? "native" : "generic");
}

int rill_xdp_prog_set_socket(struct rill_xdp_prog *p, unsigned queue, int fd)
{
	__u32 key = queue, value = (__u32)fd;

	return bpf_map_update_elem(bpf_map__fd(p->skel->maps.rill_sockets), &key, &value, BPF_ANY);
}

static bool is_everything(const struct rill_flow_rule *rule)
{
	return !rule->local.family && !rule->proto && !rule->port;
}

static int set_everything(struct rill_xdp_prog *p, __u32 on)
{
	int fd = bpf_map__fd(p->skel->maps.rill_everything);
	__u32 zero = 0, was = 0;
	int err = bpf_map_lookup_elem(fd, &zero, &was);

	if (!err && !on && !was)
		err = -ENOENT;
	return err ? err : bpf_map_update_elem(fd, &zero, &on, BPF_ANY);
}

static int make_key(const struct rill_flow_rule *rule, struct rill_xdp_key *key)
{
	if (rule->local.family != RILL_AF_IP4 && rule->local.family != RILL_AF_IP6)
		return -EINVAL;
	if (rule->port && !rule->proto)
		return -EINVAL;
	memset(key, 0, sizeof(*key));
	memcpy(key->addr, rule->local.bytes, rule->local.family == RILL_AF_IP4 ? 4 : 16);
	key->family = rule->local.family;
	key->proto = rule->proto;
	key->port = htons(rule->port);
	return 0;
}

int rill_xdp_prog_add_rule(struct rill_xdp_prog *p, const struct rill_flow_rule *rule)
{
	struct rill_xdp_key key;
	__u32 value = 1;

	if (is_everything(rule))
		return set_everything(p, 1);
	int err = make_key(rule, &key);

	if (err)
		return err;
	err = bpf_map_update_elem(bpf_map__fd(p->skel->maps.rill_local), &key, &value, BPF_ANY);
	/* E2BIG is how a full hash map puts it. */
	return err == -E2BIG ? -ENOSPC : err;
}

int rill_xdp_prog_del_rule(struct rill_xdp_prog *p, const struct rill_flow_rule *rule)
{
	struct rill_xdp_key key;

	if (is_everything(rule))
		return set_everything(p, 0);
	int err = make_key(rule, &key);

	return err ? err : bpf_map_delete_elem(bpf_map__fd(p->skel->maps.rill_local), &key);
}

int rill_xdp_prog_counters(struct rill_xdp_prog *p, uint64_t ret_counters[RILL_XDP_REASON_COUNT])
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *per_cpu = cpus > 0 ? calloc((size_t)cpus, sizeof(*per_cpu)) : NULL;
	int err = per_cpu ? 0 : -ENOMEM;

	for (__u32 i = 0; !err && i < RILL_XDP_REASON_COUNT; i++) {
		uint64_t sum = 0;

		err = bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.rill_counters), &i, per_cpu);
		for (int c = 0; c < cpus; c++)
			sum += per_cpu[c];
		if (!err)
			ret_counters[i] = sum;
	}
	free(per_cpu);
	return err;
}
