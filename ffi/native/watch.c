/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens that wait for the guard: fanotify permission events (include/uapi/linux/fanotify.h) of every mount of a
 * command's own mount namespace. One thread reads them (watch_loop.h). What no rule can be about goes on at once, and
 * the object is passed over by the kernel from then on (watch_pass.h); the rest is queued. Exactly one answer ends each
 * wait. Here is what TypeScript calls.
 */
#define _GNU_SOURCE
#include "watch_caller.h"
#include "watch_loop.h"
#include "watch_try.h"

#include <stddef.h>
#include <sys/eventfd.h>

/*
 * Ends it: what waits is refused, what comes later goes on. Nobody whose opens are watched may be left, or everybody is
 * to go on without the guard.
 */
void ag_watch_close(struct ag_watch *w)
{
	const uint64_t one = 1;
	int fds[] = {w->mounts.info, w->mounts.root, w->stop, w->fds, w->proc};

	if (w->has_thread && write(w->stop, &one, sizeof one) == sizeof one)
		pthread_join(w->thread, NULL);
	if (w->mounts.group >= 0) {
		refuse_waiting(w);
		close(w->mounts.group);
	}
	for (unsigned i = 0; i < sizeof fds / sizeof fds[0]; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free_table(w->table);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/*
 * Watches the opens of `process`, which must be alone in its mount namespace, and of all that will be there. `ready` is
 * an eventfd; `table` is as make_table describes. Null with errno.
 */
struct ag_watch *ag_watch_open(uint32_t process, int32_t ready, const uint8_t *table, uint32_t bytes)
{
	struct ag_watch *w = calloc(1, sizeof *w);
	int failed = 0;

	if (!w)
		return NULL;
	pthread_mutex_init(&w->lock, NULL);
	w->ready = ready;
	w->mounts.info = w->mounts.root = -1;
	w->mounts.group = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE |
						FAN_UNLIMITED_MARKS | FAN_REPORT_TID,
					O_RDONLY | O_CLOEXEC | O_LARGEFILE | O_NONBLOCK);
	w->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	w->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w->mounts.group < 0 || w->stop < 0 || w->fds < 0 || w->proc < 0)
		failed = -errno;
	if (!failed && !(w->table = make_table(table, bytes)))
		failed = -errno;
	if (!failed)
		failed = find_mounts(&w->mounts, process);
	if (!failed)
		failed = start_thread(w);
	if (!failed)
		failed = mark_mounts(&w->mounts);
	if (!failed)
		return w;
	ag_watch_close(w);
	errno = -failed;
	return NULL;
}

/* Where struct ag_watch_open is; it lives as long as the watch. */
void *ag_watch_memory(struct ag_watch *w)
{
	return &w->open;
}

/* The group's descriptor, for whoever is to keep it open longer than this process. */
int32_t ag_watch_group(const struct ag_watch *w)
{
	return w->mounts.group;
}

/* Replaces the table, and looks at everything again. 0 or -errno; then the old one stays. */
int32_t ag_watch_rules(struct ag_watch *w, const uint8_t *bytes, uint32_t length)
{
	struct needed_table *table = make_table(bytes, length), *before;

	if (!table)
		return -errno;
	pthread_mutex_lock(&w->lock);
	before = w->table;
	w->table = table;
	flush_ignored(w);
	pthread_mutex_unlock(&w->lock);
	free_table(before);
	return 0;
}

/*
 * Objects (descriptors, or -1) get other names until ag_watch_unbar: meanwhile nobody passes them over. `all`: what
 * lies below gets other names as well.
 */
void ag_watch_bar(struct ag_watch *w, int32_t first, int32_t second, int32_t all)
{
	const int fds[] = {first, second};

	pthread_mutex_lock(&w->lock);
	w->barred_count = 0;
	w->barred_all = all;
	for (int i = 0; i < 2; i++) {
		struct stat info;
		char name[32];
		if (fds[i] < 0)
			continue;
		if (fstat(fds[i], &info) != 0) {
			w->barred_all = 1;
			continue;
		}
		w->barred[w->barred_count++] = (struct object){info.st_dev, info.st_ino};
		if (S_ISDIR(info.st_mode))
			w->barred_all = 1;
		snprintf(name, sizeof name, "/proc/self/fd/%d", fds[i]);
		/* Both fail where there is no such mark. */
		fanotify_mark(w->mounts.group, FAN_MARK_REMOVE | FAN_MARK_IGNORE, FAN_OPEN_PERM, AT_FDCWD, name);
	}
	if (w->barred_all)
		flush_ignored(w);
	pthread_mutex_unlock(&w->lock);
}

/* They have their names. */
void ag_watch_unbar(struct ag_watch *w)
{
	pthread_mutex_lock(&w->lock);
	w->barred_count = w->barred_all = 0;
	pthread_mutex_unlock(&w->lock);
}

/*
 * The guard itself is about to open an object (`fd` names it) by this name: that need not wait for the thread here
 * where nobody would have anything to say. `ag_watch_opened` must follow, by the same thread, with what this returns.
 */
int32_t ag_watch_pass(struct ag_watch *w, int32_t fd, const char *path, uint32_t bytes, const struct stat *info)
{
	char name[16];
	int passed = 0;

	snprintf(name, sizeof name, "%d", fd);
	pthread_mutex_lock(&w->lock);
	if (is_nobodys(w, path, bytes, info))
		passed = begin_pass(w, name, info);
	pthread_mutex_unlock(&w->lock);
	return passed;
}

/* It is open. */
void ag_watch_opened(struct ag_watch *w, int32_t fd, const struct stat *info, int32_t passed)
{
	char name[16];

	if (!passed)
		return;
	snprintf(name, sizeof name, "%d", fd);
	pthread_mutex_lock(&w->lock);
	end_pass(w, name, info, passed);
	pthread_mutex_unlock(&w->lock);
}

/* True if a rule about reading could be about this name. */
int32_t ag_watch_needs(struct ag_watch *w, const char *path, uint32_t bytes)
{
	int needs;

	pthread_mutex_lock(&w->lock);
	needs = is_needed(w->table, AG_FILE_READ, path, bytes);
	pthread_mutex_unlock(&w->lock);
	return needs;
}

/*
 * Takes one open that waits. 1; 0 where there is none; or -errno, and then, if open.fd is not -1, it waits but nothing
 * can be found out about it.
 */
int32_t ag_watch_take(struct ag_watch *w)
{
	struct waiting next = {.fd = -1};
	int error;

	memset(&w->open, 0, offsetof(struct ag_watch_open, text));
	pthread_mutex_lock(&w->lock);
	error = w->error;
	if (w->count > 0) {
		next = w->waiting[w->first];
		w->first = (w->first + 1) % AG_WATCH_WAITING_MAX;
		w->count--;
	}
	pthread_mutex_unlock(&w->lock);
	w->open.fd = next.fd;
	if (next.fd < 0)
		return error;
	error = describe_open(&w->open, w->proc, w->fds, next.tid);
	return error ? error : 1;
}

/* Ends the wait of the open whose object has this descriptor here, which is closed. */
void ag_watch_answer(struct ag_watch *w, int32_t fd, int32_t allow)
{
	respond(w, fd, allow);
}

/* Nobody decides any more: what waits, and what a rule could be about, is refused from now on. */
void ag_watch_refuse(struct ag_watch *w)
{
	pthread_mutex_lock(&w->lock);
	w->refusing = 1;
	for (; w->count > 0; w->count--, w->first = (w->first + 1) % AG_WATCH_WAITING_MAX)
		respond(w, w->waiting[w->first].fd, 0);
	pthread_mutex_unlock(&w->lock);
}

/* The version of Landlock (include/uapi/linux/landlock.h); 0 where it is not in force. */
int32_t ag_watch_landlock(void)
{
	const long version = syscall(444, NULL, 0, 1);

	return version > 0 ? (int32_t)version : 0;
}

/*
 * Tries whether opens can wait on this host without harm, with a FIFO that is made in `directory` and removed. 0;
 * -EOPNOTSUPP where opens of FIFOs and devices would wait as well, which others would notice; or -errno.
 */
int32_t ag_watch_try(const char *directory)
{
	char fifo[AG_WATCH_PATH_BYTES];
	int32_t failed;

	if (snprintf(fifo, sizeof fifo, "%s/.agentguard-%d-%d", directory, getpid(), gettid()) >= (int)sizeof fifo)
		return -ENAMETOOLONG;
	if (mkfifo(fifo, 0600) != 0)
		return -errno;
	failed = try_fifo(fifo);
	unlink(fifo);
	return failed;
}
