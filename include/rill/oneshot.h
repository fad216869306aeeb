/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One message of a fixed size, copied, once, from one sender to one receiver. Each half belongs to
 * one task or thread at a time, any, and is given back once.
 */
#ifndef RILL_ONESHOT_H
#define RILL_ONESHOT_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_case;
struct rill_oneshot;

struct rill_oneshot_options {
	size_t size; /* sizeof, by RILL_OPTIONS */
	size_t msg_size;
	/* Destroys a message that is not received; may not end the task. May be NULL. */
	void (*drop)(void *msg, void *arg);
	void *arg;
};

/* -ENOMEM. The caller holds both halves. */
RILL_API int rill_oneshot_create(size_t msg_size, struct rill_oneshot **ret_ch);
RILL_API int rill_oneshot_create_with(const struct rill_oneshot_options *o,
				      struct rill_oneshot **ret_ch);

/* ---- the sender's half ---- */

/*
 * 0, which does not promise that anybody will receive it; or -EPIPE when the receiver has closed or
 * gone, and the message is the caller's still. Never waits. Gives the half back, either way.
 */
RILL_API int rill_oneshot_send(struct rill_oneshot *ch, const void *msg);
/* Gives the half back without a message. */
RILL_API void rill_oneshot_close_sender(struct rill_oneshot *ch);
/* The receiver has closed, or gone. */
RILL_API bool rill_oneshot_is_closed(const struct rill_oneshot *ch);
/* 0 when the receiver has closed, or gone. Cancel safe. */
RILL_API int rill_oneshot_wait_closed(struct rill_oneshot *ch);
RILL_API void rill_case_oneshot_closed(struct rill_case *c, struct rill_oneshot *ch);

/* ---- the receiver's half ---- */

/* 0 with the message in *ret_msg, or -EPIPE when none will come (any more). Cancel safe. */
RILL_API int rill_oneshot_recv(struct rill_oneshot *ch, void *ret_msg);
/* The same, but -EAGAIN while there is none. */
RILL_API int rill_oneshot_try_recv(struct rill_oneshot *ch, void *ret_msg);
RILL_API void rill_case_oneshot_recv(struct rill_case *c, struct rill_oneshot *ch, void *ret_msg);
/* No more sending; what was sent before can be received. */
RILL_API void rill_oneshot_close(struct rill_oneshot *ch);
/* No message is there to be received now. */
RILL_API bool rill_oneshot_is_empty(const struct rill_oneshot *ch);
/* And none will be: the next recv gives -EPIPE. */
RILL_API bool rill_oneshot_is_terminated(const struct rill_oneshot *ch);
/* Gives the half back. */
RILL_API void rill_oneshot_close_receiver(struct rill_oneshot *ch);

RILL_END_DECLS

#endif
