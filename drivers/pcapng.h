/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pcapng file format (draft-ietf-opsawg-pcapng), as it is written: one section, Ethernet
 * interfaces, packets with nanoseconds. Each function writes one block into memory and returns its
 * length, or 0 when size is too small.
 */
#ifndef RILL_DRIVERS_PCAPNG_H
#define RILL_DRIVERS_PCAPNG_H

#include <stddef.h>
#include <stdint.h>

/* What a packet's block has besides its bytes and comment, at most. */
#define RILL_PCAPNG_OVERHEAD 64

enum rill_pcapng_direction {
	RILL_PCAPNG_UNKNOWN = 0,
	RILL_PCAPNG_IN = 1,
	RILL_PCAPNG_OUT = 2,
};

struct rill_pcapng_packet {
	uint32_t interface; /* in the order of their blocks, from 0 */
	uint64_t time_ns;   /* since 1970 */
	const uint8_t *data;
	uint32_t len;	   /* at data */
	uint32_t wire_len; /* of the packet when it was whole */
	enum rill_pcapng_direction direction;
	const char *comment; /* NULL: none */
};

size_t rill_pcapng_section(uint8_t *buf, size_t size, const char *program);
size_t rill_pcapng_interface(uint8_t *buf, size_t size, const char *name);
size_t rill_pcapng_packet(uint8_t *buf, size_t size, const struct rill_pcapng_packet *p);

#endif
