/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Names of addresses: which rules they fulfil, as connections ask it, and how they are learned. A name holds until its
 * own end, so that no other name of the same address keeps it alive.
 */
#ifndef AGENTGUARD_NAMES_H
#define AGENTGUARD_NAMES_H

#include "agentguard_emit.h"

/* Bytes of a DNS message that are looked at. */
#define AG_DNS_MESSAGE 4096

/* Between two reads of one packet. Its user is a softirq, which nothing interrupts; `busy` is for real-time kernels. */
struct ag_names_scratch {
	__u32 busy;
	/* Reading a message. In memory, not on the stack: the verifier need not track the values. */
	__u32 length;
	__u32 at;
	__u32 label;   /* bytes of the label that are still to come */
	__u32 done;    /* enum ag_dns_end */
	__u32 clipped; /* 1: the message is longer than what is there */
	__u32 left;    /* records */
	struct ag_host_key key;
	struct ag_teach teach;
	struct ag_dns record;
	__u8 message[AG_DNS_MESSAGE + 64]; /* a field is read whole, wherever it begins */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ag_names_scratch);
} names_scratch SEC(".maps");

/* The scratch, for this program alone until ag_put_names; NULL where another one has it. */
static __always_inline struct ag_names_scratch *ag_take_names(void)
{
	__u32 zero = 0;
	struct ag_names_scratch *s = bpf_map_lookup_elem(&names_scratch, &zero);

	if (!s || __sync_lock_test_and_set(&s->busy, 1)) {
		ag_count_loss(AG_OP_DNS, AG_LOSS_SCRATCH);
		return 0;
	}
	return s;
}

static __always_inline void ag_put_names(struct ag_names_scratch *s)
{
	__sync_lock_test_and_set(&s->busy, 0);
}

/*
 * Nothing is permitted at these by a name alone: whoever owns the name could mean any machine nearby. The same as
 * lib/core/special_addresses.ts.
 */
static __always_inline bool ag_is_special4(const __u8 *a)
{
	switch (a[0]) {
	case 0:
	case 10:
	case 127:
		return true;
	case 100:
		return (a[1] & 0xc0) == 64;
	case 169:
		return a[1] == 254;
	case 172:
		return (a[1] & 0xf0) == 16;
	case 192:
		return a[1] == 168 || (a[1] == 0 && a[2] == 0);
	case 198:
		return (a[1] & 0xfe) == 18;
	}
	return a[0] >= 224;
}

static __always_inline bool ag_is_special6(const __u8 *a)
{
	const __u32 *w = (const __u32 *)a;

	if (!w[0] && !w[1] && !w[2])
		return true;
	if ((a[0] & 0xfe) == 0xfc || a[0] == 0xff || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80))
		return true;
	if (a[0] == 0x20 && a[1] == 0x02)
		return true;
	if (w[0] != bpf_htonl(0x0064ff9b))
		return false;
	return (!w[1] && !w[2]) || (!a[4] && a[5] == 1);
}

static __always_inline bool ag_is_mapped(const __u8 *a)
{
	return *(__u64 *)a == 0 && *(__u32 *)(a + 8) == bpf_htonl(0xffff);
}

struct ag_naming {
	struct ag_net *net;
	struct ag_host_set *out;
	struct ag_address_names *names;
	__u64 now;
	__u32 slot;
};

static long ag_name_step(__u32 index, void *context)
{
	struct ag_naming *n = context;
	struct ag_name_cell *cell;
	struct ag_host_set *set;
	__u32 at;
	int w;

	if (index >= AG_NAME_CELLS)
		return 1;
	cell = &n->names->cell[index];
	if (cell->expires_ns <= n->now)
		return 0;
	at = n->slot * AG_HOST_SETS_MAX + cell->set;
	set = bpf_map_lookup_elem(&host_sets, &at);
	if (!set)
		return 0;
	n->net->flags |= AG_NET_NAMED;
	n->net->decided_ns = n->now;
	for (w = 0; w < AG_NET_WORDS; w++) {
		n->out->rules.word[w] |= set->rules.word[w];
		n->out->except.word[w] |= set->except.word[w];
	}
	return 0;
}

/*
 * Sets *out to the rules that ask for no host or for a name of the address, and says in *net that it has any. Global,
 * so that the verifier looks at it once for each program, and knows nothing of *out behind it.
 */
__noinline int ag_names_of(struct ag_net *net, struct ag_host_set *out, __u32 slot)
{
	struct ag_naming n = {.net = net, .out = out, .slot = slot & 1};
	struct ag_address_key key = {.slot = n.slot};
	struct ag_net_policy *p;
	int w;

	p = bpf_map_lookup_elem(&net_policy, &key.slot);
	if (!net || !out || !p)
		return 0;
	out->rules = p->any_host;
	out->except = p->any_host_except;
	if (!p->names)
		return 0;
	key.family = net->family;
	__builtin_memcpy(key.address, net->address, sizeof(key.address));
	n.names = bpf_map_lookup_elem(&addr_names, &key);
	if (!n.names || n.names->generation != p->generation)
		return 0;
	n.now = bpf_ktime_get_boot_ns();
	bpf_loop(AG_NAME_CELLS, ag_name_step, &n, 0);
	if (!n.names->special)
		return 0;
	/* These ask for a host: none of them is in any_host. */
	for (w = 0; w < AG_NET_WORDS; w++) {
		out->rules.word[w] &= ~p->public_host.word[w];
		out->except.word[w] &= ~p->public_host_except.word[w];
	}
	return 0;
}

/*
 * Notes that the address has a name of this set. Cells change hands by comparing and exchanging their end, so that no
 * set ever gets the end of another one.
 */
static __noinline int ag_learn(const struct ag_address_key *key, __u32 generation, __u32 set, __u64 expires_ns)
{
	struct ag_address_names fresh = {.generation = generation}, *names = bpf_map_lookup_elem(&addr_names, key);
	__u64 least = ~0ull;
	__u32 at = 0;
	int i;

	if (!names || names->generation != generation) {
		fresh.special = key->family == 4 ? ag_is_special4(key->address) : ag_is_special6(key->address);
		fresh.cell[0].set = set;
		fresh.cell[0].expires_ns = expires_ns;
		return bpf_map_update_elem(&addr_names, key, &fresh, BPF_ANY);
	}
	for (i = 0; i < AG_NAME_CELLS; i++) {
		__u64 end = names->cell[i].expires_ns;

		if (end > 1 && names->cell[i].set == set) {
			if (end < expires_ns)
				__sync_val_compare_and_swap(&names->cell[i].expires_ns, end, expires_ns);
			return 0;
		}
		if (end != 1 && end < least) {
			least = end;
			at = i;
		}
	}
	AG_BARRIER(at);
	if (at >= AG_NAME_CELLS || __sync_val_compare_and_swap(&names->cell[at].expires_ns, least, 1) != least)
		return 0;
	names->cell[at].set = set;
	__sync_val_compare_and_swap(&names->cell[at].expires_ns, 1, expires_ns);
	return 0;
}

struct ag_reversal {
	struct ag_names_scratch *s;
	const char *name;
	__u32 length;
};

static long ag_reverse_step(__u32 index, void *context)
{
	struct ag_reversal *r = context;

	if (index >= AG_DNS_NAME_MAX || index >= r->length)
		return 1;
	r->s->key.name[index] = r->s->record.name[(r->length - 1 - index) & 255];
	return 0;
}

/* The set of the name in s->record. */
static __noinline __u32 ag_set_of(struct ag_names_scratch *s, __u32 slot)
{
	struct ag_reversal r = {.s = s, .length = s->record.name_length};
	__u32 *set;

	if (!r.length || r.length > AG_DNS_NAME_MAX)
		return 0;
	bpf_loop(r.length, ag_reverse_step, &r, 0);
	s->key.name[r.length & 255] = 0;
	s->key.slot = slot;
	s->key.prefix_bits = 32 + (r.length + 1) * 8;
	set = bpf_map_lookup_elem(&host_names, &s->key);
	return set ? *set : 0;
}

/* The network namespace of a packet's socket; 0 where nobody can tell. */
static __always_inline __u64 ag_netns_of(struct __sk_buff *skb)
{
	__u32 at = bpf_core_field_offset(struct sock, __sk_common.skc_net);
	__u64 net = 0;
	__u8 head[96] = {};

	/* The verifier lets nobody look into a socket behind its known fields; a copy of its beginning is allowed. */
	if (at > sizeof(head) - sizeof(net) || bpf_probe_read_kernel(head, sizeof(head), skb->sk))
		return 0;
	bpf_probe_read_kernel(&net, sizeof(net), head + at);
	return net;
}

/* Run by user space on a packet that it made: names of the host's own file, and those that outlive their policy. */
SEC("socket")
int ag_teach(struct __sk_buff *skb)
{
	struct ag_names_scratch *s = ag_take_names();
	struct ag_control *c = ag_get_control();
	struct ag_net_policy *p;
	struct ag_address_key key;
	int result = -1;
	__u32 slot;

	if (!s)
		return -1;
	if (bpf_skb_load_bytes(skb, 0, &s->teach, sizeof(s->teach)))
		goto out;
	/* A packet that is only tried out belongs to whoever tries it. */
	if (c)
		c->netns = ag_netns_of(skb);
	key = s->teach.address;
	slot = key.slot & 1;
	p = bpf_map_lookup_elem(&net_policy, &slot);
	if (!key.family)
		result = 0;
	if (!key.family || !p || s->teach.name_length > AG_DNS_NAME_MAX)
		goto out;
	__builtin_memcpy(s->record.name, s->teach.name, sizeof(s->record.name));
	s->record.name_length = s->teach.name_length;
	result = ag_learn(&key, p->generation, ag_set_of(s, slot), s->teach.expires_ns);
out:
	ag_put_names(s);
	return result;
}

#endif
