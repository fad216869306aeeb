/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets into the stack. */
#ifndef RILL_TESTS_SCRIPT_INJECT_H
#define RILL_TESTS_SCRIPT_INJECT_H

#include "spec.h"
#include "world.h"

/* One segment of the peer's. */
void inject_segment(struct world *w, const struct world_flow *f, const struct spec *spec);
/* spec->seq to spec->end in segments of spec->len bytes, which arrive together. */
void inject_series(struct world *w, const struct world_flow *f, const struct spec *spec);
/* The words after "< icmp": TYPE[/CODE] seq N [mtu N] [from IP] [len N]. */
void inject_icmp(struct world *w, const struct world_flow *f, char *const *words, unsigned count);

#endif
