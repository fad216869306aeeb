/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames with their virtio headers, over a pair of sockets that keeps messages apart as tun does.
 */
#include "drivers/tap_vnet.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_net.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/driver.h"

#include <cmocka.h>

#define BUFS 200
#define FRAME_MAX 70000

struct ends {
	struct rill_buf_pool pool;
	struct rill_tap_vnet v;
	int kernel;
	uint8_t bytes[FRAME_MAX]; /* header and frame, as the kernel sees them */
};

static int open_ends(void **state)
{
	struct ends *e = calloc(1, sizeof(*e));
	int fds[2], size = 1 << 20;

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	assert_int_equal(rill_buf_pool_init_heap(&e->pool, BUFS, 2048), 0);
	rill_tap_vnet_init(&e->v, fds[0], 3, &e->pool, RILL_NIC_RX_LRO);
	e->kernel = fds[1];
	*state = e;
	return 0;
}

static int close_ends(void **state)
{
	struct ends *e = *state;

	rill_tap_vnet_fini(&e->v);
	assert_int_equal(rill_buf_pool_reclaim(&e->pool), BUFS);
	rill_buf_pool_fini_heap(&e->pool);
	close(e->v.fd);
	close(e->kernel);
	free(e);
	return 0;
}

static void fill(uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 7 + i / 251);
}

/* ---- what the kernel sends ---- */

static void kernel_sends(struct ends *e, const struct virtio_net_hdr *hdr, uint32_t len)
{
	memcpy(e->bytes, hdr, sizeof(*hdr));
	fill(e->bytes + sizeof(*hdr), len);
	assert_int_equal(send(e->kernel, e->bytes, sizeof(*hdr) + len, 0), sizeof(*hdr) + len);
}

static void same_bytes(struct rill_buf *b, const uint8_t *bytes, uint32_t len)
{
	struct rill_buf_seg segs[RILL_BUF_SEGS_MAX];
	unsigned n = rill_buf_segs(b, segs, RILL_BUF_SEGS_MAX);

	assert_int_equal(rill_buf_frame_len(b), len);
	assert_true(n > 0);
	for (unsigned i = 0; i < n; i++) {
		assert_memory_equal(segs[i].data, bytes, segs[i].len);
		bytes += segs[i].len;
	}
}

static void frames_of_all_lengths_come(void **state)
{
	static const uint32_t lens[] = {14,   60,   1514, 1919, 1920, 1921,
					3839, 3840, 3841, 9000, 65549};
	struct ends *e = *state;
	struct rill_buf *b;

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(lens); i++) {
		struct virtio_net_hdr hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM};
		bool gso = lens[i] > 1514;

		if (gso) {
			hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN;
			hdr.gso_size = 1448;
			hdr.hdr_len = 66;
		}
		kernel_sends(e, &hdr, lens[i]);
		assert_int_equal(rill_tap_vnet_read(&e->v, &b), 0);
		same_bytes(b, e->bytes + sizeof(hdr), lens[i]);
		assert_int_equal(b->queue, 3);
		assert_true(b->flags & RILL_BUF_CSUM_OK);
		assert_int_equal((b->flags & RILL_BUF_GSO) != 0, gso);
		assert_int_equal((b->flags & RILL_BUF_CHAIN) != 0, lens[i] > 1920);
		if (gso) {
			assert_int_equal(rill_buf_meta(b)->gso_size, 1448);
			assert_int_equal(rill_buf_meta(b)->header_len, 66);
		}
		rill_buf_put(b);
		assert_int_equal(rill_tap_vnet_read(&e->v, &b), -EAGAIN);
	}
}

static void what_was_not_asked_for_is_no_frame(void **state)
{
	struct virtio_net_hdr ufo = {.gso_type = VIRTIO_NET_HDR_GSO_UDP, .gso_size = 1000};
	struct virtio_net_hdr zero = {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4};
	struct virtio_net_hdr plain = {0};
	struct ends *e = *state;
	struct rill_buf *b = NULL;

	kernel_sends(e, &ufo, 3000);
	assert_int_equal(rill_tap_vnet_read(&e->v, &b), -EINVAL);
	kernel_sends(e, &zero, 3000);
	assert_int_equal(rill_tap_vnet_read(&e->v, &b), -EINVAL);
	kernel_sends(e, &plain, 13);
	assert_int_equal(rill_tap_vnet_read(&e->v, &b), -EINVAL);
	assert_null(b);
	kernel_sends(e, &plain, 14);
	assert_int_equal(rill_tap_vnet_read(&e->v, &b), 0);
	assert_int_equal(b->flags, 0);
	rill_buf_put(b);
}

/* A frame longer than what there is of buffers is lost whole; short ones still come. */
static void with_few_buffers_long_frames_are_lost(void **state)
{
	struct virtio_net_hdr gso = {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1000};
	struct virtio_net_hdr plain = {0};
	struct rill_buf *taken[BUFS], *b = NULL;
	struct ends *e = *state;

	for (unsigned i = 0; i < BUFS - 2; i++)
		taken[i] = rill_buf_alloc(&e->pool);
	kernel_sends(e, &gso, 5000);
	assert_int_equal(rill_tap_vnet_read(&e->v, &b), -EINVAL);
	kernel_sends(e, &plain, 1000);
	assert_int_equal(rill_tap_vnet_read(&e->v, &b), 0);
	same_bytes(b, e->bytes + sizeof(plain), 1000);
	kernel_sends(e, &plain, 1000);
	taken[BUFS - 2] = b;
	assert_int_equal(rill_tap_vnet_read(&e->v, &b), 0);
	taken[BUFS - 1] = b;
	assert_int_equal(rill_tap_vnet_read(&e->v, &b), -ENOBUFS);
	for (unsigned i = 0; i < BUFS; i++)
		rill_buf_put(taken[i]);
	kernel_sends(e, &gso, 5000);
	assert_int_equal(rill_tap_vnet_read(&e->v, &b), 0);
	rill_buf_put(b);
}

/* ---- what it gets ---- */

static uint32_t kernel_gets(struct ends *e, struct virtio_net_hdr *ret_hdr)
{
	ssize_t n = recv(e->kernel, e->bytes, sizeof(e->bytes), 0);

	assert_true(n >= (ssize_t)sizeof(*ret_hdr));
	memcpy(ret_hdr, e->bytes, sizeof(*ret_hdr));
	return (uint32_t)n - sizeof(*ret_hdr);
}

static void plain_frames_go(void **state)
{
	struct ends *e = *state;
	struct rill_buf *b = rill_buf_alloc(&e->pool);
	struct virtio_net_hdr hdr;

	fill(rill_buf_append(b, 1000), 1000);
	assert_int_equal(rill_tap_vnet_write(&e->v, b), 0);
	assert_int_equal(kernel_gets(e, &hdr), 1000);
	same_bytes(b, e->bytes + sizeof(hdr), 1000);
	assert_int_equal(hdr.flags, 0);
	assert_int_equal(hdr.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	b->flags |= RILL_BUF_CSUM_PARTIAL;
	b->csum_start = 34;
	b->csum_offset = 16;
	assert_int_equal(rill_tap_vnet_write(&e->v, b), 0);
	kernel_gets(e, &hdr);
	assert_int_equal(hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(hdr.csum_start, 34);
	assert_int_equal(hdr.csum_offset, 16);
	rill_buf_put(b);
}

static void frames_to_be_cut_go(void **state)
{
	const struct {
		uint16_t type;
		uint16_t offset;
		uint8_t gso_type;
		unsigned tags;
	} kinds[] = {{0x0800, 16, VIRTIO_NET_HDR_GSO_TCPV4, 0},
		     {0x86dd, 16, VIRTIO_NET_HDR_GSO_TCPV6, 0},
		     {0x86dd, 16, VIRTIO_NET_HDR_GSO_TCPV6, 2},
		     {0x0800, 16, VIRTIO_NET_HDR_GSO_TCPV4, 1},
		     {0x0800, 6, 5, 0}};
	struct ends *e = *state;
	struct virtio_net_hdr hdr;
	struct rill_buf *payload = rill_buf_alloc(&e->pool);

	fill(rill_buf_append(payload, 1400), 1400);
	for (unsigned k = 0; k < RILL_ARRAY_SIZE(kinds); k++) {
		struct rill_buf *b = rill_buf_alloc(&e->pool);
		uint8_t *p = rill_buf_append(b, 70);
		unsigned at = 12;

		fill(p, 70);
		for (unsigned i = 0; i < kinds[k].tags; i++, at += 4) {
			p[at] = i + 1 < kinds[k].tags ? 0x88 : 0x81;
			p[at + 1] = i + 1 < kinds[k].tags ? 0xa8 : 0x00;
		}
		p[at] = (uint8_t)(kinds[k].type >> 8);
		p[at + 1] = (uint8_t)kinds[k].type;
		for (unsigned i = 0; i + 1 < RILL_BUF_SEGS_MAX; i++)
			assert_true(rill_buf_add_part(b, payload, payload->data, 1300 + i));
		b->flags |= RILL_BUF_GSO | RILL_BUF_CSUM_PARTIAL;
		b->csum_start = 40;
		b->csum_offset = kinds[k].offset;
		rill_buf_meta(b)->gso_size = 1300;
		rill_buf_meta(b)->header_len = 70;
		assert_int_equal(rill_tap_vnet_write(&e->v, b), 0);
		assert_int_equal(kernel_gets(e, &hdr), rill_buf_frame_len(b));
		same_bytes(b, e->bytes + sizeof(hdr), rill_buf_frame_len(b));
		assert_int_equal(hdr.gso_type, kinds[k].gso_type);
		assert_int_equal(hdr.gso_size, 1300);
		assert_int_equal(hdr.hdr_len, 70);
		assert_int_equal(hdr.csum_start, 40);
		rill_buf_put(b);
	}
	assert_true(rill_buf_exclusive(payload));
	rill_buf_put(payload);
}

static void a_full_kernel_takes_nothing(void **state)
{
	struct ends *e = *state;
	struct rill_buf *b = rill_buf_alloc(&e->pool);
	unsigned n = 0;

	fill(rill_buf_append(b, 1000), 1000);
	while (rill_tap_vnet_write(&e->v, b) == 0)
		n++;
	assert_true(n > 0);
	assert_int_equal(rill_tap_vnet_write(&e->v, b), -EAGAIN);
	rill_buf_put(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, open_ends, close_ends)
		T(frames_of_all_lengths_come),
		T(what_was_not_asked_for_is_no_frame),
		T(with_few_buffers_long_frames_are_lost),
		T(plain_frames_go),
		T(frames_to_be_cut_go),
		T(a_full_kernel_takes_nothing),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
