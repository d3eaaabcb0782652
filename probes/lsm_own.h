/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The guard's own files and processes, cgroups: what no rule needs to name. Refused and recorded as an assault. */
#ifndef AGENTGUARD_LSM_OWN_H
#define AGENTGUARD_LSM_OWN_H

#include "lsm_turn.h"

struct ag_assault {
	__u64 mnt, dentry; /* the file that was meant, 0 for none */
	__u32 action, detail, target;
	__u32 silent; /* of a mere question nothing is recorded */
};

/* Objects of the guard's own: `enum ag_own_kind` by device and inode, in slot 0. */
AG_LSM_MAP(own_objects, BPF_MAP_TYPE_HASH, AG_OWN_MAX, struct ag_object_key, __u32, 0);

/* How far below one of the guard's directories its files are. */
#define AG_OWN_DEPTH 3

static __always_inline void ag_report_assault(struct ag_turn *t, const struct ag_assault *assault, __u32 path_bytes)
{
	struct ag_refused *r = (struct ag_refused *)t->s->record;

	r->ino = 0;
	r->dev = 0;
	r->detail = assault->detail;
	r->target = assault->target;
	r->path_bytes = path_bytes;
	r->new_path_bytes = 0;
	ag_report_refusal(t, assault->action, sizeof(*r) + path_bytes);
}

/* Records what was refused on a process. */
__noinline int ag_refuse_assault(struct ag_assault *assault)
{
	struct ag_turn t = {.rule_index = -1};

	if (!assault)
		return 0;
	t.scope = ag_scope_of();
	if (!t.scope || assault->silent || !ag_begin_turn(&t))
		return 0;
	ag_report_assault(&t, assault, 0);
	ag_end_turn();
	return 0;
}

/* The same on a file, with its path. By itself, because whoever calls it has the climb verified once more. */
__noinline int ag_refuse_file(struct ag_assault *assault)
{
	struct ag_turn t = {.rule_index = -1};
	__u32 bytes;

	if (!assault)
		return 0;
	t.scope = ag_scope_of();
	if (!t.scope || !ag_begin_turn(&t))
		return 0;
	t.l->dentry = assault->dentry;
	t.l->mnt = assault->mnt;
	bytes = ag_climb_path(t.level, sizeof(struct ag_refused), t.slot) & (AG_PATH_MAX - 1);
	ag_report_assault(&t, assault, bytes);
	ag_end_turn();
	return 0;
}

/* The guard, and what it started that is in no session: the launcher, which ends the tree when the guard dies. */
static __always_inline bool ag_is_guards(struct task_struct *task)
{
	struct ag_scope *scope;

	if (task->tgid == ag_self)
		return true;
	if (BPF_CORE_READ(task, real_parent, tgid) != ag_self)
		return false;
	scope = bpf_task_storage_get(&scopes, task, 0, 0);
	return !scope;
}

/* True if a guarded process may not do that: the object is the guard's own, or lies in a directory of it. */
__noinline int ag_is_own(__u64 dentry, __u32 action)
{
	int i;

	for (i = 0; i < AG_OWN_DEPTH; i++) {
		struct ag_object_key key = {};
		__u32 *kind = 0;
		__u64 parent;

		if (ag_object_key_of(&key, dentry, 0))
			kind = bpf_map_lookup_elem(&own_objects, &key);
		if (kind && (*kind == AG_OWN_CLOSED || (i == 0 && action != AG_FILE_READ)))
			return 1;
		AG_READ(parent, dentry, struct dentry, d_parent);
		if (parent == dentry)
			return 0;
		dentry = parent;
	}
	return 0;
}

/* A file below /proc/PID of the guard, or of a child of its own that is in no session. */
static __always_inline bool ag_is_guards_entry(__u64 inode)
{
	__u64 entry = inode - bpf_core_field_offset(struct proc_inode, vfs_inode), pid, link, task, parent;
	__u32 tgid;

	AG_READ(pid, entry, struct proc_inode, pid);
	if (!pid)
		return false;
	link = (__u64)BPF_CORE_READ((struct pid *)pid, tasks[0].first);
	if (!link)
		return false;
	task = link - bpf_core_field_offset(struct task_struct, pid_links);
	AG_READ(tgid, task, struct task_struct, tgid);
	if (tgid == ag_self)
		return true;
	AG_READ(parent, task, struct task_struct, real_parent);
	AG_READ(parent, parent, struct task_struct, tgid);
	return parent == ag_self && tgid != bpf_get_current_pid_tgid() >> 32;
}

/* Nobody leaves, freezes or ends a session by writing to cgroups, where the policy is not only to observe. */
static __always_inline bool ag_keeps_cgroups(void)
{
	struct ag_control *c = ag_get_control();

	return c && c->keeps_cgroups;
}

/* Opened for writing: cgroups, which sessions are held together by, and the guard's entries in /proc. */
static __always_inline __u32 ag_guarded_control(struct file *file)
{
	__u64 inode = (__u64)file->f_inode, sb, magic;

	AG_READ(sb, inode, struct inode, i_sb);
	AG_READ(magic, sb, struct super_block, s_magic);
	if (magic == AG_CGROUP2_MAGIC || magic == AG_CGROUP1_MAGIC)
		return ag_keeps_cgroups() ? AG_FILE_CGROUP : 0;
	return magic == AG_PROC_MAGIC && ag_is_guards_entry(inode) ? AG_FILE_OWN : 0;
}

#endif
