/* SPDX-License-Identifier: BSD-3-Clause */
/* Processors and clocks. */
#include "cli/doctor.h"

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>

static void check_features(struct rill_doctor *d)
{
	unsigned a, b, c, edx;
	bool waitpkg = __get_cpuid_count(7, 0, &a, &b, &c, &edx) && (c >> 5 & 1);
	bool invariant = __get_cpuid(0x80000007, &a, &b, &c, &edx) && (edx >> 8 & 1);

	rill_doctor_item(d, waitpkg ? RILL_DOCTOR_OK : RILL_DOCTOR_MISSING, "WAITPKG", NULL,
			 "CPUID: %s",
			 waitpkg ? "UMWAIT and TPAUSE" : "no UMWAIT on this processor");
	rill_doctor_item(d, invariant ? RILL_DOCTOR_OK : RILL_DOCTOR_MISSING, "invariant TSC", NULL,
			 "CPUID: %s", invariant ? "yes" : "not claimed by this processor");
}
#else
static void check_features(struct rill_doctor *d)
{
	rill_doctor_item(d, RILL_DOCTOR_INFO, "CPU features", NULL,
			 "nothing is checked on this machine");
}
#endif

static void check_cpus(struct rill_doctor *d)
{
	char isolated[256] = "";
	cpu_set_t set;
	int usable = -1;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		usable = CPU_COUNT(&set);
	rill_doctor_item(d, RILL_DOCTOR_INFO, "CPUs", NULL, "%ld online, %d usable by this process",
			 sysconf(_SC_NPROCESSORS_ONLN), usable);
	rill_doctor_read("/sys/devices/system/cpu/isolated", isolated, sizeof(isolated));
	rill_doctor_item(d, isolated[0] ? RILL_DOCTOR_OK : RILL_DOCTOR_MISSING, "isolated CPUs",
			 "boot with isolcpus=LIST nohz_full=LIST (for spinning workers only)", "%s",
			 isolated[0] ? isolated : "none");
}

static void check_clock(struct rill_doctor *d)
{
	char source[64] = "?";
	bool tsc;

	rill_doctor_read("/sys/devices/system/clocksource/clocksource0/current_clocksource", source,
			 sizeof(source));
	/* The vDSO reads these without a system call. */
	tsc = !strcmp(source, "tsc") || !strcmp(source, "kvm-clock") ||
	      !strcmp(source, "arch_sys_counter") || !strncmp(source, "hyperv_clocksource_tsc", 22);
	rill_doctor_item(d, tsc ? RILL_DOCTOR_OK : RILL_DOCTOR_MISSING, "clock source",
			 "boot with clocksource=tsc tsc=reliable, if the TSC is", "%s%s", source,
			 tsc ? "" : ": reading the time may be a system call");
}

void rill_doctor_cpu(struct rill_doctor *d)
{
	check_features(d);
	check_cpus(d);
	check_clock(d);
}
