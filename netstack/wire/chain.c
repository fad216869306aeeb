/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/wire/chain.h"

#include "netstack/wire/checksum.h"

#include <string.h>

size_t rill_chain_len(const struct rill_buf *b)
{
	size_t len = 0;

	for (; b; b = b->next)
		len += b->len;
	return len;
}

uint32_t rill_chain_csum(uint32_t sum, const struct rill_buf *b, size_t len)
{
	for (size_t at = 0; at < len && b; b = b->next) {
		size_t n = RILL_MIN((size_t)b->len, len - at);

		sum = at % 2 ? rill_csum_add_odd(sum, b->data, n) : rill_csum_add(sum, b->data, n);
		at += n;
	}
	return sum;
}

void rill_chain_trim(struct rill_buf *b, size_t len)
{
	for (; b; b = b->next) {
		if (b->len > len)
			b->len = (uint32_t)len;
		len -= b->len;
	}
}

size_t rill_chain_read(struct rill_chain_cursor *c, void *dst, size_t len)
{
	uint8_t *to = dst;
	size_t done = 0;

	while (c->b && done < len) {
		size_t n = RILL_MIN(len - done, c->b->len - c->at);

		memcpy(to + done, c->b->data + c->at, n);
		done += n;
		c->at += n;
		if (c->at == c->b->len) {
			c->b = c->b->next;
			c->at = 0;
		}
	}
	return done;
}
