/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Run once, by the guard, in a pid namespace of its own: tells who it is to the kernel. */
#ifndef AGENTGUARD_SELF_H
#define AGENTGUARD_SELF_H

#include "agentguard_kernel.h"

SEC("syscall")
int ag_whoami(struct ag_self_number *out)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	out->tgid = bpf_get_current_pid_tgid() >> 32;
	out->level = BPF_CORE_READ(task, thread_pid, level);
	return 0;
}

#endif
