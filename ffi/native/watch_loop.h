/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that reads events: it answers at once, or queues for TypeScript, and marks mounts that are new. It never
 * opens a file by name. Beside it, what is done with the events that are left when it has ended.
 */
#ifndef AG_WATCH_LOOP_H
#define AG_WATCH_LOOP_H

#include "first.h"
#include "watch_pass.h"

#include <poll.h>
#include <signal.h>

#define EVENTS_BYTES 2048 /* of one read: each event brings a descriptor */

/* An open by this process itself: it decided before, or only looks. */
static int is_own(uint32_t tid)
{
	return syscall(SYS_tgkill, getpid(), tid, 0) == 0;
}

static void take_event(struct ag_watch *w, const struct fanotify_event_metadata *event)
{
	struct stat info = {0};
	enum verdict verdict;
	int refused = 0;

	if (event->fd < 0)
		return;
	pthread_mutex_lock(&w->lock);
	verdict = look_at(w, event->fd, &info);
	w->seen = (struct object){info.st_dev, info.st_ino};
	if (verdict == PASS_OVER)
		pass_over(w, event->fd, NULL, &info);
	if (verdict == ASK && is_own((uint32_t)event->pid))
		verdict = GO_ON;
	if (verdict == ASK) {
		refused = w->refusing || w->count == AG_WATCH_WAITING_MAX;
		if (!refused)
			w->waiting[(w->first + w->count++) % AG_WATCH_WAITING_MAX] =
				(struct waiting){event->fd, (uint32_t)event->pid};
	}
	pthread_mutex_unlock(&w->lock);
	if (verdict != ASK || refused)
		respond(w, event->fd, !refused);
	else
		tell(w);
}

/* Takes what is there; 0, or the -errno for which nothing more can be taken. */
static int take_events(struct ag_watch *w)
{
	_Alignas(struct fanotify_event_metadata) char buffer[EVENTS_BYTES];
	const struct fanotify_event_metadata *event = (const void *)buffer;
	ssize_t length = read(w->mounts.group, buffer, sizeof buffer);

	/* An open whose object cannot be shown here (no descriptor is left, for one) has been refused by the kernel. */
	if (length < 0)
		return errno == EBADF || errno == EFAULT || errno == EINVAL ? -errno : 0;
	for (; FAN_EVENT_OK(event, length); event = FAN_EVENT_NEXT(event, length)) {
		if (event->vers != FANOTIFY_METADATA_VERSION)
			return -EPROTO;
		take_event(w, event);
	}
	return 0;
}

static void note_error(struct ag_watch *w, int error)
{
	if (!error)
		return;
	pthread_mutex_lock(&w->lock);
	w->error = error;
	pthread_mutex_unlock(&w->lock);
	tell(w);
}

static void *watch_opens(void *argument)
{
	struct ag_watch *w = argument;
	struct pollfd polled[] = {
		{.fd = w->mounts.group, .events = POLLIN},
		{.fd = w->stop, .events = POLLIN},
		{.fd = w->mounts.info, .events = POLLPRI},
	};
	int failed = 0;

	come_first();
	while (!failed) {
		if (poll(polled, 3, -1) < 0) {
			failed = errno == EINTR ? 0 : -errno;
			continue;
		}
		if (polled[1].revents)
			return NULL;
		/* A mount that cannot be marked is told, and everything else goes on. */
		if (polled[2].revents & (POLLPRI | POLLERR))
			note_error(w, mark_mounts(&w->mounts));
		if (polled[0].revents)
			failed = take_events(w);
	}
	note_error(w, failed);
	return NULL;
}

static int start_thread(struct ag_watch *w)
{
	sigset_t all, before;
	int failed;

	/* No signal of this process is to end up there. */
	sigfillset(&all);
	failed = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (failed)
		return -failed;
	failed = pthread_create(&w->thread, NULL, watch_opens, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	w->has_thread = !failed;
	return -failed;
}

/* Refuses what waits, in the queue and in the kernel. */
static void refuse_waiting(struct ag_watch *w)
{
	_Alignas(struct fanotify_event_metadata) char buffer[EVENTS_BYTES];
	ssize_t length;

	for (; w->count > 0; w->count--, w->first = (w->first + 1) % AG_WATCH_WAITING_MAX)
		respond(w, w->waiting[w->first].fd, 0);
	while ((length = read(w->mounts.group, buffer, sizeof buffer)) > 0) {
		const struct fanotify_event_metadata *event = (const void *)buffer;
		for (; FAN_EVENT_OK(event, length); event = FAN_EVENT_NEXT(event, length))
			if (event->fd >= 0)
				respond(w, event->fd, 0);
	}
}

#endif
