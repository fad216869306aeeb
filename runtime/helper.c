/* SPDX-License-Identifier: BSD-3-Clause */
#include "runtime/helper.h"

#include "runtime/thread.h"

void rill_helper_init(struct rill_helper *h, void (*serve)(void *), void *arg)
{
	*h = (struct rill_helper){.serve = serve, .arg = arg};
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->cond, NULL);
}

static void *helper_thread(void *arg)
{
	struct rill_helper *h = arg;

	pthread_mutex_lock(&h->lock);
	while (!h->stop) {
		if (!h->kicked) {
			pthread_cond_wait(&h->cond, &h->lock);
			continue;
		}
		h->kicked = false;
		pthread_mutex_unlock(&h->lock);
		h->serve(h->arg);
		pthread_mutex_lock(&h->lock);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

void rill_helper_kick(struct rill_helper *h)
{
	if (!h->started && rill_thread_create(&h->thread, 0, helper_thread, h) < 0) {
		h->serve(h->arg);
		return;
	}
	if (!h->started)
		pthread_setname_np(h->thread, "rill-helper");
	h->started = true;
	pthread_mutex_lock(&h->lock);
	h->kicked = true;
	pthread_cond_signal(&h->cond);
	pthread_mutex_unlock(&h->lock);
}

void rill_helper_fini(struct rill_helper *h)
{
	if (h->started) {
		pthread_mutex_lock(&h->lock);
		h->stop = true;
		pthread_cond_signal(&h->cond);
		pthread_mutex_unlock(&h->lock);
		pthread_join(h->thread, NULL);
	}
	pthread_cond_destroy(&h->cond);
	pthread_mutex_destroy(&h->lock);
}
