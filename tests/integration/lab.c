/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/integration/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netstack/stack/conn.h"
#include "netstack/stack/net.h"

/* How often lab_settle() looks, a millisecond apart. */
#define SETTLE_ROUNDS 20000

static const char *const addresses[LAB_SIDES] = {"198.18.0.1/24", "198.18.0.2/24"};

/* ---- opening and closing ---- */

static struct rill_runtime *start_runtime(const struct lab_options *in)
{
	struct rill_runtime_options o = {
		RILL_OPTIONS(o),
		.flavor = in->flavor,
		.workers = in->workers,
		.start_paused = in->paused,
		.no_pin = true,
		.seed = 1,
		.tcp_memory = in->tcp_memory,
	};
	struct rill_runtime *rt = NULL;

	RILL_ASSERT_CMP(rill_runtime_create(&o, &rt), ==, 0);
	return rt;
}

static struct rill_net *open_net(struct rill_runtime *rt, unsigned number, enum lab_side side,
				 const struct lab_options *in)
{
	char spec[160];
	struct rill_net_options o = {
		RILL_OPTIONS(o),
		.nic = spec,
		.addr = addresses[side],
		.queues = in->queues,
	};
	struct rill_net *net = NULL;

	snprintf(spec, sizeof(spec), "mem:lab%u%s", number, in->link ? in->link : "");
	if (rill_net_open(rt, &o, &net) != 0) {
		fprintf(stderr, "%s: %s\n", spec, rill_net_error());
		abort();
	}
	return net;
}

void lab_open(struct lab *lab, const struct lab_options *o)
{
	static unsigned number;
	char name[16];

	*lab = (struct lab){.two_runtimes = o->two_runtimes};
	number++;
	lab->rt[LAB_SERVER] = start_runtime(o);
	lab->rt[LAB_CLIENT] = o->two_runtimes ? start_runtime(o) : lab->rt[LAB_SERVER];
	for (enum lab_side s = 0; s < LAB_SIDES; s++)
		lab->net[s] = open_net(lab->rt[s], number, s, o);
	snprintf(name, sizeof(name), "lab%u", number);
	RILL_ASSERT_CMP(rill_mem_hub_join(&rill_mem_kind, name, 0, &lab->hub, &lab->hub_port), ==,
			0);
	RILL_ASSERT(lab->hub_port == LAB_SIDES);
}

static void *settle(void *arg)
{
	struct lab *lab = arg;

	for (enum lab_side s = 0; s < LAB_SIDES; s++)
		lab_settle(lab, s);
	return NULL;
}

void lab_close(struct lab *lab)
{
	lab_run(lab, settle);
	for (enum lab_side s = 0; s < LAB_SIDES; s++)
		rill_net_close(lab->net[s]);
	rill_mem_hub_leave(lab->hub, lab->hub_port);
	RILL_ASSERT_CMP(rill_runtime_live_tasks(lab->rt[LAB_SERVER]), ==, 0u);
	RILL_ASSERT_CMP(rill_runtime_destroy(lab->rt[LAB_SERVER]), ==, 0);
	if (lab->two_runtimes)
		RILL_ASSERT_CMP(rill_runtime_destroy(lab->rt[LAB_CLIENT]), ==, 0);
}

void lab_run(struct lab *lab, void *(*fn)(void *))
{
	RILL_ASSERT_CMP(rill_block_on(lab->rt[LAB_CLIENT], fn, lab, NULL), ==, 0);
}

void lab_run_in(const struct lab_options *o, void *(*fn)(void *))
{
	struct lab lab;

	lab_open(&lab, o);
	lab_run(&lab, fn);
	lab_close(&lab);
}

void lab_run_in_thread(const struct lab_options *o, void *(*fn)(void *))
{
	struct lab lab;

	lab_open(&lab, o);
	fn(&lab);
	lab_close(&lab);
}

void lab_run_in_each(void *(*fn)(void *), const char *link)
{
	const struct lab_options kinds[] = {
		{.flavor = RILL_CURRENT_THREAD, .queues = 1, .link = link},
		{.flavor = RILL_CURRENT_THREAD, .queues = 2, .link = link},
		{.workers = 2, .queues = 1, .link = link},
		{.workers = 2, .queues = 2, .link = link},
		{.workers = 2, .queues = 2, .two_runtimes = true, .link = link},
	};

	for (unsigned i = 0; i < RILL_ARRAY_SIZE(kinds); i++)
		lab_run_in(&kinds[i], fn);
}

/* ---- tasks and connections ---- */

struct rill_task *lab_spawn(struct rill_runtime *rt, void *(*fn)(void *), void *arg)
{
	struct rill_spawn_options o = {RILL_OPTIONS(o), .runtime = rt};
	struct rill_task *t = NULL;

	RILL_ASSERT_CMP(rill_spawn_with(&o, fn, arg, &t), ==, 0);
	return t;
}

void *lab_join(struct rill_task *t)
{
	void *value = NULL;

	RILL_ASSERT_CMP(rill_join(t, &value), >=, 0);
	return value;
}

struct rill_addr lab_addr(const struct lab *lab, enum lab_side side, uint16_t port)
{
	return (struct rill_addr){.ip = rill_net_ip(lab->net[side]), .port = port};
}

struct rill_listener *lab_listen(struct lab *lab, uint16_t port, const struct rill_tcp_options *o)
{
	struct rill_addr local = {.port = port};
	struct rill_listener *l = NULL;

	RILL_ASSERT_CMP(rill_tcp_listen(lab->net[LAB_SERVER], &local, o, &l), ==, 0);
	return l;
}

struct rill_tcp *lab_connect(struct lab *lab, const struct rill_listener *l,
			     const struct rill_tcp_options *o)
{
	struct rill_addr remote = rill_listener_addr(l);
	struct rill_tcp *c = NULL;

	RILL_ASSERT_CMP(rill_tcp_connect(lab->net[LAB_CLIENT], NULL, &remote, o, &c), ==, 0);
	return c;
}

void lab_pair(struct lab *lab, const struct rill_tcp_options *o, struct rill_tcp *pair[LAB_SIDES])
{
	struct rill_listener *l = lab_listen(lab, 0, o);

	pair[LAB_CLIENT] = lab_connect(lab, l, o);
	RILL_ASSERT_CMP(rill_tcp_accept(l, &pair[LAB_SERVER]), ==, 0);
	rill_listener_close(l);
}

/* ---- echo ---- */

static void *echo_connection(void *arg)
{
	struct rill_tcp *c = arg;
	char buf[2048];
	ssize_t n;

	while ((n = rill_tcp_recv(c, buf, sizeof(buf))) > 0) {
		if (rill_tcp_send(c, buf, (size_t)n) != n)
			break;
	}
	rill_tcp_close(c);
	return NULL;
}

void *lab_echo_server(void *listener)
{
	struct rill_task **tasks = NULL;
	struct rill_tcp *c;
	size_t count = 0;
	int r;

	while ((r = rill_tcp_accept(listener, &c)) == 0) {
		tasks = realloc(tasks, (count + 1) * sizeof(*tasks));
		RILL_ASSERT_CMP(rill_spawn(echo_connection, c, &tasks[count++]), ==, 0);
	}
	RILL_ASSERT_CMP(r, ==, -ESHUTDOWN);
	for (size_t i = 0; i < count; i++)
		lab_join(tasks[i]);
	free(tasks);
	return NULL;
}

void lab_echo_once(struct rill_tcp *c, uint64_t seed, size_t len)
{
	uint8_t *buf = malloc(len);

	lab_fill(seed, 0, buf, len);
	RILL_ASSERT_CMP(rill_tcp_send(c, buf, len), ==, (ssize_t)len);
	memset(buf, 0, len);
	RILL_ASSERT_CMP(rill_tcp_recv_all(c, buf, len), ==, (ssize_t)len);
	RILL_ASSERT(lab_same(seed, 0, buf, len));
	free(buf);
}

/* ---- looking inside ---- */

struct count {
	struct lab *lab;
	enum lab_side side;
	uint32_t buffers_out; /* neither free nor waiting in a receive ring */
	uint32_t conns;	      /* not in TIME-WAIT */
};

static void count_held(struct rill_shard *sh, void *arg)
{
	struct count *count = arg;
	const struct rill_mem_ring *ring = count->lab->hub->ports[count->side].rings[sh->index];
	struct rill_buf_pool *pool = sh->queue->pool;

	/* posted and taken are ours: the shard is the receiver */
	count->buffers_out += pool->size - rill_buf_pool_reclaim(pool) -
			      (rill_load_relaxed(&ring->posted) - ring->taken);
	count->conns += sh->core.conns.used - sh->core.time_wait_count;
}

void lab_settle(struct lab *lab, enum lab_side side)
{
	struct count count;

	for (unsigned round = 0; round < SETTLE_ROUNDS; round++) {
		count = (struct count){.lab = lab, .side = side};
		for (unsigned i = 0; i < lab->net[side]->shard_count; i++)
			rill_shard_call(&lab->net[side]->shards[i], count_held, &count);
		if (count.buffers_out == 0 && count.conns == 0)
			return;
		rill_sleep(RILL_MS);
	}
	RILL_ASSERT_CMP(count.conns, ==, 0u);
	RILL_ASSERT_CMP(count.buffers_out, ==, 0u);
}

uint64_t lab_metric(struct rill_runtime *rt, struct rill_net *net, const char *name)
{
	char *text = NULL, label[128];
	size_t text_len;
	FILE *out = open_memstream(&text, &text_len);
	const uint8_t *ip = net->ip.bytes;
	uint64_t sum = 0;

	RILL_ASSERT_CMP(rill_runtime_print_metrics(rt, out), ==, 0);
	fclose(out);
	snprintf(label, sizeof(label), "\nrill_%s_total{addr=\"%u.%u.%u.%u\"", name, ip[0], ip[1],
		 ip[2], ip[3]);
	for (const char *at = text; (at = strstr(at, label)); at++)
		sum += strtoull(strstr(at, "} ") + 2, NULL, 10);
	free(text);
	return sum;
}

/* ---- contents ---- */

static uint64_t word(uint64_t seed, uint64_t n)
{
	uint64_t z = seed * UINT64_C(0x9e3779b97f4a7c15) + n * UINT64_C(0xbf58476d1ce4e5b9);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void lab_fill(uint64_t seed, uint64_t at, uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len;) {
		uint64_t w = word(seed, (at + i) / 8);
		size_t skip = (at + i) % 8;
		size_t n = RILL_MIN(8 - skip, len - i);

		memcpy(buf + i, (uint8_t *)&w + skip, n);
		i += n;
	}
}

bool lab_same(uint64_t seed, uint64_t at, const uint8_t *buf, size_t len)
{
	uint8_t expected[512];

	for (size_t i = 0; i < len;) {
		size_t n = RILL_MIN(sizeof(expected), len - i);

		lab_fill(seed, at + i, expected, n);
		if (memcmp(expected, buf + i, n) != 0)
			return false;
		i += n;
	}
	return true;
}
