/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which rule or [[agent]] entry names a program: by path, by base name, by the directories above it. */
#ifndef AGENTGUARD_EXEC_MATCH_H
#define AGENTGUARD_EXEC_MATCH_H

#include "agentguard_path.h"

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

#endif
