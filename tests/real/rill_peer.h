/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef RILL_TESTS_REAL_RILL_PEER_H
#define RILL_TESTS_REAL_RILL_PEER_H

#include <rill/rill.h>

/* One connection of an iperf3 client, control or data, which is closed then. */
void *peer_iperf3(void *conn);

#endif
