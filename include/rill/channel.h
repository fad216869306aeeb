/* SPDX-License-Identifier: BSD-3-Clause */
/* A bounded channel of messages of a fixed size: any number of senders, one receiver at a time. */
#ifndef RILL_CHANNEL_H
#define RILL_CHANNEL_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_case;
struct rill_channel;

/* -EINVAL for capacity or msg_size 0. The creator holds one sender and the receiver. */
RILL_API int rill_channel_create(size_t capacity, size_t msg_size, struct rill_channel **ret_ch);
/* One more sender; each is given back by rill_channel_close_sender(). */
RILL_API void rill_channel_add_sender(struct rill_channel *ch);
RILL_API void rill_channel_close_sender(struct rill_channel *ch);
/* No further sends; what is queued is freed. The channel is freed with its last half. */
RILL_API void rill_channel_close_receiver(struct rill_channel *ch);
/* 0, or -EPIPE when the receiver has gone. Waits for room in FIFO order. Cancel safe: not sent. */
RILL_API int rill_channel_send(struct rill_channel *ch, const void *msg);
/* -EAGAIN when full, or others wait for room. */
RILL_API int rill_channel_try_send(struct rill_channel *ch, const void *msg);
/* 0, or -EPIPE when empty and all senders have gone. Cancel safe: no message is lost. */
RILL_API int rill_channel_recv(struct rill_channel *ch, void *ret_msg);
RILL_API int rill_channel_try_recv(struct rill_channel *ch, void *ret_msg);
RILL_API size_t rill_channel_len(const struct rill_channel *ch);
RILL_API void rill_case_channel_recv(struct rill_case *c, struct rill_channel *ch, void *ret_msg);
RILL_API void rill_case_channel_send(struct rill_case *c, struct rill_channel *ch, const void *msg);

RILL_END_DECLS

#endif
