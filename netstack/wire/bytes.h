/* SPDX-License-Identifier: BSD-3-Clause */
/* Big-endian loads and stores at any alignment. Compilers turn each into one instruction or two. */
#ifndef RILL_NETSTACK_WIRE_BYTES_H
#define RILL_NETSTACK_WIRE_BYTES_H

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define RILL_BE16(v) __builtin_bswap16(v)
#define RILL_BE32(v) __builtin_bswap32(v)
#else
#define RILL_BE16(v) ((uint16_t)(v))
#define RILL_BE32(v) ((uint32_t)(v))
#endif

static inline uint16_t rill_load_be16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return RILL_BE16(v);
}

static inline uint32_t rill_load_be32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return RILL_BE32(v);
}

static inline void rill_store_be16(void *p, uint16_t v)
{
	v = RILL_BE16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void rill_store_be32(void *p, uint32_t v)
{
	v = RILL_BE32(v);
	memcpy(p, &v, sizeof(v));
}

/* Memory order: what is stored is what was loaded. For checksums, which are kept in that order. */
static inline uint16_t rill_load_raw16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline void rill_store_raw16(void *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

#endif
