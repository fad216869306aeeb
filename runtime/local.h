/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Task locals, as spawn and end see them. A task's chain ends in what it inherited: one block of
 * memory, made at its spawn and freed at its end. Tasks which inherit nothing have none.
 */
#ifndef RILL_RUNTIME_LOCAL_H
#define RILL_RUNTIME_LOCAL_H

struct rill_task;

/* The caller, a task with locals, spawns child: copies what is to be inherited. -ENOMEM, or what a
 * key's copy gave. */
int rill_local_inherit(struct rill_task *child);
/* t has ended, or will never begin, and has locals. */
void rill_local_release(struct rill_task *t);
/* The calling task leaves all its functions at once: only what it inherited stays. */
void rill_local_unwind(struct rill_task *t);

#endif
