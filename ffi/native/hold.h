/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Held system calls: what the guard's native code finds out about one, for TypeScript to decide. One struct ag_hold
 * belongs to one thread. ffi/hold_layout.ts mirrors the structs; test/kernel/hold_layout_test.ts compares.
 */
#ifndef AG_HOLD_H
#define AG_HOLD_H

#include "hold_program.h"

#include <stdint.h>

#define AG_HOLD_PATH_BYTES 4096   /* PATH_MAX, NUL included */
#define AG_HOLD_ARGS_BYTES 65536  /* of argv that are read and hashed; AG_HASH_BYTES_MAX of the probes */
#define AG_HOLD_TEXT_BYTES 131072 /* all texts of one call: argv and ten paths */
#define AG_HOLD_GROUPS_MAX 1024   /* supplementary groups of a caller */
#define AG_HOLD_SCRIPTS_MAX 5     /* interpreters of interpreters (fs/exec.c) */
#define AG_HOLD_TASKS_MAX 64      /* callers that are remembered, two descriptors each */
#define AG_HOLD_SESSIONS_MAX 64   /* descriptors of one wait */
#define AG_HOLD_BASES_MAX 4       /* directories that stay open for a next relative name */
#define AG_HOLD_STEPS_MAX 4096    /* components of one name, those of its symbolic links included */

/* Who calls what. Identifiers are those of the guard's own namespaces. */
struct ag_hold_call {
	uint64_t id; /* of the notification */
	uint64_t args[6];
	int32_t nr;
	uint32_t tid;
	uint32_t tgid;
	uint32_t ppid;
	uint32_t uid; /* real */
	uint32_t fsuid;
	uint32_t fsgid;
	uint32_t umask;
	uint64_t caps;      /* effective */
	uint32_t inner_tid; /* in the caller's own pid namespace */
	uint32_t inner_tgid;
	uint32_t group_count;
	uint32_t groups[AG_HOLD_GROUPS_MAX];
	uint32_t serial; /* of the caller: two that differ have two, until they wrap */
};

enum ag_hold_change_flag {
	AG_HOLD_EXISTS = 1,     /* there is something at the (first) place */
	AG_HOLD_DIRECTORY = 2,  /* and it is a directory */
	AG_HOLD_NEW_EXISTS = 4, /* there is something at the second place */
	AG_HOLD_UNHASHED = 8,   /* the object has no name any more */
};

/* What a change would touch. */
struct ag_hold_change {
	uint64_t ino; /* as stat(2) tells them, of the object at the first place */
	uint64_t dev;
	uint64_t open_flags;
	uint32_t action; /* enum ag_hold_action */
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t flags; /* enum ag_hold_change_flag */
	uint32_t links;
	struct ag_hold_text requested, path, base;
	struct ag_hold_text new_requested, new_path, new_base;
	struct ag_hold_text cwd;
	struct ag_hold_text caller;
};

enum ag_hold_socket_action {
	AG_HOLD_CONNECT = 1,
	AG_HOLD_SEND = 2,
};

/* Where to a call goes. */
struct ag_hold_socket {
	uint8_t address[16]; /* 4 bytes for family 4 */
	uint32_t protocol;   /* IPPROTO_* */
	uint16_t port;       /* host order */
	uint8_t family;      /* 4 or 6; a mapped IPv4 address is one of family 4 */
	uint8_t action;      /* enum ag_hold_socket_action */
};

struct ag_hold {
	struct ag_hold_call call;
	struct ag_hold_exec exec;
	struct ag_hold_change change;
	uint32_t text_bytes;
	uint32_t reserved;
	char text[AG_HOLD_TEXT_BYTES];
};

/* A caller that is remembered, see hold_task.h. `tid` 0: nobody. */
struct ag_task {
	uint32_t tid;
	uint32_t serial;
	uint64_t start; /* nanoseconds since boot, where a program of the probes looked at it; else 0 */
	int dir_fd;     /* /proc/TID; -1 until somebody needs it */
	int status_fd;  /* /proc/TID/status; -1 where nobody reads it */
	uint64_t used;
};

/* Which directory of which mount something is; both exist for as long as a descriptor on them is open. */
struct ag_spot {
	uint64_t mount, ino;
	uint32_t dev_major, dev_minor;
};

/* The root of a caller, see hold_view.h. */
struct ag_view {
	int fd;
	struct ag_spot spot;
	int outside; /* names and paths below it mean from here what they mean to the caller */
	int entered; /* it is this thread's root now */
};

/* A session whose calls may be answered without TypeScript. `listener` -1: none. */
struct ag_hold_session {
	int32_t listener;
	int32_t serves;
	uint8_t *noted;              /* where the call that was received last is noted, 8 bytes; null: nowhere */
	struct needed_table *places; /* where its command may change files, by enum ag_hold_place; null: everywhere */
};

/* What a command may do below a place: bits of a table. The numbers are those of PLACES in ffi/held_serving.ts. */
enum ag_hold_place {
	AG_PLACE_WRITE = 1,
	AG_PLACE_WRITE_FILES = 2, /* to files that are there */
};

/* SipHash key of this load of the probes, and descriptors that stay open. Private to the native code. */
struct ag_hold_state {
	struct ag_hold hold;
	uint64_t key[2];
	int proc_fd; /* /proc */
	int self_fd; /* /proc/self/fd */
	int info_fd; /* /proc/self/fdinfo */
	int root_fd; /* this thread's own root and working directory */
	int cwd_fd;
	struct ag_spot root_spot;
	struct ag_task *task;     /* the caller, null where there is none; task_dir opens what /proc has of it */
	struct ag_looker *looker; /* see hold_look.h; null: /proc tells */
	struct ag_task tasks[AG_HOLD_TASKS_MAX];
	uint64_t turns;
	uint32_t serial;
	uint32_t umask; /* this thread's, as long as nobody else changes it */
	struct ag_view view;
	struct ag_pinned *fresh; /* its caller was there, and nothing else has happened since */
	struct ag_pinned *spare; /* memory for the next */
	/* Calls that are answered here, see hold_serve.h. */
	struct ag_hold_session sessions[AG_HOLD_SESSIONS_MAX];
	struct needed_table
		*rules; /* names that rules or the guard's own files need; null: everything is TypeScript's */
	struct needed_table *linked; /* objects that have names which rules know; null: nobody knows */
	uint64_t linked_until_ms;    /* CLOCK_MONOTONIC; later it has to be looked at again */
	/* Program starts that are answered here, see hold_start.h. */
	struct needed_table *starts; /* names that rules about them need; null: every start is TypeScript's */
	int grants_fd;
	int grants_by_process; /* the probes look for a grant by the caller's process, not its thread */
	int told;              /* hold.exec is about the call that was received last, but for who calls */
	struct ag_watch *watches[AG_HOLD_SESSIONS_MAX]; /* to which opens of the guard itself come, too; null: none */
	double *stats;           /* calls that were held and answered, two numbers that TypeScript reads */
	struct ag_pinned *ahead; /* the call that was received last is pinned already */
	int taken;               /* the listener of that call, until TypeScript has heard of it; or -1 */
	int taken_result;        /* what it is to hear */
	/* Who this thread is by itself; `is_other` while it acts for a caller. */
	uint64_t permitted, effective, inheritable;
	uint32_t fsuid, fsgid;
	int group_count, is_other;
	int reads_as_self; /* callers are closed to themselves here: what is read of them is read as the guard */
	uint32_t groups[AG_HOLD_GROUPS_MAX];
	/* Whom it acts for. */
	uint64_t acting_caps;
	uint32_t acting_fsuid, acting_fsgid;
	uint32_t acting_group_count;
	uint32_t acting_groups[AG_HOLD_GROUPS_MAX];
	char args[AG_HOLD_ARGS_BYTES + AG_HOLD_PATH_BYTES];
};

#endif
