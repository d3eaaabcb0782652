/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One look at a thread whose system call waits: who it is, where its names begin, and the names themselves. The probes
 * fill it (probes/look.h), the native code that answers such calls reads it (ffi/native/hold_look.h).
 */
#ifndef AGENTGUARD_LOOK_H
#define AGENTGUARD_LOOK_H

#define AG_LOOK_NAMES 2        /* names in one call */
#define AG_LOOK_NAME_BYTES 256 /* of a name; a longer one is for process_vm_readv */
#define AG_LOOK_GROUPS 32      /* supplementary groups; who has more is for /proc */

#define AG_LOOK_MADE 256 /* threads whose files were made for them, by their numbers; power of two */
/* A thread; never 0. */
#define AG_LOOK_MADE_KEY(tid, start) (((start) ^ ((unsigned long long)(tid) << 40)) | 1)

/* Where something is: pointers of the kernel, that are compared while a descriptor keeps what they mean alive. */
struct ag_look_at {
	unsigned long long mount, dentry;
};

struct ag_look {
	/* What is asked for. */
	unsigned int tid;
	int own;                                /* a descriptor of whoever looks; negative: none */
	int base[AG_LOOK_NAMES];                /* descriptors that relative names begin from, or AT_FDCWD */
	unsigned long long name[AG_LOOK_NAMES]; /* addresses; 0: none */
	/* What is told. */
	unsigned int found;
	unsigned int tgid, ppid, uid, fsuid, fsgid, umask;
	unsigned int inner_tid, inner_tgid;
	unsigned int group_count;
	unsigned long long caps;  /* effective */
	unsigned long long start; /* nanoseconds since boot */
	struct ag_look_at root, own_at, base_at[AG_LOOK_NAMES];
	unsigned int groups[AG_LOOK_GROUPS];
	unsigned int bytes[AG_LOOK_NAMES]; /* that were read of the names */
	char text[AG_LOOK_NAMES][AG_LOOK_NAME_BYTES];
	/* AG_LOOK_MADE_KEY of who waits for an open whose file was made before it was opened; 0: nobody. */
	unsigned long long made[AG_LOOK_MADE];
};

#endif
