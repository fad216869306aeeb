/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets and errors in the words of scripts, for messages. */
#ifndef RILL_TESTS_SCRIPT_PRINT_H
#define RILL_TESTS_SCRIPT_PRINT_H

#include "world.h"

#define PRINT_PACKET_MAX 1024

/* "@1 S. 0:0(0) ack 1 win 65535 <mss 1460>", relative to its flow. out: PRINT_PACKET_MAX bytes. */
void print_packet(const struct world_flow *f, unsigned n, const struct packet *p, char *out);
/* The same with its time in front; also for what is no good packet. */
void print_sent(struct world *w, const struct world_packet *sent, char *out);
/* "-EAGAIN" */
const char *print_errno(int err);

#endif
