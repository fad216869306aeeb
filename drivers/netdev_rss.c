/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/netdev_rss.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/driver.h"

/* Of hfunc: Toeplitz. 0 is what drivers say that know no other. */
#define HASH_TOEPLITZ 1
/* More is no table, but a kernel that means something else. */
#define TABLE_MAX 65536u
#define KEY_MAX 1024u

struct request {
	int fd;
	const char *name;
};

static int ask(const struct request *r, void *cmd)
{
	struct ifreq ifr = {.ifr_data = cmd};

	snprintf(ifr.ifr_name, IFNAMSIZ, "%.*s", IFNAMSIZ - 1, r->name);
	return ioctl(r->fd, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
}

/* Which of the ports go into the hash of that kind of flow: both, or it is not by ports. */
static bool hashes_ports(const struct request *r, uint32_t flow_type)
{
	struct ethtool_rxnfc nfc = {.cmd = ETHTOOL_GRXFH, .flow_type = flow_type};
	const uint64_t both = RXH_L4_B_0_1 | RXH_L4_B_2_3;

	return ask(r, &nfc) == 0 && (nfc.data & both) == both;
}

/* Only sizes by which a hash is masked: what a NIC does with others is its own. */
static int take_table(const uint32_t *entries, uint32_t len, struct rill_nic_rss *rss)
{
	if (len == 0 || len > RILL_ARRAY_SIZE(rss->table) || (len & (len - 1)) != 0)
		return -EOPNOTSUPP;
	for (uint32_t i = 0; i < len; i++) {
		if (entries[i] >= RILL_NIC_QUEUES_MAX)
			return -EOPNOTSUPP;
		rss->table[i] = (uint16_t)entries[i];
	}
	rss->table_len = len;
	return 0;
}

static int take_config(const struct ethtool_rxfh *cfg, struct rill_nic_rss *rss)
{
	const uint8_t *key = (const uint8_t *)(cfg->rss_config + cfg->indir_size);

	/* The first reserved byte says, from Linux 6.8 on, what is done to the input first. */
	if ((cfg->hfunc & ~HASH_TOEPLITZ) != 0 || cfg->rsvd8[0] != 0)
		return -EOPNOTSUPP;
	rss->key_len = RILL_MIN(cfg->key_size, (uint32_t)sizeof(rss->key));
	memcpy(rss->key, key, rss->key_len);
	return take_table(cfg->rss_config, cfg->indir_size, rss);
}

static int read_config(const struct request *r, struct rill_nic_rss *rss)
{
	struct ethtool_rxfh sizes = {.cmd = ETHTOOL_GRSSH};
	int err = ask(r, &sizes);

	if (err)
		return err;
	if (sizes.indir_size > TABLE_MAX || sizes.key_size > KEY_MAX)
		return -EOPNOTSUPP;
	struct ethtool_rxfh *cfg =
		calloc(1, sizeof(*cfg) + 4 * (size_t)sizes.indir_size + sizes.key_size);

	if (!cfg)
		return -ENOMEM;
	cfg->cmd = ETHTOOL_GRSSH;
	cfg->indir_size = sizes.indir_size;
	cfg->key_size = sizes.key_size;
	err = ask(r, cfg);
	if (!err)
		err = take_config(cfg, rss);
	free(cfg);
	return err;
}

int rill_netdev_rss(const char *name, struct rill_nic_rss *ret_rss)
{
	struct request r = {.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), .name = name};
	struct rill_nic_rss rss = {.key_len = 0};

	if (r.fd < 0)
		return -errno;
	int err = read_config(&r, &rss);

	rss.hashes_ports_tcp = hashes_ports(&r, TCP_V4_FLOW);
	rss.hashes_ports_udp = hashes_ports(&r, UDP_V4_FLOW);
	close(r.fd);
	/* A virtual interface says that it has nothing in other words. */
	if (err == -EINVAL)
		err = -EOPNOTSUPP;
	if (!err)
		*ret_rss = rss;
	return err;
}
