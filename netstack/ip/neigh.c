/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/ip/neigh.h"

#include "netstack/ip/arp.h"
#include "netstack/ip/l3.h"
#include "netstack/wire/ip4.h"

#include <errno.h>
#include <string.h>

static rill_l3_timer_fn on_timer;

void rill_neigh_init(struct rill_neigh_table *t, uint64_t seed)
{
	t->generation = 1;
	t->hash_mul = (uint32_t)seed | 1;
	t->incomplete = t->queued = t->count = 0;
	rill_list_init(&t->free);
	rill_list_init(&t->lru);
	for (unsigned i = 0; i < RILL_NEIGH_BUCKETS; i++)
		rill_list_init(&t->buckets[i]);
	for (unsigned i = 0; i < RILL_NEIGH_MAX; i++) {
		struct rill_neigh *n = &t->entries[i];

		memset(n, 0, sizeof(*n));
		rill_list_init(&n->lru);
		rill_timer_init(&n->timer.timer);
		n->timer.fire = on_timer;
		rill_list_push_back(&t->free, &n->link);
	}
}

static struct rill_list *bucket_of(struct rill_neigh_table *t, uint32_t ip)
{
	/* Multiplicative hashing: the upper bits are the mixed ones. */
	return &t->buckets[(ip * t->hash_mul) >> 16 & (RILL_NEIGH_BUCKETS - 1)];
}

struct rill_neigh *rill_neigh_find(struct rill_neigh_table *t, uint32_t ip)
{
	struct rill_list *bucket = bucket_of(t, ip);

	RILL_LIST_FOR_EACH (pos, bucket) {
		struct rill_neigh *n = RILL_LIST_ENTRY(pos, struct rill_neigh, link);

		if (n->ip == ip)
			return n;
	}
	return NULL;
}

/* Every rill_l3_dst filled so far is void. */
static void next_generation(struct rill_neigh_table *t)
{
	if (++t->generation == 0)
		t->generation = 1;
}

/* May a struct rill_l3_dst name an entry in this state? */
static bool is_usable(uint8_t state)
{
	return state == RILL_NEIGH_REACHABLE || state == RILL_NEIGH_PROBE;
}

static void set_state(struct rill_neigh_table *t, struct rill_neigh *n, enum rill_neigh_state state)
{
	if (is_usable(n->state) && !is_usable(state))
		next_generation(t);
	t->incomplete -= n->state == RILL_NEIGH_INCOMPLETE;
	t->incomplete += state == RILL_NEIGH_INCOMPLETE;
	n->state = (uint8_t)state;
}

static void touch(struct rill_neigh_table *t, struct rill_neigh *n)
{
	rill_list_del(&n->lru);
	rill_list_push_back(&t->lru, &n->lru);
}

/* The caller has taken the queue out. */
static void free_entry(struct rill_l3 *l3, struct rill_neigh *n)
{
	struct rill_neigh_table *t = &l3->neigh;

	RILL_ASSERT(n->queue.count == 0);
	rill_l3_timer_stop(l3, &n->timer);
	set_state(t, n, RILL_NEIGH_FREE);
	rill_list_del(&n->lru);
	rill_list_del(&n->link);
	rill_list_push_front(&t->free, &n->link);
	t->count--;
}

/* The least recently used entry that is not being resolved. There is one: see limits.h. */
static void evict(struct rill_l3 *l3)
{
	RILL_LIST_FOR_EACH (pos, &l3->neigh.lru) {
		struct rill_neigh *n = RILL_LIST_ENTRY(pos, struct rill_neigh, lru);

		if (n->state == RILL_NEIGH_INCOMPLETE)
			continue;
		free_entry(l3, n);
		return;
	}
}

static struct rill_neigh *create(struct rill_l3 *l3, uint32_t ip, enum rill_neigh_state state)
{
	struct rill_neigh_table *t = &l3->neigh;

	if (rill_list_empty(&t->free))
		evict(l3);
	struct rill_neigh *n =
		RILL_LIST_ENTRY(rill_list_pop_front(&t->free), struct rill_neigh, link);

	n->ip = ip;
	n->tries = 0;
	n->confirmed_ns = 0;
	n->next_request_ns = 0;
	n->deferred = false;
	memset(n->mac, 0, sizeof(n->mac));
	set_state(t, n, state);
	rill_list_push_back(bucket_of(t, ip), &n->link);
	rill_list_push_back(&t->lru, &n->lru);
	t->count++;
	return n;
}

static struct rill_buf_queue take_queue(struct rill_neigh_table *t, struct rill_neigh *n)
{
	struct rill_buf_queue q = n->queue;

	t->queued -= q.count;
	n->queue = (struct rill_buf_queue){0};
	return q;
}

/* ---- resolving ---- */

/* However an entry came to ask again, there is a second between its requests. */
static void send_request(struct rill_l3 *l3, struct rill_neigh *n, uint64_t now)
{
	if (now < n->next_request_ns) {
		rill_l3_timer_set(l3, &n->timer, n->next_request_ns);
		return;
	}
	n->tries++;
	n->next_request_ns = now + RILL_NEIGH_RETRY_NS;
	rill_l3_timer_set(l3, &n->timer, n->next_request_ns);
	rill_arp_request(l3, n->ip, n->state == RILL_NEIGH_PROBE ? n->mac : rill_eth_broadcast);
}

/* The last thing done with an entry: what is called here may come back and make a new one. */
static void fail(struct rill_l3 *l3, struct rill_neigh *n)
{
	struct rill_buf_queue q = take_queue(&l3->neigh, n);
	struct rill_buf *b;
	uint32_t told = 0;

	free_entry(l3, n);
	while ((b = rill_buf_queue_pop(&q))) {
		struct rill_ip4 h;

		rill_ip4_parse(b->data, &h);
		rill_l3_tx_drop(l3, b, RILL_DROP_NEIGH_FAILED);
		if (!l3->ops->unreachable || h.dst == told)
			continue;
		struct rill_ip dst;

		told = h.dst;
		rill_ip4_set(&dst, h.dst);
		l3->ops->unreachable(l3->ctx, &dst);
	}
}

static void become_stale(struct rill_l3 *l3, struct rill_neigh *n, uint64_t now)
{
	set_state(&l3->neigh, n, RILL_NEIGH_STALE);
	rill_l3_timer_set(l3, &n->timer, now + RILL_NEIGH_STALE_NS);
}

static void become_reachable(struct rill_l3 *l3, struct rill_neigh *n, uint64_t now)
{
	n->tries = 0;
	n->confirmed_ns = now;
	set_state(&l3->neigh, n, RILL_NEIGH_REACHABLE);
	rill_l3_timer_set(l3, &n->timer, now + RILL_NEIGH_REACHABLE_NS);
}

static void on_timer(struct rill_l3 *l3, struct rill_l3_timer *timer, uint64_t now)
{
	struct rill_neigh *n = RILL_CONTAINER_OF(timer, struct rill_neigh, timer);

	switch (n->state) {
	case RILL_NEIGH_INCOMPLETE:
	case RILL_NEIGH_PROBE:
		if (n->tries < RILL_NEIGH_TRIES)
			send_request(l3, n, now);
		else
			fail(l3, n);
		break;
	case RILL_NEIGH_REACHABLE:
		/* Confirmations only note the time; here they count. */
		if (n->confirmed_ns + RILL_NEIGH_REACHABLE_NS <= now) {
			become_stale(l3, n, now);
			break;
		}
		touch(&l3->neigh, n);
		rill_l3_timer_set(l3, timer, n->confirmed_ns + RILL_NEIGH_REACHABLE_NS);
		break;
	case RILL_NEIGH_STALE:
		free_entry(l3, n);
		break;
	}
}

/* ---- sending ---- */

static void transmit(struct rill_l3 *l3, struct rill_buf *b, const struct rill_neigh *n)
{
	rill_l3_push_eth(b, n->mac, l3->mac);
	rill_l3_tx(l3, b);
}

static void fill_cache(struct rill_l3 *l3, const struct rill_neigh *n, struct rill_l3_dst *cache)
{
	cache->generation = l3->neigh.generation;
	cache->neigh = (uint16_t)(n - l3->neigh.entries);
}

/*
 * Waits for n. A shared buffer may lie in its other holder's list, so only exclusive ones are
 * linked. When the entry's queue is full the oldest goes: RFC 1122, 2.3.2.2, wants the latest kept.
 */
static int enqueue(struct rill_l3 *l3, struct rill_neigh *n, struct rill_buf *b)
{
	if (!rill_buf_exclusive(b)) {
		enum rill_drop drop = RILL_DROP_NONE;
		struct rill_buf *single = rill_l3_copy(l3, b, b->len, &drop);

		if (!single) {
			rill_l3_tx_drop(l3, b, drop);
			return -ENOBUFS;
		}
		l3->ops->put(l3->ctx, b);
		b = single;
	}
	if (n->queue.count == RILL_NEIGH_QUEUE_MAX) {
		l3->neigh.queued--;
		rill_l3_tx_drop(l3, rill_buf_queue_pop(&n->queue), RILL_DROP_NEIGH_QUEUE_FULL);
	} else if (l3->neigh.queued == RILL_NEIGH_QUEUED_MAX) {
		rill_l3_tx_drop(l3, b, RILL_DROP_NEIGH_QUEUE_FULL);
		return -ENOBUFS;
	}
	rill_buf_queue_push(&n->queue, b);
	l3->neigh.queued++;
	return 0;
}

static bool queue_full(const struct rill_l3 *l3, const struct rill_neigh *n)
{
	return n->queue.count == RILL_NEIGH_QUEUE_MAX || l3->neigh.queued == RILL_NEIGH_QUEUED_MAX;
}

/*
 * Waits for n. Thousands of connections may open at once, and their SYNs would fill the pool: those
 * beyond the queue are told when n is known, and make theirs anew.
 */
static int enqueue_connection(struct rill_l3 *l3, struct rill_neigh *n, struct rill_buf *b)
{
	if (!l3->ops->resolved || !queue_full(l3, n))
		return enqueue(l3, n, b);
	n->deferred = true;
	rill_l3_tx_drop(l3, b, RILL_DROP_NEIGH_QUEUE_FULL);
	return -EAGAIN;
}

static int resolve(struct rill_l3 *l3, struct rill_buf *b, uint32_t ip, uint64_t now)
{
	if (l3->neigh.incomplete >= RILL_NEIGH_INCOMPLETE_MAX) {
		rill_l3_tx_drop(l3, b, RILL_DROP_NEIGH_TABLE_FULL);
		return -ENOBUFS;
	}
	struct rill_neigh *n = create(l3, ip, RILL_NEIGH_INCOMPLETE);
	int r = enqueue(l3, n, b);

	send_request(l3, n, now);
	return r;
}

int rill_neigh_output(struct rill_l3 *l3, struct rill_buf *b, uint32_t next_hop,
		      struct rill_l3_dst *cache, uint64_t now)
{
	struct rill_neigh *n = rill_neigh_find(&l3->neigh, next_hop);

	if (!n)
		return resolve(l3, b, next_hop, now);
	touch(&l3->neigh, n);
	if (n->state == RILL_NEIGH_INCOMPLETE)
		return cache ? enqueue_connection(l3, n, b) : enqueue(l3, n, b);
	if (n->state == RILL_NEIGH_STALE) {
		/* Used again: goes on with what is known while it is being checked. */
		n->tries = 0;
		set_state(&l3->neigh, n, RILL_NEIGH_PROBE);
		send_request(l3, n, now);
	}
	if (cache)
		fill_cache(l3, n, cache);
	transmit(l3, b, n);
	return 0;
}

void rill_l3_neigh_confirm(struct rill_l3 *l3, const struct rill_l3_dst *cache, uint64_t now)
{
	if (cache->generation != l3->neigh.generation)
		return;
	struct rill_neigh *n = &l3->neigh.entries[cache->neigh];

	if (n->state == RILL_NEIGH_PROBE)
		become_reachable(l3, n, now);
	else
		n->confirmed_ns = now;
}

/* ---- learning ---- */

static void flush_queue(struct rill_l3 *l3, struct rill_neigh *n)
{
	struct rill_buf_queue q = take_queue(&l3->neigh, n);
	struct rill_buf *b;

	while ((b = rill_buf_queue_pop(&q)))
		transmit(l3, b, n);
	if (n->deferred)
		l3->ops->resolved(l3->ctx);
	n->deferred = false;
}

void rill_neigh_learn(struct rill_l3 *l3, const struct rill_arp *arp, bool for_us, bool solicited,
		      uint64_t now)
{
	struct rill_neigh *n = rill_neigh_find(&l3->neigh, arp->sender_ip);

	/* RFC 826: merge into what is there; a new entry only for who wants to talk to us. */
	if (!n) {
		if (!for_us)
			return;
		n = create(l3, arp->sender_ip, RILL_NEIGH_STALE);
	}
	bool waited = n->state == RILL_NEIGH_INCOMPLETE;
	bool asked = waited || n->state == RILL_NEIGH_PROBE;
	bool moved = !rill_eth_equal(n->mac, arp->sender_mac);

	if (moved && is_usable(n->state))
		next_generation(&l3->neigh);
	memcpy(n->mac, arp->sender_mac, RILL_ETH_ADDR_LEN);
	if (solicited && asked)
		become_reachable(l3, n, now);
	else if (waited || moved)
		become_stale(l3, n, now);
	flush_queue(l3, n);
}

void rill_neigh_fini(struct rill_l3 *l3)
{
	RILL_LIST_FOR_EACH (pos, &l3->neigh.lru) {
		struct rill_neigh *n = RILL_LIST_ENTRY(pos, struct rill_neigh, lru);
		struct rill_buf_queue q = take_queue(&l3->neigh, n);

		rill_l3_put_chain(l3, q.first);
		free_entry(l3, n);
	}
}
