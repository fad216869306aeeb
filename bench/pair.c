/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/pair.h"

#include "bench/bench.h"

#include <stdio.h>

static int open_net(struct rill_runtime *rt, const char *nic, const char *addr,
		    struct rill_net **ret_net)
{
	struct rill_net_options o = {RILL_OPTIONS(o), .nic = nic, .addr = addr, .queues = 1};
	int err = rill_net_open(rt, &o, ret_net);

	if (err < 0)
		fprintf(stderr, "rill-bench: %s\n", rill_net_error());
	return err;
}

int pair_open(struct pair *p, const char *nic, struct rill_runtime *server_rt)
{
	int err;

	*p = (struct pair){0};
	err = open_net(NULL, nic, "198.18.0.1/24", &p->client_net);
	if (err == 0)
		err = open_net(server_rt, nic, "198.18.0.2/24", &p->server_net);
	if (err < 0) {
		pair_close(p);
		return err;
	}
	p->server_addr = (struct rill_addr){.ip = rill_net_ip(p->server_net), .port = PAIR_PORT};
	return 0;
}

void pair_close(struct pair *p)
{
	if (p->client_net)
		rill_net_close(p->client_net);
	if (p->server_net)
		rill_net_close(p->server_net);
}

const struct rill_tcp_options *pair_tcp_options(void)
{
	static const struct rill_tcp_options o = {RILL_OPTIONS(o), .nodelay = true};

	return &o;
}

struct rill_listener *pair_listen(const struct pair *p, unsigned offset)
{
	struct rill_addr addr = p->server_addr;
	struct rill_listener *l;

	addr.port = (uint16_t)(addr.port + offset);
	bench_must(rill_tcp_listen(p->server_net, &addr, pair_tcp_options(), &l), "listen");
	return l;
}

struct rill_tcp *pair_connect(const struct pair *p, unsigned offset)
{
	struct rill_addr addr = p->server_addr;
	struct rill_tcp *c;

	addr.port = (uint16_t)(addr.port + offset);
	bench_must(rill_tcp_connect(p->client_net, NULL, &addr, pair_tcp_options(), &c), "connect");
	return c;
}
