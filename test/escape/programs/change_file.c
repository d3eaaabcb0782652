/* Changes the file PATH in the way that is named; OTHER is a second name: change_file WAY PATH OTHER. */
#include "attack.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char *path, *other;

static void directory_of(char *name, int *directory, char **last)
{
	*last = strrchr(name, '/');
	**last = 0;
	*directory = open(name, O_PATH | O_DIRECTORY);
	expect(*directory, "open the directory");
	(*last)++;
}

static long change(const char *way)
{
	int directory, fd;
	char *last;

	if (strcmp(way, "unlink") == 0)
		return unlink(path);
	if (strcmp(way, "unlinkat") == 0) {
		directory_of(path, &directory, &last);
		return unlinkat(directory, last, 0);
	}
	if (strcmp(way, "rmdir") == 0)
		return rmdir(path);
	if (strcmp(way, "rename") == 0)
		return rename(path, other);
	if (strcmp(way, "rename-over") == 0)
		return rename(other, path);
	if (strcmp(way, "exchange") == 0)
		return syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, other, 2);
	if (strcmp(way, "link") == 0)
		return link(path, other);
	if (strcmp(way, "link-descriptor") == 0) {
		char name[64];

		fd = open(path, O_PATH);
		expect(fd, "open");
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		return linkat(AT_FDCWD, name, AT_FDCWD, other, AT_SYMLINK_FOLLOW);
	}
	if (strcmp(way, "symlink") == 0)
		return symlink(other, path);
	if (strcmp(way, "mkdir") == 0)
		return mkdir(path, 0700);
	if (strcmp(way, "mknod") == 0)
		return mknod(path, S_IFIFO | 0600, 0);
	if (strcmp(way, "bind") == 0) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
		return bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&address, sizeof(address));
	}
	if (strcmp(way, "create") == 0)
		return open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (strcmp(way, "chmod") == 0)
		return chmod(path, 0777);
	if (strcmp(way, "fchmod") == 0)
		return fchmod(open(path, O_RDONLY), 0777);
	if (strcmp(way, "chown") == 0)
		return chown(path, 12345, 12345);
	if (strcmp(way, "truncate") == 0)
		return truncate(path, 0);
	if (strcmp(way, "open-truncate") == 0)
		return open(path, O_WRONLY | O_TRUNC);
	if (strcmp(way, "write") == 0) {
		fd = open(path, O_WRONLY);
		return fd < 0 ? fd : write(fd, "changed by the escape suite: nothing is left", 44);
	}
	exit(95);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 95;
	path = argv[2];
	other = argv[3];
	expect(change(argv[1]), argv[1]);
	succeed();
	return 0;
}
