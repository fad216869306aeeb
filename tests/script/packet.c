/* SPDX-License-Identifier: BSD-3-Clause */
/* Written apart from netstack/wire on purpose: what checks the stack must not share its mistakes.
 */
#include "packet.h"

#include <string.h>

#define IP_HEADER_LEN 20
#define TCP_HEADER_LEN 20

uint16_t packet_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t packet_get32(const uint8_t *p)
{
	return (uint32_t)packet_get16(p) << 16 | packet_get16(p + 2);
}

void packet_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void packet_put32(uint8_t *p, uint32_t v)
{
	packet_put16(p, (uint16_t)(v >> 16));
	packet_put16(p + 2, (uint16_t)v);
}

uint16_t packet_checksum(const uint8_t *p, unsigned len, uint32_t sum)
{
	for (; len > 1; len -= 2, p += 2)
		sum += packet_get16(p);
	if (len)
		sum += (uint32_t)p[0] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint32_t pseudo_header(const struct packet *p, unsigned len)
{
	return (p->src >> 16) + (p->src & 0xffff) + (p->dst >> 16) + (p->dst & 0xffff) +
	       p->protocol + len;
}

static void emit_ip(const struct packet *p, uint8_t *out, unsigned header_len, unsigned len)
{
	memset(out, 0, IP_HEADER_LEN);
	out[0] = (uint8_t)(0x40 | header_len / 4);
	out[1] = p->tos;
	packet_put16(out + 2, (uint16_t)len);
	packet_put16(out + 6, p->df ? 0x4000 : 0);
	out[8] = p->ttl;
	out[9] = p->protocol;
	packet_put32(out + 12, p->src);
	packet_put32(out + 16, p->dst);
	if (p->ip_options_len)
		memcpy(out + IP_HEADER_LEN, p->ip_options, p->ip_options_len);
	packet_put16(out + 10, packet_checksum(out, header_len, 0) ^ (p->bad_ip_checksum ? 1 : 0));
}

static unsigned emit_tcp(const struct packet *p, uint8_t *out)
{
	unsigned header_len = TCP_HEADER_LEN + p->options_len, len = header_len + p->len;
	unsigned words = p->data_offset ? p->data_offset : header_len / 4;

	memset(out, 0, TCP_HEADER_LEN);
	packet_put16(out, p->src_port);
	packet_put16(out + 2, p->dst_port);
	packet_put32(out + 4, p->seq);
	packet_put32(out + 8, p->ack);
	packet_put16(out + 12, (uint16_t)(words << 12 | p->flags));
	packet_put16(out + 14, p->win);
	packet_put16(out + 18, p->urg);
	if (p->options_len)
		memcpy(out + TCP_HEADER_LEN, p->options, p->options_len);
	if (p->len)
		memcpy(out + header_len, p->data, p->len);
	packet_put16(out + 16,
		     packet_checksum(out, len, pseudo_header(p, len)) ^ (p->bad_checksum ? 1 : 0));
	return len;
}

unsigned packet_emit(const struct packet *p, uint8_t *out)
{
	unsigned header_len = IP_HEADER_LEN + p->ip_options_len, len = p->len;

	if (p->protocol == 6)
		len = emit_tcp(p, out + header_len);
	else
		memcpy(out + header_len, p->data, len);
	emit_ip(p, out, header_len, header_len + len);
	return header_len + len;
}

/* ---- back ---- */

static const char *parse_option(struct packet *p, const uint8_t *o, unsigned left)
{
	if (left < 2 || o[1] < 2 || o[1] > left)
		return "an option with an impossible length";
	if (packet_option(p, o[0]))
		return "the same option twice";
	if (p->option_count == PACKET_OPTIONS_MAX)
		return "too many options";
	p->option[p->option_count++] =
		(struct packet_option){.kind = o[0], .len = o[1] - 2, .value = o + 2};
	return NULL;
}

static const char *parse_options(struct packet *p)
{
	const char *wrong = NULL;
	unsigned i = 0;

	while (!wrong && i < p->options_len && p->options[i] != OPTION_END) {
		const uint8_t *o = p->options + i;

		if (*o != OPTION_NOP)
			wrong = parse_option(p, o, p->options_len - i);
		i += wrong || *o == OPTION_NOP ? 1 : o[1];
	}
	/* MUST-69 */
	for (; !wrong && i < p->options_len; i++)
		if (p->options[i] != 0)
			wrong = "padding that is not zero";
	return wrong;
}

static const char *parse_tcp(struct packet *p, const uint8_t *t, unsigned len)
{
	unsigned header_len;

	if (len < TCP_HEADER_LEN)
		return "no room for a TCP header";
	if (packet_checksum(t, len, pseudo_header(p, len)) != 0)
		return "a bad TCP checksum";
	header_len = (unsigned)(t[12] >> 4) * 4;
	if (header_len < TCP_HEADER_LEN || header_len > len)
		return "a bad TCP header length";
	p->src_port = packet_get16(t);
	p->dst_port = packet_get16(t + 2);
	p->seq = packet_get32(t + 4);
	p->ack = packet_get32(t + 8);
	p->flags = packet_get16(t + 12) & 0xfff;
	p->win = packet_get16(t + 14);
	p->urg = packet_get16(t + 18);
	p->options = t + TCP_HEADER_LEN;
	p->options_len = header_len - TCP_HEADER_LEN;
	p->data = t + header_len;
	p->len = len - header_len;
	if (p->flags & 0xe00)
		return "reserved bits that are set";
	if (!(p->flags & PACKET_URG) && p->urg)
		return "an urgent pointer without URG";
	if (!(p->flags & PACKET_ACK) && p->ack)
		return "an acknowledgement number without ACK";
	return parse_options(p);
}

const char *packet_parse(struct packet *p, const uint8_t *bytes, unsigned len)
{
	*p = (struct packet){0};
	if (len < IP_HEADER_LEN || bytes[0] != 0x45)
		return "not a plain IPv4 header";
	if (packet_get16(bytes + 2) != len)
		return "an IP length that is not the packet's";
	if (packet_checksum(bytes, IP_HEADER_LEN, 0) != 0)
		return "a bad IP checksum";
	p->tos = bytes[1];
	p->df = packet_get16(bytes + 6) & 0x4000;
	p->ttl = bytes[8];
	p->protocol = bytes[9];
	p->src = packet_get32(bytes + 12);
	p->dst = packet_get32(bytes + 16);
	p->data = bytes + IP_HEADER_LEN;
	p->len = len - IP_HEADER_LEN;
	return p->protocol == 6 ? parse_tcp(p, bytes + IP_HEADER_LEN, p->len) : NULL;
}

const struct packet_option *packet_option(const struct packet *p, uint8_t kind)
{
	for (unsigned i = 0; i < p->option_count; i++)
		if (p->option[i].kind == kind)
			return &p->option[i];
	return NULL;
}
