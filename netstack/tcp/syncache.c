/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/syncache.h"

#include "netstack/tcp/syncache_tcb.h"

#include <string.h>

/* A longer chain is no accident, or the table is full. */
#define CHAIN_MAX 16
/* A timeout of an entry at most: so its age is never past the clock of its SYN-ACK. */
#define TIMEOUT_MAX_US (120 * 1000 * 1000)
/* With half of the table in use, this many SYN-ACKs must have been enough. */
#define RESENDS_UNDER_PRESSURE 2
/* How many entries are looked at to find one that waits for room. */
#define ROOM_LOOKS 32

void rill_syncache_init(struct rill_syncache *c, struct rill_tcp_env *env,
			const struct rill_memory *memory, const struct rill_syncache_ops *ops)
{
	const struct rill_tcp_params *p = &env->params;

	memset(c, 0, sizeof(*c));
	c->env = env;
	c->ops = ops;
	c->next_ns = RILL_FOREVER;
	rill_slab_init(&c->slab, memory, sizeof(struct rill_syn_entry), 0);
	rill_prefix_init(&c->prefixes, memory, &env->secret, p->prefix4_len, p->prefix6_len);
	rill_list_init(&c->called);
	for (unsigned i = 0; i < RILL_SYNCACHE_STEPS; i++)
		rill_list_init(&c->steps[i]);
}

static size_t buckets_bytes(uint32_t mask)
{
	return ((size_t)mask + 1) * sizeof(struct rill_syn_entry *);
}

void rill_syncache_fini(struct rill_syncache *c)
{
	const struct rill_memory *m = c->slab.memory;

	if (c->buckets)
		m->free(m->ctx, c->buckets, buckets_bytes(c->mask));
	c->buckets = NULL;
	rill_prefix_fini(&c->prefixes);
	rill_slab_fini(&c->slab);
}

/* ---- the table ---- */

static struct rill_syn_entry **bucket_of(const struct rill_syncache *c, const struct rill_ip *local,
					 uint16_t local_port, const struct rill_ip *remote,
					 uint16_t remote_port)
{
	uint64_t words[5];

	memcpy(words, local->bytes, 16);
	memcpy(words + 2, remote->bytes, 16);
	words[4] = (uint64_t)local_port << 16 | remote_port;
	return &c->buckets[rill_siphash(&c->env->secret, words, sizeof(words)) & c->mask];
}

struct rill_syn_entry *rill_syncache_find(const struct rill_syncache *c,
					  const struct rill_ip *local, uint16_t local_port,
					  const struct rill_ip *remote, uint16_t remote_port)
{
	bool ip6 = remote->family == RILL_AF_IP6;
	struct rill_syn_entry *e;

	if (c->count == 0)
		return NULL;
	e = *bucket_of(c, local, local_port, remote, remote_port);
	while (e && !(e->remote_port == remote_port && e->local_port == local_port &&
		      e->ip6 == ip6 && memcmp(e->remote, remote->bytes, sizeof(e->remote)) == 0 &&
		      memcmp(e->local, local->bytes, sizeof(e->local)) == 0))
		e = e->next;
	return e;
}

static bool make_buckets(struct rill_syncache *c)
{
	const struct rill_memory *m = c->slab.memory;
	uint32_t mask = 63;

	if (c->buckets)
		return true;
	while (mask < c->env->params.syn_cache_max / 2)
		mask = mask * 2 + 1;
	c->buckets = m->alloc(m->ctx, buckets_bytes(mask));
	if (!c->buckets)
		return false;
	memset(c->buckets, 0, buckets_bytes(mask));
	c->mask = mask;
	return true;
}

static unsigned chain_len(const struct rill_syn_entry *e)
{
	unsigned n = 0;

	for (; e; e = e->next)
		n++;
	return n;
}

/* NULL: the table, the bucket or the share of the peer's network is full. */
static struct rill_syn_entry *entry_new(struct rill_syncache *c, void *listener,
					const struct rill_tcp_seg *seg)
{
	const struct rill_tcp_params *params = &c->env->params;
	struct rill_syn_entry **bucket, *e;

	if (c->count >= params->syn_cache_max || !make_buckets(c))
		return NULL;
	bucket = bucket_of(c, seg->dst, seg->dst_port, seg->src, seg->src_port);
	if (chain_len(*bucket) >= CHAIN_MAX ||
	    !rill_prefix_take(&c->prefixes, NULL, seg->src, params->syn_cache_prefix_max))
		return NULL;
	e = rill_slab_alloc(&c->slab);
	if (!e) {
		rill_prefix_put(&c->prefixes, NULL, seg->src);
		return NULL;
	}
	*e = (struct rill_syn_entry){
		.next = *bucket,
		.listener = listener,
		.remote_port = seg->src_port,
		.local_port = seg->dst_port,
		.ip6 = seg->src->family == RILL_AF_IP6,
	};
	memcpy(e->remote, seg->src->bytes, sizeof(e->remote));
	memcpy(e->local, seg->dst->bytes, sizeof(e->local));
	*bucket = e;
	rill_list_push_back(&c->steps[0], &e->link);
	rill_counter_add(&c->count, 1);
	return e;
}

static void addresses(const struct rill_syn_entry *e, struct rill_ip *ret_local,
		      struct rill_ip *ret_remote)
{
	uint8_t family = e->ip6 ? RILL_AF_IP6 : RILL_AF_IP4;

	ret_local->family = ret_remote->family = family;
	memcpy(ret_local->bytes, e->local, sizeof(e->local));
	memcpy(ret_remote->bytes, e->remote, sizeof(e->remote));
}

void rill_syncache_remove(struct rill_syncache *c, struct rill_syn_entry *e)
{
	struct rill_ip remote, local;
	struct rill_syn_entry **at;

	addresses(e, &local, &remote);
	at = bucket_of(c, &local, e->local_port, &remote, e->remote_port);
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	rill_list_del(&e->link);
	rill_prefix_put(&c->prefixes, NULL, &remote);
	c->waiting -= e->waits;
	rill_counter_add(&c->count, -1);
	rill_slab_free(&c->slab, e);
}

static void *heir_of(const struct rill_syncache *c, const struct rill_syn_entry *e)
{
	struct rill_ip remote, local;

	if (!c->ops->heir)
		return NULL;
	addresses(e, &local, &remote);
	return c->ops->heir(e->listener, &local, &remote, e->remote_port);
}

static void forget_in(struct rill_syncache *c, struct rill_list *list, const void *listener)
{
	RILL_LIST_FOR_EACH (node, list) {
		struct rill_syn_entry *e = RILL_LIST_ENTRY(node, struct rill_syn_entry, link);
		void *heir = e->listener == listener ? heir_of(c, e) : e->listener;

		if (heir)
			e->listener = heir;
		else
			rill_syncache_remove(c, e);
	}
}

void rill_syncache_forget(struct rill_syncache *c, const void *listener)
{
	forget_in(c, &c->called, listener);
	for (unsigned i = 0; i < RILL_SYNCACHE_STEPS; i++)
		forget_in(c, &c->steps[i], listener);
}

static void forget_local_in(struct rill_syncache *c, struct rill_list *list,
			    const struct rill_ip *local)
{
	RILL_LIST_FOR_EACH (node, list) {
		struct rill_syn_entry *e = RILL_LIST_ENTRY(node, struct rill_syn_entry, link);

		if (memcmp(e->local, local->bytes, sizeof(e->local)) == 0)
			rill_syncache_remove(c, e);
	}
}

void rill_syncache_forget_local(struct rill_syncache *c, const struct rill_ip *local)
{
	forget_local_in(c, &c->called, local);
	for (unsigned i = 0; i < RILL_SYNCACHE_STEPS; i++)
		forget_local_in(c, &c->steps[i], local);
}

/* ---- a SYN ---- */

/* Who has come furthest in the steps has been here longest. */
static void remove_oldest(struct rill_syncache *c)
{
	for (unsigned i = RILL_SYNCACHE_STEPS; i-- > 0;) {
		if (rill_list_empty(&c->steps[i]))
			continue;
		rill_syncache_remove(
			c, RILL_LIST_ENTRY(c->steps[i].next, struct rill_syn_entry, link));
		return;
	}
}

static uint32_t timeout_us(const struct rill_syncache *c, unsigned step)
{
	const struct rill_tcp_params *p = &c->env->params;
	uint64_t most = RILL_MIN(p->rto_max_us, (uint32_t)TIMEOUT_MAX_US);
	uint64_t sum = 0;

	for (unsigned i = 0; i <= step; i++)
		sum += RILL_MIN((uint64_t)p->rto_initial_us << i, most);
	return (uint32_t)sum;
}

enum rill_drop rill_syncache_syn(struct rill_syncache *c, void *listener,
				 const struct rill_tcp_seg *seg, const struct rill_tcb *old,
				 uint64_t now)
{
	const struct rill_tcp_params *params = &c->env->params;
	struct rill_syn_entry *e = NULL;

	if (!params->syn_cookies_always || params->no_syn_cookies) {
		e = entry_new(c, listener, seg);
		if (!e)
			rill_counter_add(&c->env->stats.syn_cache_full, 1);
	}
	if (!e && params->no_syn_cookies) {
		remove_oldest(c);
		e = entry_new(c, listener, seg);
		if (!e)
			return RILL_DROP_TCP_BACKLOG;
	}
	if (!e)
		return rill_syn_cookie_answer(c, listener, seg, old, now);
	rill_syn_entry_answer(c, e, seg, old, now);
	c->next_ns = RILL_MIN(c->next_ns, now + timeout_us(c, 0) * RILL_US);
	return RILL_DROP_NONE;
}

void rill_syncache_put_off(struct rill_syncache *c, struct rill_syn_entry *e)
{
	c->waiting += !e->waits;
	e->waits = 1;
	e->defer_s = 0; /* it has waited for what it was to wait for */
}

/* One of those that waits, near the oldest. Where nearly nobody does there may be none. */
static struct rill_syn_entry *find_waiting(const struct rill_syncache *c, const void *listener)
{
	unsigned looks = ROOM_LOOKS;

	for (unsigned i = RILL_SYNCACHE_STEPS; i-- > 0;) {
		RILL_LIST_FOR_EACH (node, &c->steps[i]) {
			struct rill_syn_entry *e =
				RILL_LIST_ENTRY(node, struct rill_syn_entry, link);

			if (e->waits && e->listener == listener)
				return e;
			if (--looks == 0)
				return NULL;
		}
	}
	return NULL;
}

void rill_syncache_room(struct rill_syncache *c, const void *listener)
{
	struct rill_syn_entry *e;

	if (RILL_LIKELY(c->waiting == 0))
		return;
	e = find_waiting(c, listener);
	if (!e)
		return;
	e->waits = 0;
	c->waiting--;
	rill_list_del(&e->link);
	rill_list_push_back(&c->called, &e->link);
	c->next_ns = 0;
}

/* ---- time ---- */

static uint32_t age_us(const struct rill_syn_entry *e, uint64_t now)
{
	return (uint32_t)(now / RILL_US) - e->syn.sent_us;
}

static unsigned resends_max(const struct rill_syncache *c)
{
	unsigned most = RILL_MIN(c->env->params.synack_retries, (uint8_t)15);

	if (c->count > c->env->params.syn_cache_max / 2)
		most = RILL_MIN(most, (unsigned)RESENDS_UNDER_PRESSURE);
	return most;
}

static void next_step(struct rill_syncache *c, struct rill_syn_entry *e)
{
	if (e->step + 1 == RILL_SYNCACHE_STEPS) {
		rill_syncache_remove(c, e);
		return;
	}
	e->step = (e->step + 1) & 15;
	rill_list_del(&e->link);
	rill_list_push_back(&c->steps[e->step], &e->link);
}

/*
 * The end of a timeout. A peer that has answered and is to send data first is left alone until that
 * has taken too long; then the SYN-ACK makes it answer again, and this answer will do.
 */
static void expire(struct rill_syncache *c, struct rill_syn_entry *e, uint64_t now)
{
	bool deferred = e->acked && age_us(e, now) < e->defer_s * UINT32_C(1000000);

	if (!deferred) {
		if (e->resends >= resends_max(c)) {
			rill_counter_add(&c->env->stats.timeouts, 1);
			rill_syncache_remove(c, e);
			return;
		}
		e->resends = (e->resends + 1) & 15;
		if (e->acked)
			e->defer_s = 0;
		rill_syn_entry_repeat(c, e, now);
	}
	next_step(c, e);
}

/* The SYN-ACK makes the peer answer, and this answer finds room, or is put off once more. */
static void call_back(struct rill_syncache *c, uint64_t now)
{
	struct rill_list *node;

	while ((node = rill_list_pop_front(&c->called))) {
		struct rill_syn_entry *e = RILL_LIST_ENTRY(node, struct rill_syn_entry, link);

		rill_syn_entry_repeat(c, e, now);
		/* Few are older than one that has waited: the list stays in order but for those. */
		rill_list_push_front(&c->steps[e->step], &e->link);
	}
}

static void expire_step(struct rill_syncache *c, unsigned step, uint64_t now)
{
	struct rill_list *list = &c->steps[step];
	uint32_t timeout = timeout_us(c, step);

	while (!rill_list_empty(list)) {
		struct rill_syn_entry *e = RILL_LIST_ENTRY(list->next, struct rill_syn_entry, link);

		if (age_us(e, now) < timeout)
			return;
		expire(c, e, now);
	}
}

static uint64_t step_deadline(const struct rill_syncache *c, unsigned step, uint64_t now)
{
	uint32_t timeout = timeout_us(c, step), age;

	if (rill_list_empty(&c->steps[step]))
		return RILL_FOREVER;
	age = age_us(RILL_LIST_ENTRY(c->steps[step].next, struct rill_syn_entry, link), now);
	return now + (timeout > age ? timeout - age : 0) * RILL_US;
}

void rill_syncache_on_timer(struct rill_syncache *c, uint64_t now)
{
	if (now < c->next_ns)
		return;
	call_back(c, now);
	/* From the last step on, so that nobody is moved into one that is still to come. */
	for (unsigned i = RILL_SYNCACHE_STEPS; i-- > 0;)
		expire_step(c, i, now);
	c->next_ns = RILL_FOREVER;
	for (unsigned i = 0; i < RILL_SYNCACHE_STEPS; i++)
		c->next_ns = RILL_MIN(c->next_ns, step_deadline(c, i, now));
}
