/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes on by itself: whether a rule could be about an object, by the names and objects of the table, and the marks
 * by which the kernel passes over those that none can be about. Whoever calls holds the lock.
 */
#ifndef AG_WATCH_PASS_H
#define AG_WATCH_PASS_H

#include "watch_state.h"

#include <sys/stat.h>

#define DELETED " (deleted)"

enum verdict { GO_ON, PASS_OVER, ASK };

static void flush_ignored(struct ag_watch *w)
{
	fanotify_mark(w->mounts.group, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL);
	w->ignored = 0;
}

static int is_barred(const struct ag_watch *w, const struct stat *info)
{
	for (int i = 0; i < w->barred_count; i++)
		if (w->barred[i].dev == info->st_dev && w->barred[i].ino == info->st_ino)
			return 1;
	return w->barred_all;
}

/*
 * Later opens of the object (`dir` itself, or `name` in it) go on without an event, until its content changes or
 * somebody takes that back. The kernel does nothing, and says so to nobody, while the file is open for writing
 * (fanotify_add_mark of fs/notify/fanotify/fanotify_user.c): what is written is looked at again under the name that it
 * has then, which somebody outside the session may have given it.
 */
static void pass_over(struct ag_watch *w, int dir, const char *name, const struct stat *info)
{
	const int directory = S_ISDIR(info->st_mode);
	unsigned flags = FAN_MARK_ADD | FAN_MARK_IGNORE | FAN_MARK_EVICTABLE;

	if (is_barred(w, info))
		return;
	if (w->ignored >= AG_WATCH_IGNORED_MAX)
		flush_ignored(w);
	if (directory)
		flags |= FAN_MARK_IGNORED_SURV_MODIFY;
	/* Where it fails, the object is looked at each time. */
	if (fanotify_mark(w->mounts.group, flags, FAN_OPEN_PERM | (directory ? FAN_ONDIR : 0), dir, name) == 0)
		w->ignored++;
}

/* True for a file with this one name, which no rule about reading can be about. */
static int is_nobodys(const struct ag_watch *w, const char *path, size_t bytes, const struct stat *info)
{
	return S_ISREG(info->st_mode) && info->st_nlink == 1 && !has_object(w->table, info->st_dev, info->st_ino) &&
	       !is_needed(w->table, AG_FILE_READ, path, bytes);
}

enum passed { NOT_PASSED, PASSED, PASSED_WRITTEN };

static struct object *written_place(struct ag_watch *w, const struct stat *info)
{
	return &w->written[info->st_ino & (AG_WATCH_WRITTEN - 1)];
}

static int is_object(const struct object *object, const struct stat *info)
{
	return object->dev == info->st_dev && object->ino == info->st_ino;
}

/*
 * Passes over an object while the guard itself opens it, and from then on. One that was found to be open for writing is
 * passed over all the same, and that must end: `end_pass`. enum passed.
 */
static int begin_pass(struct ag_watch *w, const char *name, const struct stat *info)
{
	const unsigned flags = FAN_MARK_ADD | FAN_MARK_IGNORE | FAN_MARK_EVICTABLE | FAN_MARK_IGNORED_SURV_MODIFY;

	if (!is_object(written_place(w, info), info)) {
		w->seen = (struct object){0};
		pass_over(w, w->fds, name, info);
		return PASSED;
	}
	return !is_barred(w, info) && fanotify_mark(w->mounts.group, flags, FAN_OPEN_PERM, w->fds, name) == 0 ?
		       PASSED_WRITTEN :
		       NOT_PASSED;
}

/*
 * The object is open. It is looked at again from now on if it was open for writing; where that cannot be done for it
 * alone, every object is. An event of it says that it was: the mark was without effect.
 */
static void end_pass(struct ag_watch *w, const char *name, const struct stat *info, int passed)
{
	if (passed == PASSED && is_object(&w->seen, info))
		*written_place(w, info) = w->seen;
	if (passed == PASSED_WRITTEN &&
	    fanotify_mark(w->mounts.group, FAN_MARK_REMOVE | FAN_MARK_IGNORE, FAN_OPEN_PERM, w->fds, name) != 0)
		flush_ignored(w);
}

static enum verdict look_at(const struct ag_watch *w, int fd, struct stat *info)
{
	const struct needed_table *table = w->table;
	char name[16], path[AG_WATCH_PATH_BYTES];
	const size_t mark = strlen(DELETED);
	ssize_t length;

	snprintf(name, sizeof name, "%d", fd);
	length = readlinkat(w->fds, name, path, sizeof path);
	if (fstat(fd, info) != 0 || length <= 0 || (size_t)length == sizeof path)
		return ASK;
	if (has_object(table, info->st_dev, info->st_ino) || is_needed(table, AG_FILE_READ, path, (size_t)length))
		return ASK;
	if (S_ISDIR(info->st_mode))
		return PASS_OVER;
	if (info->st_nlink == 0)
		return (size_t)length > mark && memcmp(path + length - mark, DELETED, mark) == 0 &&
				       is_needed(table, AG_FILE_READ, path, (size_t)length - mark) ?
			       ASK :
			       GO_ON;
	if (info->st_nlink == 1)
		return PASS_OVER;
	if (!(table->flags & AG_WATCH_LINKED))
		return ASK;
	return table->flags & AG_WATCH_FLOATING ? GO_ON : PASS_OVER;
}

#endif
