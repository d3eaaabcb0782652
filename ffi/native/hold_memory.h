/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the memory of a caller that waits, and hashing as probes/grant.h does. */
#ifndef AG_HOLD_MEMORY_H
#define AG_HOLD_MEMORY_H

#include "hold.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#define AG_PAGE 4096UL

/* Reads up to `bytes` and at most to the end of the page: what the kernel gives is then all or nothing. */
static long read_page(uint32_t tid, uint64_t from, void *to, size_t bytes)
{
	size_t room = AG_PAGE - (from & (AG_PAGE - 1));
	struct iovec local = {to, bytes < room ? bytes : room};
	struct iovec remote = {(void *)(uintptr_t)from, local.iov_len};
	long got = process_vm_readv((pid_t)tid, &local, 1, &remote, 1, 0);

	return got < 0 ? -errno : got;
}

/* Reads exactly `bytes`; 0, or -errno. */
static int read_memory(uint32_t tid, uint64_t from, void *to, size_t bytes)
{
	for (size_t at = 0; at < bytes;) {
		long got = read_page(tid, from + at, (char *)to + at, bytes - at);
		if (got <= 0)
			return got < 0 ? (int)got : -EFAULT;
		at += (size_t)got;
	}
	return 0;
}

/*
 * Reads a string into `to`; its length without the NUL, -ENAMETOOLONG where there is none within `room` bytes, or
 * -EFAULT.
 */
static long read_string(uint32_t tid, uint64_t from, char *to, size_t room)
{
	for (size_t at = 0; at < room;) {
		/* Most names are short: little is copied that nobody needs. */
		size_t wanted = at == 0 && room > 256 ? 256 : room - at;
		long got = read_page(tid, from + at, to + at, wanted);
		if (got <= 0)
			return got < 0 ? got : -EFAULT;
		char *end = memchr(to + at, 0, (size_t)got);
		if (end)
			return end - to;
		at += (size_t)got;
	}
	return -ENAMETOOLONG;
}

/* The page of a caller's memory that was read last: as a rule arguments lie side by side. */
struct read_page {
	uint64_t at; /* 0: none */
	char bytes[AG_PAGE];
};

/* As read_page, from the page that was read last or from another one, which then is. */
static long read_beside(uint32_t tid, struct read_page *page, uint64_t from, void *to, size_t bytes)
{
	size_t skip = from & (AG_PAGE - 1), room = AG_PAGE - skip;
	uint64_t at = from - skip;

	if (page->at != at || at == 0) {
		long got = read_page(tid, at, page->bytes, AG_PAGE);
		page->at = got == (long)AG_PAGE ? at : 0;
		if (got != (long)AG_PAGE)
			return got < 0 ? got : -EFAULT;
	}
	bytes = bytes < room ? bytes : room;
	memcpy(to, page->bytes + skip, bytes);
	return (long)bytes;
}

/* As read_string, see read_beside. */
static long read_argument(uint32_t tid, struct read_page *page, uint64_t from, char *to, size_t room)
{
	for (size_t at = 0; at < room;) {
		long got = read_beside(tid, page, from + at, to + at, room - at);
		char *end;
		if (got <= 0)
			return got < 0 ? got : -EFAULT;
		end = memchr(to + at, 0, (size_t)got);
		if (end)
			return end - to;
		at += (size_t)got;
	}
	return -ENAMETOOLONG;
}

/*
 * Reads a list of pointers to strings (argv) one after the other, each with its NUL, until `room` is full. Returns the
 * bytes, or -errno; *cut is set where the list goes on.
 */
static long read_list(uint32_t tid, uint64_t list, char *to, size_t room, int *cut)
{
	struct read_page page = {.at = 0};
	uint64_t pointers[64];
	size_t at = 0;

	*cut = 0;
	if (list == 0)
		return 0;
	for (;;) {
		size_t bytes = AG_PAGE - (list & (AG_PAGE - 1));
		if (bytes > sizeof pointers)
			bytes = sizeof pointers;
		if (bytes < 8) /* a pointer across pages */
			bytes = 8;
		bytes &= ~(size_t)7;
		int failed = read_memory(tid, list, pointers, bytes);
		if (failed)
			return failed;
		for (size_t i = 0; i < bytes / 8; i++) {
			if (pointers[i] == 0)
				return (long)at;
			long length = read_argument(tid, &page, pointers[i], to + at, room - at);
			if (length == -ENAMETOOLONG) {
				*cut = 1;
				return (long)room;
			}
			if (length < 0)
				return length;
			at += (size_t)length + 1;
			if (at == room) {
				*cut = 1; /* or exactly full, which nobody need tell apart */
				return (long)at;
			}
		}
		list += bytes;
	}
}

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static inline void sip_round(struct sip *h)
{
	h->v0 += h->v1;
	h->v1 = rotate(h->v1, 13) ^ h->v0;
	h->v0 = rotate(h->v0, 32);
	h->v2 += h->v3;
	h->v3 = rotate(h->v3, 16) ^ h->v2;
	h->v0 += h->v3;
	h->v3 = rotate(h->v3, 21) ^ h->v0;
	h->v2 += h->v1;
	h->v1 = rotate(h->v1, 17) ^ h->v2;
	h->v2 = rotate(h->v2, 32);
}

static inline void sip_word(struct sip *h, uint64_t word)
{
	h->v3 ^= word;
	sip_round(h);
	sip_round(h);
	h->v0 ^= word;
}

/* SipHash-2-4 over the length, then the bytes in words of eight, the last one filled with zeros. */
static uint64_t sip_hash(const uint64_t key[2], const char *from, size_t bytes)
{
	struct sip h = {
		key[0] ^ 0x736f6d6570736575ULL,
		key[1] ^ 0x646f72616e646f6dULL,
		key[0] ^ 0x6c7967656e657261ULL,
		key[1] ^ 0x7465646279746573ULL,
	};
	sip_word(&h, bytes);
	for (size_t at = 0; at < bytes; at += 8) {
		uint64_t word = 0;
		memcpy(&word, from + at, bytes - at < 8 ? bytes - at : 8);
		sip_word(&h, word);
	}
	h.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&h);
	return h.v0 ^ h.v1 ^ h.v2 ^ h.v3;
}

#endif
