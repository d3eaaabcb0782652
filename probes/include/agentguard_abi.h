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
	AG_ABI_VERSION = 3,
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
	AG_OWN_MAX = 64,    /* files and directories of the guard's own */
	AG_FDS_MAX = 65536, /* descriptors whose bytes are counted, per process */
	AG_CGROUP_NAME_MAX = 128,
	AG_UNIX_PATH_MAX = 108,
	AG_HASH_BYTES_MAX = 65536, /* bytes of argv that a grant's hash covers */
	AG_DECISION_BYTES = 16,    /* a ULID */
	AG_GRANTS_MAX = 16384,
	AG_DNS_ANSWERS_MAX = 16,   /* addresses kept of one DNS message */
	AG_DNS_NAME_MAX = 246,     /* bytes of a host name, without the final dot; longer ones are not looked at */
	AG_HOST_KEY_BYTES = 248,   /* a name from its end, then NUL */
	AG_DNS_TTL_S_MIN = 60,     /* a name holds for at least so long */
	AG_DNS_TTL_S_MAX = 86400,  /* and at most so long */
	AG_ADDR_NAMES_MAX = 16384, /* addresses with names, of both slots */
	AG_RESOLVERS_MAX = 64,
	AG_NAME_CELLS = 6,           /* kinds of names that one address has at once */
	AG_HOST_PATTERNS_MAX = 4096, /* of one slot */
	AG_HOST_SETS_MAX = 4097,     /* of one slot; set 0 is that of names that no rule asks for */
	AG_SCOPE_MASK = 0x7fffffff,  /* of ag_record.scope; the bit above says that calls of the task are held */
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
	AG_OP_DNS = 16,      /* an answer of a resolver came in for a guarded process */
	AG_OP_COUNT = 17,
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
	AG_GRANT_NET = 32,     /* of an address */
};

#include "agentguard_records.h"
#include "agentguard_state.h"

#endif
