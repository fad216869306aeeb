/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/sim_frame.h"

#include <string.h>

#include "drivers/mem_nic.h"

#define IP4_LEN 20
#define IP6_LEN 40
#define ICMP_LEN 8
#define ECN_MASK 3
#define ECN_CE 3

static uint16_t load16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void store16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* RFC 1071; len is even. */
static uint16_t checksum(const uint8_t *p, uint32_t len)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < len; i += 2)
		sum += load16(p + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The ECN field, of either version of IP. */
static uint8_t ecn_of(const uint8_t *ip)
{
	return ip[0] >> 4 == 4 ? ip[1] & ECN_MASK : ip[1] >> 4 & ECN_MASK;
}

struct rill_sim_frame_kind rill_sim_frame_kind(const uint8_t *frame, uint32_t len)
{
	struct rill_sim_frame_kind kind = {.len = len, .l3_at = RILL_MEM_ETH_LEN};
	const uint8_t *ip = frame + RILL_MEM_ETH_LEN;
	uint16_t type = load16(frame + 12);
	uint32_t l3_len = len - RILL_MEM_ETH_LEN;

	kind.ip = (type == 0x0800 && l3_len >= IP4_LEN && ip[0] >> 4 == 4) ||
		  (type == 0x86dd && l3_len >= IP6_LEN && ip[0] >> 4 == 6);
	kind.ect = kind.ip && (ecn_of(ip) == 1 || ecn_of(ip) == 2);
	return kind;
}

void rill_sim_frame_mark(uint8_t *frame, const struct rill_sim_frame_kind *kind)
{
	uint8_t *ip = frame + kind->l3_at;

	if (ip[0] >> 4 == 6) {
		ip[1] |= ECN_CE << 4;
		return;
	}
	uint16_t old = load16(ip);

	ip[1] |= ECN_CE;
	uint32_t sum = (uint16_t)~load16(ip + 10) + (uint16_t)~old + (uint32_t)load16(ip);

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	store16(ip + 10, (uint16_t)~sum);
}

bool rill_sim_frame_too_big(const uint8_t *frame, uint32_t len, uint64_t mtu,
			    uint8_t ret_answer[RILL_SIM_TOO_BIG_LEN])
{
	const uint8_t *ip = frame + RILL_MEM_ETH_LEN;
	uint8_t *answer = ret_answer + RILL_MEM_ETH_LEN, *icmp = answer + IP4_LEN;

	if (len < RILL_MEM_ETH_LEN + IP4_LEN + ICMP_LEN || load16(frame + 12) != 0x0800 ||
	    ip[0] != 0x45 || !(ip[6] & 0x40))
		return false;
	memset(ret_answer, 0, RILL_SIM_TOO_BIG_LEN);
	memcpy(ret_answer, frame + 6, 6);
	memcpy(ret_answer + 6, frame, 6);
	store16(ret_answer + 12, 0x0800);
	answer[0] = 0x45;
	store16(answer + 2, RILL_SIM_TOO_BIG_LEN - RILL_MEM_ETH_LEN);
	answer[8] = 64; /* TTL */
	answer[9] = 1;	/* ICMP */
	memcpy(answer + 12, ip + 16, 4);
	memcpy(answer + 16, ip + 12, 4);
	store16(answer + 10, checksum(answer, IP4_LEN));
	icmp[0] = 3; /* destination unreachable: */
	icmp[1] = 4; /* fragmentation needed */
	store16(icmp + 6, (uint16_t)mtu);
	memcpy(icmp + ICMP_LEN, ip, IP4_LEN + 8);
	store16(icmp + 2, checksum(icmp, ICMP_LEN + IP4_LEN + 8));
	return true;
}
