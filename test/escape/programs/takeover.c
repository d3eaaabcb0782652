/*
 * Attempts to stop, starve or blind the guard by something else than a signal or a debugger: takeover WAY TARGET. Every
 * way works for root where nothing protects the guard.
 */
#include "target.h"

#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A pipe whose owner, the guard, is sent SIGKILL when something can be read. */
static void signal_by_pipe(void)
{
	pid_t pid = target_process();
	int ends[2];

	expect(pipe(ends), "pipe");
	expect(fcntl(ends[0], F_SETOWN, pid), "F_SETOWN");
	expect(fcntl(ends[0], 10 /* F_SETSIG */, SIGKILL), "F_SETSIG");
	expect(fcntl(ends[0], F_SETFL, O_ASYNC), "O_ASYNC");
	expect(write(ends[1], "x", 1), "write");
	usleep(300000);
	if (kill(pid, 0) < 0)
		succeed();
	puts("alive");
	exit(1);
}

static void pin(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	tell(sched_setaffinity(target(), sizeof one, &one));
}

static void be_nice(void)
{
	tell(setpriority(PRIO_PROCESS, (id_t)target(), 19));
}

static void last_at_disk(void)
{
	tell(syscall(SYS_ioprio_set, 1, target(), 3 << 13)); /* IOPRIO_WHO_PROCESS, IOPRIO_CLASS_IDLE */
}

static void move_memory(void)
{
	unsigned long node = 1;

	tell(syscall(SYS_migrate_pages, target_process(), 8 * sizeof node, &node, &node));
}

/* A cgroup of its own making, outside of the session's. Left behind: whoever is in it would be needed to remove it. */
static const char *make_cgroup(void)
{
	static char line[4096], mounted[2048], type[32], path[4096];
	FILE *mounts = fopen("/proc/self/mounts", "r");

	if (!mounts)
		fail("mounts");
	while (strcmp(type, "cgroup2") != 0)
		if (!fgets(line, sizeof line, mounts) || sscanf(line, "%*s %2047s %31s", mounted, type) != 2)
			exit(3);
	fclose(mounts);
	snprintf(path, sizeof path, "%s/agentguard-escape-%d", mounted, getpid());
	expect(mkdir(path, 0755), "mkdir");
	return path;
}

static int write_to(const char *directory, const char *file, const char *text)
{
	char path[4200];
	int fd;

	snprintf(path, sizeof path, "%s/%s", directory, file);
	fd = open(path, O_WRONLY);
	return fd < 0 ? -1 : (int)write(fd, text, strlen(text));
}

/* Puts the guard into a cgroup that is frozen or killed. */
static void by_cgroup(const char *control)
{
	const char *cgroup = make_cgroup();
	char pid[16];
	int done;

	snprintf(pid, sizeof pid, "%d", target_process());
	done = write_to(cgroup, "cgroup.procs", pid);
	if (done >= 0)
		done = write_to(cgroup, control, "1");
	rmdir(cgroup);
	tell(done);
}

static void freeze(void)
{
	by_cgroup("cgroup.freeze");
}

static void kill_all(void)
{
	by_cgroup("cgroup.kill");
}

/* A child that begins in another cgroup than its parent's. */
static void born_elsewhere(void)
{
	const char *cgroup = make_cgroup();
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY);
	unsigned long long arguments[11] = {0x200000000ULL, 0, 0, 0, SIGCHLD, 0, 0, 0, 0, 0, (unsigned)fd};
	long pid;

	expect(fd, "open");
	pid = syscall(435, arguments, sizeof arguments);
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	int failure = errno;
	rmdir(cgroup);
	errno = failure;
	tell(pid);
}

/* Detaches every program that is attached by a link. */
static void detach(void)
{
	long detached = -1;

	for (unsigned id = 1; id < 200; id++) {
		union bpf_attr attr = {.link_id = id};
		long fd = syscall(SYS_bpf, BPF_LINK_GET_FD_BY_ID, &attr, sizeof attr);

		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			break;
		attr = (union bpf_attr){.link_detach.link_fd = (unsigned)fd};
		syscall(SYS_bpf, BPF_LINK_DETACH, &attr, sizeof attr);
		detached = 0;
	}
	tell(detached);
}

static const struct {
	const char *way;
	void (*run)(void);
} WAYS[] = {
	{"sigio", signal_by_pipe}, {"affinity", pin},	     {"nice", be_nice},
	{"ioprio", last_at_disk},  {"migrate", move_memory}, {"cgroup-freeze", freeze},
	{"cgroup-kill", kill_all}, {"born", born_elsewhere}, {"detach", detach},
};

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	if (argc > 2)
		argument = argv[2];
	for (size_t i = 0; i < sizeof WAYS / sizeof WAYS[0]; i++)
		if (strcmp(argv[1], WAYS[i].way) == 0)
			WAYS[i].run();
	return 2;
}
