/* SPDX-License-Identifier: Apache-2.0 */
/* Tells what a held change would touch. */
#ifndef AG_HOLD_DESCRIBE_H
#define AG_HOLD_DESCRIBE_H

#include "hold_file.h"
#include "hold_text.h"

/* The path of a place: its directory's and its name. */
static int add_place(struct ag_hold_state *state, struct ag_hold_text *text, const struct place *place, uint32_t *flags)
{
	char path[AG_HOLD_PATH_BYTES + AG_NAME_BYTES];
	long length =
		path_of(state, place->parent >= 0 ? place->parent : place->object, path, AG_HOLD_PATH_BYTES, flags);

	if (length < 0)
		return (int)length;
	if (place->parent >= 0 && strcmp(place->name, ".") != 0) {
		if (length > 1)
			path[length++] = '/';
		strcpy(path + length, place->name);
		length += (long)strlen(place->name);
	}
	return add_text(&state->hold, text, path, (size_t)length);
}

/*
 * Where a link of the caller in /proc leads, as the caller sees it.
 */
static int add_link(struct ag_hold_state *state, struct ag_hold_text *text, const char *name)
{
	static const char gone[] = " (deleted)";
	const ssize_t gone_bytes = sizeof gone - 1;
	char path[AG_HOLD_PATH_BYTES];
	ssize_t length = readlinkat(task_dir(state), name, path, sizeof path - 1);
	uint32_t ignored = 0;
	int fd, failed;

	if (length < 0 && reads_again(state, errno))
		return add_link(state, text, name);
	if (length <= 0 || length >= (ssize_t)sizeof path - 1)
		return length < 0 ? -errno : -ENAMETOOLONG;
	if (length <= gone_bytes || memcmp(path + length - gone_bytes, gone, (size_t)gone_bytes) != 0)
		return add_text(&state->hold, text, path, (size_t)length);
	fd = openat(task_dir(state), name, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	failed = add_path(state, text, fd, &ignored);
	close(fd);
	return failed;
}

/* Tells who calls, and from where. */
static int describe_caller(struct ag_hold_state *state)
{
	struct ag_hold_change *c = &state->hold.change;
	/* A directory may have gone, and not everybody runs a program: then there is no text. */
	return add_link(state, &c->cwd, "cwd") == -E2BIG || add_link(state, &c->caller, "exe") == -E2BIG ? -E2BIG : 0;
}

/* Tells what was pinned. */
static int describe_change(struct ag_hold_state *state, const struct ag_pinned *p)
{
	struct ag_hold *hold = &state->hold;
	struct ag_hold_change *c = &hold->change;
	uint32_t flags = 0, ignored = 0;
	int failed;

	c->action = p->action;
	c->open_flags = p->open_flags;
	c->mode = p->mode;
	c->uid = p->uid;
	c->gid = p->gid;
	if (p->old.object >= 0) {
		c->ino = p->old.info.st_ino;
		c->dev = p->old.info.st_dev;
		c->links = (uint32_t)p->old.info.st_nlink;
		c->flags |= AG_HOLD_EXISTS | (S_ISDIR(p->old.info.st_mode) ? AG_HOLD_DIRECTORY : 0);
	}
	c->flags |= p->new.object >= 0 ? AG_HOLD_NEW_EXISTS : 0;
	failed = add_text(hold, &c->requested, p->requested, strlen(p->requested));
	if (!failed && p->action != AG_HOLD_SYMLINK)
		failed = add_place(state, &c->path, &p->old, &flags);
	if (!failed && p->new_path) {
		failed = add_text(hold, &c->new_requested, p->new_requested, strlen(p->new_requested));
		if (!failed)
			failed = add_place(state, &c->new_path, &p->new, &ignored);
	}
	c->flags |= flags & AG_HOLD_DELETED ? AG_HOLD_UNHASHED : 0;
	return failed;
}

#endif
