/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/driver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "drivers/builtin.h"
#include "drivers/spec.h"

const struct rill_driver *const rill_drivers[] = {
	&rill_mem_driver,
#ifdef RILL_HAVE_PCAP
	&rill_pcap_driver,
#endif
	&rill_sim_driver,    &rill_tap_driver,
#ifdef RILL_HAVE_AF_XDP
	&rill_af_xdp_driver,
#endif
	&rill_dpdk_driver,   NULL,
};

static const struct rill_driver *find_driver(const char *name, size_t len)
{
	for (const struct rill_driver *const *d = rill_drivers; *d; d++) {
		if (strlen((*d)->name) == len && memcmp((*d)->name, name, len) == 0)
			return *d;
	}
	return NULL;
}

static int fail_unknown(const char *spec, size_t name_len, char *error)
{
	char known[128] = "";
	size_t at = 0;

#ifndef RILL_HAVE_AF_XDP
	if (name_len == 6 && memcmp(spec, "af_xdp", 6) == 0)
		return rill_nic_fail(error, -ENOTSUP, "this build has no af_xdp driver: %s",
				     RILL_NO_AF_XDP_WHY);
#endif
#ifndef RILL_HAVE_PCAP
	if (name_len == 4 && memcmp(spec, "pcap", 4) == 0)
		return rill_nic_fail(error, -ENOTSUP,
				     "this build has no pcap driver: there was no libpcap");
#endif
	for (const struct rill_driver *const *d = rill_drivers; *d && at < sizeof(known); d++)
		at += (size_t)snprintf(known + at, sizeof(known) - at, " %s", (*d)->name);
	for (const struct rill_driver *const *d = rill_drivers; *d; d++)
		if (rill_spec_near(spec, name_len, (*d)->name))
			return rill_nic_fail(error, -EINVAL,
					     "unknown NIC driver '%.*s': did you mean '%s:'? There "
					     "are:%s",
					     (int)RILL_MIN(name_len, (size_t)32), spec, (*d)->name,
					     known);
	return rill_nic_fail(
		error, -EINVAL,
		"unknown NIC driver '%.*s' in '%.64s': want driver:name, with one of:%s",
		(int)RILL_MIN(name_len, (size_t)32), spec, spec, known);
}

int rill_nic_open(const char *spec, unsigned queues, struct rill_nic **ret_nic, char *error)
{
	size_t name_len = strcspn(spec, ":");
	const struct rill_driver *driver = find_driver(spec, name_len);

	error[0] = 0;
	if (!driver)
		return fail_unknown(spec, name_len, error);
	if (spec[name_len] == 0 || spec[name_len + 1] == 0)
		return rill_nic_fail(error, -EINVAL, "'%s' names no NIC: want %s:name", spec,
				     driver->name);
	if (queues < 1 || queues > RILL_NIC_QUEUES_MAX)
		return rill_nic_fail(error, -EINVAL, "%u NIC queues asked for: want 1 to %d",
				     queues, RILL_NIC_QUEUES_MAX);
	return driver->open(spec + name_len + 1, queues, ret_nic, error);
}

void rill_nic_close(struct rill_nic *nic)
{
	if (nic)
		nic->driver->close(nic);
}
