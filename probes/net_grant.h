/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Connections and messages that were held. Whoever held the call read the address in its caller's memory, which another
 * thread may change before the kernel copies it; here the kernel's copy is compared with what was let go.
 */
#ifndef AGENTGUARD_NET_GRANT_H
#define AGENTGUARD_NET_GRANT_H

#include "grant.h"
#include "network.h"

static __always_inline bool ag_same_target(const struct ag_net *net, const struct ag_grant *g)
{
	const __u64 *a = (const __u64 *)net->address, *b = (const __u64 *)g->address;

	return a[0] == b[0] && a[1] == b[1] && net->port == g->port && net->family == g->family &&
	       net->action == g->action && ag_protocol_class(net->protocol) == ag_protocol_class(g->protocol);
}

/*
 * Refuses what the current thread was not granted. What user space let go is not refused by the kernel's default, which
 * stands for rules that have no form here; an explicit rule gives way only to a person's answer. The grant stays until
 * the end of the call: one call may send several messages.
 */
__noinline int ag_require_grant(struct ag_net *net)
{
	__u32 key = ag_grant_key(bpf_get_current_task_btf(), bpf_get_current_pid_tgid());
	struct ag_grant *g = bpf_map_lookup_elem(&grants, &key);

	if (!net)
		return 0;
	if (g && g->flags & AG_GRANT_NET && !(g->flags & AG_GRANT_REFUSED) &&
	    bpf_ktime_get_boot_ns() <= g->expires_ns) {
		if (ag_same_target(net, g)) {
			if (g->flags & AG_GRANT_APPROVED || net->rule_index < 0)
				net->verdict = AG_VERDICT_ALLOW;
			return 0;
		}
		net->flags |= AG_NET_OTHER;
	} else if (net->verdict != AG_VERDICT_DENY) {
		net->flags |= AG_NET_UNGRANTED;
	}
	if (net->verdict != AG_VERDICT_DENY)
		net->rule_index = -1;
	net->verdict = AG_VERDICT_DENY;
	return 0;
}

/* The end of a held call: whose decision its record belongs to. Without a record there is nothing to say. */
static __always_inline void ag_finish_held_net(__u32 scope, __u32 call)
{
	__u64 id = bpf_get_current_pid_tgid();

	if (call == AG_CALL_CONNECT || bpf_map_lookup_elem(&net_pending, &id))
		ag_tell_decided(scope);
	else
		ag_drop_grant(bpf_get_current_task_btf());
}

SEC("cgroup/connect4")
int ag_connect4_held(struct bpf_sock_addr *ctx)
{
	return ag_hook4(ctx, AG_NET_CONNECT, true);
}

SEC("cgroup/connect6")
int ag_connect6_held(struct bpf_sock_addr *ctx)
{
	return ag_hook6(ctx, AG_NET_CONNECT, true);
}

SEC("cgroup/sendmsg4")
int ag_sendmsg4_held(struct bpf_sock_addr *ctx)
{
	return ag_hook4(ctx, AG_NET_SEND, true);
}

SEC("cgroup/sendmsg6")
int ag_sendmsg6_held(struct bpf_sock_addr *ctx)
{
	return ag_hook6(ctx, AG_NET_SEND, true);
}

#endif
