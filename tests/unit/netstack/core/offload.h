/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cores which live through the same, one with and one without an offload: what they send is
 * compared byte by byte, and their connections field by field.
 */
#ifndef RILL_TESTS_CORE_OFFLOAD_H
#define RILL_TESTS_CORE_OFFLOAD_H

#include "base/rand.h"
#include "netstack/core/acceptor.h"
#include "netstack/core/burst.h"
#include "netstack/core/gro.h"
#include "netstack/tcp/xfer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OFF_FRAME_MAX 2048
#define OFF_FRAMES_MAX 4096
#define OFF_HELD_MAX 32

struct off_frame {
	uint32_t len;
	uint8_t bytes[OFF_FRAME_MAX];
};

struct off_list {
	struct off_frame *frames; /* OFF_FRAMES_MAX */
	unsigned count;
};

struct off_core {
	struct rill_core core;
	struct rill_buf_pool pool;
	struct rill_acceptor acceptor;
	bool listens;
	struct rill_conn *conn;
	struct off_list out;
	uint64_t gso_frames; /* that were cut for out */
	uint64_t taken;	     /* frames that were of a run */
	uint64_t merged;     /* frames that came in larger ones */
	uint64_t cut;	     /* larger ones that had to be cut again */
	uint32_t hold_permille;
	struct rill_rand rand;
	struct rill_buf *held[OFF_HELD_MAX]; /* as by a slow NIC */
};

struct off_config {
	uint8_t host; /* 198.18.0.host */
	uint64_t seed;
	bool csum_offload;
	uint32_t gso_max;
	void (*tune)(struct off_core *o, void *arg);
	void *arg;
};

void off_open(struct off_core *o, const struct off_config *config, uint64_t now);
/* All buffers must be back. */
void off_close(struct off_core *o);
void off_listen(struct off_core *o, uint16_t port);
void off_connect(struct off_core *o, uint8_t host, uint16_t port);

enum off_way {
	OFF_ONE_BY_ONE,
	OFF_BURST,
	OFF_MERGED, /* what a NIC can merge is merged, the rest is a burst */
};

/* Hands in frames, and settles. */
void off_input(struct off_core *o, struct off_frame *const *frames, unsigned n, enum off_way way,
	       bool csum_ok);
void off_run_timers(struct off_core *o, uint64_t now);
/* Sends all frames back that were held. */
void off_release(struct off_core *o);

/* Both have sent the same and are in the same state. */
void off_same(const struct off_core *a, const struct off_core *b);

void off_list_init(struct off_list *l);
struct off_frame *off_list_add(struct off_list *l, const void *bytes, uint32_t len);
/* Right checksums, IP and TCP, after a change. */
void off_fix_csums(struct off_frame *f);
#endif
