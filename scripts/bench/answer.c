/*
 * Runs a command whose opens, creations, removals and program starts wait for an answer, and answers each at once: the
 * least that holding a call costs on this machine. Nothing is read, decided or done.
 *
 * usage: answer COMMAND [ARGUMENT...]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64) /* Linux 6.6 */
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

#define HOLD(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

/* The child shares its descriptors with its parent until it starts its command: so the listener is there. */
static int install(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef SYS_open
		HOLD(SYS_open),
		HOLD(SYS_unlink),
#endif
		HOLD(SYS_openat),
		HOLD(SYS_unlinkat),
		HOLD(SYS_execve),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
	unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fail("no_new_privs");
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void answer(int listener)
{
	struct pollfd wait = {.fd = listener, .events = POLLIN};

	ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	while (poll(&wait, 1, -1) == 1 && wait.revents & POLLIN) {
		struct seccomp_notif request = {0};
		struct seccomp_notif_resp response = {.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request))
			continue;
		response.id = request.id;
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) && errno != ENOENT)
			fail("answer");
	}
}

int main(int argc, char **argv)
{
	int listener = -1, go[2], status;
	pid_t pid;

	if (argc < 2) {
		fprintf(stderr, "usage: answer COMMAND [ARGUMENT...]\n");
		return 2;
	}
	if (pipe(go))
		fail("pipe");
	pid = syscall(SYS_clone, 0x00000400 | SIGCHLD, 0, 0, 0, 0); /* CLONE_FILES */
	if (pid < 0)
		fail("clone");
	if (pid == 0) {
		listener = install();
		if (write(go[1], &listener, sizeof(listener)) != sizeof(listener))
			_exit(126);
		if (listener < 0)
			_exit(126);
		execv(argv[1], argv + 1);
		_exit(127);
	}
	if (read(go[0], &listener, sizeof(listener)) != sizeof(listener) || listener < 0)
		fail("install the filter");
	answer(listener);
	if (waitpid(pid, &status, 0) != pid)
		fail("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
