/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Run by the thread that answers held calls, once for each: what /proc/TID/status, two links of /proc/TID and
 * process_vm_readv would tell, in one system call instead of five. Needs kfuncs that Linux 6.10 lets such programs use.
 */
#ifndef AGENTGUARD_LOOK_PROGRAM_H
#define AGENTGUARD_LOOK_PROGRAM_H

#include "agentguard_kernel.h"
#include "looks.h"

#define AG_AT_FDCWD (-100)
#define AG_PAGE_BYTES 4096

extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym __weak;
extern void bpf_task_release(struct task_struct *task) __ksym __weak;

/* The number of a process in its own, innermost pid namespace. */
static __always_inline __u32 ag_inner_number(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	__u32 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number),
			      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				      (BPF_CORE_READ(pid, level) & 31) * bpf_core_type_size(struct upid) +
				      bpf_core_field_offset(struct upid, nr));
	return number;
}

static __always_inline void ag_look_path(struct ag_look_at *at, struct path *path)
{
	at->mount = (unsigned long)BPF_CORE_READ(path, mnt);
	at->dentry = (unsigned long)BPF_CORE_READ(path, dentry);
}

static __always_inline void ag_look_descriptor(struct ag_look_at *at, struct task_struct *task, int fd)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files, *file = 0;

	if (fd < 0 || (__u32)fd >= BPF_CORE_READ(table, max_fds))
		return;
	files = BPF_CORE_READ(table, fd);
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	if (file)
		ag_look_path(at, (void *)file + bpf_core_field_offset(struct file, f_path));
}

static __always_inline int ag_look_groups(struct ag_look *l, const struct cred *cred)
{
	struct group_info *info = BPF_CORE_READ(cred, group_info);
	__u32 count, bytes;

	if (bpf_core_read(&count, sizeof(count), &info->ngroups) || count > AG_LOOK_GROUPS)
		return 0;
	l->group_count = count;
	bytes = count * sizeof(l->groups[0]);
	AG_BARRIER(bytes);
	if (bytes > sizeof(l->groups))
		return 0;
	return !bytes ||
	       !bpf_probe_read_kernel(l->groups, bytes, (void *)info + bpf_core_field_offset(struct group_info, gid));
}

/* What decides for whom the guard acts: what cannot be read is nobody's, least of all the superuser's. */
static __always_inline int ag_look_rights(struct ag_look *l, const struct cred *cred, struct fs_struct *fs)
{
	return cred && fs && ag_look_groups(l, cred) && !bpf_core_read(&l->uid, sizeof(l->uid), &cred->uid.val) &&
	       !bpf_core_read(&l->fsuid, sizeof(l->fsuid), &cred->fsuid.val) &&
	       !bpf_core_read(&l->fsgid, sizeof(l->fsgid), &cred->fsgid.val) &&
	       !bpf_core_read(&l->caps, sizeof(l->caps), &cred->cap_effective) &&
	       !bpf_core_read(&l->umask, sizeof(l->umask), &fs->umask);
}

static __always_inline void ag_look_name(struct ag_look *l, struct task_struct *task, int i)
{
	__u64 from = l->name[i];
	__u32 bytes = AG_PAGE_BYTES - (from & (AG_PAGE_BYTES - 1));

	l->bytes[i] = 0;
	if (!from)
		return;
	if (bytes > AG_LOOK_NAME_BYTES)
		bytes = AG_LOOK_NAME_BYTES;
	AG_BARRIER(bytes);
	if (bytes == 0 || bytes > AG_LOOK_NAME_BYTES)
		return;
	if (bpf_copy_from_user_task(l->text[i], bytes, (void *)from, task, 0) == 0)
		l->bytes[i] = bytes;
}

SEC("syscall")
int ag_look(void *unused)
{
	__u32 zero = 0;
	struct ag_look *l = bpf_map_lookup_elem(&looks, &zero);
	struct task_struct *task;
	const struct cred *cred;
	struct fs_struct *fs;

	if (!l)
		return 0;
	l->found = 0;
	l->own_at.mount = l->own_at.dentry = 0;
	if (!bpf_task_from_pid)
		return 0;
	ag_look_descriptor(&l->own_at, (struct task_struct *)bpf_get_current_task(), l->own);
	task = bpf_task_from_pid(l->tid);
	if (!task)
		return 0;
	cred = BPF_CORE_READ(task, real_cred);
	fs = BPF_CORE_READ(task, fs);
	if (!ag_look_rights(l, cred, fs))
		goto out;
	l->tgid = BPF_CORE_READ(task, tgid);
	l->ppid = BPF_CORE_READ(task, real_parent, tgid);
	l->start = BPF_CORE_READ(task, start_boottime);
	l->inner_tid = ag_inner_number(task);
	l->inner_tgid = ag_inner_number(BPF_CORE_READ(task, group_leader));
	ag_look_path(&l->root, (void *)fs + bpf_core_field_offset(struct fs_struct, root));
	for (int i = 0; i < AG_LOOK_NAMES; i++) {
		l->base_at[i].mount = l->base_at[i].dentry = 0;
		if (l->base[i] == AG_AT_FDCWD)
			ag_look_path(&l->base_at[i], (void *)fs + bpf_core_field_offset(struct fs_struct, pwd));
		else
			ag_look_descriptor(&l->base_at[i], task, l->base[i]);
		ag_look_name(l, task, i);
	}
	l->found = 1;
out:
	bpf_task_release(task);
	return 0;
}

#endif
