/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Every map of the programs, and the values that user space sets before load. */
#ifndef AGENTGUARD_MAPS_H
#define AGENTGUARD_MAPS_H

#include "agentguard_kernel.h"
#include "agentguard_abi.h"

/* User space sets the sizes of the rings before load. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} decisions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 32 << 20);
} telemetry SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct ag_scope);
} scopes SEC(".maps");

/* Held calls that were let go, by thread: taken by the program that sees the call come true, or fail. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, AG_GRANTS_MAX);
	__type(key, __u32);
	__type(value, struct ag_grant);
} grants SEC(".maps");

/* cgroup id -> scope id: whoever enters a session's leaf belongs to the session. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__type(key, __u64);
	__type(value, __u32);
} cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ag_cpu);
} cpus SEC(".maps");

/* A network call between its cgroup hook and its return, by thread. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct ag_net);
} net_pending SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ag_file_key);
	__type(value, struct ag_file_bytes);
} file_bytes SEC(".maps");

/* pid -> highest descriptor in file_bytes, so that the end of a process need not look at all. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u32);
} file_bytes_top SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ag_control);
} control SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct ag_net_policy);
} net_policy SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct ag_exec_policy);
} exec_policy SEC(".maps");

/* Scope number of the next agent that the exec program finds. Only programs write it while they run. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next_scope SEC(".maps");

/* 1: the reader sleeps and wants to be woken by the next record. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} asleep SEC(".maps");

#define AG_TRIE(name, key_type, entries) \
	struct { \
		__uint(type, BPF_MAP_TYPE_LPM_TRIE); \
		__uint(max_entries, entries); \
		__uint(map_flags, BPF_F_NO_PREALLOC); \
		__type(key, key_type); \
		__type(value, struct ag_rule_bits); \
	} name SEC(".maps")

AG_TRIE(v4_rules, struct ag_v4_key, 16384);
AG_TRIE(v6_rules, struct ag_v6_key, 16384);
AG_TRIE(port_rules, struct ag_port_key, 16384);
AG_TRIE(v4_except, struct ag_v4_key, 16384);
AG_TRIE(v6_except, struct ag_v6_key, 16384);
AG_TRIE(port_except, struct ag_port_key, 16384);

/* Host names of rules to numbers in host_sets. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 2 * AG_HOST_SETS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ag_host_key);
	__type(value, __u32);
} host_names SEC(".maps");

/* By slot * AG_HOST_SETS_MAX + set. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * AG_HOST_SETS_MAX);
	__type(key, __u32);
	__type(value, struct ag_host_set);
} host_sets SEC(".maps");

/* Names learned from answers of the resolvers. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, AG_ADDR_NAMES_MAX);
	__type(key, struct ag_address_key);
	__type(value, struct ag_address_names);
} addr_names SEC(".maps");

/* Addresses whose DNS answers are believed. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, AG_RESOLVERS_MAX);
	__type(key, struct ag_address_key);
	__type(value, __u32);
} resolvers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ag_exec_key);
	__type(value, struct ag_exec_rule);
} exec_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ag_tree_key);
	__type(value, struct ag_exec_rule);
} exec_trees SEC(".maps");

/* [[agent]] programs by path or base name -> index of the entry; slot is always 0. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ag_exec_key);
	__type(value, __u32);
} agents SEC(".maps");

/* Processes that the next run of the iterator takes into a scope: pid -> scope value. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct ag_scope);
} adopt SEC(".maps");

/* In ag_scope.reported: the call that runs was refused and recorded, its end says nothing new. */
#define AG_REPORTED_REFUSED (1u << 30)

/* Number of zero bits below the lowest set bit; without branches, which would each double the verifier's work. */
static __always_inline __u32 ag_lowest_bit(__u64 bits)
{
	__u64 below = (bits & -bits) - 1;

	below -= (below >> 1) & 0x5555555555555555ull;
	below = (below & 0x3333333333333333ull) + ((below >> 2) & 0x3333333333333333ull);
	below = (below + (below >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (below * 0x0101010101010101ull) >> 56;
}

static __always_inline struct ag_control *ag_get_control(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&control, &zero);
}

#endif
