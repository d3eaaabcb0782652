/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Forks, exits, and who belongs to a session. */
#ifndef AGENTGUARD_PROCESS_H
#define AGENTGUARD_PROCESS_H

#include "exec.h"

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
	ag_forget_script();
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
