/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Held system calls: receives them from the seccomp listener, finds out what they ask for in the caller's own view, and
 * answers. It decides nothing. The thread that opens a state must be the one that uses it: it gives up sharing its root
 * and working directory with the rest of the process.
 */
#define _GNU_SOURCE
#include "hold_calls.h"
#include "hold_exec.h"
#include "hold_perform.h"

#include <linux/bpf.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, uint64_t) /* Linux 6.6 */
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

_Static_assert(AG_HOLD_ARGS_BYTES <= AG_HOLD_TEXT_BYTES / 2, "argv and ten paths fit");

void ag_hold_close(struct ag_hold_state *state)
{
	int fds[] = {state->proc_fd, state->self_fd, state->info_fd, state->root_fd, state->cwd_fd, state->task_fd};

	for (unsigned i = 0; i < sizeof fds / sizeof fds[0]; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(state);
}

/* `key` is 16 bytes. Null with errno where it cannot be set up. */
struct ag_hold_state *ag_hold_open(const uint8_t *key)
{
	struct ag_hold_state *state = calloc(1, sizeof *state);
	int error;

	if (!state)
		return NULL;
	memcpy(state->key, key, sizeof state->key);
	state->task_fd = -1;
	state->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	state->self_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	state->info_fd = open("/proc/self/fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC);
	state->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	state->cwd_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (state->proc_fd >= 0 && state->self_fd >= 0 && state->info_fd >= 0 && state->root_fd >= 0 &&
	    state->cwd_fd >= 0 && unshare(CLONE_FS) == 0 && note_self(state) == 0)
		return state;
	error = errno;
	ag_hold_close(state);
	errno = error;
	return NULL;
}

/* Where struct ag_hold is; it lives as long as the state. */
void *ag_hold_memory(struct ag_hold_state *state)
{
	return &state->hold;
}

/* The answer then wakes the caller on this CPU, which is where its memory is. Older kernels do without. */
int32_t ag_hold_tune(int32_t listener)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) == 0 ? 0 : -errno;
}

static uint64_t status_number(const char *text, const char *name, int base)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, base) : 0;
}

/* The last number of a line: what the innermost pid namespace says. */
static uint32_t last_number(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	uint32_t number = 0;

	if (!at)
		return 0;
	for (at += strlen(name); *at && *at != '\n';) {
		char *end;
		number = (uint32_t)strtoul(at, &end, 10);
		at = end > at ? end : at + 1;
		at += strspn(at, " \t");
	}
	return number;
}

/* Fills who calls, from /proc/TID/status (fs/proc/array.c). */
static int read_status(struct ag_hold_state *state)
{
	struct ag_hold_call *call = &state->hold.call;
	static __thread char text[16384];
	const char *at;
	ssize_t got;
	int fd = openat(state->task_fd, "status", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	got = read(fd, text, sizeof text - 1);
	if (got <= 0) {
		got = got < 0 ? -errno : -ESRCH;
		close(fd);
		return (int)got;
	}
	close(fd);
	text[got] = 0;
	/* The name in the first line is the caller's to choose, but has no line breaks: they are shown as \n. */
	call->umask = (uint32_t)status_number(text, "\nUmask:", 8);
	call->tgid = (uint32_t)status_number(text, "\nTgid:", 10);
	call->ppid = (uint32_t)status_number(text, "\nPPid:", 10);
	call->caps = status_number(text, "\nCapEff:", 16);
	call->inner_tgid = last_number(text, "\nNStgid:");
	call->inner_tid = last_number(text, "\nNSpid:");
	at = strstr(text, "\nUid:");
	if (!at || sscanf(at, "\nUid: %u %*u %*u %u", &call->uid, &call->fsuid) != 2)
		return -EPROTO;
	at = strstr(text, "\nGid:");
	if (!at || sscanf(at, "\nGid: %*u %*u %*u %u", &call->fsgid) != 1)
		return -EPROTO;
	at = strstr(text, "\nGroups:");
	if (!at)
		return -EPROTO;
	call->group_count = 0;
	for (at += strlen("\nGroups:"); *at && *at != '\n';) {
		char *end;
		uint32_t group = (uint32_t)strtoul(at, &end, 10);
		if (end == at) {
			at++;
			continue;
		}
		if (call->group_count == AG_HOLD_GROUPS_MAX)
			return -E2BIG;
		call->groups[call->group_count++] = group;
		at = end;
	}
	return 0;
}

static void end_call(struct ag_hold_state *state)
{
	if (state->task_fd >= 0)
		close(state->task_fd);
	state->task_fd = -1;
}

/*
 * Takes one notification, which must be there (poll first): else it waits. 0, -ENOENT where its caller is gone, or
 * another -errno; then, if hold.call.id is not 0, somebody waits and must be answered.
 */
int32_t ag_hold_receive(struct ag_hold_state *state, int32_t listener)
{
	struct ag_hold_call *call = &state->hold.call;
	struct seccomp_notif request;
	char name[16];
	int failed;

	end_call(state);
	memset(&request, 0, sizeof request);
	memset(call, 0, offsetof(struct ag_hold_call, groups));
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0)
		return -errno;
	call->id = request.id;
	call->nr = request.data.nr;
	call->tid = request.pid;
	memcpy(call->args, request.data.args, sizeof call->args);
	if (call->tid == 0)
		return -ESRCH; /* in a pid namespace that this process cannot see */
	snprintf(name, sizeof name, "%u", call->tid);
	state->task_fd = openat(state->proc_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	failed = state->task_fd < 0 ? -errno : read_status(state);
	/* Only now is it known that the number was not given to somebody else meanwhile. */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id) != 0) {
		call->id = 0;
		return -ENOENT;
	}
	return failed;
}

/*
 * Finds out what the execve or execveat that was received last would bring up. 0, or the -errno for which there is
 * nothing to decide: the kernel will fail in the same way, or what comes up without a grant is killed.
 */
int32_t ag_hold_exec(struct ag_hold_state *state, int32_t listener)
{
	struct ag_hold *hold = &state->hold;
	struct ag_hold_call *call = &hold->call;
	static __thread struct starting start;
	int at_dir = call->nr == SYS_execveat, cut = 0, failed;
	int flags = at_dir ? (int)call->args[4] : 0;
	long bytes;

	memset(&hold->exec, 0, sizeof hold->exec);
	hold->text_bytes = 0;
	start.image = -1;
	start.scripts = 0;
	start.prefix_bytes = 0;
	bytes = read_string(call->tid, call->args[at_dir], state->args, AG_HOLD_PATH_BYTES);
	if (bytes < 0)
		return (int32_t)bytes;
	failed = enter_view(state);
	if (!failed)
		failed = read_start(state, &start, at_dir ? (int)call->args[0] : AT_FDCWD, flags);
	if (!failed)
		failed = describe(state, &start);
	leave_view(state);
	if (start.image >= 0)
		close(start.image);
	if (failed)
		return failed;
	bytes = read_list(call->tid, call->args[1 + at_dir], state->args, AG_HOLD_ARGS_BYTES, &cut);
	if (bytes < 0)
		return (int32_t)bytes;
	failed = final_arguments(state, &start, bytes, cut);
	if (failed)
		return failed;
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id) == 0 ? 0 : -ENOENT;
}

/* Forgets a change that was pinned. */
void ag_hold_drop(struct ag_pinned *p)
{
	if (!p)
		return;
	if (p->fifo) {
		int fd;
		while ((fd = fifo_result(&p->fifo, 1)) == -EAGAIN)
			usleep(200);
		if (fd >= 0)
			close(fd);
	}
	forget_place(&p->old);
	forget_place(&p->new);
	free(p);
}

/* The path of a place: its directory's and its name. */
static int add_place(struct ag_hold_state *state, struct ag_hold_text *text, const struct place *place, uint32_t *flags)
{
	char path[AG_HOLD_PATH_BYTES + AG_NAME_BYTES];
	long length =
		path_of(state, place->parent >= 0 ? place->parent : place->object, path, AG_HOLD_PATH_BYTES, flags);

	if (length < 0)
		return (int)length;
	if (place->parent >= 0 && strcmp(place->name, ".") != 0) {
		if (length > 1)
			path[length++] = '/';
		strcpy(path + length, place->name);
		length += (long)strlen(place->name);
	}
	return add_text(&state->hold, text, path, (size_t)length);
}

static int add_base(struct ag_hold_state *state, struct ag_hold_text *text, int dirfd, const char *name)
{
	uint32_t ignored = 0;
	int fd, failed;

	if (name[0] == '/' || name[0] == 0)
		return 0;
	fd = open_base(state, dirfd);
	if (fd < 0)
		return fd;
	failed = add_path(state, text, fd, &ignored);
	close(fd);
	return failed;
}

/* Tells what was pinned. The caller's root must have been taken. */
static int describe_change(struct ag_hold_state *state, const struct ag_pinned *p)
{
	struct ag_hold *hold = &state->hold;
	struct ag_hold_change *c = &hold->change;
	uint32_t flags = 0, ignored = 0;
	int failed = 0, fd;

	c->action = p->action;
	c->open_flags = p->open_flags;
	c->mode = p->mode;
	c->uid = p->uid;
	c->gid = p->gid;
	if (p->old.object >= 0) {
		c->ino = p->old.info.st_ino;
		c->dev = p->old.info.st_dev;
		c->links = (uint32_t)p->old.info.st_nlink;
		c->flags |= AG_HOLD_EXISTS | (S_ISDIR(p->old.info.st_mode) ? AG_HOLD_DIRECTORY : 0);
	}
	c->flags |= p->new.object >= 0 ? AG_HOLD_NEW_EXISTS : 0;
	failed = add_text(hold, &c->requested, p->requested, strlen(p->requested));
	if (!failed && p->action != AG_HOLD_SYMLINK)
		failed = add_place(state, &c->path, &p->old, &flags);
	if (!failed && p->path && p->action != AG_HOLD_SYMLINK)
		failed = add_base(state, &c->base, p->dirfd, p->requested);
	if (!failed && p->new_path) {
		failed = add_text(hold, &c->new_requested, p->new_requested, strlen(p->new_requested));
		if (!failed)
			failed = add_place(state, &c->new_path, &p->new, &ignored);
		if (!failed)
			failed = add_base(state, &c->new_base, p->new_dirfd, p->new_requested);
	}
	c->flags |= flags & AG_HOLD_DELETED ? AG_HOLD_UNHASHED : 0;
	fd = failed ? -1 : open_base(state, AT_FDCWD);
	if (fd >= 0) {
		failed = add_path(state, &c->cwd, fd, &ignored);
		close(fd);
	}
	fd = failed ? -1 : openat(state->task_fd, "exe", O_PATH | O_CLOEXEC);
	if (fd >= 0) {
		failed = add_path(state, &c->caller, fd, &ignored);
		close(fd);
	}
	return failed;
}

/*
 * Pins what the call that was received last would change. Null where that fails, with *error the -errno that the caller
 * is to have: nothing would be changed.
 */
struct ag_pinned *ag_hold_pin(struct ag_hold_state *state, int32_t listener, int32_t *error)
{
	struct ag_hold *hold = &state->hold;
	struct ag_pinned *p = calloc(1, sizeof *p);

	*error = -ENOMEM;
	if (!p)
		return NULL;
	p->call = hold->call;
	memset(&hold->change, 0, sizeof hold->change);
	hold->text_bytes = 0;
	*error = read_call(p);
	if (!*error) {
		*error = enter_view(state);
		if (!*error)
			*error = pin(state, p);
		if (!*error)
			*error = describe_change(state, p);
		leave_view(state);
	}
	if (!*error && ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &p->call.id) != 0)
		*error = -ENOENT;
	if (!*error)
		return p;
	ag_hold_drop(p);
	return NULL;
}

/* The object at the first or second place of a change, as a descriptor of the change's own; -1 where there is none. */
int32_t ag_hold_object(const struct ag_pinned *p, int32_t second)
{
	return second ? p->new.object : p->old.object;
}

/* As `perform`; the change stays pinned. */
int32_t ag_hold_perform(struct ag_hold_state *state, struct ag_pinned *p, int32_t listener, int32_t *result)
{
	return perform(state, p, listener, result);
}

/*
 * Waits for descriptors to be readable, at most 64; `events` gets what poll(2) says of each. poll and not epoll: it
 * passes on that the one who calls is to be woken on this CPU.
 */
int32_t ag_hold_poll(const int32_t *fds, int32_t *events, int32_t count, int32_t timeout_ms)
{
	struct pollfd polled[64];
	int ready;

	if (count < 0 || count > 64)
		return -EINVAL;
	for (int i = 0; i < count; i++)
		polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	ready = poll(polled, (nfds_t)count, timeout_ms);
	for (int i = 0; i < count; i++)
		events[i] = ready > 0 ? polled[i].revents : 0;
	return ready < 0 ? -errno : ready;
}

/* True while the caller of a notification waits. */
int32_t ag_hold_valid(int32_t listener, const uint64_t *id)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, id) == 0;
}

/*
 * Answers: `error` 0 lets the kernel go on with the call, else the call fails with it. -ENOENT where nobody waits any
 * more.
 */
int32_t ag_hold_answer(int32_t listener, const uint64_t *id, int32_t error)
{
	struct seccomp_notif_resp answer = {.id = *id, .error = -error};

	if (error == 0)
		answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0 ? 0 : -errno;
}

static int32_t map_call(int command, int32_t map, const void *key, void *value)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.map_fd = (uint32_t)map;
	attr.key = (uint64_t)(uintptr_t)key;
	attr.value = (uint64_t)(uintptr_t)value;
	return syscall(SYS_bpf, command, &attr, sizeof attr) == 0 ? 0 : -errno;
}

/* Writes the grant of a thread; `value` is a struct ag_grant. */
int32_t ag_hold_grant(int32_t map, uint32_t thread, void *value)
{
	return map_call(BPF_MAP_UPDATE_ELEM, map, &thread, value);
}

/* Takes a grant back that was not used. */
int32_t ag_hold_revoke(int32_t map, uint32_t thread)
{
	return map_call(BPF_MAP_DELETE_ELEM, map, &thread, NULL);
}

/* The scope of a process, from task storage; `value` is a struct ag_scope. -ESRCH where it has ended. */
int32_t ag_hold_scope(int32_t map, uint32_t process, void *value)
{
	int32_t pidfd = (int32_t)syscall(SYS_pidfd_open, process, 0), result;

	if (pidfd < 0)
		return -errno;
	result = map_call(BPF_MAP_LOOKUP_ELEM, map, &pidfd, value);
	close(pidfd);
	return result;
}
