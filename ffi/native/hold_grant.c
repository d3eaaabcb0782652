/* SPDX-License-Identifier: Apache-2.0 */
/* The grant of a program start that no rule is about; that of any other is made in lib/act/hold/grant.ts. */
#define _GNU_SOURCE
#include <linux/types.h>

#include "../../probes/include/agentguard_abi.h"
#include "hold_map.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* How long after its release a program may come up: its file may be far away. That of lib/app/held_execs.ts. */
#define GRANT_S 60

#define NS_PER_S 1000000000ULL

/* Lets what was told come up in a thread by the system call `nr`, and nothing else. */
int32_t ag_hold_grant_start(int32_t map, uint32_t thread, int32_t nr, const struct ag_hold_exec *exec)
{
	struct ag_grant grant;
	struct timespec now;

	if (clock_gettime(CLOCK_BOOTTIME, &now) != 0)
		return -errno;
	memset(&grant, 0, sizeof grant);
	grant.ino = exec->ino;
	grant.dev = exec->dev;
	grant.hash = exec->hash;
	grant.hashed_bytes = exec->hashed_bytes;
	grant.name_hash = exec->name_hash;
	grant.script_ino = exec->script_ino;
	grant.script_dev = exec->script_dev;
	grant.expires_ns = ((__u64)now.tv_sec + GRANT_S) * NS_PER_S + (__u64)now.tv_nsec;
	grant.flags = (exec->flags & AG_HOLD_ARGS_TRUNCATED ? 0 : AG_GRANT_WHOLE) |
		      (exec->flags & AG_HOLD_SCRIPT ? AG_GRANT_SCRIPT : 0);
	grant.nr = (__u32)nr;
	return ag_hold_grant(map, thread, &grant);
}
