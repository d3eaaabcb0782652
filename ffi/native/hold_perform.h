/* SPDX-License-Identifier: Apache-2.0 */
/* Does a held change on what was pinned, as the caller would have done it, and answers with what came of it. */
#ifndef AG_HOLD_PERFORM_H
#define AG_HOLD_PERFORM_H

#include "hold_fifo.h"

#include <linux/seccomp.h>
#include <sys/ioctl.h>

/* Opens a pinned object anew, through this process's own list of descriptors: no name is walked. */
static int reopen(const struct ag_hold_state *state, int object, uint64_t flags, uint32_t mode)
{
	char name[16];
	int fd;

	snprintf(name, sizeof name, "%d", object);
	fd = openat(state->self_fd, name, (int)flags | O_CLOEXEC, mode);
	return fd < 0 ? -errno : fd;
}

/* Opens what exists. */
static int open_existing(const struct ag_hold_state *state, struct ag_pinned *p)
{
	const struct stat *info = &p->old.info;
	uint64_t flags = p->open_flags;

	if (flags & O_CREAT && flags & O_EXCL)
		return -EEXIST;
	if (S_ISLNK(info->st_mode))
		return -ELOOP; /* O_NOFOLLOW */
	if (S_ISDIR(info->st_mode) && flags & O_CREAT)
		return -EISDIR;
	if (p->old.slash && !S_ISDIR(info->st_mode))
		return -ENOTDIR;
	flags &= ~(uint64_t)(O_CREAT | O_EXCL | O_NOFOLLOW);
	if (S_ISFIFO(info->st_mode) && !(flags & (O_NONBLOCK | O_PATH))) {
		int failed = start_fifo(state, &p->call, p->old.object, (int)flags, &p->fifo);
		return failed ? failed : -EAGAIN;
	}
	return reopen(state, p->old.object, flags | O_NOCTTY, 0);
}

/* Opens for the caller; a descriptor of ours, or -errno. */
static int perform_open(struct ag_hold_state *state, struct ag_pinned *p)
{
	uint64_t flags = p->open_flags;
	int fd;

	if ((flags & O_TMPFILE) == O_TMPFILE)
		return p->old.object < 0 ? -ENOENT :
					   reopen(state, p->old.object, flags & ~(uint64_t)O_NOFOLLOW, p->mode);
	if (p->old.object >= 0)
		return open_existing(state, p);
	if (!(flags & O_CREAT))
		return -ENOENT;
	if (p->old.slash)
		return -EISDIR;
	/* Only a new file: what somebody put there meanwhile was not decided. */
	fd = openat(p->old.parent, p->old.name, (int)(flags | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC), p->mode);
	return fd < 0 ? (errno == EEXIST && !(flags & O_EXCL) ? -ESTALE : -errno) : fd;
}

static int perform_chmod(const struct ag_hold_state *state, const struct ag_pinned *p)
{
	char name[16];

	if (p->old.object < 0)
		return -ENOENT;
	if (S_ISLNK(p->old.info.st_mode))
		return -EOPNOTSUPP;
	snprintf(name, sizeof name, "%d", p->old.object);
	return fchmodat(state->self_fd, name, p->mode, 0) != 0 ? -errno : 0;
}

static int perform_truncate(const struct ag_hold_state *state, const struct ag_pinned *p)
{
	int fd, result;

	if (p->by_descriptor)
		return ftruncate(p->old.object, (off_t)p->length) != 0 ? -errno : 0;
	if (p->old.object < 0)
		return -ENOENT;
	if (!S_ISREG(p->old.info.st_mode))
		return S_ISDIR(p->old.info.st_mode) ? -EISDIR : -EINVAL;
	fd = reopen(state, p->old.object, O_WRONLY, 0);
	if (fd < 0)
		return fd;
	result = ftruncate(fd, (off_t)p->length) != 0 ? -errno : 0;
	close(fd);
	return result;
}

static int perform_link(const struct ag_hold_state *state, const struct ag_pinned *p)
{
	char name[16];

	if (p->old.object < 0)
		return -ENOENT;
	if (p->new.slash)
		return -ENOENT;
	if (S_ISLNK(p->old.info.st_mode)) /* the link itself, by its name: it cannot be reached by its descriptor */
		return linkat(p->old.parent, p->old.name, p->new.parent, p->new.name, 0) != 0 ? -errno : 0;
	snprintf(name, sizeof name, "%d", p->old.object);
	return linkat(state->self_fd, name, p->new.parent, p->new.name, AT_SYMLINK_FOLLOW) != 0 ? -errno : 0;
}

/* A name with a slash at its end means a directory. */
static int slash_error(const struct place *place)
{
	if (!place->slash || place->object < 0)
		return place->object < 0 && place->slash ? -ENOENT : 0;
	return S_ISDIR(place->info.st_mode) ? 0 : -ENOTDIR;
}

/*
 * EBUSY where something is mounted on a name in the caller's own namespace, as it would have been for the caller: this
 * process is in another one, where the name is free, and would take away what the mount keeps.
 */
static int mount_error(const struct place *place, int fresh)
{
	struct statx above, here;

	if (place->parent < 0 || place->object < 0 || (fresh && place->same_mount))
		return 0;
	if (statx(place->parent, "", AT_EMPTY_PATH, STATX_MNT_ID, &above) != 0 ||
	    statx(place->object, "", AT_EMPTY_PATH, STATX_MNT_ID, &here) != 0)
		return -errno;
	return above.stx_mnt_id == here.stx_mnt_id ? 0 : -EBUSY;
}

static int perform_change(struct ag_hold_state *state, struct ag_pinned *p, int fresh)
{
	int wrong = p->old.parent >= 0 ? slash_error(&p->old) : 0;

	if (!wrong && (p->action == AG_HOLD_DELETE || p->action == AG_HOLD_RMDIR || p->action == AG_HOLD_RENAME))
		wrong = mount_error(&p->old, fresh);
	if (!wrong && p->action == AG_HOLD_RENAME)
		wrong = mount_error(&p->new, fresh);

	switch (p->action) {
	case AG_HOLD_DELETE:
		if (wrong)
			return wrong;
		return unlinkat(p->old.parent, p->old.name, 0) != 0 ? -errno : 0;
	case AG_HOLD_RMDIR:
		return wrong ? wrong : unlinkat(p->old.parent, p->old.name, AT_REMOVEDIR) != 0 ? -errno : 0;
	case AG_HOLD_MKDIR:
		return mkdirat(p->old.parent, p->old.name, p->mode) != 0 ? -errno : 0;
	case AG_HOLD_MKNOD:
		return mknodat(p->old.parent, p->old.name, p->mode, p->device) != 0 ? -errno : 0;
	case AG_HOLD_CHMOD:
		return wrong ? wrong : perform_chmod(state, p);
	case AG_HOLD_CHOWN:
		if (wrong || p->old.object < 0)
			return wrong ? wrong : -ENOENT;
		return fchownat(p->old.object, "", p->uid, p->gid, AT_EMPTY_PATH) != 0 ? -errno : 0;
	case AG_HOLD_TRUNCATE:
		return wrong ? wrong : perform_truncate(state, p);
	case AG_HOLD_RENAME:
		if (wrong || (p->new.slash && !S_ISDIR(p->old.info.st_mode)))
			return wrong ? wrong : -ENOTDIR;
		return syscall(SYS_renameat2, p->old.parent, p->old.name, p->new.parent, p->new.name, p->flags) != 0 ?
			       -errno :
			       0;
	case AG_HOLD_LINK:
		return wrong ? wrong : perform_link(state, p);
	case AG_HOLD_SYMLINK:
		return symlinkat(p->requested, p->new.parent, p->new.name) != 0 ? -errno : 0;
	default:
		return -ENOSYS;
	}
}

/* Gives the caller a descriptor of its own as the result of its call. */
static int answer_with_descriptor(int listener, const struct ag_pinned *p, int fd)
{
	struct seccomp_notif_addfd add = {
		.id = p->call.id,
		.flags = SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (uint32_t)fd,
		.newfd_flags = p->open_flags & O_CLOEXEC,
	};
	int given = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);

	if (given < 0 && errno == ESRCH) /* it was killed on its way to the descriptor (kernel/seccomp.c) */
		return -ENOENT;
	return given < 0 ? -errno : given;
}

static int answer_with(int listener, const struct ag_pinned *p, int result)
{
	struct seccomp_notif_resp answer = {.id = p->call.id, .error = result};

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0 ? 0 : -errno;
}

/* Gives this thread a caller's umask. It keeps it: nothing else that this thread does makes files. */
static void take_umask(struct ag_hold_state *state, uint32_t wanted)
{
	if (state->umask == wanted)
		return;
	umask((mode_t)wanted);
	state->umask = wanted;
}

/* Something stays of it when nobody gets the result: an open makes a file, or empties one, or nothing. */
static int changes(const struct ag_pinned *p)
{
	if (p->action != AG_HOLD_OPEN)
		return 1;
	if (p->open_flags & O_PATH)
		return 0;
	return p->made || p->old.object < 0 || (p->open_flags & O_TRUNC && S_ISREG(p->old.info.st_mode));
}

/*
 * Does it and answers. 0 where the caller has the result, which is in *result; -EAGAIN to be called again later, with
 * the caller still waiting; -ESTALE where the place has changed and must be pinned and decided anew; -ENOENT where the
 * caller has gone and nothing was done; -ECANCELED where it was done, and the caller has gone or has no room for the
 * descriptor. The thread may have the caller's credentials afterwards.
 */
static int perform(struct ag_hold_state *state, struct ag_pinned *p, int listener, int32_t *result)
{
	int fresh = state->fresh == p, done, answered;
	int waits = fresh || ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &p->call.id) == 0;

	state->fresh = NULL;
	if (!p->fifo && !waits)
		return -ENOENT; /* nothing is done for somebody who has gone */
	take_umask(state, p->call.umask);
	if (p->fifo)
		done = fifo_result(&p->fifo, !waits);
	else
		done = p->by_walk || p->by_descriptor ? become_caller(state, &p->call) : become_reader(state, &p->call);
	if (!done && !p->fifo)
		done = p->action == AG_HOLD_OPEN ? perform_open(state, p) : perform_change(state, p, fresh);
	if (p->action == AG_HOLD_OPEN && (p->fifo || done == -ESTALE))
		return p->fifo ? -EAGAIN : done;
	*result = done < 0 ? done : 0;
	if (p->action != AG_HOLD_OPEN || done < 0)
		answered = answer_with(listener, p, done);
	else {
		p->opened = done;
		answered = answer_with_descriptor(listener, p, done);
		if (answered == -EMFILE || answered == -ENFILE) { /* the caller has no room for it */
			*result = answered;
			answered = answer_with(listener, p, answered);
		}
	}
	/* Who is killed just now has no record of its call, and the record of who has no room says that it failed. */
	if (done >= 0 && (answered == -ENOENT || *result < 0) && changes(p))
		return -ECANCELED;
	return answered < 0 ? answered : 0;
}

#endif
