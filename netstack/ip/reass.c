/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/ip/reass.h"

#include "netstack/ip/icmp.h"
#include "netstack/ip/l3.h"

/* Of a held fragment, in its buffer's cookie. */
enum cookie {
	OFFSET = 0,
	HEADER_LEN = 1, /* the IPv4 header lies in front of the data */
};

static rill_l3_timer_fn on_timeout;

void rill_reass_init(struct rill_reass *r, uint32_t held_max)
{
	rill_list_init(&r->free);
	rill_list_init(&r->active);
	r->held = 0;
	r->held_max = held_max;
	for (unsigned i = 0; i < RILL_REASS_MAX; i++) {
		struct rill_reass_datagram *d = &r->datagrams[i];

		rill_timer_init(&d->timer.timer);
		d->timer.fire = on_timeout;
		d->first = d->last = NULL;
		rill_list_push_back(&r->free, &d->link);
	}
}

/* Takes the fragments out of d. */
static struct rill_buf *take_chain(struct rill_reass *r, struct rill_reass_datagram *d)
{
	struct rill_buf *chain = d->first;

	r->held -= d->frags;
	d->first = d->last = NULL;
	d->frags = 0;
	return chain;
}

static void drop_fragments(struct rill_l3 *l3, struct rill_reass_datagram *d, enum rill_drop drop)
{
	uint32_t frags = d->frags;

	rill_l3_rx_done(l3, take_chain(&l3->reass, d), frags, drop);
}

static void release(struct rill_l3 *l3, struct rill_reass_datagram *d)
{
	RILL_ASSERT(!d->first);
	rill_l3_timer_stop(l3, &d->timer);
	rill_list_del(&d->link);
	rill_list_push_front(&l3->reass.free, &d->link);
}

/* RFC 792: time exceeded is sent only when fragment 0 is there to be quoted. */
static void on_timeout(struct rill_l3 *l3, struct rill_l3_timer *timer, uint64_t now)
{
	struct rill_reass_datagram *d = RILL_CONTAINER_OF(timer, struct rill_reass_datagram, timer);

	if (d->first && d->first->cookie[OFFSET] == 0) {
		struct rill_ip4 h;

		rill_ip4_parse(d->first->data - d->first->cookie[HEADER_LEN], &h);
		rill_icmp_send_error(l3, d->first, &h, RILL_ICMP4_TIME_EXCEEDED,
				     RILL_ICMP4_REASSEMBLY, now);
	}
	drop_fragments(l3, d, RILL_DROP_FRAG_TIMEOUT);
	release(l3, d);
}

static struct rill_reass_datagram *find(struct rill_reass *r, const struct rill_ip4 *h)
{
	RILL_LIST_FOR_EACH (pos, &r->active) {
		struct rill_reass_datagram *d =
			RILL_LIST_ENTRY(pos, struct rill_reass_datagram, link);

		/* RFC 791: these four name a datagram. */
		if (d->id == h->id && d->src == h->src && d->dst == h->dst && d->proto == h->proto)
			return d;
	}
	return NULL;
}

static void evict_oldest(struct rill_l3 *l3)
{
	struct rill_reass_datagram *d =
		RILL_LIST_ENTRY(l3->reass.active.next, struct rill_reass_datagram, link);

	drop_fragments(l3, d, RILL_DROP_FRAG_LIMIT);
	release(l3, d);
}

static struct rill_reass_datagram *create(struct rill_l3 *l3, const struct rill_ip4 *h,
					  uint64_t now)
{
	struct rill_reass *r = &l3->reass;

	if (rill_list_empty(&r->free))
		evict_oldest(l3);
	struct rill_reass_datagram *d =
		RILL_LIST_ENTRY(rill_list_pop_front(&r->free), struct rill_reass_datagram, link);

	d->src = h->src;
	d->dst = h->dst;
	d->id = h->id;
	d->proto = h->proto;
	d->end = d->have = d->frags = 0;
	d->poisoned = false;
	rill_list_push_back(&r->active, &d->link);
	rill_l3_timer_set(l3, &d->timer, now + RILL_REASS_TIMEOUT_NS);
	return d;
}

static enum rill_drop check_fragment(const struct rill_ip4 *h)
{
	uint32_t len = rill_ip4_payload_len(h);

	if (len == 0 || (h->more_fragments && len % 8))
		return RILL_DROP_FRAG_LEN;
	if (h->frag_offset + len > RILL_IP4_TOTAL_MAX - RILL_IP4_LEN)
		return RILL_DROP_FRAG_PAST_END;
	return RILL_DROP_NONE;
}

static uint32_t frag_end(const struct rill_buf *b)
{
	return (uint32_t)b->cookie[OFFSET] + b->len;
}

/* RILL_DROP_FRAG_OVERLAP when they contradict what is known of the end. */
static enum rill_drop note_end(struct rill_reass_datagram *d, const struct rill_ip4 *h,
			       uint32_t end)
{
	if (d->end && (end > d->end || (!h->more_fragments && end != d->end)))
		return RILL_DROP_FRAG_OVERLAP;
	if (h->more_fragments)
		return RILL_DROP_NONE;
	if (d->last && frag_end(d->last) > end)
		return RILL_DROP_FRAG_OVERLAP;
	d->end = end;
	return RILL_DROP_NONE;
}

/* Links b in by offset. Fragments mostly come in order, so the end is tried first. */
static enum rill_drop insert(struct rill_reass_datagram *d, struct rill_buf *b)
{
	struct rill_buf *prev = NULL;
	struct rill_buf *next = d->first;

	if (d->last && d->last->cookie[OFFSET] < b->cookie[OFFSET]) {
		prev = d->last;
		next = NULL;
	}
	while (next && next->cookie[OFFSET] < b->cookie[OFFSET]) {
		prev = next;
		next = next->next;
	}
	if (prev && frag_end(prev) > b->cookie[OFFSET])
		return RILL_DROP_FRAG_OVERLAP;
	if (next && frag_end(b) > next->cookie[OFFSET])
		return RILL_DROP_FRAG_OVERLAP;
	b->next = next;
	*(prev ? &prev->next : &d->first) = b;
	if (!next)
		d->last = b;
	d->have += b->len;
	d->frags++;
	return RILL_DROP_NONE;
}

static enum rill_drop add(struct rill_l3 *l3, struct rill_reass_datagram *d, struct rill_buf *b,
			  const struct rill_ip4 *h)
{
	b->cookie[OFFSET] = h->frag_offset;
	b->cookie[HEADER_LEN] = h->header_len;
	if (d->poisoned)
		return RILL_DROP_FRAG_OVERLAP;
	if (d->frags == RILL_REASS_FRAGS_MAX)
		return RILL_DROP_FRAG_LIMIT;
	enum rill_drop drop = note_end(d, h, h->frag_offset + b->len);

	if (!drop)
		drop = insert(d, b);
	if (!drop)
		l3->reass.held++;
	return drop;
}

/* The entry stays, empty, so that what is still to come is refused too instead of waiting in vain.
 */
static void poison(struct rill_l3 *l3, struct rill_reass_datagram *d, enum rill_drop drop)
{
	drop_fragments(l3, d, drop);
	d->poisoned = true;
}

static void complete(struct rill_l3 *l3, struct rill_reass_datagram *d,
		     struct rill_reass_result *ret_result)
{
	struct rill_buf *first = d->first;

	ret_result->frags = d->frags;
	rill_ip4_parse(first->data - first->cookie[HEADER_LEN], &ret_result->ip);
	ret_result->chain = take_chain(&l3->reass, d);
	/* What the NIC said of a part says nothing of the whole. */
	for (struct rill_buf *b = first; b; b = b->next)
		b->flags = 0;
	release(l3, d);
}

void rill_reass_input(struct rill_l3 *l3, struct rill_buf *b, const struct rill_ip4 *h,
		      uint64_t now, struct rill_reass_result *ret_result)
{
	enum rill_drop drop = check_fragment(h);

	*ret_result = (struct rill_reass_result){0};
	if (drop) {
		rill_l3_rx_done(l3, b, 1, drop);
		return;
	}
	while (l3->reass.held >= l3->reass.held_max)
		evict_oldest(l3);
	struct rill_reass_datagram *d = find(&l3->reass, h);

	if (!d)
		d = create(l3, h, now);
	drop = add(l3, d, b, h);
	if (drop) {
		rill_l3_rx_done(l3, b, 1, drop);
		poison(l3, d, drop);
		return;
	}
	if (d->end && d->have == d->end)
		complete(l3, d, ret_result);
}

void rill_reass_fini(struct rill_l3 *l3)
{
	RILL_LIST_FOR_EACH (pos, &l3->reass.active) {
		struct rill_reass_datagram *d =
			RILL_LIST_ENTRY(pos, struct rill_reass_datagram, link);

		drop_fragments(l3, d, RILL_DROP_FRAG_TIMEOUT);
		release(l3, d);
	}
}
