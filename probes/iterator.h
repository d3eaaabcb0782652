/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Lists the processes that run already, and takes those named in `adopt` into a scope, threads included. */
#ifndef AGENTGUARD_ITERATOR_H
#define AGENTGUARD_ITERATOR_H

#include "agentguard_maps.h"
#include "agentguard_number.h"

SEC("iter/task")
int ag_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct ag_scope *scope, *wanted;
	struct ag_task r = {};
	__u32 pid;

	if (!task)
		return 0;
	if (task->tgid == ag_self || !task->mm)
		return 0; /* kernel threads have no memory */
	pid = ag_tgid_of(task);
	if (!pid)
		return 0;
	wanted = bpf_map_lookup_elem(&adopt, &pid);
	scope = bpf_task_storage_get(&scopes, task, wanted, wanted ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
	if (scope && wanted) {
		scope->scope = wanted->scope;
		scope->cgroup_id = wanted->cgroup_id;
		scope->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	}
	if (task->pid != task->tgid)
		return 0;
	r.pid = pid;
	r.start_ns = task->start_boottime;
	r.ppid = ag_tgid_of(BPF_CORE_READ(task, real_parent));
	r.parent_start_ns = BPF_CORE_READ(task, real_parent, group_leader, start_boottime);
	r.uid = BPF_CORE_READ(task, cred, uid.val);
	r.cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	r.scope = scope ? scope->scope : 0;
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}

#endif
