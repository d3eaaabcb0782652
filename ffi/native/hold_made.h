/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that an open is to make, where opens are watched: the guard's own open of a new file would wait for another
 * thread. So the file is made first, passed over by the watch as everything that nobody has anything to say about, and
 * then opened. The probes are told, because the open itself has made nothing (probes/looks.h).
 */
#ifndef AG_HOLD_MADE_H
#define AG_HOLD_MADE_H

#include "hold_pin.h"

/* True if whoever has a file may open it as is asked for. */
static int may_open_own(const struct ag_pinned *p, uint32_t mode)
{
	const uint64_t access = p->open_flags & O_ACCMODE;

	if (p->call.caps & 1ULL << CAP_DAC_OVERRIDE)
		return 1;
	return (access == O_WRONLY || mode & S_IRUSR) && (access == O_RDONLY || mode & S_IWUSR);
}

/* Where the probes look for this caller; null where somebody else has the place, or nobody looked at the caller. */
static unsigned long long *made_place(const struct ag_hold_state *state, const struct ag_pinned *p)
{
	struct ag_looker *looker = state->looker;
	unsigned long long *place;

	if (!looker || !looker->valid)
		return NULL;
	place = &looker->look->made[p->call.tid & (AG_LOOK_MADE - 1)];
	return *place ? NULL : place;
}

/* True if an open can be split in two: a plain one of a file that is not there, whose maker may open it. */
static int can_be_made(const struct ag_pinned *p)
{
	return p->action == AG_HOLD_OPEN && p->open_flags & O_CREAT && !(p->open_flags & (O_PATH | O_DIRECTORY)) &&
	       p->old.object < 0 && p->old.parent >= 0 && !p->old.slash && may_open_own(p, p->mode & ~p->call.umask);
}

/*
 * Names what was made, whatever others have written to it by now. What somebody put in its place has been recorded as
 * that, and is opened as if it had been made.
 */
static int find_made(struct ag_pinned *p)
{
	struct stat *info = &p->old.info;
	int object = open_how(p->old.parent, p->old.name, O_PATH | O_NOFOLLOW, RESOLVE_NO_XDEV);

	if (object < 0)
		return 0;
	if (fstat(object, info) == 0 && S_ISREG(info->st_mode) && info->st_nlink == 1 &&
	    info->st_uid == p->call.fsuid) {
		p->old.object = object;
		return 1;
	}
	close(object);
	return 0;
}

/*
 * Makes the file. 1 where p->old.object is the new file, to be opened; 0 where nothing was done, and the open makes it;
 * -ESTALE where something else is in its place by now.
 */
static int make_unopened(struct ag_hold_state *state, struct ag_pinned *p)
{
	unsigned long long *place = made_place(state, p);

	if (!place || !can_be_made(p))
		return 0;
	take_umask(state, p->call.umask);
	if ((p->by_walk ? become_caller(state, &p->call) : become_reader(state, &p->call)) != 0)
		return 0;
	if (mknodat(p->old.parent, p->old.name, S_IFREG | (p->mode & 07777), 0) != 0)
		return 0; /* the open will say why */
	if (!find_made(p))
		return -ESTALE;
	if (!may_open_own(p, p->old.info.st_mode)) { /* access lists of the directory took it away */
		close(p->old.object);
		p->old.object = -1;
		return unlinkat(p->old.parent, p->old.name, 0) == 0 ? 0 : -ESTALE;
	}
	p->open_flags &= ~(uint64_t)(O_CREAT | O_EXCL | (p->old.info.st_size == 0 ? O_TRUNC : 0));
	p->made = 1;
	*place = AG_LOOK_MADE_KEY(p->call.tid, state->looker->look->start);
	return 1;
}

/* The caller has no result: it makes no record that would say so. */
static void forget_made(const struct ag_hold_state *state, const struct ag_pinned *p)
{
	if (p->made)
		state->looker->look->made[p->call.tid & (AG_LOOK_MADE - 1)] = 0;
}

#endif
