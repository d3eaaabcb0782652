/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One look at a caller by a program of the probes (probes/look.h): who it is, where its names begin, and the names, in
 * one system call instead of five. Where the kernel takes no such program, /proc tells (hold_task.h).
 */
#ifndef AG_HOLD_LOOK_H
#define AG_HOLD_LOOK_H

#include "../../probes/include/agentguard_look.h"
#include "hold_caller.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <sys/mman.h>

/* A directory that names began from, and where it is; open, so that no other one can be in its place. */
struct ag_base {
	int fd;
	struct ag_look_at at;
};

/* Private to this header: what the program and this thread share, and what was found out by it. */
struct ag_looker {
	int program;
	struct ag_look *look; /* shared with the kernel; null: there is no program */
	int valid;            /* it tells of the call that was received last */
	struct ag_base bases[AG_HOLD_BASES_MAX];
	unsigned next;
	struct ag_look_at root; /* where the view of the state is */
};

static int run_look(const struct ag_looker *looker)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.test.prog_fd = (uint32_t)looker->program;
	return syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof attr) == 0 ? 0 : -errno;
}

/* Looks at the caller; 1 where it was told. What is asked for beside its number stands in the memory already. */
static int look_at_caller(struct ag_looker *looker, struct ag_hold_call *call)
{
	struct ag_look *look = looker->look;

	look->tid = call->tid;
	look->own = -1;
	if (run_look(looker) != 0 || !look->found)
		return 0;
	call->tgid = look->tgid;
	call->ppid = look->ppid;
	call->uid = look->uid;
	call->fsuid = look->fsuid;
	call->fsgid = look->fsgid;
	call->umask = look->umask;
	call->caps = look->caps;
	call->inner_tid = look->inner_tid;
	call->inner_tgid = look->inner_tgid;
	call->group_count = look->group_count;
	if (look->group_count > AG_LOOK_GROUPS)
		return 0;
	memcpy(call->groups, look->groups, look->group_count * sizeof look->groups[0]);
	return 1;
}

/* Where a descriptor of this process is; nowhere if that cannot be told. What was looked at before stays. */
static struct ag_look_at look_at_own(const struct ag_looker *looker, int fd)
{
	struct ag_look *look = looker->look;

	look->tid = 0; /* nobody's */
	look->own = fd;
	return run_look(looker) == 0 ? look->own_at : (struct ag_look_at){0};
}

static int same_at(const struct ag_look_at *a, const struct ag_look_at *b)
{
	return a->mount && a->mount == b->mount && a->dentry == b->dentry;
}

/* Copies a name that was looked at; its length, or -1 where it has to be read. */
static long looked_name(const struct ag_hold_state *state, uint64_t from, char *to)
{
	const struct ag_looker *looker = state->looker;

	for (int i = 0; looker && looker->valid && i < AG_LOOK_NAMES; i++) {
		const struct ag_look *look = looker->look;
		const char *end;
		if (look->name[i] != from || !look->bytes[i] || look->bytes[i] > AG_LOOK_NAME_BYTES)
			continue;
		end = memchr(look->text[i], 0, look->bytes[i]);
		if (!end)
			continue;
		memcpy(to, look->text[i], (size_t)(end - look->text[i]) + 1);
		return end - look->text[i];
	}
	return -1;
}

/* Where the directory is that names of the call begin from if they are relative to `dirfd`; null: nobody looked. */
static const struct ag_look_at *looked_base(const struct ag_hold_state *state, int dirfd)
{
	const struct ag_looker *looker = state->looker;

	for (int i = 0; looker && looker->valid && i < AG_LOOK_NAMES; i++)
		if (looker->look->base[i] == dirfd && looker->look->base_at[i].mount)
			return &looker->look->base_at[i];
	return NULL;
}

/* The descriptor on a directory that is kept, or -1. */
static int kept_base(const struct ag_looker *looker, const struct ag_look_at *at)
{
	for (int i = 0; i < AG_HOLD_BASES_MAX; i++)
		if (same_at(&looker->bases[i].at, at))
			return looker->bases[i].fd;
	return -1;
}

/* Keeps a descriptor if it is on what was looked at; false where it stays its owner's. */
static int keep_base(struct ag_looker *looker, const struct ag_look_at *at, int fd)
{
	const struct ag_look_at wanted = *at, own = look_at_own(looker, fd);
	struct ag_base *base = &looker->bases[looker->next++ % AG_HOLD_BASES_MAX];

	if (!same_at(&wanted, &own))
		return 0;
	if (base->at.mount)
		close(base->fd);
	*base = (struct ag_base){fd, own};
	return 1;
}

/* Keeps no directory any more: whoever wants to unmount it can. True if there was one. */
static int forget_bases(struct ag_looker *looker)
{
	int kept = 0;

	for (int i = 0; looker && i < AG_HOLD_BASES_MAX; i++) {
		if (!looker->bases[i].at.mount)
			continue;
		close(looker->bases[i].fd);
		looker->bases[i] = (struct ag_base){0};
		kept = 1;
	}
	return kept;
}

static int keeps_bases(const struct ag_looker *looker)
{
	for (int i = 0; looker && i < AG_HOLD_BASES_MAX; i++)
		if (looker->bases[i].at.mount)
			return 1;
	return 0;
}

/* True in the initial user namespace, as its maps show: the kernel's numbers are those of this process. */
static int has_kernel_numbers(const char *path)
{
	unsigned inside, outside, count;
	FILE *file = fopen(path, "re");
	int whole = file && fscanf(file, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 && outside == 0 &&
		    count == UINT32_MAX;

	if (file)
		fclose(file);
	return whole;
}

static void close_looker(struct ag_looker *looker)
{
	if (!looker)
		return;
	forget_bases(looker);
	munmap(looker->look, sizeof *looker->look);
	free(looker);
}

/* Null with errno. `program` and `map` stay their owner's; the program must stay open. */
static struct ag_looker *open_looker(int program, int map)
{
	struct ag_looker *looker;
	void *memory;

	if (!has_kernel_numbers("/proc/self/uid_map") || !has_kernel_numbers("/proc/self/gid_map")) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	memory = mmap(NULL, sizeof *looker->look, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	if (memory == MAP_FAILED)
		return NULL;
	looker = calloc(1, sizeof *looker);
	if (!looker) {
		munmap(memory, sizeof *looker->look);
		return NULL;
	}
	looker->look = memory;
	looker->program = program;
	return looker;
}

#endif
