/* SPDX-License-Identifier: Apache-2.0 */
/* A held change from its call to its end: read, pinned, told, forgotten. */
#ifndef AG_HOLD_PIN_H
#define AG_HOLD_PIN_H

#include "hold_calls.h"
#include "hold_describe.h"
#include "hold_perform.h"

#include <stddef.h>

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

/* Forgets a change. */
static void drop_change(struct ag_hold_state *state, struct ag_pinned *p)
{
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
 * Reads which change the call that was received last is. Null with *error: -ENOSYS for a call that is none, or what its
 * caller is to have.
 */
static struct ag_pinned *read_change(struct ag_hold_state *state, int *error)
{
	struct ag_pinned *p = new_pinned(state);

	*error = p ? read_call(p) : -ENOMEM;
	if (!*error)
		return p;
	if (p)
		drop_change(state, p);
	return NULL;
}

/*
 * Pins what a change would touch and tells it in hold.change, with its caller if `caller`. 0, or the -errno that its
 * caller is to have. The thread may have the caller's credentials afterwards.
 */
static int pin_change(struct ag_hold_state *state, struct ag_pinned *p, int listener, int caller)
{
	struct ag_hold *hold = &state->hold;
	int failed;

	memset(&hold->change, 0, sizeof hold->change);
	hold->text_bytes = 0;
	failed = state->view.outside ? 0 : enter_view(state);
	if (!failed && caller)
		failed = describe_caller(state);
	if (!failed)
		failed = pin(state, p);
	if (!failed)
		failed = describe_change(state, p);
	if (!failed && caller)
		failed = add_kept_bases(state, p);
	leave_view(state);
	if (!failed && ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &p->call.id) != 0)
		failed = -ENOENT;
	if (!failed)
		state->fresh = p;
	return failed;
}

#endif
