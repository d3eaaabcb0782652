/* SPDX-License-Identifier: Apache-2.0 */
/* A trial of fanotify on this host, with a group and a thread of its own: no watch is needed for it. */
#ifndef AG_WATCH_TRY_H
#define AG_WATCH_TRY_H

#include "watch_state.h"

#include <poll.h>
#include <sys/eventfd.h>

struct trial {
	const char *path;
	int done; /* eventfd */
};

static void *open_special(void *argument)
{
	const struct trial *trial = argument;
	const uint64_t one = 1;
	int fd = open(trial->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t written = write(trial->done, &one, sizeof one);

	if (fd >= 0)
		close(fd);
	return written == sizeof one ? NULL : argument;
}

/* Where `fifo` brings an event the guard would have to open FIFOs and devices itself to see what they are. */
static int32_t try_fifo(const char *fifo)
{
	const int group = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE |
						FAN_UNLIMITED_MARKS | FAN_REPORT_TID,
					O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct trial trial = {fifo, eventfd(0, EFD_CLOEXEC)};
	struct pollfd polled[] = {{.fd = group, .events = POLLIN}, {.fd = trial.done, .events = POLLIN}};
	struct fanotify_event_metadata event;
	pthread_t thread;
	int failed = 0, started = 0;

	if (group < 0 || trial.done < 0 || fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, fifo) != 0)
		failed = -errno;
	else
		failed = -pthread_create(&thread, NULL, open_special, &trial);
	if (!failed) {
		started = 1;
		while (poll(polled, 2, -1) < 0 && errno == EINTR)
			;
		if (polled[0].revents & POLLIN)
			failed = -EOPNOTSUPP;
		if (failed && read(group, &event, sizeof event) == sizeof event && event.fd >= 0) {
			struct fanotify_response answer = {event.fd, FAN_ALLOW};
			ssize_t written = write(group, &answer, sizeof answer);
			(void)written; /* closing the group lets it go as well */
			close(event.fd);
		}
	}
	if (group >= 0)
		close(group);
	if (started)
		pthread_join(thread, NULL);
	if (trial.done >= 0)
		close(trial.done);
	return failed;
}

#endif
