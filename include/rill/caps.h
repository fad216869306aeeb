/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a NIC can do, as tried on it and not as claimed. For people, and for programs that choose;
 * "rill caps" prints it.
 */
#ifndef RILL_CAPS_H
#define RILL_CAPS_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_caps_fact {
	char name[24];	  /* "tx-checksum", "queues", "sleep" */
	bool claimed;	  /* by the kernel, the driver, ... */
	int tried;	  /* 1: works; 0: was not tried; negative errno: does not */
	char detail[120]; /* for people; how it was tried, or what to do about it */
};

#define RILL_CAPS_FACTS 64

struct rill_caps {
	char describe[160]; /* how the NIC runs */
	unsigned queues;    /* as many as it gives */
	uint16_t mtu;
	uint8_t mac[6];
	unsigned fact_count;
	struct rill_caps_fact facts[RILL_CAPS_FACTS];
};

/*
 * Opens the NIC (as in struct rill_net_options), tries it, and closes it. Nobody else may use it
 * meanwhile; a few frames of an experimental type may be sent to its own address. Blocks for up to
 * seconds: on a plain thread, or by rill_blocking(). error (RILL_CAPS_ERROR bytes) says in words
 * why it could not be opened. Errors as of rill_net_open().
 */
RILL_API int rill_caps_try(const char *nic, struct rill_caps *ret_caps, char *error);

#define RILL_CAPS_ERROR 256

RILL_END_DECLS

#endif
