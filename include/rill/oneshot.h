/* SPDX-License-Identifier: BSD-3-Clause */
/* One message of a fixed size, copied, once, from one sender to one receiver. */
#ifndef RILL_ONESHOT_H
#define RILL_ONESHOT_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_case;
struct rill_oneshot;

RILL_API int rill_oneshot_create(size_t msg_size, struct rill_oneshot **ret_ch);
/* 0, or -EPIPE when the receiver has gone. Never waits. Once, by the sender, instead of
 * close_sender. */
RILL_API int rill_oneshot_send(struct rill_oneshot *ch, const void *msg);
/* The sender's side gives up without a message. Each side's half is freed by send or its close. */
RILL_API void rill_oneshot_close_sender(struct rill_oneshot *ch);
/* 0 with the message in *ret_msg, or -EPIPE when none will come. Cancel safe. */
RILL_API int rill_oneshot_recv(struct rill_oneshot *ch, void *ret_msg);
RILL_API void rill_oneshot_close_receiver(struct rill_oneshot *ch);
RILL_API void rill_case_oneshot_recv(struct rill_case *c, struct rill_oneshot *ch, void *ret_msg);

RILL_END_DECLS

#endif
