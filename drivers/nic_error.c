/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/driver.h"

#include <stdarg.h>
#include <stdio.h>

int rill_nic_fail(char *error, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(error, RILL_NIC_ERROR_LEN, fmt, args);
	va_end(args);
	return err;
}
