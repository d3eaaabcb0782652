/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Held changes of the file system: what they would touch, found in the caller's own view and with its credentials, and
 * pinned by descriptors. What is decided about them is then done on these descriptors and nowhere else.
 */
#ifndef AG_HOLD_FILE_H
#define AG_HOLD_FILE_H

#include "hold_fast.h"
#include "hold_memory.h"
#include "hold_text.h"

#include <linux/fs.h>
#include <sys/sysmacros.h>

#define AG_TTY_DEVICE makedev(5, 0)

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

/* One held change. */
struct ag_pinned {
	uint32_t action; /* enum ag_hold_action */
	int32_t dirfd, new_dirfd;
	uint64_t path, new_path; /* addresses */
	uint64_t open_flags;
	uint32_t mode, uid, gid, flags;
	uint64_t length, device;
	int by_descriptor; /* the object itself is named: fchmod, AT_EMPTY_PATH */
	int by_walk;       /* a place was found step by step, and may be in /proc */
	int follow;
	int made; /* an open's file was made before it */
	struct place old, new;
	struct fifo_wait *fifo; /* an open that waits for the other end */
	int opened;             /* the descriptor that the caller got a copy of, or -1 */
	/* What follows is written before it is read. */
	struct ag_hold_call call;
	char requested[AG_HOLD_PATH_BYTES], new_requested[AG_HOLD_PATH_BYTES];
};

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

static int read_name(struct ag_hold_state *state, const struct ag_pinned *p, uint64_t from, char *to)
{
	long length = looked_name(state, from, to);

	if (length >= 0)
		return 0;
	length = read_string(p->call.tid, from, to, AG_HOLD_PATH_BYTES);

	if (length < 0 && reads_again(state, (int)-length))
		length = read_string(p->call.tid, from, to, AG_HOLD_PATH_BYTES);
	return length < 0 ? (int)length : 0;
}

static int place_by_descriptor(struct ag_hold_state *state, struct ag_pinned *p)
{
	become_self(state);
	p->old.object = take_descriptor(&p->call, p->dirfd);
	if (p->old.object < 0) {
		int error = p->old.object;
		p->old.object = -1;
		return error;
	}
	p->by_descriptor = 1;
	return fstat(p->old.object, &p->old.info) != 0 ? -errno : 0;
}

/* True where the object alone is needed, and not the directory that it is in. */
static int needs_object_only(const struct ag_pinned *p)
{
	return p->action == AG_HOLD_CHMOD || p->action == AG_HOLD_CHOWN || p->action == AG_HOLD_TRUNCATE ||
	       (p->action == AG_HOLD_OPEN && !(p->open_flags & O_CREAT));
}

/* True where a name is made or taken away, and not what it leads to. */
static int changes_name(const struct ag_pinned *p, const struct place *place)
{
	return place == &p->new || p->action == AG_HOLD_DELETE || p->action == AG_HOLD_RMDIR ||
	       p->action == AG_HOLD_MKDIR || p->action == AG_HOLD_MKNOD || p->action == AG_HOLD_RENAME;
}

/* Finds a place with the caller's credentials: in one look if that is enough, else step by step in its root. */
static int find_as_caller(struct ag_hold_state *state, struct ag_pinned *p, int base, const char *path,
			  struct place *place)
{
	int follow = changes_name(p, place) ? -1 : p->follow;
	int object_only = place == &p->old && needs_object_only(p);
	int found = 0, failed;

	if (state->view.outside && path[strlen(path) - 1] != '/') {
		failed = become_reader(state, &p->call);
		if (failed)
			return failed;
		found = object_only ? find_object_fast(state, base, path, follow > 0, place) :
				      find_place_fast(state, base, path, follow > 0, place);
	}
	if (found)
		return 0;
	p->by_walk = 1;
	place->straight = 0;
	failed = enter_view(state);
	if (!failed)
		failed = become_caller(state, &p->call);
	return failed ? failed : find_place(state, base, path, follow, place);
}

/* The directory that names begin from which are relative to `dirfd`; *kept: the descriptor is not to be closed. */
static int take_base(struct ag_hold_state *state, int dirfd, int *kept)
{
	const struct ag_look_at *at = looked_base(state, dirfd);
	int base = at ? kept_base(state->looker, at) : -1;

	*kept = base >= 0;
	if (base >= 0)
		return base;
	base = open_base(state, dirfd);
	if (at && base >= 0)
		*kept = keep_base(state->looker, at, base);
	return base;
}

/* True for a name without parts that mean nothing, or lead upwards. */
static int is_plain_name(const char *name)
{
	for (const char *at = name + (name[0] == '/');; at++) {
		size_t bytes = strcspn(at, "/");
		if (bytes == 0 || (bytes == 1 && at[0] == '.') || (bytes == 2 && at[0] == '.' && at[1] == '.'))
			return 0;
		at += bytes;
		if (*at == 0)
			return 1;
	}
}

static int add_base(struct ag_hold_state *state, struct ag_hold_text *text, int base)
{
	uint32_t ignored = 0;

	return add_path(state, text, base, &ignored);
}

/*
 * Pins one place. The directory that a relative name begins from may be the guard's to open: its link in /proc can be
 * closed to the caller itself. All else happens with the caller's credentials. `text` gets the path of that directory.
 */
static int pin_place(struct ag_hold_state *state, struct ag_pinned *p, struct place *place, struct ag_hold_text *text)
{
	const char *path = place == &p->old ? p->requested : p->new_requested;
	int base = -1, kept = 0, found;

	if (path[0] == 0)
		return -ENOENT;
	if (path[0] != '/') {
		base = take_base(state, place == &p->old ? p->dirfd : p->new_dirfd, &kept);
		if (base < 0)
			return base;
	}
	found = find_as_caller(state, p, base, path, place);
	/* Where it begins the place's own path it is told when somebody asks, while the directory is kept. */
	place->straight = place->straight && is_plain_name(path) && (base < 0 || kept);
	if (!found && base >= 0 && !place->straight)
		found = add_base(state, text, base);
	if (base >= 0 && !kept)
		close(base);
	return found;
}

/* Tells of a place what pin_place left out. */
static int add_kept_base(struct ag_hold_state *state, const struct place *place, int dirfd, struct ag_hold_text *text)
{
	int kept, base, failed;

	if (!place->straight || text->bytes)
		return 0;
	base = take_base(state, dirfd, &kept);
	if (base < 0)
		return base;
	failed = add_base(state, text, base);
	if (!kept)
		close(base);
	return failed;
}

/* The same of both places, for whoever looks at more than their own paths. */
static int add_kept_bases(struct ag_hold_state *state, const struct ag_pinned *p)
{
	struct ag_hold_change *change = &state->hold.change;
	int failed = p->requested[0] == '/' ? 0 : add_kept_base(state, &p->old, p->dirfd, &change->base);

	return failed || p->new_requested[0] == '/' ? failed :
						      add_kept_base(state, &p->new, p->new_dirfd, &change->new_base);
}

/* A terminal under this name, opened without using it, if it is the one with this number; else -ENXIO. */
static int terminal_at(const char *path, dev_t device)
{
	struct stat info;
	int object = open_how(AT_FDCWD, path, O_PATH | O_NOFOLLOW, 0);

	if (object < 0)
		return -ENXIO;
	if (fstat(object, &info) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == device)
		return object;
	close(object);
	return -ENXIO;
}

/*
 * /dev/tty is whatever terminal controls who opens it: the caller's, not ours. Where that is not a pseudo terminal that
 * the caller's /dev shows, there is none. In the session that the command was started in it is the one that the command
 * was started on (launch_terminals.h); a terminal of the command's own making may have the same number.
 */
static int pin_terminal(struct ag_hold_state *state, struct place *place)
{
	char text[1024], path[32];
	unsigned terminal = 0, number, line;
	int failed = enter_view(state), object = -ENXIO, session = 0;
	int fd = failed ? -1 : openat(task_dir(state), "stat", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	const char *end;

	become_self(state);
	if (failed)
		return failed;
	if (fd >= 0)
		close(fd);
	text[got > 0 ? got : 0] = 0;
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1, " %*c %*d %*d %d %u", &session, &terminal) != 2)
		return -ENXIO;
	/* new_encode_dev: 8 bits of minor, 12 of major, the rest of minor; pseudo terminals are majors 136 to 143 */
	number = (terminal & 0xff) | (terminal >> 12 & 0xfff00);
	line = terminal >> 8 & 0xfff;
	if (line < 136 || line > 143)
		return -ENXIO;
	if (session == getsid(0))
		object = terminal_at("/dev/console", makedev(line, number));
	snprintf(path, sizeof path, "/dev/pts/%u", number + ((line - 136) << 20));
	if (object < 0)
		object = terminal_at(path, makedev(line, number));
	if (object < 0)
		return object;
	close(place->object);
	place->object = object;
	return fstat(object, &place->info) != 0 ? -errno : 0;
}

/* Reads the names and pins what they mean; 0 or -errno. */
static int pin(struct ag_hold_state *state, struct ag_pinned *p)
{
	struct ag_hold_change *change = &state->hold.change;
	int found = p->path ? read_name(state, p, p->path, p->requested) : 0;
	int empty = p->path && p->requested[0] == 0 && p->flags & AT_EMPTY_PATH && p->dirfd >= 0;

	if (!found && p->new_path)
		found = read_name(state, p, p->new_path, p->new_requested);
	if (!found && p->action != AG_HOLD_SYMLINK)
		found = !p->path || empty ? place_by_descriptor(state, p) : pin_place(state, p, &p->old, &change->base);
	if (!found && p->new_path)
		found = pin_place(state, p, &p->new, &change->new_base);
	if (!found && p->action == AG_HOLD_OPEN && p->old.object >= 0 && S_ISCHR(p->old.info.st_mode) &&
	    p->old.info.st_rdev == AG_TTY_DEVICE && !(p->open_flags & O_PATH))
		found = pin_terminal(state, &p->old);
	return found;
}

#endif
