/* SPDX-License-Identifier: Apache-2.0 */
/* The forked child: from the guard's go to execve, with everything as a direct start would have had it. */
#ifndef AG_LAUNCH_EXEC_H
#define AG_LAUNCH_EXEC_H

#include "launch_confine.h"
#include "launch_protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXIT_GUARD_FAILED 125
#define EXIT_CANNOT_EXECUTE 126
#define EXIT_NOT_FOUND 127
#define SIGNALS_MAX 64

/* struct sigaction of the kernel (include/linux/signal_types.h), with all 64 signals; libc hides some of them. */
struct kernel_sigaction {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

/* What the child writes into the status pipe: when it waits for the go, and if it cannot become the command. */
struct report {
	uint32_t ready;
	uint32_t stage;
	int32_t error;
	struct confinement confinement;
};

static int set_mask(uint64_t mask)
{
	return (int)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
}

static int set_dispositions(uint64_t ignored)
{
	for (int signo = 1; signo <= SIGNALS_MAX; signo++) {
		struct kernel_sigaction action = {.handler = SIG_DFL};
		if (signo == SIGKILL || signo == SIGSTOP)
			continue;
		if (ignored >> (signo - 1) & 1)
			action.handler = SIG_IGN;
		if (syscall(SYS_rt_sigaction, signo, &action, NULL, sizeof action.mask) != 0)
			return -1;
	}
	return 0;
}

/* Closes every descriptor from `first` up except those listed; `keep` is sorted here. */
static int close_others(unsigned first, int *keep, unsigned count)
{
	for (unsigned i = 1; i < count; i++)
		for (unsigned j = i; j > 0 && keep[j] < keep[j - 1]; j--) {
			int swap = keep[j];
			keep[j] = keep[j - 1];
			keep[j - 1] = swap;
		}
	for (unsigned i = 0; i < count; i++) {
		if (keep[i] < 0 || (unsigned)keep[i] < first)
			continue;
		if ((unsigned)keep[i] > first && syscall(SYS_close_range, first, keep[i] - 1, 0) != 0)
			return -1;
		first = (unsigned)keep[i] + 1;
	}
	return (int)syscall(SYS_close_range, first, ~0U, 0);
}

/* As execvp of POSIX and the shells: a file without a known format is run by /bin/sh. Returns the errno. */
static int execute_path(const char *path, char **argv)
{
	struct stat info;
	execve(path, argv, environ);
	if (errno == ENOEXEC) {
		/* argv[-1] is the launcher's own second argument, no longer needed: room for one more. */
		char *name = argv[0];
		argv[-1] = (char *)"/bin/sh";
		argv[0] = (char *)path;
		execve("/bin/sh", argv - 1, environ);
		argv[0] = name;
		return errno;
	}
	/* A directory in PATH is not a program that was found. */
	if (errno == EACCES && stat(path, &info) == 0 && S_ISDIR(info.st_mode))
		return EISDIR;
	return errno;
}

static int execute(char **argv)
{
	static char path[PATH_MAX + NAME_MAX + 2];
	const char *name = argv[0], *list = getenv("PATH");
	size_t name_bytes = strlen(name);
	int denied = 0;
	if (name_bytes == 0)
		return ENOENT;
	if (strchr(name, '/')) {
		int error = execute_path(name, argv);
		return error == EISDIR ? EACCES : error;
	}
	if (name_bytes > NAME_MAX)
		return ENAMETOOLONG;
	if (!list)
		list = "/usr/local/bin:/usr/bin:/bin";
	for (const char *from = list;; from++) {
		size_t bytes = strcspn(from, ":");
		if (bytes < PATH_MAX) {
			memcpy(path, from, bytes);
			if (bytes > 0)
				path[bytes++] = '/';
			memcpy(path + bytes, name, name_bytes + 1);
			int error = execute_path(path, argv);
			if (error == EACCES)
				denied = 1;
			else if (error != ENOENT && error != ENOTDIR && error != EISDIR && error != ENAMETOOLONG &&
				 error != ELOOP && error != ESTALE && error != ENODEV && error != ETIMEDOUT)
				return error;
		}
		from += strcspn(from, ":");
		if (*from == '\0')
			return denied ? EACCES : ENOENT;
	}
}

_Noreturn static void command_failed(int fd, uint32_t stage, int error)
{
	struct report report = {.stage = stage, .error = error};
	ssize_t written = write(fd, &report, sizeof report);
	if (written != sizeof report || stage != AG_STAGE_EXEC)
		_exit(EXIT_GUARD_FAILED);
	_exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE);
}

/* Tells the launcher that this process is set up and waits for the guard. */
static void wait_for_go(int wait_fd, int report_fd, const struct confinement *confinement)
{
	struct report report = {.ready = 1, .confinement = *confinement};
	char byte;
	ssize_t got;
	if (write(report_fd, &report, sizeof report) != sizeof report)
		_exit(EXIT_GUARD_FAILED);
	while ((got = read(wait_fd, &byte, 1)) < 0 && errno == EINTR)
		;
	if (got != 1) /* the launcher died before it was told to go */
		_exit(EXIT_GUARD_FAILED);
	/*
	 * The guard has its own by now. This one must not be inherited: who has it answers for the guard.
	 */
	if (confinement->listener_fd >= 0 && close(confinement->listener_fd) != 0)
		command_failed(report_fd, AG_STAGE_NOTIFY, errno);
}

/* Gives up what the baseline says, waits for the guard, restores what a direct start would have had, becomes it. */
_Noreturn static void become_command(const struct ag_launch_config *config, pid_t guard, int pipes[2], char **argv)
{
	static int keep[AG_LAUNCH_FDS_MAX + 1];
	static struct confinement confinement;
	const int wait_fd = pipes[0], fail_fd = pipes[1];
	struct rlimit limit;
	if (confine(config, guard, &confinement) != 0)
		command_failed(fail_fd, confinement.stage, confinement.error);
	wait_for_go(wait_fd, fail_fd, &confinement);
	memcpy(keep, config->fds, config->fd_count * sizeof keep[0]);
	keep[config->fd_count] = fail_fd;
	if (close_others(3, keep, config->fd_count + 1) != 0)
		command_failed(fail_fd, AG_STAGE_FDS, errno);
	for (int fd = 0; fd <= 2; fd++)
		if (config->closed_stdio >> fd & 1 && close(fd) != 0 && errno != EBADF)
			command_failed(fail_fd, AG_STAGE_FDS, errno);
	if (config->cwd[0] && chdir(config->cwd) != 0)
		command_failed(fail_fd, AG_STAGE_CWD, errno);
	if (config->nofile_soft != AG_LAUNCH_KEEP_NOFILE) {
		if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
			command_failed(fail_fd, AG_STAGE_RLIMIT, errno);
		limit.rlim_cur = config->nofile_soft;
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
			command_failed(fail_fd, AG_STAGE_RLIMIT, errno);
	}
	if (set_dispositions(config->ignored) != 0 || set_mask(config->blocked) != 0)
		command_failed(fail_fd, AG_STAGE_SIGNALS, errno);
	command_failed(fail_fd, AG_STAGE_EXEC, execute(argv));
}

#endif
