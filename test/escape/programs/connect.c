/* Sends a byte to port PORT of 127.66.0.1 (or ::1) in the way that is named: connect WAY PORT. */
#include "attack.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_in v4 = {.sin_family = AF_INET};
static struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

static int datagram(int family)
{
	int fd = socket(family, SOCK_DGRAM, 0);

	expect(fd, "socket");
	return fd;
}

static void by_tcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	expect(connect(fd, (void *)&v4, sizeof(v4)), "connect");
}

static void by_udp(void)
{
	int fd = datagram(AF_INET);

	expect(connect(fd, (void *)&v4, sizeof(v4)), "connect");
	expect(send(fd, "x", 1, 0), "send");
}

static void by_sendto(void)
{
	expect(sendto(datagram(AF_INET), "x", 1, 0, (void *)&v4, sizeof(v4)), "sendto");
}

static void by_sendmmsg(void)
{
	struct iovec io = {.iov_base = "x", .iov_len = 1};
	struct mmsghdr m = {.msg_hdr = {.msg_name = &v4, .msg_namelen = sizeof(v4), .msg_iov = &io, .msg_iovlen = 1}};

	expect(sendmmsg(datagram(AF_INET), &m, 1, 0), "sendmmsg");
}

static void by_mapped(void)
{
	expect(sendto(datagram(AF_INET6), "x", 1, 0, (void *)&v6, sizeof(v6)), "sendto");
}

static void by_raw(void)
{
	struct {
		struct iphdr ip;
		struct udphdr udp;
		char data;
	} __attribute__((packed)) packet = {
		.ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP},
		.udp = {.dest = v4.sin_port, .len = htons(9)},
		.data = 'x',
	};
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	expect(fd, "raw socket");
	packet.ip.daddr = v4.sin_addr.s_addr;
	expect(sendto(fd, &packet, sizeof(packet), 0, (void *)&v4, sizeof(v4)), "sendto");
}

static void by_fast_open(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	expect(sendto(fd, "x", 1, MSG_FASTOPEN, (void *)&v4, sizeof(v4)), "sendto with MSG_FASTOPEN");
}

static void by_two_connects(void)
{
	struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
	struct sockaddr_in allowed = v4;
	int fd = datagram(AF_INET);

	allowed.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect(connect(fd, (void *)&allowed, sizeof(allowed)), "first connect");
	expect(connect(fd, &nowhere, sizeof(nowhere)), "disconnect");
	expect(sendto(fd, "x", 1, 0, (void *)&v4, sizeof(v4)), "sendto");
}

/* To the unspecified address from a socket that is bound: that goes to what it is bound to. */
static void by_unspecified(void)
{
	struct sockaddr_in own = v4, unspecified = {.sin_family = AF_INET, .sin_port = v4.sin_port};
	int fd = datagram(AF_INET);

	own.sin_port = 0;
	expect(bind(fd, (void *)&own, sizeof(own)), "bind");
	expect(sendto(fd, "x", 1, 0, (void *)&unspecified, sizeof(unspecified)), "sendto");
}

static void by_unspecified_mapped(void)
{
	struct sockaddr_in6 own = v6, unspecified = v6;
	int fd = datagram(AF_INET6);

	own.sin6_port = 0;
	inet_pton(AF_INET6, "::ffff:0.0.0.0", &unspecified.sin6_addr);
	expect(bind(fd, (void *)&own, sizeof(own)), "bind");
	expect(connect(fd, (void *)&unspecified, sizeof(unspecified)), "connect");
	expect(send(fd, "x", 1, 0), "send");
}

static void by_unspecified6(void)
{
	int fd = datagram(AF_INET6);

	v6.sin6_addr = in6addr_any;
	expect(connect(fd, (void *)&v6, sizeof(v6)), "connect");
	expect(send(fd, "x", 1, 0), "send");
}

/* To an allowed address, by a source route through the other one: the packet goes there first. */
static void by_options(void)
{
	unsigned char route[8] = {IPOPT_LSRR, 7, 4};
	int fd = datagram(AF_INET);

	memcpy(route + 3, &v4.sin_addr, 4);
	expect(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, route, sizeof(route)), "IP_OPTIONS");
	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect(sendto(fd, "x", 1, 0, (void *)&v4, sizeof(v4)), "sendto");
}

/* The same by a message alone, no option of the socket. */
static void by_message_options(void)
{
	union {
		char bytes[CMSG_SPACE(8)];
		struct cmsghdr align;
	} control = {0};
	struct iovec io = {.iov_base = "x", .iov_len = 1};
	struct msghdr m = {.msg_name = &v4,
			   .msg_namelen = sizeof(v4),
			   .msg_iov = &io,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&m);
	unsigned char route[8] = {IPOPT_NOP, IPOPT_SSRR, 7, 4};

	memcpy(route + 4, &v4.sin_addr, 4);
	head->cmsg_level = IPPROTO_IP;
	head->cmsg_type = IP_RETOPTS;
	head->cmsg_len = CMSG_LEN(8);
	memcpy(CMSG_DATA(head), route, sizeof(route));
	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect(sendmsg(datagram(AF_INET), &m, 0), "sendmsg");
}

/* IPv6 segment routing (RFC 8754), for which nobody needs a capability. */
static void by_segments(void)
{
	struct {
		unsigned char next, length, type, left, last, flags;
		unsigned short tag;
		struct in6_addr segments[2]; /* the last one is the first to be reached */
	} route = {.length = 4, .type = 4, .left = 1, .last = 1};
	int fd = datagram(AF_INET6);

	route.segments[1] = in6addr_loopback;
	inet_pton(AF_INET6, "fd00::1", &v6.sin6_addr);
	expect(setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, &route, sizeof(route)), "IPV6_RTHDR");
	expect(sendto(fd, "x", 1, 0, (void *)&v6, sizeof(v6)), "sendto");
}

static volatile int over;

/* Writes now the one port, now the other. */
static void *exchange(void *port)
{
	while (!over) {
		*(volatile in_port_t *)&v4.sin_port = htons(1);
		*(volatile in_port_t *)&v4.sin_port = *(in_port_t *)port;
	}
	return NULL;
}

/* Another thread exchanges the port while the call is decided about. */
static void by_race(void)
{
	in_port_t port = v4.sin_port;
	struct sockaddr_in peer;
	pthread_t other;
	int reached = 0;

	if (pthread_create(&other, NULL, exchange, &port) != 0)
		expect(-1, "pthread_create");
	for (int i = 0; i < 3000 && !reached; i++) {
		socklen_t bytes = sizeof(peer);
		int fd = datagram(AF_INET);

		if (connect(fd, (void *)&v4, sizeof(v4)) == 0 && getpeername(fd, (void *)&peer, &bytes) == 0)
			reached = peer.sin_port == port;
		close(fd);
	}
	over = 1;
	pthread_join(other, NULL);
	expect(reached ? 0 : -1, "to reach the port");
}

static const struct {
	const char *name;
	void (*run)(void);
} ways[] = {
	{"tcp", by_tcp},
	{"udp", by_udp},
	{"sendto", by_sendto},
	{"sendmmsg", by_sendmmsg},
	{"mapped", by_mapped},
	{"raw", by_raw},
	{"fast-open", by_fast_open},
	{"reconnect", by_two_connects},
	{"unspecified", by_unspecified},
	{"unspecified-mapped", by_unspecified_mapped},
	{"unspecified6", by_unspecified6},
	{"options", by_options},
	{"message-options", by_message_options},
	{"segments", by_segments},
	{"race", by_race},
};

int main(int argc, char **argv)
{
	size_t i;

	if (argc != 3)
		return 95;
	v4.sin_port = v6.sin6_port = htons(atoi(argv[2]));
	inet_pton(AF_INET, "127.66.0.1", &v4.sin_addr);
	inet_pton(AF_INET6, "::ffff:127.66.0.1", &v6.sin6_addr);
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(ways[i].name, argv[1]) == 0) {
			ways[i].run();
			succeed();
		}
	return 95;
}
