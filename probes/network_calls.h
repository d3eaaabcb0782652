/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* System calls about the network: what the hooks left for them, and what no hook saw. */
#ifndef AGENTGUARD_NETWORK_CALLS_H
#define AGENTGUARD_NETWORK_CALLS_H

#include "network.h"

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

static __noinline int ag_on_unix(struct ag_scratch *s, __u32 scope, const __u8 *user, __u32 length, long result)
{
	struct ag_unix *r = (struct ag_unix *)s->record;
	__u32 bytes = length > 2 ? length - 2 : 0;

	if (bytes > AG_UNIX_PATH_MAX)
		bytes = AG_UNIX_PATH_MAX;
	r->result = result < 0 ? result : 0;
	r->path_bytes = bytes;
	if (bytes && bpf_probe_read_user(s->record + sizeof(*r), bytes, user + 2)) {
		ag_count_loss(AG_OP_UNIX, AG_LOSS_FAULT);
		bytes = 0;
		r->path_bytes = 0;
	}
	ag_fill(&r->h, AG_OP_UNIX, scope, sizeof(*r) + bytes, 0);
	ag_send_decision(r, sizeof(*r) + bytes, BPF_RB_NO_WAKEUP);
	return 0;
}

#endif
