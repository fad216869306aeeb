/* SPDX-License-Identifier: BSD-3-Clause */
/* How the port spreads what it receives, as it says itself. */
#include "drivers/dpdk_port.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define HASHES_TCP (RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP)
#define HASHES_UDP (RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP)

static bool read_key(struct rill_dpdk_port *p)
{
	struct rte_eth_rss_conf conf = {.rss_key = p->rss.key, .rss_key_len = sizeof(p->rss.key)};

	if (rte_eth_dev_rss_hash_conf_get(p->id, &conf) < 0)
		return false;
	p->rss.key_len = RILL_MIN(p->info.hash_key_size, (unsigned)sizeof(p->rss.key));
	p->rss.hashes_ports_tcp = (conf.rss_hf & HASHES_TCP) == HASHES_TCP;
	p->rss.hashes_ports_udp = (conf.rss_hf & HASHES_UDP) == HASHES_UDP;
	return p->rss.key_len >= RILL_TOEPLITZ_KEY_MIN;
}

static bool read_table(struct rill_dpdk_port *p)
{
	struct rte_eth_rss_reta_entry64 reta[RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE];
	unsigned len = p->info.reta_size;

	if (len == 0 || (len & (len - 1)) || len > RTE_ETH_RSS_RETA_SIZE_512)
		return false;
	memset(reta, 0, sizeof(reta));
	for (unsigned i = 0; i < len; i++)
		reta[i / RTE_ETH_RETA_GROUP_SIZE].mask |= UINT64_C(1)
							  << i % RTE_ETH_RETA_GROUP_SIZE;
	if (rte_eth_dev_rss_reta_query(p->id, reta, (uint16_t)len) < 0)
		return false;
	for (unsigned i = 0; i < len; i++)
		p->rss.table[i] =
			reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
	p->rss.table_len = len;
	return true;
}

void rill_dpdk_rss_read(struct rill_dpdk_port *p)
{
	if (p->conf.rxmode.mq_mode != RTE_ETH_MQ_RX_RSS || p->traits.rss_in_name_only)
		return;
	if (!read_key(p) || !read_table(p))
		return;
	p->toeplitz = malloc(sizeof(*p->toeplitz));
	if (p->toeplitz && rill_toeplitz_init(p->toeplitz, p->rss.key, p->rss.key_len) == 0)
		return;
	free(p->toeplitz);
	p->toeplitz = NULL;
}

int rill_dpdk_rss(struct rill_nic *nic, struct rill_nic_rss *ret_rss)
{
	const struct rill_dpdk_port *p = rill_dpdk_port_of(nic);

	if (p->rss.table_len == 0)
		return -EOPNOTSUPP;
	*ret_rss = p->rss;
	return 0;
}

int rill_dpdk_rx_queue_of(const struct rill_nic *nic, uint8_t proto, const struct rill_addr *from,
			  const struct rill_addr *to)
{
	const struct rill_dpdk_port *p = rill_dpdk_port_of(nic);
	uint8_t input[RILL_TOEPLITZ_INPUT_MAX];
	bool ports = proto == IPPROTO_TCP ? p->rss.hashes_ports_tcp
					  : proto == IPPROTO_UDP && p->rss.hashes_ports_udp;
	size_t len;

	if (nic->queue_count == 1)
		return 0;
	if (!p->toeplitz)
		return -1;
	len = rill_toeplitz_input(from, to, ports, input);
	if (len == 0 || len > p->toeplitz->input_max)
		return -1;
	return p->rss.table[rill_toeplitz_hash(p->toeplitz, input, len) & (p->rss.table_len - 1)];
}
