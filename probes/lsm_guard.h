/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What protects the guard itself from those that it guards; no rule is needed for it. */
#ifndef AGENTGUARD_LSM_GUARD_H
#define AGENTGUARD_LSM_GUARD_H

#include "lsm_turn.h"

struct ag_assault {
	__u32 action, detail, target;
};

/* Refuses and records. */
__noinline int ag_refuse_assault(struct ag_assault *assault)
{
	struct ag_turn t = {.rule_index = -1};
	struct ag_refused *r;

	if (!assault)
		return 0;
	t.scope = ag_scope_of();
	if (!t.scope || !ag_begin_turn(&t))
		return 0;
	r = (struct ag_refused *)t.s->record;
	r->ino = 0;
	r->dev = 0;
	r->detail = assault->detail;
	r->target = assault->target;
	r->path_bytes = 0;
	r->new_path_bytes = 0;
	ag_report_refusal(&t, assault->action, sizeof(*r));
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

static __always_inline int ag_assault_on(struct task_struct *task, __u32 action, __u32 detail)
{
	struct ag_assault assault = {.action = action, .detail = detail};

	if (!ag_scope_of() || !ag_is_guards(task))
		return 0;
	assault.target = ag_tgid_of(task);
	ag_refuse_assault(&assault);
	return -AG_EPERM;
}

SEC("lsm/task_kill")
int BPF_PROG(ag_lsm_kill, struct task_struct *task, void *info, int signal)
{
	/* Signal 0 only asks whether somebody is there. */
	return signal ? ag_assault_on(task, AG_FILE_SIGNAL, signal) : 0;
}

/* ptrace, process_vm_writev, pidfd_getfd, /proc/PID/mem and the like. */
SEC("lsm/ptrace_access_check")
int BPF_PROG(ag_lsm_trace, struct task_struct *child, unsigned int mode)
{
	return ag_assault_on(child, AG_FILE_TRACE, mode);
}

AG_LSM_MAP(lsm_hits, BPF_MAP_TYPE_ARRAY, 1, __u32, __u32, 0);

/*
 * Attached for a moment at the start: kernels take programs for hooks that are switched off on the kernel's command
 * line, and never call them.
 */
SEC("lsm/file_open")
int BPF_PROG(ag_lsm_trial, struct file *file)
{
	__u32 zero = 0, *hits = bpf_map_lookup_elem(&lsm_hits, &zero);

	if (hits && bpf_get_current_pid_tgid() >> 32 == ag_self)
		*hits = 1;
	return 0;
}

/* Whoever may call bpf can take these programs away. */
SEC("lsm/bpf")
int BPF_PROG(ag_lsm_bpf, int command)
{
	struct ag_assault assault = {.action = AG_FILE_BPF, .detail = command};

	if (!ag_scope_of())
		return 0;
	ag_refuse_assault(&assault);
	return -AG_EPERM;
}

#endif
