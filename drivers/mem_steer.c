/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/mem_steer.h"

#include "drivers/driver.h"

#include <stdbool.h>
#include <string.h>

#define ETH_LEN 14
#define IP4_LEN 20
#define IP6_LEN 40
#define PROTO_TCP 6
#define PROTO_UDP 17

static uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* One round of multiply and fold: enough to spread flows, and no defence against those who aim. */
static uint64_t mix(uint64_t h, uint64_t v)
{
	unsigned __int128 m = (unsigned __int128)(h ^ v) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static bool has_ports(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP;
}

static uint32_t finish(uint64_t h)
{
	return (uint32_t)(mix(h, UINT64_C(0xd6e8feb86659fd93)) >> 32);
}

static uint32_t hash_ip4(const uint8_t *ip, uint32_t len)
{
	uint32_t header_len = (ip[0] & 0x0f) * 4u;
	/* More-fragments bit or an offset: only the first fragment has the ports, so none may use
	 * them. */
	bool fragment = (ip[6] & 0x3f) != 0 || ip[7] != 0;
	uint64_t h = mix(UINT64_C(0x243f6a8885a308d3) + ip[9], load64(ip + 12));

	if (!fragment && has_ports(ip[9]) && len >= header_len + 4)
		h = mix(h, load32(ip + header_len));
	return finish(h);
}

static uint32_t hash_ip6(const uint8_t *ip, uint32_t len)
{
	uint64_t h = UINT64_C(0x13198a2e03707344) + ip[6];

	for (unsigned i = 8; i < IP6_LEN; i += 8)
		h = mix(h, load64(ip + i));
	if (has_ports(ip[6]) && len >= IP6_LEN + 4)
		h = mix(h, load32(ip + IP6_LEN));
	return finish(h);
}

uint32_t rill_mem_steer_hash(const uint8_t *frame, uint32_t len)
{
	if (len < ETH_LEN + IP4_LEN)
		return 0;
	const uint8_t *ip = frame + ETH_LEN;

	if (frame[12] == 0x08 && frame[13] == 0x00 && ip[0] >> 4 == 4)
		return hash_ip4(ip, len - ETH_LEN);
	if (frame[12] == 0x86 && frame[13] == 0xdd && len >= ETH_LEN + IP6_LEN && ip[0] >> 4 == 6)
		return hash_ip6(ip, len - ETH_LEN);
	return 0;
}

static void put_port(uint8_t *p, uint16_t port)
{
	p[0] = (uint8_t)(port >> 8);
	p[1] = (uint8_t)port;
}

int rill_mem_steer_queue_of(const struct rill_nic *nic, uint8_t proto, const struct rill_addr *from,
			    const struct rill_addr *to)
{
	bool ip6 = from->ip.family == RILL_AF_IP6;
	uint32_t ip_len = ip6 ? IP6_LEN : IP4_LEN;
	uint8_t ip[IP6_LEN + 4] = {0};
	uint32_t hash = 0;

	ip[0] = ip6 ? 0x60 : 0x45;
	ip[ip6 ? 6 : 9] = proto;
	memcpy(ip + (ip6 ? 8 : 12), from->ip.bytes, ip6 ? 16 : 4);
	memcpy(ip + (ip6 ? 24 : 16), to->ip.bytes, ip6 ? 16 : 4);
	put_port(ip + ip_len, from->port);
	put_port(ip + ip_len + 2, to->port);
	if (nic->queue_count > 1)
		hash = ip6 ? hash_ip6(ip, ip_len + 4) : hash_ip4(ip, ip_len + 4);
	return (int)rill_mem_steer_queue(hash, nic->queue_count);
}
