/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Memory that the thread which answers held calls and the probes share without a system call. */
#ifndef AGENTGUARD_LOOKS_H
#define AGENTGUARD_LOOKS_H

#include "agentguard_kernel.h"
#include "agentguard_look.h"

#define AG_F_MMAPABLE 1024 /* BPF_F_MMAPABLE */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, AG_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ag_look);
} looks SEC(".maps");

/* True, once, where the guard made the file and then opened it for the current thread: the open made nothing. */
static __always_inline int ag_was_made(void)
{
	__u32 zero = 0, tid = (__u32)bpf_get_current_pid_tgid();
	struct ag_look *l = bpf_map_lookup_elem(&looks, &zero);
	__u64 *made, start;

	if (!l)
		return 0;
	AG_TASK_READ(start, start_boottime, start_boottime);
	made = &l->made[tid & (AG_LOOK_MADE - 1)];
	if (*made != AG_LOOK_MADE_KEY(tid, start))
		return 0;
	*made = 0;
	return 1;
}

#endif
