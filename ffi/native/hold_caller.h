/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acting with the credentials of a caller, for this thread alone: file system identifiers, groups and effective
 * capabilities decide what the kernel lets through. The real system calls, because libc's change every thread.
 */
#ifndef AG_HOLD_CALLER_H
#define AG_HOLD_CALLER_H

#include "hold.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
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

/* True where a caller's identifiers are the guard's own. */
static int has_own_ids(const struct ag_hold_state *state, const struct ag_hold_call *call)
{
	return call->fsuid == state->fsuid && call->fsgid == state->fsgid &&
	       state->group_count == (int)call->group_count &&
	       memcmp(state->groups, call->groups, call->group_count * sizeof call->groups[0]) == 0;
}

/* True while this thread has the credentials of this caller already, with these capabilities. */
static int acts_for(const struct ag_hold_state *state, const struct ag_hold_call *call, uint64_t caps)
{
	if (!state->is_other || state->acting_caps != caps)
		return 0;
	if (state->is_other == AG_OTHER_CAPS)
		return has_own_ids(state, call);
	return call->fsuid == state->acting_fsuid && call->fsgid == state->acting_fsgid &&
	       call->group_count == state->acting_group_count &&
	       memcmp(call->groups, state->acting_groups, call->group_count * sizeof call->groups[0]) == 0;
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

/* Notes in `to`, which is another thread's, who this thread is, and for whom it acts. */
static void copy_credentials(struct ag_hold_state *to, const struct ag_hold_state *from)
{
	to->permitted = from->permitted;
	to->effective = from->effective;
	to->inheritable = from->inheritable;
	to->fsuid = from->fsuid;
	to->fsgid = from->fsgid;
	to->group_count = from->group_count;
	memcpy(to->groups, from->groups, sizeof to->groups);
	to->is_other = from->is_other;
	to->acting_caps = from->acting_caps;
	to->acting_fsuid = from->acting_fsuid;
	to->acting_fsgid = from->acting_fsgid;
	to->acting_group_count = from->acting_group_count;
	memcpy(to->acting_groups, from->acting_groups, sizeof to->acting_groups);
}

/* What reading about a caller may need and no file system asks for but /proc, which is not for become_reader. */
#define AG_READING (1ULL << CAP_SYS_PTRACE)

/* Takes a caller's identifiers and these of the capabilities that this thread may have; 0 or -errno. */
static int become(struct ag_hold_state *state, const struct ag_hold_call *call, uint64_t caps)
{
	caps &= state->permitted;
	if (acts_for(state, call, caps))
		return 0;
	become_self(state);
	state->acting_caps = caps;
	if (has_own_ids(state, call)) {
		if (caps == state->effective)
			return 0;
		state->is_other = AG_OTHER_CAPS;
		return set_effective(state, caps);
	}
	state->is_other = AG_OTHER_IDS;
	state->acting_fsuid = call->fsuid;
	state->acting_fsgid = call->fsgid;
	state->acting_group_count = call->group_count;
	memcpy(state->acting_groups, call->groups, call->group_count * sizeof call->groups[0]);
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

/*
 * Takes the caller's; where they are the guard's own, nothing is done. Its end is become_self, which comes when
 * somebody needs it: new credentials are dear, and the next call may be the same caller's.
 */
static int become_caller(struct ag_hold_state *state, const struct ag_hold_call *call)
{
	return become(state, call, call->caps);
}

/*
 * The same, and this thread can still read about the caller, so that nothing changes until its next call. For places
 * that are not in /proc alone.
 */
static int become_reader(struct ag_hold_state *state, const struct ag_hold_call *call)
{
	return become(state, call, call->caps | (state->reads_as_self ? 0 : AG_READING));
}

/*
 * Something about a caller could not be read: true where that is to be tried again, as the guard itself, which this
 * thread is then. Where become_reader was not enough it will not be for the next caller either.
 */
static int reads_again(struct ag_hold_state *state, int error)
{
	if (!state->is_other || (error != EACCES && error != EPERM))
		return 0;
	state->reads_as_self =
		state->reads_as_self || (state->acting_caps & AG_READING) || !(state->permitted & AG_READING);
	become_self(state);
	return 1;
}

/* What /proc has of the caller, /proc/TID; -1 with errno. It waits, so that its number is nobody else's. */
static int task_dir(struct ag_hold_state *state)
{
	struct ag_task *task = state->task;
	char name[16];

	if (!task) {
		errno = ESRCH;
		return -1;
	}
	if (task->dir_fd >= 0)
		return task->dir_fd;
	snprintf(name, sizeof name, "%u", task->tid);
	task->dir_fd = openat(state->proc_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (task->dir_fd < 0 && reads_again(state, errno))
		task->dir_fd = openat(state->proc_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return task->dir_fd;
}

#endif
