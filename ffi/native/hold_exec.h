/* SPDX-License-Identifier: Apache-2.0 */
/* Which program a held execve would bring up, with which arguments, as fs/exec.c and fs/binfmt_script.c do it. */
#ifndef AG_HOLD_EXEC_H
#define AG_HOLD_EXEC_H

#include "hold_identity.h"
#include "hold_memory.h"
#include "hold_script.h"
#include "hold_text.h"

/* argv as the program will find it, into the texts; hashed. */
static int final_arguments(struct ag_hold_state *state, const struct starting *s, long bytes, int cut)
{
	struct ag_hold *hold = &state->hold;
	struct ag_hold_exec *exec = &hold->exec;
	const char *from = state->args;
	size_t length = (size_t)bytes, room = AG_HOLD_ARGS_BYTES;
	struct ag_hold_text rest;
	int failed;

	if (length == 0) { /* Linux 5.18: an empty list becomes one empty argument */
		state->args[0] = 0;
		length = 1;
	}
	if (s->scripts > 0) {
		size_t first = strnlen(from, length) + 1;
		first = first < length ? first : length;
		from += first;
		length -= first;
		if (s->prefix_bytes >= room)
			return -E2BIG;
		room -= s->prefix_bytes;
	}
	if (length > room || cut) {
		exec->flags |= AG_HOLD_ARGS_TRUNCATED;
		length = length > room ? room : length;
	}
	failed = add_text(hold, &exec->argv, s->prefix, s->prefix_bytes);
	if (!failed)
		failed = add_text(hold, &rest, from, length);
	if (failed)
		return failed;
	exec->argv.bytes += rest.bytes;
	exec->hashed_bytes = exec->argv.bytes;
	exec->hash = sip_hash(state->key, hold->text + exec->argv.at, exec->argv.bytes);
	exec->name_hash = sip_hash(state->key, s->name, strlen(s->name));
	return 0;
}

/* Reads name and arguments, and finds the program. `flags` are those of execveat. */
static int read_start(struct ag_hold_state *state, struct starting *s, int dirfd, int flags)
{
	struct ag_hold_exec *exec = &state->hold.exec;
	char *name = state->args;
	int base = -1, found;

	strcpy(s->name, name);
	if (name[0] == 0 && !(flags & AT_EMPTY_PATH))
		return -ENOENT;
	found = add_text(&state->hold, &exec->requested, name, strlen(name));
	if (found)
		return found;
	if (dirfd != AT_FDCWD && name[0] != '/') {
		char path[AG_HOLD_PATH_BYTES];
		int wanted = snprintf(path, sizeof path, name[0] ? "/dev/fd/%d/%s" : "/dev/fd/%d", dirfd, name);
		if ((size_t)wanted >= sizeof path)
			return -ENAMETOOLONG;
		strcpy(s->name, path);
	}
	base = open_base(state, name[0] == '/' ? AT_FDCWD : dirfd);
	if (base < 0)
		return base;
	if (name[0] == 0)
		s->image = dup(base);
	else
		s->image = resolve(state, base, name, !(flags & AT_SYMLINK_NOFOLLOW));
	close(base);
	if (s->image < 0)
		return s->image == -1 && name[0] == 0 ? -errno : s->image;
	strcpy(s->interp, s->name);
	return 0;
}

/* Facts of the caller and of the image, as texts. */
static int describe(struct ag_hold_state *state, struct starting *s)
{
	struct ag_hold_exec *exec = &state->hold.exec;
	uint32_t ignored = 0;
	int found, fd = open_base(state, AT_FDCWD);

	if (fd < 0)
		return fd;
	found = add_path(state, &exec->cwd, fd, &ignored);
	close(fd);
	if (found)
		return found;
	fd = openat(task_dir(state), "exe", O_PATH | O_CLOEXEC);
	if (fd >= 0) {
		found = add_path(state, &exec->caller, fd, &ignored);
		close(fd);
		if (found)
			return found;
	}
	found = add_path(state, &exec->path, s->image, &exec->flags);
	if (found)
		return found;
	found = identify(state, s->image, &exec->script_ino, &exec->script_dev);
	if (!found)
		found = follow_scripts(state, s);
	if (found)
		return found;
	if (s->scripts > 0) {
		exec->flags |= AG_HOLD_SCRIPT;
		found = add_path(state, &exec->interpreter, s->image, &ignored);
		if (found)
			return found;
	}
	return identify(state, s->image, &exec->ino, &exec->dev);
}

#endif
