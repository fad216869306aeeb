/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A second thread for what the monitor finds to do and is too slow for a thread that others rely on
 * every millisecond: on_stuck callbacks, dumps, names in crash reports. It begins with the first of
 * these.
 */
#ifndef RILL_RUNTIME_HELPER_H
#define RILL_RUNTIME_HELPER_H

#include <pthread.h>
#include <stdbool.h>

struct rill_helper {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool started; /* the monitor's */
	bool kicked;  /* under lock, as below */
	bool stop;
	void (*serve)(void *);
	void *arg;
};

/* serve(arg) is what a kick makes the thread do; once for any number of kicks before it began. */
void rill_helper_init(struct rill_helper *h, void (*serve)(void *), void *arg);
/* By one thread. Without a thread to be had it does the work itself. */
void rill_helper_kick(struct rill_helper *h);
/* Waits for the thread. */
void rill_helper_fini(struct rill_helper *h);

#endif
