/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a rule could be about a place, by the name that the kernel gives and by the one that was asked for. */
#ifndef AG_HOLD_NAMES_H
#define AG_HOLD_NAMES_H

#include "hold.h"
#include "needed_names.h"

/* Room for a directory, a name below it, and a slash between them. */
#define AG_JOINED_BYTES (2 * AG_HOLD_PATH_BYTES + 2)

/* Adds the components of `from` to a name: `.` is none, `..` takes the last one away. The new length. */
static size_t add_components(char *to, size_t at, const char *from, size_t bytes)
{
	for (size_t begin = 0, end; begin < bytes; begin = end + 1) {
		size_t length;
		for (end = begin; end < bytes && from[end] != '/'; end++)
			;
		length = end - begin;
		if (length == 0 || (length == 1 && from[begin] == '.'))
			continue;
		if (length == 2 && from[begin] == '.' && from[begin + 1] == '.') {
			while (at > 0 && to[--at] != '/')
				;
			continue;
		}
		to[at++] = '/';
		memcpy(to + at, from + begin, length);
		at += length;
	}
	return at;
}

/*
 * What was asked for as an absolute name, without looking at any file: as `normalName` of lib/decide/names.ts. `to` has
 * AG_JOINED_BYTES. Its length; 0 where nobody can tell, because the directory has no name.
 */
static size_t absolute_name(const char *base, size_t base_bytes, const char *requested, size_t bytes, char *to)
{
	size_t at = 0;

	if (base_bytes >= AG_HOLD_PATH_BYTES || bytes >= AG_HOLD_PATH_BYTES)
		return 0;
	if (requested[0] != '/') {
		if (base_bytes == 0 || base[0] != '/')
			return 0;
		at = add_components(to, 0, base, base_bytes);
	}
	at = add_components(to, at, requested, bytes);
	if (at == 0)
		to[at++] = '/';
	return at;
}

/* True if a name that was asked for is the end of a path, or all of it where it is absolute. */
static inline int ends_path(const char *path, size_t bytes, const char *requested, size_t requested_bytes)
{
	const size_t from = bytes - requested_bytes;

	return requested_bytes > 0 && requested_bytes <= bytes &&
	       (requested[0] == '/' ? from == 0 : from > 0 && path[from - 1] == '/') &&
	       memcmp(path + from, requested, requested_bytes) == 0;
}

/*
 * True if a rule about one of the actions could be about the place `path`, which was asked for as `requested`, below
 * `base` where that is relative. Nothing was asked for where `requested` is empty.
 */
static int may_be_meant(const struct needed_table *rules, uint32_t actions, const char *path, size_t path_bytes,
			const char *base, size_t base_bytes, const char *requested, size_t bytes)
{
	char name[AG_JOINED_BYTES];
	size_t length;

	if (is_needed(rules, actions, path, path_bytes))
		return 1;
	if (bytes == 0)
		return 0;
	length = absolute_name(base, base_bytes, requested, bytes, name);
	/* What begins with @ is taken for a name of another kind. */
	if (length == 0 || requested[0] == '@')
		return 1;
	return (length != path_bytes || memcmp(name, path, length) != 0) && is_needed(rules, actions, name, length);
}

#endif
