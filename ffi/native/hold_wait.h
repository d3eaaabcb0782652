/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wait for held calls. What hold_serve.h can answer is answered in it; it ends with a call for TypeScript, or with
 * something else that TypeScript waits for. One call of TypeScript's per held call is what most of them would cost.
 */
#ifndef AG_HOLD_WAIT_H
#define AG_HOLD_WAIT_H

#include "hold_serve.h"
#include "hold_start.h"
#include "hold_task.h"

#include <poll.h>

/* Of `events`: a call was received there. The number is that of TAKEN in ffi/held_layout.ts. */
#define AG_HOLD_TAKEN 0x10000
/* How long directories stay open that nobody names. */
#define AG_BASES_MS 1000

/* Looks at the caller, and at the names in its call; 0 where /proc has to tell. */
static int looks_at(struct ag_hold_state *state)
{
	static __thread struct ag_pinned p; /* too large for a stack */
	const struct ag_hold_call *call = &state->hold.call;
	struct ag_look *look;
	int changes;

	if (!state->looker)
		return 0;
	look = state->looker->look;
	memset(&p, 0, offsetof(struct ag_pinned, call));
	memcpy(&p.call, call, offsetof(struct ag_hold_call, groups));
	changes = read_call(&p) == 0;
	look->name[0] = changes ? p.path : 0;
	look->name[1] = changes ? p.new_path : 0;
	look->base[0] = changes ? p.dirfd : AT_FDCWD;
	look->base[1] = changes ? p.new_dirfd : AT_FDCWD;
	return look_at_task(state);
}

/* Takes one notification, see ag_hold_receive. */
static int receive(struct ag_hold_state *state, int listener)
{
	struct ag_hold_call *call = &state->hold.call;
	struct seccomp_notif request;
	int failed;

	state->fresh = NULL;
	state->told = 0;
	if (state->ahead)
		drop_change(state, state->ahead);
	state->ahead = NULL;
	if (state->reads_as_self)
		become_self(state);
	state->task = NULL;
	if (state->looker)
		state->looker->valid = 0;
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
	failed = looks_at(state) ? 0 : know_task(state);
	if (!failed)
		failed = know_view(state);
	if (failed && ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id) != 0) {
		call->id = 0;
		return -ENOENT;
	}
	return failed;
}

/* Takes a call and serves it if it can. 1: done; 0: it is TypeScript's, and state->taken says so; or -errno. */
static int take_call(struct ag_hold_state *state, int listener)
{
	const struct ag_hold_session *session = find_session(state, listener);
	int received = receive(state, listener), served = AG_SERVE_NOT;

	if (received == -ENOENT)
		return 1;
	if (session && session->noted && state->hold.call.id)
		memcpy(session->noted, &state->hold.call.id, sizeof state->hold.call.id);
	if (!received)
		served = is_start(&state->hold.call) ? serve_start(state, listener) : serve(state, listener);
	if (served < 0)
		return served;
	if (served == AG_SERVED) {
		state->stats[0]++;
		state->stats[1]++;
		return 1;
	}
	state->taken = listener;
	state->taken_result = served == AG_SERVE_LEFT ? 1 : received;
	return 0;
}

/* Looks once. 1: TypeScript is to hear of what `events` says; 0: nothing came in time; or -errno. */
static int look_once(struct ag_hold_state *state, struct pollfd *polled, int32_t *events, int count, int timeout_ms,
		     int *served)
{
	int ready, told;

	if (timeout_ms < 0 && keeps_bases(state->looker))
		timeout_ms = AG_BASES_MS;
	ready = poll(polled, (nfds_t)count, timeout_ms);
	if (ready == 0)
		forget_bases(state->looker);
	if (ready <= 0)
		return ready < 0 && errno != EINTR ? -errno : 0;
	events[0] = polled[0].revents;
	told = events[0] != 0;
	for (int i = 1; i < count; i++) {
		int done;
		if (!(polled[i].revents & POLLIN)) {
			events[i] = polled[i].revents;
			told |= events[i] != 0;
			continue;
		}
		done = take_call(state, polled[i].fd);
		if (done < 0)
			return done;
		*served += done;
		if (!done) {
			events[i] = AG_HOLD_TAKEN;
			return 1;
		}
	}
	return told;
}

/*
 * Waits for descriptors, at most AG_HOLD_SESSIONS_MAX, the first of which is no listener. poll and not epoll: it passes
 * on that the one who calls is to be woken on this CPU. At most `calls` are served; where the wait has an end, only
 * those that are there already are served after the first. 1 where `events` says for each descriptor what TypeScript is
 * to hear of, AG_HOLD_TAKEN for one at most; 0 where nothing more came, or -errno.
 */
static int wait_for_calls(struct ag_hold_state *state, const int32_t *fds, int32_t *events, int count, int timeout_ms,
			  int calls)
{
	struct pollfd polled[AG_HOLD_SESSIONS_MAX];
	int served = 0, told = 0;

	if (count < 1 || count > AG_HOLD_SESSIONS_MAX)
		return -EINVAL;
	for (int i = 0; i < count; i++) {
		polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
		events[i] = 0;
	}
	do {
		int before = served;
		told = look_once(state, polled, events, count, before && timeout_ms > 0 ? 0 : timeout_ms, &served);
		if (!told && served == before)
			return 0;
	} while (!told && served < calls);
	return told;
}

#endif
