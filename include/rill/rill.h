/* SPDX-License-Identifier: BSD-3-Clause */
/* All of rill. */
#ifndef RILL_RILL_H
#define RILL_RILL_H

#include <rill/addr.h>
#include <rill/base.h>
#include <rill/caps.h>
#include <rill/dump.h>
#include <rill/fs.h>
#include <rill/group.h>
#include <rill/local.h>
#include <rill/metrics.h>
#include <rill/net.h>
#include <rill/poll.h>
#include <rill/port.h>
#include <rill/runtime.h>
#include <rill/select.h>
#include <rill/sync.h>
#include <rill/task.h>
#include <rill/tcp.h>
#include <rill/time.h>
#include <rill/token.h>
#include <rill/trace.h>
#include <rill/trouble.h>
#include <rill/udp.h>

#endif
