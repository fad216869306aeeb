/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/steer.h"

#include "netstack/stack/conn.h"

#include <errno.h>
#include <stdlib.h>

#define STEER_BUCKETS 65536

int rill_steer_init(struct rill_steer *s)
{
	s->mask = STEER_BUCKETS - 1;
	s->buckets = calloc(STEER_BUCKETS, sizeof(*s->buckets));
	return s->buckets ? 0 : -ENOMEM;
}

void rill_steer_fini(struct rill_steer *s)
{
	free(s->buckets);
}

/* Hash and addresses of a connection do not change while it is here. */
static struct rill_tcp *find_locked(struct rill_steer *s, uint32_t hash,
				    const struct rill_flow_key *key)
{
	struct rill_tcp *t = s->buckets[hash & s->mask];

	while (t && !rill_flow_is(&t->conn, hash, key))
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
	struct rill_flow_key key = {&tcb->remote.ip, tcb->remote.port, tcb->local.port};
	bool free_key;

	rill_spin_lock(&s->lock);
	free_key = !find_locked(s, t->conn.flow_hash, &key);
	if (free_key) {
		t->steer_next = s->buckets[t->conn.flow_hash & s->mask];
		s->buckets[t->conn.flow_hash & s->mask] = t;
	}
	rill_spin_unlock(&s->lock);
	return free_key;
}

void rill_steer_remove(struct rill_steer *s, struct rill_tcp *t)
{
	struct rill_tcp **at = &s->buckets[t->conn.flow_hash & s->mask];

	rill_spin_lock(&s->lock);
	while (*at != t)
		at = &(*at)->steer_next;
	*at = t->steer_next;
	rill_spin_unlock(&s->lock);
}
