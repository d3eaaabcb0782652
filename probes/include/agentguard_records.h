/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Records, each behind its header. Part of the ABI: include agentguard_abi.h. */
#ifndef AGENTGUARD_RECORDS_H
#define AGENTGUARD_RECORDS_H

/* Strings follow: path, cwd, requested, cgroup, argv (NUL-separated); none carries a final NUL but argv. */
struct ag_exec {
	struct ag_record h;
	__u64 parent_start_ns;
	__u32 ppid;
	__u32 uid;
	__u64 ino;
	__u32 dev;
	__u32 exec_flags;
	__u64 cgroup_id;
	__u64 exec_id; /* joins EXEC_ARGS */
	__u32 argv_bytes_total;
	__u32 argv_bytes; /* in this record */
	__u16 path_bytes;
	__u16 cwd_bytes;
	__u16 requested_bytes;
	__u16 cgroup_bytes;
	__s32 rule_index;
	__u32 generation;
	__u32 verdict;
	__u32 agent_index;
	__u32 grant;       /* enum ag_grant_state */
	__u32 grant_flags; /* enum ag_grant_flag */
	__u8 decision[AG_DECISION_BYTES];
};

/* argv bytes follow. */
struct ag_exec_args {
	struct ag_record h;
	__u64 exec_id;
	__u32 offset;
	__u32 bytes;
	__u32 last;
	__u32 reserved;
};

/* Strings follow: path (base), requested. */
struct ag_exec_failed {
	struct ag_record h;
	__s32 result;
	__u16 path_bytes;
	__u16 requested_bytes;
	__u8 decision[AG_DECISION_BYTES]; /* of a held start; else zero */
};

struct ag_fork {
	struct ag_record h; /* pid: the parent */
	__u64 child_start_ns;
	__u32 child_pid;
	__u32 uid;
};

struct ag_exit {
	struct ag_record h;
	__u32 wait_status; /* as wait(2) gives it */
	__u32 reserved;
};

/* Strings follow: path, requested, base (the directory that a relative request begins from). */
struct ag_open {
	struct ag_record h;
	__u64 ino;
	__u32 dev;
	__s32 result;     /* descriptor, or negative errno */
	__u32 open_flags; /* as asked for */
	__u32 created;    /* 1: this call made the file */
	__u16 path_bytes;
	__u16 requested_bytes;
	__u16 base_bytes;
	__u16 reserved;
};

struct ag_close {
	struct ag_record h;
	__u64 ino;
	__u64 read_bytes;
	__u64 written_bytes;
	__u32 dev;
	__u32 fd;
};

enum ag_path_action {
	AG_PATH_DELETE = 1,
	AG_PATH_RMDIR = 2,
	AG_PATH_MKDIR = 3,
	AG_PATH_CHMOD = 4,
	AG_PATH_CHOWN = 5,
	AG_PATH_TRUNCATE = 6,
	AG_PATH_MKNOD = 7,
	AG_PATH_LCHOWN = 8, /* chown of a symbolic link itself */
};

/* Strings follow: path, requested. */
struct ag_path {
	struct ag_record h;
	__u32 action;
	__s32 result;
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u16 path_bytes;
	__u16 requested_bytes;
};

enum ag_move_action {
	AG_MOVE_RENAME = 1,
	AG_MOVE_LINK = 2,
	AG_MOVE_SYMLINK = 3,
};

/* Strings follow: path, requested, new path, new requested. */
struct ag_move {
	struct ag_record h;
	__u32 action;
	__s32 result;
	__u16 path_bytes;
	__u16 requested_bytes;
	__u16 new_path_bytes;
	__u16 new_requested_bytes;
};

enum ag_net_action {
	AG_NET_CONNECT = 0,
	AG_NET_SEND = 1,
	AG_NET_BIND = 2,
	AG_NET_LISTEN = 3,
	AG_NET_ACTION_COUNT = 4,
};

struct ag_net {
	struct ag_record h;
	__u8 address[16]; /* 4 bytes for family 4 */
	__u16 port;       /* host order */
	__u8 family;      /* 4 or 6 */
	__u8 action;
	__u8 protocol; /* IPPROTO_* */
	__u8 verdict;
	__u8 has_result;
	__u8 source; /* 0: the kernel's copy of the address; 1: user memory after the call */
	__s32 result;
	__s32 rule_index;
	__u32 generation;
	__u32 flags;      /* enum ag_net_flag */
	__u64 decided_ns; /* CLOCK_BOOTTIME of the decision, with AG_NET_NAMED only */
};

enum ag_net_flag {
	AG_NET_NAMED = 1,     /* the address had a name that held when the kernel decided */
	AG_NET_UNGRANTED = 2, /* refused: nobody let the call go */
	AG_NET_OTHER = 4,     /* refused: another address was let go */
};

struct ag_dns_answer {
	__u8 address[16]; /* 4 bytes for family 4; a mapped IPv4 address counts as family 4 */
	__u8 family;      /* 4 or 6 */
	__u8 pad[3];
};

/*
 * An answer that the kernel learned from, sent before the packet goes on. No process: pid, tid and start are 0, the
 * scope is that of the socket's cgroup. The names hold until the header's time plus `ttl_s` within AG_DNS_TTL_S_*.
 */
struct ag_dns {
	struct ag_record h;
	__u32 generation; /* of the policy whose rules the kernel gave to the addresses */
	__u32 ttl_s;      /* the least of the answers kept, as it was sent */
	__u8 name_length;
	__u8 count; /* of `answer` */
	__u8 cut;   /* 1: the message has more addresses */
	__u8 flags; /* none yet */
	__u32 reserved;
	struct ag_dns_answer answer[AG_DNS_ANSWERS_MAX];
	char name[256]; /* lower case, without the final dot */
};

enum ag_unix_action {
	AG_UNIX_CONNECT = 0,
	AG_UNIX_SEND = 1,
};

/*
 * Strings follow: path as the call gave it (a leading NUL means abstract), base (the directory that a relative one
 * begins from), peer (the path of the socket that was reached).
 */
struct ag_unix {
	struct ag_record h;
	__s32 result;
	__s32 rule_index;
	__u32 generation;
	__u32 verdict;
	__u32 action;
	__u32 ended; /* 1: the socket was reached, and its caller was sent SIGKILL */
	__u16 path_bytes;
	__u16 base_bytes;
	__u16 peer_bytes;
	__u16 reserved;
};

enum ag_coverage_kind {
	AG_COVERAGE_I386 = 1,
	AG_COVERAGE_X32 = 2,
	AG_COVERAGE_IO_URING = 3,
};

struct ag_coverage {
	struct ag_record h;
	__u32 kind;
	__u32 syscall;
};

/* What a security hook decides about; the first ones are bit vectors of rules in ag_file_policy. */
enum ag_file_action {
	AG_FILE_READ = 0,
	AG_FILE_WRITE = 1,
	AG_FILE_CREATE = 2,
	AG_FILE_TRUNCATE = 3,
	AG_FILE_DELETE = 4,
	AG_FILE_MKDIR = 5,
	AG_FILE_RMDIR = 6,
	AG_FILE_CHMOD = 7,
	AG_FILE_CHOWN = 8,
	AG_FILE_MKNOD = 9,
	AG_FILE_RENAME = 10,
	AG_FILE_LINK = 11,
	AG_FILE_SYMLINK = 12,
	AG_FILE_UNIX_CONNECT = 13,
	AG_FILE_ACTION_COUNT = 14,
	AG_FILE_EXEC = 32,     /* decided by the rules of programs */
	AG_FILE_MAP_EXEC = 33, /* a forbidden program mapped as code by another one */
	AG_FILE_SIGNAL = 40,   /* a signal to the guard */
	AG_FILE_TRACE = 41,    /* access to the guard's memory and descriptors */
	AG_FILE_BPF = 42,      /* the bpf system call */
	AG_FILE_CGROUP = 43,   /* a write to a cgroup */
	AG_FILE_OWN = 44,      /* the guard's own files */
	AG_FILE_CONTROL = 45,  /* limits, priority and processors of the guard */
	AG_FILE_SCRIPT = 46,   /* another file under the name of a script that was let go */
};

enum ag_refused_flag {
	AG_REFUSED_OBJECT = 1,      /* the object is a rule's, its name is not */
	AG_REFUSED_UNDECIDABLE = 2, /* the path is deeper or longer than can be compared */
	AG_REFUSED_FAILED = 4,      /* the caller could not be ended */
};

/* Strings follow: path, new path (of a rename or a link) or requested name (of a program). */
struct ag_refused {
	struct ag_record h;
	__u64 ino;
	__u32 dev;
	__u32 action; /* enum ag_file_action */
	__s32 rule_index;
	__u32 generation;
	__u32 flags;
	__u32 detail; /* mode, signal, bpf command */
	__u32 target; /* pid of the process that was meant */
	__u16 path_bytes;
	__u16 new_path_bytes;
};

enum ag_scope_kind {
	AG_SCOPE_LEFT_CGROUP = 1,
	AG_SCOPE_ENTERED_CGROUP = 2,
};

/* The cgroup's path below the mount follows. */
struct ag_scope_change {
	struct ag_record h;
	__u64 cgroup_id;
	__u32 kind;
	__u32 path_bytes;
};

#endif
