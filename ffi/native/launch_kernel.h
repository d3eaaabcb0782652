/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files by which root commands the kernel and the whole host without any capability: a program that the kernel is to
 * start as root outside of every tree (core_pattern), the freezer of the guard (cgroup v1), a disk below every file
 * system, a terminal that somebody else sits at. In the command's mount namespace they are read-only or do not open.
 */
#ifndef AG_LAUNCH_KERNEL_H
#define AG_LAUNCH_KERNEL_H

#include "launch_terminals.h"
#include "launch_tree.h"
#include "mount_line.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MOUNT_LINE_BYTES 16384
#define DEVICE_DEPTH_MAX 4
/* Of /dev in one session: a host with more disks than this is somebody's storage server. */
#define DEVICES_MAX 1024

/* File systems that are the kernel's own settings: nothing of them is a place to work in. */
static const char *const KERNEL_TYPES[] = {"sysfs",   "cgroup",   "cgroup2",    "debugfs",    "tracefs",
					   "bpf",     "configfs", "securityfs", "efivarfs",   "pstore",
					   "fusectl", "resctrl",  "selinuxfs",  "binfmt_misc"};
/* In /proc, what is not about a process. */
static const char *const PROC_SETTINGS[] = {"sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "mtrr"};

/* Devices by which files, memory, keyboard or screen of the whole host are read or written; minor -1: every one. */
static const struct device {
	int major, minor;
} DEVICES[] = {
	{1, 1},    /* mem */
	{1, 2},    /* kmem */
	{1, 4},    /* port */
	{1, 11},   /* kmsg */
	{7, -1},   /* screens of consoles */
	{10, 130}, /* watchdog: opened and left, it resets the host */
	{10, 144}, /* nvram */
	{10, 196}, /* vfio: devices past their drivers */
	{10, 200}, /* tun: packets that come from nowhere, past every rule about the network */
	{10, 223}, /* uinput: types */
	{10, 231}, /* snapshot: suspends */
	{10, 234}, /* btrfs-control */
	{10, 236}, /* device mapper */
	{10, 237}, /* loop-control */
	{10, 238}, /* vhost-net */
	{10, 239}, /* uhid */
	{10, 241}, /* vhost-vsock: to the hypervisor */
	{13, -1},  /* keyboards and mice */
	{21, -1},  /* SCSI, past the file system */
};
/* Those with a number that is given at run time, by the beginning of their name. */
static const char *const DEVICE_NAMES[] = {"nvme", "ng", "bsg", "hidraw", "watchdog", "ipmi", "mei", "userfaultfd"};

/* A mount of a path on itself; it carries what is mounted below. */
static int bind_itself(const char *path)
{
	return mount(path, path, NULL, MS_BIND | MS_REC, NULL);
}

/* Adds flags to the mount that `path` is the top of. */
static int restrict_mount(const char *path, unsigned long more)
{
	struct statvfs info;
	if (statvfs(path, &info) != 0)
		return -1;
	/* A remount replaces the flags: what the place had must stay. ST_* and MS_* of these four are the same bits.
	 */
	unsigned long flags = info.f_flag & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
	return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | flags | more, NULL);
}

static int make_read_only(const char *path)
{
	return bind_itself(path) == 0 ? restrict_mount(path, MS_RDONLY) : -1;
}

static int is_missing(int error)
{
	return error == ENOENT || error == ENOTDIR;
}

static int is_kernel_type(const char *type)
{
	for (size_t i = 0; i < sizeof KERNEL_TYPES / sizeof KERNEL_TYPES[0]; i++)
		if (strcmp(type, KERNEL_TYPES[i]) == 0)
			return 1;
	return 0;
}

/* A path leads to the mount with this number, and not to another one on top of it. */
static int is_on_top(const char *path, uint64_t mount_id)
{
	uint64_t found = 0;

	return mount_of(AT_FDCWD, path, &found) == 0 && found == mount_id;
}

static int keep_proc(const char *path)
{
	char inner[PATH_MAX + 16];
	for (size_t i = 0; i < sizeof PROC_SETTINGS / sizeof PROC_SETTINGS[0]; i++) {
		snprintf(inner, sizeof inner, "%s/%s", path, PROC_SETTINGS[i]);
		if (make_read_only(inner) != 0 && !is_missing(errno))
			return -1;
	}
	return 0;
}

/*
 * One line of mountinfo: number, parent, device, root, mount point, options, optional fields, "-", type, source. `proc`
 * says which of the two kinds of file systems is wanted this time. Returns -1 with errno.
 */
static int keep_mount(char *line, int proc)
{
	char root[PATH_MAX], path[PATH_MAX], type[64];
	const char *end = strstr(line, " - ");
	unsigned long mount_id;
	if (!end || sscanf(end, " - %63s", type) != 1 ||
	    sscanf(line, "%lu %*s %*s %4095s %4095s", &mount_id, root, path) != 3)
		return 0;
	const int devices = strcmp(type, "devtmpfs") == 0, terminals = strcmp(type, "devpts") == 0;
	if (proc ? strcmp(type, "proc") != 0 : !devices && !terminals && !is_kernel_type(type))
		return 0;
	unescape(path);
	if (!is_on_top(path, mount_id))
		return 0;
	if (devices) /* of a system below this one; those of /dev are closed one by one */
		return strcmp(path, "/dev") == 0 ? 0 : restrict_mount(path, MS_NODEV);
	if (terminals) /* of another system; those of this one are replaced */
		return strcmp(root, "/") != 0 || strcmp(path, PTS) == 0 ? 0 : restrict_mount(path, MS_NODEV);
	/* A part of /proc that is mounted alone is one that somebody took out of the rest. */
	return proc && strcmp(root, "/") == 0 ? keep_proc(path) : restrict_mount(path, MS_RDONLY);
}

/*
 * Every mount of the kernel's settings. Those in /proc come last: what is mounted below them is read-only by then, and
 * the copies of it are so, too.
 */
static int keep_kernel(void)
{
	static char line[MOUNT_LINE_BYTES];
	for (int proc = 0; proc <= 1; proc++) {
		FILE *file = fopen("/proc/self/mountinfo", "re");
		int failed = 0;
		if (!file)
			return -1;
		while (!failed && fgets(line, sizeof line, file))
			failed = keep_mount(line, proc) != 0;
		int error = errno;
		fclose(file);
		errno = error;
		if (failed)
			return -1;
	}
	return 0;
}

static int is_closed_device(const struct stat *info, const char *name)
{
	if (S_ISBLK(info->st_mode))
		return 1;
	if (!S_ISCHR(info->st_mode))
		return 0;
	if (is_console(info->st_rdev))
		return !is_own_terminal(info->st_rdev);
	for (size_t i = 0; i < sizeof DEVICES / sizeof DEVICES[0]; i++)
		if ((int)major(info->st_rdev) == DEVICES[i].major &&
		    (DEVICES[i].minor < 0 || (int)minor(info->st_rdev) == DEVICES[i].minor))
			return 1;
	for (size_t i = 0; i < sizeof DEVICE_NAMES / sizeof DEVICE_NAMES[0]; i++)
		if (strncmp(name, DEVICE_NAMES[i], strlen(DEVICE_NAMES[i])) == 0)
			return 1;
	return 0;
}

/* A device node on a mount without devices opens for nobody, root with every capability included. */
static int close_device(const char *path)
{
	return bind_itself(path) == 0 ? restrict_mount(path, MS_NODEV) : -1;
}

/* Closes every device below `path` that no command may open. Returns -1 with errno. */
static int close_devices(char path[PATH_MAX], int depth, int *left)
{
	static _Alignas(8) char buffers[DEVICE_DEPTH_MAX][8192];
	char *entries = buffers[depth];
	size_t length = strlen(path);
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), failed = 0;
	struct stat own;
	long got = 0;
	if (dir < 0)
		return is_missing(errno) ? 0 : -1;
	failed = fstat(dir, &own) != 0;
	while (!failed && (got = syscall(SYS_getdents64, dir, entries, sizeof buffers[0])) > 0) {
		for (long at = 0; at < got && !failed;) {
			const struct linux_dirent64_head *entry = (const void *)(entries + at);
			struct stat info;
			at += entry->length;
			if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0 ||
			    length + strlen(entry->name) + 2 > PATH_MAX)
				continue;
			snprintf(path + length, PATH_MAX - length, "/%s", entry->name);
			if (lstat(path, &info) != 0)
				continue; /* it has gone */
			errno = E2BIG;
			/* Not below other mounts: shared memory may hold any number of files. */
			if (S_ISDIR(info.st_mode)) {
				if (info.st_dev == own.st_dev && depth + 1 < DEVICE_DEPTH_MAX)
					failed = close_devices(path, depth + 1, left) != 0;
			} else if (is_closed_device(&info, entry->name))
				failed = --*left < 0 || (close_device(path) != 0 && !is_missing(errno));
		}
		path[length] = '\0';
	}
	failed |= got < 0;
	int error = errno;
	close(dir);
	errno = error;
	return failed ? -1 : 0;
}

/* Everything of this file. Returns -1 with errno. */
static int keep_host(void)
{
	static char path[PATH_MAX] = "/dev";
	int left = DEVICES_MAX;
	find_own_terminals();
	if (keep_kernel() != 0 || close_devices(path, 0, &left) != 0)
		return -1;
	return keep_terminals();
}

#endif
