/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Drivers in shared modules of their own, so that rill runs on machines without the libraries that
 * they need. A module exports one struct rill_driver_plugin by the name RILL_DRIVER_PLUGIN_SYMBOL;
 * the sizes in it keep a module of another build from being used. It stays loaded until the
 * process ends.
 *
 * A module brings its own copy of the pure parts of drivers/ that it calls (buf.c, spec.c): they
 * have no state but what they are given.
 */
#ifndef RILL_DRIVERS_PLUGIN_H
#define RILL_DRIVERS_PLUGIN_H

#include "drivers/driver.h"

#define RILL_DRIVER_PLUGIN_SYMBOL "rill_driver_plugin"
#define RILL_DRIVER_PLUGIN_ABI 1

struct rill_driver_plugin {
	uint32_t abi;
	uint32_t driver_size, nic_size, queue_size, buf_size, pool_size;
	const struct rill_driver *driver;
};

#define RILL_DRIVER_PLUGIN(d)                                                                      \
	{                                                                                          \
		.abi = RILL_DRIVER_PLUGIN_ABI, .driver_size = sizeof(struct rill_driver),          \
		.nic_size = sizeof(struct rill_nic), .queue_size = sizeof(struct rill_nic_queue),  \
		.buf_size = sizeof(struct rill_buf), .pool_size = sizeof(struct rill_buf_pool),    \
		.driver = (d),                                                                     \
	}

/*
 * The driver in librill_NAME.so, which is looked for in the directories of RILL_PLUGIN_PATH, in the
 * build tree that the program belongs to, and where rill is installed. package is what to install
 * when the module or its libraries are missing. Any thread. -ENOTSUP: error
 * (RILL_NIC_ERROR_LEN) says what to do.
 */
int rill_driver_plugin_load(const char *name, const char *package,
			    const struct rill_driver **ret_driver, char *error);

#endif
