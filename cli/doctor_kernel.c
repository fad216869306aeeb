/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernel version, privileges, memory, io_uring. */
#include "cli/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <rill/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Of Linux 6.13, and not in every libc's header. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* XDP sockets as rill uses them (need-wakeup, bpf_link) have been there since 5.10. */
#define KERNEL_MAJOR 5
#define KERNEL_MINOR 10

static void check_version(struct rill_doctor *d)
{
	unsigned major = 0, minor = 0;
	struct utsname u;
	bool new_enough;

	uname(&u);
	sscanf(u.release, "%u.%u", &major, &minor);
	new_enough = major > KERNEL_MAJOR || (major == KERNEL_MAJOR && minor >= KERNEL_MINOR);
	rill_doctor_item(d, new_enough ? RILL_DOCTOR_OK : RILL_DOCTOR_MISSING, "kernel",
			 "boot a kernel of 5.10 or later", "%s %s (%s)", u.sysname, u.release,
			 u.machine);
}

static uint64_t effective_capabilities(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	uint64_t caps = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "CapEff: %" SCNx64, &caps) == 1)
			break;
	}
	if (f)
		fclose(f);
	return caps;
}

static void check_capabilities(struct rill_doctor *d)
{
	static const struct {
		const char *name;
		unsigned bit;
		unsigned instead; /* a capability that includes it; else the same */
		const char *use;
	} wanted[] = {
		{"CAP_NET_ADMIN", CAP_NET_ADMIN, CAP_NET_ADMIN,
		 "attaches XDP programs, makes tap devices"},
		{"CAP_NET_RAW", CAP_NET_RAW, CAP_NET_RAW, "opens XDP sockets"},
		{"CAP_BPF", CAP_BPF, CAP_SYS_ADMIN, "loads XDP programs"},
		{"CAP_IPC_LOCK", CAP_IPC_LOCK, CAP_IPC_LOCK,
		 "locks packet memory beyond RLIMIT_MEMLOCK"},
	};
	static const char fix[] = "run as root, or: sudo setcap "
				  "cap_net_admin,cap_net_raw,cap_bpf,cap_ipc_lock+ep $(which rill)";
	uint64_t caps = effective_capabilities();

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		bool has = (caps >> wanted[i].bit | caps >> wanted[i].instead) & 1;

		rill_doctor_item(d, has ? RILL_DOCTOR_OK : RILL_DOCTOR_MISSING, wanted[i].name, fix,
				 "%s", wanted[i].use);
	}
}

/* One NIC queue of 4096 frames of 4 KiB. */
#define MEMLOCK_WANTED (UINT64_C(16) << 20)

static void check_memlock(struct rill_doctor *d)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit))
		return;
	if (limit.rlim_cur == RLIM_INFINITY) {
		rill_doctor_item(d, RILL_DOCTOR_OK, "RLIMIT_MEMLOCK", NULL, "unlimited");
		return;
	}
	rill_doctor_item(d, limit.rlim_cur >= MEMLOCK_WANTED ? RILL_DOCTOR_OK : RILL_DOCTOR_MISSING,
			 "RLIMIT_MEMLOCK",
			 "ulimit -l unlimited (as root), or LimitMEMLOCK=infinity in the unit",
			 "%" PRIu64 " KiB (does not bind a process with CAP_IPC_LOCK)",
			 (uint64_t)limit.rlim_cur >> 10);
}

static void check_hugepage_size(struct rill_doctor *d, const char *folder)
{
	char path[320], total[32] = "?", unused[32] = "?", name[64], fix[384];
	unsigned long size_kib;

	if (sscanf(folder, "hugepages-%lukB", &size_kib) != 1)
		return;
	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%s/nr_hugepages", folder);
	rill_doctor_read(path, total, sizeof(total));
	snprintf(fix, sizeof(fix), "echo %lu | sudo tee %s", size_kib >= 1048576 ? 1ul : 512ul,
		 path);
	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%s/free_hugepages", folder);
	rill_doctor_read(path, unused, sizeof(unused));
	snprintf(name, sizeof(name), "hugepages %lu KiB", size_kib);
	rill_doctor_item(d, atoi(total) > 0 ? RILL_DOCTOR_OK : RILL_DOCTOR_MISSING, name, fix,
			 "%s reserved, %s free (DPDK wants them; nothing else does)", total,
			 unused);
}

static void check_hugepages(struct rill_doctor *d)
{
	DIR *dir = opendir("/sys/kernel/mm/hugepages");
	char thp[64];

	for (struct dirent *e; dir && (e = readdir(dir));)
		check_hugepage_size(d, e->d_name);
	if (dir)
		closedir(dir);
	else
		rill_doctor_item(d, RILL_DOCTOR_MISSING, "hugepages",
				 "boot a kernel with CONFIG_HUGETLBFS", "the kernel has none");
	if (rill_doctor_read("/sys/kernel/mm/transparent_hugepage/enabled", thp, sizeof(thp)))
		rill_doctor_item(d, RILL_DOCTOR_INFO, "transparent hugepages", NULL, "%s", thp);
	else
		rill_doctor_item(d, RILL_DOCTOR_INFO, "transparent hugepages", NULL,
				 "not in this kernel");
}

static void check_guard_regions(struct rill_doctor *d)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool ok;

	if (p == MAP_FAILED)
		return;
	ok = madvise(p, page, MADV_GUARD_INSTALL) == 0;
	munmap(p, page);
	rill_doctor_item(d, ok ? RILL_DOCTOR_OK : RILL_DOCTOR_MISSING, "guard regions",
			 "boot a kernel of 6.13 or later",
			 ok ? "MADV_GUARD_INSTALL works"
			    : "task stacks are guarded by mprotect instead");
}

static void check_io_uring(struct rill_doctor *d)
{
	struct io_uring_params params = {0};
	long fd = syscall(SYS_io_uring_setup, 1, &params);
	int err = errno;
	char disabled[16] = "no such file";

	rill_doctor_read("/proc/sys/kernel/io_uring_disabled", disabled, sizeof(disabled));
	if (fd >= 0) {
		close((int)fd);
		rill_doctor_item(d, RILL_DOCTOR_OK, "io_uring", NULL,
				 "io_uring_setup works; io_uring_disabled: %s", disabled);
		return;
	}
	rill_doctor_item(d, RILL_DOCTOR_MISSING, "io_uring",
			 err == ENOSYS ? "boot a kernel with CONFIG_IO_URING"
				       : "sudo sysctl kernel.io_uring_disabled=0",
			 "io_uring_setup: %s; io_uring_disabled: %s", strerror(err), disabled);
}

/* Which way rill itself takes: it may have been told not to use what is there. */
static void check_files(struct rill_doctor *d)
{
	const char *why = rill_fs_no_io_uring();

	if (why)
		rill_doctor_item(d, RILL_DOCTOR_INFO, "files", NULL, "by blocking threads: %s",
				 why);
	else
		rill_doctor_item(d, RILL_DOCTOR_OK, "files", NULL, "by io_uring");
}

void rill_doctor_kernel(struct rill_doctor *d)
{
	check_version(d);
	check_capabilities(d);
	check_memlock(d);
	check_hugepages(d);
	check_guard_regions(d);
	check_io_uring(d);
	check_files(d);
}
