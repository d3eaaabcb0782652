/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * System calls by class, and their arguments, per architecture. Numbers: arch/x86/entry/syscalls/syscall_64.tbl,
 * include/uapi/asm-generic/unistd.h.
 */
#ifndef AGENTGUARD_SYSCALL_H
#define AGENTGUARD_SYSCALL_H

#include "agentguard_kernel.h"

/* What the dispatcher does with a call; several calls that differ only in argument order share a class. */
enum ag_call {
	AG_CALL_NONE = 0,
	AG_CALL_OPEN,
	AG_CALL_OPENAT,
	AG_CALL_OPENAT2,
	AG_CALL_OPEN_BY_HANDLE,
	AG_CALL_CREAT,
	AG_CALL_READ,
	AG_CALL_WRITE,
	AG_CALL_COPY,     /* copy_file_range, splice: (in, off, out, off) */
	AG_CALL_SENDFILE, /* (out, in) */
	AG_CALL_CLOSE,
	AG_CALL_CLOSE_RANGE,
	AG_CALL_UNLINK,
	AG_CALL_UNLINKAT,
	AG_CALL_RMDIR,
	AG_CALL_MKDIR,
	AG_CALL_MKDIRAT,
	AG_CALL_CHMOD,
	AG_CALL_FCHMOD,
	AG_CALL_FCHMODAT,
	AG_CALL_FCHMODAT2,
	AG_CALL_CHOWN,
	AG_CALL_LCHOWN,
	AG_CALL_FCHOWN,
	AG_CALL_FCHOWNAT,
	AG_CALL_TRUNCATE,
	AG_CALL_FTRUNCATE,
	AG_CALL_MKNOD,
	AG_CALL_MKNODAT,
	AG_CALL_RENAME,
	AG_CALL_RENAMEAT,
	AG_CALL_LINK,
	AG_CALL_LINKAT,
	AG_CALL_SYMLINK,
	AG_CALL_SYMLINKAT,
	AG_CALL_EXECVE,
	AG_CALL_EXECVEAT,
	AG_CALL_CONNECT,
	AG_CALL_SEND,
	AG_CALL_BIND,
	AG_CALL_LISTEN,
	AG_CALL_IO_URING,
};

#define AG_CALL_TABLE 512

#if defined(__TARGET_ARCH_x86)

/* Set in thread_info.status while a 32-bit system call runs (arch/x86/include/asm/thread_info.h). */
#define AG_TS_COMPAT 2
#define AG_X32_BIT 0x40000000

const volatile __u8 ag_calls[AG_CALL_TABLE] = {
	[2] = AG_CALL_OPEN,
	[257] = AG_CALL_OPENAT,
	[437] = AG_CALL_OPENAT2,
	[85] = AG_CALL_CREAT,
	[304] = AG_CALL_OPEN_BY_HANDLE,
	[0] = AG_CALL_READ,
	[17] = AG_CALL_READ,
	[19] = AG_CALL_READ,
	[295] = AG_CALL_READ,
	[327] = AG_CALL_READ,
	[1] = AG_CALL_WRITE,
	[18] = AG_CALL_WRITE,
	[20] = AG_CALL_WRITE,
	[296] = AG_CALL_WRITE,
	[328] = AG_CALL_WRITE,
	[326] = AG_CALL_COPY,
	[275] = AG_CALL_COPY,
	[40] = AG_CALL_SENDFILE,
	[3] = AG_CALL_CLOSE,
	[436] = AG_CALL_CLOSE_RANGE,
	[87] = AG_CALL_UNLINK,
	[263] = AG_CALL_UNLINKAT,
	[84] = AG_CALL_RMDIR,
	[83] = AG_CALL_MKDIR,
	[258] = AG_CALL_MKDIRAT,
	[90] = AG_CALL_CHMOD,
	[91] = AG_CALL_FCHMOD,
	[268] = AG_CALL_FCHMODAT,
	[452] = AG_CALL_FCHMODAT2,
	[92] = AG_CALL_CHOWN,
	[94] = AG_CALL_LCHOWN,
	[93] = AG_CALL_FCHOWN,
	[260] = AG_CALL_FCHOWNAT,
	[76] = AG_CALL_TRUNCATE,
	[77] = AG_CALL_FTRUNCATE,
	[133] = AG_CALL_MKNOD,
	[259] = AG_CALL_MKNODAT,
	[82] = AG_CALL_RENAME,
	[264] = AG_CALL_RENAMEAT,
	[316] = AG_CALL_RENAMEAT,
	[86] = AG_CALL_LINK,
	[265] = AG_CALL_LINKAT,
	[88] = AG_CALL_SYMLINK,
	[266] = AG_CALL_SYMLINKAT,
	[59] = AG_CALL_EXECVE,
	[322] = AG_CALL_EXECVEAT,
	[42] = AG_CALL_CONNECT,
	[44] = AG_CALL_SEND,
	[46] = AG_CALL_SEND,
	[307] = AG_CALL_SEND,
	[49] = AG_CALL_BIND,
	[50] = AG_CALL_LISTEN,
	[425] = AG_CALL_IO_URING,
};

#define AG_SYSCALL_NR(regs) ((__u64)(regs)->orig_ax)
#define AG_ARG1(regs) ((regs)->di)
#define AG_ARG2(regs) ((regs)->si)
#define AG_ARG3(regs) ((regs)->dx)
#define AG_ARG4(regs) ((regs)->r10)
#define AG_ARG5(regs) ((regs)->r8)

#else

const volatile __u8 ag_calls[AG_CALL_TABLE] = {
	[56] = AG_CALL_OPENAT,    [437] = AG_CALL_OPENAT2,   [265] = AG_CALL_OPEN_BY_HANDLE,
	[63] = AG_CALL_READ,      [65] = AG_CALL_READ,       [67] = AG_CALL_READ,
	[69] = AG_CALL_READ,      [286] = AG_CALL_READ,      [64] = AG_CALL_WRITE,
	[66] = AG_CALL_WRITE,     [68] = AG_CALL_WRITE,      [70] = AG_CALL_WRITE,
	[287] = AG_CALL_WRITE,    [285] = AG_CALL_COPY,      [76] = AG_CALL_COPY,
	[71] = AG_CALL_SENDFILE,  [57] = AG_CALL_CLOSE,      [436] = AG_CALL_CLOSE_RANGE,
	[35] = AG_CALL_UNLINKAT,  [34] = AG_CALL_MKDIRAT,    [52] = AG_CALL_FCHMOD,
	[53] = AG_CALL_FCHMODAT,  [452] = AG_CALL_FCHMODAT2, [55] = AG_CALL_FCHOWN,
	[54] = AG_CALL_FCHOWNAT,  [45] = AG_CALL_TRUNCATE,   [46] = AG_CALL_FTRUNCATE,
	[33] = AG_CALL_MKNODAT,   [38] = AG_CALL_RENAMEAT,   [276] = AG_CALL_RENAMEAT,
	[37] = AG_CALL_LINKAT,    [36] = AG_CALL_SYMLINKAT,  [221] = AG_CALL_EXECVE,
	[281] = AG_CALL_EXECVEAT, [203] = AG_CALL_CONNECT,   [206] = AG_CALL_SEND,
	[211] = AG_CALL_SEND,     [269] = AG_CALL_SEND,      [200] = AG_CALL_BIND,
	[201] = AG_CALL_LISTEN,   [425] = AG_CALL_IO_URING,
};

#define AG_SYSCALL_NR(regs) ((__u64)(__u32)(regs)->syscallno)
#define AG_ARG1(regs) ((regs)->orig_x0)
#define AG_ARG2(regs) ((regs)->regs[1])
#define AG_ARG3(regs) ((regs)->regs[2])
#define AG_ARG4(regs) ((regs)->regs[3])
#define AG_ARG5(regs) ((regs)->regs[4])

#endif
#endif
