/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The kernel's types of sockets, as far as the programs read them; see agentguard_types.h. */
#ifndef AGENTGUARD_SOCKET_TYPES_H
#define AGENTGUARD_SOCKET_TYPES_H

#include "agentguard_types.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr_bytes {
	__u8 b[16];
};

struct net;

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	possible_net_t skc_net;
	__be32 skc_rcv_saddr;
	__u16 skc_num;
	unsigned short skc_family;
	struct in6_addr_bytes skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_protocol;
};

struct socket {
	struct sock *sk;
};

struct sockaddr_un {
	__u16 sun_family;
};

struct unix_address {
	int len; /* of the whole address, with the family */
	struct sockaddr_un name[0];
};

struct unix_sock {
	struct unix_address *addr;
	struct path path;
	struct sock *peer;
};

struct sockaddr;

struct bpf_sock_addr_kern {
	struct sockaddr *uaddr;
	__u32 uaddrlen; /* Linux 6.7 */
};

#pragma clang attribute pop

#endif
