/*
 * deputy WAY ARGUMENT: has somebody else do what it may not do itself, the guard that opens files for it, or the
 * kernel.
 */
#include "attack.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static const char *argument = "";

/* Opens what /proc tells of another process of an ordinary user, as that user. */
static int open_other(const char *name, int flags)
{
	char path[256];

	expect(setgid(65534), "setgid");
	expect(setuid(65534), "setuid");
	snprintf(path, sizeof path, "/proc/%s/%s", argument, name);
	return open(path, flags);
}

static void other_memory(void)
{
	expect(open_other("mem", O_RDWR), "open");
	succeed();
}

static void other_environment(void)
{
	show(open_other("environ", O_RDONLY));
}

static void other_root(void)
{
	expect(open_other("root/etc/passwd", O_RDONLY), "open");
	succeed();
}

/* By a directory that was opened before, and without its number in the name. */
static void other_descriptor(void)
{
	int dir = open_other("fd", O_RDONLY | O_DIRECTORY);

	expect(dir, "open the directory");
	expect(openat(dir, "0", O_RDONLY), "open");
	succeed();
}

/* Shuts itself in: no file may be written. Then writes one. */
static void out_of_landlock(void)
{
	struct {
		unsigned long long files, net, scoped;
	} handled = {.files = 1ULL << 1};
	int rules = (int)syscall(444, &handled, 8, 0);

	expect(rules, "landlock_create_ruleset");
	expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl");
	expect(syscall(446, rules, 0), "landlock_restrict_self");
	expect(open(argument, O_WRONLY), "open");
	succeed();
}

/* Lets everybody read and write by a list, not by the mode. */
static void access_list(void)
{
	/* struct posix_acl_xattr_header and its entries: user, group and others, rwx each */
	static const unsigned char list[] = {2, 0, 0, 0, 1,    0, 7, 0, 255, 255, 255, 255, 4,	 0,
					     7, 0, 255, 255, 255, 255, 32, 0, 7, 0,   255, 255, 255, 255};

	expect(setxattr(argument, "system.posix_acl_access", list, sizeof list, 0), "setxattr");
	succeed();
}

/* The kernel writes a core file where the process is. */
static void core_file(void)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

	expect(chdir(argument), "chdir");
	setrlimit(RLIMIT_CORE, &limit);
	abort();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *way;
		void (*run)(void);
	} WAYS[] = {
		{"memory", other_memory},     {"environ", other_environment},   {"root", other_root},
		{"descriptor", other_descriptor}, {"landlock", out_of_landlock}, {"list", access_list},
		{"core", core_file},
	};

	if (argc < 3)
		return 95;
	argument = argv[2];
	for (unsigned i = 0; i < sizeof WAYS / sizeof WAYS[0]; i++)
		if (strcmp(argv[1], WAYS[i].way) == 0)
			WAYS[i].run();
	return 95;
}
