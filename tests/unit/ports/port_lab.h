/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of ports share: two ports on a switch in memory, and frames with numbers. Tasks
 * assert with RILL_ASSERT.
 */
#ifndef RILL_TESTS_UNIT_PORTS_PORT_LAB_H
#define RILL_TESTS_UNIT_PORTS_PORT_LAB_H

#include <errno.h>
#include <rill/rill.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "ports/port.h"

#if defined(RILL_TSAN) || defined(RILL_ASAN)
#define MANY 2000u
#else
#define MANY 20000u
#endif
#define FRAME_LEN 60u

enum { A, B };

struct lab {
	struct rill_runtime *rt;
	struct rill_port *port[2];
};

struct lab_options {
	const char *more; /* of the NICs */
	unsigned workers, queues;
	/* B's; NULL: none */
	unsigned (*handler)(struct rill_port *port, unsigned queue, struct rill_pkt **pkts,
			    unsigned n, void *ctx);
	void *ctx;
};

void port_lab_open(struct lab *lab, const struct lab_options *in);
/* Checks that every packet is back where it came from. */
void port_lab_close(struct lab *lab);
void port_lab_run(struct lab *lab, void *(*fn)(void *), void *arg);
/* fn(lab) as a task, in a lab of its own. */
void port_lab_run_in(const struct lab_options *o, void *(*fn)(void *));

void port_lab_macs(const struct lab *lab, int from, uint8_t *frame);
/* A frame with a number in it, from one port to the other. NULL: no packet free. */
struct rill_pkt *port_lab_make(const struct lab *lab, int from, unsigned queue, uint32_t number);
uint32_t port_lab_number(const struct rill_pkt *p);
struct rill_pkt *port_lab_recv(struct lab *lab, int at);
void port_lab_send(struct lab *lab, int from, struct rill_pkt *p);

#endif
