/* SPDX-License-Identifier: Apache-2.0 */
/* Which program a held execve would bring up, with which arguments, as fs/exec.c and fs/binfmt_script.c do it. */
#ifndef AG_HOLD_EXEC_H
#define AG_HOLD_EXEC_H

#include "hold_describe.h"
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

/* Finds the program whose name has been read into `args`. `flags` are those of execveat. */
static int find_program(struct ag_hold_state *state, struct starting *s, int dirfd, int flags)
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
	strcpy(s->interp, s->name);
	if (name[0] != '/') {
		found = add_link(state, &exec->cwd, "cwd");
		base = found ? found : open_base(state, dirfd);
		if (base < 0)
			return base;
	}
	if (name[0] == 0) {
		s->image = base;
		return fstat(base, &s->info) != 0 ? -errno : 0;
	}
	found = open_image(state, s, base, name, !(flags & AT_SYMLINK_NOFOLLOW));
	if (base >= 0)
		close(base);
	return found;
}

/* Tells which program was found, and what runs it. */
static int tell_program(struct ag_hold_state *state, struct starting *s)
{
	struct ag_hold_exec *exec = &state->hold.exec;
	uint32_t ignored = 0;
	int found = add_path(state, &exec->path, s->image, &exec->flags);

	if (!found)
		found = identify(state, s->image, &s->info, &exec->script_ino, &exec->script_dev);
	if (!found)
		found = follow_scripts(state, s);
	if (found)
		return found;
	if (s->scripts == 0) {
		exec->ino = exec->script_ino;
		exec->dev = exec->script_dev;
		return 0;
	}
	exec->flags |= AG_HOLD_SCRIPT;
	found = add_path(state, &exec->interpreter, s->image, &ignored);
	return found ? found : identify(state, s->image, &s->info, &exec->ino, &exec->dev);
}

/*
 * Tells what the execve or execveat that was received last would bring up, but for who calls. 0 or -errno, see
 * ag_hold_exec. Whether it is about the one who waits is known when that is answered.
 */
static int tell_start(struct ag_hold_state *state)
{
	struct ag_hold *hold = &state->hold;
	const struct ag_hold_call *call = &hold->call;
	static __thread struct starting start;
	const int at_dir = call->nr == SYS_execveat;
	int cut = 0, failed;
	long bytes;

	become_self(state);
	memset(&hold->exec, 0, sizeof hold->exec);
	hold->text_bytes = 0;
	start.image = -1;
	start.scripts = 0;
	start.prefix_bytes = 0;
	bytes = read_string(call->tid, call->args[at_dir], state->args, AG_HOLD_PATH_BYTES);
	if (bytes < 0)
		return (int)bytes;
	failed = state->view.outside ? 0 : enter_view(state);
	if (!failed)
		failed = find_program(state, &start, at_dir ? (int)call->args[0] : AT_FDCWD,
				      at_dir ? (int)call->args[4] : 0);
	if (!failed)
		failed = tell_program(state, &start);
	leave_view(state);
	if (start.image >= 0)
		close(start.image);
	if (failed)
		return failed;
	bytes = read_list(call->tid, call->args[1 + at_dir], state->args, AG_HOLD_ARGS_BYTES, &cut);
	return bytes < 0 ? (int)bytes : final_arguments(state, &start, bytes, cut);
}

/* Tells who starts it, and from where; not everybody runs a program. 0 or -errno. */
static int tell_caller(struct ag_hold_state *state)
{
	struct ag_hold_exec *exec = &state->hold.exec;
	int failed = state->view.outside ? 0 : enter_view(state), found = 0;

	if (!failed && exec->cwd.bytes == 0)
		failed = add_link(state, &exec->cwd, "cwd");
	if (!failed)
		found = add_link(state, &exec->caller, "exe");
	leave_view(state);
	return failed ? failed : found == -E2BIG || found == -ENAMETOOLONG ? found : 0;
}

#endif
