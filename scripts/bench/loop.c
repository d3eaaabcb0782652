/*
 * Keeps one CPU busy without a system call or memory, until it is killed: what any running program costs its neighbour.
 *
 * usage: loop CPU
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	volatile unsigned long state = 1;
	cpu_set_t cpus;

	if (argc != 2) {
		fprintf(stderr, "usage: loop CPU\n");
		return 2;
	}
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[1]), &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus)) {
		perror("sched_setaffinity");
		return 1;
	}
	puts("looping");
	fflush(stdout);
	for (;;)
		state = state * 3 + 1;
}
