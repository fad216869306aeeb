/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Readiness of many sockets, as by epoll, for programs that keep their own state for each instead
 * of a task: level-triggered, and a wait costs by what is ready, not by what is in the set. The
 * sockets may be of several interfaces and runtimes. A socket in no set pays nothing for this.
 *
 * All calls may be made from tasks and plain threads, on one set at once. Adding allocates; waiting
 * does not. Closing a socket takes it out of all sets; what a wait of another task has just
 * reported may then be a socket that is gone, as with epoll. Sets are destroyed, or emptied of its
 * sockets, before an interface is closed.
 */
#ifndef RILL_POLL_H
#define RILL_POLL_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_case;
struct rill_listener;
struct rill_poll_set;
struct rill_tcp;
struct rill_udp;

enum rill_poll_events {
	RILL_POLL_READ = 1,   /* a receive, or an accept, would not wait: data, the end, an error */
	RILL_POLL_WRITE = 2,  /* a send would not wait */
	RILL_POLL_URGENT = 4, /* there is an urgent byte, or reading has come to it */
	/* Reported without being asked for. */
	RILL_POLL_HANGUP = 8, /* both directions are at their end; of a listener: shut down */
	RILL_POLL_ERROR = 16, /* the connection broke */
	/* Asked for only: after one report, nothing until rill_poll_modify(). */
	RILL_POLL_ONCE = 1 << 16,
};

/* A socket of any kind. */
struct rill_poll_source {
	int kind;
	void *socket;
};

#define RILL_POLL_TCP 0
#define RILL_POLL_LISTENER 1
#define RILL_POLL_UDP 2

static inline struct rill_poll_source rill_poll_tcp(struct rill_tcp *c)
{
	struct rill_poll_source s = {RILL_POLL_TCP, c};

	return s;
}

static inline struct rill_poll_source rill_poll_listener(struct rill_listener *l)
{
	struct rill_poll_source s = {RILL_POLL_LISTENER, l};

	return s;
}

static inline struct rill_poll_source rill_poll_udp(struct rill_udp *u)
{
	struct rill_poll_source s = {RILL_POLL_UDP, u};

	return s;
}

/* What a wait reports. */
struct rill_poll_event {
	unsigned events; /* of enum rill_poll_events: those asked for, and the unasked */
	void *user;	 /* as given when it was added */
};

/* -ENOMEM. */
RILL_API int rill_poll_create(struct rill_poll_set **ret_set);
/* The sockets stay open. No task may be in a call on the set. NULL is fine. */
RILL_API void rill_poll_destroy(struct rill_poll_set *set);

/* -EEXIST: it is in the set. -EINVAL: events that there are not for this kind. -ENOMEM. */
RILL_API int rill_poll_add(struct rill_poll_set *set, struct rill_poll_source s, unsigned events,
			   void *user);
/* -ENOENT: it is not in the set. -EINVAL. */
RILL_API int rill_poll_modify(struct rill_poll_set *set, struct rill_poll_source s, unsigned events,
			      void *user);
/* -ENOENT. */
RILL_API int rill_poll_remove(struct rill_poll_set *set, struct rill_poll_source s);

/*
 * Waits until something is ready: up to max events, at least one, those that were not reported for
 * longest first. -EINVAL: max is 0. -ECANCELED, -ETIMEDOUT by the caller's scopes: nothing was
 * reported, and RILL_POLL_ONCE is not spent.
 */
RILL_API int rill_poll_wait(struct rill_poll_set *set, struct rill_poll_event *ret_events,
			    unsigned max);
/* The same without waiting: 0 when nothing is ready. */
RILL_API int rill_poll_try(struct rill_poll_set *set, struct rill_poll_event *ret_events,
			   unsigned max);

/* For rill_select(), see rill/select.h: something is ready. rill_poll_try() says what. */
RILL_API void rill_case_poll(struct rill_case *c, struct rill_poll_set *set);

RILL_END_DECLS

#endif
