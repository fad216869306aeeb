/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/af_xdp_queue.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#ifndef SO_PREFER_BUSY_POLL
#define SO_PREFER_BUSY_POLL 69
#endif
#ifndef SO_BUSY_POLL_BUDGET
#define SO_BUSY_POLL_BUDGET 70
#endif

/* XDP_PACKET_HEADROOM of the kernel's UAPI. */
#define KERNEL_HEADROOM 256
/* Sent frames are charged to the socket until the NIC is done with them: never let that be the
 * limit. */
#define SEND_BUFFER_BYTES (8 << 20)
#define BUSY_POLL_BUDGET 64
/* A UMEM of 64 KiB, the customary RLIMIT_MEMLOCK, still works. */
#define FRAMES_MIN 32u
/*
 * The kernel lets go of a closed socket's queue a little later, from a work queue: after a restart,
 * or a kill, it may still be busy.
 */
#define BIND_TRIES 200
#define BIND_RETRY_NS 5000000

uint32_t rill_xsk_frame_len_max(uint32_t chunk_len)
{
	return chunk_len - RILL_BUF_HEADER_SIZE - KERNEL_HEADROOM;
}

/* ---- the socket ---- */

static void socket_close(struct rill_xsk_queue *q)
{
	if (q->xsk)
		xsk_socket__delete(q->xsk);
	if (q->umem)
		xsk_umem__delete(q->umem);
	q->xsk = NULL;
	q->umem = NULL;
}

static int socket_bind(struct rill_xsk_queue *q, const struct rill_xsk_config *c)
{
	uint32_t slots = c->ring_slots;
	struct xsk_umem_config umem_config = {
		.fill_size = slots,
		/* Completions of frames in flight, besides those that wait in the tx ring. */
		.comp_size = 2 * slots,
		.frame_size = c->chunk_len,
		.frame_headroom = RILL_BUF_HEADER_SIZE,
	};
	struct xsk_socket_config config = {
		.rx_size = slots,
		.tx_size = slots,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = (uint16_t)(c->bind_flags | XDP_USE_NEED_WAKEUP),
	};
	int err =
		xsk_umem__create(&q->umem, q->area, q->area_len, &q->fill, &q->comp, &umem_config);

	if (err) {
		q->umem = NULL;
		return err;
	}
	err = xsk_socket__create(&q->xsk, c->ifname, q->base.index, q->umem, &q->rx, &q->tx,
				 &config);
	if (err) {
		q->xsk = NULL;
		socket_close(q);
	}
	return err;
}

static int socket_bind_patiently(struct rill_xsk_queue *q, const struct rill_xsk_config *c)
{
	const struct timespec pause = {.tv_nsec = BIND_RETRY_NS};
	int err = socket_bind(q, c);

	for (unsigned i = 1; err == -EBUSY && i < BIND_TRIES; i++) {
		nanosleep(&pause, NULL);
		err = socket_bind(q, c);
	}
	return err;
}

/* The options are wishes: what the kernel or our rights refuse costs speed, not function. */
static void socket_tune(struct rill_xsk_queue *q, const struct rill_xsk_config *c)
{
	int one = 1, bytes = SEND_BUFFER_BYTES;
	int budget = BUSY_POLL_BUDGET, usec = (int)c->busy_poll_us;
	struct xdp_options options = {0};
	socklen_t len = sizeof(options);

	if (setsockopt(q->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(q->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	if (getsockopt(q->fd, SOL_XDP, XDP_OPTIONS, &options, &len) == 0)
		q->zerocopy = options.flags & XDP_OPTIONS_ZEROCOPY;
	if (!usec)
		return;
	q->busy_poll =
		setsockopt(q->fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &one, sizeof(one)) == 0 &&
		setsockopt(q->fd, SOL_SOCKET, SO_BUSY_POLL, &usec, sizeof(usec)) == 0 &&
		setsockopt(q->fd, SOL_SOCKET, SO_BUSY_POLL_BUDGET, &budget, sizeof(budget)) == 0;
}

/* ---- the memory ---- */

static int area_open(struct rill_xsk_queue *q, uint32_t frame_count, uint32_t chunk_len)
{
	size_t len = (size_t)frame_count * chunk_len;
	void *area = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		return -errno;
	q->area = area;
	q->area_len = len;
	q->chunk_mask = ~(uint64_t)(chunk_len - 1);
	q->frame_count = frame_count;
	memset(&q->pool, 0, sizeof(q->pool));
	for (size_t at = 0; at < len; at += chunk_len) {
		uint8_t *chunk = q->area + at;

		rill_buf_pool_add(&q->pool, (struct rill_buf *)chunk, chunk + RILL_BUF_HEADER_SIZE,
				  chunk + chunk_len);
	}
	return 0;
}

static void area_close(struct rill_xsk_queue *q)
{
	if (q->area)
		munmap(q->area, q->area_len);
	q->area = NULL;
}

static struct rill_buf *buf_at(const struct rill_xsk_queue *q, uint64_t offset)
{
	return (struct rill_buf *)(q->area + (offset & q->chunk_mask));
}

/* Area and socket; -ENOBUFS: more memory than the process may lock. */
static int open_sized(struct rill_xsk_queue *q, struct rill_xsk_config *c)
{
	int err = area_open(q, c->frame_count, c->chunk_len);

	if (err)
		return err;
	err = socket_bind_patiently(q, c);
	if (err)
		area_close(q);
	return err;
}

static int open_smaller_until_it_fits(struct rill_xsk_queue *q, struct rill_xsk_config *c)
{
	int err = open_sized(q, c);

	while (err == -ENOBUFS && c->frame_count / 2 >= FRAMES_MIN) {
		c->frame_count /= 2;
		while (c->ring_slots * 2 > c->frame_count)
			c->ring_slots /= 2;
		err = open_sized(q, c);
	}
	return err;
}

/* Memory for UMEM counts against RLIMIT_MEMLOCK without CAP_IPC_LOCK. Best effort: see above. */
static void raise_memlock(void)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY}, limit;

	if (setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0 || getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_MEMLOCK, &limit);
}

static int fail_open(const struct rill_xsk_config *c, unsigned index, int err, char *error)
{
	const char *name = c->ifname;

	switch (err) {
	case -EBUSY:
		return rill_nic_fail(
			error, err,
			"af_xdp:%s: queue %u is taken by another AF_XDP socket: stop that process",
			name, index);
	case -ENOBUFS:
		return rill_nic_fail(error, err,
				     "af_xdp:%s: RLIMIT_MEMLOCK is too low: ulimit -l unlimited, "
				     "or CAP_IPC_LOCK",
				     name);
	case -EPERM:
	case -EACCES:
		return rill_nic_fail(error, err, "af_xdp:%s: not permitted: needs CAP_NET_RAW",
				     name);
	case -EOPNOTSUPP:
		return rill_nic_fail(error, err,
				     "af_xdp:%s: queue %u cannot do this: zerocopy=auto?", name,
				     index);
	case -EAFNOSUPPORT:
		return rill_nic_fail(error, err,
				     "af_xdp: this kernel has no AF_XDP (CONFIG_XDP_SOCKETS)");
	default:
		return rill_nic_fail(error, err, "af_xdp:%s: queue %u: %s", name, index,
				     strerror(-err));
	}
}

/* ---- fill and completion ---- */

/* Buffers to the kernel for frames to come. What the pool does not have stays away until the next
 * time. */
static void refill(struct rill_xsk_queue *q)
{
	uint32_t batch = RILL_MIN(64u, q->fill.size / 4);
	uint32_t want = xsk_prod_nb_free(&q->fill, batch);
	uint32_t at;

	if (want < batch)
		return;
	if (q->pool.available < want)
		want = RILL_MIN(want, rill_buf_pool_reclaim(&q->pool));
	rill_store_relaxed(&q->short_of_bufs, want < batch);
	if (want == 0 || xsk_ring_prod__reserve(&q->fill, want, &at) == 0)
		return;
	for (uint32_t i = 0; i < want; i++) {
		struct rill_buf *b = rill_buf_alloc(&q->pool);

		*xsk_ring_prod__fill_addr(&q->fill, at + i) = (uint64_t)((uint8_t *)b - q->area);
	}
	xsk_ring_prod__submit(&q->fill, want);
}

/* Takes back the references of frames that have been sent. */
static void complete(struct rill_xsk_queue *q)
{
	uint32_t at;
	uint32_t n = xsk_ring_cons__peek(&q->comp, q->comp.size, &at);

	for (uint32_t i = 0; i < n; i++)
		rill_buf_put_owner(&q->pool,
				   buf_at(q, *xsk_ring_cons__comp_addr(&q->comp, at + i)));
	if (n)
		xsk_ring_cons__release(&q->comp, n);
}

/* ---- receive ---- */

/* Nothing came: the kernel may be waiting for a call before it uses new buffers or polls the NIC.
 */
static void nudge_receive(struct rill_xsk_queue *q)
{
	if (q->busy_poll || xsk_ring_prod__needs_wakeup(&q->fill))
		recvfrom(q->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

unsigned rill_xsk_rx_burst(struct rill_nic_queue *base, struct rill_buf **bufs, unsigned n)
{
	struct rill_xsk_queue *q = RILL_CONTAINER_OF(base, struct rill_xsk_queue, base);
	uint64_t bytes = 0;
	uint32_t at;
	uint32_t count = xsk_ring_cons__peek(&q->rx, n, &at);

	for (uint32_t i = 0; i < count; i++) {
		const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&q->rx, at + i);
		struct rill_buf *b = buf_at(q, desc->addr);

		b->data = q->area + desc->addr;
		b->len = desc->len;
		b->queue = base->index;
		bytes += desc->len;
		bufs[i] = b;
	}
	complete(q);
	if (count) {
		xsk_ring_cons__release(&q->rx, count);
		rill_counter_add(&base->stats.rx_packets, count);
		rill_counter_add(&base->stats.rx_bytes, bytes);
	}
	refill(q);
	if (!count)
		nudge_receive(q);
	return count;
}

/* ---- transmit ---- */

static uint32_t tx_pending(const struct rill_xsk_queue *q)
{
	/* acquire: pairs with the kernel's release, its use of the descriptors is over */
	return *q->tx.producer - rill_load_acquire(q->tx.consumer);
}

/* Frames that the kernel sends in one call. */
#define XSK_BATCH 32

/*
 * Has the kernel send what is queued. It sends some at a time and says EAGAIN as long as there are
 * more; how far it is, it need not have said by then (before Linux 6.17 it hasn't). It says EAGAIN
 * without memory, too: hence so many calls at most, and the rest waits for the next flush.
 */
static void kick(struct rill_xsk_queue *q)
{
	uint32_t calls = (tx_pending(q) + XSK_BATCH - 1) / XSK_BATCH;

	while (calls-- > 0 && xsk_ring_prod__needs_wakeup(&q->tx)) {
		if (sendto(q->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0 || errno != EAGAIN)
			return;
		complete(q);
	}
}

void rill_xsk_tx_flush(struct rill_nic_queue *base)
{
	kick(RILL_CONTAINER_OF(base, struct rill_xsk_queue, base));
}

/* A copy of b in a buffer of q's, with b's reference given up; NULL: no buffer, and b untouched. */
static struct rill_buf *copy_foreign(struct rill_xsk_queue *q, struct rill_buf *b)
{
	struct rill_buf *copy = rill_buf_alloc(&q->pool);

	if (!copy)
		return NULL;
	/* Without the headroom for headers, which are there already, a full frame fits any chunk.
	 */
	copy->data = copy->head;
	memcpy(rill_buf_append(copy, b->len), b->data, b->len);
	rill_buf_put(b);
	return copy;
}

static uint32_t make_room(struct rill_xsk_queue *q, uint32_t n)
{
	complete(q);
	uint32_t room = xsk_prod_nb_free(&q->tx, n);

	if (room >= n)
		return n;
	kick(q);
	complete(q);
	return RILL_MIN(n, xsk_prod_nb_free(&q->tx, n));
}

/* There is room: make_room() has seen to it. */
static void queue_frame(struct rill_xsk_queue *q, const struct rill_buf *b)
{
	uint32_t at = 0;

	xsk_ring_prod__reserve(&q->tx, 1, &at);
	*xsk_ring_prod__tx_desc(&q->tx, at) = (struct xdp_desc){
		.addr = (uint64_t)(b->data - q->area),
		.len = b->len,
	};
}

unsigned rill_xsk_tx_burst(struct rill_nic_queue *base, struct rill_buf **bufs, unsigned n)
{
	struct rill_xsk_queue *q = RILL_CONTAINER_OF(base, struct rill_xsk_queue, base);
	uint32_t len_max = base->nic->mtu + 14u + 2 * 4; /* Ethernet, two VLAN tags */
	uint32_t room = make_room(q, n), sent = 0;
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < n && sent < room; i++) {
		struct rill_buf *b = bufs[i];

		if (RILL_UNLIKELY(b->len < 14 || b->len > len_max)) {
			rill_buf_put_owner(&q->pool, b);
			rill_counter_add(&base->stats.tx_dropped, 1);
			continue;
		}
		if (b->pool != &q->pool)
			b = copy_foreign(q, b);
		if (!b)
			break;
		queue_frame(q, b);
		bytes += b->len;
		sent++;
	}
	if (sent)
		xsk_ring_prod__submit(&q->tx, sent);
	rill_counter_add(&base->stats.tx_packets, sent);
	rill_counter_add(&base->stats.tx_bytes, bytes);
	return i;
}

/* ---- the rest ---- */

/*
 * relaxed: a hint, of words that the kernel and whoever holds the shard write. Completions can
 * wait: they are taken before the next frame is sent.
 */
bool rill_xsk_poll_due(const struct rill_nic_queue *base)
{
	const struct rill_xsk_queue *q = RILL_CONTAINER_OF(base, struct rill_xsk_queue, base);

	if (rill_load_relaxed(q->rx.producer) != rill_load_relaxed(q->rx.consumer))
		return true;
	/* The kernel waits for a call, or the pool was dry and somebody has to look again. */
	if (q->busy_poll || xsk_ring_prod__needs_wakeup(&q->fill) ||
	    rill_load_relaxed(&q->short_of_bufs))
		return true;
	/* What it would not take last time. */
	return rill_load_relaxed(q->tx.producer) != rill_load_relaxed(q->tx.consumer) &&
	       xsk_ring_prod__needs_wakeup(&q->tx);
}

bool rill_xsk_rx_arm(struct rill_nic_queue *base)
{
	struct rill_xsk_queue *q = RILL_CONTAINER_OF(base, struct rill_xsk_queue, base);

	/* Nobody will flush in our sleep. */
	kick(q);
	/* The descriptor is readable as long as the ring is not empty: nothing can be missed. */
	return xsk_cons_nb_avail(&q->rx, 1) == 0;
}

void rill_xsk_stats(struct rill_nic_queue *base, struct rill_nic_stats *stats)
{
	struct rill_xsk_queue *q = RILL_CONTAINER_OF(base, struct rill_xsk_queue, base);
	struct xdp_statistics x = {0};
	socklen_t len = sizeof(x);

	if (getsockopt(q->fd, SOL_XDP, XDP_STATISTICS, &x, &len) < 0)
		return;
	stats->rx_dropped += x.rx_dropped + x.rx_ring_full;
	stats->tx_dropped += x.tx_invalid_descs;
}

int rill_xsk_queue_open(const struct rill_xsk_config *config, unsigned index,
			struct rill_xsk_queue **ret_queue, char *error)
{
	struct rill_xsk_config c = *config;
	struct rill_xsk_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return rill_nic_fail(error, -ENOMEM, "af_xdp: out of memory");
	q->base.index = (uint16_t)index;
	q->base.pool = &q->pool;
	raise_memlock();
	int err = open_smaller_until_it_fits(q, &c);

	if (err) {
		free(q);
		return fail_open(&c, index, err, error);
	}
	q->fd = xsk_socket__fd(q->xsk);
	socket_tune(q, &c);
	refill(q);
	*ret_queue = q;
	return 0;
}

void rill_xsk_queue_close(struct rill_xsk_queue *q)
{
	socket_close(q);
	area_close(q);
	free(q);
}
