/* Reaches the unix socket PATH in the way that is named: unix_connect WAY PATH. */
#include "attack.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t length = sizeof(address);

static void name(const char *path)
{
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
}

/* Not by a path: the first byte is NUL, and the length says where the name ends. */
static void abstract_name(const char *text)
{
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", text);
	length = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(text);
}

/* By a short relative name: what the call says is not the path. */
static void name_in_directory(char *path)
{
	char *slash = strrchr(path, '/');

	*slash = 0;
	expect(chdir(path), "chdir");
	name(slash + 1);
}

/* Asks for the server, in the working directory, and waits until it is there. */
static void await_server(const char *path)
{
	struct stat info;
	int fd = open("wanted", O_CREAT | O_WRONLY, 0644);

	expect(fd, "open");
	for (int i = 0; lstat(path, &info) != 0 && i < 2000; i++)
		usleep(5000);
	expect(lstat(path, &info), "the server");
}

/* A server of datagrams in a process of its own, so that the message has somewhere to go. */
static void serve_datagrams(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	name(path);
	expect(bind(fd, (void *)&address, length), "bind");
}

int main(int argc, char **argv)
{
	const char *way = argc == 3 ? argv[1] : "";
	int fd;

	if (argc != 3)
		return 95;
	if (strncmp(way, "later-", 6) == 0) {
		way += 6;
		await_server(argv[2]);
	}
	if (strcmp(way, "symlink") == 0) {
		expect(symlink(argv[2], "way"), "symlink");
		name("way");
	} else if (strcmp(way, "relative") == 0) {
		name_in_directory(argv[2]);
	} else if (strcmp(way, "abstract") == 0) {
		abstract_name(argv[2]);
	} else {
		name(argv[2]);
	}
	fd = socket(AF_UNIX, strncmp(way, "datagram", 8) == 0 ? SOCK_DGRAM : SOCK_STREAM, 0);
	expect(fd, "socket");
	if (strcmp(way, "datagram-own") == 0) {
		serve_datagrams(argv[2]);
		expect(sendto(fd, "x", 1, 0, (void *)&address, length), "sendto");
	} else {
		expect(connect(fd, (void *)&address, length), "connect");
	}
	succeed();
	return 0;
}
