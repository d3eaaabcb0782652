/* Reads the file PATH in the way that is named: read_file WAY PATH [COUNT]. */
#include "attack.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char *path;
static int count;

/* Not in every libc's headers. */
struct handle {
	unsigned int bytes;
	int type;
	unsigned char data[128];
};

static void by_name(void)
{
	show(open(path, O_RDONLY));
}

static void by_both(void)
{
	show(open(path, O_RDWR));
}

static void by_openat2(void)
{
	unsigned long long how[3] = {O_RDONLY, 0, 0};

	show(syscall(437, AT_FDCWD, path, how, sizeof(how)));
}

static void by_directory(void)
{
	char *slash = strrchr(path, '/');
	int directory;

	*slash = 0;
	directory = open(path, O_PATH | O_DIRECTORY);
	expect(directory, "open the directory");
	expect(fchdir(directory), "fchdir");
	show(open(slash + 1, O_RDONLY));
}

static void by_dots(void)
{
	char longer[8192];
	char *slash = strrchr(path, '/');

	*slash = 0;
	snprintf(longer, sizeof(longer), "/proc/../%s/.././%s//%s", path, strrchr(path, '/') + 1, slash + 1);
	show(open(longer, O_RDONLY));
}

static void by_handle(void)
{
	struct handle h = {.bytes = 128};
	int mount_id, mount_fd;

	expect(syscall(SYS_name_to_handle_at, AT_FDCWD, path, &h, &mount_id, 0), "name_to_handle_at");
	mount_fd = open(".", O_RDONLY | O_DIRECTORY);
	expect(mount_fd, "open .");
	show(syscall(SYS_open_by_handle_at, mount_fd, &h, O_RDONLY));
}

static void by_proc_root(void)
{
	char longer[8192];

	snprintf(longer, sizeof(longer), "/proc/%d/root%s", getppid(), path);
	show(open(longer, O_RDONLY));
}

static void by_foreign_root(void)
{
	char longer[8192];

	snprintf(longer, sizeof(longer), "/proc/1/root%s", path);
	show(open(longer, O_RDONLY));
}

/* O_PATH asks for no right to read; its /proc name opens the file again. */
static void by_proc_fd(void)
{
	char name[64];
	int fd = open(path, O_PATH);

	expect(fd, "open with O_PATH");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	fd = open(name, O_RDONLY);
	if (fd < 0) {
		/* The guard ends whoever opens the file in any way. */
		sleep(3);
		fail("open");
	}
	show(fd);
}

static void by_i386(void)
{
	/* 32-bit calls take 32-bit pointers. */
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long result;

	if (low == MAP_FAILED)
		fail("mmap");
	strncpy(low, path, 4095);
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(5), "b"(low), "c"(0), "d"(0)
			 : "memory", "r8", "r9", "r10", "r11");
	errno = result < 0 ? -result : 0;
	show(result);
}

static void by_x32(void)
{
	show(syscall(0x40000000 | SYS_open, path, O_RDONLY, 0));
}

static void by_bind_mount(void)
{
	expect(unshare(CLONE_NEWNS), "unshare");
	expect(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make / private");
	close(open("other-name", O_WRONLY | O_CREAT, 0600));
	expect(mount(path, "other-name", NULL, MS_BIND, NULL), "bind mount");
	show(open("other-name", O_RDONLY));
}

static void by_chroot(void)
{
	char *slash = strrchr(path, '/');
	char name[4096];

	snprintf(name, sizeof(name), "%s", slash);
	*slash = 0;
	expect(chroot(path), "chroot");
	show(open(name, O_RDONLY));
}

static void by_new_mount_api(void)
{
	int tree = syscall(428, AT_FDCWD, path, 1); /* open_tree(OPEN_TREE_CLONE) */

	expect(tree, "open_tree");
	close(open("other-name", O_WRONLY | O_CREAT, 0600));
	expect(unshare(CLONE_NEWNS), "unshare");
	expect(syscall(429, tree, "", AT_FDCWD, "other-name", 4), "move_mount");
	show(open("other-name", O_RDONLY));
}

/* A child opens the file and sends the descriptor: the parent never opens anything. */
static void by_message(void)
{
	int pair[2], fd = -1;
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec io = {.iov_base = &byte, .iov_len = 1};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	if (fork() == 0) {
		fd = open(path, O_RDONLY);
		expect(fd, "open");
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
		expect(sendmsg(pair[0], &m, 0), "sendmsg");
		sleep(3);
		exit(0);
	}
	close(pair[0]);
	if (recvmsg(pair[1], &m, 0) <= 0 || m.msg_controllen == 0)
		fail("recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	show(fd);
}

/* Behind COUNT other opens, as fast as they go. */
static void by_flood(void)
{
	if (count <= 0)
		exit(95);
	for (int i = 0; i < count; i++)
		close(open("/etc/passwd", O_RDONLY));
	show(open(path, O_RDONLY));
}

/* From 256 processes at once. */
static void by_forks(void)
{
	pid_t first = getpid();

	for (int i = 0; i < 8; i++)
		expect(fork(), "fork");
	if (getpid() != first)
		show(open(path, O_RDONLY));
	while (wait(NULL) > 0)
		;
	show(open(path, O_RDONLY));
}

static const struct {
	const char *name;
	void (*run)(void);
} ways[] = {
	{"name", by_name},
	{"both", by_both},
	{"openat2", by_openat2},
	{"directory", by_directory},
	{"dots", by_dots},
	{"handle", by_handle},
	{"proc-root", by_proc_root},
	{"foreign-root", by_foreign_root},
	{"proc-fd", by_proc_fd},
	{"i386", by_i386},
	{"x32", by_x32},
	{"bind-mount", by_bind_mount},
	{"chroot", by_chroot},
	{"open-tree", by_new_mount_api},
	{"message", by_message},
	{"flood", by_flood},
	{"forks", by_forks},
};

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 3)
		return 95;
	path = argv[2];
	count = argc > 3 ? atoi(argv[3]) : 0;
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(ways[i].name, argv[1]) == 0)
			ways[i].run();
	return 95;
}
