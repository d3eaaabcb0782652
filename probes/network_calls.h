/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* System calls about the network: what the hooks left for them, and what no hook saw. */
#ifndef AGENTGUARD_NETWORK_CALLS_H
#define AGENTGUARD_NETWORK_CALLS_H

#include "net_grant.h"
#include "unix.h"

/* Sends what a cgroup hook left for this thread; 0 if there was nothing. */
__noinline int ag_finish_net(__u32 scope, long result, __u32 has_result)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct ag_net *pending = bpf_map_lookup_elem(&net_pending, &id);
	struct ag_net net;

	if (!pending)
		return 0;
	net = *pending;
	bpf_map_delete_elem(&net_pending, &id);
	net.has_result = has_result;
	net.result = result < 0 ? result : 0;
	ag_send_net(&net, scope);
	return 1;
}

/* The inet socket behind a descriptor, or 0. */
static __always_inline __u64 ag_sock_of(__u64 fd)
{
	__u64 file = ag_file_of(fd), inode, socket, sk;
	__u16 mode;

	if (!file)
		return 0;
	AG_READ(inode, file, struct file, f_inode);
	AG_READ(mode, inode, struct inode, i_mode);
	if ((mode & AG_S_IFMT) != AG_S_IFSOCK)
		return 0;
	AG_READ(socket, file, struct file, private_data);
	AG_READ(sk, socket, struct socket, sk);
	return sk;
}

/* ::ffff:a.b.c.d is the IPv4 network: shown and decided as that. */
static __always_inline void ag_unmap(struct ag_net *net)
{
	if (net->family != 6 || !ag_is_mapped(net->address))
		return;
	__builtin_memcpy(net->address, net->address + 12, 4);
	__builtin_memset(net->address + 4, 0, 12);
	net->family = 4;
}

/* connect, bind, sendto and sendmsg that no hook saw: refused before it, or a tree without a cgroup. */
static __noinline int ag_on_address(__u32 scope, __u32 action, __u32 fd, const __u8 *user, long result)
{
	struct ag_net net = {.action = action, .has_result = 1, .source = 1};
	__u64 sk = ag_sock_of(fd);
	__u16 family = 0, port = 0;

	if (!user || bpf_probe_read_user(&family, 2, user)) {
		if (user)
			ag_count_loss(AG_OP_NET, AG_LOSS_FAULT);
		return 0;
	}
	if (family != AG_AF_INET && family != AG_AF_INET6)
		return 0;
	bpf_probe_read_user(&port, 2, user + 2);
	net.port = bpf_ntohs(port);
	net.family = 4;
	if (family == AG_AF_INET) {
		bpf_probe_read_user(net.address, 4, user + 4);
	} else {
		net.family = 6;
		bpf_probe_read_user(net.address, 16, user + 8);
		ag_unmap(&net);
	}
	if (sk) {
		__u16 protocol;

		AG_READ(protocol, sk, struct sock, sk_protocol);
		net.protocol = protocol;
	}
	net.rule_index = -1;
	net.result = result < 0 ? result : 0;
	ag_send_net(&net, scope);
	return 0;
}

__noinline int ag_on_listen(__u32 scope, __u32 fd, long result)
{
	struct ag_net net = {.action = AG_NET_LISTEN, .has_result = 1};
	__u64 sk = ag_sock_of(fd);
	__u16 family, protocol;

	if (!sk)
		return 0;
	AG_READ(family, sk, struct sock, __sk_common.skc_family);
	if (family != AG_AF_INET && family != AG_AF_INET6)
		return 0;
	AG_READ(net.port, sk, struct sock, __sk_common.skc_num);
	AG_READ(protocol, sk, struct sock, sk_protocol);
	net.protocol = protocol;
	net.family = family == AG_AF_INET ? 4 : 6;
	if (family == AG_AF_INET)
		BPF_CORE_READ_INTO(&net.address, (struct sock *)sk, __sk_common.skc_rcv_saddr);
	else
		BPF_CORE_READ_INTO(&net.address, (struct sock *)sk, __sk_common.skc_v6_rcv_saddr);
	ag_unmap(&net);
	net.rule_index = -1;
	net.result = result < 0 ? result : 0;
	ag_send_net(&net, scope);
	return 0;
}

/* A unix socket was bound: where it got a name in the file system, that is a new file. Returns 0 where it did not. */
static __noinline int ag_on_bound(struct ag_scratch *s, __u32 scope, __u32 fd)
{
	struct ag_path *r = (struct ag_path *)s->record;
	__u64 sk = ag_sock_of(fd), dentry, mnt, inode;
	__u32 flags = 0, bytes;
	__u16 family, mode;

	if (!sk)
		return 0;
	AG_READ(family, sk, struct sock, __sk_common.skc_family);
	if (family != AG_AF_UNIX)
		return 0;
	AG_READ(dentry, sk, struct unix_sock, path.dentry);
	AG_READ(mnt, sk, struct unix_sock, path.mnt);
	if (!dentry || !mnt)
		return 0;
	AG_READ(inode, dentry, struct dentry, d_inode);
	AG_READ(mode, inode, struct inode, i_mode);
	bytes = ag_put_path(s, sizeof(*r), dentry, mnt, &flags) & (AG_PATH_MAX - 1);
	r->action = AG_PATH_MKNOD;
	r->result = 0;
	r->mode = mode;
	r->uid = -1;
	r->gid = -1;
	r->path_bytes = bytes;
	r->requested_bytes = 0;
	ag_fill(&r->h, AG_OP_PATH, scope, sizeof(*r) + bytes, flags);
	ag_send_telemetry(r, sizeof(*r) + bytes);
	return 1;
}

struct ag_unix_end {
	const __u8 *user; /* the address in the caller's memory, for calls that no hook saw */
	__u32 length;
	__u32 fd;
	long result;
	__u32 connected; /* the call was connect, and it succeeded */
};

/* The path of the socket that a connected one has reached; 0 where it has none. */
static __always_inline __u32 ag_put_peer(struct ag_scratch *s, __u32 at, __u32 fd, __u32 *flags)
{
	__u64 sk = ag_sock_of(fd), peer, dentry, mnt;

	if (!sk)
		return 0;
	AG_READ(peer, sk, struct unix_sock, peer);
	if (!peer)
		return 0;
	AG_READ(dentry, peer, struct unix_sock, path.dentry);
	AG_READ(mnt, peer, struct unix_sock, path.mnt);
	return dentry && mnt ? ag_put_path(s, at, dentry, mnt, flags) : 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ag_unix_keys);
} unix_keys SEC(".maps");

/* Ends the caller where a rule speaks of the socket that was reached, whatever name led there. */
static __always_inline void ag_judge_peer(struct ag_unix *r, const char *path)
{
	__u32 zero = 0, slot;
	struct ag_unix_keys *k = bpf_map_lookup_elem(&unix_keys, &zero);
	struct ag_control *c = ag_get_control();
	struct ag_exec_policy *p;

	if (!k || !c || r->verdict == AG_VERDICT_DENY)
		return;
	slot = c->slot & 1;
	p = bpf_map_lookup_elem(&unix_policy, &slot);
	if (!p || !p->rules)
		return;
	ag_match_unix(k, path, r->peer_bytes, slot);
	if (k->verdict != AG_VERDICT_DENY)
		return;
	r->generation = p->generation;
	r->rule_index = k->rule_index;
	r->verdict = bpf_send_signal(9) ? AG_VERDICT_DENY_FAILED : AG_VERDICT_DENY;
	r->ended = 1;
}

/* Name and verdict of the call: what its hook left, or what its caller's memory holds. Returns 0 without either. */
static __always_inline int ag_put_unix_name(struct ag_scratch *s, struct ag_unix *r, const struct ag_unix_end *e)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct ag_unix_call *call = bpf_map_lookup_elem(&unix_calls, &id);
	__u32 bytes = e->length > 2 ? e->length - 2 : 0;

	r->rule_index = -1;
	r->generation = 0;
	r->verdict = AG_VERDICT_NONE;
	r->action = AG_UNIX_CONNECT;
	if (call) {
		bytes = call->name_bytes;
		AG_BARRIER(bytes);
		if (bytes <= AG_UNIX_PATH_MAX)
			bpf_probe_read_kernel(s->record + sizeof(*r), bytes, call->name);
		r->action = call->action;
		r->generation = call->generation;
		r->verdict = call->keys.verdict;
		r->rule_index = call->keys.rule_index;
		r->path_bytes = bytes;
		bpf_map_delete_elem(&unix_calls, &id);
		return 1;
	}
	if (!e->user)
		return 0;
	if (bytes > AG_UNIX_PATH_MAX)
		bytes = AG_UNIX_PATH_MAX;
	AG_BARRIER(bytes);
	if (bytes > AG_UNIX_PATH_MAX)
		return 0;
	if (bytes && bpf_probe_read_user(s->record + sizeof(*r), bytes, e->user + 2)) {
		ag_count_loss(AG_OP_UNIX, AG_LOSS_FAULT);
		bytes = 0;
	}
	r->path_bytes = bytes;
	return 1;
}

/* An interrupted call comes again, and is decided again. */
static __always_inline void ag_forget_unix(void)
{
	__u64 id = bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&unix_calls, &id);
}

/* The end of a call about a unix socket. Returns 0 where there is nothing to tell. */
static __noinline int ag_on_unix(struct ag_scratch *s, __u32 scope, const struct ag_unix_end *e)
{
	struct ag_unix *r = (struct ag_unix *)s->record;
	__u32 at = sizeof(*r), flags = 0, bytes;

	if (!ag_put_unix_name(s, r, e))
		return 0;
	r->result = e->result < 0 ? e->result : 0;
	r->ended = 0;
	r->base_bytes = 0;
	r->peer_bytes = 0;
	at += r->path_bytes & 127;
	if (r->path_bytes && s->record[sizeof(*r)] && s->record[sizeof(*r)] != '/') {
		bytes = ag_put_base(s, at, AG_AT_FDCWD, &flags) & (AG_PATH_MAX - 1);
		r->base_bytes = bytes;
		at += bytes;
	}
	if (e->connected) {
		bytes = ag_put_peer(s, at, e->fd, &flags) & (AG_PATH_MAX - 1);
		r->peer_bytes = bytes;
		if (bytes)
			ag_judge_peer(r, s->record + at);
		at += bytes;
	}
	if (at > AG_RECORD_DATA)
		return 0;
	ag_fill(&r->h, AG_OP_UNIX, scope, at, flags);
	if (r->verdict >= AG_VERDICT_DENY)
		ag_send_decision(r, at, BPF_RB_FORCE_WAKEUP);
	else if (r->action == AG_UNIX_SEND)
		ag_send_telemetry(r, at);
	else
		ag_send_decision(r, at, BPF_RB_NO_WAKEUP);
	return 1;
}

#endif
