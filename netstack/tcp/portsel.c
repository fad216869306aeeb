/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/portsel.h"

#include "base/assert.h"
#include "base/compiler.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define BUCKETS_START 256
#define WORD_BITS 64
/* More ports than this, and a destination gets a bitmap. */
#define FEW 16
/* RFC 6056, 3.3.5: steps of 1 to this tell less, and use the range up only a little faster. */
#define STEP_MAX 8

/* A source address and a destination with connections between them. */
struct rill_port_dest {
	struct rill_port_dest *next;
	uint64_t *bitmap; /* of ports in use; NULL: they are in few */
	uint32_t hash;
	uint32_t count;
	struct rill_ip source;
	struct rill_addr remote;
	uint16_t few[FEW]; /* offsets into the range */
};

void rill_ports_init(struct rill_ports *p, const struct rill_memory *memory,
		     const struct rill_hash_key *secret, uint16_t first, uint16_t size)
{
	RILL_ASSERT(size > 0 && first > 0 && first + size <= 65536);
	memset(p, 0, sizeof(*p));
	rill_slab_init(&p->slab, memory, sizeof(struct rill_port_dest), 0);
	p->secret = *secret;
	p->first = first;
	p->size = size;
}

static size_t bitmap_words(const struct rill_ports *p)
{
	return (p->size + WORD_BITS - 1u) / WORD_BITS;
}

static size_t buckets_bytes(uint32_t mask)
{
	return ((size_t)mask + 1) * sizeof(struct rill_port_dest *);
}

static void mem_free(struct rill_ports *p, void *at, size_t bytes)
{
	const struct rill_memory *m = p->slab.memory;

	if (at)
		m->free(m->ctx, at, bytes);
}

static void *mem_zero(struct rill_ports *p, size_t bytes)
{
	const struct rill_memory *m = p->slab.memory;
	void *at = m->alloc(m->ctx, bytes);

	if (at)
		memset(at, 0, bytes);
	return at;
}

void rill_ports_fini(struct rill_ports *p)
{
	for (uint32_t i = 0; p->buckets && i <= p->mask; i++)
		for (struct rill_port_dest *d = p->buckets[i]; d; d = d->next)
			mem_free(p, d->bitmap, bitmap_words(p) * sizeof(uint64_t));
	mem_free(p, p->buckets, buckets_bytes(p->mask));
	p->buckets = NULL;
	rill_slab_fini(&p->slab);
}

/* ---- destinations ---- */

/* Both halves are used: one finds the destination, one begins the search (RFC 6056's F and G). */
static uint64_t hash_of(const struct rill_ports *p, const struct rill_ip *source,
			const struct rill_addr *remote)
{
	uint64_t words[5];

	memcpy(words, source->bytes, 16);
	memcpy(words + 2, remote->ip.bytes, 16);
	words[4] = (uint64_t)remote->port << 16 | (uint64_t)remote->ip.family;
	return rill_siphash(&p->secret, words, sizeof(words));
}

static bool same_ip(const struct rill_ip *a, const struct rill_ip *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static struct rill_port_dest **find(const struct rill_ports *p, uint32_t hash,
				    const struct rill_ip *source, const struct rill_addr *remote)
{
	struct rill_port_dest **at = &p->buckets[hash & p->mask];

	while (*at && !((*at)->hash == hash && (*at)->remote.port == remote->port &&
			same_ip(&(*at)->remote.ip, &remote->ip) && same_ip(&(*at)->source, source)))
		at = &(*at)->next;
	return at;
}

/* False: no memory, and nothing has changed. */
static bool resize(struct rill_ports *p, uint32_t mask)
{
	struct rill_port_dest **buckets = mem_zero(p, buckets_bytes(mask));

	if (!buckets)
		return false;
	for (uint32_t i = 0; p->buckets && i <= p->mask; i++) {
		for (struct rill_port_dest *next, *d = p->buckets[i]; d; d = next) {
			next = d->next;
			d->next = buckets[d->hash & mask];
			buckets[d->hash & mask] = d;
		}
	}
	mem_free(p, p->buckets, buckets_bytes(p->mask));
	p->buckets = buckets;
	p->mask = mask;
	return true;
}

static struct rill_port_dest *dest_add(struct rill_ports *p, uint32_t hash,
				       const struct rill_ip *source, const struct rill_addr *remote)
{
	struct rill_port_dest *d = rill_slab_alloc(&p->slab);
	struct rill_port_dest **bucket;

	if (!d)
		return NULL;
	/* Without memory the chains just grow longer. */
	if (p->count > p->mask)
		resize(p, p->mask * 2 + 1);
	bucket = &p->buckets[hash & p->mask];
	*d = (struct rill_port_dest){
		.next = *bucket, .hash = hash, .source = *source, .remote = *remote};
	*bucket = d;
	p->count++;
	return d;
}

static void dest_remove(struct rill_ports *p, struct rill_port_dest **at)
{
	struct rill_port_dest *d = *at;

	*at = d->next;
	p->count--;
	mem_free(p, d->bitmap, bitmap_words(p) * sizeof(uint64_t));
	rill_slab_free(&p->slab, d);
}

/* ---- the ports of one ---- */

static void bit_set(uint64_t *bitmap, uint32_t i)
{
	bitmap[i / WORD_BITS] |= UINT64_C(1) << (i % WORD_BITS);
}

static int few_index(const struct rill_port_dest *d, uint32_t offset)
{
	for (uint32_t i = 0; i < d->count; i++)
		if (d->few[i] == offset)
			return (int)i;
	return -1;
}

static bool in_use(const struct rill_port_dest *d, uint32_t offset)
{
	if (d->bitmap)
		return (d->bitmap[offset / WORD_BITS] >> (offset % WORD_BITS)) & 1;
	return few_index(d, offset) >= 0;
}

/* The first free one from offset on, round the end; there is one. */
static uint32_t next_free(const struct rill_ports *p, const struct rill_port_dest *d,
			  uint32_t offset)
{
	while (in_use(d, offset)) {
		bool full_word = d->bitmap && offset % WORD_BITS == 0 &&
				 d->bitmap[offset / WORD_BITS] == UINT64_MAX;

		offset += full_word ? WORD_BITS : 1;
		offset = offset >= p->size ? 0 : offset;
	}
	return offset;
}

static bool make_bitmap(struct rill_ports *p, struct rill_port_dest *d)
{
	d->bitmap = mem_zero(p, bitmap_words(p) * sizeof(uint64_t));
	if (!d->bitmap)
		return false;
	for (uint32_t i = 0; i < d->count; i++)
		bit_set(d->bitmap, d->few[i]);
	return true;
}

static bool mark_used(struct rill_ports *p, struct rill_port_dest *d, uint32_t offset)
{
	if (!d->bitmap && d->count == FEW && !make_bitmap(p, d))
		return false;
	if (d->bitmap)
		bit_set(d->bitmap, offset);
	else
		d->few[d->count] = (uint16_t)offset;
	d->count++;
	p->used++;
	return true;
}

/* ---- the search ---- */

static uint32_t random_step(struct rill_ports *p)
{
	uint64_t draw = p->draws++;

	return 1 + (uint32_t)(rill_siphash(&p->secret, &draw, sizeof(draw)) % STEP_MAX);
}

/*
 * Offers free ports from start on until one suits. The first that could be used is taken when none
 * does. -1: none.
 */
static int32_t search(const struct rill_ports *p, const struct rill_port_dest *d,
		      const struct rill_port_request *req, uint32_t start)
{
	uint32_t offers = RILL_MIN((uint32_t)RILL_PORTS_OFFERS, p->size - d->count);
	struct rill_addr local = {.ip = d->source};
	uint32_t offset = start;
	int32_t usable = -1;

	for (uint32_t i = 0; i < offers; i++) {
		enum rill_port_fit fit = RILL_PORT_SUITS;

		offset = next_free(p, d, offset);
		local.port = (uint16_t)(p->first + offset);
		if (req->fit)
			fit = req->fit(req->ctx, &local);
		if (fit == RILL_PORT_SUITS)
			return (int32_t)offset;
		if (fit == RILL_PORT_USABLE && usable < 0)
			usable = (int32_t)offset;
		offset = offset + 1 == p->size ? 0 : offset + 1;
	}
	return usable;
}

/* -EADDRNOTAVAIL, -ENOMEM, or the offset. */
static int32_t take(struct rill_ports *p, const struct rill_ip *source,
		    const struct rill_port_request *req)
{
	uint64_t hash = hash_of(p, source, req->remote);
	uint32_t *counter = &p->counters[(hash >> 32) % RILL_PORTS_COUNTERS];
	uint32_t start = ((uint32_t)(hash >> 44) + *counter) % p->size;
	struct rill_port_dest *d = *find(p, (uint32_t)hash, source, req->remote);
	int32_t offset;

	if (d && d->count == p->size)
		return -EADDRNOTAVAIL;
	if (!d)
		d = dest_add(p, (uint32_t)hash, source, req->remote);
	if (!d)
		return -ENOMEM;
	offset = search(p, d, req, start);
	if (offset < 0)
		offset = -EADDRNOTAVAIL;
	else if (!mark_used(p, d, (uint32_t)offset))
		offset = -ENOMEM;
	if (offset >= 0)
		*counter += ((uint32_t)offset + p->size - start) % p->size + random_step(p);
	else if (d->count == 0)
		dest_remove(p, find(p, (uint32_t)hash, source, req->remote));
	return offset;
}

int rill_ports_get(struct rill_ports *p, const struct rill_port_request *req,
		   struct rill_addr *ret_local)
{
	uint64_t draw = p->draws++;
	uint64_t first = rill_siphash(&p->secret, &draw, sizeof(draw));
	int32_t r = -EADDRNOTAVAIL;

	if (!p->buckets && !resize(p, BUCKETS_START - 1))
		return -ENOMEM;
	for (unsigned i = 0; i < req->source_count && r < 0; i++) {
		const struct rill_ip *source = &req->sources[(first + i) % req->source_count];

		r = take(p, source, req);
		if (r >= 0)
			*ret_local = (struct rill_addr){*source, (uint16_t)(p->first + r)};
	}
	if (r >= 0)
		return 0;
	p->exhausted++;
	return r;
}

/* Takes the port out. False: it was not given out. */
static bool unmark(struct rill_ports *p, struct rill_port_dest *d, uint32_t offset)
{
	if (!in_use(d, offset))
		return false;
	d->count--;
	p->used--;
	if (d->bitmap) {
		d->bitmap[offset / WORD_BITS] &= ~(UINT64_C(1) << (offset % WORD_BITS));
		return true;
	}
	for (uint32_t i = 0; i < d->count; i++)
		if (d->few[i] == offset)
			d->few[i] = d->few[d->count];
	return true;
}

void rill_ports_put(struct rill_ports *p, const struct rill_addr *local,
		    const struct rill_addr *remote)
{
	uint32_t offset = (uint32_t)local->port - p->first;
	struct rill_port_dest **at;

	if (!p->buckets || local->port < p->first || offset >= p->size)
		return;
	at = find(p, (uint32_t)hash_of(p, &local->ip, remote), &local->ip, remote);
	if (*at && unmark(p, *at, offset) && (*at)->count == 0)
		dest_remove(p, at);
}

uint32_t rill_ports_used(const struct rill_ports *p, const struct rill_ip *source,
			 const struct rill_addr *remote)
{
	struct rill_port_dest *d;

	if (!p->buckets)
		return 0;
	d = *find(p, (uint32_t)hash_of(p, source, remote), source, remote);
	return d ? d->count : 0;
}
