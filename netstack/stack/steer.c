/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/steer.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "netstack/stack/conn.h"
#include "netstack/stack/net.h"
#include "netstack/wire/eth.h"
#include "netstack/wire/ip4.h"

#define STEER_BUCKETS 65536

int rill_steer_init(struct rill_steer *s, struct rill_nic *nic)
{
	s->mask = STEER_BUCKETS - 1;
	s->buckets = calloc(STEER_BUCKETS, sizeof(*s->buckets));
	if (!s->buckets)
		return -ENOMEM;
	if (nic->queue_count < 2)
		return 0;
	s->map = rill_steer_map_create(nic);
	return s->map ? 0 : -ENOMEM;
}

void rill_steer_fini(struct rill_steer *s)
{
	rill_steer_map_destroy(s->map);
	free(s->buckets);
}

/* The addresses of a connection do not change while it is here. */
static uint32_t hash_of(const struct rill_tcp *t)
{
	return rill_flow_hash_of(&rill_tcp_shard(t)->core.flow_secret, &t->conn);
}

static struct rill_tcp *find_locked(struct rill_steer *s, uint32_t hash,
				    const struct rill_flow_key *key)
{
	struct rill_tcp *t = s->buckets[hash & s->mask];

	while (t && !rill_flow_is(&t->conn, key))
		t = t->steer_next;
	return t;
}

struct rill_shard *rill_steer_find(struct rill_steer *s, uint32_t hash,
				   const struct rill_flow_key *key)
{
	struct rill_shard *sh;

	rill_spin_lock(&s->lock);
	struct rill_tcp *t = find_locked(s, hash, key);

	sh = t ? rill_tcp_shard(t) : NULL;
	rill_spin_unlock(&s->lock);
	return sh;
}

bool rill_steer_insert(struct rill_steer *s, struct rill_tcp *t)
{
	const struct rill_tcb *tcb = &t->conn.tcb;
	struct rill_flow_key key = {&tcb->remote.ip, &tcb->local.ip, tcb->remote.port,
				    tcb->local.port};
	uint32_t hash = hash_of(t);
	bool free_key;

	rill_spin_lock(&s->lock);
	free_key = !find_locked(s, hash, &key);
	if (free_key) {
		t->steer_next = s->buckets[hash & s->mask];
		s->buckets[hash & s->mask] = t;
	}
	rill_spin_unlock(&s->lock);
	return free_key;
}

void rill_steer_remove(struct rill_steer *s, struct rill_tcp *t)
{
	struct rill_tcp **at = &s->buckets[hash_of(t) & s->mask];

	rill_spin_lock(&s->lock);
	while (*at != t)
		at = &(*at)->steer_next;
	*at = t->steer_next;
	rill_spin_unlock(&s->lock);
}

/* ---- where the NIC puts segments ---- */

bool rill_steer_is_home(const struct rill_shard *sh, const struct rill_addr *local,
			const struct rill_addr *remote)
{
	int queue = rill_steer_map_queue(sh->net->steer.map, remote, local);

	return queue < 0 || queue == (int)sh->index;
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/*
 * The TCP header of a whole packet over plain IPv4 with SYN, or NULL. What NICs may not hash is
 * left out, lest somebody who sends such things has us take them for unpredictable.
 */
static const uint8_t *find_syn(const struct rill_buf *b)
{
	const uint8_t *ip = b->data + RILL_ETH_LEN;
	const uint8_t *tcp = ip + RILL_IP4_LEN;

	if (b->len < RILL_ETH_LEN + 40 || get16(b->data + 12) != RILL_ETH_IP4 || ip[0] != 0x45 ||
	    ip[9] != IPPROTO_TCP)
		return NULL;
	if ((tcp[13] & 0x02) == 0 || (get16(ip + 6) & 0x3fff) != 0)
		return NULL;
	return rill_ip4_csum(ip, RILL_IP4_LEN) == 0 ? tcp : NULL;
}

static void take_addr(struct rill_addr *a, const uint8_t *ip4, const uint8_t *port)
{
	a->ip.family = RILL_AF_IP4;
	memcpy(a->ip.bytes, ip4, 4);
	a->port = get16(port);
}

void rill_steer_observe(struct rill_shard *sh, const struct rill_buf *frame)
{
	const uint8_t *tcp = find_syn(frame);
	struct rill_steer_sight s = {.queue = (uint16_t)sh->index};

	if (RILL_LIKELY(!tcp))
		return;
	take_addr(&s.from, frame->data + RILL_ETH_LEN + 12, tcp);
	take_addr(&s.to, frame->data + RILL_ETH_LEN + 16, tcp + 2);
	s.has_hash = (frame->flags & RILL_BUF_HASH) != 0;
	if (s.has_hash)
		s.hash = ((const struct rill_buf_meta *)(const void *)frame->cookie)->hash;
	struct rill_steer_found found = rill_steer_map_saw(sh->net->steer.map, &s);

	if (found.predicted < 0)
		rill_counter_add(&sh->stats.rss_unknown, 1);
	else if (found.predicted == s.queue)
		rill_counter_add(&sh->stats.rss_right, 1);
	else
		rill_counter_add(&sh->stats.rss_wrong, 1);
	rill_counter_add(&sh->stats.rss_learned, found.learned);
}
