/* SPDX-License-Identifier: Apache-2.0 */
/* Which program a held execve would bring up, with which arguments, as fs/exec.c and fs/binfmt_script.c do it. */
#ifndef AG_HOLD_EXEC_H
#define AG_HOLD_EXEC_H

#include "hold_memory.h"
#include "hold_resolve.h"

#include <sys/sysmacros.h>

#define AG_SCRIPT_BYTES 256 /* BINPRM_BUF_SIZE */
#define AG_OVERLAYFS_MAGIC 0x794c7630
#define AG_BTRFS_MAGIC 0x9123683e

/* A program start while it is followed. */
struct starting {
	char name[AG_HOLD_PATH_BYTES];       /* bprm->filename */
	char interp[AG_HOLD_PATH_BYTES];     /* bprm->interp: how the last script is passed on */
	char prefix[AG_HOLD_PATH_BYTES * 2]; /* arguments that scripts put in front, each with its NUL */
	size_t prefix_bytes;
	int scripts;
	int image; /* descriptor */
};

static int add_text(struct ag_hold *hold, struct ag_hold_text *text, const char *from, size_t bytes)
{
	if (bytes > AG_HOLD_TEXT_BYTES - hold->text_bytes)
		return -E2BIG;
	text->at = hold->text_bytes;
	text->bytes = (uint32_t)bytes;
	memcpy(hold->text + text->at, from, bytes);
	hold->text_bytes += (uint32_t)bytes;
	return 0;
}

static int add_path(struct ag_hold_state *state, struct ag_hold_text *text, int fd, uint32_t *flags)
{
	char path[AG_HOLD_PATH_BYTES];
	long length = path_of(state, fd, path, sizeof path, flags);

	return length < 0 ? (int)length : add_text(&state->hold, text, path, (size_t)length);
}

/* The device of a mount in kernel encoding; overlays and subvolumes tell stat(2) something else. */
static int mount_device(struct ag_hold_state *state, unsigned mount_id, uint32_t *dev)
{
	char line[8192];
	int fd = openat(state->task_fd, "mountinfo", O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	int found = -ENODEV;

	if (!file) {
		if (fd >= 0)
			close(fd);
		return -errno;
	}
	while (found != 0 && fgets(line, sizeof line, file)) {
		unsigned id, major_number, minor_number;
		if (sscanf(line, "%u %*u %u:%u ", &id, &major_number, &minor_number) == 3 && id == mount_id) {
			*dev = major_number << 20 | minor_number;
			found = 0;
		}
	}
	fclose(file);
	return found;
}

/* Inode and device as the kernel's own structures have them (fs/proc/fd.c shows the former). */
static int identify(struct ag_hold_state *state, int fd, uint64_t *ino, uint32_t *dev)
{
	char name[16], text[512], *at;
	struct statfs fs;
	struct stat info;
	unsigned mount_id;
	ssize_t got;
	int fd_info;

	if (fstat(fd, &info) != 0 || fstatfs(fd, &fs) != 0)
		return -errno;
	*ino = info.st_ino;
	*dev = (uint32_t)(major(info.st_dev) << 20 | minor(info.st_dev));
	if (fs.f_type != AG_OVERLAYFS_MAGIC && fs.f_type != AG_BTRFS_MAGIC)
		return 0;
	snprintf(name, sizeof name, "%d", fd);
	fd_info = openat(state->info_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd_info < 0)
		return -errno;
	got = read(fd_info, text, sizeof text - 1);
	close(fd_info);
	text[got > 0 ? got : 0] = 0;
	at = strstr(text, "ino:");
	if (at)
		*ino = strtoull(at + 4, NULL, 10);
	at = strstr(text, "mnt_id:");
	if (!at)
		return -ENODEV;
	mount_id = (unsigned)strtoul(at + 7, NULL, 10);
	return mount_device(state, mount_id, dev);
}

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

/* argv as the program will find it, into the texts; hashed. */
static int final_arguments(struct ag_hold_state *state, const struct starting *s, long bytes, int cut)
{
	struct ag_hold *hold = &state->hold;
	struct ag_hold_exec *exec = &hold->exec;
	const char *from = state->args;
	size_t length = (size_t)bytes, room = AG_HOLD_ARGS_BYTES;
	struct ag_hold_text rest;
	int failed;

	if (length == 0) { /* Linux 5.18: an empty list becomes one empty argument */
		state->args[0] = 0;
		length = 1;
	}
	if (s->scripts > 0) {
		size_t first = strnlen(from, length) + 1;
		first = first < length ? first : length;
		from += first;
		length -= first;
		if (s->prefix_bytes >= room)
			return -E2BIG;
		room -= s->prefix_bytes;
	}
	if (length > room || cut) {
		exec->flags |= AG_HOLD_ARGS_TRUNCATED;
		length = length > room ? room : length;
	}
	failed = add_text(hold, &exec->argv, s->prefix, s->prefix_bytes);
	if (!failed)
		failed = add_text(hold, &rest, from, length);
	if (failed)
		return failed;
	exec->argv.bytes += rest.bytes;
	exec->hashed_bytes = exec->argv.bytes;
	exec->hash = sip_hash(state->key, hold->text + exec->argv.at, exec->argv.bytes);
	exec->name_hash = sip_hash(state->key, s->name, strlen(s->name));
	return 0;
}

/* Reads name and arguments, and finds the program. `flags` are those of execveat. */
static int read_start(struct ag_hold_state *state, struct starting *s, int dirfd, int flags)
{
	struct ag_hold_exec *exec = &state->hold.exec;
	char *name = state->args;
	int base = -1, found;

	strcpy(s->name, name);
	if (name[0] == 0 && !(flags & AT_EMPTY_PATH))
		return -ENOENT;
	found = add_text(&state->hold, &exec->requested, name, strlen(name));
	if (found)
		return found;
	if (dirfd != AT_FDCWD && name[0] != '/') {
		char path[AG_HOLD_PATH_BYTES];
		int wanted = snprintf(path, sizeof path, name[0] ? "/dev/fd/%d/%s" : "/dev/fd/%d", dirfd, name);
		if ((size_t)wanted >= sizeof path)
			return -ENAMETOOLONG;
		strcpy(s->name, path);
	}
	base = open_base(state, name[0] == '/' ? AT_FDCWD : dirfd);
	if (base < 0)
		return base;
	if (name[0] == 0)
		s->image = dup(base);
	else
		s->image = resolve(state, base, name, !(flags & AT_SYMLINK_NOFOLLOW));
	close(base);
	if (s->image < 0)
		return s->image == -1 && name[0] == 0 ? -errno : s->image;
	strcpy(s->interp, s->name);
	return 0;
}

/* Facts of the caller and of the image, as texts. */
static int describe(struct ag_hold_state *state, struct starting *s)
{
	struct ag_hold_exec *exec = &state->hold.exec;
	uint32_t ignored = 0;
	int found, fd = open_base(state, AT_FDCWD);

	if (fd < 0)
		return fd;
	found = add_path(state, &exec->cwd, fd, &ignored);
	close(fd);
	if (found)
		return found;
	fd = openat(state->task_fd, "exe", O_PATH | O_CLOEXEC);
	if (fd >= 0) {
		found = add_path(state, &exec->caller, fd, &ignored);
		close(fd);
		if (found)
			return found;
	}
	found = add_path(state, &exec->path, s->image, &exec->flags);
	if (found)
		return found;
	found = follow_scripts(state, s);
	if (found)
		return found;
	if (s->scripts > 0) {
		exec->flags |= AG_HOLD_SCRIPT;
		found = add_path(state, &exec->interpreter, s->image, &ignored);
		if (found)
			return found;
	}
	return identify(state, s->image, &exec->ino, &exec->dev);
}

#endif
