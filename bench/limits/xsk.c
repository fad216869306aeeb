/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames there and back between two AF_XDP sockets whose programs spin, with nothing around them:
 * what AF_XDP allows a request-response over TCP.
 *
 *   limit_xsk client IFNAME   prints the median round trip in microseconds
 *   limit_xsk server IFNAME   sends back what comes, until killed
 *
 * A frame is as long as a TCP segment with 64 bytes and timestamps. Whatever reaches the
 * interface goes to the socket.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xdp/xsk.h>

#include "bench/limits/limit.h"

#define FRAME_BYTES (14 + 20 + 32 + 64)
#define ETHERTYPE 0x88b5 /* for experiments (IEEE 802) */
#define CHUNK_BYTES 2048
#define SLOTS 64
/* Fewer than the ring holds: the kernel says late what it has taken from there. */
#define POSTED 32
#define CHUNKS (POSTED + 1)
/* Behind those that are posted to receive. */
#define OWN_CHUNK ((uint64_t)POSTED * CHUNK_BYTES)
#define SAMPLES_MAX 2000000
#define CONNECT_WITHIN_NS UINT64_C(5000000000)
/* The kernel lets go of a socket a little after its process has ended. */
#define BIND_TRIES 200
#define BIND_RETRY_US 5000
#define REPLY_WITHIN_NS UINT64_C(1000000000)
#define FIRST_REPLY_WITHIN_NS UINT64_C(20000000)

static struct xsk_umem *umem;
static struct xsk_socket *xsk;
static struct xsk_ring_prod fill, tx;
static struct xsk_ring_cons rx, comp;
static uint8_t *area;
/* To everybody, from a made up address. */
static const uint8_t header[14] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff,		 2,
				   0,	 0,    0,    0,	   1,	 ETHERTYPE >> 8, ETHERTYPE & 0xff};

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "limit_xsk: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A program which hands every frame to the socket of its queue. It goes with this process. */
static void attach(unsigned ifindex)
{
	int map = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "bench_xsk", 4, 4, 1, NULL);
	const struct bpf_insn insns[] = {
		/* r2 = ctx->rx_queue_index */
		{.code = BPF_LDX | BPF_MEM | BPF_W,
		 .dst_reg = 2,
		 .src_reg = 1,
		 .off = offsetof(struct xdp_md, rx_queue_index)},
		/* r1 = map, in two parts */
		{.code = BPF_LD | BPF_IMM | BPF_DW,
		 .dst_reg = 1,
		 .src_reg = BPF_PSEUDO_MAP_FD,
		 .imm = map},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_link_create_opts, native, .flags = XDP_FLAGS_DRV_MODE);
	uint32_t queue = 0;
	int fd = xsk_socket__fd(xsk);
	int prog;

	check(map >= 0, "a map");
	prog = bpf_prog_load(BPF_PROG_TYPE_XDP, "bench_xsk", "Dual BSD/GPL", insns,
			     sizeof(insns) / sizeof(insns[0]), NULL);
	check(prog >= 0, "the program");
	check(bpf_map_update_elem(map, &queue, &fd, BPF_ANY) == 0, "the socket's place");
	check(bpf_link_create(prog, (int)ifindex, BPF_XDP, &native) >= 0, "native XDP");
}

static void post(uint64_t chunk)
{
	uint32_t at;

	check(xsk_ring_prod__reserve(&fill, 1, &at) == 1, "the fill ring");
	*xsk_ring_prod__fill_addr(&fill, at) = chunk & ~(uint64_t)(CHUNK_BYTES - 1);
	xsk_ring_prod__submit(&fill, 1);
}

static void open_socket(const char *ifname)
{
	const struct xsk_umem_config uc = {
		.fill_size = SLOTS, .comp_size = SLOTS, .frame_size = CHUNK_BYTES};
	const struct xsk_socket_config sc = {.rx_size = SLOTS,
					     .tx_size = SLOTS,
					     .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
					     .bind_flags = XDP_USE_NEED_WAKEUP};
	const size_t len = CHUNKS * CHUNK_BYTES;

	area = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(area != MAP_FAILED, "memory");
	for (int i = 0; i < BIND_TRIES && !xsk; i++) {
		check(xsk_umem__create(&umem, area, len, &fill, &comp, &uc) == 0, "the umem");
		if (xsk_socket__create(&xsk, ifname, 0, umem, &rx, &tx, &sc) == 0)
			break;
		xsk = NULL;
		xsk_umem__delete(umem);
		usleep(BIND_RETRY_US);
	}
	check(xsk, "the socket");
	for (uint64_t i = 0; i < POSTED; i++)
		post(i * CHUNK_BYTES);
}

/* False: there is none. The frame stays with the caller. */
static bool receive(uint64_t *ret_chunk)
{
	uint32_t at;

	while (xsk_ring_cons__peek(&rx, 1, &at) == 1) {
		*ret_chunk = xsk_ring_cons__rx_desc(&rx, at)->addr;
		xsk_ring_cons__release(&rx, 1);
		/* The kernel has things to say as well. */
		if (memcmp(area + *ret_chunk, header, sizeof(header)) == 0)
			return true;
		post(*ret_chunk);
	}
	return false;
}

/* Sends the frame and waits until the kernel is done with it. */
static void transmit(uint64_t chunk)
{
	struct xdp_desc *desc;
	uint32_t at;

	check(xsk_ring_prod__reserve(&tx, 1, &at) == 1, "the tx ring");
	desc = xsk_ring_prod__tx_desc(&tx, at);
	*desc = (struct xdp_desc){.addr = chunk, .len = FRAME_BYTES};
	xsk_ring_prod__submit(&tx, 1);
	while (xsk_ring_cons__peek(&comp, 1, &at) == 0)
		sendto(xsk_socket__fd(xsk), NULL, 0, MSG_DONTWAIT, NULL, 0);
	xsk_ring_cons__release(&comp, 1);
}

__attribute__((noreturn)) static void server(void)
{
	uint64_t chunk;

	for (;;) {
		if (!receive(&chunk))
			continue;
		transmit(chunk);
		post(chunk);
	}
}

/* In ns; 0: no answer. */
static uint64_t round_trip(uint64_t within_ns)
{
	uint64_t begin = limit_now();
	uint64_t chunk;

	transmit(OWN_CHUNK);
	while (!receive(&chunk))
		if (limit_now() - begin > within_ns)
			return 0;
	post(chunk);
	return limit_now() - begin;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void client(void)
{
	uint32_t *samples_ns = calloc(SAMPLES_MAX, sizeof(*samples_ns));
	uint64_t run_ns = limit_run_ns();
	size_t count = 0;
	uint64_t until;

	check(samples_ns, "calloc");
	memcpy(area + OWN_CHUNK, header, sizeof(header));
	/* The server may have been started a moment ago. */
	for (until = limit_now() + CONNECT_WITHIN_NS; round_trip(FIRST_REPLY_WITHIN_NS) == 0;)
		check(limit_now() < until, "an answer");
	for (until = limit_now() + run_ns / LIMIT_WARM_UP_SHARE; limit_now() < until;)
		check(round_trip(REPLY_WITHIN_NS), "an answer");
	for (until = limit_now() + run_ns; limit_now() < until && count < SAMPLES_MAX;) {
		samples_ns[count] = (uint32_t)round_trip(REPLY_WITHIN_NS);
		check(samples_ns[count++], "an answer");
	}
	qsort(samples_ns, count, sizeof(*samples_ns), by_value);
	printf("%.3f\n", samples_ns[count / 2] / 1000.0);
	free(samples_ns);
}

int main(int argc, char **argv)
{
	bool serve = argc == 3 && strcmp(argv[1], "server") == 0;
	unsigned ifindex;

	if (argc != 3 || (!serve && strcmp(argv[1], "client") != 0)) {
		fprintf(stderr, "usage: limit_xsk client|server IFNAME\n");
		return 2;
	}
	ifindex = if_nametoindex(argv[2]);
	check(ifindex, argv[2]);
	open_socket(argv[2]);
	attach(ifindex);
	if (serve)
		server();
	client();
	return 0;
}
