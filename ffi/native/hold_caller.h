/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acting with the credentials of a caller, for this thread alone: file system identifiers, groups and effective
 * capabilities decide what the kernel lets through. The real system calls, because libc's change every thread.
 */
#ifndef AG_HOLD_CALLER_H
#define AG_HOLD_CALLER_H

#include "hold.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How much of the guard's own is put aside: every call makes new credentials, so only what differs is changed. */
enum { AG_OTHER_CAPS = 1, AG_OTHER_IDS = 2 };

/* Effective capabilities of this thread, all that it may have and `effective` names. */
static int set_effective(const struct ag_hold_state *state, uint64_t effective)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	effective &= state->permitted;
	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(effective >> (32 * i));
		data[i].permitted = (uint32_t)(state->permitted >> (32 * i));
		data[i].inheritable = (uint32_t)(state->inheritable >> (32 * i));
	}
	return syscall(SYS_capset, &header, data) == 0 ? 0 : -errno;
}

/* Notes who this thread is, to come back to. */
static int note_self(struct ag_hold_state *state)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) != 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		state->permitted |= (uint64_t)data[i].permitted << (32 * i);
		state->effective |= (uint64_t)data[i].effective << (32 * i);
		state->inheritable |= (uint64_t)data[i].inheritable << (32 * i);
	}
	state->fsuid = geteuid();
	state->fsgid = getegid();
	state->group_count = getgroups(AG_HOLD_GROUPS_MAX, (gid_t *)state->groups);
	return state->group_count < 0 ? -errno : 0;
}

static int same_groups(const struct ag_hold_state *state, const struct ag_hold_call *call)
{
	return state->group_count == (int)call->group_count &&
	       memcmp(state->groups, call->groups, call->group_count * sizeof call->groups[0]) == 0;
}

/* Back to the guard's own. A thread that cannot must not go on. */
static void become_self(struct ag_hold_state *state)
{
	if (!state->is_other)
		return;
	if (set_effective(state, state->effective) != 0)
		abort();
	if (state->is_other == AG_OTHER_IDS) {
		syscall(SYS_setfsuid, state->fsuid);
		syscall(SYS_setfsgid, state->fsgid);
		if (syscall(SYS_setgroups, state->group_count, state->groups) != 0 ||
		    set_effective(state, state->effective) != 0)
			abort();
	}
	state->is_other = 0;
}

/* Takes the caller's; where they are the guard's own, nothing is done. Its end is become_self. */
static int become_caller(struct ag_hold_state *state, const struct ag_hold_call *call)
{
	uint64_t caps = call->caps & state->permitted;

	if (call->fsuid == state->fsuid && call->fsgid == state->fsgid && same_groups(state, call)) {
		if (caps == state->effective)
			return 0;
		state->is_other = AG_OTHER_CAPS;
		return set_effective(state, caps);
	}
	state->is_other = AG_OTHER_IDS;
	if (syscall(SYS_setgroups, call->group_count, call->groups) != 0) {
		int error = -errno;
		become_self(state);
		return error;
	}
	syscall(SYS_setfsgid, call->fsgid);
	syscall(SYS_setfsuid, call->fsuid);
	/* These two tell nothing of failing but the value that is set. */
	if ((uint32_t)syscall(SYS_setfsgid, -1) != call->fsgid || (uint32_t)syscall(SYS_setfsuid, -1) != call->fsuid ||
	    set_effective(state, caps) != 0) {
		become_self(state);
		return -EPERM;
	}
	return 0;
}

#endif
