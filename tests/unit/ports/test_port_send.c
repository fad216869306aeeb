/* SPDX-License-Identifier: BSD-3-Clause */
/* What is sent on ports: full rings, and what a NIC lacks. */
#include "tests/unit/ports/port_lab.h"

#include "netstack/wire/checksum.h"

#define MACS_LEN 12

/* ---- sending ---- */

/* A NIC with room for so many. */
static RILL_ATOMIC(uint32_t) room;
static RILL_ATOMIC(uint32_t) flushes;
static RILL_ATOMIC(bool) nic_gone;
static struct rill_driver narrow;

static unsigned narrow_tx(struct rill_nic_queue *q, struct rill_buf **bufs, unsigned n)
{
	unsigned taken = RILL_MIN(n, rill_load_relaxed(&room));

	rill_fetch_sub_relaxed(&room, taken);
	for (unsigned i = 0; i < taken; i++)
		rill_buf_put(bufs[i]);
	return taken;
}

static void narrow_flush(struct rill_nic_queue *q)
{
	rill_fetch_add_relaxed(&flushes, 1);
}

static void narrow_link(struct rill_nic *nic, struct rill_nic_link *ret_link)
{
	*ret_link = (struct rill_nic_link){.up = true, .gone = rill_load_relaxed(&nic_gone)};
}

/* Before anything is sent or waited for. */
static void make_narrow(struct rill_port *port)
{
	narrow = *port->nic->driver;
	narrow.tx_burst = narrow_tx;
	narrow.tx_flush = narrow_flush;
	narrow.link = narrow_link;
	rill_store_relaxed(&nic_gone, false);
}

static void use_narrow(struct rill_port *port)
{
	for (unsigned i = 0; i < port->queue_count; i++) {
		port->queues[i].driver = &narrow;
		port->queues[i].link_next_ns = 0;
	}
	port->nic->driver = &narrow;
}

/* With its poller away while that happens. */
static void narrow_down(struct rill_port *port)
{
	rill_poller_remove(&port->queues[0].poller);
	make_narrow(port);
	use_narrow(port);
	RILL_ASSERT_CMP(rill_poller_add(port->rt, &port->queues[0].poller), ==, 0);
}

static void restore(struct rill_port *port, const struct rill_driver *driver)
{
	port->nic->driver = driver;
}

static void *send_into_full(void *arg)
{
	struct lab *lab = arg;
	struct rill_port_stats stats;
	struct rill_scope scope;
	struct rill_pkt *pkts[10];

	for (uint32_t i = 0; i < 10; i++)
		pkts[i] = port_lab_make(lab, A, 0, i);
	rill_store_relaxed(&room, 3);
	RILL_ASSERT_CMP(rill_port_send(lab->port[A], 1, pkts, 10, 0), ==, -EINVAL);
	RILL_ASSERT_CMP(rill_port_send(lab->port[A], 0, pkts, 0, 0), ==, 0);
	RILL_ASSERT_CMP(rill_port_send(lab->port[A], 0, pkts, 10, RILL_PORT_NOWAIT), ==, 3);
	rill_scope_begin(&scope, rill_after(2 * RILL_MS), NULL);
	RILL_ASSERT_CMP(rill_port_send(lab->port[A], 0, pkts + 3, 7, 0), ==, -ETIMEDOUT);
	rill_scope_end(&scope);
	rill_store_relaxed(&room, 2);
	rill_scope_begin(&scope, rill_after(2 * RILL_MS), NULL);
	RILL_ASSERT_CMP(rill_port_send(lab->port[A], 0, pkts + 3, 7, 0), ==, 2);
	rill_scope_end(&scope);
	rill_store_relaxed(&room, 1);
	RILL_ASSERT_CMP(rill_port_send(lab->port[A], 0, pkts + 5, 5, RILL_PORT_DROP), ==, 5);
	RILL_ASSERT_CMP(rill_port_stats(lab->port[A], 0, &stats), ==, 0);
	RILL_ASSERT_CMP(stats.tx_full, ==, 4u);
	return NULL;
}

static void *make_room(void *arg)
{
	for (unsigned i = 0; i < 10; i++) {
		rill_sleep(RILL_MS / 4);
		rill_fetch_add_relaxed(&room, 1);
	}
	return NULL;
}

static void *wait_for_room(void *arg)
{
	struct lab *lab = arg;
	struct rill_pkt *pkts[10];
	struct rill_task *t;

	for (uint32_t i = 0; i < 10; i++)
		pkts[i] = port_lab_make(lab, A, 0, i);
	rill_store_relaxed(&room, 0);
	RILL_ASSERT_CMP(rill_spawn(make_room, NULL, &t), ==, 0);
	RILL_ASSERT_CMP(rill_port_send(lab->port[A], 0, pkts, 10, 0), ==, 10);
	rill_join(t, NULL);
	return NULL;
}

static void *take_away(void *arg)
{
	rill_sleep(2 * RILL_MS);
	rill_store_relaxed(&nic_gone, true);
	return NULL;
}

static void *notice_it_is_gone(void *arg)
{
	struct lab *lab = arg;
	struct rill_pkt *p = port_lab_make(lab, A, 0, 0), *none;
	struct rill_task *t;

	rill_store_relaxed(&room, 0);
	RILL_ASSERT_CMP(rill_spawn(take_away, NULL, &t), ==, 0);
	RILL_ASSERT_CMP(rill_port_recv(lab->port[A], 0, &none, 1), ==, -ENODEV);
	RILL_ASSERT_CMP(rill_port_send(lab->port[A], 0, &p, 1, 0), ==, -ENODEV);
	rill_pkt_free(&p, 1);
	rill_join(t, NULL);
	return NULL;
}

static void run_narrow(void *(*fn)(void *))
{
	const struct rill_driver *driver;
	struct lab lab;

	port_lab_open(&lab, &(struct lab_options){0});
	driver = lab.port[A]->nic->driver;
	narrow_down(lab.port[A]);
	port_lab_run(&lab, fn, &lab);
	rill_port_stop(lab.port[A]);
	restore(lab.port[A], driver);
	port_lab_close(&lab);
}

static void test_full_ring(void **state)
{
	run_narrow(send_into_full);
	run_narrow(wait_for_room);
}

static void test_nic_goes_away(void **state)
{
	run_narrow(notice_it_is_gone);
}

/* More: the NIC is told by the next poll at the latest. */
static void *send_more(void *arg)
{
	struct lab *lab = arg;
	struct rill_pkt *p = port_lab_make(lab, A, 0, 0);

	rill_store_relaxed(&room, 10);
	uint32_t before = rill_load_relaxed(&flushes);

	RILL_ASSERT_CMP(rill_port_send(lab->port[A], 0, &p, 1, RILL_PORT_MORE), ==, 1);
	RILL_ASSERT_CMP(rill_load_relaxed(&flushes), ==, before);
	rill_port_flush(lab->port[A], 0);
	RILL_ASSERT_CMP(rill_load_relaxed(&flushes), ==, before + 1);
	p = port_lab_make(lab, A, 0, 0);
	RILL_ASSERT_CMP(rill_port_send(lab->port[A], 0, &p, 1, RILL_PORT_MORE), ==, 1);
	while (rill_load_relaxed(&flushes) == before + 1)
		rill_yield();
	return NULL;
}

static void test_flush(void **state)
{
	run_narrow(send_more);
}

/* ---- what the NIC lacks ---- */

static void *fit_vlan(void *arg)
{
	static const uint8_t tag[4] = {0x81, 0x00, 0x60, 0x07};
	struct lab *lab = arg;
	struct rill_pkt *p = port_lab_make(lab, A, 0, 5), *got;
	uint8_t plain[FRAME_LEN];

	memcpy(plain, p->data, FRAME_LEN);
	p->flags |= RILL_PKT_VLAN;
	p->meta.vlan_tci = 0x6007;
	port_lab_send(lab, A, p);
	got = port_lab_recv(lab, B);
	RILL_ASSERT_CMP(got->len, ==, FRAME_LEN + 4);
	RILL_ASSERT(memcmp(got->data, plain, MACS_LEN) == 0);
	RILL_ASSERT(memcmp(got->data + MACS_LEN, tag, 4) == 0);
	RILL_ASSERT(memcmp(got->data + MACS_LEN + 4, plain + MACS_LEN, FRAME_LEN - MACS_LEN) == 0);
	rill_pkt_free(&got, 1);
	return NULL;
}

/* Also of a packet with a second holder, which must not see it change. */
static void *fit_checksum(void *arg)
{
	struct lab *lab = arg;
	struct rill_pkt *p = port_lab_make(lab, A, 0, 5), *clone, *got;
	uint8_t before[FRAME_LEN];

	p->flags |= RILL_PKT_CSUM_PARTIAL;
	p->csum_start = 14;
	p->csum_offset = 6;
	p->data[20] = 0x12;
	p->data[21] = 0x34;
	memcpy(before, p->data, FRAME_LEN);
	clone = rill_pkt_clone(p);
	RILL_ASSERT(!rill_pkt_is_sole(p));
	port_lab_send(lab, A, p);
	RILL_ASSERT(rill_pkt_is_sole(clone));
	RILL_ASSERT(memcmp(clone->data, before, FRAME_LEN) == 0);
	got = port_lab_recv(lab, B);
	/* with the pseudo header's sum in the field the whole adds up to that */
	uint32_t pseudo = rill_csum_add(0, before + 20, 2);

	RILL_ASSERT_CMP(rill_csum_fold(rill_csum_add(pseudo, got->data + 14, FRAME_LEN - 14)), ==,
			0);
	port_lab_send(lab, A, clone);
	rill_pkt_free(&got, 1);
	got = port_lab_recv(lab, B);
	RILL_ASSERT(memcmp(got->data, before, 20) == 0);
	RILL_ASSERT(memcmp(got->data + 20, before + 20, 2) != 0);
	rill_pkt_free(&got, 1);
	return NULL;
}

static void *fit_chain(void *arg)
{
	struct lab *lab = arg;
	struct rill_pkt *parts[3], *got;
	struct rill_port_stats stats;
	uint8_t whole[FRAME_LEN + 100 + 1];

	RILL_ASSERT_CMP(rill_port_alloc(lab->port[A], 0, parts + 1, 2), ==, 2u);
	parts[0] = port_lab_make(lab, A, 0, 5);
	memset(rill_pkt_append(parts[1], 100), 0x55, 100);
	memset(rill_pkt_append(parts[2], 1), 0x66, 1);
	memcpy(whole, parts[0]->data, FRAME_LEN);
	memset(whole + FRAME_LEN, 0x55, 100);
	whole[FRAME_LEN + 100] = 0x66;
	rill_pkt_chain(parts[1], parts[2]);
	rill_pkt_chain(parts[0], parts[1]);
	RILL_ASSERT_CMP(rill_pkt_frame_len(parts[0]), ==, sizeof(whole));
	got = rill_port_copy(lab->port[A], 0, parts[0]);
	RILL_ASSERT_CMP(got->len, ==, sizeof(whole));
	RILL_ASSERT(!(got->flags & RILL_PKT_CHAIN));
	RILL_ASSERT(memcmp(got->data, whole, sizeof(whole)) == 0);
	rill_pkt_free(&got, 1);
	port_lab_send(lab, A, parts[0]);
	got = port_lab_recv(lab, B);
	RILL_ASSERT_CMP(got->len, ==, sizeof(whole));
	RILL_ASSERT(memcmp(got->data, whole, sizeof(whole)) == 0);
	rill_pkt_free(&got, 1);
	RILL_ASSERT_CMP(rill_port_stats(lab->port[A], 0, &stats), ==, 0);
	RILL_ASSERT_CMP(stats.tx_fixed, ==, 1u);
	return NULL;
}

/* A TCP segment that stands for three. */
static void *fit_gso(void *arg)
{
	const uint32_t headers = 14 + 20 + 20, payload = 1500, each = 600;
	struct lab *lab = arg;
	struct rill_pkt *p, *got;
	uint32_t seq = 1000;

	RILL_ASSERT_CMP(rill_port_alloc(lab->port[A], 0, &p, 1), ==, 1u);
	uint8_t *frame = rill_pkt_append(p, headers + payload), *ip = frame + 14;

	memset(frame, 0, headers);
	port_lab_macs(lab, A, frame);
	frame[12] = 8;
	frame[13] = 0;
	ip[0] = 0x45;
	ip[2] = (uint8_t)((headers - 14 + payload) >> 8);
	ip[3] = (uint8_t)(headers - 14 + payload);
	ip[8] = 64;
	ip[9] = 6;
	memcpy(ip + 12, (const uint8_t[]){198, 18, 0, 1, 198, 18, 0, 2}, 8);
	ip[20 + 6] = (uint8_t)(seq >> 8);
	ip[20 + 7] = (uint8_t)seq;
	ip[20 + 12] = 0x50;
	for (uint32_t i = 0; i < payload; i++)
		frame[headers + i] = (uint8_t)(i * 3);
	p->flags |= RILL_PKT_GSO | RILL_PKT_CSUM_PARTIAL;
	p->csum_start = 34;
	p->csum_offset = 16;
	p->meta.gso_size = (uint16_t)each;
	p->meta.header_len = (uint16_t)headers;
	port_lab_send(lab, A, p);
	for (uint32_t at = 0; at < payload; at += each, seq += each) {
		uint32_t len = RILL_MIN(each, payload - at);
		const struct rill_ip from = {RILL_AF_IP4, {198, 18, 0, 1}},
				     to = {RILL_AF_IP4, {198, 18, 0, 2}};

		got = port_lab_recv(lab, B);
		ip = got->data + 14;
		RILL_ASSERT_CMP(got->len, ==, headers + len);
		RILL_ASSERT_CMP((uint32_t)ip[26] << 8 | ip[27], ==, seq);
		RILL_ASSERT_CMP(rill_csum_fold(rill_csum_add(0, ip, 20)), ==, 0);
		RILL_ASSERT_CMP(
			rill_csum_fold(rill_csum_add(rill_csum_pseudo(&from, &to, 6, 20 + len),
						     ip + 20, 20 + len)),
			==, 0);
		for (uint32_t i = 0; i < len; i++)
			RILL_ASSERT_CMP(got->data[headers + i], ==, (uint8_t)((at + i) * 3));
		rill_pkt_free(&got, 1);
	}
	return NULL;
}

/* What cannot be sent at all is counted, and what comes behind it is sent. */
static void *fit_hopeless(void *arg)
{
	struct lab *lab = arg;
	struct rill_pkt *pkts[4], *more;
	struct rill_port_stats stats;
	uint32_t room_each;

	for (uint32_t i = 0; i < 4; i++)
		pkts[i] = port_lab_make(lab, A, 0, i);
	pkts[0]->flags |= RILL_PKT_GSO;
	pkts[0]->meta.gso_size = 1000;
	room_each = (uint32_t)rill_pkt_tailroom(pkts[1]);
	memset(rill_pkt_append(pkts[1], room_each), 0, room_each);
	RILL_ASSERT_CMP(rill_port_alloc(lab->port[A], 0, &more, 1), ==, 1u);
	memset(rill_pkt_append(more, 1000), 0, 1000);
	rill_pkt_chain(pkts[1], more);
	RILL_ASSERT_CMP(rill_port_send(lab->port[A], 0, pkts, 4, 0), ==, 4);
	for (uint32_t i = 2; i < 4; i++) {
		struct rill_pkt *got = port_lab_recv(lab, B);

		RILL_ASSERT_CMP(port_lab_number(got), ==, i);
		rill_pkt_free(&got, 1);
	}
	RILL_ASSERT_CMP(rill_port_stats(lab->port[A], 0, &stats), ==, 0);
	RILL_ASSERT_CMP(stats.tx_gso, ==, 1u);
	RILL_ASSERT_CMP(stats.tx_too_long, ==, 1u);
	RILL_ASSERT_CMP(stats.tx_packets, ==, 2u);
	return NULL;
}

static void test_fit(void **state)
{
	port_lab_run_in(&(struct lab_options){0}, fit_vlan);
	port_lab_run_in(&(struct lab_options){0}, fit_checksum);
	port_lab_run_in(&(struct lab_options){0}, fit_chain);
	port_lab_run_in(&(struct lab_options){0}, fit_gso);
	port_lab_run_in(&(struct lab_options){0}, fit_hopeless);
}

/* ---- packets ---- */

static void test_packets_run_out(void **state)
{
	struct rill_pkt *pkts[4096];
	struct rill_port_stats stats;
	struct rill_pkt *p;
	struct lab lab;
	unsigned n;

	port_lab_open(&lab, &(struct lab_options){.more = ",bufs=64,ring=16"});
	n = rill_port_alloc(lab.port[A], 0, pkts, 4096);
	assert_in_range(n, 1, 64);
	assert_int_equal(rill_port_alloc(lab.port[A], 0, &p, 1), 0);
	assert_int_equal(rill_port_alloc(lab.port[A], 1, &p, 1), 0);
	assert_null(rill_port_copy(lab.port[A], 0, pkts[0]));
	assert_int_equal(rill_port_stats(lab.port[A], 0, &stats), 0);
	assert_true(stats.alloc_failures > 0);
	/* of two pools, one of them held twice, and one that is no packet */
	assert_int_equal(rill_port_alloc(lab.port[B], 0, &p, 1), 1);
	rill_pkt_clone(p);
	pkts[n++] = NULL;
	pkts[n++] = p;
	rill_pkt_free(pkts, n);
	assert_true(rill_pkt_is_sole(p));
	rill_pkt_free(&p, 1);
	assert_int_equal(rill_port_alloc(lab.port[A], 0, pkts, n - 2), n - 2);
	rill_pkt_free(pkts, n - 2);
	port_lab_close(&lab);
}

static void test_push_and_pull(void **state)
{
	struct rill_pkt *p;
	struct lab lab;

	port_lab_open(&lab, &(struct lab_options){0});
	assert_int_equal(rill_port_alloc(lab.port[A], 0, &p, 1), 1);
	size_t head = rill_pkt_headroom(p), tail = rill_pkt_tailroom(p);

	assert_int_equal(head + tail, p->end - p->head);
	memset(rill_pkt_append(p, 20), 1, 20);
	p->csum_start = 10;
	memset(rill_pkt_push(p, 4), 2, 4);
	assert_int_equal(p->len, 24);
	assert_int_equal(p->csum_start, 14);
	assert_int_equal(rill_pkt_headroom(p), head - 4);
	assert_int_equal(rill_pkt_tailroom(p), tail - 20);
	rill_pkt_pull(p, 5);
	assert_int_equal(p->len, 19);
	assert_int_equal(p->csum_start, 9);
	assert_int_equal(p->data[0], 1);
	rill_pkt_free(&p, 1);
	port_lab_close(&lab);
}

/* ---- numbers ---- */

static void test_metrics(void **state)
{
	char *text = NULL;
	size_t size = 0;
	struct lab lab;

	port_lab_open(&lab, &(struct lab_options){.queues = 2});
	port_lab_send(&lab, A, port_lab_make(&lab, A, 0, 1));
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(rill_runtime_print_metrics(lab.rt, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "# TYPE rill_port_tx_packets counter"));
	assert_non_null(strstr(text, "\",queue=\"0\"} 1\n"));
	assert_non_null(strstr(text, ",queue=\"1\",reason=\"tx_full\"} 0\n"));
	/* a family once, whatever the number of queues and ports */
	char *first = strstr(text, "# TYPE rill_port_drops");

	assert_non_null(first);
	assert_null(strstr(first + 1, "# TYPE rill_port_drops"));
	free(text);
	port_lab_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_ring),	cmocka_unit_test(test_nic_goes_away),
		cmocka_unit_test(test_flush),		cmocka_unit_test(test_fit),
		cmocka_unit_test(test_packets_run_out), cmocka_unit_test(test_push_and_pull),
		cmocka_unit_test(test_metrics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
