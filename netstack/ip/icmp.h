/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP: answers echoes, passes errors up, reports errors within RFC 1122's rules (3.2.2). */
#ifndef RILL_NETSTACK_IP_ICMP_H
#define RILL_NETSTACK_IP_ICMP_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/buf.h"
#include "netstack/wire/drop.h"
#include "netstack/wire/icmp4.h"

struct rill_l3;
struct rill_ip_meta;

/* A token bucket that holds time: each error costs a second / RILL_ICMP_RATE. */
struct rill_icmp_bucket {
	uint64_t credit_ns;
	uint64_t last_ns;
};

void rill_icmp_bucket_init(struct rill_icmp_bucket *b);
bool rill_icmp_bucket_take(struct rill_icmp_bucket *b, uint64_t now);

/* b: a chain at the ICMP header. Takes it exactly when RILL_DROP_NONE is returned. */
enum rill_drop rill_icmp_input(struct rill_l3 *l3, struct rill_buf *b, const struct rill_ip_meta *m,
			       uint64_t now);

/*
 * Reports an error about the packet whose header h lies directly in front of b->data, if one may be
 * sent about it at all. b is only read.
 */
void rill_icmp_send_error(struct rill_l3 *l3, const struct rill_buf *b, const struct rill_ip4 *h,
			  uint8_t type, uint8_t code, uint64_t now);

#endif
