/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/mem_impair.h"

#include <string.h>

void rill_mem_impair_init(struct rill_mem_impair *im, const struct rill_mem_impair_config *config,
			  unsigned port, unsigned queue)
{
	memset(im, 0, sizeof(*im));
	im->config = *config;
	rill_rand_init(&im->rand, config->seed + ((uint64_t)port << 48) + ((uint64_t)queue << 32));
}

bool rill_mem_impair_hold(struct rill_mem_impair *im, struct rill_buf *b, uint32_t flip_bit)
{
	if (im->held_count == RILL_MEM_HELD_MAX)
		return false;
	im->held[im->held_count++] = (struct rill_mem_held){
		.buf = b,
		.flip_bit = flip_bit,
		.frames_left = (uint8_t)(1 + rill_rand_below(&im->rand, RILL_MEM_HELD_FRAMES)),
		.flushes_left = RILL_MEM_HELD_FLUSHES,
	};
	return true;
}

void rill_mem_impair_sent(struct rill_mem_impair *im)
{
	for (unsigned i = 0; i < im->held_count; i++) {
		if (im->held[i].frames_left)
			im->held[i].frames_left--;
	}
}

void rill_mem_impair_flushed(struct rill_mem_impair *im)
{
	for (unsigned i = 0; i < im->held_count; i++) {
		if (im->held[i].flushes_left)
			im->held[i].flushes_left--;
	}
}

bool rill_mem_impair_pop(struct rill_mem_impair *im, bool all, struct rill_mem_held *ret_held)
{
	unsigned i = 0;

	while (i < im->held_count && !all && im->held[i].frames_left && im->held[i].flushes_left)
		i++;
	if (i == im->held_count)
		return false;
	*ret_held = im->held[i];
	im->held_count--;
	memmove(&im->held[i], &im->held[i + 1], (im->held_count - i) * sizeof(im->held[0]));
	return true;
}
