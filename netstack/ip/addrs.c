/* SPDX-License-Identifier: BSD-3-Clause */
/* The addresses of an interface (RFC 1122, 3.3.4), and which one a packet comes from. */
#include "netstack/ip/l3.h"

#include <errno.h>
#include <string.h>

static struct rill_l3_addr *find(struct rill_l3 *l3, uint32_t ip)
{
	for (unsigned i = 0; i < l3->addr_count; i++)
		if (l3->addrs[i].ip == ip)
			return &l3->addrs[i];
	return NULL;
}

bool rill_l3_owns_another(const struct rill_l3 *l3, uint32_t addr)
{
	for (unsigned i = 1; i < l3->addr_count; i++)
		if (l3->addrs[i].ip == addr)
			return true;
	return false;
}

const struct rill_l3_addr *rill_l3_other_subnet(const struct rill_l3 *l3, uint32_t addr)
{
	for (unsigned i = 1; i < l3->addr_count; i++)
		if (((addr ^ l3->addrs[i].ip) & l3->addrs[i].mask) == 0)
			return &l3->addrs[i];
	return NULL;
}

bool rill_l3_is_other_broadcast(const struct rill_l3 *l3, uint32_t addr)
{
	for (unsigned i = 1; i < l3->addr_count; i++)
		if (l3->addrs[i].broadcast && l3->addrs[i].broadcast == addr)
			return true;
	return false;
}

bool rill_l3_addr_make(const struct rill_ip *ip, unsigned prefix, struct rill_l3_addr *ret_addr)
{
	struct rill_l3_addr a = {.ip = rill_ip4_get(ip)};

	if (ip->family != RILL_AF_IP4 || prefix > 32 || rill_ip4_is_bad_source(a.ip))
		return false;
	a.mask = prefix ? UINT32_MAX << (32 - prefix) : 0;
	/* With /31 both are hosts (RFC 3021). */
	a.broadcast = prefix <= 30 ? a.ip | ~a.mask : 0;
	if (a.broadcast && (a.ip == a.broadcast || (a.ip & ~a.mask) == 0))
		return false;
	*ret_addr = a;
	return true;
}

int rill_l3_add_addr(struct rill_l3 *l3, const struct rill_ip *ip, unsigned prefix)
{
	struct rill_l3_addr a;

	if (!rill_l3_addr_make(ip, prefix, &a) || a.ip == l3->gateway)
		return -EINVAL;
	if (find(l3, a.ip))
		return -EEXIST;
	if (l3->addr_count == RILL_L3_ADDRS_MAX)
		return -ENOSPC;
	l3->addrs[l3->addr_count++] = a;
	return 0;
}

int rill_l3_del_addr(struct rill_l3 *l3, const struct rill_ip *ip)
{
	struct rill_l3_addr *a = find(l3, rill_ip4_get(ip));
	struct rill_l3_addr old;

	if (!a)
		return -ENOENT;
	if (a == l3->addrs)
		return -EBUSY;
	old = *a;
	l3->addr_count--;
	memmove(a, a + 1, (size_t)(l3->addrs + l3->addr_count - a) * sizeof(*a));
	if (!l3->gateway || rill_l3_is_neighbour(l3, l3->gateway))
		return 0;
	l3->addrs[l3->addr_count++] = old;
	return -EBUSY;
}

/* ---- where from ---- */

uint32_t rill_l3_source_on_link(const struct rill_l3 *l3, uint32_t next_hop)
{
	const struct rill_l3_addr *a = rill_l3_subnet(l3, next_hop);

	return a ? a->ip : l3->ip;
}

static uint32_t next_hop(const struct rill_l3 *l3, uint32_t dst)
{
	return rill_l3_subnet(l3, dst) || !l3->gateway ? dst : l3->gateway;
}

void rill_l3_source(const struct rill_l3 *l3, const struct rill_ip *dst, struct rill_ip *ret_ip)
{
	rill_ip4_set(ret_ip, rill_l3_source_on_link(l3, next_hop(l3, rill_ip4_get(dst))));
}

bool rill_l3_is_source(const struct rill_l3 *l3, unsigned i, const struct rill_ip *dst,
		       struct rill_ip *ret_ip)
{
	const struct rill_l3_addr *a = &l3->addrs[i];
	uint32_t hop = next_hop(l3, rill_ip4_get(dst));

	/* Another subnet's would not be found by answers. */
	if (((hop ^ a->ip) & a->mask) != 0 && rill_l3_subnet(l3, hop))
		return false;
	rill_ip4_set(ret_ip, a->ip);
	return true;
}

/* ---- as text ---- */

static int parse_one(const char *text, size_t len, struct rill_l3_cidr *ret_cidr)
{
	char one[RILL_ADDR_STRLEN];

	if (len >= sizeof(one))
		return -EINVAL;
	memcpy(one, text, len);
	one[len] = 0;
	return rill_cidr_parse(one, &ret_cidr->ip, &ret_cidr->prefix);
}

int rill_l3_cidrs_parse(const char *text, struct rill_l3_cidr ret_cidrs[RILL_L3_ADDRS_MAX])
{
	int count = 0;

	for (;;) {
		size_t len = strcspn(text, ",");

		if (count == RILL_L3_ADDRS_MAX || parse_one(text, len, &ret_cidrs[count]) < 0)
			return -EINVAL;
		count++;
		if (text[len] == 0)
			return count;
		text += len + 1;
	}
}
