/* SPDX-License-Identifier: BSD-3-Clause */
/* The link of an interface goes down and up, changes its MTU and MAC, and disappears. */
#include "tests/integration/lab.h"

#include <rill/time.h>

#include <stdlib.h>
#include <string.h>

#include "drivers/builtin.h"
#include "netstack/stack/net.h"

/* ---- a driver whose link the test sets: mem, but for that ---- */

static struct rill_driver flappy;
static struct rill_spinlock link_lock;
static struct rill_nic_link link_now; /* under link_lock */

static struct rill_nic_link get_link(void)
{
	rill_spin_lock(&link_lock);
	struct rill_nic_link link = link_now;

	rill_spin_unlock(&link_lock);
	return link;
}

static void set_link(struct rill_nic_link link)
{
	rill_spin_lock(&link_lock);
	link_now = link;
	rill_spin_unlock(&link_lock);
}

static void flappy_link(struct rill_nic *nic, struct rill_nic_link *ret_link)
{
	(void)nic;
	*ret_link = get_link();
}

static unsigned flappy_tx(struct rill_nic_queue *q, struct rill_buf **bufs, unsigned n)
{
	if (get_link().up)
		return rill_mem_driver.tx_burst(q, bufs, n);
	for (unsigned i = 0; i < n; i++)
		rill_buf_put_owner(q->pool, bufs[i]);
	q->stats.tx_dropped += n;
	return n;
}

static unsigned flappy_rx(struct rill_nic_queue *q, struct rill_buf **bufs, unsigned n)
{
	unsigned count = rill_mem_driver.rx_burst(q, bufs, n);

	if (get_link().up)
		return count;
	for (unsigned i = 0; i < count; i++)
		rill_buf_put_owner(q->pool, bufs[i]);
	return 0;
}

static void use_flappy(struct rill_shard *sh, void *arg)
{
	(void)arg;
	sh->driver = &flappy;
	sh->net->nic->driver = &flappy;
}

/* Looks at the link at once, as the home shard would within a tenth of a second. */
static void look(struct rill_shard *sh, void *arg)
{
	(void)arg;
	rill_link_look(sh);
}

static void change(struct lab *lab, struct rill_nic_link link)
{
	set_link(link);
	rill_shard_call(&lab->net[LAB_CLIENT]->shards[0], look, NULL);
}

static struct rill_nic_link begin(struct lab *lab)
{
	struct rill_net *net = lab->net[LAB_CLIENT];
	struct rill_nic_link link = {.up = true, .mtu = 1500};

	flappy = rill_mem_driver;
	flappy.link = flappy_link;
	flappy.tx_burst = flappy_tx;
	flappy.rx_burst = flappy_rx;
	memcpy(link.mac, net->nic->mac, sizeof(link.mac));
	set_link(link);
	for (unsigned i = 0; i < net->shard_count; i++)
		rill_shard_call(&net->shards[i], use_flappy, NULL);
	rill_link_start(net);
	return link;
}

static void expect_described(struct lab *lab, const char *part)
{
	const char *text = rill_net_describe(lab->net[LAB_CLIENT]);

	if (!strstr(text, part)) {
		fprintf(stderr, "'%s' lacks '%s'\n", text, part);
		abort();
	}
}

static const struct lab_options virtual_time = {
	.flavor = RILL_CURRENT_THREAD,
	.paused = true,
	.queues = 2,
};

/* ---- down and up ---- */

static void *send_datagram(struct lab *lab, ssize_t expected)
{
	struct rill_addr to = lab_addr(lab, LAB_SERVER, 9), any = {.port = 0};
	struct rill_udp *u = NULL;

	RILL_ASSERT_CMP(rill_udp_bind(lab->net[LAB_CLIENT], &any, NULL, &u), ==, 0);
	RILL_ASSERT_CMP(rill_udp_send(u, "x", 1, &to), ==, expected);
	rill_udp_close(u);
	return NULL;
}

static void *echo_in_background(void *arg)
{
	lab_echo_once(arg, 5, 100000);
	return NULL;
}

static void *down_and_up(void *arg)
{
	struct lab *lab = arg;
	struct rill_nic_link link = begin(lab);
	struct rill_listener *l = lab_listen(lab, 80, NULL);
	struct rill_task *server = lab_spawn(lab->rt[LAB_SERVER], lab_echo_server, l), *busy;
	struct rill_tcp *c = lab_connect(lab, l, NULL), *none = NULL;
	struct rill_addr to = rill_listener_addr(l);

	lab_echo_once(c, 1, 1000);
	link.up = false;
	change(lab, link);
	expect_described(lab, "link down");
	RILL_ASSERT_CMP(rill_tcp_connect(lab->net[LAB_CLIENT], NULL, &to, NULL, &none), ==,
			-ENETDOWN);
	send_datagram(lab, -ENETDOWN);
	/* what is under way waits */
	busy = lab_spawn(lab->rt[LAB_CLIENT], echo_in_background, c);
	RILL_ASSERT_CMP(rill_sleep(3 * RILL_SEC), ==, 0);
	link.up = true;
	change(lab, link);
	lab_join(busy);
	send_datagram(lab, 1);
	rill_tcp_close(c);
	c = lab_connect(lab, l, NULL);
	lab_echo_once(c, 2, 1000);
	rill_tcp_close(c);
	RILL_ASSERT_CMP(lab_metric(lab->rt[LAB_CLIENT], lab->net[LAB_CLIENT], "link_changes"), ==,
			2u);
	rill_listener_shutdown(l);
	lab_join(server);
	rill_listener_close(l);
	return NULL;
}

static void test_connections_outlive_a_link_that_is_down(void **state)
{
	(void)state;
	lab_run_in(&virtual_time, down_and_up);
}

/* ---- MTU and MAC ---- */

static uint32_t snd_mss(struct rill_tcp *c)
{
	struct rill_tcp_info info;

	RILL_ASSERT_CMP(rill_tcp_info(c, &info), ==, 0);
	return info.snd_mss;
}

static void *mtu_changes(void *arg)
{
	struct lab *lab = arg;
	struct rill_nic_link link = begin(lab);
	struct rill_listener *l = lab_listen(lab, 80, NULL);
	struct rill_task *server = lab_spawn(lab->rt[LAB_SERVER], lab_echo_server, l);
	struct rill_tcp *c = lab_connect(lab, l, NULL), *d;
	uint32_t before = snd_mss(c);

	lab_echo_once(c, 1, 100000);
	link.mtu = 1000;
	change(lab, link);
	expect_described(lab, "mtu now 1000");
	RILL_ASSERT_CMP(snd_mss(c), ==, before - 500);
	lab_echo_once(c, 2, 100000);
	d = lab_connect(lab, l, NULL);
	RILL_ASSERT_CMP(snd_mss(d), ==, before - 500);
	link.mtu = 1500;
	change(lab, link);
	lab_echo_once(d, 3, 100000);
	rill_tcp_close(d);
	d = lab_connect(lab, l, NULL);
	RILL_ASSERT_CMP(snd_mss(d), ==, before);
	lab_echo_once(d, 4, 100000);
	/* nonsense is not believed */
	link.mtu = 20;
	change(lab, link);
	lab_echo_once(d, 5, 100000);
	rill_tcp_close(c);
	rill_tcp_close(d);
	rill_listener_shutdown(l);
	lab_join(server);
	rill_listener_close(l);
	return NULL;
}

static void test_segments_follow_the_mtu(void **state)
{
	(void)state;
	lab_run_in(&virtual_time, mtu_changes);
}

static void take_mac(struct rill_shard *sh, void *arg)
{
	memcpy(arg, sh->core.l3.mac, 6);
}

static void *mac_changes(void *arg)
{
	struct lab *lab = arg;
	struct rill_nic_link link = begin(lab);
	uint8_t mac[6];

	link.mac[4] ^= 0x55;
	change(lab, link);
	for (unsigned i = 0; i < lab->net[LAB_CLIENT]->shard_count; i++) {
		rill_shard_call(&lab->net[LAB_CLIENT]->shards[i], take_mac, mac);
		RILL_ASSERT(memcmp(mac, link.mac, 6) == 0);
	}
	return NULL;
}

static void test_every_shard_has_the_new_mac(void **state)
{
	(void)state;
	lab_run_in(&virtual_time, mac_changes);
}

/* ---- gone ---- */

struct waiting {
	struct rill_net *net;
	struct rill_listener *l;
	struct rill_udp *u;
	struct rill_tcp *c;
	ssize_t accepted, received, datagram;
};

static void *wait_accept(void *arg)
{
	struct waiting *w = arg;
	struct rill_tcp *c;

	w->accepted = rill_tcp_accept(w->l, &c);
	return NULL;
}

static void *wait_receive(void *arg)
{
	struct waiting *w = arg;
	char buf[16];

	w->received = rill_tcp_recv(w->c, buf, sizeof(buf));
	return NULL;
}

static void *wait_datagram(void *arg)
{
	struct waiting *w = arg;
	char buf[16];

	w->datagram = rill_udp_recv(w->u, buf, sizeof(buf), NULL);
	return NULL;
}

static void *removal(void *arg)
{
	struct lab *lab = arg;
	struct rill_nic_link link = begin(lab);
	struct rill_listener *l = lab_listen(lab, 80, NULL);
	struct rill_task *tasks[3];
	struct waiting w = {.net = lab->net[LAB_CLIENT]};
	struct rill_addr any = {.port = 0}, to = rill_listener_addr(l);
	struct rill_tcp *none = NULL, *accepted = NULL;
	char buf[16];

	RILL_ASSERT_CMP(rill_tcp_listen(w.net, &any, NULL, &w.l), ==, 0);
	RILL_ASSERT_CMP(rill_udp_bind(w.net, &any, NULL, &w.u), ==, 0);
	w.c = lab_connect(lab, l, NULL);
	RILL_ASSERT_CMP(rill_tcp_accept(l, &accepted), ==, 0);
	tasks[0] = lab_spawn(lab->rt[LAB_CLIENT], wait_accept, &w);
	tasks[1] = lab_spawn(lab->rt[LAB_CLIENT], wait_receive, &w);
	tasks[2] = lab_spawn(lab->rt[LAB_CLIENT], wait_datagram, &w);
	RILL_ASSERT_CMP(rill_sleep(RILL_SEC), ==, 0);
	link.up = false;
	link.gone = true;
	change(lab, link);
	for (unsigned i = 0; i < 3; i++)
		lab_join(tasks[i]);
	RILL_ASSERT_CMP(w.accepted, ==, -ENODEV);
	RILL_ASSERT_CMP(w.received, ==, -ENODEV);
	RILL_ASSERT_CMP(w.datagram, ==, -ENODEV);
	expect_described(lab, "the NIC is gone");
	/* and whatever is asked from now on */
	RILL_ASSERT_CMP(rill_tcp_connect(w.net, NULL, &to, NULL, &none), ==, -ENODEV);
	RILL_ASSERT_CMP(rill_tcp_accept(w.l, &none), ==, -ENODEV);
	RILL_ASSERT_CMP(rill_udp_recv(w.u, buf, sizeof(buf), NULL), ==, -ENODEV);
	RILL_ASSERT_CMP(rill_udp_send(w.u, "x", 1, &to), ==, -ENODEV);
	RILL_ASSERT_CMP(rill_tcp_send(w.c, "x", 1), <, 0);
	/* for good */
	link.up = true;
	link.gone = false;
	change(lab, link);
	RILL_ASSERT_CMP(rill_tcp_connect(w.net, NULL, &to, NULL, &none), ==, -ENODEV);
	rill_listener_close(w.l);
	rill_udp_close(w.u);
	rill_tcp_close(w.c);
	/* The server hears nothing of it: its end of the connection is for its own timers. */
	rill_tcp_abort(accepted);
	rill_listener_close(l);
	return NULL;
}

static void test_a_nic_that_disappears(void **state)
{
	(void)state;
	lab_run_in(&virtual_time, removal);
}

/* ---- by itself ---- */

/* Nobody calls look(): the home shard does, also while its worker sleeps. */
static void *found_out(void *arg)
{
	struct lab *lab = arg;
	struct rill_nic_link link = begin(lab);
	struct rill_listener *l = lab_listen(lab, 80, NULL);
	struct rill_task *server = lab_spawn(lab->rt[LAB_SERVER], lab_echo_server, l);
	struct rill_addr any = {.port = 0}, to = lab_addr(lab, LAB_SERVER, 9);
	struct rill_udp *u = NULL;
	struct rill_tcp *c;

	RILL_ASSERT_CMP(rill_udp_bind(lab->net[LAB_CLIENT], &any, NULL, &u), ==, 0);
	for (unsigned round = 0; round < 3; round++) {
		link.up = false;
		set_link(link);
		while (rill_udp_send(u, "x", 1, &to) != -ENETDOWN)
			rill_sleep(RILL_MS);
		link.up = true;
		set_link(link);
		while (rill_udp_send(u, "x", 1, &to) != 1)
			rill_sleep(RILL_MS);
		c = lab_connect(lab, l, NULL);
		lab_echo_once(c, round, 10000);
		rill_tcp_close(c);
	}
	rill_udp_close(u);
	rill_listener_shutdown(l);
	lab_join(server);
	rill_listener_close(l);
	return NULL;
}

static void test_it_is_found_out_by_itself(void **state)
{
	const struct lab_options o = {.flavor = RILL_CURRENT_THREAD, .queues = 2};

	(void)state;
	lab_run_in(&o, found_out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connections_outlive_a_link_that_is_down),
		cmocka_unit_test(test_segments_follow_the_mtu),
		cmocka_unit_test(test_every_shard_has_the_new_mac),
		cmocka_unit_test(test_a_nic_that_disappears),
		cmocka_unit_test(test_it_is_found_out_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
