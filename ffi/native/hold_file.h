/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Held changes of the file system: what they would touch, found in the caller's own view and with its credentials, and
 * pinned by descriptors. What is decided about them is then done on these descriptors and nowhere else.
 */
#ifndef AG_HOLD_FILE_H
#define AG_HOLD_FILE_H

#include "hold_caller.h"
#include "hold_memory.h"
#include "hold_resolve.h"

#include <linux/fs.h>
#include <sys/sysmacros.h>

#define AG_TTY_DEVICE makedev(5, 0)
#define AG_NAME_BYTES 256 /* NAME_MAX and a NUL */

enum ag_hold_action {
	AG_HOLD_OPEN = 1,
	AG_HOLD_DELETE = 2,
	AG_HOLD_RMDIR = 3,
	AG_HOLD_MKDIR = 4,
	AG_HOLD_MKNOD = 5,
	AG_HOLD_CHMOD = 6,
	AG_HOLD_CHOWN = 7,
	AG_HOLD_TRUNCATE = 8,
	AG_HOLD_RENAME = 9,
	AG_HOLD_LINK = 10,
	AG_HOLD_SYMLINK = 11,
};

/* A place in a directory, and what is there. */
struct place {
	int parent; /* descriptor of the directory; -1 where the object was named by a descriptor */
	int object; /* descriptor of what is there, not followed; -1: nothing */
	char name[AG_NAME_BYTES];
	int slash; /* the name ended with a slash: only a directory can be meant */
	struct stat info;
};

/* One held change. */
struct ag_pinned {
	struct ag_hold_call call;
	uint32_t action; /* enum ag_hold_action */
	int32_t dirfd, new_dirfd;
	uint64_t path, new_path; /* addresses */
	uint64_t open_flags;
	uint32_t mode, uid, gid, flags;
	uint64_t length, device;
	int by_descriptor; /* the object itself is named: fchmod, AT_EMPTY_PATH */
	int follow;
	struct place old, new;
	struct fifo_wait *fifo; /* an open that waits for the other end */
	char requested[AG_HOLD_PATH_BYTES], new_requested[AG_HOLD_PATH_BYTES];
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

/* Finds the place that `path` names; a symbolic link at its end is followed if `follow`, also to what is not there. */
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
		if (found || place->object < 0 || !S_ISLNK(place->info.st_mode) || !(follow || place->slash))
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

/* The object behind a descriptor of the caller, which shares its struct file: an offset or a flag is the same. */
static int take_descriptor(const struct ag_hold_call *call, int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, call->tgid, 0), taken;

	if (pidfd < 0)
		return -errno;
	taken = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (taken < 0)
		taken = -errno;
	close(pidfd);
	return taken;
}

static int read_name(const struct ag_pinned *p, uint64_t from, char *to)
{
	long length = read_string(p->call.tid, from, to, AG_HOLD_PATH_BYTES);

	return length < 0 ? (int)length : 0;
}

static int place_by_descriptor(struct ag_pinned *p)
{
	p->old.object = take_descriptor(&p->call, p->dirfd);
	if (p->old.object < 0) {
		int error = p->old.object;
		p->old.object = -1;
		return error;
	}
	p->by_descriptor = 1;
	return fstat(p->old.object, &p->old.info) != 0 ? -errno : 0;
}

/*
 * Pins one place. The directory that a relative name begins from is the guard's to open: its link in /proc may be
 * closed to the caller itself. All else happens with the caller's credentials.
 */
static int pin_place(struct ag_hold_state *state, int dirfd, const char *path, int follow, struct place *place)
{
	int base, found;

	if (path[0] == 0)
		return -ENOENT;
	base = open_base(state, path[0] == '/' ? AT_FDCWD : dirfd);
	if (base < 0)
		return base;
	found = become_caller(state, &state->hold.call);
	if (!found)
		found = find_place(state, base, path, follow, place);
	become_self(state);
	close(base);
	return found;
}

/*
 * /dev/tty is whatever terminal controls who opens it: the caller's, not ours. Where that is not a pseudo terminal that
 * the caller's /dev/pts shows, there is none.
 */
static int pin_terminal(struct ag_hold_state *state, struct place *place)
{
	char text[1024], path[32];
	unsigned terminal = 0, number;
	struct stat info;
	int fd = openat(state->task_fd, "stat", O_RDONLY | O_CLOEXEC), object;
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	const char *end;

	if (fd >= 0)
		close(fd);
	text[got > 0 ? got : 0] = 0;
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1, " %*c %*d %*d %*d %u", &terminal) != 1)
		return -ENXIO;
	/* new_encode_dev: 8 bits of minor, 12 of major, the rest of minor; pseudo terminals are majors 136 to 143 */
	number = (terminal & 0xff) | (terminal >> 12 & 0xfff00);
	if ((terminal >> 8 & 0xfff) < 136 || (terminal >> 8 & 0xfff) > 143)
		return -ENXIO;
	number += ((terminal >> 8 & 0xfff) - 136) << 20;
	snprintf(path, sizeof path, "/dev/pts/%u", number);
	object = open_how(AT_FDCWD, path, O_PATH | O_NOFOLLOW, 0);
	if (object < 0)
		return -ENXIO;
	if (fstat(object, &info) != 0 || !S_ISCHR(info.st_mode) ||
	    info.st_rdev != makedev(terminal >> 8 & 0xfff, number & 0xfffff)) {
		close(object);
		return -ENXIO;
	}
	close(place->object);
	place->object = object;
	place->info = info;
	return 0;
}

/* Reads the names and pins what they mean; 0 or -errno. */
static int pin(struct ag_hold_state *state, struct ag_pinned *p)
{
	int found = p->path ? read_name(p, p->path, p->requested) : 0;
	int empty = p->path && p->requested[0] == 0 && p->flags & AT_EMPTY_PATH && p->dirfd >= 0;

	if (!found && p->new_path)
		found = read_name(p, p->new_path, p->new_requested);
	if (!found && p->action != AG_HOLD_SYMLINK)
		found = !p->path || empty ? place_by_descriptor(p) :
					    pin_place(state, p->dirfd, p->requested, p->follow, &p->old);
	if (!found && p->new_path)
		found = pin_place(state, p->new_dirfd, p->new_requested, 0, &p->new);
	if (!found && p->action == AG_HOLD_OPEN && p->old.object >= 0 && S_ISCHR(p->old.info.st_mode) &&
	    p->old.info.st_rdev == AG_TTY_DEVICE && !(p->open_flags & O_PATH))
		found = pin_terminal(state, &p->old);
	return found;
}

#endif
