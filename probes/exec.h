/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Program starts. */
#ifndef AGENTGUARD_EXEC_H
#define AGENTGUARD_EXEC_H

#include "exec_match.h"
#include "file.h"
#include "grant.h"
#include "network_calls.h"

/* The last two components of a cgroup's path; bytes written at `at`. */
static __always_inline __u32 ag_cgroup_name(struct ag_scratch *s, __u32 at, struct cgroup *cgroup)
{
	const char *name = BPF_CORE_READ(cgroup, kn, name);
	const char *up = BPF_CORE_READ(cgroup, self.parent, cgroup, kn, name);
	__u32 from = at;
	long n;

	if (at >= AG_RECORD_DATA)
		return 0;
	if (up) {
		n = bpf_probe_read_kernel_str(s->record + at, AG_CGROUP_NAME_MAX, up);
		if (n > 1 && n <= AG_CGROUP_NAME_MAX) {
			at += n - 1;
			AG_BARRIER(at);
			if (at >= AG_RECORD_DATA)
				return 0;
			s->record[at] = '/';
			at++;
		}
	}
	AG_BARRIER(at);
	if (at >= AG_RECORD_DATA)
		return 0;
	n = bpf_probe_read_kernel_str(s->record + at, AG_CGROUP_NAME_MAX, name);
	if (n > 1 && n <= AG_CGROUP_NAME_MAX)
		at += n - 1;
	return at - from;
}

/* The rest of argv, in records of its own. */
static __always_inline void ag_send_args(struct ag_scratch *s, __u32 scope, __u64 exec_id, unsigned long start,
					 __u32 total)
{
	struct ag_exec_args *r = (struct ag_exec_args *)s->record;
	int i;

#pragma unroll
	for (i = 0; i < AG_ARGS_CHUNKS_MAX; i++) {
		__u32 offset = AG_ARGS_INLINE_MAX + i * (AG_ARGS_CHUNK_MAX - 1024), bytes;

		if (offset >= total)
			break;
		bytes = total - offset;
		if (bytes > AG_ARGS_CHUNK_MAX - 1024)
			bytes = AG_ARGS_CHUNK_MAX - 1024;
		r->exec_id = exec_id;
		r->offset = offset;
		r->last = offset + bytes >= total || i == AG_ARGS_CHUNKS_MAX - 1;
		r->reserved = 0;
		r->bytes = bytes;
		if (bpf_probe_read_user(s->record + sizeof(*r), bytes, (void *)(start + offset))) {
			ag_count_loss(AG_OP_EXEC_ARGS, AG_LOSS_FAULT);
			r->bytes = 0;
			r->last = 1;
			bytes = 0;
		}
		ag_fill(&r->h, AG_OP_EXEC_ARGS, scope, sizeof(*r) + bytes, 0);
		ag_send_decision(r, sizeof(*r) + bytes, BPF_RB_NO_WAKEUP);
		if (r->last)
			break;
	}
}

static __always_inline __u32 ag_exec_facts(struct ag_exec *r, struct linux_binprm *bprm, __u64 exe, __u32 flags)
{
	const struct cred *cred = BPF_CORE_READ(bpf_get_current_task_btf(), cred);
	__u64 inode, sb, dentry;
	__u32 facts = 0, links;
	char name[8] = {};

	AG_READ(inode, exe, struct file, f_inode);
	AG_READ(r->ino, inode, struct inode, i_ino);
	AG_READ(sb, inode, struct inode, i_sb);
	AG_READ(r->dev, sb, struct super_block, s_dev);
	AG_READ(links, inode, struct inode, i_nlink);
	AG_READ(dentry, exe, struct file, f_path.dentry);
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ((struct dentry *)dentry, d_name.name));
	if (links == 0 || (flags & AG_FLAG_UNHASHED))
		facts |= AG_EXEC_DELETED;
	if (name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' && name[4] == 'd' && name[5] == ':' &&
	    links == 0)
		facts |= AG_EXEC_MEMFD;
	r->uid = BPF_CORE_READ(cred, uid.val);
	if (BPF_CORE_READ(cred, euid.val) != r->uid)
		facts |= AG_EXEC_SETUID;
	if (BPF_CORE_READ(bprm, interp) != BPF_CORE_READ(bprm, filename))
		facts |= AG_EXEC_SCRIPT;
	return facts;
}

static __always_inline struct ag_scope *ag_find_agent(struct ag_exec *r, struct task_struct *task, struct ag_control *c)
{
	struct ag_scope fresh = {};
	__u32 zero = 0, *next;
	int agent;

	agent = ag_match_program(r, sizeof(*r), r->path_bytes, 0, 1);
	if (agent < 0)
		agent = ag_match_program(r, sizeof(*r) + r->path_bytes + r->cwd_bytes, r->requested_bytes, 0, 1);
	if (agent < 0)
		return 0;
	r->agent_index = agent;
	next = bpf_map_lookup_elem(&next_scope, &zero);
	if (!next)
		return 0;
	fresh.scope = __sync_fetch_and_add(next, 1);
	fresh.start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	return bpf_task_storage_get(&scopes, task, &fresh, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(ag_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct ag_scope *scope;
	struct ag_control *c;
	struct ag_scratch *s;
	struct ag_exec *r;
	struct ag_exec_policy *p;
	struct cgroup *cgroup;
	unsigned long start, end;
	__u32 at = sizeof(*r), flags = 0, total, inline_bytes, slot;
	__u64 exe;

	if (bpf_get_current_pid_tgid() >> 32 == ag_self)
		return 0;
	c = ag_get_control();
	if (!c)
		return 0;
	scope = bpf_task_storage_get(&scopes, task, 0, 0);
	if (!scope && !c->agents)
		return 0;
	s = ag_get_scratch(AG_SCRATCH_PROCESS, AG_OP_EXEC);
	if (!s)
		return 0;
	r = (struct ag_exec *)s->record;
	exe = (__u64)BPF_CORE_READ(bprm, file);
	r->path_bytes = ag_put_file_path(s, at, exe, &flags);
	at += r->path_bytes & (AG_PATH_MAX - 1);
	{
		__u32 cwd_flags = 0;

		r->cwd_bytes = ag_put_base(s, at, AG_AT_FDCWD, &cwd_flags);
		at += r->cwd_bytes & (AG_PATH_MAX - 1);
	}
	r->requested_bytes = ag_put_kernel(s, &at, BPF_CORE_READ(bprm, filename));
	r->agent_index = -1;
	if (!scope) {
		scope = ag_find_agent(r, task, c);
		if (!scope)
			return 0;
		flags |= AG_FLAG_AGENT_START;
	}
	cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	r->cgroup_id = BPF_CORE_READ(cgroup, kn, id);
	if (at >= AG_RECORD_DATA - AG_ARGS_INLINE_MAX - 512) {
		ag_count_loss(AG_OP_EXEC, AG_LOSS_DEPTH); /* for the verifier: three paths are shorter */
		return 0;
	}
	r->cgroup_bytes = ag_cgroup_name(s, at, cgroup);
	at += r->cgroup_bytes & 511;
	r->ppid = ag_tgid_of(BPF_CORE_READ(task, real_parent));
	r->parent_start_ns = BPF_CORE_READ(task, real_parent, group_leader, start_boottime);
	r->exec_flags = ag_exec_facts(r, bprm, exe, flags);
	r->exec_id = bpf_ktime_get_boot_ns();
	r->verdict = AG_VERDICT_NONE;
	r->rule_index = -1;
	r->generation = 0;
	start = BPF_CORE_READ(task, mm, arg_start);
	end = BPF_CORE_READ(task, mm, arg_end);
	ag_take_grant(r, ag_grant_key(task, old_pid), scope->held & AG_HELD_EXEC, start, end);

	slot = c->slot & 1;
	p = bpf_map_lookup_elem(&exec_policy, &slot);
	if (r->grant > AG_GRANT_SAME) {
		/* Before the first instruction of the new program: the signal is taken on the way to user mode. */
		r->verdict = bpf_send_signal(AG_SIGKILL) ? AG_VERDICT_DENY_FAILED : AG_VERDICT_DENY;
		r->generation = p ? p->generation : 0;
	} else if (p && (p->rules || p->deny_by_default) && !(r->grant_flags & AG_GRANT_APPROVED)) {
		ag_match_program(r, sizeof(*r), r->path_bytes, slot, 0);
		ag_match_program(r, sizeof(*r) + r->path_bytes + r->cwd_bytes, r->requested_bytes, slot, 0);
		if (r->verdict == AG_VERDICT_NONE && p->deny_by_default)
			r->verdict = AG_VERDICT_DENY;
		if (r->verdict == AG_VERDICT_NONE)
			r->verdict = AG_VERDICT_ALLOW;
		r->generation = p->generation;
		if (r->verdict == AG_VERDICT_DENY && bpf_send_signal(AG_SIGKILL))
			r->verdict = AG_VERDICT_DENY_FAILED;
	}

	r->argv_bytes_total = end - start;
	total = end - start;
	if (total > AG_ARGS_MAX - 1) {
		total = AG_ARGS_MAX - 1;
		flags |= AG_FLAG_ARGS_TRUNCATED;
	}
	inline_bytes = total;
	if (inline_bytes > AG_ARGS_INLINE_MAX) {
		inline_bytes = AG_ARGS_INLINE_MAX;
		flags |= AG_FLAG_ARGS_MORE;
	}
	r->argv_bytes = inline_bytes;
	if (at >= AG_RECORD_DATA - AG_ARGS_INLINE_MAX)
		return 0;
	if (inline_bytes && bpf_probe_read_user(s->record + at, inline_bytes, (void *)start)) {
		ag_count_loss(AG_OP_EXEC_ARGS, AG_LOSS_FAULT);
		r->argv_bytes = 0;
		inline_bytes = 0;
		flags = (flags & ~AG_FLAG_ARGS_MORE) | AG_FLAG_ARGS_TRUNCATED;
	}
	at += inline_bytes;
	if (at > AG_RECORD_DATA)
		return 0;
	ag_fill(&r->h, AG_OP_EXEC, scope->scope, at, flags);
	{
		__u64 exec_id = r->exec_id;
		__u64 wake = flags & AG_FLAG_ARGS_MORE ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP;

		ag_send_decision(r, at, wake);
		if (flags & AG_FLAG_ARGS_MORE)
			ag_send_args(s, scope->scope, exec_id, start, total);
		ag_sweep_bytes(scope->scope, 0, AG_FDS_MAX, 1);
	}
	return 0;
}

#endif
