/* SPDX-License-Identifier: BSD-3-Clause */
/* What NIC drivers need: XDP sockets, BTF, tap, DPDK; and the interfaces there are. */
#include "cli/doctor.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/magic.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <unistd.h>

static void check_af_xdp(struct rill_doctor *d)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	int err = errno;

	if (fd >= 0) {
		close(fd);
		rill_doctor_item(d, RILL_DOCTOR_OK, "AF_XDP", NULL,
				 "socket(AF_XDP) works; nothing was bound to an interface");
		return;
	}
	rill_doctor_item(d, RILL_DOCTOR_MISSING, "AF_XDP",
			 err == EPERM ? "run as root, or with CAP_NET_RAW"
				      : "boot a kernel with CONFIG_XDP_SOCKETS=y",
			 "socket(AF_XDP): %s", strerror(err));
}

/* Pinned links and maps live there; without it af_xdp shares its interface with no other program.
 */
static void check_bpffs(struct rill_doctor *d)
{
	struct statfs fs;
	bool there = statfs("/sys/fs/bpf", &fs) == 0 && fs.f_type == BPF_FS_MAGIC;

	rill_doctor_item(d, there ? RILL_DOCTOR_OK : RILL_DOCTOR_MISSING, "bpffs",
			 "sudo mount -t bpf bpf /sys/fs/bpf", "/sys/fs/bpf %s",
			 there ? "is mounted" : "is not mounted");
}

static void check_namespaces(struct rill_doctor *d)
{
	char max[32] = "?", clone[8] = "1";
	bool ok;

	rill_doctor_read("/proc/sys/user/max_user_namespaces", max, sizeof(max));
	rill_doctor_read("/proc/sys/kernel/unprivileged_userns_clone", clone, sizeof(clone));
	ok = atol(max) > 0 && clone[0] != '0';
	rill_doctor_item(d, ok ? RILL_DOCTOR_OK : RILL_DOCTOR_MISSING, "user namespaces",
			 "sudo sysctl user.max_user_namespaces=1024 "
			 "kernel.unprivileged_userns_clone=1",
			 "at most %s; for tap:...,netns=new without privileges", max);
}

static void check_vfio(struct rill_doctor *d)
{
	bool vfio = access("/dev/vfio/vfio", R_OK | W_OK) == 0;
	const char *why = vfio ? "readable and writable" : strerror(errno);

	rill_doctor_item(d, vfio ? RILL_DOCTOR_OK : RILL_DOCTOR_MISSING, "/dev/vfio/vfio",
			 "sudo modprobe vfio-pci, and run as root or give the group of the device",
			 "%s; for DPDK with NICs that it takes from the kernel", why);
}

static void check_files(struct rill_doctor *d)
{
	bool btf = access("/sys/kernel/btf/vmlinux", R_OK) == 0;
	bool tun = access("/dev/net/tun", R_OK | W_OK) == 0;
	const char *why = tun ? "readable and writable; no device was made" : strerror(errno);

	rill_doctor_item(d, tun ? RILL_DOCTOR_OK : RILL_DOCTOR_MISSING, "/dev/net/tun",
			 "sudo modprobe tun, and run as root", "%s", why);
	rill_doctor_item(d, btf ? RILL_DOCTOR_OK : RILL_DOCTOR_MISSING, "BTF",
			 "boot a kernel with CONFIG_DEBUG_INFO_BTF=y", "/sys/kernel/btf/vmlinux %s",
			 btf ? "is readable" : "is not readable");
}

/* The loader finds a distribution's library only by its full name, which carries the ABI's number.
 */
static void *open_dpdk(void)
{
	void *lib = dlopen("librte_eal.so", RTLD_LAZY | RTLD_LOCAL);
	char name[32];

	for (int abi = 26; !lib && abi >= 20; abi--) {
		snprintf(name, sizeof(name), "librte_eal.so.%d", abi);
		lib = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
	}
	return lib;
}

static void check_dpdk(struct rill_doctor *d)
{
	void *lib = open_dpdk();
	const char *(*version)(void);

	if (!lib) {
		rill_doctor_item(d, RILL_DOCTOR_MISSING, "DPDK",
				 "sudo apt-get install libdpdk-dev dpdk",
				 "librte_eal.so cannot be loaded");
		return;
	}
	*(void **)&version = dlsym(lib, "rte_version");
	rill_doctor_item(d, RILL_DOCTOR_OK, "DPDK", NULL, "librte_eal.so: %s; testpmd %s",
			 version ? version() : "of unknown version",
			 access("/usr/bin/dpdk-testpmd", X_OK) == 0 ? "in /usr/bin"
								    : "not in /usr/bin");
	dlclose(lib);
}

/* "ixgbe", from ethtool's interface; "?" when it does not tell. */
static void read_driver(int fd, const char *name, char *buf, size_t cap)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq req = {.ifr_data = (char *)&info};

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	snprintf(buf, cap, "%s", ioctl(fd, SIOCETHTOOL, &req) == 0 ? info.driver : "?");
}

/* "4 of 8", or "?". */
static void read_channels(int fd, const char *name, char *buf, size_t cap)
{
	struct ethtool_channels ch = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq req = {.ifr_data = (char *)&ch};

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	if (ioctl(fd, SIOCETHTOOL, &req) == 0)
		snprintf(buf, cap, "%u of %u", ch.combined_count + ch.rx_count,
			 ch.max_combined + ch.max_rx);
	else
		snprintf(buf, cap, "?");
}

/* "128 entries, key of 40 bytes", or why connections will be steered by what is learned. */
static void read_rss(int fd, const char *name, char *buf, size_t cap)
{
	struct ethtool_rxfh sizes = {.cmd = ETHTOOL_GRSSH};
	struct ifreq req = {.ifr_data = (char *)&sizes};

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	if (ioctl(fd, SIOCETHTOOL, &req) == 0 && sizes.indir_size > 0)
		snprintf(buf, cap, "%u entries, key of %u bytes", sizes.indir_size, sizes.key_size);
	else
		snprintf(buf, cap, "not told");
}

static void check_interface(struct rill_doctor *d, int fd, const char *name)
{
	char driver[64], channels[32], rss[64], state[32] = "?", path[PATH_MAX], item[64];

	if (!strcmp(name, "lo"))
		return;
	read_driver(fd, name, driver, sizeof(driver));
	read_channels(fd, name, channels, sizeof(channels));
	read_rss(fd, name, rss, sizeof(rss));
	snprintf(path, sizeof(path), "/sys/class/net/%s/operstate", name);
	rill_doctor_read(path, state, sizeof(state));
	snprintf(item, sizeof(item), "interface %s", name);
	rill_doctor_item(d, RILL_DOCTOR_INFO, item, NULL,
			 "driver %s, channels %s, receive hash %s, %s; native XDP: not known "
			 "until bound",
			 driver, channels, rss, state);
}

static void check_interfaces(struct rill_doctor *d)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	DIR *dir = opendir("/sys/class/net");

	for (struct dirent *e; dir && fd >= 0 && (e = readdir(dir));) {
		if (e->d_name[0] != '.' && strlen(e->d_name) < IFNAMSIZ)
			check_interface(d, fd, e->d_name);
	}
	if (dir)
		closedir(dir);
	if (fd >= 0)
		close(fd);
}

void rill_doctor_net(struct rill_doctor *d)
{
	check_af_xdp(d);
	check_files(d);
	check_bpffs(d);
	check_namespaces(d);
	check_vfio(d);
	check_dpdk(d);
	check_interfaces(d);
}
