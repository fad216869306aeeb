/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/ports/port_lab.h"

#include "drivers/mem_nic.h"

static struct rill_port *open_port(struct rill_runtime *rt, const char *spec,
				   const struct lab_options *in, bool handler)
{
	struct rill_port_options o = {
		RILL_OPTIONS(o),
		.nic = spec,
		.queues = in->queues ? in->queues : 1,
		.handler = handler ? in->handler : NULL,
		.ctx = in->ctx,
	};
	struct rill_port *port = NULL;

	if (rill_port_open(rt, &o, &port) < 0) {
		printf("%s: %s\n", spec, rill_port_error());
		abort();
	}
	return port;
}

/* B has the handler, if there is one. */
void port_lab_open(struct lab *lab, const struct lab_options *in)
{
	static unsigned number;
	struct rill_runtime_options o = {RILL_OPTIONS(o), .workers = in->workers ? in->workers : 1,
					 .no_pin = true, .seed = 1};
	char spec[64];

	snprintf(spec, sizeof(spec), "mem:port%u%s", number++, in->more ? in->more : "");
	RILL_ASSERT_CMP(rill_runtime_create(&o, &lab->rt), ==, 0);
	lab->port[A] = open_port(lab->rt, spec, in, false);
	lab->port[B] = open_port(lab->rt, spec, in, true);
}

/* Every packet is back where it came from. */
static void check_pools(struct rill_port *port)
{
	for (unsigned i = 0; i < port->queue_count; i++) {
		struct rill_buf_pool *pool = port->queues[i].nicq->pool;
		const struct rill_mem_ring *ring = rill_mem_queue_of(port->queues[i].nicq)->ring;

		assert_int_equal(rill_buf_pool_reclaim(pool) + ring->posted - ring->taken,
				 pool->size);
	}
}

void port_lab_close(struct lab *lab)
{
	rill_port_stop(lab->port[A]);
	rill_port_stop(lab->port[B]);
	check_pools(lab->port[A]);
	check_pools(lab->port[B]);
	rill_port_close(lab->port[A]);
	rill_port_close(lab->port[B]);
	rill_runtime_destroy(lab->rt);
}

void port_lab_run(struct lab *lab, void *(*fn)(void *), void *arg)
{
	assert_int_equal(rill_block_on(lab->rt, fn, arg, NULL), 0);
}

void port_lab_run_in(const struct lab_options *o, void *(*fn)(void *))
{
	struct lab lab;

	port_lab_open(&lab, o);
	port_lab_run(&lab, fn, &lab);
	port_lab_close(&lab);
}

/* ---- frames ---- */

void port_lab_macs(const struct lab *lab, int from, uint8_t *frame)
{
	struct rill_port_info own, other;

	rill_port_info(lab->port[from], &own);
	rill_port_info(lab->port[!from], &other);
	memcpy(frame, other.mac, 6);
	memcpy(frame + 6, own.mac, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5;
}

/* A frame with a number in it. */
struct rill_pkt *port_lab_make(const struct lab *lab, int from, unsigned queue, uint32_t number)
{
	struct rill_pkt *p;

	if (rill_port_alloc(lab->port[from], queue, &p, 1) == 0)
		return NULL;
	uint8_t *frame = rill_pkt_append(p, FRAME_LEN);

	memset(frame, 0, FRAME_LEN);
	port_lab_macs(lab, from, frame);
	memcpy(frame + FRAME_LEN - 4, &number, 4);
	return p;
}

uint32_t port_lab_number(const struct rill_pkt *p)
{
	uint32_t number;

	memcpy(&number, p->data + p->len - 4, 4);
	return number;
}

struct rill_pkt *port_lab_recv(struct lab *lab, int at)
{
	struct rill_pkt *p = NULL;

	RILL_ASSERT_CMP(rill_port_recv(lab->port[at], 0, &p, 1), ==, 1);
	return p;
}

void port_lab_send(struct lab *lab, int from, struct rill_pkt *p)
{
	RILL_ASSERT_CMP(rill_port_send(lab->port[from], 0, &p, 1, 0), ==, 1);
}
