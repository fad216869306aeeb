/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory for packets and for tables of many connections, which are touched in no order: with pages
 * of 4 KiB nearly every touch would miss the TLB, and in a virtual machine that costs several more
 * misses. All of this is a wish: without huge pages it is memory as any other. To be given to
 * free().
 */
#ifndef RILL_BASE_HUGE_H
#define RILL_BASE_HUGE_H

#include <stddef.h>

#define RILL_HUGE_PAGE ((size_t)2 << 20)

/* aligned_alloc(), with the size rounded up. In huge pages, if it is that large: all is there then.
 */
void *rill_huge_alloc(size_t align, size_t size);

/*
 * For what fills up slowly. The same, but no page is there before it is touched; once all of it is
 * in use, rill_huge_collapse() makes huge pages of it, which takes as long as copying it.
 */
void *rill_huge_reserve(size_t align, size_t size);
void rill_huge_collapse(void *p, size_t size);

#endif
