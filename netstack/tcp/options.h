/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP options on the wire (RFC 9293, 3.1; RFC 7323, 2018, 7413, 5482). */
#ifndef RILL_NETSTACK_TCP_OPTIONS_H
#define RILL_NETSTACK_TCP_OPTIONS_H

#include "netstack/tcp/seg.h"

/*
 * Reads what it knows; the rest, and everything behind an illegal length, is ignored (MUST-6,
 * MUST-7).
 */
void rill_tcp_options_parse(const uint8_t *p, uint32_t len, struct rill_tcp_options_seen *ret_opt);

/*
 * Writes the options named in opt->present, padded to words; returns their length. MSS, window
 * scale, SACK-permitted, timestamps and the longest cookie fit together. SACK blocks, and then the
 * others, are left out where they no longer fit.
 */
uint8_t rill_tcp_options_emit(uint8_t p[RILL_TCP_OPTIONS_MAX],
			      const struct rill_tcp_options_seen *opt);

#endif
