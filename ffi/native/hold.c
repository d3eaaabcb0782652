/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Held system calls: receives them from the seccomp listener, finds out what they ask for in the caller's own view, and
 * answers. It decides nothing. The thread that opens a state must be the one that uses it: it gives up sharing its root
 * and working directory with the rest of the process.
 */
#define _GNU_SOURCE
#include "hold_calls.h"
#include "hold_describe.h"
#include "hold_exec.h"
#include "hold_perform.h"
#include "hold_task.h"

#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>

_Static_assert(AG_HOLD_ARGS_BYTES <= AG_HOLD_TEXT_BYTES / 2, "argv and ten paths fit");

/* Forgets what is known of callers: their namespaces and files may end. */
void ag_hold_forget(struct ag_hold_state *state)
{
	become_self(state);
	close_tasks(state);
	forget_view(state);
}

void ag_hold_close(struct ag_hold_state *state)
{
	int fds[] = {state->proc_fd, state->self_fd, state->info_fd, state->root_fd, state->cwd_fd};

	ag_hold_forget(state);
	for (unsigned i = 0; i < sizeof fds / sizeof fds[0]; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(state->spare);
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
	for (int i = 0; i < AG_HOLD_TASKS_MAX; i++)
		state->tasks[i].dir_fd = state->tasks[i].status_fd = -1;
	state->task_fd = state->view.fd = -1;
	state->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	state->self_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	state->info_fd = open("/proc/self/fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC);
	state->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	state->cwd_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (state->proc_fd >= 0 && state->self_fd >= 0 && state->info_fd >= 0 && state->root_fd >= 0 &&
	    state->cwd_fd >= 0 && unshare(CLONE_FS) == 0 && note_self(state) == 0) {
		spot_of(state->root_fd, "", &state->root_spot); /* where that cannot be told it is nobody else's */
		state->umask = (uint32_t)umask(077);
		umask((mode_t)state->umask);
		return state;
	}
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

/* Back to the guard's own credentials. */
void ag_hold_settle(struct ag_hold_state *state)
{
	state->fresh = NULL;
	become_self(state);
}

/*
 * Takes one notification, which must be there (poll first): else it waits. 0, -ENOENT where its caller is gone, or
 * another -errno; then, if hold.call.id is not 0, somebody waits and must be answered. Only ag_hold_pin and
 * ag_hold_exec know for sure that what was found is about the one who waits, and not about who got the number later.
 */
int32_t ag_hold_receive(struct ag_hold_state *state, int32_t listener)
{
	struct ag_hold_call *call = &state->hold.call;
	struct seccomp_notif request;
	int failed;

	state->fresh = NULL;
	if (state->reads_as_self)
		become_self(state);
	state->task_fd = -1;
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
	failed = know_task(state);
	if (!failed)
		failed = know_view(state);
	if (failed && ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id) != 0) {
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

	become_self(state);
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

/* Closes the descriptors of a change; those that follow one another at once. */
static void close_pinned(struct ag_pinned *p)
{
	int fds[] = {p->old.parent, p->old.object, p->new.parent, p->new.object, p->opened};
	int first = -1, last = -2;

	for (int i = 0; i < 5; i++) {
		if (fds[i] < 0)
			continue;
		if (first >= 0 && fds[i] != last + 1) {
			syscall(SYS_close_range, first, last, 0);
			first = -1;
		}
		last = fds[i];
		first = first < 0 ? last : first;
	}
	if (first >= 0 && syscall(SYS_close_range, first, last, 0) != 0)
		for (int i = 0; i < 5; i++) /* Linux 5.9 */
			if (fds[i] >= 0)
				close(fds[i]);
}

/* Forgets a change that was pinned. */
void ag_hold_drop(struct ag_hold_state *state, struct ag_pinned *p)
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
	if (state->fresh == p)
		state->fresh = NULL;
	close_pinned(p);
	if (state->spare)
		free(p);
	else
		state->spare = p;
}

/* Memory for a change, with nothing in it but the call that was received last. */
static struct ag_pinned *new_pinned(struct ag_hold_state *state)
{
	const struct ag_hold_call *call = &state->hold.call;
	struct ag_pinned *p = state->spare ? state->spare : malloc(sizeof *p);

	state->spare = NULL;
	if (!p)
		return NULL;
	memset(p, 0, offsetof(struct ag_pinned, call));
	p->requested[0] = p->new_requested[0] = 0;
	memcpy(&p->call, call, offsetof(struct ag_hold_call, groups) + call->group_count * sizeof call->groups[0]);
	p->old.parent = p->old.object = p->new.parent = p->new.object = p->opened = -1;
	return p;
}

/*
 * Pins what the call that was received last would change. Null where that fails, with *error the -errno that the caller
 * is to have: nothing would be changed. The thread may have the caller's credentials afterwards.
 */
struct ag_pinned *ag_hold_pin(struct ag_hold_state *state, int32_t listener, int32_t *error)
{
	struct ag_hold *hold = &state->hold;
	struct ag_pinned *p = new_pinned(state);

	*error = -ENOMEM;
	if (!p)
		return NULL;
	memset(&hold->change, 0, sizeof hold->change);
	hold->text_bytes = 0;
	*error = read_call(p);
	if (!*error && !state->view.outside)
		*error = enter_view(state);
	if (!*error)
		*error = describe_caller(state);
	if (!*error)
		*error = pin(state, p);
	if (!*error)
		*error = describe_change(state, p);
	leave_view(state);
	if (!*error && ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &p->call.id) != 0)
		*error = -ENOENT;
	if (!*error) {
		state->fresh = p;
		return p;
	}
	ag_hold_drop(state, p);
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
