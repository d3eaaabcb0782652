/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Programs: refused before anything of the caller is lost, also where another program would map their code. */
#ifndef AGENTGUARD_LSM_PROGRAMS_H
#define AGENTGUARD_LSM_PROGRAMS_H

#include "lsm_turn.h"

static __always_inline void ag_prefer(struct ag_exec_rule *into, const struct ag_exec_rule *rule)
{
	if (rule && rule->verdict > into->verdict)
		*into = *rule;
}

/* Looks one name of the program up: as a path, below trees, by the base name. Only what refuses counts. */
__noinline int ag_match_exec(__u32 level, __u32 at, __u32 bytes, __u32 slot)
{
	struct ag_scratch *s = bpf_map_lookup_elem(&lsm_scratch, &level);
	struct ag_lsm *l = bpf_map_lookup_elem(&lsm_state, &level);
	__u32 head;

	if (!s || !l || !bytes || at >= AG_RECORD_DATA)
		return 0;
	head = bytes < AG_KEY_PATH_MAX ? bytes : AG_KEY_PATH_MAX - 1;
	AG_BARRIER(head);
	if (head >= AG_KEY_PATH_MAX)
		return 0;
	ag_begin_keys(l, slot);
	bpf_probe_read_kernel(l->tree.path, head, s->record + at);
	l->tree.prefix_bits = 32 + head * 8;
	ag_prefer(&l->exec, bpf_map_lookup_elem(&exec_trees, &l->tree));
	if (head != bytes)
		return 0;
	bpf_probe_read_kernel(l->name.path, head, s->record + at);
	ag_prefer(&l->exec, bpf_map_lookup_elem(&exec_rules, &l->name));
	return 0;
}

/* The base name of a file, from the kernel's own entry. */
__noinline int ag_match_exec_base(__u32 level, __u32 slot)
{
	struct ag_lsm *l = bpf_map_lookup_elem(&lsm_state, &level);
	__u32 length;
	__u64 name, dentry;

	if (!l)
		return 0;
	dentry = l->dentry;
	if (!dentry)
		return 0;
	AG_READ(length, dentry, struct dentry, d_name.len);
	AG_READ(name, dentry, struct dentry, d_name.name);
	AG_BARRIER(length);
	if (!length || length >= AG_KEY_PATH_MAX)
		return 0;
	__builtin_memset(&l->name, 0, sizeof(l->name));
	bpf_probe_read_kernel(l->name.path, length, (void *)name);
	l->name.slot = slot;
	l->name.base_name = 1;
	ag_prefer(&l->exec, bpf_map_lookup_elem(&exec_rules, &l->name));
	return 0;
}

struct ag_image {
	__u64 mnt, dentry;
	__u64 requested; /* the name that was asked for, 0 for none */
	__u32 action;
};

static __always_inline int ag_judge_image(struct ag_turn *t, const struct ag_image *image)
{
	struct ag_refused *r = (struct ag_refused *)t->s->record;
	__u32 at = sizeof(*r), bytes, name_bytes = 0;
	struct ag_object_key key = {};
	struct ag_object *o;
	long n;

	t->l->dentry = image->dentry;
	t->l->mnt = image->mnt;
	bytes = ag_climb_path(t->level, at, t->slot) & (AG_PATH_MAX - 1);
	ag_match_exec(t->level, at, bytes, t->slot);
	ag_match_exec_base(t->level, t->slot);
	if (t->l->exec.verdict != AG_VERDICT_DENY && ag_object_key_of(&key, image->dentry, t->slot)) {
		o = bpf_map_lookup_elem(&file_objects, &key);
		if (o && o->exec.verdict == AG_VERDICT_DENY) {
			t->l->exec = o->exec;
			t->flags |= AG_REFUSED_OBJECT;
		}
	}
	at += bytes;
	AG_BARRIER(at);
	if (image->requested && at < AG_RECORD_DATA - AG_PATH_MAX) {
		n = bpf_probe_read_kernel_str(t->s->record + at, AG_PATH_MAX, (void *)image->requested);
		name_bytes = n > 1 && n <= AG_PATH_MAX ? n - 1 : 0;
		ag_match_exec(t->level, at, name_bytes, t->slot);
	}
	if (t->l->exec.verdict != AG_VERDICT_DENY)
		return 0;
	r->ino = key.ino;
	r->dev = key.dev;
	r->detail = 0;
	r->target = 0;
	r->path_bytes = bytes;
	r->new_path_bytes = name_bytes;
	t->rule_index = t->l->exec.rule_index;
	ag_report_refusal(t, image->action, at + name_bytes);
	return -AG_EPERM;
}

__noinline int ag_decide_image(struct ag_image *image)
{
	struct ag_turn t = {.rule_index = -1};
	struct ag_exec_policy *p;
	int verdict;

	if (!image)
		return 0;
	p = ag_policy_for(&t, &exec_policy);
	/* Where starts wait for the guard, it has decided, and what comes up is compared with what it let go. */
	if (!p || !p->rules || !t.scope || (t.scope->held & AG_HELD_EXEC && image->action == AG_FILE_EXEC))
		return 0;
	t.generation = p->generation;
	if (!ag_begin_turn(&t))
		return -AG_EPERM;
	verdict = ag_judge_image(&t, image);
	ag_end_turn();
	return verdict;
}

/* Comes for a script, and again for its interpreter. */
SEC("lsm/bprm_check_security")
int BPF_PROG(ag_lsm_exec, struct linux_binprm *bprm)
{
	struct ag_image image = {.action = AG_FILE_EXEC};
	__u64 file = (__u64)bprm->file;

	AG_READ(image.mnt, file, struct file, f_path.mnt);
	AG_READ(image.dentry, file, struct file, f_path.dentry);
	image.requested = (__u64)bprm->filename;
	return ag_decide_image(&image) < 0 ? -AG_EPERM : 0;
}

static __always_inline int ag_map_code(__u64 file)
{
	struct ag_image image = {.action = AG_FILE_MAP_EXEC};

	/* The kernel maps what execve starts, and that has been decided. */
	if (BPF_CORE_READ_BITFIELD_PROBED(bpf_get_current_task_btf(), in_execve))
		return 0;
	AG_READ(image.mnt, file, struct file, f_path.mnt);
	AG_READ(image.dentry, file, struct file, f_path.dentry);
	return ag_decide_image(&image) < 0 ? -AG_EPERM : 0;
}

/* ld.so PROGRAM: the program starts without execve. */
SEC("lsm/mmap_file")
int BPF_PROG(ag_lsm_mmap, struct file *file, unsigned long requested, unsigned long protection)
{
	return file && protection & AG_PROT_EXEC ? ag_map_code((__u64)file) : 0;
}

SEC("lsm/file_mprotect")
int BPF_PROG(ag_lsm_mprotect, struct vm_area_struct *vma, unsigned long requested, unsigned long protection)
{
	__u64 file;

	if (!(protection & AG_PROT_EXEC) || vma->vm_flags & AG_VM_EXEC)
		return 0;
	file = (__u64)vma->vm_file;
	return file ? ag_map_code(file) : 0;
}

#endif
