/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Program starts, forks, exits, and who belongs to a session. */
#ifndef AGENTGUARD_PROCESS_H
#define AGENTGUARD_PROCESS_H

#include "file.h"
#include "grant.h"
#include "network.h"

/* Severity decides between several matches: deny over allow. */
static __always_inline void ag_apply_rule(struct ag_exec *r, const struct ag_exec_rule *rule)
{
	if (rule && rule->verdict > r->verdict) {
		r->verdict = rule->verdict;
		r->rule_index = rule->rule_index;
	}
}

struct ag_exec_keys {
	struct ag_exec_key exact;
	struct ag_tree_key tree;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ag_exec_keys);
} exec_keys SEC(".maps");

struct ag_slash {
	__u32 at;     /* where the name begins in the scratch record */
	__u32 behind; /* position behind its last slash */
};

static long ag_find_slash(__u32 index, void *context)
{
	struct ag_slash *w = context;
	__u32 kind = AG_SCRATCH_PROCESS, at = w->at + index;
	struct ag_scratch *s = bpf_map_lookup_elem(&scratch, &kind);

	if (!s || at >= sizeof(s->record))
		return 1;
	if (s->record[at] == '/')
		w->behind = index + 1;
	return 0;
}

/*
 * Looks one name of the program up: as a path, below trees, by base name. Returns the agent index, or -1. A path longer
 * than any key is no exact match, but its directories and its base name still count.
 */
__noinline int ag_match_program(struct ag_exec *r, __u32 at, __u32 bytes, __u32 slot, __u32 want_agent)
{
	struct ag_slash slash = {.at = at};
	__u32 zero = 0, head, length, *agent;
	struct ag_scratch *s;
	struct ag_exec_keys *k = bpf_map_lookup_elem(&exec_keys, &zero);
	__u32 kind = AG_SCRATCH_PROCESS;

	s = bpf_map_lookup_elem(&scratch, &kind);
	if (!r || !k || !s || !bytes || at >= AG_RECORD_DATA)
		return -1;
	head = bytes < AG_KEY_PATH_MAX ? bytes : AG_KEY_PATH_MAX - 1;
	AG_BARRIER(head);
	if (head >= AG_KEY_PATH_MAX)
		return -1;
	__builtin_memset(k, 0, sizeof(*k));
	bpf_probe_read_kernel(k->exact.path, head, s->record + at);
	bpf_probe_read_kernel(k->tree.path, head, s->record + at);
	k->exact.slot = slot;
	k->tree.slot = slot;
	k->tree.prefix_bits = 32 + head * 8;
	if (want_agent) {
		k->exact.slot = 0;
		agent = head == bytes ? bpf_map_lookup_elem(&agents, &k->exact) : 0;
		if (agent)
			return *agent;
	} else {
		if (head == bytes)
			ag_apply_rule(r, bpf_map_lookup_elem(&exec_rules, &k->exact));
		ag_apply_rule(r, bpf_map_lookup_elem(&exec_trees, &k->tree));
	}
	bpf_loop(bytes, ag_find_slash, &slash, 0);
	length = bytes - slash.behind;
	AG_BARRIER(length);
	if (!length || length >= AG_KEY_PATH_MAX)
		return -1;
	__builtin_memset(k->exact.path, 0, sizeof(k->exact.path));
	bpf_probe_read_kernel(k->exact.path, length, s->record + ((at + slash.behind) & 32767));
	k->exact.base_name = 1;
	if (want_agent) {
		agent = bpf_map_lookup_elem(&agents, &k->exact);
		return agent ? (int)*agent : -1;
	}
	ag_apply_rule(r, bpf_map_lookup_elem(&exec_rules, &k->exact));
	return -1;
}

static __always_inline __u32 ag_cgroup_name(struct ag_scratch *s, __u32 at, struct cgroup *cgroup)
{
	const char *name = BPF_CORE_READ(cgroup, kn, name);
	const char *up = BPF_CORE_READ(cgroup, self.parent, cgroup, kn, name);
	__u32 from = at;
	long n;

	if (at >= AG_RECORD_DATA)
		return 0;
	if (up) {
		n = bpf_probe_read_kernel_str(s->record + at, AG_CGROUP_NAME_MAX, up);
		if (n > 1 && n <= AG_CGROUP_NAME_MAX) {
			at += n - 1;
			AG_BARRIER(at);
			if (at >= AG_RECORD_DATA)
				return 0;
			s->record[at] = '/';
			at++;
		}
	}
	AG_BARRIER(at);
	if (at >= AG_RECORD_DATA)
		return 0;
	n = bpf_probe_read_kernel_str(s->record + at, AG_CGROUP_NAME_MAX, name);
	if (n > 1 && n <= AG_CGROUP_NAME_MAX)
		at += n - 1;
	return at - from;
}

/* The rest of argv, in records of its own. */
static __always_inline void ag_send_args(struct ag_scratch *s, __u32 scope, __u64 exec_id, unsigned long start,
					 __u32 total)
{
	struct ag_exec_args *r = (struct ag_exec_args *)s->record;
	int i;

#pragma unroll
	for (i = 0; i < AG_ARGS_CHUNKS_MAX; i++) {
		__u32 offset = AG_ARGS_INLINE_MAX + i * (AG_ARGS_CHUNK_MAX - 1024), bytes;

		if (offset >= total)
			break;
		bytes = total - offset;
		if (bytes > AG_ARGS_CHUNK_MAX - 1024)
			bytes = AG_ARGS_CHUNK_MAX - 1024;
		r->exec_id = exec_id;
		r->offset = offset;
		r->last = offset + bytes >= total || i == AG_ARGS_CHUNKS_MAX - 1;
		r->reserved = 0;
		r->bytes = bytes;
		if (bpf_probe_read_user(s->record + sizeof(*r), bytes, (void *)(start + offset))) {
			ag_count_loss(AG_OP_EXEC_ARGS, AG_LOSS_FAULT);
			r->bytes = 0;
			r->last = 1;
			bytes = 0;
		}
		ag_fill(&r->h, AG_OP_EXEC_ARGS, scope, sizeof(*r) + bytes, 0);
		ag_send_decision(r, sizeof(*r) + bytes, BPF_RB_NO_WAKEUP);
		if (r->last)
			break;
	}
}

static __always_inline __u32 ag_exec_facts(struct ag_exec *r, struct linux_binprm *bprm, __u64 exe, __u32 flags)
{
	const struct cred *cred = BPF_CORE_READ(bpf_get_current_task_btf(), cred);
	__u64 inode, sb, dentry;
	__u32 facts = 0, links;
	char name[8] = {};

	AG_READ(inode, exe, struct file, f_inode);
	AG_READ(r->ino, inode, struct inode, i_ino);
	AG_READ(sb, inode, struct inode, i_sb);
	AG_READ(r->dev, sb, struct super_block, s_dev);
	AG_READ(links, inode, struct inode, i_nlink);
	AG_READ(dentry, exe, struct file, f_path.dentry);
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ((struct dentry *)dentry, d_name.name));
	if (links == 0 || (flags & AG_FLAG_UNHASHED))
		facts |= AG_EXEC_DELETED;
	if (name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' && name[4] == 'd' && name[5] == ':' &&
	    links == 0)
		facts |= AG_EXEC_MEMFD;
	r->uid = BPF_CORE_READ(cred, uid.val);
	if (BPF_CORE_READ(cred, euid.val) != r->uid)
		facts |= AG_EXEC_SETUID;
	if (BPF_CORE_READ(bprm, interp) != BPF_CORE_READ(bprm, filename))
		facts |= AG_EXEC_SCRIPT;
	return facts;
}

static __always_inline struct ag_scope *ag_find_agent(struct ag_exec *r, struct task_struct *task, struct ag_control *c)
{
	struct ag_scope fresh = {};
	__u32 zero = 0, *next;
	int agent;

	agent = ag_match_program(r, sizeof(*r), r->path_bytes, 0, 1);
	if (agent < 0)
		agent = ag_match_program(r, sizeof(*r) + r->path_bytes + r->cwd_bytes, r->requested_bytes, 0, 1);
	if (agent < 0)
		return 0;
	r->agent_index = agent;
	next = bpf_map_lookup_elem(&next_scope, &zero);
	if (!next)
		return 0;
	fresh.scope = __sync_fetch_and_add(next, 1);
	fresh.start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	return bpf_task_storage_get(&scopes, task, &fresh, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(ag_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct ag_scope *scope;
	struct ag_control *c;
	struct ag_scratch *s;
	struct ag_exec *r;
	struct ag_exec_policy *p;
	struct cgroup *cgroup;
	unsigned long start, end;
	__u32 at = sizeof(*r), flags = 0, total, inline_bytes, slot;
	__u64 exe;

	if (bpf_get_current_pid_tgid() >> 32 == ag_self)
		return 0;
	c = ag_get_control();
	if (!c)
		return 0;
	scope = bpf_task_storage_get(&scopes, task, 0, 0);
	if (!scope && !c->agents)
		return 0;
	s = ag_get_scratch(AG_SCRATCH_PROCESS, AG_OP_EXEC);
	if (!s)
		return 0;
	r = (struct ag_exec *)s->record;
	exe = (__u64)BPF_CORE_READ(bprm, file);
	r->path_bytes = ag_put_file_path(s, at, exe, &flags);
	at += r->path_bytes & (AG_PATH_MAX - 1);
	{
		__u32 cwd_flags = 0;

		r->cwd_bytes = ag_put_base(s, at, AG_AT_FDCWD, &cwd_flags);
		at += r->cwd_bytes & (AG_PATH_MAX - 1);
	}
	r->requested_bytes = ag_put_kernel(s, &at, BPF_CORE_READ(bprm, filename));
	r->agent_index = -1;
	if (!scope) {
		scope = ag_find_agent(r, task, c);
		if (!scope)
			return 0;
		flags |= AG_FLAG_AGENT_START;
	}
	cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	r->cgroup_id = BPF_CORE_READ(cgroup, kn, id);
	if (at >= AG_RECORD_DATA - AG_ARGS_INLINE_MAX - 512) {
		ag_count_loss(AG_OP_EXEC, AG_LOSS_DEPTH); /* for the verifier: three paths are shorter */
		return 0;
	}
	r->cgroup_bytes = ag_cgroup_name(s, at, cgroup);
	at += r->cgroup_bytes & 511;
	r->ppid = ag_tgid_of(BPF_CORE_READ(task, real_parent));
	r->parent_start_ns = BPF_CORE_READ(task, real_parent, group_leader, start_boottime);
	r->exec_flags = ag_exec_facts(r, bprm, exe, flags);
	r->exec_id = bpf_ktime_get_boot_ns();
	r->verdict = AG_VERDICT_NONE;
	r->rule_index = -1;
	r->generation = 0;
	start = BPF_CORE_READ(task, mm, arg_start);
	end = BPF_CORE_READ(task, mm, arg_end);
	ag_take_grant(r, ag_grant_key(task, old_pid), scope->held & AG_HELD_EXEC, start, end);

	slot = c->slot & 1;
	p = bpf_map_lookup_elem(&exec_policy, &slot);
	if (r->grant > AG_GRANT_SAME) {
		/* Before the first instruction of the new program: the signal is taken on the way to user mode. */
		r->verdict = bpf_send_signal(AG_SIGKILL) ? AG_VERDICT_DENY_FAILED : AG_VERDICT_DENY;
		r->generation = p ? p->generation : 0;
	} else if (p && (p->rules || p->deny_by_default) && !(r->grant_flags & AG_GRANT_APPROVED)) {
		ag_match_program(r, sizeof(*r), r->path_bytes, slot, 0);
		ag_match_program(r, sizeof(*r) + r->path_bytes + r->cwd_bytes, r->requested_bytes, slot, 0);
		if (r->verdict == AG_VERDICT_NONE && p->deny_by_default)
			r->verdict = AG_VERDICT_DENY;
		if (r->verdict == AG_VERDICT_NONE)
			r->verdict = AG_VERDICT_ALLOW;
		r->generation = p->generation;
		if (r->verdict == AG_VERDICT_DENY && bpf_send_signal(AG_SIGKILL))
			r->verdict = AG_VERDICT_DENY_FAILED;
	}

	r->argv_bytes_total = end - start;
	total = end - start;
	if (total > AG_ARGS_MAX - 1) {
		total = AG_ARGS_MAX - 1;
		flags |= AG_FLAG_ARGS_TRUNCATED;
	}
	inline_bytes = total;
	if (inline_bytes > AG_ARGS_INLINE_MAX) {
		inline_bytes = AG_ARGS_INLINE_MAX;
		flags |= AG_FLAG_ARGS_MORE;
	}
	r->argv_bytes = inline_bytes;
	if (at >= AG_RECORD_DATA - AG_ARGS_INLINE_MAX)
		return 0;
	if (inline_bytes && bpf_probe_read_user(s->record + at, inline_bytes, (void *)start)) {
		ag_count_loss(AG_OP_EXEC_ARGS, AG_LOSS_FAULT);
		r->argv_bytes = 0;
		inline_bytes = 0;
		flags = (flags & ~AG_FLAG_ARGS_MORE) | AG_FLAG_ARGS_TRUNCATED;
	}
	at += inline_bytes;
	if (at > AG_RECORD_DATA)
		return 0;
	ag_fill(&r->h, AG_OP_EXEC, scope->scope, at, flags);
	{
		__u64 exec_id = r->exec_id;
		__u64 wake = flags & AG_FLAG_ARGS_MORE ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP;

		ag_send_decision(r, at, wake);
		if (flags & AG_FLAG_ARGS_MORE)
			ag_send_args(s, scope->scope, exec_id, start, total);
		ag_sweep_bytes(scope->scope, 0, AG_FDS_MAX, 1);
	}
	return 0;
}

/* True if `cgroup` is `wanted` or below it. */
static __always_inline bool ag_is_within(struct cgroup *cgroup, __u64 wanted)
{
	int i;

	for (i = 0; i < 16; i++) {
		if (!cgroup)
			return false;
		if (BPF_CORE_READ(cgroup, kn, id) == wanted)
			return true;
		cgroup = BPF_CORE_READ(cgroup, self.parent, cgroup);
	}
	return false;
}

/* clone3(CLONE_INTO_CGROUP) lets a child begin outside of its session's leaf. */
static __always_inline void ag_check_birthplace(struct task_struct *child, const struct ag_scope *scope)
{
	struct cgroup *cgroup = BPF_CORE_READ(child, cgroups, dfl_cgrp);
	struct ag_scope_change *r;
	struct ag_scratch *s;
	__u32 bytes;

	if (ag_is_within(cgroup, scope->cgroup_id))
		return;
	s = ag_get_scratch(AG_SCRATCH_PROCESS, AG_OP_SCOPE);
	if (!s)
		return;
	r = (struct ag_scope_change *)s->record;
	bytes = ag_cgroup_name(s, sizeof(*r), cgroup) & 511;
	r->cgroup_id = BPF_CORE_READ(cgroup, kn, id);
	r->kind = AG_SCOPE_LEFT_CGROUP;
	r->path_bytes = bytes;
	ag_fill(&r->h, AG_OP_SCOPE, scope->scope, sizeof(*r) + bytes, 0);
	r->h.pid = ag_tgid_of(child);
	r->h.tid = ag_tid_of(child);
	r->h.start_ns = child->start_boottime;
	ag_send_decision(r, sizeof(*r) + bytes, BPF_RB_FORCE_WAKEUP);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(ag_fork, struct task_struct *parent, struct task_struct *child)
{
	struct ag_scope *scope, copy = {};
	struct ag_fork r = {};

	if (bpf_get_current_pid_tgid() >> 32 == ag_self)
		return 0;
	scope = bpf_task_storage_get(&scopes, parent, 0, 0);
	if (!scope)
		return 0;
	copy.cgroup_id = scope->cgroup_id;
	copy.scope = scope->scope;
	copy.held = scope->held;
	copy.start_ns = child->group_leader->start_boottime;
	if (!bpf_task_storage_get(&scopes, child, &copy, BPF_LOCAL_STORAGE_GET_F_CREATE))
		ag_count_loss(AG_OP_FORK, AG_LOSS_MAP_FULL);
	if (child->pid != child->tgid)
		return 0; /* a thread */
	if (copy.cgroup_id)
		ag_check_birthplace(child, &copy);
	r.child_pid = ag_tgid_of(child);
	r.child_start_ns = child->start_boottime;
	r.uid = bpf_get_current_uid_gid();
	ag_fill(&r.h, AG_OP_FORK, copy.scope, sizeof(r), 0);
	ag_send_decision(&r, sizeof(r), BPF_RB_NO_WAKEUP);
	return 0;
}

/* In ag_scope.reported, above the bits of ag_coverage_kind. */
#define AG_REPORTED_EXIT (1u << 31)

SEC("tp_btf/sched_process_exit")
int BPF_PROG(ag_exit, struct task_struct *task)
{
	struct ag_scope *scope, *leader;
	struct ag_exit r = {};
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	if (pid == ag_self)
		return 0;
	scope = bpf_task_storage_get(&scopes, task, 0, 0);
	if (!scope)
		return 0;
	ag_finish_net(scope->scope, 0, 0); /* killed inside the call */
	if (scope->held)
		ag_drop_grant(task);
	if (BPF_CORE_READ(task, signal, live.counter) != 0)
		return 0;
	/* Threads that end at the same time may all see 0: the first one reports. */
	leader = bpf_task_storage_get(&scopes, task->group_leader, 0, 0);
	if (leader && __sync_fetch_and_or(&leader->reported, AG_REPORTED_EXIT) & AG_REPORTED_EXIT)
		return 0;
	ag_sweep_bytes(scope->scope, 0, AG_FDS_MAX, 0);
	bpf_map_delete_elem(&file_bytes_top, &pid);
	r.wait_status = BPF_CORE_READ(task, signal, flags) & AG_SIGNAL_GROUP_EXIT ?
				BPF_CORE_READ(task, signal, group_exit_code) :
				BPF_CORE_READ(task, group_leader, exit_code);
	ag_fill(&r.h, AG_OP_EXIT, scope->scope, sizeof(r), 0);
	ag_send_decision(&r, sizeof(r), BPF_RB_NO_WAKEUP);
	return 0;
}

/* The scope whose leaf `cgroup` is or lies below, or 0; `*id` is that leaf. */
static __always_inline __u32 *ag_scope_of_cgroup(struct cgroup *cgroup, __u64 *id)
{
	__u32 *known;
	int i;

	for (i = 0; i < 16; i++) {
		if (!cgroup)
			return 0;
		*id = BPF_CORE_READ(cgroup, kn, id);
		known = bpf_map_lookup_elem(&cgroups, id);
		if (known)
			return known;
		cgroup = BPF_CORE_READ(cgroup, self.parent, cgroup);
	}
	return 0;
}

/* A move between cgroups: a member of the tree that leaves its leaf, or a stranger who enters one. */
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(ag_cgroup_attach, struct cgroup *destination, const char *path, struct task_struct *task)
{
	__u64 id = BPF_CORE_READ(destination, kn, id), leaf = 0;
	struct ag_scope *scope, fresh = {};
	struct ag_scope_change *r;
	struct ag_scratch *s;
	__u32 *known, kind = 0, bytes;
	long n;

	if (BPF_CORE_READ(destination, root, hierarchy_id) != 0)
		return 0; /* a version 1 hierarchy: nothing of ours hangs on it */
	scope = bpf_task_storage_get(&scopes, task, 0, 0);
	known = scope ? 0 : ag_scope_of_cgroup(destination, &leaf);
	if (scope && scope->cgroup_id && !ag_is_within(destination, scope->cgroup_id)) {
		kind = AG_SCOPE_LEFT_CGROUP;
		fresh.scope = scope->scope;
	} else if (known) {
		kind = AG_SCOPE_ENTERED_CGROUP;
		fresh.scope = *known;
		fresh.cgroup_id = leaf;
		fresh.start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
		if (!bpf_task_storage_get(&scopes, task, &fresh, BPF_LOCAL_STORAGE_GET_F_CREATE))
			ag_count_loss(AG_OP_SCOPE, AG_LOSS_MAP_FULL);
	}
	if (!kind)
		return 0;
	s = ag_get_scratch(AG_SCRATCH_PROCESS, AG_OP_SCOPE);
	if (!s)
		return 0;
	r = (struct ag_scope_change *)s->record;
	n = bpf_probe_read_kernel_str(s->record + sizeof(*r), 1024, path);
	bytes = n > 0 ? (n - 1) & 1023 : 0;
	r->cgroup_id = id;
	r->kind = kind;
	r->path_bytes = bytes;
	ag_fill(&r->h, AG_OP_SCOPE, fresh.scope, sizeof(*r) + bytes, 0);
	/* Who moves and who is moved may differ: the record is about the one that is moved. */
	r->h.pid = ag_tgid_of(task);
	r->h.tid = ag_tid_of(task);
	r->h.start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	ag_send_decision(r, sizeof(*r) + bytes, BPF_RB_FORCE_WAKEUP);
	return 0;
}

#endif
