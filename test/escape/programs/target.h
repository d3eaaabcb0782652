/* Whom an attack is meant for: guard or launcher, found as a guarded process can find them. */
#ifndef TARGET_H
#define TARGET_H

#include "attack.h"

#include <fcntl.h>

/* A number, `launcher`, `guard:WORD`, or a path. */
static const char *argument = "";

/* One field of /proc/PID/status, or -1 where it cannot be read. */
static int status_of(pid_t pid, const char *field)
{
	char path[64], line[256];
	int value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "r");
	if (!file)
		return -1;
	while (value < 0 && fgets(line, sizeof(line), file))
		if (strncmp(line, field, strlen(field)) == 0)
			value = atoi(line + strlen(field));
	fclose(file);
	return value;
}

static int holds(const char *path, const char *text)
{
	char bytes[65536];
	int fd = open(path, O_RDONLY);
	ssize_t got = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));

	close(fd);
	return got > 0 && memmem(bytes, (size_t)got, text, strlen(text)) != NULL;
}

/* The launcher: the first ancestor with that name, or the first whose name is hidden. Nobody else is attacked. */
static pid_t find_launcher(void)
{
	for (pid_t pid = getppid(); pid > 1; pid = status_of(pid, "PPid:")) {
		char path[64];
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		if (status_of(pid, "PPid:") < 0 || holds(path, "ag-launch"))
			return pid;
	}
	exit(3);
}

/* A thread of the guard: a number a little before the launcher's, of a process with that word among its arguments. */
static pid_t find_guard(const char *word)
{
	pid_t launcher = find_launcher();

	for (pid_t pid = launcher - 1; pid > 1 && pid > launcher - 2000; pid--) {
		char path[64];
		snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
		if (holds(path, word) && status_of(pid, "Tgid:") < launcher)
			return pid;
		/* Everybody's status can be read, but for the guard's where the guard opens files for the command. */
		snprintf(path, sizeof path, "/proc/%d/status", pid);
		if (open(path, O_RDONLY) < 0 && errno == EACCES)
			return pid;
	}
	exit(3);
}

/* A number, `launcher`, or `guard:WORD`. */
static pid_t target(void)
{
	if (strcmp(argument, "launcher") == 0)
		return find_launcher();
	if (strncmp(argument, "guard:", 6) == 0)
		return find_guard(argument + 6);
	return atoi(argument);
}

/* The process, where the target may be one of its threads. */
static inline pid_t target_process(void)
{
	pid_t found = target(), process = status_of(found, "Tgid:");

	return process > 0 ? process : found;
}

/* Prints the name of the errno, or that it worked. */
static void tell(long result)
{
	if (result >= 0)
		succeed();
	printf("%s\n", strerror(errno));
	exit(1);
}

#endif
