/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/huge.h"

#include <stdlib.h>
#include <sys/mman.h>

/* Since Linux 6.1. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

void *rill_huge_reserve(size_t align, size_t size)
{
	if (size >= RILL_HUGE_PAGE)
		align = RILL_HUGE_PAGE;
	return aligned_alloc(align, (size + align - 1) & ~(align - 1));
}

/* The whole ones: of a partial one the rest would be there for nobody. */
static size_t whole(size_t size)
{
	return size & ~(RILL_HUGE_PAGE - 1);
}

void *rill_huge_alloc(size_t align, size_t size)
{
	void *p = rill_huge_reserve(align, size);

	if (p && whole(size) > 0)
		madvise(p, whole(size), MADV_HUGEPAGE);
	return p;
}

void rill_huge_collapse(void *p, size_t size)
{
	if (whole(size) > 0)
		madvise(p, whole(size), MADV_COLLAPSE);
}
