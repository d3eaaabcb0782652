/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts: which image runs one, with which arguments in front, as fs/binfmt_script.c does it. */
#ifndef AG_HOLD_SCRIPT_H
#define AG_HOLD_SCRIPT_H

#include "hold_fast.h"

#define AG_SCRIPT_BYTES 256 /* BINPRM_BUF_SIZE */

/* A program start while it is followed. */
struct starting {
	char name[AG_HOLD_PATH_BYTES];       /* bprm->filename */
	char interp[AG_HOLD_PATH_BYTES];     /* bprm->interp: how the last script is passed on */
	char prefix[AG_HOLD_PATH_BYTES * 2]; /* arguments that scripts put in front, each with its NUL */
	size_t prefix_bytes;
	int scripts;
	int image; /* descriptor */
	struct stat info;
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
static int read_script(struct ag_hold_state *state, const struct starting *s, char *buf)
{
	char name[16];
	ssize_t got;
	int fd;

	if (!S_ISREG(s->info.st_mode))
		return -EACCES;
	snprintf(name, sizeof name, "%d", s->image);
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

/* True where the name has a directory, and nothing in it: a search for a program asks in several. */
static int is_nothing(struct ag_hold_state *state, int base, const char *name)
{
	struct place place;
	int nothing = find_place_fast(state, base, name, 1, &place) && place.object < 0;

	forget_place(&place);
	return nothing;
}

/*
 * Opens what the caller would start under `name`, in place of the image that there is; `base` is where a relative name
 * begins from. Where one look is not enough the caller's root is taken: whoever asks for it leaves it. 0 or -errno.
 */
static int open_image(struct ag_hold_state *state, struct starting *s, int base, const char *name, int follow)
{
	struct place place;
	int next;

	if (!state->view.entered && find_object_fast(state, base, name, follow, &place)) {
		next = place.object;
		s->info = place.info;
	} else if (!state->view.entered && is_nothing(state, base, name)) {
		return -ENOENT;
	} else {
		next = enter_view(state);
		if (next == 0)
			next = resolve(state, base, name, follow);
		if (next < 0)
			return next;
		if (fstat(next, &s->info) != 0) {
			int error = -errno;
			close(next);
			return error;
		}
	}
	if (s->image >= 0)
		close(s->image);
	s->image = next;
	return 0;
}

/* Follows scripts to the image that runs them. */
static int follow_scripts(struct ag_hold_state *state, struct starting *s)
{
	char buf[AG_SCRIPT_BYTES];
	const char *name, *argument;

	for (;; s->scripts++) {
		int found = read_script(state, s, buf), cwd = -1;
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
		if (name[0] != '/') {
			cwd = open_base(state, AT_FDCWD);
			if (cwd < 0)
				return cwd;
		}
		found = open_image(state, s, cwd, name, 1);
		if (cwd >= 0)
			close(cwd);
		if (found)
			return found;
		strcpy(s->interp, name);
	}
}

#endif
