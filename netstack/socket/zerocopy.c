/* SPDX-License-Identifier: BSD-3-Clause */
/* Receiving and sending without a copy. */
#include <errno.h>
#include <rill/time.h>

#include "netstack/socket/tcp.h"

#define NO_BUFFER_RETRY_NS (200 * RILL_US)

static int op_recv_buf(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	int r = rill_tcb_recv_buf(&c->conn.tcb, &sh->core.env, &call->buf);

	rill_tcp_settle_read(c);
	return r;
}

int rill_tcp_recv_bytes(struct rill_tcp *c, struct rill_bytes *ret_bytes)
{
	struct rill_tcp_call call = {.op = op_recv_buf, .direction = RILL_TCP_READ};
	int r = rill_tcp_call_wait(c, &call);

	if (r < 0)
		return r;
	*ret_bytes = (struct rill_bytes){0};
	if (r == 1)
		*ret_bytes = (struct rill_bytes){call.buf->data, call.buf->len, call.buf};
	return r;
}

void rill_bytes_release(struct rill_bytes *b)
{
	rill_buf_put(b->owner);
	*b = (struct rill_bytes){0};
}

/* Room in the send buffer, and a packet buffer. */
static int op_alloc(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	if (!rill_tcb_writable(&c->conn.tcb))
		return -EAGAIN;
	call->buf = rill_core_alloc(&sh->core);
	if (!call->buf)
		return -ENOBUFS;
	call->len = RILL_MIN((size_t)rill_tcb_send_cap(&c->conn.tcb), rill_buf_tailroom(call->buf));
	return 0;
}

int rill_tcp_alloc_buffer(struct rill_tcp *c, struct rill_tx_buffer *ret_buffer)
{
	struct rill_tcp_call call = {.op = op_alloc, .direction = RILL_TCP_WRITE};
	int r;

	while ((r = rill_tcp_call_wait(c, &call)) == -ENOBUFS) {
		r = rill_sleep(NO_BUFFER_RETRY_NS);
		if (r < 0)
			break;
	}
	if (r < 0)
		return r;
	*ret_buffer = (struct rill_tx_buffer){call.buf->data, call.len, call.buf};
	return 0;
}

static int op_send_buf(struct rill_shard *sh, struct rill_tcp *c, struct rill_tcp_call *call)
{
	if (c->conn.user)
		return -EAGAIN;
	int r = rill_tcb_send_buf(&c->conn.tcb, &sh->core.env, call->buf);

	if (r == 0)
		rill_conn_touch(&c->conn);
	return r;
}

ssize_t rill_tcp_send_buffer(struct rill_tcp *c, struct rill_tx_buffer *b, size_t len)
{
	struct rill_tcp_call call = {
		.op = op_send_buf,
		.direction = RILL_TCP_WRITE,
		.buf = b->owner,
	};
	int r = -EINVAL;

	if (len > 0 && len <= b->cap) {
		call.buf->len = (uint32_t)len;
		r = rill_tcp_call_wait(c, &call);
	}
	if (r < 0)
		rill_buf_put(call.buf);
	*b = (struct rill_tx_buffer){0};
	return r < 0 ? r : (ssize_t)len;
}

void rill_tcp_release_buffer(struct rill_tx_buffer *b)
{
	rill_buf_put(b->owner);
	*b = (struct rill_tx_buffer){0};
}
