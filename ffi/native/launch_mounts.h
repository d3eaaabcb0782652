/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command's own mount namespace: what is the guard's, and what would lead out of the tree, is hidden or read-only
 * there. Nobody in it may mount or unmount (launch_deny.h), so that it stays so when the guard dies.
 */
#ifndef AG_LAUNCH_MOUNTS_H
#define AG_LAUNCH_MOUNTS_H

#include "launch_kernel.h"
#include "launch_protocol.h"
#include "launch_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define HIDDEN_FLAGS (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* Where the empty directory and the file that cannot be opened lie while they are being bound to other places. */
struct stage {
	const char *directory; /* itself hidden; NULL before the first hidden directory */
	char empty[PATH_MAX + 8];
	char closed[PATH_MAX + 8];
};

/*
 * Hides a directory behind a new file system with nothing in it but the stage. Its file is a device node on a mount
 * without devices: opening it fails with EACCES for everybody, root with every capability included (fs/namei.c,
 * may_open_dev); connecting to it fails with ECONNREFUSED.
 */
static int make_stage(struct stage *stage, const char *directory)
{
	if (mount("agentguard", directory, "tmpfs", HIDDEN_FLAGS & ~MS_RDONLY, "mode=0555,size=64k,nr_inodes=8") != 0)
		return -1;
	stage->directory = directory;
	snprintf(stage->empty, sizeof stage->empty, "%s/empty", directory);
	snprintf(stage->closed, sizeof stage->closed, "%s/closed", directory);
	if (mkdir(stage->empty, 0555) != 0)
		return -1;
	return mknod(stage->closed, S_IFCHR, makedev(0, 0));
}

static int hide(struct stage *stage, const char *path)
{
	struct stat info;
	if (stat(path, &info) != 0)
		return -1;
	if (S_ISDIR(info.st_mode) && !stage->directory)
		return make_stage(stage, path);
	if (!stage->directory) {
		errno = EINVAL;
		return -1;
	}
	if (mount(S_ISDIR(info.st_mode) ? stage->empty : stage->closed, path, NULL, MS_BIND, NULL) != 0)
		return -1;
	return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | HIDDEN_FLAGS, NULL);
}

static int close_names(int names, int behind)
{
	static _Alignas(8) char entries[16384];
	long got;
	while ((got = syscall(SYS_getdents64, names, entries, sizeof entries)) > 0) {
		for (long at = 0; at < got;) {
			const struct linux_dirent64_head *entry = (const void *)(entries + at);
			const char *name = entry->name;
			at += entry->length;
			if (!strcmp(name, ".") || !strcmp(name, ".."))
				continue;
			int made = entry->type == DT_DIR ? mkdirat(behind, name, 0555) :
							   mknodat(behind, name, S_IFCHR, makedev(0, 0));
			if (made != 0)
				return errno == ENOSPC ? 0 : -1;
		}
	}
	return (int)got;
}

/*
 * Closes a directory: behind a new file system with the same names in it, none of which can be opened, so that the
 * command is told EACCES and not that there is nothing. Names that do not fit are not there; a directory is empty.
 */
static int close_directory(const char *path)
{
	int names = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), behind, result;
	if (names < 0)
		return -1;
	result = mount("agentguard", path, "tmpfs", HIDDEN_FLAGS & ~MS_RDONLY, "mode=0555,size=64k,nr_inodes=512");
	behind = result == 0 ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (result == 0)
		result = behind < 0 ? -1 : close_names(names, behind);
	if (result == 0)
		result = mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | HIDDEN_FLAGS, NULL);
	if (behind >= 0)
		close(behind);
	close(names);
	return result;
}

/* What is bound elsewhere stays; here nothing is left of it. */
static int close_stage(const struct stage *stage)
{
	if (!stage->directory)
		return 0;
	if (rmdir(stage->empty) != 0 || unlink(stage->closed) != 0)
		return -1;
	return mount(NULL, stage->directory, NULL, MS_REMOUNT | MS_BIND | HIDDEN_FLAGS, NULL);
}

static int put_place(struct stage *stage, char kind, const char *path)
{
	struct stat info;
	if (stat(path, &info) != 0)
		return is_missing(errno) ? 0 : -1;
	switch (kind) {
	case AG_PLACE_PIN:
		return bind_itself(path);
	case AG_PLACE_READ_ONLY:
		return make_read_only(path);
	case AG_PLACE_HIDE:
		return hide(stage, path);
	case AG_PLACE_CLOSE:
		return S_ISDIR(info.st_mode) ? close_directory(path) : hide(stage, path);
	case AG_PLACE_WRITE:
	case AG_PLACE_WRITE_FILES:
		return 0; /* launch_landlock.h */
	default:
		errno = EINVAL;
		return -1;
	}
}

/*
 * What can be written in /proc about a process without any right to trace it, by the same user. Its threads have names
 * of their own there. Not hidden: names that lead through it must still be seen to lead through /proc (hold_resolve.h).
 */
static int keep_process(pid_t pid)
{
	static _Alignas(8) char entries[8192];
	char path[64];
	long got;
	int threads, failed = 0;
	snprintf(path, sizeof path, "/proc/%d", pid);
	if (make_read_only(path) != 0)
		return is_missing(errno) ? 0 : -1;
	snprintf(path, sizeof path, "/proc/%d/task", pid);
	threads = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (threads < 0)
		return is_missing(errno) ? 0 : -1;
	while (!failed && (got = syscall(SYS_getdents64, threads, entries, sizeof entries)) > 0)
		for (long at = 0; at < got && !failed;) {
			const struct linux_dirent64_head *entry = (const void *)(entries + at);
			long thread = strtol(entry->name, NULL, 10);
			at += entry->length;
			if (thread <= 0 || thread == pid)
				continue;
			snprintf(path, sizeof path, "/proc/%ld", thread);
			failed = make_read_only(path) != 0 && !is_missing(errno);
		}
	close(threads);
	return failed ? -1 : 0;
}

/*
 * A descriptor of a directory leads to the mounts of the namespace that it was opened in, past everything here. It is
 * opened again by its path.
 */
static int reopen_directory(int fd)
{
	char link[32], path[PATH_MAX];
	struct stat info;
	if (fstat(fd, &info) != 0)
		return errno == EBADF ? 0 : -1;
	if (!S_ISDIR(info.st_mode))
		return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t got = readlink(link, path, sizeof path - 1);
	if (got < 0)
		return -1;
	path[got] = '\0';
	int flags = fcntl(fd, F_GETFL);
	int opened = open(path, (flags & O_PATH) | O_DIRECTORY | O_CLOEXEC);
	if (opened < 0) /* removed, or hidden now: the command gets an empty number rather than a way around */
		return close(fd);
	if (dup2(opened, fd) != fd)
		return -1;
	return close(opened);
}

/* Enters the namespace. Returns 0, or the errno that says why this host does not have it. */
static int enter_mount_namespace(void)
{
	if (unshare(CLONE_NEWNS) != 0)
		return errno;
	/* What the host mounts later appears here, too; nothing that happens here appears there. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0)
		return errno;
	return 0;
}

/* Puts every place. Returns -1 with errno where one that exists could not be put. */
static int put_places(const struct ag_launch_config *config, pid_t guard, pid_t launcher)
{
	static struct stage stage;
	static char directory[PATH_MAX];
	const char *end = config->places + config->places_bytes;
	if (keep_host() != 0)
		return -1;
	for (const char *at = config->places; at < end; at += strlen(at) + 1)
		if (put_place(&stage, at[0], at + 1) != 0)
			return -1;
	if (keep_process(guard) != 0 || keep_process(launcher) != 0 || close_stage(&stage) != 0)
		return -1;
	/* The working directory and inherited ones are still those behind the new mounts. */
	if (getcwd(directory, sizeof directory) && chdir(directory) != 0 && !is_missing(errno))
		return -1;
	for (int fd = 0; fd <= 2; fd++)
		if (reopen_directory(fd) != 0)
			return -1;
	for (uint32_t i = 0; i < config->fd_count; i++)
		if (reopen_directory(config->fds[i]) != 0)
			return -1;
	return 0;
}

#endif
