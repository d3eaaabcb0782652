/* SPDX-License-Identifier: Apache-2.0 */
/* Places in directories, found as the kernel would: with links, also to what is not there. */
#ifndef AG_HOLD_PLACE_H
#define AG_HOLD_PLACE_H

#include "hold_resolve.h"

#define AG_NAME_BYTES 256 /* NAME_MAX and a NUL */

/* A place in a directory, and what is there. */
struct place {
	int parent; /* descriptor of the directory; -1 where the object was named by a descriptor */
	int object; /* descriptor of what is there, not followed; -1: nothing */
	char name[AG_NAME_BYTES];
	int slash;      /* the name ended with a slash: only a directory can be meant */
	int same_mount; /* the object is on the mount of its directory; 0: or not */
	int straight;   /* no symbolic link led there */
	struct stat info;
};

static void forget_place(struct place *place)
{
	if (place->parent >= 0)
		close(place->parent);
	if (place->object >= 0)
		close(place->object);
	place->parent = place->object = -1;
}

/* Splits off the last component. Returns the directory's name in `dir` ("" for the base itself). */
static int split_name(const char *path, char *dir, struct place *place)
{
	size_t end = strlen(path), begin;

	place->slash = 0;
	while (end > 1 && path[end - 1] == '/') {
		end--;
		place->slash = 1;
	}
	begin = end;
	while (begin > 0 && path[begin - 1] != '/')
		begin--;
	if (end - begin >= AG_NAME_BYTES)
		return -ENAMETOOLONG;
	if (end == 1 && path[0] == '/') { /* the root itself */
		strcpy(dir, "/");
		strcpy(place->name, ".");
		return 0;
	}
	memcpy(place->name, path + begin, end - begin);
	place->name[end - begin] = 0;
	memcpy(dir, path, begin);
	dir[begin] = 0;
	return 0;
}

/* Looks at what is under the name now. */
static int look(const struct ag_hold_state *state, struct place *place)
{
	if (is_closed_process(state, place->parent, place->name))
		return -EACCES;
	place->object = open_how(place->parent, place->name, O_PATH | O_NOFOLLOW, 0);
	if (place->object == -ENOENT) {
		place->object = -1;
		return 0;
	}
	if (place->object < 0) {
		int error = place->object;
		place->object = -1;
		return error;
	}
	return fstat(place->object, &place->info) != 0 ? -errno : 0;
}

/*
 * Finds the place that `path` names; a symbolic link at its end is followed if `follow`, also to what is not there.
 * Where it is 0 a slash behind the link has it followed; where it is negative nothing has: the name itself is changed.
 */
static int find_place(struct ag_hold_state *state, int base, const char *path, int follow, struct place *place)
{
	char dir[AG_HOLD_PATH_BYTES], text[AG_HOLD_PATH_BYTES];
	int found, links, from = base, own = -1;

	place->parent = place->object = -1;
	strcpy(text, path);
	for (links = 0; links <= 40; links++) {
		long length;
		found = split_name(text, dir, place);
		if (!found) {
			place->parent = dir[0] ? resolve(state, from, dir, 1) : dup(from);
			if (place->parent < 0)
				found = dir[0] ? place->parent : -errno;
		}
		if (own >= 0)
			close(own);
		own = -1;
		if (found) {
			place->parent = -1;
			return found;
		}
		found = look(state, place);
		if (found || place->object < 0 || !S_ISLNK(place->info.st_mode) ||
		    !(follow > 0 || (follow == 0 && place->slash)))
			break;
		length = read_link(state, place->parent, place->name, place->object, text, sizeof text);
		if (length == -ELOOP) { /* only the kernel knows where it leads: to an object, not to a name */
			int object = follow_magic(state, place->parent, place->name);
			close(place->object);
			place->object = object < 0 ? -1 : object;
			close(place->parent);
			place->parent = -1;
			if (object < 0)
				return object;
			return fstat(object, &place->info) != 0 ? -errno : 0;
		}
		close(place->object);
		place->object = -1;
		own = from = place->parent;
		place->parent = -1;
		if (length < 0) {
			close(own);
			return (int)length;
		}
	}
	if (!found && links > 40)
		found = -ELOOP;
	if (found)
		forget_place(place);
	return found;
}

#endif
