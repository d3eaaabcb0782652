/* SPDX-License-Identifier: Apache-2.0 */
/* Which object an image is, as the kernel's own structures have it. */
#ifndef AG_HOLD_IDENTITY_H
#define AG_HOLD_IDENTITY_H

#include "hold_resolve.h"

#include <sys/sysmacros.h>

#define AG_OVERLAYFS_MAGIC 0x794c7630
#define AG_BTRFS_MAGIC 0x9123683e

/* The device of a mount in kernel encoding; overlays and subvolumes tell stat(2) something else. */
static int mount_device(struct ag_hold_state *state, unsigned mount_id, uint32_t *dev)
{
	char line[8192];
	int fd = openat(task_dir(state), "mountinfo", O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	int found = -ENODEV;

	if (!file) {
		if (fd >= 0)
			close(fd);
		return -errno;
	}
	while (found != 0 && fgets(line, sizeof line, file)) {
		unsigned id, major_number, minor_number;
		if (sscanf(line, "%u %*u %u:%u ", &id, &major_number, &minor_number) == 3 && id == mount_id) {
			*dev = major_number << 20 | minor_number;
			found = 0;
		}
	}
	fclose(file);
	return found;
}

/* Inode and device as the kernel's own structures have them (fs/proc/fd.c shows the former); stat(2) said `info`. */
static int identify(struct ag_hold_state *state, int fd, const struct stat *info, uint64_t *ino, uint32_t *dev)
{
	char name[16], text[512], *at;
	struct statfs fs;
	unsigned mount_id;
	ssize_t got;
	int fd_info;

	if (fstatfs(fd, &fs) != 0)
		return -errno;
	*ino = info->st_ino;
	*dev = (uint32_t)(major(info->st_dev) << 20 | minor(info->st_dev));
	if (fs.f_type != AG_OVERLAYFS_MAGIC && fs.f_type != AG_BTRFS_MAGIC)
		return 0;
	snprintf(name, sizeof name, "%d", fd);
	fd_info = openat(state->info_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd_info < 0)
		return -errno;
	got = read(fd_info, text, sizeof text - 1);
	close(fd_info);
	text[got > 0 ? got : 0] = 0;
	at = strstr(text, "ino:");
	if (at)
		*ino = strtoull(at + 4, NULL, 10);
	at = strstr(text, "mnt_id:");
	if (!at)
		return -ENODEV;
	mount_id = (unsigned)strtoul(at + 7, NULL, 10);
	return mount_device(state, mount_id, dev);
}

#endif
