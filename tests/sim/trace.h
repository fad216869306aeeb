/* SPDX-License-Identifier: BSD-3-Clause */
/* What crossed the link of a test bed: its hash, and for people. */
#ifndef RILL_TESTS_SIM_TRACE_H
#define RILL_TESTS_SIM_TRACE_H

#include "drivers/sim.h"

/* For rill_sim_watch(), with the bed as ctx. */
void trace_frame(void *bed, const struct rill_sim_event *e);

#endif
