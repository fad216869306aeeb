/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One call of the kernel's that may take time, in both its forms: for the ring, and as the plain
 * system call. A task's goes to its worker's ring, or to a blocking thread where there is no
 * io_uring or it lacks the operation. A plain thread makes the system call itself. The results are
 * the same.
 */
#ifndef RILL_RUNTIME_IO_H
#define RILL_RUNTIME_IO_H

#include "runtime/ring.h"

struct rill_io {
	/* Head of a struct that has the arguments. */
	struct rill_ring_op op;		 /* prep only: io_uring's form. NULL: it has none */
	unsigned opcode;		 /* IORING_OP_*, with prep */
	int (*call)(struct rill_io *io); /* the plain form: a result, or a negative errno */
	int result;
};

/*
 * The result, a negative errno of the kernel's, or -ECANCELED, -ETIMEDOUT by the task's scopes:
 * then it has had no effect. A call which has begun on a blocking thread, or which the kernel can't
 * cancel any more, is waited for, and its result returned. Nothing uses io and its buffers on
 * return. EINTR is seen to. A call with op.once (close) is made by this thread where no other can
 * be had, and -EINTR is its success.
 */
int rill_io_call(struct rill_io *io);

#endif
