/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What protects the guard's processes from those that it guards; no rule is needed for it. */
#ifndef AGENTGUARD_LSM_GUARD_H
#define AGENTGUARD_LSM_GUARD_H

#include "lsm_own.h"

static __always_inline int ag_assault_on(struct task_struct *task, __u32 action, __u32 detail, __u32 silent)
{
	struct ag_assault assault = {.action = action, .detail = detail, .silent = silent};

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
	return signal ? ag_assault_on(task, AG_FILE_SIGNAL, signal, 0) : 0;
}

/* F_SETOWN and F_SETSIG on a pipe: the signal comes from whoever writes to it, in the session or not. */
SEC("lsm/file_send_sigiotask")
int BPF_PROG(ag_lsm_sigio, struct task_struct *task, void *owner, int signal)
{
	if (!ag_is_guards(task))
		return 0;
	ag_assault_on(task, AG_FILE_SIGNAL, signal, 0);
	return -AG_EPERM;
}

/* ptrace, process_vm_writev, pidfd_getfd, /proc/PID/mem and the like. */
SEC("lsm/ptrace_access_check")
int BPF_PROG(ag_lsm_trace, struct task_struct *child, unsigned int mode)
{
	return ag_assault_on(child, AG_FILE_TRACE, mode, mode & AG_PTRACE_MODE_NOAUDIT);
}

SEC("lsm/task_setrlimit")
int BPF_PROG(ag_lsm_limit, struct task_struct *task, unsigned int resource)
{
	return ag_assault_on(task, AG_FILE_CONTROL, resource, 0);
}

SEC("lsm/task_setnice")
int BPF_PROG(ag_lsm_nice, struct task_struct *task, int nice)
{
	return ag_assault_on(task, AG_FILE_CONTROL, nice, 0);
}

SEC("lsm/task_setioprio")
int BPF_PROG(ag_lsm_ioprio, struct task_struct *task, int priority)
{
	return ag_assault_on(task, AG_FILE_CONTROL, priority, 0);
}

/* Scheduling class and the processors that it may use. */
SEC("lsm/task_setscheduler")
int BPF_PROG(ag_lsm_scheduler, struct task_struct *task)
{
	return ag_assault_on(task, AG_FILE_CONTROL, 0, 0);
}

SEC("lsm/task_movememory")
int BPF_PROG(ag_lsm_memory, struct task_struct *task)
{
	return ag_assault_on(task, AG_FILE_CONTROL, 0, 0);
}

/* clone3(CLONE_INTO_CGROUP): a child that begins outside of the session's cgroup, by a descriptor of another. */
SEC("lsm/task_alloc")
int BPF_PROG(ag_lsm_clone, struct task_struct *task, unsigned long flags)
{
	struct ag_assault assault = {.action = AG_FILE_CGROUP};

	if (!(flags & AG_CLONE_INTO_CGROUP) || !ag_scope_of() || !ag_keeps_cgroups())
		return 0;
	ag_refuse_assault(&assault);
	return -AG_EPERM;
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
