/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * DNS answers, read in the kernel before the process that asked can read them: what a resolver says is known at the
 * first connection that uses it. A message that is not plain teaches nothing, and goes its way.
 */
#ifndef AGENTGUARD_DNS_H
#define AGENTGUARD_DNS_H

#include "dns_message.h"

#define AG_DNS_PORT 53
#define AG_IPPROTO_ICMPV6 58

/* Where a packet comes from, and where its transport header begins. */
struct ag_sender {
	struct ag_address_key source;
	__u32 transport;
	__u32 protocol;
	__u32 odd; /* 1: a fragment, or headers that nobody follows here */
};

/* Reads the network header; 0 where there is none of IP. */
static __always_inline int ag_read_sender(struct __sk_buff *skb, struct ag_sender *p)
{
	__u8 h[40];

	if (bpf_skb_load_bytes(skb, 0, h, 20))
		return 0;
	if (h[0] >> 4 == 4) {
		p->source.family = 4;
		p->protocol = h[9];
		p->transport = (h[0] & 15) * 4;
		p->odd = (h[6] & 0x3f) || h[7];
		__builtin_memcpy(p->source.address, h + 12, 4);
		return 1;
	}
	if (h[0] >> 4 != 6 || bpf_skb_load_bytes(skb, 0, h, 40))
		return 0;
	p->source.family = 6;
	p->protocol = h[6];
	p->transport = 40;
	p->odd = h[6] != AG_IPPROTO_UDP && h[6] != AG_IPPROTO_TCP && h[6] != AG_IPPROTO_ICMPV6;
	__builtin_memcpy(p->source.address, h + 8, 16);
	return 1;
}

static __always_inline bool ag_carries_ports(const struct ag_sender *p)
{
	return p->protocol == AG_IPPROTO_UDP || p->protocol == AG_IPPROTO_TCP;
}

/* Answers in other network namespaces say nothing: whoever made one may have made its resolver, too. */
static __always_inline bool ag_in_own_netns(struct __sk_buff *skb)
{
	struct ag_control *c = ag_get_control();

	return c && c->netns && ag_netns_of(skb) == c->netns;
}

struct ag_lesson {
	struct ag_names_scratch *s;
	__u64 expires_ns;
	__u32 generation;
	__u32 set;
	__u32 slot;
};

static long ag_learn_step(__u32 index, void *context)
{
	struct ag_lesson *l = context;
	struct ag_dns_answer *from = &l->s->record.answer[index & (AG_DNS_ANSWERS_MAX - 1)];
	struct ag_address_key key = {.slot = l->slot, .family = from->family};

	__builtin_memcpy(key.address, from->address, sizeof(key.address));
	if (ag_learn(&key, l->generation, l->set, l->expires_ns))
		ag_count_loss(AG_OP_DNS, AG_LOSS_MAP_FULL);
	return 0;
}

/* The session whose cgroup the packet's socket belongs to; 0 where there is none. */
static __always_inline __u32 ag_scope_of_socket(struct __sk_buff *skb)
{
	int level;

	for (level = 1; level < 16; level++) {
		__u64 id = bpf_skb_ancestor_cgroup_id(skb, level);
		__u32 *scope = id ? bpf_map_lookup_elem(&cgroups, &id) : 0;

		if (scope)
			return *scope;
		if (!id)
			break;
	}
	return 0;
}

/* Records the message in `s` and learns from it; what cannot be recorded is not learned. */
static __noinline int ag_tell_names(struct ag_names_scratch *s, __u32 scope)
{
	struct ag_control *c = ag_get_control();
	struct ag_lesson l = {.s = s};
	struct ag_dns *r = &s->record;
	struct ag_cpu *cpu = ag_get_cpu();
	struct ag_net_policy *p;
	__u32 ttl = r->ttl_s;

	if (!c || !cpu)
		return 0;
	l.slot = c->slot & 1;
	p = bpf_map_lookup_elem(&net_policy, &l.slot);
	if (!p)
		return 0;
	l.generation = p->generation;
	l.set = ag_set_of(s, l.slot);
	__builtin_memset(&r->h, 0, sizeof(r->h));
	r->h.size = sizeof(*r);
	r->h.op = AG_OP_DNS;
	r->h.abi = AG_ABI_VERSION;
	r->h.cpu = bpf_get_smp_processor_id();
	r->h.scope = scope;
	r->h.time_ns = bpf_ktime_get_boot_ns();
	r->generation = l.generation;
	r->flags = 0;
	r->reserved = 0;
	r->h.seq = __sync_fetch_and_add(&cpu->seq[AG_RING_DECISIONS], 1);
	if (bpf_ringbuf_output(&decisions, r, sizeof(*r), BPF_RB_NO_WAKEUP)) {
		ag_count_loss(AG_OP_DNS, AG_LOSS_RING_FULL);
		return 0;
	}
	ag_wake_if_asleep();
	if (ttl < AG_DNS_TTL_S_MIN)
		ttl = AG_DNS_TTL_S_MIN;
	if (ttl > AG_DNS_TTL_S_MAX)
		ttl = AG_DNS_TTL_S_MAX;
	l.expires_ns = r->h.time_ns + ttl * 1000000000ull;
	bpf_loop(r->count, ag_learn_step, &l, 0);
	return 0;
}

/* Copies the message of a packet from the given offset; returns 0 where there is none. */
static __always_inline int ag_take_message(struct __sk_buff *skb, struct ag_names_scratch *s, __u32 at)
{
	__u32 bytes = skb->len - at;

	if (skb->len <= at + AG_DNS_HEADER)
		return 0;
	s->clipped = bytes > AG_DNS_MESSAGE;
	if (bytes > AG_DNS_MESSAGE)
		bytes = AG_DNS_MESSAGE;
	s->length = bytes;
	/* One bound after the other: verifiers before Linux 6.8 learn nothing from "not 0", nor from both in one. */
	AG_BARRIER(bytes);
	if (bytes < AG_DNS_HEADER)
		return 0;
	AG_BARRIER(bytes);
	if (bytes > AG_DNS_MESSAGE)
		return 0;
	return !bpf_skb_load_bytes(skb, at, s->message, bytes);
}

/* Where the message of a packet begins; 0 where the packet does not hold a whole one. */
static __always_inline __u32 ag_message_at(struct __sk_buff *skb, const struct ag_sender *p)
{
	__u8 h[2];
	__u32 at;

	if (p->protocol == AG_IPPROTO_UDP)
		return p->transport + 8;
	if (bpf_skb_load_bytes(skb, p->transport + 12, h, 1))
		return 0;
	at = p->transport + (h[0] >> 4) * 4;
	if (bpf_skb_load_bytes(skb, at, h, 2) || skb->len < at + 2 + (h[0] << 8 | h[1]))
		return 0;
	return at + 2;
}

SEC("cgroup_skb/ingress")
int ag_dns_in(struct __sk_buff *skb)
{
	struct ag_sender p = {};
	struct ag_names_scratch *s;
	__u32 at;
	__u8 port[2];

	if (!ag_read_sender(skb, &p) || p.odd || !ag_carries_ports(&p))
		return 1;
	if (bpf_skb_load_bytes(skb, p.transport, port, 2) || port[0] || port[1] != AG_DNS_PORT)
		return 1;
	if (!bpf_map_lookup_elem(&resolvers, &p.source) || !ag_in_own_netns(skb))
		return 1;
	at = ag_message_at(skb, &p);
	s = at ? ag_take_names() : 0;
	if (!s)
		return 1;
	if (ag_take_message(skb, s, at) && ag_read_message(s))
		ag_tell_names(s, ag_scope_of_socket(skb));
	ag_put_names(s);
	return 1;
}

/* Nobody in a session is a resolver: what looks like a resolver's answer is dropped. */
SEC("cgroup_skb/egress")
int ag_dns_out(struct __sk_buff *skb)
{
	struct ag_sender p = {};
	__u8 port[2] = {};

	if (!ag_read_sender(skb, &p))
		return 1;
	if (!p.odd) {
		if (!ag_carries_ports(&p) || bpf_skb_load_bytes(skb, p.transport, port, 2))
			return 1;
		if (port[0] || port[1] != AG_DNS_PORT)
			return 1;
	}
	return !bpf_map_lookup_elem(&resolvers, &p.source);
}

#endif
