/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between the guard and the launcher, over one SOCK_SEQPACKET socket pair. Native byte order: both ends run on
 * one machine. ffi/launch_protocol.ts mirrors this file; test/kernel/launch_test.ts compiles this header and compares.
 */
#ifndef AG_LAUNCH_PROTOCOL_H
#define AG_LAUNCH_PROTOCOL_H

#include <stdint.h>

#define AG_LAUNCH_VERSION 8
#define AG_LAUNCH_PATH_BYTES 4096 /* PATH_MAX, NUL included */
#define AG_LAUNCH_FDS_MAX 1024    /* inherited descriptors >= 3 that the command keeps */
#define AG_LAUNCH_KEEP_NOFILE UINT64_MAX
#define AG_LAUNCH_TESTS_MAX 128 /* tests of system calls that the guard is asked about */
#define AG_LAUNCH_ANY_ARGUMENT UINT32_MAX
#define AG_LAUNCH_UNLIKE 0x100U
#define AG_LAUNCH_PORTS_MAX 128
#define AG_LAUNCH_HELD_MAX 4096      /* held calls that wait for a person at once */
#define AG_LAUNCH_PLACES_BYTES 32768 /* kinds and paths of all places together */

enum ag_launch_type {
	/* guard to launcher */
	AG_LAUNCH_CONFIG = 1,  /* struct ag_launch_config, once, first */
	AG_LAUNCH_GO = 2,      /* lets the command run */
	AG_LAUNCH_FORWARD = 3, /* value: signal number that the guard received */
	AG_LAUNCH_FINISH = 4,  /* value: 1 kills what is left of the tree, 0 leaves it */
	AG_LAUNCH_KEEP = 7, /* value: the guard's descriptor of the fanotify group in which opens of the command wait */
	AG_LAUNCH_TAKE = 6, /* nobody answers held calls any more: they go on (only with `held`) */
	AG_LAUNCH_STOP = 5, /* stops the guard as the command is stopped, if it still is */
	/* launcher to guard */
	AG_LAUNCH_STARTED = 16,      /* pid: the command, waiting for GO */
	AG_LAUNCH_EXEC_FAILED = 17,  /* stage, value: errno; EXITED follows */
	AG_LAUNCH_EXITED = 18,       /* value: wait status; *_us, maxrss_kib: resources */
	AG_LAUNCH_STOPPED = 19,      /* value: signal that stopped the command */
	AG_LAUNCH_CONTINUED = 20,    /* the stopped command runs again */
	AG_LAUNCH_SETUP_FAILED = 21, /* stage, value: errno; the launcher exits with 125 */
	AG_LAUNCH_LISTENER = 22,     /* pid, value: the command's descriptor of the listener; STARTED follows */
	AG_LAUNCH_PART = 23,         /* part: a part of the baseline, value: 0 or why this host cannot do it */
};

enum ag_launch_stage {
	AG_STAGE_EXEC = 0,
	AG_STAGE_CWD = 1,
	AG_STAGE_FDS = 2,
	AG_STAGE_RLIMIT = 3,
	AG_STAGE_SIGNALS = 4,
	AG_STAGE_CONFIG = 5,
	AG_STAGE_CGROUP = 6,
	AG_STAGE_SUBREAPER = 7,
	AG_STAGE_FORK = 8,
	AG_STAGE_NOTIFY = 9,
	AG_STAGE_PRIVILEGES = 10,
	AG_STAGE_MOUNTS = 11,
	AG_STAGE_SCOPE = 12,
	AG_STAGE_FILTER = 13,
};

enum ag_launch_on_failure {
	AG_ON_FAILURE_DENY = 0, /* a lost guard ends the whole tree */
	AG_ON_FAILURE_OPEN = 1, /* the command goes on without its guard */
};

/* Parts of the baseline: what the command cannot get back, and what holds without the guard. Bits of `parts`. */
enum ag_launch_part {
	AG_PART_PRIVILEGES = 1, /* no_new_privs, and no capability but those kept */
	AG_PART_NAMESPACES = 2, /* filter: no new namespaces, no mounts */
	AG_PART_SYSCALLS = 4,   /* filter: no foreign ABI, no io_uring, no calls that change the host */
	AG_PART_TRACE = 8,      /* filter: no access to the memory and descriptors of other processes */
	AG_PART_MOUNTS = 16,    /* mount namespace of its own, with the places */
	AG_PART_SCOPE = 32,     /* Landlock: no signals and abstract sockets to the outside, no tracing of it */
	AG_PART_TREES = 64,     /* Landlock: files are changed only below the places for writing */
	AG_PART_PORTS = 128,    /* Landlock: TCP connections to and from the ports only */
};

/* What the command's mount namespace does with a path. One that does not exist is passed over. */
enum ag_launch_place {
	AG_PLACE_PIN = 1,         /* cannot be renamed or removed */
	AG_PLACE_READ_ONLY = 2,   /* cannot be changed, nor renamed or removed */
	AG_PLACE_HIDE = 3,        /* a directory is empty, a file cannot be opened, a socket does not answer */
	AG_PLACE_WRITE = 4,       /* below it files may be made, changed, removed */
	AG_PLACE_WRITE_FILES = 5, /* below it existing files may be written */
	AG_PLACE_CLOSE = 6,       /* as HIDE, but a directory keeps its names: none of them can be opened */
};

struct ag_launch_message {
	uint32_t type;
	int32_t pid;
	int32_t value;
	uint32_t stage;
	uint32_t part;
	uint32_t reserved;
	uint64_t user_us;
	uint64_t system_us;
	uint64_t maxrss_kib;
};

/*
 * One test of a system call that the guard wants to be asked about; a call that passes any of them waits for the guard.
 * The number is that of the machine's own ABI. Bits of `value` outside of `mask` are 0.
 */
struct ag_launch_test {
	uint32_t nr;
	/*
	 * 0-5: (argument & mask) == value; with AG_LAUNCH_UNLIKE added it passes where that does not hold;
	 * AG_LAUNCH_ANY_ARGUMENT: every call of that number.
	 */
	uint32_t arg;
	uint64_t mask;
	uint64_t value;
};

enum ag_launch_port_access {
	AG_PORT_BIND = 1,
	AG_PORT_CONNECT = 2,
};

/* A TCP port that the command may use. */
struct ag_launch_port {
	uint16_t port;
	uint16_t access; /* enum ag_launch_port_access */
};

struct ag_launch_config {
	uint32_t type;
	uint32_t version;
	uint32_t on_failure;
	uint32_t closed_stdio; /* bit n: descriptor n (0-2) was closed when the guard started */
	uint64_t blocked;      /* signal mask of the command, bit n-1 for signal n as in /proc/PID/status */
	uint64_t ignored;      /* signals that it ignores; all others are at their default */
	uint64_t nofile_soft;  /* its soft RLIMIT_NOFILE, or AG_LAUNCH_KEEP_NOFILE */
	uint32_t fd_count;
	uint32_t test_count;
	uint32_t parts;        /* enum ag_launch_part */
	uint32_t places_bytes; /* used bytes of `places` */
	uint32_t port_count;
	uint32_t port_access;  /* enum ag_launch_port_access, added up: which of the two is limited to the ports */
	uint64_t capabilities; /* kept ones, bit n for capability n (include/uapi/linux/capability.h) */
	struct ag_launch_test tests[AG_LAUNCH_TESTS_MAX];
	struct ag_launch_port ports[AG_LAUNCH_PORTS_MAX];
	int32_t fds[AG_LAUNCH_FDS_MAX];    /* ascending, each >= 3 */
	char cwd[AG_LAUNCH_PATH_BYTES];    /* empty: that of the guard */
	char lost[AG_LAUNCH_PATH_BYTES];   /* file that tells of a lost guard; empty: none */
	char cgroup[AG_LAUNCH_PATH_BYTES]; /* empty: none */
	/*
	 * A file that the guard keeps mapped: the id of the held call that it received last, and those of calls that
	 * wait for a person, 0 where none does; 8 bytes each. Empty: held calls end with the guard.
	 */
	char held[AG_LAUNCH_PATH_BYTES];
	/* One byte enum ag_launch_place and an absolute path with its NUL, for each, in order. */
	char places[AG_LAUNCH_PLACES_BYTES];
};

#endif
