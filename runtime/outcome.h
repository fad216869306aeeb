/* SPDX-License-Identifier: BSD-3-Clause */
/* How a task ended, for those who hold the handle of one that has. */
#ifndef RILL_RUNTIME_OUTCOME_H
#define RILL_RUNTIME_OUTCOME_H

#include "runtime/task.h"

/* Of a task whose end has been published. */
void rill_outcome_of(const struct rill_task *t, struct rill_outcome *ret_outcome);
/* Frees an ended task whose outcome nobody will ask for; a failure is counted. */
void rill_task_forget(struct rill_task *t);

#endif
