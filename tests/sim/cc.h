/* SPDX-License-Identifier: BSD-3-Clause */
/* The congestion controls of this build, and choosing one for an interface. */
#ifndef RILL_TESTS_SIM_CC_H
#define RILL_TESTS_SIM_CC_H

struct rill_net;

/* The nth name; NULL: there are not that many. */
const char *cc_name(unsigned n);
/* For connections that come from now on. -ENOENT. */
int cc_set(struct rill_net *net, const char *name);

#endif
