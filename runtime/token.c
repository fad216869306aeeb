/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two kinds of locks. One for each token, of those who wait for it: all that a park in a scope
 * takes, so tasks of different tokens do not meet. And one for the tree, of its shape, which
 * changes when a token comes, goes, or is cancelled.
 *
 * A cancel walks the tree below its token without recursion, from a token to its first child while
 * there is one, and then up again, taking out each token that it is done with. So what is left
 * below a token is what has not been reached yet, for every cancel that is under way: each may do
 * the work of the others, and none returns before all is done. Every few steps and wakes a walk
 * lets go of the locks. Whoever takes a token out meanwhile moves the walks that stand there to its
 * parent, which they have come by.
 */
#include "runtime/token.h"

#include <stdlib.h>

#include "base/assert.h"
#include "runtime/await.h"

/*
 * How many tokens and waiters a walk sees to, or how many children find a new parent, under one
 * hold of the lock.
 */
#ifndef RILL_TOKEN_STEPS
#define RILL_TOKEN_STEPS 32
#endif

/* Made with the first token, and freed with the last. */
struct rill_token_tree {
	struct rill_token root;
	struct rill_spinlock lock;
	size_t tokens;		/* not freed yet */
	struct rill_list walks; /* under way */
};

struct walk {
	struct rill_list link;
	struct rill_token *top;
	struct rill_token *at; /* NULL: all is done */
	bool marked;	       /* at is cancelled, and all who waited for it are woken */
	unsigned left;	       /* tokens and waiters until it lets others have the lock */
	struct rill_wake_batch batch;
};

static void token_init(struct rill_token *t, struct rill_token_tree *tree)
{
	*t = (struct rill_token){.refs = 1, .tree = tree};
	rill_list_init(&t->scopes);
	rill_list_init(&t->awaits);
	rill_list_init(&t->children);
	rill_list_init(&t->sibling);
	tree->tokens++;
}

/* ---- the tree, under its lock ---- */

static struct rill_token *first_child(const struct rill_token *t)
{
	return rill_list_empty(&t->children)
		       ? NULL
		       : RILL_LIST_ENTRY(t->children.next, struct rill_token, sibling);
}

static void adopt(struct rill_token *parent, struct rill_token *child)
{
	rill_list_del(&child->sibling);
	child->parent = parent;
	if (parent)
		rill_list_push_back(&parent->children, &child->sibling);
}

/* Out of the tree, childless. */
static void detach(struct rill_token *t)
{
	RILL_LIST_FOR_EACH (n, &t->tree->walks) {
		struct walk *w = RILL_LIST_ENTRY(n, struct walk, link);

		if (w->at != t)
			continue;
		w->at = w->top == t ? NULL : t->parent;
		w->marked = true;
	}
	adopt(NULL, t);
}

/* ---- cancel ---- */

static bool wake_one_locked(struct rill_token *t, struct rill_wake_batch *batch)
{
	struct rill_list *n = rill_list_pop_front(&t->scopes);
	struct rill_await *aw = rill_await_first(&t->awaits);

	if (n)
		rill_wake_add(batch, RILL_LIST_ENTRY(n, struct rill_token_node, link)->waiter);
	else if (aw)
		rill_await_grant(aw, batch);
	return n || aw;
}

/* Nobody new waits for it from here on. */
static void mark(struct walk *w)
{
	struct rill_token *t = w->at;

	rill_spin_lock(&t->lock);
	/* release: pairs with the acquire in rill_token_cancelled() */
	rill_store_release(&t->cancelled, true);
	while (w->left > 0 && wake_one_locked(t, &w->batch))
		w->left--;
	rill_spin_unlock(&t->lock);
	w->marked = w->left > 0;
}

/* One token down, or up. */
static void step(struct walk *w)
{
	struct rill_token *child = first_child(w->at);

	w->left--;
	if (child) {
		w->at = child;
		w->marked = false;
	} else {
		detach(w->at);
	}
}

/* Lets others have the lock, and who is woken already run. */
static void pause_walk(struct rill_token_tree *tree, struct walk *w)
{
	rill_spin_unlock(&tree->lock);
	rill_wake_flush(&w->batch);
	rill_spin_lock(&tree->lock);
	w->left = RILL_TOKEN_STEPS;
}

static void walk(struct rill_token_tree *tree, struct walk *w)
{
	rill_list_push_back(&tree->walks, &w->link);
	while (w->at) {
		if (!w->marked)
			mark(w);
		if (w->left > 0)
			step(w);
		else
			pause_walk(tree, w);
	}
	rill_list_del(&w->link);
}

void rill_token_cancel(struct rill_token *t)
{
	struct walk w = {
		.top = t, .at = t, .left = RILL_TOKEN_STEPS, .batch = RILL_WAKE_BATCH_INIT};
	struct rill_token_tree *tree = t->tree;

	rill_spin_lock(&tree->lock);
	/* Before anybody can see the cancel, and unref what he thinks nobody uses any more. */
	rill_fetch_add_relaxed(&t->refs, 1);
	walk(tree, &w);
	rill_spin_unlock(&tree->lock);
	rill_wake_flush(&w.batch);
	rill_token_unref(t);
}

bool rill_token_is_cancelled(const struct rill_token *t)
{
	return rill_token_cancelled(t);
}

/* ---- waiting ---- */

bool rill_token_arm(struct rill_token *t, struct rill_token_node *n, struct rill_waiter *w)
{
	bool armed;

	n->waiter = w;
	rill_spin_lock(&t->lock);
	armed = !rill_load_relaxed(&t->cancelled);
	if (armed)
		rill_list_push_back(&t->scopes, &n->link);
	rill_spin_unlock(&t->lock);
	return armed;
}

void rill_token_disarm(struct rill_token *t, struct rill_token_node *n)
{
	rill_spin_lock(&t->lock);
	rill_list_del(&n->link);
	rill_spin_unlock(&t->lock);
}

static int token_try(struct rill_await *aw)
{
	return rill_token_cancelled(aw->obj) ? 0 : -EAGAIN;
}

static int token_arm(struct rill_await *aw)
{
	struct rill_token *t = aw->obj;

	rill_spin_lock(&t->lock);
	bool cancelled = rill_load_relaxed(&t->cancelled);

	if (!cancelled)
		rill_list_push_back(&t->awaits, &aw->link);
	rill_spin_unlock(&t->lock);
	return cancelled ? 0 : -EAGAIN;
}

static int token_disarm(struct rill_await *aw, bool take)
{
	struct rill_token *t = aw->obj;

	rill_spin_lock(&t->lock);
	rill_list_del(&aw->link);
	bool granted = rill_await_granted(aw);

	rill_spin_unlock(&t->lock);
	return granted && take ? 0 : -EAGAIN;
}

static const struct rill_await_ops token_ops = {
	.what = "token",
	.try = token_try,
	.arm = token_arm,
	.disarm = token_disarm,
};

int rill_token_wait(struct rill_token *t)
{
	return rill_await_on(&token_ops, t, NULL);
}

void rill_case_token(struct rill_case *c, struct rill_token *t)
{
	rill_await_init(rill_await_of(c), &token_ops, t, NULL);
}

int rill_token_run_until_cancelled(struct rill_token *t, int (*fn)(void *), void *arg,
				   int *ret_result)
{
	struct rill_scope scope;

	if (rill_token_cancelled(t))
		return -ECANCELED;
	rill_scope_begin(&scope, RILL_FOREVER, t);
	int r = fn(arg);

	rill_scope_end(&scope);
	*ret_result = r;
	return 0;
}

/* ---- owners ---- */

int rill_token_create(struct rill_token **ret_token)
{
	struct rill_token_tree *tree = malloc(sizeof(*tree));

	if (!tree)
		return -ENOMEM;
	tree->lock = (struct rill_spinlock){0};
	tree->tokens = 0;
	rill_list_init(&tree->walks);
	token_init(&tree->root, tree);
	*ret_token = &tree->root;
	return 0;
}

int rill_token_child(struct rill_token *parent, struct rill_token **ret_token)
{
	struct rill_token_tree *tree = parent->tree;
	struct rill_token *t = malloc(sizeof(*t));

	if (!t)
		return -ENOMEM;
	rill_spin_lock(&tree->lock);
	token_init(t, tree);
	/* relaxed: it is written under the tree's lock, too */
	t->cancelled = rill_load_relaxed(&parent->cancelled);
	if (!t->cancelled)
		adopt(parent, t);
	rill_spin_unlock(&tree->lock);
	*ret_token = t;
	return 0;
}

struct rill_token *rill_token_ref(struct rill_token *t)
{
	RILL_ASSERT(rill_fetch_add_relaxed(&t->refs, 1) > 0);
	return t;
}

/* Called with the tree locked; unlocks it. */
static void token_free(struct rill_token *t)
{
	struct rill_token_tree *tree = t->tree;
	bool last = --tree->tokens == 0;

	RILL_ASSERT(rill_list_empty(&t->scopes) && rill_list_empty(&t->awaits));
	rill_spin_unlock(&tree->lock);
	if (t != &tree->root)
		free(t);
	if (last)
		free(tree);
}

void rill_token_unref(struct rill_token *t)
{
	struct rill_token *child;

	/* acq_rel: the last one sees what the others did before; and its own before */
	if (!t || rill_fetch_sub_acq_rel(&t->refs, 1) > 1)
		return;
	rill_spin_lock(&t->tree->lock);
	/* Where it stands in the tree it may still be met by a walk, which may even take it out. */
	for (unsigned steps = 1; (child = first_child(t)); steps++) {
		adopt(t->parent, child);
		if (steps % RILL_TOKEN_STEPS != 0)
			continue;
		rill_spin_unlock(&t->tree->lock);
		rill_spin_lock(&t->tree->lock);
	}
	detach(t);
	token_free(t);
}

/* ---- guards ---- */

static void guard_run(void *arg)
{
	struct rill_token_guard *guard = arg;

	if (guard->armed)
		rill_token_cancel(guard->token);
	rill_token_unref(guard->token);
}

void rill_token_guard_begin(struct rill_token_guard *guard, struct rill_token *t)
{
	guard->token = rill_token_ref(t);
	guard->armed = true;
	rill_cleanup_push(&guard->cleanup, guard_run, guard);
}

void rill_token_guard_disarm(struct rill_token_guard *guard)
{
	guard->armed = false;
}

void rill_token_guard_end(struct rill_token_guard *guard)
{
	rill_cleanup_pop(&guard->cleanup, true);
}
