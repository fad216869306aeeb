/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/local.h"

#include <rill/local.h>
#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"
#include "runtime/runtime.h"

/* Of plain threads, and of a worker between tasks. */
static __thread struct rill_local_scope *tls_locals __attribute__((tls_model("initial-exec")));

/* The caller's chain, innermost first. Good until the next switch. */
static RILL_NOINLINE struct rill_local_scope **chain(void)
{
	struct rill_task *t = rill_task_current();

	/* keeps the call from being merged with an earlier one */
	__asm__ volatile("");
	return t ? &t->locals : &tls_locals;
}

void rill_local_begin(struct rill_local_scope *s, const struct rill_local_key *key, void *value)
{
	struct rill_local_scope **top = chain();

	*s = (struct rill_local_scope){.parent = *top, .key = key, .value = value};
	*top = s;
}

void rill_local_end(struct rill_local_scope *s)
{
	struct rill_local_scope **top = chain();

	RILL_ASSERT(*top == s); /* locals end in the reverse order of their beginnings */
	*top = s->parent;
}

static struct rill_local_scope *find(const struct rill_local_key *key)
{
	struct rill_local_scope *s = *chain();

	while (s && s->key != key)
		s = s->parent;
	return s;
}

void *rill_local_get(const struct rill_local_key *key)
{
	struct rill_local_scope *s = find(key);

	return s ? s->value : NULL;
}

int rill_local_find(const struct rill_local_key *key, void **ret_value)
{
	struct rill_local_scope *s = find(key);

	if (!s)
		return -ENOENT;
	*ret_value = s->value;
	return 0;
}

/* ---- inheritance ---- */

/* What a child begins with: the last of its chain, linked in order. */
struct heritage {
	unsigned n;
	struct rill_local_scope scopes[];
};

static bool inherits(const struct rill_local_scope *first, const struct rill_local_scope *s)
{
	if (!s->key->inherit)
		return false;
	/* One that is shadowed is out of sight. */
	for (; first != s; first = first->parent)
		if (first->key == s->key)
			return false;
	return true;
}

static int copy_value(const struct rill_local_scope *s, void **ret_value)
{
	if (s->key->copy)
		return s->key->copy(s->value, ret_value);
	*ret_value = s->value;
	return 0;
}

static void heritage_free(struct heritage *h)
{
	for (unsigned i = 0; i < h->n; i++) {
		const struct rill_local_scope *s = &h->scopes[i];

		if (s->key->copy && s->key->destroy)
			s->key->destroy(s->value);
	}
	free(h);
}

static int heritage_fill(struct heritage *h, const struct rill_local_scope *first)
{
	for (const struct rill_local_scope *s = first; s; s = s->parent) {
		struct rill_local_scope *to = &h->scopes[h->n];
		void *value;

		if (!inherits(first, s))
			continue;
		int r = copy_value(s, &value);

		if (r < 0)
			return r;
		*to = (struct rill_local_scope){.key = s->key, .value = value, .opaque = h};
		if (h->n++ > 0)
			to[-1].parent = to;
	}
	return 0;
}

int rill_local_inherit(struct rill_task *child)
{
	const struct rill_local_scope *first = rill_task_current()->locals;
	unsigned n = 0;

	for (const struct rill_local_scope *s = first; s; s = s->parent)
		n += inherits(first, s);
	if (n == 0)
		return 0;
	struct heritage *h = malloc(sizeof(*h) + n * sizeof(h->scopes[0]));

	if (!h)
		return -ENOMEM;
	h->n = 0;
	int r = heritage_fill(h, first);

	if (r < 0) {
		heritage_free(h);
		return r;
	}
	child->locals = h->scopes;
	return 0;
}

void rill_local_unwind(struct rill_task *t)
{
	while (t->locals && !t->locals->opaque)
		t->locals = t->locals->parent;
}

void rill_local_release(struct rill_task *t)
{
	struct rill_local_scope *s = t->locals;

	RILL_ASSERT(s->opaque); /* else a function returned between begin and end */
	t->locals = NULL;
	heritage_free(s->opaque);
}
