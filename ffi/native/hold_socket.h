/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Held calls about sockets: where to a connect, sendto, sendmsg or sendmmsg goes. The caller's memory may hold another
 * address by the time the kernel reads it; the programs of its cgroup compare what the kernel then has.
 */
#ifndef AG_HOLD_SOCKET_H
#define AG_HOLD_SOCKET_H

#include "hold_describe.h"

#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* Linux 6.9 */
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

#define AG_MESSAGES_MAX 1024 /* UIO_MAXIOV: what sendmmsg takes in one call */
#define AG_SYN_SENT 2        /* TCP_SYN_SENT of include/net/tcp_states.h */

_Static_assert(sizeof(struct mmsghdr) == 64, "as on every 64-bit architecture");

static int is_mapped(const struct in6_addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(a, mapped, sizeof mapped) == 0;
}

/* Reads an address; 0, -EDESTADDRREQ where there is none of IPv4 or IPv6, or -EFAULT. */
static int read_address(const struct ag_hold_call *call, uint64_t from, uint64_t bytes, struct ag_hold_socket *s)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a;
	const size_t v6_least = offsetof(struct sockaddr_in6, sin6_scope_id); /* SIN6_LEN_RFC2133 */
	sa_family_t family;

	memset(&a, 0, sizeof a);
	if (!from || bytes < sizeof family)
		return -EDESTADDRREQ;
	if (read_memory(call->tid, from, &a, bytes < sizeof a ? (size_t)bytes : sizeof a))
		return -EFAULT;
	family = a.any.sa_family;
	/* Sends take an address without a family for one of IPv4 (udp_sendmsg). */
	if (family == AF_UNSPEC && s->action == AG_HOLD_SEND)
		family = AF_INET;
	if (family == AF_INET && bytes >= sizeof a.v4) {
		s->family = 4;
		s->port = ntohs(a.v4.sin_port);
		memcpy(s->address, &a.v4.sin_addr, 4);
		return 0;
	}
	if (family != AF_INET6 || bytes < v6_least)
		return -EDESTADDRREQ;
	s->port = ntohs(a.v6.sin6_port);
	s->family = is_mapped(&a.v6.sin6_addr) ? 4 : 6;
	if (s->family == 4)
		memcpy(s->address, (const uint8_t *)&a.v6.sin6_addr + 12, 4);
	else
		memcpy(s->address, &a.v6.sin6_addr, 16);
	return 0;
}

/* The one address of all messages; -E2BIG where there are several. */
static int read_messages(const struct ag_hold_call *call, struct ag_hold_socket *s)
{
	const uint64_t count = call->args[2] < AG_MESSAGES_MAX ? call->args[2] : AG_MESSAGES_MAX;
	struct ag_hold_socket next;
	struct mmsghdr message;
	int found = -EDESTADDRREQ;

	for (uint64_t i = 0; i < count; i++) {
		int failed;
		if (read_memory(call->tid, call->args[1] + i * sizeof message, &message, sizeof message))
			return -EFAULT;
		memset(&next, 0, sizeof next);
		next.action = s->action;
		failed = read_address(call, (uintptr_t)message.msg_hdr.msg_name, message.msg_hdr.msg_namelen, &next);
		if (failed == -EDESTADDRREQ)
			continue;
		if (failed)
			return failed;
		if (found == 0 && memcmp(&next, s, sizeof next) != 0)
			return -E2BIG;
		*s = next;
		found = 0;
	}
	return found;
}

static int read_target(const struct ag_hold_call *call, struct ag_hold_socket *s)
{
	const uint64_t *a = call->args;
	uint64_t flags = call->nr == SYS_sendmsg ? a[2] : a[3];
	struct msghdr message;

	/* A fast open connects with its first message. */
	s->action = call->nr == SYS_connect || flags & MSG_FASTOPEN ? AG_HOLD_CONNECT : AG_HOLD_SEND;
	switch (call->nr) {
	case SYS_connect:
		s->action = AG_HOLD_CONNECT;
		return read_address(call, a[1], (uint32_t)a[2], s);
	case SYS_sendto:
		return read_address(call, a[4], (uint32_t)a[5], s);
	case SYS_sendmsg:
		if (read_memory(call->tid, a[1], &message, sizeof message))
			return -EFAULT;
		return read_address(call, (uintptr_t)message.msg_name, message.msg_namelen, s);
	case SYS_sendmmsg:
		return read_messages(call, s);
	default:
		return -ENOSYS;
	}
}

/* The caller's socket, as a descriptor of this process. A thread may have descriptors of its own. */
static int copy_socket(const struct ag_hold_call *call)
{
	int process = (int)syscall(SYS_pidfd_open, call->tid, PIDFD_THREAD), copy;

	if (process < 0 && errno == EINVAL)
		process = (int)syscall(SYS_pidfd_open, call->tgid, 0);
	if (process < 0)
		return -errno;
	copy = (int)syscall(SYS_pidfd_getfd, process, (int)call->args[0], 0);
	if (copy < 0)
		copy = -errno;
	close(process);
	return copy;
}

/* The IPv4 address that a socket is bound to; 0 where it is to none. */
static uint32_t bound_to(int socket)
{
	union {
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} own;
	socklen_t bytes = sizeof own;
	uint32_t address = 0;

	memset(&own, 0, sizeof own);
	if (getsockname(socket, (struct sockaddr *)&own, &bytes) != 0)
		return 0;
	if (own.v4.sin_family == AF_INET)
		return own.v4.sin_addr.s_addr;
	if (own.v6.sin6_family == AF_INET6 && is_mapped(&own.v6.sin6_addr))
		memcpy(&address, (const uint8_t *)&own.v6.sin6_addr + 12, 4);
	return address;
}

/* The unspecified address stands for this host: what the programs of the cgroup make of it (ag_own4, ag_own6). */
static void name_own_host(int socket, struct ag_hold_socket *s)
{
	static const uint8_t zeros[16];
	uint32_t bound;

	if (memcmp(s->address, zeros, sizeof zeros) != 0)
		return;
	bound = bound_to(socket);
	if (s->family == 6 && !(bound && s->action == AG_HOLD_CONNECT)) {
		s->address[15] = 1;
		return;
	}
	if (s->family == 6 || !bound)
		bound = htonl(INADDR_LOOPBACK);
	s->family = 4;
	memcpy(s->address, &bound, 4);
}

/* Which protocol; -EDESTADDRREQ where the call is the second one of a connection that is on its way. */
static int read_protocol(const struct ag_hold_call *call, struct ag_hold_socket *s)
{
	int socket = copy_socket(call), protocol = 0, failed = 0;
	socklen_t bytes = sizeof protocol;
	struct tcp_info info;

	if (socket < 0)
		return socket;
	if (getsockopt(socket, SOL_SOCKET, SO_PROTOCOL, &protocol, &bytes) != 0)
		failed = -errno;
	memset(&info, 0, sizeof info);
	bytes = sizeof info;
	if (!failed && s->action == AG_HOLD_CONNECT && protocol == IPPROTO_TCP &&
	    getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &bytes) == 0 && info.tcpi_state == AG_SYN_SENT)
		failed = -EDESTADDRREQ;
	name_own_host(socket, s);
	close(socket);
	s->protocol = (uint32_t)protocol;
	return failed;
}

/*
 * Finds out where to the call that was received last goes, and who makes it. 0; -EDESTADDRREQ where no rule about
 * addresses can be about it; -E2BIG where it goes to several; or another -errno, which the kernel finds as well.
 */
static int describe_socket(struct ag_hold_state *state, struct ag_hold_socket *s)
{
	const struct ag_hold_call *call = &state->hold.call;
	int failed;

	become_self(state);
	memset(s, 0, sizeof *s);
	failed = read_target(call, s);
	if (!failed)
		failed = read_protocol(call, s);
	if (failed)
		return failed;
	memset(&state->hold.change, 0, sizeof state->hold.change);
	state->hold.text_bytes = 0;
	return describe_caller(state);
}

#endif
