/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pcapng.h"

#include <stdbool.h>
#include <string.h>

#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET 6u
#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define LINKTYPE_ETHERNET 1
#define OPT_END 0
#define OPT_COMMENT 1
#define OPT_SECTION_PROGRAM 4
#define OPT_INTERFACE_NAME 2
#define OPT_INTERFACE_TSRESOL 9
#define OPT_PACKET_FLAGS 2
#define NANOSECONDS 9 /* digits behind the point */

/* In the machine's byte order, which the section's magic number tells. */
struct out {
	uint8_t *buf;
	size_t size, len;
	bool full;
};

static void put(struct out *o, const void *data, size_t len)
{
	size_t padded = (len + 3) & ~(size_t)3;

	if (o->full || o->size - o->len < padded) {
		o->full = true;
		return;
	}
	memcpy(o->buf + o->len, data, len);
	memset(o->buf + o->len + len, 0, padded - len);
	o->len += padded;
}

static void put32(struct out *o, uint32_t value)
{
	put(o, &value, sizeof(value));
}

static void put16x2(struct out *o, uint16_t first, uint16_t second)
{
	const uint16_t both[2] = {first, second};

	put(o, both, sizeof(both));
}

static void put_option(struct out *o, uint16_t code, const void *value, size_t len)
{
	if (len > UINT16_MAX)
		len = UINT16_MAX;
	put16x2(o, code, (uint16_t)len);
	put(o, value, len);
}

static void begin(struct out *o, uint32_t type)
{
	put32(o, type);
	put32(o, 0); /* its length, when that is known */
}

/* The length is at both ends, so that files can be read backwards. */
static size_t end(struct out *o)
{
	uint32_t total = (uint32_t)o->len + 4;

	put32(o, total);
	if (o->full)
		return 0;
	memcpy(o->buf + 4, &total, sizeof(total));
	return o->len;
}

size_t rill_pcapng_section(uint8_t *buf, size_t size, const char *program)
{
	struct out o = {.buf = buf, .size = size};

	begin(&o, BLOCK_SECTION);
	put32(&o, BYTE_ORDER_MAGIC);
	put16x2(&o, 1, 0);
	put32(&o, UINT32_MAX); /* 64 bits: the section's length is not known */
	put32(&o, UINT32_MAX);
	put_option(&o, OPT_SECTION_PROGRAM, program, strlen(program));
	put16x2(&o, OPT_END, 0);
	return end(&o);
}

size_t rill_pcapng_interface(uint8_t *buf, size_t size, const char *name)
{
	struct out o = {.buf = buf, .size = size};
	const uint8_t resolution = NANOSECONDS;

	begin(&o, BLOCK_INTERFACE);
	put16x2(&o, LINKTYPE_ETHERNET, 0);
	put32(&o, 0); /* no limit of a packet's length */
	put_option(&o, OPT_INTERFACE_NAME, name, strlen(name));
	put_option(&o, OPT_INTERFACE_TSRESOL, &resolution, 1);
	put16x2(&o, OPT_END, 0);
	return end(&o);
}

size_t rill_pcapng_packet(uint8_t *buf, size_t size, const struct rill_pcapng_packet *p)
{
	struct out o = {.buf = buf, .size = size};
	const uint32_t flags = p->direction;

	begin(&o, BLOCK_PACKET);
	put32(&o, p->interface);
	put32(&o, (uint32_t)(p->time_ns >> 32));
	put32(&o, (uint32_t)p->time_ns);
	put32(&o, p->len);
	put32(&o, p->wire_len);
	put(&o, p->data, p->len);
	if (p->direction != RILL_PCAPNG_UNKNOWN)
		put_option(&o, OPT_PACKET_FLAGS, &flags, sizeof(flags));
	if (p->comment)
		put_option(&o, OPT_COMMENT, p->comment, strlen(p->comment));
	if (p->direction != RILL_PCAPNG_UNKNOWN || p->comment)
		put16x2(&o, OPT_END, 0);
	return end(&o);
}
