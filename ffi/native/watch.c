/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens that wait for the guard: fanotify permission events (include/uapi/linux/fanotify.h) of every mount of a
 * command's own mount namespace. One thread reads them. What no rule can be about goes on at once, and the object is
 * passed over by the kernel from then on; the rest is queued. Exactly one answer ends each wait.
 */
#define _GNU_SOURCE
#include "watch.h"
#include "watch_caller.h"
#include "watch_mounts.h"
#include "watch_names.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#ifndef FAN_MARK_EVICTABLE
#define FAN_MARK_EVICTABLE 0x200 /* Linux 5.19 */
#endif
#ifndef FAN_MARK_IGNORE
#define FAN_MARK_IGNORE 0x400 /* Linux 6.0 */
#endif
#ifndef FAN_REPORT_TID
#define FAN_REPORT_TID 0x100
#endif

#define EVENTS_BYTES 2048 /* of one read: each event brings a descriptor */
#define DELETED " (deleted)"

struct waiting {
	int fd;
	uint32_t tid;
};

struct object {
	uint64_t dev, ino;
};

struct ag_watch {
	struct ag_watch_open open; /* the one that was taken last */
	struct watch_mounts mounts;
	int stop;  /* eventfd: ends the thread */
	int ready; /* TypeScript's eventfd: something was queued, or went wrong */
	int fds;   /* /proc/self/fd */
	int proc;  /* /proc */
	int has_thread;
	pthread_t thread;
	pthread_mutex_t lock; /* of everything below */
	struct watch_table *table;
	struct object barred[2]; /* objects that are getting another name just now */
	int barred_count, barred_all;
	int refusing; /* nobody decides any more */
	int error;    /* -errno: not everything is watched */
	uint32_t ignored;
	uint32_t first, count;
	struct waiting waiting[AG_WATCH_WAITING_MAX];
};

enum verdict { GO_ON, PASS_OVER, ASK };

static void respond(const struct ag_watch *w, int fd, int allow)
{
	struct fanotify_response answer = {.fd = fd, .response = allow ? FAN_ALLOW : FAN_DENY};
	ssize_t written;

	do
		written = write(w->mounts.group, &answer, sizeof answer);
	while (written < 0 && errno == EINTR);
	close(fd);
}

static void tell(const struct ag_watch *w)
{
	const uint64_t one = 1;
	ssize_t written = write(w->ready, &one, sizeof one);

	(void)written; /* it fails only where it is readable already */
}

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
 * Later opens of the object go on without an event, until its content changes or somebody takes that back. The kernel
 * does nothing, and says so to nobody, while the file is open for writing (fanotify_add_mark of
 * fs/notify/fanotify/fanotify_user.c): what is written is looked at again under the name that it has then, which
 * somebody outside the session may have given it.
 */
static void pass_over(struct ag_watch *w, int fd, const struct stat *info)
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
	if (fanotify_mark(w->mounts.group, flags, FAN_OPEN_PERM | (directory ? FAN_ONDIR : 0), fd, NULL) == 0)
		w->ignored++;
}

static enum verdict look_at(const struct ag_watch *w, int fd, struct stat *info)
{
	const struct watch_table *table = w->table;
	char name[16], path[AG_WATCH_PATH_BYTES];
	const size_t mark = strlen(DELETED);
	ssize_t length;

	snprintf(name, sizeof name, "%d", fd);
	length = readlinkat(w->fds, name, path, sizeof path);
	if (fstat(fd, info) != 0 || length <= 0 || (size_t)length == sizeof path)
		return ASK;
	if (table->flags & AG_WATCH_ALL || has_object(table, info->st_dev, info->st_ino) ||
	    is_named(table, path, (size_t)length))
		return ASK;
	if (S_ISDIR(info->st_mode))
		return PASS_OVER;
	if (info->st_nlink == 0)
		return (size_t)length > mark && memcmp(path + length - mark, DELETED, mark) == 0 &&
				       is_named(table, path, (size_t)length - mark) ?
			       ASK :
			       GO_ON;
	if (info->st_nlink == 1)
		return PASS_OVER;
	if (!(table->flags & AG_WATCH_LINKED))
		return ASK;
	return table->flags & AG_WATCH_FLOATING ? GO_ON : PASS_OVER;
}

/* An open by this process itself: it decided before, or only looks. */
static int is_own(uint32_t tid)
{
	return syscall(SYS_tgkill, getpid(), tid, 0) == 0;
}

static void take_event(struct ag_watch *w, const struct fanotify_event_metadata *event)
{
	struct stat info;
	enum verdict verdict;
	int refused = 0;

	if (event->fd < 0)
		return;
	pthread_mutex_lock(&w->lock);
	verdict = look_at(w, event->fd, &info);
	if (verdict == PASS_OVER)
		pass_over(w, event->fd, &info);
	if (verdict == ASK && is_own((uint32_t)event->pid))
		verdict = GO_ON;
	if (verdict == ASK) {
		refused = w->refusing || w->count == AG_WATCH_WAITING_MAX;
		if (!refused)
			w->waiting[(w->first + w->count++) % AG_WATCH_WAITING_MAX] =
				(struct waiting){event->fd, (uint32_t)event->pid};
	}
	pthread_mutex_unlock(&w->lock);
	if (verdict != ASK || refused)
		respond(w, event->fd, !refused);
	else
		tell(w);
}

/* Takes what is there; 0, or the -errno for which nothing more can be taken. */
static int take_events(struct ag_watch *w)
{
	_Alignas(struct fanotify_event_metadata) char buffer[EVENTS_BYTES];
	const struct fanotify_event_metadata *event = (const void *)buffer;
	ssize_t length = read(w->mounts.group, buffer, sizeof buffer);

	/* An open whose object cannot be shown here (no descriptor is left, for one) has been refused by the kernel. */
	if (length < 0)
		return errno == EBADF || errno == EFAULT || errno == EINVAL ? -errno : 0;
	for (; FAN_EVENT_OK(event, length); event = FAN_EVENT_NEXT(event, length)) {
		if (event->vers != FANOTIFY_METADATA_VERSION)
			return -EPROTO;
		take_event(w, event);
	}
	return 0;
}

static void note_error(struct ag_watch *w, int error)
{
	if (!error)
		return;
	pthread_mutex_lock(&w->lock);
	w->error = error;
	pthread_mutex_unlock(&w->lock);
	tell(w);
}

static void *watch_opens(void *argument)
{
	struct ag_watch *w = argument;
	struct pollfd polled[] = {
		{.fd = w->mounts.group, .events = POLLIN},
		{.fd = w->stop, .events = POLLIN},
		{.fd = w->mounts.info, .events = POLLPRI},
	};
	int failed = 0;

	while (!failed) {
		if (poll(polled, 3, -1) < 0) {
			failed = errno == EINTR ? 0 : -errno;
			continue;
		}
		if (polled[1].revents)
			return NULL;
		/* A mount that cannot be marked is told, and everything else goes on. */
		if (polled[2].revents & (POLLPRI | POLLERR))
			note_error(w, mark_mounts(&w->mounts));
		if (polled[0].revents)
			failed = take_events(w);
	}
	note_error(w, failed);
	return NULL;
}

static int start_thread(struct ag_watch *w)
{
	sigset_t all, before;
	int failed;

	/* No signal of this process is to end up there. */
	sigfillset(&all);
	failed = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (failed)
		return -failed;
	failed = pthread_create(&w->thread, NULL, watch_opens, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	w->has_thread = !failed;
	return -failed;
}

/* Refuses what waits, in the queue and in the kernel. */
static void refuse_waiting(struct ag_watch *w)
{
	_Alignas(struct fanotify_event_metadata) char buffer[EVENTS_BYTES];
	ssize_t length;

	for (; w->count > 0; w->count--, w->first = (w->first + 1) % AG_WATCH_WAITING_MAX)
		respond(w, w->waiting[w->first].fd, 0);
	while ((length = read(w->mounts.group, buffer, sizeof buffer)) > 0) {
		const struct fanotify_event_metadata *event = (const void *)buffer;
		for (; FAN_EVENT_OK(event, length); event = FAN_EVENT_NEXT(event, length))
			if (event->fd >= 0)
				respond(w, event->fd, 0);
	}
}

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
	struct watch_table *table = make_table(bytes, length), *before;

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

struct trial {
	const char *path;
	int done; /* eventfd */
};

static void *open_special(void *argument)
{
	const struct trial *trial = argument;
	const uint64_t one = 1;
	int fd = open(trial->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t written = write(trial->done, &one, sizeof one);

	if (fd >= 0)
		close(fd);
	return written == sizeof one ? NULL : argument;
}

/* The version of Landlock (include/uapi/linux/landlock.h); 0 where it is not in force. */
int32_t ag_watch_landlock(void)
{
	const long version = syscall(444, NULL, 0, 1);

	return version > 0 ? (int32_t)version : 0;
}

/* Where `fifo` brings an event the guard would have to open FIFOs and devices itself to see what they are. */
static int32_t try_fifo(const char *fifo)
{
	const int group = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE |
						FAN_UNLIMITED_MARKS | FAN_REPORT_TID,
					O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct trial trial = {fifo, eventfd(0, EFD_CLOEXEC)};
	struct pollfd polled[] = {{.fd = group, .events = POLLIN}, {.fd = trial.done, .events = POLLIN}};
	struct fanotify_event_metadata event;
	pthread_t thread;
	int failed = 0;

	if (group < 0 || trial.done < 0 || fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, fifo) != 0)
		failed = -errno;
	else
		failed = -pthread_create(&thread, NULL, open_special, &trial);
	if (!failed) {
		while (poll(polled, 2, -1) < 0 && errno == EINTR)
			;
		if (polled[0].revents & POLLIN)
			failed = -EOPNOTSUPP;
		if (failed && read(group, &event, sizeof event) == sizeof event && event.fd >= 0) {
			struct fanotify_response answer = {event.fd, FAN_ALLOW};
			ssize_t written = write(group, &answer, sizeof answer);
			(void)written; /* closing the group lets it go as well */
			close(event.fd);
		}
	}
	if (group >= 0)
		close(group);
	if (!failed || failed == -EOPNOTSUPP)
		pthread_join(thread, NULL);
	if (trial.done >= 0)
		close(trial.done);
	return failed;
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
