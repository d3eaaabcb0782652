/* SPDX-License-Identifier: Apache-2.0 */
/* Marks on every mount of a command's own mount namespace. Nothing is opened but to be named (O_PATH). */
#ifndef AG_WATCH_MOUNTS_H
#define AG_WATCH_MOUNTS_H

#include "mount_line.h"
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOUNTINFO_BYTES_MAX 4194304
/* Directories, too: what they list is read. */
#define WATCHED (FAN_OPEN_PERM | FAN_ONDIR)

struct watch_mounts {
	int group;
	int info; /* /proc/PID/mountinfo: readable with POLLPRI when the namespace changed */
	int root; /* the namespace's root directory */
};

/*
 * The kernel gives no events of these: /proc, whose rules are kept in another way, and the single files that stand for
 * namespaces.
 */
static int cannot_be_marked(const char *path, const char *type)
{
	return strcmp(type, "nsfs") == 0 ||
	       (strcmp(type, "proc") == 0 && (strcmp(path, "/proc") == 0 || strncmp(path, "/proc/", 6) == 0));
}

/* Marks one; 0 also where another mount covers it. */
static int mark_mount(const struct watch_mounts *mounts, uint64_t wanted, const char *path, const char *type)
{
	int fd = openat(mounts->root, path[1] ? path + 1 : ".", O_PATH | O_NOFOLLOW | O_CLOEXEC), failed = 0;
	char name[32];
	uint64_t id = 0;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno; /* below a place that is covered */
	failed = mount_of(fd, "", &id);
	if (!failed && id == wanted) {
		snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
		if (fanotify_mark(mounts->group, FAN_MARK_ADD | FAN_MARK_MOUNT, WATCHED, AT_FDCWD, name) != 0)
			failed = errno == EINVAL && cannot_be_marked(path, type) ? 0 : -errno;
	}
	close(fd);
	return failed;
}

/* Everything of a file of /proc, from its beginning. Null with errno. */
static char *read_all(int fd)
{
	size_t room = 65536, got = 0;
	char *text = malloc(room);

	while (text) {
		ssize_t bytes = pread(fd, text + got, room - 1 - got, (off_t)got);
		char *more;
		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes < 0)
			break;
		got += (size_t)bytes;
		text[got] = 0;
		if (bytes == 0)
			return text;
		if (got < room - 1)
			continue;
		errno = E2BIG;
		if (room >= MOUNTINFO_BYTES_MAX || !(more = realloc(text, room *= 2)))
			break;
		text = more;
	}
	free(text);
	return NULL;
}

/* Marks every mount that can be reached by name; those that are marked already stay so. 0 or -errno. */
static int mark_mounts(const struct watch_mounts *mounts)
{
	char *text = read_all(mounts->info), *next = text;
	int failed = 0;

	if (!text)
		return -errno;
	while (!failed && next && *next) {
		char *line = next, path[AG_WATCH_PATH_BYTES], type[64], *rest;
		unsigned long long id;
		int end = 0;
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		rest = strstr(line, " - ");
		/* A name that does not fit could not be opened under what fits of it. */
		if (!rest || sscanf(line, "%llu %*u %*s %*s %4095s%n", &id, path, &end) != 2 || line[end] != ' ' ||
		    sscanf(rest, " - %63s", type) != 1) {
			failed = -EPROTO;
			break;
		}
		unescape(path);
		failed = mark_mount(mounts, id, path, type);
	}
	free(text);
	return failed;
}

/* Opens what belongs to the namespace of a process. 0 or -errno. */
static int find_mounts(struct watch_mounts *mounts, uint32_t process)
{
	char name[64], top[8];
	ssize_t length;

	snprintf(name, sizeof name, "/proc/%u/mountinfo", process);
	mounts->info = open(name, O_RDONLY | O_CLOEXEC);
	if (mounts->info < 0)
		return -errno;
	snprintf(name, sizeof name, "/proc/%u/root", process);
	mounts->root = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (mounts->root < 0)
		return -errno;
	/* Names of objects begin at the top of the namespace: it must be the root that rules speak of. */
	snprintf(name, sizeof name, "/proc/self/fd/%d", mounts->root);
	length = readlink(name, top, sizeof top);
	return length == 1 && top[0] == '/' ? 0 : length < 0 ? -errno : -EXDEV;
}

#endif
