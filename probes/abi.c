/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Instantiates every shared type, so that BTF holds it and scripts/gen_abi.ts can read it. Never loaded. */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;

#include "agentguard_abi.h"

#define AG_KEEP(kind, name) kind name ag_keep_##name

AG_KEEP(enum, ag_abi);
AG_KEEP(enum, ag_limit);
AG_KEEP(enum, ag_op);
AG_KEEP(enum, ag_ring);
AG_KEEP(enum, ag_loss);
AG_KEEP(enum, ag_flag);
AG_KEEP(enum, ag_exec_flag);
AG_KEEP(enum, ag_verdict);
AG_KEEP(enum, ag_grant_state);
AG_KEEP(enum, ag_grant_flag);
AG_KEEP(enum, ag_path_action);
AG_KEEP(enum, ag_move_action);
AG_KEEP(enum, ag_net_action);
AG_KEEP(enum, ag_protocol);
AG_KEEP(enum, ag_coverage_kind);
AG_KEEP(enum, ag_scope_kind);
AG_KEEP(enum, ag_file_action);
AG_KEEP(enum, ag_refused_flag);
AG_KEEP(enum, ag_name_kind);
AG_KEEP(enum, ag_own_kind);
AG_KEEP(struct, ag_refused);
AG_KEEP(struct, ag_object_key);
AG_KEEP(struct, ag_object);
AG_KEEP(struct, ag_file_policy);
AG_KEEP(struct, ag_record);
AG_KEEP(struct, ag_exec);
AG_KEEP(struct, ag_exec_args);
AG_KEEP(struct, ag_exec_failed);
AG_KEEP(struct, ag_fork);
AG_KEEP(struct, ag_exit);
AG_KEEP(struct, ag_open);
AG_KEEP(struct, ag_close);
AG_KEEP(struct, ag_path);
AG_KEEP(struct, ag_move);
AG_KEEP(struct, ag_net);
AG_KEEP(enum, ag_net_flag);
AG_KEEP(struct, ag_dns_answer);
AG_KEEP(struct, ag_dns);
AG_KEEP(struct, ag_unix);
AG_KEEP(struct, ag_coverage);
AG_KEEP(struct, ag_scope_change);
AG_KEEP(struct, ag_scope);
AG_KEEP(enum, ag_held);
AG_KEEP(struct, ag_decided);
AG_KEEP(struct, ag_grant);
AG_KEEP(struct, ag_cpu);
AG_KEEP(struct, ag_exec_key);
AG_KEEP(struct, ag_tree_key);
AG_KEEP(struct, ag_exec_rule);
AG_KEEP(struct, ag_v4_key);
AG_KEEP(struct, ag_v6_key);
AG_KEEP(struct, ag_port_key);
AG_KEEP(struct, ag_rule_bits);
AG_KEEP(struct, ag_net_policy);
AG_KEEP(struct, ag_address_key);
AG_KEEP(struct, ag_address_names);
AG_KEEP(struct, ag_name_cell);
AG_KEEP(struct, ag_host_set);
AG_KEEP(struct, ag_host_key);
AG_KEEP(struct, ag_teach);
AG_KEEP(struct, ag_exec_policy);
AG_KEEP(struct, ag_control);
AG_KEEP(struct, ag_config);
AG_KEEP(struct, ag_self_number);
AG_KEEP(struct, ag_task);

/* A record grows only with a new AG_ABI_VERSION. */
_Static_assert(sizeof(struct ag_record) == 48, "ag_record");
_Static_assert(sizeof(struct ag_exec) == 152, "ag_exec");
_Static_assert(sizeof(struct ag_open) == 80, "ag_open");
_Static_assert(sizeof(struct ag_net) == 96, "ag_net");
_Static_assert(sizeof(struct ag_dns) == 640, "ag_dns");
