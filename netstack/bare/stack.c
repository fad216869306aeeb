/* SPDX-License-Identifier: BSD-3-Clause */
/* The bare stack's life, its memory, and what drives it. */
#include "netstack/bare/stack.h"

#include "base/rand.h"
#include "netstack/bare/socket.h"
#include "netstack/wire/eth.h"

#include <errno.h>
#include <string.h>

#define MTU_DEFAULT 1500
#define MTU_MAX 9216
#define SOCKETS_DEFAULT 65536
#define PACKETS_DEFAULT 65536
/* Packet buffers that are allocated at once. */
#define CHUNK_PACKETS 32
#define BUF_ALIGN 128

/* ---- memory ---- */

static void *counted_alloc(void *ctx, size_t size)
{
	struct rill_stack *s = ctx;
	void *p = s->ops.alloc ? s->ops.alloc(s->ctx, size)
			       : rill_memory_heap.alloc(rill_memory_heap.ctx, size);

	if (p)
		s->memory_used += size;
	return p;
}

static void counted_free(void *ctx, void *p, size_t size)
{
	struct rill_stack *s = ctx;

	s->memory_used -= size;
	if (s->ops.free)
		s->ops.free(s->ctx, p, size);
	else
		rill_memory_heap.free(rill_memory_heap.ctx, p, size);
}

/* The head of a piece of memory that holds packet buffers. */
struct rill_stack_chunk {
	struct rill_stack_chunk *next;
	size_t size;
};

RILL_STATIC_ASSERT(sizeof(struct rill_stack_chunk) <= BUF_ALIGN, "the first buffer comes after it");

static bool refill(struct rill_core *core)
{
	struct rill_stack *s = RILL_CONTAINER_OF(core, struct rill_stack, core);
	uint32_t count = RILL_MIN((uint32_t)CHUNK_PACKETS, s->packets_max - s->pool.size);
	size_t stride = RILL_BUF_HEADER_SIZE + s->buf_bytes;
	size_t size = BUF_ALIGN + count * stride;
	struct rill_stack_chunk *chunk;

	if (count == 0)
		return false;
	chunk = counted_alloc(s, size);
	if (!chunk)
		return false;
	*chunk = (struct rill_stack_chunk){s->chunks, size};
	s->chunks = chunk;
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *at = (uint8_t *)chunk + BUF_ALIGN + i * stride;

		rill_buf_pool_add(&s->pool, (struct rill_buf *)(void *)at,
				  at + RILL_BUF_HEADER_SIZE, at + stride);
	}
	return true;
}

static void chunks_free(struct rill_stack *s)
{
	while (s->chunks) {
		struct rill_stack_chunk *chunk = s->chunks;

		s->chunks = chunk->next;
		counted_free(s, chunk, chunk->size);
	}
}

/* ---- packets ---- */

static void transmit(struct rill_core *core, struct rill_buf **bufs, unsigned count)
{
	struct rill_stack *s = RILL_CONTAINER_OF(core, struct rill_stack, core);

	for (unsigned i = 0; i < count; i++) {
		s->packets_out++;
		s->ops.output(s->ctx, bufs[i]->data, bufs[i]->len);
		rill_core_put(core, bufs[i]);
	}
}

static int take_packet(struct rill_stack *s, const void *packet, size_t len)
{
	struct rill_buf *b;

	if (len > s->frame_max)
		return -EMSGSIZE;
	b = rill_core_alloc(&s->core);
	if (!b)
		return -ENOBUFS;
	if (len > 0)
		memcpy(rill_buf_append(b, (uint32_t)len), packet, len);
	if (s->rx_checksum_ok)
		b->flags = RILL_BUF_CSUM_OK;
	b->time_ns = s->core.now_ns;
	s->packets_in++;
	rill_core_input(&s->core, b);
	return 0;
}

int rill_stack_input(struct rill_stack *s, const void *packet, size_t len)
{
	rill_stack_enter(s);
	int r = take_packet(s, packet, len);

	rill_stack_leave(s);
	return r;
}

unsigned rill_stack_input_burst(struct rill_stack *s, const struct iovec *packets, unsigned count)
{
	unsigned taken = 0;

	rill_stack_enter(s);
	for (unsigned i = 0; i < count; i++)
		taken += take_packet(s, packets[i].iov_base, packets[i].iov_len) == 0;
	rill_stack_leave(s);
	return taken;
}

uint64_t rill_stack_next_deadline(const struct rill_stack *s)
{
	return rill_core_next_deadline(&s->core);
}

void rill_stack_run_timers(struct rill_stack *s)
{
	rill_stack_enter(s);
	rill_core_run_timers(&s->core);
	rill_stack_leave(s);
}

/* ---- life ---- */

static const struct rill_core_ops core_ops = {
	.tx = transmit,
	.refill = refill,
	.conn_event = rill_socket_conn_event,
	.acceptable = rill_socket_acceptable,
	.udp_input = rill_socket_udp_input,
	.udp_error = rill_socket_udp_error,
};

/* The secrets follow from the seed, where there is one. */
static void draw_secrets(uint64_t seed, struct rill_core_config *config)
{
	struct rill_rand rand;

	if (!seed) {
		rill_rand_secret(&config->flow_secret, sizeof(config->flow_secret));
		rill_rand_secret(&config->tcp_secret, sizeof(config->tcp_secret));
		rill_rand_secret(&config->l3.seed, sizeof(config->l3.seed));
		return;
	}
	rill_rand_init(&rand, seed);
	for (unsigned i = 0; i < 2; i++) {
		config->flow_secret.k[i] = rill_rand_next(&rand);
		config->tcp_secret.k[i] = rill_rand_next(&rand);
	}
	config->l3.seed = rill_rand_next(&rand);
}

static int parse_addresses(const struct rill_stack_options *o, struct rill_l3_config *l3,
			   struct rill_l3_cidr cidrs[RILL_L3_ADDRS_MAX])
{
	struct rill_addr gateway = {.port = 0};
	int count = o->addr ? rill_l3_cidrs_parse(o->addr, cidrs) : -EINVAL;

	if (count < 0)
		return count;
	l3->ip = cidrs[0].ip;
	l3->prefix = cidrs[0].prefix;
	l3->more = cidrs + 1;
	l3->more_count = (unsigned)count - 1;
	if (o->gateway && (rill_addr_parse(o->gateway, &gateway) < 0 || gateway.port != 0))
		return -EINVAL;
	l3->gateway = gateway.ip;
	return 0;
}

/* A locally administered address, when none is given. */
static void choose_mac(const struct rill_stack_options *o, struct rill_core_config *config)
{
	uint64_t random[1] = {config->l3.seed};

	memcpy(config->l3.mac, o->mac, RILL_ETH_ADDR_LEN);
	if (!rill_eth_equal(o->mac, rill_eth_zero))
		return;
	random[0] = rill_siphash(&config->flow_secret, random, sizeof(random));
	memcpy(config->l3.mac, random, RILL_ETH_ADDR_LEN);
	config->l3.mac[0] = (uint8_t)((config->l3.mac[0] & 0xfc) | 2);
}

static int make_config(const struct rill_stack_options *o, struct rill_core_config *config,
		       struct rill_l3_cidr cidrs[RILL_L3_ADDRS_MAX])
{
	uint32_t mtu = o->mtu ? o->mtu : MTU_DEFAULT;
	int r = parse_addresses(o, &config->l3, cidrs);

	if (r < 0)
		return r;
	if (mtu > MTU_MAX || o->layer > RILL_STACK_L3)
		return -EINVAL;
	config->l3.mtu = (uint16_t)mtu;
	config->l3.no_link = o->layer == RILL_STACK_L3;
	config->conn_max = o->connections;
	config->conn_bytes = sizeof(struct rill_conn);
	config->ops = &core_ops;
	draw_secrets(o->seed, config);
	choose_mac(o, config);
	return 0;
}

static void set_limits(struct rill_stack *s, const struct rill_stack_options *o, uint16_t mtu)
{
	uint32_t frame = RILL_ETH_LEN + (uint32_t)mtu;

	s->frame_max = o->layer == RILL_STACK_L3 ? mtu : frame;
	s->buf_bytes = (RILL_BUF_HEADROOM + frame + BUF_ALIGN - 1) & ~(uint32_t)(BUF_ALIGN - 1);
	s->packets_max = o->packets ? o->packets : PACKETS_DEFAULT;
	s->sockets_max = o->sockets ? o->sockets : SOCKETS_DEFAULT;
	s->rx_checksum_ok = o->rx_checksum_ok;
}

static int stack_init(struct rill_stack *s, const struct rill_stack_options *o,
		      struct rill_core_config *config)
{
	struct rill_tcp_params *params = &s->core.env.params;
	int r;

	rill_slab_init(&s->socket_slab, &s->memory, sizeof(struct rill_socket), 0);
	r = rill_port_table_init(&s->bound, &s->memory);
	if (r == 0)
		r = rill_core_init(&s->core, config, s->ops.now(s->ctx));
	if (r == 0)
		r = rill_stack_profile_apply(s);
	/* The first packets have room. */
	if (r == 0 && !refill(&s->core))
		r = -ENOMEM;
	if (r < 0)
		return r;
	/* What queues hold must leave buffers to receive into, and to answer from. */
	params->mem_max = (uint64_t)s->packets_max * (RILL_BUF_HEADER_SIZE + s->buf_bytes) / 4 * 3;
	if (o->send_buffer)
		params->send_buffer = o->send_buffer;
	if (o->recv_buffer)
		params->recv_buffer = o->recv_buffer;
	return 0;
}

int rill_stack_create(const struct rill_stack_options *in, struct rill_stack **ret_stack)
{
	struct rill_stack_options o = {0};
	struct rill_l3_cidr cidrs[RILL_L3_ADDRS_MAX];
	struct rill_core_config config = {0};
	const struct rill_memory *memory = &rill_memory_heap;
	struct rill_memory own;
	struct rill_stack *s;
	int r;

	memcpy(&o, in, RILL_MIN(in->size, sizeof(o)));
	if (!o.ops || !o.ops->now || !o.ops->output || !o.ops->alloc != !o.ops->free)
		return -EINVAL;
	r = make_config(&o, &config, cidrs);
	if (r < 0)
		return r;
	own = (struct rill_memory){o.ops->alloc, o.ops->free, o.ctx};
	if (own.alloc)
		memory = &own;
	s = memory->alloc(memory->ctx, sizeof(*s));
	if (!s)
		return -ENOMEM;
	memset(s, 0, sizeof(*s));
	s->ops = *o.ops;
	s->ctx = o.ctx;
	s->memory = (struct rill_memory){counted_alloc, counted_free, s};
	s->memory_used = sizeof(*s);
	s->ip = config.l3.ip;
	config.pool = &s->pool;
	config.memory = &s->memory;
	set_limits(s, &o, config.l3.mtu);
	rill_stack_profile_init(&s->profile);
	if (o.profile)
		memcpy(&s->profile, o.profile, RILL_MIN(o.profile->size, sizeof(s->profile)));
	r = stack_init(s, &o, &config);
	if (r < 0) {
		rill_stack_destroy(s);
		return r;
	}
	*ret_stack = s;
	return 0;
}

static void discard(void *ctx, const void *packet, size_t len)
{
	(void)ctx, (void)packet, (void)len;
}

void rill_stack_destroy(struct rill_stack *s)
{
	if (!s)
		return;
	s->ops.output = discard;
	s->ops.ready = NULL;
	for (unsigned fd = 0; fd < s->sockets_size; fd++)
		if (s->sockets[fd])
			rill_stack_close(s, (int)fd);
	if (s->core.ops)
		rill_core_fini(&s->core);
	rill_port_table_fini(&s->bound);
	rill_slab_fini(&s->socket_slab);
	if (s->sockets)
		counted_free(s, s->sockets, s->sockets_size * sizeof(struct rill_socket *));
	chunks_free(s);
	struct rill_stack_ops ops = s->ops;
	void *ctx = s->ctx;

	if (ops.free)
		ops.free(ctx, s, sizeof(*s));
	else
		rill_memory_heap.free(rill_memory_heap.ctx, s, sizeof(*s));
}
