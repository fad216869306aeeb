/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/netdev.h"

#include <dirent.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* One ioctl on a socket of its own: these are rare. */
static int request(const char *name, unsigned long op, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(ifr->ifr_name, IFNAMSIZ, "%.*s", IFNAMSIZ - 1, name);
	int err = ioctl(fd, op, ifr) < 0 ? -errno : 0;

	close(fd);
	return err;
}

int rill_netdev_exists(const char *name)
{
	bool up;

	return rill_netdev_is_up(name, &up);
}

int rill_netdev_is_up(const char *name, bool *ret_up)
{
	struct ifreq ifr = {0};
	int err = request(name, SIOCGIFFLAGS, &ifr);

	if (!err)
		*ret_up = ifr.ifr_flags & IFF_UP;
	return err;
}

int rill_netdev_mtu(const char *name, unsigned *ret_mtu)
{
	struct ifreq ifr = {0};
	int err = request(name, SIOCGIFMTU, &ifr);

	if (!err)
		*ret_mtu = (unsigned)ifr.ifr_mtu;
	return err;
}

int rill_netdev_mac(const char *name, uint8_t *ret_mac)
{
	struct ifreq ifr = {0};
	int err = request(name, SIOCGIFHWADDR, &ifr);

	if (!err)
		memcpy(ret_mac, ifr.ifr_hwaddr.sa_data, 6);
	return err;
}

/* For drivers without channels. /sys shows the namespace that it was mounted in: it may know
 * nothing. */
static unsigned count_in_sysfs(const char *name)
{
	char path[64];
	unsigned count = 0;

	snprintf(path, sizeof(path), "/sys/class/net/%s/queues", name);
	DIR *dir = opendir(path);

	if (!dir)
		return 0;
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		count += strncmp(e->d_name, "rx-", 3) == 0;
	closedir(dir);
	return count;
}

int rill_netdev_queues(const char *name, unsigned *ret_count)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq ifr = {.ifr_data = (char *)&channels};
	int err = request(name, SIOCETHTOOL, &ifr);
	unsigned count = err ? 0 : channels.combined_count + channels.rx_count;

	if (err == -ENODEV)
		return err;
	if (count == 0)
		count = count_in_sysfs(name);
	*ret_count = count ? count : 1;
	return 0;
}

int rill_netdev_set_up(const char *name)
{
	struct ifreq ifr = {0};
	int err = request(name, SIOCGIFFLAGS, &ifr);

	if (err)
		return err;
	ifr.ifr_flags |= IFF_UP;
	return request(name, SIOCSIFFLAGS, &ifr);
}

int rill_netdev_set_mtu(const char *name, unsigned mtu)
{
	struct ifreq ifr = {.ifr_mtu = (int)mtu};

	return request(name, SIOCSIFMTU, &ifr);
}
