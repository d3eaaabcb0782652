/* SPDX-License-Identifier: Apache-2.0 */
/* The maps of the probes that concern held calls. */
#define _GNU_SOURCE
#include "hold_map.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int32_t map_call(int command, int32_t map, const void *key, const void *value)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.map_fd = (uint32_t)map;
	attr.key = (uint64_t)(uintptr_t)key;
	attr.value = (uint64_t)(uintptr_t)value;
	return syscall(SYS_bpf, command, &attr, sizeof attr) == 0 ? 0 : -errno;
}

/* Writes the grant of a thread; `value` is a struct ag_grant. */
int32_t ag_hold_grant(int32_t map, uint32_t thread, const void *value)
{
	return map_call(BPF_MAP_UPDATE_ELEM, map, &thread, value);
}

/* Takes a grant back that was not used. */
int32_t ag_hold_revoke(int32_t map, uint32_t thread)
{
	return map_call(BPF_MAP_DELETE_ELEM, map, &thread, NULL);
}

/* The scope of a process, from task storage; `value` is a struct ag_scope. -ESRCH where it has ended. */
int32_t ag_hold_scope(int32_t map, uint32_t process, void *value)
{
	int32_t pidfd = (int32_t)syscall(SYS_pidfd_open, process, 0), result;

	if (pidfd < 0)
		return -errno;
	result = map_call(BPF_MAP_LOOKUP_ELEM, map, &pidfd, value);
	close(pidfd);
	return result;
}
