/* SPDX-License-Identifier: BSD-3-Clause */
#include <rill/net.h>

#include "netstack/wire/ip4.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Decimal digits only, no sign, no blank, up to max. Returns what follows, NULL: no number. */
static const char *parse_decimal(const char *text, unsigned max, unsigned *ret_value)
{
	unsigned value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		value = value * 10 + (unsigned)(*p - '0');
		if (value > max)
			return NULL;
	}
	if (p == text)
		return NULL;
	*ret_value = value;
	return p;
}

/* inet_pton() takes exactly the strict forms, but needs them terminated. */
static int parse_ip(const char *text, size_t len, struct rill_ip *ret_ip)
{
	char copy[INET6_ADDRSTRLEN];
	struct rill_ip ip = {0};

	if (len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	ip.family = memchr(copy, ':', len) ? RILL_AF_IP6 : RILL_AF_IP4;
	if (inet_pton(ip.family == RILL_AF_IP6 ? AF_INET6 : AF_INET, copy, ip.bytes) != 1)
		return -EINVAL;
	*ret_ip = ip;
	return 0;
}

/* text is empty or ":port". */
static int parse_port(const char *text, uint16_t *ret_port)
{
	unsigned port = 0;

	if (*text == '\0') {
		*ret_port = 0;
		return 0;
	}
	if (*text != ':')
		return -EINVAL;
	const char *rest = parse_decimal(text + 1, UINT16_MAX, &port);

	if (!rest || *rest)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

/* Where the address begins and ends, and where ":port" may begin. -EINVAL: a bracket without its
 * other. */
static int split(const char *text, const char **ret_ip, size_t *ret_len, const char **ret_port)
{
	const char *colon = strchr(text, ':');
	const char *end = text + strlen(text);

	*ret_ip = text;
	if (*text == '[') {
		const char *close = strchr(text, ']');

		if (!close)
			return -EINVAL;
		*ret_ip = text + 1;
		*ret_len = (size_t)(close - text - 1);
		*ret_port = close + 1;
		/* Brackets are for IPv6 alone. */
		return memchr(*ret_ip, ':', *ret_len) ? 0 : -EINVAL;
	}
	/* Two colons and no bracket: IPv6 without a port. */
	*ret_port = colon && !strchr(colon + 1, ':') ? colon : end;
	*ret_len = (size_t)(*ret_port - text);
	return 0;
}

RILL_API int rill_addr_parse(const char *text, struct rill_addr *ret_addr)
{
	struct rill_addr addr = {.ip.family = RILL_AF_IP4};
	const char *ip, *port;
	size_t len;

	if (!text || !*text || split(text, &ip, &len, &port))
		return -EINVAL;
	/* ":80": any IPv4 address. */
	if (len && parse_ip(ip, len, &addr.ip))
		return -EINVAL;
	if (parse_port(port, &addr.port))
		return -EINVAL;
	*ret_addr = addr;
	return 0;
}

RILL_API int rill_cidr_parse(const char *text, struct rill_ip *ret_ip, unsigned *ret_prefix)
{
	const char *slash = text ? strchr(text, '/') : NULL;
	struct rill_ip ip;
	unsigned prefix;

	if (!slash || parse_ip(text, (size_t)(slash - text), &ip))
		return -EINVAL;
	const char *rest = parse_decimal(slash + 1, ip.family == RILL_AF_IP6 ? 128 : 32, &prefix);

	if (!rest || *rest)
		return -EINVAL;
	*ret_ip = ip;
	*ret_prefix = prefix;
	return 0;
}

RILL_API const char *rill_addr_format(const struct rill_addr *addr, char *buf)
{
	char ip[INET6_ADDRSTRLEN] = "";

	if (addr->ip.family == RILL_AF_IP6) {
		inet_ntop(AF_INET6, addr->ip.bytes, ip, sizeof(ip));
		snprintf(buf, RILL_ADDR_STRLEN, "[%s]:%u", ip, addr->port);
		return buf;
	}
	rill_ip4_format(rill_ip4_get(&addr->ip), ip);
	snprintf(buf, RILL_ADDR_STRLEN, "%s:%u", ip, addr->port);
	return buf;
}
