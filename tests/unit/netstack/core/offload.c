/* SPDX-License-Identifier: BSD-3-Clause */
#include "offload.h"

#include "netstack/wire/gso.h"

#define BUFS 8192
#define BUF_BYTES 2048

/* ---- what the cores are given ---- */

static struct off_core *of(struct rill_core *core)
{
	return RILL_CONTAINER_OF(core, struct off_core, core);
}

static struct rill_buf *alloc(void *ctx)
{
	struct rill_buf *b = rill_buf_alloc(ctx);

	assert_non_null(b);
	return b;
}

/* What a NIC does with RILL_BUF_CSUM_PARTIAL. */
static void finish_csum(const struct rill_buf *b, struct off_frame *f)
{
	uint32_t sum;
	uint16_t csum;

	if ((b->flags & RILL_BUF_CSUM_PARTIAL) == 0)
		return;
	sum = rill_csum_add(0, f->bytes + b->csum_start, f->len - b->csum_start);
	csum = rill_csum_fold(sum);
	rill_store_raw16(f->bytes + b->csum_start + b->csum_offset, csum);
}

static void record(struct off_core *o, struct rill_buf *b)
{
	finish_csum(b, off_list_add(&o->out, b->data, b->len));
}

static void record_cut(struct off_core *o, struct rill_buf *b)
{
	struct rill_gso_config config = {.alloc = alloc, .ctx = &o->pool};
	struct rill_buf_queue frames = {0};
	struct rill_buf *f;

	assert_true(rill_buf_frame_len(b) <= o->core.env.gso_max);
	assert_int_equal(rill_gso_cut(b, &config, &frames), 0);
	assert_true(frames.count > 1);
	o->gso_frames++;
	while ((f = rill_buf_queue_pop(&frames))) {
		record(o, f);
		rill_buf_put(f);
	}
}

static void release_or_hold(struct off_core *o, struct rill_buf *b)
{
	if (rill_rand_below(&o->rand, 1000) < o->hold_permille) {
		unsigned i = rill_rand_below(&o->rand, OFF_HELD_MAX);

		rill_buf_put(o->held[i]);
		o->held[i] = b;
		return;
	}
	rill_buf_put(b);
}

static void tx(struct rill_core *core, struct rill_buf **bufs, unsigned count)
{
	struct off_core *o = of(core);

	for (unsigned i = 0; i < count; i++) {
		if (bufs[i]->flags & RILL_BUF_GSO)
			record_cut(o, bufs[i]);
		else
			record(o, bufs[i]);
		release_or_hold(o, bufs[i]);
	}
}

static void conn_event(struct rill_core *core, struct rill_conn *c, uint32_t events)
{
	(void)core;
	(void)c;
	(void)events;
}

static void acceptable(struct rill_core *core, struct rill_acceptor *a)
{
	struct off_core *o = of(core);

	assert_null(o->conn);
	o->conn = rill_acceptor_pop(a);
}

static enum rill_drop udp_input(struct rill_core *core, struct rill_udp_port *p,
				struct rill_buf *chain, const struct rill_udp_hdr *hdr,
				const struct rill_addr *from)
{
	(void)core;
	(void)p;
	(void)chain;
	(void)hdr;
	(void)from;
	return RILL_DROP_UDP_NO_PORT;
}

static const struct rill_core_ops ops = {
	.tx = tx,
	.conn_event = conn_event,
	.acceptable = acceptable,
	.udp_input = udp_input,
};

/* ---- life ---- */

void off_open(struct off_core *o, const struct off_config *c, uint64_t now)
{
	struct rill_core_config config = {
		.ops = &ops,
		.pool = &o->pool,
		.memory = &rill_memory_heap,
		.conn_bytes = sizeof(struct rill_conn),
		.flow_secret = {{c->seed, 1}},
		.tcp_secret = {{c->seed, 2}},
		.csum_offload = c->csum_offload,
		.gso_max = c->gso_max,
		.l3 = {.mac = {2, 0, 0, 0, 0, c->host},
		       .ip = {RILL_AF_IP4, {198, 18, 0, c->host}},
		       .prefix = 24,
		       .mtu = 1500,
		       .seed = c->seed},
	};

	memset(o, 0, sizeof(*o));
	off_list_init(&o->out);
	rill_rand_init(&o->rand, c->seed);
	assert_int_equal(rill_buf_pool_init_heap(&o->pool, BUFS, BUF_BYTES), 0);
	assert_int_equal(rill_core_init(&o->core, &config, now), 0);
	if (c->tune)
		c->tune(o, c->arg);
}

void off_release(struct off_core *o)
{
	for (unsigned i = 0; i < OFF_HELD_MAX; i++) {
		rill_buf_put(o->held[i]);
		o->held[i] = NULL;
	}
}

void off_close(struct off_core *o)
{
	assert_true(rill_l3_valid(&o->core.l3));
	if (o->listens)
		rill_acceptor_fini(&o->acceptor);
	rill_core_settle(&o->core);
	rill_core_fini(&o->core);
	off_release(o);
	assert_int_equal(rill_buf_pool_reclaim(&o->pool), BUFS);
	rill_buf_pool_fini_heap(&o->pool);
	free(o->out.frames);
}

void off_listen(struct off_core *o, uint16_t port)
{
	struct rill_addr local = {.port = port};
	struct rill_port at = rill_port_make(&local, false, 1);
	struct rill_conn_options none = {0};

	rill_acceptor_init(&o->acceptor, &o->core, &at, &none, 4);
	o->listens = true;
}

void off_connect(struct off_core *o, uint8_t host, uint16_t port)
{
	struct rill_addr local = {.ip = {RILL_AF_IP4, {198, 18, 0, o->core.l3.mac[5]}}};
	struct rill_addr remote = {.ip = {RILL_AF_IP4, {198, 18, 0, host}}, .port = port};
	struct rill_conn_options none = {0};

	local.port = 40000;
	assert_int_equal(rill_conn_open(&o->core, &local, &remote, &none, &o->conn), 0);
	rill_core_settle(&o->core);
}

/* ---- driving ---- */

static uint8_t *ip_of(struct rill_buf *b)
{
	return b->data + RILL_ETH_LEN;
}

static uint32_t headers_of(const uint8_t *ip)
{
	return RILL_IP4_LEN + (uint32_t)(ip[RILL_IP4_LEN + 12] >> 4) * 4;
}

/* A segment with data and right checksums, without padding. */
static bool is_mergeable(const struct off_frame *f)
{
	const uint8_t *ip = f->bytes + RILL_ETH_LEN;
	struct off_frame right;

	if (f->len < 54 || f->bytes[12] != 8 || f->bytes[13] != 0 || ip[0] != 0x45 || ip[9] != 6 ||
	    rill_load_be16(ip + 2) + (uint32_t)RILL_ETH_LEN != f->len ||
	    rill_load_be16(ip + 6) != 0x4000 || headers_of(ip) + RILL_ETH_LEN >= f->len ||
	    headers_of(ip) < 40 || (ip[RILL_IP4_LEN + 13] & ~8) != 16)
		return false;
	right = *f;
	off_fix_csums(&right);
	return memcmp(&right, f, sizeof(right.len) + f->len) == 0;
}

/* Whether next goes on where first, with done bytes of payload by now, ends. */
static bool continues(const struct off_frame *first, const struct off_frame *next, uint32_t done)
{
	const uint8_t *p = first->bytes + RILL_ETH_LEN, *q = next->bytes + RILL_ETH_LEN;
	uint32_t headers = headers_of(p);

	/* All but lengths, ID, checksums, sequence number and PSH. */
	return is_mergeable(next) && memcmp(first->bytes, next->bytes, RILL_ETH_LEN) == 0 &&
	       memcmp(p, q, 2) == 0 && memcmp(p + 8, q + 8, 2) == 0 &&
	       memcmp(p + 12, q + 12, 12) == 0 && memcmp(p + 28, q + 28, 5) == 0 &&
	       memcmp(p + 34, q + 34, 2) == 0 && memcmp(p + 40, q + 40, headers - 40) == 0 &&
	       rill_load_be32(q + 24) == rill_load_be32(p + 24) + done;
}

/* How many of the frames a NIC makes one of. */
static unsigned mergeable(struct off_frame *const *frames, unsigned n)
{
	uint32_t headers, unit, done;
	unsigned count = 1;

	if (!is_mergeable(frames[0]))
		return 1;
	headers = RILL_ETH_LEN + headers_of(frames[0]->bytes + RILL_ETH_LEN);
	unit = done = frames[0]->len - headers;
	while (count < n && (frames[count - 1]->bytes[47] & 8) == 0 &&
	       frames[count - 1]->len == frames[0]->len && frames[count]->len <= frames[0]->len &&
	       continues(frames[0], frames[count], done)) {
		done += unit;
		count++;
	}
	return count;
}

static void merge(struct rill_buf **bufs, unsigned n)
{
	uint8_t *ip = ip_of(bufs[0]);
	uint32_t headers = RILL_ETH_LEN + headers_of(ip);

	bufs[0]->flags |= RILL_BUF_CHAIN | RILL_BUF_GSO | RILL_BUF_CSUM_OK;
	rill_buf_meta(bufs[0])->gso_size = (uint16_t)(bufs[0]->len - headers);
	rill_buf_meta(bufs[0])->header_len = (uint16_t)headers;
	ip[33] |= ip_of(bufs[n - 1])[33] & 8;
	for (unsigned i = 1; i < n; i++) {
		rill_buf_pull(bufs[i], headers);
		bufs[i - 1]->next = bufs[i];
	}
	rill_store_be16(ip + 2, (uint16_t)(rill_buf_frame_len(bufs[0]) - RILL_ETH_LEN));
	rill_store_raw16(ip + 10, 0);
	rill_store_raw16(ip + 10, rill_ip4_csum(ip, RILL_IP4_LEN));
}

/* Leaves the frames that the core gets in bufs: how many. */
static unsigned merge_all(struct off_core *o, struct off_frame *const *frames,
			  struct rill_buf **bufs, unsigned n)
{
	unsigned out = 0, count;

	for (unsigned i = 0; i < n; i += count) {
		count = mergeable(frames + i, RILL_MIN(n - i, 40u));
		if (count > 1) {
			merge(bufs + i, count);
			o->merged += count;
		}
		bufs[out++] = bufs[i];
	}
	return out;
}

void off_input(struct off_core *o, struct off_frame *const *frames, unsigned n, enum off_way way,
	       bool csum_ok)
{
	struct rill_buf *bufs[RILL_CORE_RX_BURST];

	assert_true(n <= RILL_CORE_RX_BURST);
	for (unsigned i = 0; i < n; i++) {
		bufs[i] = alloc(&o->pool);
		memcpy(rill_buf_append(bufs[i], frames[i]->len), frames[i]->bytes, frames[i]->len);
		bufs[i]->time_ns = o->core.now_ns;
		if (csum_ok)
			bufs[i]->flags |= RILL_BUF_CSUM_OK;
	}
	if (way == OFF_MERGED)
		n = merge_all(o, frames, bufs, n);
	for (unsigned i = 0, taken; i < n; i += RILL_MAX(taken, 1u)) {
		bool large = (bufs[i]->flags & RILL_BUF_GSO) != 0;

		taken = way != OFF_ONE_BY_ONE ? rill_gro_take(&o->core, bufs + i, n - i) : 0;
		o->taken += taken;
		o->cut += large && taken == 0;
		if (taken == 0)
			rill_core_input(&o->core, bufs[i]);
	}
	rill_core_settle(&o->core);
}

void off_run_timers(struct off_core *o, uint64_t now)
{
	rill_core_enter(&o->core, now);
	rill_core_run_timers(&o->core);
	rill_core_settle(&o->core);
}

/* ---- comparing ---- */

/* Addresses differ. */
static void scrub_tcb(const struct rill_tcb *tcb, struct rill_tcb *ret)
{
	memcpy(ret, tcb, sizeof(*ret));
	/* They have padding. */
	memset(&ret->local, 0, sizeof(ret->local));
	memset(&ret->remote, 0, sizeof(ret->remote));
	ret->recvq.first = ret->recvq.last = NULL;
	ret->sendq_first = ret->sendq_last = ret->snd_cur = NULL;
	ret->cc = NULL;
	ret->x = NULL;
	ret->settings = NULL;
}

static void scrub_xfer(const struct rill_tcp_xfer *x, struct rill_tcp_xfer *ret)
{
	memcpy(ret, x, sizeof(*ret));
	ret->oldest = ret->newest = ret->rtx_next = ret->sack_far = NULL;
	for (unsigned i = 0; i < RILL_TCP_SACK_HINTS; i++)
		ret->sack_hint[i].last = NULL;
	ret->reass.first = ret->reass.last = NULL;
}

static void same_conn(const struct rill_conn *a, const struct rill_conn *b)
{
	struct rill_tcb t, u;
	struct rill_tcp_xfer x, y;

	assert_int_equal(!a, !b);
	if (!a)
		return;
	scrub_tcb(&a->tcb, &t);
	scrub_tcb(&b->tcb, &u);
	assert_memory_equal(&t, &u, sizeof(t));
	assert_int_equal(!a->tcb.x, !b->tcb.x);
	if (!a->tcb.x)
		return;
	scrub_xfer(a->tcb.x, &x);
	scrub_xfer(b->tcb.x, &y);
	assert_memory_equal(&x, &y, sizeof(x));
}

void off_same(const struct off_core *a, const struct off_core *b)
{
	assert_int_equal(a->out.count, b->out.count);
	for (unsigned i = 0; i < a->out.count; i++) {
		assert_int_equal(a->out.frames[i].len, b->out.frames[i].len);
		assert_memory_equal(a->out.frames[i].bytes, b->out.frames[i].bytes,
				    a->out.frames[i].len);
	}
	same_conn(a->conn, b->conn);
	assert_memory_equal(&a->core.env.stats, &b->core.env.stats, sizeof(a->core.env.stats));
	assert_memory_equal(a->core.drops, b->core.drops, sizeof(a->core.drops));
	assert_memory_equal(a->core.l3.drops, b->core.l3.drops, sizeof(a->core.l3.drops));
	assert_int_equal(a->core.l3.rx_frames, b->core.l3.rx_frames);
	assert_int_equal(a->core.l3.rx_accepted, b->core.l3.rx_accepted);
	assert_int_equal(a->core.env.mem_used, b->core.env.mem_used);
}

/* ---- frames ---- */

void off_list_init(struct off_list *l)
{
	l->frames = malloc(OFF_FRAMES_MAX * sizeof(*l->frames));
	assert_non_null(l->frames);
	l->count = 0;
}

struct off_frame *off_list_add(struct off_list *l, const void *bytes, uint32_t len)
{
	struct off_frame *f = &l->frames[l->count++];

	assert_true(l->count < OFF_FRAMES_MAX && len <= OFF_FRAME_MAX);
	f->len = len;
	memcpy(f->bytes, bytes, len);
	return f;
}

void off_fix_csums(struct off_frame *f)
{
	uint8_t *ip = f->bytes + RILL_ETH_LEN;
	uint32_t len = (uint32_t)rill_load_be16(ip + 2) - RILL_IP4_LEN;
	struct rill_ip src, dst;
	uint32_t sum;

	rill_ip4_set(&src, rill_load_be32(ip + 12));
	rill_ip4_set(&dst, rill_load_be32(ip + 16));
	rill_store_raw16(ip + 10, 0);
	rill_store_raw16(ip + 10, rill_ip4_csum(ip, RILL_IP4_LEN));
	rill_store_raw16(ip + RILL_IP4_LEN + 16, 0);
	sum = rill_csum_add(rill_csum_pseudo(&src, &dst, RILL_IP_TCP, len), ip + RILL_IP4_LEN, len);
	rill_store_raw16(ip + RILL_IP4_LEN + 16, rill_csum_fold(sum));
}
