/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of held calls when nobody answers them any more and the policy lets the command go on: those that wait
 * are refused, those that come later go on. Without this they would all fail with ENOSYS, program starts too.
 */
#ifndef AG_LAUNCH_OPEN_H
#define AG_LAUNCH_OPEN_H

#include "launch_protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Calls before the last one that may wait still, and after it: the guard died before it wrote that down. */
#define HELD_BEFORE (1u << 20)
#define HELD_AFTER 64

/* Descriptors that the guard may have had open; an open that waits is answered by the number that it had there. */
#define GUARD_FDS_MAX 65536

static int listener_fd = -1;
static int listener_taken; /* nobody else answers */
static int watch_fd = -1;

/*
 * A copy of a group of fanotify. When the last descriptor of a group is closed the kernel lets all go on that waits
 * there: with this one nothing goes on before the tree is ended. Returns -1 with errno.
 */
static int copy_watch(pid_t guard, int number)
{
	int pidfd = (int)syscall(SYS_pidfd_open, guard, 0);
	if (pidfd < 0)
		return -1;
	watch_fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	int error = errno;
	close(pidfd);
	errno = error;
	return watch_fd < 0 ? -1 : 0;
}

/* Refuses opens that wait, by whatever number the guard knew them; later ones do not wait any more. */
static void release_watch(void)
{
	if (watch_fd < 0)
		return;
	for (int fd = 0; fd < GUARD_FDS_MAX; fd++) {
		struct fanotify_response refused = {.fd = fd, .response = FAN_DENY};
		ssize_t written = write(watch_fd, &refused, sizeof refused); /* fails where nobody waits */
		(void)written;
	}
	close(watch_fd);
	watch_fd = -1;
}

/* A copy of the command's listener, while the command has one: it waits for GO. Returns -1 with errno. */
static int copy_listener(pid_t command, int number)
{
	int pidfd = (int)syscall(SYS_pidfd_open, command, 0);
	if (pidfd < 0)
		return -1;
	listener_fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	int error = errno;
	close(pidfd);
	errno = error;
	return listener_fd < 0 ? -1 : 0;
}

static void answer(uint64_t id, int32_t error, uint32_t flags)
{
	struct seccomp_notif_resp response = {.id = id, .error = error, .flags = flags};
	/* Fails where nobody waits with this id, which is no harm. */
	(void)ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/* Refuses what the guard had received and not answered. The kernel gives ids one after the other. */
static void refuse_received(const char *path)
{
	static uint64_t ids[1 + AG_LAUNCH_HELD_MAX]; /* the last one received, and those that wait for a person */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	ssize_t got = read(fd, ids, sizeof ids);
	close(fd);
	if (got != sizeof ids || ids[0] == 0)
		return;
	for (size_t i = 1; i <= AG_LAUNCH_HELD_MAX; i++)
		if (ids[i] != 0)
			answer(ids[i], -EPERM, 0);
	for (uint64_t id = ids[0] + HELD_AFTER; id != ids[0] - HELD_BEFORE; id--)
		answer(id, -EPERM, 0);
}

/* From now on the launcher answers. */
static void take_listener(const char *path)
{
	release_watch();
	if (listener_fd < 0 || listener_taken)
		return;
	listener_taken = 1;
	refuse_received(path);
}

/* One call that waits goes on. The end of the last caller closes the listener. */
static void release_call(short events)
{
	/* Room for the structures of later kernels, which the kernel wants to be zero. */
	union {
		struct seccomp_notif call;
		uint8_t bytes[1024];
	} received;
	if (events & POLLIN) {
		memset(&received, 0, sizeof received);
		if (ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &received) == 0)
			answer(received.call.id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
	} else if (events != 0) {
		close(listener_fd);
		listener_fd = -1;
	}
}

#endif
