/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits with an open, and how the call opens: from /proc, of a thread that does not run meanwhile. */
#ifndef AG_WATCH_CALLER_H
#define AG_WATCH_CALLER_H

#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STATUS_BYTES 16384
/* How long a caller may take to fall asleep: 100 ms at most. */
#define SLEEP_TRIES 1000
#define SLEEP_US 100

/* Reads a small file of /proc/TID; its length, or -errno. */
static long read_small(int task, const char *name, char *text, size_t room)
{
	int fd = openat(task, name, O_RDONLY | O_CLOEXEC);
	long got;

	if (fd < 0)
		return -errno;
	got = read(fd, text, room - 1);
	got = got < 0 ? -errno : got;
	close(fd);
	text[got > 0 ? got : 0] = 0;
	return got;
}

/* Fills the numbers of the caller (fs/proc/array.c). */
static int read_numbers(struct ag_watch_open *open, int task)
{
	static __thread char text[STATUS_BYTES];
	const char *tgid, *ppid, *uid;
	long got = read_small(task, "status", text, sizeof text);

	if (got <= 0)
		return got < 0 ? (int)got : -ESRCH;
	/* The name in the first line is the caller's to choose, but has no line breaks: they are shown as \n. */
	tgid = strstr(text, "\nTgid:");
	ppid = strstr(text, "\nPPid:");
	uid = strstr(text, "\nUid:");
	if (!tgid || !ppid || !uid || sscanf(tgid, "\nTgid: %u", &open->tgid) != 1 ||
	    sscanf(ppid, "\nPPid: %u", &open->ppid) != 1 || sscanf(uid, "\nUid: %u", &open->uid) != 1)
		return -EPROTO;
	return 0;
}

/*
 * The call's number and registers. Until its caller sleeps the kernel says that it is running: it is on its way there,
 * but somebody else may have its processor.
 */
static int read_call_of(int task, int *nr, unsigned long long args[6])
{
	char text[256];

	for (int tries = 0; tries < SLEEP_TRIES; tries++) {
		long got = read_small(task, "syscall", text, sizeof text);
		if (got <= 0)
			return got < 0 ? (int)got : -ESRCH;
		if (strncmp(text, "running", 7) != 0)
			return sscanf(text, "%d %llx %llx %llx %llx %llx %llx", nr, &args[0], &args[1], &args[2],
				      &args[3], &args[4], &args[5]) == 7 ?
				       0 :
				       -EPROTO;
		usleep(SLEEP_US);
	}
	return -EAGAIN;
}

/*
 * How it is opened, as far as registers tell: the call is on its way, nobody can change them. What cannot be told is
 * taken for an open for reading.
 */
static void read_how(struct ag_watch_open *open, int task)
{
	unsigned long long args[6];
	int nr;

	open->nr = -1;
	if (read_call_of(task, &nr, args) != 0 || nr < 0)
		return;
	open->nr = nr;
	if (nr == SYS_execve || nr == SYS_execveat) {
		open->flags |= AG_WATCH_STARTS;
		return;
	}
	if (nr == SYS_openat || nr == SYS_open_by_handle_at)
		open->open_flags = (uint32_t)args[2];
#ifdef SYS_open
	else if (nr == SYS_open)
		open->open_flags = (uint32_t)args[1];
	else if (nr == SYS_creat)
		open->open_flags = O_CREAT | O_WRONLY | O_TRUNC;
#endif
	else
		return;
	open->flags |= AG_WATCH_FLAGS;
}

static int add_link(struct ag_watch_open *open, uint32_t *used, struct ag_watch_text *into, int dir, const char *name)
{
	ssize_t length = readlinkat(dir, name, open->text + *used, AG_WATCH_PATH_BYTES);

	if (length < 0)
		return -errno;
	if (length == AG_WATCH_PATH_BYTES)
		return -ENAMETOOLONG;
	into->at = *used;
	into->bytes = (uint32_t)length;
	*used += (uint32_t)length;
	return 0;
}

/* Tells all about the open of `open->fd` by thread `tid`. 0 or -errno. */
static int describe_open(struct ag_watch_open *open, int proc, int fds, uint32_t tid)
{
	struct stat info;
	uint32_t used = 0;
	char name[16];
	int task, failed;

	open->tid = tid;
	if (fstat(open->fd, &info) != 0)
		return -errno;
	open->ino = info.st_ino;
	open->dev = info.st_dev;
	open->links = (uint32_t)info.st_nlink;
	open->flags = (S_ISDIR(info.st_mode) ? AG_WATCH_DIRECTORY : 0) | (info.st_nlink ? 0 : AG_WATCH_DELETED);
	snprintf(name, sizeof name, "%d", open->fd);
	failed = add_link(open, &used, &open->path, fds, name);
	if (failed)
		return failed;
	snprintf(name, sizeof name, "%u", tid);
	task = openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (task < 0)
		return -errno;
	failed = read_numbers(open, task);
	if (!failed)
		failed = add_link(open, &used, &open->cwd, task, "cwd");
	/* A thread of the kernel has no image. */
	if (!failed && add_link(open, &used, &open->caller, task, "exe") != 0)
		open->caller.bytes = 0;
	if (!failed)
		read_how(open, task);
	close(task);
	return failed;
}

#endif
