/* SPDX-License-Identifier: BSD-3-Clause */
#include "netstack/tcp/train.h"

#include "netstack/tcp/transmit.h"

/* They are the last segment's, and let all be one frame nevertheless. */
#define LAST_FLAGS (RILL_TCP_PSH | RILL_TCP_FIN)

void rill_tcp_train_begin(struct rill_tcp_train *t, const struct rill_tcb *tcb,
			  struct rill_tcp_env *env)
{
	t->tcb = tcb;
	t->count = 0;
	t->summed = 0;
	t->valid = false;
	env->train = t;
}

/* ---- one frame that the NIC cuts ---- */

/* How many from first on can be one: same length, but for the last, and nothing in between. */
static unsigned gso_run(const struct rill_tcp_train *t, unsigned first, uint32_t bytes_max)
{
	const struct rill_tcp_train_seg *s = &t->segs[first];
	uint32_t unit = s->b->len;
	uint32_t bytes = unit;
	unsigned n = 1;

	/* NICs leave it out of all but the first; of AccECN's counter it is a part (RFC 9768). */
	if ((t->flags & RILL_TCP_CWR) != 0)
		return 1;
	while (first + n < t->count && (s->flags & LAST_FLAGS) == 0 && s->b->len == unit &&
	       s[1].seq == s->seq + unit && s[1].b->len <= unit &&
	       bytes + s[1].b->len <= bytes_max) {
		s++;
		bytes += s->b->len;
		n++;
	}
	return n;
}

/* Gives the segments' references to the frame. False: no buffer, nothing has changed. */
static bool send_gso(struct rill_tcp_train *t, struct rill_tcp_env *env,
		     const struct rill_tcp_xmit *to, unsigned first, unsigned n)
{
	const struct rill_tcp_train_seg *s = &t->segs[first];
	struct rill_buf *b = env->ops->alloc(env);
	uint32_t bytes = 0;

	if (!b)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (!rill_buf_add_part(b, s[i].b, s[i].b->data, s[i].b->len)) {
			env->ops->put(env, b);
			return false;
		}
		bytes += s[i].b->len;
	}
	rill_tcp_template_emit(&t->header, b, s[0].seq, s[0].flags | s[n - 1].flags, NULL, bytes,
			       true);
	b->flags |= RILL_BUF_GSO;
	rill_buf_meta(b)->gso_size = (uint16_t)s[0].b->len;
	rill_buf_meta(b)->header_len = (uint16_t)b->len;
	for (unsigned i = 0; i < n; i++)
		env->ops->put(env, s[i].b);
	env->ops->xmit(env, to, b);
	return true;
}

/* ---- leaving ---- */

static void send_each(struct rill_tcp_train *t, struct rill_tcp_env *env,
		      const struct rill_tcp_xmit *to, unsigned first, unsigned n)
{
	struct rill_buf *bufs[RILL_TCP_TRAIN_MAX];

	for (unsigned i = 0; i < n; i++) {
		struct rill_tcp_train_seg *s = &t->segs[first + i];
		bool summed = (t->summed >> (first + i) & 1) != 0;

		/* What stands in front of a payload was last touched when it was sent before. */
		if (i + 1 < n)
			__builtin_prefetch(s[1].b->data - sizeof(t->header.bytes), 1);
		bufs[i] = s->b;
		rill_tcp_template_emit(&t->header, s->b, s->seq, s->flags, summed ? &s->sum : NULL,
				       0, env->csum_offload);
	}
	if (env->ops->xmit_burst) {
		env->ops->xmit_burst(env, to, bufs, n);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		env->ops->xmit(env, to, bufs[i]);
}

static void send_all(struct rill_tcp_train *t, struct rill_tcp_env *env)
{
	/* Half open, it may be an entry of the SYN cache. */
	const struct rill_tcb *tcb = t->tcb->state == RILL_TCP_SYN_RCVD ? NULL : t->tcb;
	struct rill_tcp_xmit to = {
		.tcb = tcb,
		.src = &t->tcb->local.ip,
		.dst = &t->tcb->remote.ip,
		.tos = t->tos,
		.ttl = t->tcb->settings->ttl,
	};
	uint32_t bytes_max =
		env->gso_max > RILL_TCP_GSO_HEADERS ? env->gso_max - RILL_TCP_GSO_HEADERS : 0;
	unsigned n;

	if (RILL_LIKELY(bytes_max == 0)) {
		send_each(t, env, &to, 0, t->count);
		return;
	}
	for (unsigned i = 0; i < t->count; i += n) {
		n = gso_run(t, i, bytes_max);
		if (n == 1 || !send_gso(t, env, &to, i, n))
			send_each(t, env, &to, i, n);
	}
}

void rill_tcp_train_leave(struct rill_tcp_env *env)
{
	struct rill_tcp_train *t = env->train;

	if (t->count == 0)
		return;
	send_all(t, env);
	t->count = 0;
	t->summed = 0;
}

void rill_tcp_train_end(struct rill_tcp_env *env)
{
	rill_tcp_train_leave(env);
	env->train = NULL;
}
