/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Grants: what user space let go must be what comes up. Whoever held the start read the caller's memory, which another
 * thread may change before the kernel reads it again; here the program and its arguments are final.
 */
#ifndef AGENTGUARD_GRANT_H
#define AGENTGUARD_GRANT_H

#include "agentguard_path.h"
#include "script.h"

/* Bytes hashed at once; a power of two below AG_WALK_BYTES - 8. */
#define AG_HASH_CHUNK 4096

/* SipHash-2-4 over the length, then the bytes in words of eight, the last one filled with zeros. */
struct ag_sip {
	__u64 v0, v1, v2, v3;
	struct ag_scratch *s;
	unsigned long from;
	__u32 bytes;
	__u32 failed;
};

#define AG_ROTATE(word, bits) (((word) << (bits)) | ((word) >> (64 - (bits))))

static __always_inline void ag_sip_round(struct ag_sip *h)
{
	h->v0 += h->v1;
	h->v1 = AG_ROTATE(h->v1, 13) ^ h->v0;
	h->v0 = AG_ROTATE(h->v0, 32);
	h->v2 += h->v3;
	h->v3 = AG_ROTATE(h->v3, 16) ^ h->v2;
	h->v0 += h->v3;
	h->v3 = AG_ROTATE(h->v3, 21) ^ h->v0;
	h->v2 += h->v1;
	h->v1 = AG_ROTATE(h->v1, 17) ^ h->v2;
	h->v2 = AG_ROTATE(h->v2, 32);
}

static __always_inline void ag_sip_word(struct ag_sip *h, __u64 word)
{
	h->v3 ^= word;
	ag_sip_round(h);
	ag_sip_round(h);
	h->v0 ^= word;
}

static __always_inline void ag_sip_begin(struct ag_sip *h, __u64 bytes)
{
	h->v0 = ag_config.key[0] ^ 0x736f6d6570736575ULL;
	h->v1 = ag_config.key[1] ^ 0x646f72616e646f6dULL;
	h->v2 = ag_config.key[0] ^ 0x6c7967656e657261ULL;
	h->v3 = ag_config.key[1] ^ 0x7465646279746573ULL;
	ag_sip_word(h, bytes);
}

static __always_inline __u64 ag_sip_end(struct ag_sip *h)
{
	h->v2 ^= 0xff;
	ag_sip_round(h);
	ag_sip_round(h);
	ag_sip_round(h);
	ag_sip_round(h);
	return h->v0 ^ h->v1 ^ h->v2 ^ h->v3;
}

static long ag_sip_step(__u32 index, void *context)
{
	struct ag_sip *h = context;
	__u32 at = index * 8;

	if (at > AG_HASH_CHUNK - 8)
		return 1;
	ag_sip_word(h, *(__u64 *)(h->s->walk + at));
	return 0;
}

/* Hashes the first `bytes` of `walk`. */
static __always_inline void ag_sip_walk(struct ag_sip *h, __u32 bytes)
{
	__u64 zero = 0;

	if (bytes > AG_HASH_CHUNK)
		return;
	bpf_probe_read_kernel(h->s->walk + bytes, sizeof(zero), &zero);
	bpf_loop((bytes + 7) / 8, ag_sip_step, h, 0);
}

static long ag_sip_chunk(__u32 index, void *context)
{
	struct ag_sip *h = context;
	__u32 at = index * AG_HASH_CHUNK, bytes;

	if (at >= h->bytes)
		return 1;
	bytes = h->bytes - at;
	if (bytes > AG_HASH_CHUNK)
		bytes = AG_HASH_CHUNK;
	if (bpf_probe_read_user(h->s->walk, bytes, (void *)(h->from + at))) {
		h->failed = 1;
		return 1;
	}
	ag_sip_walk(h, bytes);
	return 0;
}

/* Compares argv, final and in the new program's own memory, with the grant. */
static __noinline int ag_same_args(struct ag_scratch *s, const struct ag_grant *g, unsigned long from, __u64 total)
{
	struct ag_sip h = {.s = s, .from = from, .bytes = g->hashed_bytes};

	if (g->flags & AG_GRANT_WHOLE ? total != g->hashed_bytes : total <= g->hashed_bytes)
		return 0;
	if (h.bytes > AG_HASH_BYTES_MAX)
		return 0;
	ag_sip_begin(&h, h.bytes);
	bpf_loop(AG_HASH_BYTES_MAX / AG_HASH_CHUNK, ag_sip_chunk, &h, 0);
	return !h.failed && ag_sip_end(&h) == g->hash;
}

/* Compares the name that the kernel was given with the grant. */
static __noinline int ag_same_name(struct ag_scratch *s, const struct ag_grant *g, __u32 at, __u32 bytes)
{
	struct ag_sip h = {.s = s};

	if (at >= AG_RECORD_DATA || bytes > AG_HASH_CHUNK)
		return 0;
	ag_sip_begin(&h, bytes);
	bpf_probe_read_kernel(s->walk, bytes, s->record + at);
	ag_sip_walk(&h, bytes);
	return ag_sip_end(&h) == g->name_hash;
}

static __noinline int ag_compare_grant(struct ag_exec *r, const struct ag_grant *g, unsigned long start,
				       unsigned long end)
{
	struct ag_scratch *s = ag_get_scratch(AG_SCRATCH_PROCESS, AG_OP_EXEC);
	__u32 script = g->flags & AG_GRANT_SCRIPT ? AG_EXEC_SCRIPT : 0;

	if (!s)
		return AG_GRANT_DIFFERENT;
	if (bpf_ktime_get_boot_ns() > g->expires_ns)
		return AG_GRANT_EXPIRED;
	if (r->ino != g->ino || r->dev != g->dev || (r->exec_flags & AG_EXEC_SCRIPT) != script)
		return AG_GRANT_DIFFERENT;
	if (!ag_same_name(s, g, sizeof(*r) + r->path_bytes + r->cwd_bytes, r->requested_bytes))
		return AG_GRANT_DIFFERENT;
	return ag_same_args(s, g, start, end - start) ? AG_GRANT_SAME : AG_GRANT_DIFFERENT;
}

/*
 * By which number user space names whoever called: the thread's; in a pid namespace of its own that of the process,
 * because after the start the old number of a thread is known in the initial one only.
 */
static __always_inline __u32 ag_grant_key(struct task_struct *task, __u32 thread)
{
	return ag_pid_level ? ag_tgid_of(task) : thread;
}

/* Takes the grant of the thread that called execve, and says in the record what became of it. */
static __always_inline void ag_take_grant(struct ag_exec *r, __u32 key, __u32 held, unsigned long start,
					  unsigned long end)
{
	struct ag_grant *g = bpf_map_lookup_elem(&grants, &key);

	__builtin_memset(r->decision, 0, sizeof(r->decision));
	r->grant_flags = 0;
	r->grant = held ? AG_GRANT_MISSING : AG_GRANT_NONE;
	if (!g || g->flags & (AG_GRANT_REFUSED | AG_GRANT_NET))
		return;
	r->grant = ag_compare_grant(r, g, start, end);
	if (r->grant == AG_GRANT_SAME && g->flags & AG_GRANT_SCRIPT && !ag_await_script(g))
		r->grant = AG_GRANT_DIFFERENT;
	r->grant_flags = g->flags;
	__builtin_memcpy(r->decision, g->decision, sizeof(r->decision));
	bpf_map_delete_elem(&grants, &key);
}

static __always_inline void ag_drop_grant(struct task_struct *task)
{
	__u32 key = ag_grant_key(task, task->pid);

	bpf_map_delete_elem(&grants, &key);
}

/* The held call failed: its grant is used up. Tells whose decision it was. */
static __always_inline void ag_fail_grant(__u8 *decision)
{
	__u32 key = ag_grant_key(bpf_get_current_task_btf(), bpf_get_current_pid_tgid());
	struct ag_grant *g = bpf_map_lookup_elem(&grants, &key);

	__builtin_memset(decision, 0, AG_DECISION_BYTES);
	if (!g)
		return;
	__builtin_memcpy(decision, g->decision, AG_DECISION_BYTES);
	bpf_map_delete_elem(&grants, &key);
}

/* Says whose decision the next record of this thread belongs to. */
static __noinline int ag_tell_decided(__u32 scope)
{
	__u32 key = ag_grant_key(bpf_get_current_task_btf(), bpf_get_current_pid_tgid());
	struct ag_grant *g = bpf_map_lookup_elem(&grants, &key);
	struct ag_decided r = {};

	if (!g)
		return 0;
	__builtin_memcpy(r.decision, g->decision, AG_DECISION_BYTES);
	r.flags = g->flags;
	r.nr = g->nr;
	bpf_map_delete_elem(&grants, &key);
	ag_fill(&r.h, AG_OP_DECIDED, scope, sizeof(r), 0);
	ag_send_telemetry(&r, sizeof(r));
	return 0;
}

#endif
