/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NICs whose receive hash is unknown, narrower than told, symmetric, over other addresses, or
 * none: all connections open, and what is counted adds up.
 */
#include "tests/integration/lab.h"

#include <string.h>

#include "netstack/stack/net.h"

#define CONNECTS 1000
/* Among the ephemeral ports, so that a symmetric hash sees some of them on either side. */
#define PORT 57000

struct count {
	uint64_t rx[4]; /* by the NIC, of each queue */
	uint64_t rx_sum;
	uint64_t tcp, out, in; /* segments: received, handed over, taken over */
	uint64_t right, wrong, unknown, learned;
	uint64_t frames, accepted, dropped, held, sent_frames;
	uint64_t drops;
};

static void count_shard(struct rill_shard *sh, void *arg)
{
	struct count *c = arg;
	const struct rill_core *core = &sh->core;

	if (sh->index < 4)
		c->rx[sh->index] = sh->queue->stats.rx_packets;
	c->rx_sum += sh->queue->stats.rx_packets;
	c->tcp += core->env.stats.segs_in;
	c->out += sh->stats.steered_out;
	c->in += sh->stats.steered_in;
	c->right += sh->stats.rss_right;
	c->wrong += sh->stats.rss_wrong;
	c->unknown += sh->stats.rss_unknown;
	c->learned += sh->stats.rss_learned;
	c->frames += core->l3.rx_frames;
	c->accepted += core->l3.rx_accepted;
	c->dropped += core->l3.rx_dropped;
	c->held += core->l3.reass.held;
	c->sent_frames += core->l3.tx_frames;
	for (unsigned i = 0; i < RILL_DROP_COUNT; i++)
		c->drops += core->l3.drops[i] + core->drops[i];
}

static struct count count(struct lab *lab, enum lab_side side)
{
	struct count c = {.rx_sum = 0};

	for (unsigned i = 0; i < lab->net[side]->shard_count; i++)
		rill_shard_call(&lab->net[side]->shards[i], count_shard, &c);
	return c;
}

/* ---- a thousand connections ---- */

static void connect_times(struct lab *lab, unsigned times)
{
	struct rill_listener *l = lab_listen(lab, PORT, NULL);
	struct rill_task *server = lab_spawn(lab->rt[LAB_SERVER], lab_echo_server, l);

	for (unsigned i = 0; i < times; i++) {
		struct rill_tcp *c = lab_connect(lab, l, NULL);

		lab_echo_once(c, i, 64);
		rill_tcp_close(c);
	}
	rill_listener_shutdown(l);
	lab_join(server);
	rill_listener_close(l);
}

static void connect_all(struct lab *lab)
{
	connect_times(lab, CONNECTS);
}

/* What must hold whatever the NIC does: the client's one worker has its connections on shard 0. */
static struct count check_sums(struct lab *lab)
{
	struct count c = count(lab, LAB_CLIENT);
	uint64_t elsewhere = c.rx_sum - c.rx[0], arp = c.rx_sum - c.tcp;

	/* each got one SYN-ACK, and each of those is in one of the three */
	RILL_ASSERT_CMP(c.right + c.wrong + c.unknown, ==, (uint64_t)CONNECTS);
	RILL_ASSERT_CMP(c.out, ==, c.in);
	/* what came to another queue was handed over, but for a few ARP packets */
	RILL_ASSERT_CMP(c.out, <=, elsewhere);
	RILL_ASSERT_CMP(c.out + arp, >=, elsewhere);
	RILL_ASSERT_CMP(arp, <=, 16u);
	RILL_ASSERT_CMP(c.drops, ==, 0u);
	RILL_ASSERT_CMP(lab_metric(lab->rt[LAB_CLIENT], lab->net[LAB_CLIENT], "rss_mismatches"), ==,
			c.out);
	RILL_ASSERT_CMP(lab_metric(lab->rt[LAB_CLIENT], lab->net[LAB_CLIENT], "rss_mispredicted"),
			==, c.wrong);
	return c;
}

static enum rill_steer_by by(const struct lab *lab)
{
	return rill_steer_map_by(lab->net[LAB_CLIENT]->steer.map);
}

static void expect_described(const struct lab *lab, const char *part)
{
	const char *text = rill_net_describe(lab->net[LAB_CLIENT]);

	if (!strstr(text, part))
		fail_msg("'%s' lacks '%s'", text, part);
}

static void run(const char *link, void *(*fn)(void *))
{
	const struct lab_options o = {
		.flavor = RILL_CURRENT_THREAD,
		.paused = true,
		.queues = 4,
		.link = link,
	};

	lab_run_in(&o, fn);
}

static void *told(void *arg)
{
	struct lab *lab = arg;

	connect_all(lab);
	struct count c = check_sums(lab);

	RILL_ASSERT_CMP(c.right, ==, (uint64_t)CONNECTS);
	RILL_ASSERT_CMP(c.out, ==, 0u);
	RILL_ASSERT_CMP(c.rx[1] + c.rx[2] + c.rx[3], ==, 0u);
	return NULL;
}

static void test_what_is_told_and_true_needs_no_hand_over(void **state)
{
	run(NULL, told);
	run(",rss=toeplitz,tell=key", told);
	run(",rss=toeplitz,tell=queue", told);
}

static void *unknown_key(void *arg)
{
	struct lab *lab = arg;

	expect_described(lab, "learned from what arrives");
	connect_all(lab);
	struct count c = check_sums(lab);

	RILL_ASSERT_CMP(c.wrong, ==, 0u);
	RILL_ASSERT_CMP(c.unknown, <=, 17u);
	RILL_ASSERT_CMP(c.learned, <=, 34u);
	RILL_ASSERT_CMP(c.out, >, 0u);
	RILL_ASSERT(by(lab) == RILL_STEER_BY_LEARNING);
	return NULL;
}

static void test_unknown_key(void **state)
{
	run(",rss=toeplitz,tell=nothing", unknown_key);
}

static void *narrow_hash(void *arg)
{
	struct lab *lab = arg;

	expect_described(lab, "by the NIC's key and table");
	connect_all(lab);
	struct count c = check_sums(lab);

	RILL_ASSERT_CMP(c.wrong, >=, 4u);
	RILL_ASSERT_CMP(c.wrong, <, 60u);
	RILL_ASSERT_CMP(c.right, >, 900u);
	RILL_ASSERT(by(lab) == RILL_STEER_BY_LEARNING);
	return NULL;
}

static void test_16_bit_hash(void **state)
{
	run(",rss=toeplitz16,tell=key", narrow_hash);
	run(",rss=toeplitz16,tell=key,rxhash=on", narrow_hash);
}

static void test_symmetric_sorted_tuple(void **state)
{
	run(",rss=sorted,tell=key", narrow_hash);
}

/* Nothing can be foretold: nothing is, after a while, and everything works. */
static void *unfathomable(void *arg)
{
	struct lab *lab = arg;

	connect_all(lab);
	struct count c = check_sums(lab);

	RILL_ASSERT(by(lab) == RILL_STEER_BY_NOTHING);
	RILL_ASSERT_CMP(c.unknown, >, 500u);
	RILL_ASSERT_CMP(c.out, >, (uint64_t)CONNECTS);
	expect_described(lab, "cannot be foretold");
	return NULL;
}

static void test_nat_in_front_of_the_hash(void **state)
{
	run(",rss=nat,tell=key", unfathomable);
	run(",rss=nat,tell=nothing", unfathomable);
}

/* At the client's: half-open connections of a listener are found by their own shard only. */
static void *sprayed(void *arg)
{
	static const struct rill_mem_steer plain;
	struct lab *lab = arg;

	rill_mem_spread_set(&lab->hub->ports[LAB_SERVER].spread, &plain);
	return unfathomable(lab);
}

static void test_frames_sprayed_over_the_queues(void **state)
{
	run(",rss=spray,tell=key", sprayed);
}

/* Real threads, on fewer queues than workers, and one more than they are. */
static void *many_tasks(void *arg);

struct client {
	struct lab *lab;
	struct rill_listener *l;
	unsigned seed;
};

static void *client(void *arg)
{
	struct client *cl = arg;

	for (unsigned i = 0; i < LAB_ROUNDS(CONNECTS) / 8; i++) {
		struct rill_tcp *c = lab_connect(cl->lab, cl->l, NULL);

		lab_echo_once(c, cl->seed + i, 64);
		rill_tcp_close(c);
	}
	return NULL;
}

static void *many_tasks(void *arg)
{
	struct lab *lab = arg;
	struct rill_listener *l = lab_listen(lab, PORT, NULL);
	struct rill_task *server = lab_spawn(lab->rt[LAB_SERVER], lab_echo_server, l);
	struct rill_task *tasks[8];
	struct client clients[8];

	for (unsigned i = 0; i < 8; i++) {
		clients[i] = (struct client){lab, l, i << 16};
		tasks[i] = lab_spawn(lab->rt[LAB_CLIENT], client, &clients[i]);
	}
	for (unsigned i = 0; i < 8; i++)
		lab_join(tasks[i]);
	rill_listener_shutdown(l);
	lab_join(server);
	rill_listener_close(l);
	struct count c = count(lab, LAB_CLIENT);

	RILL_ASSERT_CMP(c.out, ==, c.in);
	/* a SYN that was late and came twice makes one more */
	RILL_ASSERT_CMP(c.right + c.wrong + c.unknown, >=,
			(uint64_t)(LAB_ROUNDS(CONNECTS) / 8 * 8));
	return NULL;
}

static void test_fewer_queues_than_workers(void **state)
{
	static const char *const links[] = {
		",queues=2",
		",queues=3,rss=toeplitz,tell=nothing",
		",queues=2,rss=toeplitz16,tell=key",
		",queues=2,rss=nat,tell=key",
	};

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(links); i++) {
		const struct lab_options o = {.workers = 4, .queues = 4, .link = links[i]};

		lab_run_in(&o, many_tasks);
	}
}

/* ---- counters agree to the packet ---- */

#define DATAGRAMS 500

static void *datagrams(void *arg)
{
	struct lab *lab = arg;
	struct rill_addr at = {.port = 7}, from;
	struct rill_udp *in = NULL, *out = NULL;
	uint64_t got = 0;
	char buf[256];

	RILL_ASSERT_CMP(rill_udp_bind(lab->net[LAB_SERVER], &at, NULL, &in), ==, 0);
	at = (struct rill_addr){.port = 0};
	RILL_ASSERT_CMP(rill_udp_bind(lab->net[LAB_CLIENT], &at, NULL, &out), ==, 0);
	at = lab_addr(lab, LAB_SERVER, 7);
	for (unsigned i = 0; i < DATAGRAMS; i++) {
		memset(buf, (int)i, sizeof(buf));
		RILL_ASSERT_CMP(rill_udp_send(out, buf, 1 + i % 200, &at), ==,
				(ssize_t)(1 + i % 200));
		RILL_ASSERT_CMP(rill_udp_recv(in, buf, sizeof(buf), &from), ==,
				(ssize_t)(1 + i % 200));
		got++;
	}
	RILL_ASSERT_CMP(got, ==, (uint64_t)DATAGRAMS);
	connect_times(lab, LAB_ROUNDS(CONNECTS));
	lab_settle(lab, LAB_CLIENT);
	lab_settle(lab, LAB_SERVER);

	for (enum lab_side s = 0; s < LAB_SIDES; s++) {
		unsigned shards = lab->net[s]->shard_count;
		struct count c = count(lab, s), peer = count(lab, 1 - s);
		uint64_t udp = s == LAB_SERVER ? DATAGRAMS : 0;
		uint64_t arp = c.rx_sum - c.tcp - udp;

		/* the wire: what one stack sent is what the other's NIC received */
		RILL_ASSERT_CMP(c.rx_sum, ==, peer.sent_frames);
		/* the stack: the same, and a copy of each ARP packet for each other shard */
		RILL_ASSERT_CMP(c.frames, ==, c.rx_sum + arp * (shards - 1));
		RILL_ASSERT_CMP(c.frames, ==, c.accepted + c.dropped + c.held);
		RILL_ASSERT_CMP(c.drops, ==, 0u);
		RILL_ASSERT_CMP(arp, <=, 16u);
		RILL_ASSERT_CMP(arp, >, 0u);
		RILL_ASSERT_CMP(lab_metric(lab->rt[s], lab->net[s], "rx_packets"), ==, c.rx_sum);
		RILL_ASSERT_CMP(lab_metric(lab->rt[s], lab->net[s], "tx_packets"), ==,
				c.sent_frames);
		RILL_ASSERT_CMP(lab_metric(lab->rt[s], lab->net[s], "tcp_segments_in"), ==, c.tcp);
	}
	rill_udp_close(in);
	rill_udp_close(out);
	return NULL;
}

static void test_counters_agree_to_the_packet(void **state)
{
	static const struct lab_options kinds[] = {
		{.flavor = RILL_CURRENT_THREAD, .paused = true, .queues = 1},
		{.flavor = RILL_CURRENT_THREAD, .paused = true, .queues = 3},
		{.flavor = RILL_CURRENT_THREAD,
		 .paused = true,
		 .queues = 2,
		 .link = ",rss=toeplitz16,tell=key"},
	};

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(kinds); i++)
		lab_run_in(&kinds[i], datagrams);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_told_and_true_needs_no_hand_over),
		cmocka_unit_test(test_unknown_key),
		cmocka_unit_test(test_16_bit_hash),
		cmocka_unit_test(test_symmetric_sorted_tuple),
		cmocka_unit_test(test_nat_in_front_of_the_hash),
		cmocka_unit_test(test_frames_sprayed_over_the_queues),
		cmocka_unit_test(test_fewer_queues_than_workers),
		cmocka_unit_test(test_counters_agree_to_the_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
