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
#include "launch_exec.h"
#include "launch_protocol.h"
#include "launch_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "launch_open.h"

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

/* Counts what the launcher received itself. The signals stay blocked, so that none of them acts. */
static void drain_signals(void)
{
	static struct signalfd_siginfo info[16];
	for (;;) {
		ssize_t got = read(signal_fd, info, sizeof info);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		int64_t now = now_ms();
		for (size_t i = 0; i < (size_t)got / sizeof info[0]; i++) {
			uint32_t signo = info[i].ssi_signo;
			if (signo == SIGCHLD || signo > SIGNALS_MAX)
				continue;
			if (now - received_ms[signo] > MATCH_MS)
				received[signo] = 0;
			received[signo]++;
			received_ms[signo] = now;
			/* A guard that was stopped handles older signals only from now on. */
			for (int other = 1; signo == SIGCONT && other <= SIGNALS_MAX; other++)
				if (received[other] > 0)
					received_ms[other] = now;
		}
	}
}

/*
 * Passes a signal of the guard on, unless it went to the whole group: then the command has it already. The command is
 * an unreaped child of this only thread, so that its pid is still its own: no pidfd is needed.
 */
static void forward(int signo)
{
	drain_signals();
	if (signo < 1 || signo > SIGNALS_MAX || command_ended)
		return;
	if (signo == SIGCONT) {
		/*
		 * Not counted: a stop signal removes a pending SIGCONT, and the launcher sends one to the guard too.
		 * What counts is whether the command has been continued; a late second SIGCONT would undo a new stop.
		 */
		reap();
		if (command_ended || now_ms() - continued_ms <= MATCH_MS)
			return;
	} else if (now_ms() - received_ms[signo] <= (received[signo] > 0 ? MATCH_MS : MERGE_MS)) {
		if (received[signo] > 0) /* else the kernel merged for the launcher what the guard got one by one */
			received[signo]--;
		if (getpgid(command_pid) == getpgrp()) /* a command in a group of its own got nothing */
			return;
	}
	/* Fails with EPERM when the command changed its user; a direct sender would have got that too. */
	(void)kill(command_pid, signo);
}

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
