/*
 * What all attempts share: they say `ok` after success and stay STAY_S seconds, by the environment where it says so: a
 * late signal still finds them.
 */
#ifndef ATTACK_H
#define ATTACK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef STAY_S
#define STAY_S 3
#endif

/* The attempt reached its aim. */
static void succeed(void)
{
	const char *stay = getenv("STAY_S");

	puts("ok");
	fflush(stdout);
	sleep(stay ? atoi(stay) : STAY_S);
	exit(0);
}

/* The attempt ended where it was refused. */
static void fail(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	fflush(stdout);
	exit(1);
}

static inline void expect(long result, const char *what)
{
	if (result < 0)
		fail(what);
}

/* Prints what an open file holds. */
static inline void show(int fd)
{
	char text[256];
	long n;

	expect(fd, "open");
	n = pread(fd, text, sizeof(text), 0);
	expect(n, "read");
	fwrite(text, 1, n, stdout);
	putchar('\n');
	succeed();
}

#endif
