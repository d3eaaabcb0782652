/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One program at the end of every system call: its number is looked up in a table, then the task's scope, and
 * only then is anything read. The arguments are still in the saved registers.
 */
#ifndef AGENTGUARD_DISPATCH_H
#define AGENTGUARD_DISPATCH_H

#include "process.h"
#include "script_open.h"

/* Reports the first use per process tree branch of something that these probes cannot see through. */
static __noinline int ag_on_coverage(struct ag_scope *scope, __u32 kind, __u32 number)
{
	struct ag_coverage r = {};

	if (scope->reported & (1 << kind))
		return 0;
	scope->reported |= 1 << kind;
	r.kind = kind;
	r.syscall = number;
	ag_fill(&r.h, AG_OP_COVERAGE, scope->scope, sizeof(r), 0);
	ag_send_decision(&r, sizeof(r), BPF_RB_FORCE_WAKEUP);
	return 0;
}

static __noinline int ag_on_exec_failed(struct ag_scratch *s, __u32 scope, int dirfd, const void *name, long result)
{
	struct ag_exec_failed *r = (struct ag_exec_failed *)s->record;
	__u32 at = sizeof(*r), flags = AG_FLAG_BASE;

	r->result = result;
	ag_fail_grant(r->decision);
	ag_put_name(s, &at, dirfd, name, &r->path_bytes, &r->requested_bytes, &flags);
	if (at > AG_RECORD_DATA)
		return 0;
	ag_fill(&r->h, AG_OP_EXEC_FAILED, scope, at, flags);
	ag_send_decision(r, at, BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline int ag_path_calls(struct ag_scratch *s, __u32 scope, struct pt_regs *regs, __u32 call, long ret)
{
	struct ag_path_call p = {.dirfd = AG_AT_FDCWD, .name = (void *)AG_ARG1(regs), .uid = -1, .gid = -1};
	bool at = call == AG_CALL_UNLINKAT || call == AG_CALL_MKDIRAT || call == AG_CALL_FCHMODAT ||
		  call == AG_CALL_FCHMODAT2 || call == AG_CALL_FCHOWNAT || call == AG_CALL_MKNODAT;
	bool fd = call == AG_CALL_FCHMOD || call == AG_CALL_FCHOWN || call == AG_CALL_FTRUNCATE;
	__u64 second = AG_ARG2(regs), third = AG_ARG3(regs);

	if (at) {
		p.dirfd = (int)AG_ARG1(regs);
		p.name = (void *)AG_ARG2(regs);
		second = AG_ARG3(regs);
		third = AG_ARG4(regs);
	} else if (fd) {
		p.dirfd = (int)AG_ARG1(regs);
		p.name = 0;
	}
	switch (call) {
	case AG_CALL_UNLINK:
		p.action = AG_PATH_DELETE;
		break;
	case AG_CALL_UNLINKAT:
		p.action = second & AG_AT_REMOVEDIR ? AG_PATH_RMDIR : AG_PATH_DELETE;
		break;
	case AG_CALL_RMDIR:
		p.action = AG_PATH_RMDIR;
		break;
	case AG_CALL_MKDIR:
	case AG_CALL_MKDIRAT:
		p.action = AG_PATH_MKDIR;
		p.mode = second;
		break;
	case AG_CALL_CHMOD:
	case AG_CALL_FCHMOD:
	case AG_CALL_FCHMODAT:
	case AG_CALL_FCHMODAT2:
		p.action = AG_PATH_CHMOD;
		p.mode = second;
		break;
	case AG_CALL_CHOWN:
	case AG_CALL_LCHOWN:
	case AG_CALL_FCHOWN:
	case AG_CALL_FCHOWNAT:
		p.action = AG_PATH_CHOWN;
		if (call == AG_CALL_LCHOWN || (at && AG_ARG5(regs) & AG_AT_SYMLINK_NOFOLLOW))
			p.action = AG_PATH_LCHOWN;
		p.uid = second;
		p.gid = third;
		break;
	case AG_CALL_TRUNCATE:
	case AG_CALL_FTRUNCATE:
		p.action = AG_PATH_TRUNCATE;
		break;
	default:
		p.action = AG_PATH_MKNOD;
		p.mode = second;
	}
	return ag_on_path(s, scope, &p, ret);
}

static __always_inline int ag_move_calls(struct ag_scratch *s, __u32 scope, struct pt_regs *regs, __u32 call, long ret)
{
	struct ag_move_call m = {.dirfd = AG_AT_FDCWD, .new_dirfd = AG_AT_FDCWD};

	m.action = call == AG_CALL_RENAME || call == AG_CALL_RENAMEAT ? AG_MOVE_RENAME : AG_MOVE_LINK;
	m.name = (void *)AG_ARG1(regs);
	m.new_name = (void *)AG_ARG2(regs);
	if (call == AG_CALL_RENAMEAT || call == AG_CALL_LINKAT) {
		m.dirfd = (int)AG_ARG1(regs);
		m.name = (void *)AG_ARG2(regs);
		m.new_dirfd = (int)AG_ARG3(regs);
		m.new_name = (void *)AG_ARG4(regs);
		m.by_descriptor = call == AG_CALL_LINKAT && (AG_ARG5(regs) & AG_AT_EMPTY_PATH);
	} else if (call == AG_CALL_SYMLINK) {
		m.action = AG_MOVE_SYMLINK;
	} else if (call == AG_CALL_SYMLINKAT) {
		m.action = AG_MOVE_SYMLINK;
		m.new_dirfd = (int)AG_ARG2(regs);
		m.new_name = (void *)AG_ARG3(regs);
	}
	return ag_on_move(s, scope, &m, ret);
}

static __always_inline int ag_open_calls(struct ag_scratch *s, __u32 scope, struct pt_regs *regs, __u32 call, long ret)
{
	struct ag_open_call o = {.dirfd = AG_AT_FDCWD, .name = (void *)AG_ARG1(regs)};
	__u64 flags = AG_ARG2(regs);

	if (call == AG_CALL_OPENAT || call == AG_CALL_OPENAT2) {
		o.dirfd = (int)AG_ARG1(regs);
		o.name = (void *)AG_ARG2(regs);
		flags = AG_ARG3(regs);
	}
	if (call == AG_CALL_OPEN_BY_HANDLE) {
		o.name = 0;
		flags = AG_ARG3(regs);
	}
	if (call == AG_CALL_OPENAT2) {
		struct ag_open_how how = {};

		bpf_probe_read_user(&how, sizeof(how), (void *)flags);
		flags = how.flags;
	} else if (call == AG_CALL_CREAT) {
		flags = 01 | 0100 | 01000; /* O_WRONLY | O_CREAT | O_TRUNC */
	}
	o.open_flags = flags;
	return ag_on_open(s, scope, &o, ret);
}

static __always_inline int ag_net_calls(struct ag_scratch *s, __u32 scope, struct pt_regs *regs, __u32 call, long ret)
{
	const __u8 *address = (void *)AG_ARG2(regs);
	__u32 action = call == AG_CALL_BIND ? AG_NET_BIND : AG_NET_CONNECT;
	__u16 family = 0;

	if (ag_finish_net(scope, ret, 1))
		return 0;
	if (call == AG_CALL_SEND) {
		struct ag_unix_end sent = {.result = ret};

		ag_on_unix(s, scope, &sent);
		return 0; /* else on a connected socket: not an action of its own */
	}
	if (call == AG_CALL_LISTEN)
		return ag_on_listen(scope, AG_ARG1(regs), ret);
	if (call == AG_CALL_BIND && !ret && ag_on_bound(s, scope, AG_ARG1(regs)))
		return 0;
	bpf_probe_read_user(&family, 2, address);
	if (call == AG_CALL_CONNECT) {
		struct ag_unix_end made = {.length = AG_ARG3(regs), .fd = AG_ARG1(regs), .result = ret};

		made.user = family == AG_AF_UNIX ? address : 0;
		made.connected = ret == 0;
		if (ag_on_unix(s, scope, &made))
			return 0;
	}
	if (family == AG_AF_UNIX)
		return 0;
	return ag_on_address(scope, action, AG_ARG1(regs), address, ret);
}

static __always_inline int ag_byte_calls(__u32 scope, struct pt_regs *regs, __u32 call, long ret)
{
	switch (call) {
	case AG_CALL_READ:
		return ret > 0 ? ag_on_bytes(scope, AG_ARG1(regs), ret, 0) : 0;
	case AG_CALL_WRITE:
		return ret > 0 ? ag_on_bytes(scope, AG_ARG1(regs), 0, ret) : 0;
	case AG_CALL_COPY:
		if (ret <= 0)
			return 0;
		ag_on_bytes(scope, AG_ARG1(regs), ret, 0);
		return ag_on_bytes(scope, AG_ARG3(regs), 0, ret);
	case AG_CALL_SENDFILE:
		if (ret <= 0)
			return 0;
		ag_on_bytes(scope, AG_ARG2(regs), ret, 0);
		return ag_on_bytes(scope, AG_ARG1(regs), 0, ret);
	case AG_CALL_CLOSE:
		return ag_flush_bytes(scope, bpf_get_current_pid_tgid() >> 32, AG_ARG1(regs));
	default:
		return ag_sweep_bytes(scope, AG_ARG1(regs), AG_ARG2(regs), 1);
	}
}

/* A security hook refused the call and has said so. */
static __always_inline bool ag_was_refused(struct ag_scope *scope, long ret)
{
	if (!(scope->reported & AG_REPORTED_REFUSED))
		return false;
	scope->reported &= ~AG_REPORTED_REFUSED;
	return ret == -AG_EPERM;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(ag_sys_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *task;
	struct ag_scope *scope;
	struct ag_scratch *s;
	__u64 number;
	__u32 call, mark;

	if (bpf_get_current_pid_tgid() >> 32 == ag_self)
		return 0;
	task = bpf_get_current_task_btf();
	number = AG_SYSCALL_NR(regs);
#if defined(__TARGET_ARCH_x86)
	if (task->thread_info.status & AG_TS_COMPAT || (number & AG_X32_BIT && (__s64)number > 0)) {
		scope = bpf_task_storage_get(&scopes, task, 0, 0);
		if (!scope)
			return 0;
		return ag_on_coverage(scope, number & AG_X32_BIT ? AG_COVERAGE_X32 : AG_COVERAGE_I386, number);
	}
#endif
	if (number >= AG_CALL_TABLE)
		return 0;
	call = ag_calls[number];
	if (!call)
		return 0;
	scope = bpf_task_storage_get(&scopes, task, 0, 0);
	if (!scope)
		return 0;
	if (ret <= -AG_ERESTARTSYS && ret >= -AG_ERESTART_RESTARTBLOCK) {
		/* Interrupted: the call comes again, or a handler sees EINTR. Nothing was done. */
		ag_finish_net(scope->scope, 0, 0);
		ag_forget_unix();
		return 0;
	}
	if (call >= AG_CALL_READ && call <= AG_CALL_CLOSE_RANGE)
		return ag_byte_calls(scope->scope, regs, call, ret);
	if (ag_was_refused(scope, ret))
		return 0;
	if (call == AG_CALL_IO_URING)
		return ag_on_coverage(scope, AG_COVERAGE_IO_URING, number);
	mark = scope->scope;
	if (scope->held & AG_HELD_CALLS && call <= AG_CALL_SYMLINKAT) {
		mark |= ~AG_SCOPE_MASK;
		ag_tell_decided(mark);
	}
	s = ag_get_scratch(AG_SCRATCH_SYSCALL, AG_OP_OPEN);
	if (!s)
		return 0;
	if (call <= AG_CALL_CREAT) {
		ag_open_calls(s, mark, regs, call, ret);
		return ret >= 0 && scope->held & AG_HELD_EXEC ? ag_judge_script(s, scope->scope) : 0;
	}
	if (call <= AG_CALL_MKNODAT)
		return ag_path_calls(s, mark, regs, call, ret);
	if (call <= AG_CALL_SYMLINKAT)
		return ag_move_calls(s, mark, regs, call, ret);
	if (call == AG_CALL_EXECVE)
		return ret < 0 ? ag_on_exec_failed(s, scope->scope, AG_AT_FDCWD, (void *)AG_ARG1(regs), ret) : 0;
	if (call == AG_CALL_EXECVEAT)
		return ret < 0 ? ag_on_exec_failed(s, scope->scope, (int)AG_ARG1(regs), (void *)AG_ARG2(regs), ret) : 0;
	if (scope->held & AG_HELD_NET)
		ag_finish_held_net(scope->scope, call);
	return ag_net_calls(s, scope->scope, regs, call, ret);
}

#endif
