/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Network: cgroup programs decide on the kernel's own copy of the address (no race with the caller's memory) and
 * leave their finding for the end of the system call, which adds the result.
 */
#ifndef AGENTGUARD_NETWORK_H
#define AGENTGUARD_NETWORK_H

#include "agentguard_path.h"
#include "names.h"

/* Which of the three protocol vectors holds. */
static __always_inline __u32 ag_protocol_class(__u8 protocol)
{
	if (protocol == AG_IPPROTO_TCP)
		return AG_PROTOCOL_TCP;
	return protocol == AG_IPPROTO_UDP ? AG_PROTOCOL_UDP : AG_PROTOCOL_OTHER;
}

/*
 * Decides one address; fills verdict, rule and generation of *net. User space keeps an entry for the empty prefix in
 * every trie of a slot that has rules, so a lookup without result is a defect there: refused.
 */
__noinline int ag_decide_net(struct ag_net *net)
{
	struct ag_rule_bits *address, *port, *x_address, *x_port;
	struct ag_port_key pk = {.prefix_bits = 48};
	struct ag_control *c = ag_get_control();
	struct ag_host_set named = {};
	__u32 slot, action, class, allowed = 0;
	struct ag_net_policy *p;
	int w;

	if (!net || !c)
		return 0;
	action = net->action;
	net->verdict = AG_VERDICT_NONE;
	net->rule_index = -1;
	slot = c->slot & 1;
	p = bpf_map_lookup_elem(&net_policy, &slot);
	if (!p || action >= AG_NET_LISTEN)
		return 0;
	net->generation = p->generation;
	net->verdict = AG_VERDICT_ALLOW;
	ag_names_of(net, &named, slot);
	if (!p->rules) {
		if (p->deny_by_default[action])
			net->verdict = AG_VERDICT_DENY;
		return 0;
	}
	pk.slot = slot;
	pk.port[0] = net->port >> 8;
	pk.port[1] = net->port & 255;
	port = bpf_map_lookup_elem(&port_rules, &pk);
	x_port = bpf_map_lookup_elem(&port_except, &pk);
	if (net->family == 4) {
		struct ag_v4_key k = {.prefix_bits = 64, .slot = slot};

		__builtin_memcpy(k.address, net->address, 4);
		address = bpf_map_lookup_elem(&v4_rules, &k);
		x_address = bpf_map_lookup_elem(&v4_except, &k);
	} else {
		struct ag_v6_key k = {.prefix_bits = 160, .slot = slot};

		__builtin_memcpy(k.address, net->address, 16);
		address = bpf_map_lookup_elem(&v6_rules, &k);
		x_address = bpf_map_lookup_elem(&v6_except, &k);
	}
	if (!address || !port || !x_address || !x_port) {
		net->verdict = AG_VERDICT_DENY;
		return 0;
	}
	class = ag_protocol_class(net->protocol);
	for (w = 0; w < AG_NET_WORDS; w++) {
		__u64 bits = address->word[w] & port->word[w] & p->protocol[class].word[w] & p->action[action].word[w];

		bits &= named.rules.word[w];
		bits &= ~(x_address->word[w] & x_port->word[w] & p->except_protocol[class].word[w] & p->except.word[w] &
			  named.except.word[w]);
		if (bits & p->deny.word[w]) {
			net->verdict = AG_VERDICT_DENY;
			net->rule_index = p->rule_index[(w * 64 + ag_lowest_bit(bits & p->deny.word[w])) & 255];
			return 0;
		}
		allowed |= (bits & p->allow.word[w]) != 0;
	}
	if (!allowed && p->deny_by_default[action])
		net->verdict = AG_VERDICT_DENY;
	return 0;
}

/* Sends a finding; the current thread made the call. */
__noinline int ag_send_net(struct ag_net *net, __u32 scope)
{
	if (!net)
		return 0;
	ag_fill(&net->h, AG_OP_NET, scope, sizeof(*net), 0);
	if (net->verdict == AG_VERDICT_DENY)
		ag_send_decision(net, sizeof(*net), BPF_RB_FORCE_WAKEUP);
	else if (net->action == AG_NET_SEND)
		ag_send_telemetry(net, sizeof(*net));
	else
		ag_send_decision(net, sizeof(*net), BPF_RB_NO_WAKEUP);
	return 0;
}

/*
 * Leaves a finding for the end of the call. An earlier one of the same call (sendmmsg) went through; one that was
 * refused is from a call whose end nobody looked at, because its thread is in no scope.
 */
__noinline int ag_leave_net(struct ag_net *net)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct ag_net *before = bpf_map_lookup_elem(&net_pending, &id), copy;

	if (!net)
		return 0;
	if (before) {
		copy = *before;
		copy.has_result = copy.verdict != AG_VERDICT_DENY;
		copy.result = 0;
		ag_send_net(&copy, 0);
	}
	copy = *net; /* Linux before 6.4 takes no argument of a global function as a map's value. */
	if (bpf_map_update_elem(&net_pending, &id, &copy, BPF_ANY)) {
		ag_count_loss(AG_OP_NET, AG_LOSS_MAP_FULL);
		ag_send_net(&copy, 0);
	}
	return 0;
}

#define AG_LOOPBACK4 bpf_htonl(0x7f000001)

/*
 * To send to the unspecified address is to send to this host: to the address that the socket is bound to, or that the
 * datagram is to come from, else to the loopback address. Decided, recorded and reached is what that comes to.
 */
static __always_inline __u32 ag_own4(struct bpf_sock_addr *ctx, __u32 action)
{
	__u32 source = 0;

	if (action == AG_NET_SEND)
		source = ctx->msg_src_ip4;
	else if (ctx->sk)
		source = ctx->sk->src_ip4;
	return source ? source : AG_LOOPBACK4;
}

/* For sessions whose calls wait, see net_grant.h. */
int ag_require_grant(struct ag_net *net);

/* Decides, and leaves the finding. `held`: only what was let go may pass. */
static __always_inline int ag_judge_net(struct ag_net *net, bool held)
{
	ag_decide_net(net);
	if (held)
		ag_require_grant(net);
	ag_leave_net(net);
	return net->verdict != AG_VERDICT_DENY;
}

static __always_inline int ag_hook4(struct bpf_sock_addr *ctx, __u32 action, bool held)
{
	struct ag_net net = {.family = 4, .action = action};
	__u32 address;

	if (bpf_get_current_pid_tgid() >> 32 == ag_self)
		return 1;
	address = ctx->user_ip4;
	if (!address && action != AG_NET_BIND) {
		address = ag_own4(ctx, action);
		ctx->user_ip4 = address;
	}
	__builtin_memcpy(net.address, &address, 4);
	net.port = bpf_ntohs(ctx->user_port);
	net.protocol = ctx->protocol;
	return ag_judge_net(&net, held);
}

/* `::` and ::ffff:0.0.0.0, see ag_own4; a socket that is bound to an IPv4 address is one of that network. */
static __always_inline void ag_own6(struct bpf_sock_addr *ctx, __u32 action)
{
	__u32 mapped = ctx->user_ip6[2], source = 0;

	if (action == AG_NET_BIND || ctx->user_ip6[0] || ctx->user_ip6[1] || ctx->user_ip6[3])
		return;
	if (mapped && mapped != bpf_htonl(0xffff))
		return;
	if (action == AG_NET_CONNECT && ctx->sk)
		source = ctx->sk->src_ip4;
	if (mapped || source) {
		ctx->user_ip6[2] = bpf_htonl(0xffff);
		ctx->user_ip6[3] = mapped && source ? source : AG_LOOPBACK4;
	} else
		ctx->user_ip6[3] = bpf_htonl(1);
}

static __always_inline int ag_hook6(struct bpf_sock_addr *ctx, __u32 action, bool held)
{
	struct ag_net net = {.family = 6, .action = action};
	__u32 word;

	if (bpf_get_current_pid_tgid() >> 32 == ag_self)
		return 1;
	ag_own6(ctx, action);
	word = ctx->user_ip6[0];
	__builtin_memcpy(net.address, &word, 4);
	word = ctx->user_ip6[1];
	__builtin_memcpy(net.address + 4, &word, 4);
	word = ctx->user_ip6[2];
	__builtin_memcpy(net.address + 8, &word, 4);
	word = ctx->user_ip6[3];
	__builtin_memcpy(net.address + 12, &word, 4);
	if (ag_is_mapped(net.address)) {
		/* ::ffff:a.b.c.d reaches the IPv4 network: the IPv4 rules hold. */
		__builtin_memcpy(net.address, &word, 4);
		__builtin_memset(net.address + 4, 0, 12);
		net.family = 4;
	}
	net.port = bpf_ntohs(ctx->user_port);
	net.protocol = ctx->protocol;
	return ag_judge_net(&net, held);
}

SEC("cgroup/connect4")
int ag_connect4(struct bpf_sock_addr *ctx)
{
	return ag_hook4(ctx, AG_NET_CONNECT, false);
}

SEC("cgroup/connect6")
int ag_connect6(struct bpf_sock_addr *ctx)
{
	return ag_hook6(ctx, AG_NET_CONNECT, false);
}

SEC("cgroup/sendmsg4")
int ag_sendmsg4(struct bpf_sock_addr *ctx)
{
	return ag_hook4(ctx, AG_NET_SEND, false);
}

SEC("cgroup/sendmsg6")
int ag_sendmsg6(struct bpf_sock_addr *ctx)
{
	return ag_hook6(ctx, AG_NET_SEND, false);
}

SEC("cgroup/bind4")
int ag_bind4(struct bpf_sock_addr *ctx)
{
	return ag_hook4(ctx, AG_NET_BIND, false);
}

SEC("cgroup/bind6")
int ag_bind6(struct bpf_sock_addr *ctx)
{
	return ag_hook6(ctx, AG_NET_BIND, false);
}

#endif
