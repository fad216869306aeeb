/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What went wrong with a TCP connection lately. A connection that something odd happens to (a
 * retransmission, a timeout, a closed window, lack of memory) is recorded from then on, always:
 * each core of the stack has room for the last events of 1,024 connections, those which were silent
 * longest making room. When the trouble is over, or ended the connection, a copy goes to an archive
 * of the last 64. rill_runtime_visit(), rill_runtime_dump() and rill_stack_troubles() show both.
 */
#ifndef RILL_TROUBLE_H
#define RILL_TROUBLE_H

#include <rill/addr.h>

RILL_BEGIN_DECLS

#define RILL_TCP_TROUBLE_EVENTS 32 /* of one connection, at most */

struct rill_tcp_trouble_event {
	uint64_t at_ns;	   /* of the stack's clock; what lies more than 71 minutes before the next
			      event is shown as that */
	const char *name;  /* "rto", "zero-window" */
	const char *state; /* of the connection before it, by RFC 9293's names */
	const char *a_name, *b_name; /* what a and b are: "seq", counted from the ISN, "cwnd" */
	uint32_t a, b;
};

/* One connection. Valid during the visit. */
struct rill_tcp_trouble {
	struct rill_addr local, remote;
	char local_text[RILL_ADDR_STRLEN], remote_text[RILL_ADDR_STRLEN]; /* the same */
	bool closed;	   /* there is no such connection any more; archived: nobody looked */
	const char *over;  /* archived: the event that ended the trouble; else NULL */
	uint64_t recorded; /* events so far; the last event_count of them are below */
	unsigned event_count;
	struct rill_tcp_trouble_event events[RILL_TCP_TROUBLE_EVENTS]; /* the oldest first */
};

RILL_END_DECLS

#endif
