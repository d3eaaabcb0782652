/*
 * Opens and closes one file as fast as one CPU can, and prints how many times and how long it took.
 *
 * usage: flood CPU COUNT FILE
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct timespec from, to;
	cpu_set_t cpus;
	long i, count;

	if (argc != 4) {
		fprintf(stderr, "usage: flood CPU COUNT FILE\n");
		return 2;
	}
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[1]), &cpus);
	count = atol(argv[2]);
	if (sched_setaffinity(0, sizeof(cpus), &cpus)) {
		perror("sched_setaffinity");
		return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (i = 0; i < count; i++) {
		int fd = openat(AT_FDCWD, argv[3], O_RDONLY | O_CLOEXEC);

		if (fd < 0) {
			perror(argv[3]);
			return 1;
		}
		close(fd);
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("{\"opens\":%ld,\"ns\":%lld}\n", count,
	       (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec);
	return 0;
}
