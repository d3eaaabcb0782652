/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts: which image runs one, with which arguments in front, as fs/binfmt_script.c does it. */
#ifndef AG_HOLD_SCRIPT_H
#define AG_HOLD_SCRIPT_H

#include "hold_resolve.h"

#define AG_SCRIPT_BYTES 256 /* BINPRM_BUF_SIZE */

/* A program start while it is followed. */
struct starting {
	char name[AG_HOLD_PATH_BYTES];       /* bprm->filename */
	char interp[AG_HOLD_PATH_BYTES];     /* bprm->interp: how the last script is passed on */
	char prefix[AG_HOLD_PATH_BYTES * 2]; /* arguments that scripts put in front, each with its NUL */
	size_t prefix_bytes;
	int scripts;
	int image; /* descriptor */
};

static int is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *next_word(char *first, const char *last)
{
	for (; first <= last; first++)
		if (!is_blank(*first))
			return first;
	return NULL;
}

static char *next_end(char *first, const char *last)
{
	for (; first <= last; first++)
		if (*first == 0 || is_blank(*first))
			return first;
	return NULL;
}

/* Puts an argument in front of those that are there. */
static int push_front(struct starting *s, const char *text, size_t bytes)
{
	if (s->prefix_bytes + bytes + 1 > sizeof s->prefix)
		return -E2BIG;
	memmove(s->prefix + bytes + 1, s->prefix, s->prefix_bytes);
	memcpy(s->prefix, text, bytes);
	s->prefix[bytes] = 0;
	s->prefix_bytes += bytes + 1;
	return 0;
}

/* The first line of a script, as load_script reads it: *name is the interpreter, *argument what follows it or empty. */
static int parse_script(char *buf, const char **name, const char **argument)
{
	char *last = buf + AG_SCRIPT_BYTES - 1, *begin, *gap;
	char *end = memchr(buf, '\n', strnlen(buf, AG_SCRIPT_BYTES));

	if (!end) {
		begin = next_word(buf + 2, last);
		if (!begin || !next_end(begin, last)) /* nothing, or a name that may be cut */
			return -ENOEXEC;
		end = last;
	}
	while (is_blank(end[-1]))
		end--;
	begin = next_word(buf + 2, end);
	if (!begin || begin == end)
		return -ENOEXEC;
	gap = next_end(begin, end);
	*argument = "";
	*end = 0;
	if (gap && *gap) {
		*argument = next_word(gap, end);
		*gap = 0;
	}
	*name = begin;
	return 0;
}

/* Reads the beginning of the image; 1 where it is a script, 0 where not, or -errno. */
static int read_script(struct ag_hold_state *state, int image, char *buf)
{
	char name[16];
	struct stat info;
	ssize_t got;
	int fd;

	if (fstat(image, &info) != 0)
		return -errno;
	if (!S_ISREG(info.st_mode))
		return -EACCES;
	snprintf(name, sizeof name, "%d", image);
	fd = openat(state->self_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	memset(buf, 0, AG_SCRIPT_BYTES);
	got = pread(fd, buf, AG_SCRIPT_BYTES, 0);
	if (got < 0)
		got = -errno;
	close(fd);
	return got < 0 ? (int)got : got >= 2 && buf[0] == '#' && buf[1] == '!';
}

/* Follows scripts to the image that runs them. */
static int follow_scripts(struct ag_hold_state *state, struct starting *s)
{
	char buf[AG_SCRIPT_BYTES];
	const char *name, *argument;

	for (;; s->scripts++) {
		int found = read_script(state, s->image, buf), next, cwd;
		if (found <= 0)
			return found;
		if (s->scripts == AG_HOLD_SCRIPTS_MAX)
			return -ELOOP;
		found = parse_script(buf, &name, &argument);
		if (found)
			return found;
		/* The first argument makes room for the script's name; of a script's script it is in the prefix. */
		if (s->scripts > 0) {
			size_t first = strlen(s->prefix) + 1;
			memmove(s->prefix, s->prefix + first, s->prefix_bytes - first);
			s->prefix_bytes -= first;
		}
		found = push_front(s, s->interp, strlen(s->interp));
		if (!found && *argument)
			found = push_front(s, argument, strlen(argument));
		if (!found)
			found = push_front(s, name, strlen(name));
		if (found)
			return found;
		cwd = open_base(state, AT_FDCWD);
		if (cwd < 0)
			return cwd;
		next = resolve(state, cwd, name, 1);
		close(cwd);
		if (next < 0)
			return next;
		close(s->image);
		s->image = next;
		strcpy(s->interp, name);
	}
}

#endif
