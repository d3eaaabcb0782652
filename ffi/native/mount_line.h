/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc/PID/mountinfo says of mounts, and how to find one of them by its number. */
#ifndef AG_MOUNT_LINE_H
#define AG_MOUNT_LINE_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* struct statx of include/uapi/linux/stat.h, which not every libc has: 256 bytes, stx_mnt_id at 144. */
#define STATX_MNT_ID_MASK 0x1000 /* Linux 5.8 */
#define STATX_MNT_ID_AT 144

/* Undoes the octal escapes of names (fs/proc_namespace.c), in place. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		unsigned byte;
		if (from[0] == '\\' && sscanf(from + 1, "%3o", &byte) == 1) {
			*to = (char)byte;
			from += 4;
		} else
			*to = *from++;
	}
	*to = '\0';
}

/* The number of the mount that `path` in `dir` is on, or `dir` itself under the empty name; 0 or -errno. */
static int mount_of(int dir, const char *path, uint64_t *id)
{
	uint8_t info[256] = {0};

	if (syscall(SYS_statx, dir, path, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_MNT_ID_MASK, info) != 0)
		return -errno;
	memcpy(id, info + STATX_MNT_ID_AT, sizeof *id);
	return 0;
}

#endif
