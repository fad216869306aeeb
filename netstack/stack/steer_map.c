/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/stack/steer_map.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Wrong that often, and more than every so manyth time: not to be believed. */
#define WRONG_MIN 4
#define WRONG_SHARE 8
/* Old sights count half after so many new ones. */
#define SCORE_WINDOW 64
/* A table that somebody changes is learned anew; one that changes all the time is none. */
#define FRESH_STARTS_MAX 8

/* ---- what the NIC tells ---- */

static bool take_rss(struct rill_steer_map *m)
{
	const struct rill_driver *driver = m->nic->driver;
	struct rill_nic_rss rss = {.key_len = 0};

	m->table_len = 0;
	if (!driver->rss || driver->rss(m->nic, &rss) < 0 || rss.table_len == 0)
		return false;
	memcpy(m->table, rss.table, sizeof(m->table));
	m->table_len = rss.table_len;
	m->ports = rss.hashes_ports_tcp;
	/* Without a key the table is still good for learning. */
	return rill_toeplitz_init(&m->toeplitz, rss.key, rss.key_len) == 0;
}

/* A driver that knows answers this. */
static bool asks_queue(const struct rill_steer_map *m)
{
	const struct rill_addr any = {.ip.family = RILL_AF_IP4, .port = 1};
	const struct rill_driver *driver = m->nic->driver;

	return driver->rx_queue_of && driver->rx_queue_of(m->nic, IPPROTO_TCP, &any, &any) >= 0;
}

static void forget(struct rill_steer_map *m)
{
	memset(m->learn, 0, sizeof(m->learn));
	m->score = (struct rill_steer_score){0};
	m->tuple = RILL_STEER_AS_IS;
}

static void start(struct rill_steer_map *m)
{
	bool key = take_rss(m);

	forget(m);
	m->told = m->hash_differs = false;
	m->fresh_starts = 0;
	m->by = key ? RILL_STEER_BY_KEY : RILL_STEER_BY_LEARNING;
	if (asks_queue(m))
		m->by = RILL_STEER_BY_QUEUE;
}

struct rill_steer_map *rill_steer_map_create(struct rill_nic *nic)
{
	struct rill_steer_map *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->nic = nic;
	start(m);
	return m;
}

void rill_steer_map_destroy(struct rill_steer_map *m)
{
	free(m);
}

void rill_steer_map_restart(struct rill_steer_map *m)
{
	rill_spin_lock(&m->lock);
	start(m);
	rill_spin_unlock(&m->lock);
}

/* ---- foretelling ---- */

static uint32_t ip4_bits(const struct rill_addr *a)
{
	const uint8_t *b = a->ip.bytes;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static rill_learn_input_bits input_of(unsigned tuple, const struct rill_addr *from,
				      const struct rill_addr *to)
{
	uint32_t a = ip4_bits(from), b = ip4_bits(to);
	uint16_t p = from->port, q = to->port;

	if (tuple == RILL_STEER_SORTED)
		return rill_learn_input(RILL_MIN(a, b), RILL_MAX(a, b), RILL_MIN(p, q),
					RILL_MAX(p, q));
	return rill_learn_input(a, b, p, q);
}

static bool both_ip4(const struct rill_addr *a, const struct rill_addr *b)
{
	return a->ip.family == RILL_AF_IP4 && b->ip.family == RILL_AF_IP4;
}

/* The queue by entry index of the table, or index is the queue. */
static int queue_of_index(const struct rill_steer_map *m, bool by_table, uint32_t index)
{
	uint32_t queue = by_table ? m->table[index & (m->table_len - 1)] : index;

	return queue < m->nic->queue_count ? (int)queue : -1;
}

/* Whether what is learned is the place in the table: where the NIC says the hash. */
static bool learns_index(const struct rill_steer_map *m)
{
	return m->table_len > 0 && (m->nic->caps & RILL_NIC_RX_HASH) != 0;
}

static uint32_t toeplitz_locked(const struct rill_steer_map *m, const struct rill_addr *from,
				const struct rill_addr *to)
{
	uint8_t input[RILL_TOEPLITZ_INPUT_MAX];
	size_t len = rill_toeplitz_input(from, to, m->ports, input);

	return rill_toeplitz_hash(&m->toeplitz, input,
				  RILL_MIN(len, (size_t)m->toeplitz.input_max));
}

static int predict_locked(const struct rill_steer_map *m, const struct rill_addr *from,
			  const struct rill_addr *to)
{
	int64_t index;

	switch (m->by) {
	case RILL_STEER_BY_QUEUE:
		return m->nic->driver->rx_queue_of(m->nic, IPPROTO_TCP, from, to);
	case RILL_STEER_BY_KEY:
		return queue_of_index(m, true, toeplitz_locked(m, from, to));
	case RILL_STEER_BY_LEARNING:
		if (!both_ip4(from, to))
			return -1;
		index = rill_learn_predict(&m->learn[m->tuple], input_of(m->tuple, from, to));
		return index < 0 ? -1 : queue_of_index(m, learns_index(m), (uint32_t)index);
	default:
		return -1;
	}
}

int rill_steer_map_queue(struct rill_steer_map *m, const struct rill_addr *from,
			 const struct rill_addr *to)
{
	rill_spin_lock(&m->lock);
	int queue = predict_locked(m, from, to);

	rill_spin_unlock(&m->lock);
	return queue;
}

/* ---- what came ---- */

/* True: not to be believed any more. */
static bool score(struct rill_steer_score *s, bool right)
{
	s->right += right;
	s->wrong += !right;
	if (s->wrong >= WRONG_MIN && s->wrong * WRONG_SHARE > s->right)
		return true;
	if (s->right + s->wrong >= SCORE_WINDOW) {
		s->right /= 2;
		s->wrong /= 2;
	}
	return false;
}

/* What the NIC told, or what was learned, is wrong. */
static void disbelieve(struct rill_steer_map *m)
{
	if (m->by == RILL_STEER_BY_KEY || m->by == RILL_STEER_BY_QUEUE) {
		m->told = true;
		m->by = RILL_STEER_BY_LEARNING;
	} else if (m->tuple + 1 < RILL_STEER_TUPLES) {
		/* The next one has been listening. */
		m->tuple++;
		m->score = (struct rill_steer_score){0};
		return;
	} else if (++m->fresh_starts == FRESH_STARTS_MAX) {
		m->by = RILL_STEER_BY_NOTHING;
	}
	forget(m);
}

static bool learn(struct rill_steer_map *m, const struct rill_steer_sight *s)
{
	uint32_t output = s->queue;
	bool any = false;

	if (learns_index(m)) {
		if (!s->has_hash)
			return false;
		output = s->hash & (m->table_len - 1);
	}
	for (unsigned t = m->tuple; t < RILL_STEER_TUPLES; t++) {
		rill_learn_input_bits input = input_of(t, &s->from, &s->to);

		any |= rill_learn_observe(&m->learn[t], input, output) == RILL_LEARN_NEW;
	}
	return any;
}

static struct rill_steer_found saw_locked(struct rill_steer_map *m,
					  const struct rill_steer_sight *s)
{
	struct rill_steer_found found = {.predicted = predict_locked(m, &s->from, &s->to)};

	if (m->by == RILL_STEER_BY_KEY && s->has_hash)
		m->hash_differs = s->hash != toeplitz_locked(m, &s->from, &s->to);
	if (found.predicted >= 0 && score(&m->score, found.predicted == s->queue))
		disbelieve(m);
	if (m->by == RILL_STEER_BY_LEARNING && both_ip4(&s->from, &s->to))
		found.learned = learn(m, s);
	return found;
}

struct rill_steer_found rill_steer_map_saw(struct rill_steer_map *m,
					   const struct rill_steer_sight *s)
{
	rill_spin_lock(&m->lock);
	struct rill_steer_found found = saw_locked(m, s);

	rill_spin_unlock(&m->lock);
	return found;
}

/* ---- telling ---- */

enum rill_steer_by rill_steer_map_by(struct rill_steer_map *m)
{
	rill_spin_lock(&m->lock);
	enum rill_steer_by by = m->by;

	rill_spin_unlock(&m->lock);
	return by;
}

static const char *why_locked(const struct rill_steer_map *m)
{
	if (!m->told)
		return "";
	return m->hash_differs ? " (the NIC's hash is not what its key gives)"
			       : " (the NIC's queues are not what it told)";
}

void rill_steer_map_describe(struct rill_steer_map *m, char *buf, size_t len)
{
	static const char *const texts[] = {
		[RILL_STEER_BY_NOTHING] = "cannot be foretold",
		[RILL_STEER_BY_LEARNING] = "learned from what arrives",
		[RILL_STEER_BY_KEY] = "by the NIC's key and table",
		[RILL_STEER_BY_QUEUE] = "told by the driver",
	};

	rill_spin_lock(&m->lock);
	snprintf(buf, len, "receive hash %s%s", texts[m->by], why_locked(m));
	rill_spin_unlock(&m->lock);
}
