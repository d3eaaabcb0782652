/*
 * Runs a command and says when it was started, when it had ended (CLOCK_MONOTONIC), the CPU time of it and of all
 * descendants that were waited for, and its exit code. The line goes to a file, so that the streams of the command stay
 * its own.
 *
 * usage: stopwatch FILE COMMAND [ARGUMENT...]
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static pid_t child;

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Whoever ends the stopwatch means the command: a guard must be able to clean up. */
static void forward(int signal)
{
	if (child > 0)
		kill(child, signal);
}

int main(int argc, char **argv)
{
	struct rusage usage;
	long long from, to;
	int status, error;
	FILE *out;

	if (argc < 3) {
		fprintf(stderr, "usage: stopwatch FILE COMMAND [ARGUMENT...]\n");
		return 2;
	}
	signal(SIGTERM, forward);
	from = now_ns();
	error = posix_spawnp(&child, argv[2], 0, 0, argv + 2, environ);
	if (error) {
		fprintf(stderr, "%s: %s\n", argv[2], strerror(error));
		return 127;
	}
	while (wait4(child, &status, 0, &usage) < 0) {
		if (errno != EINTR)
			return 1;
	}
	to = now_ns();
	out = fopen(argv[1], "w");
	if (!out) {
		perror(argv[1]);
		return 1;
	}
	fprintf(out, "{\"from_ns\":%lld,\"to_ns\":%lld,\"cpu_us\":%lld,\"exit_code\":%d}\n", from, to,
		(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL + usage.ru_utime.tv_usec +
			usage.ru_stime.tv_usec,
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	fclose(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
