/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/sim_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "drivers/mem_impair.h"
#include "drivers/spec.h"

#define BIT_NS (8 * UINT64_C(1000000000)) /* nanoseconds for a byte at one bit per second */

void rill_sim_link_init(struct rill_sim_link *link, uint64_t seed)
{
	rill_rand_init(&link->rand, seed);
	link->set_ns = UINT64_MAX; /* the first frame begins it */
}

void rill_sim_link_fini(struct rill_sim_link *link)
{
	free(link->departures);
}

static int resize_departures(struct rill_sim_link *link, uint64_t frames)
{
	uint32_t size = 1;

	while (size < frames)
		size *= 2;
	if (link->departures && size <= link->departures_mask + 1)
		return 0;
	uint64_t *bigger = malloc(size * sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	for (uint32_t i = link->departures_first; i != link->departures_next; i++)
		bigger[i & (size - 1)] = link->departures[i & link->departures_mask];
	free(link->departures);
	link->departures = bigger;
	link->departures_mask = size - 1;
	return 0;
}

int rill_sim_link_set(struct rill_sim_link *link, const struct rill_sim_config *config)
{
	uint64_t frames = RILL_MIN(config->queue_frames, (uint64_t)RILL_SIM_QUEUE_FRAMES_MAX);

	if (frames > 0 && resize_departures(link, frames) < 0)
		return -ENOMEM;
	if (config->up_ns != link->config.up_ns || config->down_ns != link->config.down_ns)
		link->set_ns = UINT64_MAX;
	link->config = *config;
	link->config.queue_frames = frames;
	return 0;
}

/* ---- the queue ---- */

static bool is_down(struct rill_sim_link *link, uint64_t now)
{
	const struct rill_sim_config *c = &link->config;

	if (c->down || c->down_ns == 0)
		return c->down;
	if (link->set_ns == UINT64_MAX)
		link->set_ns = now;
	return (now - link->set_ns) % (c->up_ns + c->down_ns) >= c->up_ns;
}

/* Bytes that have not been sent yet. */
static uint64_t backlog(const struct rill_sim_link *link, uint64_t now)
{
	if (link->config.rate == 0 || link->free_ns <= now)
		return 0;
	return (uint64_t)((unsigned __int128)(link->free_ns - now) * link->config.rate / BIT_NS);
}

static uint32_t backlog_frames(struct rill_sim_link *link, uint64_t now)
{
	while (link->departures_first != link->departures_next &&
	       link->departures[link->departures_first & link->departures_mask] <= now)
		link->departures_first++;
	return link->departures_next - link->departures_first;
}

static bool queue_full(struct rill_sim_link *link, uint32_t len, uint64_t waiting, uint64_t now)
{
	const struct rill_sim_config *c = &link->config;

	if (c->rate == 0)
		return false;
	/* A frame longer than the whole queue still goes when nothing is in front of it. */
	if (c->queue_bytes && waiting > 0 && waiting + len > c->queue_bytes)
		return true;
	return c->queue_frames && backlog_frames(link, now) >= c->queue_frames;
}

/* When the frame's last bit is sent. Fractions of nanoseconds add up: the rate is exact. */
static uint64_t depart(struct rill_sim_link *link, uint32_t len, uint64_t now)
{
	uint64_t rate = link->config.rate;

	if (rate == 0)
		return now;
	if (link->free_ns < now) {
		link->free_ns = now;
		link->free_rest = 0;
	}
	unsigned __int128 units = (unsigned __int128)len * BIT_NS + link->free_rest;

	link->free_ns += (uint64_t)(units / rate);
	link->free_rest = (uint64_t)(units % rate);
	if (link->config.queue_frames)
		link->departures[link->departures_next++ & link->departures_mask] = link->free_ns;
	return link->free_ns;
}

/* ---- the wire ---- */

static bool burst_loses(struct rill_sim_link *link, uint64_t now)
{
	const struct rill_sim_config *c = &link->config;

	if (c->burst == 0) {
		link->bad = false;
		return false;
	}
	if (link->bad && now - link->bad_since_ns >= RILL_SIM_BURST_MAX_NS)
		link->bad = false;
	if (rill_mem_roll(&link->rand, link->bad ? c->burst_end : c->burst)) {
		link->bad = !link->bad;
		link->bad_since_ns = now;
	}
	if (!link->bad)
		return false;
	return rill_mem_roll(&link->rand, c->burst_loss ? c->burst_loss : RILL_SPEC_PROB_ONE);
}

static uint64_t evenly_below(struct rill_rand *rand, uint64_t n)
{
	return (uint64_t)((unsigned __int128)rill_rand_next(rand) * n >> 64);
}

static void travel(struct rill_sim_link *link, const struct rill_sim_frame_kind *kind,
		   uint64_t departure, struct rill_sim_verdict *v)
{
	const struct rill_sim_config *c = &link->config;
	uint32_t l3_bits = (kind->len - kind->l3_at) * 8;

	v->arrival_ns = departure + c->delay_ns;
	if (c->jitter_ns)
		v->arrival_ns += evenly_below(&link->rand, c->jitter_ns + 1);
	v->arrival_ns = RILL_MAX(v->arrival_ns, link->arrival_last);
	if (rill_mem_roll(&link->rand, c->reorder)) {
		v->arrival_ns += c->reorder_ns;
		v->reordered = true;
	} else {
		link->arrival_last = v->arrival_ns;
	}
	v->dup = rill_mem_roll(&link->rand, c->dup);
	if (kind->ip && l3_bits > 0 && rill_mem_roll(&link->rand, c->corrupt))
		v->flip_bit = kind->l3_at * 8 + rill_rand_below(&link->rand, l3_bits);
}

static enum rill_sim_fate pass(struct rill_sim_link *link, const struct rill_sim_frame_kind *kind,
			       uint64_t now, struct rill_sim_verdict *v)
{
	const struct rill_sim_config *c = &link->config;

	if (is_down(link, now))
		return RILL_SIM_LOST_DOWN;
	if (c->mtu && kind->len > kind->l3_at && kind->len - kind->l3_at > c->mtu)
		return RILL_SIM_LOST_MTU;
	uint64_t waiting = backlog(link, now);

	if (queue_full(link, kind->len, waiting, now))
		return RILL_SIM_LOST_QUEUE;
	v->mark = kind->ect && c->ecn_bytes && waiting >= c->ecn_bytes;
	link->stats.backlog_max = RILL_MAX(link->stats.backlog_max, waiting + kind->len);
	uint64_t departure = depart(link, kind->len, now);

	/* Lost on the wire: they took their time of it all the same. */
	if (burst_loses(link, now))
		return RILL_SIM_LOST_BURST;
	if (rill_mem_roll(&link->rand, c->loss))
		return RILL_SIM_LOST_RANDOM;
	travel(link, kind, departure, v);
	return RILL_SIM_SENT;
}

struct rill_sim_verdict rill_sim_link_send(struct rill_sim_link *link,
					   const struct rill_sim_frame_kind *kind, uint64_t now)
{
	struct rill_sim_stats *stats = &link->stats;
	struct rill_sim_verdict v = {.flip_bit = RILL_SIM_NO_FLIP};

	v.fate = pass(link, kind, now, &v);
	stats->fates[v.fate]++;
	if (v.fate != RILL_SIM_SENT) {
		v.mark = false;
		return v;
	}
	stats->bytes += kind->len;
	stats->marked += v.mark;
	stats->corrupted += v.flip_bit != RILL_SIM_NO_FLIP;
	stats->reordered += v.reordered;
	stats->duplicated += v.dup;
	return v;
}
