/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/cc.h"

#include <errno.h>
#include <stddef.h>

#include "netstack/stack/net.h"
#include "netstack/tcp/cc.h"

const char *cc_name(unsigned n)
{
	const struct rill_tcp_cc *const *cc = rill_tcp_cc_all;

	while (n > 0 && *cc) {
		cc++;
		n--;
	}
	return *cc ? (*cc)->name : NULL;
}

int cc_set(struct rill_net *net, const char *name)
{
	const struct rill_tcp_cc *cc = rill_tcp_cc_find(name);

	if (!cc)
		return -ENOENT;
	for (unsigned i = 0; i < net->shard_count; i++)
		net->shards[i].core.env.cc = cc;
	return 0;
}
