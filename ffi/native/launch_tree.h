/* SPDX-License-Identifier: Apache-2.0 */
/* Finds and kills what is left of the command's tree. */
#ifndef AG_LAUNCH_TREE_H
#define AG_LAUNCH_TREE_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct linux_dirent64_head { /* include/linux/dirent.h */
	uint64_t inode;
	int64_t offset;
	unsigned short length;
	unsigned char type;
	char name[];
};

/* Parent of a process from /proc/PID/stat (fs/proc/array.c), or -1. */
static pid_t parent_of(int proc_fd, const char *name)
{
	char path[32], text[512];
	size_t bytes = strlen(name);
	if (bytes > sizeof path - sizeof "/stat")
		return -1;
	memcpy(path, name, bytes);
	memcpy(path + bytes, "/stat", sizeof "/stat");
	int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t got = read(fd, text, sizeof text - 1);
	close(fd);
	if (got <= 0)
		return -1;
	text[got] = '\0';
	const char *end = strrchr(text, ')'); /* a name may hold anything, also ")" */
	return end && strlen(end) > 4 ? (pid_t)strtol(end + 4, NULL, 10) : -1;
}

static void kill_child(pid_t pid)
{
	/* Fails with EPERM for a set-user-id descendant of an unprivileged guard, which is waited for instead. */
	(void)kill(pid, SIGKILL);
}

/*
 * Kills the launcher's own children: their pids cannot be reused before reap(). What they leave becomes a child in
 * turn, because the launcher is the subreaper, so that repeating this ends every descendant, whatever its session.
 * `command_pid` is 0 when the command was reaped.
 */
static void kill_children(pid_t command_pid)
{
	static _Alignas(8) char entries[32768];
	pid_t self = getpid();
	int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc_fd < 0) { /* without /proc the command at least */
		if (command_pid > 0)
			kill_child(command_pid);
		return;
	}
	for (;;) {
		long got = syscall(SYS_getdents64, proc_fd, entries, sizeof entries);
		if (got <= 0)
			break;
		for (long at = 0; at < got;) {
			const struct linux_dirent64_head *entry = (const void *)(entries + at);
			at += entry->length;
			if (entry->name[0] < '1' || entry->name[0] > '9' || parent_of(proc_fd, entry->name) != self)
				continue;
			kill_child((pid_t)strtol(entry->name, NULL, 10));
		}
	}
	close(proc_fd);
}

/* True if a file of the cgroup says so; -1 with errno where it cannot be read. */
static int cgroup_says(int cgroup_fd, const char *name, const char *what)
{
	char text[128];
	int fd = openat(cgroup_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t got = read(fd, text, sizeof text - 1);
	int error = errno;
	close(fd);
	errno = error;
	if (got < 0)
		return -1;
	text[got] = '\0';
	return strstr(text, what) != NULL;
}

/* True if the cgroup has no live process; a cgroup that is gone is empty. */
static int cgroup_empty(int cgroup_fd)
{
	int said = cgroup_says(cgroup_fd, "cgroup.events", "populated 0");
	return said >= 0 ? said : errno == ENOENT || errno == ENODEV;
}

/* Begins or ends a pause of the whole cgroup. 0, or -1 with errno. */
static int cgroup_freeze(int cgroup_fd, int on)
{
	int fd = openat(cgroup_fd, "cgroup.freeze", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t written = write(fd, on ? "1" : "0", 1);
	int error = errno;
	close(fd);
	errno = error;
	return written == 1 ? 0 : -1;
}

#endif
