/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the BPF programs and user space agree on: record layouts, map keys and values, numbers.
 * Described once, here; probes/abi.gen.ts is generated from this file's BTF.
 * Fixed-width types, natural alignment, explicit padding, no `packed`. Retired numbers stay retired.
 */
#ifndef AGENTGUARD_ABI_H
#define AGENTGUARD_ABI_H

/* Written into every record; user space refuses any other. */
enum ag_abi {
	AG_ABI_VERSION = 2,
};

enum ag_limit {
	AG_PATH_MAX = 4096,        /* bytes of one path, with its NUL */
	AG_NAME_MAX = 255,         /* bytes of one file name */
	AG_ARGS_INLINE_MAX = 4096, /* bytes of argv inside the exec record */
	AG_ARGS_CHUNK_MAX = 16384, /* bytes of argv in one continuation record */
	AG_ARGS_CHUNKS_MAX = 4,    /* continuation records of one exec */
	AG_ARGS_MAX = 65536,       /* bytes of argv kept of one exec */
	AG_PATH_DEPTH_MAX = 128,   /* components of one path walk */
	AG_KEY_PATH_MAX = 248,     /* bytes of a path that a policy map can hold */
	AG_NET_WORDS = 4,          /* 64-bit words of a rule bit vector */
	AG_NET_RULES_MAX = 256,
	AG_FDS_MAX = 65536, /* descriptors whose bytes are counted, per process */
	AG_CGROUP_NAME_MAX = 128,
	AG_UNIX_PATH_MAX = 108,
	AG_HASH_BYTES_MAX = 65536, /* bytes of argv that a grant's hash covers */
	AG_DECISION_BYTES = 16,    /* a ULID */
	AG_GRANTS_MAX = 16384,
	AG_SCOPE_MASK = 0x7fffffff, /* of ag_record.scope; the bit above says that calls of the task are held */
};

enum ag_op {
	AG_OP_EXEC = 1,
	AG_OP_EXEC_ARGS = 2,
	AG_OP_EXEC_FAILED = 3,
	AG_OP_FORK = 4,
	AG_OP_EXIT = 5,
	AG_OP_OPEN = 6,
	AG_OP_CLOSE = 7,
	AG_OP_PATH = 8, /* one name: delete, mkdir, ... (enum ag_path_action) */
	AG_OP_MOVE = 9, /* two names: rename, link, symlink (enum ag_move_action) */
	AG_OP_NET = 10,
	AG_OP_UNIX = 11,
	AG_OP_COVERAGE = 12, /* an ABI or interface that the probes cannot see through */
	AG_OP_SCOPE = 13,    /* cgroup and task tree disagree */
	AG_OP_DECIDED = 14,  /* the next record of this thread is what came of a held call */
	AG_OP_REFUSED = 15,  /* a security hook refused an action */
	AG_OP_COUNT = 16,
};

enum ag_ring {
	AG_RING_DECISIONS = 0,
	AG_RING_TELEMETRY = 1,
	AG_RING_COUNT = 2,
};

/* Why a record, or a part of one, is missing; counted per op. */
enum ag_loss {
	AG_LOSS_RING_FULL = 0,
	AG_LOSS_FAULT = 1, /* user or kernel memory could not be read */
	AG_LOSS_MAP_FULL = 2,
	AG_LOSS_SCRATCH = 3,
	AG_LOSS_DEPTH = 4, /* path deeper or longer than the walk */
	AG_LOSS_COUNT = 5,
};

/* Header flags. */
enum ag_flag {
	AG_FLAG_PATH_TRUNCATED = 1,
	AG_FLAG_BASE = 2,            /* `path` is the directory that `requested` is relative to, not the object */
	AG_FLAG_REQUESTED_FAULT = 4, /* `requested` could not be read */
	AG_FLAG_ARGS_TRUNCATED = 8,
	AG_FLAG_ARGS_MORE = 16,   /* EXEC_ARGS records follow */
	AG_FLAG_AGENT_START = 32, /* this exec matched an [[agent]] entry: a new scope begins */
	AG_FLAG_BASE2 = 64,
	AG_FLAG_UNHASHED = 128, /* the object has no name any more */
};

struct ag_record {
	__u32 size; /* bytes, header included */
	__u16 op;
	__u8 abi;
	__u8 flags;
	__u32 cpu;
	__u32 scope;
	__u64 seq;     /* counts this ring's records of this CPU, lost ones included */
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u32 pid;     /* process, as numbered in the guard's pid namespace; 0: not visible there */
	__u32 tid;
	__u64 start_ns; /* group leader's start_boottime: with pid the identity */
};

enum ag_exec_flag {
	AG_EXEC_MEMFD = 1,
	AG_EXEC_DELETED = 2,
	AG_EXEC_SETUID = 4,
	AG_EXEC_SCRIPT = 8,
	AG_EXEC_AT_FD = 16,
};

enum ag_verdict {
	AG_VERDICT_NONE = 0, /* the kernel had nothing to decide */
	AG_VERDICT_ALLOW = 1,
	AG_VERDICT_DENY = 2,
	AG_VERDICT_DENY_FAILED = 3, /* forbidden, and the signal could not be sent */
};

/* What became of the grant of a held program start. Where it is not SAME, the program is killed. */
enum ag_grant_state {
	AG_GRANT_NONE = 0, /* the start was not held */
	AG_GRANT_SAME = 1,
	AG_GRANT_MISSING = 2,   /* the caller's starts are held, and nobody let this one go */
	AG_GRANT_DIFFERENT = 3, /* what came up is not what was decided */
	AG_GRANT_EXPIRED = 4,
};

enum ag_grant_flag {
	AG_GRANT_WHOLE = 1,    /* the hash covers all of argv */
	AG_GRANT_SCRIPT = 2,   /* the image is the interpreter of a script */
	AG_GRANT_APPROVED = 4, /* somebody answered: the kernel's own rules are not asked again */
	AG_GRANT_DECIDED = 8,  /* `decision` is set */
	AG_GRANT_REFUSED = 16, /* no grant at all: only tells whose decision the failed call was */
};

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
	__u32 reserved;
};

/* The path follows; a leading NUL means abstract. */
struct ag_unix {
	struct ag_record h;
	__s32 result;
	__u32 path_bytes;
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
	AG_FILE_CGROUP = 43,   /* a write to a cgroup that is not the session's */
};

enum ag_refused_flag {
	AG_REFUSED_OBJECT = 1,      /* the object is a rule's, its name is not */
	AG_REFUSED_UNDECIDABLE = 2, /* the path is deeper or longer than can be compared */
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

/* Which calls of a task wait for the guard. */
enum ag_held {
	AG_HELD_EXEC = 1, /* every program start needs a grant */
	AG_HELD_CALLS = 2,
};

/* Before the record of a held call that was decided for itself. */
struct ag_decided {
	struct ag_record h;
	__u8 decision[AG_DECISION_BYTES];
	__u32 flags; /* enum ag_grant_flag */
	__u32 nr;
};

/* Task storage: which session a task belongs to. */
struct ag_scope {
	__u64 cgroup_id; /* the session's leaf, 0 without one */
	__u32 scope;
	__u32 reported; /* bits 1 << ag_coverage_kind */
	__u64 start_ns; /* of the process, as in records */
	__u32 held;     /* enum ag_held */
	__u32 reserved;
};

/*
 * One held call that was let go, by thread. `hash` and `name_hash` are SipHash-2-4 with the key of this load: who may
 * choose the arguments cannot find two lists with one hash.
 */
struct ag_grant {
	__u8 decision[AG_DECISION_BYTES];
	__u64 ino; /* of the image that must come up */
	__u64 hash;
	__u64 name_hash;  /* of the name in execve */
	__u64 expires_ns; /* CLOCK_BOOTTIME */
	__u32 dev;
	__u32 hashed_bytes; /* of argv */
	__u32 flags;        /* enum ag_grant_flag */
	__u32 nr;           /* the system call */
};

/* Per CPU. */
struct ag_cpu {
	__u64 seq[AG_RING_COUNT];
	__u64 lost[AG_OP_COUNT][AG_LOSS_COUNT];
};

/* Bytes through one descriptor. */
struct ag_file_key {
	__u32 pid;
	__u32 fd;
};

struct ag_file_bytes {
	__u64 file; /* identity of the struct file */
	__u64 ino;
	__u64 read_bytes;
	__u64 written_bytes;
	__u32 dev;
	__u32 reserved;
};

/* Policy maps. Every key begins with the slot (0 or 1) of its generation. */
struct ag_exec_key {
	__u32 slot;
	__u32 base_name; /* 1: `path` is a base name */
	char path[AG_KEY_PATH_MAX];
};

struct ag_tree_key {
	__u32 prefix_bits;
	__u32 slot;
	char path[AG_KEY_PATH_MAX];
};

struct ag_exec_rule {
	__u32 verdict; /* enum ag_verdict */
	__s32 rule_index;
};

struct ag_v4_key {
	__u32 prefix_bits;
	__u32 slot;
	__u8 address[4];
};

struct ag_v6_key {
	__u32 prefix_bits;
	__u32 slot;
	__u8 address[16];
};

struct ag_port_key {
	__u32 prefix_bits;
	__u32 slot;
	__u8 port[2]; /* big endian */
	__u8 pad[2];
};

struct ag_rule_bits {
	__u64 word[AG_NET_WORDS];
};

/* Protocols that rules tell apart. */
enum ag_protocol {
	AG_PROTOCOL_TCP = 0,
	AG_PROTOCOL_UDP = 1,
	AG_PROTOCOL_OTHER = 2,
	AG_PROTOCOL_COUNT = 3,
};

/* How the text of an ag_exec_key is compared. */
enum ag_name_kind {
	AG_NAME_PATH = 0,
	AG_NAME_BASE = 1,      /* the last component */
	AG_NAME_EXTENSION = 2, /* of the last component, with the dot */
};

/* An object that rules name, by what the kernel knows it by. */
struct ag_object_key {
	__u64 ino;
	__u32 dev;
	__u32 slot;
};

struct ag_object {
	struct ag_rule_bits self;  /* rules that hold for the object under every name */
	struct ag_rule_bits below; /* rules that hold for all that is below it */
	struct ag_exec_rule exec;  /* rule about the program, verdict 0: none */
};

/* What all file rules of one slot share: bit i is rule i. All of them refuse. */
struct ag_file_policy {
	__u32 generation;
	__u32 rules;
	__u32 objects; /* entries of file_objects when the slot was filled */
	__u32 reserved;
	struct ag_rule_bits action[AG_FILE_ACTION_COUNT];
	__s32 rule_index[AG_NET_RULES_MAX];
};

/* What all network rules of one slot share: bit i is rule i. */
struct ag_net_policy {
	__u32 generation;
	__u32 rules;
	__u32 deny_by_default[AG_NET_ACTION_COUNT];
	struct ag_rule_bits action[AG_NET_ACTION_COUNT];
	struct ag_rule_bits protocol[AG_PROTOCOL_COUNT];
	struct ag_rule_bits deny;
	struct ag_rule_bits allow;
	struct ag_rule_bits except;
	struct ag_rule_bits except_protocol[AG_PROTOCOL_COUNT];
	__s32 rule_index[AG_NET_RULES_MAX];
};

struct ag_exec_policy {
	__u32 generation;
	__u32 rules;
	__u32 deny_by_default;
	__u32 reserved;
};

/* Set before load; the verifier prunes by it. */
struct ag_config {
	__u32 self;      /* the guard in the initial pid namespace: the first instruction of each program excludes it */
	__u32 has_cast;  /* 1 where the running kernel has bpf_rdonly_cast (Linux 6.2) */
	__u32 pid_level; /* depth of the guard's pid namespace; 0: the initial one */
	__u32 reserved;
	__u64 key[2]; /* of the hashes in grants: random, never told */
};

/* The guard as the kernel numbers it, see ag_whoami. */
struct ag_self_number {
	__u32 tgid; /* in the initial pid namespace */
	__u32 level;
};

/* What user space may change while the programs run. */
struct ag_control {
	__u32 slot;   /* active policy slot */
	__u32 agents; /* 1: look for [[agent]] programs among processes in no scope */
};

/* One task as the iterator reports it. */
struct ag_task {
	__u64 start_ns;
	__u64 parent_start_ns;
	__u64 cgroup_id;
	__u32 pid;
	__u32 ppid;
	__u32 uid;
	__u32 scope; /* 0: in none */
};

#endif
