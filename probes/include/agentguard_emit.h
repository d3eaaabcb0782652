/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Building a record in per-CPU scratch and sending it; every way to lose one is counted. */
#ifndef AGENTGUARD_EMIT_H
#define AGENTGUARD_EMIT_H

#include "agentguard_number.h"
#include "agentguard_maps.h"

/* One scratch per program kind, because programs of different kinds may interrupt each other on a CPU. */
enum ag_scratch_kind {
	AG_SCRATCH_SYSCALL = 0,
	AG_SCRATCH_PROCESS = 1,
	AG_SCRATCH_COUNT = 2,
};

/* Three paths, a header and inline argv fit; a per-CPU value may hold 32 KiB in all. */
#define AG_RECORD_DATA 20464
#define AG_WALK_BYTES (AG_PATH_MAX + 256)

struct ag_scratch {
	/* A path, written backwards from AG_PATH_MAX; names are copied before their end is checked, so a name more. */
	char walk[AG_WALK_BYTES];
	__u32 walk_offset; /* in memory, not on the stack: the verifier need not track its value */
	__u32 walk_state;
	__u64 walk_dentry, walk_mnt;
	char record[AG_RECORD_DATA + AG_PATH_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, AG_SCRATCH_COUNT);
	__type(key, __u32);
	__type(value, struct ag_scratch);
} scratch SEC(".maps");

static __always_inline struct ag_cpu *ag_get_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cpus, &zero);
}

static __always_inline void ag_count_loss(__u32 op, __u32 reason)
{
	struct ag_cpu *cpu = ag_get_cpu();

	if (cpu && op < AG_OP_COUNT && reason < AG_LOSS_COUNT)
		__sync_fetch_and_add(&cpu->lost[op][reason], 1);
}

static __always_inline struct ag_scratch *ag_get_scratch(__u32 kind, __u32 op)
{
	struct ag_scratch *s = bpf_map_lookup_elem(&scratch, &kind);

	if (!s)
		ag_count_loss(op, AG_LOSS_SCRATCH);
	return s;
}

/* Fills the header for the current task, all but the sequence number. */
static __always_inline void ag_fill(struct ag_record *h, __u32 op, __u32 scope, __u32 size, __u32 flags)
{
	__u64 id = ag_current_numbers();

	h->size = size;
	h->op = op;
	h->abi = AG_ABI_VERSION;
	h->flags = flags;
	h->cpu = bpf_get_smp_processor_id();
	h->scope = scope;
	h->time_ns = bpf_ktime_get_boot_ns();
	h->pid = id >> 32;
	h->tid = (__u32)id;
	AG_TASK_READ(h->start_ns, group_leader->start_boottime, group_leader, start_boottime);
}

/*
 * The flood wakes nobody: the reader looks every few milliseconds, unless it has gone to sleep. Then a record of either
 * ring wakes it, by an empty one that nobody reads. This is asked after the record is in the ring (its commit is a full
 * barrier), and the reader looks at the rings after it has said that it sleeps: one of the two sees the other.
 */
__noinline int ag_wake_sleeper(void)
{
	__u32 zero = 0, *asleep_now = bpf_map_lookup_elem(&asleep, &zero);
	void *empty;

	if (!asleep_now || !*asleep_now)
		return 0;
	empty = bpf_ringbuf_reserve(&telemetry, sizeof(__u64), 0);
	if (!empty)
		return 0; /* a full ring: whoever sends next asks again */
	*asleep_now = 0;
	bpf_ringbuf_discard(empty, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* Inlined for the flood; see above. */
static __always_inline void ag_wake_if_asleep(void)
{
	__u32 zero = 0, *asleep_now = bpf_map_lookup_elem(&asleep, &zero);

	if (asleep_now && *asleep_now)
		ag_wake_sleeper();
}

/*
 * `size` must be bounded for the verifier by the caller. `wake`: BPF_RB_FORCE_WAKEUP for what cannot wait for the
 * reader's next look, else BPF_RB_NO_WAKEUP.
 */
#define ag_send(ring_name, ring_index, h, bytes, wake) \
	do { \
		struct ag_record *ag_h = (struct ag_record *)(h); \
		struct ag_cpu *ag_c = ag_get_cpu(); \
		__u64 ag_wake = (wake); \
		if (ag_c) { \
			ag_h->seq = __sync_fetch_and_add(&ag_c->seq[ring_index], 1); \
			if (bpf_ringbuf_output(&ring_name, ag_h, (bytes), ag_wake)) \
				ag_count_loss(ag_h->op, AG_LOSS_RING_FULL); \
			else if (ag_wake != BPF_RB_FORCE_WAKEUP) \
				ag_wake_if_asleep(); \
		} \
	} while (0)

#define ag_send_telemetry(h, bytes) ag_send(telemetry, AG_RING_TELEMETRY, h, bytes, BPF_RB_NO_WAKEUP)
#define ag_send_decision(h, bytes, wake) ag_send(decisions, AG_RING_DECISIONS, h, bytes, wake)

/* Copies a NUL-terminated user string to `record + *offset`; returns its length without the NUL, 0 on a fault. */
static __always_inline __u32 ag_put_user(struct ag_scratch *s, __u32 *offset, const void *user)
{
	__u32 at = *offset;
	long n;

	if (at >= AG_RECORD_DATA)
		return 0;
	n = bpf_probe_read_user_str(s->record + at, AG_PATH_MAX, user);
	if (n <= 0 || n > AG_PATH_MAX)
		return 0;
	*offset = at + (__u32)n - 1;
	return n - 1;
}

static __always_inline __u32 ag_put_kernel(struct ag_scratch *s, __u32 *offset, const void *kernel)
{
	__u32 at = *offset;
	long n;

	if (at >= AG_RECORD_DATA)
		return 0;
	n = bpf_probe_read_kernel_str(s->record + at, AG_PATH_MAX, kernel);
	if (n <= 0 || n > AG_PATH_MAX)
		return 0;
	*offset = at + (__u32)n - 1;
	return n - 1;
}

#endif
