/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that no guarded command may make, by number and registers alone: nothing that another thread could
 * change meanwhile. EPERM where programs cope with it, ENOSYS where they have a way without the call.
 */
#ifndef AG_LAUNCH_DENY_H
#define AG_LAUNCH_DENY_H

#include "launch_filter.h"
#include "launch_landlock.h"

#include <linux/sched.h>
#include <sys/socket.h>

/* The same numbers on every architecture (include/uapi/asm-generic/unistd.h); older headers lack some. */
#define NR_OPEN_TREE 428
#define NR_MOVE_MOUNT 429
#define NR_FSOPEN 430
#define NR_FSCONFIG 431
#define NR_FSMOUNT 432
#define NR_FSPICK 433
#define NR_PIDFD_OPEN 434
#define NR_CLONE3 435
#define NR_PIDFD_GETFD 438
#define NR_MOUNT_SETATTR 442
#define NR_QUOTACTL_FD 443
#define NR_OPEN_TREE_ATTR 467

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80 /* include/uapi/linux/sched.h; for unshare only: clone has the exit signal there */
#endif
#define TIOCSTI_NUMBER 0x5412   /* types into a terminal (include/uapi/asm-generic/ioctls.h) */
#define TIOCLINUX_NUMBER 0x541C /* pastes into a console */

struct denied {
	uint32_t part;
	int error;
	struct ag_launch_test test;
};

/* The parts, and what of a call is looked at. */
#define NAMES AG_PART_NAMESPACES
#define CALLS AG_PART_SYSCALLS
#define TRACE AG_PART_TRACE
#define EVERY AG_LAUNCH_ANY_ARGUMENT, 0, 0
#define BIT(arg, bit) arg, bit, bit
#define WORD(arg, word) arg, 0xffffffffU, word

/* clang-format off: one line for each call */
static const struct denied DENIED[] = {
	{NAMES, EPERM, {SYS_clone, BIT(0, CLONE_NEWNS)}},
	{NAMES, EPERM, {SYS_unshare, BIT(0, CLONE_NEWNS)}},
	{NAMES, EPERM, {SYS_clone, BIT(0, CLONE_NEWUSER)}},
	{NAMES, EPERM, {SYS_unshare, BIT(0, CLONE_NEWUSER)}},
	{NAMES, EPERM, {SYS_clone, BIT(0, CLONE_NEWPID)}},
	{NAMES, EPERM, {SYS_unshare, BIT(0, CLONE_NEWPID)}},
	{NAMES, EPERM, {SYS_clone, BIT(0, CLONE_NEWNET)}},
	{NAMES, EPERM, {SYS_unshare, BIT(0, CLONE_NEWNET)}},
	{NAMES, EPERM, {SYS_clone, BIT(0, CLONE_NEWIPC)}},
	{NAMES, EPERM, {SYS_unshare, BIT(0, CLONE_NEWIPC)}},
	{NAMES, EPERM, {SYS_clone, BIT(0, CLONE_NEWUTS)}},
	{NAMES, EPERM, {SYS_unshare, BIT(0, CLONE_NEWUTS)}},
	{NAMES, EPERM, {SYS_clone, BIT(0, CLONE_NEWCGROUP)}},
	{NAMES, EPERM, {SYS_unshare, BIT(0, CLONE_NEWCGROUP)}},
	{NAMES, EPERM, {SYS_unshare, BIT(0, CLONE_NEWTIME)}},
	{NAMES, ENOSYS, {NR_CLONE3, EVERY}}, /* its flags are in memory; libc falls back to clone */
	{NAMES, EPERM, {SYS_setns, EVERY}},
	{NAMES, EPERM, {SYS_mount, EVERY}},
	{NAMES, EPERM, {SYS_umount2, EVERY}},
	{NAMES, EPERM, {SYS_pivot_root, EVERY}},
	{NAMES, EPERM, {NR_OPEN_TREE, EVERY}},
	{NAMES, EPERM, {NR_OPEN_TREE_ATTR, EVERY}},
	{NAMES, EPERM, {NR_MOVE_MOUNT, EVERY}},
	{NAMES, EPERM, {NR_FSOPEN, EVERY}},
	{NAMES, EPERM, {NR_FSCONFIG, EVERY}},
	{NAMES, EPERM, {NR_FSMOUNT, EVERY}},
	{NAMES, EPERM, {NR_FSPICK, EVERY}},
	{NAMES, EPERM, {NR_MOUNT_SETATTR, EVERY}},
	{TRACE, EPERM, {SYS_ptrace, EVERY}},
	{TRACE, EPERM, {SYS_process_vm_readv, EVERY}},
	{TRACE, EPERM, {SYS_process_vm_writev, EVERY}},
	{TRACE, EPERM, {SYS_kcmp, EVERY}},
	{TRACE, EPERM, {NR_PIDFD_GETFD, EVERY}},
	{CALLS, ENOSYS, {SYS_io_uring_setup, EVERY}}, /* its operations are no system calls: nobody would see them */
	{CALLS, ENOSYS, {SYS_io_uring_enter, EVERY}},
	{CALLS, ENOSYS, {SYS_io_uring_register, EVERY}},
	{CALLS, EPERM, {SYS_bpf, EVERY}},
	{CALLS, EPERM, {SYS_perf_event_open, EVERY}},
	{CALLS, EPERM, {SYS_userfaultfd, EVERY}},
	{CALLS, EPERM, {SYS_open_by_handle_at, EVERY}},
	{CALLS, EOPNOTSUPP, {SYS_name_to_handle_at, EVERY}}, /* as on a file system that has no handles */
	{CALLS, EPERM, {SYS_add_key, EVERY}},
	{CALLS, EPERM, {SYS_request_key, EVERY}},
	{CALLS, EPERM, {SYS_keyctl, EVERY}},
	{CALLS, EPERM, {SYS_init_module, EVERY}},
	{CALLS, EPERM, {SYS_finit_module, EVERY}},
	{CALLS, EPERM, {SYS_delete_module, EVERY}},
	{CALLS, EPERM, {SYS_kexec_load, EVERY}},
#ifdef SYS_kexec_file_load
	{CALLS, EPERM, {SYS_kexec_file_load, EVERY}},
#endif
	{CALLS, EPERM, {SYS_reboot, EVERY}},
	{CALLS, EPERM, {SYS_swapon, EVERY}},
	{CALLS, EPERM, {SYS_swapoff, EVERY}},
	{CALLS, EPERM, {SYS_acct, EVERY}},
	{CALLS, EPERM, {SYS_quotactl, EVERY}},
	{CALLS, EPERM, {NR_QUOTACTL_FD, EVERY}},
	{CALLS, EPERM, {SYS_settimeofday, EVERY}},
	{CALLS, EPERM, {SYS_clock_settime, EVERY}},
	{CALLS, EPERM, {SYS_clock_adjtime, EVERY}},
	{CALLS, EPERM, {SYS_adjtimex, EVERY}},
	{CALLS, EPERM, {SYS_syslog, EVERY}},
	{CALLS, EPERM, {SYS_vhangup, EVERY}},
#ifdef SYS_lookup_dcookie
	{CALLS, EPERM, {SYS_lookup_dcookie, EVERY}},
#endif
#ifdef SYS_iopl
	{CALLS, EPERM, {SYS_iopl, EVERY}},
	{CALLS, EPERM, {SYS_ioperm, EVERY}},
#endif
	{CALLS, EPERM, {SYS_ioctl, WORD(1, TIOCSTI_NUMBER)}},
	{CALLS, EPERM, {SYS_ioctl, WORD(1, TIOCLINUX_NUMBER)}},
};
/* clang-format on */

/* Calls that take a process by number in their first argument, and change it or lead to it. */
static const uint32_t ON_PROCESS[] = {
	SYS_kill,
	SYS_tkill,
	SYS_tgkill,
	SYS_rt_sigqueueinfo,
	SYS_rt_tgsigqueueinfo,
	NR_PIDFD_OPEN,
	SYS_sched_setparam,
	SYS_sched_setscheduler,
	SYS_sched_setattr,
	SYS_sched_setaffinity,
	SYS_migrate_pages,
	SYS_move_pages,
};

static void deny_on_process(struct filter *filter, pid_t pid)
{
	struct ag_launch_test test = {.mask = 0xffffffffU, .value = (uint32_t)pid};
	for (unsigned i = 0; i < sizeof ON_PROCESS / sizeof ON_PROCESS[0]; i++) {
		test.nr = ON_PROCESS[i];
		emit_test(filter, &test, SECCOMP_RET_ERRNO | EPERM);
	}
	test.nr = SYS_setpriority;
	test.arg = 1;
	emit_test(filter, &test, SECCOMP_RET_ERRNO | EPERM);
}

/*
 * Limits of another process: with the same user any limit of the guard could be set to 0. Every other pid than 0, the
 * caller itself, because a thread of the guard has a number that nobody knows here.
 */
static void deny_limits_of_others(struct filter *filter)
{
	emit_load(filter, AG_DATA(nr));
	emit(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_prlimit64, 0, 3);
	emit_load(filter, AG_DATA(args));
	emit(filter, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
	emit_return(filter, SECCOMP_RET_ERRNO | EPERM);
}

/* Other families lead past every network rule (AF_VSOCK to the hypervisor, others over whatever they are bound to). */
static const uint32_t FAMILIES[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_ALG};

static void deny_other_families(struct filter *filter)
{
	const unsigned count = sizeof FAMILIES / sizeof FAMILIES[0];
	emit_load(filter, AG_DATA(nr));
	emit(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, (uint8_t)(count + 2));
	emit_load(filter, AG_DATA(args));
	for (unsigned i = 0; i < count; i++)
		emit(filter, BPF_JMP | BPF_JEQ | BPF_K, FAMILIES[i], (uint8_t)(count - i), 0);
	emit_return(filter, SECCOMP_RET_ERRNO | EAFNOSUPPORT);
}

/* What is held is done by the guard in place of its caller; program starts the kernel does itself. */
static int holds_files(const struct ag_launch_test *tests, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (tests[i].nr != SYS_execve && tests[i].nr != SYS_execveat)
			return 1;
	return 0;
}

/*
 * Installs the filter of these parts. Where other calls wait for the guard nobody else may answer them, which a
 * listener of a later filter would do. Where the guard opens files for the command, a program that shuts itself in with
 * Landlock would have nothing of it: it is told that there is none.
 */
static int install_deny_filter(const struct ag_launch_config *config, uint32_t parts, pid_t guard, pid_t launcher)
{
	const int held = config->test_count > 0;
	static const struct ag_launch_test landlock = {NR_LANDLOCK_CREATE_RULESET, AG_LAUNCH_ANY_ARGUMENT, 0, 0};
	static struct filter filter;
	static const struct ag_launch_test listener = {SYS_seccomp, 1, SECCOMP_FILTER_FLAG_NEW_LISTENER,
						       SECCOMP_FILTER_FLAG_NEW_LISTENER};
	filter.length = 0;
	if (parts & AG_PART_SYSCALLS)
		emit_native_only(&filter);
	for (unsigned i = 0; i < sizeof DENIED / sizeof DENIED[0]; i++)
		if (parts & DENIED[i].part)
			emit_test(&filter, &DENIED[i].test, SECCOMP_RET_ERRNO | (uint32_t)DENIED[i].error);
	if (held || (parts & AG_PART_SYSCALLS))
		emit_test(&filter, &listener, SECCOMP_RET_ERRNO | EPERM);
	if (holds_files(config->tests, config->test_count))
		emit_test(&filter, &landlock, SECCOMP_RET_ERRNO | EOPNOTSUPP);
	if (parts & AG_PART_SYSCALLS) {
		deny_on_process(&filter, guard);
		deny_on_process(&filter, launcher);
		deny_limits_of_others(&filter);
		deny_other_families(&filter);
	}
	emit_return(&filter, SECCOMP_RET_ALLOW);
	return install_filter(&filter, 0);
}

#endif
