/* SPDX-License-Identifier: BSD-3-Clause */
/* The connections of a shard that are or were in trouble, for dumps. */
#ifndef RILL_NETSTACK_STACK_TROUBLE_H
#define RILL_NETSTACK_STACK_TROUBLE_H

struct rill_dump_visitor;
struct rill_poller;

/* See struct rill_poller_ops. */
int rill_shard_visit_troubles(struct rill_poller *p, const struct rill_dump_visitor *v);

#endif
