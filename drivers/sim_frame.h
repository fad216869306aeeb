/* SPDX-License-Identifier: BSD-3-Clause */
/* What a sim: link does inside of frames: it reads what they are, marks them, answers them. */
#ifndef RILL_DRIVERS_SIM_FRAME_H
#define RILL_DRIVERS_SIM_FRAME_H

#include "drivers/sim_link.h"

/* len is at least that of an Ethernet header. */
struct rill_sim_frame_kind rill_sim_frame_kind(const uint8_t *frame, uint32_t len);

/* Sets CE on an ECT packet (RFC 3168, 5), and corrects the header's checksum (RFC 1624). */
void rill_sim_frame_mark(uint8_t *frame, const struct rill_sim_frame_kind *kind);

#define RILL_SIM_TOO_BIG_LEN (14 + 20 + 8 + 20 + 8)

/*
 * The ICMP "fragmentation needed" (RFC 792, RFC 1191) that the other end's address sends back about
 * frame. False when there is none to send: no IPv4, DF not set, IP options.
 */
bool rill_sim_frame_too_big(const uint8_t *frame, uint32_t len, uint64_t mtu,
			    uint8_t ret_answer[RILL_SIM_TOO_BIG_LEN]);

#endif
