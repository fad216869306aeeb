/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/ip/l3.h"

#include "base/rand.h"
#include "netstack/ip/arp.h"
#include "netstack/ip/ip4_in.h"
#include "netstack/ip/pieces.h"
#include "netstack/wire/chain.h"

#include <errno.h>
#include <string.h>

static int set_addresses(struct rill_l3 *l3, const struct rill_l3_config *c)
{
	int r = 0;

	if (!rill_l3_addr_make(&c->ip, c->prefix, &l3->addrs[0]))
		return -EINVAL;
	l3->addr_count = 1;
	l3->ip = l3->addrs[0].ip;
	l3->mask = l3->addrs[0].mask;
	l3->broadcast = l3->addrs[0].broadcast;
	l3->gateway = c->gateway.family ? rill_ip4_get(&c->gateway) : 0;
	for (unsigned i = 0; i < c->more_count && r == 0; i++)
		r = rill_l3_add_addr(l3, &c->more[i].ip, c->more[i].prefix);
	if (r == 0 && c->gateway.family && !rill_l3_is_neighbour(l3, l3->gateway))
		r = -EINVAL;
	return r;
}

static void set_link(struct rill_l3 *l3, const struct rill_l3_config *c)
{
	memcpy(l3->mac, c->mac, RILL_ETH_ADDR_LEN);
	l3->mtu = c->mtu;
	l3->payload_max = (uint32_t)c->mtu - RILL_IP4_LEN;
	l3->caps = c->caps;
	l3->no_link = c->no_link;
}

static void set_ids(struct rill_l3 *l3, const struct rill_l3_config *c, struct rill_rand *rand)
{
	uint32_t count = 65536 / (c->shards ? c->shards : 1);

	l3->id_base = (uint16_t)(count * c->shard);
	l3->id_count = (uint16_t)count;
	l3->id_next = (uint16_t)rill_rand_below(rand, count);
}

static bool config_valid(const struct rill_l3_config *c)
{
	if (c->gateway.family != RILL_AF_NONE && c->gateway.family != RILL_AF_IP4)
		return false;
	return c->mtu >= RILL_IP_MTU_MIN && !rill_eth_is_group(c->mac) && c->shards <= 65536 &&
	       (c->shards ? c->shard < c->shards : c->shard == 0);
}

int rill_l3_init(struct rill_l3 *l3, const struct rill_l3_config *config,
		 const struct rill_l3_ops *ops, void *ctx, uint64_t now)
{
	struct rill_rand rand;
	int r;

	if (!config_valid(config))
		return -EINVAL;
	memset(l3, 0, sizeof(*l3));
	r = set_addresses(l3, config);
	if (r < 0)
		return r;
	set_link(l3, config);
	rill_rand_init(&rand, config->seed);
	set_ids(l3, config, &rand);
	l3->ops = ops;
	l3->ctx = ctx;
	rill_icmp_bucket_init(&l3->icmp_bucket);
	rill_wheel_init(&l3->wheel, now);
	l3->next_timer_ns = UINT64_MAX;
	rill_neigh_init(&l3->neigh, rill_rand_next(&rand));
	rill_reass_init(&l3->reass,
			config->reass_bufs ? config->reass_bufs : RILL_REASS_BUFS_DEFAULT);
	return 0;
}

void rill_l3_fini(struct rill_l3 *l3)
{
	rill_neigh_fini(l3);
	rill_reass_fini(l3);
}

/* As if it had come in a frame to us. */
static void input_packet(struct rill_l3 *l3, struct rill_buf *b, uint64_t now)
{
	struct rill_eth eth = {.type = RILL_ETH_IP4};

	memcpy(eth.dst, l3->mac, RILL_ETH_ADDR_LEN);
	rill_ip4_input(l3, b, &eth, now);
}

void rill_l3_input(struct rill_l3 *l3, struct rill_buf *frame, uint64_t now)
{
	enum rill_drop drop;
	struct rill_eth eth;

	if (RILL_UNLIKELY(rill_l3_has_pieces(frame))) {
		rill_l3_input_pieces(l3, frame, now);
		return;
	}
	l3->rx_frames++;
	if (RILL_UNLIKELY(l3->no_link)) {
		input_packet(l3, frame, now);
		return;
	}
	drop = rill_eth_check(frame->len);
	if (RILL_UNLIKELY(drop))
		goto out;
	rill_eth_parse(frame->data, &eth);
	if (RILL_UNLIKELY(!rill_eth_equal(eth.dst, l3->mac) &&
			  !rill_eth_equal(eth.dst, rill_eth_broadcast))) {
		drop = RILL_DROP_ETH_DEST;
		goto out;
	}
	if (RILL_LIKELY(eth.type == RILL_ETH_IP4)) {
		rill_buf_pull(frame, RILL_ETH_LEN);
		rill_ip4_input(l3, frame, &eth, now);
		return;
	}
	if (eth.type != RILL_ETH_ARP) {
		drop = RILL_DROP_ETH_TYPE;
		goto out;
	}
	drop = rill_arp_input(l3, frame, &eth, now);
	/* It has only been read. */
	if (!drop)
		l3->ops->put(l3->ctx, frame);
out:
	rill_l3_rx_done(l3, frame, 1, drop);
}

/* ---- timers ---- */

void rill_l3_timer_set(struct rill_l3 *l3, struct rill_l3_timer *t, uint64_t deadline_ns)
{
	rill_l3_timer_stop(l3, t);
	rill_wheel_insert(&l3->wheel, &t->timer, deadline_ns);
	l3->next_timer_ns = RILL_MIN(l3->next_timer_ns, deadline_ns);
}

void rill_l3_timer_stop(struct rill_l3 *l3, struct rill_l3_timer *t)
{
	rill_wheel_cancel(&l3->wheel, &t->timer);
	if (rill_wheel_empty(&l3->wheel))
		l3->next_timer_ns = UINT64_MAX;
}

void rill_l3_on_timer(struct rill_l3 *l3, uint64_t now)
{
	struct rill_list expired;
	struct rill_list *node;

	rill_list_init(&expired);
	rill_wheel_advance(&l3->wheel, now, &expired);
	l3->next_timer_ns = rill_wheel_next(&l3->wheel);
	/* One by one from the front: what fires may stop another that has expired too. */
	while ((node = rill_list_pop_front(&expired))) {
		struct rill_timer *t = RILL_LIST_ENTRY(node, struct rill_timer, link);
		struct rill_l3_timer *timer = RILL_CONTAINER_OF(t, struct rill_l3_timer, timer);

		timer->fire(l3, timer, now);
	}
}

/* ---- accounting and buffers ---- */

void rill_l3_put_chain(struct rill_l3 *l3, struct rill_buf *chain)
{
	while (chain) {
		struct rill_buf *next = chain->next;

		l3->ops->put(l3->ctx, chain);
		chain = next;
	}
}

void rill_l3_rx_done(struct rill_l3 *l3, struct rill_buf *chain, uint32_t frames,
		     enum rill_drop drop)
{
	if (RILL_LIKELY(!drop)) {
		l3->rx_accepted += frames;
		return;
	}
	l3->rx_dropped += frames;
	rill_counter_add(&l3->drops[drop], frames);
	rill_l3_put_chain(l3, chain);
}

void rill_l3_tx_drop(struct rill_l3 *l3, struct rill_buf *b, enum rill_drop drop)
{
	l3->tx_dropped++;
	rill_counter_add(&l3->drops[drop], 1);
	if (b)
		l3->ops->put(l3->ctx, b);
}

struct rill_buf *rill_l3_alloc(struct rill_l3 *l3)
{
	struct rill_buf *b = l3->ops->alloc(l3->ctx);

	if (!b)
		rill_l3_tx_drop(l3, NULL, RILL_DROP_NO_BUFFER);
	return b;
}

struct rill_buf *rill_l3_copy(struct rill_l3 *l3, const struct rill_buf *chain, size_t len,
			      enum rill_drop *ret_drop)
{
	struct rill_buf *b = l3->ops->alloc(l3->ctx);

	if (!b) {
		*ret_drop = RILL_DROP_NO_BUFFER;
		return NULL;
	}
	if (len > rill_buf_tailroom(b)) {
		l3->ops->put(l3->ctx, b);
		*ret_drop = RILL_DROP_FRAG_TOO_BIG;
		return NULL;
	}
	struct rill_chain_cursor cursor = {.b = chain};

	rill_chain_read(&cursor, rill_buf_append(b, (uint32_t)len), len);
	b->flags = chain->flags;
	b->csum_start = chain->csum_start;
	b->csum_offset = chain->csum_offset;
	b->time_ns = chain->time_ns;
	b->queue = chain->queue;
	return b;
}

bool rill_l3_valid(const struct rill_l3 *l3)
{
	uint64_t drops = 0;
	uint32_t queued = 0, incomplete = 0, held = 0;

	for (unsigned i = 0; i < RILL_DROP_COUNT; i++)
		drops += l3->drops[i];
	for (unsigned i = 0; i < RILL_NEIGH_MAX; i++) {
		const struct rill_neigh *n = &l3->neigh.entries[i];

		queued += n->queue.count;
		incomplete += n->state == RILL_NEIGH_INCOMPLETE;
		if (n->queue.count && n->state != RILL_NEIGH_INCOMPLETE)
			return false;
	}
	for (unsigned i = 0; i < RILL_REASS_MAX; i++)
		for (struct rill_buf *b = l3->reass.datagrams[i].first; b; b = b->next)
			held++;
	return l3->rx_frames == l3->rx_accepted + l3->rx_dropped + l3->reass.held &&
	       drops == l3->rx_dropped + l3->tx_dropped && queued == l3->neigh.queued &&
	       incomplete == l3->neigh.incomplete && held == l3->reass.held;
}
