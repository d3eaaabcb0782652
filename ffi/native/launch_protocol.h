/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between the guard and the launcher, over one SOCK_SEQPACKET socket pair. Native byte order: both ends run on
 * one machine. ffi/launch_protocol.ts mirrors this file; test/kernel/launch_test.ts compiles this header and compares.
 */
#ifndef AG_LAUNCH_PROTOCOL_H
#define AG_LAUNCH_PROTOCOL_H

#include <stdint.h>

#define AG_LAUNCH_VERSION 3
#define AG_LAUNCH_PATH_BYTES 4096 /* PATH_MAX, NUL included */
#define AG_LAUNCH_FDS_MAX 1024    /* inherited descriptors >= 3 that the command keeps */
#define AG_LAUNCH_KEEP_NOFILE UINT64_MAX
#define AG_LAUNCH_TESTS_MAX 128 /* tests of system calls that the guard is asked about */
#define AG_LAUNCH_ANY_ARGUMENT UINT32_MAX

enum ag_launch_type {
	/* guard to launcher */
	AG_LAUNCH_CONFIG = 1,  /* struct ag_launch_config, once, first */
	AG_LAUNCH_GO = 2,      /* lets the command run */
	AG_LAUNCH_FORWARD = 3, /* value: signal number that the guard received */
	AG_LAUNCH_FINISH = 4,  /* value: 1 kills what is left of the tree, 0 leaves it */
	AG_LAUNCH_STOP = 5,    /* stops the guard as the command is stopped, if it still is */
	/* launcher to guard */
	AG_LAUNCH_STARTED = 16,      /* pid: the command, waiting for GO */
	AG_LAUNCH_EXEC_FAILED = 17,  /* stage, value: errno; EXITED follows */
	AG_LAUNCH_EXITED = 18,       /* value: wait status; *_us, maxrss_kib: resources */
	AG_LAUNCH_STOPPED = 19,      /* value: signal that stopped the command */
	AG_LAUNCH_CONTINUED = 20,    /* the stopped command runs again */
	AG_LAUNCH_SETUP_FAILED = 21, /* stage, value: errno; the launcher exits with 125 */
	AG_LAUNCH_LISTENER = 22,     /* pid, value: the command's descriptor of the listener; STARTED follows */
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
};

enum ag_launch_on_failure {
	AG_ON_FAILURE_DENY = 0, /* a lost guard ends the whole tree */
	AG_ON_FAILURE_OPEN = 1, /* the command goes on without its guard */
};

struct ag_launch_message {
	uint32_t type;
	int32_t pid;
	int32_t value;
	uint32_t stage;
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
	uint32_t arg; /* 0-5: (argument & mask) == value; AG_LAUNCH_ANY_ARGUMENT: every call of that number */
	uint64_t mask;
	uint64_t value;
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
	struct ag_launch_test tests[AG_LAUNCH_TESTS_MAX];
	int32_t fds[AG_LAUNCH_FDS_MAX];    /* ascending, each >= 3 */
	char cwd[AG_LAUNCH_PATH_BYTES];    /* empty: that of the guard */
	char cgroup[AG_LAUNCH_PATH_BYTES]; /* empty: none */
};

#endif
