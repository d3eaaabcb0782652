/*
 * Measures single operations from inside the process that does them: one line of JSON for each operation named on the
 * command line, with the nanoseconds that one operation took in each sample. A sample is one operation, or the mean
 * of a batch where one is too short for the clock. CPU is "any" for a process that is not pinned.
 *
 * usage: operations CPU SAMPLES DIRECTORY TRUE_PROGRAM OPERATION...
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { BLOCK_BYTES = 4096, PAUSE_US = 2000, WARM_SAMPLES = 3, UNTOUCHED = 1200, BURST = 50 };

static char file_path[4096], made_path[4096], quiet_path[4096];
static const char *true_program;
static char block[BLOCK_BYTES];
static int file_fd, udp_fd;
static struct sockaddr_in refused, peer;

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void do_getppid(void)
{
	syscall(SYS_getppid);
}

static void do_read(void)
{
	if (pread(file_fd, block, BLOCK_BYTES, 0) != BLOCK_BYTES)
		fail("pread");
}

static void do_write(void)
{
	if (pwrite(file_fd, block, BLOCK_BYTES, 0) != BLOCK_BYTES)
		fail("pwrite");
}

static void open_and_close(const char *path)
{
	int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail("openat");
	close(fd);
}

/* A file that nobody has open for writing, like most that are read. */
static void do_open_close(void)
{
	open_and_close(quiet_path);
}

/* A file that this process has open for writing all the time, like a log or a database. */
static void do_open_written(void)
{
	open_and_close(file_path);
}

/* Files that nobody has opened since they were written; each is opened once. */
static void make_untouched(void)
{
	char path[4096 + 32];

	for (int i = 0; i < UNTOUCHED; i++) {
		snprintf(path, sizeof(path), "%s.%d", file_path, i);
		int fd = openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, block, 1) != 1)
			fail(path);
		close(fd);
	}
}

static void do_open_first(void)
{
	static int next;
	char path[4096 + 32];

	snprintf(path, sizeof(path), "%s.%d", file_path, next++ % UNTOUCHED);
	int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail("openat");
	close(fd);
}

static void do_open_write(void)
{
	int fd = openat(AT_FDCWD, quiet_path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		fail("openat");
	close(fd);
}

static void do_create_unlink(void)
{
	int fd = openat(AT_FDCWD, made_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		fail("create");
	close(fd);
	if (unlink(made_path))
		fail("unlink");
}

static void do_spawn(void)
{
	char *argv[] = {(char *)true_program, 0};
	int status, error;
	pid_t pid;

	error = posix_spawn(&pid, true_program, 0, 0, argv, environ);
	if (error) {
		errno = error;
		fail("posix_spawn");
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		fail("the spawned program");
}

static void do_fork(void)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		fail("fork");
	if (pid == 0)
		_exit(0);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		fail("the forked process");
}

static void do_tcp_refused(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("socket");
	if (connect(fd, (struct sockaddr *)&refused, sizeof(refused)) == 0 || errno != ECONNREFUSED)
		fail("connect to a port that refuses");
	close(fd);
}

static void do_udp_connect(void)
{
	if (connect(udp_fd, (struct sockaddr *)&peer, sizeof(peer)) != 0)
		fail("connect a UDP socket");
}

/* A port that refuses: bound, so that nobody else gets it, and never listened on. */
static struct sockaddr_in bound_port(int type)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) ||
	    getsockname(fd, (struct sockaddr *)&address, &size))
		fail("bind a loopback port");
	return address;
}

static const struct {
	const char *name;
	void (*run)(void);
	int batch;
	int burst; /* samples without a pause between them */
} OPERATIONS[] = {
	{"getppid", do_getppid, 2000, 1},
	{"read_4k", do_read, 500, 1},
	{"write_4k", do_write, 500, 1},
	{"open_close", do_open_close, 200, 1},
	{"open_written", do_open_written, 50, 1},
	{"open_first", do_open_first, 20, 1},
	{"create_unlink", do_create_unlink, 20, 1},
	{"each_open", do_open_write, 1, BURST},
	{"each_change", do_create_unlink, 1, BURST},
	{"spawn_wait", do_spawn, 1, 1},
	{"fork_exit", do_fork, 1, 1},
	{"tcp_refused", do_tcp_refused, 20, 1},
	{"udp_connect", do_udp_connect, 100, 1},
};

static void measure(const char *name, int samples)
{
	size_t i = 0, count = sizeof(OPERATIONS) / sizeof(OPERATIONS[0]);
	int batch, n, k;

	while (i < count && strcmp(OPERATIONS[i].name, name))
		i++;
	if (i == count) {
		fprintf(stderr, "no operation is called %s\n", name);
		exit(2);
	}
	batch = OPERATIONS[i].batch;
	if (OPERATIONS[i].run == do_open_first)
		make_untouched();
	samples *= OPERATIONS[i].burst;
	printf("{\"operation\":\"%s\",\"batch\":%d,\"ns\":[", name, batch);
	for (n = -WARM_SAMPLES * OPERATIONS[i].burst; n < samples; n++) {
		long long start = now_ns(), end;

		for (k = 0; k < batch; k++)
			OPERATIONS[i].run();
		end = now_ns();
		if (n >= 0)
			printf("%s%.1f", n ? "," : "", (double)(end - start) / batch);
		/* What the guard does about these operations must not be in the next sample of a slower one. */
		if (n % OPERATIONS[i].burst == 0)
			usleep(PAUSE_US);
	}
	printf("]}\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	cpu_set_t cpus;
	int i;

	if (argc < 6) {
		fprintf(stderr, "usage: operations CPU SAMPLES DIRECTORY TRUE_PROGRAM OPERATION...\n");
		return 2;
	}
	CPU_ZERO(&cpus);
	for (i = 0; i < CPU_SETSIZE; i++)
		if (!strcmp(argv[1], "any") || i == atoi(argv[1]))
			CPU_SET(i, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		fail("sched_setaffinity");
	snprintf(file_path, sizeof(file_path), "%s/file", argv[3]);
	snprintf(made_path, sizeof(made_path), "%s/made", argv[3]);
	true_program = argv[4];
	snprintf(quiet_path, sizeof(quiet_path), "%s/quiet", argv[3]);
	i = open(quiet_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (i < 0 || write(i, block, BLOCK_BYTES) != BLOCK_BYTES)
		fail(quiet_path);
	close(i);
	file_fd = open(file_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (file_fd < 0 || pwrite(file_fd, block, BLOCK_BYTES, 0) != BLOCK_BYTES)
		fail(file_path);
	refused = bound_port(SOCK_STREAM);
	peer = bound_port(SOCK_DGRAM);
	udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (udp_fd < 0)
		fail("socket");
	for (i = 5; i < argc; i++)
		measure(argv[i], atoi(argv[2]));
	return 0;
}
