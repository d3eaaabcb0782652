/*
 * Attempts that no guarded command may make, whatever its policy says: baseline WAY [ARGUMENT]. Every way works for
 * root without a guard, or fails in another manner than the baseline's.
 */
#include "target.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

/* One call with up to four arguments, for those that need no more. */
struct call {
	const char *way;
	long nr, a, b, c, d;
};

static const char here[] = ".";
static char zeros[256];

#define AT (long)here
#define ZEROS (long)zeros

static const struct call CALLS[] = {
	{"unshare-mount", SYS_unshare, CLONE_NEWNS, 0, 0, 0},
	{"unshare-user", SYS_unshare, CLONE_NEWUSER, 0, 0, 0},
	{"unshare-pid", SYS_unshare, CLONE_NEWPID, 0, 0, 0},
	{"unshare-net", SYS_unshare, CLONE_NEWNET, 0, 0, 0},
	{"unshare-cgroup", SYS_unshare, CLONE_NEWCGROUP, 0, 0, 0},
	{"unshare-time", SYS_unshare, 0x80, 0, 0, 0},
	{"pivot-root", SYS_pivot_root, AT, AT, 0, 0},
	{"open-tree", 428, AT_FDCWD, AT, 1, 0},
	{"fsopen", 430, (long)"tmpfs", 0, 0, 0},
	{"mount-setattr", 442, AT_FDCWD, AT, 0, ZEROS},
	{"io-uring", SYS_io_uring_setup, 1, ZEROS, 0, 0},
	{"bpf", SYS_bpf, 0, ZEROS, 64, 0},
	{"perf", SYS_perf_event_open, ZEROS, 0, -1, -1},
	{"userfaultfd", SYS_userfaultfd, 0, 0, 0, 0},
	{"add-key", SYS_add_key, (long)"user", (long)"name", (long)"x", 1},
	{"request-key", SYS_request_key, (long)"user", (long)"name", 0, 0},
	{"keyctl", SYS_keyctl, 0, -3, 1, 0}, /* KEYCTL_GET_KEYRING_ID of the session */
	{"init-module", SYS_init_module, ZEROS, 0, AT, 0},
	{"finit-module", SYS_finit_module, 0, AT, 0, 0},
	{"delete-module", SYS_delete_module, (long)"no_such_module", 0, 0, 0},
	{"kexec", SYS_kexec_load, 0, 0, 0, 0},
	{"reboot", SYS_reboot, 0, 0, 0, 0}, /* wrong magic numbers: refused by every kernel, but with EINVAL */
	{"swapon", SYS_swapon, AT, 0, 0, 0},
	{"acct", SYS_acct, AT, 0, 0, 0},
	{"quotactl", SYS_quotactl, 0, AT, 0, 0},
	{"settimeofday", SYS_settimeofday, 0, 0, 0, 0},
	{"clock-settime", SYS_clock_settime, 0, 0, 0, 0},
	{"syslog", SYS_syslog, 10, 0, 0, 0}, /* size of the kernel's log */
	{"kcmp", SYS_kcmp, 1, 1, 2, 0},
	{"vsock", SYS_socket, AF_VSOCK, SOCK_STREAM, 0, 0},
	{"other-family", SYS_socket, 44, SOCK_RAW, 0, 0}, /* AF_XDP */
	{"raw-socket", SYS_socket, AF_INET, SOCK_RAW, 1, 0},
	{"packet-socket", SYS_socket, AF_PACKET, SOCK_RAW, 0, 0},
	{"type-into-terminal", SYS_ioctl, 0, 0x5412, (long)"x", 0},
	{"x32", 0x40000000 | SYS_getpid, 0, 0, 0, 0},
#ifdef SYS_iopl
	{"iopl", SYS_iopl, 3, 0, 0, 0},
#endif
};

static void i386(void)
{
#ifdef __x86_64__
	long result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
	errno = (int)-result;
	tell(result);
#endif
	errno = ENOSYS;
	tell(-1);
}

/* clone with namespaces in its flags; the child ends at once. */
static void clone_namespaces(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWNS | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(0);
	tell(pid);
}

static void clone3(void)
{
	unsigned long long arguments[11] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
	long pid = syscall(435, arguments, sizeof arguments);
	if (pid == 0)
		_exit(0);
	tell(pid);
}

static void join_namespace(void)
{
	int fd = open("/proc/self/ns/mnt", O_RDONLY);
	expect(fd, "open the namespace");
	tell(syscall(SYS_setns, fd, CLONE_NEWNS));
}

static void mount_over(void)
{
	tell(mount("none", argument[0] ? argument : "/mnt", "tmpfs", 0, NULL));
}

static void unmount(void)
{
	tell(umount2(argument, MNT_DETACH));
}

static void listener(void)
{
	struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog program = {1, code};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	tell(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

static void handle(void)
{
	struct {
		unsigned bytes;
		int type;
		unsigned char data[128];
	} name = {.bytes = 8, .type = 1};
	tell(syscall(SYS_open_by_handle_at, AT_FDCWD, &name, O_RDONLY));
}

static void vm_write(void)
{
	char byte = 0;
	struct iovec from = {&byte, 1}, to = {&byte, 1};
	tell(syscall(SYS_process_vm_writev, target(), &from, 1, &to, 1, 0));
}

static void vm_read(void)
{
	char byte = 0;
	struct iovec into = {&byte, 1}, from = {&byte, 1};
	tell(syscall(SYS_process_vm_readv, target(), &into, 1, &from, 1, 0));
}

static void take_descriptor(void)
{
	int pidfd = (int)syscall(434, target_process(), 0);
	expect(pidfd, "pidfd_open");
	tell(syscall(438, pidfd, 2, 0));
}

static void attach(void)
{
	tell(ptrace(PTRACE_SEIZE, target(), 0, 0));
}

static void signal_it(void)
{
	tell(kill(target(), SIGKILL));
}

static void signal_by_thread(void)
{
	tell(syscall(SYS_tgkill, target_process(), target(), SIGKILL));
}

static void signal_by_pidfd(void)
{
	int pidfd = (int)syscall(434, target_process(), 0);
	expect(pidfd, "pidfd_open");
	tell(syscall(424, pidfd, SIGKILL, 0, 0));
}

static void signal_queued(void)
{
	siginfo_t info = {.si_signo = SIGTERM, .si_code = SI_QUEUE};
	tell(syscall(SYS_rt_sigqueueinfo, target(), SIGTERM, &info));
}

static void set_limit(void)
{
	struct rlimit limit = {1, 1};
	tell(prlimit(target(), RLIMIT_CPU, &limit, NULL));
}

static void starve(void)
{
	struct sched_param parameter = {0};
	tell(syscall(SYS_sched_setscheduler, target(), SCHED_IDLE, &parameter)); /* musl's own function does nothing */
}

/* A file below /proc/PID of the target, or any other with an absolute name. */
static void open_for(const char *file, int flags)
{
	char path[4096];
	if (file[0] == '/')
		snprintf(path, sizeof path, "%s", file);
	else
		snprintf(path, sizeof path, "/proc/%d/%s", target(), file);
	tell(open(path, flags, 0600));
}

static void proc_mem(void)
{
	open_for("mem", O_RDWR);
}

static void proc_environ(void)
{
	open_for("environ", O_RDONLY);
}

static void proc_root(void)
{
	open_for("root/etc/passwd", O_RDONLY);
}

static void proc_oom(void)
{
	open_for("oom_score_adj", O_WRONLY);
}

static void read_path(void)
{
	open_for(argument, O_RDONLY);
}

static void write_path(void)
{
	open_for(argument, O_WRONLY);
}

static void create_path(void)
{
	open_for(argument, O_WRONLY | O_CREAT);
}

static void remove_path(void)
{
	tell(unlink(argument));
}

static void rename_path(void)
{
	char other[4096];
	snprintf(other, sizeof other, "%s.moved", argument);
	tell(rename(argument, other));
}

static void list_path(void)
{
	int entries = 0;
	DIR *directory = opendir(argument);
	if (!directory)
		tell(-1);
	while (readdir(directory))
		entries++;
	if (entries > 2)
		succeed();
	puts("empty");
	exit(1);
}

/* Moves itself out of its cgroup. */
static void leave_cgroup(void)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/cgroup.procs", argument);
	int fd = open(path, O_WRONLY);
	expect(fd, "open");
	tell(dprintf(fd, "0\n"));
}

static void connect_path(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t bytes = strlen(argument);
	expect(fd, "socket");
	if (bytes >= sizeof address.sun_path)
		exit(2);
	memcpy(address.sun_path, argument, bytes);
	if (argument[0] == '@')
		address.sun_path[0] = 0;
	tell(connect(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes)));
}

/* A set-user-id program of root, started as another user, must not become root: prints the effective user. */
static void become_root(void)
{
	if (geteuid() == 0 && getuid() != 0)
		succeed();
	if (getuid() == 0) {
		expect(setgid(65534), "setgid");
		expect(setuid(65534), "setuid");
		execl(argument, argument, "become-root", argument, (char *)NULL);
		fail("exec");
	}
	errno = EPERM;
	tell(-1);
}

static void capability(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	int number = atoi(argument);
	expect(syscall(SYS_capget, &header, data), "capget");
	errno = EPERM;
	int bounded = prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1;
	tell(bounded || (data[number / 32].permitted >> (number % 32) & 1) ? 0 : -1);
}

static const struct {
	const char *way;
	void (*run)(void);
} WAYS[] = {
	{"i386", i386},
	{"clone-namespaces", clone_namespaces},
	{"clone3", clone3},
	{"setns", join_namespace},
	{"mount", mount_over},
	{"umount", unmount},
	{"listener", listener},
	{"handle", handle},
	{"vm-write", vm_write},
	{"vm-read", vm_read},
	{"take-descriptor", take_descriptor},
	{"ptrace", attach},
	{"kill", signal_it},
	{"tgkill", signal_by_thread},
	{"pidfd-kill", signal_by_pidfd},
	{"sigqueue", signal_queued},
	{"prlimit", set_limit},
	{"starve", starve},
	{"proc-mem", proc_mem},
	{"proc-environ", proc_environ},
	{"proc-root", proc_root},
	{"proc-oom", proc_oom},
	{"read", read_path},
	{"write", write_path},
	{"create", create_path},
	{"remove", remove_path},
	{"rename", rename_path},
	{"list", list_path},
	{"leave-cgroup", leave_cgroup},
	{"connect", connect_path},
	{"become-root", become_root},
	{"capability", capability},
};

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	if (argc > 2)
		argument = argv[2];
	for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++)
		if (strcmp(argv[1], CALLS[i].way) == 0)
			tell(syscall(CALLS[i].nr, CALLS[i].a, CALLS[i].b, CALLS[i].c, CALLS[i].d));
	for (size_t i = 0; i < sizeof WAYS / sizeof WAYS[0]; i++)
		if (strcmp(argv[1], WAYS[i].way) == 0)
			WAYS[i].run();
	return 2;
}
