/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A cable between two interfaces that loses, disorders and duplicates frames by a seed, and records
 * them as the first interface's owner sees them: what it sends before the cable does anything to
 * it, and what it gets when it gets it.
 *
 *   real-middle NEAR FAR PCAP SEED LOSS REORDER DUP DELAY-US REORDER-US
 *
 * LOSS, REORDER and DUP are probabilities. Ends, with the counts of both directions on stdout, at
 * SIGTERM.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "drivers/sim_link.h"
#include "drivers/spec.h"

#define FRAME_MAX 65536
#define SOCKET_BYTES (32 << 20)
/* Frames of one direction that are looked at before the other one gets its turn. */
#define BURST 32
#define SECOND_NS UINT64_C(1000000000)

enum side {
	NEAR,
	FAR,
	SIDES,
};

struct frame {
	uint64_t due_ns, order; /* frames of one time leave in the order in which they came */
	enum side to;
	uint32_t len;
	uint8_t data[];
};

/* A heap: the frame that is due first is on top. */
struct waiting {
	struct frame **frames;
	size_t count, size;
	uint64_t order;
};

struct middle {
	int fds[SIDES];
	struct rill_sim_link links[SIDES]; /* by the side that sends */
	struct waiting waiting;
	FILE *pcap;
	struct counts {
		uint64_t sent, lost, reordered, duplicated;
	} counts[SIDES];  /* by the side that sends */
	uint64_t refused; /* by the interface it should have left by */
};

static volatile sig_atomic_t stopped;

static void stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static void fail(const char *what)
{
	fprintf(stderr, "real-middle: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

/* ---- the recording ---- */

/* Of nanoseconds, Ethernet: the format's magic number and link type. */
static void begin_pcap(struct middle *m, const char *path)
{
	const uint32_t head[6] = {0xa1b23c4d, 4u << 16 | 2, 0, 0, FRAME_MAX, 1};

	m->pcap = fopen(path, "w");
	if (!m->pcap || fwrite(head, sizeof(head), 1, m->pcap) != 1)
		fail(path);
}

static void record(struct middle *m, const uint8_t *frame, uint32_t len)
{
	uint64_t now = now_ns(CLOCK_REALTIME);
	const uint32_t head[4] = {(uint32_t)(now / SECOND_NS), (uint32_t)(now % SECOND_NS), len,
				  len};

	fwrite(head, sizeof(head), 1, m->pcap);
	fwrite(frame, len, 1, m->pcap);
}

/* ---- what waits ---- */

static bool before(const struct frame *a, const struct frame *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void push(struct waiting *w, struct frame *f)
{
	size_t i = w->count;

	if (w->count == w->size) {
		w->size = w->size ? 2 * w->size : 1024;
		w->frames = realloc(w->frames, w->size * sizeof(struct frame *));
		if (!w->frames)
			fail("frames in flight");
	}
	f->order = w->order++;
	w->count++;
	for (; i > 0 && before(f, w->frames[(i - 1) / 2]); i = (i - 1) / 2)
		w->frames[i] = w->frames[(i - 1) / 2];
	w->frames[i] = f;
}

static struct frame *pop(struct waiting *w)
{
	struct frame *top = w->frames[0];
	struct frame *last = w->frames[--w->count];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < w->count && before(w->frames[child + 1], w->frames[child]))
			child++;
		if (child >= w->count || !before(w->frames[child], last))
			break;
		w->frames[i] = w->frames[child];
		i = child;
	}
	w->frames[i] = last;
	return top;
}

static void hold(struct middle *m, enum side to, uint64_t due_ns, const uint8_t *data, uint32_t len)
{
	struct frame *f = malloc(sizeof(*f) + len);

	if (!f)
		fail("frame");
	*f = (struct frame){.due_ns = due_ns, .to = to, .len = len};
	memcpy(f->data, data, len);
	push(&m->waiting, f);
}

/* ---- in and out ---- */

static int open_interface(const char *name)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(name),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
	int bytes = SOCKET_BYTES, on = 1;

	if (fd < 0 || addr.sll_ifindex == 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		fail(name);
	return fd;
}

/* A check sum that was left to the NIC: there is none before the next computer. */
static void finish_sum(const struct virtio_net_hdr *hdr, uint8_t *frame, size_t len)
{
	size_t field = (size_t)hdr->csum_start + hdr->csum_offset;
	uint32_t sum = 0;

	if (!(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || field + 2 > len)
		return;
	for (size_t i = hdr->csum_start; i < len; i += 2)
		sum += (uint32_t)(frame[i] << 8 | (i + 1 < len ? frame[i + 1] : 0));
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	frame[field] = (uint8_t)(~sum >> 8);
	frame[field + 1] = (uint8_t)~sum;
}

static void take(struct middle *m, enum side from, const uint8_t *frame, uint32_t len)
{
	const struct rill_sim_frame_kind kind = {.len = len, .l3_at = ETH_HLEN};
	struct rill_sim_verdict v =
		rill_sim_link_send(&m->links[from], &kind, now_ns(CLOCK_MONOTONIC));

	if (from == NEAR)
		record(m, frame, len);
	m->counts[from].sent++;
	m->counts[from].lost += v.fate != RILL_SIM_SENT;
	m->counts[from].reordered += v.reordered;
	m->counts[from].duplicated += v.dup;
	if (v.fate != RILL_SIM_SENT)
		return;
	hold(m, !from, v.arrival_ns, frame, len);
	if (v.dup)
		hold(m, !from, v.arrival_ns, frame, len);
}

static bool receive(struct middle *m, enum side from)
{
	static uint8_t frame[FRAME_MAX];
	struct virtio_net_hdr hdr;
	struct iovec iov[2] = {{&hdr, sizeof(hdr)}, {frame, sizeof(frame)}};
	ssize_t n = readv(m->fds[from], iov, 2);

	if (n < (ssize_t)sizeof(hdr) + ETH_HLEN)
		return false;
	if (hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		fprintf(stderr,
			"real-middle: a frame longer than the wire takes: offloads are on\n");
		exit(1);
	}
	n -= (ssize_t)sizeof(hdr);
	finish_sum(&hdr, frame, (size_t)n);
	take(m, from, frame, (uint32_t)n);
	return true;
}

static void send_frame(struct middle *m, const struct frame *f)
{
	struct virtio_net_hdr hdr = {.gso_type = VIRTIO_NET_HDR_GSO_NONE};
	struct iovec iov[2] = {{&hdr, sizeof(hdr)}, {(void *)f->data, f->len}};

	/* Before it goes: the answer must not be recorded first. */
	if (f->to == NEAR)
		record(m, f->data, f->len);
	if (writev(m->fds[f->to], iov, 2) < 0)
		m->refused++;
}

static void send_due(struct middle *m)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	while (m->waiting.count > 0 && m->waiting.frames[0]->due_ns <= now) {
		struct frame *f = pop(&m->waiting);

		send_frame(m, f);
		free(f);
	}
}

static void wait_for_work(struct middle *m)
{
	struct pollfd fds[SIDES] = {{.fd = m->fds[NEAR], .events = POLLIN},
				    {.fd = m->fds[FAR], .events = POLLIN}};
	uint64_t wait_ns = SECOND_NS;

	if (m->waiting.count > 0) {
		uint64_t now = now_ns(CLOCK_MONOTONIC), due = m->waiting.frames[0]->due_ns;

		wait_ns = due > now ? due - now : 0;
	}
	ppoll(fds, SIDES,
	      &(struct timespec){.tv_sec = (time_t)(wait_ns / SECOND_NS),
				 .tv_nsec = (long)(wait_ns % SECOND_NS)},
	      NULL);
}

static void run(struct middle *m)
{
	while (!stopped) {
		for (enum side s = 0; s < SIDES; s++) {
			for (unsigned i = 0; i < BURST && receive(m, s); i++)
				;
		}
		send_due(m);
		wait_for_work(m);
	}
}

/* ---- beginning and end ---- */

static uint64_t probability(const char *text)
{
	return (uint64_t)(strtod(text, NULL) * (double)RILL_SPEC_PROB_ONE);
}

static void set_links(struct middle *m, char **args)
{
	const struct rill_sim_config config = {
		.loss = probability(args[1]),
		.reorder = probability(args[2]),
		.dup = probability(args[3]),
		.delay_ns = strtoull(args[4], NULL, 10) * 1000,
		.reorder_ns = strtoull(args[5], NULL, 10) * 1000,
	};

	for (enum side s = 0; s < SIDES; s++) {
		rill_sim_link_init(&m->links[s], 2 * strtoull(args[0], NULL, 10) + s);
		if (rill_sim_link_set(&m->links[s], &config) < 0)
			fail("link");
	}
}

static void report(struct middle *m)
{
	static const char *const names[SIDES] = {"near", "far"};

	for (enum side s = 0; s < SIDES; s++) {
		const struct counts *c = &m->counts[s];
		struct tpacket_stats missed = {0};
		socklen_t len = sizeof(missed);

		getsockopt(m->fds[s], SOL_PACKET, PACKET_STATISTICS, &missed, &len);
		printf("%s sent=%llu lost=%llu reordered=%llu duplicated=%llu missed=%u\n",
		       names[s], (unsigned long long)c->sent, (unsigned long long)c->lost,
		       (unsigned long long)c->reordered, (unsigned long long)c->duplicated,
		       missed.tp_drops);
	}
	printf("refused=%llu\n", (unsigned long long)m->refused);
}

int main(int argc, char **argv)
{
	const struct sigaction on_stop = {.sa_handler = stop};
	struct middle m = {0};

	if (argc != 10) {
		fprintf(stderr,
			"usage: %s NEAR FAR PCAP SEED LOSS REORDER DUP DELAY-US REORDER-US\n",
			argv[0]);
		return 2;
	}
	sigaction(SIGTERM, &on_stop, NULL);
	m.fds[NEAR] = open_interface(argv[1]);
	m.fds[FAR] = open_interface(argv[2]);
	begin_pcap(&m, argv[3]);
	set_links(&m, argv + 4);
	printf("ready\n");
	fflush(stdout);
	run(&m);
	report(&m);
	for (enum side s = 0; s < SIDES; s++)
		rill_sim_link_fini(&m.links[s]);
	while (m.waiting.count > 0)
		free(pop(&m.waiting));
	free(m.waiting.frames);
	return fclose(m.pcap) == 0 ? 0 : 1;
}
