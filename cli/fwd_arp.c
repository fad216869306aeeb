/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ARP (RFC 826). The table is read without a lock on every packet: each entry has a sequence
 * number, odd while it is being written (a seqlock). Writers have a mutex; so have the few packets
 * that wait for an answer.
 */
#include "cli/fwd.h"

#include <errno.h>
#include <rill/time.h>
#include <stdlib.h>

#define ENTRIES 1024  /* a power of two */
#define PROBES 8      /* places of one address */
#define WAITING_MAX 4 /* packets for one address */
/* And in all, lest somebody who asks for those who are not there gets hold of a NIC's packets. */
#define WAITING_ALL_MAX 128
#define FRESH_NS (60 * RILL_SEC) /* asked for again when used afterwards */
#define RETRY_NS RILL_SEC
#define ARP_LEN 28
#define OP_REQUEST 1
#define OP_REPLY 2

struct entry {
	atomic_uint seq;
	_Atomic uint32_t ip; /* 0: free */
	_Atomic uint32_t port;
	_Atomic uint64_t mac; /* 0: not known yet */
	_Atomic uint64_t heard_ns, asked_ns;
	/* under the mutex */
	struct rill_pkt *waiting[WAITING_MAX];
	unsigned waiting_count;
};

struct fwd_neighbours {
	struct entry entries[ENTRIES];
	/* under the mutex */
	unsigned waiting_count; /* of all entries */
	unsigned hand;		/* where room is made next */
	pthread_mutex_t lock;
};

int rill_fwd_arp_init(struct fwd *fwd)
{
	fwd->neighbours = calloc(1, sizeof(*fwd->neighbours));
	if (!fwd->neighbours)
		return -ENOMEM;
	pthread_mutex_init(&fwd->neighbours->lock, NULL);
	return 0;
}

void rill_fwd_arp_fini(struct fwd *fwd)
{
	if (!fwd->neighbours)
		return;
	for (unsigned i = 0; i < ENTRIES; i++)
		rill_pkt_free(fwd->neighbours->entries[i].waiting,
			      fwd->neighbours->entries[i].waiting_count);
	pthread_mutex_destroy(&fwd->neighbours->lock);
	free(fwd->neighbours);
}

/* ---- the table ---- */

static unsigned slot_of(uint32_t ip)
{
	return ip * UINT32_C(0x9e3779b1) >> 22;
}

/* The entry of ip, or with the mutex perhaps a place for it: a free one, or the stalest. */
static struct entry *find(struct fwd_neighbours *n, uint32_t ip, bool make)
{
	struct entry *stalest = NULL;

	for (unsigned i = 0; i < PROBES; i++) {
		struct entry *e = &n->entries[(slot_of(ip) + i) % ENTRIES];
		uint32_t is = atomic_load_explicit(&e->ip, memory_order_relaxed);

		if (is == ip)
			return e;
		if (!stalest || is == 0 ||
		    atomic_load_explicit(&e->heard_ns, memory_order_relaxed) <
			    atomic_load_explicit(&stalest->heard_ns, memory_order_relaxed))
			stalest = e;
		if (is == 0)
			break;
	}
	return make ? stalest : NULL;
}

/* With the mutex. */
static void write_entry(struct entry *e, uint32_t ip, uint64_t mac, unsigned port)
{
	unsigned seq = atomic_load_explicit(&e->seq, memory_order_relaxed);

	atomic_store_explicit(&e->seq, seq + 1, memory_order_relaxed);
	/* release: the odd number is seen before any of these; pairs with read_mac() */
	atomic_store_explicit(&e->ip, ip, memory_order_release);
	atomic_store_explicit(&e->mac, mac, memory_order_release);
	atomic_store_explicit(&e->port, port, memory_order_release);
	/* release: and all of it before the even one; pairs with read_mac() */
	atomic_store_explicit(&e->seq, seq + 2, memory_order_release);
}

/* 0: not known, or just being written. */
static uint64_t read_mac(struct entry *e, uint32_t ip, unsigned port)
{
	/* acquire: pairs with the last store of write_entry() */
	unsigned seq = atomic_load_explicit(&e->seq, memory_order_acquire);
	/* acquire: the number is read again after these; pairs with write_entry() */
	uint64_t mac = atomic_load_explicit(&e->mac, memory_order_acquire);
	bool same = atomic_load_explicit(&e->ip, memory_order_acquire) == ip &&
		    atomic_load_explicit(&e->port, memory_order_acquire) == port;

	if (seq & 1 || !same || atomic_load_explicit(&e->seq, memory_order_relaxed) != seq)
		return 0;
	return mac;
}

/* ---- packets ---- */

static void send_arp(const struct fwd_port *in, struct fwd_lane *lane, unsigned port, uint16_t op,
		     const uint8_t *to_mac, uint32_t to_ip)
{
	static const uint8_t everybody[FWD_MAC_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t head[6] = {0, 1, 8, 0, 6, 4}; /* Ethernet, IPv4, their lengths */
	const struct fwd_port *out = &in->fwd->ports[port];
	struct rill_pkt *p;

	if (rill_port_alloc(out->port, lane_queue(lane, in->fwd, port), &p, 1) == 0) {
		fwd_count(&fwd_counters(lane, in)->no_packet, 1);
		return;
	}
	uint8_t *frame = rill_pkt_append(p, FWD_ETH_LEN + ARP_LEN), *arp = frame + FWD_ETH_LEN;

	memset(frame, 0, FWD_ETH_LEN + ARP_LEN);
	memcpy(frame, to_mac ? to_mac : everybody, FWD_MAC_LEN);
	memcpy(frame + 6, out->info.mac, FWD_MAC_LEN);
	fwd_put16(frame + 12, FWD_ETHERTYPE_ARP);
	memcpy(arp, head, sizeof(head));
	fwd_put16(arp + 6, op);
	memcpy(arp + 8, out->info.mac, FWD_MAC_LEN);
	fwd_put_ip(arp + 14, out->ip);
	if (to_mac)
		memcpy(arp + 18, to_mac, FWD_MAC_LEN);
	fwd_put_ip(arp + 24, to_ip);
	fwd_count(&fwd_counters(lane, in)->answered, 1);
	rill_fwd_out_own(lane, in, port, p);
}

/* The oldest of those that wait for e (RFC 1122, 2.3.2.2). */
static void drop_waiting(struct fwd_neighbours *n, struct entry *e, unsigned count,
			 atomic_ullong *counter)
{
	fwd_count(counter, count);
	rill_pkt_free(e->waiting, count);
	e->waiting_count -= count;
	n->waiting_count -= count;
	memmove(e->waiting, e->waiting + count, e->waiting_count * sizeof(e->waiting[0]));
}

/* The next entry for which some wait loses one, so that those that come late wait as well. */
static void make_room(struct fwd_neighbours *n, atomic_ullong *counter)
{
	if (n->waiting_count < WAITING_ALL_MAX)
		return;
	while (n->entries[n->hand].waiting_count == 0)
		n->hand = (n->hand + 1) % ENTRIES;
	drop_waiting(n, &n->entries[n->hand], 1, counter);
}

/* Takes over p; asks, but not all the time. */
static void wait_for(const struct fwd_port *in, struct fwd_lane *lane, unsigned port, uint32_t ip,
		     struct rill_pkt *p)
{
	struct fwd_neighbours *n = in->fwd->neighbours;
	atomic_ullong *counter = &fwd_counters(lane, in)->unresolved;
	uint64_t now = rill_now();
	bool ask;

	pthread_mutex_lock(&n->lock);
	struct entry *e = find(n, ip, true);

	if (atomic_load_explicit(&e->ip, memory_order_relaxed) != ip) {
		drop_waiting(n, e, e->waiting_count, counter);
		atomic_store_explicit(&e->asked_ns, 0, memory_order_relaxed);
		write_entry(e, ip, 0, port);
	}
	ask = now - atomic_load_explicit(&e->asked_ns, memory_order_relaxed) >= RETRY_NS;
	if (ask)
		atomic_store_explicit(&e->asked_ns, now, memory_order_relaxed);
	if (e->waiting_count == WAITING_MAX)
		drop_waiting(n, e, 1, counter);
	make_room(n, counter);
	e->waiting[e->waiting_count++] = p;
	n->waiting_count++;
	pthread_mutex_unlock(&n->lock);
	if (ask)
		send_arp(in, lane, port, OP_REQUEST, NULL, ip);
}

/* One that has been silent is asked again, while it goes on being used. */
static void refresh(const struct fwd_port *in, struct fwd_lane *lane, struct entry *e,
		    unsigned port, uint32_t ip, const uint8_t *mac)
{
	uint64_t now = rill_now();
	uint64_t asked = atomic_load_explicit(&e->asked_ns, memory_order_relaxed);

	if (now - atomic_load_explicit(&e->heard_ns, memory_order_relaxed) < FRESH_NS ||
	    now - asked < RETRY_NS)
		return;
	/* One of the workers that notice. */
	if (atomic_compare_exchange_strong_explicit(&e->asked_ns, &asked, now, memory_order_relaxed,
						    memory_order_relaxed))
		send_arp(in, lane, port, OP_REQUEST, NULL, ip);
}

bool rill_fwd_resolve(const struct fwd_port *in, struct fwd_lane *lane, unsigned port, uint32_t ip,
		      struct rill_pkt *p, uint8_t *ret_mac)
{
	struct entry *e = find(in->fwd->neighbours, ip, false);
	uint64_t mac = e ? read_mac(e, ip, port) : 0;

	if (mac == 0) {
		wait_for(in, lane, port, ip, p);
		return false;
	}
	memcpy(ret_mac, &mac, FWD_MAC_LEN);
	refresh(in, lane, e, port, ip, ret_mac);
	return true;
}

/* Notes where ip is, if it is of interest: known, or make. What waited for it goes out. */
static void learn(struct fwd_port *in, struct fwd_lane *lane, uint32_t ip, const uint8_t *mac,
		  bool make)
{
	struct fwd_neighbours *n = in->fwd->neighbours;
	struct rill_pkt *waiting[WAITING_MAX];
	unsigned count = 0;
	uint64_t word = 0;

	memcpy(&word, mac, FWD_MAC_LEN);
	pthread_mutex_lock(&n->lock);
	struct entry *e = find(n, ip, make);

	if (e) {
		bool other = atomic_load_explicit(&e->ip, memory_order_relaxed) != ip;

		if (other)
			drop_waiting(n, e, e->waiting_count, &fwd_counters(lane, in)->unresolved);
		memcpy(waiting, e->waiting, sizeof(waiting));
		count = e->waiting_count;
		n->waiting_count -= count;
		e->waiting_count = 0;
		write_entry(e, ip, word, in->index);
		atomic_store_explicit(&e->heard_ns, rill_now(), memory_order_relaxed);
	}
	pthread_mutex_unlock(&n->lock);
	for (unsigned i = 0; i < count; i++) {
		memcpy(waiting[i]->data, mac, FWD_MAC_LEN);
		rill_fwd_out(lane, in, in->index, waiting[i]);
	}
}

void rill_fwd_arp_in(struct fwd_port *in, struct fwd_lane *lane, struct rill_pkt *p)
{
	static const uint8_t head[6] = {0, 1, 8, 0, 6, 4};
	const uint8_t *arp = p->data + FWD_ETH_LEN;
	uint8_t mac[FWD_MAC_LEN];

	if (p->len < FWD_ETH_LEN + ARP_LEN || memcmp(arp, head, sizeof(head)) != 0 || arp[8] & 1) {
		fwd_drop(&fwd_counters(lane, in)->malformed, p);
		return;
	}
	uint32_t sender = fwd_get_ip(arp + 14), target = fwd_get_ip(arp + 24);
	uint16_t op = fwd_get16(arp + 6);
	bool for_us = target == in->ip;

	memcpy(mac, arp + 8, FWD_MAC_LEN);
	rill_pkt_free(&p, 1);
	/* Whoever claims an address of another net does not get its packets. */
	if (sender == in->ip || (sender ^ in->ip) & rill_fwd_mask(in->prefix))
		return;
	learn(in, lane, sender, mac, for_us);
	if (for_us && op == OP_REQUEST)
		send_arp(in, lane, in->index, OP_REPLY, mac, sender);
}
