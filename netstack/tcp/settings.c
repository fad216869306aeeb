/* SPDX-License-Identifier: BSD-3-Clause */
/* Settings that connections share until one is changed. */
#include "netstack/tcp/tcb.h"

struct rill_tcp_settings *rill_tcp_settings_get(struct rill_tcp_settings *s)
{
	s->refs++;
	return s;
}

void rill_tcp_settings_put(struct rill_tcp_env *env, struct rill_tcp_settings *s)
{
	if (!s || --s->refs > 0 || s == &env->settings)
		return;
	rill_slab_free(&env->settings_slab, s);
}

struct rill_tcp_settings *rill_tcp_settings_own(struct rill_tcb *tcb, struct rill_tcp_env *env)
{
	struct rill_tcp_settings *s = tcb->settings;

	if (s != &env->settings && s->refs == 1)
		return s;
	s = rill_slab_alloc(&env->settings_slab);
	if (!s)
		return NULL;
	*s = *tcb->settings;
	s->refs = 1;
	rill_tcp_settings_put(env, tcb->settings);
	tcb->settings = s;
	return s;
}
