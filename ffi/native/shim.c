/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few things that bun:ffi cannot do by itself: system calls whose errno cannot be overwritten before it is read,
 * loads with acquire order, and the va_list of libbpf's message callback. Loaded into the guard; no state but the
 * message buffer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Result of the system call, or -errno. */
int64_t ag_syscall(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f)
{
	long result = syscall(number, a, b, c, d, e, f);

	return result == -1 ? -(int64_t)errno : result;
}

/* errno of this thread, for libbpf calls that return a null pointer. */
int32_t ag_errno(void)
{
	return errno;
}

int32_t ag_page_bytes(void)
{
	return (int32_t)sysconf(_SC_PAGESIZE);
}

/* Position words of a ring buffer: loads that later loads may not pass. Below 2^53, which is 104 days at 1 GB/s. */
double ag_load_acquire(const uint64_t *word)
{
	return (double)__atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Gives the space before `position` back to the kernel; earlier loads may not pass it. */
void ag_store_release(uint64_t *word, double position)
{
	__atomic_store_n(word, (uint64_t)position, __ATOMIC_RELEASE);
}

/*
 * libbpf reads the kernel's 5 MB of types into fresh memory twice; at 4 KiB a fault that is half of a start. While it
 * loads, large blocks of this thread come from its malloc arena, and that in pages of 2 MiB where the kernel has them.
 * A hint: without it everything works, more slowly.
 */
#define AG_ARENA_BYTES (64ul << 20) /* HEAP_MAX_SIZE of glibc's arenas, to which they are aligned */
#define AG_LARGE_BYTES (32 << 20)   /* DEFAULT_MMAP_THRESHOLD_MAX */
#define AG_LARGE_DEFAULT (128 << 10)

void ag_large_blocks(int32_t on)
{
	void *inside;

	mallopt(M_MMAP_THRESHOLD, on ? AG_LARGE_BYTES : AG_LARGE_DEFAULT);
	if (!on || syscall(SYS_gettid) == getpid()) /* the main thread's heap is no such arena */
		return;
	inside = malloc(64);
	if (inside)
		madvise((void *)((uintptr_t)inside & ~(AG_ARENA_BYTES - 1)), AG_ARENA_BYTES, MADV_HUGEPAGE);
	free(inside);
}

#define AG_MESSAGES_MAX 65536
static __thread char messages[AG_MESSAGES_MAX];
static __thread uint32_t messages_length;

static int ag_print(int level, const char *format, va_list arguments)
{
	int room = AG_MESSAGES_MAX - (int)messages_length, written;

	if (level > 1 || room <= 1)
		return 0; /* LIBBPF_WARN is 0, LIBBPF_INFO 1 */
	written = vsnprintf(messages + messages_length, (size_t)room, format, arguments);
	if (written > 0)
		messages_length += (uint32_t)(written < room ? written : room - 1);
	return written;
}

/* For libbpf_set_print. */
void *ag_print_function(void)
{
	return (void *)ag_print;
}

/* Text of this thread since the last ag_messages_clear; NUL-terminated. */
const char *ag_messages(void)
{
	return messages;
}

void ag_messages_clear(void)
{
	messages_length = 0;
	messages[0] = 0;
}
