/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Scripts. What was decided about is a file; what runs is what the interpreter finds under its name, later. The first
 * open by that name in the process must come to that file; else the process ends before it has read anything.
 */
#ifndef AGENTGUARD_SCRIPT_H
#define AGENTGUARD_SCRIPT_H

#include "agentguard_path.h"

/* Emptied at the end of each process: a start that finds it full is not let go. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct ag_script);
} scripts SEC(".maps");

/* Remembers a script that is let go; 0 where there is no room. */
static __always_inline int ag_await_script(const struct ag_grant *g)
{
	struct ag_script script = {.ino = g->script_ino, .name_hash = g->name_hash, .dev = g->script_dev};
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	return bpf_map_update_elem(&scripts, &pid, &script, BPF_ANY) == 0;
}

static __always_inline void ag_forget_script(void)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	bpf_map_delete_elem(&scripts, &pid);
}

#endif
