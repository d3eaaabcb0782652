/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Held system calls: receives them from the seccomp listener, finds out what they ask for in the caller's own view, and
 * answers. It decides nothing. The thread that opens a state must be the one that uses it: it gives up sharing its root
 * and working directory with the rest of the process.
 */
#define _GNU_SOURCE
#include "first.h"
#include "hold_exec.h"
#include "hold_socket.h"
#include "hold_task.h"
#include "hold_wait.h"

#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>

_Static_assert(AG_HOLD_ARGS_BYTES <= AG_HOLD_TEXT_BYTES / 2, "argv and ten paths fit");

/* Forgets what is known of callers: their namespaces and files may end. */
static void forget_callers(struct ag_hold_state *state)
{
	become_self(state);
	if (state->ahead)
		drop_change(state, state->ahead);
	state->ahead = NULL;
	close_tasks(state);
	forget_bases(state->looker);
	forget_view(state);
}

void ag_hold_close(struct ag_hold_state *state)
{
	int fds[] = {state->proc_fd, state->self_fd, state->info_fd, state->root_fd, state->cwd_fd};

	forget_callers(state);
	for (int i = 0; i < AG_HOLD_SESSIONS_MAX; i++)
		free_table(state->sessions[i].places);
	close_looker(state->looker);
	free_table(state->rules);
	free_table(state->linked);
	free_table(state->starts);
	for (unsigned i = 0; i < sizeof fds / sizeof fds[0]; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(state->spare);
	free(state);
}

/*
 * `key` is 16 bytes; `stats` are two numbers that count the calls which are held and answered here, for as long as the
 * state; `grants` is the map for program starts, by the caller's process if `by_process`. Null with errno where it
 * cannot be set up.
 */
struct ag_hold_state *ag_hold_open(const uint8_t *key, double *stats, int32_t grants, int32_t by_process)
{
	struct ag_hold_state *state = calloc(1, sizeof *state);
	int error;

	if (!state)
		return NULL;
	memcpy(state->key, key, sizeof state->key);
	for (int i = 0; i < AG_HOLD_TASKS_MAX; i++)
		state->tasks[i].dir_fd = state->tasks[i].status_fd = -1;
	for (int i = 0; i < AG_HOLD_SESSIONS_MAX; i++)
		state->sessions[i].listener = -1;
	state->stats = stats;
	state->grants_fd = grants;
	state->grants_by_process = by_process;
	state->taken = state->view.fd = -1;
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
		come_first();
		return state;
	}
	error = errno;
	ag_hold_close(state);
	errno = error;
	return NULL;
}

/*
 * Callers are looked at by a program of the probes from now on, which stays open as long as the state; `map` is the one
 * that it shares with user space. 0; or -errno, and then /proc tells as before: in a user namespace, or where the
 * program says something else of this thread than /proc does.
 */
int32_t ag_hold_look(struct ag_hold_state *state, int32_t program, int32_t map)
{
	state->looker = open_looker(program, map);
	if (!state->looker)
		return -errno;
	if (tells_the_same(state))
		return 0;
	close_looker(state->looker);
	state->looker = NULL;
	return -EPROTO;
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
 * Takes one notification, which must be there (ag_hold_wait first): else it waits. 0; 1 where it was served, and its
 * caller has gone without the result: it is to be told, and nothing to be answered; -ENOENT where its caller is gone;
 * or another -errno, and then, if hold.call.id is not 0, somebody waits and must be answered. Only ag_hold_pin and
 * ag_hold_exec know for sure that what was found is about the one who waits, and not about who got the number later.
 */
int32_t ag_hold_receive(struct ag_hold_state *state, int32_t listener)
{
	if (state->taken != listener)
		return receive(state, listener);
	state->taken = -1;
	return state->taken_result;
}

/* As `wait_for_calls`. A call that was received is told by the next ag_hold_receive of its listener. */
int32_t ag_hold_wait(struct ag_hold_state *state, const int32_t *fds, int32_t *events, int32_t count,
		     int32_t timeout_ms, int32_t calls)
{
	return wait_for_calls(state, fds, events, count, timeout_ms, calls);
}

/*
 * Names that rules or the guard's own files need, as make_table of needed_names.h reads them. 0 or
 * -errno; then everything is TypeScript's.
 */
int32_t ag_hold_rules(struct ag_hold_state *state, const uint8_t *table, uint32_t bytes)
{
	free_table(state->rules);
	free_table(state->linked);
	state->linked = NULL;
	state->rules = make_table(table, bytes);
	return state->rules ? 0 : -errno;
}

/*
 * For so long `table` has every object that is known to have a name which rules of ag_hold_rules speak of. 0 or -errno;
 * then everything that has several names is TypeScript's.
 */
int32_t ag_hold_linked(struct ag_hold_state *state, const uint8_t *table, uint32_t bytes, uint32_t lasts_ms)
{
	free_table(state->linked);
	state->linked = make_table(table, bytes);
	state->linked_until_ms = now_ms() + lasts_ms;
	return state->linked ? 0 : -errno;
}

/* Names that rules about program starts need, as ag_hold_rules. 0 or -errno; then every start is TypeScript's. */
int32_t ag_hold_starts(struct ag_hold_state *state, const uint8_t *table, uint32_t bytes)
{
	free_table(state->starts);
	state->starts = make_table(table, bytes);
	return state->starts ? 0 : -errno;
}

/* Opens are watched by `w` from now on (`watched` 1), or no more, and then it may end. 0, or -EMFILE. */
int32_t ag_hold_watch(struct ag_hold_state *state, struct ag_watch *w, int32_t watched)
{
	struct ag_watch *wanted = watched ? NULL : w;

	for (int i = 0; i < AG_HOLD_SESSIONS_MAX; i++) {
		if (state->watches[i] != wanted)
			continue;
		state->watches[i] = watched ? w : NULL;
		return 0;
	}
	return watched ? -EMFILE : 0;
}

/*
 * Calls of a listener may be answered here from now on, if `serves`. `noted`: 8 bytes for the call that was received
 * last, or null; `places`: where its command may change files (make_table), or null. Both stay until ag_hold_end. 0 or
 * -errno.
 */
int32_t ag_hold_begin(struct ag_hold_state *state, int32_t listener, int32_t serves, uint8_t *noted,
		      const uint8_t *places, uint32_t bytes)
{
	struct ag_hold_session *session = find_session(state, -1);
	struct needed_table *table = places ? make_table(places, bytes) : NULL;

	if (!session || (places && !table)) {
		free_table(table);
		return session ? -errno : -EMFILE;
	}
	*session = (struct ag_hold_session){listener, serves, noted, table};
	return 0;
}

/* Forgets a listener, which is closed next, and what is known of callers. */
void ag_hold_end(struct ag_hold_state *state, int32_t listener)
{
	struct ag_hold_session *session = find_session(state, listener);

	forget_callers(state);
	if (state->taken == listener)
		state->taken = -1;
	if (!session)
		return;
	free_table(session->places);
	*session = (struct ag_hold_session){.listener = -1};
}

/*
 * Finds out what the execve or execveat that was received last would bring up. 0, or the -errno for which there is
 * nothing to decide: the kernel will fail in the same way, or what comes up without a grant is killed.
 */
int32_t ag_hold_exec(struct ag_hold_state *state, int32_t listener)
{
	int failed = state->told ? 0 : tell_start(state);

	state->told = 0;
	if (!failed)
		failed = tell_caller(state);
	if (failed)
		return failed;
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &state->hold.call.id) == 0 ? 0 : -ENOENT;
}

/* Finds out where to the call that was received last goes, see describe_socket; -ENOENT where its caller has gone. */
int32_t ag_hold_socket(struct ag_hold_state *state, int32_t listener, struct ag_hold_socket *socket)
{
	const int32_t failed = describe_socket(state, socket);

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &state->hold.call.id) == 0 ? failed : -ENOENT;
}

/* Forgets a change that was pinned. */
void ag_hold_drop(struct ag_hold_state *state, struct ag_pinned *p)
{
	if (p)
		drop_change(state, p);
}

/*
 * Pins what the call that was received last would change. Null where that fails, with *error the -errno that the caller
 * is to have: nothing would be changed. The thread may have the caller's credentials afterwards.
 */
struct ag_pinned *ag_hold_pin(struct ag_hold_state *state, int32_t listener, int32_t *error)
{
	struct ag_pinned *p = state->ahead;

	state->ahead = NULL;
	if (p) {
		*error = describe_caller(state);
		if (!*error)
			*error = add_kept_bases(state, p);
	} else {
		p = read_change(state, error);
		if (p)
			*error = pin_change(state, p, listener, 1);
	}
	if (p && *error) {
		drop_change(state, p);
		p = NULL;
	}
	return p;
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
