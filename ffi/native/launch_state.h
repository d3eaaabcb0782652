/* SPDX-License-Identifier: Apache-2.0 */
/* What the launcher knows, and how it tells the guard. One file of C is made of all these headers. */
#ifndef AG_LAUNCH_STATE_H
#define AG_LAUNCH_STATE_H

#include "launch_exec.h"
#include "launch_protocol.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A signal that the launcher got with the group is matched with the guard's FORWARD of it within this time. */
#define MATCH_MS 2000
/* Signals of one kind that come closer than this may be merged, as the kernel merges those that are still pending. */
#define MERGE_MS 100
#define KILL_ROUND_MS 5
/* How long the tree may take to pause before the guard stops, and how often it is asked while it pauses. */
#define FREEZE_MS 1000
#define FROZEN_ROUND_MS 20

static struct ag_launch_config config;
static int socket_fd = -1, signal_fd = -1, status_fd = -1, go_fd = -1, cgroup_fd = -1, lost_fd = -1;
static pid_t command_pid, guard_pid;
static int command_released, command_ended, command_status, stop_signal, guard_lost;
static uint32_t received[SIGNALS_MAX + 1];
static int64_t received_ms[SIGNALS_MAX + 1];
static int frozen;                       /* by the launcher, for as long as the guard is stopped with the command */
static int64_t continued_ms = -MATCH_MS; /* when the command was last seen to run again */

static int64_t now_ms(void)
{
	struct timespec now;
	if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
		_exit(EXIT_GUARD_FAILED);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A failed send means that the guard is gone; the main loop sees the end of the socket and acts on it. */
static void tell(const struct ag_launch_message *message)
{
	while (send(socket_fd, message, sizeof *message, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

static void tell_simple(uint32_t type, int32_t value, uint32_t stage)
{
	struct ag_launch_message message = {.type = type, .pid = command_pid, .value = value, .stage = stage};
	tell(&message);
}

_Noreturn static void setup_failed(uint32_t stage, int error)
{
	tell_simple(AG_LAUNCH_SETUP_FAILED, error, stage);
	_exit(EXIT_GUARD_FAILED);
}

#endif
