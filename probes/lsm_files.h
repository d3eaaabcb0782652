/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Files: opened, changed, made, removed. */
#ifndef AGENTGUARD_LSM_FILES_H
#define AGENTGUARD_LSM_FILES_H

#include "lsm_deed.h"

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

/* Cgroups and the guard's entries in /proc, opened for writing. */
static __always_inline bool ag_is_control(struct file *file, const struct ag_deed *deed)
{
	struct ag_assault assault = {.mnt = deed->mnt, .dentry = deed->dentry, .detail = AG_FILE_WRITE};

	if (!ag_scope_of())
		return false;
	assault.action = ag_guarded_control(file);
	if (!assault.action)
		return false;
	ag_refuse_file(&assault);
	return true;
}

SEC("lsm/file_open")
int BPF_PROG(ag_lsm_open, struct file *file)
{
	struct ag_deed deed = {.own = 1, .action = AG_FILE_READ};
	__u32 flags = file->f_flags;
	int verdict;

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
	if (flags & AG_O_ACCMODE && ag_is_control(file, &deed))
		return -AG_EPERM;
	verdict = ag_decide(&deed);
	/* Opened for both: what the rules say of reading counts, too. */
	if (verdict != 0 || deed.action != AG_FILE_WRITE || (flags & AG_O_ACCMODE) != 2)
		return verdict;
	deed.action = AG_FILE_READ;
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
