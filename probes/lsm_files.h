/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Files: opened, changed, made, removed, connected to. */
#ifndef AGENTGUARD_LSM_FILES_H
#define AGENTGUARD_LSM_FILES_H

#include "lsm_turn.h"

/* One action on a file, or on two. */
struct ag_deed {
	__u64 mnt, dentry, new_dentry;
	__u32 action, detail;
	__u32 own; /* the object counts under every name that it has */
};

/* Remembers the object of a file that gets another name: the rules of the old name go on to hold for it. */
static __always_inline bool ag_follow(struct ag_turn *t, __u64 dentry, __u32 others)
{
	struct ag_object_key key = {};
	struct ag_object fresh = {}, *known;
	int w;

	for (w = 0; w < AG_NET_WORDS; w++) {
		fresh.self.word[w] = t->l->names.word[w] | t->l->objects.word[w];
		fresh.below.word[w] = t->l->trees.word[w];
	}
	if (!(fresh.self.word[0] | fresh.self.word[1] | fresh.self.word[2] | fresh.self.word[3]))
		return true;
	if (!ag_object_key_of(&key, dentry, t->slot))
		return true;
	known = bpf_map_lookup_elem(&file_objects, &key);
	if (known) {
		ag_join(&known->self, &fresh.self);
		ag_join(&known->below, &fresh.below);
		return true;
	}
	return bpf_map_update_elem(&file_objects, &key, &fresh, BPF_ANY) == 0;
}

/* The first rule of all that were found that refuses the action; false where none does. */
static __always_inline bool ag_is_refused(struct ag_turn *t, const struct ag_file_policy *p, __u32 action)
{
	int w;

	if (action >= AG_FILE_ACTION_COUNT)
		return false;
	for (w = 0; w < AG_NET_WORDS; w++) {
		__u64 bits = (t->l->names.word[w] | t->l->objects.word[w]) & p->action[action].word[w];
		__u64 named = t->l->names.word[w] & bits;

		if (!bits)
			continue;
		if (!named)
			t->flags |= AG_REFUSED_OBJECT;
		t->rule_index = p->rule_index[(w * 64 + ag_lowest_bit(named ? named : bits)) & 255];
		return true;
	}
	if (!t->l->undecidable)
		return false;
	/* Nobody can tell whether a rule speaks of it. */
	t->flags |= AG_REFUSED_UNDECIDABLE;
	return true;
}

static __always_inline int ag_judge_file(struct ag_turn *t, struct ag_file_policy *p, const struct ag_deed *deed)
{
	struct ag_refused *r = (struct ag_refused *)t->s->record;
	__u32 at = sizeof(*r), bytes;
	struct ag_object_key key = {};

	t->l->dentry = deed->dentry;
	t->l->mnt = deed->mnt;
	bytes = ag_climb_path(t->level, at, t->slot) & (AG_PATH_MAX - 1);
	ag_match_file(t->level, at, bytes, t->slot, deed->own);
	r->path_bytes = bytes;
	r->new_path_bytes = 0;
	ag_object_key_of(&key, deed->dentry, 0);
	r->ino = key.ino;
	r->dev = key.dev;
	r->detail = deed->detail;
	r->target = 0;
	at += bytes;
	if (deed->new_dentry) {
		if (deed->action != AG_FILE_SYMLINK && !ag_follow(t, deed->dentry, 0)) {
			ag_count_loss(AG_OP_REFUSED, AG_LOSS_MAP_FULL);
			t->l->undecidable = 1;
		}
		t->l->dentry = deed->new_dentry;
		bytes = ag_climb_path(t->level, at, t->slot) & (AG_PATH_MAX - 1);
		ag_match_file(t->level, at, bytes, t->slot, 0);
		r->new_path_bytes = bytes;
		at += bytes;
	}
	if (!ag_is_refused(t, p, deed->action))
		return 0;
	ag_report_refusal(t, deed->action, at);
	return -AG_EPERM;
}

/* Every hook about files ends here: the verifier looks at it once. */
__noinline int ag_decide_file(struct ag_deed *deed)
{
	struct ag_turn t = {.rule_index = -1};
	struct ag_file_policy *p;
	struct ag_control *c;
	__u32 slot;
	int verdict;

	if (!deed)
		return 0;
	t.scope = ag_scope_of();
	c = ag_get_control();
	if (!t.scope || !c)
		return 0;
	slot = c->slot & 1;
	p = bpf_map_lookup_elem(&file_policy, &slot);
	if (!p || !p->rules)
		return 0;
	t.generation = p->generation;
	if (!ag_begin_turn(&t))
		return -AG_EPERM;
	t.slot = slot;
	verdict = ag_judge_file(&t, p, deed);
	ag_end_turn();
	return verdict;
}

/* The cheap answer first: most calls of a machine are nobody's. */
static __always_inline int ag_decide(struct ag_deed *deed)
{
	int verdict = ag_decide_file(deed);

	return verdict < 0 ? -AG_EPERM : 0;
}

static __always_inline bool ag_has_other_names(struct dentry *dentry)
{
	__u64 inode;
	__u32 links;

	AG_READ(inode, dentry, struct dentry, d_inode);
	if (!inode)
		return false;
	AG_READ(links, inode, struct inode, i_nlink);
	return links > 1;
}

SEC("lsm/file_open")
int BPF_PROG(ag_lsm_open, struct file *file)
{
	struct ag_deed deed = {.own = 1, .action = AG_FILE_READ};
	__u32 flags = file->f_flags;

	/* Making a file has a hook of its own, and so has running a program. */
	if (file->f_mode & AG_FMODE_CREATED || flags & AG_FMODE_EXEC)
		return 0;
	if (flags & AG_O_TRUNC)
		deed.action = AG_FILE_TRUNCATE;
	else if ((flags & AG_O_ACCMODE) == 1 || (flags & AG_O_ACCMODE) == 2)
		deed.action = AG_FILE_WRITE;
	deed.detail = flags;
	deed.mnt = (__u64)file->f_path.mnt;
	deed.dentry = (__u64)file->f_path.dentry;
	return ag_decide(&deed);
}

static __always_inline int ag_below(const struct path *dir, struct dentry *dentry, __u32 action, __u32 own)
{
	struct ag_deed deed = {.mnt = (__u64)dir->mnt, .dentry = (__u64)dentry, .action = action, .own = own};

	return ag_decide(&deed);
}

SEC("lsm/path_unlink")
int BPF_PROG(ag_lsm_unlink, const struct path *dir, struct dentry *dentry)
{
	/* With other names the object stays: only this name is meant. */
	return ag_below(dir, dentry, AG_FILE_DELETE, !ag_has_other_names(dentry));
}

SEC("lsm/path_rmdir")
int BPF_PROG(ag_lsm_rmdir, const struct path *dir, struct dentry *dentry)
{
	return ag_below(dir, dentry, AG_FILE_RMDIR, 1);
}

SEC("lsm/path_mkdir")
int BPF_PROG(ag_lsm_mkdir, const struct path *dir, struct dentry *dentry)
{
	return ag_below(dir, dentry, AG_FILE_MKDIR, 0);
}

SEC("lsm/path_mknod")
int BPF_PROG(ag_lsm_mknod, const struct path *dir, struct dentry *dentry, unsigned short mode)
{
	/* open with O_CREAT comes here, too. */
	bool regular = (mode & AG_S_IFMT) == AG_S_IFREG || !(mode & AG_S_IFMT);

	return ag_below(dir, dentry, regular ? AG_FILE_CREATE : AG_FILE_MKNOD, 0);
}

SEC("lsm/path_symlink")
int BPF_PROG(ag_lsm_symlink, const struct path *dir, struct dentry *dentry)
{
	return ag_below(dir, dentry, AG_FILE_SYMLINK, 0);
}

static __always_inline int ag_between(const struct path *new_dir, struct dentry *old, struct dentry *new, __u32 action,
				      __u32 own)
{
	struct ag_deed deed = {
		.mnt = (__u64)new_dir->mnt,
		.dentry = (__u64)old,
		.new_dentry = (__u64) new,
		.action = action,
		.own = own,
	};

	return ag_decide(&deed);
}

SEC("lsm/path_link")
int BPF_PROG(ag_lsm_link, struct dentry *old, const struct path *new_dir, struct dentry *new)
{
	return ag_between(new_dir, old, new, AG_FILE_LINK, 1);
}

SEC("lsm/path_rename")
int BPF_PROG(ag_lsm_rename, const struct path *old_dir, struct dentry *old, const struct path *new_dir,
	     struct dentry *new)
{
	return ag_between(new_dir, old, new, AG_FILE_RENAME, !ag_has_other_names(old));
}

static __always_inline int ag_at(const struct path *path, __u32 action)
{
	struct ag_deed deed = {.mnt = (__u64)path->mnt, .dentry = (__u64)path->dentry, .action = action, .own = 1};

	return ag_decide(&deed);
}

SEC("lsm/path_chmod")
int BPF_PROG(ag_lsm_chmod, const struct path *path)
{
	return ag_at(path, AG_FILE_CHMOD);
}

SEC("lsm/path_chown")
int BPF_PROG(ag_lsm_chown, const struct path *path)
{
	return ag_at(path, AG_FILE_CHOWN);
}

SEC("lsm/path_truncate")
int BPF_PROG(ag_lsm_truncate, const struct path *path)
{
	return ag_at(path, AG_FILE_TRUNCATE);
}

/* ftruncate, since Linux 6.2; before, the hook above sees it. */
SEC("lsm/file_truncate")
int BPF_PROG(ag_lsm_ftruncate, struct file *file)
{
	return ag_at(&file->f_path, AG_FILE_TRUNCATE);
}

static __always_inline int ag_to_peer(struct sock *other)
{
	struct ag_deed deed = {.own = 1, .action = AG_FILE_UNIX_CONNECT};

	AG_READ(deed.mnt, other, struct unix_sock, path.mnt);
	AG_READ(deed.dentry, other, struct unix_sock, path.dentry);
	/* A socket without a path, abstract or a pair, is named by no rule of the kernel. */
	if (!deed.mnt || !deed.dentry)
		return 0;
	return ag_decide(&deed);
}

SEC("lsm/unix_stream_connect")
int BPF_PROG(ag_lsm_unix_stream, struct sock *sock, struct sock *other)
{
	return ag_to_peer(other);
}

SEC("lsm/unix_may_send")
int BPF_PROG(ag_lsm_unix_send, struct socket *sock, struct socket *other)
{
	return ag_to_peer(other->sk);
}

/* The number of an object that is gone will be another's. */
SEC("lsm/inode_free_security")
int BPF_PROG(ag_lsm_forget, struct inode *inode)
{
	struct ag_object_key key = {};
	__u64 sb;
	__u32 links;

	AG_READ(links, inode, struct inode, i_nlink);
	if (links)
		return 0;
	AG_READ(key.ino, inode, struct inode, i_ino);
	AG_READ(sb, inode, struct inode, i_sb);
	AG_READ(key.dev, sb, struct super_block, s_dev);
	bpf_map_delete_elem(&file_objects, &key);
	key.slot = 1;
	bpf_map_delete_elem(&file_objects, &key);
	return 0;
}

#endif
