/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp filter that sends chosen system calls of the command to the guard, which holds them until it answers. */
#ifndef AG_LAUNCH_FILTER_H
#define AG_LAUNCH_FILTER_H

#include "launch_protocol.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define AG_NATIVE_ARCH AUDIT_ARCH_X86_64
#define AG_FOREIGN_NUMBERS 0x40000000U /* __X32_SYSCALL_BIT: the same architecture, other entry points */
#elif defined(__aarch64__)
#define AG_NATIVE_ARCH AUDIT_ARCH_AARCH64
#define AG_FOREIGN_NUMBERS 0U
#else
#error "name this architecture's AUDIT_ARCH"
#endif

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* include/uapi/linux/seccomp.h, Linux 5.19 */
#endif

#define AG_DATA(field) ((uint32_t)offsetof(struct seccomp_data, field))

/* A program under construction. What does not fit sets `overflow`, and then it is not installed. */
struct filter {
	struct sock_filter code[BPF_MAXINSNS];
	uint16_t length;
	int overflow;
};

static void emit(struct filter *filter, uint16_t code, uint32_t k, uint8_t jump_true, uint8_t jump_false)
{
	if (filter->length == BPF_MAXINSNS) {
		filter->overflow = 1;
		return;
	}
	filter->code[filter->length++] = (struct sock_filter){code, jump_true, jump_false, k};
}

static void emit_load(struct filter *filter, uint32_t offset)
{
	emit(filter, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void emit_return(struct filter *filter, uint32_t action)
{
	emit(filter, BPF_RET | BPF_K, action, 0, 0);
}

/*
 * Calls of a foreign ABI do not exist: i386 (int 0x80) and x32 have other numbers for the same actions, so that every
 * test below would be blind to them. The kernel keeps this per process, so that it is checked on every call.
 */
static void emit_native_only(struct filter *filter)
{
	emit_load(filter, AG_DATA(arch));
	emit(filter, BPF_JMP | BPF_JEQ | BPF_K, AG_NATIVE_ARCH, 1, 0);
	emit_return(filter, SECCOMP_RET_ERRNO | ENOSYS);
	if (AG_FOREIGN_NUMBERS == 0)
		return;
	emit_load(filter, AG_DATA(nr));
	emit(filter, BPF_JMP | BPF_JSET | BPF_K, AG_FOREIGN_NUMBERS, 0, 1);
	emit_return(filter, SECCOMP_RET_ERRNO | ENOSYS);
}

static int is_unlike(const struct ag_launch_test *test)
{
	return test->arg != AG_LAUNCH_ANY_ARGUMENT && (test->arg & AG_LAUNCH_UNLIKE) != 0;
}

/* The words of an argument that a test looks at: low and high half (little endian, as both architectures are). */
static unsigned words_of(const struct ag_launch_test *test, uint32_t words[2][3])
{
	unsigned count = 0;
	for (unsigned half = 0; half < 2; half++) {
		uint32_t mask = (uint32_t)(test->mask >> (32 * half));
		if (mask == 0)
			continue;
		words[count][0] = AG_DATA(args) + 8 * (test->arg & ~AG_LAUNCH_UNLIKE) + 4 * half;
		words[count][1] = mask;
		words[count][2] = (uint32_t)(test->value >> (32 * half));
		count++;
	}
	return count;
}

/* `action` for the calls that pass the test; others go on behind it. */
static void emit_test(struct filter *filter, const struct ag_launch_test *test, uint32_t action)
{
	uint32_t words[2][3];
	unsigned count = test->arg == AG_LAUNCH_ANY_ARGUMENT ? 0 : words_of(test, words);
	emit_load(filter, AG_DATA(nr));
	emit(filter, BPF_JMP | BPF_JEQ | BPF_K, test->nr, 0, (uint8_t)(3 * count + 1));
	for (unsigned i = 0; i < count; i++) {
		emit_load(filter, words[i][0]);
		emit(filter, BPF_ALU | BPF_AND | BPF_K, words[i][1], 0, 0);
		emit(filter, BPF_JMP | BPF_JEQ | BPF_K, words[i][2], 0, (uint8_t)(3 * (count - 1 - i) + 1));
	}
	emit_return(filter, action);
}

/* The same for the calls that do not pass: the first word that differs is enough. */
static void emit_unlike(struct filter *filter, const struct ag_launch_test *test, uint32_t action)
{
	uint32_t words[2][3];
	unsigned count = words_of(test, words);
	emit_load(filter, AG_DATA(nr));
	emit(filter, BPF_JMP | BPF_JEQ | BPF_K, test->nr, 0, (uint8_t)(3 * count + 1));
	for (unsigned i = 0; i < count; i++) {
		uint8_t behind = i + 1 == count; /* the last word that is alike jumps over the return */
		emit_load(filter, words[i][0]);
		emit(filter, BPF_ALU | BPF_AND | BPF_K, words[i][1], 0, 0);
		emit(filter, BPF_JMP | BPF_JEQ | BPF_K, words[i][2], behind, (uint8_t)(3 * (count - 1 - i)));
	}
	emit_return(filter, action);
}

/* Installs the program for this thread; returns what seccomp(2) returns, -1 with errno. */
static int install_filter(struct filter *filter, unsigned flags)
{
	struct sock_fprog program = {.len = filter->length, .filter = filter->code};
	if (filter->overflow) {
		errno = E2BIG;
		return -1;
	}
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* What the command itself does between the filter and the guard's first answer may not wait for that answer. */
static int test_is_valid(const struct ag_launch_test *test)
{
	if (test->nr == SYS_read || test->nr == SYS_write || test->nr == SYS_seccomp || test->nr == SYS_exit_group)
		return 0;
	if (AG_FOREIGN_NUMBERS != 0 && (test->nr & AG_FOREIGN_NUMBERS) != 0)
		return 0;
	if ((test->value & ~test->mask) != 0)
		return 0;
	if (is_unlike(test) && test->mask == 0)
		return 0;
	return test->arg == AG_LAUNCH_ANY_ARGUMENT || (test->arg & ~AG_LAUNCH_UNLIKE) <= 5;
}

/* Returns the listener, close-on-exec, or -1 with errno. */
static int install_notify_filter(const struct ag_launch_test *tests, uint32_t count)
{
	static struct filter filter;
	unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	filter.length = 0;
	emit_native_only(&filter);
	for (uint32_t i = 0; i < count; i++)
		(is_unlike(&tests[i]) ? emit_unlike : emit_test)(&filter, &tests[i], SECCOMP_RET_USER_NOTIF);
	emit_return(&filter, SECCOMP_RET_ALLOW);
	/* Once the guard has read a call, only a fatal signal interrupts it: a handler's signal would restart it. */
	int listener = install_filter(&filter, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
	if (listener < 0 && errno == EINVAL) /* before Linux 5.19 */
		listener = install_filter(&filter, flags);
	return listener;
}

#endif
