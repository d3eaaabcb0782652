/*
 * Reaches an address by a name that does not permit it: names WAY RESOLVER NAME ADDRESS. `ask` looks the name up at the
 * resolver first, `forge` sends itself an answer from the resolver's address.
 */
#include "attack.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

static struct sockaddr_in resolver = {.sin_family = AF_INET};
static unsigned char message[512];

/* A question for the addresses of a name; returns its length. */
static int question(const char *name)
{
	static const unsigned char head[] = {0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
	static const unsigned char end[] = {0, 0, 1, 0, 1};
	int at = sizeof(head);

	memcpy(message, head, sizeof(head));
	while (*name) {
		int length = strcspn(name, ".");

		message[at++] = length;
		memcpy(message + at, name, length);
		at += length;
		name += length + (name[length] == '.');
	}
	memcpy(message + at, end, sizeof(end));
	return at + sizeof(end);
}

static void ask(const char *name)
{
	struct timeval wait = {.tv_sec = 20};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	expect(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), "setsockopt");
	expect(sendto(fd, message, question(name), 0, (void *)&resolver, sizeof(resolver)), "ask");
	expect(recv(fd, message, sizeof(message), 0), "answer");
	puts("answered");
	close(fd);
}

/* What happens to the answer shows at the connection alone. */
static void forge(const char *name, struct in_addr address)
{
	static const unsigned char record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4};
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t own_bytes = sizeof(own);
	int to = socket(AF_INET, SOCK_DGRAM, 0), from = socket(AF_INET, SOCK_DGRAM, 0), length = question(name);

	message[2] = 0x81;
	message[3] = 0x80;
	message[7] = 1;
	memcpy(message + length, record, sizeof(record));
	memcpy(message + length + sizeof(record), &address, 4);
	expect(bind(to, (void *)&own, sizeof(own)), "bind");
	expect(getsockname(to, (void *)&own, &own_bytes), "getsockname");
	expect(bind(from, (void *)&resolver, sizeof(resolver)), "bind as the resolver");
	if (sendto(from, message, length + sizeof(record) + 4, 0, (void *)&own, sizeof(own)) < 0)
		perror("forged answer");
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7120)};
	int fd;

	if (argc != 5 || inet_pton(AF_INET, argv[2], &resolver.sin_addr) != 1 ||
	    inet_pton(AF_INET, argv[4], &to.sin_addr) != 1)
		return 2;
	resolver.sin_port = htons(53);
	if (strcmp(argv[1], "forge") == 0)
		forge(argv[3], to.sin_addr);
	else
		ask(argv[3]);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	expect(connect(fd, (void *)&to, sizeof(to)), "connect");
	expect(send(fd, "x", 1, 0), "send");
	succeed();
}
