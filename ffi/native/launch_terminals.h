/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals of others. On one of them a person may be asked whether the command may do something: whoever writes there
 * can show another question, and whoever reads there takes what is typed. The command gets pseudo-terminals of its own;
 * of those of the host it keeps the descriptors that it was started with, and its terminal's name.
 */
#ifndef AG_LAUNCH_TERMINALS_H
#define AG_LAUNCH_TERMINALS_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PTS "/dev/pts"
#define CONSOLE "/dev/console"
#define OWN_TERMINALS_MAX 4 /* standard streams and the controlling terminal */
#define PTS_MAJOR 136       /* UNIX98_PTY_SLAVE_MAJOR (include/uapi/linux/major.h) and the seven after it */

/* Terminals of the machine itself: virtual consoles that a key leads to, and lines that a console may be on. */
static const struct {
	unsigned major, first, last;
} CONSOLES[] = {
	{4, 0, 24},    /* tty0 to tty24 */
	{4, 64, 67},   /* ttyS0 to ttyS3 */
	{5, 1, 1},     /* console */
	{204, 64, 67}, /* ttyAMA0 to ttyAMA3 */
	{229, 0, 7},   /* hvc0 to hvc7 */
};

static struct {
	dev_t device[OWN_TERMINALS_MAX];
	unsigned count;
} own_terminals;

/* Field 7 of /proc/self/stat (fs/proc/array.c, new_encode_dev), or 0. */
static dev_t controlling_terminal(void)
{
	char text[512];
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	unsigned number = 0;
	if (fd >= 0)
		close(fd);
	if (got <= 0)
		return 0;
	text[got] = '\0';
	const char *end = strrchr(text, ')');
	if (!end || sscanf(end + 1, " %*c %*d %*d %*d %u", &number) != 1 || number == 0)
		return 0;
	return makedev(number >> 8 & 0xfff, (number & 0xff) | (number >> 12 & 0xfff00));
}

static void find_own_terminals(void)
{
	struct stat info;
	own_terminals.count = 0;
	for (int fd = 0; fd <= 2; fd++)
		if (isatty(fd) && fstat(fd, &info) == 0)
			own_terminals.device[own_terminals.count++] = info.st_rdev;
	const dev_t controlling = controlling_terminal();
	if (controlling)
		own_terminals.device[own_terminals.count++] = controlling;
}

static int is_own_terminal(dev_t device)
{
	for (unsigned i = 0; i < own_terminals.count; i++)
		if (own_terminals.device[i] == device)
			return 1;
	return 0;
}

static int is_console(dev_t device)
{
	for (size_t i = 0; i < sizeof CONSOLES / sizeof CONSOLES[0]; i++)
		if (major(device) == CONSOLES[i].major && minor(device) >= CONSOLES[i].first &&
		    minor(device) <= CONSOLES[i].last)
			return 1;
	return 0;
}

/* The name of a terminal of the command's in the host's pseudo-terminals, opened without using it; -1 without one. */
static int open_own_name(void)
{
	char path[32];
	struct stat info;
	for (unsigned i = 0; i < own_terminals.count; i++) {
		const dev_t device = own_terminals.device[i];
		if (major(device) < PTS_MAJOR || major(device) > PTS_MAJOR + 7)
			continue;
		snprintf(path, sizeof path, PTS "/%u", ((major(device) - PTS_MAJOR) << 20) | minor(device));
		int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && fstat(fd, &info) == 0 && info.st_rdev == device)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

/*
 * New pseudo-terminals in the place of the host's. The command's own terminal is found under the name of the console,
 * which is where programs look for it (ttyname(3)). Returns -1 with errno.
 */
static int keep_terminals(void)
{
	char path[32];
	struct stat info;
	if (stat(PTS "/ptmx", &info) != 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	int own = open_own_name(), result;
	result = mount("devpts", PTS, "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,mode=0620,ptmxmode=0666");
	if (result == 0 && own >= 0 && stat(CONSOLE, &info) == 0) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", own);
		result = mount(path, CONSOLE, NULL, MS_BIND, NULL);
	}
	int error = errno;
	if (own >= 0)
		close(own);
	errno = error;
	return result;
}

#endif
