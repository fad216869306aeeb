/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lwIP's side of the benchmarks of a network in one process: `lwip_pair udp|tcp` prints nanoseconds
 * per round trip of 64 bytes, and `lwip_pair bulk` those per 1,460 bytes, one segment, of a stream.
 *
 * Two interfaces of one lwIP, wired back to back; all calls are of the raw API, from one thread,
 * which is also the main loop. Checksums are made and checked. Debian's lwIP is built for threads,
 * and would lock a recursive mutex around every allocation. Here is one thread, so its three
 * functions for that are replaced by empty ones, which makes it what NO_SYS=1 would be.
 */
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <lwip/udp.h>
#include <netif/ethernet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bench/limits/limit.h"

#define MESSAGE_BYTES 64
#define PORT 7
#define OPS 1000
#define SEGMENT_BYTES 1460
#define SEGMENTS 4096
#define WIRE_SLOTS 64
/* A timer is looked at every so many turns of the main loop. */
#define TURNS_PER_TIMER_CHECK 64

/* What was sent to an interface and has not been received by it. */
struct wire {
	struct netif netif;
	struct wire *peer;
	struct pbuf *slots[WIRE_SLOTS];
	unsigned head, tail;
};

static struct wire client_wire, server_wire;
static struct udp_pcb *client_udp;
static struct tcp_pcb *client_tcp;
static char message[MESSAGE_BYTES];
static unsigned replies;
static size_t reply_bytes;
static size_t bulk_bytes;

sys_prot_t sys_arch_protect(void)
{
	return 0;
}

void sys_arch_unprotect(sys_prot_t p)
{
	(void)p;
}

void sys_check_core_locking(void)
{
}

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "lwip_pair: %s failed\n", what);
	exit(1);
}

static err_t wire_send(struct netif *netif, struct pbuf *p)
{
	struct wire *to = ((struct wire *)netif->state)->peer;
	struct pbuf *frame;

	if (to->tail - to->head == WIRE_SLOTS)
		return ERR_BUF;
	/*
	 * The sender keeps its buffer for a retransmission, and will write to it. In one piece:
	 * the buffers of the packaged pool are small, and a frame would take three.
	 */
	frame = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
	if (!frame)
		return ERR_MEM;
	to->slots[to->tail++ % WIRE_SLOTS] = frame;
	return ERR_OK;
}

static err_t wire_init(struct netif *netif)
{
	struct wire *w = netif->state;

	netif->name[0] = 'w';
	netif->name[1] = w == &client_wire ? 'c' : 's';
	netif->output = etharp_output;
	netif->linkoutput = wire_send;
	netif->mtu = 1500;
	netif->hwaddr_len = 6;
	memcpy(netif->hwaddr, "\x02\0\0\0\0", 5);
	netif->hwaddr[5] = w == &client_wire ? 1 : 2;
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
	return ERR_OK;
}

static void wire_open(struct wire *w, struct wire *peer, unsigned char host)
{
	ip4_addr_t addr, mask, gateway;

	IP4_ADDR(&addr, 198, 18, 0, host);
	IP4_ADDR(&mask, 255, 255, 255, 0);
	ip4_addr_set_zero(&gateway);
	w->peer = peer;
	check(netif_add(&w->netif, &addr, &mask, &gateway, w, wire_init, ethernet_input),
	      "netif_add");
	netif_set_up(&w->netif);
	netif_set_link_up(&w->netif);
}

static void wire_receive(struct wire *w)
{
	while (w->head != w->tail) {
		struct pbuf *p = w->slots[w->head++ % WIRE_SLOTS];

		if (w->netif.input(p, &w->netif) != ERR_OK)
			pbuf_free(p);
	}
}

static void turn(void)
{
	static unsigned turns;

	wire_receive(&server_wire);
	wire_receive(&client_wire);
	if (turns++ % TURNS_PER_TIMER_CHECK == 0)
		sys_check_timeouts();
}

static void udp_echo(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
		     u16_t port)
{
	(void)arg;
	check(udp_sendto(pcb, p, from, port) == ERR_OK, "udp_sendto");
	pbuf_free(p);
}

static void udp_reply(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
		      u16_t port)
{
	(void)arg, (void)pcb, (void)from, (void)port;
	pbuf_copy_partial(p, message, MESSAGE_BYTES, 0);
	pbuf_free(p);
	replies++;
}

static void udp_start(void)
{
	struct udp_pcb *server = udp_new();

	client_udp = udp_new();
	check(server && client_udp, "udp_new");
	udp_bind_netif(server, &server_wire.netif);
	udp_bind_netif(client_udp, &client_wire.netif);
	check(udp_bind(server, &server_wire.netif.ip_addr, PORT) == ERR_OK, "udp_bind");
	check(udp_bind(client_udp, &client_wire.netif.ip_addr, 0) == ERR_OK, "udp_bind");
	check(udp_connect(client_udp, &server_wire.netif.ip_addr, PORT) == ERR_OK, "udp_connect");
	udp_recv(server, udp_echo, NULL);
	udp_recv(client_udp, udp_reply, NULL);
}

static void udp_round(void)
{
	for (int i = 0; i < OPS; i++) {
		struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, MESSAGE_BYTES, PBUF_RAM);
		unsigned before = replies;

		check(p, "pbuf_alloc");
		pbuf_take(p, message, MESSAGE_BYTES);
		check(udp_send(client_udp, p) == ERR_OK, "udp_send");
		pbuf_free(p);
		while (replies == before)
			turn();
	}
}

static err_t tcp_echo(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	char copy[MESSAGE_BYTES];
	u16_t len;

	(void)arg, (void)err;
	check(p, "the connection");
	len = pbuf_copy_partial(p, copy, sizeof(copy), 0);
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	check(tcp_write(pcb, copy, len, TCP_WRITE_FLAG_COPY) == ERR_OK, "tcp_write");
	return tcp_output(pcb);
}

static err_t tcp_reply(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	(void)arg, (void)err;
	check(p, "the connection");
	pbuf_copy_partial(p, message, MESSAGE_BYTES, 0);
	reply_bytes += p->tot_len;
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	return ERR_OK;
}

static err_t tcp_serve(void *arg, struct tcp_pcb *pcb, err_t err)
{
	(void)arg;
	check(err == ERR_OK, "tcp_accept");
	tcp_nagle_disable(pcb);
	tcp_recv(pcb, tcp_echo);
	return ERR_OK;
}

static err_t tcp_is_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
	(void)pcb;
	check(err == ERR_OK, "tcp_connect");
	*(bool *)arg = true;
	return ERR_OK;
}

/* Writes as much as there is room for, whole segments. */
static err_t bulk_write(void *arg, struct tcp_pcb *pcb, u16_t acked)
{
	static char chunk[UINT16_MAX / SEGMENT_BYTES * SEGMENT_BYTES];
	u16_t room = tcp_sndbuf(pcb) / SEGMENT_BYTES * SEGMENT_BYTES;

	(void)arg, (void)acked;
	if (room == 0)
		return ERR_OK;
	check(tcp_write(pcb, chunk, room, TCP_WRITE_FLAG_COPY) == ERR_OK, "tcp_write");
	return tcp_output(pcb);
}

static err_t bulk_read(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	static char chunk[UINT16_MAX];

	(void)arg, (void)err;
	check(p, "the connection");
	bulk_bytes += pbuf_copy_partial(p, chunk, p->tot_len, 0);
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	return ERR_OK;
}

static err_t bulk_serve(void *arg, struct tcp_pcb *pcb, err_t err)
{
	(void)arg;
	check(err == ERR_OK, "tcp_accept");
	tcp_sent(pcb, bulk_write);
	return bulk_write(NULL, pcb, 0);
}

static void tcp_start(tcp_accept_fn serve, tcp_recv_fn reply)
{
	struct tcp_pcb *server = tcp_new();
	bool connected = false;

	client_tcp = tcp_new();
	check(server && client_tcp, "tcp_new");
	tcp_bind_netif(server, &server_wire.netif);
	tcp_bind_netif(client_tcp, &client_wire.netif);
	check(tcp_bind(server, &server_wire.netif.ip_addr, PORT) == ERR_OK, "tcp_bind");
	check(tcp_bind(client_tcp, &client_wire.netif.ip_addr, 0) == ERR_OK, "tcp_bind");
	server = tcp_listen(server);
	check(server, "tcp_listen");
	tcp_accept(server, serve);
	tcp_arg(client_tcp, &connected);
	tcp_nagle_disable(client_tcp);
	tcp_recv(client_tcp, reply);
	check(tcp_connect(client_tcp, &server_wire.netif.ip_addr, PORT, tcp_is_connected) == ERR_OK,
	      "tcp_connect");
	while (!connected)
		turn();
}

static void bulk_round(void)
{
	for (bulk_bytes = 0; bulk_bytes < SEGMENTS * SEGMENT_BYTES;)
		turn();
}

static void tcp_round(void)
{
	for (int i = 0; i < OPS; i++) {
		reply_bytes = 0;
		check(tcp_write(client_tcp, message, MESSAGE_BYTES, TCP_WRITE_FLAG_COPY) == ERR_OK,
		      "tcp_write");
		check(tcp_output(client_tcp) == ERR_OK, "tcp_output");
		while (reply_bytes < MESSAGE_BYTES)
			turn();
	}
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	lwip_init();
	wire_open(&client_wire, &server_wire, 1);
	wire_open(&server_wire, &client_wire, 2);
	if (strcmp(what, "udp") == 0) {
		udp_start();
		return limit_main(udp_round, OPS);
	}
	if (strcmp(what, "tcp") == 0) {
		tcp_start(tcp_serve, tcp_reply);
		return limit_main(tcp_round, OPS);
	}
	if (strcmp(what, "bulk") == 0) {
		tcp_start(bulk_serve, bulk_read);
		return limit_main(bulk_round, SEGMENTS);
	}
	fprintf(stderr, "usage: lwip_pair udp|tcp|bulk\n");
	return 2;
}
