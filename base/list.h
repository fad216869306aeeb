/* SPDX-License-Identifier: BSD-3-Clause */
/* An intrusive, circular, doubly linked list. A node that is on no list points at itself. */
#ifndef RILL_BASE_LIST_H
#define RILL_BASE_LIST_H

#include <stdbool.h>

#include "base/compiler.h"

struct rill_list {
	struct rill_list *next;
	struct rill_list *prev;
};

static inline void rill_list_init(struct rill_list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool rill_list_empty(const struct rill_list *l)
{
	return l->next == l;
}

/* For a node: is it on a list? */
static inline bool rill_list_linked(const struct rill_list *node)
{
	return node->next != node;
}

static inline void rill_list_insert_between(struct rill_list *node, struct rill_list *prev,
					    struct rill_list *next)
{
	node->prev = prev;
	node->next = next;
	prev->next = node;
	next->prev = node;
}

static inline void rill_list_push_back(struct rill_list *l, struct rill_list *node)
{
	rill_list_insert_between(node, l->prev, l);
}

static inline void rill_list_push_front(struct rill_list *l, struct rill_list *node)
{
	rill_list_insert_between(node, l, l->next);
}

/* Safe on a node that is on no list. */
static inline void rill_list_del(struct rill_list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	rill_list_init(node);
}

static inline struct rill_list *rill_list_pop_front(struct rill_list *l)
{
	struct rill_list *node = l->next;

	if (node == l)
		return NULL;
	rill_list_del(node);
	return node;
}

/* Moves all of src to the end of dst. */
static inline void rill_list_splice_back(struct rill_list *dst, struct rill_list *src)
{
	if (rill_list_empty(src))
		return;
	src->next->prev = dst->prev;
	src->prev->next = dst;
	dst->prev->next = src->next;
	dst->prev = src->prev;
	rill_list_init(src);
}

#define RILL_LIST_ENTRY(node, type, member) RILL_CONTAINER_OF(node, type, member)

/* The body may delete the current entry. */
#define RILL_LIST_FOR_EACH(pos, list)                                                              \
	for (struct rill_list *pos = (list)->next, *pos##_next = pos->next; pos != (list);         \
	     pos = pos##_next, pos##_next = pos->next)

#endif
