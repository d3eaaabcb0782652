/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Process numbers as the guard's own pid namespace shows them: what records hold must be what the guard can signal and
 * find in /proc. The helpers of the kernel give those of the initial namespace, which a container does not see.
 */
#ifndef AGENTGUARD_NUMBER_H
#define AGENTGUARD_NUMBER_H

#include "agentguard_kernel.h"

/* 0 where the guard's namespace does not show the task. Read from memory: the task may be any. */
static __always_inline __u32 ag_number(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	__u32 number = 0, level = ag_pid_level;

	if (!pid || BPF_CORE_READ(pid, level) < level)
		return 0;
	bpf_probe_read_kernel(&number, sizeof(number),
			      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid) + bpf_core_field_offset(struct upid, nr));
	return number;
}

/* Of any task; in the initial namespace (the usual case) one load. */
static __always_inline __u32 ag_tid_of(struct task_struct *task)
{
	return ag_pid_level ? ag_number(task) : (__u32)BPF_CORE_READ(task, pid);
}

static __always_inline __u32 ag_tgid_of(struct task_struct *task)
{
	return ag_pid_level ? ag_number(BPF_CORE_READ(task, group_leader)) : (__u32)BPF_CORE_READ(task, tgid);
}

/* Of the current task: process in the high half, thread in the low one, as bpf_get_current_pid_tgid. */
static __always_inline __u64 ag_current_numbers(void)
{
	struct task_struct *task;

	if (!ag_pid_level)
		return bpf_get_current_pid_tgid();
	task = (struct task_struct *)bpf_get_current_task();
	return (__u64)ag_tgid_of(task) << 32 | ag_tid_of(task);
}

#endif
