/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which rules speak of a file: by its names from the top of the mount namespace, by the objects that it and the
 * directories above it are. A bind mount, a chroot, a rename of a parent or another hard link changes the names only.
 */
#ifndef AGENTGUARD_LSM_MATCH_H
#define AGENTGUARD_LSM_MATCH_H

#include "agentguard_path.h"

/* Hooks that can be interrupted by each other on one CPU, where the kernel is built to be preempted. */
#define AG_LSM_LEVELS 2
/* Steps of one climb: components, mounts, and what lies above the root of a part that is mounted somewhere. */
#define AG_CLIMB_MAX 512

/* What is found out about one action. Kept in memory: the verifier need not track it. */
struct ag_lsm {
	struct ag_exec_key name;
	struct ag_tree_key tree;
	struct ag_rule_bits names; /* rules that name the file */
	struct ag_rule_bits trees; /* of these, those that name a directory above it, by name or object */
	struct ag_rule_bits objects;
	struct ag_exec_rule exec; /* of the object itself */
	__u64 dentry, mnt;        /* where the next climb begins */
	__u32 undecidable;
	__u32 other_names; /* the object is no rule's by itself: its other names are not meant */
};

#define AG_LSM_MAP(name, map_type, entries, key_type, value_type, flags) \
	struct { \
		__uint(type, map_type); \
		__uint(max_entries, entries); \
		__uint(map_flags, flags); \
		__type(key, key_type); \
		__type(value, value_type); \
	} name SEC(".maps")

AG_LSM_MAP(lsm_state, BPF_MAP_TYPE_PERCPU_ARRAY, AG_LSM_LEVELS, __u32, struct ag_lsm, 0);
AG_LSM_MAP(lsm_scratch, BPF_MAP_TYPE_PERCPU_ARRAY, AG_LSM_LEVELS, __u32, struct ag_scratch, 0);
AG_LSM_MAP(lsm_level, BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, __u32, 0);
AG_LSM_MAP(file_policy, BPF_MAP_TYPE_ARRAY, 2, __u32, struct ag_file_policy, 0);
AG_LSM_MAP(file_names, BPF_MAP_TYPE_HASH, 32768, struct ag_exec_key, struct ag_rule_bits, BPF_F_NO_PREALLOC);
AG_LSM_MAP(file_trees, BPF_MAP_TYPE_LPM_TRIE, 32768, struct ag_tree_key, struct ag_rule_bits, BPF_F_NO_PREALLOC);
AG_LSM_MAP(file_objects, BPF_MAP_TYPE_HASH, 65536, struct ag_object_key, struct ag_object, BPF_F_NO_PREALLOC);

static __always_inline void ag_join(struct ag_rule_bits *into, const struct ag_rule_bits *bits)
{
	int w;

	if (!bits)
		return;
	for (w = 0; w < AG_NET_WORDS; w++)
		into->word[w] |= bits->word[w];
}

/* The key of a dentry's object; false where it has none. */
static __always_inline bool ag_object_key_of(struct ag_object_key *key, __u64 dentry, __u32 slot)
{
	__u64 inode, sb;

	AG_READ(inode, dentry, struct dentry, d_inode);
	if (!inode)
		return false;
	AG_READ(key->ino, inode, struct inode, i_ino);
	AG_READ(sb, inode, struct inode, i_sb);
	AG_READ(key->dev, sb, struct super_block, s_dev);
	key->slot = slot;
	return true;
}

static __always_inline void ag_begin_keys(struct ag_lsm *l, __u32 slot)
{
	__builtin_memset(&l->name, 0, sizeof(l->name));
	__builtin_memset(&l->tree, 0, sizeof(l->tree));
	l->name.slot = slot;
	l->tree.slot = slot;
}

struct ag_climb {
	__u64 dentry, mnt, mnt_root;
	__u64 detour; /* above the root of a mounted part of a file system */
	struct ag_scratch *s;
	struct ag_lsm *l;
	__u32 slot;
	__u32 top;
};

/* A directory above the file. */
static __always_inline void ag_meet_above(struct ag_climb *c, __u64 dentry)
{
	struct ag_object_key key = {};
	struct ag_object *o;

	if (!ag_object_key_of(&key, dentry, c->slot))
		return;
	o = bpf_map_lookup_elem(&file_objects, &key);
	if (!o)
		return;
	ag_join(&c->l->objects, &o->below);
	ag_join(&c->l->trees, &o->below);
}

static long ag_climb_step(__u32 index, void *context)
{
	struct ag_climb *c = context;
	/* In variables of their own: a relocation of a kernel type must not take the field of ours along. */
	__u64 dentry = c->detour ? c->detour : c->dentry, parent, m, up, mnt, root, name;
	__u32 length;

	if (c->top && !c->detour)
		return 1;
	AG_READ(parent, dentry, struct dentry, d_parent);
	if (c->detour) {
		ag_meet_above(c, dentry);
		c->detour = parent == dentry ? 0 : parent;
		return 0;
	}
	if (dentry == c->mnt_root || dentry == parent) {
		if (dentry != parent)
			c->detour = parent;
		m = c->mnt - bpf_core_field_offset(struct mount, mnt);
		AG_READ(up, m, struct mount, mnt_parent);
		if (up == m) {
			c->top = 1;
			return 0;
		}
		AG_READ(dentry, m, struct mount, mnt_mountpoint);
		mnt = up + bpf_core_field_offset(struct mount, mnt);
		AG_READ(root, mnt, struct vfsmount, mnt_root);
		c->dentry = dentry;
		c->mnt = mnt;
		c->mnt_root = root;
		ag_meet_above(c, dentry);
		return 0;
	}
	AG_READ(length, dentry, struct dentry, d_name.len);
	AG_READ(name, dentry, struct dentry, d_name.name);
	{
		volatile __u32 *offset = &c->s->walk_offset;
		__u32 at = *offset;

		length &= 255;
		if (at < length + 1) {
			c->s->walk_state = AG_WALK_CUT;
			return 1;
		}
		at -= length + 1;
		*offset = at;
		asm volatile("%0 &= 4095" : "+r"(at));
		c->s->walk[at] = '/';
		bpf_probe_read_kernel(c->s->walk + at + 1, length, (void *)name);
	}
	c->dentry = parent;
	ag_meet_above(c, parent);
	return 0;
}

/*
 * Climbs from (l->dentry, l->mnt), appends the path to the record at `at` and returns its length. Collects the objects'
 * rules. Sets l->undecidable where the top was not reached.
 */
__noinline __u32 ag_climb_path(__u32 level, __u32 at, __u32 slot)
{
	struct ag_scratch *s = bpf_map_lookup_elem(&lsm_scratch, &level);
	struct ag_lsm *l = bpf_map_lookup_elem(&lsm_state, &level);
	struct ag_climb c = {.s = s, .l = l, .slot = slot};
	__u32 from, length;
	__u64 mnt, root;

	if (!s || !l || at >= AG_RECORD_DATA)
		return 0;
	mnt = l->mnt;
	c.dentry = l->dentry;
	if (!c.dentry || !mnt)
		return 0;
	AG_READ(root, mnt, struct vfsmount, mnt_root);
	c.mnt = mnt;
	c.mnt_root = root;
	s->walk_offset = AG_PATH_MAX - 1;
	s->walk_state = AG_WALK_RUNNING;
	bpf_loop(AG_CLIMB_MAX, ag_climb_step, &c, 0);
	if (!c.top || c.detour)
		l->undecidable = 1;
	from = s->walk_offset;
	AG_BARRIER(at);
	if (at >= AG_RECORD_DATA)
		return 0;
	if (from == AG_PATH_MAX - 1) {
		s->record[at] = '/';
		return 1;
	}
	length = AG_PATH_MAX - 1 - from;
	length &= AG_PATH_MAX - 1;
	from &= AG_PATH_MAX - 1;
	bpf_probe_read_kernel(s->record + at, length, s->walk + from);
	return length;
}

struct ag_last {
	struct ag_lsm *l;
	char sought;
	__u32 behind; /* position behind the last one in the name; 0 without one */
};

static long ag_find_last(__u32 index, void *context)
{
	struct ag_last *last = context;

	if (index >= AG_KEY_PATH_MAX)
		return 1;
	if (last->l->name.path[index] == last->sought)
		last->behind = index + 1;
	return 0;
}

/* One key of `bytes` at `text`, in kernel memory: rules of that kind of name join what was found. */
static __always_inline void ag_match_name(struct ag_lsm *l, __u64 text, __u32 bytes, __u32 kind)
{
	AG_BARRIER(bytes);
	if (!bytes || bytes >= AG_KEY_PATH_MAX)
		return;
	__builtin_memset(l->name.path, 0, sizeof(l->name.path));
	bpf_probe_read_kernel(l->name.path, bytes, (void *)text);
	l->name.base_name = kind;
	ag_join(&l->names, bpf_map_lookup_elem(&file_names, &l->name));
}

/* A base name of `length` bytes at `name`, and its extension. */
static __always_inline void ag_match_base(struct ag_lsm *l, __u64 name, __u32 length)
{
	struct ag_last dot = {.l = l, .sought = '.'};

	if (!length || length >= AG_KEY_PATH_MAX)
		return;
	ag_match_name(l, name, length, AG_NAME_BASE);
	bpf_loop(length, ag_find_last, &dot, 0);
	if (dot.behind)
		ag_match_name(l, name + dot.behind - 1, length - (dot.behind - 1), AG_NAME_EXTENSION);
}

/*
 * Collects in l->names and l->objects the rules of the file whose path is in the record. `own`: the object itself
 * counts, too.
 */
__noinline int ag_match_file(__u32 level, __u32 at, __u32 bytes, __u32 slot, __u32 own)
{
	struct ag_scratch *s = bpf_map_lookup_elem(&lsm_scratch, &level);
	struct ag_lsm *l = bpf_map_lookup_elem(&lsm_state, &level);
	struct ag_rule_bits *found;
	struct ag_object_key key = {};
	struct ag_object *o;
	/* In a variable of its own: a relocation of a kernel type must not take the field of ours along. */
	__u64 dentry, text;
	__u32 head, length;

	if (!s || !l || !bytes || at >= AG_RECORD_DATA)
		return 0;
	head = bytes < AG_KEY_PATH_MAX - 1 ? bytes : AG_KEY_PATH_MAX - 1;
	AG_BARRIER(head);
	if (head >= AG_KEY_PATH_MAX)
		return 0;
	ag_begin_keys(l, slot);
	bpf_probe_read_kernel(l->tree.path, head, s->record + at);
	/* A directory is in its own tree: the entries end with a slash. */
	if (head == bytes) {
		bpf_probe_read_kernel(l->name.path, head, s->record + at);
		ag_join(&l->names, bpf_map_lookup_elem(&file_names, &l->name));
		l->tree.path[head] = '/';
		head++;
	}
	l->tree.prefix_bits = 32 + head * 8;
	found = bpf_map_lookup_elem(&file_trees, &l->tree);
	ag_join(&l->names, found);
	ag_join(&l->trees, found);
	dentry = l->dentry;
	AG_READ(length, dentry, struct dentry, d_name.len);
	AG_READ(text, dentry, struct dentry, d_name.name);
	ag_match_base(l, text, length);
	if (!own || !ag_object_key_of(&key, l->dentry, slot))
		return 0;
	o = bpf_map_lookup_elem(&file_objects, &key);
	if (!o)
		return 0;
	ag_join(&l->objects, &o->self);
	ag_join(&l->trees, &o->below);
	l->exec = o->exec;
	return 0;
}

#endif
