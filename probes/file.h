/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What system calls did to files: opens, changes by name, bytes. All run at the end of the call, in sys_exit. */
#ifndef AGENTGUARD_FILE_H
#define AGENTGUARD_FILE_H

#include "agentguard_path.h"
#include "agentguard_syscall.h"
#include "looks.h"

struct ag_open_call {
	int dirfd;
	__u32 open_flags;
	const void *name;
};

static __noinline int ag_on_open(struct ag_scratch *s, __u32 scope, struct ag_open_call *call, long result)
{
	struct ag_open *r = (struct ag_open *)s->record;
	__u32 at = sizeof(*r), flags = 0, mode;
	__u64 file = 0, inode, sb;
	char first = '/';

	r->ino = 0;
	r->dev = 0;
	r->result = result;
	r->open_flags = call->open_flags;
	r->created = 0;
	r->base_bytes = 0;
	r->reserved = 0;
	if (result >= 0) {
		file = ag_file_of(result);
		if (!file) {
			ag_count_loss(AG_OP_OPEN, AG_LOSS_FAULT);
			return 0;
		}
		AG_READ(mode, file, struct file, f_mode);
		AG_READ(inode, file, struct file, f_inode);
		AG_READ(r->ino, inode, struct inode, i_ino);
		AG_READ(sb, inode, struct inode, i_sb);
		AG_READ(r->dev, sb, struct super_block, s_dev);
		r->created = (mode & AG_FMODE_CREATED) || ((call->open_flags & AG_O_CREAT) && ag_was_made());
		r->path_bytes = ag_put_file_path(s, at, file, &flags);
		at += r->path_bytes & (AG_PATH_MAX - 1);
		r->requested_bytes = call->name ? ag_put_user(s, &at, call->name) : 0;
		if (!r->requested_bytes)
			flags |= AG_FLAG_REQUESTED_FAULT;
		if (call->name)
			bpf_probe_read_user(&first, 1, call->name);
		if (first != '/') {
			__u32 base_flags = 0;

			r->base_bytes = ag_put_base(s, at, call->dirfd, &base_flags);
			at += r->base_bytes & (AG_PATH_MAX - 1);
		}
	} else {
		flags |= AG_FLAG_BASE;
		ag_put_name(s, &at, call->dirfd, call->name, &r->path_bytes, &r->requested_bytes, &flags);
	}
	if (at > AG_RECORD_DATA)
		return 0;
	ag_fill(&r->h, AG_OP_OPEN, scope, at, flags);
	ag_send_telemetry(r, at);
	return 0;
}

struct ag_path_call {
	__u32 action;
	int dirfd; /* or the descriptor itself where `name` is 0 */
	const void *name;
	__u32 mode, uid, gid;
};

static __noinline int ag_on_path(struct ag_scratch *s, __u32 scope, struct ag_path_call *call, long result)
{
	struct ag_path *r = (struct ag_path *)s->record;
	__u32 at = sizeof(*r), flags = 0;

	r->action = call->action;
	r->result = result;
	r->mode = call->mode;
	r->uid = call->uid;
	r->gid = call->gid;
	r->path_bytes = 0;
	r->requested_bytes = 0;
	if (call->name) {
		flags |= AG_FLAG_BASE;
		ag_put_name(s, &at, call->dirfd, call->name, &r->path_bytes, &r->requested_bytes, &flags);
	}
	if (!r->requested_bytes && call->dirfd >= 0) {
		/* By descriptor, or AT_EMPTY_PATH: the object itself is at hand. */
		flags = 0;
		at = sizeof(*r);
		r->path_bytes = ag_put_file_path(s, at, ag_file_of(call->dirfd), &flags);
		at += r->path_bytes & (AG_PATH_MAX - 1);
	}
	if (at > AG_RECORD_DATA)
		return 0;
	ag_fill(&r->h, AG_OP_PATH, scope, at, flags);
	ag_send_telemetry(r, at);
	return 0;
}

struct ag_move_call {
	__u32 action;
	int dirfd, new_dirfd;
	__u32 by_descriptor; /* linkat with AT_EMPTY_PATH */
	const void *name, *new_name;
};

static __noinline int ag_on_move(struct ag_scratch *s, __u32 scope, struct ag_move_call *call, long result)
{
	struct ag_move *r = (struct ag_move *)s->record;
	__u32 at = sizeof(*r), flags = AG_FLAG_BASE, flags2 = 0;

	r->action = call->action;
	r->result = result;
	r->path_bytes = 0;
	r->requested_bytes = 0;
	if (call->action == AG_MOVE_SYMLINK) {
		/* The target is text, not a name that is resolved now. */
		r->requested_bytes = ag_put_user(s, &at, call->name);
	} else {
		ag_put_name(s, &at, call->dirfd, call->name, &r->path_bytes, &r->requested_bytes, &flags);
		if (!r->requested_bytes && call->by_descriptor) {
			flags = 0;
			at = sizeof(*r);
			r->path_bytes = ag_put_file_path(s, at, ag_file_of(call->dirfd), &flags);
			at += r->path_bytes & (AG_PATH_MAX - 1);
		}
	}
	if (at >= AG_RECORD_DATA - 2 * AG_PATH_MAX)
		return 0;
	ag_put_name(s, &at, call->new_dirfd, call->new_name, &r->new_path_bytes, &r->new_requested_bytes, &flags2);
	if (at > AG_RECORD_DATA)
		return 0;
	ag_fill(&r->h, AG_OP_MOVE, scope, at,
		flags | AG_FLAG_BASE2 | (flags2 & (AG_FLAG_PATH_TRUNCATED | AG_FLAG_REQUESTED_FAULT)));
	ag_send_telemetry(r, at);
	return 0;
}

/* Sends what one descriptor's counter holds and forgets it. */
__noinline int ag_flush_bytes(__u32 scope, __u32 pid, __u32 fd)
{
	struct ag_file_key key = {.pid = pid, .fd = fd};
	struct ag_file_bytes *b = bpf_map_lookup_elem(&file_bytes, &key);
	struct ag_close r = {};

	if (!b)
		return 0;
	r.ino = b->ino;
	r.dev = b->dev;
	r.fd = fd;
	r.read_bytes = b->read_bytes;
	r.written_bytes = b->written_bytes;
	bpf_map_delete_elem(&file_bytes, &key);
	ag_fill(&r.h, AG_OP_CLOSE, scope, sizeof(r), 0);
	ag_send_telemetry(&r, sizeof(r));
	return 0;
}

/* Adds to the counter of a descriptor that is open on a regular file. */
__noinline int ag_on_bytes(__u32 scope, __u32 fd, __u64 read_bytes, __u64 written_bytes)
{
	struct ag_file_key key = {.pid = bpf_get_current_pid_tgid() >> 32, .fd = fd};
	struct ag_file_bytes *b, fresh = {};
	__u64 file = ag_file_of(fd), inode, sb;
	__u32 *top;
	__u16 mode;

	if (!file || fd >= AG_FDS_MAX)
		return 0;
	b = bpf_map_lookup_elem(&file_bytes, &key);
	if (b && b->file == file) {
		b->read_bytes += read_bytes;
		b->written_bytes += written_bytes;
		return 0;
	}
	if (b)
		ag_flush_bytes(scope, key.pid, fd); /* replaced by dup2, or closed by execve */
	AG_READ(inode, file, struct file, f_inode);
	AG_READ(mode, inode, struct inode, i_mode);
	if ((mode & AG_S_IFMT) != AG_S_IFREG)
		return 0;
	fresh.file = file;
	AG_READ(fresh.ino, inode, struct inode, i_ino);
	AG_READ(sb, inode, struct inode, i_sb);
	AG_READ(fresh.dev, sb, struct super_block, s_dev);
	fresh.read_bytes = read_bytes;
	fresh.written_bytes = written_bytes;
	if (bpf_map_update_elem(&file_bytes, &key, &fresh, BPF_ANY)) {
		ag_count_loss(AG_OP_CLOSE, AG_LOSS_MAP_FULL);
		return 0;
	}
	top = bpf_map_lookup_elem(&file_bytes_top, &key.pid);
	if (!top) {
		if (bpf_map_update_elem(&file_bytes_top, &key.pid, &fd, BPF_ANY))
			ag_count_loss(AG_OP_CLOSE, AG_LOSS_MAP_FULL);
	} else if (*top < fd) {
		*top = fd;
	}
	return 0;
}

struct ag_sweep {
	__u32 scope, pid, from;
	__u32 only_stale; /* keep what is still open on the same file */
};

static long ag_sweep_step(__u32 index, void *context)
{
	struct ag_sweep *w = context;
	struct ag_file_key key = {.pid = w->pid, .fd = w->from + index};
	struct ag_file_bytes *b;

	b = bpf_map_lookup_elem(&file_bytes, &key);
	if (b && !(w->only_stale && b->file == ag_file_of(key.fd)))
		ag_flush_bytes(w->scope, w->pid, key.fd);
	return 0;
}

/* Sends the counters of descriptors [from, to] of the current process. */
__noinline int ag_sweep_bytes(__u32 scope, __u32 from, __u32 to, __u32 only_stale)
{
	struct ag_sweep w = {
		.scope = scope, .pid = bpf_get_current_pid_tgid() >> 32, .from = from, .only_stale = only_stale};
	__u32 *top = bpf_map_lookup_elem(&file_bytes_top, &w.pid);
	__u32 last;

	if (!top)
		return 0;
	last = *top < to ? *top : to;
	if (last < from)
		return 0;
	if (last - from >= AG_FDS_MAX)
		last = from + AG_FDS_MAX - 1;
	bpf_loop(last - from + 1, ag_sweep_step, &w, 0);
	return 0;
}

#endif
