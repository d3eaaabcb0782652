// SPDX-License-Identifier: Apache-2.0
/*
 * The guarded command's launcher: the process between the guard and the command.
 *
 *     ag-launch SOCKET_FD COMMAND [ARG...]
 *
 * It forks the command, holds it until the guard has attached to it, reaps it and its orphans, forwards signals, and
 * ends the whole tree if the guard dies (on_failure = deny). One thread, no heap, no output. Every own descriptor is
 * close-on-exec. All its signals are blocked and read from a signalfd, so that nothing but SIGKILL, SIGSTOP and a fault
 * can interrupt it. Exit: 0 after FINISH, 125 when it cannot do its work, 137 after it ended the tree of a lost guard,
 * else the command's own code.
 */
#define _GNU_SOURCE
#include "launch_lost.h"
#include "launch_open.h"
#include "launch_protocol.h"
#include "launch_signals.h"
#include "launch_start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void handle_message(void)
{
	struct ag_launch_message message;
	ssize_t got = recv(socket_fd, &message, sizeof message, MSG_DONTWAIT);
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got != sizeof message) {
		lose_guard(); /* a malformed message is not from a guard that can be trusted to answer */
		return;
	}
	switch (message.type) {
	case AG_LAUNCH_GO:
		if (!command_released && write(go_fd, "g", 1) != 1 && errno != EPIPE)
			setup_failed(AG_STAGE_FORK, errno);
		command_released = 1;
		break;
	case AG_LAUNCH_FORWARD:
		forward(message.value);
		break;
	case AG_LAUNCH_STOP:
		/*
		 * Stops and continuations of the command are seen in order here, so that the guard never stops too
		 * late.
		 */
		reap();
		if (stop_signal != 0 && !command_ended && getppid() == guard_pid) {
			freeze_tree();
			(void)kill(guard_pid, stop_signal);
		}
		break;
	case AG_LAUNCH_KEEP:
		if (!command_released && copy_watch(guard_pid, message.value) != 0)
			setup_failed(AG_STAGE_NOTIFY, errno);
		break;
	case AG_LAUNCH_TAKE:
		take_listener(config.held);
		break;
	case AG_LAUNCH_FINISH:
		if (message.value != 0 || !command_released)
			kill_tree();
		_exit(0);
	default:
		lose_guard();
	}
}

int main(int argc, char **argv)
{
	uint64_t all = ~(uint64_t)0;
	if (set_mask(all) != 0 || set_dispositions(0) != 0 || argc < 3)
		return EXIT_GUARD_FAILED;
	guard_pid = getppid();
	socket_fd = atoi(argv[1]);
	if (socket_fd < 3 || fcntl(socket_fd, F_SETFD, FD_CLOEXEC) != 0)
		return EXIT_GUARD_FAILED;
	receive_config();
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || prctl(PR_SET_NAME, "ag-launch") != 0)
		setup_failed(AG_STAGE_SUBREAPER, errno);
	if (config.cgroup[0] && (cgroup_fd = open(config.cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		setup_failed(AG_STAGE_CGROUP, errno);
	signal_fd = (int)syscall(SYS_signalfd4, -1, &all, sizeof all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0)
		setup_failed(AG_STAGE_SIGNALS, errno);
	start_command(argv + 2);
	/* Nobody of the same user may attach to the watchdog; the command, forked before, is not affected. */
	if (prctl(PR_SET_DUMPABLE, 0) != 0)
		setup_failed(AG_STAGE_FORK, errno);
	tell_simple(AG_LAUNCH_STARTED, 0, 0);
	for (;;) {
		struct pollfd polled[] = {
			{.fd = socket_fd, .events = POLLIN},
			{.fd = signal_fd, .events = POLLIN},
			{.fd = status_fd, .events = POLLIN},
			{.fd = listener_taken ? listener_fd : -1, .events = POLLIN},
		};
		/* A frozen command that is continued tells nobody: it is asked. */
		if (poll(polled, 4, frozen ? FROZEN_ROUND_MS : -1) < 0 && errno != EINTR)
			return EXIT_GUARD_FAILED;
		if (listener_taken && listener_fd >= 0)
			release_call(polled[3].revents);
		if (socket_fd >= 0 && polled[0].revents)
			handle_message();
		/*
		 * Last, because a message may have drained a SIGCHLD too: every one is followed by a look at the
		 * children.
		 */
		drain_signals();
		report_exec();
		reap();
		if (guard_lost && command_ended)
			exit_like_command();
	}
}
