/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a watch knows, and its two ways of speaking: the answer that the kernel waits for, and the word to TypeScript
 * that something is there. One file of C is made of all these headers.
 */
#ifndef AG_WATCH_STATE_H
#define AG_WATCH_STATE_H

#include "needed_names.h"
#include "watch.h"
#include "watch_mounts.h"

#include <pthread.h>

#ifndef FAN_MARK_EVICTABLE
#define FAN_MARK_EVICTABLE 0x200 /* Linux 5.19 */
#endif
#ifndef FAN_MARK_IGNORE
#define FAN_MARK_IGNORE 0x400 /* Linux 6.0 */
#endif
#ifndef FAN_REPORT_TID
#define FAN_REPORT_TID 0x100
#endif

#define AG_WATCH_WRITTEN 64 /* power of two */

struct waiting {
	int fd;
	uint32_t tid;
};

struct object {
	uint64_t dev, ino;
};

struct ag_watch {
	struct ag_watch_open open; /* the one that was taken last */
	struct watch_mounts mounts;
	int stop;  /* eventfd: ends the thread */
	int ready; /* TypeScript's eventfd: something was queued, or went wrong */
	int fds;   /* /proc/self/fd */
	int proc;  /* /proc */
	int has_thread;
	pthread_t thread;
	pthread_mutex_t lock; /* of everything below */
	struct needed_table *table;
	struct object seen;                      /* of the last event */
	struct object written[AG_WATCH_WRITTEN]; /* that were open for writing when the guard opened them */
	struct object barred[2];                 /* objects that are getting another name just now */
	int barred_count, barred_all;
	int refusing; /* nobody decides any more */
	int error;    /* -errno: not everything is watched */
	uint32_t ignored;
	uint32_t first, count;
	struct waiting waiting[AG_WATCH_WAITING_MAX];
};

static void respond(const struct ag_watch *w, int fd, int allow)
{
	struct fanotify_response answer = {.fd = fd, .response = allow ? FAN_ALLOW : FAN_DENY};
	ssize_t written;

	do
		written = write(w->mounts.group, &answer, sizeof answer);
	while (written < 0 && errno == EINTR);
	close(fd);
}

static void tell(const struct ag_watch *w)
{
	const uint64_t one = 1;
	ssize_t written = write(w->ready, &one, sizeof one);

	(void)written; /* it fails only where it is readable already */
}

#endif
