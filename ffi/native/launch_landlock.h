/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock: what the command may reach is listed, the rest is refused by the kernel, and nobody of the tree can take
 * that back. It can only allow: what must stay out of reach inside of an allowed tree is hidden (launch_mounts.h).
 */
#ifndef AG_LAUNCH_LANDLOCK_H
#define AG_LAUNCH_LANDLOCK_H

#include "launch_protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* include/uapi/linux/landlock.h; the numbers are the same on every architecture. */
#define NR_LANDLOCK_CREATE_RULESET 444
#define NR_LANDLOCK_ADD_RULE 445
#define NR_LANDLOCK_RESTRICT_SELF 446
#define LANDLOCK_VERSION_FLAG 1
#define LANDLOCK_RULE_PATH 1
#define LANDLOCK_RULE_PORT 2
#define LANDLOCK_SCOPES 3 /* abstract unix sockets, signals */
/* Versions that brought what is used here. */
#define LANDLOCK_ABI_TRUNCATE 3 /* Linux 6.2 */
#define LANDLOCK_ABI_PORTS 4    /* Linux 6.7 */
#define LANDLOCK_ABI_SCOPE 6    /* Linux 6.12 */
#define LANDLOCK_WRITE_FILE (1ULL << 1)
#define LANDLOCK_REFER (1ULL << 13)
#define LANDLOCK_TRUNCATE (1ULL << 14)
/* Remove directories and files; make devices, directories, files, sockets, pipes, links. */
#define LANDLOCK_NAMES (0x1ffULL << 4)

#define LANDLOCK_PARTS (AG_PART_SCOPE | AG_PART_TREES | AG_PART_PORTS)

struct landlock_ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

struct landlock_path {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

struct landlock_port {
	uint64_t allowed;
	uint64_t port;
};

static int allow_place(int ruleset, uint64_t allowed, const char *path)
{
	struct landlock_path rule = {.allowed = allowed, .fd = open(path, O_PATH | O_CLOEXEC)};
	struct stat info;
	if (rule.fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
	if (fstat(rule.fd, &info) == 0 && !S_ISDIR(info.st_mode))
		rule.allowed &= LANDLOCK_WRITE_FILE | LANDLOCK_TRUNCATE;
	int error = syscall(NR_LANDLOCK_ADD_RULE, ruleset, LANDLOCK_RULE_PATH, &rule, 0) == 0 ? 0 : errno;
	close(rule.fd);
	return error;
}

static int allow_all(const struct ag_launch_config *config, int ruleset, const struct landlock_ruleset *handled)
{
	const char *end = config->places + config->places_bytes;
	int error = 0;
	for (const char *at = config->places; handled->handled_access_fs && !error && at < end; at += strlen(at) + 1) {
		uint64_t allowed = handled->handled_access_fs;
		if (at[0] == AG_PLACE_WRITE_FILES)
			allowed &= LANDLOCK_WRITE_FILE | LANDLOCK_TRUNCATE;
		if (at[0] == AG_PLACE_WRITE_FILES || at[0] == AG_PLACE_WRITE)
			error = allow_place(ruleset, allowed, at + 1);
	}
	for (uint32_t i = 0; handled->handled_access_net && !error && i < config->port_count; i++) {
		struct landlock_port rule = {.port = config->ports[i].port};
		rule.allowed = config->ports[i].access & handled->handled_access_net;
		if (rule.allowed && syscall(NR_LANDLOCK_ADD_RULE, ruleset, LANDLOCK_RULE_PORT, &rule, 0) != 0)
			error = errno;
	}
	return error;
}

/* Puts in force what of `had` this kernel has, and takes the rest out of it. Returns 0, or an errno. */
static int restrict_tree(const struct ag_launch_config *config, uint32_t *had)
{
	struct landlock_ruleset handled = {0};
	long version = syscall(NR_LANDLOCK_CREATE_RULESET, NULL, 0, LANDLOCK_VERSION_FLAG);
	int error, ruleset;
	if (version < LANDLOCK_ABI_SCOPE)
		*had &= ~(uint32_t)AG_PART_SCOPE;
	if (version < LANDLOCK_ABI_PORTS)
		*had &= ~(uint32_t)AG_PART_PORTS;
	if (version < LANDLOCK_ABI_TRUNCATE) /* before that a file could be emptied, and earlier nothing be moved */
		*had &= ~(uint32_t)AG_PART_TREES;
	if (*had & AG_PART_SCOPE)
		handled.scoped = LANDLOCK_SCOPES;
	if (*had & AG_PART_PORTS)
		handled.handled_access_net = config->port_access;
	if (*had & AG_PART_TREES)
		handled.handled_access_fs = LANDLOCK_WRITE_FILE | LANDLOCK_NAMES | LANDLOCK_REFER | LANDLOCK_TRUNCATE;
	if (!handled.scoped && !handled.handled_access_net && !handled.handled_access_fs)
		return 0;
	ruleset = (int)syscall(NR_LANDLOCK_CREATE_RULESET, &handled, handled.scoped ? sizeof handled : 16, 0);
	if (ruleset < 0)
		return errno;
	error = allow_all(config, ruleset, &handled);
	if (!error && syscall(NR_LANDLOCK_RESTRICT_SELF, ruleset, 0) != 0)
		error = errno;
	close(ruleset);
	return error;
}

#endif
