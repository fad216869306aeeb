/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Trains, segmentation and receive coalescing change nothing. Three senders do the same: each
 * segment by itself; in trains; in frames that a NIC with TSO would cut. Their frames are the same,
 * go through a bad network, and reach three receivers: one takes each frame by itself, one bursts,
 * and one has a NIC that merges what it can. What those send goes back to all senders.
 */
#include "offload.h"

#include "netstack/tcp/cc.h"

#define SENDERS 3
#define RECEIVERS 3
#define STEPS 400
#define WRITE_MAX 100000
#define READ_MAX 120000
#define PORT 80

enum { PLAIN, TRAINS, TSO };

struct world {
	struct rill_rand rand;
	uint64_t now;
	struct off_core *senders[SENDERS];
	struct off_core *receivers[RECEIVERS];
	struct off_list to_receiver, to_sender;	   /* on their way */
	uint32_t loss, dup, swap, corrupt, change; /* permille */
	uint64_t written;
	unsigned read_max;
	bool csum_ok;
	uint8_t *bytes;
};

/* The same for all cores of a world. */
struct traits {
	uint32_t bits;
};

static void tune(struct off_core *o, void *arg)
{
	const struct traits *t = arg;
	struct rill_tcp_params *p = &o->core.env.params;

	p->no_timestamps = t->bits & 1;
	p->no_sack = t->bits & 2;
	p->ecn = (uint8_t)(t->bits >> 2 & 3);
	p->pace_all = (t->bits & 0x30) == 0x10;
	p->no_autotune = t->bits & 0x40;
	if (t->bits & 0x80)
		p->recv_buffer = p->send_buffer = 20000;
	if ((t->bits & 0x300) == 0x300)
		p->mem_max = 400000;
	if ((t->bits & 0xc00) == 0xc00)
		o->core.env.cc = rill_tcp_cc_find("dctcp");
	if ((t->bits & 0x3000) == 0x3000)
		o->core.env.cc = rill_tcp_cc_find("bbr");
	p->nodelay = t->bits & 0x4000;
	if (t->bits & 0x8000)
		p->quick_acks = 0;
}

/* ---- the network ---- */

static bool roll(struct world *w, uint32_t permille)
{
	return rill_rand_below(&w->rand, 1000) < permille;
}

static bool is_tcp(const struct off_frame *f)
{
	return f->len >= 54 && f->bytes[12] == 8 && f->bytes[13] == 0 && f->bytes[23] == 6;
}

/* Something that a router or a strange peer does, with right checksums. */
static void change_frame(struct world *w, struct off_frame *f)
{
	uint8_t *ip = f->bytes + RILL_ETH_LEN;
	uint8_t *tcp = ip + RILL_IP4_LEN;

	if (!is_tcp(f))
		return;
	switch (rill_rand_below(&w->rand, 8)) {
	case 0:
		ip[1] |= 3; /* CE */
		break;
	case 1:
		tcp[13] ^= 8; /* PSH */
		break;
	case 2:
		rill_store_be16(tcp + 14, (uint16_t)(rill_load_be16(tcp + 14) ^ 1)); /* window */
		break;
	case 3:
		ip[8]--; /* TTL */
		break;
	case 4:
		rill_store_be32(tcp + 8, rill_load_be32(tcp + 8) - 100); /* an old ACK */
		break;
	case 5:
		rill_store_be16(ip + 4, (uint16_t)rill_rand_next(&w->rand)); /* ID */
		break;
	case 6:
		f->len += 7; /* padding */
		memset(f->bytes + f->len - 7, 0xee, 7);
		break;
	default:
		tcp[13] |= 32; /* URG */
		rill_store_be16(tcp + 18, (uint16_t)rill_rand_below(&w->rand, 2000));
	}
	off_fix_csums(f);
}

static void send_over(struct world *w, struct off_list *from, struct off_list *to)
{
	for (unsigned i = 0; i < from->count; i++) {
		struct off_frame *f = &from->frames[i];

		if (roll(w, w->loss))
			continue;
		f = off_list_add(to, f->bytes, f->len);
		if (roll(w, w->change))
			change_frame(w, f);
		/* Not the addresses: ARP would have to learn a new one. */
		if (roll(w, w->corrupt) && is_tcp(f) && !w->csum_ok)
			f->bytes[RILL_ETH_LEN + rill_rand_below(&w->rand, f->len - RILL_ETH_LEN)] ^=
				(uint8_t)(1u << rill_rand_below(&w->rand, 8));
		if (roll(w, w->dup))
			off_list_add(to, f->bytes, f->len);
		if (roll(w, w->swap) && to->count >= 2) {
			struct off_frame swapped = to->frames[to->count - 2];

			to->frames[to->count - 2] = to->frames[to->count - 1];
			to->frames[to->count - 1] = swapped;
		}
	}
}

static unsigned next_burst(struct world *w, struct off_list *l, unsigned at,
			   struct off_frame **frames)
{
	unsigned n = 1 + rill_rand_below(&w->rand, 40);

	n = RILL_MIN(n, l->count - at);
	for (unsigned i = 0; i < n; i++)
		frames[i] = &l->frames[at + i];
	return n;
}

static void check(struct world *w)
{
	off_same(w->senders[PLAIN], w->senders[TRAINS]);
	off_same(w->senders[PLAIN], w->senders[TSO]);
	off_same(w->receivers[OFF_ONE_BY_ONE], w->receivers[OFF_BURST]);
	off_same(w->receivers[OFF_ONE_BY_ONE], w->receivers[OFF_MERGED]);
}

static void deliver(struct world *w)
{
	struct off_frame *frames[RILL_CORE_RX_BURST];
	unsigned n;

	for (unsigned at = 0; at < w->to_receiver.count; at += n) {
		n = next_burst(w, &w->to_receiver, at, frames);
		for (unsigned r = 0; r < RECEIVERS; r++)
			off_input(w->receivers[r], frames, n, (enum off_way)r, w->csum_ok);
	}
	w->to_receiver.count = 0;
	for (unsigned at = 0; at < w->to_sender.count; at += n) {
		n = next_burst(w, &w->to_sender, at, frames);
		for (unsigned s = 0; s < SENDERS; s++)
			off_input(w->senders[s], frames, n, s ? OFF_BURST : OFF_ONE_BY_ONE,
				  w->csum_ok);
	}
	w->to_sender.count = 0;
}

/* Takes what was sent, now that it is compared. */
static void collect(struct world *w)
{
	check(w);
	send_over(w, &w->senders[PLAIN]->out, &w->to_receiver);
	send_over(w, &w->receivers[0]->out, &w->to_sender);
	for (unsigned s = 0; s < SENDERS; s++)
		w->senders[s]->out.count = 0;
	for (unsigned r = 0; r < RECEIVERS; r++)
		w->receivers[r]->out.count = 0;
}

/* ---- the applications ---- */

static void write_all(struct world *w, struct off_core **cores, unsigned count, uint32_t len)
{
	ssize_t first = 0;

	for (unsigned i = 0; i < count; i++) {
		struct rill_conn *c = cores[i]->conn;
		ssize_t n;

		if (!c)
			return;
		n = rill_tcb_send(&c->tcb, &c->core->env, w->bytes, len);
		if (i == 0)
			first = n;
		assert_int_equal(n, first);
		rill_conn_touch(c);
		rill_core_settle(c->core);
	}
	w->written += first > 0 ? (uint64_t)first : 0;
}

static void read_all(struct off_core **cores, unsigned count, uint32_t len)
{
	static uint8_t first[READ_MAX], other[READ_MAX];
	ssize_t expected = 0;

	for (unsigned i = 0; i < count; i++) {
		struct rill_conn *c = cores[i]->conn;
		ssize_t n;

		if (!c)
			return;
		n = rill_tcb_recv(&c->tcb, &c->core->env, i == 0 ? first : other, len);
		if (i == 0)
			expected = n;
		assert_int_equal(n, expected);
		if (i > 0 && n > 0)
			assert_memory_equal(first, other, (size_t)n);
		rill_conn_touch(c);
		rill_core_settle(c->core);
	}
}

static void applications(struct world *w)
{
	struct rill_rand *r = &w->rand;
	bool small = roll(w, 300);

	if (roll(w, 700))
		write_all(w, w->senders, SENDERS, 1 + rill_rand_below(r, small ? 3000 : WRITE_MAX));
	if (roll(w, 200))
		write_all(w, w->receivers, RECEIVERS, 1 + rill_rand_below(r, small ? 300 : 20000));
	if (roll(w, 800))
		read_all(w->receivers, RECEIVERS, 1 + rill_rand_below(r, w->read_max));
	if (roll(w, 500))
		read_all(w->senders, SENDERS, 1 + rill_rand_below(r, w->read_max));
}

/* ---- worlds ---- */

static void open_world(struct world *w, uint64_t seed, struct traits *traits)
{
	memset(w, 0, sizeof(*w));
	rill_rand_init(&w->rand, seed);
	w->now = 1000 * RILL_SEC;
	traits->bits = (uint32_t)rill_rand_next(&w->rand);
	w->read_max = roll(w, 500) ? READ_MAX : 20000;
	w->csum_ok = roll(w, 300);
	w->bytes = malloc(WRITE_MAX);
	for (unsigned i = 0; i < WRITE_MAX; i++)
		w->bytes[i] = (uint8_t)rill_rand_next(&w->rand);
	off_list_init(&w->to_receiver);
	off_list_init(&w->to_sender);
	for (unsigned i = 0; i < SENDERS + RECEIVERS; i++) {
		bool sends = i < SENDERS;
		struct off_core *o = malloc(sizeof(*o));
		struct off_config config = {
			.host = sends ? 1 : 2,
			.seed = seed + !sends,
			.csum_offload = i == TSO,
			.gso_max = i == TSO ? 65535 : 0,
			.tune = tune,
			.arg = traits,
		};

		off_open(o, &config, w->now);
		o->core.env.params.no_trains = i == PLAIN;
		o->hold_permille = i % 2 ? 100 : 0;
		if (sends)
			w->senders[i] = o;
		else
			w->receivers[i - SENDERS] = o;
	}
}

static void close_world(struct world *w)
{
	for (unsigned i = 0; i < SENDERS + RECEIVERS; i++) {
		struct off_core *o = i < SENDERS ? w->senders[i] : w->receivers[i - SENDERS];

		off_close(o);
		free(o);
	}
	free(w->to_receiver.frames);
	free(w->to_sender.frames);
	free(w->bytes);
}

static void step(struct world *w)
{
	w->now += 1 + rill_rand_below(&w->rand, 2 * RILL_MS);
	for (unsigned i = 0; i < SENDERS; i++)
		off_run_timers(w->senders[i], w->now);
	for (unsigned i = 0; i < RECEIVERS; i++)
		off_run_timers(w->receivers[i], w->now);
	deliver(w);
	collect(w);
	if (w->senders[0]->conn && w->receivers[0]->conn)
		applications(w);
	collect(w);
}

static void connect_all(struct world *w)
{
	for (unsigned i = 0; i < RECEIVERS; i++)
		off_listen(w->receivers[i], PORT);
	for (unsigned i = 0; i < SENDERS; i++)
		off_connect(w->senders[i], 2, PORT);
	for (unsigned i = 0; i < 10 && !w->receivers[0]->conn; i++) {
		deliver(w);
		collect(w);
	}
	assert_non_null(w->receivers[0]->conn);
}

/* Of all worlds, so that a test which compares nothing is noticed. */
struct sums {
	uint64_t gso_frames, taken, merged, cut, bytes;
};

static void run_world(uint64_t seed, bool bad, struct sums *sums)
{
	struct traits traits;
	struct world w;

	open_world(&w, seed, &traits);
	connect_all(&w);
	if (bad) {
		w.loss = rill_rand_below(&w.rand, 20);
		w.dup = rill_rand_below(&w.rand, 20);
		w.swap = rill_rand_below(&w.rand, 30);
		w.corrupt = rill_rand_below(&w.rand, 10);
		w.change = rill_rand_below(&w.rand, 60);
	}
	for (unsigned i = 0; i < STEPS; i++)
		step(&w);
	sums->gso_frames += w.senders[TSO]->gso_frames;
	sums->taken += w.receivers[OFF_BURST]->taken;
	sums->merged += w.receivers[OFF_MERGED]->merged;
	sums->cut += w.receivers[OFF_MERGED]->cut;
	sums->bytes += w.written;
	close_world(&w);
}

static void worlds(uint64_t first, unsigned count, bool bad)
{
	struct sums sums = {0};

	for (unsigned i = 0; i < count; i++) {
		print_message("seed %llu\n", (unsigned long long)first + i);
		run_world(first + i, bad, &sums);
	}
	print_message("%llu frames cut, %llu of runs, %llu merged, %llu cut again, %llu bytes\n",
		      (unsigned long long)sums.gso_frames, (unsigned long long)sums.taken,
		      (unsigned long long)sums.merged, (unsigned long long)sums.cut,
		      (unsigned long long)sums.bytes);
	assert_true(sums.gso_frames > 50 * count);
	assert_true(sums.taken > 100 * count);
	assert_true(sums.merged > 100 * count);
	assert_true(!bad || sums.cut > 2 * count);
	assert_true(sums.bytes > UINT64_C(500000) * count);
}

static void same_over_a_good_network(void **state)
{
	(void)state;
	worlds(1, 12, false);
}

static void same_over_a_bad_network(void **state)
{
	(void)state;
	worlds(1000, 40, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_over_a_good_network),
		cmocka_unit_test(same_over_a_bad_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
