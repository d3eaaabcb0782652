/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unix sockets that are connected or sent to: by the file that they are bound to, or by their abstract name. */
#ifndef AGENTGUARD_LSM_UNIX_H
#define AGENTGUARD_LSM_UNIX_H

#include "lsm_deed.h"

/* Bytes of an address before its name. */
#define AG_UNIX_HEAD sizeof(struct sockaddr_un)

/* Puts an abstract name as rules write it, `@NAME`; returns its length, 0 where the address is no such name. */
static __always_inline __u32 ag_put_abstract(struct ag_scratch *s, __u32 at, __u64 address)
{
	__u64 name;
	__u32 bytes;
	char first = 1;

	if (!address)
		return 0;
	AG_READ(bytes, address, struct unix_address, len);
	name = address + bpf_core_field_offset(struct unix_address, name) + AG_UNIX_HEAD;
	bytes -= AG_UNIX_HEAD;
	AG_BARRIER(bytes);
	if (!bytes || bytes > AG_UNIX_PATH_MAX || bpf_probe_read_kernel(&first, 1, (void *)name) || first)
		return 0;
	bpf_probe_read_kernel(s->record + at, bytes, (void *)name);
	s->record[at] = '@';
	return bytes;
}

/* Collects the rules of the socket with the abstract name in the record: the whole, the last component. */
static __always_inline void ag_match_abstract(struct ag_turn *t, const char *name, __u32 bytes)
{
	struct ag_last slash = {.l = t->l, .sought = '/'};

	ag_begin_keys(t->l, t->slot);
	ag_match_name(t->l, (__u64)name, bytes, AG_NAME_PATH);
	bpf_loop(bytes, ag_find_last, &slash, 0);
	ag_match_base(t->l, (__u64)name + slash.behind, bytes - slash.behind);
}

static __always_inline int ag_judge_abstract(struct ag_turn *t, struct ag_file_policy *p, __u64 address)
{
	struct ag_refused *r = (struct ag_refused *)t->s->record;
	__u32 at = sizeof(*r), bytes = ag_put_abstract(t->s, at, address);

	if (!bytes)
		return 0;
	ag_match_abstract(t, t->s->record + at, bytes);
	if (!ag_is_refused(t, p, AG_FILE_UNIX_CONNECT))
		return 0;
	r->path_bytes = bytes;
	r->new_path_bytes = 0;
	r->ino = 0;
	r->dev = 0;
	r->detail = 0;
	r->target = 0;
	ag_report_refusal(t, AG_FILE_UNIX_CONNECT, at + bytes);
	return -AG_EPERM;
}

/*
 * Both hooks about sockets without a path end here: the verifier looks at it once. The address comes in memory: to the
 * verifier what was read by load is a pointer, which it takes for no number.
 */
__noinline int ag_decide_abstract(struct ag_deed *deed)
{
	struct ag_turn t = {.rule_index = -1};
	struct ag_file_policy *p;
	int verdict;

	if (!deed)
		return 0;
	p = ag_policy_for(&t, &file_policy);
	if (!t.scope || !p || !p->rules)
		return 0;
	t.generation = p->generation;
	if (!ag_begin_turn(&t))
		return -AG_EPERM;
	verdict = ag_judge_abstract(&t, p, deed->address);
	ag_end_turn();
	return verdict;
}

static __always_inline int ag_to_peer(struct sock *other)
{
	struct ag_deed deed = {.own = 1, .action = AG_FILE_UNIX_CONNECT};

	AG_READ(deed.mnt, other, struct unix_sock, path.mnt);
	AG_READ(deed.dentry, other, struct unix_sock, path.dentry);
	if (deed.mnt && deed.dentry)
		return ag_decide(&deed);
	/* What is neither bound to a path nor abstract, one of a pair, no rule of the kernel names. */
	AG_READ(deed.address, other, struct unix_sock, addr);
	return ag_decide_abstract(&deed) < 0 ? -AG_EPERM : 0;
}

SEC("lsm/unix_stream_connect")
int BPF_PROG(ag_lsm_unix_stream, struct sock *sock, struct sock *other)
{
	return ag_to_peer(other);
}

SEC("lsm/unix_may_send")
int BPF_PROG(ag_lsm_unix_send, struct socket *sock, struct socket *other)
{
	return ag_to_peer(other->sk);
}

#endif
