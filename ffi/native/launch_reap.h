/* SPDX-License-Identifier: Apache-2.0 */
/* The command and its tree: reaped, paused with the guard, ended. */
#ifndef AG_LAUNCH_REAP_H
#define AG_LAUNCH_REAP_H

#include "launch_state.h"
#include "launch_tree.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* Reports what came of execve: the pipe closes at a successful one. */
static void report_exec(void)
{
	struct report report;
	ssize_t got;
	if (status_fd < 0)
		return;
	while ((got = read(status_fd, &report, sizeof report)) < 0 && errno == EINTR)
		;
	if (got < 0 && errno == EAGAIN)
		return;
	if (got == sizeof report)
		tell_simple(AG_LAUNCH_EXEC_FAILED, report.error, report.stage);
	close(status_fd);
	status_fd = -1;
}

static uint64_t microseconds(struct timeval time)
{
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

/*
 * A guard that stops with its command sees, decides and ends nothing: the rest of the tree must not go on without it.
 * The command alone was stopped, and any of its children may have done that. What a cgroup cannot pause (a process in
 * the middle of a call that nothing interrupts) is waited for, but not for ever.
 */
static void freeze_tree(void)
{
	int64_t until = now_ms() + FREEZE_MS;
	if (cgroup_fd < 0 || frozen || cgroup_says(cgroup_fd, "cgroup.freeze", "1") != 0 ||
	    cgroup_freeze(cgroup_fd, 1) != 0)
		return;
	frozen = 1;
	while (cgroup_says(cgroup_fd, "cgroup.events", "frozen 1") == 0 && now_ms() < until) {
		struct timespec pause = {.tv_nsec = 1000000};
		nanosleep(&pause, NULL);
	}
}

static void thaw_tree(void)
{
	if (frozen && cgroup_freeze(cgroup_fd, 0) == 0)
		frozen = 0;
}

/* Reaps and reports. Returns 0 while there are children, -1 when there are none. */
static int reap(void)
{
	for (;;) {
		struct rusage usage;
		int status;
		pid_t pid = wait4(-1, &status, WNOHANG | WUNTRACED | WCONTINUED | __WALL, &usage);
		if (pid == 0)
			return 0;
		if (pid < 0) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		if (pid != command_pid || command_ended)
			continue;
		report_exec();
		if (WIFSTOPPED(status)) {
			if (stop_signal != 0) /* continued in between: the kernel reports the latest change only */
				continued_ms = now_ms();
			stop_signal = WSTOPSIG(status);
			tell_simple(AG_LAUNCH_STOPPED, stop_signal, 0);
		} else if (WIFCONTINUED(status)) {
			stop_signal = 0;
			continued_ms = now_ms();
			/*
			 * A guard that stopped with its command must run again to hear of it; a dead one is seen below.
			 */
			if (!guard_lost && getppid() == guard_pid)
				(void)kill(guard_pid, SIGCONT);
			thaw_tree();
			tell_simple(AG_LAUNCH_CONTINUED, 0, 0);
		} else {
			struct ag_launch_message message = {
				.type = AG_LAUNCH_EXITED,
				.pid = pid,
				.value = status,
				.user_us = microseconds(usage.ru_utime),
				.system_us = microseconds(usage.ru_stime),
				.maxrss_kib = (uint64_t)usage.ru_maxrss,
			};
			command_ended = 1;
			command_status = status;
			thaw_tree();
			tell(&message);
		}
	}
}

/* Ends the whole tree and returns when nothing of it is left. */
static void kill_tree(void)
{
	for (;;) {
		if (cgroup_fd >= 0) {
			int fd = openat(cgroup_fd, "cgroup.kill", O_WRONLY | O_CLOEXEC);
			/*
			 * No such file before Linux 5.14, or already removed: the children are killed one by one below.
			 * A failed write must not end this loop either: the next round tries again.
			 */
			if (fd >= 0) {
				ssize_t written = write(fd, "1", 1);
				(void)written;
				close(fd);
			}
		}
		kill_children(command_ended ? 0 : command_pid);
		if (reap() != 0 && (cgroup_fd < 0 || cgroup_empty(cgroup_fd)))
			return;
		struct timespec pause = {.tv_nsec = KILL_ROUND_MS * 1000000};
		nanosleep(&pause, NULL);
	}
}

#endif
