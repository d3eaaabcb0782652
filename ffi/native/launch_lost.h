/* SPDX-License-Identifier: Apache-2.0 */
/* The guard died: what becomes of its command, and what a later guard is told. */
#ifndef AG_LAUNCH_LOST_H
#define AG_LAUNCH_LOST_H

#include "launch_open.h"
#include "launch_reap.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>

/* Nobody else does it when the guard is dead; it fails while somebody is in the cgroup, and then it stays. */
static void remove_cgroup(void)
{
	if (config.cgroup[0])
		(void)rmdir(config.cgroup);
}

/*
 * Tells a later guard since when the tree was without one, and until when: one word and the time, microseconds of the
 * epoch, a line. The lock is held while the tree lives. Nobody is there to be told of a failure.
 */
static void note_lost(const char *word)
{
	struct timespec now;
	if (!config.lost[0] || !command_released || clock_gettime(CLOCK_REALTIME, &now) != 0)
		return;
	if (lost_fd < 0) {
		lost_fd = open(config.lost, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (lost_fd < 0 || flock(lost_fd, LOCK_EX | LOCK_NB) != 0)
			return;
	}
	(void)dprintf(lost_fd, "%s %lld\n", word, (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

_Noreturn static void exit_like_command(void)
{
	note_lost("ended");
	remove_cgroup();
	_exit(WIFEXITED(command_status) ? WEXITSTATUS(command_status) : 128 + WTERMSIG(command_status));
}

/* The guard's end is closed: it died, or it gave up before GO. */
static void lose_guard(void)
{
	guard_lost = 1;
	note_lost("lost");
	close(socket_fd);
	socket_fd = -1;
	if (config.on_failure == AG_ON_FAILURE_OPEN && command_released) {
		if (command_ended)
			exit_like_command();
		thaw_tree();
		take_listener(config.held);
		return; /* the main loop ends with the command */
	}
	kill_tree();
	note_lost("killed");
	remove_cgroup();
	_exit(128 + SIGKILL);
}

#endif
