/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc tells of a process only to those who may trace it. A guarded command may trace nobody outside of its tree
 * (Landlock); who opens files for it could, with the same user, and would give it the memory of the user's own shell.
 */
#ifndef AG_HOLD_PROC_H
#define AG_HOLD_PROC_H

#include "hold_caller.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>

/* More ancestors than that are nobody's tree. */
#define AG_ANCESTORS_MAX 4096

static int is_proc(int fd)
{
	struct statfs info;

	return fstatfs(fd, &info) == 0 && info.f_type == PROC_SUPER_MAGIC;
}

/* Parent of a process or thread, or 0 (fs/proc/array.c). */
static long parent_number(const struct ag_hold_state *state, long number)
{
	char text[512];
	const char *end;
	ssize_t got;
	int fd;

	snprintf(text, sizeof text, "%ld/stat", number);
	fd = openat(state->proc_fd, text, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	got = read(fd, text, sizeof text - 1);
	close(fd);
	text[got > 0 ? got : 0] = 0;
	end = strrchr(text, ')'); /* a name may hold anything, also ")" */
	return end && strlen(end) > 4 ? strtol(end + 4, NULL, 10) : 0;
}

/* The child of this process that a process descends from, or 0: a launcher, to which whatever it left comes back. */
static long launcher_of(const struct ag_hold_state *state, long number)
{
	long own = getpid();

	for (int i = 0; i < AG_ANCESTORS_MAX && number > 1; i++) {
		long parent = parent_number(state, number);
		if (parent == own)
			return number;
		number = parent;
	}
	return 0;
}

static int is_in_tree(const struct ag_hold_state *state, long number)
{
	const struct ag_hold_call *call = &state->hold.call;
	long launcher;

	if (number == call->tgid || number == call->tid)
		return 1;
	launcher = launcher_of(state, call->tgid);
	return launcher != 0 && launcher_of(state, number) == launcher;
}

/* What the kernel shows of every process to everybody. */
static int is_public(const char *name, size_t bytes)
{
	static const char *const PUBLIC[] = {
		"attr",      "autogroup", "cgroup",    "cmdline",       "comm",   "coredump_filter",
		"cpuset",    "limits",    "loginuid",  "mountinfo",     "mounts", "mountstats",
		"net",       "oom_adj",   "oom_score", "oom_score_adj", "sched",  "schedstat",
		"sessionid", "stat",      "statm",     "status",        "task",   "wchan",
	};

	for (unsigned i = 0; i < sizeof PUBLIC / sizeof PUBLIC[0]; i++)
		if (strlen(PUBLIC[i]) == bytes && memcmp(PUBLIC[i], name, bytes) == 0)
			return 1;
	return 0;
}

/* True if `name` in `dir` is about a process outside of the caller's tree, and not for everybody. */
static int is_closed_process(const struct ag_hold_state *state, int dir, const char *name)
{
	static const char proc[] = "/proc/";
	char path[AG_HOLD_PATH_BYTES + 260], link[16];
	const char *at, *next;
	char *end;
	ssize_t length;
	long number;

	if (!is_proc(dir))
		return 0;
	snprintf(link, sizeof link, "%d", dir);
	length = readlinkat(state->self_fd, link, path, AG_HOLD_PATH_BYTES);
	if (length <= 0 || length >= AG_HOLD_PATH_BYTES || strlen(name) > 256)
		return 1;
	snprintf(path + length, sizeof path - (size_t)length, "/%s", name);
	/* The last one: nothing in a /proc is called so. Mounted under another name, any number may be a process. */
	for (at = NULL, next = path; (next = strstr(next, proc)) != NULL; next++)
		at = next + sizeof proc - 1;
	if (!at)
		for (at = path + 1; *at < '0' || *at > '9'; at++)
			if (!(at = strchr(at, '/')))
				return 0;
	number = strtol(at, &end, 10);
	if (number <= 0 || *end != '/')
		return 0; /* settings, or the process itself */
	at = end + 1;
	if (strncmp(at, "task/", 5) == 0) {
		at = strchr(at + 5, '/');
		if (!at)
			return 0;
		at++;
	}
	if (is_public(at, strcspn(at, "/")))
		return 0;
	return !is_in_tree(state, number);
}

#endif
