/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a caller's names begin: its root. As a rule this is the root of its mount namespace, and then its names can be
 * looked up, and read back, from where this thread is. Else, and for names that need more than one look, this thread
 * takes the caller's root, for a moment: it shares it with nobody.
 */
#ifndef AG_HOLD_VIEW_H
#define AG_HOLD_VIEW_H

#include "hold_look.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* Which spot `name` in `dir` leads to, or `dir` itself under the empty name; 0 or -errno. */
static int spot_of(int dir, const char *name, struct ag_spot *spot)
{
	struct statx info;

	if (statx(dir, name, AT_STATX_DONT_SYNC | (name[0] ? 0 : AT_EMPTY_PATH), STATX_INO | STATX_MNT_ID, &info) != 0)
		return -errno;
	if (!(info.stx_mask & STATX_MNT_ID)) /* Linux 5.8 */
		return -EOPNOTSUPP;
	*spot = (struct ag_spot){info.stx_mnt_id, info.stx_ino, info.stx_dev_major, info.stx_dev_minor};
	return 0;
}

static int same_spot(const struct ag_spot *a, const struct ag_spot *b)
{
	return a->mount == b->mount && a->ino == b->ino && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

/* True where a link in /proc/TID and one in /proc/self say the same. */
static int same_link(struct ag_hold_state *state, const char *name, const char *own)
{
	char theirs[64], ours[64];
	ssize_t a = readlinkat(task_dir(state), name, theirs, sizeof theirs);
	ssize_t b = readlinkat(state->proc_fd, own, ours, sizeof ours);

	return a > 0 && a == b && memcmp(theirs, ours, (size_t)a) == 0;
}

/*
 * True where paths that the kernel tells here are those that the caller would be told: its root is this thread's own,
 * or the top of another mount namespace. The thread must be in its own root.
 */
static int is_outside(struct ag_hold_state *state)
{
	const struct ag_view *view = &state->view;
	char name[16], path[2];

	if (same_spot(&view->spot, &state->root_spot))
		return 1;
	snprintf(name, sizeof name, "%d", view->fd);
	return readlinkat(state->self_fd, name, path, sizeof path) == 1 && path[0] == '/' &&
	       !same_link(state, "ns/mnt", "thread-self/ns/mnt");
}

static void forget_view(struct ag_hold_state *state)
{
	if (state->view.fd >= 0)
		close(state->view.fd);
	state->view = (struct ag_view){.fd = -1};
	if (state->looker)
		state->looker->root = (struct ag_look_at){0};
}

/* Finds out which root the caller has. It stays open, so that it cannot be mistaken for a later one. */
static int know_view(struct ag_hold_state *state)
{
	struct ag_view *view = &state->view;
	struct ag_looker *looker = state->looker;
	const int looked = looker && looker->valid;
	struct ag_spot spot;
	int failed;

	if (view->fd >= 0 && looked && same_at(&looker->root, &looker->look->root))
		return 0;
	if (view->fd >= 0 && spot_of(task_dir(state), "root", &spot) == 0 && same_spot(&spot, &view->spot))
		return 0;
	forget_view(state);
	become_self(state);
	view->fd = openat(task_dir(state), "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (view->fd < 0)
		return -errno;
	failed = spot_of(view->fd, "", &view->spot);
	if (failed && failed != -EOPNOTSUPP) {
		forget_view(state);
		return failed;
	}
	view->outside = !failed && is_outside(state);
	if (looked)
		looker->root = look_at_own(looker, view->fd);
	return 0;
}

/* Takes the caller's root, which know_view found. Its end is leave_view, whatever happens between. */
static int enter_view(struct ag_hold_state *state)
{
	if (state->view.entered)
		return 0;
	become_self(state);
	state->view.entered = 1;
	return fchdir(state->view.fd) != 0 || chroot(".") != 0 ? -errno : 0;
}

/* A thread that cannot come back must not go on: everything that it would look at is another's. */
static void leave_view(struct ag_hold_state *state)
{
	if (!state->view.entered)
		return;
	become_self(state);
	if (fchdir(state->root_fd) != 0 || chroot(".") != 0 || fchdir(state->cwd_fd) != 0)
		abort();
	state->view.entered = 0;
}

#endif
