/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reading the kernel's memory: by load where it is possible, else by copying. */
#ifndef AGENTGUARD_KERNEL_H
#define AGENTGUARD_KERNEL_H

#include "agentguard_socket_types.h"
#include "agentguard_types.h"
#include "agentguard_abi.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_endian.h>

/* Read-only typed view of a kernel pointer, loads at the speed of a load (Linux 6.2). */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;
#define AG_CAST(pointer, type) ((type *)bpf_rdonly_cast((const void *)(pointer), bpf_core_type_id_kernel(type)))

/* In a section of its own, so that user space finds it at offset 0. */
const volatile struct ag_config ag_config SEC(".rodata.config") = {};
#define ag_self (ag_config.self)
#define ag_has_cast (ag_config.has_cast)
#define ag_pid_level (ag_config.pid_level)

/*
 * Makes the compiler forget what it knows of a variable, so that the test which follows is made on the very register
 * that is used: verifiers before Linux 6.2 do not carry a bound from one copy to another.
 */
#define AG_BARRIER(variable) asm volatile("" : "+r"(variable))

/* `dst = pointer->field`, by load where that is possible, else by a copying helper. */
#define AG_READ(dst, pointer, type, field) \
	do { \
		if (ag_has_cast) \
			dst = (typeof(dst))(unsigned long)AG_CAST(pointer, type)->field; \
		else \
			dst = (typeof(dst))(unsigned long)BPF_CORE_READ((type *)(pointer), field); \
	} while (0)

/*
 * The current task as an untrusted view. Following pointers from the trusted one (bpf_get_current_task_btf) makes the
 * verifier search all of the kernel's types by name at each step, which costs most of the time of a load.
 */
#define AG_TASK() AG_CAST(bpf_get_current_task(), struct task_struct)
#define AG_TASK_READ(dst, load, ...) \
	do { \
		if (ag_has_cast) \
			dst = (typeof(dst))(unsigned long)AG_TASK()->load; \
		else \
			dst = (typeof(dst))(unsigned long)BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), \
									__VA_ARGS__); \
	} while (0)

#endif
