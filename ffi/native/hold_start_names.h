/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a rule could be about a program start, by every name that it goes by. */
#ifndef AG_HOLD_START_NAMES_H
#define AG_HOLD_START_NAMES_H

#include "hold_names.h"

/* Of a table about starts. The number is that of START_FLAG in ffi/needed_table.ts. */
enum ag_start_flag {
	AG_START_WRAPPERS = 1, /* it has the programs that start others, without the versions at their ends */
};

/* Texts of such a table are about one action. */
#define AG_STARTS 1U

struct start_name {
	const char *text;
	size_t bytes;
};

/* The names of a start; what is not there is empty. */
struct start_names {
	struct start_name path; /* the script, or the image */
	struct start_name cwd;
	struct start_name requested;
	struct start_name interpreter; /* the image of a script */
};

static struct start_name base_of(struct start_name name)
{
	size_t at = name.bytes;

	while (at > 0 && name.text[at - 1] != '/')
		at--;
	return (struct start_name){name.text + at, name.bytes - at};
}

/* What may be the dynamic loader: the program that it is given has no start of its own. */
static int may_be_loader(struct start_name base)
{
	if (base.bytes < 2 || memcmp(base.text, "ld", 2) != 0)
		return 0;
	for (size_t at = 2; at + 3 <= base.bytes; at++)
		if (memcmp(base.text + at, ".so", 3) == 0)
			return 1;
	return 0;
}

/* What may be a version of something, as python3.12. */
static int may_be_version(struct start_name base)
{
	return base.bytes > 0 && base.text[base.bytes - 1] >= '0' && base.text[base.bytes - 1] <= '9';
}

/* True if a rule could be about the start. */
static int start_may_be_meant(const struct needed_table *table, const struct start_names *names)
{
	const struct start_name base = base_of(names->path), *interpreter = &names->interpreter;

	if (may_be_loader(base) || (table->flags & AG_START_WRAPPERS && may_be_version(base)))
		return 1;
	if (interpreter->bytes > 0 && is_needed(table, AG_STARTS, interpreter->text, interpreter->bytes))
		return 1;
	return may_be_meant(table, AG_STARTS, names->path.text, names->path.bytes, names->cwd.text, names->cwd.bytes,
			    names->requested.text, names->requested.bytes);
}

#endif
