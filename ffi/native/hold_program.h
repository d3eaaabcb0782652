/* SPDX-License-Identifier: Apache-2.0 */
/* What a held program start would bring up, as it is told. Part of hold.h, and like it mirrored and compared. */
#ifndef AG_HOLD_PROGRAM_H
#define AG_HOLD_PROGRAM_H

#include <stdint.h>

enum ag_hold_flag {
	AG_HOLD_SCRIPT = 1,
	AG_HOLD_ARGS_TRUNCATED = 2,
	AG_HOLD_MEMFD = 4,
	AG_HOLD_DELETED = 8,
};

/* A text in `ag_hold.text`, without a NUL. */
struct ag_hold_text {
	uint32_t at;
	uint32_t bytes;
};

/* The program that would come up. */
struct ag_hold_exec {
	uint64_t ino; /* of the image, as the kernel's inode has it */
	uint64_t hash;
	uint64_t name_hash;
	uint32_t dev; /* kernel encoding: 12 bits of major, 20 of minor */
	uint32_t hashed_bytes;
	uint32_t flags; /* enum ag_hold_flag */
	uint32_t script_dev;
	struct ag_hold_text requested;   /* as passed to execve */
	struct ag_hold_text path;        /* resolved: the script, or the image */
	struct ag_hold_text interpreter; /* resolved image of a script; else empty */
	struct ag_hold_text cwd;
	struct ag_hold_text argv;   /* final, each with its NUL */
	struct ag_hold_text caller; /* the image that the caller runs */
	uint64_t script_ino;        /* of the script; that of the image where there is none */
};

#endif
