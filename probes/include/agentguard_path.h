/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Paths as the kernel holds them. bpf_d_path is not allowed in these program types, so the dentries are walked:
 * up to the mount's root, over to the mount point, until the task's root.
 */
#ifndef AGENTGUARD_PATH_H
#define AGENTGUARD_PATH_H

#include "agentguard_emit.h"

/* walk_state: how the walk ended. */
enum { AG_WALK_RUNNING = 0, AG_WALK_ROOT = 1, AG_WALK_UNREACHABLE = 2, AG_WALK_CUT = 3 };

struct ag_walk {
	__u64 dentry, mnt, mnt_root;
	__u64 root_dentry, root_mnt;
	struct ag_scratch *s;
};

static __always_inline long ag_walk_name(struct ag_walk *w, __u32 length, const void *name)
{
	volatile __u32 *offset = &w->s->walk_offset;
	__u32 at = *offset;

	length &= 255;
	if (at < length + 1) {
		w->s->walk_state = AG_WALK_CUT;
		return 1;
	}
	at -= length + 1;
	*offset = at;
	asm volatile("%0 &= 4095" : "+r"(at));
	w->s->walk[at] = '/';
	bpf_probe_read_kernel(w->s->walk + at + 1, length, name);
	return 0;
}

static long ag_walk_step_cast(__u32 index, void *context)
{
	struct ag_walk *w = context;
	struct dentry *d;
	__u64 parent;

	if (w->dentry == w->root_dentry && w->mnt == w->root_mnt) {
		w->s->walk_state = AG_WALK_ROOT;
		return 1;
	}
	d = AG_CAST(w->dentry, struct dentry);
	parent = (__u64)d->d_parent;
	if (w->dentry == w->mnt_root || w->dentry == parent) {
		struct mount *m = AG_CAST(w->mnt - bpf_core_field_offset(struct mount, mnt), struct mount);
		struct mount *up = m->mnt_parent;

		if ((__u64)up == (__u64)m) {
			w->s->walk_state = AG_WALK_UNREACHABLE;
			return 1;
		}
		w->dentry = (__u64)m->mnt_mountpoint;
		w->mnt = (__u64)&up->mnt;
		w->mnt_root = (__u64)up->mnt.mnt_root;
		return 0;
	}
	if (ag_walk_name(w, d->d_name.len, d->d_name.name))
		return 1;
	w->dentry = parent;
	return 0;
}

static long ag_walk_step_read(__u32 index, void *context)
{
	struct ag_walk *w = context;
	struct dentry *d = (struct dentry *)w->dentry;
	__u64 parent;

	if (w->dentry == w->root_dentry && w->mnt == w->root_mnt) {
		w->s->walk_state = AG_WALK_ROOT;
		return 1;
	}
	parent = (__u64)BPF_CORE_READ(d, d_parent);
	if (w->dentry == w->mnt_root || w->dentry == parent) {
		struct mount *m = (struct mount *)(w->mnt - bpf_core_field_offset(struct mount, mnt));
		struct mount *up = BPF_CORE_READ(m, mnt_parent);

		if (up == m) {
			w->s->walk_state = AG_WALK_UNREACHABLE;
			return 1;
		}
		w->dentry = (__u64)BPF_CORE_READ(m, mnt_mountpoint);
		w->mnt = (__u64)up + bpf_core_field_offset(struct mount, mnt);
		w->mnt_root = (__u64)BPF_CORE_READ(up, mnt.mnt_root);
		return 0;
	}
	if (ag_walk_name(w, BPF_CORE_READ(d, d_name.len), BPF_CORE_READ(d, d_name.name)))
		return 1;
	w->dentry = parent;
	return 0;
}

/*
 * Appends the absolute path of (walk_dentry, walk_mnt) to the record and returns its length; 0 where the object has no
 * path (a pipe, a socket). Sets AG_FLAG_PATH_TRUNCATED and AG_FLAG_UNHASHED in *flags.
 */
__noinline __u32 ag_walk_path(struct ag_scratch *s, __u32 at, __u32 *flags)
{
	struct ag_walk w = {.s = s};
	struct dentry *dentry;
	__u32 from, length;
	__u64 mnt, first;
	long n;

	if (!s || !flags || at >= AG_RECORD_DATA)
		return 0;
	mnt = s->walk_mnt;
	first = s->walk_dentry;
	w.dentry = first;
	w.mnt = mnt;
	if (!w.dentry || !mnt)
		return 0;
	AG_TASK_READ(w.root_dentry, fs->root.dentry, fs, root.dentry);
	AG_TASK_READ(w.root_mnt, fs->root.mnt, fs, root.mnt);
	AG_READ(w.mnt_root, mnt, struct vfsmount, mnt_root);
	s->walk_offset = AG_PATH_MAX - 1;
	s->walk_state = AG_WALK_RUNNING;
	if (ag_has_cast)
		bpf_loop(AG_PATH_DEPTH_MAX, ag_walk_step_cast, &w, 0);
	else
		bpf_loop(AG_PATH_DEPTH_MAX, ag_walk_step_read, &w, 0);
	if (s->walk_state == AG_WALK_RUNNING || s->walk_state == AG_WALK_CUT)
		*flags |= AG_FLAG_PATH_TRUNCATED;
	from = s->walk_offset;
	if (from == AG_PATH_MAX - 1) {
		const unsigned char *name;

		s->record[at] = '/';
		if (s->walk_state == AG_WALK_ROOT)
			return 1;
		/* A file without a directory, such as a memfd: its own name is all there is. Pipes have none. */
		dentry = (struct dentry *)first;
		name = BPF_CORE_READ(dentry, d_name.name);
		n = bpf_probe_read_kernel_str(s->record + at + 1, AG_NAME_MAX, name);
		return n > 1 && n <= AG_NAME_MAX ? n : 0;
	}
	length = AG_PATH_MAX - 1 - from;
	length &= AG_PATH_MAX - 1;
	from &= AG_PATH_MAX - 1;
	bpf_probe_read_kernel(s->record + at, length, s->walk + from);
	return length;
}

/* As ag_walk_path. A function that is verified by itself takes no kernel pointers, so they go through memory. */
static __always_inline __u32 ag_put_path(struct ag_scratch *s, __u32 at, __u64 dentry, __u64 mnt, __u32 *flags)
{
	s->walk_dentry = dentry;
	s->walk_mnt = mnt;
	return ag_walk_path(s, at, flags) & (AG_PATH_MAX - 1);
}

static __always_inline bool ag_is_unhashed(__u64 dentry)
{
	__u64 pprev;

	AG_READ(pprev, dentry, struct dentry, d_hash.pprev);
	return pprev == 0;
}

/* The file behind a descriptor of the current task, or 0. */
static __always_inline __u64 ag_file_of(__u64 fd)
{
	__u64 table, slots, file = 0;
	__u32 max;

	AG_TASK_READ(table, files->fdt, files, fdt);
	if (!table)
		return 0;
	AG_READ(max, table, struct fdtable, max_fds);
	AG_READ(slots, table, struct fdtable, fd);
	if (fd >= max || !slots)
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), (void *)(slots + fd * sizeof(file)));
	return file;
}

static __always_inline __u32 ag_put_file_path(struct ag_scratch *s, __u32 at, __u64 file, __u32 *flags)
{
	__u64 dentry, mnt;

	if (!file)
		return 0;
	AG_READ(dentry, file, struct file, f_path.dentry);
	AG_READ(mnt, file, struct file, f_path.mnt);
	if (dentry && ag_is_unhashed(dentry))
		*flags |= AG_FLAG_UNHASHED;
	return ag_put_path(s, at, dentry, mnt, flags);
}

/* The directory that a relative name begins from: the working directory or an open one. */
static __always_inline __u32 ag_put_base(struct ag_scratch *s, __u32 at, int dirfd, __u32 *flags)
{
	if (dirfd == AG_AT_FDCWD) {
		__u64 dentry, mnt;

		AG_TASK_READ(dentry, fs->pwd.dentry, fs, pwd.dentry);
		AG_TASK_READ(mnt, fs->pwd.mnt, fs, pwd.mnt);
		return ag_put_path(s, at, dentry, mnt, flags);
	}
	if (dirfd < 0)
		return 0;
	return ag_put_file_path(s, at, ag_file_of(dirfd), flags);
}

/*
 * Appends base and requested name. An absolute name needs no base. Returns the bytes of the base through
 * `base_bytes`, of the name through `name_bytes`, and moves *at behind both.
 */
static __always_inline void ag_put_name(struct ag_scratch *s, __u32 *at, int dirfd, const void *user, __u16 *base_bytes,
					__u16 *name_bytes, __u32 *flags)
{
	__u32 length = 0;
	char first = 0;

	if (bpf_probe_read_user(&first, 1, user))
		*flags |= AG_FLAG_REQUESTED_FAULT;
	if (first != '/')
		length = ag_put_base(s, *at, dirfd, flags);
	*base_bytes = length;
	*at += length & (AG_PATH_MAX - 1);
	*name_bytes = ag_put_user(s, at, user);
}

#endif
