/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/io.h"

#include <errno.h>

#include "runtime/runtime.h"

/* A signal for the process, on whichever thread, is no reason for a call to fail. */
static void *call_plainly(void *arg)
{
	struct rill_io *io = arg;

	do
		io->result = io->call(io);
	while (io->result == -EINTR && !io->op.once);
	return NULL;
}

static int call_by_ring(struct rill_io *io)
{
	int r;

	do
		r = rill_ring_call(&io->op);
	while (r == -EINTR && !io->op.once);
	return r;
}

static int call_by_thread(struct rill_io *io)
{
	/* rill_blocking() makes the call itself for a plain thread. */
	int r = rill_blocking(call_plainly, io, NULL);

	if (r < 0 && io->op.once) {
		call_plainly(io);
		r = 0;
	}
	return r < 0 ? r : io->result;
}

int rill_io_call(struct rill_io *io)
{
	struct rill_task *t = rill_task_current();
	int r = -ENOSYS;

	io->op.ring = NULL;
	if (t && io->op.prep && rill_ring_has(io->opcode) && rill_ring_current())
		r = call_by_ring(io);
	if (r == -ENOSYS && !io->op.ring)
		r = call_by_thread(io);
	return r == -EINTR && io->op.once ? 0 : r;
}
