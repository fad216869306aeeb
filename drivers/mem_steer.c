/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/mem_steer.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "drivers/driver.h"
#include "drivers/toeplitz.h"

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

/* ---- the NICs it can play ---- */

#define TABLE_LEN 128
#define MODE_OF(rss) ((uint32_t)(rss) << 1)
#define RSS_OF(mode) ((enum rill_mem_rss)((mode) >> 1))

const char *const rill_mem_rss_names[] = {"mix", "toeplitz", "toeplitz16", "sorted",
					  "nat", "spray",    NULL};
const char *const rill_mem_tell_names[] = {"queue", "key", "nothing", NULL};
const char *const rill_mem_off_on[] = {"off", "on", NULL};

static struct rill_toeplitz toeplitz;
static pthread_once_t toeplitz_once = PTHREAD_ONCE_INIT;

static void toeplitz_make(void)
{
	rill_toeplitz_init(&toeplitz, rill_toeplitz_key_msft, sizeof(rill_toeplitz_key_msft));
}

void rill_mem_spread_set(struct rill_mem_spread *s, const struct rill_mem_steer *steer)
{
	pthread_once(&toeplitz_once, toeplitz_make);
	rill_store_relaxed(&s->mode, MODE_OF(steer->rss) | (steer->rxhash ? 1 : 0));
}

static uint16_t get_port(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void take_ip(struct rill_addr *a, const uint8_t *bytes, bool ip6)
{
	*a = (struct rill_addr){.ip.family = ip6 ? RILL_AF_IP6 : RILL_AF_IP4};
	memcpy(a->ip.bytes, bytes, ip6 ? 16 : 4);
}

/* False: not IP, or cut short. Without ports (fragments, other protocols): *ret_ports false. */
static bool addresses(const uint8_t *frame, uint32_t len, struct rill_addr *from,
		      struct rill_addr *to, bool *ret_ports)
{
	const uint8_t *ip = frame + ETH_LEN;
	bool ip6 = len >= ETH_LEN + IP6_LEN && frame[12] == 0x86 && frame[13] == 0xdd;
	bool ip4 = len >= ETH_LEN + IP4_LEN && frame[12] == 0x08 && frame[13] == 0;

	if (!ip4 && !ip6)
		return false;
	uint32_t ip_len = ip6 ? IP6_LEN : (ip[0] & 0x0f) * 4u;
	bool fragment = ip4 && ((ip[6] & 0x3f) != 0 || ip[7] != 0);

	take_ip(from, ip + (ip6 ? 8 : 12), ip6);
	take_ip(to, ip + (ip6 ? 24 : 16), ip6);
	*ret_ports = has_ports(ip[ip6 ? 6 : 9]) && !fragment && len >= ETH_LEN + ip_len + 4;
	if (*ret_ports) {
		from->port = get_port(ip + ip_len);
		to->port = get_port(ip + ip_len + 2);
	}
	return true;
}

static void sort(struct rill_addr *a, struct rill_addr *b)
{
	if (memcmp(a->ip.bytes, b->ip.bytes, sizeof(a->ip.bytes)) > 0) {
		struct rill_ip ip = a->ip;

		a->ip = b->ip;
		b->ip = ip;
	}
	if (a->port > b->port) {
		uint16_t port = a->port;

		a->port = b->port;
		b->port = port;
	}
}

/* Ports as a translator hands them out: in no order that the ports behind it would show. */
static void translate(struct rill_addr *from, struct rill_addr *to)
{
	from->ip.bytes[3] ^= 0x5a;
	to->port = (uint16_t)(mix(to->port, UINT64_C(0x7365)) >> 20);
}

static uint32_t hash_of(enum rill_mem_rss rss, struct rill_addr *from, struct rill_addr *to,
			bool ports)
{
	uint8_t input[RILL_TOEPLITZ_INPUT_MAX];

	if (rss == RILL_MEM_RSS_SORTED)
		sort(from, to);
	if (rss == RILL_MEM_RSS_NAT)
		translate(from, to);
	uint32_t hash =
		rill_toeplitz_hash(&toeplitz, input, rill_toeplitz_input(from, to, ports, input));

	return rss == RILL_MEM_RSS_TOEPLITZ16 ? hash >> 16 : hash;
}

/* By a table that goes round: what NICs begin with. */
static uint32_t table_queue(uint32_t hash, uint32_t queue_count)
{
	return hash % TABLE_LEN % queue_count;
}

uint32_t rill_mem_spread_queue(struct rill_mem_spread *s, uint32_t queue_count,
			       const uint8_t *frame, uint32_t len, uint32_t *ret_hash)
{
	enum rill_mem_rss rss = RSS_OF(rill_load_relaxed(&s->mode));
	struct rill_addr from, to;
	bool ports;

	if (RILL_LIKELY(rss == RILL_MEM_RSS_MIX)) {
		*ret_hash = rill_mem_steer_hash(frame, len);
		return rill_mem_steer_queue(*ret_hash, queue_count);
	}
	*ret_hash = 0;
	if (rss == RILL_MEM_RSS_SPRAY)
		return rill_fetch_add_relaxed(&s->next, 1) % queue_count;
	if (!addresses(frame, len, &from, &to, &ports))
		return 0;
	*ret_hash = hash_of(rss, &from, &to, ports);
	return table_queue(*ret_hash, queue_count);
}

int rill_mem_steer_told_queue(const struct rill_mem_steer *steer, const struct rill_nic *nic,
			      uint8_t proto, const struct rill_addr *from,
			      const struct rill_addr *to)
{
	struct rill_addr a = *from, b = *to;

	if (steer->tell != RILL_MEM_TELL_QUEUE || steer->rss == RILL_MEM_RSS_SPRAY)
		return -1;
	if (steer->rss == RILL_MEM_RSS_MIX)
		return rill_mem_steer_queue_of(nic, proto, from, to);
	uint32_t hash = hash_of((enum rill_mem_rss)steer->rss, &a, &b, has_ports(proto));

	return (int)table_queue(hash, nic->queue_count);
}

int rill_mem_steer_told_rss(const struct rill_mem_steer *steer, const struct rill_nic *nic,
			    struct rill_nic_rss *ret_rss)
{
	if (steer->tell != RILL_MEM_TELL_KEY)
		return -EOPNOTSUPP;
	*ret_rss = (struct rill_nic_rss){
		.key_len = sizeof(rill_toeplitz_key_msft),
		.table_len = TABLE_LEN,
		.hashes_ports_tcp = true,
		.hashes_ports_udp = true,
	};
	memcpy(ret_rss->key, rill_toeplitz_key_msft, sizeof(rill_toeplitz_key_msft));
	for (unsigned i = 0; i < TABLE_LEN; i++)
		ret_rss->table[i] = (uint16_t)(i % nic->queue_count);
	return 0;
}
