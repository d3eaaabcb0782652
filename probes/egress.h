/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Packets as they leave. The programs at connect and send see the calls of TCP and UDP; what goes around them is
 * decided here: packets that a raw socket made or that another protocol sends, and source routes, by which a packet
 * goes to another address first than the one that was decided on.
 */
#ifndef AGENTGUARD_EGRESS_H
#define AGENTGUARD_EGRESS_H

#include "network.h"

#define AG_IPV4_BYTES 20
#define AG_IPV6_BYTES 40
#define AG_IPV4_OPTIONS_MAX 40
/* Extension headers that are followed; a packet with more is refused. */
#define AG_IPV6_HEADERS_MAX 8
#define AG_IPV6_HOP_BY_HOP 0
#define AG_IPV6_ROUTING 43
#define AG_IPV6_OPTIONS 60
#define AG_IP_END 0
#define AG_IP_NOTHING 1
#define AG_IP_LSRR 131
#define AG_IP_SSRR 137

struct ag_packet {
	struct ag_net net;
	__u32 transport; /* where the transport's header begins */
	__u32 routed;    /* it names a way of its own, or nobody can tell */
};

/* The options of an IPv4 header, RFC 791 section 3.1. */
static __always_inline void ag_read_options(struct __sk_buff *skb, struct ag_packet *p, __u32 words)
{
	__u8 options[AG_IPV4_OPTIONS_MAX] = {};
	__u32 i, next = 0;

	/* Word by word: verifiers before Linux 6.2 take no length that they know only by its bounds. */
	for (i = 0; i < AG_IPV4_OPTIONS_MAX / 4; i++)
		if (i < words && bpf_skb_load_bytes(skb, AG_IPV4_BYTES + 4 * i, options + 4 * i, 4)) {
			p->routed = 1;
			return;
		}
	for (i = 0; i < AG_IPV4_OPTIONS_MAX - 1; i++) {
		if (i != next)
			continue;
		if (options[i] == AG_IP_END)
			return;
		if (options[i] == AG_IP_LSRR || options[i] == AG_IP_SSRR)
			p->routed = 1;
		next += options[i] == AG_IP_NOTHING ? 1 : options[i + 1];
		if (next == i)
			p->routed = 1;
	}
}

static __always_inline void ag_read_v4(struct __sk_buff *skb, struct ag_packet *p)
{
	__u8 head[AG_IPV4_BYTES];
	__u32 words;

	if (bpf_skb_load_bytes(skb, 0, head, sizeof(head))) {
		p->routed = 1;
		return;
	}
	words = head[0] & 15;
	p->net.family = 4;
	p->net.protocol = head[9];
	p->transport = 4 * words;
	__builtin_memcpy(p->net.address, head + 16, 4);
	if (words > 5)
		ag_read_options(skb, p, words - 5);
}

static __always_inline void ag_read_v6(struct __sk_buff *skb, struct ag_packet *p)
{
	__u8 head[AG_IPV6_BYTES], extension[2], next;
	__u32 at = AG_IPV6_BYTES, i;

	if (bpf_skb_load_bytes(skb, 0, head, sizeof(head))) {
		p->routed = 1;
		return;
	}
	p->net.family = 6;
	__builtin_memcpy(p->net.address, head + 24, 16);
	next = head[6];
	for (i = 0; i < AG_IPV6_HEADERS_MAX; i++) {
		if (next != AG_IPV6_HOP_BY_HOP && next != AG_IPV6_OPTIONS)
			break;
		if (bpf_skb_load_bytes(skb, at, extension, sizeof(extension)))
			break;
		next = extension[0];
		at += 8 + 8 * extension[1];
	}
	p->routed = next == AG_IPV6_ROUTING || next == AG_IPV6_HOP_BY_HOP || next == AG_IPV6_OPTIONS;
	p->net.protocol = next;
	p->transport = at;
}

/* True where any rule is about the network. */
static __always_inline int ag_has_net_rules(void)
{
	struct ag_control *c = ag_get_control();
	struct ag_net_policy *p;
	__u32 slot;

	if (!c)
		return 1;
	slot = c->slot & 1;
	p = bpf_map_lookup_elem(&net_policy, &slot);
	return !p || p->rules || p->deny_by_default[AG_NET_SEND] || p->deny_by_default[AG_NET_CONNECT];
}

/* Connections and sends of TCP and UDP sockets were decided when they were made. */
static __always_inline int ag_is_new(struct __sk_buff *skb, const struct ag_packet *p)
{
	struct bpf_sock *sk = skb->sk;

	if (p->net.protocol != AG_IPPROTO_TCP && p->net.protocol != AG_IPPROTO_UDP)
		return 1;
	sk = sk ? bpf_sk_fullsock(sk) : 0;
	return sk && sk->type == AG_SOCK_RAW;
}

/* The finding for the end of the call that sends; these packets leave in the call that makes them. */
static __always_inline void ag_leave_packet(struct ag_net *net)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 id = (__u64)BPF_CORE_READ(task, tgid) << 32 | (__u32)BPF_CORE_READ(task, pid);

	bpf_map_update_elem(&net_pending, &id, net, BPF_ANY);
}

SEC("cgroup_skb/egress")
int ag_egress(struct __sk_buff *skb)
{
	struct ag_packet p = {.net = {.action = AG_NET_SEND}};
	__u8 port[2];

	if (skb->protocol == bpf_htons(AG_ETH_P_IP))
		ag_read_v4(skb, &p);
	else
		ag_read_v6(skb, &p);
	if (p.routed)
		return !ag_has_net_rules();
	if (!ag_is_new(skb, &p))
		return 1;
	if ((p.net.protocol == AG_IPPROTO_TCP || p.net.protocol == AG_IPPROTO_UDP ||
	     p.net.protocol == AG_IPPROTO_UDPLITE) &&
	    !bpf_skb_load_bytes(skb, p.transport + 2, port, sizeof(port)))
		p.net.port = port[0] << 8 | port[1];
	ag_decide_net(&p.net);
	/* No copy: with what it calls, its stack has 512 bytes. */
	if (p.net.verdict != AG_VERDICT_DENY)
		return 1;
	ag_leave_packet(&p.net);
	return 0;
}

#endif
