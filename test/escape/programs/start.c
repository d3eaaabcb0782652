/* Starts PROGRAM with one argument in the way that is named: start WAY PROGRAM ARGUMENT. */
#include "attack.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

extern char **environ;
static char *program, *argv_new[3];

/* The program's text in memory of its own, under no name. */
static void by_memfd(void)
{
	char buffer[65536];
	long n;
	int from = open(program, O_RDONLY), to = syscall(SYS_memfd_create, "innocent", 1);

	expect(from, "open the program");
	expect(to, "memfd_create");
	while ((n = read(from, buffer, sizeof(buffer))) > 0)
		if (write(to, buffer, n) != n)
			fail("write");
	syscall(SYS_execveat, to, "", argv_new, environ, 0x1000);
	fail("execveat");
}

static void by_descriptor(void)
{
	int fd = open(program, O_PATH);

	expect(fd, "open");
	syscall(SYS_execveat, fd, "", argv_new, environ, 0x1000);
	fail("execveat");
}

static void *run(void *unused)
{
	(void)unused;
	execv(program, argv_new);
	fail("execv");
	return NULL;
}

static void by_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, run, NULL);
	pthread_join(thread, NULL);
}

static void by_spawn(void)
{
	pid_t pid;
	int status = 0;

	errno = posix_spawn(&pid, program, NULL, NULL, argv_new, environ);
	if (errno)
		fail("posix_spawn");
	waitpid(pid, &status, 0);
	exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

/* argv points into memory that another thread writes all the time. */
static char shared[64] = "innocent";

static void *rewrite(void *unused)
{
	(void)unused;
	for (;;) {
		strcpy(shared, "innocent");
		strcpy(shared, program);
	}
	return NULL;
}

static void by_rewriting(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, rewrite, NULL);
	argv_new[0] = shared;
	execv(program, argv_new);
	fail("execv");
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 95;
	program = argv[2];
	argv_new[0] = "innocent";
	argv_new[1] = argv[3];
	if (strcmp(argv[1], "memfd") == 0)
		by_memfd();
	else if (strcmp(argv[1], "descriptor") == 0)
		by_descriptor();
	else if (strcmp(argv[1], "thread") == 0)
		by_thread();
	else if (strcmp(argv[1], "spawn") == 0)
		by_spawn();
	else if (strcmp(argv[1], "rewriting") == 0)
		by_rewriting();
	return 95;
}
