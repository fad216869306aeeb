/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/poller.h"

#include <errno.h>

#include "runtime/runtime.h"

static int add(struct rill_runtime *rt, struct rill_poller *p, int home)
{
	int r = -ENOSPC;

	pthread_mutex_lock(&rt->poller_lock);
	for (unsigned i = 0; i < RILL_POLLERS_MAX; i++) {
		if (rill_load_relaxed(&rt->pollers[i]))
			continue;
		p->rt = rt;
		p->home = home < 0 ? i % rt->worker_count : (unsigned)home;
		p->deadline_ns = UINT64_MAX;
		/* release: pairs with the acquires of the workers; seq_cst count after it */
		rill_store_release(&rt->pollers[i], p);
		if (i >= rill_load_relaxed(&rt->poller_count))
			rill_store_relaxed(&rt->poller_count, i + 1);
		r = 0;
		break;
	}
	pthread_mutex_unlock(&rt->poller_lock);
	/* A sleeping home has to begin sleeping on the new fd. */
	if (r == 0)
		rill_idle_kick(&rt->workers[p->home]);
	return r;
}

int rill_poller_add(struct rill_runtime *rt, struct rill_poller *p)
{
	return add(rt, p, -1);
}

int rill_poller_add_at(struct rill_runtime *rt, struct rill_poller *p, unsigned home)
{
	return add(rt, p, (int)home);
}

void rill_poller_remove(struct rill_poller *p)
{
	struct rill_runtime *rt = p->rt;

	pthread_mutex_lock(&rt->poller_lock);
	for (unsigned i = 0; i < RILL_POLLERS_MAX; i++)
		if (rill_load_relaxed(&rt->pollers[i]) == p)
			rill_store_relaxed(&rt->pollers[i], (struct rill_poller *)NULL);
	pthread_mutex_unlock(&rt->poller_lock);
	rill_runtime_quiesce(rt);
}
