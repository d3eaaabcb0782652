/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens that wait for the guard by fanotify. A thread of its own answers at once what no rule can be about, and never
 * opens a file by name: opens of the guard itself wait for it, too. What a rule could be about waits for TypeScript.
 * ffi/watch_layout.ts mirrors the structs; test/kernel/watch_layout_test.ts compares.
 */
#ifndef AG_WATCH_H
#define AG_WATCH_H

#include <stdint.h>

#define AG_WATCH_PATH_BYTES 4096    /* PATH_MAX, NUL included */
#define AG_WATCH_WAITING_MAX 8192   /* opens that TypeScript has not taken; what is over is refused */
#define AG_WATCH_IGNORED_MAX 262144 /* objects that are passed over; then all are looked at again */
#define AG_WATCH_TEXT_BYTES (3 * AG_WATCH_PATH_BYTES)

enum ag_watch_table_flag {
	AG_WATCH_FLOATING = 1, /* names may be forbidden anywhere: a file with several names is never passed over */
	AG_WATCH_LINKED = 2,   /* objects below the trees that have several names are in the table */
};

enum ag_watch_flag {
	AG_WATCH_DIRECTORY = 1,
	AG_WATCH_DELETED = 2, /* the object has no name any more */
	AG_WATCH_FLAGS = 4,   /* `open_flags` are those of the call */
	AG_WATCH_STARTS = 8,  /* it is opened to be executed */
};

struct ag_watch_text {
	uint32_t at;
	uint32_t bytes;
};

/* One open that waits, and who waits with it. Identifiers are those of the guard's own namespaces. */
struct ag_watch_open {
	uint64_t ino; /* as stat(2) tells them */
	uint64_t dev;
	uint64_t open_flags;
	int32_t fd; /* of the object; names the answer */
	int32_t nr; /* of the call; -1 where it is not known */
	uint32_t tid;
	uint32_t tgid;
	uint32_t ppid;
	uint32_t uid; /* real */
	uint32_t links;
	uint32_t flags; /* enum ag_watch_flag */
	struct ag_watch_text path;
	struct ag_watch_text caller; /* the image that the caller runs */
	struct ag_watch_text cwd;
	char text[AG_WATCH_TEXT_BYTES];
};

struct ag_watch;
struct stat;

/* For the thread that answers held calls, see watch.c. */
int32_t ag_watch_pass(struct ag_watch *w, int32_t fd, const char *path, uint32_t bytes, const struct stat *info);
void ag_watch_opened(struct ag_watch *w, int32_t fd, const struct stat *info, int32_t passed);
int32_t ag_watch_needs(struct ag_watch *w, const char *path, uint32_t bytes);
void ag_watch_bar(struct ag_watch *w, int32_t first, int32_t second, int32_t all);
void ag_watch_unbar(struct ag_watch *w);

#endif
