/* SPDX-License-Identifier: BSD-3-Clause */
/* What the algorithms share, and their names. */
#include "netstack/tcp/cc.h"

#include <string.h>

/* RFC 6928, 2. */
#define INITIAL_WINDOW_BYTES 1460

uint32_t rill_tcp_initial_window(const struct rill_tcb *tcb, const struct rill_tcp_env *env)
{
	uint32_t mss = tcb->snd_mss;
	uint32_t segments = env->params.initial_window;

	/* RFC 5681, 3.1: one segment when the SYN was lost. */
	if (tcb->flags & RILL_TCB_SYN_RESENT)
		return mss;
	return RILL_MIN(segments * mss, RILL_MAX(2 * mss, segments * INITIAL_WINDOW_BYTES));
}

const struct rill_tcp_cc *const rill_tcp_cc_all[] = {
	&rill_tcp_cc_newreno,
	NULL,
};

const struct rill_tcp_cc *rill_tcp_cc_find(const char *name)
{
	if (strcmp(name, "newreno") == 0)
		name = "reno";
	for (unsigned i = 0; rill_tcp_cc_all[i]; i++)
		if (strcmp(rill_tcp_cc_all[i]->name, name) == 0)
			return rill_tcp_cc_all[i];
	return NULL;
}
