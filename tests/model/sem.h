/* SPDX-License-Identifier: BSD-3-Clause */
/* The simplest thing to wait for: tokens, handed to whoever is queued first. */
#ifndef RILL_MODEL_SEM_H
#define RILL_MODEL_SEM_H

#include "runtime/await.h"

struct rill_sem {
	struct rill_spinlock lock;
	unsigned tokens;
	struct rill_list queue;
};

extern struct rill_sem rill_sem;
extern const struct rill_await_ops rill_sem_ops;
/* Gives up, with -ETIMEDOUT, when it has waited once in vain. */
extern const struct rill_await_ops rill_sem_late_ops;

/* In setup. */
void rill_sem_reset(void);

void rill_sem_give(void);
void rill_sem_take(void);

/* The deadline has passed already, but a token may come first: 0, or -ETIMEDOUT. */
int rill_sem_take_late(void);

#endif
