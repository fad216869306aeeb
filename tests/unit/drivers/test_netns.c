/* SPDX-License-Identifier: BSD-3-Clause */
/* What a child process does elsewhere, and hands back. Elsewhere is here: the process's own. */
#include "drivers/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/driver.h"
#include "testnet.h"

#define HERE "/proc/self/ns/net"

struct facts {
	pid_t pid;
	char text[16];
};

static struct facts facts;
static int fds[3];
static char error[RILL_NIC_ERROR_LEN];

static struct rill_netns_job job_of(const char *where,
				    int (*fn)(struct rill_netns_job *job, char *error))
{
	facts = (struct facts){.pid = 0};
	error[0] = 0;
	memset(fds, -1, sizeof(fds));
	return (struct rill_netns_job){
		.where = where,
		.driver = "toy",
		.fn = fn,
		.result = &facts,
		.result_len = sizeof(facts),
		.fds = fds,
		.fd_count = 3,
	};
}

/* Two pipe ends, in the first and the last place. */
static int make_pipe(struct rill_netns_job *job, char *text)
{
	int ends[2];

	if (pipe(ends) < 0)
		return rill_nic_fail(text, -errno, "no pipe");
	job->fds[0] = ends[0];
	job->fds[2] = ends[1];
	facts.pid = getpid();
	strcpy(facts.text, "there");
	return 0;
}

static void test_descriptors_and_facts_come_back(void **state)
{
	struct rill_netns_job job = job_of(HERE, make_pipe);
	char buf[8] = "";
	int r = rill_netns_run(&job, error);

	if (r == -EPERM) {
		print_message("skipped: %s\n", error);
		skip();
	}
	assert_int_equal(r, 0);
	assert_string_equal(facts.text, "there");
	assert_int_not_equal(facts.pid, getpid());
	assert_true(fds[0] >= 0 && fds[2] >= 0);
	assert_int_equal(fds[1], -1);
	assert_int_equal(job.net_fd, -1);
	assert_int_equal(job.user_fd, -1);
	/* and they are not for programs that are started later */
	assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(fds[2], "hello", 5), 5);
	assert_int_equal(read(fds[0], buf, sizeof(buf)), 5);
	assert_string_equal(buf, "hello");
	close(fds[0]);
	close(fds[2]);
}

static int fail_there(struct rill_netns_job *job, char *text)
{
	make_pipe(job, text);
	return rill_nic_fail(text, -EXDEV, "toy: %d sorts of trouble", 3);
}

static int die_there(struct rill_netns_job *job, char *text)
{
	_exit(9);
}

static void test_failures_come_back(void **state)
{
	struct rill_netns_job job = job_of(HERE, fail_there);

	if (geteuid() != 0)
		skip();
	assert_int_equal(rill_netns_run(&job, error), -EXDEV);
	assert_string_equal(error, "toy: 3 sorts of trouble");
	assert_int_equal(fds[0], -1);
	job = job_of(HERE, die_there);
	assert_int_equal(rill_netns_run(&job, error), -ECHILD);
	assert_non_null(strstr(error, "ended early"));
}

static int make_three(struct rill_netns_job *job, char *text)
{
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	make_pipe(job, text);
	job->fds[1] = dup(job->fds[0]);
	return 0;
}

/* There is room for two of three: the third is none, and not what lay in memory there. */
static void test_no_room_for_descriptors(void **state)
{
	struct rill_netns_job job = job_of(HERE, make_three);
	struct rlimit before, few;
	int room[3], r;

	/* For a pair of sockets, one of which is closed by then, and the namespace. */
	for (unsigned i = 0; i < 3; i++)
		room[i] = open("/dev/null", O_RDONLY);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(close(room[i]), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){(rlim_t)room[2] + 1, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	r = rill_netns_run(&job, error);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	if (r == -EPERM) {
		print_message("skipped: %s\n", error);
		skip();
	}
	assert_int_equal(r, -EMFILE);
	assert_non_null(strstr(error, "too many open files"));
	assert_int_equal(close(fds[0]), 0);
	assert_int_equal(close(fds[1]), 0);
	assert_int_equal(fds[2], -1);
}

static void test_places_that_are_not(void **state)
{
	struct rill_netns_job job = job_of("no-such-namespace", make_pipe);

	assert_int_equal(rill_netns_run(&job, error), -ENOENT);
	assert_non_null(strstr(error, "/run/netns/no-such-namespace"));
	assert_non_null(strstr(error, "ip netns add"));
	job = job_of("/etc/passwd", make_pipe);
	assert_int_equal(rill_netns_run(&job, error), -EINVAL);
	assert_non_null(strstr(error, "is no network namespace"));
	assert_int_equal(facts.pid, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptors_and_facts_come_back),
		cmocka_unit_test(test_failures_come_back),
		cmocka_unit_test(test_no_room_for_descriptors),
		cmocka_unit_test(test_places_that_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
