/* Reaches the unix socket PATH in the way that is named: unix_connect WAY PATH. */
#include "attack.h"

#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t length;

static void name(const char *path) {
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	length = sizeof(address);
}

/* By a short relative name: what the call says is not the path. */
static void name_in_directory(char *path) {
	char *slash = strrchr(path, '/');

	*slash = 0;
	expect(chdir(path), "chdir");
	name(slash + 1);
}

int main(int argc, char **argv) {
	int type, fd;

	if (argc != 3)
		return 95;
	type = strncmp(argv[1], "datagram", 8) == 0 ? SOCK_DGRAM : SOCK_STREAM;
	if (strcmp(argv[1], "relative") == 0)
		name_in_directory(argv[2]);
	else
		name(argv[2]);
	fd = socket(AF_UNIX, type, 0);
	expect(fd, "socket");
	if (strcmp(argv[1], "datagram-sendto") == 0)
		expect(sendto(fd, "x", 1, 0, (void *)&address, length), "sendto");
	else
		expect(connect(fd, (void *)&address, length), "connect");
	succeed();
	return 0;
}
