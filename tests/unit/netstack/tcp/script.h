/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packet scripts: one real connection against segments written by hand. Sequence numbers are
 * relative: the peer's to its ISN, ours to ours, so that each stream's first byte is 1.
 */
#ifndef RILL_TESTS_TCP_SCRIPT_H
#define RILL_TESTS_TCP_SCRIPT_H

#include "harness.h"

#define PEER_ISN 5000u
#define MSS 1460u
#define F RILL_TCP_FIN
#define S RILL_TCP_SYN
#define R RILL_TCP_RST
#define P RILL_TCP_PSH
#define A RILL_TCP_ACK
#define U RILL_TCP_URG
#define E RILL_TCP_ECE
#define C RILL_TCP_CWR
#define AE RILL_TCP_AE

struct script {
	struct th_end e;
	uint64_t now;
	struct rill_tcp_options_seen opt; /* of the segments to come from the peer */
	uint16_t urg;			  /* their urgent pointer, with U */
	struct out {
		struct rill_tcp_seg seg;
		uint8_t data[TH_RAW_MAX];
	} out[512];
	uint32_t out_first, out_last;
	struct rill_tcp_seg last; /* what expect() saw */
	uint8_t *last_data;
};

/* In CLOSED. No timestamps, no scaling, Nagle off, ACKs delayed from the first segment on. */
struct script *script_new(void);
void script_free(struct script *s);
/* The same after an active or passive open; the peer offers mss and wnd. */
struct script *script_established(uint32_t mss, uint32_t wnd);
struct script *
script_timestamps(void); /* established, with timestamps: the peer's clock begins at 1,000 */
void script_connect(struct script *s);
void script_accept(struct script *s, uint32_t wnd);

/* A segment from the peer. in() calls output afterwards; in_batch() does not. */
enum rill_drop in(struct script *s, uint16_t flags, uint32_t seq, uint32_t ack, uint32_t wnd,
		  uint32_t len);
enum rill_drop in_batch(struct script *s, uint16_t flags, uint32_t seq, uint32_t ack, uint32_t wnd,
			uint32_t len);
void out(struct script *s); /* output */
/* The next segment sent must be this one. */
void expect(struct script *s, uint16_t flags, uint32_t seq, uint32_t ack, uint32_t len);
void expect_rst(struct script *s, uint32_t seq); /* RST alone, seq as given by the peer's ACK */
void expect_none(struct script *s);
/* Lets ns pass: fires what is due on the way. */
void pass(struct script *s, uint64_t ns);
/* Jumps to the next deadline, which must be in ns from now (within 1 %). */
void expect_timer(struct script *s, uint64_t ns);
void send_bytes(struct script *s, uint32_t len);
void recv_bytes(struct script *s, uint32_t len); /* checks the pattern */
void expect_state(struct script *s, enum rill_tcp_state state);

#endif
