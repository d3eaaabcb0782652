/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names as the caller would find them, looked up in its root (hold_view.h): the kernel then walks the caller's own
 * mounts. Only /proc/self would be another one for us: names that lead through /proc are walked step by step.
 */
#ifndef AG_HOLD_RESOLVE_H
#define AG_HOLD_RESOLVE_H

#include "hold_proc.h"
#include "hold_view.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define AG_PROC_ROOT_INO 1 /* include/linux/proc_fs.h */

static int open_how(int dir, const char *name, uint64_t flags, uint64_t resolve)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
	int fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof how);

	return fd < 0 ? -errno : fd;
}

/*
 * True for what /proc tells of this process, by any of its threads: the kernel lets a process look at its own memory,
 * root and descriptors, whoever it works for. Callers may not, so they get none of it from here.
 */
static int is_own_process(const struct ag_hold_state *state, int fd)
{
	char name[16], path[AG_HOLD_PATH_BYTES];
	ssize_t length;

	if (!is_proc(fd))
		return 0;
	snprintf(name, sizeof name, "%d", fd);
	length = readlinkat(state->self_fd, name, path, sizeof path - 1);
	if (length <= 0 || (size_t)length >= sizeof path - 1)
		return 1;
	path[length] = 0;
	for (const char *at = path; (at = strchr(at, '/')) != NULL;) {
		char *end;
		long number = strtol(++at, &end, 10);
		if (strncmp(at, "fd/", 3) == 0 || strncmp(at, "fdinfo/", 7) == 0)
			return 0; /* what follows numbers descriptors */
		if (end != at && (*end == '/' || *end == 0) && syscall(SYS_tgkill, getpid(), number, 0) == 0)
			return 1;
	}
	return 0;
}

/* A descriptor on the directory that a relative name begins from, or on what `dirfd` is. */
static int open_base(struct ag_hold_state *state, int dirfd)
{
	char name[24];
	int fd;

	if (dirfd == AT_FDCWD)
		fd = openat(task_dir(state), "cwd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	else if (dirfd < 0)
		return -EBADF;
	else {
		snprintf(name, sizeof name, "fd/%d", dirfd);
		fd = openat(task_dir(state), name, O_PATH | O_CLOEXEC);
	}
	if (fd >= 0)
		return fd;
	if (reads_again(state, errno))
		return open_base(state, dirfd);
	return errno == ENOENT && dirfd != AT_FDCWD ? -EBADF : -errno;
}

/* What the link `name` in `dir` says to the caller; -ELOOP for a link that only the kernel can follow. */
static long read_link(struct ag_hold_state *state, int dir, const char *name, int link, char *to, size_t room)
{
	struct stat info;
	int probe;
	long length;

	if (is_proc(link)) {
		const struct ag_hold_call *call = &state->hold.call;
		if (fstat(dir, &info) == 0 && info.st_ino == AG_PROC_ROOT_INO) {
			if (strcmp(name, "self") == 0)
				return snprintf(to, room, "%u", call->inner_tgid);
			if (strcmp(name, "thread-self") == 0)
				return snprintf(to, room, "%u/task/%u", call->inner_tgid, call->inner_tid);
		}
		probe = open_how(dir, name, O_PATH, RESOLVE_NO_MAGICLINKS);
		if (probe == -ELOOP)
			return -ELOOP;
		if (probe >= 0)
			close(probe);
	}
	length = readlinkat(link, "", to, room - 1);
	if (length < 0)
		return -errno;
	if (length == 0 || (size_t)length == room - 1)
		return length == 0 ? -ENOENT : -ENAMETOOLONG;
	to[length] = 0;
	return length;
}

static long path_of(struct ag_hold_state *state, int fd, char *to, size_t room, uint32_t *flags);

/* True for a directory in /proc that is about the caller itself. */
static int is_own_proc(struct ag_hold_state *state, int dir)
{
	char path[AG_HOLD_PATH_BYTES];
	uint32_t flags = 0;
	unsigned number;

	if (path_of(state, dir, path, sizeof path, &flags) < 0 || sscanf(path, "/proc/%u/", &number) != 1)
		return 0;
	return number == state->hold.call.inner_tgid || number == state->hold.call.inner_tid;
}

/*
 * Follows a link that the kernel alone can follow. Whether one may look into another process is asked of the caller's
 * credentials; into itself everybody may, but to the kernel we are another.
 */
static int follow_magic(struct ag_hold_state *state, int dir, const char *name)
{
	int fd = open_how(dir, name, O_PATH, 0);

	if ((fd != -EACCES && fd != -EPERM) || !state->is_other)
		return fd;
	become_self(state);
	if (is_own_proc(state, dir))
		fd = open_how(dir, name, O_PATH, 0);
	if (become_caller(state, &state->hold.call) != 0 && fd >= 0) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

/* Opens the next component. A link that leads elsewhere is put in front of `rest`. Takes `dir` over. */
static int step(struct ag_hold_state *state, int dir, char *name, char *rest, int follow)
{
	char text[AG_HOLD_PATH_BYTES];
	struct stat info;
	long length;
	int next = is_closed_process(state, dir, name) ? -EACCES : open_how(dir, name, O_PATH | O_NOFOLLOW, 0);

	if (next >= 0 && is_own_process(state, next)) {
		close(next);
		next = -EACCES;
	}
	if (next < 0 || fstat(next, &info) != 0 || !S_ISLNK(info.st_mode) || !follow) {
		close(dir);
		return next;
	}
	length = read_link(state, dir, name, next, text, sizeof text);
	close(next);
	if (length == -ELOOP) {
		next = follow_magic(state, dir, name);
		close(dir);
		return next;
	}
	if (length < 0 || length + strlen(rest) + 2 > AG_HOLD_PATH_BYTES * 2) {
		close(dir);
		return length < 0 ? (int)length : -ENAMETOOLONG;
	}
	memmove(rest + length + 1, rest, strlen(rest) + 1);
	memcpy(rest, text, (size_t)length);
	rest[length] = '/';
	if (text[0] != '/')
		return dir;
	close(dir);
	return open_how(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
}

/* Walks a name component by component. `base` stays open. */
static int walk(struct ag_hold_state *state, int base, const char *path, int follow)
{
	char rest[AG_HOLD_PATH_BYTES * 2 + 2], name[256];
	int steps = 0;
	int dir = path[0] == '/' ? open_how(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0) : dup(base);

	if (dir < 0)
		return path[0] == '/' ? dir : -errno;
	if (is_own_process(state, dir)) {
		close(dir);
		return -EACCES;
	}
	if (strlen(path) >= AG_HOLD_PATH_BYTES) {
		close(dir);
		return -ENAMETOOLONG;
	}
	strcpy(rest, path);
	for (;;) {
		size_t skip = strspn(rest, "/"), length;
		memmove(rest, rest + skip, strlen(rest + skip) + 1);
		if (rest[0] == 0)
			return dir;
		length = strcspn(rest, "/");
		if (length >= sizeof name || steps > AG_HOLD_STEPS_MAX) {
			close(dir);
			return length >= sizeof name ? -ENAMETOOLONG : -ELOOP;
		}
		memcpy(name, rest, length);
		name[length] = 0;
		memmove(rest, rest + length, strlen(rest + length) + 1);
		steps++;
		dir = step(state, dir, name, rest, follow || rest[0] == '/');
		if (dir < 0)
			return dir;
	}
}

/*
 * Opens what the caller would find under `path`, from `base` if the name is relative, as a descriptor that only names
 * it. The caller's root must have been taken. Returns -errno; `base` stays open.
 */
static int resolve(struct ag_hold_state *state, int base, const char *path, int follow)
{
	int fd = open_how(base, path, O_PATH | (follow ? 0 : O_NOFOLLOW), RESOLVE_NO_MAGICLINKS);

	if (fd >= 0 && !is_proc(fd))
		return fd;
	/* What is not there may be so for this process alone: its /proc/self is another one. */
	if (fd < 0 && fd != -ELOOP && fd != -ENOENT && fd != -ENOTDIR)
		return fd;
	if (fd >= 0)
		close(fd);
	return walk(state, base, path, follow);
}

/* True where `path` leads to what `fd` is open on, to the guard itself in the caller's root. */
static int is_named(struct ag_hold_state *state, int fd, const char *path)
{
	struct stat info, named;
	int there, same;

	become_self(state);
	there = state->view.entered ? open_how(AT_FDCWD, path, O_PATH | O_NOFOLLOW, 0) :
				      open_how(state->view.fd, path, O_PATH | O_NOFOLLOW, RESOLVE_IN_ROOT);
	if (there < 0)
		return 0;
	same = fstat(fd, &info) == 0 && fstat(there, &named) == 0 && named.st_ino == info.st_ino &&
	       named.st_dev == info.st_dev;
	close(there);
	return same;
}

/*
 * The path of a descriptor as the caller sees it: its length or -errno. The caller's root must have been taken unless
 * it can be seen from outside.
 */
static long path_of(struct ag_hold_state *state, int fd, char *to, size_t room, uint32_t *flags)
{
	static const char gone[] = " (deleted)", outside[] = "(unreachable)";
	const size_t gone_bytes = sizeof gone - 1, outside_bytes = sizeof outside - 1;
	char name[16];
	struct stat info;
	long length;

	snprintf(name, sizeof name, "%d", fd);
	length = readlinkat(state->self_fd, name, to, room - 1);
	if (length <= 0 || (size_t)length >= room - 1)
		return length < 0 ? -errno : -ENAMETOOLONG;
	to[length] = 0;
	if ((size_t)length > outside_bytes && memcmp(to, outside, outside_bytes) == 0) {
		length -= (long)outside_bytes;
		memmove(to, to + outside_bytes, (size_t)length + 1);
	}
	if ((size_t)length > gone_bytes && memcmp(to + length - gone_bytes, gone, gone_bytes) == 0 &&
	    !is_named(state, fd, to) && fstat(fd, &info) == 0) {
		length -= (long)gone_bytes;
		*flags |= AG_HOLD_DELETED;
		if (info.st_nlink == 0 && length > 7 && memcmp(to, "/memfd:", 7) == 0)
			*flags |= AG_HOLD_MEMFD;
	}
	return length;
}

#endif
