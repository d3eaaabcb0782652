/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What an interpreter opens under the name of its script, see script.h. */
#ifndef AGENTGUARD_SCRIPT_OPEN_H
#define AGENTGUARD_SCRIPT_OPEN_H

#include "grant.h"

/* Ends the caller, and says which file it opened: its path is in `walk`. */
static __always_inline void ag_end_exchanged(struct ag_scratch *s, __u32 scope, __u32 bytes)
{
	struct ag_refused *r = (struct ag_refused *)s->record;

	r->action = AG_FILE_SCRIPT;
	r->rule_index = -1;
	r->generation = 0;
	r->flags = bpf_send_signal(AG_SIGKILL) ? AG_REFUSED_FAILED : 0;
	r->detail = 0;
	r->target = 0;
	r->path_bytes = bytes;
	r->new_path_bytes = 0;
	if (bytes < AG_PATH_MAX)
		bpf_probe_read_kernel(s->record + sizeof(*r), bytes, s->walk);
	ag_fill(&r->h, AG_OP_REFUSED, scope, sizeof(*r) + bytes, 0);
	ag_send_decision(r, sizeof(*r) + bytes, BPF_RB_FORCE_WAKEUP);
}

/* A file was opened, and its record is still in `s`. */
static __noinline int ag_judge_script(struct ag_scratch *s, __u32 scope)
{
	struct ag_open *o = (struct ag_open *)s->record;
	__u32 pid = bpf_get_current_pid_tgid() >> 32, bytes = o->path_bytes;
	struct ag_script *script = bpf_map_lookup_elem(&scripts, &pid);
	struct ag_grant name = {};

	if (!script || o->result < 0)
		return 0;
	if (o->ino == script->ino && o->dev == script->dev) {
		bpf_map_delete_elem(&scripts, &pid);
		return 0;
	}
	name.name_hash = script->name_hash;
	if (!ag_same_name(s, &name, sizeof(*o) + bytes, o->requested_bytes))
		return 0;
	bpf_map_delete_elem(&scripts, &pid);
	AG_BARRIER(bytes);
	if (bytes >= AG_PATH_MAX)
		bytes = AG_PATH_MAX - 1;
	bpf_probe_read_kernel(s->walk, bytes, s->record + sizeof(*o));
	ag_end_exchanged(s, scope, bytes);
	return 1;
}

#endif
