/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for which somebody stands still: they run little, and their turn comes at once. */
#ifndef AG_FIRST_H
#define AG_FIRST_H

#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AG_FIRST_NICE (-10)
/* Nanoseconds; the least that there is. Whoever has more is preempted by it (Linux 6.12), older kernels pay no heed. */
#define AG_FIRST_SLICE 100000

/* include/uapi/linux/sched/types.h, its first version. */
struct ag_sched_attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/* For the calling thread. What may not be changed stays: it is then one among others. */
static void come_first(void)
{
	struct ag_sched_attr attr = {.size = sizeof attr, .nice = AG_FIRST_NICE, .runtime = AG_FIRST_SLICE};

	if (syscall(SYS_sched_setattr, 0, &attr, 0) == 0)
		return;
	attr.nice = getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
	syscall(SYS_sched_setattr, 0, &attr, 0);
}

#endif
