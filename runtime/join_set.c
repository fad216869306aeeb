/* SPDX-License-Identifier: BSD-3-Clause */
#include <rill/group.h>
#include <stdlib.h>

#include "runtime/group.h"

struct rill_join_set {
	struct rill_group g; /* first: it is what is freed */
};

static const struct rill_group_ops set_ops = {
	.ended = rill_group_ended_push,
	.ready = rill_group_ready_first,
};

int rill_join_set_create(struct rill_join_set **ret_set)
{
	struct rill_join_set *set = malloc(sizeof(*set));

	if (!set)
		return -ENOMEM;
	rill_group_init(&set->g, &set_ops);
	*ret_set = set;
	return 0;
}

void rill_join_set_destroy(struct rill_join_set *set)
{
	if (set)
		rill_group_destroy(&set->g);
}

int rill_join_set_spawn(struct rill_join_set *set, void *(*fn)(void *), void *arg)
{
	struct rill_group_spawn s = {NULL, __builtin_return_address(0), fn, arg, false};

	return rill_group_spawn(&set->g, &s, NULL);
}

int rill_join_set_spawn_with(struct rill_join_set *set, const struct rill_spawn_options *o,
			     void *(*fn)(void *), void *arg, struct rill_abort_handle *ret_handle)
{
	struct rill_group_spawn s = {o, __builtin_return_address(0), fn, arg, false};

	return rill_group_spawn(&set->g, &s, ret_handle);
}

int rill_join_set_spawn_blocking(struct rill_join_set *set, const struct rill_spawn_options *o,
				 void *(*fn)(void *), void *arg,
				 struct rill_abort_handle *ret_handle)
{
	struct rill_group_spawn s = {o, __builtin_return_address(0), fn, arg, true};

	return rill_group_spawn(&set->g, &s, ret_handle);
}

int rill_join_set_join_next(struct rill_join_set *set, struct rill_outcome *ret_outcome)
{
	return rill_group_join_next(&set->g, ret_outcome, NULL);
}

int rill_join_set_try_join_next(struct rill_join_set *set, struct rill_outcome *ret_outcome)
{
	return rill_group_try_join_next(&set->g, ret_outcome, NULL);
}

void rill_case_join_set(struct rill_case *c, struct rill_join_set *set,
			struct rill_outcome *ret_outcome)
{
	rill_group_await_init(rill_await_of(c), &set->g, ret_outcome, NULL);
}

size_t rill_join_set_len(const struct rill_join_set *set)
{
	return rill_group_len(&set->g);
}

bool rill_join_set_is_empty(const struct rill_join_set *set)
{
	return rill_group_len(&set->g) == 0;
}

void rill_join_set_abort_all(struct rill_join_set *set)
{
	rill_group_abort_all(&set->g);
}

void rill_join_set_detach_all(struct rill_join_set *set)
{
	rill_group_detach_all(&set->g);
}

int rill_join_set_shutdown(struct rill_join_set *set)
{
	return rill_group_shutdown(&set->g);
}

int rill_join_set_join_all(struct rill_join_set *set,
			   void (*each)(void *user, const struct rill_outcome *o), void *user,
			   struct rill_outcome *ret_failed)
{
	return rill_group_join_all(&set->g, each, user, ret_failed);
}
