/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which rule speaks of a unix socket, by one of its names. */
#ifndef AGENTGUARD_UNIX_MATCH_H
#define AGENTGUARD_UNIX_MATCH_H

#include "agentguard_path.h"

struct ag_unix_keys {
	struct ag_exec_key exact;
	struct ag_tree_key tree;
	__u32 behind; /* position behind the last slash; 0 without one: an abstract name */
	__u32 verdict;
	__s32 rule_index;
};

/* Rules about unix sockets; the fields are those of programs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct ag_exec_policy);
} unix_policy SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ag_exec_key);
	__type(value, struct ag_exec_rule);
} unix_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ag_tree_key);
	__type(value, struct ag_exec_rule);
} unix_trees SEC(".maps");

static __always_inline void ag_take_unix_rule(struct ag_unix_keys *k, const struct ag_exec_rule *rule)
{
	if (rule && rule->verdict > k->verdict) {
		k->verdict = rule->verdict;
		k->rule_index = rule->rule_index;
	}
}

static long ag_find_unix_slash(__u32 index, void *context)
{
	struct ag_unix_keys *k = *(struct ag_unix_keys **)context;

	if (index >= AG_KEY_PATH_MAX)
		return 1;
	if (k->tree.path[index] == '/')
		k->behind = index + 1;
	return 0;
}

/*
 * Decides by the name of `bytes` at `text`, in kernel memory; leaves verdict and rule in *k, and the verdict NONE where
 * nothing is known of it: a longer name than any key is compared by its directories alone.
 */
static __noinline int ag_match_unix(struct ag_unix_keys *k, const void *text, __u32 bytes, __u32 slot)
{
	__u32 head = bytes < AG_KEY_PATH_MAX ? bytes : AG_KEY_PATH_MAX - 1, length;

	k->verdict = AG_VERDICT_NONE;
	k->rule_index = -1;
	k->behind = 0;
	AG_BARRIER(head);
	if (!head || head >= AG_KEY_PATH_MAX)
		return 0;
	__builtin_memset(&k->exact, 0, sizeof(k->exact));
	__builtin_memset(&k->tree, 0, sizeof(k->tree));
	bpf_probe_read_kernel(k->tree.path, head, text);
	k->exact.slot = slot;
	k->tree.slot = slot;
	k->tree.prefix_bits = 32 + head * 8;
	if (head == bytes) {
		bpf_probe_read_kernel(k->exact.path, head, text);
		ag_take_unix_rule(k, bpf_map_lookup_elem(&unix_rules, &k->exact));
	}
	ag_take_unix_rule(k, bpf_map_lookup_elem(&unix_trees, &k->tree));
	if (head < bytes)
		return 0;
	bpf_loop(head, ag_find_unix_slash, &k, 0);
	length = head - k->behind;
	AG_BARRIER(length);
	if (!length || length >= AG_KEY_PATH_MAX)
		return 0;
	__builtin_memset(k->exact.path, 0, sizeof(k->exact.path));
	bpf_probe_read_kernel(k->exact.path, length, text + k->behind);
	k->exact.base_name = AG_NAME_BASE;
	ag_take_unix_rule(k, bpf_map_lookup_elem(&unix_rules, &k->exact));
	return 0;
}

#endif
