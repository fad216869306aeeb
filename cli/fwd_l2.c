/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Layer 2: a patch between two ports, and a learning bridge (IEEE 802.1D, 7.8). A station is one
 * word: its address, its port, and when it was last heard, so that all workers read and write the
 * table without a lock, and the worst that a race does is to learn a station once more.
 */
#include "cli/fwd.h"

#include <errno.h>
#include <rill/time.h>
#include <stdlib.h>

#define STATIONS 8192
/* How long a silent station is remembered: 300 s, in units that go round in 1,024 s. */
#define AGE_UNIT_NS (4 * RILL_SEC)
#define AGE_MAX 75

struct fwd_macs {
	_Atomic uint64_t words[STATIONS]; /* mac << 16 | port << 8 | age; 0: free */
	atomic_uint now;		  /* in units */
};

int rill_fwd_l2_init(struct fwd *fwd)
{
	fwd->macs = calloc(1, sizeof(*fwd->macs));
	return fwd->macs ? 0 : -ENOMEM;
}

void rill_fwd_l2_fini(struct fwd *fwd)
{
	free(fwd->macs);
}

static uint64_t mac_word(const uint8_t *mac)
{
	uint64_t word = 0;

	memcpy(&word, mac, FWD_MAC_LEN);
	return word << 16;
}

static unsigned mac_slot(uint64_t word)
{
	return (unsigned)((word >> 16) * UINT64_C(0x9e3779b97f4a7c15) >> 51) % STATIONS;
}

static bool is_old(uint64_t word, unsigned now)
{
	return ((now - (unsigned)word) & 0xff) > AGE_MAX;
}

/* The word of the station in one of its two places; NULL: not known. */
static _Atomic uint64_t *find(struct fwd_macs *macs, uint64_t mac)
{
	unsigned slot = mac_slot(mac);

	for (unsigned i = 0; i < 2; i++) {
		_Atomic uint64_t *at = &macs->words[slot ^ i];

		if (atomic_load_explicit(at, memory_order_relaxed) >> 16 == mac >> 16)
			return at;
	}
	return NULL;
}

/* A full pair of places loses the one that is not the new station's first. */
static _Atomic uint64_t *place(struct fwd_macs *macs, uint64_t mac, unsigned now)
{
	unsigned slot = mac_slot(mac);
	_Atomic uint64_t *at = find(macs, mac);
	uint64_t word;

	if (at)
		return at;
	word = atomic_load_explicit(&macs->words[slot], memory_order_relaxed);
	if (word == 0 || is_old(word, now))
		return &macs->words[slot];
	return &macs->words[slot ^ 1];
}

static void learn(struct fwd_macs *macs, const uint8_t *mac, unsigned port)
{
	unsigned now = atomic_load_explicit(&macs->now, memory_order_relaxed);
	uint64_t word = mac_word(mac) | (uint64_t)port << 8 | (now & 0xff);
	_Atomic uint64_t *at;

	/* A group is no station. */
	if (mac[0] & 1)
		return;
	at = place(macs, word, now);
	/* Written only when there is news: the line stays shared among the workers. */
	if (atomic_load_explicit(at, memory_order_relaxed) != word)
		atomic_store_explicit(at, word, memory_order_relaxed);
}

/* -1: not known. */
static int port_of(struct fwd_macs *macs, const uint8_t *mac)
{
	_Atomic uint64_t *at = find(macs, mac_word(mac));
	uint64_t word;

	if (!at)
		return -1;
	word = atomic_load_explicit(at, memory_order_relaxed);
	if (is_old(word, atomic_load_explicit(&macs->now, memory_order_relaxed)))
		return -1;
	return (int)(word >> 8 & 0xff);
}

void rill_fwd_l2_age(struct fwd *fwd)
{
	unsigned now = (unsigned)(rill_now() / AGE_UNIT_NS);

	atomic_store_explicit(&fwd->macs->now, now, memory_order_relaxed);
	for (unsigned i = 0; i < STATIONS; i++) {
		uint64_t word = atomic_load_explicit(&fwd->macs->words[i], memory_order_relaxed);

		/* Unless it has just been heard again. */
		if (word != 0 && is_old(word, now))
			atomic_compare_exchange_strong_explicit(&fwd->macs->words[i], &word, 0,
								memory_order_relaxed,
								memory_order_relaxed);
	}
}

void rill_fwd_patch(struct fwd_port *in, struct fwd_lane *lane, struct rill_pkt *p)
{
	rill_fwd_out(lane, in, !in->index, p);
}

static void flood(struct fwd_port *in, struct fwd_lane *lane, struct rill_pkt *p)
{
	fwd_count(&fwd_counters(lane, in)->flooded, 1);
	for (unsigned i = 0; i < in->fwd->port_count; i++)
		if (i != in->index)
			rill_fwd_out(lane, in, i, rill_pkt_clone(p));
	rill_pkt_free(&p, 1);
}

void rill_fwd_bridge(struct fwd_port *in, struct fwd_lane *lane, struct rill_pkt *p)
{
	struct fwd_macs *macs = in->fwd->macs;
	int port;

	if (p->len < FWD_ETH_LEN) {
		fwd_drop(&fwd_counters(lane, in)->malformed, p);
		return;
	}
	learn(macs, p->data + FWD_MAC_LEN, in->index);
	port = p->data[0] & 1 ? -1 : port_of(macs, p->data);
	if (port < 0)
		flood(in, lane, p);
	else if (port == (int)in->index)
		fwd_drop(&fwd_counters(lane, in)->same_port, p);
	else
		rill_fwd_out(lane, in, (unsigned)port, p);
}
