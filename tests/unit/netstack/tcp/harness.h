/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A TCP end under test: a real env over a heap pool whose xmit captures. Like a driver, it pushes
 * headers in front and may keep a reference for a while.
 */
#ifndef RILL_TESTS_TCP_HARNESS_H
#define RILL_TESTS_TCP_HARNESS_H

#include "base/rand.h"
#include "netstack/tcp/cc.h"
#include "netstack/tcp/env.h"
#include "netstack/tcp/rtt.h"
#include "netstack/tcp/sendq.h"
#include "netstack/tcp/seq.h"
#include "netstack/tcp/tcb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TH_RAW_MAX 2048
#define TH_HELD_MAX 64

struct th_end {
	struct rill_tcp_env env; /* first: the callbacks find the end by it */
	struct rill_tcb tcb;
	struct rill_buf_pool pool;
	/* Called for each segment sent; raw is the TCP segment. */
	void (*sent)(struct th_end *e, const uint8_t *raw, uint32_t len);
	void *arg;
	uint8_t tos;	/* of the segment that sent() is called for */
	uint8_t rx_ecn; /* the ECN field of what th_input_raw() hands in */
	struct rill_rand rand;
	uint32_t alloc_fail_permille;
	uint32_t hold_permille; /* how often the "driver" keeps a buffer */
	struct rill_buf *held[TH_HELD_MAX];
};

void th_end_init(struct th_end *e, uint32_t bufs, uint64_t seed);
/* Ends the tcb, lets go of held buffers; all buffers must be back then. */
void th_end_fini(struct th_end *e);
void th_release_held(struct th_end *e);
struct rill_addr th_addr(uint8_t last, uint16_t port);
struct rill_ip th_ip6(uint8_t last);

/* A buffer of e's pool with these bytes; never NULL. */
struct rill_buf *th_buf(struct th_end *e, const void *raw, uint32_t len);
/* Parses raw as received by e from its tcb's remote end and hands it in. */
enum rill_drop th_input_raw(struct th_end *e, const void *raw, uint32_t len, uint64_t now);

#endif
