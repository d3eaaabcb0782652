/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* One decision at a security hook: who acts, the memory for it, the refusal and its record. */
#ifndef AGENTGUARD_LSM_TURN_H
#define AGENTGUARD_LSM_TURN_H

#include "lsm_match.h"

struct ag_turn {
	struct ag_scratch *s;
	struct ag_lsm *l;
	struct ag_scope *scope;
	__u32 level, slot;
	__u32 generation;
	__s32 rule_index;
	__u32 flags;
};

/* Threads that the kernel makes for a process (io_uring) are in no scope of their own. */
static __always_inline struct ag_scope *ag_scope_of(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ag_scope *scope;

	if (bpf_get_current_pid_tgid() >> 32 == ag_self)
		return 0;
	scope = bpf_task_storage_get(&scopes, task, 0, 0);
	if (scope || task->pid == task->tgid)
		return scope;
	return bpf_task_storage_get(&scopes, task->group_leader, 0, 0);
}

/* Who acts, and the policy in force of the map of two slots; 0 where nobody is asked. */
static __always_inline void *ag_policy_for(struct ag_turn *t, void *policies)
{
	struct ag_control *c = ag_get_control();

	t->scope = ag_scope_of();
	if (!t->scope || !c)
		return 0;
	t->slot = c->slot & 1;
	return bpf_map_lookup_elem(policies, &t->slot);
}

/* Takes the memory of this CPU; false where all of it is in use, which must be a refusal. */
static __always_inline bool ag_begin_turn(struct ag_turn *t)
{
	__u32 zero = 0, *level = bpf_map_lookup_elem(&lsm_level, &zero);

	if (!level)
		return false;
	t->level = __sync_fetch_and_add(level, 1);
	t->s = bpf_map_lookup_elem(&lsm_scratch, &t->level);
	t->l = bpf_map_lookup_elem(&lsm_state, &t->level);
	if (!t->s || !t->l) {
		__sync_fetch_and_add(level, -1);
		ag_count_loss(AG_OP_REFUSED, AG_LOSS_SCRATCH);
		return false;
	}
	__builtin_memset(&t->l->names, 0, sizeof(t->l->names) * 3 + sizeof(t->l->exec));
	t->l->undecidable = 0;
	return true;
}

static __always_inline void ag_end_turn(void)
{
	__u32 zero = 0, *level = bpf_map_lookup_elem(&lsm_level, &zero);

	if (level)
		__sync_fetch_and_add(level, -1);
}

/* Sends what was refused. The strings are in the record already, behind `at` is nothing. */
static __always_inline void ag_report_refusal(struct ag_turn *t, __u32 action, __u32 at)
{
	struct ag_refused *r = (struct ag_refused *)t->s->record;
	struct ag_scope *own;

	r->action = action;
	r->rule_index = t->rule_index;
	r->generation = t->generation;
	r->flags = t->flags;
	AG_BARRIER(at);
	if (at > AG_RECORD_DATA || at < sizeof(*r))
		at = sizeof(*r);
	ag_fill(&r->h, AG_OP_REFUSED, t->scope->scope, at, 0);
	AG_BARRIER(at);
	if (at > AG_RECORD_DATA)
		at = sizeof(*r);
	ag_send_decision(r, at, BPF_RB_FORCE_WAKEUP);
	own = bpf_task_storage_get(&scopes, bpf_get_current_task_btf(), 0, 0);
	if (own)
		__sync_fetch_and_or(&own->reported, AG_REPORTED_REFUSED);
}

#endif
