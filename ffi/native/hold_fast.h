/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places that the kernel finds in one look: most are. Whatever is not as simple as that (/proc, names that lead out of
 * where a relative one begins, mounts, links, mistakes) is left to find_place, which looks step by step.
 */
#ifndef AG_HOLD_FAST_H
#define AG_HOLD_FAST_H

#include "hold_place.h"

#include <sys/sysmacros.h>

/* Closes what was found, to be looked for in the other way. */
static int give_up(struct place *place)
{
	forget_place(place);
	return 0;
}

/* File systems without a device have major 0; of these /proc says something else to everybody. */
static int is_proc_object(int fd, const struct stat *info)
{
	return major(info->st_dev) == 0 && is_proc(fd);
}

/* Opens what no symbolic link leads to, as most names do, else what one does: *straight says which it was. */
static int open_straight(int from, const char *path, uint64_t flags, uint64_t scope, int *straight)
{
	int fd = open_how(from, path, flags, scope | RESOLVE_NO_SYMLINKS);

	*straight = fd >= 0;
	return fd == -ELOOP ? open_how(from, path, flags, scope | RESOLVE_NO_MAGICLINKS) : fd;
}

/*
 * Finds an object by `path`, from `base` if the name is relative; else from the caller's root. 1 where it was found, 0
 * where another way must be tried.
 */
static int find_object_fast(struct ag_hold_state *state, int base, const char *path, int follow, struct place *place)
{
	uint64_t scope = path[0] == '/' ? RESOLVE_IN_ROOT : RESOLVE_BENEATH;
	int from = path[0] == '/' ? state->view.fd : base;

	place->parent = -1;
	place->object = open_straight(from, path, O_PATH | (follow ? 0 : O_NOFOLLOW), scope, &place->straight);
	if (place->object < 0) {
		place->object = -1;
		return 0;
	}
	if (fstat(place->object, &place->info) != 0 || is_proc_object(place->object, &place->info))
		return give_up(place);
	return 1;
}

/* The same for a place in a directory, where there may be nothing yet. A link at its end is not followed. */
static int find_place_fast(struct ag_hold_state *state, int base, const char *path, int follow, struct place *place)
{
	uint64_t scope = path[0] == '/' ? RESOLVE_IN_ROOT : RESOLVE_BENEATH;
	int from = path[0] == '/' ? state->view.fd : base;
	char dir[AG_HOLD_PATH_BYTES];

	place->parent = place->object = -1;
	if (split_name(path, dir, place) != 0 || place->slash || strcmp(place->name, ".") == 0 ||
	    strcmp(place->name, "..") == 0)
		return 0;
	place->parent = open_straight(from, dir[0] ? dir : ".", O_PATH | O_DIRECTORY, scope, &place->straight);
	if (place->parent < 0) {
		place->parent = -1;
		return 0;
	}
	place->object = open_how(place->parent, place->name, O_PATH | O_NOFOLLOW, RESOLVE_NO_XDEV);
	if (place->object == -ENOENT) {
		place->object = -1;
		return is_proc(place->parent) ? give_up(place) : 1;
	}
	if (place->object < 0) {
		place->object = -1;
		return give_up(place);
	}
	/* It is on the mount of its directory: nothing is mounted on it, and both are in /proc or neither. */
	place->same_mount = 1;
	if (fstat(place->object, &place->info) != 0 || is_proc_object(place->object, &place->info) ||
	    (S_ISLNK(place->info.st_mode) && follow))
		return give_up(place);
	return 1;
}

#endif
