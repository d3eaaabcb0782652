/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who calls. What /proc has of a thread stays open from one of its calls to the next: such a descriptor is the thread's
 * own and never somebody else's who got its number later, whom it does not know. A thread that is there under its
 * number, and waits, is therefore the one that the descriptor was opened for.
 */
#ifndef AG_HOLD_TASK_H
#define AG_HOLD_TASK_H

#include "hold_look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AG_STATUS_BYTES 16384

static void close_task(struct ag_task *task)
{
	if (task->dir_fd >= 0)
		close(task->dir_fd);
	if (task->status_fd >= 0)
		close(task->status_fd);
	*task = (struct ag_task){.dir_fd = -1, .status_fd = -1};
}

static void close_tasks(struct ag_hold_state *state)
{
	for (int i = 0; i < AG_HOLD_TASKS_MAX; i++)
		close_task(&state->tasks[i]);
	state->task = NULL;
}

/* Opens what /proc has of a thread; 0 or -errno. */
static int open_task(struct ag_hold_state *state, struct ag_task *task, uint32_t tid)
{
	char name[16];
	int failed = 0;

	close_task(task);
	snprintf(name, sizeof name, "%u", tid);
	task->dir_fd = openat(state->proc_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (task->dir_fd >= 0)
		task->status_fd = openat(task->dir_fd, "status", O_RDONLY | O_CLOEXEC);
	if (task->status_fd < 0) {
		failed = -errno;
		close_task(task);
		return failed;
	}
	task->tid = tid;
	task->serial = ++state->serial;
	return 0;
}

/* The place of a thread in the table: its own, or that which was used longest ago. */
static struct ag_task *find_task(struct ag_hold_state *state, uint32_t tid)
{
	struct ag_task *oldest = &state->tasks[0];

	for (int i = 0; i < AG_HOLD_TASKS_MAX; i++) {
		struct ag_task *each = &state->tasks[i];
		if (each->tid == tid)
			return each;
		if (each->used < oldest->used)
			oldest = each;
	}
	return oldest;
}

/* The last number of a line: what the innermost pid namespace says. */
static uint32_t last_number(const char *at)
{
	uint32_t number = 0;

	while (*at && *at != '\n') {
		char *end;
		number = (uint32_t)strtoul(at, &end, 10);
		at = end > at ? end : at + 1;
		at += strspn(at, " \t");
	}
	return number;
}

/* The number at `index` of a line with tabs between them. */
static uint32_t number_at(const char *at, int index)
{
	char *end = (char *)at;
	uint32_t number = 0;

	for (int i = 0; i <= index; i++)
		number = (uint32_t)strtoul(end, &end, 10);
	return number;
}

static int read_groups(struct ag_hold_call *call, const char *at)
{
	call->group_count = 0;
	while (*at && *at != '\n') {
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
		at += strspn(at, " \t");
	}
	return 0;
}

enum { AG_SAW_UMASK = 1, AG_SAW_TGID = 2, AG_SAW_PPID = 4, AG_SAW_UID = 8, AG_SAW_GID = 16, AG_SAW_GROUPS = 32 };
enum { AG_SAW_INNER = 64, AG_SAW_CAPS = 128, AG_SAW_ALL = 255 };

/* One line of the status; what it is, or -errno. */
static int read_line(struct ag_hold_call *call, const char *line)
{
	static const char *const names[] = {
		"Umask:", "Tgid:", "PPid:", "Uid:", "Gid:", "Groups:", "NStgid:", "NSpid:", "CapEff:"};
	const char *at = line;
	int which = 0;

	if (!strchr("UTPGNC", line[0])) /* most lines are none of them */
		return 0;
	while (which < 9 && strncmp(line, names[which], strlen(names[which])) != 0)
		which++;
	if (which == 9)
		return 0;
	at += strlen(names[which]);
	switch (which) {
	case 0:
		call->umask = (uint32_t)strtoul(at, NULL, 8);
		return AG_SAW_UMASK;
	case 1:
		call->tgid = number_at(at, 0);
		return AG_SAW_TGID;
	case 2:
		call->ppid = number_at(at, 0);
		return AG_SAW_PPID;
	case 3: /* real, effective, saved, of the file system */
		call->uid = number_at(at, 0);
		call->fsuid = number_at(at, 3);
		return AG_SAW_UID;
	case 4:
		call->fsgid = number_at(at, 3);
		return AG_SAW_GID;
	case 5:
		return read_groups(call, at) < 0 ? -E2BIG : AG_SAW_GROUPS;
	case 6:
		call->inner_tgid = last_number(at);
		return 0;
	case 7:
		call->inner_tid = last_number(at);
		return AG_SAW_INNER;
	default:
		call->caps = strtoull(at, NULL, 16);
		return AG_SAW_CAPS;
	}
}

/* Fills who calls, from /proc/TID/status (fs/proc/array.c). -ESRCH where that is nobody. */
static int read_status(const struct ag_task *task, struct ag_hold_call *call)
{
	static __thread char text[AG_STATUS_BYTES];
	ssize_t got = pread(task->status_fd, text, sizeof text - 1, 0);
	int seen = 0;

	if (got <= 0)
		return got < 0 ? -errno : -ESRCH;
	text[got] = 0;
	/* The name in the first line is the caller's to choose, but has no line breaks: they are shown as \n. */
	for (const char *line = strchr(text, '\n'); line && seen != AG_SAW_ALL; line = strchr(line, '\n')) {
		int found = read_line(call, ++line);
		if (found < 0)
			return found;
		seen |= found;
	}
	return seen == AG_SAW_ALL ? 0 : -EPROTO;
}

/* The caller of the call that was received last is this thread: its place in the table was used now. */
static void meet_task(struct ag_hold_state *state, struct ag_task *task)
{
	task->used = ++state->turns;
	state->hold.call.serial = task->serial;
	state->task = task;
}

/* Finds out who the thread of the call that was received last is. 0 or -errno. */
static int know_task(struct ag_hold_state *state)
{
	struct ag_hold_call *call = &state->hold.call;
	struct ag_task *task = find_task(state, call->tid);
	int known = task->tid == call->tid && task->status_fd >= 0;
	int failed = known ? read_status(task, call) : -ESRCH;

	if (failed == -ESRCH) { /* not there yet, or somebody else's who had the number before */
		failed = open_task(state, task, call->tid);
		if (!failed)
			failed = read_status(task, call);
	}
	if (failed) {
		close_task(task);
		return failed;
	}
	meet_task(state, task);
	return 0;
}

/* The same by one look at it; 1 where it was told. The names of its call may be looked at along with it. */
static int look_at_task(struct ag_hold_state *state)
{
	struct ag_hold_call *call = &state->hold.call;
	struct ag_looker *looker = state->looker;
	struct ag_task *task;

	looker->valid = look_at_caller(looker, call);
	if (!looker->valid)
		return 0;
	task = find_task(state, call->tid);
	if (task->tid != call->tid || task->start != looker->look->start) {
		close_task(task);
		task->tid = call->tid;
		task->start = looker->look->start;
		task->serial = ++state->serial;
	}
	meet_task(state, task);
	return 1;
}

/* True if a look at this thread tells what /proc does. */
static int tells_the_same(struct ag_hold_state *state)
{
	struct ag_hold_call *call = &state->hold.call;
	static __thread struct ag_hold_call told;
	int same;

	memset(call, 0, sizeof *call);
	call->tid = (uint32_t)syscall(SYS_gettid);
	same = know_task(state) == 0;
	told = *call;
	memset(call, 0, sizeof *call);
	call->tid = told.tid;
	memset(state->looker->look, 0, sizeof *state->looker->look);
	same = same && look_at_task(state);
	told.serial = call->serial;
	same = same && memcmp(&told, call, sizeof told) == 0;
	state->looker->valid = 0;
	close_tasks(state);
	memset(call, 0, sizeof *call);
	return same;
}

#endif
