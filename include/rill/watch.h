/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One value that changes, and any number of receivers that wait for changes of it. Only the last
 * value is kept: a receiver may miss those between.
 *
 * Functions given to calls of this header run under the value's lock, those that only read it
 * beside each other: they must be short, and may neither block, nor end the task, nor use the same
 * watch.
 */
#ifndef RILL_WATCH_H
#define RILL_WATCH_H

#include <rill/base.h>

RILL_BEGIN_DECLS

struct rill_case;

/* The senders' side. */
struct rill_watch;

/* A receiver, in the caller's memory. It knows what it has seen. One task at a time. */
struct rill_watch_rx {
	uint64_t opaque[2];
};

/* Values with a drop hook are handles: up to so many bytes. */
#define RILL_WATCH_HOOKED_MAX 1024

struct rill_watch_options {
	size_t size;	     /* sizeof, by RILL_OPTIONS */
	size_t msg_size;     /* bytes */
	const void *initial; /* copied; NULL: zero bytes */
	/*
	 * Gets each value that send replaces, and the last one with the watch; may be NULL. Runs
	 * under no lock, and may not end the task. What a function changes in place is that
	 * function's own business.
	 */
	void (*drop)(void *value, void *arg);
	void *arg;
};

/* ---- sending: from any task or thread that holds a sender ---- */

/*
 * The creator holds one sender; there are no receivers yet. -EINVAL: msg_size is 0, or a value with
 * a drop hook is larger than RILL_WATCH_HOOKED_MAX. -ENOMEM.
 */
RILL_API int rill_watch_create(const struct rill_watch_options *o, struct rill_watch **ret_w);
/*
 * One more sender; each is given back by close_sender. With the last the watch is closed for
 * receivers. It is freed with the last sender and receiver.
 */
RILL_API void rill_watch_add_sender(struct rill_watch *w);
RILL_API void rill_watch_close_sender(struct rill_watch *w);

/* 0, or -EPIPE without receivers: the value is not stored and stays the caller's. Never waits. */
RILL_API int rill_watch_send(struct rill_watch *w, const void *msg);
/* Has fn change the value in place, also without receivers. */
RILL_API void rill_watch_send_modify(struct rill_watch *w, void (*fn)(void *value, void *arg),
				     void *arg);
/* Only when fn returns true the change is one for the receivers. Returns what fn did. */
RILL_API bool rill_watch_send_if_modified(struct rill_watch *w, bool (*fn)(void *value, void *arg),
					  void *arg);
/* Stores it, also without receivers. The old value is the caller's, and not dropped. ret_old is
 * not msg. */
RILL_API void rill_watch_send_replace(struct rill_watch *w, const void *msg, void *ret_old);

/* The value as it is, copied; or looked at in place. */
RILL_API void rill_watch_get(struct rill_watch *w, void *ret_msg);
RILL_API void rill_watch_borrow(struct rill_watch *w, void (*fn)(const void *value, void *arg),
				void *arg);

/* There are no receivers. A subscribe changes that. */
RILL_API bool rill_watch_is_closed(const struct rill_watch *w);
/* 0 while there are no receivers; waits until then. Cancel safe. */
RILL_API int rill_watch_wait_closed(struct rill_watch *w);
RILL_API void rill_case_watch_closed(struct rill_case *c, struct rill_watch *w);
RILL_API size_t rill_watch_receiver_count(const struct rill_watch *w);
RILL_API size_t rill_watch_sender_count(const struct rill_watch *w);

/* ---- receiving ---- */

/* A receiver that has seen the value as it is. By a holder of a sender. */
RILL_API void rill_watch_subscribe(struct rill_watch *w, struct rill_watch_rx *ret_rx);
/* One more receiver, which has seen what rx has. */
RILL_API void rill_watch_clone(const struct rill_watch_rx *rx, struct rill_watch_rx *ret_rx);
RILL_API void rill_watch_close_receiver(struct rill_watch_rx *rx);

/*
 * 0: there is a value not seen yet, also of a closed watch, and it counts as seen now. -EPIPE: the
 * last value is seen and no sender is left. Cancel safe: nothing is marked seen.
 */
RILL_API int rill_watch_changed(struct rill_watch_rx *rx);
RILL_API void rill_case_watch_changed(struct rill_case *c, struct rill_watch_rx *rx);
/* 1 or 0: is there a value not seen yet? -EPIPE when no sender is left, whatever was seen. */
RILL_API int rill_watch_has_changed(const struct rill_watch_rx *rx);
/*
 * Waits until pred is true of the value, the one there now included, seen or not; it is copied to
 * *ret_msg, which may be NULL, and counts as seen. So do those that pred was false of. -EPIPE: pred
 * is false of the last value and no sender is left. Cancel safe.
 */
RILL_API int rill_watch_wait_for(struct rill_watch_rx *rx,
				 bool (*pred)(const void *value, void *arg), void *arg,
				 void *ret_msg);

/* The value as it is, copied; what counts as seen stays. */
RILL_API void rill_watch_rx_get(const struct rill_watch_rx *rx, void *ret_msg);
/* The same, and it counts as seen. True: it did not before. */
RILL_API bool rill_watch_rx_get_and_mark(struct rill_watch_rx *rx, void *ret_msg);
/* Both without a copy. */
RILL_API void rill_watch_rx_borrow(const struct rill_watch_rx *rx,
				   void (*fn)(const void *value, void *arg), void *arg);
RILL_API bool rill_watch_rx_borrow_and_mark(struct rill_watch_rx *rx,
					    void (*fn)(const void *value, void *arg), void *arg);
/* The value as it is counts as not seen, or as seen. */
RILL_API void rill_watch_mark_changed(struct rill_watch_rx *rx);
RILL_API void rill_watch_mark_unchanged(struct rill_watch_rx *rx);
RILL_API bool rill_watch_rx_same_channel(const struct rill_watch_rx *a,
					 const struct rill_watch_rx *b);

RILL_END_DECLS

#endif
