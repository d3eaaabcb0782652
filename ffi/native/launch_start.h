/* SPDX-License-Identifier: Apache-2.0 */
/* What the guard asks for, and the command as it waits for GO. */
#ifndef AG_LAUNCH_START_H
#define AG_LAUNCH_START_H

#include "launch_open.h"
#include "launch_state.h"

#include <fcntl.h>

/* Every count and every text of it ends within its own field. */
static int config_is_bounded(void)
{
	if (config.type != AG_LAUNCH_CONFIG || config.version != AG_LAUNCH_VERSION ||
	    config.on_failure > AG_ON_FAILURE_OPEN)
		return 0;
	if (config.fd_count > AG_LAUNCH_FDS_MAX || config.test_count > AG_LAUNCH_TESTS_MAX ||
	    config.places_bytes > AG_LAUNCH_PLACES_BYTES || config.port_count > AG_LAUNCH_PORTS_MAX)
		return 0;
	if (config.places_bytes > 0 && config.places[config.places_bytes - 1])
		return 0;
	return !config.cwd[AG_LAUNCH_PATH_BYTES - 1] && !config.lost[AG_LAUNCH_PATH_BYTES - 1] &&
	       !config.cgroup[AG_LAUNCH_PATH_BYTES - 1] && !config.held[AG_LAUNCH_PATH_BYTES - 1];
}

static void receive_config(void)
{
	ssize_t got;
	while ((got = recv(socket_fd, &config, sizeof config, 0)) < 0 && errno == EINTR)
		;
	if (got != sizeof config || !config_is_bounded())
		setup_failed(AG_STAGE_CONFIG, EINVAL);
	for (uint32_t i = 0; i < config.test_count; i++)
		if (!test_is_valid(&config.tests[i]))
			setup_failed(AG_STAGE_CONFIG, EINVAL);
}

/* Waits until the child is set up. It does so by itself, without the guard: it ends otherwise. */
static void await_ready(void)
{
	struct report report;
	ssize_t got;
	while ((got = read(status_fd, &report, sizeof report)) < 0 && errno == EINTR)
		;
	if (got != sizeof report)
		setup_failed(AG_STAGE_FORK, got < 0 ? errno : ECHILD);
	if (!report.ready)
		setup_failed(report.stage, report.error);
	for (uint32_t part = 1; part <= AG_PART_PORTS; part <<= 1)
		if (config.parts & part) {
			struct ag_launch_message message = {.type = AG_LAUNCH_PART, .pid = command_pid, .part = part};
			if (report.confinement.lacking & part)
				message.value = report.confinement.lacking_errno[__builtin_ctz(part)];
			tell(&message);
		}
	if (report.confinement.listener_fd >= 0 && config.held[0] &&
	    copy_listener(command_pid, report.confinement.listener_fd) != 0)
		setup_failed(AG_STAGE_NOTIFY, errno);
	if (report.confinement.listener_fd >= 0)
		tell_simple(AG_LAUNCH_LISTENER, report.confinement.listener_fd, 0);
}

static void start_command(char **argv)
{
	int go[2], status[2];
	if (pipe2(go, O_CLOEXEC) != 0 || pipe2(status, O_CLOEXEC) != 0)
		setup_failed(AG_STAGE_FORK, errno);
	command_pid = fork();
	if (command_pid < 0)
		setup_failed(AG_STAGE_FORK, errno);
	if (command_pid == 0) {
		close(go[1]);
		close(status[0]);
		become_command(&config, guard_pid, (int[2]){go[0], status[1]}, argv);
	}
	go_fd = go[1];
	status_fd = status[0];
	close(status[1]);
	await_ready();
	/*
	 * Standard streams and inherited descriptors belong to the command: a pipe must end when the command ends it.
	 */
	int keep[] = {socket_fd, signal_fd, go_fd, status_fd, cgroup_fd, listener_fd};
	if (close_others(0, keep, sizeof keep / sizeof keep[0]) != 0)
		setup_failed(AG_STAGE_FDS, errno);
	if (fcntl(status_fd, F_SETFL, O_NONBLOCK) != 0)
		setup_failed(AG_STAGE_FDS, errno);
}

#endif
