/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/builtin.h"

/* From build/tests/unit/drivers up to build, and one to spare. */
#define BUILD_DEPTH 5

struct search {
	const char *name; /* "dpdk" */
	void *module;
	char failure[RILL_NIC_ERROR_LEN]; /* of a module that is there, and of no use */
};

static void try_directory(struct search *s, const char *directory, size_t len)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%.*s/librill_%s.so", (int)len, directory, s->name);

	if (s->module || len == 0 || n >= (int)sizeof(path) || access(path, F_OK) < 0)
		return;
	s->module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!s->module && !s->failure[0])
		snprintf(s->failure, sizeof(s->failure), "%s", dlerror());
}

static void try_environment(struct search *s)
{
	/* Not for programs that have more rights than who starts them. */
	const char *at = secure_getenv("RILL_PLUGIN_PATH");

	while (at && *at) {
		size_t len = strcspn(at, ":");

		try_directory(s, at, len);
		at += len;
		at += *at == ':';
	}
}

/* Whoever may write the program may choose its modules; nobody else. */
static bool same_owner(const char *directory, uid_t owner)
{
	struct stat st;

	/* No link, which somebody else could have made, and turn to another place after this. */
	return lstat(directory, &st) == 0 && S_ISDIR(st.st_mode) &&
	       (st.st_uid == owner || st.st_uid == 0) && (st.st_mode & S_IWOTH) == 0;
}

/* A program that was not installed lies in a build tree, whose drivers/ has the modules. */
static void try_build_tree(struct search *s)
{
	char at[PATH_MAX + sizeof("/drivers")];
	ssize_t n = readlink("/proc/self/exe", at, PATH_MAX);
	struct stat exe;

	if (n <= 0 || n == PATH_MAX || stat("/proc/self/exe", &exe) < 0)
		return;
	at[n] = 0;
	for (int i = 0; i < BUILD_DEPTH && !s->module; i++) {
		char *slash = strrchr(at, '/');

		if (!slash || slash == at)
			return;
		strcpy(slash, "/drivers");
		if (same_owner(at, exe.st_uid))
			try_directory(s, at, strlen(at));
		*slash = 0;
	}
}

static int fail_missing(const struct search *s, const char *package, char *error)
{
	if (s->failure[0])
		return rill_nic_fail(error, -ENOTSUP,
				     "%s: its module does not load: %.140s; sudo apt-get install "
				     "%s",
				     s->name, s->failure, package);
	return rill_nic_fail(error, -ENOTSUP,
			     "%s: there is no librill_%s.so in RILL_PLUGIN_PATH, beside this "
			     "build, or in " RILL_PLUGIN_DIR
			     ": sudo apt-get install %s, and build rill with -D%s=enabled",
			     s->name, s->name, package, s->name);
}

static bool fits(const struct rill_driver_plugin *p)
{
	const struct rill_driver_plugin ours = RILL_DRIVER_PLUGIN(p->driver);

	return memcmp(p, &ours, sizeof(ours)) == 0;
}

static int load(const char *name, const char *package, const struct rill_driver **ret_driver,
		char *error)
{
	struct search s = {.name = name};
	const struct rill_driver_plugin *plugin;

	try_environment(&s);
	try_build_tree(&s);
	try_directory(&s, RILL_PLUGIN_DIR, strlen(RILL_PLUGIN_DIR));
	if (!s.module)
		return fail_missing(&s, package, error);
	plugin = dlsym(s.module, RILL_DRIVER_PLUGIN_SYMBOL);
	if (!plugin || plugin->abi != RILL_DRIVER_PLUGIN_ABI || !fits(plugin)) {
		dlclose(s.module);
		return rill_nic_fail(error, -ENOTSUP,
				     "%s: its module is of another version of rill: build and "
				     "install both together",
				     name);
	}
	*ret_driver = plugin->driver;
	return 0;
}

int rill_driver_plugin_load(const char *name, const char *package,
			    const struct rill_driver **ret_driver, char *error)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int err;

	pthread_mutex_lock(&lock);
	err = load(name, package, ret_driver, error);
	pthread_mutex_unlock(&lock);
	return err;
}

/* ---- the drivers that are modules ---- */

/* The NIC's driver is the module's from then on: only open comes here. */
static int dpdk_open(const char *spec, unsigned queues, struct rill_nic **ret_nic, char *error)
{
	const struct rill_driver *driver;
	int err = rill_driver_plugin_load("dpdk", "libdpdk-dev dpdk", &driver, error);

	return err ? err : driver->open(spec, queues, ret_nic, error);
}

const struct rill_driver rill_dpdk_driver = {.name = "dpdk", .open = dpdk_open};
