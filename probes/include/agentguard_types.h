/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The few kernel types that the programs read, with only the fields that they read. Offsets are relocated
 * at load against the running kernel's BTF (CO-RE), so order and size here mean nothing.
 * The UAPI part is copied down to the used members; its layout is fixed by the kernel's ABI.
 */
#ifndef AGENTGUARD_TYPES_H
#define AGENTGUARD_TYPES_H

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
enum { false = 0, true = 1 };

/* UAPI: include/uapi/linux/bpf.h */
enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum { BPF_F_NO_PREALLOC = 1 };
enum { BPF_LOCAL_STORAGE_GET_F_CREATE = 1 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};

struct bpf_sock_addr {
	__u32 user_family;
	__u32 user_ip4;    /* network order */
	__u32 user_ip6[4]; /* network order */
	__u32 user_port;   /* network order, in the low 16 bits */
	__u32 family;
	__u32 type;
	__u32 protocol;
	__u32 msg_src_ip4;    /* network order; what the datagram is to come from */
	__u32 msg_src_ip6[4]; /* network order */
	union {
		struct bpf_sock *sk;
		__u64 : 64;
	} __attribute__((aligned(8)));
};

/* include/uapi/linux/bpf.h, as far as it is read here. */
struct bpf_sock {
	__u32 bound_dev_if;
	__u32 family;
	__u32 type;
	__u32 protocol;
	__u32 mark;
	__u32 priority;
	__u32 src_ip4;    /* network order */
	__u32 src_ip6[4]; /* network order */
};

struct __sk_buff {
	__u32 len, pkt_type, mark, queue_mapping;
	__u32 protocol; /* ETH_P_*, network order */
	__u32 vlan_present, vlan_tci, vlan_proto, priority, ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid;
	__u32 data, data_end, napi_id, family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port,
		local_port;
	__u32 data_meta;
	__u64 flow_keys, tstamp;
	__u32 wire_len, gso_segs;
	union {
		struct bpf_sock *sk;
		__u64 : 64;
	} __attribute__((aligned(8)));
};

#define AG_AF_UNIX 1
#define AG_AF_INET 2
#define AG_AF_INET6 10
#define AG_AT_FDCWD (-100)
#define AG_AT_SYMLINK_NOFOLLOW 0x100
#define AG_AT_REMOVEDIR 0x200
#define AG_AT_EMPTY_PATH 0x1000
#define AG_O_CREAT 0100
#define AG_FMODE_CREATED 0x100000 /* include/linux/fs.h */
#define AG_S_IFMT 0170000
#define AG_S_IFREG 0100000
#define AG_S_IFSOCK 0140000
#define AG_IPPROTO_TCP 6
#define AG_IPPROTO_UDP 17
#define AG_IPPROTO_UDPLITE 136
#define AG_SOCK_RAW 3
#define AG_ETH_P_IP 0x0800
#define AG_ETH_P_IPV6 0x86DD
#define AG_S_IFDIR 0040000
#define AG_O_ACCMODE 3
#define AG_O_TRUNC 01000
#define AG_FMODE_EXEC 0x20 /* __FMODE_EXEC in f_flags: opened to run it */
#define AG_PROT_EXEC 4
#define AG_VM_EXEC 4 /* include/linux/mm.h */
#define AG_CGROUP2_MAGIC 0x63677270
#define AG_CGROUP1_MAGIC 0x27e0eb
#define AG_PROC_MAGIC 0x9fa0
#define AG_CLONE_INTO_CGROUP 0x200000000ULL
#define AG_PTRACE_MODE_NOAUDIT 4 /* include/linux/ptrace.h: somebody only asks, as ps does */
#define AG_EPERM 1
#define AG_SIGKILL 9
#define AG_ERESTARTSYS 512 /* include/linux/errno.h: never seen by user space */
#define AG_ERESTART_RESTARTBLOCK 516
#define AG_SIGNAL_GROUP_EXIT 4 /* include/linux/sched/signal.h */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r10, r9, r8, dx, si, di, orig_ax;
};
struct thread_info {
	__u32 status;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	__u64 regs[31];
	__u64 orig_x0;
	__s32 syscallno;
};
struct thread_info {
	unsigned long flags;
};
#else
#error "name the target architecture: -D__TARGET_ARCH_x86 or -D__TARGET_ARCH_arm64"
#endif

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	__u32 val;
} kuid_t;

typedef struct {
	__u32 val;
} kgid_t;

typedef struct {
	__u64 val;
} kernel_cap_t;

struct qstr {
	union {
		struct {
			__u32 hash;
			__u32 len;
		};
	};
	const unsigned char *name;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
};

struct inode {
	__u16 i_mode;
	unsigned long i_ino;
	struct super_block *i_sb;
	unsigned int i_nlink;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	unsigned int f_mode;
	unsigned int f_flags;
	void *private_data;
	struct inode *f_inode;
	struct path f_path;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct fs_struct {
	int umask;
	struct path root;
	struct path pwd;
};

struct mm_struct {
	struct file *exe_file;
	unsigned long arg_start;
	unsigned long arg_end;
};

struct signal_struct {
	atomic_t live;
	unsigned int flags;
	int group_exit_code;
};

struct group_info {
	int ngroups;
	kgid_t gid[1];
};

struct cred {
	kuid_t uid;
	kuid_t euid;
	kuid_t fsuid;
	kgid_t fsgid;
	kernel_cap_t cap_effective;
	struct group_info *group_info;
};

struct kernfs_node {
	const char *name;
	__u64 id;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct upid {
	int nr;
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct pid {
	unsigned int level;
	struct hlist_head tasks[1]; /* by kind, the thread with this number first */
	struct upid numbers[1];     /* one for each level */
};

struct task_struct {
	unsigned in_execve : 1;
	struct thread_info thread_info;
	int pid;
	int tgid;
	int exit_code;
	__u64 start_boottime;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	struct mm_struct *mm;
	struct fs_struct *fs;
	struct files_struct *files;
	struct signal_struct *signal;
	const struct cred *real_cred;
	const struct cred *cred;
	struct css_set *cgroups;
	struct pid *thread_pid;
	struct hlist_node pid_links[1];
};

struct proc_inode {
	struct pid *pid;
	struct inode vfs_inode;
};

struct linux_binprm {
	struct file *file;
	const char *filename;
	const char *interp;
};

struct vm_area_struct {
	unsigned long vm_flags;
	struct file *vm_file;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

/* User ABI of the calls that are decoded. */
struct ag_open_how {
	__u64 flags, mode, resolve;
};

#endif
