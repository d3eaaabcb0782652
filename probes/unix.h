/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Unix sockets: cgroup programs (Linux 6.7) refuse by the name that the call gives, on the kernel's own copy of it. A
 * name that leads elsewhere, by a symbolic link, is known when the call has found the socket: then its caller is ended.
 */
#ifndef AGENTGUARD_UNIX_H
#define AGENTGUARD_UNIX_H

#include "unix_match.h"

#define AG_UNIX_TEXT 512 /* a directory that a key can hold, a slash and a name, with space for masked offsets */
#define AG_UNIX_STEPS 64 /* directories above the working directory */

/* One call between its cgroup hook and its return. */
struct ag_unix_call {
	struct ag_unix_keys keys;
	__u32 action;
	__u32 generation;
	__u32 name_bytes;  /* as given; of an abstract one the leading NUL counts */
	__u32 undecidable; /* a name with `..`, or below a directory too deep: not compared here */
	/* In memory, not on the stack: the verifier need not track their values through every turn of a loop. */
	__u32 out;  /* bytes of `text` */
	__u32 from; /* where the working directory begins, which grows down */
	char name[128];
	char text[AG_UNIX_TEXT];
};

/* By thread. The oldest gives way: a call that is forgotten is recorded from its caller's memory. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct ag_unix_call);
} unix_calls SEC(".maps");

/* Never written: what a new entry begins with. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ag_unix_call);
} unix_blank SEC(".maps");

/* Leaves out a `.` component that ends here. */
static __always_inline void ag_end_component(struct ag_unix_call *c)
{
	__u32 out = *(volatile __u32 *)&c->out;

	if (out < 2 || c->text[(out - 1) & 511] != '.')
		return;
	if (c->text[(out - 2) & 511] == '/')
		c->out = out - 1;
	else if (c->text[(out - 2) & 511] == '.' && c->text[(out - 3) & 511] == '/')
		c->undecidable = 1;
}

static long ag_spell_step(__u32 index, void *context)
{
	struct ag_unix_call *c = *(struct ag_unix_call **)context;
	volatile __u32 *offset = &c->out;
	__u32 out;
	char next;

	if (index >= AG_UNIX_PATH_MAX)
		return 1;
	next = c->name[index];
	if (next == '/') {
		ag_end_component(c);
		out = *offset;
		if (out && c->text[(out - 1) & 511] == '/')
			return 0;
	}
	out = *offset;
	c->text[out & 511] = next;
	*offset = out + 1;
	return 0;
}

struct ag_ascent {
	__u64 dentry, mnt, mnt_root;
	__u64 root_dentry, root_mnt;
	struct ag_unix_call *c;
	__u32 done;
};

static long ag_ascend(__u32 index, void *context)
{
	struct ag_ascent *a = context;
	__u64 dentry = a->dentry, parent, m, up, name, mnt, root;
	volatile __u32 *start = &a->c->from;
	__u32 length, from = *start;

	if (dentry == a->root_dentry && a->mnt == a->root_mnt) {
		a->done = 1;
		return 1;
	}
	AG_READ(parent, dentry, struct dentry, d_parent);
	if (dentry == a->mnt_root || dentry == parent) {
		m = a->mnt - bpf_core_field_offset(struct mount, mnt);
		AG_READ(up, m, struct mount, mnt_parent);
		if (up == m)
			return 1;
		AG_READ(dentry, m, struct mount, mnt_mountpoint);
		mnt = up + bpf_core_field_offset(struct mount, mnt);
		AG_READ(root, mnt, struct vfsmount, mnt_root);
		a->dentry = dentry;
		a->mnt = mnt;
		a->mnt_root = root;
		return 0;
	}
	AG_READ(length, dentry, struct dentry, d_name.len);
	AG_READ(name, dentry, struct dentry, d_name.name);
	if (length >= AG_KEY_PATH_MAX || from < length + 1)
		return 1;
	from -= length + 1;
	*start = from;
	a->dentry = parent;
	AG_BARRIER(length);
	if (length >= AG_KEY_PATH_MAX)
		return 1;
	a->c->text[from & 255] = '/';
	bpf_probe_read_kernel(a->c->text + ((from + 1) & 255), length, (void *)name);
	return 0;
}

/* Puts the working directory at the front of the text; returns its length, 0 for the root. */
static __always_inline __u32 ag_put_cwd(struct ag_unix_call *c)
{
	struct ag_ascent a = {.c = c};
	__u64 root;
	__u32 length;

	c->from = AG_KEY_PATH_MAX - 1;

	AG_TASK_READ(a.root_dentry, fs->root.dentry, fs, root.dentry);
	AG_TASK_READ(a.root_mnt, fs->root.mnt, fs, root.mnt);
	AG_TASK_READ(a.dentry, fs->pwd.dentry, fs, pwd.dentry);
	AG_TASK_READ(a.mnt, fs->pwd.mnt, fs, pwd.mnt);
	AG_READ(root, a.mnt, struct vfsmount, mnt_root);
	a.mnt_root = root;
	bpf_loop(AG_UNIX_STEPS, ag_ascend, &a, 0);
	if (!a.done)
		c->undecidable = 1;
	length = AG_KEY_PATH_MAX - 1 - *(volatile __u32 *)&c->from;
	AG_BARRIER(length);
	if (length >= AG_KEY_PATH_MAX)
		return 0;
	bpf_probe_read_kernel(c->text, length, c->text + (c->from & 255));
	return length;
}

/* The absolute name of the call in c->text; returns its length, 0 where it cannot be compared. */
static __always_inline __u32 ag_spell_unix(struct ag_unix_call *c)
{
	volatile __u32 *offset = &c->out;
	__u32 bytes = c->name_bytes, out;

	if (!bytes || bytes > AG_UNIX_PATH_MAX)
		return 0;
	if (!c->name[0]) { /* abstract, as rules write it */
		c->text[0] = '@';
		bpf_probe_read_kernel(c->text + 1, (bytes - 1) & 127, c->name + 1);
		return bytes;
	}
	*offset = 0;
	if (c->name[0] != '/') {
		out = ag_put_cwd(c);
		c->text[out & 511] = '/';
		*offset = out + 1;
	}
	bpf_loop(bytes, ag_spell_step, &c, 0);
	ag_end_component(c);
	out = *offset;
	if (out > 1 && c->text[(out - 1) & 511] == '/')
		out--;
	return c->undecidable ? 0 : out & 511;
}

/* Decides by the address in kernel memory, of any call. Returns 1 where it may go on. Verified once for all hooks. */
__noinline int ag_decide_unix(__u64 address, __u32 length, __u32 action)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct ag_control *control = ag_get_control();
	__u32 slot, zero = 0, bytes = length > 2 ? length - 2 : 0;
	struct ag_exec_policy *p;
	struct ag_unix_call *c;
	long n;

	if (id >> 32 == ag_self || !control)
		return 1;
	slot = control->slot & 1;
	p = bpf_map_lookup_elem(&unix_policy, &slot);
	if (!p || !p->rules)
		return 1;
	c = bpf_map_lookup_elem(&unix_blank, &zero);
	if (!c || bpf_map_update_elem(&unix_calls, &id, c, BPF_ANY))
		goto lost;
	c = bpf_map_lookup_elem(&unix_calls, &id);
	if (!c)
		goto lost;
	c->action = action;
	c->generation = p->generation;
	if (bytes > AG_UNIX_PATH_MAX)
		bytes = AG_UNIX_PATH_MAX;
	AG_BARRIER(bytes);
	if (bytes > AG_UNIX_PATH_MAX || bpf_probe_read_kernel(c->name, bytes, (void *)(address + 2)))
		goto lost;
	c->name_bytes = bytes;
	if (c->name[0]) {
		n = bpf_probe_read_kernel_str(c->name, AG_UNIX_PATH_MAX + 1, c->name);
		c->name_bytes = n > 0 && n <= bytes ? n - 1 : bytes;
	}
	ag_match_unix(&c->keys, c->text, ag_spell_unix(c), slot);
	return c->keys.verdict != AG_VERDICT_DENY;
lost:
	/* Nobody can tell whether a rule speaks of it. */
	ag_count_loss(AG_OP_UNIX, AG_LOSS_MAP_FULL);
	return 0;
}

static __always_inline int ag_unix_hook(struct bpf_sock_addr *ctx, __u32 action)
{
	struct bpf_sock_addr_kern *kern = (struct bpf_sock_addr_kern *)ctx;

	return ag_decide_unix((__u64)BPF_CORE_READ(kern, uaddr), BPF_CORE_READ(kern, uaddrlen), action) != 0;
}

/* User space gives these two their real type before load: this libbpf has no names for them. */
SEC("cgroup/connect4")
int ag_connect_unix(struct bpf_sock_addr *ctx)
{
	return ag_unix_hook(ctx, AG_UNIX_CONNECT);
}

SEC("cgroup/sendmsg4")
int ag_sendmsg_unix(struct bpf_sock_addr *ctx)
{
	return ag_unix_hook(ctx, AG_UNIX_SEND);
}

#endif
