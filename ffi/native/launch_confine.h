/* SPDX-License-Identifier: Apache-2.0 */
/* The baseline, in the forked child: what it gives up here it never gets back, and it holds without the guard. */
#ifndef AG_LAUNCH_CONFINE_H
#define AG_LAUNCH_CONFINE_H

#include "launch_deny.h"
#include "launch_landlock.h"
#include "launch_mounts.h"
#include "launch_protocol.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPABILITIES_MAX 63
#define PARTS_MAX 8

/* What came of it. */
struct confinement {
	uint32_t stage; /* where it failed; with `error` 0 it did not */
	int32_t error;
	uint32_t lacking; /* parts that this host cannot do */
	int32_t lacking_errno[PARTS_MAX];
	int32_t listener_fd; /* of the held system calls, or -1 */
};

static int fail(struct confinement *result, uint32_t stage, int error)
{
	result->stage = stage;
	result->error = error;
	return -1;
}

static void lack(struct confinement *result, unsigned part, int error)
{
	result->lacking |= part;
	result->lacking_errno[__builtin_ctz(part)] = error;
}

/*
 * Drops what is not kept from every set. The bounding set comes first: dropping from it needs CAP_SETPCAP. Without that
 * capability there is nothing to gain from a file either, because no_new_privs is set.
 */
static int drop_capabilities(uint64_t kept)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	for (int capability = 0; capability <= CAPABILITIES_MAX; capability++) {
		if (kept >> capability & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
			if (errno == EINVAL ||
			    errno == EPERM) /* the kernel knows no higher one; nothing may be dropped */
				break;
			return -1;
		}
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
		return -1;
	if (syscall(SYS_capget, &header, data) != 0)
		return -1;
	for (int half = 0; half < 2; half++) {
		uint32_t mask = (uint32_t)(kept >> (32 * half));
		data[half].permitted &= mask;
		data[half].effective &= mask;
		data[half].inheritable = 0;
	}
	return (int)syscall(SYS_capset, &header, data);
}

/* Everything of the baseline, in the order in which one part still allows the next. Returns -1 where it failed. */
static int confine(const struct ag_launch_config *config, pid_t guard, struct confinement *result)
{
	const pid_t launcher = getppid();
	const uint32_t filtered = config->parts & (AG_PART_NAMESPACES | AG_PART_SYSCALLS | AG_PART_TRACE);
	/* The kernel writes a core file by itself, where the process is: no rule about files sees that. */
	const struct rlimit no_core = {0, 0};
	int error;
	result->listener_fd = -1;
	if (config->parts & AG_PART_PRIVILEGES &&
	    (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &no_core) != 0))
		return fail(result, AG_STAGE_PRIVILEGES, errno);
	if (config->parts & AG_PART_MOUNTS) {
		if ((error = enter_mount_namespace()) != 0)
			lack(result, AG_PART_MOUNTS, error);
		else if (put_places(config, guard, launcher) != 0)
			return fail(result, AG_STAGE_MOUNTS, errno);
	}
	if (config->parts & LANDLOCK_PARTS) {
		uint32_t had = LANDLOCK_PARTS & config->parts;
		if ((error = restrict_tree(config, &had)) != 0)
			return fail(result, AG_STAGE_SCOPE, error);
		for (uint32_t part = AG_PART_SCOPE; part <= AG_PART_PORTS; part <<= 1)
			if (config->parts & part & ~had)
				lack(result, part, EOPNOTSUPP);
	}
	if (config->parts & AG_PART_PRIVILEGES && drop_capabilities(config->capabilities) != 0)
		return fail(result, AG_STAGE_PRIVILEGES, errno);
	if (config->test_count > 0) {
		result->listener_fd = install_notify_filter(config->tests, config->test_count);
		if (result->listener_fd < 0)
			return fail(result, AG_STAGE_NOTIFY, errno);
	}
	if ((filtered || config->test_count > 0) && install_deny_filter(config, filtered, guard, launcher) != 0)
		return fail(result, AG_STAGE_FILTER, errno);
	return 0;
}

#endif
