/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A live stack: the input is a program of segments, socket calls and time. Segments are made in
 * reference to what the stack sent last, so that mutations reach deep states; some bytes of them
 * are then overwritten at will. Nothing may crash, loop, leak or hold more memory than it was
 * given.
 */
#include "fuzz.h"

#include <rill/stack.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#define MEMORY_MAX (8 << 20)
#define FDS 4
#define PACKET_MAX 1500
#define PORT 80
#define PEER_PORT 4000
#define STEPS_MAX 400

struct fuzz_world {
	struct rill_stack *stack;
	uint64_t now_ns;
	size_t memory;
	int fds[FDS];
	unsigned fd_count;
	/* Of the last TCP segment that the stack sent, and of what the peer has sent. */
	uint32_t stack_seq, stack_ack;
	uint16_t stack_port, peer_port;
	uint32_t ts_val;
	unsigned sent; /* packets, in this step */
};

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint64_t now(void *ctx)
{
	return ((struct fuzz_world *)ctx)->now_ns;
}

static void output(void *ctx, const void *packet, size_t len)
{
	struct fuzz_world *w = ctx;
	const uint8_t *p = packet;

	/* One call or packet cannot be answered without an end. */
	FUZZ_CHECK(++w->sent < 5000);
	FUZZ_CHECK(len >= 20 && len <= PACKET_MAX);
	if (p[9] != 6)
		return;
	FUZZ_CHECK(len >= 40 && (size_t)(p[32] >> 4) * 4 + 20 <= len);
	w->stack_port = (uint16_t)(p[20] << 8 | p[21]);
	w->peer_port = (uint16_t)(p[22] << 8 | p[23]);
	w->stack_seq = get32(p + 24) + (uint32_t)(len - 20 - (p[32] >> 4) * 4u) +
		       ((p[33] & 2) != 0) + (p[33] & 1);
	w->stack_ack = get32(p + 28);
}

static void *take(void *ctx, size_t size)
{
	struct fuzz_world *w = ctx;

	if (w->memory + size > MEMORY_MAX)
		return NULL;
	w->memory += size;
	return aligned_alloc(64, (size + 63) & ~(size_t)63);
}

static void give(void *ctx, void *p, size_t size)
{
	struct fuzz_world *w = ctx;

	w->memory -= size;
	free(p);
}

static const struct rill_stack_ops ops = {
	.now = now, .output = output, .alloc = take, .free = give};

/* ---- packets ---- */

static uint16_t ip_sum(const uint8_t *p)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

static uint32_t near(struct fuzz_in *in, uint32_t v)
{
	static const int32_t steps[] = {0, 0, 0, 0, 1, -1, 1460, -1460, 65535, -65536, 1 << 24, 0};
	uint8_t which = fuzz_u8(in);

	if (which == 255)
		return fuzz_u32(in);
	return v + (uint32_t)steps[which % (sizeof(steps) / sizeof(steps[0]))];
}

/* Options as they come, or timestamps that the stack believes. */
static unsigned options(struct fuzz_world *w, struct fuzz_in *in, uint8_t *p)
{
	uint8_t kind = fuzz_u8(in);

	if (kind < 128)
		return 0;
	if (kind < 192) {
		static const uint8_t start[] = {1, 1, 8, 10};

		memcpy(p, start, sizeof(start));
		put32(p + 4, w->ts_val += kind & 7);
		put32(p + 8, (uint32_t)(w->now_ns / 1000000));
		return 12;
	}
	if (kind < 224) {
		static const uint8_t syn[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0,
					      0, 1, 0, 0,    0, 0, 1, 3,  3, 7};

		memcpy(p, syn, sizeof(syn));
		return sizeof(syn);
	}
	if (kind < 240) {
		static const uint8_t start[] = {1, 1, 5, 18};

		memcpy(p, start, sizeof(start));
		for (unsigned i = 0; i < 4; i++)
			put32(p + 4 + 4 * i, near(in, w->stack_seq));
		return 20;
	}
	return (unsigned)fuzz_bytes(in, p, 40) & ~3u;
}

static void segment(struct fuzz_world *w, struct fuzz_in *in)
{
	uint8_t p[PACKET_MAX] = {0x45};
	uint8_t flags = fuzz_u8(in);
	uint32_t seq = near(in, w->stack_ack);
	uint32_t ack = near(in, w->stack_seq);
	uint16_t wnd = fuzz_u16(in);
	unsigned opt = options(w, in, p + 40);
	unsigned data = fuzz_u8(in) * 5u;
	unsigned len = 40 + opt + data;
	uint8_t junk = fuzz_u8(in);

	memset(p + 40 + opt, 'x', data);
	put16(p + 2, (uint16_t)len);
	p[1] = junk & 3; /* the ECN field */
	p[8] = 64;
	p[9] = 6;
	put32(p + 12, 0xc6120002);
	put32(p + 16, 0xc6120001);
	put16(p + 20, w->peer_port);
	put16(p + 22, w->stack_port);
	put32(p + 24, seq);
	put32(p + 28, ack);
	p[32] = (uint8_t)((20 + opt) / 4 << 4);
	p[33] = flags;
	put16(p + 34, wnd);
	put16(p + 38, junk & 4 ? fuzz_u16(in) : 0);
	if (junk > 250)
		p[20 + fuzz_u8(in) % (len - 20)] = fuzz_u8(in);
	put16(p + 10, ip_sum(p));
	rill_stack_input(w->stack, p, len);
}

static void raw_packet(struct fuzz_world *w, struct fuzz_in *in)
{
	uint8_t p[256];
	size_t n = fuzz_bytes(in, p, fuzz_u8(in));

	rill_stack_input(w->stack, p, n);
}

/* ---- calls ---- */

static int pick_fd(struct fuzz_world *w, struct fuzz_in *in)
{
	return w->fds[fuzz_u8(in) % FDS];
}

static void keep(struct fuzz_world *w, int fd)
{
	if (fd < 0)
		return;
	if (w->fd_count == FDS)
		rill_stack_close(w->stack, fd);
	else
		w->fds[w->fd_count++] = fd;
}

static void close_one(struct fuzz_world *w, struct fuzz_in *in)
{
	unsigned i = fuzz_u8(in) % FDS;

	if (i == 0 || i >= w->fd_count) /* the listener stays */
		return;
	rill_stack_close(w->stack, w->fds[i]);
	w->fds[i] = w->fds[--w->fd_count];
	w->fds[w->fd_count] = -1;
}

static void transfer(struct fuzz_world *w, struct fuzz_in *in, bool send)
{
	static uint8_t bytes[65536];
	struct iovec iov = {bytes, (size_t)fuzz_u16(in) + 1};
	static const int flags[] = {0, 0, 0, MSG_MORE, MSG_OOB, MSG_PEEK, MSG_TRUNC, MSG_WAITALL};
	int fd = pick_fd(w, in);
	int flag = flags[fuzz_u8(in) & 7];

	if (send)
		rill_stack_send(w->stack, fd, &iov, 1, flag, NULL);
	else
		rill_stack_recv(w->stack, fd, &iov, 1, flag, NULL, NULL);
}

static void set_option(struct fuzz_world *w, struct fuzz_in *in)
{
	int fd = pick_fd(w, in);
	int level = fuzz_u8(in) & 1 ? IPPROTO_TCP : SOL_SOCKET;
	int name = fuzz_u8(in) & 63;
	int value = (int)fuzz_u32(in);

	rill_stack_setsockopt(w->stack, fd, level, name, &value, sizeof(value));
}

static void connect_one(struct fuzz_world *w)
{
	struct rill_addr peer = {{RILL_AF_IP4, {198, 18, 0, 2}}, PEER_PORT};
	int fd = rill_stack_socket(w->stack, SOCK_STREAM);

	if (fd < 0)
		return;
	rill_stack_connect(w->stack, fd, &peer);
	keep(w, fd);
}

static void look(struct fuzz_world *w)
{
	struct rill_stack_endpoint list[16];
	struct tcp_info info;

	for (unsigned i = 0; i < w->fd_count; i++) {
		size_t len = sizeof(info);

		FUZZ_CHECK((rill_stack_poll(w->stack, w->fds[i]) & POLLNVAL) == 0);
		rill_stack_getsockopt(w->stack, w->fds[i], IPPROTO_TCP, TCP_INFO, &info, &len);
	}
	rill_stack_endpoints(w->stack, list, 16);
}

static void pass(struct fuzz_world *w, uint64_t ns)
{
	uint64_t end = w->now_ns + ns;
	unsigned fired = 0;

	for (;;) {
		uint64_t at = rill_stack_next_deadline(w->stack);

		if (at > end)
			break;
		/* Timers never come so often that time stands still. */
		FUZZ_CHECK(++fired < 100000);
		w->now_ns = at > w->now_ns ? at : w->now_ns;
		w->sent = 0;
		rill_stack_run_timers(w->stack);
	}
	w->now_ns = end;
}

static void step(struct fuzz_world *w, struct fuzz_in *in)
{
	uint8_t what = fuzz_u8(in);

	w->sent = 0;
	if (what < 140)
		segment(w, in);
	else if (what < 160)
		transfer(w, in, true);
	else if (what < 180)
		transfer(w, in, false);
	else if (what < 200)
		pass(w, (uint64_t)fuzz_u16(in) * 100000);
	else if (what < 205)
		pass(w, (uint64_t)fuzz_u16(in) * 10000000);
	else if (what < 212)
		keep(w, rill_stack_accept(w->stack, w->fds[0], NULL));
	else if (what < 216)
		connect_one(w);
	else if (what < 222)
		close_one(w, in);
	else if (what < 230)
		rill_stack_shutdown(w->stack, pick_fd(w, in), fuzz_u8(in) % 3);
	else if (what < 242)
		set_option(w, in);
	else if (what < 246)
		raw_packet(w, in);
	else if (what < 250)
		w->stack_port = PORT;
	else
		look(w);
}

static void open_world(struct fuzz_world *w, struct fuzz_in *in)
{
	struct rill_addr local = {{RILL_AF_IP4, {198, 18, 0, 1}}, PORT};
	struct rill_stack_profile profile;
	struct rill_stack_options o = {
		RILL_OPTIONS(o),
		.ops = &ops,
		.ctx = w,
		.layer = RILL_STACK_L3,
		.addr = "198.18.0.1/24",
		.seed = 1,
		.rx_checksum_ok = true,
		.sockets = 64,
		.packets = 512,
		.connections = 64,
		.send_buffer = 65536,
		.recv_buffer = 65536,
		.profile = &profile,
	};
	static const char *const algorithms[] = {"cubic", "reno", "dctcp", "bbr"};
	uint8_t knobs = fuzz_u8(in);
	int on = 5;

	rill_stack_profile_init(&profile);
	snprintf(profile.congestion, sizeof(profile.congestion), "%s", algorithms[knobs & 3]);
	profile.sack = (knobs & 4) == 0;
	profile.timestamps = (knobs & 8) != 0;
	profile.ecn = knobs >> 4 & 3;
	profile.fast_open = RILL_STACK_FAST_OPEN_SERVER | RILL_STACK_FAST_OPEN_CLIENT;
	FUZZ_CHECK(rill_stack_create(&o, &w->stack) == 0);
	for (unsigned i = 0; i < FDS; i++)
		w->fds[i] = -1;
	w->stack_port = PORT;
	w->peer_port = PEER_PORT;
	keep(w, rill_stack_socket(w->stack, SOCK_STREAM));
	FUZZ_CHECK(rill_stack_bind(w->stack, w->fds[0], &local) == 0);
	rill_stack_setsockopt(w->stack, w->fds[0], IPPROTO_TCP, TCP_FASTOPEN, &on, sizeof(on));
	FUZZ_CHECK(rill_stack_listen(w->stack, w->fds[0], 8) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	struct fuzz_world w = {.now_ns = 1000000000};

	open_world(&w, &in);
	for (unsigned i = 0; i < STEPS_MAX && in.left > 0; i++)
		step(&w, &in);
	rill_stack_destroy(w.stack);
	FUZZ_CHECK(w.memory == 0);
	return 0;
}
