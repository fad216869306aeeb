/* SPDX-License-Identifier: BSD-3-Clause */
/* Interfaces on VLANs: tags on the wire, none above it, and no word from one to another. */
#include "tests/integration/lab.h"

#include <rill/time.h>

#include <stdlib.h>
#include <string.h>

#include "drivers/driver.h"
#include "netstack/stack/net.h"
#include "netstack/stack/vlan.h"

#define BYTES 200000

struct pair {
	struct rill_runtime *rt;
	struct rill_net *nets[2];
	struct rill_nic *tap; /* a third port, which sees what is broadcast */
};

static void pair_open(struct pair *p, const char *nic, unsigned a, unsigned b, unsigned queues)
{
	const struct rill_runtime_options o = {RILL_OPTIONS(o), .flavor = RILL_CURRENT_THREAD,
					       .start_paused = true, .seed = 1};
	const struct rill_net_options nets[] = {
		{RILL_OPTIONS(nets[0]), .nic = nic, .addr = "198.18.0.1/24", .queues = queues,
		 .vlan = a},
		{RILL_OPTIONS(nets[1]), .nic = nic, .addr = "198.18.0.2/24", .queues = queues,
		 .vlan = b},
	};
	char error[RILL_NIC_ERROR_LEN];

	RILL_ASSERT_CMP(rill_nic_open(nic, 1, &p->tap, error), ==, 0);
	RILL_ASSERT_CMP(rill_net_start(&o, nets, 2, &p->rt, p->nets), ==, 0);
}

static void pair_close(struct pair *p)
{
	rill_net_close(p->nets[0]);
	rill_net_close(p->nets[1]);
	RILL_ASSERT_CMP(rill_runtime_destroy(p->rt), ==, 0);
	rill_nic_close(p->tap);
}

/* The EtherType, and the tag behind it, of the first frame that the third port saw. */
static uint32_t first_frame(struct pair *p)
{
	struct rill_nic_queue *q = p->tap->queues[0];
	struct rill_buf *b = NULL;
	uint32_t tag;

	RILL_ASSERT_CMP(p->tap->driver->rx_burst(q, &b, 1), ==, 1u);
	tag = (uint32_t)b->data[12] << 24 | (uint32_t)b->data[13] << 16 |
	      (uint32_t)b->data[14] << 8 | b->data[15];
	rill_buf_put_owner(q->pool, b);
	return tag;
}

static void *echo(void *arg)
{
	struct pair *p = arg;
	struct rill_addr any = {.port = 80}, to = {.ip = rill_net_ip(p->nets[0]), .port = 80};
	struct rill_listener *l = NULL;
	struct rill_task *server;
	struct rill_tcp *c = NULL;

	RILL_ASSERT_CMP(rill_tcp_listen(p->nets[0], &any, NULL, &l), ==, 0);
	server = lab_spawn(p->rt, lab_echo_server, l);
	RILL_ASSERT_CMP(rill_tcp_connect(p->nets[1], NULL, &to, NULL, &c), ==, 0);
	lab_echo_once(c, 3, BYTES);
	rill_tcp_close(c);
	rill_listener_shutdown(l);
	lab_join(server);
	rill_listener_close(l);
	return NULL;
}

static void test_on_one_vlan(void **state)
{
	static const char *const nics[] = {"mem:vlan", "mem:vlan,csum=offload",
					   "mem:vlan,loss=0.02,reorder=0.02,seed=7"};

	(void)state;
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(nics); i++) {
		for (unsigned queues = 1; queues <= 2; queues++) {
			struct pair p;

			pair_open(&p, nics[i], 4094, 4094, queues);
			RILL_ASSERT_CMP(rill_block_on(p.rt, echo, &p, NULL), ==, 0);
			RILL_ASSERT_CMP(first_frame(&p), ==, 0x81000ffeu);
			RILL_ASSERT_CMP(lab_metric(p.rt, p.nets[0], "drops"), ==, 0u);
			pair_close(&p);
		}
	}
}

static void test_without_a_vlan_there_is_no_tag(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p, "mem:vlan", 0, 0, 1);
	RILL_ASSERT_CMP(rill_block_on(p.rt, echo, &p, NULL), ==, 0);
	RILL_ASSERT_CMP(first_frame(&p) >> 16, ==, 0x0806u);
	pair_close(&p);
}

static void *nobody_there(void *arg)
{
	struct pair *p = arg;
	struct rill_addr to = {.ip = rill_net_ip(p->nets[0]), .port = 80};
	struct rill_tcp *c = NULL;

	RILL_ASSERT_CMP(rill_tcp_connect(p->nets[1], NULL, &to, NULL, &c), ==, -EHOSTUNREACH);
	return NULL;
}

static bool dropped_as_vlan(struct pair *p)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	RILL_ASSERT_CMP(rill_runtime_print_metrics(p->rt, out), ==, 0);
	fclose(out);
	bool found =
		strstr(text, "rill_drops_total{addr=\"198.18.0.1\",shard=\"0\",reason=\"vlan\"}");

	free(text);
	return found;
}

static void test_other_vlans_and_untagged_frames_are_dropped(void **state)
{
	static const unsigned ids[][2] = {{5, 6}, {5, 0}};

	(void)state;
	for (unsigned i = 0; i < RILL_ARRAY_SIZE(ids); i++) {
		struct pair p;

		pair_open(&p, "mem:vlan", ids[i][0], ids[i][1], 1);
		RILL_ASSERT_CMP(rill_block_on(p.rt, nobody_there, &p, NULL), ==, 0);
		RILL_ASSERT(dropped_as_vlan(&p));
		pair_close(&p);
	}
}

struct dropped {
	unsigned left;
	uint32_t available_before, available_after;
	uint32_t refs; /* of the second piece */
};

static void drop_pieces(struct rill_shard *sh, void *arg)
{
	struct dropped *d = arg;
	struct rill_buf_pool *pool = sh->core.pool;
	struct rill_buf *pieces[2];

	d->available_before = rill_buf_pool_reclaim(pool);
	for (unsigned i = 0; i < 2; i++) {
		pieces[i] = rill_buf_alloc(pool);
		memset(rill_buf_append(pieces[i], 100), 0, 100);
	}
	pieces[0]->data[12] = 0x81;
	pieces[0]->data[15] = 7;
	pieces[0]->flags |= RILL_BUF_CHAIN;
	pieces[0]->next = pieces[1];
	d->left = rill_vlan_receive(sh, pieces, 1);
	d->available_after = rill_buf_pool_reclaim(pool);
	d->refs = rill_load_relaxed(&pieces[1]->refs);
}

/* Each piece goes back once. */
static void test_frames_of_several_pieces_are_dropped_whole(void **state)
{
	struct dropped d = {.left = 1};
	struct pair p;

	(void)state;
	pair_open(&p, "mem:vlan", 5, 5, 1);
	rill_shard_call(&p.nets[0]->shards[0], drop_pieces, &d);
	RILL_ASSERT_CMP(d.left, ==, 0u);
	RILL_ASSERT_CMP(d.available_after, ==, d.available_before);
	RILL_ASSERT_CMP(d.refs, ==, 0u);
	pair_close(&p);
}

static void test_ids_that_are_none(void **state)
{
	const struct rill_net_options o = {RILL_OPTIONS(o), .nic = "mem:vlan",
					   .addr = "198.18.0.1/24", .vlan = 4095};
	struct rill_runtime *rt = NULL;
	struct rill_net *net = NULL;

	(void)state;
	RILL_ASSERT_CMP(rill_net_start(NULL, &o, 1, &rt, &net), ==, -EINVAL);
	RILL_ASSERT(strstr(rill_net_error(), "4094"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_on_one_vlan),
		cmocka_unit_test(test_without_a_vlan_there_is_no_tag),
		cmocka_unit_test(test_other_vlans_and_untagged_frames_are_dropped),
		cmocka_unit_test(test_frames_of_several_pieces_are_dropped_whole),
		cmocka_unit_test(test_ids_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
